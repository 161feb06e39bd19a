"""A growing copy of a TIFF file: its strips and tiles, and the tables of their offsets and byte counts."""

from __future__ import annotations

import struct
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from labeling._tiff_ifd import Entry, Tiff
from labeling.codecs.tiff.draft import Draft
from labeling.codecs.tiff.page import Page
from labeling.codecs.tiff.rows import Recoded
from labeling.containers.tiff.edit import marks_of_edit
from labeling.errors import UnreadableFile, UnsupportedFormat
from labeling.filebytes import Pieces

_FORMS = {3: "H", 4: "I", 16: "Q"}
_TABLES = ((273, 279), (324, 325), (513, 514))
"""(tag of the offsets, tag of the byte counts) of strips, of tiles, and of the stream of old-style JPEG (TIFF 6.0)."""

_MAX_CHUNKS = 1 << 20
_HEAD = 1024
"""Bytes in which the mark of a Cloud Optimized GeoTIFF is looked for."""


class Editor:
    """The copy. The entries of the directories that it is given are changed where a table moves."""

    def __init__(self, tiff: Tiff) -> None:
        assert not isinstance(tiff.data, Pieces)
        self.data = Draft(tiff.data)
        self._tiff = tiff
        self._order = tiff.byte_order

    def chunk(self, page: Page, index: int) -> bytes:
        """Read the bytes of one strip or tile; none for a sparse one (GDAL leaves out tiles without data)."""
        return self.run(page.offsets, page.counts, index)

    def view(self, page: Page, index: int) -> memoryview:
        """Return the bytes of a strip or tile as a view; it must not be replaced while that is in use."""
        at, size = self._place(page.offsets, page.counts, index)
        views = self.data.views(at, at + size) if at else []
        return views[0] if len(views) == 1 else memoryview(b"".join(views))

    def replace(self, page: Page, index: int, made: Recoded) -> None:
        """Store a strip or tile; see :meth:`replace_run`."""
        self._replace(page.offsets, page.counts, index, made)

    def run(self, offsets: Entry, counts: Entry, index: int) -> bytes:
        """Read the bytes at one place of a table of offsets."""
        at, size = self._place(offsets, counts, index)
        return self.data[at : at + size] if at else b""

    def _place(self, offsets: Entry, counts: Entry, index: int) -> tuple[int, int]:
        at, size = self._number(offsets, index), self._number(counts, index)
        if at + size > len(self.data):
            raise UnreadableFile(f"strip or tile {index} of the TIFF reaches beyond the file; it is cut off")
        return at, size

    def replace_run(self, offsets: Entry, counts: Entry, index: int, made: bytes) -> None:
        """Store bytes in their place if they fit, else at the end of the file; zero the bytes that they leave.

        Bytes that another strip or tile uses as well stay as they are.
        """
        self._replace(offsets, counts, index, Recoded(0, (made,), 0))

    def _replace(self, offsets: Entry, counts: Entry, index: int, made: Recoded) -> None:
        for start, _, mark in marks_of_edit(self.data[:_HEAD]):
            self.data.write(start, mark)
        at, size = self._number(offsets, index), self._number(counts, index)
        alone = at > 0 and self._alone(at, size)
        kept, total = made.kept, made.size
        last = alone and at + size >= len(self.data) - 1  # it ends the file: at most a padding byte follows
        if alone and total == size:
            self.data.write(at + kept, *made.new)
        elif last and not made.rest:
            self.data.cut(at + kept)
            self.data.append(*made.new)
        elif alone and total <= size and not made.rest:
            self.data.write(at + kept, *made.new)
            self.data.clear(at + total, size - total)
        else:
            old = self.data.views(at, at + kept), self.data.views(at + size - made.rest, at + size)
            before, behind = ([view if view.readonly else bytes(view) for view in views] for views in old)
            if alone:
                self.data.clear(at, size)
            self.data.append(bytes(len(self.data) & 1))  # values begin on word boundaries (TIFF 6.0, section 2)
            self._set(offsets, index, len(self.data))
            self.data.append(*before, *made.new, *behind)
        self._set(counts, index, total)

    def colour_map(self, page: Page) -> NDArray[np.uint16]:
        """Read the colour map of a palette page: all reds, all greens, all blues."""
        at, size = _map(page)
        raw = self.data[at : at + size]
        if len(raw) < size:
            raise UnreadableFile("the TIFF's colour map is cut off")
        return np.frombuffer(raw, self._order + "u2").astype(np.uint16)

    def set_colour_map(self, page: Page, table: NDArray[np.uint16]) -> None:
        """Write the colour map of a palette page back to its place."""
        at, _ = _map(page)
        self.data.write(at, table.astype(self._order + "u2").tobytes())

    def jpeg_tables(self, page: Page) -> bytes:
        """Read the tables that the JPEG strips or tiles of a page share (tag 347)."""
        if page.tables is None:
            return b""
        return self.data[page.tables.value_offset : page.tables.value_offset + page.tables.length]

    # Numbers of tables

    def _form(self, entry: Entry, index: int) -> tuple[struct.Struct, int]:
        if entry.type not in _FORMS:
            raise UnreadableFile("the TIFF's table of strips or tiles has an impossible type; the file is damaged")
        form = struct.Struct(self._order + _FORMS[entry.type])
        at = entry.value_offset + index * form.size
        if at + form.size > len(self.data):
            raise UnreadableFile("the TIFF's table of strips or tiles is cut off")
        return form, at

    def _number(self, entry: Entry, index: int) -> int:
        form, at = self._form(entry, index)
        return int(form.unpack(self.data[at : at + form.size])[0])

    def _set(self, entry: Entry, index: int, value: int) -> None:
        form, at = self._form(entry, index)
        if value >= 1 << (8 * form.size):
            self._widen(entry)
            form, at = self._form(entry, index)
        if value >= 1 << (8 * form.size):
            raise UnsupportedFormat(
                "the painted copy would be larger than the 4 GiB of a classic TIFF", hint="save it as BigTIFF first"
            )
        self.data.write(at, form.pack(value))

    def _widen(self, entry: Entry) -> None:
        """Make a table of 16-bit numbers one of 32 bits (BigTIFF: 64), at the end of the file if it has to move."""
        kind, inline = (16, 8) if self._tiff.big else (4, 4)
        if entry.type == kind:
            return
        values = [self._number(entry, index) for index in range(entry.count)]
        packed = struct.pack(f"{self._order}{len(values)}{_FORMS[kind]}", *values)
        at = entry.entry_offset + (12 if self._tiff.big else 8)
        if len(packed) > inline:
            self.data.append(bytes(-len(self.data) % 8))
            self.data.write(at, struct.pack(self._order + ("Q" if self._tiff.big else "I"), len(self.data)))
            at = len(self.data)
            self.data.append(packed)
        else:
            self.data.write(at, packed.ljust(inline, b"\0"))
        self.data.write(entry.entry_offset + 2, struct.pack(self._order + "H", kind))
        entry.type, entry.value_offset, entry.length = kind, at, len(packed)

    # Shared strips and tiles

    @cached_property
    def _ranges(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The start of every strip and tile of the source, sorted, and how far all up to each one reach."""
        starts: list[int] = []
        lengths: list[int] = []
        tables: set[int] = set()
        for ifd in self._tiff.ifds:
            for offsets, counts in _TABLES:
                if offsets not in ifd.entries or counts not in ifd.entries:
                    continue
                entry = ifd.entries[offsets]
                if entry.value_offset in tables or len(starts) + entry.count > _MAX_CHUNKS:
                    continue
                tables.add(entry.value_offset)
                pairs = zip(
                    self._tiff.ints(entry, _MAX_CHUNKS), self._tiff.ints(ifd.entries[counts], _MAX_CHUNKS), strict=False
                )
                for at, size in pairs:
                    if size > 0:
                        starts.append(min(at, 1 << 62))
                        lengths.append(min(size, 1 << 60))
        order = np.argsort(np.array(starts, np.int64), kind="stable")
        sorted_starts = np.array(starts, np.int64)[order]
        return sorted_starts, np.maximum.accumulate(sorted_starts + np.array(lengths, np.int64)[order])

    def _alone(self, at: int, size: int) -> bool:
        """Return whether no other strip or tile uses these bytes. What this copy has appended is in no other's way."""
        starts, reach = self._ranges
        first, last = np.searchsorted(starts, at, "left"), np.searchsorted(starts, at + size, "left")
        return int(last - first) <= 1 and (first == 0 or int(reach[first - 1]) <= at)


def _map(page: Page) -> tuple[int, int]:
    """Return offset and length of a palette page's colour map."""
    assert page.map is not None  # the layout was checked
    return page.map.value_offset, page.map.length
