"""Metadata of an image sequence that has tracks and no meta box, and so no items: XMP is in a uuid box.

That is where the XMP Specification, Part 3, 1.2.7 has it in files of the ISO base media format. Nothing in the file
moves: what is replaced becomes free space, and the new box is the last one.
"""

from __future__ import annotations

from labeling.containers.base import Block, Buffer, Changes, Kind
from labeling.containers.edits import Edit, splice
from labeling.containers.heif.layout import File
from labeling.containers.syntax.isobmff import UUID_XMP, box
from labeling.errors import LabelingError

_MAX_32 = 0xFFFFFFFF


def rewrite(file: File, kept: list[Block], changes: Changes) -> list[Buffer]:
    """Return the pieces of a copy with ``changes`` made.

    Args:
        file: The file.
        kept: Its blocks that are not dropped.
        changes: The changes.

    Raises:
        LabelingError: There is no place for them.
    """
    if changes.exif is not None:
        raise LabelingError("an image sequence without a meta box has no place for EXIF", hint="leave it out")
    gone = {block.offset for block in changes.drop}
    if changes.xmp is not None:
        gone |= {block.offset for block in kept if block.kind is Kind.XMP}
    view, last = file.view, file.boxes[-1]
    edits: list[Edit] = []
    for each in file.boxes:
        if each.start in gone and each.type == b"uuid":
            if each.start == last.start:
                edits.append((each.start, each.end, b""))
            else:
                edits += [
                    (each.start + 4, each.start + 8, b"free"),
                    (each.body - 16, each.end, bytes(each.end - each.body + 16)),
                ]
        elif each.start in gone:
            raise LabelingError("this part of the image sequence cannot be dropped", hint="re-save it")
    if changes.xmp is not None:
        if not any(view[last.start : last.start + 4]) and last.start not in gone:  # "to the end of the file"
            if last.end - last.start > _MAX_32:
                raise LabelingError("the last box of the file has no size, and cannot be given one")
            edits.append((last.start, last.start + 4, (last.end - last.start).to_bytes(4, "big")))
        edits.append((file.end, file.end, box(b"uuid", UUID_XMP, changes.xmp)))
    return splice(view, edits)
