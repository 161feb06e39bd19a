"""Marks of one file that cannot all be true. Every profile counts them: whoever reads only one of them is misled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from labeling.findings import Defect, Finding, Severity
from labeling.label import Origin, term_of
from labeling.rule_catalogue import defect
from labeling.rules.evidence import Evidence, label_value, says_ai, says_human

RULE = "MARKS-CONTRADICT"

_BY_C2PA = "C2PA 2.2 §18.14.2; IPTC Photo Metadata 2025.1, Digital Source Type"


def contradictions(evidence: Evidence) -> Iterator[Defect]:
    """Yield what the marks of a file say against each other.

    A manifest that does not validate counts for nothing by itself. Beside another mark it still misleads whoever does
    not check it: that is a warning.
    """
    labels = {str(label_value(each)): each for each in evidence.of("aigc")}
    claims = [*evidence.of("iptc"), *evidence.of("c2pa")]
    certain = [each for each in claims if says_ai(each)]
    human = [each for each in claims if each not in certain and says_human(each)]
    for each in human:
        if Origin.GENERATED in labels or (each.kind == "c2pa" and labels):
            value = Origin.GENERATED if Origin.GENERATED in labels else next(iter(labels))
            yield _defect(evidence, each, f"the AIGC field says {_LABELS.get(value, 'AI')}, but {_says(each)}")
    for value in (Origin.POSSIBLE, Origin.SUSPECTED):
        if value in labels:
            for each in certain:
                found = _defect(evidence, each, f"the AIGC field says {_LABELS[value]}, but {_says(each)}")
                yield replace(found, severity=Severity.WARNING) if _by_platform(labels[value]) else found
    for one in certain:
        for other in human:
            if one.kind != other.kind:
                yield _defect(evidence, one, f"{_says(one)}, but {_says(other)}", other, clause=_BY_C2PA)


_LABELS: dict[str, str] = {
    Origin.GENERATED: "that the content is AI-generated (Label 1)",
    Origin.POSSIBLE: "that it may be AI-generated (Label 2)",
    Origin.SUSPECTED: "that it is suspected to be AI-generated (Label 3)",
}


def _by_platform(label: Finding) -> bool:
    """Say whether a platform wrote the whole label, which names no producer: what its finding rests on must stay.

    Labelling Measures Art. 6(3) has it suspect what others' marks say, and Art. 10 has it leave them in the file.
    """
    values = {key.lower(): each for key, each in label.value.items()}
    return not (values.get("contentproducer") or values.get("produceid")) and bool(values.get("contentpropagator"))


def _says(finding: Finding) -> str:
    value = finding.value
    if finding.kind == "iptc":
        return f"the IPTC source type is {term_of(str(value.get('DigitalSourceType', '')))[:80]}"
    terms = value.get("digital_source_types") or [value.get("digital_source_type", "")]
    return f"the C2PA manifest gives the source type {', '.join(term_of(str(each))[:80] for each in terms[:4])}"


def _defect(evidence: Evidence, one: Finding, message: str, *others: Finding, clause: str | None = None) -> Defect:
    sound = all(each in evidence.intact(each.kind) for each in (one, *others))
    severity = Severity.ERROR if sound else Severity.WARNING
    note = "" if sound else " (the manifest does not validate, so it counts for nothing)"
    return defect(RULE, f"{message}{note}", clause=clause, severity=severity)
