"""The summary of a batch run: reads the lines of ``results.jsonl`` one after the other and keeps only their sums.

:class:`Summary` needs the same memory for ten files as for ten million. It becomes a plain dict that
:func:`labeling.reports.batch_page.to_html` and the command line show. As JSON its form is stable: others may parse it.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from labeling import inert
from labeling.batch._bounded import Counts, Histogram, Timeline
from labeling.batch.cause_messages import PLACEHOLDER, join_message, split_message, without_paths
from labeling.batch.task import FOUND, Mode
from labeling.batch.verdict_causes import verdict_cause

VERSION = 1
"""Version of the summary's form. Under the same number, keys may be added, and none changes its meaning."""

STATUSES = ("labelled", "converted", "verified", "classified", "skipped", "refused", "unsupported", "failed", "poison")
"""What became of a file, from good to bad."""

VERDICTS = ("compliant", "inconclusive", "noncompliant")
ORIGINS = ("confirmed", "possible", "suspected", "none")
SLOWEST = 10

_GOOD = frozenset({"labelled", "converted", "verified", "classified", "skipped"})
_FILE_ERRORS = frozenset({"UnreadableFile", "UnsupportedFormat", "TooLarge"})
"""Kinds of errors whose cause is the file and not the request (``exit_code`` 3 in :mod:`labeling.errors`)."""

_MAX_CAUSES, _MAX_NAMES = 256, 256
"""Entries of a table of causes, and of any other table of names."""

_MAX_ROWS = 50
"""Rows of each table in the summary."""

_MAX_STATUSES = 32
_MAX_PATH, _MAX_MESSAGE = 4096, 600
_SIZE_DECADES = (0, 15)
_SECONDS_DECADES = (-4, 6)


class Summary:
    """The sums of a run.

    Each file is added once; of a file that was tried again, the last line.

    Args:
        mode: What the run did with the files.
        profiles: The profiles that it was asked for.
    """

    def __init__(self, mode: Mode, profiles: Sequence[str]) -> None:
        self.mode = mode
        self.profiles = tuple(profiles)
        self._statuses: Counts[str] = Counts(_MAX_STATUSES)
        self._verdicts: Counts[tuple[str, str]] = Counts(_MAX_NAMES)
        self._rules: dict[str, Counts[str]] = {"failed": Counts(_MAX_NAMES), "warnings": Counts(_MAX_NAMES)}
        self._rules_by_profile: dict[str, Counts[tuple[str, str]]] = {
            name: Counts(2 * _MAX_NAMES) for name in self._rules
        }
        self._causes: Counts[tuple[str, str, str]] = Counts(_MAX_CAUSES)
        self._specifics: dict[tuple[str, str, str], list[str]] = {}
        self._origins: Counts[str] = Counts(_MAX_STATUSES)
        self._media_types: Counts[str] = Counts(_MAX_NAMES)
        self._how: Counts[str] = Counts(_MAX_NAMES)
        self._lost: Counts[tuple[str, str]] = Counts(_MAX_NAMES)
        self._moved: Counts[str] = Counts(1)
        self._remade: Counts[str] = Counts(_MAX_STATUSES)
        self._sizes = Histogram(*_SIZE_DECADES)
        self._seconds = Histogram(*_SECONDS_DECADES)
        self._timeline = Timeline()
        self._slowest: list[tuple[float, int, dict[str, object]]] = []
        self._worst = dict.fromkeys(VERDICTS, 0)
        self._sums: Counter[str] = Counter()

    def add(self, line: Mapping[str, Any], *, earlier: bool = False) -> None:
        """Add one line of the results.

        Args:
            line: The line, parsed. It may be damaged: what is not as it should be is left out.
            earlier: An earlier session wrote it. It counts as a file, but not for the throughput of this session.
        """
        path, status = _text(line.get("path"), _MAX_PATH), _text(line.get("status"))
        self._sums["total"] += 1
        self._statuses.add(status)
        self._sums["retried"] += (_number(line.get("attempts")) or 0) > 1
        size, written = _number(line.get("size")), _number(line.get("output_size"))
        self._sums["in"] += int(size or 0)
        self._sums["out"] += int(written or 0)
        if size is not None:
            self._sizes.add(size)
        if media_type := _text(line.get("media_type")):
            self._media_types.add(media_type)
        for how in _list(line.get("how")):
            self._how.add(_text(how))
        self._add_lost(line.get("lost"), path)
        if origin := _text(line.get("origin")):
            self._origins.add(origin)
        self._add_verdicts(line.get("verdicts"), path)
        if status not in _GOOD or line.get("error"):
            self._add_cause(line, status, path)
        elif self.mode == "verify" and (cause := verdict_cause(line)) is not None:
            outcome, rule, message = cause
            self._count_cause((outcome, _text(rule)), _text(message, _MAX_MESSAGE), path, [path])
        self._add_time(line, path, int(size or 0))
        if not earlier:
            self._add_throughput(line, int(size or 0))
            if why := _text(line.get("remade")):
                self._remade.add(why, path)
            self._sums["found"] += any(_text(how).startswith(FOUND) for how in _list(line.get("how")))
            if line.get("moved_from"):
                self._moved.add("", path)

    def _add_lost(self, losses: object, path: str) -> None:
        """Count what the labelled copy of a file does not hold; a thing that is lost twice in a file counts once."""
        found = {(_text(_mapping(loss).get("what")), _text(_mapping(loss).get("why"))) for loss in _list(losses)}
        self._sums["with losses"] += bool(found)
        for loss in sorted(found):
            self._lost.add(loss, path)

    def _add_verdicts(self, verdicts: object, path: str) -> None:
        if not verdicts:
            return
        found: dict[str, set[str]] = {"failed": set(), "warnings": set()}
        outcomes: set[str] = set()
        for profile, verdict in _mapping(verdicts).items():
            name, verdict = _text(profile), _mapping(verdict)
            outcome = _text(verdict.get("verdict"))
            self._verdicts.add((name, outcome))
            outcomes.add(outcome)
            for group, rules in found.items():
                for item in _list(verdict.get(group)):
                    rule = _text(item.get("rule") if isinstance(item, dict) else item)
                    rules.add(rule)
                    self._rules_by_profile[group].add((rule, name))
        if outcomes:
            self._worst[next((name for name in reversed(VERDICTS) if name in outcomes), "inconclusive")] += 1
        # A file that breaks a rule under two profiles counts as one file.
        for group, rules in found.items():
            for rule in rules - found["failed"] if group == "warnings" else rules:
                self._rules[group].add(rule, path)

    def _add_cause(self, line: Mapping[str, Any], status: str, path: str) -> None:
        error = _mapping(line.get("error"))
        kind = _text(error.get("kind"))
        if status not in _GOOD:
            self._sums["errors"] += 1
            self._sums["request errors"] += status == "poison" or (status != "unsupported" and kind not in _FILE_ERRORS)
        message = _text(error.get("message"), _MAX_MESSAGE)
        names = [_text(line.get(name), _MAX_PATH) for name in ("path", "output", "content_id")]
        names += [_text(name, _MAX_PATH) for name in _list(error.get("names"))]
        self._count_cause((status, kind), message, path, names)

    def _count_cause(self, what: tuple[str, str], message: str, path: str, names: Sequence[str]) -> None:
        form, specifics = split_message(without_paths(message, names))
        key = (*what, form)
        if self._causes.add(key, path).count == 1:
            self._specifics[key] = specifics
            if len(self._specifics) > 2 * _MAX_CAUSES:  # some belong to causes that were folded
                self._specifics = {k: v for k, v in self._specifics.items() if self._causes[k]}
        else:
            known = self._specifics[key]
            for index, value in enumerate(specifics):
                if known[index] != value:
                    known[index] = "…"

    def _add_time(self, line: Mapping[str, Any], path: str, size: int) -> None:
        seconds = _number(line.get("seconds"))
        if not seconds:  # it was not processed
            return
        self._seconds.add(seconds)
        if len(self._slowest) < SLOWEST or seconds > self._slowest[0][0]:
            row: dict[str, object] = {"path": path, "seconds": seconds, "status": _text(line.get("status"))}
            row |= {"size": size, "media_type": _text(line.get("media_type"))}
            # The number keeps dicts from being compared; of equals, the first one stays.
            heapq.heappush(self._slowest, (seconds, -self._sums["total"], row))
            if len(self._slowest) > SLOWEST:
                heapq.heappop(self._slowest)

    def _add_throughput(self, line: Mapping[str, Any], size: int) -> None:
        self._sums["session files"] += 1
        self._sums["session bytes"] += size
        finished = _timestamp(line.get("time"))
        if finished is not None:
            self._timeline.add(finished, size)

    @property
    def exit_code(self) -> int:
        """The exit code of ``aigc-label batch``.

        Labelling or converting: 0 if all files are labelled (converted) or skipped; 2 if a file was refused, could not
        be labelled or converted as asked, or was set aside; 3 if a file could not be read, or is of a kind that cannot
        be labelled or converted, and nothing worse happened. Verifying: 0 if all files comply; 1 if
        a file does not; 3 if a file could not be read or judged, and nothing worse happened.
        """
        if self.mode == "verify":
            if self._worst["noncompliant"]:
                return 1
            return 3 if self._sums["errors"] or self._worst["inconclusive"] else 0
        if self._sums["request errors"]:
            return 2
        return 3 if self._sums["errors"] else 0

    def to_dict(
        self,
        *,
        started: datetime,
        wall: float,
        interrupted: bool,
        workers: int,
        engine: str,
        source: str,
        target: str,
        resumed: int = 0,
    ) -> dict[str, Any]:
        """Return the sums so far, in the form that docs and readers rely on. It may be called at any time.

        Counts are of all lines added, ``throughput`` and ``timeline`` of those that are not ``earlier``.

        Args:
            started: When this session began.
            wall: Its duration in seconds.
            interrupted: Whether it was interrupted.
            workers: Number of workers.
            engine: The engine.
            source: The source's name.
            target: The target's name.
            resumed: Files that this session left alone because an earlier one had done them.

        Returns:
            A dict with these keys:

            - ``version``, ``mode``, ``engine``, ``workers``, ``profiles``, ``source``, ``target``
            - ``started``, ``finished`` (ISO 8601, UTC), ``wall``, ``interrupted``, ``resumed``, ``exit_code``
            - ``total``, ``retried``: files; ``statuses``: status → files, all of :data:`STATUSES`
            - ``bytes``: ``in``, ``out``
            - ``throughput``: ``files``, ``bytes`` of this session; ``files_per_second``, ``megabytes_per_second``
              (10**6 bytes)
            - ``verdicts``: profile → verdict → files; ``worst``: verdict → files, by each file's worst verdict
            - ``origins``: origin → files
            - ``rules``: ``failed`` and ``warnings``, each rows of ``rule``, ``profiles``, ``count``, ``examples``
            - ``causes``: rows of ``status``, ``kind``, ``message`` (``…`` replaces paths, and numbers that differ),
              ``count``, ``examples``; ``other_causes``: files whose cause was too rare for a row. A file that was
              verified and does not comply has its verdict as status, and a rule's id as kind
            - ``media_types``: rows of ``media_type``, ``count``; ``how``: rows of ``how``, ``count``
            - ``lost``: ``files`` of which something was lost; ``things``: rows of ``what``, ``why``, ``count``,
              ``examples``
            - ``remade``: outputs that this session made again: rows of ``why`` (``missing``, ``size``, ``content``),
              ``count``, ``examples``
            - ``found``: outputs that this session has found finished, and has not made again
            - ``moved``: files that this session has found under another name than before: ``files``, ``examples``
            - ``sizes`` (bytes) and ``seconds`` (per file): ``count``, ``total``, ``min``, ``max``, ``p50``, ``p90``,
              ``p99`` (within 2.5 %, None without files) and ``bins``: from, to (exclusive, None: no end), files
            - ``slowest``: up to ten rows of ``path``, ``seconds``, ``status``, ``size``, ``media_type``
            - ``earlier_options``, if files were labelled or converted with other options than those of this session and
              stay so: ``files``, ``options`` that differ
            - ``bytes_only``: true if the source's objects have properties and the target's files have none
            - ``session``: status → files that this session has finished
            - ``since`` with that option: ``moment`` (None: everything was taken), and ``older``, files left out by it
            - with those options: ``shard``, such as ``3/16``; ``limited`` if files are left for another session:
              ``limit``, and ``left``, how many at most (None: not counted); ``unrecorded``: how many outputs of earlier
              sessions the ledger does not have; ``stopped``: the sentence that says why
              the run ended early
            - ``timeline``: ``start``, ``interval`` (s), and for each interval ``files`` and ``bytes`` finished in it
        """
        files, size = self._sums["session files"], self._sums["session bytes"]
        begun = started.astimezone(UTC)
        return {
            "version": VERSION,
            "mode": self.mode,
            "engine": engine,
            "workers": workers,
            "profiles": list(self.profiles),
            "source": source,
            "target": target,
            "started": begun.isoformat(timespec="milliseconds"),
            "finished": (begun + timedelta(seconds=wall)).isoformat(timespec="milliseconds"),
            "wall": round(wall, 3),
            "interrupted": interrupted,
            "resumed": resumed,
            "exit_code": self.exit_code,
            "total": self._sums["total"],
            "retried": self._sums["retried"],
            "statuses": _by_name(self._statuses, STATUSES),
            "bytes": {"in": self._sums["in"], "out": self._sums["out"]},
            "throughput": {
                "files": files,
                "bytes": size,
                "files_per_second": round(files / wall, 3) if wall > 0 else None,
                "megabytes_per_second": round(size / wall / 1e6, 3) if wall > 0 else None,
            },
            "verdicts": self._by_profile(),
            "worst": dict(self._worst),
            "origins": _by_name(self._origins, ORIGINS),
            "rules": {group: self._rows(group) for group in self._rules},
            "causes": self._cause_rows(),
            "other_causes": self._causes.beyond(_MAX_ROWS),
            "media_types": [
                {"media_type": name, "count": row.count} for name, row in self._media_types.most(_MAX_ROWS)
            ],
            "how": [{"how": name, "count": row.count} for name, row in self._how.most(_MAX_ROWS)],
            "lost": {"files": self._sums["with losses"], "things": self._lost_rows()},
            "remade": [
                {"why": why, "count": row.count, "examples": [*row.examples]}
                for why, row in self._remade.most(_MAX_STATUSES)
            ],
            "found": self._sums["found"],
            "moved": {
                "files": sum(row.count for _, row in self._moved.most(1)),
                "examples": [path for _, row in self._moved.most(1) for path in row.examples],
            },
            "sizes": _distribution(self._sizes),
            "seconds": _distribution(self._seconds),
            "slowest": [row for _, _, row in sorted(self._slowest, key=lambda item: (-item[0], -item[1]))],
            "timeline": self._timeline.to_dict(),
        }

    def _by_profile(self) -> dict[str, dict[str, int]]:
        verdicts = {name: dict.fromkeys(VERDICTS, 0) for name in self.profiles}
        for (name, outcome), row in self._verdicts.most(_MAX_NAMES):
            verdicts.setdefault(name, dict.fromkeys(VERDICTS, 0))[outcome] = row.count
        return verdicts

    def _rows(self, group: str) -> list[dict[str, Any]]:
        profiles: dict[str, list[str]] = {}
        for (rule, profile), _ in self._rules_by_profile[group].most(2 * _MAX_NAMES):
            profiles.setdefault(rule, []).append(profile)
        return [
            {"rule": rule, "profiles": sorted(profiles.get(rule, ())), "count": row.count, "examples": [*row.examples]}
            for rule, row in self._rules[group].most(_MAX_ROWS)
        ]

    def _lost_rows(self) -> list[dict[str, Any]]:
        return [
            {"what": what, "why": why, "count": row.count, "examples": [*row.examples]}
            for (what, why), row in self._lost.most(_MAX_ROWS)
        ]

    def _cause_rows(self) -> list[dict[str, Any]]:
        return [
            {
                "status": status,
                "kind": kind,
                "message": join_message(form, self._specifics[status, kind, form]),
                "count": row.count,
                "examples": [*row.examples],
            }
            for (status, kind, form), row in self._causes.most(_MAX_ROWS)
        ]


def to_json(summary: Mapping[str, Any]) -> str:
    """Return the summary as JSON. It is valid UTF-8 even if a file's name is not: the name has escapes ``\\udcXX``."""
    text = inert.to_json(summary, indent=1, allow_nan=False) + "\n"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _by_name(counts: Counts[str], names: Sequence[str]) -> dict[str, int]:
    """Return the counts of ``names`` in their order, then of whatever else was counted."""
    found = dict.fromkeys(names, 0) | {name: row.count for name, row in counts.most(counts.limit)}
    return found | {"others": counts.others} if counts.others else found


def _distribution(histogram: Histogram) -> dict[str, Any]:
    empty = not histogram.count
    return {
        "count": histogram.count,
        "total": histogram.total,
        "min": None if empty else histogram.minimum,
        "max": None if empty else histogram.maximum,
        **{f"p{share}": histogram.quantile(share / 100) for share in (50, 90, 99)},
        "bins": [[low, None if math.isinf(high) else high, number] for low, high, number in histogram.columns()],
    }


def _text(value: object, limit: int = 200) -> str:
    text = value if isinstance(value, str) else "" if value is None else str(value)
    if len(text) <= limit and PLACEHOLDER not in text:
        return text
    text = text.replace(PLACEHOLDER, "\N{REPLACEMENT CHARACTER}")
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _number(value: object) -> float | None:
    """Return a number of bytes, seconds or attempts; ``None`` for anything that cannot be one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value < 1e18 else None


def _mapping(value: object) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _timestamp(value: object) -> float | None:
    try:
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None
