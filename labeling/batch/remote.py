"""Object stores and whatever else fsspec speaks to: ``s3://``, ``gs://``, ``abfs://``, ``sftp://``, ``memory://``.

A file is fetched to a local disk, worked on there, put back and read back: nothing is called written on the store's
word alone. Whatever a store's library raises becomes a :class:`LabelingError`; what may pass is tried again.
"""

from __future__ import annotations

import hashlib
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

from labeling.batch.task import STATE, Item, Problem, Status
from labeling.errors import LabelingError, MissingDependency, UnreadableFile, WriteError

Result = TypeVar("Result")

TRIES = 4
"""So often a call is made before its error is final, on top of what the store's own library tries again."""

PIECE = 4 << 20
LOOKERS = 16
"""So many objects of a file list are asked about at a time."""

PACKAGES = {"s3": "aigc-labeling[s3]", "s3a": "aigc-labeling[s3]", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs"}
_PATIENCE = {"connect_timeout": 10, "read_timeout": 30, "retries": {"mode": "standard", "max_attempts": 2}}


class Remote:
    """A URL of fsspec. Opened when it is first used, so that each process has connections of its own."""

    local = False

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self._url, self._options = url, options
        self.name = re.sub(r"(?<=://)[^/@]*@", "", url)

    def __reduce__(self) -> Any:
        return Remote, (self._url, self._options)

    @property
    def own_process(self) -> bool:
        """Whether other processes would see another store: that of this process's memory."""
        return self._url.startswith("memory://")

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        import fsspec

        protocol = self._url.partition("://")[0].rpartition("::")[2]
        options = {"skip_instance_cache": True, "use_listings_cache": False} | self._options
        if protocol in ("s3", "s3a"):
            options.setdefault("config_kwargs", dict(_PATIENCE))
        if self.own_process:
            options.pop("skip_instance_cache")
        try:
            fs, path = fsspec.url_to_fs(self._url, **options)
        except (ImportError, ModuleNotFoundError) as error:
            package = PACKAGES.get(protocol, "the package that fsspec names")
            raise MissingDependency(f"{self.name}: pip install '{package}' ({error})") from error
        except Exception as error:
            raise LabelingError(f"{self.name}: cannot be opened ({_said(error)})") from error
        return fs, path.rstrip("/")

    @property
    def _fs(self) -> Any:
        return self._opened[0]

    def _full(self, path: str) -> str:
        return f"{self._opened[1]}/{path}"

    def _call(self, path: str, kind: type[LabelingError], call: Callable[..., Result], *arguments: Any) -> Result:
        """Make a call of the store; try again what may pass. Raises ``kind``."""
        for number in range(1, TRIES + 1):
            try:
                return call(*arguments)
            except FileNotFoundError:
                raise UnreadableFile(f"{path}: there is no such object in {self.name}") from None
            except PermissionError as error:
                raise kind(f"{path}: {self.name} does not permit it ({_said(error)}); check the credentials") from error
            except Exception as error:
                if number == TRIES:
                    raise kind(f"{path}: {self.name} failed {TRIES} times ({_said(error)}); run again later") from error
                time.sleep(0.25 * 2**number * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the tries
        raise AssertionError("unreachable")

    def walk(self) -> Iterator[Item]:
        base = self._opened[1]
        try:
            found = self._pages() if hasattr(self._fs, "call_s3") else self._tree()
            for name, size, stamp in found:
                path = name.removeprefix(f"{base}/")
                if STATE in path.split("/")[:-1] or not path:
                    continue
                if ".." in path.split("/"):  # an object may be named so; a file below our folders must not
                    yield Item(path, size, stamp, problem=Problem(Status.REFUSED, "Name", "the name leads out of it"))
                else:
                    yield Item(path, size, stamp)
        except LabelingError:
            raise
        except Exception as error:
            raise UnreadableFile(f"{self.name}: cannot be listed ({_said(error)})") from error

    def _pages(self) -> Iterator[tuple[str, int, str]]:
        """The objects of a bucket, a thousand at a time: fsspec's own listing would hold all of them."""
        bucket, _, prefix = self._opened[1].partition("/")
        more: dict[str, str] = {"Prefix": f"{prefix}/"} if prefix else {}
        while True:
            ask = partial(self._fs.call_s3, "list_objects_v2", Bucket=bucket, **more)
            page = self._call("the listing", UnreadableFile, ask)
            for each in page.get("Contents", ()):
                if not each["Key"].endswith("/"):
                    yield f"{bucket}/{each['Key']}", int(each["Size"]), str(each["ETag"]).strip('"')
            if not page.get("IsTruncated"):
                return
            more = more | {"ContinuationToken": page["NextContinuationToken"]}

    def _tree(self) -> Iterator[tuple[str, int, str]]:
        found = False
        for _, _, files in self._fs.walk(self._opened[1], detail=True, on_error="raise"):
            for each in files.values():
                found = True
                yield each["name"], int(each["size"] or 0), _stamp(each)
        if not found and not self._fs.exists(self._opened[1]):
            raise UnreadableFile(f"{self.name}: there is no such place")

    def look(self, paths: list[str]) -> list[Item]:
        with ThreadPoolExecutor(LOOKERS) as pool:
            return list(pool.map(self._looked, paths))

    def _looked(self, path: str) -> Item:
        try:
            return Item(path, *self.stamp(path))
        except LabelingError as error:
            problem = Problem(Status.FAILED, "UnreadableFile", str(error).removeprefix(f"{path}: "))
            return Item(path, problem=problem)

    def exists(self, path: str) -> bool:
        return bool(self._call(path, UnreadableFile, self._fs.exists, self._full(path)))

    def stamp(self, path: str) -> tuple[int, str]:
        found = self._call(path, UnreadableFile, self._fs.info, self._full(path))
        return int(found["size"] or 0), _stamp(found)

    @contextmanager
    def lend(self, path: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="aigc-label-") as folder:
            local = Path(folder) / _short(path)
            self._call(path, UnreadableFile, self._fs.get_file, self._full(path), str(local))
            yield local

    @contextmanager
    def target(self, path: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="aigc-label-") as folder:
            local = Path(folder) / _short(path)
            yield local
            self.put(local, path)

    def put(self, local: Path, path: str) -> None:
        """Upload a file and read it back. Raises :class:`WriteError`."""
        full = self._full(path)
        if not hasattr(self._fs, "bucket_type") and "/" in path:  # of buckets, s3fs would ask whether they exist
            self._call(path, WriteError, lambda: self._fs.makedirs(full.rpartition("/")[0], exist_ok=True))
        self._call(path, WriteError, self._fs.put_file, str(local), full)
        if self._call(path, WriteError, self._digest, full) != _digest(local):
            self._call(path, WriteError, self._fs.rm_file, full)
            raise WriteError(f"{path}: what was written to {self.name} does not read back the same; it was removed")

    def _digest(self, full: str) -> str:
        digest = hashlib.sha256()
        with self._fs.open(full, "rb", block_size=PIECE) as file:
            while piece := file.read(PIECE):
                digest.update(piece)
        return digest.hexdigest()

    def get(self, path: str, local: Path) -> bool:
        """Download a file if it is there. Raises :class:`LabelingError`."""
        if not self.exists(path):
            return False
        self._call(path, UnreadableFile, self._fs.get_file, self._full(path), str(local))
        return True

    def remove(self, path: str) -> None:
        self._call(path, WriteError, self._fs.rm_file, self._full(path))


def _digest(local: Path) -> str:
    with local.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _short(path: str) -> str:
    """A local name that keeps the extension: an object's own may be longer than a file's may be."""
    extension = Path(path).suffix
    return f"file{extension}" if _EXTENSION.fullmatch(extension) else "file"


_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,12}")


def _stamp(info: dict[str, Any]) -> str:
    """What changes with an object: its ETag, or the time that the store gives."""
    for key in ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "updated", "created"):
        if info.get(key):
            return str(info[key]).strip('"')
    return ""


def _said(error: BaseException) -> str:
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
