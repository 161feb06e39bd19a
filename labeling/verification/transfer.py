"""Reports as plain values between two processes, of which the one that read the file is not trusted.

Whatever has not the form of a report is refused. Rules are those of the catalogue, so that no file can invent one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from labeling.findings import KINDS, Defect, Finding, Severity, Signature, Status
from labeling.rule_catalogue import defect
from labeling.rules import Outcome, Verdict
from labeling.verification.report import ORIGINS, Report

Value = dict[str, Any]
Item = TypeVar("Item")

_MOST = 100_000
"""Entries of one list."""


class NoReport(ValueError):
    """A value is not the form of a report."""


def packed(report: Report) -> Value:
    """Return a report as values for JSON, from which :func:`unpacked` makes it again."""
    return {
        "path": report.path,
        "media_type": report.media_type,
        "readable": report.readable,
        "origin": report.origin,
        "findings": [
            [f.kind, str(f.status), f.where, f.value, f.signature and str(f.signature), _packed(f.defects)]
            for f in report.findings
        ],
        "verdicts": [
            [
                *(name, str(verdict.outcome), _packed(verdict.failed), _packed(verdict.warnings)),
                *(verdict.since, verdict.in_force, list(verdict.sources)),
            ]
            for name, verdict in report.verdicts.items()
        ],
        "problems": list(report.problems),
    }


def _packed(defects: tuple[Defect, ...]) -> list[list[str]]:
    return [[each.rule, each.message, each.clause, str(each.severity)] for each in defects]


def unpacked(value: Value) -> Report:
    """Return the report that was packed elsewhere. Raises :class:`NoReport` for anything else."""
    try:
        origin = _text(value["origin"])
        if origin not in ORIGINS or not isinstance(value["readable"], bool):
            raise NoReport(origin)
        return Report(
            _text(value["path"]),
            _text(value["media_type"]),
            value["readable"],
            origin,
            _each(value["findings"], _finding),
            dict(_each(value["verdicts"], _verdict)),
            _each(value["problems"], _text),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NoReport("no report") from error


def _each(values: object, make: Callable[[Any], Item]) -> tuple[Item, ...]:
    if not isinstance(values, list) or len(values) > _MOST:
        raise NoReport("no list")
    return tuple(make(each) for each in values)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise NoReport("no text")
    return value


def _finding(value: list[Any]) -> Finding:
    kind, status, where, held, signature, defects = value
    if kind not in KINDS or not isinstance(held, dict):
        raise NoReport("no finding")
    signed = None if signature is None else Signature(signature)
    return Finding(kind, Status(status), _text(where), held, signed, _each(defects, _defect))


def _verdict(value: list[Any]) -> tuple[str, Verdict]:
    name, outcome, failed, warnings, since, in_force, sources = value
    if not isinstance(in_force, bool):
        raise NoReport("no verdict")
    rests_on = (_text(since), in_force, _each(sources, _text))
    return _text(name), Verdict(Outcome(outcome), _each(failed, _defect), _each(warnings, _defect), *rests_on)


def _defect(value: list[Any]) -> Defect:
    rule, message, clause, severity = value
    return defect(_text(rule), _text(message), clause=_text(clause), severity=Severity(severity))
