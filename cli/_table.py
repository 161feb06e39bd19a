"""The report as people read it on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from labeling.findings import Signature
from labeling.report import Report, status_of

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
_MARKS = ("aigc", "visible", "c2pa", "iptc")


def print_table(reports: list[Report]) -> None:
    """Print a row per file and, under the table, each finding with its clause."""
    console = Console(highlight=False)
    profiles = list(dict.fromkeys(name for report in reports for name in report.verdicts))
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("File", *profiles, "Origin", *_MARKS):
        if column == "File":  # on a narrow terminal the marks give way before the names do
            longest = max((len(report.path) for report in reports), default=0)
            table.add_column(column, overflow="fold", min_width=min(longest, 28))
        else:
            table.add_column(column, overflow="ellipsis", no_wrap=True)
    for report in reports:
        verdicts = [report.verdicts[name].verdict if name in report.verdicts else "" for name in profiles]
        cells = [Text(str(v), _STYLES.get(str(v), "")) for v in verdicts]
        marks = [_mark(report, mark) for mark in _MARKS]
        table.add_row(Text(_clean(report.path)), *cells, Text(report.origin), *marks)
    console.print(table)
    for report in reports:
        _details(console, report)
    console.print("\nAn unsigned label is a claim and not proof; that no label is there proves nothing.", style="dim")


def _mark(report: Report, mark: str) -> Text:
    status = status_of(report, mark)
    signatures = {m.signature for m in report.marks if m.mark == mark} - {None, Signature.NONE}
    text = Text(status or "not checked", _STYLES.get(status, "dim"))
    for signature in signatures:
        text.append(f" ({signature})", style="red" if signature is Signature.FAILED else "")
    return text


def _details(console: Console, report: Report) -> None:
    lines = [("damaged", "", problem, "yellow") for problem in report.problems]
    for verdict in report.verdicts.values():
        lines += [(d.rule, d.clause, d.message, "red") for d in verdict.failed]
        lines += [(d.rule, d.clause, d.message, "yellow") for d in verdict.warnings]
    if not lines:
        return
    console.print()
    console.print(Text(_clean(report.path), "bold"))
    for rule, clause, message, style in dict.fromkeys(lines):
        text = Text("  ").append(rule, style).append(f"  {_clean(message)}")
        console.print(text.append(f"  [{clause}]" if clause else "", "dim"))


def _clean(text: str) -> str:
    """What a file or its name says must not steer the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
