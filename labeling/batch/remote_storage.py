"""Object stores and whatever else fsspec speaks to: ``s3://``, ``gs://``, ``abfs://``, ``sftp://``, ``memory://``.

A file is fetched to a local disk, worked on there, put back and read back: nothing is called written on the store's
word alone. Whatever a store's library raises becomes a :class:`LabelingError`; what may pass is tried again.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
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

from labeling.batch import local_copies
from labeling.batch.task import STATE, Item, Problem, Status, StoreDown
from labeling.errors import LabelingError, MissingDependency, UnreadableFile, WriteError
from labeling.files import sha256

Result = TypeVar("Result")

TRIES, LONGEST = 4, 30.0
"""So often a call is made before its error is final, and none is made again after so many seconds.

Together with ``_PATIENCE`` a store that is dead costs a file less than a minute.
"""

UPLOADS = 2
"""So often a file is uploaded that does not read back the same."""

PIECE = 4 << 20
PART, PARTS, AT_ONCE = 16 << 20, 10_000, 4
"""S3: large objects go in parts of so many bytes, at most so many, and of these so many are in memory at a time."""

PAUSE, SLOWEST = 2.0, 64 << 10
"""An upload is given up that takes so much longer than an answer may, and a second more for every so many bytes.

None of botocore's own timeouts runs while a store does not read what it is sent.
"""

LOOKERS = 16
"""So many objects of a file list are asked about at a time."""

PACKAGES = {"s3": "aigc-labeling[s3]", "s3a": "aigc-labeling[s3]", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs"}
_PATIENCE: dict[str, Any] = {
    "connect_timeout": 10,
    "read_timeout": 20,
    "retries": {"mode": "standard", "total_max_attempts": 2},
}
_REFUSALS = ("400", "301", "PermanentRedirect", "AuthorizationHeaderMalformed")
"""Answers to HEAD have no text, so this is all that S3 says of a name too long, a wrong region, an expired token."""

_USER = re.compile(r"(?<=://)[^/\s]*@")
_SECRET = re.compile(r"key|secret|token|pass|cred|conn|sas|sign|auth", re.IGNORECASE)


class Remote:
    """A URL of fsspec. Opened when it is first used, so that each process has connections of its own."""

    local = False

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self._url, self._options = url, options
        self.name = _USER.sub("", url)

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
        options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False} | self._options
        if s3 := protocol in ("s3", "s3a"):
            options = {"default_block_size": PART, "max_concurrency": AT_ONCE} | options
            options["config_kwargs"] = _PATIENCE | options.get("config_kwargs", {})
        if self.own_process:
            options.pop("skip_instance_cache")
        try:
            fs, path = fsspec.url_to_fs(self._url, **options)
        except (ImportError, ModuleNotFoundError) as error:
            package = PACKAGES.get(protocol, "the package that fsspec names")
            raise MissingDependency(f"{self.name}: pip install '{package}' ({error})") from error
        except Exception as error:
            raise LabelingError(f"{self.name}: cannot be opened ({self._said(error)})") from error
        if s3:
            fs.retries = 1  # botocore tries requests again, and we whole files; a third would multiply the waiting
        return fs, path.rstrip("/")

    def open(self) -> None:
        """Load what speaks to the store. Raises :class:`LabelingError`."""
        _ = self._opened

    @property
    def _fs(self) -> Any:
        return self._opened[0]

    @property
    def _s3(self) -> bool:
        return hasattr(self._fs, "call_s3")

    def _full(self, path: str) -> str:
        return f"{self._opened[1]}/{path}"

    def _object(self, path: str) -> dict[str, str]:
        bucket, key, _ = self._fs.split_path(self._full(path))
        return {"Bucket": bucket, "Key": key}

    def _call(self, path: str, kind: type[LabelingError], call: Callable[..., Result], *arguments: Any) -> Result:
        """Make a call of the store; try again what may pass. Raises ``kind``, or :class:`StoreDown`."""
        start = time.monotonic()
        for number in itertools.count(1):
            try:
                return call(*arguments)
            except Exception as error:
                if (final := self._final(path, kind, error)) is not None:
                    raise final from error
                spent = time.monotonic() - start
                if number == TRIES or spent > LONGEST:
                    message = f"{self.name} does not do its part ({self._said(error)}), tried for {spent:.0f} s"
                    raise StoreDown(f"{path}: {message}; run again later") from error
            time.sleep(0.25 * 2**number * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the tries
        raise AssertionError("unreachable")

    def _final(self, path: str, kind: type[LabelingError], error: Exception) -> LabelingError | None:
        """What to raise for an error that another try would not change."""
        code, number = _response(error)[0], getattr(error, "errno", None)
        if code == "NoSuchBucket":
            return kind(f"{path}: there is no such bucket ({self.name}); correct the name, or make the bucket first")
        if isinstance(error, FileNotFoundError):
            return UnreadableFile(f"{path}: there is no such object in {self.name}")
        if isinstance(error, PermissionError):
            said = self._said(error)
            return kind(f"{path}: {self.name} does not permit it ({said}); check credentials and permissions")
        if code in _REFUSALS:
            said = self._said(error)
            return kind(f"{path}: {self.name} refuses the request ({said}); check the name's length, region and token")
        if "Credential" in type(error).__name__:
            message = "no credentials were found"
            return kind(f"{path}: {self.name} cannot be asked, {message}; set them in the environment, or as options")
        if number in (errno.ENOSPC, errno.EDQUOT):
            return WriteError(f"{path}: the disk for temporary files is full ({tempfile.gettempdir()}); see TMPDIR")
        if (
            number == errno.ENAMETOOLONG
            or code == "InvalidBucketName"
            or type(error).__name__ == "ParamValidationError"
        ):
            return kind(f"{path}: {self.name} does not take such a name ({self._said(error)}); choose another")
        return None

    def _said(self, error: BaseException) -> str:
        """An error in a line, without what must not be told."""
        code, status, message = _response(error)
        if type(error).__name__ == "FSTimeoutError":
            text = "it does not take what is sent, or not fast enough"
        elif status:
            text = " ".join(dict.fromkeys(filter(None, (status, code, message))))
        else:
            text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        for secret in _secrets(self._options):
            text = text.replace(secret, "...")
        if user := _USER.search(self._url):
            text = text.replace(user[0], "")
        return " ".join(_USER.sub("", text).split())[:200]

    def walk(self) -> Iterator[Item]:
        base = self._opened[1]
        try:
            found = self._pages() if self._s3 else self._tree()
            for name, size, stamp in found:
                path = name.removeprefix(f"{base}/")
                if STATE not in path.split("/")[:-1]:
                    yield Item(path, size, stamp, problem=self._unfit(path))
        except LabelingError:
            raise
        except FileNotFoundError:
            raise UnreadableFile(f"{self.name}: there is no such place; correct the URL") from None
        except Exception as error:
            raise UnreadableFile(f"{self.name}: cannot be listed ({self._said(error)})") from error

    def _unfit(self, path: str) -> Problem | None:
        """Why an object is not worked on: it may have a name that a file below our folders must not."""
        parts = path.split("/")
        if ".." in parts or "." in parts or not parts[0]:
            return Problem(
                Status.REFUSED, "Name", "the name leads out of the source, or has a '.' for a part; rename it"
            )
        if not parts[-1]:
            return Problem(
                Status.SKIPPED, "Name", "the name ends as a folder's, with '/'; rename it to have it labelled"
            )
        if self._s3 and "?versionId=" in path:  # s3fs would cut the name there, and give us another object
            return Problem(Status.REFUSED, "Name", "'?versionId=' in the name would be taken for a version; rename it")
        return None

    def _pages(self) -> Iterator[tuple[str, int, str]]:
        """The objects of a bucket, a thousand at a time: fsspec's own listing would hold all of them."""
        bucket, _, prefix = self._opened[1].partition("/")
        more: dict[str, str] = {"Prefix": f"{prefix}/"} if prefix else {}
        found = not prefix  # an empty bucket is one, but what would an empty prefix be?
        while True:
            ask = partial(self._fs.call_s3, "list_objects_v2", Bucket=bucket, **more)
            page = self._call("the listing", UnreadableFile, ask)
            for each in page.get("Contents", ()):
                found = True
                if each["Size"] or not each["Key"].endswith("/"):  # consoles make such objects to show a folder
                    yield f"{bucket}/{each['Key']}", int(each["Size"]), str(each["ETag"]).strip('"')
            if not page.get("IsTruncated"):
                break
            more = more | {"ContinuationToken": page["NextContinuationToken"]}
        if not found:
            raise UnreadableFile(f"{self.name}: there are no objects whose names begin so; correct the URL")

    def _tree(self) -> Iterator[tuple[str, int, str]]:
        found = False
        for _, _, files in self._fs.walk(self._opened[1], detail=True, on_error="raise"):
            for each in files.values():
                found = True
                yield each["name"], int(each["size"] or 0), _stamp(each)
        if not found and not self._fs.exists(self._opened[1]):
            raise FileNotFoundError(self._opened[1])

    def look(self, paths: list[str]) -> list[Item]:
        with ThreadPoolExecutor(LOOKERS) as pool:
            return list(pool.map(self._looked, paths))

    def _looked(self, path: str) -> Item:
        if problem := self._unfit(path):
            return Item(path, problem=problem)
        try:
            return Item(path, *self.stamp(path))
        except LabelingError as error:
            problem = Problem(Status.FAILED, "UnreadableFile", str(error).removeprefix(f"{path}: "))
            return Item(path, problem=problem)

    def _info(self, path: str) -> dict[str, Any]:
        """What the store says of an object; of S3 with one request, where fsspec would look for a folder as well."""
        if not self._s3:
            return dict(self._fs.info(self._full(path)))
        found = self._fs.call_s3("head_object", **self._object(path))
        return {"size": found["ContentLength"], "ETag": found.get("ETag", "")}

    def exists(self, path: str) -> bool:
        return self._call(path, UnreadableFile, self._there, path)

    def _there(self, path: str) -> bool:
        try:
            return bool(self._info(path))
        except FileNotFoundError:
            return False

    def stamp(self, path: str) -> tuple[int, str]:
        found = self._call(path, UnreadableFile, self._info, path)
        return int(found["size"] or 0), _stamp(found)

    @contextmanager
    def lend(self, path: str) -> Iterator[Path]:
        with local_copies.folder() as folder:
            local = folder / _short(path)
            self._call(path, UnreadableFile, self._fs.get_file, self._full(path), str(local))
            yield local

    @contextmanager
    def target(self, path: str, *, replaces: bool = False) -> Iterator[Path]:
        with local_copies.folder() as folder:
            local = folder / _short(path)
            yield local
            self.put(local, path, keep=replaces)

    def put(self, local: Path, path: str, *, keep: bool = False) -> None:
        """Upload a file and read it back. Raises :class:`WriteError`; what is there then is removed, or kept."""
        if not self._s3 and "/" in path:  # S3 has no folders, and s3fs would make the bucket
            parent = self._full(path).rpartition("/")[0]
            self._call(path, WriteError, lambda: self._fs.makedirs(parent, exist_ok=True))
        digest = sha256(local)
        written = not self._s3  # elsewhere an upload that breaks off may leave a part
        try:
            for _ in range(UPLOADS):
                self._call(path, WriteError, self._upload, local, path)
                written = True
                if self._call(path, WriteError, self._read_back, path) == digest:
                    return
        except LabelingError:
            if written and not keep:
                self._withdraw(path)
            raise
        rest = "it was left there" if keep or not self._withdraw(path) else "it was removed"
        message = f"what was written to {self.name} does not read back the same, {UPLOADS} times; {rest}"
        raise WriteError(f"{path}: {message}; check the network and the store")

    def _upload(self, local: Path, path: str) -> None:
        more: dict[str, Any] = {}
        if self._s3:
            size = local.stat().st_size
            wait = PAUSE + float(self._fs.config_kwargs["read_timeout"])
            more = {"chunksize": max(PART, -(-size // PARTS)), "timeout": wait + size / SLOWEST}
        self._fs.put_file(str(local), self._full(path), **more)

    def _read_back(self, path: str) -> str:
        digest = hashlib.sha256()
        with self._fs.open(self._full(path), "rb", block_size=PART) as file:
            while piece := file.read(PIECE):
                digest.update(piece)
        return digest.hexdigest()

    def _withdraw(self, path: str) -> bool:
        """Remove what is not as it should be, if that can be done."""
        with contextlib.suppress(Exception):
            self._fs.rm_file(self._full(path))
            return True
        return False

    def get(self, path: str, local: Path) -> bool:
        """Download a file, whole or not at all, if it is there. Raises :class:`LabelingError`."""
        part = local.with_name(f"{local.name}.part")
        try:
            if not self._call(path, UnreadableFile, self._got, path, part):
                return False
            part.replace(local)
        finally:
            part.unlink(missing_ok=True)
        return True

    def _got(self, path: str, local: Path) -> bool:
        try:
            self._fs.get_file(self._full(path), str(local))
        except FileNotFoundError as error:
            if _response(error)[0] == "NoSuchBucket":
                raise
            return False
        return True


def _short(path: str) -> str:
    """A local name that keeps the extension: an object's own may be longer than a file's may be."""
    extension = Path(path).suffix
    return f"file{extension}" if _EXTENSION.fullmatch(extension) else "file"


_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,12}")


def _stamp(info: dict[str, Any]) -> str:
    """What changes with an object: its ETag, or the time that the store gives."""
    for key in ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "updated", "created"):
        if info.get(key):
            value = info[key]
            if hasattr(value, "timestamp"):  # some stores give a number in the listing, and a date for one file
                value = value.timestamp()
            return f"{value:.6f}" if isinstance(value, float) else str(value).strip('"')
    return ""


def _response(error: BaseException) -> tuple[str, str, str]:
    """What S3 answered, if it did: its code, the HTTP status, its message."""
    found = getattr(error, "response", None) or getattr(error.__cause__, "response", None)
    if not isinstance(found, dict):
        return "", "", ""
    said, meta = found.get("Error") or {}, found.get("ResponseMetadata") or {}
    return str(said.get("Code", "")), str(meta.get("HTTPStatusCode", "")), str(said.get("Message", ""))


def _secrets(options: dict[str, Any]) -> Iterator[str]:
    """The values among fsspec's options that are nobody's business."""
    for name, value in options.items():
        if isinstance(value, dict):
            yield from _secrets(value)
        elif isinstance(value, str) and len(value) > 3 and _SECRET.search(name):
            yield value
