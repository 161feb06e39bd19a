"""Custom profiles, from TOML files: a known profile made stricter or milder, under its own name. For example::

name = "newsroom"
title = "What our picture desk asks"
extends = "cn"                        # any profile that comes with the package
require = ["c2pa", "visible"]         # kinds of marks that must be there
trusted = true                        # the C2PA signer must be on a trust list
errors = ["CN-PROVIDER-CODE"]         # rules whose warnings count as failures
ignore = ["CN-IMPLICIT-ORDER"]        # rules that do not count
languages = ["zh", "en"]              # accepted in the visible label
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from labeling.errors import LabelingError, error_context
from labeling.files import read_toml
from labeling.findings import MARKS, Signature
from labeling.rule_catalogue import required_mark
from labeling.rules.engine import Check, Evidence, Profile, Undecided

_TYPES: dict[str, type] = {
    "name": str,
    "title": str,
    "extends": str,
    "require": list,
    "trusted": bool,
    "errors": list,
    "ignore": list,
    "languages": list,
    "text": str,
}


def load(path: Path, known: dict[str, Profile]) -> Profile:
    """Read a profile from a file.

    Args:
        path: The TOML file; its stem is the profile's name unless the file gives one.
        known: The profiles that it may extend, by name.

    Raises:
        LabelingError: The file cannot be read, or says something that a profile cannot.
    """
    with error_context(path):
        return build(read_toml(path, "the profile"), path.stem, known)


def build(values: dict[str, Any], name: str, known: dict[str, Profile]) -> Profile:
    """Make a profile from the values of such a file. Raises :class:`LabelingError`."""
    _check_types(values)
    base = known.get(values.get("extends", "cn"))
    if base is None:
        raise LabelingError(
            f"extends is {values['extends']!r}, which is not a profile", hint=f"known are {', '.join(known)}"
        )
    required = values.get("require", [])
    if unknown := [mark for mark in required if mark not in MARKS]:
        raise LabelingError(
            f"require has {unknown[0]!r}, which is not a kind of mark", hint=f"known are {', '.join(MARKS)}"
        )
    checks = [*base.checks, *(_required(mark) for mark in required)]
    if values.get("trusted"):
        checks.append(Check("CUSTOM-TRUSTED", _not_trusted))
    return replace(
        base,
        name=values.get("name", name),
        title=values.get("title", values.get("name", name)),
        checks=tuple(checks),
        judged=base.judged | frozenset(required),
        languages=tuple(values.get("languages", base.languages)),
        text=values.get("text", base.text),
        ignore=frozenset(values.get("ignore", ())),
        errors=frozenset(values.get("errors", ())),
    )


def _check_types(values: dict[str, Any]) -> None:
    for key, value in values.items():
        if key not in _TYPES:
            raise LabelingError(f"unknown key {key}", hint=f"known are {', '.join(_TYPES)}")
        strings = not isinstance(value, list) or all(isinstance(item, str) for item in value)
        if type(value) is not _TYPES[key] or not strings:
            raise LabelingError(f"{key} has a value of the wrong type")


def _required(mark: str) -> Check:
    def fails(evidence: Evidence) -> str | None:
        if evidence.lacks(mark):
            return f"the profile requires a mark that is not there: {mark}"
        if mark in evidence.skipped and not evidence.of(mark):
            return Undecided(f"the profile requires a mark that was not looked for: {mark}")
        return None

    return Check(required_mark(mark), fails)


def _not_trusted(evidence: Evidence) -> str | None:
    if any(finding.signature is Signature.TRUSTED for finding in evidence.of("c2pa")):
        return None
    return "no C2PA manifest whose signer is trusted: on a trust list that was asked, and not expired"
