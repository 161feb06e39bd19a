"""Decode and parse what one AIGC carrier holds, in every form that real products write.

Each departure from the plain JSON of GB 45438-2025 Annex E is noted as a defect, and the content is read all the same.
The input is untrusted: length and nesting are bounded before anything is parsed.
"""

from __future__ import annotations

import ast
import binascii
import json
import math
import re
from dataclasses import dataclass
from typing import Any

from labeling.findings import Defect
from labeling.rule_catalogue import defect

FIELD = "AIGC"

KEYS = (
    "Label",
    "ContentProducer",
    "ProduceID",
    "ReservedCode1",
    "ContentPropagator",
    "PropagateID",
    "ReservedCode2",
)
LEGACY_PROVIDER = "ServiceProvider"
LEGACY_KEYS = (LEGACY_PROVIDER, "ServiceUser", "Time", "ContentId", "ContentID")  # the guide of 2023
DRAFT_NAMES = {
    "propagator": "ContentPropagator",
    "propatorid": "PropagateID",
    "reservecode1": "ReservedCode1",
    "reservecode2": "ReservedCode2",
}
CANONICAL = {key.lower(): key for key in KEYS} | DRAFT_NAMES

PREFIXES = (FIELD, f"TC260:{FIELD}")
"""What may stand before the JSON in segments, comments and texts: ``AIGC{…}``, ``AIGC={…}``, ``TC260:AIGC={…}``."""

MAX_TEXT = 256 << 10
MAX_NESTING = 16


@dataclass(frozen=True, slots=True)
class Field:
    """The content of one carrier: the object as found, and what was wrong with how it was written."""

    value: dict[str, Any]
    wrapped: bool
    defects: tuple[Defect, ...]

    def get(self, key: str) -> str:
        """Return the string under one of the seven keys, also in a draft's spelling; ``""`` if it is missing."""
        if is_standard(self.value):
            value = self.value[key]
            return value if isinstance(value, str) else ""
        for found, value in self.value.items():
            if CANONICAL.get(found.lower()) == key and isinstance(value, str):
                return value
        return ""

    def canonical(self) -> dict[str, Any]:
        """Return the values under the standard's spelling of their keys; of two spellings the first counts."""
        if is_standard(self.value):
            return dict(self.value)
        found: dict[str, Any] = {}
        for key, value in self.value.items():
            if is_key(key):
                found.setdefault(CANONICAL[key.lower()], value)
        return found


def is_standard(value: dict[str, Any]) -> bool:
    """Return whether an object has the standard's seven keys, as they are written there, and no others."""
    return tuple(value) == KEYS


def decoded(content: bytes | str, defects: list[Defect]) -> str:
    """Return the carrier's text without padding, and add to ``defects`` how its encoding departs from JSON's."""
    if isinstance(content, bytes):
        content, encoding = _characters(content)
        if encoding:
            message = f"the text is {encoding}, but JSON must be UTF-8"
            defects.append(defect("CN-IMPLICIT-ENCODING", message))
    text = _without_surrogates(content.strip(" \t\r\n\0\ufeff"))
    if text.startswith(_BASE64_OF_LABEL) and len(text) <= MAX_TEXT:
        try:
            inner = binascii.a2b_base64(text).decode()
        except (ValueError, UnicodeDecodeError):
            return text
        defects.append(defect("CN-IMPLICIT-BASE64", "the field is in Base64, not plain JSON"))
        return decoded(inner, []) if not inner.startswith(_BASE64_OF_LABEL) else text
    return text


_BASE64_OF_LABEL = ("QUlHQ", "eyJ", "eyA", "eyc")  # AIGC, {" and the like
_SURROGATES = re.compile("[\ud800-\udfff]")
_UTF_16 = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"{\0", "utf-16-le"), (b"\0{", "utf-16-be"))


def _characters(content: bytes) -> tuple[str, str]:
    """Return the text, and the name of its encoding if that is not UTF-8."""
    for bom, encoding in _UTF_16:
        if content.startswith(bom):
            return content.decode(encoding, "replace"), "UTF-16"
    try:
        return content.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("gb18030"), "GB 18030"
    except UnicodeDecodeError:
        return content.decode("latin-1"), "in an unknown encoding"


def _without_surrogates(text: str) -> str:
    """Replace halves of surrogate pairs, which are not characters: no report could be written with them."""
    return _SURROGATES.sub("\ufffd", text)


def begins_as_label(content: bytes) -> bool:
    """Return whether a value begins with the name of the field: then it is a label, whatever its place is called."""
    head = content[:64].lstrip(b" \t\r\n\0").upper()
    return any(head.startswith(prefix.encode()) for prefix in PREFIXES)


def may_hold_label(text: str) -> bool:
    """Return quickly whether a text in a place that is not called AIGC could be a label."""
    head = text[:MAX_TEXT]
    return "{" in head and ("AIGC" in head.upper() or any(key in head for key in (*KEYS, LEGACY_PROVIDER)))


def parsed(text: str, *, named: bool) -> Field | None:
    """Parse the value; ``None`` if it is not a label and the place is not called AIGC."""
    defects: list[Defect] = []
    prefix, brace, _ = text.partition("{")
    if brace and prefix.rstrip(" =:\0").upper() in PREFIXES:
        text = text[len(prefix) :]
        named = True
    value = _parse(text, defects)
    wrapped = False
    if isinstance(value, dict):
        inner = next((v for k, v in value.items() if k.upper() == FIELD), None)
        if isinstance(inner, str):
            defects.append(defect("CN-IMPLICIT-TWICE", "the JSON object is encoded twice"))
            inner = _parse(inner, defects)
        if isinstance(inner, dict):
            value, wrapped = inner, True
    if isinstance(value, dict) and (wrapped or named or any(map(is_key, value)) or _is_legacy(value)):
        return Field(value, wrapped, tuple(defects))
    if not named:
        return None
    if not any(d.rule == "CN-IMPLICIT-JSON" for d in defects):
        defects.append(defect("CN-IMPLICIT-JSON", "the field's value is not a JSON object"))
    return Field({"raw": text[:200]}, False, tuple(defects))


def _is_legacy(value: dict[str, Any]) -> bool:
    """Return whether it is of the schema of 2023: its provider and another of its keys, since each alone is common."""
    return LEGACY_PROVIDER in value and sum(key in LEGACY_KEYS for key in value) > 1


def is_key(key: str) -> bool:
    """Return whether the key is one of the seven, in any case or in a draft's spelling."""
    return key.lower() in CANONICAL


def _parse(text: str, defects: list[Defect]) -> Any:
    """Parse JSON; note each departure from it, and read the usual ones all the same."""
    if len(text) > MAX_TEXT or _nesting(text) > MAX_NESTING:
        defects.append(defect("CN-IMPLICIT-JSON", "the value is too long or too deeply nested for a label"))
        return None
    notes: set[str] = set()
    value = _json(text, notes)
    for _ in range(2):
        if not isinstance(value, str):
            break
        defects.append(defect("CN-IMPLICIT-TWICE", "the JSON object is encoded twice"))
        value = _json(value, notes)
    if _SURROGATE_ESCAPE.search(text):  # a pair of escapes is one character and stays; half a pair is replaced
        value = _cleaned(value, notes)
    defects += [defect("CN-IMPLICIT-JSON", note) for note in sorted(notes)]
    return value


_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def _cleaned(value: Any, notes: set[str]) -> Any:
    """A parsed value (its depth is bounded) with U+FFFD for each lone surrogate."""
    if isinstance(value, dict):
        return {_cleaned(key, notes): _cleaned(item, notes) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item, notes) for item in value]
    if isinstance(value, str) and _SURROGATES.search(value):
        notes.add("the JSON has half a surrogate pair, which is not a character")
        return _without_surrogates(value)
    return value


def _json(text: str, notes: set[str]) -> Any:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(items)) == len(items):
            return dict(items)
        notes.add("a key of the JSON object occurs twice")
        # Readers take the first or the last: of two Labels the one counts that claims less.
        doubts = [item for item in items if item[0] == "Label" and str(item[1]) != "1"]
        return dict([*items, *doubts])

    def constant(name: str) -> None:
        notes.add(f"the JSON holds {name}, which is not a JSON value")

    def number(digits: str) -> float | None:
        value = float(digits)
        if math.isfinite(value):
            return value
        notes.add("the JSON holds a number that is too large")
        return None

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_float=number)
    except (ValueError, RecursionError):
        pass
    try:  # raw control characters inside strings
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_float=number, strict=False)
        notes.add("the JSON has raw control characters inside a string")
        return value
    except (ValueError, RecursionError):
        pass
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        notes.add("the value is not JSON")
        return None
    if isinstance(value, dict) and all(isinstance(key, str) for key in value) and _is_json(value):
        notes.add("the value is a Python literal with single quotes, not JSON")
        return value
    notes.add("the value is not JSON")
    return None


def _is_json(value: Any) -> bool:
    """Return whether a Python literal can be written as JSON: not sets, bytes, complex or infinite numbers."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _nesting(text: str) -> int:
    brackets = text.count("{") + text.count("[") + text.count("(")
    if brackets <= MAX_NESTING:  # as in every real label: it need not be walked through
        return brackets
    depth = deepest = 0
    for character in text:
        if character in "{[(":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "}])":
            depth -= 1
    return deepest
