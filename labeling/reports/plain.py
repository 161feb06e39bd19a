"""The plain forms of a report: JSON, JSON Lines and CSV.

The JSON form is stable (:meth:`labeling.verification.report.Report.to_dict`), and so are the columns of the CSV form.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from typing import Any, TextIO

from labeling import inert
from labeling.findings import REPORTED
from labeling.verification.report import Report, status_of

COLUMNS = ("path", "media_type", "origin", "profile", "verdict", *REPORTED, "failed", "warnings")
"""Columns of the CSV form."""


def to_json(reports: Iterable[Report]) -> str:
    """Return one JSON array with an object for each file."""
    return inert.to_json([r.to_dict() for r in reports], indent=1, default=str) + "\n"


def to_jsonl(reports: Iterable[Report]) -> str:
    """Return a line for each file with one JSON object."""
    return "".join(inert.to_json(r.to_dict(), default=str) + "\n" for r in reports)


def to_csv(reports: Iterable[Report]) -> str:
    """Return a table for spreadsheets with a line for each file and profile."""
    out = io.StringIO()
    writer = table_writer(out)
    writer.writerow(COLUMNS)
    for report in reports:
        statuses = [status_of(report, kind) for kind in REPORTED]
        for name, verdict in report.verdicts.items():
            rules = [" ".join(d.rule for d in group) for group in (verdict.failed, verdict.warnings)]
            row = (report.path, report.media_type, report.origin, name, str(verdict.outcome), *statuses, *rules)
            writer.writerow([cell(value) for value in row])
    return out.getvalue()


FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""How a cell begins that spreadsheets take for a formula."""


def table_writer(out: TextIO) -> Any:
    """Return the writer of every table: all cells are quoted, so that none is cut at a ``;`` or a tab either."""
    return csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)


def cell(text: str) -> str:
    """Return text for a cell, with control characters spelled out.

    What a spreadsheet would take for a formula, such as a name that begins with ``=``, has a quote before it.
    """
    shown = inert.inert(text)
    return f"'{shown}" if text.startswith(FORMULA) else shown


FORMATS: dict[str, Callable[[Iterable[Report]], str]] = {"json": to_json, "jsonl": to_jsonl, "csv": to_csv}
"""The plain forms by name."""
