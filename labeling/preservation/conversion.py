"""What a picture loses in another format: its properties and metadata are compared, not how its file is built."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from labeling.containers import Entry, Kind
from labeling.containers.base import Measure, digest
from labeling.losses import Loss
from labeling.marks import iim
from labeling.preservation.comparison import losses_of, unmatched
from labeling.preservation.inventory import State, entries, named

_PAGE = "ifd:IFD0:"
"""How the keys of what is in a TIFF file's first directory begin."""

_OF_A_FORMAT = frozenset({
    "size", "coding", "chroma", "colour", "colour:nclx", "ifd:IFD0", "picture:first", "chunk:sRGB", "chunk:bKGD",
    "chunk:iDOT", "chunk:hIST", "suggested-palette", "colour-model",
})  # fmt: skip
"""What says how a file of one format is coded; the codec names what becomes of the picture."""

_SRGB = {"chunk:gAMA": bytes.fromhex("0000b18f"),
         "chunk:cHRM": bytes.fromhex("00007a26000080840000fa00000080e8000075300000ea6000003a9800001770")}  # fmt: skip
"""Chunks that say what is assumed without them: sRGB."""

_OF_CODING = (
    "JPEG APP0", "JPEG APP14",  # JFIF and Adobe: how the samples are coded
    "GIF application extension NETSCAPE2.0", "GIF application extension ANIMEXTS1.0",  # loops: an own entry
)  # fmt: skip
_MEANT = frozenset({
    "exif:IFD0:0x0213",
    "exif:IFD0:0x0112", "exif:IFD0:0x0100", "exif:IFD0:0x0101", "exif:Exif:0xA002", "exif:Exif:0xA003",
    "xmp:http://ns.adobe.com/tiff/1.0/:Orientation", "xmp:http://ns.adobe.com/tiff/1.0/:ImageWidth",
    "xmp:http://ns.adobe.com/tiff/1.0/:ImageLength", "xmp:http://ns.adobe.com/exif/1.0/:PixelXDimension",
    "xmp:http://ns.adobe.com/exif/1.0/:PixelYDimension", "xmp:http://ns.adobe.com/xmp/note/:HasExtendedXMP",
})  # fmt: skip
"""Orientation, size and the place of chroma samples, which are those of the new picture."""

_RESOLUTION = frozenset({"chunk:pHYs", "exif:IFD0:0x011A", "exif:IFD0:0x011B", "exif:IFD0:0x0128"})

_WHY = {
    "thumbnail": "it shows the picture as it was", "trailer": "what follows the picture is not carried over",
    "bit-depth": "the new format, or its encoder here, has no more", "c2pa": "it was not kept as the parent",
}  # fmt: skip


def find_conversion_losses(
    before: State, after: State, *, title: str, meant: Collection[str] = (), keeps_resolution: bool = False
) -> tuple[Loss, ...]:
    """Find what a picture holds and its copy in another format, or of another size, does not.

    Args:
        before: The source.
        after: The converted file.
        title: The new format's name.
        meant: Keys that changed on purpose.
        keeps_resolution: Whether the resolution was carried over, whatever its form.
    """
    there = list(_properties(after))
    if not any(entry.key == "bit-depth" for entry in there):
        there.append(Entry("bit-depth", Measure(8, "8 bits"), "bit depth"))
    left_out = _MEANT | set(meant) | (_RESOLUTION if keeps_resolution else frozenset())
    held = [
        entry for entry in _properties(before, labels=False) if not ("frames" in meant and _is_of_frames(entry.key))
    ]
    missing = [(entry, new) for entry, new in unmatched(held, there) if entry.key not in left_out]
    return losses_of([(named(entry), new) for entry, new in missing], _WHY, (), f"it is not carried over to {title}")


def _is_of_frames(key: str) -> bool:
    """Return whether a key is that of a track of an image sequence, whose frames were carried over, or of a part."""
    return key.startswith(("track:picture:", "track:auxiliary:")) and not key.endswith(":edits")


def _properties(state: State, *, labels: bool = True) -> Iterator[Entry]:
    for block in state.contents.blocks:
        if block.kind is Kind.IPTC:  # a format wraps it in its own way
            for key, what, part in (
                ("iptc", "IPTC IIM records", iim.records(block.data).rstrip(b"\0")),
                ("photoshop", "Photoshop image resources", iim.other_resources(block.data)),
            ):
                if part:
                    yield Entry(key, digest(part), what, block.where)
    for entry in entries(state, labels=labels):
        key = entry.key
        if key.startswith(_PAGE):
            key = key.removeprefix(_PAGE)
            key = f"exif:IFD0:{key}" if key.startswith("0x") else key
        if key == "iptc" or key in _OF_A_FORMAT or _SRGB.get(key) == entry.value:
            continue
        if key == "frames" and entry.value == "1":
            continue
        if key.startswith("exif:IFD1:"):  # of the thumbnail, which is an entry of its own
            continue
        if key.startswith("app:") and entry.where.startswith(_OF_CODING):
            continue
        yield entry._replace(key=key, value=b"" if key == "alpha" else entry.value)
