"""Verifying in a process of its own: what it is asked, and what is reported of a file that ends it.

No byte of the file is interpreted in the calling process: not by a library, and not by our own readers. What a lost
process did not get to is left out when the file is read again, in a new process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from labeling import errors, files, isolation
from labeling.errors import LabelingError, error_context
from labeling.options.isolation import Limits
from labeling.verification.report import Report
from labeling.verification.transfer import NoReport, unpacked

if TYPE_CHECKING:
    from labeling.marks.credentials import TrustChoice

SECOND_READING = 10.0
"""Seconds at most for the metadata of a file that has used up its time."""

FILE, CREDENTIALS, VISIBLE = "file", "c2pa", "visible"
"""The stages of verification, as a child names them: container and metadata, content credentials, pixels."""

_PARTS = {CREDENTIALS: "the content credentials were not checked", VISIBLE: "the pixels were not looked at"}
_TARGET = "labeling.verification.isolated_child:serve"


def limits_of(isolate: bool | Limits, timeout: float | None) -> Limits:
    """Return the limits that the parameters of :func:`labeling.verify` mean. Raises :class:`LabelingError`."""
    if not isinstance(isolate, bool | Limits):
        raise LabelingError(f"`isolate` must be true, false or Limits, not {isolate!r}")
    limits = isolate if isinstance(isolate, Limits) else Limits()
    return limits if timeout is None else replace(limits, timeout=timeout)


def verify(
    source: files.Source,
    profiles: Sequence[str],
    limits: Limits,
    unreadable: Callable[[str, str], Report],
    *,
    trust: TrustChoice,
    pinned: Sequence[bytes],
    visible: bool,
    as_of: date | None,
    **options: Any,
) -> Report:
    """Verify a file in a process of its own.

    Args:
        source: A path, a file's bytes or a binary file object.
        profiles: Names of profiles, or paths.
        limits: What it may take.
        unreadable: Makes the report on a file of which nothing could be read, from its name and the reason.
        trust: As in :func:`labeling.verify`.
        pinned: As in :func:`labeling.verify`.
        visible: As in :func:`labeling.verify`.
        as_of: As in :func:`labeling.verify`.
        **options: Other parameters of :func:`labeling.verify`, as they are.

    Raises:
        LabelingError: As :func:`labeling.verify`; or there are no isolated processes here.
    """
    isolation.check_supported()
    payload: bytes | None = None
    if isinstance(source, str | os.PathLike):
        name = os.fspath(source)
        path = os.path.abspath(name)  # noqa: PTH100 - a link stays a link
    else:
        name, payload = files.load(source)
        path = None
    request: dict[str, Any] = {
        "path": path,
        "profiles": [os.path.abspath(each) if each.endswith(".toml") else each for each in profiles],  # noqa: PTH100
        "trust": _trust(trust),
        "pinned": [bytes(key).hex() for key in pinned],
        "visible": visible,
        "as_of": as_of and as_of.isoformat(),
        "options": options,
    }
    left_out: dict[str, str] = {}
    spent = False
    while True:
        stage = FILE

        def note(message: Mapping[str, Any]) -> None:
            nonlocal stage
            if message.get("stage") in (FILE, *_PARTS):
                stage = message["stage"]

        seconds = min(limits.timeout, SECOND_READING) if spent else limits.timeout
        asked = {**request, "left_out": left_out, "cpu_time": limits.cpu_time}
        try:
            answer = pool().ask(asked, payload, timeout=seconds, memory=limits.memory, on_note=note)
            return _report(answer, name, path)
        except isolation.Lost as lost:
            reason, spent = lost.reason, lost.spent
        except NoReport:
            reason, spent = "its process sent what is no report", False
        if stage == FILE or stage in left_out:
            return unreadable(name, f"it could not be read within its limits: {reason}")
        left_out[stage] = f"{_PARTS[stage]}: {reason}"


def _report(answer: Mapping[str, Any], name: str, path: str | None) -> Report:
    if (error := answer.get("error")) is not None:
        with error_context(name, replacing=path):
            raise _error(error)
    return replace(unpacked(answer["report"] if isinstance(answer.get("report"), dict) else {}), path=name)


def _error(value: object) -> LabelingError:
    """Return an error of ours that was raised in a child. Raises :class:`NoReport`."""
    if not isinstance(value, list) or len(value) != 4:
        raise NoReport("no error")
    kind, message, path, hint = value
    found = getattr(errors, kind, None) if isinstance(kind, str) else None
    if not (isinstance(found, type) and issubclass(found, LabelingError)):
        found = LabelingError  # of a kind that only its module knows
    if not isinstance(message, str) or not all(each is None or isinstance(each, str) for each in (path, hint)):
        raise NoReport("no error")
    return found(message, path=path, hint=hint)


def _trust(trust: TrustChoice) -> str | list[list[Any]]:
    """Return whom to trust as JSON: the child has the lists that come with the package itself."""
    if trust is None or isinstance(trust, str):
        return trust or "none"
    from labeling.marks.credentials import shipped

    if trust == shipped():
        return "shipped"
    return [[each.name, each.kind, each.pem.decode("latin-1"), each.date, each.ages] for each in trust.all_lists()]


@cache
def pool() -> isolation.Pool:
    """Return the children of this process; they are started when they are needed."""
    return isolation.Pool(_TARGET)
