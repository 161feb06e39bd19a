"""What a file's class of origin rests on (Labelling Measures Art. 6), and what in the file contradicts it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labeling import containers
from labeling.findings import Finding, Signature, Status
from labeling.label import Origin
from labeling.rules.evidence import label_value, says_ai, says_human
from labeling.verification.report import Report

_TRACES = ("visible", "c2pa", "iptc", "generator", "watermark")
_MAX_ITEMS = 32
_MAX_SHOWN = 300


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One mark or trace in a file that a decision on its origin rests on.

    Attributes:
        mark: The kind of finding: one of :data:`labeling.KINDS`, or ``declaration``, which is the uploader's.
        where: The place in the file.
        says: What it says, quoted from the file.
        status: The mark's status: one of :class:`labeling.Status`.
        signature: The state of its signature: one of :class:`labeling.Signature`.
    """

    mark: str
    where: str
    says: str
    status: str
    signature: str = str(Signature.NONE)

    def to_dict(self) -> dict[str, str]:
        """Return the item for JSON.

        Returns:
            A dictionary of its fields.
        """
        names = ("mark", "where", "says", "status", "signature")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two statements about a file that cannot both be true.

    Attributes:
        kind: ``camera``: a camera or a person made it, and AI made it; ``labels``: labels that differ; ``certainty``:
            a label that says "possibly" or "suspected" beside a mark that is sure; ``declared-no``, ``declared-yes``:
            the uploader says one thing and the file another.
        says: The two statements, quoted.
    """

    kind: str
    says: str


def evidence_of(report: Report, declared: bool | None = None) -> tuple[EvidenceItem, ...]:
    """Return what says that AI made a file: the marks and traces in it, implicit labels first, then a declaration.

    A mention of a generator in prose (confidence "low") is none:
    :func:`labeling.verification.conclusion.origin_of` makes nobody suspected for it.
    """
    found = [item for item, _ in zip(_items(report), range(_MAX_ITEMS), strict=False)]
    if declared:
        labels = sum(item.mark == "aigc" for item in found)
        found.insert(labels, EvidenceItem("declaration", "", "AI-generated", str(Status.PRESENT)))
    return tuple(found)


def _items(report: Report) -> Iterator[EvidenceItem]:
    for finding in report.findings:
        if finding.status in (Status.ABSENT, Status.UNREADABLE) or not _says_ai(finding):
            continue
        yield EvidenceItem(
            finding.kind, finding.where, said(finding), str(finding.status), str(finding.signature or Signature.NONE)
        )


def _says_ai(finding: Finding) -> bool:
    if finding.kind in ("c2pa", "iptc"):
        return bool(finding.value.get("ai")) or says_ai(finding)
    if finding.kind == "generator":
        return bool(finding.value.get("confidence") != "low")
    return finding.kind in ("aigc", *_TRACES)


def said(finding: Finding) -> str:
    """Return what a mark says, in one short line."""
    value = finding.value
    if finding.kind == "aigc":
        text = ", ".join(f"{key}={each}" for key, each in value.items() if each not in ("", None))
    elif finding.kind == "visible":
        text = str(value.get("text") or value.get("rhythm") or "")
    elif finding.kind == "c2pa":
        made_by = [value.get("digital_source_type"), value.get("software_agent") or value.get("claim_generator")]
        text = ", ".join(str(each) for each in made_by if each)
    elif finding.kind == "iptc":
        text = str(value.get("DigitalSourceType", ""))
    else:
        text = ", ".join(str(value[key]) for key in ("generator", "algorithm", "text") if value.get(key))
    return " ".join(text.split())[:_MAX_SHOWN]


def contradictions_of(report: Report, declared: bool | None) -> tuple[Contradiction, ...]:
    """Return what contradicts itself in a file, or the uploader's declaration.

    Args:
        report: The report on the file.
        declared: Whether the uploader declares it to be AI-generated; ``None`` where nobody said anything.
    """
    return tuple(_contradictions(report, declared))


def _contradictions(report: Report, declared: bool | None) -> Iterator[Contradiction]:
    grounds = evidence_of(report)
    captured = [each for each in report.findings if each.kind in ("c2pa", "iptc") and says_human(each)]
    if grounds and captured:
        yield Contradiction("camera", _both(_named(captured[0]), f"{grounds[0].mark}: {grounds[0].says}"))
    labels = [each for each in report.findings if each.kind == "aigc"]
    if any(each.status is Status.CONFLICT for each in labels):
        yield Contradiction("labels", _both(*(_named(each) for each in labels[:2])))
    unsure = [each for each in labels if str(label_value(each)) in (Origin.POSSIBLE, Origin.SUSPECTED)]
    sure = [each for each in report.findings if each.kind in ("c2pa", "iptc") and says_ai(each)]
    if unsure and sure:
        yield Contradiction("certainty", _both(_named(unsure[0]), _named(sure[0])))
    if declared is False and grounds:
        yield Contradiction("declared-no", f"{grounds[0].mark}: {grounds[0].says}")
    if declared and captured:
        yield Contradiction("declared-yes", _named(captured[0]))


def _named(finding: Finding) -> str:
    return f"{finding.kind}: {said(finding)}"


def _both(*statements: str) -> str:
    return " / ".join(statements)


def is_open(report: Report) -> bool:
    """Say whether nothing was found because something could not be read: nobody knows the class of such a file.

    A spoken label that is not recognised, and text in documents, which are not rendered, leave it at "none found".
    """
    if report.origin != "none":
        return False
    unread = {finding.kind for finding in report.findings if finding.status is Status.UNREADABLE}
    if not report.readable or unread - {"visible"}:
        return True
    row = containers.formats.find(report.media_type)
    rendered = row is not None and row.drawable
    return "visible" in unread and rendered and not is_sound(report)


def is_sound(report: Report) -> bool:
    """Say whether a file is sound alone, so that its explicit label is to be heard."""
    finding = report.find("visible")
    rules = [each.rule for each in finding.defects] if finding is not None else []
    return report.media_type.startswith("audio/") or any(rule.startswith("CN-AUDIBLE-") for rule in rules)


def unread_of(report: Report) -> tuple[str, ...]:
    """Return what could not be read or looked at in a file, in sentences: where a mark may be that nobody saw."""
    sentences = [*report.problems]
    for finding in report.findings:
        if finding.status is Status.UNREADABLE:
            sentences += [each.message for each in finding.defects] or [f"{finding.kind} could not be looked for"]
    return tuple(dict.fromkeys(sentences))[:_MAX_ITEMS]
