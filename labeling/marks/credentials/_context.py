"""The settings that c2pa works under here: offline, without thumbnails, and adding nothing that was not asked for.

All name the purposes of certificates that the specification allows: c2pa-rs alone allows one of them.

A native context must not cross a fork, since its locks may be held by threads that the child lacks. So each process
makes its own; within a process one context serves all threads.
"""

from __future__ import annotations

import json
import os
import threading
from typing import Any

from labeling.marks.credentials import library
from labeling.marks.credentials.trusted import asked

_lock = threading.Lock()
_made: dict[tuple[int, str], Any] = {}

_MAX_KEPT = 16  # contexts; trust lists come from callers, who may bring any number of them

# Offline: a file must not be able to make its verifier open a connection.
_OFFLINE = {"remote_manifest_fetch": False, "ocsp_fetch": False}


def context(settings: dict[str, Any]) -> Any:
    """Return the ``c2pa.Context`` for these settings, made once in each process."""
    key = (os.getpid(), json.dumps(settings, sort_keys=True))
    with _lock:
        if key not in _made:
            c2pa = library.load()

            if len(_made) >= _MAX_KEPT:
                _made.clear()
            _made[key] = c2pa.Context.from_json(key[1])
        return _made[key]


def for_signing() -> Any:
    """Return the context for a builder. It does not verify what it signs: the caller reads the result back."""
    manual = {"enabled": False}
    actions = {"auto_created_action": manual, "auto_opened_action": manual, "auto_placed_action": manual}
    return context(
        {
            "version": 1,
            "verify": {**_OFFLINE, "verify_after_sign": False},
            "trust": asked(None).settings(),
            "builder": {"thumbnail": {"enabled": False}, "actions": actions},
        }
    )


def for_reading_back() -> Any:
    """Return the context for a reader of what we have just signed: it checks integrity and not trust."""
    verify = {**_OFFLINE, "verify_trust": False, "verify_timestamp_trust": False}
    return context({"version": 1, "verify": verify, "trust": asked(None).settings()})


def for_judging(trust: dict[str, Any], *, stamps: bool) -> Any:
    """Return the context for a reader of any file. ``stamps``: a time stamp counts only if its authority is trusted."""
    verify = {**_OFFLINE, "verify_trust": True, "verify_timestamp_trust": stamps}
    return context({"version": 1, "verify": verify, "trust": trust})
