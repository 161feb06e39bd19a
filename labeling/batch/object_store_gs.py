"""Google Cloud Storage, through gcsfs. Names are those of its JSON API (Objects, ObjectAccessControls)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from labeling.batch.object_properties import (
    ACL,
    ENCRYPTION,
    HEADERS,
    METADATA,
    STORAGE_CLASS,
    WHERE,
    Properties,
    decoded_text,
)
from labeling.batch.object_store import PART_SIZE, Ask, ObjectStore
from labeling.losses import Loss

CUSTOM_TIME, HOLDS, RETENTION = "custom time", "holds", "retention"

_SMALL = 5 << 20
"""Bytes below which an object is put with one request."""

_FIELDS = dict(
    zip(
        HEADERS,
        ("contentType", "cacheControl", "contentDisposition", "contentLanguage", "contentEncoding"),
        strict=True,
    )
) | {METADATA: "metadata", STORAGE_CLASS: "storageClass", CUSTOM_TIME: "customTime"}

_OPTIONAL = (ENCRYPTION, STORAGE_CLASS, CUSTOM_TIME, METADATA)


class GoogleStore(ObjectStore):
    """Google Cloud Storage."""

    kind = "gs"
    known = frozenset({*_FIELDS, ENCRYPTION, ACL, HOLDS, RETENTION})
    has_folders = False

    def __init__(self, fs: Any, name: str) -> None:
        super().__init__(fs, name)
        self._acls: bool | None = None
        self._acl_denied = ""

    def get(self, path: str, local: Path, encoded: bool) -> None:
        """Download an object: at once if it has a Content-Encoding, since parts of it could not be expanded."""
        self.fs.get_file(path, str(local), **({"concurrency": 1} if encoded else {}))

    def put(self, local: Path, path: str, values: Mapping[str, Any], media_type: str) -> None:
        """Upload an object with its properties, but for its ACL and its locks."""
        bucket, key, _ = self.fs.split_path(path)
        resource = {_FIELDS[name]: value for name, value in values.items() if name in _FIELDS and value}
        resource = {"name": key, "contentType": media_type or "application/octet-stream"} | resource
        url = f"{self.fs.base.replace('/storage/v1/', '/upload/storage/v1/')}b/{quote(bucket, safe='')}/o"
        query = {"kmsKeyName": values[ENCRYPTION]} if ENCRYPTION in values else {}
        if local.stat().st_size < _SMALL:
            self._put_at_once(local, url, resource, query)
        else:
            self._put_in_parts(local, url, resource, query)

    def _put_at_once(self, local: Path, url: str, resource: Mapping[str, Any], query: Mapping[str, str]) -> None:
        boundary = f"aigc-label-{secrets.token_hex(16)}"  # which no object can hold on purpose
        head = "\r\n".join(
            (
                f"--{boundary}", "Content-Type: application/json; charset=UTF-8", "", json.dumps(resource),
                f"--{boundary}", f"Content-Type: {resource['contentType']}", "", "",
            )
        )  # fmt: skip
        body = b"".join((head.encode(), local.read_bytes(), f"\r\n--{boundary}--\r\n".encode()))
        headers = {"Content-Type": f'multipart/related; boundary="{boundary}"'}
        self.fs.call("POST", url, uploadType="multipart", headers=headers, data=body, **query)

    def _put_in_parts(self, local: Path, url: str, resource: Mapping[str, Any], query: Mapping[str, str]) -> None:
        from fsspec.asyn import sync
        from gcsfs.core import upload_chunk

        media_type, size = resource["contentType"], local.stat().st_size
        answer, _ = self.fs.call(
            "POST", url, uploadType="resumable", name=resource["name"], json=dict(resource),
            headers={"X-Upload-Content-Type": media_type}, **query,
        )  # fmt: skip
        with local.open("rb") as file:
            while piece := file.read(PART_SIZE):
                at = file.tell() - len(piece)
                sync(self.fs.loop, upload_chunk, self.fs, answer["Location"], piece, at, size, media_type)

    def adapted(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Loss]]:
        """Return the values with metadata as text: other stores give what is not ASCII as RFC 2047 asks for."""
        found = dict(values)
        if METADATA in found:
            found[METADATA] = {key: decoded_text(value) for key, value in found[METADATA].items()}
        return found, []

    def properties(self, path: str, details: Mapping[str, Any], ask: Ask) -> Properties:
        """Return an object's properties. Its ACL costs a request, where it may have one."""
        values = {name: value for name, value in self.kept(details).items() if value}
        holds = {name: True for name in ("temporaryHold", "eventBasedHold") if details.get(name)}
        if holds:
            values[HOLDS] = holds
        if details.get("retention"):
            values[RETENTION] = dict(details["retention"])
        unread = []
        if grants := self._grants(path, ask):
            values[ACL] = grants
        if self._acl_denied:
            unread.append(Loss(f"{ACL}, if there is one", WHERE, self._acl_denied))
        return Properties(self.kind, values, tuple(unread))

    def kept(self, details: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the properties that an object's resource tells."""
        found: dict[str, Any] = {name: details.get(field) or "" for name, field in _FIELDS.items()}
        found[METADATA] = dict(details.get("metadata") or {})
        found[ENCRYPTION] = str(details.get("kmsKeyName") or "").partition("/cryptoKeyVersions/")[0]
        return found

    def _grants(self, path: str, ask: Ask) -> list[dict[str, str]]:
        """Return to whom the object's ACL gives access beside its owner and its project."""
        if self._acls is None:
            self._acls = ask(self._may_have_acls, self.fs.split_path(path)[0])
        if not self._acls or self._acl_denied:
            return []
        return list(ask(self._read_grants, path))

    def _may_have_acls(self, bucket: str) -> bool:
        try:
            found = self.fs.call("GET", "b/{}", bucket, fields="iamConfiguration", json_out=True)
        except OSError as error:
            if _is_denied(error):
                return True
            raise
        return not found.get("iamConfiguration", {}).get("uniformBucketLevelAccess", {}).get("enabled", False)

    def _read_grants(self, path: str) -> list[dict[str, str]]:
        bucket, key, _ = self.fs.split_path(path)
        try:
            found = self.fs.call("GET", "b/{}/o/{}/acl", bucket, key, json_out=True)
        except Exception as error:
            if _is_denied(error):
                self._acl_denied = f"{self.name} does not permit reading it"
                return []
            if "uniform bucket-level access" in str(error):
                self._acls = False
                return []
            raise
        return [
            {"entity": each["entity"], "role": each["role"]}
            for each in found.get("items", ())
            if not each["entity"].lower().startswith("project") and each["role"] != "OWNER"
        ]

    def suspects(self, error: Exception, values: Mapping[str, Any]) -> list[str]:
        """Return which properties may be the reason for a refusal."""
        names: tuple[str, ...] = ()
        if _is_denied(error):
            names = (ENCRYPTION,)
        elif _status(error) in (400, 412):
            names = _OPTIONAL
        return [name for name in names if name in values]

    def explain(self, error: Exception) -> str:
        """Return the status of the refusal."""
        return f"{self.name} refuses it ({403 if _is_denied(error) else _status(error) or type(error).__name__})"

    def seal(self, path: str, values: Mapping[str, Any], ask: Ask) -> list[Loss]:
        """Give the object its ACL and its locks: a request for each grant, and one for all locks."""
        bucket, key, _ = self.fs.split_path(path)
        lost = [
            Loss(f"{ACL}: {grant['entity']} {grant['role']}", WHERE, why)
            for grant in values.get(ACL, ())
            if (why := ask(self._change, "POST", "b/{}/o/{}/acl", bucket, key, grant))
        ]
        for name in (HOLDS, RETENTION):
            if name in values:
                change = values[name] if name == HOLDS else {"retention": values[name]}
                if why := ask(self._change, "PATCH", "b/{}/o/{}", bucket, key, change):
                    lost.append(Loss(name, WHERE, why))
        return lost

    def _change(self, method: str, path: str, bucket: str, key: str, change: Mapping[str, Any]) -> str:
        try:
            self.fs.call(method, path, bucket, key, json=dict(change))
        except Exception as error:
            if _is_denied(error) or _status(error) in (400, 412):
                return self.explain(error)
            raise
        return ""


def _status(error: BaseException) -> int:
    code = getattr(error, "code", None) or getattr(error, "status", None) or 0
    return int(code) if str(code).isdigit() else 0


def _is_denied(error: BaseException) -> bool:
    return str(error).startswith("Forbidden") or _status(error) in (401, 403)
