"""The file list of a run, opened as names are read that are not UTF-8."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from labeling.errors import LabelingError

FileList = str | os.PathLike[str] | IO[str]


@contextmanager
def open_list(file_list: FileList | None) -> Iterator[tuple[IO[str], str] | None]:
    """Open the file list, if there is one; yield it with its name."""
    if file_list is None:
        yield None
        return
    if not isinstance(file_list, str | os.PathLike):
        yield file_list, str(getattr(file_list, "name", "the file list"))
        return
    try:
        with Path(file_list).open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            yield file, str(file_list)
    except OSError as error:
        raise LabelingError(f"the file list cannot be read ({error.strerror})", path=file_list) from error
