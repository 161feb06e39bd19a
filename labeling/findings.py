"""The words of a finding: what a mark's verifier says about one mark in one file.

Evidence is not a verdict: a finding states what is there and which clause it breaks; the verdict over
all findings of a file is formed by :mod:`labeling.rules`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """What became of one mark in one file (stable words of the report)."""

    PRESENT = "present"
    ABSENT = "absent"
    DEFECTIVE = "defective"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    UNREADABLE = "unreadable"


class Signature(StrEnum):
    """What became of a mark's signature: apart from its status (stable words of the report)."""

    TRUSTED = "trusted"
    VALID = "valid"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    NONE = "none"


class Severity(StrEnum):
    """Whether a defect makes a file non-compliant or is only worth knowing."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing that is wrong: a stable rule id, the clause it comes from, and a sentence for people."""

    rule: str
    clause: str
    message: str
    severity: Severity = Severity.ERROR


KINDS = ("aigc", "visible", "c2pa", "iptc", "exif", "generator", "watermark")
"""The kinds of findings, in the order in which a report lists them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. ``kind`` is one of :data:`KINDS`."""

    kind: str
    status: Status
    where: str = ""
    value: dict[str, Any] = field(default_factory=dict)
    signature: Signature | None = None
    defects: tuple[Defect, ...] = ()
