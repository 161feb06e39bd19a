"""Collect the metadata blocks, problems and warnings of one file within fixed bounds."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from labeling.containers.base import MAX_BLOCKS, MAX_PAYLOAD, MAX_TOTAL, Block, Buffer, Contents, Kind
from labeling.filebytes import FileBytes

MAX_MESSAGES = 100
"""Limit on the problems, and on the warnings, that are reported of one file: a hostile file has millions."""


LABEL_NAME = re.compile(rb"(?i)aigc")
"""The name of the field that holds a label, wherever formats give names (GB 45438-2025 6.1). Where a part of a file
cannot be read, but its bytes are plain and are all there, it only matters if this is among them."""


_LABEL = re.compile(rb"(?is)aigc.{0,16}?\{")
_SEARCHED = 1 << 20


def has_label_in(data: Buffer | FileBytes, start: int, end: int) -> bool:
    """Return whether what looks like a label is at the beginning or end of a part of a file that is in no chunk."""
    parts = data[start : min(end, start + _SEARCHED)], data[max(start, end - _SEARCHED) : end]
    return any(_LABEL.search(part) for part in parts)


def name_outside(data: Buffer, start: int, end: int, known: Mapping[int, int]) -> int:
    """Return where the name of a label is in a part of ``data``, outside of what was read; -1 if it is nowhere.

    Args:
        data: The bytes.
        start: Where the part starts.
        end: Where it ends.
        known: What was read: where each piece starts → where it ends.
    """
    at = start
    for begin, stop in sorted(piece for piece in known.items() if start <= piece[0] < end):
        if begin > at and (match := LABEL_NAME.search(data[at:begin])):
            return at + match.start()
        at = max(at, stop)
    match = LABEL_NAME.search(data[at:end]) if at < end else None
    return at + match.start() if match else -1


def note(messages: list[str], message: str) -> None:
    """Append ``message`` unless the list already holds :data:`MAX_MESSAGES`."""
    if len(messages) < MAX_MESSAGES:
        messages.append(message)


_UNPACKS = "unpacks to more than"


@dataclass(slots=True)
class Collector:
    """The blocks, problems and warnings found so far, within the bounds stated in :mod:`labeling.containers.base`.

    Attributes:
        blocks: Metadata blocks in the order in which they were found.
        problems: Damage that makes the rest of the file untrustworthy (``Contents.problems``).
        warnings: Oddities that do no harm (``Contents.warnings``).
        unread: Places that may hold a label and could not be read (``Contents.unread``).
        left: Bytes of metadata that may still be taken of this file.
        crowded: See :class:`labeling.containers.base.Contents`.
    """

    blocks: list[Block] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    left: int = MAX_TOTAL
    crowded: bool = False

    @property
    def full(self) -> bool:
        """Whether the limit on blocks is reached; the first time, this is recorded in ``problems``."""
        if len(self.blocks) < MAX_BLOCKS:
            return False
        self.crowded = True
        message = f"more than {MAX_BLOCKS} metadata blocks"
        if message not in self.problems:
            self.problems.append(message)
        return True

    def note_outside(self, data: Buffer | FileBytes, start: int, end: int, what: str) -> None:
        """Note bytes that belong to nothing, and stay: a label among them is unread, anything else is an oddity."""
        if has_label_in(data, start, end):
            note(self.unread, f"{what}; a label is among them")
        else:
            note(self.warnings, f"{what}; they are kept")

    def contents(
        self,
        format: str,
        media_type: str,
        coded: Iterable[tuple[int, int]],
        size: tuple[int, int] = (0, 0),
        frames: int = 1,
        *,
        fixed: str = "",
        seconds: float = 0.0,
        parsed: object = None,
    ) -> Contents:
        """Return what was collected as the answer of a module's ``read``.

        Args:
            format: The format's name in :data:`labeling.containers.formats.FORMATS`.
            media_type: The file's media type.
            coded: (offset, length) of each run of coded picture data.
            size: (width, height) as coded, in pixels; 0 where unknown.
            frames: Number of frames.
            fixed: Why the file cannot be rewritten; empty if it can.
            seconds: Duration of a video or audio file; 0 where unknown.
            parsed: See :class:`labeling.containers.base.Contents`.
        """
        return Contents(
            format,
            media_type,
            tuple(self.blocks),
            tuple(coded),
            *size,
            frames=frames,
            problems=tuple(self.problems),
            warnings=tuple(self.warnings),
            unread=tuple(self.unread),
            fixed=fixed,
            seconds=seconds,
            crowded=self.crowded,
            parsed=parsed,
        )

    def refusal(self, size: int, *, packet: bool = False) -> str:
        """Say why a payload of ``size`` bytes is not read (empty if it is), before memory is allocated for it.

        An XMP ``packet`` may take :data:`MAX_PAYLOAD` bytes beyond the limit of the file: it is where labels are.
        """
        if size > MAX_PAYLOAD:
            return f"holds {size} bytes, more than the {MAX_PAYLOAD} that are read of one block"
        if size > self.left + (MAX_PAYLOAD if packet else 0):
            return f"is beyond the {MAX_TOTAL} bytes of metadata that are read of one file"
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
        """Add one block; once the limits are reached its data, or the whole block, is left out.

        Args:
            kind: What the block holds.
            where: Its place, in the format's own terms.
            span: (offset, end) of the whole segment, chunk or box in the file.
            data: The payload, without wrapping.
            keyword: The format's own name for the block.
            late: Whether it comes after the start of the coded picture.
            problem: What is wrong with the block itself.
        """
        if self.full:
            return
        refusal = self.refusal(len(data), packet=kind is Kind.XMP)
        if refusal:
            data, problem = b"", refusal
        length = span[1] - span[0]
        # The caller may have found out, and left the payload out already.
        skipped = problem and not data and (problem.startswith(_UNPACKS) or self.refusal(length))
        self.left -= len(data)
        too_much = bool(refusal or skipped)
        self.blocks.append(Block(kind, where, span[0], length, bytes(data), keyword, late, problem, (), too_much))

    def inflate(self, data: Buffer) -> tuple[bytes, str]:
        """Decompress a zlib stream whose output is bounded.

        Returns:
            The bytes, and what is wrong with them (empty if nothing is).
        """
        limit = max(0, min(MAX_PAYLOAD, self.left))
        stream = zlib.decompressobj()
        try:
            out = stream.decompress(data, limit + 1)
        except zlib.error:
            return b"", "its compressed data is damaged"
        if len(out) > limit:
            self.left -= limit  # the work done counts: otherwise thousands of small bombs would add up
            return b"", f"{_UNPACKS} {limit} bytes"
        if not stream.eof:
            return out, "its compressed data is cut off"
        return out, ""
