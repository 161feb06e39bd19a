"""What one row of the catalogue holds, and how a defect is made from it."""

from __future__ import annotations

from typing import NamedTuple

from labeling.findings import Defect, Severity

EXPLICIT_LABEL = {"text": "5.1", "image": "5.2", "audio": "5.3", "video": "5.4"}
"""The section of GB 45438-2025 that asks for the explicit label, by medium."""


class Rule(NamedTuple):
    """One rule that a file can break.

    Attributes:
        id: The stable id, such as ``CN-IMPLICIT-JSON``. Ids are never renamed or reused.
        clause: Where the rule comes from: the law, standard or guide, with article or section.
        english: What the rule asks, in general and in one sentence.
        chinese: What is wrong with a file that breaks it, in the terms of GB 45438-2025: 显式标识 (explicit label),
            隐式标识 (implicit label), 要素 (element), 服务提供者 (provider), 传播 (propagation).
        severity: Whether breaking it is an error or a warning; where it may be either, the usual one.
        either: True if one file's defect is an error and another's a warning. The call says which.
        other_clauses: Further clauses that a defect may cite instead of ``clause``. The call says which.
        chinese_warning: The Chinese sentence for a warning, where it differs from that for an error.
        general: True if the message says the same whatever the file, so that ``chinese`` translates all of it.
    """

    id: str
    clause: str
    english: str
    chinese: str
    severity: Severity = Severity.ERROR
    either: bool = False
    other_clauses: tuple[str, ...] = ()
    chinese_warning: str = ""
    general: bool = False

    @property
    def clauses(self) -> tuple[str, ...]:
        """All clauses that a defect of this rule may cite."""
        return (self.clause, *self.other_clauses)

    @property
    def severities(self) -> tuple[Severity, ...]:
        """All severities that a defect of this rule may have."""
        return tuple(Severity) if self.either else (self.severity,)

    def clause_for(self, medium: str) -> str:
        """Return the clause that asks it of image, video, audio or text (GB 45438-2025 5.1 to 5.4), if it has several.

        Of a rule that has no clause of its own for the medium it is :attr:`clause`.
        """
        section = f"GB 45438-2025 {EXPLICIT_LABEL.get(medium, '')}"
        return next((clause for clause in self.clauses if clause.endswith(section)), self.clause)

    def sentence(self, language: str = "en", *, warning: bool = False) -> str:
        """Return the general sentence in ``en`` or ``zh``, as an error or as a warning."""
        if language != "zh":
            return self.english
        return self.chinese_warning if warning and self.chinese_warning else self.chinese

    def defect(self, message: str, *, clause: str | None = None, severity: Severity | None = None) -> Defect:
        """Make a defect of this rule.

        Args:
            message: What this file says or lacks, in one English sentence.
            clause: One of :attr:`clauses`; by default :attr:`clause`.
            severity: One of :attr:`severities`; by default :attr:`severity`.

        Raises:
            ValueError: The row does not allow the clause or the severity.
        """
        clause = self.clause if clause is None else clause
        severity = self.severity if severity is None else severity
        if clause not in self.clauses or severity not in self.severities:
            raise ValueError(f"the catalogue does not give {self.id} the clause {clause!r} with severity {severity}")
        return Defect(self.id, clause, message, severity)
