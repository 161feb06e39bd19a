"""The results as a file that grows: lines are appended, cut off if the journal does not know them, and moved away.

The journal says how many bytes of it count. Lines that a later attempt has replaced go to the history.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO

from labeling.batch.results_file import sort_lines
from labeling.batch.state_files import HISTORY, RESULTS
from labeling.errors import LabelingError
from labeling.filebytes import write_all
from labeling.temporary import PLAIN


class ResultsLog:
    """The results in a run's folder, opened for reading and writing.

    Args:
        folder: The run's folder.

    Attributes:
        path: The file.
        valid: How many bytes of it count.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self.path, self.valid = folder / RESULTS, 0
        self._history_path = folder / HISTORY
        self._file = self._open()

    def _open(self) -> FileIO:
        """Open the results unbuffered: what a full disk did not take must not be written by a later close."""
        return FileIO(os.open(self.path, os.O_RDWR | os.O_CREAT | PLAIN, 0o666), "r+b")

    def cut(self, valid: int) -> None:
        """Cut off what was written and not committed.

        Args:
            valid: How many bytes count.

        Raises:
            LabelingError: The file is shorter.
            OSError: It cannot be cut.
        """
        self.valid = valid
        if self._file.seek(0, os.SEEK_END) < valid:
            raise LabelingError(
                "is shorter than the journal says", path=self.path, hint="start over with `restart=True`"
            )
        self._file.truncate(valid)

    def append(self, lines: Sequence[bytes]) -> int:
        """Write lines behind those that are valid, and return where they begin. Raises :class:`LabelingError`."""
        try:
            at = self._file.seek(self.valid)
            write_all(self._file.fileno(), b"".join(lines))
            os.fsync(self._file.fileno())  # the journal must not know of lines that a power cut removes
        except OSError as error:
            raise LabelingError(
                f"cannot be written ({error.strerror})", path=self.path, hint="run again later"
            ) from error
        return at

    def result_at(self, at: int, length: int) -> dict[str, Any]:
        """Return a result."""
        self._file.seek(at)
        found: dict[str, Any] = json.loads(self._file.read(length))
        return found

    def rewrite(self, db: sqlite3.Connection, history_size: str) -> dict[str, str]:
        """Write the current lines to a new file and move all others to the history; :meth:`adopt_rewritten` follows.

        Args:
            db: The journal, in a transaction, which gets the new places of the lines.
            history_size: How many bytes of the history the journal knows; empty if it knows none.

        Returns:
            Notes for the journal.

        Raises:
            OSError: A file cannot be written.
        """
        self._rewritten.unlink(missing_ok=True)
        with (
            self.path.open("rb") as old,
            self._rewritten.open("xb") as new,
            self._open_history(history_size) as history,
        ):
            db.execute("CREATE TEMP TABLE moved (key BLOB PRIMARY KEY, at INTEGER) WITHOUT ROWID")
            current = db.execute("SELECT key, at, length FROM item WHERE at IS NOT NULL ORDER BY at")
            db.executemany("INSERT INTO moved VALUES (?, ?)", sort_lines(old, self.valid, current, new, history))
            for file in (history, new):
                file.flush()
                os.fsync(file.fileno())
            db.execute("UPDATE item SET at=(SELECT at FROM moved WHERE moved.key=item.key) WHERE at IS NOT NULL")
            db.execute("DROP TABLE moved")
            return {"valid": str(new.tell()), "history": str(history.tell())}

    @property
    def _rewritten(self) -> Path:
        return self.path.with_suffix(".new")

    def _open_history(self, committed: str) -> BinaryIO:
        """Open the history at its end, without what was written and not committed."""
        history = os.fdopen(os.open(self._history_path, os.O_RDWR | os.O_CREAT | PLAIN, 0o666), "r+b")
        size = history.seek(0, os.SEEK_END)
        if committed and size > int(committed):
            history.truncate(int(committed))
            history.seek(0, os.SEEK_END)
        return history

    def adopt_rewritten(self) -> None:
        """Give the rewritten results their name, unless they have it. Raises OSError."""
        self._file.close()
        with suppress(FileNotFoundError):
            self._rewritten.replace(self.path)
        self._file = self._open()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
