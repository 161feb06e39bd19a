"""The words of a finding: what a mark's verifier says about one mark in one file.

Evidence is not a verdict. A finding states what is there and which clause it breaks; :mod:`labeling.rules` forms the
verdict over all findings of a file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """The state of one mark in one file (stable words of the report)."""

    PRESENT = "present"
    ABSENT = "absent"
    DEFECTIVE = "defective"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    UNREADABLE = "unreadable"


class Signature(StrEnum):
    """The state of a mark's signature, which is independent of its status (stable words of the report)."""

    TRUSTED = "trusted"
    VALID = "valid"
    EXPIRED = "expired"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    NONE = "none"


class Severity(StrEnum):
    """Whether a defect makes a file non-compliant or is only worth knowing."""

    ERROR = "error"
    WARNING = "warning"


class Technique(StrEnum):
    """What a finding rests on, as a report has to say (EU Code of Practice, providers, 2.1.2; stable words)."""

    METADATA = "metadata"
    SIGNED = "signed metadata"
    VISIBLE = "visible mark"
    AUDIBLE = "audible mark"
    PIXELS = "hidden in pixels"
    WATERMARK = "watermark"
    FINGERPRINT = "fingerprint"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing that is wrong with a file; made by :func:`labeling.rule_catalogue.defect`.

    Attributes:
        rule: The stable id of the rule that is broken.
        clause: The clause that the rule comes from.
        message: One English sentence about this file.
        severity: Whether the defect is an error or a warning.
    """

    rule: str
    clause: str
    message: str
    severity: Severity = Severity.ERROR


REPORTED = ("aigc", "visible", "c2pa", "iptc")
"""The kinds that every report answers, be they absent; "visible" only if it was looked for."""

MARKS = (*REPORTED, "exif", "generator", "watermark")
"""The kinds of marks that a file itself can hold."""

LEDGER = "ledger"
"""The kind of what a ledger has recorded of a file."""

KINDS = (*MARKS, LEDGER)
"""All kinds of findings, in the order in which a report lists them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one mark in one place of a file.

    Attributes:
        kind: One of :data:`KINDS`.
        status: The state of the mark.
        where: The place in the file, as its container's reader names it, or the position on the picture.
        value: What the mark says; the keys depend on the kind.
        signature: The state of its signature; ``None`` for a mark that was not looked for or is absent.
        defects: What is wrong with it, errors and warnings.
    """

    kind: str
    status: Status
    where: str = ""
    value: dict[str, Any] = field(default_factory=dict)
    signature: Signature | None = None
    defects: tuple[Defect, ...] = ()


def technique_of(finding: Finding, media_type: str = "") -> Technique:
    """Return the technique that a finding rests on.

    Args:
        finding: The finding.
        media_type: The file's: what is looked for in audio is audible.
    """
    if finding.kind == "visible":
        heard = media_type.startswith("audio/") or finding.where.startswith("audio ")
        return Technique.AUDIBLE if heard else Technique.VISIBLE
    if finding.kind == LEDGER:
        return Technique.FINGERPRINT if finding.value.get("by") == "fingerprint" else Technique.LOG
    if finding.kind == "watermark":
        return Technique.WATERMARK
    if finding.kind == "c2pa":
        return Technique.SIGNED
    if finding.kind == "aigc" and finding.signature in (Signature.VALID, Signature.TRUSTED):
        return Technique.SIGNED  # security data (TC260-PG-202511A)
    if finding.kind == "generator" and "alpha channel" in finding.where:
        return Technique.PIXELS
    return Technique.METADATA


_RULES: tuple[tuple[tuple[str, ...], Technique], ...] = (
    (("-WATERMARK",), Technique.WATERMARK),
    (("-RECORDED-",), Technique.LOG),
    (("-VISIBLE", "-AUDIBLE", "-ELEMENT", "-DENIAL", "-PIXELS"), Technique.VISIBLE),
    (("C2PA-", "-SIGNED", "-TRUSTED", "-TIME-STAMP", "-STAMP-"), Technique.SIGNED),
    (("-IMPLICIT-", "IPTC-", "XMP-", "EXIF-", "-MARKED", "CN-PROVIDER-", "US-CA-"), Technique.METADATA),
)
"""Parts of the ids of rules, with what a breach of the rule rests on; the first that fits counts."""


def technique_of_rule(rule: str, media_type: str = "") -> Technique | None:
    """Return the technique that a breach of a rule rests on, such as a mark that is missing.

    Args:
        rule: The rule's id.
        media_type: The file's media type.

    Returns:
        The technique; ``None`` for rules about the file itself, or about several marks.
    """
    found = next((each for parts, each in _RULES if any(part in rule for part in parts)), None)
    heard = found is Technique.VISIBLE and (media_type.startswith("audio/") or "-AUDIBLE" in rule)
    return Technique.AUDIBLE if heard else found


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings in the order of :data:`KINDS`; those of one kind stay in the order they have."""
    return tuple(sorted(findings, key=lambda finding: _ORDER[finding.kind]))


_ORDER = {kind: number for number, kind in enumerate(KINDS)}
