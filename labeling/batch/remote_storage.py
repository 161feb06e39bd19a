"""Object stores and whatever else fsspec opens: ``s3://``, ``gs://``, ``abfs://``, ``sftp://``, ``memory://``.

A file is fetched to a local disk, processed there, uploaded and read back: the store's word alone does not count as
written. Whatever a store's library raises becomes a :class:`LabelingError`; temporary errors are tried again.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

from labeling.atomic_writes import temp_beside
from labeling.batch import local_copies
from labeling.batch.object_encoding import expand
from labeling.batch.object_properties import ENCODING, Carried, Properties
from labeling.batch.object_store import PARALLEL_PARTS, PART_SIZE, ObjectStore, changed
from labeling.batch.object_stores import Upload, store_of
from labeling.batch.store_access import refused_access
from labeling.batch.store_errors import StoreErrors, error_code
from labeling.batch.store_packages import install_hint
from labeling.batch.task import (
    STATE_FOLDER,
    EmptySource,
    Item,
    NotAsWritten,
    Problem,
    Seen,
    Status,
    StoreDown,
    StoreFault,
)
from labeling.errors import LabelingError, MissingDependency, UnreadableFile, WriteError, error_context
from labeling.files import sha256
from labeling.inert import without_secrets

Result = TypeVar("Result")

MAX_TRIES, MAX_TRY_TIME = 4, 30.0
"""How often a call is tried before its error is final, and the seconds after which it is not tried again.

Together with ``_TIMEOUTS``, a dead store costs a file less than a minute.
"""

MAX_UPLOADS = 2
"""How often a file is uploaded if it does not read back the same."""

RENEWAL_INTERVAL = 2.0
"""Seconds until credentials are read again that a store did not accept when they were read the last time."""

_GIVEN = frozenset({"key", "secret", "account_key", "sas_token", "connection_string"})
"""Options with which credentials are given. There is no file to read them from again."""

PARALLEL_STATS = 16
"""Objects of a file list that are asked about at a time."""

_TIMEOUTS: dict[str, Any] = {
    "connect_timeout": 10,
    "read_timeout": 20,
    "retries": {"mode": "standard", "total_max_attempts": 2},
}
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
        self._errors = StoreErrors(url, options)
        self._renewing = threading.Lock()
        self._renew_after: dict[str, float] = {}

    def __reduce__(self) -> tuple[type[RemoteStorage], tuple[str, dict[str, Any], str]]:
        return RemoteStorage, (self._url, self._options, self.only)

    @property
    def in_this_process(self) -> bool:
        """Whether only this process can see the content, because it is kept in memory."""
        return self._url.startswith("memory://")

    @property
    def _protocol(self) -> str:
        return self._url.partition("://")[0].rpartition("::")[2]

    @cached_property
    def _opened(self) -> tuple[ObjectStore, str]:
        fs, path = self._file_system()
        return store_of(fs, self.name), path

    def _file_system(self) -> tuple[Any, str]:
        """Return a file system of fsspec, with credentials as they are now, and the path in it."""
        import fsspec

        protocol = self._protocol
        options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False} | self._options
        if protocol in ("s3", "s3a"):
            options = {"default_block_size": PART_SIZE, "max_concurrency": PARALLEL_PARTS} | options
            options["config_kwargs"] = _TIMEOUTS | options.get("config_kwargs", {})
        if self.in_this_process:
            options.pop("skip_instance_cache")
        try:
            fs, path = fsspec.url_to_fs(self._url, **options)
        except (ImportError, ModuleNotFoundError) as error:
            message = f"{install_hint(protocol)} ({self._errors.describe(error)})"
            raise MissingDependency(message, path=self.name) from None
        except Exception as error:  # noqa: BLE001 - it is raised as ours
            failed = StoreFault(f"cannot be opened ({self._errors.describe(error)})", path=self.name)
            raise self._errors.of_store(failed, UnreadableFile) from self._errors.cause(error)
        return fs, path.rstrip("/")

    def open(self) -> None:
        """Load the store's library and open the store. Raises :class:`LabelingError`."""
        _ = self._opened

    @property
    def place(self) -> tuple[str, str]:
        """What tells two storages apart: the system with its host, and the path in it."""
        protocol = _ALIASES.get(self._protocol, self._protocol)
        host = self.name.partition("://")[2].partition("/")[0].rpartition("@")[2]
        path = self._opened[1].lstrip("/")
        return (f"{protocol}://" if f"{path}/".startswith(f"{host}/") else f"{protocol}://{host}"), path

    def single(self) -> RemoteStorage | None:
        """Return the storage of the one object that the URL names, or ``None`` if it names a folder, or nothing.

        One request tells; if it fails, the listing says why.
        """
        store, path = self._opened
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
        return self._opened[0]

    def _full(self, path: str) -> str:
        return f"{self._opened[1]}/{path}"

    def _call(self, path: str, kind: type[LabelingError], call: Callable[..., Result], *arguments: Any) -> Result:
        """Call the store; try again after a temporary error.

        Args:
            path: The object, for messages.
            kind: The kind of error to raise if the call fails for good.
            call: A function of fsspec.
            arguments: Its arguments.

        Raises:
            StoreDown: The store did not respond, or reported that it was unavailable, in several attempts.
        """
        start, renewed = time.monotonic(), False
        for number in itertools.count(1):
            fs = self._store.fs
            try:
                result = call(*arguments)
            except LabelingError:
                raise
            except Exception as error:  # noqa: BLE001 - it is raised as ours
                if not renewed and self._renew(fs, error):
                    renewed = True
                    continue
                if (permanent := self._errors.permanent(path, kind, error)) is not None:
                    raise permanent from self._errors.cause(error)
                elapsed = time.monotonic() - start
                if number == MAX_TRIES or elapsed > MAX_TRY_TIME:
                    down = StoreDown(
                        f"{self.name} does not respond as it should ({self._errors.describe(error)}), tried for "
                        f"{elapsed:.0f} s",
                        path=path, hint="run again later",
                    )  # fmt: skip
                    raise self._errors.of_store(down, kind) from self._errors.cause(error)
            else:
                if renewed:
                    self._renew_after.clear()  # it has helped, and may at any time again
                return result
            time.sleep(0.25 * 2**number * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the attempts
        raise AssertionError("unreachable")

    def _renew(self, used: Any, error: Exception) -> bool:
        """Open the store again, with the credentials that a file or the machine's role has now.

        botocore and others renew those that they have fetched themselves, but read a file once.

        Args:
            used: The file system that was used when the store refused.
            error: What it answered.

        Returns:
            Whether it is worth another attempt: not if it was in vain a moment ago, or is about something else.
        """
        if refused_access(error) not in ("credentials", "unclear") or _GIVEN & self._options.keys():
            return False
        with self._renewing:
            if self._store.fs is not used:
                return True  # another thread has done it
            code = error_code(error)
            if time.monotonic() < self._renew_after.get(code, 0.0):
                return False
            self._renew_after[code] = time.monotonic() + RENEWAL_INTERVAL
            try:
                self._store.use(self._file_system()[0])
            except LabelingError:
                return False  # what the store has answered says more
            return True

    def walk(self, excluded: tuple[Path, ...] = ()) -> Iterator[Item]:
        """Yield every object in listing order; those that cannot be processed carry a ``problem``."""
        base = self._opened[1]
        if self.only:
            yield self._stat(self.only)[0]
            return
        try:
            ask = partial(self._call, "the listing", UnreadableFile)
            for name, size, stamp, moment in self._store.walk(base, ask):
                path = name.removeprefix(f"{base}/")
                if STATE_FOLDER not in path.split("/")[:-1]:
                    yield Item(path, size, stamp, problem=self._name_problem(path), changed=moment)
        except LabelingError:
            raise
        except FileNotFoundError:
            raise EmptySource(self._store.nothing, path=self.name, hint=_IF_EMPTY) from None
        except Exception as error:  # noqa: BLE001 - it is raised as ours
            problem = f"cannot be listed ({self._errors.describe(error)})"
            raise UnreadableFile(problem, path=self.name) from self._errors.cause(error)

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
        return self._call(path, UnreadableFile, self._exists, path)

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
        return self._call(path, UnreadableFile, self._size, path)

    def _size(self, path: str) -> int | None:
        try:
            return self._store.version(self._store.details(self._full(path)))[0]
        except FileNotFoundError:
            return None

    def look(self, path: str) -> Seen:
        """Return the object's current size and stamp, and all else that the store says. Raises LabelingError."""
        details = self._call(path, UnreadableFile, self._store.details, self._full(path))
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
        return self._store.properties(self._full(path), details, partial(self._call, path, UnreadableFile))

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
            self._call(path, UnreadableFile, self._get_whole, self._full(path), local, encoding, details)
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
            self._call(path, WriteError, lambda: self._store.fs.makedirs(parent, exist_ok=True))
        upload = Upload(self._store, local, self._full(path), carried)
        digest = sha256(local)
        written = self._store.has_folders  # such stores may keep a part of an upload that was interrupted
        try:
            for _ in range(MAX_UPLOADS):
                self._call(path, WriteError, upload.put)
                written = True
                if self._call(path, WriteError, upload.read_back) == digest:
                    upload.finish(partial(self._call, path, WriteError))
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
        self._call(path, WriteError, self._store.fs.rm_file, self._full(path))

    def try_remove(self, path: str) -> bool:
        """Remove an object that is not as it should be; return whether that succeeded."""
        with contextlib.suppress(Exception):
            self._store.fs.rm_file(self._full(path))
            return True
        return False

    def download(self, path: str, local: Path) -> bool:
        """Download an object completely or not at all; return whether there is one. Raises :class:`LabelingError`."""
        with temp_beside(local, mode=0o666) as part:  # in a folder of our own; copies get its permissions
            if not self._call(path, UnreadableFile, self._get, path, part):
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
