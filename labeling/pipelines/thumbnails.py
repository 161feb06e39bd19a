"""The small copies of a picture in its metadata: they get the label that was painted on the picture."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from labeling import containers
from labeling.containers import Contents, Kind
from labeling.containers.edits import splice
from labeling.containers.syntax.photoshop import thumbnail_range
from labeling.errors import LabelingError
from labeling.filebytes import Pieces
from labeling.marks import exif

if TYPE_CHECKING:
    from labeling.codecs import Painted


def with_photoshop(painted: Painted, contents: Contents, orientation: int, max_pixels: int) -> tuple[Painted, Contents]:
    """Paint on the thumbnail in Photoshop's image resources too, in its place."""
    from labeling import codecs

    for block in contents.blocks:
        if block.kind is not Kind.IPTC or thumbnail_range(block.data) is None:
            continue
        at = painted.file[block.offset : block.offset + block.length].find(block.data)
        made = None
        if at >= 0:  # else it is in several segments
            with suppress(LabelingError):
                made = codecs.paint_photoshop_thumbnail(
                    block.data, painted, contents.format,
                    orientation=orientation, max_pixels=max_pixels,
                )  # fmt: skip
        words = "has the label as well" if made else "stays without the label"
        data = painted.file
        if made:
            start = block.offset + at
            pieces = splice(data, [(start, start + len(made), made)])
            data = Pieces(pieces) if isinstance(data, Pieces) else b"".join(pieces)
        painted = replace(painted, file=data, how=f"{painted.how}; the Photoshop thumbnail {words}")
        contents = containers.read(painted.file)
    return painted, contents


def with_exif(
    new_exif: bytes | None, painted: Painted, contents: Contents, orientation: int, max_pixels: int
) -> bytes | None:
    """Return the EXIF to write, its thumbnail painted as the picture was; ``None`` if there is nothing to write."""
    from labeling import codecs

    structure = new_exif or next((block.data for block in contents.blocks if block.kind is Kind.EXIF), None)
    if structure is None or not exif.thumbnail(structure):
        return new_exif
    try:
        made = codecs.paint_thumbnail(
            structure, painted, contents.format, orientation=orientation, max_pixels=max_pixels
        )
    except LabelingError:
        return new_exif  # it stays as it is, which the result says
    return made or new_exif


def words_on_exif(before: Contents, after: Contents) -> list[str]:
    """Say what became of the thumbnail in the EXIF."""
    old, new = (
        next((exif.thumbnail(block.data) for block in each.blocks if block.kind is Kind.EXIF), b"")
        for each in (before, after)
    )
    if not old:
        return []
    return [f"the thumbnail in the EXIF {'stays without the label' if old == new else 'has the label as well'}"]
