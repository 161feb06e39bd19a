"""Change tags of a TIFF file without moving anything that is in it.

A value or directory that no longer fits its place goes to the end of the file, and the pointer to it is changed. Bytes
are overwritten only where no other value, directory or picture data shares them.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate, pairwise

from labeling._tiff_ifd import EXIF_IFD, GPS_IFD, TYPE_SIZES, Entry, Ifd, Tiff
from labeling.containers.base import Buffer
from labeling.containers.edits import Edit, splice
from labeling.errors import LabelingError

_UNEDITED, _EDITED = b"KNOWN_INCOMPATIBLE_EDITION=NO\n ", b"KNOWN_INCOMPATIBLE_EDITION=YES\n"
_AFTER_HEADER = 1024


def marks_of_edit(head: bytes) -> list[Edit]:
    """Return what says in a Cloud Optimized GeoTIFF that it was edited, if it has to be said.

    GDAL writes behind the header that directories and tiles are in a certain order, and readers rely on it until the
    same place says that an edit has changed that (GDAL, COG driver).
    """
    at = head.find(_UNEDITED, 0, _AFTER_HEADER)
    return [(at, at + len(_EDITED), _EDITED)] if at >= 0 else []


@dataclass(slots=True)
class _Directory:
    """A directory as it will be.

    ``ifd`` is the directory in the file, ``None`` for a new one. ``entries`` are (tag, raw entry) in order,
    ``following`` is the offset of the next directory, and ``dirty`` says that something changed.
    """

    name: str
    ifd: Ifd | None
    entries: list[tuple[int, bytes]]
    following: int
    offset: int
    dirty: bool = False


class Editor:
    """Collect changes to the directories of one file; :meth:`pieces` returns the new file.

    Args:
        tiff: The directories of the file.
        coded: (offset, length) of each run of picture data.
    """

    def __init__(self, tiff: Tiff, coded: tuple[tuple[int, int], ...]) -> None:
        self._tiff, self._data, self._size = tiff, tiff.data, len(tiff.data)
        order, big = tiff.byte_order, tiff.big
        self._head = struct.Struct(order + ("HHQ" if big else "HHI"))
        self._count = struct.Struct(order + ("Q" if big else "H"))
        self._pointer = struct.Struct(order + ("Q" if big else "I"))
        self._align = 8 if big else 2
        self._directories = {ifd.name: self._directory(ifd) for ifd in tiff.ifds}
        # What owns which bytes: picture data (0), directories (negative) and values (by the place of their entry).
        owned = [(start, start + length, 0) for start, length in coded]
        inline = self._pointer.size
        for ifd in tiff.ifds:
            owned.append((ifd.offset, ifd.next_offset_at + inline, -ifd.offset))
            owned += [
                (entry.value_offset, entry.value_offset + entry.length, entry.entry_offset)
                for entry in ifd.entries.values()
                if entry.length > inline
            ]
        self._owned = sorted(owned)
        self._reach = list(accumulate((end for _, end, _ in self._owned), max))
        self._edits: list[Edit] = []
        self._appended: list[bytes] = []
        self._end = self._stop = self._size
        self._last: tuple[str, int, int, bytes] | None = None

    def _directory(self, ifd: Ifd) -> _Directory:
        step = self._head.size + self._pointer.size
        first = ifd.offset + self._count.size
        stop = min(ifd.next_offset_at, self._size)
        entries = [
            (struct.unpack(self._tiff.byte_order + "H", self._data[at : at + 2])[0], bytes(self._data[at : at + step]))
            for at in range(first, stop - step + 1, step)
        ]
        following = 0
        end = ifd.next_offset_at + self._pointer.size
        if end <= self._size:
            following = self._pointer.unpack(self._data[ifd.next_offset_at : end])[0]
        return _Directory(ifd.name, ifd, entries, following, ifd.offset)

    # Requests

    def remove(self, name: str, tag: int) -> None:
        """Remove a tag from a directory, if it is there, and zero its value."""
        directory = self._directories.get(name)
        if directory is None:
            return
        self._release(directory, tag)
        kept = [row for row in directory.entries if row[0] != tag]
        directory.dirty = directory.dirty or len(kept) != len(directory.entries)
        directory.entries = kept

    def set(self, name: str, tag: int, kind: int, value: bytes) -> None:
        """Give a tag of IFD0, or of the Exif or GPS directory, which is made if there is none, a new value.

        Args:
            name: The name of the directory.
            tag: The tag.
            kind: The field type of the value.
            value: Its bytes, in the file's byte order.
        """
        directory = self._directories.setdefault(name, _Directory(name, None, [], 0, 0))
        if len(value) <= self._pointer.size:
            self._release(directory, tag)
            self._put(directory, tag, kind, value, value)
            return
        old = self._old(directory, tag)
        if old is not None and len(value) <= old.length and self._overwritable(old):
            self._edits.append((old.value_offset, old.value_offset + old.length, value.ljust(old.length, b"\0")))
            offset = old.value_offset
        else:
            self._release(directory, tag)
            offset = self._append(value)
        self._put(directory, tag, kind, value, self._pointer.pack(offset))

    def set_last(self, name: str, tag: int, kind: int, value: bytes) -> None:
        """Do as :meth:`set`, for one value that goes to the end of the file, where it can grow later.

        It can be called for one value only.
        """
        directory = self._directories[name]
        old = self._old(directory, tag)
        mine = old is not None and self._overwritable(old)
        if old is not None and mine and old.value_offset + old.length >= self._size - 1:
            # It ends the file; what follows it is at most a padding byte.
            self._end = self._stop = old.value_offset
        elif len(value) <= self._pointer.size or (old is not None and mine and len(value) <= old.length):
            self.set(name, tag, kind, value)
            return
        else:
            self._release(directory, tag)
        self._put(directory, tag, kind, value, self._pointer.pack(0))
        self._last = (name, tag, kind, value)

    # The parts

    def _old(self, directory: _Directory, tag: int) -> Entry | None:
        """Return the entry of ``tag`` as it is in the file, unless it has been removed."""
        if directory.ifd is None or all(row[0] != tag for row in directory.entries):
            return None
        return directory.ifd.entries.get(tag)

    def _overwritable(self, entry: Entry) -> bool:
        return entry.length > self._pointer.size and self._free(
            entry.value_offset, entry.value_offset + entry.length, entry.entry_offset
        )

    def _free(self, start: int, end: int, owner: int) -> bool:
        if start < 8 or end > self._size:
            return False
        index = bisect_left(self._owned, (start,))
        if index and self._reach[index - 1] > start:
            return False
        while index < len(self._owned) and self._owned[index][0] < end:
            if self._owned[index][2] != owner:
                return False
            index += 1
        return True

    def _release(self, directory: _Directory, tag: int) -> None:
        """Zero the value that ``tag`` refers to, so that no old label stays in the file."""
        old = self._old(directory, tag)
        if old is not None and self._overwritable(old):
            self._edits.append((old.value_offset, old.value_offset + old.length, bytes(old.length)))

    def _put(self, directory: _Directory, tag: int, kind: int, value: bytes, field: bytes) -> None:
        count = len(value) // TYPE_SIZES[kind]
        row = (tag, self._head.pack(tag, kind, count) + field.ljust(self._pointer.size, b"\0"))
        # A tag that occurs twice (tifffile writes two ImageDescriptions) is changed where readers look first.
        first = next((at for at, other in enumerate(directory.entries) if other[0] == tag), None)
        if first is None:
            directory.entries = sorted([*directory.entries, row], key=lambda entry: entry[0])
        else:
            directory.entries[first] = row
        directory.dirty = True

    def _append(self, value: bytes) -> int:
        """Put ``value`` after everything so far, and return its offset."""
        padding = -self._end % self._align
        offset = self._end + padding
        self._appended.append(bytes(padding) + value)
        self._end = offset + len(value)
        return offset

    # The result

    def pieces(self) -> list[Buffer]:
        """Return the new file as views of the old one and the changed bytes.

        Raises:
            LabelingError: A classic TIFF would grow beyond 4 GiB, or a directory shares its bytes with other data.
        """
        marks = marks_of_edit(bytes(self._data[:_AFTER_HEADER]))
        self._edits += [mark for mark in marks if self._free(mark[0], mark[1], 0)]
        self._unlink_empty()
        moved = self._place_all()
        tail = b""
        if self._last is not None:
            name, tag, kind, tail = self._last
            # Its entry exists already, so no directory changes its size any more.
            padding = -self._end % self._align
            self._put(self._directories[name], tag, kind, tail, self._pointer.pack(self._end + padding))
            tail = bytes(padding) + tail
        if self._end + len(tail) >= 1 << (8 * self._pointer.size):
            raise LabelingError(
                "the copy would be larger than the 4 GiB of a classic TIFF", hint="save it as BigTIFF first"
            )
        placed = {directory.name for _, directory in moved}
        for directory in self._directories.values():
            if directory.dirty and directory.name not in placed:
                self._edits.append(self._in_place(directory))
        behind = [bytes(padding) + self._packed(directory) for padding, directory in moved]
        cut = [(self._stop, self._size, b"")] if self._stop < self._size else []
        kept = splice(self._data, [*self._edits, *cut])
        return [*kept, *self._appended, *behind, *([tail] if tail else [])]

    def _unlink_empty(self) -> None:
        """Take directories without entries out of the chain of pages: one must have an entry (TIFF 6.0, section 2)."""
        for before, after in reversed(self._chain()):
            if after.dirty and not after.entries:
                before.following, before.dirty, after.dirty = after.following, True, False

    def _chain(self) -> list[tuple[_Directory, _Directory]]:
        """Return each main directory with the one that follows it."""
        pages = [
            self._directories[name]
            for name in (f"IFD{n}" for n in range(len(self._directories)))
            if name in self._directories
        ]
        return list(pairwise(pages))

    def _place_all(self) -> list[tuple[int, _Directory]]:
        """Give every changed directory a place.

        Returns:
            (padding before it, directory) of those that go to the end.
        """
        moved: list[tuple[int, _Directory]] = []
        first = self._directories["IFD0"]
        for name, tag in (("Exif", EXIF_IFD), ("GPS", GPS_IFD)):
            if self._moves(name, moved) or self._unlinked(first, name, tag):
                pointer = self._pointer.pack(self._directories[name].offset)
                self._put(first, tag, 18 if self._tiff.big else 4, pointer, pointer)
        for before, after in reversed(self._chain()):
            if self._moves(after.name, moved):
                before.following, before.dirty = after.offset, True
        if self._moves("IFD0", moved):
            at = 8 if self._tiff.big else 4
            self._edits.append((at, at + self._pointer.size, self._pointer.pack(first.offset)))
        return moved

    def _unlinked(self, first: _Directory, name: str, pointer: int) -> bool:
        below = self._directories.get(name)
        return below is not None and bool(below.entries) and all(tag != pointer for tag, _ in first.entries)

    def _moves(self, name: str, moved: list[tuple[int, _Directory]]) -> bool:
        """Move a directory to the end if it changed and no longer fits its place; return whether it moved."""
        directory = self._directories.get(name)
        if directory is None or not directory.dirty or self._fits(directory):
            return False
        padding = -self._end % self._align
        directory.offset = self._end + padding
        self._end = directory.offset + self._packed_size(directory)
        moved.append((padding, directory))
        return True

    def _fits(self, directory: _Directory) -> bool:
        ifd = directory.ifd
        if ifd is None:
            return False
        end = ifd.next_offset_at + self._pointer.size
        return ifd.offset + self._packed_size(directory) <= end and self._free(ifd.offset, end, -ifd.offset)

    def _packed_size(self, directory: _Directory) -> int:
        step = self._head.size + self._pointer.size
        return self._count.size + step * len(directory.entries) + self._pointer.size

    def _packed(self, directory: _Directory) -> bytes:
        rows = b"".join(row for _, row in directory.entries)
        return self._count.pack(len(directory.entries)) + rows + self._pointer.pack(directory.following)

    def _in_place(self, directory: _Directory) -> Edit:
        if directory.ifd is None or not self._fits(directory):
            raise LabelingError(f"{directory.name} shares its bytes with other data", hint="re-save the TIFF first")
        start, end = directory.ifd.offset, directory.ifd.next_offset_at + self._pointer.size
        return start, end, self._packed(directory).ljust(end - start, b"\0")
