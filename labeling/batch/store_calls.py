"""Calls of an object store through fsspec: it is opened, asked, asked again, and opened again with newer credentials.

Whatever a store's library raises becomes a :class:`LabelingError`; temporary errors are tried again.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from labeling.batch.object_store import PARALLEL_PARTS, PART_SIZE, ObjectStore
from labeling.batch.object_stores import store_of
from labeling.batch.store_access import refused_access
from labeling.batch.store_errors import StoreErrors, error_code
from labeling.batch.store_packages import install_hint
from labeling.batch.task import StoreDown, StoreFault
from labeling.errors import LabelingError, MissingDependency, UnreadableFile
from labeling.inert import without_secrets

Result = TypeVar("Result")

MAX_TRIES, MAX_TRY_TIME = 4, 30.0
"""How often a call is tried before its error is final, and the seconds after which it is not tried again.

Together with ``_TIMEOUTS``, a dead store costs a file less than a minute.
"""

RENEWAL_INTERVAL = 2.0
"""Seconds until credentials are read again that a store did not accept when they were read the last time."""

_GIVEN = frozenset({"key", "secret", "account_key", "sas_token", "connection_string"})
"""Options with which credentials are given. There is no file to read them from again."""

_TIMEOUTS: dict[str, Any] = {
    "connect_timeout": 10,
    "read_timeout": 20,
    "retries": {"mode": "standard", "total_max_attempts": 2},
}


class StoreCalls:
    """A store, opened when it is first called.

    Args:
        url: The URL, perhaps with credentials.
        options: Passed to fsspec.
    """

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self._url, self._options = url, options
        self.name = without_secrets(url)
        self.errors = StoreErrors(url, options)
        self._renewing = threading.Lock()
        self._renew_after: dict[str, float] = {}

    @property
    def in_this_process(self) -> bool:
        """Whether only this process can see the content, because it is kept in memory."""
        return self._url.startswith("memory://")

    @property
    def protocol(self) -> str:
        """The protocol of the URL, the innermost one of several."""
        return self._url.partition("://")[0].rpartition("::")[2]

    @cached_property
    def opened(self) -> tuple[ObjectStore, str]:
        """The store, and the path in it."""
        fs, path = self._file_system()
        return store_of(fs, self.name), path

    @property
    def store(self) -> ObjectStore:
        """The store."""
        return self.opened[0]

    def _file_system(self) -> tuple[Any, str]:
        """Return a file system of fsspec, with credentials as they are now, and the path in it."""
        import fsspec

        protocol = self.protocol
        options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False} | self._options
        if protocol in ("s3", "s3a"):
            options = {"default_block_size": PART_SIZE, "max_concurrency": PARALLEL_PARTS} | options
            options["config_kwargs"] = _TIMEOUTS | options.get("config_kwargs", {})
        if self.in_this_process:
            options.pop("skip_instance_cache")
        try:
            fs, path = fsspec.url_to_fs(self._url, **options)
        except (ImportError, ModuleNotFoundError) as error:
            message = f"{install_hint(protocol)} ({self.errors.describe(error)})"
            raise MissingDependency(message, path=self.name) from None
        except Exception as error:  # noqa: BLE001 - it is raised as ours
            failed = StoreFault(f"cannot be opened ({self.errors.describe(error)})", path=self.name)
            raise self.errors.of_store(failed, UnreadableFile) from self.errors.cause(error)
        return fs, path.rstrip("/")

    def call(self, path: str, kind: type[LabelingError], call: Callable[..., Result], *arguments: Any) -> Result:
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
            fs = self.store.fs
            try:
                result = call(*arguments)
            except LabelingError:
                raise
            except Exception as error:  # noqa: BLE001 - it is raised as ours
                if not renewed and self._renew(fs, error):
                    renewed = True
                    continue
                if (permanent := self.errors.permanent(path, kind, error)) is not None:
                    raise permanent from self.errors.cause(error)
                elapsed = time.monotonic() - start
                if number == MAX_TRIES or elapsed > MAX_TRY_TIME:
                    down = StoreDown(
                        f"{self.name} does not respond as it should ({self.errors.describe(error)}), tried for "
                        f"{elapsed:.0f} s",
                        path=path, hint="run again later",
                    )  # fmt: skip
                    raise self.errors.of_store(down, kind) from self.errors.cause(error)
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
            if self.store.fs is not used:
                return True  # another thread has done it
            code = error_code(error)
            if time.monotonic() < self._renew_after.get(code, 0.0):
                return False
            self._renew_after[code] = time.monotonic() + RENEWAL_INTERVAL
            try:
                self.store.use(self._file_system()[0])
            except LabelingError:
                return False  # what the store has answered says more
            return True
