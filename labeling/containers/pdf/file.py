"""Find the objects of a PDF file by their number (ISO 32000-2, 7.5): in tables, in streams, or by searching.

Only what metadata depends on is read. Cross-reference tables are read where they are and never become a dictionary;
every chain is bounded, and cycles end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from labeling.containers.base import MAX_PAYLOAD
from labeling.containers.collector import Collector
from labeling.containers.pdf.objects import Lexer, Malformed, Ref, skip

MAX_SECTIONS = 256
"""Limit on cross-reference sections. A file has one for each time that it was saved incrementally."""

MAX_FOUND = 200_000
"""Limit on the objects that are remembered when a broken file is searched."""

MAX_STREAMS = 32
"""Limit on the object streams that are unpacked."""

_START = re.compile(rb"startxref[\0\t\n\f\r ]{1,16}(\d{1,12})")
_OBJECT = re.compile(rb"(?<![0-9])(\d{1,10})[\0\t\n\f\r ]{1,8}(\d{1,5})[\0\t\n\f\r ]{1,8}obj(?![A-Za-z])")
_SUBSECTION = re.compile(rb"(\d{1,10})[ \t]{1,8}(\d{1,10})[ \t]{0,8}(?:\r\n|\r|\n)")
_ROW = re.compile(rb"(\d{10}) (\d{5}) ([nf])")
_STREAM = re.compile(rb"[\0\t\n\f\r ]{0,16}stream(?:\r\n|\n|\r)")


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream object: its dictionary, and where its data start and end in the file, as stored."""

    fields: dict[str, Any]
    start: int
    end: int


class File:
    """One PDF file.

    ``trailer`` has the newest value of each entry. Problems go to the collector.
    """

    def __init__(self, data: bytes, collector: Collector) -> None:
        self.data, self.collector = data, collector
        self.lexer = Lexer()
        self.base = max(0, data.find(b"%PDF-", 0, 1024))
        self.trailer: dict[str, Any] = {}
        self.tables: list[tuple[int, int, int]] = []  # first number, count, offset of the first row
        self.streams: list[tuple[bytes, list[int], list[int]]] = []  # rows, widths, index
        self.found: dict[int, int] | None = None
        self.unpacked: dict[int, tuple[bytes, dict[int, int]]] = {}
        self.resolving: set[int] = set()
        self._load()

    # The cross-reference sections

    def _load(self) -> None:
        starts = list(_START.finditer(self.data, max(0, len(self.data) - 2048)))
        pending, seen = [int(starts[-1][1])] if starts else [], set[int]()
        while pending and len(seen) < MAX_SECTIONS:
            at = pending.pop(0)
            if at in seen:
                continue
            seen.add(at)
            try:
                trailer = self._section(self.base + at)
            except (Malformed, ValueError, TypeError, IndexError, KeyError):
                break
            self.trailer = {**trailer, **self.trailer}  # the newest section comes first and wins
            pending += [trailer[key] for key in ("XRefStm", "Prev") if isinstance(trailer.get(key), int)]
        if not isinstance(self.resolve(self.trailer.get("Root")), dict):
            self._search()

    def _section(self, at: int) -> dict[str, Any]:
        at = skip(self.data, at)
        if self.data[at : at + 4] != b"xref":
            return self._xref_stream(at)
        at += 4
        while found := _SUBSECTION.match(self.data, skip(self.data, at)):
            first, count, rows = int(found[1]), int(found[2]), found.end()
            if count and not _ROW.match(self.data, rows):
                raise Malformed("a cross-reference table is not sound")
            if len(self.tables) >= 1 << 14 or rows + 20 * count > len(self.data) + 20:
                raise Malformed("a cross-reference table reaches beyond the end of the file")
            self.tables.append((first, count, rows))
            at = rows + 20 * count
        at = skip(self.data, at)
        if self.data[at : at + 7] != b"trailer":
            raise Malformed("a cross-reference table has no trailer")
        trailer, _ = self.lexer.read(self.data, at + 7)
        return _dictionary(trailer)

    def _xref_stream(self, at: int) -> dict[str, Any]:
        stream = self.object_at(at)
        if not isinstance(stream, Stream):
            raise Malformed("there is no cross-reference section")
        fields = stream.fields
        widths = [int(width) for width in fields["W"]]
        index = [int(number) for number in fields.get("Index") or [0, fields["Size"]]]
        rows, problem = self.payload(stream)
        if problem or len(widths) != 3 or not 0 < sum(widths) <= 24 or min(widths) < 0 or len(index) > 1 << 14:
            raise Malformed("a cross-reference stream is not sound")
        self.streams.append((rows, widths, index))
        return fields

    def _search(self) -> None:
        """Find objects and trailers by searching the whole file. Of several with one number, the last counts."""
        self.collector.warnings.append("its cross-reference table is broken; objects were searched for")
        self.found, self.tables, self.streams = {}, [], []
        for match in _OBJECT.finditer(self.data):
            if len(self.found) >= MAX_FOUND:
                self.collector.problems.append(
                    f"its cross-reference table is broken, and it has more than {MAX_FOUND} objects"
                )
                break
            self.found[int(match[1])] = match.start()
        at = len(self.data)
        for _ in range(MAX_SECTIONS):
            at = self.data.rfind(b"trailer", 0, at)
            if at < 0:
                break
            try:
                self.trailer = {**_dictionary(self.lexer.read(self.data, at + 7)[0]), **self.trailer}
            except Malformed:
                continue
        if not isinstance(self.resolve(self.trailer.get("Root")), dict):
            self.collector.problems.append("it has no catalog that can be found")

    # Objects

    def resolve(self, value: Any) -> Any:
        """Follow a reference, or a chain of them, to its object.

        Returns:
            The object; ``None`` if there is none. Anything but a reference is returned as it is.
        """
        for _ in range(8):
            if not isinstance(value, Ref):
                return value
            number = value.number
            if number in self.resolving:
                return None
            self.resolving.add(number)
            try:
                value = self._find(number)
            except (Malformed, ValueError, TypeError, IndexError, KeyError):
                return None
            finally:
                self.resolving.discard(number)
        return None

    def _find(self, number: int) -> Any:
        if self.found is not None:
            return self.object_at(self.found[number]) if number in self.found else None
        for first, count, rows in self.tables:
            if first <= number < first + count:
                row = _ROW.match(self.data, rows + 20 * (number - first))
                if row is None:
                    raise Malformed("a row of the cross-reference table is not sound")
                if row[3] == b"n":
                    return self.object_at(self.base + int(row[1]), number)
        for rows_data, widths, index in self.streams:
            row_at = 0
            for first, count in zip(index[::2], index[1::2], strict=False):
                if first <= number < first + count:
                    return self._by_row(rows_data, widths, row_at + number - first, number)
                row_at += count
        return None

    def _by_row(self, rows: bytes, widths: list[int], at: int, number: int) -> Any:
        start = at * sum(widths)
        row = rows[start : start + sum(widths)]
        if len(row) < sum(widths):
            return None
        one, two = widths[0], widths[0] + widths[1]
        kind = int.from_bytes(row[:one], "big") if one else 1
        value = int.from_bytes(row[one:two], "big")
        if kind == 1:
            return self.object_at(self.base + value, number)
        return self._in_stream(value, number) if kind == 2 else None

    def object_at(self, at: int, number: int | None = None) -> Any:
        """Return the indirect object at offset ``at``.

        Raises:
            Malformed: There is no object, or its number is not ``number``.
        """
        head = _OBJECT.match(self.data, skip(self.data, at))
        if head is None or (number is not None and int(head[1]) != number):
            raise Malformed(f"there is no object at offset {at}")
        value, end = self.lexer.read(self.data, head.end())
        found = _STREAM.match(self.data, end)
        if found is None or not isinstance(value, dict):
            return value
        start, length = found.end(), self.resolve(value.get("Length"))
        end = start + length if isinstance(length, int) and length >= 0 else -1
        if end < 0 or self.data[skip(self.data, end) : skip(self.data, end) + 9] != b"endstream":
            end = self.data.find(b"endstream", start)
            if end < 0:
                raise Malformed("a stream does not end")
        return Stream(value, start, end)

    def _in_stream(self, holder: int, number: int) -> Any:
        """Return an object from an object stream (7.5.7)."""
        if holder not in self.unpacked:
            if len(self.unpacked) >= MAX_STREAMS:
                raise Malformed("more object streams than are unpacked")
            stream = self.resolve(Ref(holder, 0))
            if not isinstance(stream, Stream):
                raise Malformed("there is no such object stream")
            data, problem = self.payload(stream)
            first = stream.fields["First"]
            head = [int(word) for word in data[:first].split()[: 2 * MAX_FOUND]]
            if problem:
                raise Malformed(problem)
            self.unpacked[holder] = (data, {n: first + at for n, at in zip(head[::2], head[1::2], strict=False)})
        data, offsets = self.unpacked[holder]
        return self.lexer.read(data, offsets[number])[0] if number in offsets else None

    def payload(self, stream: Stream) -> tuple[bytes, str]:
        """Return the data of a stream, unpacked, and what is wrong with them (empty if nothing is)."""
        size = stream.end - stream.start
        if problem := self.collector.refusal(size):
            return b"", problem
        data, filters = self.data[stream.start : stream.end], self.resolve(stream.fields.get("Filter"))
        names = filters if isinstance(filters, list) else [filters] if filters else []
        if not names:
            return data, ""
        if names not in (["FlateDecode"], ["Fl"]):
            return b"", f"it is packed with {' '.join(map(str, names))[:60]}, which is not read"
        data, problem = self.collector.inflate(data)
        self.collector.left -= len(data)
        parameters = self.resolve(stream.fields.get("DecodeParms"))
        parameters = self.resolve(parameters[0]) if isinstance(parameters, list) and parameters else parameters
        if problem or not isinstance(parameters, dict) or parameters.get("Predictor", 1) == 1:
            return data, problem
        return _unpredicted(data, parameters)


def _dictionary(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed("a trailer is not a dictionary")
    return value


def _unpredicted(data: bytes, parameters: dict[str, Any]) -> tuple[bytes, str]:
    """Undo the PNG predictors None, Sub and Up, which cross-reference streams use, on rows of bytes.

    Returns:
        The data, and what is wrong with them.
    """
    columns = parameters.get("Columns", 1)
    if parameters["Predictor"] < 10 or not isinstance(columns, int) or not 0 < columns <= 1 << 12:
        return b"", "its predictor is not known"
    if len(data) > MAX_PAYLOAD // 4:
        return b"", "its cross-reference stream is too long"
    out, before = bytearray(), bytes(columns)
    for at in range(0, len(data) - columns, columns + 1):
        kind, row = data[at], bytearray(data[at + 1 : at + 1 + columns])
        if kind == 2:
            row = bytearray((a + b) & 0xFF for a, b in zip(row, before, strict=True))
        elif kind == 1:
            for column in range(1, columns):
                row[column] = (row[column] + row[column - 1]) & 0xFF
        elif kind:
            return b"", "its predictor is not known"
        out += row
        before = bytes(row)
    return bytes(out), ""
