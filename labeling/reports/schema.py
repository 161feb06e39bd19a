"""The JSON Schema (draft 2020-12) of the report's JSON form, made from the words that the report is made of.

``docs/report.schema.json`` is this schema as a file; ``make docs`` writes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labeling.findings import KINDS, Signature, Status, Technique
from labeling.rule_catalogue import RULES
from labeling.rules import Outcome
from labeling.rules.platform import NOTICES
from labeling.verification.report import ORIGINS, SCHEMA_VERSION

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TEXT = {"type": "string", "minLength": 1}


def report_schema() -> dict[str, Any]:
    """Return the schema of the report on one file.

    The form ``jsonl`` has one such object on each line, the form ``json`` an array of them (``#/$defs/reports``). Every
    object has exactly the keys named here, except ``value``, whose keys depend on the kind of the finding.
    """
    return {
        "$schema": DIALECT,
        "title": "Report of aigc-labeling on one file",
        "description": "One line of the form jsonl, or one item of the array of the form json (see $defs/reports).",
        "$ref": "#/$defs/report",
        "$defs": {
            "reports": {"type": "array", "items": {"$ref": "#/$defs/report"}},
            "report": _report(),
            "finding": _finding(),
            "verdict": _verdict(),
            "defect": _defect(),
            "notice": _notice(),
        },
    }


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """An object with these keys and no others."""
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": list(required),
        "additionalProperties": False,
        **more,
    }


def _one_of(words: Iterable[object], description: str) -> dict[str, Any]:
    return {"enum": [str(word) for word in words], "description": description}


def _list_of(name: str, description: str, *, least: int = 0) -> dict[str, Any]:
    bound = {"minItems": least} if least else {}
    return {"type": "array", "items": {"$ref": f"#/$defs/{name}"}, **bound, "description": description}


def _report() -> dict[str, Any]:
    return _object(
        {
            "version": {"const": SCHEMA_VERSION, "description": "Version of this form."},
            "path": {"type": "string", "description": "The file's path, or a name for it such as <bytes>."},
            "media_type": _TEXT | {"description": "Media type of the file, by content."},
            "readable": {"type": "boolean", "description": "False if the file could not be read to its end."},
            "origin": _one_of(ORIGINS, "Class of Labelling Measures Art. 6; none if nothing speaks of AI."),
            "marks": _list_of("finding", "What was found, in the order of the kinds."),
            "verdicts": {
                "type": "object",
                "additionalProperties": {"$ref": "#/$defs/verdict"},
                "description": "One verdict for each profile, by the profile's name.",
            },
        },
        {
            "notice": {"$ref": "#/$defs/notice"},
            "redacted": {"const": True, "description": "What may be about persons was taken out."},
            "problems": {
                "type": "array",
                "items": _TEXT,
                "minItems": 1,
                "description": "Why the file could not be read to its end.",
            },
        },
    )


def _finding() -> dict[str, Any]:
    absent = {"properties": {"status": {"const": str(Status.ABSENT)}}}
    return _object(
        {
            "mark": _one_of(KINDS, "Kind of the finding."),
            "status": _one_of(Status, "State of the mark."),
            "defects": _list_of("defect", "What breaks a rule."),
        },
        {
            "technique": _one_of(Technique, "What the finding rests on."),
            "where": _TEXT | {"description": "Place in the file, or position on the picture."},
            "value": {"type": "object", "description": "What the mark says; the keys depend on the kind."},
            "signature": _one_of(Signature, "State of the mark's signature."),
            "warnings": _list_of("defect", "What is worth knowing and breaks no rule.", least=1),
        },
        **{"if": {"not": absent}, "then": {"required": ["value"]}},
    )


def _verdict() -> dict[str, Any]:
    return _object(
        {
            "verdict": _one_of(Outcome, "What the profile concludes."),
            "failed": _list_of("defect", "Why the file does not comply."),
            "warnings": _list_of("defect", "What is worth knowing."),
        },
        {
            "since": {"type": "string", "format": "date", "description": "Day from which the profile's rules apply."},
            "in_force": {"type": "boolean", "description": "Whether that day had come when the file was checked."},
            "sources": {
                "type": "array",
                "items": _TEXT,
                "minItems": 1,
                "description": "What the rules rest on.",
            },
        },
    )


def _defect() -> dict[str, Any]:
    return _object(
        {
            "rule": _one_of(RULES, "Stable id of the rule; see docs/rules.md."),
            "clause": _TEXT | {"description": "Where the rule comes from."},
            "message": _TEXT | {"description": "What this file says or lacks, in one sentence."},
        },
        {"technique": _one_of(Technique, "In verdicts: what it rests on, if that is one technique.")},
    )


def _notice() -> dict[str, Any]:
    keys = next(iter(NOTICES.values()))
    schema = _object(dict.fromkeys(keys, _TEXT))
    return schema | {"description": "Notice that a platform must show; only under the profile platform."}
