"""Whether a file failed because of its storage: a store that refuses, or a disk that is full, read-only or closed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from labeling.batch.storage import Folder, Storage
from labeling.batch.store_access import chain
from labeling.batch.task import StoreFailure, StoreFault
from labeling.errors import WriteError

_WHOLE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_NOT_PERMITTED = frozenset({errno.EACCES, errno.EPERM})


def failed_because_of_store(error: Exception, source: Storage, output: Storage) -> StoreFailure:
    """Return whether a file failed because of its storage, which would fail other files too.

    Args:
        error: Why the file failed.
        source: Where it was read.
        output: Where it was to be written.
    """
    if isinstance(error, StoreFault):
        return "read" if error.store == source.name and not error.writing else "write"
    if not isinstance(error, WriteError):
        return ""
    numbers = {each.errno for each in chain(error) if isinstance(each, OSError)}
    if numbers & _WHOLE_DISK:
        return "write"
    closed = numbers & _NOT_PERMITTED and isinstance(output, Folder) and not _may_write(output.root)
    return "write" if closed else ""


def _may_write(folder: Path) -> bool:
    """Return whether files may be made in a folder, or the folder itself where it does not exist yet."""
    there = next((each for each in (folder, *folder.absolute().parents) if each.exists()), folder)
    return os.access(there, os.W_OK | os.X_OK)
