"""Edits inside the movie box of an MP4 file, and the sizes of the boxes around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from labeling.containers.base import Piece
from labeling.containers.edits import MediaEdit, splice
from labeling.containers.syntax.isobmff import Box
from labeling.filebytes import FileRange


class MoovEdit(NamedTuple):
    """A replacement inside the movie box.

    Attributes:
        start: Where it starts; offsets count from the start of the movie box.
        end: Where it ends; the same as ``start`` for an insertion.
        data: The new bytes; empty for a removal.
        parents: The boxes around it, whose sizes have to follow.
    """

    start: int
    end: int
    data: bytes
    parents: tuple[Box, ...]


Mp4Edits = tuple[list[MoovEdit], list[MediaEdit]]
"""Edits inside the movie box, and edits of the rest of the file."""


def grown(movie: bytes, edits: list[MoovEdit]) -> bytes:
    """Return the movie box with ``edits`` carried out and the sizes of the boxes around them corrected."""
    deltas: dict[int, tuple[Box, int]] = {}
    for edit in edits:
        for parent in edit.parents:
            _, sofar = deltas.get(parent.start, (parent, 0))
            deltas[parent.start] = parent, sofar + len(edit.data) - (edit.end - edit.start)
    flat: list[MediaEdit] = [(edit.start, edit.end, edit.data) for edit in edits]
    for parent, delta in deltas.values():
        if not delta:
            continue
        size = parent.end - parent.start + delta
        if int.from_bytes(movie[parent.start : parent.start + 4], "big") == 1:
            flat.append((parent.start + 8, parent.start + 16, size.to_bytes(8, "big")))
        else:  # this replaces a size of 0, "to the end", as well: the box may not stay the last one
            flat.append((parent.start, parent.start + 4, size.to_bytes(4, "big")))
    return joined(splice(movie, flat))


def joined(pieces: Sequence[Piece]) -> bytes:
    """Join the pieces of a movie box, which is in memory as a whole."""
    return b"".join(piece for piece in pieces if not isinstance(piece, FileRange))


def merged(edits: list[MoovEdit]) -> list[MoovEdit]:
    """Return each edit once, without those that lie inside a box that is removed.

    What is inserted directly before or behind a removed box stays.
    """
    once = list(dict.fromkeys(edits))
    gone = [edit for edit in once if not edit.data and edit.end > edit.start]
    return [edit for edit in once if not any(_within(edit, other) for other in gone)]


def _within(edit: MoovEdit, other: MoovEdit) -> bool:
    if edit is other or edit.start == edit.end in (other.start, other.end):
        return False
    return other.start <= edit.start and edit.end <= other.end
