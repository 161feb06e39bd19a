"""SARIF 2.1.0 (OASIS standard, errata 01): findings for code-scanning dashboards and review tools.

A log has one run, with a rule for each rule id that occurs, an artifact for each file, and a result for each defect of
a file. A defect under several profiles is one result that names them all; its level is that of the strictest.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from labeling._version import __version__
from labeling.findings import Defect
from labeling.inert import inert, to_json
from labeling.reports import credentials
from labeling.rule_catalogue import RULES
from labeling.verification.report import Report

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_MEDIA_TYPE = re.compile(r"[^/]+/.+")


def to_sarif(reports: Iterable[Report]) -> str:
    """Return a SARIF log with one run."""
    reports = list(reports)
    rules: dict[str, dict[str, Any]] = {}
    results = [
        result for index, report in enumerate(reports) for result in _results(report, index, rules)
    ]  # also fills the rules
    driver = {
        "name": "aigc-label",
        "fullName": "aigc-labeling: labels of AI-generated content",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": list(rules.values()),
    }
    run = {
        "tool": {"driver": driver},
        "language": "en",
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True}],
        "artifacts": [_artifact(report) for report in reports],
        "results": results,
        "properties": {"profiles": list(dict.fromkeys(name for report in reports for name in report.verdicts))},
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return to_json(log, indent=1, default=str) + "\n"


def _artifact(report: Report) -> dict[str, Any]:
    artifact: dict[str, Any] = {"location": {"uri": uri(report.path)}, "roles": ["analysisTarget"]}
    if _MEDIA_TYPE.fullmatch(report.media_type):
        artifact["mimeType"] = report.media_type
    verdicts = {name: str(verdict.outcome) for name, verdict in report.verdicts.items()}
    artifact["properties"] = {"origin": report.origin, "readable": report.readable, "verdicts": verdicts}
    if (signed := report.find("c2pa")) is not None and (said := credentials.answers(signed)):
        artifact["properties"]["contentCredentials"] = {name: inert(words) for name, words in said}
    return artifact


def _results(report: Report, index: int, rules: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for defect, (level, profiles) in _defects(report).items():
        rule = _rule(defect, level, rules)
        location: dict[str, Any] = {"physicalLocation": {"artifactLocation": {"uri": uri(report.path), "index": index}}}
        places = [finding.where for finding in report.findings if finding.where and defect in finding.defects]
        if places:  # a place inside the file has no line number: it is named as the container's reader names it
            location["logicalLocations"] = [{"fullyQualifiedName": inert(place)} for place in dict.fromkeys(places)]
        identity = "\0".join((uri(report.path), defect.rule, defect.message))
        yield {
            "ruleId": defect.rule,
            "ruleIndex": list(rules).index(rule),
            "level": level,
            "message": {"text": inert(defect.message)},
            "locations": [location],
            "partialFingerprints": {"defect/v1": hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()},
            "properties": {"clause": defect.clause, "profiles": profiles},
        }


def _defects(report: Report) -> dict[Defect, tuple[str, list[str]]]:
    """Return each defect with its level and the profiles that report it."""
    found: dict[Defect, tuple[str, list[str]]] = {}
    for name, verdict in report.verdicts.items():
        for level, defects in (("error", verdict.failed), ("warning", verdict.warnings)):
            for defect in defects:
                before, profiles = found.get(defect, ("warning", []))
                found[defect] = ("error" if "error" in (before, level) else "warning", [*profiles, name])
    return found


def _rule(defect: Defect, level: str, rules: dict[str, dict[str, Any]]) -> str:
    text = RULES[defect.rule].english if defect.rule in RULES else defect.rule
    rule = rules.setdefault(
        defect.rule,
        {
            "id": defect.rule,
            "shortDescription": {"text": text},
            "defaultConfiguration": {"level": level},
            "properties": {"clause": defect.clause},
        },
    )
    if level == "error":
        rule["defaultConfiguration"]["level"] = level
    return defect.rule


def uri(path: str) -> str:
    """Return a path as a URI reference (RFC 3986): absolute paths as file URIs, relative ones relative."""
    parts = PurePath(path)
    if parts.is_absolute():
        return "file://" + ("/" if parts.drive else "") + quote(_bytes(parts.as_posix()), safe="/:")
    return quote(_bytes(parts.as_posix()), safe="/")


def _bytes(path: str) -> bytes:
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:  # half of a surrogate pair, which Windows allows in names
        return path.encode("utf-8", "surrogatepass")
