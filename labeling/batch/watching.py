"""What others are told of a session while it runs: events for a log, and a file of metrics."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from labeling._version import __version__
from labeling.batch.metrics import MetricsFile, checked_path
from labeling.batch.session import Progress
from labeling.batch.summary import STATUSES
from labeling.batch.task import SUCCESSFUL, Outcome
from labeling.errors import LabelingError
from labeling.inert import without_secrets

LOG_INTERVAL, METRICS_INTERVAL = 10.0, 15.0
"""Seconds between two events of progress, and between two versions of the metrics."""

Log = Callable[[dict[str, Any]], None]
Place = str | os.PathLike[str]


def of_run(
    log: Log | None,
    metrics_file: str | os.PathLike[str] | None,
    *,
    mode: str,
    source: Place,
    target: Place | None,
    shard: str,
) -> Watch:
    """Return what tells others of a run.

    Args:
        log: Is called with each event.
        metrics_file: The path of the metrics.
        mode: What the run does.
        source: Its source, as the user has written it.
        target: Its target.
        shard: Which part of the source it takes; empty for all of it.

    Raises:
        LabelingError: Something else is at the path.
    """
    if metrics_file is None:
        return Watch(log, None)
    names = {"source": source, "target": target if target is not None else source}
    labels = {name: without_secrets(os.fsdecode(each)) for name, each in names.items()}
    return Watch(log, MetricsFile(checked_path(metrics_file), {"mode": mode, **labels, "shard": shard}))


class Watch:
    """Tells a log and a file of metrics of one session, which it is a context for: its error is told at the end.

    Args:
        log: Is called with each event: ``start``, ``progress`` every ten seconds, ``failed`` for each file that is not
            as it should be, and ``end``.
        metrics: The file.

    Attributes:
        statuses: How many files the session has finished, by what became of them.
        summary: The run's summary, once there is one.
        last_complete: When the last session began that saw all files.
    """

    def __init__(self, log: Log | None, metrics: MetricsFile | None) -> None:
        self._log, self._metrics = log, metrics
        self.statuses: Counter[str] = Counter()
        self.summary: Mapping[str, Any] = {}
        self.last_complete: datetime | None = None
        self._progress = Progress()
        self._next_event = self._next_metrics = 0.0

    def __enter__(self) -> Watch:
        if self._metrics is not None:
            now = datetime.now(UTC).timestamp()
            self._metrics.set(running=1, start_time_seconds=now, end_time_seconds=None, exit_code=None)
            self._note_progress()
            self._metrics.write()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            code = error.exit_code if isinstance(error, LabelingError) else 2 if isinstance(error, Exception) else 130
            with suppress(LabelingError):  # what is raised already says more
                self.end(code, error)

    @property
    def idle(self) -> bool:
        """Whether nobody is told."""
        return self._log is None and self._metrics is None

    def begin(self, **facts: Any) -> None:
        """Tell that the session begins to work on files."""
        self._tell("start", version=__version__, **facts)
        self._next_event = time.monotonic() + LOG_INTERVAL

    def finished(self, outcomes: Sequence[Outcome]) -> None:
        """Tell what became of files."""
        self.statuses.update(str(each.status) for each in outcomes if not each.unchanged)
        if self._log is not None:
            for each in outcomes:
                if each.status not in SUCCESSFUL:
                    error = json.loads(each.line).get("error") or {}
                    self._tell(
                        "failed", path=each.path, status=str(each.status), kind=error.get("kind", ""),
                        message=error.get("message", ""),
                    )  # fmt: skip

    def progressed(self, progress: Progress) -> None:
        """Tell how far the session is, if it is time."""
        now, self._progress = time.monotonic(), progress
        if self._log is not None and now >= self._next_event:
            self._next_event = now + LOG_INTERVAL
            self._tell("progress", **_amounts(progress), total=progress.total, stopping=progress.stopping)
        if self._metrics is not None and now >= self._next_metrics:
            self._note_progress()
            with suppress(LabelingError):  # no reason to end a run: the next time it may work
                self._metrics.write()

    def end(self, exit_code: int, error: BaseException | None = None) -> None:
        """Tell that the session has ended.

        Args:
            exit_code: What the command will exit with.
            error: Why it ended early.

        Raises:
            LabelingError: The metrics cannot be written.
        """
        told = {key: self.summary[key] for key in ("interrupted", "limited", "stopped") if self.summary.get(key)}
        if error is not None:
            told["error"] = str(error) or type(error).__name__
        self._tell("end", exit_code=exit_code, statuses=dict(self.statuses), **_amounts(self._progress), **told)
        if self._metrics is None:
            return
        self._note_progress()
        if self.last_complete is not None:
            self._metrics.set(complete_start_time_seconds=self.last_complete.timestamp())
        if "statuses" in self.summary:
            self._metrics.set_by_status("files", self.summary["statuses"])
        self._metrics.set(
            running=0, end_time_seconds=datetime.now(UTC).timestamp(), exit_code=exit_code,
            limited=int("limited" in told),
        )  # fmt: skip
        self._metrics.write()

    def _note_progress(self) -> None:
        assert self._metrics is not None
        self._next_metrics, progress = time.monotonic() + METRICS_INTERVAL, self._progress
        self._metrics.set_by_status("session_files", {name: self.statuses[name] for name in STATUSES})
        self._metrics.set(
            session_bytes=progress.size, session_seconds=round(progress.seconds, 3), earlier_files=progress.before,
            listed_files=progress.total,
        )  # fmt: skip

    def _tell(self, event: str, **facts: Any) -> None:
        if self._log is not None:
            self._log({"event": event, "time": _now()} | {key: each for key, each in facts.items() if each is not None})


def _amounts(progress: Progress) -> dict[str, Any]:
    seconds = progress.seconds
    return {
        "done": progress.done,
        "before": progress.before,
        "errors": progress.errors,
        "bytes": progress.size,
        "seconds": round(seconds, 3),
        "files_per_second": round(progress.done / seconds, 3) if seconds > 0 else None,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
