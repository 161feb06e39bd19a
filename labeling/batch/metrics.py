"""A file of metrics in Prometheus' text format (exposition format 0.0.4), for the textfile collector of node_exporter.

It is replaced as a whole, so that no reader sees half of it, and is never larger than a few kilobytes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from labeling import atomic_writes
from labeling._version import __version__
from labeling.errors import LabelingError
from labeling.inert import inert

PREFIX = "aigc_label_batch_"

HELP = {
    "info": "The version of aigc-label.",
    "running": "1 while a session is at work, 0 when it has ended.",
    "start_time_seconds": "When the session began.",
    "end_time_seconds": "When the session ended.",
    "complete_start_time_seconds": "When the last session began that saw all files.",
    "exit_code": "The exit code of the session.",
    "session_files": "Files that the session has finished, by what became of them.",
    "session_bytes": "Bytes of these files.",
    "session_seconds": "How long the session has been at work.",
    "earlier_files": "Files that the session met and earlier ones had finished.",
    "listed_files": "Files of the source, where they were counted.",
    "files": "Files with a result, by what became of them.",
    "limited": "1 if a limit has left files for another session.",
}
"""The metrics, with their help. All are gauges: they are of one session, and begin anew with the next."""

MAX_SIZE = 1 << 16

_HEAD = b"# HELP " + PREFIX.encode()
_COMPLETE = re.compile(rb"^" + PREFIX.encode() + rb"complete_start_time_seconds\{.*\} (\d{1,12}(?:\.\d{1,9})?)$", re.M)


class MetricsFile:
    """The file, and what is in it.

    Args:
        path: The file. node_exporter wants it to end with ``.prom``.
        labels: Labels of every metric, such as source and target; those without a value are left out.

    Raises:
        LabelingError: Something else is there, or the file cannot be written.
    """

    def __init__(self, path: Path, labels: Mapping[str, str]) -> None:
        self._path, self._labels = path, {name: value for name, value in labels.items() if value}
        self._values: dict[str, dict[str, float]] = {"info": {__version__: 1}}
        try:
            with path.open("rb") as file:
                before = file.read(MAX_SIZE)
        except FileNotFoundError:
            return
        except OSError as error:
            raise LabelingError(f"cannot be read ({error.strerror})", path=path, hint="see `metrics_file`") from error
        if before and not before.startswith(_HEAD):
            raise LabelingError(
                "holds something else than the metrics of a run", path=path, hint="name another file in `metrics_file`"
            )
        if found := _COMPLETE.search(before):  # a session that cannot begin does not know it
            self.set(complete_start_time_seconds=float(found[1]))

    def set(self, **values: float | None) -> None:
        """Set metrics that have one value; ``None`` removes one."""
        for name, value in values.items():
            if value is None:
                self._values.pop(name, None)
            else:
                self._values[name] = {"": value}

    def set_by_status(self, name: str, values: Mapping[str, int]) -> None:
        """Set a metric that has a value for each status."""
        self._values[name] = dict(values)

    def text(self) -> str:
        """Return what the file says now."""
        lines = []
        for name, help_text in HELP.items():
            if name in self._values:
                lines += [f"# HELP {PREFIX}{name} {help_text}", f"# TYPE {PREFIX}{name} gauge"]
                lines += [f"{PREFIX}{name}{self._of(name, key)} {_number(n)}" for key, n in self._values[name].items()]
        return "\n".join(lines) + "\n"

    def _of(self, name: str, key: str) -> str:
        own = {"version" if name == "info" else "status": key} if key else {}
        return "{" + ",".join(f'{label}="{_escaped(value)}"' for label, value in (self._labels | own).items()) + "}"

    def write(self) -> None:
        """Replace the file. Raises :class:`LabelingError`."""
        atomic_writes.write_atomically(self._path, [self.text().encode("utf-8", "backslashreplace")], mode=0o644)


def _escaped(value: str) -> str:
    return inert(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def checked_path(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file whose folder exists. Raises :class:`LabelingError`."""
    found = Path(path)
    if not found.parent.is_dir():
        raise LabelingError(f"the folder {found.parent} does not exist", path=found, hint="create it first")
    return found
