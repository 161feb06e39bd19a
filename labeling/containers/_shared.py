"""What the simple container modules share: bounded collecting of blocks, inflating, and splicing."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, overload

from labeling.containers.base import (
    MAX_BLOCKS,
    MAX_PAYLOAD,
    MAX_TOTAL,
    Block,
    Buffer,
    Changes,
    Contents,
    Kind,
    Media,
    Piece,
)
from labeling.errors import LabelingError
from labeling.filebytes import FileBytes, Span

Edit = tuple[int, int, bytes]
"""start, end, replacement: an insertion has ``start == end``, a removal an empty replacement."""

MediaEdit = tuple[int, int, bytes | Span]
"""The same, where the replacement may be a run of another file."""


MAX_MESSAGES = 100
"""So many problems and so many warnings are told of one file; a hostile one has millions."""


def note(messages: list[str], message: str) -> None:
    """Append ``message`` unless there are enough of them."""
    if len(messages) < MAX_MESSAGES:
        messages.append(message)


@dataclass(slots=True)
class Collector:
    """Blocks, problems and warnings of one file, within the bounds that :mod:`.base` states."""

    blocks: list[Block] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    left: int = MAX_TOTAL

    @property
    def full(self) -> bool:
        """True once no further block is taken; says so in ``problems`` the first time."""
        if len(self.blocks) < MAX_BLOCKS:
            return False
        message = f"more than {MAX_BLOCKS} metadata blocks"
        if message not in self.problems:
            self.problems.append(message)
        return True

    def contents(
        self,
        format: str,
        media_type: str,
        coded: Iterable[tuple[int, int]],
        size: tuple[int, int] = (0, 0),
        seconds: float = 0.0,
    ) -> Contents:
        """What was collected, as a module's answer. ``size`` is (width, height)."""
        return Contents(
            format,
            media_type,
            tuple(self.blocks),
            tuple(coded),
            *size,
            problems=tuple(self.problems),
            warnings=tuple(self.warnings),
            seconds=seconds,
        )

    def refusal(self, size: int) -> str:
        """Why a payload of ``size`` bytes is not read ("" if it is), before anything is allocated for it."""
        if size > MAX_PAYLOAD:
            return f"holds {size} bytes, more than the {MAX_PAYLOAD} that are read of one block"
        if size > self.left:
            return f"not read: all metadata of this file together is more than {MAX_TOTAL} bytes"
        return ""

    def add(
        self,
        kind: Kind,
        where: str,
        span: tuple[int, int],
        data: Buffer,
        keyword: str = "",
        late: bool = False,
        problem: str = "",
    ) -> None:
        """Take one block; ``span`` is (offset, end) in the file, ``data`` the payload, already cut out."""
        if self.full:
            return
        refusal = self.refusal(len(data))
        if refusal:
            data, problem = b"", refusal
        self.left -= len(data)
        self.blocks.append(Block(kind, where, span[0], span[1] - span[0], bytes(data), keyword, late, problem))

    def inflate(self, data: Buffer) -> tuple[bytes, str]:
        """Decompress a zlib stream of bounded size: (bytes, problem)."""
        limit = min(MAX_PAYLOAD, self.left)
        stream = zlib.decompressobj()
        try:
            out = stream.decompress(data, limit + 1)
        except zlib.error:
            return b"", "its compressed data is damaged"
        if len(out) > limit:
            self.left -= limit  # work done counts, or thousands of small bombs would add up
            return b"", f"unpacks to more than {limit} bytes"
        if not stream.eof:
            return out, "its compressed data is cut off"
        return out, ""


@overload
def splice(data: Buffer, edits: Iterable[Edit]) -> list[Buffer]: ...
@overload
def splice(data: Media, edits: Iterable[MediaEdit]) -> list[Piece]: ...
def splice(data: Buffer | FileBytes, edits: Iterable[MediaEdit]) -> Any:
    """The pieces of ``data`` with ``edits`` carried out: views or spans of the original between the replacements.

    Edits must not overlap; several insertions at one place stay in the given order, before a removal there.
    """
    view: Any = _Spans(data) if isinstance(data, FileBytes) else memoryview(data)
    pieces: list[Piece] = []
    at = 0
    for start, end, replacement in sorted(edits, key=lambda edit: edit[:2]):
        if start > at:
            pieces.append(view[at:start])
        if replacement:
            pieces.append(replacement)
        at = end
    if at < len(view):
        pieces.append(view[at : len(view)])
    return pieces


class _Spans:
    """A file whose slices are spans: places and no bytes."""

    def __init__(self, data: FileBytes) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, part: slice) -> Span:
        return Span(self._data, part.start, part.stop)


def foreign_block(block: Block) -> LabelingError:
    """The error for a block in ``Changes.drop`` that this file does not have."""
    return LabelingError(
        f"{block.where} at offset {block.offset} is not in this file; read the file again before changing it"
    )


def pick(blocks: tuple[Block, ...], changes: Changes) -> tuple[set[int], list[Block]]:
    """The offsets of what is to go, and the blocks that stay.

    Raises :class:`LabelingError` if a block to be dropped is none of this file.
    """
    for block in changes.drop:
        if block not in blocks:
            raise foreign_block(block)
    gone = {block.offset for block in changes.drop}
    return gone, [block for block in blocks if block.offset not in gone]
