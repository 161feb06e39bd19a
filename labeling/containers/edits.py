"""Rewrite a file by replacing byte ranges of it, without copying the rest.

A module's ``rewrite`` collects edits and hands them to :func:`splice`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, overload

from labeling.containers.base import Block, Buffer, Changes, Media, Piece
from labeling.errors import LabelingError
from labeling.filebytes import FileBytes, FileRange, Pieces

Edit = tuple[int, int, bytes]
"""(start, end, replacement). An insertion has ``start == end``; a removal has an empty replacement."""

MediaEdit = tuple[int, int, bytes | FileRange]
"""An :data:`Edit` whose replacement may be a range of another file."""


@overload
def splice(data: Buffer | Pieces, edits: Iterable[Edit]) -> list[Buffer]: ...
@overload
def splice(data: Media, edits: Iterable[MediaEdit]) -> list[Piece]: ...
def splice(data: Buffer | FileBytes | Pieces, edits: Iterable[MediaEdit]) -> Any:
    """Carry out ``edits`` and return the pieces of the new file.

    Args:
        data: The original file.
        edits: Edits in any order. They must not overlap. Several insertions at one place stay in the given order and
            come before a removal there.

    Returns:
        Views of ``data`` (ranges of it, if it is a :class:`~labeling.filebytes.FileBytes`) and the replacements
        between them.
    """
    pieces: list[Piece] = []
    at = 0
    for start, end, replacement in sorted(edits, key=lambda edit: edit[:2]):
        if start > at:
            pieces += _views(data, at, start)
        if replacement:
            pieces.append(replacement)
        at = end
    if at < len(data):
        pieces += _views(data, at, len(data))
    return pieces


def _views(data: Buffer | FileBytes | Pieces, start: int, stop: int) -> list[Piece]:
    """Return a part of a file without reading or copying it."""
    if isinstance(data, FileBytes):
        return [FileRange(data, start, stop)]
    return [*data.views(start, stop)] if isinstance(data, Pieces) else [memoryview(data)[start:stop]]


def foreign_block(block: Block) -> LabelingError:
    """Return the error to raise for a block in ``Changes.drop`` that the file does not contain."""
    return LabelingError(
        f"{block.where} at offset {block.offset} is not in this file", hint="read the file again before changing it"
    )


def pick(blocks: tuple[Block, ...], changes: Changes) -> tuple[set[int], list[Block]]:
    """Separate the blocks that ``changes`` drops from those that stay.

    Returns:
        The offsets of the dropped blocks, and the blocks that stay, in order.

    Raises:
        LabelingError: A block to be dropped is not in ``blocks``.
    """
    for block in changes.drop:
        if block not in blocks:
            raise foreign_block(block)
    gone = {block.offset for block in changes.drop}
    return gone, [block for block in blocks if block.offset not in gone]
