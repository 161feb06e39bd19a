"""RIFF (Multimedia Programming Interface and Data Specifications 1.0): what AVI and WAV share.

Chunks are found by their headers alone. Changes are collected in a :class:`Plan`. It knows which part of the file must
not move, because an index elsewhere refers to it, and makes up for changes there with JUNK chunks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from struct import Struct

from labeling.containers.base import MAX_PAYLOAD, Kind, Media, Piece
from labeling.containers.collector import Collector, note
from labeling.containers.edits import Edit, splice
from labeling.errors import LabelingError
from labeling.filebytes import Paged

MAX_CHUNKS = 1 << 14
"""Limit on the chunks of one level; all packets of a video are in one chunk at this level."""

MAX_RIFF = 0xFFFFFFFF
"""Largest size of a RIFF chunk."""

UNFINISHED = 0x7FFFFF00
"""A size from here on, in a smaller file, is a placeholder of a writer that could not go back to fill it in."""

_PACKETS = {b"_PMX": Kind.XMP, b"XMP ": Kind.XMP, b"C2PA": Kind.C2PA}
_EMPTY_LOOKED_AT = 1 << 20
"""Limit on the bytes of a JUNK chunk that is checked for zeros."""

head = Struct("<4sI")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk.

    Attributes:
        name: Its four-character code.
        form: The form of a LIST or RIFF chunk; else empty.
        at: Offset of its header.
        stop: Offset of the end of its payload, at most that of the enclosing chunk.
        end: Offset of the next chunk.
        cut: Whether it extends beyond the enclosing chunk.
    """

    name: bytes
    form: bytes
    at: int
    stop: int
    end: int
    cut: bool = False

    @property
    def body(self) -> int:
        """Offset of the payload, or of the first chunk in a LIST or RIFF."""
        return self.at + (12 if self.form else 8)

    @property
    def length(self) -> int:
        """Bytes of the whole chunk, with header and padding."""
        return self.end - self.at


def title(name: bytes) -> str:
    """Return the name of a chunk as one printable line, whatever bytes it has."""
    return name.decode("latin-1").strip().encode("unicode_escape").decode("ascii")


def pack(name: bytes, body: bytes) -> bytes:
    """Build a chunk.

    Raises:
        LabelingError: It is too large to be read back.
    """
    if len(body) > MAX_PAYLOAD:
        raise LabelingError(
            f"the metadata is {len(body)} bytes, more than the {MAX_PAYLOAD} that go into one RIFF chunk"
        )
    return head.pack(name, len(body)) + body + b"\0" * (len(body) & 1)


def junk(length: int) -> bytes:
    """Build a JUNK chunk of ``length`` bytes, header included: 0, or at least 8."""
    return head.pack(b"JUNK", length - 8) + bytes(length - 8) if length else b""


def chunk_at(data: Media | Paged, at: int, stop: int, real: Callable[[bytes, int], int] | None = None) -> Chunk:
    """Read the header of a chunk.

    Args:
        data: The file.
        at: Offset of the chunk, of which at least 8 bytes are there.
        stop: Offset of the end of the enclosing chunk.
        real: Returns the true size of a chunk (name, size), whose own field may be too small for it.
    """
    first = data[at : at + 12]
    name, size = head.unpack(first[:8])
    if real is not None:
        size = real(name, size)
    body_end = at + 8 + size
    form = first[8:12] if name in (b"LIST", b"RIFF") and size >= 4 and at + 12 <= stop else b""
    # Some writers forget the padding byte.
    end = min(body_end + (size & 1), stop)
    if size & 1 and body_end + 8 < stop and not _is_padded(data[body_end : body_end + 9], stop - body_end):
        end = body_end
    return Chunk(name, form, at, min(body_end, stop), end, body_end > stop)


def is_name(name: bytes) -> bool:
    """Return whether this can be the four-character code of a chunk: ASCII that can be printed."""
    return len(name) == 4 and all(0x20 <= byte < 0x7F for byte in name)


def _is_padded(raw: bytes, room: int) -> bool:
    """Return whether the first byte behind a chunk of odd length is padding, and not part of the next chunk's header.

    Args:
        raw: The nine bytes behind the chunk.
        room: Bytes up to the end of the enclosing chunk.
    """
    if not raw[0]:
        return True
    follows, later = (
        is_name(raw[at : at + 4]) and at + 8 + int.from_bytes(raw[at + 4 : at + 8], "little") <= room for at in (0, 1)
    )
    return later or not (follows or raw[:4] == b"data")


def chunks(
    data: Media, start: int, stop: int, collector: Collector, real: Callable[[bytes, int], int] | None = None
) -> list[Chunk]:
    """Return the chunks of one level from ``start`` to ``stop``; more than :data:`MAX_CHUNKS` are a problem."""
    found: list[Chunk] = []
    at = start
    while at + 8 <= stop:
        if len(found) == MAX_CHUNKS:
            note(collector.problems, f"more than {MAX_CHUNKS} chunks; what follows offset {at} was not looked at")
            return found
        found.append(chunk_at(data, at, stop, real))
        at = found[-1].end
    if at < stop:
        collector.note_outside(data, at, stop, f"{stop - at} bytes at offset {at} are not a chunk")
    return found


# Reading


def take(data: Media, chunk: Chunk, collector: Collector, what: str) -> bool:
    """Collect a chunk of metadata that both AVI and WAV have.

    Args:
        data: The file.
        chunk: The chunk.
        collector: Receives the blocks.
        what: Name of the format, for ``Block.where``.

    Returns:
        Whether the chunk is such metadata.
    """
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
    """Return the payload of a chunk of metadata; one that is too large is a problem."""
    if refusal := collector.refusal(chunk.stop - chunk.body):
        note(collector.problems, f"the {title(chunk.name)} chunk at offset {chunk.at} {refusal}")
        return b""
    return data[chunk.body : chunk.stop]


def info(data: Media, chunk: Chunk, collector: Collector) -> list[Chunk]:
    """Return the texts of a LIST INFO, each of which is a chunk."""
    body = payload(data, chunk, collector)
    found: list[Chunk] = []
    at = 0
    while at + 8 <= len(body) and not collector.full:
        name, size = head.unpack_from(body, at)
        stop = at + 8 + size
        if stop > len(body):
            note(collector.problems, f"the {title(name)} text of the LIST INFO at offset {chunk.at} is cut off")
            break
        # Some writers forget the padding. No name begins with a NUL, so a NUL is the padding.
        end = stop + (size & 1 and body[stop : stop + 1] == b"\0")
        found.append(Chunk(name, b"", chunk.body + at, chunk.body + stop, chunk.body + end))
        at = end
        if len(found) == MAX_CHUNKS:
            note(collector.problems, f"more than {MAX_CHUNKS} texts in the LIST INFO at offset {chunk.at}")
            break
    return found


# Writing


def info_list(texts: bytes) -> bytes:
    """Build a LIST INFO from the chunks ``texts``."""
    return pack(b"LIST", b"INFO" + texts)


def fourcc(name: str) -> bytes:
    """Convert a name to a four-character code.

    Raises:
        LabelingError: It is not four printable ASCII characters.
    """
    if len(name) != 4 or not (name.isascii() and name.isprintable()):
        raise LabelingError(f"a RIFF chunk's name has four ASCII characters; {name!r} cannot be one")
    return name.encode("ascii")


def new_info(data: Media, chunk: Chunk, gone: set[int], put: tuple[int, bytes] | None) -> bytes:
    """Build a LIST INFO with some texts removed, replaced or added.

    Args:
        data: The file.
        chunk: The old LIST INFO.
        gone: Offsets of the texts to remove.
        put: (offset, chunk): a chunk that replaces the text at an offset, or comes last if there is none.

    Returns:
        The chunk; empty if no text is left.
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
    """Collects edits of the top level of a RIFF chunk.

    Only children from ``free_from`` on may move. Everything else, including what is not a child, stays in place.

    Attributes:
        data: The file.
        children: The chunks at the top level.
        free_from: Offset from which on chunks may move.
        roomy: Whether JUNK before ``free_from`` may be used up if it only contains zeros.
        edits: The edits so far.
        tail: New chunks that go to the end.
    """

    data: Media
    children: list[Chunk]
    free_from: int
    roomy: bool = True
    edits: list[Edit] = field(default_factory=list)
    tail: list[bytes] = field(default_factory=list)
    _used: set[int] = field(default_factory=set)

    def fits(self, chunk: Chunk, new: bytes) -> bool:
        """Return whether ``new`` fits in the place of ``chunk``."""
        return self._is_free(chunk) or self._room(chunk, new) > 0

    def put(self, chunk: Chunk, new: bytes) -> None:
        """Replace ``chunk`` by ``new`` (a chunk, or nothing), which goes elsewhere if there is no room."""
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
        """Return the room for ``new`` in place of ``chunk``, perhaps with the JUNK behind; 0 if it does not fit."""
        rooms = (self._room_behind(chunk) - chunk.at, chunk.length)
        return next((room for room in rooms if _fits(new, room)), 0)

    def add(self, new: bytes) -> None:
        """Place a new chunk in JUNK before the packets, or else at the end."""
        for chunk in self.children:
            if chunk.at < self.free_from and self._is_room(chunk) and _fits(new, chunk.length):
                self.edits.append((chunk.at, chunk.end, new + junk(chunk.length - len(new))))
                self._used.add(chunk.at)
                return
        self.tail.append(new)

    def _room_behind(self, chunk: Chunk) -> int:
        """Return the end of the JUNK behind ``chunk``."""
        end = chunk.end
        for each in self.children:
            if each.at == end and each.end <= self.free_from and self._is_room(each):
                end = each.end
        return end

    def _is_room(self, chunk: Chunk) -> bool:
        if not self.roomy or chunk.name != b"JUNK" or chunk.at in self._used or chunk.length > _EMPTY_LOOKED_AT:
            return False
        return not any(self.data[chunk.body : chunk.stop])  # some cameras store notes in JUNK

    def finish(self) -> tuple[list[Edit], int]:
        """Return all edits, and by how many bytes the RIFF chunk grows."""
        edits = list(self.edits)
        if self.tail and self.children:
            last = self.children[-1]
            at = last.end
            if (last.end - last.at) & 1 and not any(start == last.at for start, _, _ in edits):
                self.tail.insert(0, b"\0")  # the padding that the writer forgot
            edits.append((at, at, b"".join(self.tail)))
        return edits, sum(len(new) - (end - start) for start, end, new in edits)


def _fits(new: bytes, room: int) -> bool:
    """Return whether ``new``, with a JUNK chunk for the rest, fills ``room`` exactly."""
    return room == len(new) or room - len(new) >= 8


def resized(data: Media, edits: list[Edit], riff: Chunk, delta: int) -> list[Piece]:
    """Carry out ``edits`` and update the size of the RIFF chunk, which grows by ``delta``.

    Raises:
        LabelingError: It becomes larger than a RIFF file can be.
    """
    size = int.from_bytes(data[riff.at + 4 : riff.at + 8], "little") + delta
    if size > MAX_RIFF:
        raise LabelingError("the copy would be larger than the 4 GiB that a RIFF file can be")
    return splice(data, [*edits, (riff.at + 4, riff.at + 8, size.to_bytes(4, "little"))])
