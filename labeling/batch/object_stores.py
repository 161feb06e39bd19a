"""Which kind of store a file system of fsspec is, and how an object is put there with its properties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labeling.batch.object_properties import Carried, fitted, forbid_losses, media_type_of, missing, put_as_accepted
from labeling.batch.object_store import Ask, ObjectStore
from labeling.batch.store_errors import error_code
from labeling.losses import Loss


def store_of(fs: Any, name: str) -> ObjectStore:
    """Return a file system of fsspec as the kind of store that it is.

    Args:
        fs: The file system.
        name: What messages call it.
    """
    if hasattr(fs, "call_s3"):
        from labeling.batch.object_store_s3 import S3Store

        return S3Store(fs, name)
    protocols = {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)
    if "gs" in protocols:
        from labeling.batch.object_store_gs import GoogleStore

        return GoogleStore(fs, name)
    if "abfs" in protocols and hasattr(fs, "service_client"):
        from labeling.batch.object_store_azure import AzureStore

        return AzureStore(fs, name)
    return ObjectStore(fs, name)


class NotThereYet(Exception):
    """A store does not show an object yet that was just put there."""


class Upload:
    """The upload of one file.

    Args:
        store: Where it goes.
        local: The file.
        path: The object, complete.
        carried: The properties that it is to have, if they are known.

    Raises:
        WouldLose: It would lack some of them, and ``carried.strict`` forbids that.
    """

    def __init__(self, store: ObjectStore, local: Path, path: str, carried: Carried | None) -> None:
        self._store, self._local, self._path, self._carried = store, local, path, carried
        self._media_type = media_type_of(local, path)
        self._values: Mapping[str, Any] = {}
        self._unfit: list[Loss] = []
        self._refused: list[Loss] = []
        self._found: Mapping[str, Any] = {}
        if carried is not None:
            values, unfit = fitted(carried, store.kind, store.known, store.decided, store.name)
            self._values, unfitted = store.adapted(values)
            self._unfit = [*unfit, *unfitted]
            forbid_losses(carried, self._unfit)

    def put(self) -> None:
        """Put the object, without what the store refuses."""
        self._refused = put_as_accepted(
            lambda values: self._store.put(self._local, self._path, values, self._media_type),
            self._values, self._store.suspects, self._store.explain, self._store.refusals, self._forbid,
        )  # fmt: skip

    def read_back(self) -> str:
        """Return the SHA-256 of what was stored."""
        digest, details = self._read_back()
        if self._store.must_put_again(self._values, details):
            self.put()
            digest, details = self._read_back()
        self._found = self._store.kept(details) if details else {}
        return digest

    def _read_back(self) -> tuple[str, Mapping[str, Any]]:
        try:
            return self._store.read_back(self._path)
        except FileNotFoundError as error:
            if error_code(error) == "NoSuchBucket":
                raise
            raise NotThereYet("what was just written is not there") from error  # may pass, where copies take time

    def finish(self, ask: Ask) -> None:
        """Lock the object if it is to be locked, and note what it lacks. It was read back."""
        if self._carried is None:
            return
        refused = {loss.what for loss in self._refused}
        wanted = {name: value for name, value in self._values.items() if name not in refused and value}
        self._carried.lost += [
            *self._unfit,
            *self._refused,
            *missing(wanted, self._found, self._store.name),
            *self._store.seal(self._path, wanted, ask),
        ]

    def _forbid(self, lost: Sequence[Loss]) -> None:
        if self._carried is not None:
            forbid_losses(self._carried, lost)
