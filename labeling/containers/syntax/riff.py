"""RIFF (Multimedia Programming Interface and Data Specifications 1.0) as AVI and WAV share it.

Chunks are found by their headers alone. Changes are collected in a :class:`Plan` that knows which part of the file must
not move, because an index elsewhere holds its offsets, and pays for changes there with JUNK chunks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from struct import Struct

from labeling.containers.base import MAX_PAYLOAD, Kind, Media, Piece
from labeling.containers.collector import Collector, note
from labeling.containers.edits import Edit, splice
from labeling.errors import LabelingError

MAX_CHUNKS = 1 << 14
"""So many chunks of one level are walked; the packets of a film lie in one chunk at this level."""

MAX_RIFF = 0xFFFFFFFF
UNFINISHED = 0x7FFFFF00
"""Sizes from here on are what writers put down that cannot go back and say how much it was, if the file is smaller."""

_PACKETS = {b"_PMX": Kind.XMP, b"XMP ": Kind.XMP, b"C2PA": Kind.C2PA}
_EMPTY_LOOKED_AT = 1 << 20

head = Struct("<4sI")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: ``name`` and, of LIST and RIFF, ``form``; its header is at ``at``, the next chunk begins at ``end``.

    Its payload ends at ``stop``, where the enclosing chunk ends at the latest; ``cut`` says that it should be longer.
    """

    name: bytes
    form: bytes
    at: int
    stop: int
    end: int
    cut: bool = False

    @property
    def body(self) -> int:
        """Where the payload begins; of LIST and RIFF where the first chunk in it does."""
        return self.at + (12 if self.form else 8)

    @property
    def length(self) -> int:
        return self.end - self.at


def title(name: bytes) -> str:
    """A chunk's name for people: one line, whatever bytes it is made of."""
    return name.decode("latin-1").strip().encode("unicode_escape").decode("ascii")


def pack(name: bytes, body: bytes) -> bytes:
    """A whole chunk. Raises :class:`LabelingError` if it is larger than what we read again."""
    if len(body) > MAX_PAYLOAD:
        raise LabelingError(f"the metadata is {len(body)} bytes, more than the {MAX_PAYLOAD} we put in one RIFF chunk")
    return head.pack(name, len(body)) + body + b"\0" * (len(body) & 1)


def junk(length: int) -> bytes:
    """A chunk of ``length`` bytes, header included, that says nothing; of at least 8."""
    return head.pack(b"JUNK", length - 8) + bytes(length - 8) if length else b""


def chunk_at(data: Media, at: int, stop: int, real: Callable[[bytes, int], int] | None = None) -> Chunk:
    """The chunk whose 8 bytes of header are at ``at``, inside of something that ends at ``stop``.

    ``real`` gives the true size of a chunk (name, size) whose own field cannot hold it.
    """
    first = data[at : at + 12]
    name, size = head.unpack(first[:8])
    if real is not None:
        size = real(name, size)
    body_end = at + 8 + size
    form = first[8:12] if name in (b"LIST", b"RIFF") and size >= 4 and at + 12 <= stop else b""
    # The last chunk's padding byte is forgotten by some writers.
    end = min(body_end + (size & 1), stop)
    return Chunk(name, form, at, min(body_end, stop), end, body_end > stop)


def chunks(
    data: Media, start: int, stop: int, told: Collector, real: Callable[[bytes, int], int] | None = None
) -> list[Chunk]:
    """The chunks of one level from ``start`` to ``stop``; more than :data:`MAX_CHUNKS` are a problem."""
    found: list[Chunk] = []
    at = start
    while at + 8 <= stop:
        if len(found) == MAX_CHUNKS:
            note(told.problems, f"more than {MAX_CHUNKS} chunks; what follows offset {at} was not looked at")
            return found
        found.append(chunk_at(data, at, stop, real))
        at = found[-1].end
    if at < stop:
        note(told.warnings, f"{stop - at} bytes at offset {at} are no chunk; they are kept")
    return found


# Reading


def take(data: Media, chunk: Chunk, collector: Collector, what: str) -> bool:
    """Take the metadata that AVI and WAV both have; says whether ``chunk`` is such. ``what`` is the format's name."""
    if (kind := _PACKETS.get(chunk.name)) is not None:
        name = title(chunk.name)
        collector.add(kind, f"{what} {name} chunk", (chunk.at, chunk.end), payload(data, chunk, collector), name)
    elif chunk.form == b"INFO":
        for item in info(data, chunk, collector):
            text = data[item.body : item.stop].rstrip(b"\0")
            name = title(item.name)
            collector.add(Kind.TEXT, f"{what} LIST INFO {name}", (item.at, item.end), text, name)
    else:
        return False
    return True


def payload(data: Media, chunk: Chunk, collector: Collector) -> bytes:
    """The payload of a chunk of metadata; one that is too large to be read is a problem."""
    if refusal := collector.refusal(chunk.stop - chunk.body):
        note(collector.problems, f"the {title(chunk.name)} chunk at offset {chunk.at} {refusal}")
        return b""
    return data[chunk.body : chunk.stop]


def info(data: Media, chunk: Chunk, collector: Collector) -> list[Chunk]:
    """The texts of a LIST INFO, each a chunk of its own."""
    body = payload(data, chunk, collector)
    found: list[Chunk] = []
    at = 0
    while at + 8 <= len(body) and not collector.full:
        name, size = head.unpack_from(body, at)
        stop = at + 8 + size
        if stop > len(body):
            note(collector.problems, f"the {title(name)} text of the LIST INFO at offset {chunk.at} is cut off")
            break
        # Some writers forget the padding: no name begins with a NUL, so one that is there is the padding.
        end = stop + (size & 1 and body[stop : stop + 1] == b"\0")
        found.append(Chunk(name, b"", chunk.body + at, chunk.body + stop, chunk.body + end))
        at = end
        if len(found) == MAX_CHUNKS:
            note(collector.problems, f"more than {MAX_CHUNKS} texts in the LIST INFO at offset {chunk.at}")
            break
    return found


# Writing


def info_list(texts: bytes) -> bytes:
    """A whole LIST INFO of the chunks ``texts``."""
    return pack(b"LIST", b"INFO" + texts)


def fourcc(name: str) -> bytes:
    """``name`` as a chunk's name; raises :class:`LabelingError` unless it is four printable ASCII characters."""
    if len(name) != 4 or not (name.isascii() and name.isprintable()):
        raise LabelingError(f"a RIFF chunk's name has four ASCII characters; {name!r} cannot be one")
    return name.encode("ascii")


def new_info(data: Media, chunk: Chunk, gone: set[int], put: tuple[int, bytes] | None) -> bytes:
    """The LIST INFO without the texts at the offsets ``gone``; empty if nothing is left.

    Of ``put`` (offset, whole chunk) the chunk takes the place of the text there, or comes last where there is none.
    """
    parts: list[bytes] = []
    for item in info(data, chunk, Collector()):
        if put is not None and item.at == put[0]:
            parts.append(put[1])
            put = None
        elif item.at not in gone:
            parts.append(data[item.at : item.end])
    if put is not None:
        parts.append(put[1])
    return info_list(b"".join(parts)) if parts else b""


@dataclass(slots=True)
class Plan:
    """Edits of the top level of one RIFF chunk, of whose ``children`` only those from ``free_from`` on may be moved.

    Nor may anything be that is no child. ``roomy``: JUNK before ``free_from`` that is nothing but zeros may be used up.
    """

    data: Media
    children: list[Chunk]
    free_from: int
    roomy: bool = True
    edits: list[Edit] = field(default_factory=list)
    tail: list[bytes] = field(default_factory=list)
    _used: set[int] = field(default_factory=set)

    def fits(self, chunk: Chunk, new: bytes) -> bool:
        """Whether ``new`` can stand where ``chunk`` does."""
        return self._is_free(chunk) or self._room(chunk, new) > 0

    def put(self, chunk: Chunk, new: bytes) -> None:
        """Let ``new`` (a whole chunk, or nothing) take the place of ``chunk``, or go elsewhere if there is no room."""
        if self._is_free(chunk):
            self.edits.append((chunk.at, chunk.end, new))
            return
        room = self._room(chunk, new)
        if not room:
            self.add(new)
            new, room = b"", chunk.length
        end = chunk.at + room
        self.edits.append((chunk.at, end, new + junk(room - len(new))))
        self._used |= {each.at for each in self.children if chunk.end <= each.at < end}

    def _is_free(self, chunk: Chunk) -> bool:
        return bool(self.children) and self.free_from <= chunk.at < self.children[-1].end

    def _room(self, chunk: Chunk, new: bytes) -> int:
        """How much ``new`` is to fill in place of ``chunk``: that, or that with the JUNK behind it; 0 if neither."""
        rooms = (self._room_behind(chunk) - chunk.at, chunk.length)
        return next((room for room in rooms if _fits(new, room)), 0)

    def add(self, new: bytes) -> None:
        """Place a new chunk: into JUNK before the packets, or else at the end."""
        for chunk in self.children:
            if chunk.at < self.free_from and self._is_room(chunk) and _fits(new, chunk.length):
                self.edits.append((chunk.at, chunk.end, new + junk(chunk.length - len(new))))
                self._used.add(chunk.at)
                return
        self.tail.append(new)

    def _room_behind(self, chunk: Chunk) -> int:
        """Where the JUNK behind ``chunk`` ends."""
        end = chunk.end
        for each in self.children:
            if each.at == end and each.end <= self.free_from and self._is_room(each):
                end = each.end
        return end

    def _is_room(self, chunk: Chunk) -> bool:
        if not self.roomy or chunk.name != b"JUNK" or chunk.at in self._used or chunk.length > _EMPTY_LOOKED_AT:
            return False
        return not any(self.data[chunk.body : chunk.stop])  # some cameras keep their notes in JUNK

    def finish(self) -> tuple[list[Edit], int]:
        """All edits and by how many bytes the RIFF chunk grows."""
        edits = list(self.edits)
        if self.tail and self.children:
            last = self.children[-1]
            at = last.end
            if (last.end - last.at) & 1 and not any(start == last.at for start, _, _ in edits):
                self.tail.insert(0, b"\0")  # the padding that its writer forgot
            edits.append((at, at, b"".join(self.tail)))
        return edits, sum(len(new) - (end - start) for start, end, new in edits)


def _fits(new: bytes, room: int) -> bool:
    """Whether ``new`` and, in what is left, a JUNK chunk fill ``room`` exactly."""
    return room == len(new) or room - len(new) >= 8


def resized(data: Media, edits: list[Edit], riff: Chunk, delta: int) -> list[Piece]:
    """Carry ``edits`` out and bring the size of the RIFF chunk in line."""
    size = int.from_bytes(data[riff.at + 4 : riff.at + 8], "little") + delta
    if size > MAX_RIFF:
        raise LabelingError("the copy would be larger than the 4 GiB that a RIFF file can be")
    return splice(data, [*edits, (riff.at + 4, riff.at + 8, size.to_bytes(4, "little"))])
