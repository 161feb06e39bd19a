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

MP4 = (
    Cost(
        "track:*:*:edits", "edit lists of files in fragments, and of video that is not H.264, HEVC, VP9, AV1 or ProRes",
        "such files are re-muxed with FFmpeg, into fragments",
    ),
    Cost("layout", "the plain layout of the latter", "such files are re-muxed with FFmpeg, into fragments"),
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
