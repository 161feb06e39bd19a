"""The report on one file. Its JSON form is stable, since other programs parse it; docs/report.schema.json describes it.

:mod:`labeling.reports` writes reports as json, jsonl, csv, sarif and html.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from labeling.findings import KINDS, Defect, Finding, Severity, Status, Technique, technique_of, technique_of_rule
from labeling.rules import Outcome, Verdict
from labeling.rules.platform import NOTICES

SCHEMA_VERSION = "1"
"""Version of the JSON form, the value of its key ``version``.

It changes when a key is removed or renamed, or when a key or word comes to mean something else. New optional keys, new
kinds of findings and new rule ids leave it as it is: a program that reads the report must accept those it does not
know. The schema published with a release lists all keys and words of that release.
"""

ORIGINS = ("confirmed", "possible", "suspected", "none")
"""The classes of Labelling Measures Art. 6, and "none" for content of which nothing is known."""


@dataclass(frozen=True, slots=True)
class Report:
    """What is known about one file after verification.

    An unsigned label is a claim, not proof, and the absence of labels proves nothing: no report says "made by a human".

    Attributes:
        path: The file's path, or a name for it such as ``<bytes>``.
        media_type: Its media type, by content.
        readable: False if the file could not be read to its end.
        origin: ``confirmed``, ``possible``, ``suspected`` or ``none`` (Labelling Measures Art. 6).
        findings: What was found, in the order of :data:`labeling.findings.KINDS`.
        verdicts: One verdict for each profile, by the profile's name.
        problems: Why the file could not be read to its end.
        redacted: Whether what may be about persons was taken out (:func:`labeling.redact`).
    """

    path: str
    media_type: str
    readable: bool
    origin: str
    findings: tuple[Finding, ...]
    verdicts: dict[str, Verdict]
    problems: tuple[str, ...] = field(default=())
    redacted: bool = False

    def find(self, kind: str) -> Finding | None:
        """Return the first finding of a kind, or ``None`` if there is none.

        A kind that was not looked for has no finding; one that was looked for in vain has a finding whose status is
        ``absent``.

        Args:
            kind: One of :data:`labeling.findings.KINDS`.

        Returns:
            The finding, or ``None``.

        Raises:
            ValueError: ``kind`` is not one of them.

        Example:
            >>> import labeling
            >>> finding = labeling.verify("photo.png").find("visible")
            >>> str(finding.status)
            'absent'
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
        """0 if compliant, 1 if not compliant, 3 if it cannot be said, as of a file that could not be read."""
        if any(v.outcome is Outcome.NONCOMPLIANT for v in self.verdicts.values()):
            return 1
        return 0 if self.compliant else 3

    def to_dict(self) -> dict[str, Any]:
        """Return the report in its stable JSON form, which docs/report.schema.json describes.

        Returns:
            A dictionary for ``json.dumps``.
        """
        result: dict[str, Any] = {
            "version": SCHEMA_VERSION,
            "path": self.path,
            "media_type": self.media_type,
            "readable": self.readable,
            "origin": self.origin,
            "marks": [_finding(finding, self.media_type) for finding in self.findings],
            "verdicts": {name: _verdict(verdict, self) for name, verdict in self.verdicts.items()},
        }
        if "platform" in self.verdicts and self.origin in NOTICES:
            result["notice"] = NOTICES[self.origin]
        if self.problems:
            result["problems"] = list(self.problems)
        if self.redacted:
            result["redacted"] = True
        return result


def _finding(finding: Finding, media_type: str) -> dict[str, Any]:
    result: dict[str, Any] = {"mark": finding.kind, "status": str(finding.status)}
    result["technique"] = str(technique_of(finding, media_type))
    if finding.where:
        result["where"] = finding.where
    if finding.status is not Status.ABSENT or finding.value:
        result["value"] = finding.value
    if finding.signature is not None:
        result["signature"] = str(finding.signature)
    # Breaches of a rule are "defects"; warnings are kept apart, so that a mark that is present has no defects.
    result["defects"] = [_defect(d) for d in finding.defects if d.severity is Severity.ERROR]
    if warnings := [_defect(d) for d in finding.defects if d.severity is Severity.WARNING]:
        result["warnings"] = warnings
    return result


def _defect(defect: Defect) -> dict[str, str]:
    return {"rule": defect.rule, "clause": defect.clause, "message": defect.message}


def _with_technique(defect: Defect, report: Report) -> dict[str, str]:
    technique = technique_of_defect(defect, report)
    return _defect(defect) | ({"technique": str(technique)} if technique is not None else {})


def technique_of_defect(defect: Defect, report: Report) -> Technique | None:
    """Return the technique that a defect rests on: that of the finding which has it, or that of its rule."""
    holder = next((finding for finding in report.findings if defect in finding.defects), None)
    if holder is not None:
        return technique_of(holder, report.media_type)
    return technique_of_rule(defect.rule, report.media_type)


def _verdict(verdict: Verdict, report: Report) -> dict[str, Any]:
    failed, warnings = ([_with_technique(d, report) for d in some] for some in (verdict.failed, verdict.warnings))
    return {
        "verdict": str(verdict.outcome),
        "failed": failed,
        "warnings": warnings,
        **({"since": verdict.since, "in_force": verdict.in_force} if verdict.since else {}),
        **({"sources": list(verdict.sources)} if verdict.sources else {}),
    }


def status_of(report: Report, kind: str) -> str:
    """Return the worst status among the findings of a kind, or ``""`` if the kind was not looked for."""
    found = [m.status for m in report.findings if m.kind == kind]
    return str(next((s for s in found if s not in (Status.PRESENT, Status.ABSENT)), found[0] if found else ""))
