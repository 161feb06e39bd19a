"""The files that a run works on: a tree with globs, or a file list that says something about each file.

Nothing here holds all files at once.
"""

from __future__ import annotations

import csv
import fnmatch
import json
import queue
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO

from labeling.batch.storage import Storage, normalized_path
from labeling.batch.task import Item, Mode, Overrides, Problem, Status, path_bytes
from labeling.errors import LabelingError

CHUNK_SIZE = 64
"""Files that the listing hands over at a time."""

MAX_CHUNKS_AHEAD = 8
"""Chunks that may wait for the run. The listing pauses while this limit is reached."""

LITTER = frozenset({".DS_Store", ".localized", "Thumbs.db", "ehthumbs.db", "desktop.ini", "Desktop.ini"})
"""What macOS and Windows leave in folders. macOS writes files whose names begin with ``._`` as well (AppleDouble)."""

_LITTER = Problem(Status.SKIPPED, "SystemFile", "a file that the operating system has left in the folder")

MAX_LINE = 1 << 16
_OF_LABEL = ("content_id", "text", "generator", "generator_version", "recipient", "agreement")
COLUMNS: dict[Mode, tuple[str, ...]] = {
    "label": _OF_LABEL,
    "verify": (*_OF_LABEL, "declared"),  # the list of a labelling run serves to verify its outputs
    "convert": (),
    "propagate": ("declared", "decision", "reviewer", "reason", "propagate_id"),
    "transplant": ("labelled",),
}
"""What a file list may say about a file, beside its path, by what the run does."""

_IN_ORDER = tuple(dict.fromkeys(name for names in COLUMNS.values() for name in names))

REMARKS = ("status", "cause")
"""What else a list may have, as that of failed files does. It is not used."""

PATH_NAMES = ("path", "路径", "文件路径")
"""What a column or key with the paths is called. Case does not matter in any name."""

DELIMITERS = (",", ";", "\t")
"""What separates the columns: spreadsheets write semicolons where the comma is the decimal point, and tabs."""


def glob_expression(patterns: Sequence[str]) -> re.Pattern[str] | None:
    """Return one expression for several globs, or ``None`` for no glob.

    A glob matches the file's name, or its whole path if the glob has a ``/``. Case does not matter, and ``*`` crosses
    folders.
    """
    if not patterns:
        return None
    parts = [fnmatch.translate(p.lower() if "/" in p else f"*/{p.lower()}") for p in patterns]
    return re.compile("|".join(parts))


class GlobFilter:
    """Decides which paths a run processes.

    Args:
        include: Globs of which a path must match one; none to take every path.
        exclude: Globs of which a path must match none.

    Attributes:
        left_out: Whether any path was left out so far.
    """

    def __init__(self, include: Sequence[str], exclude: Sequence[str]) -> None:
        self._include, self._exclude = glob_expression(include), glob_expression(exclude)
        self.left_out = False

    def __call__(self, path: str) -> bool:
        """Return whether the path is to be processed."""
        if self._include is None and self._exclude is None:
            return True
        wanted = self._matches(path)
        self.left_out = self.left_out or not wanted
        return wanted

    def _matches(self, path: str) -> bool:
        text = path.lower()
        rooted = f"/{text}"

        def matches(pattern: re.Pattern[str]) -> bool:
            return bool(pattern.match(text) or pattern.match(rooted))

        if self._exclude is not None and matches(self._exclude):
            return False
        return self._include is None or matches(self._include)


def list_tree(storage: Storage, wanted: GlobFilter, excluded: tuple[Path, ...] = ()) -> Iterator[Item]:
    """Yield the files of a storage.

    Args:
        storage: The folder or bucket.
        wanted: Which paths to take.
        excluded: Local folders that are left out.

    Raises:
        LabelingError: The storage cannot be listed at all.
    """
    return (_without_litter(item) for item in storage.walk(excluded) if wanted(item.path))


def _without_litter(item: Item) -> Item:
    """Return the item; a file that an operating system has left in the folder is not to be processed."""
    name = item.path.rpartition("/")[2]
    if item.problem is None and (name in LITTER or name.startswith("._")):
        return replace(item, problem=_LITTER)
    return item


def read_file_list(
    file: IO[str], name: str, storage: Storage, wanted: GlobFilter, known: Sequence[str] = COLUMNS["label"]
) -> Iterator[Item]:
    """Yield the files that a list names.

    A list has a path on each line, or is CSV with a ``path`` column, or JSONL with a ``path`` key. CSV may have
    semicolons or tabs for commas. CSV and JSONL may say more about each file: the columns of :data:`COLUMNS`;
    ``status`` and ``cause`` are passed over, so that the list of failed files can be given back. Paths separated by NUL
    characters (``find -print0``) are accepted as well. A list is UTF-8, with or without a byte order mark. Bytes of a
    name that are not UTF-8 stand as they are, or are written ``\\udc80`` to ``\\udcff``, as results and reports show
    them; between NUL characters they always stand as they are.

    Args:
        file: The list.
        name: What errors call it.
        storage: Where the files are.
        wanted: Which of the paths to take.
        known: What it may say about a file, beside its path.

    Raises:
        LabelingError: A line is not as it should be. The message says which.
    """
    rows = _rows(file, name, known)
    at_once = 1 if storage.local else CHUNK_SIZE
    while chunk := list(islice(rows, at_once)):
        paths = [path for path, _, problem in chunk if problem is None and wanted(path)]
        found = {item.path: item for item in storage.stat(paths)}
        for path, overrides, problem in chunk:
            if problem is not None:
                yield Item(path, problem=problem)
            elif path in found:
                yield found[path] if overrides is None else replace(found[path], overrides=overrides, silent=False)


Row = tuple[str, Overrides | None, Problem | None]
"""A path in a list, what the list says about it (``None``: it has paths alone), and why it cannot be processed."""


def _rows(file: IO[str], name: str, known: Sequence[str]) -> Iterator[Row]:
    first = file.readline(MAX_LINE + 1)
    if _is_utf16(first):
        raise LabelingError("is UTF-16", path=name, hint="save it as UTF-8")
    first = first.removeprefix("\ufeff")
    if "\0" in first:
        yield from (_row({"path": path}, name, 0, known) for path in _split_at_nul(first, file))
        return
    lines = _lines(first, file, name)
    if first.lstrip(" \t").startswith("{"):
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _row(_json_object(line, name, number), name, number, known)
    elif (columns := _columns(first)) is not None:
        header, delimiter = columns
        if twice := [column for column in dict.fromkeys(header) if column and header.count(column) > 1]:
            raise LabelingError(f"has several columns {', '.join(twice)}"[:200], path=name, hint="leave one of each")
        reader = csv.DictReader(lines, header, delimiter=delimiter)
        try:
            next(reader)
            for values in reader:
                if not any(map(_is_said, values.values())):
                    continue  # spreadsheets end with rows of empty cells
                path = values.get("path")
                yield _row(values | {"path": path and _with_bytes(path)}, name, reader.line_num, known)
        except csv.Error as error:
            raise LabelingError(f"is not valid CSV ({error})", path=name) from error
    else:
        for number, line in enumerate(lines, 1):
            if path := line.rstrip("\r\n"):
                yield _row({"path": _with_bytes(path)}, name, number, known)


_BYTE = re.compile(r"\\(udc[89a-f][0-9a-f])")
"""How results and reports show a byte of a name that is not UTF-8."""


def _with_bytes(path: str) -> str:
    """Return a path with the bytes that it spells out."""
    return _BYTE.sub(lambda match: chr(int(match[1][1:], 16)), path) if "\\udc" in path else path


def _is_utf16(first: str) -> bool:
    """Return whether the first line, read as UTF-8, is UTF-16 of either byte order, with its mark or without."""
    if first.startswith(("\udcff\udcfe", "\udcfe\udcff")):
        return True
    text = first[:-1]
    ends = first.endswith(("\n", "\r"))  # between names there is none of them
    return ends and len(text) > 1 and (not text[1::2].strip("\0") or not text[::2].strip("\0"))


def _columns(line: str) -> tuple[list[str], str] | None:
    """Return the columns' names and what separates them, if the line is the header of CSV."""
    for delimiter in DELIMITERS:
        try:
            header = [_column(cell) for cell in next(csv.reader([line], delimiter=delimiter), ())]
        except csv.Error:
            continue
        if "path" in header:
            return header, delimiter
    return None


def _column(name: str) -> str:
    """Return the name of a column or key as we write it."""
    text = name.strip().lower().replace(" ", "_")
    return "path" if text in PATH_NAMES else text


def _json_object(line: str, name: str, number: int) -> dict[object, object]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise LabelingError(f"line {number} is not JSON ({error})", path=name) from error
    if not isinstance(values, dict):
        raise LabelingError(f"line {number} is not a JSON object", path=name)
    return values


def _lines(first: str, file: IO[str], name: str) -> Iterator[str]:
    number, line = 1, first
    while line:
        if len(line) > MAX_LINE:
            raise LabelingError(
                f"line {number} is longer than {MAX_LINE} characters", path=name, hint="is it a file list?"
            )
        yield line
        number, line = number + 1, file.readline(MAX_LINE + 1)


def _split_at_nul(first: str, file: IO[str]) -> Iterator[str]:
    rest = first
    while True:
        *complete, rest = rest.split("\0")
        yield from filter(None, complete)
        more = file.read(MAX_LINE)
        if not more:
            break
        rest += more
    if rest.strip("\n"):
        yield rest


def _is_said(value: object) -> bool:
    return any(value) if isinstance(value, list) else bool(value)


def _row(values: dict[object, object], name: str, number: int, known: Sequence[str]) -> Row:
    # A spreadsheet's empty columns have no name, or are beyond the header.
    values = {_column(str(key or "")): value for key, value in values.items() if key or _is_said(value)}
    path = values.get("path")
    if not isinstance(path, str) or not path:
        raise LabelingError(f"line {number} names no path", path=name)
    if "" in values:
        raise LabelingError(f"line {number} has more cells than the header has names", path=name)
    unknown = {str(key) for key in values} - {"path", *known, *REMARKS}
    if unknown:
        raise LabelingError(
            f"line {number} has {', '.join(sorted(unknown))[:80]}", path=name,
            hint=f"known here are path, {', '.join(known)}" if known else "for a conversion, name paths alone",
        )  # fmt: skip
    said = tuple((key, str(value)) for key in _IN_ORDER if (value := values.get(key)) not in (None, ""))
    overrides = said if values.keys() & set(known) else None
    try:
        path_bytes(path)
    except UnicodeEncodeError:
        shown = path.encode("utf-8", "backslashreplace").decode()
        problem = Problem(Status.REFUSED, "Name", "no file can have this name: it has half of a surrogate pair")
        return shown, overrides, problem
    try:
        return normalized_path(path), overrides, None
    except LabelingError as error:
        return path, overrides, Problem(Status.REFUSED, "Name", f"{error.message}; {error.hint}")


class BackgroundListing:
    """Runs a listing in a thread of its own, a bounded number of chunks ahead of the run.

    Args:
        items: The listing.
        chunk_size: Files that are handed over at a time.
    """

    def __init__(self, items: Iterator[Item], chunk_size: int = CHUNK_SIZE) -> None:
        self._items, self._chunk_size = items, chunk_size
        self._chunks: queue.Queue[list[Item] | BaseException | None] = queue.Queue(MAX_CHUNKS_AHEAD)
        self._stopped = threading.Event()
        self.done = False
        threading.Thread(target=self._run, name="listing", daemon=True).start()

    def _run(self) -> None:
        chunk: list[Item] = []
        end: BaseException | None = None
        try:
            for item in self._items:
                chunk.append(item)
                if len(chunk) == self._chunk_size:
                    self._put(chunk)
                    chunk = []
                if self._stopped.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - take() raises it in the thread of the run
            end = error
        if chunk:
            self._put(chunk)
        self._put(end)

    def _put(self, chunk: list[Item] | BaseException | None) -> None:
        while not self._stopped.is_set():
            try:
                self._chunks.put(chunk, timeout=0.2)
            except queue.Full:
                continue
            return

    def take(self, timeout: float = 0.0) -> list[Item]:
        """Return the next chunk, or an empty list if there is none (yet). Raises what the listing raised.

        Args:
            timeout: Seconds to wait for it.
        """
        if self.done:
            return []
        try:
            chunk = self._chunks.get(timeout=timeout) if timeout else self._chunks.get_nowait()
        except queue.Empty:
            return []
        if chunk is None:
            self.done = True
            return []
        if isinstance(chunk, BaseException):
            self.done = True
            raise chunk
        return chunk

    def stop(self) -> None:
        """List no further."""
        self._stopped.set()


class BackgroundCount:
    """Counts the files of a listing in a thread of its own, so that the remaining time can be estimated.

    Attributes:
        files: Files so far.
        size: Their bytes.
        complete: Whether all were counted.
    """

    def __init__(self, items: Iterator[Item]) -> None:
        self.files = self.size = 0
        self.complete = False
        self._stopped = threading.Event()
        threading.Thread(target=self._run, args=(items,), name="counting", daemon=True).start()

    def _run(self, items: Iterator[Item]) -> None:
        try:
            for item in items:
                if self._stopped.is_set():
                    return
                self.files += 1
                self.size += item.size
        except LabelingError:
            return  # the listing itself reports it
        self.complete = True

    def stop(self) -> None:
        """Count no further."""
        self._stopped.set()
