"""What a ledger says of a file that is verified: a finding, and where it was given out without the explicit label.

Labelling Measures Art. 9: at a user's request, and by an agreement that says who answers for labelling it, a provider
may give out a copy without the explicit label; who got it is kept for at least six months. Such a copy lacks the label,
and neither breaks the rule by that nor meets it: whoever publishes it has to label it. No verdict calls it compliant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from labeling.errors import LabelingError
from labeling.findings import LEDGER, Defect, Finding, Status, in_order
from labeling.ledger.entry import Match
from labeling.rule_catalogue import defect
from labeling.rules import Outcome, Verdict

if TYPE_CHECKING:
    from labeling import files
    from labeling.ledger._ledger import Ledger
    from labeling.verification.report import Report

RULE = "CN-RECORDED-COPY"
_MISSING = "CN-VISIBLE-MISSING"
_UNHEARD = "CN-AUDIBLE-SPEECH"
"""Of audio in which no label was recognised, which is not to say that none is there; in several profiles' verdicts."""

_STATES = {Status.ABSENT: "the label is missing", Status.UNREADABLE: "no label is recognised in it"}
_UNSEEN = "the label was not looked for here"


def recognise(report: Report, source: files.Source, ledger: Ledger, *, max_pixels: int | None = None) -> Report:
    """Add to a report what a ledger has recorded of the file: by its bytes, its content id, or what it looks like.

    The finding (``ledger``) has the number and date of the record, what it was found by, the content id, and of a copy
    without the explicit label the agreement and until when the record must be kept at least. It does not name the
    recipient: :meth:`Ledger.find <labeling.ledger.Ledger.find>` does.

    Args:
        report: The report on the file.
        source: The file.
        ledger: The ledger.
        max_pixels: Do not decode larger pictures.

    Returns:
        The report with the finding. The very file that was recorded as such a copy is not called non-compliant for the
        missing explicit label: that verdict is inconclusive, unless something else fails.

    Raises:
        LabelingError: The ledger cannot be read.
    """
    try:
        matches = ledger.find(source, max_pixels=max_pixels)
    except LabelingError:
        if report.readable:
            raise
        matches = []
    copies = [match for match in matches if match.record.recipient is not None]
    if not matches:
        return _with(report, Finding(LEDGER, Status.ABSENT))
    best = (copies or matches)[0]
    if copies and best.by != "sha256" and matches[0].by == "sha256":
        best = matches[0]  # these very bytes were recorded as something else
    is_copy = best.record.recipient is not None
    found = Finding(LEDGER, Status.PRESENT, f"record {best.record.seq}", _value(best, is_copy=is_copy))
    visible = report.find("visible")
    label = _UNSEEN if visible is None else _STATES.get(visible.status)
    if not is_copy or label is None:
        return _with(report, found)
    note = _note(best, label)
    found = replace(found, defects=(note,))
    return _with(report, found, note, excused=best.by == "sha256")


def _value(match: Match, *, is_copy: bool) -> dict[str, object]:
    record = match.record
    value: dict[str, object] = {
        "record": record.seq, "date": record.time[:19] + "Z", "by": match.by, "content_id": record.content_id,
        "copy": is_copy,
    }  # fmt: skip
    if match.distance is not None:
        value["distance"] = match.distance
    if is_copy:
        value |= {"kept_until": _kept_until(match)}
        value |= {"agreement": record.agreement} if record.agreement else {}
    return value


def _kept_until(match: Match) -> str:
    """Return the day until which the record must be kept at least: six months (Art. 9)."""
    from labeling.ledger._ledger import RETENTION

    try:
        return (datetime.fromisoformat(match.record.time) + RETENTION).date().isoformat()
    except ValueError:  # a time that somebody altered
        return ""


def _note(match: Match, label: str) -> Defect:
    record = match.record
    day = record.time[:10]
    agreed = f"agreement {record.agreement!r}" if record.agreement else "no agreement was recorded"
    given = f"on {day} a copy without the explicit label was given out under Art. 9 (record {record.seq}, {agreed})"
    same = {
        "sha256": "this is that very file",
        "content id": "this file names the same content, and is not that very file",
        "fingerprint": f"this looks like that content ({how_alike(match)})",
    }[match.by]
    until = _kept_until(match)
    kept = f"; the record is kept until {until} at least" if until else ""
    return defect(RULE, f"{given}: {same}; {label}, and whoever publishes it has to add it{kept}")


def how_alike(match: Match) -> str:
    """Return in words how far the picture of a match is the recorded one: of a copy of a part, by its points."""
    seen = match.resemblance
    if seen is not None and seen.same:
        parts = [f"{seen.agreeing} of {seen.comparable} points agree"]
        parts += ["mirrored"] if seen.mirrored else []
        parts += [f"turned by {seen.turned}°"] if abs(seen.turned) >= _UPRIGHT else []
        return ", ".join(parts)
    return "" if match.distance is None else f"{match.distance} of 256 bits differ"


_UPRIGHT = 5
"""Degrees below which a picture is not called turned."""


def _with(report: Report, found: Finding, note: Defect | None = None, *, excused: bool = False) -> Report:
    verdicts = report.verdicts
    if note is not None:
        verdicts = {name: _verdict(name, verdict, note, excused=excused) for name, verdict in verdicts.items()}
    return replace(report, findings=in_order((*report.findings, found)), verdicts=verdicts)


def _verdict(name: str, verdict: Verdict, note: Defect, *, excused: bool) -> Verdict:
    """Return a verdict of a profile that asks for China's explicit label; others stay as they are."""
    rules: Sequence[str] = [each.rule for each in (*verdict.failed, *verdict.warnings)]
    unheard = name == "cn" and _UNHEARD in rules
    if _MISSING not in rules and "CN-VISIBLE-SKIPPED" not in rules and not unheard:
        return verdict
    warnings = (note, *verdict.warnings)
    failed = tuple(each for each in verdict.failed if not (excused and each.rule == _MISSING))
    if len(failed) == len(verdict.failed):
        return replace(verdict, warnings=warnings)
    outcome = Outcome.NONCOMPLIANT if failed else Outcome.INCONCLUSIVE
    return replace(verdict, outcome=outcome, failed=failed, warnings=warnings)
