"""The settings that c2pa works under here: offline, no thumbnails, nothing added that was not asked for.

A native context must not cross a fork (its locks may be held by threads that the child lacks), so that each process
makes its own; within a process one context serves all threads.
"""

from __future__ import annotations

import json
import os
import threading
from typing import Any

_lock = threading.Lock()
_made: dict[tuple[int, str], Any] = {}

_MAX_KEPT = 16  # contexts; trust lists come from callers, so that their number is not ours to bound

# Offline: a file under judgement must not be able to make us call anybody.
_OFFLINE = {"remote_manifest_fetch": False, "ocsp_fetch": False}


def context(settings: dict[str, Any]) -> Any:
    """The ``c2pa.Context`` for these settings, made once in each process."""
    key = (os.getpid(), json.dumps(settings, sort_keys=True))
    with _lock:
        if key not in _made:
            import c2pa

            if len(_made) >= _MAX_KEPT:
                _made.clear()
            _made[key] = c2pa.Context.from_json(key[1])
        return _made[key]


def for_signing() -> Any:
    """For a builder. It does not verify what it signs: the caller reads the result back (:func:`for_reading_back`)."""
    manual = {"enabled": False}
    actions = {"auto_created_action": manual, "auto_opened_action": manual, "auto_placed_action": manual}
    return context(
        {
            "version": 1,
            "verify": {**_OFFLINE, "verify_after_sign": False},
            "builder": {"thumbnail": {"enabled": False}, "actions": actions},
        }
    )


def for_reading_back() -> Any:
    """For a reader of what we have just signed: integrity only, since whom to trust is the reader's business."""
    return context({"version": 1, "verify": {**_OFFLINE, "verify_trust": False, "verify_timestamp_trust": False}})


def for_judging(trust: dict[str, Any] | None, *, stamps: bool) -> Any:
    """For a reader of anybody's file. ``stamps``: a time stamp only counts if its authority is trusted."""
    verify = {**_OFFLINE, "verify_trust": True, "verify_timestamp_trust": stamps}
    return context({"version": 1, "verify": verify, **({"trust": trust} if trust else {})})
