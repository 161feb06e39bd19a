"""The catalogue of rules: id, clause, severity, and a sentence in English and Chinese, each in one place.

Everything that speaks of a rule reads it here: the defects that marks and profiles report, docs/rules.md, SARIF, the
HTML pages and the JSON Schema of the report. To add a rule, add a row and call :func:`defect` with its id where the
rule is broken.
"""

from __future__ import annotations

from labeling.findings import Defect, Severity
from labeling.rule_catalogue import _abroad, _china, _custom, _elsewhere, _europe, _files
from labeling.rule_catalogue._custom import required_mark
from labeling.rule_catalogue._rule import Rule

__all__ = ["RETIRED", "RULES", "Rule", "defect", "required_mark", "rule_named"]

_TABLES = (_china, _europe, _abroad, _elsewhere, _files, _custom)

RULES: dict[str, Rule] = {row.id: row for table in _TABLES for row in table.RULES}
"""Every rule by its id, in the order of the documents."""


RETIRED: dict[str, str] = {
    "US-CA-VISIBLE": "SB 1000 repealed the manifest (visible) disclosure on 2026-09-30",
}
"""Ids of rules that were removed, and why. Reports of older versions have them, so no rule may take one again."""


def rule_named(rule: str) -> Rule:
    """Return the row of a rule id. Raises :class:`KeyError` for an id without a row, which is a bug of the caller."""
    try:
        return RULES[rule]
    except KeyError:
        raise KeyError(f"{rule!r} has no row in labeling.rule_catalogue") from None


def defect(rule: str, message: str, *, clause: str | None = None, severity: Severity | None = None) -> Defect:
    """Make a defect: the rule's clause and severity from the catalogue, the message about the file from the caller.

    Args:
        rule: The id of the rule.
        message: What this file says or lacks, in one English sentence.
        clause: Which clause applies, for a rule that has several.
        severity: Error or warning, for a rule that may be either.

    Raises:
        KeyError: The rule has no row in the catalogue.
        ValueError: The row does not allow the clause or the severity.

    Example:
        >>> defect("CN-IMPLICIT-ORDER", "the keys are not in the standard's order").clause
        'GB 45438-2025 Annex E'
    """
    return rule_named(rule).defect(message, clause=clause, severity=severity)
