"""What a run asks of an object store, in the way of fsspec. Kinds whose objects have properties know better ways."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labeling.batch.object_properties import Properties, Refusals
from labeling.batch.task import EmptySource
from labeling.losses import Loss

Ask = Callable[..., Any]
"""Calls a function of a store with its arguments, and once more after a temporary error; see ``RemoteStorage``."""

PART_SIZE, PARALLEL_PARTS = 16 << 20, 4
"""Bytes of the parts of large objects, and how many are in memory at a time."""

READ_SIZE = 4 << 20
"""Bytes that are read back at a time."""


class ObjectStore:
    """A file system of fsspec of which nothing else is known. Paths are complete: with bucket or container.

    Args:
        fs: The file system.
        name: What messages call it.

    Attributes:
        kind: The kind of store whose properties are known; empty for none.
        known: Names of the properties that its objects have.
        has_folders: Folders are made before objects are put into them.
        nothing: Why an empty listing is an error.
        decided: Names of those that the user's options decide.
        refusals: What it has refused.
    """

    kind = ""
    known: frozenset[str] = frozenset()
    has_folders = True
    nothing = "there is no such place"

    def __init__(self, fs: Any, name: str) -> None:
        self.name = name
        self.use(fs)
        self.decided: frozenset[str] = frozenset()
        self.refusals = Refusals()

    def use(self, fs: Any) -> None:
        """Use a file system of the same store, such as one with renewed credentials."""
        self.fs = fs

    def details(self, path: str) -> Mapping[str, Any]:
        """Return what the store says about an object, with one request if it can. Raises FileNotFoundError."""
        return dict(self.fs.info(path))

    def version(self, details: Mapping[str, Any]) -> tuple[int, str]:
        """Return size and stamp of an object from its details."""
        return int(details.get("size") or 0), stamp(details)

    def walk(self, base: str, ask: Ask) -> Iterator[tuple[str, int, str, float]]:
        """Yield name, size, stamp and time (:func:`changed`) of all objects below a place. Raises FileNotFoundError."""
        found = False
        for _, _, files in self.fs.walk(base, detail=True, on_error="raise"):
            for each in files.values():
                if each["name"].rstrip("/") == base:  # an object of this name is not below it
                    continue
                found = True
                yield each["name"], int(each.get("size") or 0), stamp(each), changed(each)
        if not found and "http" in str(self.fs.protocol):  # a server that answers is no folder
            hint = "name them with `file_list`"
            raise EmptySource("the server lists no files there", path=self.name, hint=hint)
        if not found and not self.fs.exists(base):
            raise FileNotFoundError(base)

    def is_object(self, path: str) -> bool:
        """Return whether there is an object of this name; there may be a folder as well."""
        try:
            found = self.details(path)
            return found.get("type", "file") == "file" and found.get("mimetype") != "text/html"  # a list, over HTTP
        except FileNotFoundError:
            return False

    def get(self, path: str, local: Path, encoded: bool) -> None:
        """Download an object.

        Args:
            path: The object.
            local: Where to.
            encoded: It has a Content-Encoding.
        """
        self.fs.get_file(path, str(local))

    def put(self, local: Path, path: str, values: Mapping[str, Any], media_type: str) -> None:
        """Upload an object.

        Args:
            local: The file.
            path: The object.
            values: Its properties.
            media_type: What it is, unless ``values`` say it; empty if that is not known.
        """
        self.fs.put_file(str(local), path)

    def read_back(self, path: str) -> tuple[str, Mapping[str, Any]]:
        """Return the SHA-256 of an object's bytes, and what of its details comes with them."""
        digest = hashlib.sha256()
        with self.fs.open(path, "rb", block_size=PART_SIZE) as file:
            while piece := file.read(READ_SIZE):
                digest.update(piece)
            return digest.hexdigest(), dict(getattr(file, "details", None) or {})

    def properties(self, path: str, details: Mapping[str, Any], ask: Ask) -> Properties | None:
        """Return the properties of an object; ``None`` if such stores have none.

        Args:
            path: The object.
            details: What :meth:`details` said.
            ask: For what these do not tell.
        """
        return None

    def adapted(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Loss]]:
        """Return properties in the form that such a store takes, and those for which it has none."""
        return dict(values), []

    def kept(self, details: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the properties that an object's details show, to be compared with what it was given."""
        return {}

    def must_put_again(self, values: Mapping[str, Any], details: Mapping[str, Any]) -> bool:
        """Return whether the object must be put again, in another way, to get what it was to have."""
        return False

    def suspects(self, error: Exception, values: Mapping[str, Any]) -> list[str]:
        """Return which of an object's properties may be the reason for an error of :meth:`put`, likeliest first."""
        return []

    def explain(self, error: Exception) -> str:
        """Return in a few words that do not differ between objects what an error means."""
        return f"{self.name} refuses it ({type(error).__name__})"

    def seal(self, path: str, values: Mapping[str, Any], ask: Ask) -> list[Loss]:
        """Give an object that was read back the locks it is to have; return those that it does not get."""
        return []


def stamp(info: Mapping[str, Any]) -> str:
    """Return what changes with an object: its ETag, or the time that the store gives."""
    for key in ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "updated", "created"):
        if info.get(key):
            value = info[key]
            if hasattr(value, "timestamp"):  # some stores give a number in the listing, and a date for one file
                value = value.timestamp()
            return f"{value:.6f}" if isinstance(value, float) else str(value).strip('"')
    return ""


def changed(info: Mapping[str, Any]) -> float:
    """Return when an object was stored, in seconds since 1970, by the latest of its times; 0 if it has none."""
    return max(_seconds(info.get(key)) for key in ("LastModified", "last_modified", "updated", "mtime", "created"))


def _seconds(value: object) -> float:
    if isinstance(value, str):
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp()
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
