"""The options of a run. Each is declared here, with its default, its check, and the help of the command line."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from labeling.batch.pace import files_per_second
from labeling.batch.selection import Shard, check_since
from labeling.errors import LabelingError
from labeling.options.declare import options_of
from labeling.options.isolation import Limits

Engine = Literal["local", "ray", "inline"]
"""Who does the work: processes of this machine, actors on a Ray cluster, or this process itself."""

Language = Literal["en", "zh"]
"""The languages of the report."""

Depth = Literal["size", "sha256"]
"""What of an output is compared with what was written: that it is there with its size, or its contents as well."""

Prune = Literal["list", "remove"]
"""What is done with outputs whose sources are gone."""

ENGINES: tuple[Engine, ...] = get_args(Engine)
LANGUAGES: tuple[Language, ...] = get_args(Language)
DEPTHS: tuple[Depth, ...] = get_args(Depth)
PRUNES: tuple[Prune, ...] = get_args(Prune)

DEFAULT_TIMEOUT = 3600.0
"""Seconds that a file may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a run goes about its files; :func:`labeling.batch.run` documents each option.

    Raises:
        LabelingError: A value that an option cannot have. The message names the option.
    """

    in_place: bool = field(default=False, metadata={"help": "Replace the files themselves; there is no target then."})
    include: Sequence[str] = field(default=(), metadata={"help": "Only these files: *.jpg, or photos/* with a path."})
    exclude: Sequence[str] = field(default=(), metadata={"help": "None of these files."})
    overwrite: bool = field(
        default=False, metadata={"help": "Replace outputs that exist already and were not made by this run."}
    )
    retry_failed: bool = field(
        default=False, metadata={"help": "Try again what failed, was refused or set aside before."}
    )
    max_errors: int | None = field(
        default=None, metadata={"help": "End the run when N files have failed, were refused or were set aside."}
    )
    checksum: bool = field(
        default=False, metadata={"help": "Read every file to see what has changed, whatever its size and date."}
    )
    restart: bool = field(
        default=False, metadata={"help": "Do all of it again with these options; what has a content id keeps it."}
    )
    limit: int | None = field(
        default=None,
        metadata={
            "help": "Process at most so many files now; the next run takes those after them. Done ones do not count."
        },
    )
    shard: str | None = field(
        default=None,
        metadata={
            "help": "Take one of so many parts of SRC, by a hash of each path: 3/16. Run the others anywhere, at once."
        },
    )
    since: str | datetime | timedelta | None = field(
        default=None,
        metadata={
            "help": "Only files that were changed or came since then: last (the start of the last complete session), "
            "2026-11-30, 36h, 7d. The others are not looked at, even if they failed."
        },
    )
    rate: str | float | None = field(
        default=None, metadata={"help": "Begin at most so many files in a time: 20/s, 300/min, 5000/h."}
    )
    check_outputs: Depth | None = field(
        default=None,
        metadata={"help": "Make outputs again that are gone or have another size; with sha256, other contents."},
    )
    prune_orphans: Prune | None = field(
        default=None,
        metadata={"help": "List outputs of this run whose sources are gone (orphans.jsonl), or remove them as well."},
    )
    no_fingerprints: bool = field(
        default=False,
        metadata={
            "help": "Record no fingerprints in the ledger, for which every picture is decoded: ledger find then knows "
            "files by their bytes and content ids only."
        },
    )
    allow_empty: bool = field(
        default=False, metadata={"help": "A source without files, or without all that were there before, is no error."}
    )
    workers: int | None = field(
        default=None, metadata={"help": "Number of processes (default: by processors and memory)."}
    )
    engine: Engine = field(default="local", metadata={"help": "Who does the work."})
    ray_address: str | None = field(default=None, metadata={"help": "The Ray cluster; default: one on this machine."})
    timeout: float | None = field(default=DEFAULT_TIMEOUT, metadata={"help": f"{options_of(Limits)['timeout'].help}."})
    state: str | os.PathLike[str] | None = field(
        default=None, metadata={"help": "Folder of journal and report (default: in the target)."}
    )
    storage_options: dict[str, Any] | None = field(
        default=None,
        metadata={"help": "Options of fsspec for source and target. For secrets, better use the environment."},
    )
    metrics_file: str | os.PathLike[str] | None = field(
        default=None, metadata={"help": "Keep metrics in this file, as Prometheus' node_exporter reads it: NAME.prom."}
    )
    language: Language = field(default="en", metadata={"help": "Language of report.html."})

    def __post_init__(self) -> None:
        for name in ("include", "exclude"):
            if isinstance(getattr(self, name), str | bytes):
                raise LabelingError(f"`{name}` must be a sequence of globs, not one text")
        for name in ("workers", "max_errors", "limit"):
            number = getattr(self, name)
            if number is not None and (not _is_int(number) or number < 1):
                raise LabelingError(f"`{name}` must be a number of at least 1, not {number!r}")
        if self.shard is not None:
            Shard.parse(self.shard)
        check_since(self.since)
        if self.rate is not None:
            files_per_second(self.rate)
        if self.timeout is not None and not _is_positive(self.timeout):
            raise LabelingError(f"`timeout` must be a number of seconds above 0, or None, not {self.timeout!r}")
        _check_choice("engine", self.engine, ENGINES)
        _check_choice("language", self.language, LANGUAGES)
        if self.check_outputs is not None:
            _check_choice("check_outputs", self.check_outputs, DEPTHS)
        if self.prune_orphans is not None:
            _check_choice("prune_orphans", self.prune_orphans, PRUNES)
        if self.storage_options is not None and not isinstance(self.storage_options, dict):
            raise LabelingError("`storage_options` must be a dict, such as {'endpoint_url': 'http://…'}")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value) and value > 0


def _check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        raise LabelingError(f"`{name}` must be one of {', '.join(choices)}, not {value!r}")
