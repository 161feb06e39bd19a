"""What checks look at: the findings of a file, and what the marks among them say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from labeling.findings import Finding, Signature, Status
from labeling.label import AI_TERMS, HUMAN_TERMS, Origin, term_of

FOUND = (Status.PRESENT, Status.DEFECTIVE, Status.DUPLICATE, Status.CONFLICT)

SIGNED = (Signature.VALID, Signature.TRUSTED, Signature.EXPIRED)
"""Signed and intact. That the certificate has expired since is no lack of metadata: C2PA-EXPIRED says it."""

_IGNORED_BY_READERS = "XMP-EXTENDED"

_AI = frozenset(term.lower() for term in AI_TERMS)
_HUMAN = frozenset(term.lower() for term in HUMAN_TERMS)

_LEGACY = frozenset(("serviceprovider", "serviceuser", "contentid"))
"""Keys of the practice guide of 2023, whose labels have no ``Label``: having one says that AI made the content."""

_YES = re.compile(
    r"1|(AIGCLABELTYPE\.)?(IS[_ ]?)?(AIGC|AI|TRUE|YES|(AI|AIGC)?[_ -]?GENERATED|(AI|人工智能)(生成|合成)+|是)",
    re.IGNORECASE,
)
"""What labels in other forms than the standard's have for its "1"."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What checks look at: the findings, whether the file was readable, and which kinds were skipped on request.

    ``looked`` says in words where a visible label was looked for. ``medium`` is image, video, audio or text.
    ``languages`` are those in which the profile that is judged by accepts a visible label, and ``today`` is a day after
    which nothing can have been made yet.
    """

    findings: tuple[Finding, ...]
    readable: bool = True
    skipped: frozenset[str] = frozenset()
    looked: str = "text on the whole picture"
    medium: str = "image"
    languages: tuple[str, ...] = ()
    today: date | None = None

    def of(self, kind: str) -> tuple[Finding, ...]:
        """Return the findings of one kind that found something, however defective."""
        return tuple(m for m in self.findings if m.kind == kind and m.status in FOUND)

    def lacks(self, kind: str) -> bool:
        """Return whether a mark was looked for and is not there; what could not be read is never called missing."""
        states = [m.status for m in self.findings if m.kind == kind]
        return kind not in self.skipped and not any(s in FOUND or s is Status.UNREADABLE for s in states)

    def intact(self, kind: str) -> tuple[Finding, ...]:
        """Return the findings of one kind whose data may be relied on as those of whoever wrote them.

        A manifest must be signed and unchanged. Of the other marks, those do not count whose own signature fails, whose
        labels contradict each other, or which stand where readers do not look. The fields about an AI system that stand
        in the metadata without a source type count for what they say.
        """
        return tuple(m for m in self.findings if m.kind == kind and _intact(m))

    def unread(self, *kinds: str) -> bool:
        """Return whether something of these kinds could not be read: whether the mark is there is not known."""
        return any(m.kind in kinds and (m.status is Status.UNREADABLE or _unchecked(m)) for m in self.findings)


def _unchecked(finding: Finding) -> bool:
    return finding.kind == "c2pa" and finding.signature is Signature.UNSUPPORTED


def _intact(finding: Finding) -> bool:
    if finding.status is Status.UNREADABLE or any(each.rule == _IGNORED_BY_READERS for each in finding.defects):
        return False
    if finding.kind == "c2pa":
        return finding.signature in SIGNED and finding.value.get("integrity", {}).get("state", "intact") == "intact"
    if finding.kind == "aigc":
        return finding.status in (Status.PRESENT, Status.DEFECTIVE, Status.DUPLICATE) and (
            finding.signature is not Signature.FAILED
        )
    return True


def medium_of(media_type: str) -> str:
    """Return whether a file of this media type is image, video, audio or text."""
    kind = "text" if media_type == "application/pdf" else media_type.partition("/")[0]
    return kind if kind in ("video", "audio", "text") else "image"


def label_value(finding: Finding) -> Any:
    """Return ``Label`` of an AIGC field in whatever case its key is written; one without it is taken as "generated".

    Names of the values, such as ``AIGCLabelType.AI_SUSPECTED``, are a defect, and are understood.
    """
    values = [_origin(value) for key, value in finding.value.items() if len(key) == 5 and key.lower() == "label"]
    doubts = [value for value in values if str(value) in (Origin.POSSIBLE, Origin.SUSPECTED)]
    return next(iter([*doubts, *values]), Origin.GENERATED)


def _origin(value: Any) -> Any:
    name = str(value).upper()
    if "SUSPECT" in name:
        return Origin.SUSPECTED
    return Origin.POSSIBLE if "POSSIBL" in name else value


def says_generated(finding: Finding) -> bool:
    """Return whether an AIGC field says for certain that its content is generated, in the standard's form or another.

    One without ``Label`` does so in the form of 2023. A field that is empty or no object says nothing.
    """
    keys = {key.lower() for key in finding.value}
    if "label" not in keys:
        return not keys.isdisjoint(_LEGACY)
    return _YES.fullmatch(str(label_value(finding)).strip()) is not None


def says_of_content(finding: Finding) -> bool:
    """Return whether an IPTC mark or a manifest says that AI made the content itself, or what it was made from.

    In a manifest that is its own source type, its AI disclosure, or what it says of its parent. Of other ingredients it
    says how they were made, and not how the whole was. A mark that also gives another source type leaves it open.
    """
    if finding.kind == "iptc":
        return bool(finding.value.get("ai")) and finding.status is not Status.CONFLICT
    value = finding.value
    if says_ai(finding):
        return True
    if says_human(finding) or not value.get("ai"):
        return False
    return bool(value.get("ai_disclosure")) or not value.get("ingredient_digital_source_types") or _ai_parent(value)


def _ai_parent(value: dict[str, Any]) -> bool:
    """Return whether a manifest that the active one descends from, parent by parent, says that AI made it."""
    if value.get("ingredient_validation_codes"):
        return False
    steps = {step.get("manifest"): step for step in value.get("history", ()) if isinstance(step, dict)}
    at, seen = value.get("active_manifest"), set()
    while at in steps and at not in seen:
        seen.add(at)
        step = steps[at]
        if any(term_of(str(each.get("source_type", ""))).lower() in _AI for each in step.get("actions", ())):
            return True
        parents = [each for each in step.get("ingredients", ()) if each.get("relationship") == "parentOf"]
        at = next((each.get("manifest") for each in parents), None)
    return False


def source_types(finding: Finding) -> Iterator[str]:
    """Yield the terms of the source types that an IPTC mark or an active manifest gives, in lower case.

    Those of a manifest's ingredients are not those of the file.
    """
    if finding.kind == "iptc":
        yield term_of(str(finding.value.get("DigitalSourceType", ""))).lower()
    else:
        value = finding.value
        several = value.get("digital_source_types") or [value.get("digital_source_type", "")]
        yield from (term_of(str(each)).lower() for each in several)


def says_ai(finding: Finding) -> bool:
    """Return whether an IPTC mark or an active manifest says by its own source type that AI made the content."""
    return any(term in _AI for term in source_types(finding))


def says_human(finding: Finding) -> bool:
    """Return whether it says that a camera or a person made the content, and AI nothing of it."""
    return not says_ai(finding) and any(term in _HUMAN for term in source_types(finding))
