"""Values of ``aigc-label batch`` that are more than a text or a number: the ledger, JSON, standard input."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import IO, TYPE_CHECKING, Any

import click

from labeling.batch.options import DEPTHS
from labeling.errors import LabelingError

from . import _options
from ._batch_modes import flag_of

if TYPE_CHECKING:
    from labeling.ledger import Ledger


_EMPTY = "it is empty; name a place, or leave the option out"


class Place(click.Path):
    """A path or URL. It is not empty, as the unset variable of a script is: without the option, a run does more."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path. Fails if it is empty."""
        return super().convert(value, param, ctx) if value else self.fail(_EMPTY, param, ctx)


def open_ledger(ledger: str | None, options: dict[str, Any]) -> AbstractContextManager[Ledger | None]:
    """Open the ledger that labels are recorded in, if one is named. Raises :class:`LabelingError`."""
    where = named_ledger(ledger, options)
    if not where:
        return nullcontext()
    from labeling.ledger import READY_WITHIN, Ledger

    return Ledger.open(where, wait=READY_WITHIN)


def named_ledger(ledger: str | None, options: dict[str, Any]) -> str | None:
    """Return the ledger that labels are recorded in, if one is named. Raises :class:`LabelingError`."""
    if ledger == "":
        raise LabelingError(f"--ledger: {_EMPTY}")
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
