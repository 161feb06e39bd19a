"""Read TIFF directories (TIFF 6.0 section 2; BigTIFF) within bounds, for TIFF files and for EXIF in other formats.

Bad content never raises: a broken part becomes a sentence in ``problems``, and everything else is still read. EXIF of
real files needs that: sub-directories without a pointer to the next IFD, values that point out of the block, and types
that no specification knows are all common.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass, field

from labeling.filebytes import Pieces

Buffer = bytes | bytearray | memoryview | mmap.mmap

MAX_IFDS = 64
"""Limit on the directories of one structure, unless the caller allows more (for TIFF files of many pages)."""

MAX_ENTRIES = 4096
"""Limit on the entries of one directory; more is damage, or an attack."""

MAX_ALL_ENTRIES = 1 << 17
"""Limit on the entries of all directories together, so that overlapping directories cannot multiply the work."""

MAX_VALUE = 16 << 20
"""Default limit on the bytes that :meth:`Tiff.value` returns."""

EXIF_IFD, GPS_IFD, INTEROP_IFD, SUB_IFDS = 0x8769, 0x8825, 0xA005, 0x014A

MAX_REPEATED = 64
"""Limit on the fields of one directory whose tags occur twice that are kept."""

_MAX_PROBLEMS = 32
_MAX_SUB_IFDS = 64

TYPE_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
    129: 1,
}
"""Field type → bytes of one element: TIFF 6.0; 13 IFD; 16 to 18 BigTIFF; 129 UTF-8 (Exif 3.0)."""

_INTS = {1: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}


@dataclass(slots=True)
class Entry:
    """One field of a directory. Offsets and lengths are as the file gives them, and may reach beyond its end.

    Attributes:
        tag: The tag.
        type: The field type, a key of :data:`TYPE_SIZES` where it is known.
        count: Number of elements.
        value_offset: Where the value starts; inside the entry itself where it fits.
        length: The length of the value in bytes; 0 where the type is not known.
        entry_offset: Where the entry starts.
    """

    tag: int
    type: int
    count: int
    value_offset: int
    length: int
    entry_offset: int


@dataclass(slots=True)
class Ifd:
    """One directory.

    Attributes:
        name: IFD0, IFD1 … in the main chain; Exif, GPS and Interop below IFD0, ``IFD1/Exif`` … below others; SubIFD0,
            SubIFD1 … in the order found.
        offset: Where it starts.
        entries: Tag → field. Of a tag that occurs twice, the first counts.
        next_offset_at: Where the pointer to the next directory is.
        repeated: The other fields of tags that occur twice, at most :data:`MAX_REPEATED`.
    """

    name: str
    offset: int
    entries: dict[int, Entry]
    next_offset_at: int
    repeated: tuple[Entry, ...] = ()

    def all(self, tag: int) -> list[Entry]:
        """Return every field of a tag, the one that counts first."""
        first = self.entries.get(tag)
        return [] if first is None else [first, *(each for each in self.repeated if each.tag == tag)]


@dataclass(slots=True)
class Tiff:
    """What :func:`read_tiff` found.

    Attributes:
        byte_order: ``<`` or ``>``, as for :mod:`struct`.
        big: Whether it is BigTIFF.
        ifds: The directories in the order in which they were read: the main chain first.
        problems: What is broken.
        data: The structure.
        cut: Whether a directory, or its pointer to the next one, is or reaches beyond the end.
        sound: Whether every directory and value is inside the structure, no directory or tag occurs twice, and all are
            within the limits. A missing next-IFD pointer and unknown types are common and do no harm.
        missed: (name, why) of directories that the structure says are there, and whose entries are not all here.
    """

    byte_order: str
    big: bool
    ifds: tuple[Ifd, ...]
    problems: tuple[str, ...]
    data: Buffer | Pieces = field(repr=False)
    cut: bool = False
    sound: bool = True
    missed: tuple[tuple[str, str], ...] = ()

    def value(self, entry: Entry, limit: int = MAX_VALUE) -> bytes:
        """Return the bytes of a value: at most ``limit``, fewer where the value reaches out of the structure."""
        return bytes(self.data[entry.value_offset : entry.value_offset + min(entry.length, limit)])

    def ints(self, entry: Entry, limit: int = 1 << 16) -> tuple[int, ...]:
        """Return the value as integers, at most ``limit`` of them; empty if the type is not an integer type."""
        code = _INTS.get(entry.type)
        if code is None:
            return ()
        size = TYPE_SIZES[entry.type]
        raw = self.value(entry, min(limit, entry.count) * size)
        count = len(raw) // size
        return struct.unpack_from(f"{self.byte_order}{count}{code}", raw)

    def ascii(self, entry: Entry, limit: int = 1 << 16) -> str:
        """Return the value as text up to its first NUL: UTF-8 where it is valid (Exif 3.0), else Latin-1."""
        raw = self.value(entry, limit).split(b"\0", 1)[0]
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw.decode("latin-1")

    def ifd(self, name: str) -> Ifd | None:
        """Return the directory of this name; ``None`` if there is none."""
        return next((ifd for ifd in self.ifds if ifd.name == name), None)


def read_tiff(data: Buffer | Pieces, *, follow: bool = True, max_ifds: int = MAX_IFDS) -> Tiff:
    """Read the directories of a TIFF structure. Bad content never raises.

    Args:
        data: The structure, from its byte-order mark on.
        follow: Whether to read also the Exif, GPS, Interop and SubIFD directories below the main chain.
        max_ifds: Limit on the directories.
    """
    head = bytes(data[:16])
    order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
    if not order or len(head) < 8:
        return _headless(data, "it does not begin with a TIFF header")
    magic = struct.unpack_from(order + "H", head, 2)[0]
    if magic == 42:
        return _Reader(data, order, False, max_ifds).run(4, follow)
    if magic != 43 or len(head) < 16 or struct.unpack_from(order + "HH", head, 4) != (8, 0):
        return _headless(data, "its TIFF header is not sound", order)
    return _Reader(data, order, True, max_ifds).run(8, follow)


def _headless(data: Buffer | Pieces, problem: str, order: str = "<") -> Tiff:
    missed = (("IFD0", problem),) if any(data[:MAX_VALUE]) else ()
    return Tiff(order, False, (), (problem,), data, sound=False, missed=missed)


class _Reader:
    """The state of one walk: directories found, offsets visited, problems."""

    def __init__(self, data: Buffer | Pieces, order: str, big: bool, max_ifds: int) -> None:
        self.data, self.size, self.order, self.big = data, len(data), order, big
        self.count = struct.Struct(order + ("Q" if big else "H"))
        self.entry = struct.Struct(order + ("HHQQ" if big else "HHII"))
        self.pointer = struct.Struct(order + ("Q" if big else "I"))
        self.ifds: list[Ifd] = []
        self.problems: list[str] = []
        self.missed: list[tuple[str, str]] = []
        self.visited: set[int] = set()
        self.max_ifds, self.entries_left = max_ifds, MAX_ALL_ENTRIES
        self.sub_ifds = 0
        self.cut = False
        self.sound = True

    def run(self, pointer_at: int, follow: bool) -> Tiff:
        """Walk the main chain, then the directories below each of its directories."""
        number = 0
        while (offset := self.next_at(pointer_at)) > 0:
            ifd = self.directory(offset, f"IFD{number}", in_chain=True)
            if ifd is None:
                break
            pointer_at = ifd.next_offset_at
            number += 1
        if not self.ifds and not self.problems:
            self.problem("it has no directory", missed="IFD0" if any(self.data[8:MAX_VALUE]) else "")
        if follow:
            for ifd in tuple(self.ifds):
                self.below(ifd, 0)
        ifds, problems, missed = tuple(self.ifds), tuple(self.problems), tuple(self.missed)
        return Tiff(self.order, self.big, ifds, problems, self.data, self.cut, self.sound, missed)

    def problem(self, message: str, *, harmless: bool = False, missed: str = "") -> None:
        """Note a problem, and the name of the directory of which entries are missing because of it."""
        self.sound = self.sound and harmless
        if missed and len(self.missed) < _MAX_PROBLEMS:
            self.missed.append((missed, message))
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(message)

    def next_at(self, at: int) -> int:
        if at + self.pointer.size > self.size:
            # Common in EXIF: the block ends with the last directory's entries.
            self.cut = True
            self.problem("the last directory has no next-IFD pointer", harmless=True)
            return 0
        offset: int = self.pointer.unpack(self.data[at : at + self.pointer.size])[0]
        return offset

    def directory(self, offset: int, name: str, in_chain: bool = False) -> Ifd | None:
        """Read one directory; return ``None`` and record a problem if there is none at ``offset``."""
        first = offset + self.count.size
        if offset < 8 or first > self.size:
            self.cut = self.cut or first > self.size
            self.problem(f"{name} is said to be at offset {offset}, outside of the structure", missed=name)
            return None
        if offset in self.visited:
            self.problem(f"{name} points back to a directory that was read before", missed=name)
            return None
        if len(self.ifds) >= self.max_ifds:
            self.problem(f"more than {self.max_ifds} directories", missed=name)
            return None
        self.visited.add(offset)
        count: int = self.count.unpack(self.data[offset:first])[0]
        room = (self.size - first) // self.entry.size
        allowed = min(room, MAX_ENTRIES, self.entries_left)
        self.cut = self.cut or count > room
        if count > allowed:
            self.problem(f"{name} says it has {count} entries, {allowed} are readable", missed=name)
        readable = min(count, allowed)
        self.entries_left -= readable
        end = first + count * self.entry.size
        entries, repeated = self.entries(name, first, readable, end, in_chain)
        ifd = Ifd(name, offset, entries, end, tuple(repeated))
        self.ifds.append(ifd)
        return ifd

    def entries(
        self, name: str, first: int, count: int, end: int, in_chain: bool
    ) -> tuple[dict[int, Entry], list[Entry]]:
        found: dict[int, Entry] = {}
        repeated: list[Entry] = []
        step, inline, sizes, size = self.entry.size, self.pointer.size, TYPE_SIZES, self.size
        value_at = step - inline  # of the value field, inside the entry
        at = first
        for tag, kind, number, value in self.entry.iter_unpack(self.data[first : first + count * step]):
            length = sizes.get(kind, 0) * number
            if length <= inline:
                value = at + value_at
            elif value + length > size:
                self.problem(f"the value of tag 0x{tag:04X} in {name} reaches out of the structure")
            elif value == end and not in_chain and at + step <= end:
                # The directory was written without its next-IFD pointer, and the first value is in its place. Nothing
                # follows a sub-directory, so nothing is lost; strict readers fail here.
                self.problem(f"{name} has no next-IFD pointer", harmless=True)
            if length == 0 and kind not in sizes:
                self.problem(f"tag 0x{tag:04X} in {name} has the unknown type {kind}", harmless=True)
            if tag in found:
                self.problem(f"tag 0x{tag:04X} is twice in {name}")
                repeated.append(Entry(tag, kind, number, value, length, at))
            else:
                found[tag] = Entry(tag, kind, number, value, length, at)
            at += step
        if len(repeated) > MAX_REPEATED:
            self.problem(f"{name} has more than {MAX_REPEATED} tags twice", missed=name)
        return found, repeated[:MAX_REPEATED]

    def below(self, ifd: Ifd, depth: int) -> None:
        """Read the directories to which entries of ``ifd`` point."""
        prefix = "" if ifd.name in ("IFD0", "Exif") else f"{ifd.name}/"
        for tag, name in ((EXIF_IFD, "Exif"), (GPS_IFD, "GPS"), (INTEROP_IFD, "Interop")):
            entry = ifd.entries.get(tag)
            if entry is None:
                continue
            offset = self.pointed(entry, 1)
            if not offset or len(ifd.all(tag)) > 1:
                self.problem(f"{ifd.name} does not say where one {name} directory is", missed=prefix + name)
            child = self.directory(offset[0], prefix + name) if offset else None
            if child is not None and tag == EXIF_IFD and depth < 2:
                self.below(child, depth + 1)
        entry = ifd.entries.get(SUB_IFDS)
        if entry is not None and depth < 2:
            for offset_of_sub in self.pointed(entry, _MAX_SUB_IFDS):
                child = self.directory(offset_of_sub, f"SubIFD{self.sub_ifds}")
                self.sub_ifds += 1
                if child is not None:
                    self.below(child, depth + 1)

    def pointed(self, entry: Entry, limit: int) -> tuple[int, ...]:
        return Tiff(self.order, self.big, (), (), self.data).ints(entry, limit)
