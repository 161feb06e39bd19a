"""What a batch run came to: reads the lines of ``results.jsonl`` one after the other and keeps only their sums.

:class:`Tally` needs the same memory for ten files and for ten million. Its summary is a plain dict that
:func:`labeling.reports.batch_page.to_html` and the command line draw; as JSON it is stable, others may parse it.
"""

from __future__ import annotations

import heapq
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from labeling.batch._bounded import Counts, Histogram, Timeline

VERSION = 1
"""Of the summary's shape; keys may be added to it, and none changes its meaning, under the same number."""

STATUSES = ("labelled", "verified", "skipped", "refused", "unsupported", "failed", "poison")
"""What became of a file, from well to ill."""

VERDICTS = ("compliant", "inconclusive", "noncompliant")
ORIGINS = ("confirmed", "possible", "suspected", "none")
SLOWEST = 10

_WELL = frozenset({"labelled", "verified", "skipped"})
_FILES_OWN = frozenset({"UnreadableFile", "UnsupportedFormat", "TooLarge"})
"""Kinds of errors that lie in the file and not in what was asked (``exit_code`` 3 in :mod:`labeling.errors`)."""

_CAUSES, _NAMES, _SHOWN = 256, 256, 50
_MAX_PATH, _MAX_MESSAGE = 4096, 600


class Tally:
    """The sums of a run. ``mode`` is label or verify; ``profiles`` are those asked for.

    A file is to be added once: of a file that was tried again, the last line.
    """

    def __init__(self, mode: Literal["label", "verify"], profiles: Sequence[str]) -> None:
        self.mode = mode
        self.profiles = tuple(profiles)
        self._statuses: Counts[str] = Counts(32)
        self._verdicts: Counts[tuple[str, str]] = Counts(_NAMES)
        self._rules: dict[str, Counts[str]] = {"failed": Counts(_NAMES), "warnings": Counts(_NAMES)}
        self._of_profile: dict[str, Counts[tuple[str, str]]] = {name: Counts(2 * _NAMES) for name in self._rules}
        self._causes: Counts[tuple[str, str, str]] = Counts(_CAUSES)
        self._particulars: dict[tuple[str, str, str], list[str]] = {}
        self._origins: Counts[str] = Counts(32)
        self._media_types: Counts[str] = Counts(_NAMES)
        self._how: Counts[str] = Counts(_NAMES)
        self._sizes = Histogram(0, 15)
        self._seconds = Histogram(-4, 6)
        self._timeline = Timeline()
        self._slowest: list[tuple[float, int, dict[str, object]]] = []
        self._worst = dict.fromkeys(VERDICTS, 0)
        self._sums: Counter[str] = Counter()

    def add(self, line: Mapping[str, Any], *, earlier: bool = False) -> None:
        """Add one line of results. ``earlier``: it was written by a run that this one resumes, so that it counts among
        the files but not for this run's throughput."""
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
        for how in _items(line.get("how")):
            self._how.add(_text(how))
        if origin := _text(line.get("origin")):
            self._origins.add(origin)
        self._judged(line.get("verdicts"), path)
        if status not in _WELL or line.get("error"):
            self._failed(line, status, path)
        self._timed(line, path, int(size or 0))
        self._finished(line, int(size or 0), earlier=earlier)

    def _judged(self, verdicts: object, path: str) -> None:
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
                for item in _items(verdict.get(group)):
                    rule = _text(item.get("rule") if isinstance(item, dict) else item)
                    rules.add(rule)
                    self._of_profile[group].add((rule, name))
        if outcomes:
            self._worst[next((name for name in reversed(VERDICTS) if name in outcomes), "inconclusive")] += 1
        # A file that breaks a rule under two profiles is one file.
        for group, rules in found.items():
            for rule in rules - found["failed"] if group == "warnings" else rules:
                self._rules[group].add(rule, path)

    def _failed(self, line: Mapping[str, Any], status: str, path: str) -> None:
        error = _mapping(line.get("error"))
        kind = _text(error.get("kind"))
        if status not in _WELL:
            self._sums["unwell"] += 1
            self._sums["asked"] += status == "poison" or (status != "unsupported" and kind not in _FILES_OWN)
        message = _text(error.get("message"), _MAX_MESSAGE)
        names = [_text(line.get(name), _MAX_PATH) for name in ("path", "output", "content_id")]
        form, particulars = _apart(without_paths(message, names))
        key = (status, kind, form)
        if self._causes.add(key, path).count == 1:
            self._particulars[key] = particulars
            if len(self._particulars) > 2 * _CAUSES:  # of causes that were folded meanwhile
                self._particulars = {k: v for k, v in self._particulars.items() if self._causes[k]}
        else:
            known = self._particulars[key]
            for index, value in enumerate(particulars):
                if known[index] != value:
                    known[index] = "…"

    def _timed(self, line: Mapping[str, Any], path: str, size: int) -> None:
        seconds = _number(line.get("seconds"))
        if not seconds:  # nobody worked on it
            return
        self._seconds.add(seconds)
        if len(self._slowest) < SLOWEST or seconds > self._slowest[0][0]:
            row: dict[str, object] = {"path": path, "seconds": seconds, "status": _text(line.get("status"))}
            row |= {"size": size, "media_type": _text(line.get("media_type"))}
            # The number keeps dicts from being compared; of equals, the first to come stays.
            heapq.heappush(self._slowest, (seconds, -self._sums["total"], row))
            if len(self._slowest) > SLOWEST:
                heapq.heappop(self._slowest)

    def _finished(self, line: Mapping[str, Any], size: int, *, earlier: bool) -> None:
        if earlier:
            return
        self._sums["now"] += 1
        self._sums["now bytes"] += size
        finished = _moment(line.get("time"))
        if finished is not None:
            self._timeline.add(finished, size)

    @property
    def exit_code(self) -> int:
        """What ``aigc-label batch`` exits with.

        Labelling: 0 all is well, links that were skipped included; 2 some file was refused, could not be labelled as
        asked or killed its worker; 3 some file could not be read, and nothing worse. Verifying: 1 some file is not
        compliant; 3 some could not be read or judged, and nothing worse; 0 all comply.
        """
        if self.mode == "verify":
            if self._worst["noncompliant"]:
                return 1
            return 3 if self._sums["unwell"] or self._worst["inconclusive"] else 0
        if self._sums["asked"]:
            return 2
        return 3 if self._sums["unwell"] else 0

    def summary(
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
        """The sums so far, in the shape that docs and readers rely on; it can be asked for at any time.

        ``wall`` is this run's duration in seconds, ``resumed`` how many files it left alone because an earlier run had
        done them. Counts are of all lines added, ``throughput`` and ``timeline`` of those that are not ``earlier``.

        - ``version``, ``mode``, ``engine``, ``workers``, ``profiles``, ``source``, ``target``
        - ``started``, ``finished`` (ISO 8601, UTC), ``wall``, ``interrupted``, ``resumed``, ``exit_code``
        - ``total``, ``retried``: files; ``statuses``: status → files, all of :data:`STATUSES`
        - ``bytes``: ``in``, ``out``
        - ``throughput``: ``files``, ``bytes`` of this run; ``files_per_second``, ``megabytes_per_second`` (10**6 bytes)
        - ``verdicts``: profile → verdict → files; ``worst``: the same by the worst of each file's profiles
        - ``origins``: origin → files
        - ``rules``: ``failed`` and ``warnings``, each rows of ``rule``, ``profiles``, ``count``, ``examples``
        - ``causes``: rows of ``status``, ``kind``, ``message``, ``count``, ``examples``; ``…`` stands in a message
          for a path, and for numbers that differ; ``other_causes``: files whose cause was too rare to be kept apart
        - ``media_types``: rows of ``media_type``, ``count``; ``how``: rows of ``how``, ``count``
        - ``sizes`` (bytes) and ``seconds`` (per file): ``count``, ``total``, ``min``, ``max``, ``p50``, ``p90``,
          ``p99`` (within 2.5 %, None where there is nothing) and ``bins``: from, to (exclusive, None: no end), files
        - ``slowest``: up to ten rows of ``path``, ``seconds``, ``status``, ``size``, ``media_type``
        - ``timeline``: ``start``, ``interval`` (s), and for each interval ``files`` and ``bytes`` finished in it
        """
        files, size = self._sums["now"], self._sums["now bytes"]
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
            "statuses": _named(self._statuses, STATUSES),
            "bytes": {"in": self._sums["in"], "out": self._sums["out"]},
            "throughput": {
                "files": files,
                "bytes": size,
                "files_per_second": round(files / wall, 3) if wall > 0 else None,
                "megabytes_per_second": round(size / wall / 1e6, 3) if wall > 0 else None,
            },
            "verdicts": self._by_profile(),
            "worst": dict(self._worst),
            "origins": _named(self._origins, ORIGINS),
            "rules": {group: self._rows(group) for group in self._rules},
            "causes": self._cause_rows(),
            "other_causes": self._causes.beyond(_SHOWN),
            "media_types": [{"media_type": name, "count": row.count} for name, row in self._media_types.most(_SHOWN)],
            "how": [{"how": name, "count": row.count} for name, row in self._how.most(_SHOWN)],
            "sizes": _spread(self._sizes),
            "seconds": _spread(self._seconds),
            "slowest": [row for _, _, row in sorted(self._slowest, key=lambda item: (-item[0], -item[1]))],
            "timeline": self._timeline.to_dict(),
        }

    def _by_profile(self) -> dict[str, dict[str, int]]:
        verdicts = {name: dict.fromkeys(VERDICTS, 0) for name in self.profiles}
        for (name, outcome), row in self._verdicts.most(_NAMES):
            verdicts.setdefault(name, dict.fromkeys(VERDICTS, 0))[outcome] = row.count
        return verdicts

    def _rows(self, group: str) -> list[dict[str, Any]]:
        profiles: dict[str, list[str]] = {}
        for (rule, profile), _ in self._of_profile[group].most(2 * _NAMES):
            profiles.setdefault(rule, []).append(profile)
        return [
            {"rule": rule, "profiles": sorted(profiles.get(rule, ())), "count": row.count, "examples": [*row.examples]}
            for rule, row in self._rules[group].most(_SHOWN)
        ]

    def _cause_rows(self) -> list[dict[str, Any]]:
        return [
            {
                "status": status,
                "kind": kind,
                "message": _together(form, self._particulars[status, kind, form]),
                "count": row.count,
                "examples": [*row.examples],
            }
            for (status, kind, form), row in self._causes.most(_SHOWN)
        ]


def to_json(summary: Mapping[str, Any]) -> str:
    """The summary as JSON that is valid UTF-8 even where a file's name is not: it has the escape ``\\udcXX``."""
    text = json.dumps(summary, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def without_paths(message: str, names: Sequence[str]) -> str:
    """A message of which the file's own names are taken out, so that a thousand files with one fault have one message.

    Before ``: `` at the beginning the name goes entirely, with the folder or address before it; elsewhere ``…`` takes
    its place.
    """
    for name in sorted(filter(None, {*names, *(name.rpartition("/")[2] for name in names)}), key=len, reverse=True):
        for form in dict.fromkeys((name, name.replace("/", "\\"), repr(name)[1:-1])):
            message = _without(message, form)
    return message


def _without(message: str, name: str) -> str:
    start = 0
    while (at := message.find(name, start)) >= 0:
        end = at + len(name)
        begin = _with_folder(message, at)
        heads = begin == 0 and message.startswith(": ", end)
        if heads:
            message, start = message[end + 2 :], 0
        elif _alone(message, at, end, name):
            message, start = f"{message[:begin]}…{message[end:]}", begin + 1
        else:
            start = at + 1
    return message


def _with_folder(message: str, at: int) -> int:
    """Where a path begins that ends with the name at ``at``: at the message's first character, if that is a root and
    only folders are between, or else at the last blank or quotation mark before it."""
    before = message[:at]
    if not before.endswith(("/", "\\")):
        return at
    if _ROOT.match(before) and ": " not in before:
        return 0
    return at - len(re.split(r"[\s'\"(]", before)[-1])


_ROOT = re.compile(r"[A-Za-z][\w+.-]*://|[A-Za-z]:[\\/]|\.{0,2}[\\/]")


def _alone(message: str, at: int, end: int, name: str) -> bool:
    """Whether a name found in a message is meant by it, and not a part of a word, or a word:
    there are files called ``label``."""
    before, after = message[at - 1 : at], message[end : end + 1]
    if not any(c in name for c in "./\\"):
        return before != "" and before in "/\\'\""
    return not (before.isalnum() or before in ("_", "-") or after.isalnum() or after == "_")


_PARTICULAR = re.compile(r"\b[0-9a-f]{8,}\b|(?<![A-Za-z\d])\d+(?:[ .,_]\d+)*")
"""Numbers, and content ids or hashes: what differs between messages that say the same."""

_HOLE = "\0"


def _apart(message: str) -> tuple[str, list[str]]:
    """What a message has in common with others of its kind, and what is its own."""
    return _PARTICULAR.sub(_HOLE, message), _PARTICULAR.findall(message)


def _together(form: str, particulars: Sequence[str]) -> str:
    first, *rest = form.split(_HOLE)
    return first + "".join(value + text for value, text in zip(particulars, rest, strict=True))


def _named(counts: Counts[str], names: Sequence[str]) -> dict[str, int]:
    """All of ``names`` in their order, then whatever else was counted."""
    found = dict.fromkeys(names, 0) | {name: row.count for name, row in counts.most(counts.limit)}
    return found | {"others": counts.others} if counts.others else found


def _spread(histogram: Histogram) -> dict[str, Any]:
    empty = not histogram.count
    return {
        "count": histogram.count,
        "total": histogram.total,
        "min": None if empty else histogram.least,
        "max": None if empty else histogram.most,
        **{f"p{share}": histogram.quantile(share / 100) for share in (50, 90, 99)},
        "bins": [[low, None if math.isinf(high) else high, number] for low, high, number in histogram.columns()],
    }


def _text(value: object, limit: int = 200) -> str:
    text = value if isinstance(value, str) else "" if value is None else str(value)
    if len(text) <= limit and _HOLE not in text:
        return text
    text = text.replace(_HOLE, "\N{REPLACEMENT CHARACTER}")
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _number(value: object) -> float | None:
    """A number that can be one of bytes, seconds or attempts; anything else is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value < 1e18 else None


def _mapping(value: object) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _items(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _moment(value: object) -> float | None:
    try:
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None
