"""A batch run's summary as people read it on a terminal: what became of the files, why, and where the report is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from labeling.batch.summary import to_json
from labeling.inert import inert
from labeling.reports import quantities
from labeling.reports.batch_page import attention, rule_sentence
from labeling.reports.batch_words import (
    GOOD,
    earlier_options,
    lead,
    limited,
    own_key,
    remarks,
    remedy,
    shown_statuses,
    word,
)

from ._terminal import document, elide, line, make_console
from ._wording import in_options

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_MAX_CAUSES, _MAX_RULES, _MAX_LOST, _MAX_SLOWEST = 8, 6, 6, 3
"""Rows that are printed. The page has more, and results.jsonl has all."""

_BAR_WIDTH = 24
_UNLIMITED_WIDTH = 10_000
_MIN_PATH_WIDTH, _BESIDE_PATH = 24, 24
"""Columns that a path gets at least, and columns that are kept for what stands beside it."""

_STYLES = {
    "labelled": "green", "converted": "green", "verified": "green", "classified": "green", "compliant": "green",
    "failed": "red", "poison": "red", "noncompliant": "red",
    "refused": "yellow", "unsupported": "yellow", "inconclusive": "yellow",
}  # fmt: skip


def print_in_form(form: str | None, summary: Mapping[str, Any], exit_code: int) -> None:
    """Print a run's summary as a table, in one line or as JSON; ``None`` prints nothing."""
    if form == "table":
        print_summary(summary)
    elif form == "line":
        line(summary_line(summary, exit_code))
    elif form == "json":
        document(to_json(summary))


def summary_line(summary: Mapping[str, Any], exit_code: int) -> str:
    """Return what a session did in one line: what became of its files, what needs attention, and what is left."""
    shard = f" (shard {summary['shard']})" if summary.get("shard") else ""
    bad = attention(summary)[1]
    needing = f", of which {word('attention:1' if bad == 1 else 'attention', n=quantities.count(bad))}".rstrip(".")
    counts = [f"{quantities.count(n)} {word(name)}" for name, n in sorted(summary["session"].items())]
    moment = f"{datetime.fromisoformat(summary['finished']):%Y-%m-%dT%H:%M:%SZ}"
    parts = [
        f"{moment} {summary['source']} -> {summary['target']}{shard}: {', '.join(counts) or 'nothing to do'}",
        f"{quantities.count(summary['total'])} in all{needing if bad else ''}",
        f"{quantities.duration(summary['wall'])}",
        limited(summary).rstrip("."),
        "interrupted" if summary["interrupted"] else "",
        f"exit code {exit_code}",
    ]
    return "; ".join(filter(None, parts))


def print_summary(summary: Mapping[str, Any], console: Console | None = None) -> None:
    """Print a run's summary.

    Args:
        summary: What :meth:`labeling.batch.summary.Summary.to_dict` documents; ``files`` in it names the report.
        console: Where to print (default: standard output).
    """
    console = console or make_console()
    if console.is_terminal:
        _print(summary, console)
        return
    width, console.width = console.width, _UNLIMITED_WIDTH  # in a pipe, a path is not broken into lines
    try:
        with console.capture() as captured:
            _print(summary, console)
        console.out("\n".join(line.rstrip() for line in captured.get().splitlines()), highlight=False)
    finally:
        console.width = width


def went_wrong(summary: Mapping[str, Any]) -> str:
    """Return how many files went wrong, by what became of them; empty if none did."""
    bad = {name: number for name, number in summary["statuses"].items() if number and name not in GOOD}
    return ", ".join(f"{quantities.count(number)} {inert(word(name))}" for name, number in bad.items())


def quiet_line(summary: Mapping[str, Any]) -> str:
    """Return the one line that a quiet run prints if anything went wrong; empty if all is well."""
    good, bad = attention(summary)
    if not bad:
        return ""
    head = lead(summary["total"], good, bad, summary["mode"], "en").rstrip(".")
    wrong = went_wrong(summary)
    why = f"{wrong}; see" if wrong else ""
    if summary["causes"] and summary["mode"] == "verify":
        most = max(summary["causes"], key=lambda row: row["count"])
        why = f"most often {inert(most['kind'])}; see"
    verdicts = summary["mode"] == "verify"  # most of them are of files that could be read, and did not fail
    place = summary["files"]["failed" if wrong and not verdicts else "results"]
    return f"{head} ({why} {inert(str(place))})".replace("( ", "(")


def _print(summary: Mapping[str, Any], console: Console) -> None:
    for index, part in enumerate(_parts(summary, console)):
        if index:
            console.print()
        console.print(part)


def _parts(summary: Mapping[str, Any], console: Console) -> Iterator[RenderableType]:
    yield _head(summary)
    if warnings := summary.get("warnings"):
        yield Group(*(line for row in warnings for line in _warning(row, console)))
    if summary["total"]:
        yield _statuses(summary)
    if verdicts := _verdicts(summary):
        yield verdicts
    if causes := [row for row in summary["causes"] if row["status"] != "noncompliant"]:  # the rules tell of those
        yield _causes(causes, summary, console)
    if summary["rules"]["failed"]:
        yield _rules(summary, console)
    if summary["lost"]["files"]:
        yield _lost(summary["lost"], console, word(own_key("lost", summary["mode"])))
    if summary["total"] > _MAX_SLOWEST and summary["slowest"]:
        yield _slowest(summary, console)
    if summary.get("files"):
        failed = {} if went_wrong(summary) else {"failed": None}
        yield _files(summary["files"] | failed)


def _head(summary: Mapping[str, Any]) -> Text:
    good, bad = attention(summary)
    text = Text().append(lead(summary["total"], good, bad, summary["mode"], "en"), "bold")
    if summary["interrupted"]:
        text.append(f"\n{word('interrupted')}", "yellow")
    if said := earlier_options(summary):
        text.append(f"\n{inert(in_options(said))}", "yellow")
    if said := limited(summary):
        text.append(f"\n{said}", "yellow")
    throughput = summary["throughput"]
    if summary["total"]:
        workers = f"{summary['workers']} worker{'s' if summary['workers'] != 1 else ''}"
        files, megabytes = (quantities.rate(throughput[f"{what}_per_second"]) for what in ("files", "megabytes"))
        amounts = f"sources {quantities.size(summary['bytes']['in'])}"  # of all runs, as the total is
        if summary["bytes"]["out"]:
            amounts += f", outputs {quantities.size(summary['bytes']['out'])}"
        rates = f"{files} files/s, {megabytes} MB/s; " if throughput["files"] else ""
        text.append(f"\n{quantities.duration(summary['wall'])} with {workers}: {rates}{amounts}", "dim")
    if summary["resumed"]:
        text.append(f"\n{quantities.count(summary['resumed'])} were done by an earlier run and left as they are", "dim")
    for said, names in remarks(summary):
        text.append(f"\n{in_options(said)} {inert(', '.join(names))}".rstrip(), "yellow")
    return text


def _warning(row: Mapping[str, Any], console: Console) -> Iterator[Text]:
    yield Text(inert(row["message"]), "yellow")
    yield from (Text("  ").append_text(_path(each, console)) for each in row["examples"])


def _statuses(summary: Mapping[str, Any]) -> RenderableType:
    total = summary["total"]
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(no_wrap=True)
    for name, number in shown_statuses(summary).items():
        if number:
            style = _STYLES.get(name, "")
            bar = "━" * round(_BAR_WIDTH * number / total) or "╸"
            share = Text(quantities.share(number, total), "dim")
            grid.add_row(
                Text(f"  {inert(word(name))}"),
                Text(quantities.count(number), style),
                share,
                Text(bar, style or "dim"),
            )
    return grid


def _verdicts(summary: Mapping[str, Any]) -> RenderableType | None:
    """Return a row per profile, and one for the origins, with the counts that are not zero."""
    rows = [(name, found) for name, found in summary["verdicts"].items() if any(found.values())]
    if any(summary["origins"].values()):
        rows.append((word("origin"), summary["origins"]))
    if not rows:
        return None
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, found in rows:
        counts = [
            Text(f"{quantities.count(number)} {inert(word(what))}", _STYLES.get(what, ""))
            for what, number in found.items()
            if number
        ]
        grid.add_row(Text(f"  {inert(name)}"), Text("   ").join(counts))
    return grid


def _causes(rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any], console: Console) -> RenderableType:
    mode = summary["mode"]
    grid = _counted()
    for row in rows[:_MAX_CAUSES]:
        message = row["message"] or word("no cause")
        if "; " not in message and (advice := remedy(row["status"], row["kind"], mode=mode)):
            message = f"{message.rstrip('.')}; {advice}"
        what = Text(f"{inert(word(row['status']))}: ", _STYLES.get(row["status"], ""))
        what.append(inert(in_options(message)), "default")
        grid.add_row(Text(quantities.count(row["count"]), "bold"), Group(what, _example(row, console)))
    rest = sum(row["count"] for row in rows[_MAX_CAUSES:]) + summary["other_causes"]
    return Group(Text("Causes", "bold"), grid, *_more(rest, len(rows) > _MAX_CAUSES))


def _rules(summary: Mapping[str, Any], console: Console) -> RenderableType:
    rows = summary["rules"]["failed"]
    grid = _counted()
    for row in rows[:_MAX_RULES]:
        sentence = rule_sentence(row["rule"], warning=False, language="en")
        what = Text(inert(row["rule"]), "red").append(f"  {sentence}" if sentence else "", "default")
        grid.add_row(Text(quantities.count(row["count"]), "bold"), Group(what, _example(row, console)))
    more = [Text(f"  and {len(rows) - _MAX_RULES} more rules", "dim")] if len(rows) > _MAX_RULES else []
    return Group(Text(word("rules"), "bold"), grid, *more)


def _lost(lost: Mapping[str, Any], console: Console, title: str) -> RenderableType:
    rows = lost["things"]
    grid = _counted()
    for row in rows[:_MAX_LOST]:
        what = Text(inert(row["what"]), "yellow").append(f"  {inert(in_options(row['why']))}", "default")
        grid.add_row(Text(quantities.count(row["count"]), "bold"), Group(what, _example(row, console)))
    more = [Text(f"  and {len(rows) - _MAX_LOST} more things", "dim")] if len(rows) > _MAX_LOST else []
    key = "lost:files:1" if lost["files"] == 1 else "lost:files"
    sentence = Text(in_options(word(key, n=quantities.count(lost["files"]))), "dim")
    return Group(Text(title, "bold"), grid, *more, sentence)


def _counted() -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", no_wrap=True, min_width=7)
    grid.add_column(overflow="fold")
    return grid


def _example(row: Mapping[str, Any], console: Console) -> Text:
    """Return the first of the paths."""
    return _path(row["examples"][0], console) if row["examples"] else Text()


def _path(path: str, console: Console) -> Text:
    """Return a path; on a terminal it is shortened to one line."""
    path = inert(path)
    if console.is_terminal:
        path = elide(path, max(console.width - _BESIDE_PATH, _MIN_PATH_WIDTH))
    return Text(path, "dim")


def _more(rest: int, hidden: bool) -> list[Text]:
    return [Text(f"  and {quantities.count(rest)} files with other causes", "dim")] if rest or hidden else []


def _slowest(summary: Mapping[str, Any], console: Console) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", no_wrap=True, min_width=7)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for row in summary["slowest"][:_MAX_SLOWEST]:
        path = _path(row["path"], console)
        grid.add_row(Text(quantities.duration(row["seconds"])), Text(quantities.size(row["size"])), path)
    median, p99 = (quantities.duration(summary["seconds"][key]) for key in ("p50", "p99"))
    head = Text("Slowest", "bold").append(
        f"  half of the files took at most {median}, 99 % at most {p99}", "not bold dim"
    )
    return Group(head, grid)


def _files(files: Mapping[str, Any]) -> RenderableType:
    names = (("page", "Report"), ("summary", "Summary"), ("results", "Results"), ("failed", "Failed"))
    shown = [(name, inert(str(files[key]))) for key, name in names if files.get(key)]
    widest = max((len(name) for name, _ in shown), default=0)
    return Group(*(Text(f"{name:<{widest}}  ", "bold").append(path, "not bold") for name, path in shown))
