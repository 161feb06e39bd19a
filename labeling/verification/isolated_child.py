"""What a child process does: verify a file, and say at each stage which one it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Any

from labeling.errors import LabelingError
from labeling.gates import OutOfMemory
from labeling.marks.credentials import Trust, TrustChoice, TrustList
from labeling.rules import profiles as profiles_named
from labeling.verification.transfer import packed
from labeling.verification.verifier import examine

Message = dict[str, Any]


def serve(request: Message, payload: bytes | None, note: Callable[[Message], None]) -> Message:
    """Answer a request of :mod:`labeling.verification.isolated`: the report, or an error of ours."""
    try:
        asked = request["trust"]
        trust: TrustChoice = asked if isinstance(asked, str) else _trust(*(tuple(each) for each in asked))  # type: ignore[assignment]
        report = examine(
            payload if payload is not None else request["path"],
            profiles_named(request["profiles"]),
            trust=trust,
            pinned=[bytes.fromhex(key) for key in request["pinned"]],
            visible=request["visible"],
            as_of=date.fromisoformat(request["as_of"]) if request["as_of"] else None,
            left_out=request["left_out"],
            begins=lambda stage: note({"stage": stage}),
            **request["options"],
        )
    except OutOfMemory:
        raise MemoryError from None  # of this process, which is replaced
    except LabelingError as error:
        return {"error": [type(error).__name__, error.message, error.path, error.hint]}
    return {"report": packed(report)}


@lru_cache(4)
def _trust(*lists: tuple[str, str, str, str, bool]) -> Trust:
    return Trust(
        lists=tuple(TrustList(name, kind, pem.encode("latin-1"), day, ages) for name, kind, pem, day, ages in lists)
    )
