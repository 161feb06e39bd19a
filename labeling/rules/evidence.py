"""What checks look at: the findings of a file, and what the marks among them say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from labeling.findings import Finding, Signature, Status
from labeling.label import AI_TERMS, HUMAN_TERMS, Origin, term_of

FOUND = (Status.PRESENT, Status.DEFECTIVE, Status.DUPLICATE, Status.CONFLICT)

SIGNED = (Signature.VALID, Signature.TRUSTED, Signature.EXPIRED)
"""Signed and intact. That the certificate has expired since is no lack of metadata: C2PA-EXPIRED says it."""

_IGNORED_BY_READERS = "XMP-EXTENDED"

_AI = frozenset(term.lower() for term in AI_TERMS)
_HUMAN = frozenset(term.lower() for term in HUMAN_TERMS)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What checks look at: the findings, whether the file was readable, and which kinds were skipped on request.

    ``looked`` says in words where a visible label was looked for. ``medium`` is image, video, audio or text.
    """

    findings: tuple[Finding, ...]
    readable: bool = True
    skipped: frozenset[str] = frozenset()
    looked: str = "text on the whole picture"
    medium: str = "image"

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
        return any(m.kind in kinds and m.status is Status.UNREADABLE for m in self.findings)


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
    value = next((value for key, value in finding.value.items() if key.lower() == "label"), Origin.GENERATED)
    name = str(value).upper()
    if "SUSPECT" in name:
        return Origin.SUSPECTED
    return Origin.POSSIBLE if "POSSIBL" in name else value


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
