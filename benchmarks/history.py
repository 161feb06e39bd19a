"""Figures kept in a file, runs added to it, and two such files compared.

The file is JSON::

    {"schema": 1, "date": "2026-11-30T12:00:00+00:00", "quick": false,
     "machine": {"cpus": 2, "load": [...], "python": "3.11.7", "platform": "...", "versions": {"pillow": "...", ...}},
     "rows": [{"row": "jpeg", "work": "...", "versus": "...", "unit": "ms", "ours": 14.1, "other": 12.0, "value": 1.17,
               "form": "{:.2f}×", "at_least": false, "limit": 1.25, "target": "≤ 1.25×", "reached": true,
               "bare": 11.8, "bare_of": "the bare coder", "date": "...", "others": 0.02, "took": 1.9,
               "repetitions": 101, "quartiles_ours": [...], "quartiles_other": [...], ...}, ...]}

``ours`` and ``other`` are medians, in ``unit``. ``value`` is the figure that counts, in most rows a ratio of the two:
ratios taken in turns on one machine can be compared between machines, times cannot. With ``at_least`` more is better,
else less. ``limit`` is the bound of the target; ``bare`` is what cannot be done without, in ``unit``, and ``bare_of``
what that is. ``others`` says how many processors others used when the row began or ended, the larger of both, and
``took`` how many seconds all rows of that name took. Infinity is written as ``"infinite"``: JSON has no word for it.

Rows of several runs can be in one file, each with its own date; ``date`` and ``machine`` are those of the last run.
Files without ``form``, ``bare``, ``date`` and ``others`` in their rows are of earlier versions, and are read as well.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks._measure import Row
from benchmarks._table import amount, table

SCHEMA = 1
"""The version of the format. It rises when a reader of the old one would misread the new one."""

HEADINGS = ("work", "before", "after", "figure before", "after", "change", "spread", "")


class Unusable(Exception):
    """A file that holds no figures, or figures that cannot be compared with the other one's."""


def of_run(
    rows: dict[str, list[Row]],
    machine: dict[str, Any],
    others: dict[str, float | None],
    took: dict[str, float],
    *,
    quick: bool,
) -> dict[str, Any]:
    """The rows of a run, each below the name that ``--only`` takes, what others used meanwhile, and its seconds."""
    date = datetime.now(UTC).isoformat(timespec="seconds")
    written = [
        {**_as_json(name, row), "date": date, "others": others.get(name), "took": took.get(name)}
        for name, several in rows.items()
        for row in several
    ]
    return {"schema": SCHEMA, "date": date, "quick": quick, "machine": machine, "rows": written}


def save(path: Path, figures: dict[str, Any]) -> None:
    """Write figures to a file, which is complete at every moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{key: _plain(value) for key, value in row.items()} for row in figures["rows"]]
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(figures | {"rows": rows}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def _plain(value: Any) -> Any:
    return "infinite" if isinstance(value, float) and math.isinf(value) else value


def _as_json(name: str, row: Row) -> dict[str, Any]:
    words = {"row": name, "work": row.work.strip(), "versus": row.versus, "unit": row.unit, "target": row.target}
    figures = {"ours": row.ours, "other": row.other, "value": row.value, "limit": row.limit}
    more = {
        "form": row.form,
        "at_least": row.at_least,
        "reached": row.reached,
        "bare": row.bare,
        "bare_of": row.bare_of,
    }
    return {**words, **figures, **more, **row.detail}


def added(before: dict[str, Any] | None, run: dict[str, Any], order: Sequence[str]) -> dict[str, Any]:
    """What a file holds after a run: its rows instead of those of the same names, and all others as they were.

    ``order`` names the rows in the order of the table. Names that it does not have are of rows that are no more.
    """
    new = {row["row"] for row in run["rows"]}
    kept = [row for row in (before or {"rows": []})["rows"] if row.get("row") not in new and row.get("row") in order]
    return run | {"rows": sorted([*kept, *run["rows"]], key=lambda row: order.index(row["row"]))}


def worth_recording(run: dict[str, Any], most: float) -> tuple[dict[str, Any], list[str]]:
    """The run without the rows that were disturbed, and a sentence on each of those.

    ``most`` is how many processors others may use. Raises :class:`Unusable` after a quick run.
    """
    if run["quick"]:
        raise Unusable("the figures of --quick mean nothing: they are not recorded")
    disturbed = {row["row"]: row["others"] for row in run["rows"] if row["others"] is None or row["others"] > most}
    load = ", ".join(f"{each:.2f}" for each in run["machine"]["load"] or [])
    words = [
        f"{name}: not recorded, "
        + ("this system does not say whether others use it" if used is None else f"others used {used:.2f} processors")
        + (f" (load average {load})" if load else "")
        for name, used in disturbed.items()
    ]
    return run | {"rows": [row for row in run["rows"] if row["row"] not in disturbed]}, words


def only(figures: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The figures of some rows."""
    return figures | {"rows": [row for row in figures["rows"] if row.get("row") in names]}


def load(path: Path) -> dict[str, Any]:
    """Read a file of :func:`save`. Raises :class:`Unusable`.

    Files from before the format had a version are read too; their rows do not say ``row`` and ``at_least``, and those
    of later ones have neither ``form`` nor ``bare``.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        schema, rows = found.get("schema", 0), found["rows"]
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise Unusable(f"{path} holds no figures of this program: {error!r}") from error
    if schema > SCHEMA:
        raise Unusable(f"{path} is of a newer format ({schema}); compare with the version that wrote it")
    for row in rows:
        row |= {key: math.inf for key in ("ours", "other", "value", "limit", "bare") if row.get(key) == "infinite"}
    return found


@dataclass(frozen=True, slots=True)
class Change:
    """One row of two runs. ``worse`` is by what share the figure that counts got worse; negative if it got better."""

    before: dict[str, Any]
    after: dict[str, Any]
    worse: float

    @property
    def spread(self) -> float:
        """How far the middle half of the repetitions lie apart, as a share of the median: the larger of both runs."""
        return max(_spread(self.before), _spread(self.after))


def compare(before: dict[str, Any], after: dict[str, Any]) -> tuple[list[Change], list[str]]:
    """Match the rows of two runs. The second list names the rows that only one of them has.

    Raises :class:`Unusable` if one of the runs was a quick one, whose figures mean nothing.
    """
    if before.get("quick") or after.get("quick"):
        raise Unusable("one of the files is of a run with --quick: its figures mean nothing")
    named = all("row" in row for row in [*before["rows"], *after["rows"]])
    old, new = _keyed(before["rows"], named=named), _keyed(after["rows"], named=named)
    changes = [Change(old[key], row, _worse(old[key], row)) for key, row in new.items() if key in old]
    alone = [f"only before: {old[key]['work']}" for key in old if key not in new]
    alone += [f"only after: {row['work']}" for key, row in new.items() if key not in old]
    return changes, alone


def _keyed(rows: list[dict[str, Any]], *, named: bool) -> dict[tuple[str, ...], dict[str, Any]]:
    """Give each row the words that name it, and a number where several have the same."""
    seen: Counter[tuple[str, ...]] = Counter()
    keyed: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        words = (row["row"] if named else "", row["work"])
        keyed[(*words, str(seen[words]))] = row
        seen[words] += 1
    return keyed


def _worse(before: dict[str, Any], after: dict[str, Any]) -> float:
    old, new = before["value"], after["value"]
    if old == new:
        return 0.0
    if after.get("at_least", before.get("at_least", False)):
        old, new = new, old
    return math.inf if old == 0 or math.isinf(new) else new / old - 1


def _spread(row: dict[str, Any]) -> float:
    match row.get("quartiles_ours"):
        case [lower, middle, upper] if middle:
            return float((upper - lower) / middle)
    return 0.0


def report(changes: list[Change], alone: list[str], slower: float) -> str:
    """Lay the changes out as a table; those worse than ``slower`` percent are marked."""
    lines = [
        (
            change.after["work"],
            amount(change.before["ours"], change.before["unit"]),
            amount(change.after["ours"], change.after["unit"]),
            amount(change.before["value"], ""),
            amount(change.after["value"], ""),
            _percent(change.worse),
            f"±{50 * change.spread:.0f} %" if change.spread else "",
            "SLOWER" if is_slower(change, slower) else "",
        )
        for change in changes
    ]
    return "\n".join([table(HEADINGS, lines), *alone])


def is_slower(change: Change, slower: float) -> bool:
    """Whether a row got worse by more than ``slower`` percent."""
    return change.worse * 100 > slower


def _percent(worse: float) -> str:
    """The change in the words of a reader: ``+`` is worse."""
    return "∞ worse" if math.isinf(worse) else f"{100 * worse:+.1f} %"
