"""What a run works on: a tree with globs, or a file list that says something of each file. Never all of it at once."""

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
from typing import IO, TYPE_CHECKING

from labeling.batch.storage import Folder, relative
from labeling.batch.task import Item, Problem, Status, key_of
from labeling.errors import LabelingError

if TYPE_CHECKING:
    from labeling.batch.storage import Place

CHUNK = 64
AHEAD = 8
"""Chunks that wait for the run; the listing stands still while they do."""

MAX_LINE = 1 << 16
OWN = ("content_id", "text", "generator", "generator_version")
"""What a file list may say of a file, beside its path."""


def globs(patterns: Sequence[str]) -> re.Pattern[str] | None:
    """One expression for several globs: of a name, or of a whole path where there is a ``/``. Case does not matter.

    ``*`` crosses folders.
    """
    if not patterns:
        return None
    parts = [fnmatch.translate(p.lower() if "/" in p else f"*/{p.lower()}") for p in patterns]
    return re.compile("|".join(parts))


class Chosen:
    """The files of a place that the globs choose."""

    def __init__(self, include: Sequence[str], exclude: Sequence[str]) -> None:
        self._include, self._exclude = globs(include), globs(exclude)

    def __call__(self, path: str) -> bool:
        if self._include is None and self._exclude is None:
            return True
        text = path.lower()
        named = f"/{text}"

        def holds(pattern: re.Pattern[str]) -> bool:
            return bool(pattern.match(text) or pattern.match(named))

        if self._exclude is not None and holds(self._exclude):
            return False
        return self._include is None or holds(self._include)


def of_tree(place: Place, chosen: Chosen, without: tuple[Path, ...] = ()) -> Iterator[Item]:
    """The files of a place. Raises :class:`LabelingError` if it cannot be listed at all."""
    found = place.walk(without) if isinstance(place, Folder) else place.walk()
    return (item for item in found if chosen(item.path))


def of_list(file: IO[str], name: str, place: Place, chosen: Chosen) -> Iterator[Item]:
    """The files that a list names: a path on each line, or CSV with a ``path`` column, or JSONL with a ``path`` key.

    CSV and JSONL may give ``content_id``, ``text``, ``generator`` and ``generator_version`` of each file. Paths between
    NUL characters (``find -print0``) are taken as well. Raises :class:`LabelingError` that names the wrong line.
    """
    rows = _rows(file, name)
    at_once = 1 if place.local else CHUNK
    while chunk := list(islice(rows, at_once)):
        sound = [path for path, _, problem in chunk if problem is None and chosen(path)]
        found = {item.path: item for item in place.look(sound)}
        for path, own, problem in chunk:
            if problem is not None:
                yield Item(path, problem=problem)
            elif path in found:
                yield replace(found[path], own=own)


Row = tuple[str, tuple[tuple[str, str], ...], Problem | None]


def _rows(file: IO[str], name: str) -> Iterator[Row]:
    first = file.readline(MAX_LINE + 1)
    if "\0" in first:
        yield from (_row({"path": path}, name, 0) for path in _parts(first, file))
        return
    lines = _lines(first, file, name)
    if first.lstrip("\ufeff \t").startswith("{"):
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                values = json.loads(line.lstrip("\ufeff"))
            except (ValueError, RecursionError) as error:
                raise LabelingError(f"{name}: line {number} is not JSON ({error})") from error
            if not isinstance(values, dict):
                raise LabelingError(f"{name}: line {number} is no JSON object")
            yield _row(values, name, number)
    elif "path" in _header(first):
        try:
            for number, values in enumerate(csv.DictReader(lines, _header(next(lines))), 2):
                yield _row(values, name, number)
        except csv.Error as error:
            raise LabelingError(f"{name}: is not valid CSV ({error})") from error
    else:
        for number, line in enumerate(lines, 1):
            if path := line.rstrip("\r\n"):
                yield _row({"path": path}, name, number)


def _header(line: str) -> list[str]:
    return [cell.strip() for cell in line.lstrip("\ufeff").rstrip("\r\n").split(",")]


def _lines(first: str, file: IO[str], name: str) -> Iterator[str]:
    number, line = 1, first
    while line:
        if len(line) > MAX_LINE:
            raise LabelingError(f"{name}: line {number} is longer than {MAX_LINE} characters; is it a file list?")
        yield line
        number, line = number + 1, file.readline(MAX_LINE + 1)


def _parts(first: str, file: IO[str]) -> Iterator[str]:
    rest = first
    while True:
        *whole, rest = rest.split("\0")
        yield from filter(None, whole)
        more = file.read(MAX_LINE)
        if not more:
            break
        rest += more
    if rest.strip("\n"):
        yield rest


def _row(values: dict[object, object], name: str, number: int) -> Row:
    where = f"{name}: line {number}"
    path = values.get("path")
    if not isinstance(path, str) or not path:
        raise LabelingError(f"{where} names no path")
    unknown = {str(key) for key in values} - {"path", *OWN}
    if unknown:
        raise LabelingError(f"{where} has {', '.join(sorted(unknown))[:80]}; known are path, {', '.join(OWN)}")
    own = tuple((key, str(value)) for key in OWN if (value := values.get(key)) not in (None, ""))
    try:
        key_of(path)
    except UnicodeEncodeError:
        shown = path.encode("utf-8", "backslashreplace").decode()
        return shown, own, Problem(Status.REFUSED, "Name", "no file can be named so: half a character")
    try:
        return relative(path), own, None
    except LabelingError as error:
        return path, own, Problem(Status.REFUSED, "Name", str(error).removeprefix(f"{path}: "))


class Ahead:
    """Runs a listing in a thread of its own, a bounded number of chunks ahead of who takes them."""

    def __init__(self, items: Iterator[Item], chunk: int = CHUNK) -> None:
        self._items, self._size = items, chunk
        self._chunks: queue.Queue[list[Item] | BaseException | None] = queue.Queue(AHEAD)
        self._stopped = threading.Event()
        self.done = False
        threading.Thread(target=self._run, name="listing", daemon=True).start()

    def _run(self) -> None:
        chunk: list[Item] = []
        end: BaseException | None = None
        try:
            for item in self._items:
                chunk.append(item)
                if len(chunk) == self._size:
                    self._put(chunk)
                    chunk = []
                if self._stopped.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where the chunks are taken
            end = error
        if chunk:
            self._put(chunk)
        self._put(end)

    def _put(self, what: list[Item] | BaseException | None) -> None:
        while not self._stopped.is_set():
            try:
                self._chunks.put(what, timeout=0.2)
            except queue.Full:
                continue
            return

    def take(self, timeout: float = 0.0) -> list[Item]:
        """The next chunk, or nothing if none is there (yet). Raises what the listing raised."""
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


class Counted:
    """Counts a tree in a thread of its own, so that the time left can be told while the run is under way."""

    def __init__(self, items: Iterator[Item]) -> None:
        self.files = self.size = 0
        self.whole = False
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
            return  # the listing itself will say so
        self.whole = True

    def stop(self) -> None:
        """Count no further."""
        self._stopped.set()
