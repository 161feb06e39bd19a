"""Object stores and whatever else fsspec opens: ``s3://``, ``gs://``, ``abfs://``, ``sftp://``, ``memory://``.

A file is fetched to a local disk, processed there, uploaded and read back: the store's word alone does not count as
written. Calls that fail are the matter of :mod:`labeling.batch.store_calls`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from labeling.atomic_writes import temp_beside
from labeling.batch import local_copies
from labeling.batch.object_encoding import expand
from labeling.batch.object_properties import ENCODING, Carried, Properties
from labeling.batch.object_store import ObjectStore, changed
from labeling.batch.object_stores import Upload
from labeling.batch.store_calls import StoreCalls
from labeling.batch.store_errors import error_code
from labeling.batch.task import (
    STATE_FOLDER,
    EmptySource,
    Item,
    NotAsWritten,
    Problem,
    Seen,
    Status,
    StoreFault,
)
from labeling.errors import LabelingError, UnreadableFile, WriteError, error_context
from labeling.files import sha256
from labeling.inert import without_secrets

MAX_UPLOADS = 2
"""How often a file is uploaded if it does not read back the same."""

PARALLEL_STATS = 16
"""Objects of a file list that are asked about at a time."""

_IF_EMPTY = "check the bucket and the prefix; `allow_empty=True` accepts it"
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,12}")


class CutShort(Exception):
    """Less of an object has arrived than the store has of it."""


class RemoteStorage:
    """A URL of fsspec. It is opened when it is first used, so that each process has connections of its own.

    Args:
        url: The URL, perhaps with credentials.
        options: Passed to fsspec.
        only: The path of the only object that is listed; empty for all.
    """

    local = False

    def __init__(self, url: str, options: dict[str, Any], only: str = "") -> None:
        self._url, self._options, self.only = url, options, only
        self.name = without_secrets(url)
        self._calls = StoreCalls(url, options)

    def __reduce__(self) -> tuple[type[RemoteStorage], tuple[str, dict[str, Any], str]]:
        return RemoteStorage, (self._url, self._options, self.only)

    @property
    def in_this_process(self) -> bool:
        """Whether only this process can see the content, because it is kept in memory."""
        return self._calls.in_this_process

    def open(self) -> None:
        """Load the store's library and open the store. Raises :class:`LabelingError`."""
        _ = self._calls.opened

    @property
    def place(self) -> tuple[str, str]:
        """What tells two storages apart: the system with its host, and the path in it."""
        protocol = _ALIASES.get(self._calls.protocol, self._calls.protocol)
        host = self.name.partition("://")[2].partition("/")[0].rpartition("@")[2]
        path = self._calls.opened[1].lstrip("/")
        return (f"{protocol}://" if f"{path}/".startswith(f"{host}/") else f"{protocol}://{host}"), path

    def single(self) -> RemoteStorage | None:
        """Return the storage of the one object that the URL names, or ``None`` if it names a folder, or nothing.

        One request tells; if it fails, the listing says why.
        """
        store, path = self._calls.opened
        above, _, name = self._url.rstrip("/").rpartition("/")
        if "://" not in above or "/" not in path or path.rpartition("/")[2] != name or "?" in name:
            return None
        try:
            found = store.is_object(path)
            is_one = found and (store.has_folders or not _has_any(store, path))
        except Exception:  # noqa: BLE001 - the listing says what is wrong
            return None
        return RemoteStorage(above, self._options, name) if is_one else None

    @property
    def _store(self) -> ObjectStore:
        return self._calls.store

    def _full(self, path: str) -> str:
        return f"{self._calls.opened[1]}/{path}"

    def walk(self, excluded: tuple[Path, ...] = ()) -> Iterator[Item]:
        """Yield every object in listing order; those that cannot be processed carry a ``problem``."""
        base = self._calls.opened[1]
        if self.only:
            yield self._stat(self.only)[0]
            return
        try:
            ask = partial(self._calls.call, "the listing", UnreadableFile)
            for name, size, stamp, moment in self._store.walk(base, ask):
                path = name.removeprefix(f"{base}/")
                if STATE_FOLDER not in path.split("/")[:-1]:
                    yield Item(path, size, stamp, problem=self._name_problem(path), changed=moment)
        except LabelingError:
            raise
        except FileNotFoundError:
            raise EmptySource(self._store.nothing, path=self.name, hint=_IF_EMPTY) from None
        except Exception as error:  # noqa: BLE001 - it is raised as ours
            problem = f"cannot be listed ({self._calls.errors.describe(error)})"
            raise UnreadableFile(problem, path=self.name) from self._calls.errors.cause(error)

    def _name_problem(self, path: str) -> Problem | None:
        """Return why an object is not processed: its name may be one that a file in a folder must not have."""
        parts = path.split("/")
        if ".." in parts or "." in parts or not parts[0]:
            return Problem(Status.REFUSED, "Name", "the name leads out of the source, or has '.' as a part; rename it")
        if not parts[-1]:
            return Problem(
                Status.SKIPPED, "Name", "the name ends with '/', like a folder's; rename it to have it labelled"
            )
        if (
            self._store.kind == "s3" and "?versionId=" in path
        ):  # s3fs would cut the name there, and give us another object
            return Problem(Status.REFUSED, "Name", "'?versionId=' in the name would be taken for a version; rename it")
        return None

    def stat(self, paths: list[str]) -> list[Item]:
        """Return the items of these paths, with size and stamp, or with a ``problem``.

        Raises:
            StoreFault: The store does not tell of any of several paths.
        """
        with ThreadPoolExecutor(PARALLEL_STATS) as pool:
            found = list(pool.map(self._stat, paths))
        faults = [fault for _, fault in found if fault is not None]
        if 1 < len(faults) == len(found):
            raise faults[0]
        return [item for item, _ in found]

    def _stat(self, path: str) -> tuple[Item, StoreFault | None]:
        if problem := self._name_problem(path):
            return Item(path, problem=problem), None
        try:
            size, stamp, details = self.look(path)
            return Item(path, size, stamp, changed=changed(details)), None
        except LabelingError as error:
            fault = error if isinstance(error, StoreFault) else None
            problem = Problem(Status.FAILED, "UnreadableFile", error.reason, of_store=fault is not None)
            return Item(path, problem=problem), fault

    def exists(self, path: str) -> bool:
        """Return whether there is an object. Raises :class:`LabelingError`."""
        return self._calls.call(path, UnreadableFile, self._exists, path)

    def _exists(self, path: str) -> bool:
        try:
            return bool(self._store.details(self._full(path)))
        except FileNotFoundError:
            return False

    def version(self, path: str) -> tuple[int, str]:
        """Return the object's current size and stamp. Raises :class:`LabelingError`."""
        return self.look(path)[:2]

    def size(self, path: str) -> int | None:
        """Return the object's size; ``None`` if there is none. Raises :class:`LabelingError`."""
        return self._calls.call(path, UnreadableFile, self._size, path)

    def _size(self, path: str) -> int | None:
        try:
            return self._store.version(self._store.details(self._full(path)))[0]
        except FileNotFoundError:
            return None

    def look(self, path: str) -> Seen:
        """Return the object's current size and stamp, and all else that the store says. Raises LabelingError."""
        details = self._calls.call(path, UnreadableFile, self._store.details, self._full(path))
        return Seen(*self._store.version(details), details)

    @property
    def keeps_properties(self) -> bool:
        """Whether objects have properties of which we know."""
        return bool(self._store.known)

    def properties(self, path: str, details: Mapping[str, Any]) -> Properties | None:
        """Return the object's properties. Raises :class:`LabelingError`.

        Args:
            path: The object.
            details: What :meth:`look` has told of it.
        """
        return self._store.properties(self._full(path), details, partial(self._calls.call, path, UnreadableFile))

    @contextmanager
    def fetch(self, path: str, details: Mapping[str, Any] | None = None) -> Iterator[Path]:
        """Download the object to a temporary file, which is removed when the block ends.

        Args:
            path: The object.
            details: What :meth:`look` has told of it: it is expanded if it is stored compressed.
        """
        encoding = self._store.kept(details).get(ENCODING, "") if details else ""
        with local_copies.temporary_folder() as folder:
            local = folder / _local_name(path)
            self._calls.call(path, UnreadableFile, self._get_whole, self._full(path), local, encoding, details)
            if encoding:
                with error_context(path, replacing=str(local)):
                    expand(local, encoding)
            yield local

    def _get_whole(self, full: str, local: Path, encoding: str, details: Mapping[str, Any] | None) -> None:
        """Download an object; raise :class:`CutShort` if the store says that it has more. Not all libraries look."""
        local.touch()  # some leave nothing for an empty object
        self._store.get(full, local, bool(encoding))
        if not details or encoding:
            return
        version, arrived = self._store.version(details), local.stat().st_size
        if arrived < version[0] and self._store.version(self._store.details(full)) == version:  # else it has changed
            raise CutShort(f"{arrived} of {version[0]} bytes have arrived")

    @contextmanager
    def store(self, path: str, *, replaces_source: bool = False, carried: Carried | None = None) -> Iterator[Path]:
        """Return a temporary path to write to, and upload the file when the block ends without an error."""
        with local_copies.temporary_folder() as folder:
            local = folder / _local_name(path)
            yield local
            self.upload(local, path, keep=replaces_source, carried=carried)

    def upload(self, local: Path, path: str, *, keep: bool = False, carried: Carried | None = None) -> None:
        """Upload a file and read it back.

        Args:
            local: The file.
            path: The object.
            keep: Never remove the object, even if it does not read back the same.
            carried: The properties that it is to have. What it does not get is added to ``carried.lost``.

        Raises:
            WriteError: The object could not be written, or does not read back the same.
            WouldLose: It would lack properties, and ``carried.strict`` forbids that.
        """
        if self._store.has_folders and "/" in path:
            parent = self._full(path).rpartition("/")[0]
            self._calls.call(path, WriteError, lambda: self._store.fs.makedirs(parent, exist_ok=True))
        upload = Upload(self._store, local, self._full(path), carried)
        digest = sha256(local)
        written = self._store.has_folders  # such stores may keep a part of an upload that was interrupted
        try:
            for _ in range(MAX_UPLOADS):
                self._calls.call(path, WriteError, upload.put)
                written = True
                if self._calls.call(path, WriteError, upload.read_back) == digest:
                    upload.finish(partial(self._calls.call, path, WriteError))
                    return
        except LabelingError:
            if written and not keep:
                self.try_remove(path)
            raise
        left = keep or not self.try_remove(path)
        consequence = "it was left there" if left else "it was removed"
        kind = NotAsWritten if left else WriteError
        raise kind(
            f"what was written to {self.name} does not read back the same, {MAX_UPLOADS} times; {consequence}",
            path=path, hint="check the network and the store",
        )  # fmt: skip

    def remove(self, path: str) -> None:
        """Remove an object that a run has written. Raises :class:`LabelingError`."""
        self._calls.call(path, WriteError, self._store.fs.rm_file, self._full(path))

    def try_remove(self, path: str) -> bool:
        """Remove an object that is not as it should be; return whether that succeeded."""
        with contextlib.suppress(Exception):
            self._store.fs.rm_file(self._full(path))
            return True
        return False

    def download(self, path: str, local: Path) -> bool:
        """Download an object completely or not at all; return whether there is one. Raises :class:`LabelingError`."""
        with temp_beside(local, mode=0o666) as part:  # in a folder of our own; copies get its permissions
            if not self._calls.call(path, UnreadableFile, self._get, path, part):
                return False
            part.replace(local)
        return True

    def _get(self, path: str, local: Path) -> bool:
        try:
            self._store.get(self._full(path), local, False)
        except FileNotFoundError as error:
            if error_code(error) == "NoSuchBucket":
                raise
            return False
        return True


_ALIASES = {"s3a": "s3", "gcs": "gs", "az": "abfs", "abfss": "abfs", "ssh": "sftp"}


def _has_any(store: ObjectStore, path: str) -> bool:
    """Return whether there are objects below a path, in a store that may have an object of that name as well."""
    try:
        return next(store.walk(path, lambda call, *arguments: call(*arguments)), None) is not None
    except FileNotFoundError:
        return False


def _local_name(path: str) -> str:
    """Return a local name that keeps the extension: an object's own name may be longer than a file's may be."""
    extension = Path(path).suffix
    return f"file{extension}" if _EXTENSION.fullmatch(extension) else "file"
