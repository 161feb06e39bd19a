"""Errors of object stores: which of them are permanent, and one line about each without secrets."""

from __future__ import annotations

import errno
import re
import tempfile
from collections.abc import Iterator
from typing import Any

from labeling.batch.store_access import answer, refused_access
from labeling.batch.task import ReadRefused, StoreFault, WriteRefused
from labeling.errors import LabelingError, UnreadableFile, WriteError
from labeling.inert import without_secrets

_REFUSALS = ("400", "301", "PermanentRedirect", "AuthorizationHeaderMalformed")
"""Answers to HEAD have no text, so this is all that S3 says about a long name, a wrong region or an expired token."""

_MAX_LENGTH = 200
"""Characters of a store's message that are shown."""

_MIN_SECRET = 4
"""Shorter values of options are not replaced in messages: they would be found in many words."""

_SECRET_OPTION = re.compile(r"key|secret|token|pass|cred|conn|sas|sign|auth", re.IGNORECASE)


class StoreErrors:
    """Translates what a store's library raises.

    Args:
        url: The store's URL, perhaps with credentials.
        options: Its options, perhaps with secrets.
    """

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self._name = without_secrets(url)
        self._secrets = [*_secrets(options), *_left_out(url, self._name)]

    def permanent(self, path: str, kind: type[LabelingError], error: Exception) -> LabelingError | None:
        """Return what to raise for an error that another attempt would not change; ``None`` for a temporary one.

        Args:
            path: The object, for the message.
            kind: The kind of error to raise, unless a more specific one applies.
            error: What the store's library raised.
        """
        code, number = error_code(error), getattr(error, "errno", None)
        access = refused_access(error)
        if code == "NoSuchBucket":
            message = f"there is no such bucket ({self._name})"
            return self.refused(message, path, kind, "correct the name, or create the bucket first")
        if isinstance(error, FileNotFoundError):
            return UnreadableFile(f"there is no such object in {self._name}", path=path)
        if code == "InvalidObjectState":
            message = f"the object is in an archive of {self._name} ({self.describe(error)})"
            return kind(message, path=path, hint="restore it there first")
        if "NoCredentials" in type(error).__name__:
            message = f"{self._name} cannot be asked, no credentials were found"
            return self.refused(message, path, kind, "set them in the environment, or in `storage_options`")
        if access == "credentials":
            message = f"{self._name} does not accept the credentials ({self.describe(error)})"
            return self.refused(message, path, kind, "check credentials, and renew or correct them")
        if code in _REFUSALS:
            message = f"{self._name} refuses the request ({self.describe(error)})"
            return self.refused(message, path, kind, "check the name's length, region and token")
        if access == "permission" or isinstance(error, PermissionError) or "403" in (code, _status(error)):
            message = f"{self._name} does not permit it ({self.describe(error)})"
            return self.refused(message, path, kind, "check credentials and permissions")
        if number in (errno.ENOSPC, errno.EDQUOT):
            message = f"the disk for temporary files is full ({tempfile.gettempdir()})"
            return WriteError(message, path=path, hint="see TMPDIR")
        invalid_name = code == "InvalidBucketName" or type(error).__name__ == "ParamValidationError"
        if invalid_name or number == errno.ENAMETOOLONG:
            message = f"{self._name} does not accept such a name ({self.describe(error)})"
            return kind(message, path=path, hint="choose another")
        return None

    def refused(self, message: str, path: str, kind: type[LabelingError], hint: str) -> StoreFault:
        """Return the error for what the store would refuse of other files as well."""
        refused: type[StoreFault] = WriteRefused if kind is WriteError else ReadRefused
        return self.of_store(refused(message, path=path, hint=hint), kind)

    def of_store(self, error: StoreFault, kind: type[LabelingError]) -> StoreFault:
        """Note in an error which store failed, and whether at writing."""
        error.store, error.writing = self._name, kind is WriteError
        return error

    def describe(self, error: BaseException) -> str:
        """Return an error in one line, without secrets."""
        code, status, message = answer(error)
        if type(error).__name__ == "FSTimeoutError":
            text = "it does not read what is sent, or not fast enough"
        elif status:
            text = " ".join(dict.fromkeys(filter(None, (status, code, message))))
        else:
            text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        text = without_secrets(text)
        for secret in self._secrets:
            text = text.replace(secret, "" if secret.endswith("@") else "...")
        return " ".join(text.split())[:_MAX_LENGTH]

    def cause(self, error: Exception) -> Exception | None:
        """Return the error, to be named as a cause, unless a trace of it would show a secret."""
        shown: BaseException | None = error
        while shown is not None:
            text = f"{shown} {shown!r}"
            if without_secrets(text) != text or any(secret in text for secret in self._secrets):
                return None
            shown = shown.__cause__ or shown.__context__
        return error


def error_code(error: BaseException) -> str:
    """Return the code of an error of S3, such as NoSuchBucket; empty if S3 did not answer."""
    return answer(error)[0]


def _status(error: BaseException) -> str:
    """Return the HTTP status that other stores' libraries keep in their errors."""
    return next((str(getattr(error, name)) for name in ("status_code", "status", "code") if hasattr(error, name)), "")


def _left_out(url: str, name: str) -> Iterator[str]:
    """Yield what a URL has and its name has not: user and password, and the query."""
    place = name.partition("://")[2]
    if not place:  # such as memory://, the root
        return
    before, found, after = url.partition("://")[2].partition(place)
    if found:
        parts = [before, *before.rstrip("@").split(":", 1), *re.split("[?&=]", after)]
        yield from sorted((each for each in parts if len(each) >= _MIN_SECRET), key=len, reverse=True)


def _secrets(options: dict[str, Any]) -> Iterator[str]:
    """Yield the values among fsspec's options that must not be shown."""
    for name, value in options.items():
        if isinstance(value, dict):
            yield from _secrets(value)
        elif isinstance(value, str) and len(value) >= _MIN_SECRET and _SECRET_OPTION.search(name):
            yield value
