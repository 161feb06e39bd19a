"""Stores that speak S3: objects are asked about, listed and read back with one request each.

The names of headers, parameters and errors are those of the Amazon S3 API Reference (HeadObject, PutObject,
GetObjectTagging, GetObjectAcl, GetBucketOwnershipControls, PutObjectLegalHold, PutObjectRetention).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.header import Header
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from labeling.batch.object_properties import (
    ACL,
    CONTENT_TYPE,
    ENCRYPTION,
    HEADERS,
    METADATA,
    STORAGE_CLASS,
    STORES_OWN,
    TAGS,
    WHERE,
    Properties,
)
from labeling.batch.object_store import PART_SIZE, READ_SIZE, Ask, ObjectStore, changed
from labeling.batch.store_errors import error_code
from labeling.losses import Loss

MAX_PARTS = 10_000

UPLOAD_GRACE, MIN_UPLOAD_RATE = 2.0, 64 << 10
"""Seconds that an upload may take beyond the read timeout, and bytes for which it may take a second more.

None of botocore's own timeouts runs while a store does not read what it is sent.
"""

EXPIRES, REDIRECT, LEGAL_HOLD, RETENTION = "Expires", "website redirect", "legal hold", "retention"
ARCHIVED = ("GLACIER", "DEEP_ARCHIVE")
"""Storage classes whose objects cannot be read back."""

_PARAMETERS = {
    CONTENT_TYPE: "ContentType", "Cache-Control": "CacheControl", "Content-Disposition": "ContentDisposition",
    "Content-Language": "ContentLanguage", "Content-Encoding": "ContentEncoding", EXPIRES: "Expires",
    METADATA: "Metadata", REDIRECT: "WebsiteRedirectLocation", STORAGE_CLASS: "StorageClass",
}  # fmt: skip

_DECIDED_BY = {name: (parameter,) for name, parameter in _PARAMETERS.items()} | {
    TAGS: ("Tagging",),
    ACL: ("ACL", "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWriteACP"),
    ENCRYPTION: ("ServerSideEncryption", "SSEKMSKeyId", "SSECustomerAlgorithm", "SSECustomerKey"),
    STORES_OWN: ("ServerSideEncryption", "SSEKMSKeyId", "SSECustomerAlgorithm", "SSECustomerKey"),
}
"""The parameters with which ``s3_additional_kwargs`` of s3fs decides a property for all objects."""

_DENIED = frozenset({"AccessDenied", "403", "AllAccessDisabled"})
_UNKNOWN = frozenset({"NotImplemented", "501", "MethodNotAllowed", "405", "UnsupportedOperation", "XNotImplemented"})
_NO_ACLS = frozenset({"AccessControlListNotSupported"})

_CULPRITS = {
    "AccessControlListNotSupported": (ACL,), "MalformedACLError": (ACL,), "UnresolvableGrantByEmailAddress": (ACL,),
    "InvalidStorageClass": (STORAGE_CLASS,), "InvalidTag": (TAGS,), "MetadataTooLarge": (METADATA,),
    "RequestHeaderSectionTooLarge": (METADATA,), "431": (METADATA,),  # RFC 6585, 5: of a server in front of the store
    "InvalidEncryptionAlgorithmError": (ENCRYPTION, STORES_OWN),
}  # fmt: skip
_PERMITTED_APART = (ACL, TAGS, ENCRYPTION)
"""What needs a permission of its own when an object is put, beside ``s3:PutObject``."""

_AMBIGUOUS = frozenset(
    {"InvalidArgument", "InvalidRequest", "BadRequest", "400", "UnsupportedArgument", "NotSupported", *_UNKNOWN}
)
_OPTIONAL = (ENCRYPTION, STORES_OWN, STORAGE_CLASS, ACL, TAGS, REDIRECT, METADATA, EXPIRES)

_ALL = "http://acs.amazonaws.com/groups/global/AllUsers"
_CANNED = {
    frozenset({(_ALL, "READ")}): "public-read",
    frozenset({(_ALL, "READ"), (_ALL, "WRITE")}): "public-read-write",
    frozenset({("http://acs.amazonaws.com/groups/global/AuthenticatedUsers", "READ")}): "authenticated-read",
}
_GRANTS = {
    "FULL_CONTROL": "GrantFullControl", "READ": "GrantRead", "READ_ACP": "GrantReadACP", "WRITE_ACP": "GrantWriteACP",
}  # fmt: skip


class S3Store(ObjectStore):
    """A store that speaks S3."""

    kind = "s3"
    known = frozenset({*_DECIDED_BY, LEGAL_HOLD, RETENTION})
    has_folders = False  # and s3fs would create the bucket
    nothing = "there are no objects whose names begin so"

    def __init__(self, fs: Any, name: str) -> None:
        super().__init__(fs, name)
        chosen = set(fs.s3_additional_kwargs or ())
        self.decided = frozenset(name for name, parameters in _DECIDED_BY.items() if chosen & set(parameters))
        self._asks_for_encryption = False
        self._tags_told: bool | None = None
        self._acls: bool | None = None
        self._unreadable: dict[str, str] = {}

    def use(self, fs: Any) -> None:
        """Use a file system of the same store, such as one with renewed credentials."""
        fs.retries = 1  # botocore retries requests, and we retry whole files; a third level would multiply the wait
        super().use(fs)

    def _object(self, path: str) -> dict[str, str]:
        bucket, key, _ = self.fs.split_path(path)
        return {"Bucket": bucket, "Key": key}

    def details(self, path: str) -> Mapping[str, Any]:
        """Return what HeadObject says; fsspec's own ``info`` also looks for a folder."""
        found: Mapping[str, Any] = self.fs.call_s3("head_object", **self._object(path))
        return found

    def version(self, details: Mapping[str, Any]) -> tuple[int, str]:
        """Return size and ETag."""
        return int(details["ContentLength"]), str(details.get("ETag", "")).strip('"')

    def walk(self, base: str, ask: Ask) -> Iterator[tuple[str, int, str, float]]:
        """Yield name, size, ETag and time, a thousand at a time: fsspec's own listing would hold them all in memory."""
        bucket, _, prefix = base.partition("/")
        request: dict[str, str] = {"Prefix": f"{prefix}/"} if prefix else {}
        found = not prefix  # a bucket may be empty, but an empty prefix is most likely a mistake
        while True:
            page = ask(self._page, {"Bucket": bucket} | request)
            for each in page.get("Contents", ()):
                found = True
                if each["Size"] or not each["Key"].endswith("/"):  # consoles create such objects to show a folder
                    etag = str(each["ETag"]).strip('"')
                    yield f"{bucket}/{each['Key']}", int(each["Size"]), etag, changed(each)
            if not page.get("IsTruncated"):
                break
            request = request | {"ContinuationToken": page["NextContinuationToken"]}
        if not found:
            raise FileNotFoundError(base)

    def _page(self, request: Mapping[str, str]) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.fs.call_s3("list_objects_v2", **request)
        return found

    def put(self, local: Path, path: str, values: Mapping[str, Any], media_type: str) -> None:
        """Upload an object with its properties, but for its locks."""
        size = local.stat().st_size
        timeout = UPLOAD_GRACE + float(self.fs.config_kwargs["read_timeout"]) + size / MIN_UPLOAD_RATE
        parameters = self._parameters(values)
        if media_type and CONTENT_TYPE not in self.decided:
            parameters.setdefault("ContentType", media_type)
        self.fs.put_file(
            str(local), path, chunksize=max(PART_SIZE, -(-size // MAX_PARTS)), timeout=timeout, **parameters
        )

    def _parameters(self, values: Mapping[str, Any]) -> dict[str, Any]:
        parameters = {_PARAMETERS[name]: value for name, value in values.items() if name in _PARAMETERS and value}
        if TAGS in values:
            parameters["Tagging"] = urlencode(values[TAGS])
        if self._asks_for_encryption and STORES_OWN in values:
            parameters["ServerSideEncryption"] = values[STORES_OWN]
        return {**parameters, **values.get(ENCRYPTION, {}), **values.get(ACL, {})}

    def adapted(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Loss]]:
        """Return the values with metadata in ASCII."""
        found = dict(values)
        if METADATA in found:
            found[METADATA] = {key.lower(): _ascii(value) for key, value in found[METADATA].items()}
        return found, []

    def read_back(self, path: str) -> tuple[str, Mapping[str, Any]]:
        """Return the SHA-256 of an object's bytes, and what GetObject says of it, which is what HeadObject says."""
        from fsspec.asyn import sync

        details = self.fs.call_s3("get_object", **self._object(path))
        digest, body = hashlib.sha256(), details.pop("Body")

        async def read() -> None:
            try:
                while piece := await body.read(READ_SIZE):
                    digest.update(piece)
            finally:
                body.close()

        sync(self.fs.loop, read)
        return digest.hexdigest(), details

    def properties(self, path: str, details: Mapping[str, Any], ask: Ask) -> Properties:
        """Return an object's properties. Tags and ACL cost a request each, where there may be any."""
        values: dict[str, Any] = {name: value for name, value in self.kept(details).items() if value}
        unread = []
        if ENCRYPTION in values:
            del values[STORES_OWN]
        if values.get(STORAGE_CLASS) in ARCHIVED:
            why = "what is archived cannot be read back; the copy gets the class of its bucket"
            unread.append(Loss(f"storage class {values.pop(STORAGE_CLASS)}", WHERE, why))
        if EXPIRES not in values and details.get("ExpiresString"):
            unread.append(Loss(EXPIRES, WHERE, "it is no date"))
        if details.get("MissingMeta"):
            unread.append(Loss(METADATA, WHERE, f"{self.name} does not tell all of it over HTTP"))
        for name, read in ((TAGS, self._tags), (ACL, self._acl)):
            if name not in self._unreadable and (value := read(path, details, ask)):
                values[name] = value
            if name in self._unreadable:
                unread.append(Loss(f"{name}, if there are any", WHERE, self._unreadable[name]))
        return Properties(self.kind, values, tuple(unread))

    def kept(self, details: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the properties that HeadObject tells."""
        found = {name: details[parameter] for name, parameter in _PARAMETERS.items() if details.get(parameter)}
        for name in HEADERS:
            found.setdefault(name, "")
        found[METADATA] = dict(details.get("Metadata") or {})
        found.setdefault(STORAGE_CLASS, "")
        encryption = str(details.get("ServerSideEncryption") or "")
        if encryption.startswith("aws:kms"):
            found[ENCRYPTION] = {
                parameter: details[parameter]
                for parameter in ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled")
                if details.get(parameter)
            }
        found[STORES_OWN] = "AES256" if encryption else ""  # of the bucket's own key: that is better still
        if details.get("ObjectLockLegalHoldStatus") == "ON":
            found[LEGAL_HOLD] = {"Status": "ON"}
        until = details.get("ObjectLockRetainUntilDate")
        if details.get("ObjectLockMode") and isinstance(until, datetime) and until > datetime.now(UTC):
            found[RETENTION] = {"Mode": details["ObjectLockMode"], "RetainUntilDate": until}
        return found

    def _tags(self, path: str, details: Mapping[str, Any], ask: Ask) -> dict[str, str] | None:
        """Return an object's tags. HeadObject tells their number to those who may read them.

        Who may not is not told that there are any; so the first object without a number is asked in any case.
        """
        if not details.get("TagCount") and self._tags_told:
            return None
        answer = ask(self._read, TAGS, "get_object_tagging", self._object(path))
        if answer is None:
            return None
        tags = {each["Key"]: each["Value"] for each in answer["TagSet"]}
        if not details.get("TagCount"):
            self._tags_told = not tags
        return tags

    def _acl(self, path: str, details: Mapping[str, Any], ask: Ask) -> dict[str, str] | None:
        """Return an object's ACL in the form of PutObject; ``None`` if only its owner has access."""
        if self._acls is None:
            self._acls = ask(self._may_have_acls, self._object(path)["Bucket"])
        if not self._acls:
            return None
        answer = ask(self._read, ACL, "get_object_acl", self._object(path))
        return None if answer is None else _grants(answer)

    def _may_have_acls(self, bucket: str) -> bool:
        try:
            answer = self.fs.call_s3("get_bucket_ownership_controls", Bucket=bucket)
        except Exception as error:
            if (code := error_code(error)) in _DENIED or code in _UNKNOWN or code == "OwnershipControlsNotFoundError":
                return True
            raise
        rules = answer.get("OwnershipControls", {}).get("Rules", ())
        return not any(rule.get("ObjectOwnership") == "BucketOwnerEnforced" for rule in rules)

    def _read(self, name: str, method: str, request: Mapping[str, str]) -> Mapping[str, Any] | None:
        """Return an answer; ``None`` if it is refused. It is refused for other objects as well then."""
        try:
            answer: Mapping[str, Any] = self.fs.call_s3(method, **request)
        except Exception as error:
            if (code := error_code(error)) in _DENIED:
                self._unreadable[name] = f"{self.name} does not permit reading them ({method}: {code})"
                return None
            if code in _UNKNOWN or code in _NO_ACLS:
                self._acls = self._acls and name != ACL
                self._tags_told = self._tags_told or name == TAGS
                return None
            raise
        return answer

    def must_put_again(self, values: Mapping[str, Any], details: Mapping[str, Any]) -> bool:
        """Return whether encryption with the store's own key has to be asked for: its objects have none by default."""
        wanted = values.get(STORES_OWN) and not details.get("ServerSideEncryption")
        if not wanted or self._asks_for_encryption:
            return False
        self._asks_for_encryption = True
        return True

    def suspects(self, error: Exception, values: Mapping[str, Any]) -> list[str]:
        """Return which properties may be the reason for a refusal."""
        code = error_code(error)
        names: tuple[str, ...] = _CULPRITS.get(code, ())
        if code.startswith("KMS"):
            names = (ENCRYPTION,)
        elif code in _DENIED:
            names = _PERMITTED_APART
        elif code in _AMBIGUOUS or type(error).__name__ == "ParamValidationError":
            names = _OPTIONAL
        return [name for name in names if name in values]

    def explain(self, error: Exception) -> str:
        """Return the code of the refusal."""
        return f"{self.name} refuses it ({error_code(error) or type(error).__name__})"

    def seal(self, path: str, values: Mapping[str, Any], ask: Ask) -> list[Loss]:
        """Lock an object. That comes last: what is locked could not be replaced if it did not read back the same."""
        lost = []
        for name, method, parameter in (
            (RETENTION, "put_object_retention", "Retention"),
            (LEGAL_HOLD, "put_object_legal_hold", "LegalHold"),
        ):
            if name in values:
                request = {**self._object(path), parameter: values[name]}
                if why := ask(self._lock, method, request):
                    lost.append(Loss(name, WHERE, why))
        return lost

    def _lock(self, method: str, request: Mapping[str, Any]) -> str:
        try:
            self.fs.call_s3(method, **request)
        except Exception as error:
            if (
                (code := error_code(error)) in _DENIED
                or code in _AMBIGUOUS
                or code.startswith(("ObjectLock", "NoSuchO"))
            ):
                return self.explain(error)
            raise
        return ""


def _ascii(value: str) -> str:
    """Return a text of metadata as S3 itself gives those that are not ASCII (RFC 2047)."""
    return value if value.isascii() else Header(value, "utf-8", maxlinelen=10_000).encode()


def _grants(answer: Mapping[str, Any]) -> dict[str, str] | None:
    owner = answer.get("Owner", {}).get("ID", "")
    grants = [
        (grant["Grantee"].get("URI") or grant["Grantee"].get("ID") or "", grant["Permission"])
        for grant in answer.get("Grants", ())
    ]
    others = {each for each in grants if each != (owner, "FULL_CONTROL")}
    if not others:
        return None
    if len(others) < len(grants) and (canned := _CANNED.get(frozenset(others))) is not None:
        return {"ACL": canned}
    parameters: dict[str, list[str]] = {}
    for grantee, permission in sorted(set(grants)):
        if grantee and permission in _GRANTS:
            form = f'uri="{grantee}"' if "://" in grantee else f'id="{grantee}"'
            parameters.setdefault(_GRANTS[permission], []).append(form)
    return {name: ",".join(grantees) for name, grantees in parameters.items()}
