"""The report as people read it on a terminal.

A row per file, then the findings: each set of findings once, over the files that share it, so that a folder of a
thousand pictures with the same fault reads as one fault. Names are cut in the middle only where a terminal is too
narrow for them; what goes into a pipe or a file is never cut.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from labeling.findings import REPORTED, Signature, Status, technique_of
from labeling.inert import inert
from labeling.reports import credentials
from labeling.reports.file_names import in_folder
from labeling.reports.messages import clause, sentence, word
from labeling.rules import Outcome
from labeling.verification.report import Report, status_of

from ._terminal import PIPE_WIDTH, elide, make_console
from ._wording import in_options

if TYPE_CHECKING:
    from labeling.findings import Defect

_STYLES = {
    "compliant": "bold green",
    "noncompliant": "bold red",
    "inconclusive": "bold yellow",
    "present": "green",
    "absent": "dim",
    "defective": "red",
    "duplicate": "red",
    "conflict": "red",
    "unreadable": "yellow",
}
_SIGNS = {"present": "✓", "absent": "–", "defective": "✗", "duplicate": "✗", "conflict": "✗", "unreadable": "?"}

_NAME = 24
"""Least number of cells that a name is cut to; a narrower terminal gets folded names."""

_UNBOUNDED = 1 << 16
"""More cells than any row has."""

_NAMED = 12
"""Most files that are named above findings that they share."""


Line = tuple[str, str, str, str]
"""Rule, sentence, clause, style: one finding as printed."""


def print_table(reports: list[Report], language: str = "en", console: Console | None = None) -> None:
    """Print a row per file and, under the table, the findings with their clauses."""
    console = console or make_console()
    folder, names = in_folder([report.path for report in reports])
    names = [inert(name) for name in names]
    if folder:
        console.print(Text(f"{word('folder', language)} {inert(folder)}", "dim"), soft_wrap=True)
    table, legend = _overview(reports, names, language, console)
    width = console.width
    if not console.is_terminal:  # whatever COLUMNS says, a row says which file it is about
        wide = console.options.update(max_width=_UNBOUNDED)
        console.width = max(width, table.__rich_measure__(console, wide).maximum)
    console.print(table, soft_wrap=not console.is_terminal)
    console.width = width
    if legend:
        console.print(Text(legend, "dim"))
    _details(console, reports, names, language)
    console.print()
    if len(reports) > 1:
        console.print(_summary(reports, language))
    if any(report.redacted for report in reports):
        console.print(f"{word('redacted', language)}: {word('redacted:yes', language)}", style="dim")
    console.print(word("disclaimer", language), style="dim")


def table_text(reports: list[Report], language: str = "en") -> str:
    """Return the same for a file: without colours, and with nothing cut."""
    out = io.StringIO()
    print_table(reports, language, Console(file=out, width=PIPE_WIDTH, highlight=False, no_color=True))
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _overview(reports: list[Report], names: list[str], language: str, console: Console) -> tuple[Table, str]:
    """Return the table, and the legend of its signs if there was no room for words."""
    profiles = list(dict.fromkeys(name for report in reports for name in report.verdicts))
    kinds = [kind for kind in REPORTED if kind != "visible" or any(status_of(report, kind) for report in reports)]
    longest = max((cell_len(name) for name in names), default=0)
    rows = [_row(report, profiles, kinds, language, words=True) for report in reports]
    heads = [*profiles, word("origin", language), *(word(kind, language) for kind in kinds)]
    room = console.width - _width(rows, heads)
    legend = ""
    if console.is_terminal and room < min(longest, 40):
        rows = [_row(report, profiles, kinds, language, words=False) for report in reports]
        room = console.width - _width(rows, heads)
        signs = (("✓", "present"), ("–", "absent"), ("✗", "defective"), ("?", "unreadable"))
        legend = "  ".join(f"{sign} {word(status, language)}" for sign, status in signs)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column(word("file", language), overflow="fold")
    for head in heads:
        table.add_column(Text(head), no_wrap=True, overflow="ellipsis")
    cut = max(room, _NAME) if console.is_terminal else longest
    short = [elide(name, cut) for name in names]
    if len(set(short)) < len(set(names)):
        short = names  # folded, then: two files must not look like one
    for name, row in zip(short, rows, strict=True):
        table.add_row(Text(name), *row)
    return table, legend


def _width(rows: list[list[Text]], heads: list[str]) -> int:
    """Cells that all columns but the first take, with the gaps before them."""
    columns = zip(*([Text(head) for head in heads], *rows), strict=True)
    return sum(max(text.cell_len for text in column) + 2 for column in columns)


def _row(report: Report, profiles: list[str], kinds: list[str], language: str, *, words: bool) -> list[Text]:
    verdicts = [str(report.verdicts[name].outcome) if name in report.verdicts else "" for name in profiles]
    cells = [Text(word(verdict, language) if verdict else "", _STYLES.get(verdict, "")) for verdict in verdicts]
    return [*cells, Text(word(report.origin, language)), *(_status(report, kind, language, words) for kind in kinds)]


def _status(report: Report, kind: str, language: str, words: bool) -> Text:
    status = status_of(report, kind)
    text = word(status or "unchecked", language) if words else _SIGNS.get(status, "·")
    cell = Text(text, _STYLES.get(status, "dim"))
    signatures = {m.signature for m in report.findings if m.kind == kind} - {None, Signature.NONE}
    for signature in sorted(str(s) for s in signatures):
        shown = word(f"signature:{signature}", language)
        cell.append(f" ({shown})" if words else f" {shown}", style="red" if signature == Signature.FAILED else "")
    return cell


def _details(console: Console, reports: list[Report], names: list[str], language: str) -> None:
    """Print the findings that all files share, then those of each group of files with the same ones."""
    found = [_distinct(_lines(report, language)) for report in reports]
    common = [line for line in found[0] if all(line in lines for lines in found)] if len(found) > 2 else []
    groups: dict[tuple[Line, ...], list[str]] = {}
    for name, lines in zip(names, found, strict=True):
        if own := tuple(line for line in lines if line not in common):
            groups.setdefault(own, []).append(name)
    if common:
        _group(console, Text(word("every file", language), "bold"), common)
    for own, sharing in groups.items():
        heading = Text("\n".join(sharing[:_NAMED]), "bold")
        if len(sharing) > _NAMED:
            heading.append("\n" + word("more", language, n=len(sharing) - _NAMED), "dim")
        _group(console, heading, own)


def _group(console: Console, heading: Text, lines: Sequence[Line]) -> None:
    console.print()
    console.print(heading, soft_wrap=True)
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for rule, message, cited, style in lines:
        text = Text(inert(in_options(message)))
        grid.add_row(Text(f"  {rule}", style), text.append(f"  [{inert(cited)}]", "dim") if cited else text)
    console.print(grid)


def _lines(report: Report, language: str) -> Iterator[Line]:
    for problem in report.problems:
        yield word("damaged", language), problem, "", "yellow"
    for verdict in report.verdicts.values():
        for style, defects in (("red", verdict.failed), ("yellow", verdict.warnings)):
            for defect in defects:
                yield defect.rule, _message(defect, language), clause(defect.clause, language), style
    for finding in report.findings:
        if finding.kind == "c2pa":
            for name, words in (
                *credentials.answers(finding, language),
                *(("watermark said", said) for said in credentials.watermarks(finding.value, language)),
                *(("history", step) for step in credentials.history(finding.value, language)),
            ):
                yield word(name, language), words, "", "cyan"
        if finding.kind == "generator":
            yield word("evidence", language), f"{finding.value.get('generator', '')}: {finding.where}", "", "cyan"
    if techniques := _techniques(report, language):
        yield word("technique", language).lower(), techniques, "", "dim"
    if notice := report.to_dict().get("notice"):
        yield word("to show", language), notice[language], clause(notice["clause"], language), "cyan"


def _techniques(report: Report, language: str) -> str:
    """Say which technique each mark that was found rests on (Code of Practice 2.1.2)."""
    not_found = (Status.ABSENT, Status.UNREADABLE)
    found = ((f.kind, technique_of(f, report.media_type)) for f in report.findings if f.status not in not_found)
    colon = word("colon", language)
    words = (f"{word(kind, language)}{colon}{word(f'technique:{rests_on}', language)}" for kind, rests_on in found)
    return word("comma", language).join(dict.fromkeys(words))


def _distinct(lines: Iterator[Line]) -> list[Line]:
    """Return each finding once: an error under one profile is not repeated as a warning of another."""
    best: dict[tuple[str, str], Line] = {}
    for line in lines:
        known = best.setdefault(line[:2], line)
        if known[3] == "yellow" and line[3] == "red":
            best[line[:2]] = line
    return list(best.values())


def _message(defect: Defect, language: str) -> str:
    message, detail = sentence(defect, language)
    return f"{message} {detail}" if detail else message


def _summary(reports: list[Report], language: str) -> Text:
    """How many files there are, and how many of each verdict; a file counts by the worst of its profiles."""
    order = (Outcome.NONCOMPLIANT, Outcome.INCONCLUSIVE, Outcome.COMPLIANT)
    counts = Counter(
        next((o for o in order if any(v.outcome is o for v in report.verdicts.values())), Outcome.INCONCLUSIVE)
        for report in reports
    )
    text = Text(word("files", language, n=len(reports)), "bold")
    for outcome in order:
        if counts[outcome]:
            text.append("  ").append(f"{counts[outcome]} {word(str(outcome), language)}", _STYLES[str(outcome)])
    return text
