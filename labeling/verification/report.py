"""The report on one file, and the forms it is printed in. The JSON form is stable: others parse it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from labeling.findings import KINDS, Defect, Finding, Severity, Status
from labeling.rules import Outcome, Verdict
from labeling.rules.platform import NOTICES


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of one file after verification.

    ``origin`` is confirmed, possible, suspected or none (Labelling Measures, Art. 6). An unsigned label is a
    claim and not proof, and the absence of labels proves nothing: no report says "made by a human".
    """

    path: str
    media_type: str
    readable: bool
    origin: str
    findings: tuple[Finding, ...]
    verdicts: dict[str, Verdict]
    problems: tuple[str, ...] = field(default=())

    def find(self, kind: str) -> Finding | None:
        """The first finding of a kind (one of :data:`labeling.findings.KINDS`), or ``None`` if there is none.

        A kind that was not looked for has no finding, which is not the same as one whose status is ``absent``.
        Raises :class:`ValueError` for a word that is no kind.
        """
        if kind not in KINDS:
            raise ValueError(f"there is no kind of finding {kind!r}; the kinds are {', '.join(KINDS)}")
        return next((finding for finding in self.findings if finding.kind == kind), None)

    @property
    def compliant(self) -> bool:
        """True if every verdict is compliant."""
        return all(v.outcome is Outcome.COMPLIANT for v in self.verdicts.values())

    @property
    def exit_code(self) -> int:
        """0 compliant, 1 not compliant, 3 could not be read well enough to say (design: exit codes)."""
        if any(v.outcome is Outcome.NONCOMPLIANT for v in self.verdicts.values()):
            return 1
        return 0 if self.compliant else 3

    def to_dict(self) -> dict[str, Any]:
        """The report in its stable JSON form."""
        result: dict[str, Any] = {
            "path": self.path,
            "media_type": self.media_type,
            "readable": self.readable,
            "origin": self.origin,
            "marks": [_finding(finding) for finding in self.findings],
            "verdicts": {name: _verdict(verdict) for name, verdict in self.verdicts.items()},
        }
        if "platform" in self.verdicts and self.origin in NOTICES:
            result["notice"] = NOTICES[self.origin]
        if self.problems:
            result["problems"] = list(self.problems)
        return result


def _finding(finding: Finding) -> dict[str, Any]:
    result: dict[str, Any] = {"mark": finding.kind, "status": str(finding.status)}
    if finding.where:
        result["where"] = finding.where
    if finding.status is not Status.ABSENT or finding.value:
        result["value"] = finding.value
    if finding.signature is not None:
        result["signature"] = str(finding.signature)
    # "defects" is what breaks a rule; what is only worth knowing stands apart, so that present means free of defects.
    result["defects"] = [_defect(d) for d in finding.defects if d.severity is Severity.ERROR]
    if warnings := [_defect(d) for d in finding.defects if d.severity is Severity.WARNING]:
        result["warnings"] = warnings
    return result


def _defect(defect: Defect) -> dict[str, str]:
    return {"rule": defect.rule, "clause": defect.clause, "message": defect.message}


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "verdict": str(verdict.outcome),
        "failed": [_defect(d) for d in verdict.failed],
        "warnings": [_defect(d) for d in verdict.warnings],
    }


def to_json(reports: Iterable[Report]) -> str:
    """One JSON array, an object per file."""
    return json.dumps([r.to_dict() for r in reports], ensure_ascii=False, indent=1, default=str) + "\n"


def to_jsonl(reports: Iterable[Report]) -> str:
    """One JSON object per line and file."""
    return "".join(json.dumps(r.to_dict(), ensure_ascii=False, default=str) + "\n" for r in reports)


COLUMNS = (
    "path",
    "media_type",
    "origin",
    "profile",
    "verdict",
    "aigc",
    "visible",
    "c2pa",
    "iptc",
    "failed",
    "warnings",
)


def status_of(report: Report, kind: str) -> str:
    """The worst status of a kind of finding in the report, "" where it was not looked at."""
    found = [m.status for m in report.findings if m.kind == kind]
    return str(next((s for s in found if s not in (Status.PRESENT, Status.ABSENT)), found[0] if found else ""))


def to_csv(reports: Iterable[Report]) -> str:
    """A line per file and profile, for spreadsheets."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for report in reports:
        statuses = [status_of(report, kind) for kind in ("aigc", "visible", "c2pa", "iptc")]
        for name, verdict in report.verdicts.items():
            rules = [" ".join(d.rule for d in group) for group in (verdict.failed, verdict.warnings)]
            row = (report.path, report.media_type, report.origin, name, str(verdict.outcome), *statuses, *rules)
            writer.writerow([_inert(cell) for cell in row])
    return out.getvalue()


def _inert(cell: str) -> str:
    """A spreadsheet must not take a file's name for a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


FORMATS: dict[str, Callable[[Iterable[Report]], str]] = {"json": to_json, "jsonl": to_jsonl, "csv": to_csv}
"""Machine-readable forms by name; the table for people is drawn by the command line."""
