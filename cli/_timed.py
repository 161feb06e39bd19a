"""``add --timeout``: each file is labelled in a child process that can be ended.

A labeler's keys and callbacks cannot be handed to another process, so that it has no such parameter: the child makes
the labeler from the command's options, as the workers of a batch run do. It reads one's own files, so it keeps network
and files. What it says comes back as JSON all the same.
"""

from __future__ import annotations

import base64
import pickle
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeling import errors, isolation, temporary
from labeling.errors import LabelingError
from labeling.label import Label, Origin
from labeling.losses import Loss
from labeling.pipelines.output import LabeledFile, default_target
from labeling.verification.transfer import NoReport, packed, unpacked

if TYPE_CHECKING:
    from labeling.labeler import Labeler

Message = dict[str, Any]
Progress = Callable[[float, float], None]

_TARGET = "labeling.cli._timed:serve"


class TimedLabeler:
    """Labels files in a child process.

    Args:
        options: The command's options, from which the child makes its labeler.
        timeout: Seconds for one file.
        pool: Where the child comes from.
    """

    def __init__(self, options: dict[str, Any], timeout: float, pool: isolation.Pool) -> None:
        self._options = base64.b64encode(pickle.dumps(_absolute(options))).decode("ascii")
        self._timeout, self._pool = timeout, pool

    def label_file(
        self, source: Path, target: Path | None, *, progress: Progress | None, **arguments: Any
    ) -> LabeledFile:
        """Label a file as :meth:`labeling.Labeler.label_file` does; the output appears whole or not at all.

        Raises:
            LabelingError: As there; or it took too long, or the child crashed.
        """
        target = target if target is not None or arguments["in_place"] else default_target(source)
        request = {
            "options": self._options,
            "source": str(source.absolute()),
            "target": None if target is None else str(target.absolute()),
            "arguments": arguments,
        }

        def note(message: Message) -> None:
            match message.get("progress"):
                case [int() | float() as done, int() | float() as total] if progress is not None:
                    progress(done, total)

        try:
            answer = self._pool.ask(request, timeout=self._timeout, on_note=note)
            return _file(answer, source, source if target is None else target)
        except isolation.Lost as lost:
            raise LabelingError(f"was not labelled: {lost.reason}", path=source) from None
        except (NoReport, KeyError, TypeError, ValueError) as error:
            raise LabelingError("was not labelled: its process sent what is no result", path=source) from error
        finally:
            # A file that a living process writes is locked, and stays.
            temporary.sweep((target or source).resolve().parent)


@contextmanager
def timed_labeler(options: dict[str, Any], timeout: float) -> Iterator[TimedLabeler]:
    """Yield a labeler whose child and temporary files are gone at the end. Raises :class:`LabelingError`."""
    isolation.check_supported()
    with tempfile.TemporaryDirectory(prefix="aigc-", ignore_cleanup_errors=True) as folder:
        pool = isolation.Pool(_TARGET, confined=False, size=1, environment={"TMPDIR": folder})
        try:
            yield TimedLabeler(options, timeout, pool)
        finally:
            pool.close()


def _absolute(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with whole paths: a child has another working directory."""
    from labeling.config import chosen

    found = {name: value.absolute() if isinstance(value, Path) else value for name, value in options.items()}
    if found["config"] is None and (configured := chosen(None)):
        found["config"] = configured.path.absolute()
    return found


def _file(answer: Message, source: Path, path: Path) -> LabeledFile:
    if (error := answer.get("error")) is not None:
        kind, message, where, hint = error
        found = getattr(errors, str(kind), LabelingError)
        shown = {str(source.absolute()): str(source), str(path.absolute()): str(path)}.get(where, where)
        raise (found if isinstance(found, type) and issubclass(found, LabelingError) else LabelingError)(
            message, path=shown, hint=hint
        )
    values = answer["label"]
    created = values["created"] and datetime.fromisoformat(values["created"])
    label = Label(**{**values, "origin": Origin(values["origin"]), "created": created})
    how, lost = tuple(map(str, answer["how"])), tuple(Loss(*map(str, each)) for each in answer["lost"])
    written = path if answer["path"] == str(path.absolute()) else Path(answer["path"])
    return LabeledFile(
        source, written, label, how, unpacked(answer["report"]), int(answer["size"]), bool(answer["dry_run"]), lost
    )


def serve(request: Message, payload: bytes | None, note: Callable[[Message], None]) -> Message:
    """Label a file, in the child."""
    try:
        done = _labeler(request["options"]).label_file(
            request["source"],
            request["target"],
            progress=lambda seconds, total: note({"progress": [seconds, total]}),
            **request["arguments"],
        )
    except LabelingError as error:
        return {"error": [type(error).__name__, error.message, error.path, error.hint]}
    label = {field.name: getattr(done.label, field.name) for field in fields(done.label)}
    created = done.label.created and done.label.created.isoformat()
    return {
        "path": str(done.path),
        "label": {**label, "origin": str(done.label.origin), "created": created},
        "how": list(done.how),
        "report": packed(done.report),
        "size": done.size,
        "dry_run": done.dry_run,
        "lost": [[loss.what, loss.where, loss.why] for loss in done.lost],
    }


@lru_cache(1)
def _labeler(options: str) -> Labeler:
    from . import _options

    return _options.labeler(pickle.loads(base64.b64decode(options)))  # noqa: S301 - the parent's own
