"""Values of ``aigc-label batch`` that are more than a text or a number: the ledger, JSON, standard input."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import IO, TYPE_CHECKING, Any

from labeling.batch.options import DEPTHS
from labeling.errors import LabelingError

from . import _options
from ._batch_modes import flag_of

if TYPE_CHECKING:
    from labeling.ledger import Ledger


def open_ledger(ledger: str | None, options: dict[str, Any]) -> AbstractContextManager[Ledger | None]:
    """Open the ledger that labels are recorded in, if one is named. Raises :class:`LabelingError`."""
    where = named_ledger(ledger, options)
    if not where:
        return nullcontext()
    from labeling.ledger import READY_WITHIN, Ledger

    return Ledger.open(where, wait=READY_WITHIN)


def named_ledger(ledger: str | None, options: dict[str, Any]) -> str | None:
    """Return the ledger that labels are recorded in, if one is named. Raises :class:`LabelingError`."""
    if options["verifying"]:
        return None
    # A conversion takes nothing from the configuration file, not even the ledger.
    return ledger if options["converting"] else _options.configured_ledger(ledger, options["config"])


def json_object(text: str | None) -> dict[str, Any] | None:
    """Return what ``--storage-options`` says. Raises :class:`LabelingError`."""
    if not text:
        return None
    try:
        values = json.loads(text)
    except ValueError as error:
        raise LabelingError(f"--storage-options is not JSON ({error})") from error
    if not isinstance(values, dict):
        raise LabelingError('--storage-options must be an object, such as {"endpoint_url": "http://…"}')
    return values


def standard_input() -> IO[str]:
    """Return standard input as a file list is read: names that are not UTF-8 stay what they are."""
    stream: Any = sys.stdin
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    opened: IO[str] = stream
    return opened


def explicit_depth(arguments: Sequence[str]) -> list[str]:
    """Return a command line in which ``--check-outputs`` takes nothing for its value that cannot be it, such as SRC."""
    flag = flag_of("check_outputs")
    return [
        f"{flag}={DEPTHS[0]}" if argument == flag and following not in DEPTHS else argument
        for argument, following in pairwise([*arguments, ""])
    ]
