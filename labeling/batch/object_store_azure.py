"""Azure Blob Storage, through the client of adlfs. Names are those of azure-storage-blob's BlobClient."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labeling.batch.object_properties import (
    ENCRYPTION,
    HEADERS,
    METADATA,
    STORAGE_CLASS,
    TAGS,
    WHERE,
    Properties,
)
from labeling.batch.object_store import Ask, ObjectStore
from labeling.losses import Loss

LEGAL_HOLD, IMMUTABILITY = "legal hold", "immutability policy"

_SETTINGS = dict(
    zip(
        HEADERS,
        ("content_type", "cache_control", "content_disposition", "content_language", "content_encoding"),
        strict=True,
    )
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""Names of metadata, which must be identifiers of C#."""

_OPTIONAL = (TAGS, ENCRYPTION, STORAGE_CLASS, METADATA)
_CULPRITS = {
    "InvalidMetadata": (METADATA,), "MetadataTooLarge": (METADATA,), "EmptyMetadataKey": (METADATA,),
    "TagsTooLarge": (TAGS,), "InvalidTags": (TAGS,), "DuplicateTagNames": (TAGS,), "InvalidBlobTier": (STORAGE_CLASS,),
    "AccessTierNotSupportedForBlobType": (STORAGE_CLASS,),
}  # fmt: skip


class Denied(PermissionError):
    """Azure does not permit it. ``error_code`` is its own, as a text."""

    def __init__(self, code: str) -> None:
        super().__init__(errno.EACCES, code or "not permitted")
        self.error_code = code


class AzureStore(ObjectStore):
    """Azure Blob Storage."""

    kind = "azure"
    known = frozenset({*_SETTINGS, METADATA, TAGS, STORAGE_CLASS, ENCRYPTION, LEGAL_HOLD, IMMUTABILITY})
    has_folders = False

    def __init__(self, fs: Any, name: str) -> None:
        super().__init__(fs, name)
        self._tags_denied = ""

    def _call(self, path: str, method: str, *arguments: Any, **more: Any) -> Any:
        """Call a method of the blob's client. Errors come as Python's own, where there is one."""
        from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
        from fsspec.asyn import sync

        container, key, _ = self.fs.split_path(path)

        async def call() -> Any:
            async with self.fs.service_client.get_blob_client(container, key) as client:
                return await getattr(client, method)(*arguments, **more)

        try:
            return sync(self.fs.loop, call)
        except ResourceNotFoundError as error:
            raise FileNotFoundError(errno.ENOENT, "No such blob", path) from error
        except (ClientAuthenticationError, HttpResponseError) as error:
            if error.status_code in (401, 403):
                raise Denied(_code(error)) from error
            raise

    def details(self, path: str) -> Mapping[str, Any]:
        """Return the blob's properties; fsspec's own ``info`` leaves out some, and also looks for a folder."""
        found: Mapping[str, Any] = self._call(path, "get_blob_properties")
        if str((found["metadata"] or {}).get("hdi_isfolder")).lower() == "true":
            raise FileNotFoundError(errno.ENOENT, "A folder", path)
        return found

    def version(self, details: Mapping[str, Any]) -> tuple[int, str]:
        """Return size and ETag."""
        return int(details["size"]), str(details["etag"]).strip('"')

    def put(self, local: Path, path: str, values: Mapping[str, Any], media_type: str) -> None:
        """Upload a blob with its properties, but for its locks."""
        from azure.storage.blob import ContentSettings, StandardBlobTier

        settings = {_SETTINGS[name]: value for name, value in values.items() if name in _SETTINGS and value}
        more: dict[str, Any] = {}
        if values.get(TAGS):
            more["tags"] = dict(values[TAGS])
        if values.get(STORAGE_CLASS):
            more["standard_blob_tier"] = StandardBlobTier(values[STORAGE_CLASS])
        if values.get(ENCRYPTION):
            more["encryption_scope"] = values[ENCRYPTION]
        settings = {"content_type": media_type or "application/octet-stream"} | settings
        with local.open("rb") as file:
            self._call(
                path, "upload_blob", file, overwrite=True, content_settings=ContentSettings(**settings),
                metadata=dict(values.get(METADATA, {})), max_concurrency=self.fs.max_concurrency, **more,
            )  # fmt: skip

    def adapted(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Loss]]:
        """Return the values without metadata that a blob cannot have, and these."""
        found, lost = dict(values), []
        kept = {}
        for key, value in found.get(METADATA, {}).items():
            if not _NAME.fullmatch(key):
                lost.append(Loss(METADATA, key, "Azure allows only letters, digits and _ in their names"))
            elif not value.isascii():
                lost.append(Loss(METADATA, key, "Azure allows only ASCII in them"))
            else:
                kept[key] = value
        if METADATA in found:
            found[METADATA] = kept
        return found, lost

    def properties(self, path: str, details: Mapping[str, Any], ask: Ask) -> Properties:
        """Return a blob's properties. Tags cost a request, of blobs that have any."""
        values = {name: value for name, value in self.kept(details).items() if value}
        unread = []
        if values.get(STORAGE_CLASS) == "Archive":
            why = "what is archived cannot be read back; the copy gets the tier of its account"
            unread.append(Loss(f"storage class {values.pop(STORAGE_CLASS)}", WHERE, why))
        if (kind := str(getattr(details["blob_type"], "value", details["blob_type"]))) != "BlockBlob":
            unread.append(Loss(f"blob type {kind}", WHERE, "the copy is a block blob"))
        if details["encryption_key_sha256"]:
            unread.append(Loss("customer-provided key", WHERE, "the copy is encrypted with the account's key"))
        if details["has_legal_hold"]:
            values[LEGAL_HOLD] = True
        policy = details["immutability_policy"] or {}
        until = policy.get("expiry_time")
        if isinstance(until, datetime) and until > datetime.now(UTC):
            values[IMMUTABILITY] = {"expiry_time": until, "policy_mode": policy["policy_mode"]}
        if details["tag_count"] and (tags := ask(self._read_tags, path)):
            values[TAGS] = tags
        elif details["tag_count"]:
            unread.append(Loss(TAGS, WHERE, f"{self.name} does not permit reading them"))
        return Properties(self.kind, values, tuple(unread))

    def _read_tags(self, path: str) -> dict[str, str]:
        try:
            return dict(self._call(path, "get_blob_tags"))
        except PermissionError:
            return {}

    def kept(self, details: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the properties that come with the blob."""
        settings = details["content_settings"]
        found: dict[str, Any] = {name: settings[key] or "" for name, key in _SETTINGS.items()}
        found[METADATA] = {key: value for key, value in (details["metadata"] or {}).items() if key != "is_directory"}
        if "blob_tier" in details:  # adlfs tells less than the client when it opens a blob
            found[STORAGE_CLASS] = "" if details["blob_tier_inferred"] else str(details["blob_tier"] or "")
            found[ENCRYPTION] = details["encryption_scope"] or ""
        return found

    def suspects(self, error: Exception, values: Mapping[str, Any]) -> list[str]:
        """Return which properties may be the reason for a refusal."""
        source = error.__cause__ if isinstance(error, PermissionError) else error
        names: tuple[str, ...] = _CULPRITS.get(_code(source), ())
        if isinstance(error, PermissionError):
            names = (TAGS, ENCRYPTION)
        elif not names and getattr(source, "status_code", 0) in (400, 409):
            names = _OPTIONAL
        return [name for name in names if name in values]

    def explain(self, error: Exception) -> str:
        """Return the code of the refusal."""
        source = error.__cause__ if isinstance(error, PermissionError) else error
        return f"{self.name} refuses it ({_code(source) or getattr(source, 'status_code', '') or type(error).__name__})"

    def seal(self, path: str, values: Mapping[str, Any], ask: Ask) -> list[Loss]:
        """Lock a blob that was read back."""
        from azure.storage.blob import ImmutabilityPolicy

        lost = []
        steps: list[tuple[str, str, Callable[[], Any]]] = [
            (IMMUTABILITY, "set_immutability_policy", lambda: ImmutabilityPolicy(**values[IMMUTABILITY])),
            (LEGAL_HOLD, "set_legal_hold", lambda: True),
        ]
        for name, method, argument in steps:
            if name in values and (why := ask(self._lock, path, method, argument())):
                lost.append(Loss(name, WHERE, why))
        return lost

    def _lock(self, path: str, method: str, argument: Any) -> str:
        try:
            self._call(path, method, argument)
        except Exception as error:
            source = error.__cause__ if isinstance(error, PermissionError) else error
            if 400 <= getattr(source, "status_code", 0) < 500 or getattr(source, "status_code", 0) == 501:
                return self.explain(error)
            raise
        return ""


def _code(error: BaseException | None) -> str:
    code = getattr(error, "error_code", None) or ""
    return str(getattr(code, "value", code))
