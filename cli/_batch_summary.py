"""A batch run's summary as people read it on a terminal: what became of the files, why, and where the report is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from labeling.reports import quantities
from labeling.reports.batch_page import attention, rule_sentence
from labeling.reports.batch_words import lead, remedy, word

from ._table import _clean, _console, elide

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_CAUSES, _RULES, _SLOWEST = 8, 6, 3
"""So many are printed; the page has more, and results.jsonl all."""

_BAR = 24
_ENDLESS = 10_000

_STYLES = {
    "labelled": "green", "verified": "green", "compliant": "green",
    "failed": "red", "poison": "red", "noncompliant": "red",
    "refused": "yellow", "unsupported": "yellow", "inconclusive": "yellow",
}  # fmt: skip


def print_summary(summary: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the summary that :meth:`labeling.batch.summary.Tally.summary` gives; ``files`` in it says where all is."""
    console = console or _console()
    if console.is_terminal:
        _print(summary, console)
        return
    width, console.width = console.width, _ENDLESS  # in a pipe a path stays in one piece, however long
    try:
        with console.capture() as captured:
            _print(summary, console)
        console.out("\n".join(line.rstrip() for line in captured.get().splitlines()), highlight=False)
    finally:
        console.width = width


def _print(summary: Mapping[str, Any], console: Console) -> None:
    for index, part in enumerate(_parts(summary, console)):
        if index:
            console.print()
        console.print(part)


def _parts(summary: Mapping[str, Any], console: Console) -> Iterator[RenderableType]:
    yield _head(summary)
    if summary["total"]:
        yield _statuses(summary)
    if verdicts := _verdicts(summary):
        yield verdicts
    if summary["causes"]:
        yield _causes(summary, console)
    if summary["rules"]["failed"]:
        yield _rules(summary, console)
    if summary["total"] > _SLOWEST and summary["slowest"]:
        yield _slowest(summary, console)
    if summary.get("files"):
        yield _files(summary["files"])


def _head(summary: Mapping[str, Any]) -> Text:
    well, ill = attention(summary)
    text = Text().append(lead(summary["total"], well, ill, summary["mode"], "en"), "bold")
    if summary["interrupted"]:
        text.append(f"\n{word('interrupted')}", "yellow")
    through = summary["throughput"]
    if summary["total"]:
        workers = f"{summary['workers']} worker{'s' if summary['workers'] != 1 else ''}"
        files, megabytes = (quantities.rate(through[f"{what}_per_second"]) for what in ("files", "megabytes"))
        amounts = f"{quantities.size(summary['bytes']['in'])} read"
        if summary["bytes"]["out"]:
            amounts += f", {quantities.size(summary['bytes']['out'])} written"
        rates = f"{files} files/s, {megabytes} MB/s; " if through["files"] else ""
        text.append(f"\n{quantities.duration(summary['wall'])} with {workers}: {rates}{amounts}", "dim")
    if summary["resumed"]:
        text.append(f"\n{quantities.count(summary['resumed'])} were done by an earlier run and left as they are", "dim")
    return text


def _statuses(summary: Mapping[str, Any]) -> RenderableType:
    total = summary["total"]
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(no_wrap=True)
    for name, number in summary["statuses"].items():
        if number:
            style = _STYLES.get(name, "")
            bar = "━" * round(_BAR * number / total) or "╸"
            share = Text(quantities.share(number, total), "dim")
            grid.add_row(
                Text(f"  {_clean(word(name))}"), Text(quantities.count(number), style), share, Text(bar, style or "dim")
            )
    return grid


def _verdicts(summary: Mapping[str, Any]) -> RenderableType | None:
    """A row per profile, and the origins in one more: each with what is not zero."""
    rows = [(name, found) for name, found in summary["verdicts"].items() if any(found.values())]
    if any(summary["origins"].values()):
        rows.append((word("origin"), summary["origins"]))
    if not rows:
        return None
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, found in rows:
        said = [
            Text(f"{quantities.count(number)} {_clean(word(what))}", _STYLES.get(what, ""))
            for what, number in found.items()
            if number
        ]
        grid.add_row(Text(f"  {_clean(name)}"), Text("   ").join(said))
    return grid


def _causes(summary: Mapping[str, Any], console: Console) -> RenderableType:
    rows = summary["causes"]
    grid = _counted()
    for row in rows[:_CAUSES]:
        message = row["message"] or word("no cause")
        if "; " not in message and (advice := remedy(row["status"], row["kind"])):
            message = f"{message.rstrip('.')}; {advice}"
        what = Text(f"{_clean(word(row['status']))}: ", _STYLES.get(row["status"], ""))
        what.append(_clean(message), "default")
        grid.add_row(Text(quantities.count(row["count"]), "bold"), Group(what, _example(row, console)))
    rest = sum(row["count"] for row in rows[_CAUSES:]) + summary["other_causes"]
    return Group(Text("Causes", "bold"), grid, *_more(rest, len(rows) > _CAUSES))


def _rules(summary: Mapping[str, Any], console: Console) -> RenderableType:
    rows = summary["rules"]["failed"]
    grid = _counted()
    for row in rows[:_RULES]:
        said = rule_sentence(row["rule"], warning=False, language="en")
        what = Text(_clean(row["rule"]), "red").append(f"  {said}" if said else "", "default")
        grid.add_row(Text(quantities.count(row["count"]), "bold"), Group(what, _example(row, console)))
    more = [Text(f"  and {len(rows) - _RULES} more rules", "dim")] if len(rows) > _RULES else []
    return Group(Text(word("rules"), "bold"), grid, *more)


def _counted() -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", no_wrap=True, min_width=7)
    grid.add_column(overflow="fold")
    return grid


def _example(row: Mapping[str, Any], console: Console) -> Text:
    """The first of the paths; on a terminal it takes one line."""
    if not row["examples"]:
        return Text()
    path = _clean(row["examples"][0])
    if console.is_terminal:
        path = elide(path, max(console.width - 24, 24))
    return Text(path, "dim")


def _more(rest: int, some: bool) -> list[Text]:
    return [Text(f"  and {quantities.count(rest)} files with other causes", "dim")] if rest or some else []


def _slowest(summary: Mapping[str, Any], console: Console) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", no_wrap=True, min_width=7)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    rows = summary["slowest"][:_SLOWEST]
    for row in rows:
        path = _clean(row["path"])
        if console.is_terminal:
            path = elide(path, max(console.width - 24, 24))
        grid.add_row(Text(quantities.duration(row["seconds"])), Text(quantities.size(row["size"])), Text(path, "dim"))
    half, most = (quantities.duration(summary["seconds"][key]) for key in ("p50", "p99"))
    head = Text("Slowest", "bold").append(
        f"  half of the files took at most {half}, 99 % at most {most}", "not bold dim"
    )
    return Group(head, grid)


def _files(files: Mapping[str, Any]) -> RenderableType:
    names = (("page", "Report"), ("summary", "Summary"), ("results", "Results"))
    shown = [(name, _clean(str(files[key]))) for key, name in names if files.get(key)]
    widest = max((len(name) for name, _ in shown), default=0)
    return Group(*(Text(f"{name:<{widest}}  ", "bold").append(path, "not bold") for name, path in shown))
