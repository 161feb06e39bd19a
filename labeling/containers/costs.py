"""What a labelled copy of a file may lose, and why: rows of the table of formats name these.

A cost is a fact about an encoder or muxer that we use. ``tests/test_preservation_battery.py`` shows each of them with a
file: one that is no longer true has to go.
"""

from __future__ import annotations

from labeling.containers.format_row import Cost

HEIF = (
    Cost(
        "colour:nclx", "a colour matrix that the encoder does not take",
        "the encoder takes this matrix only; the samples were converted to it",
    ),
    Cost("property:lsel", "further layers of a layered picture", "the new picture has a single layer"),
)  # fmt: skip

_BASE_LAYER = "the re-encoded pictures hold the base layer alone, so the video is no longer announced as Dolby Vision"

_CODEC = Cost(
    "track:*:*:codec", "the codec of a video that is decoded here and not encoded",
    "its pictures are not encoded in their own codec here: all of the video was re-encoded in the closest one",
)  # fmt: skip

MATROSKA = (
    _CODEC,
    Cost("track:*:*:uid", "the numbers (UIDs) of the tracks of such a file", "the file was re-muxed"),
)

MP4 = (
    _CODEC,
    *(
        Cost(f"track:*:*:{name}", what, _BASE_LAYER)
        for name, what in (("dvvC", "Dolby Vision beyond its base layer"), ("dvcC", "the same of profiles up to 7"))
    ),
    Cost("track:*:*:bits", "the last 2 of 12 bits of ProRes 4444 under the label", "no encoder here takes more"),
)  # fmt: skip

PNG = (
    Cost(
        "chunk:iDOT", "Apple's iDOT chunk, which lets decoders share the work",
        "its offsets into the coded picture do not hold any more, and every decoder does without",
    ),
)  # fmt: skip

TIFF = (
    Cost(
        "palette", "the palette of a page that has no colour left for the label",
        "it had no room for the label's colours: the page became 8-bit RGB, with the same colours",
    ),
)  # fmt: skip
