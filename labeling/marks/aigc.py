"""The AIGC field: seven keys of JSON that GB 45438-2025 6.1 and Annex E put into a file's metadata.

Encoder and verifier are side by side. The verifier reads every form that real products write and reports what is wrong
with it: wrapped or bare, JSON encoded twice, Python's repr, null values, shuffled and missing keys, draft names, the
schema of 2023.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from labeling.errors import LabelingError
from labeling.findings import Defect, Finding, Severity, Signature, Status
from labeling.label import Label, Origin, ProviderCode, is_usual_character
from labeling.marks import security
from labeling.marks._aigc_text import (
    CANONICAL,
    LEGACY_KEYS,
    decoded,
    is_key,
    is_standard,
    may_hold_label,
    parsed,
)
from labeling.marks._aigc_text import FIELD as FIELD
from labeling.marks._aigc_text import KEYS as KEYS
from labeling.marks._aigc_text import MAX_TEXT as MAX_TEXT
from labeling.marks._aigc_text import Field as Field
from labeling.marks._aigc_text import begins_as_label as begins_as_label
from labeling.marks.xmp import Name
from labeling.rule_catalogue import defect

NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"  # TC260-PG-20259A
XMP_NAME = Name(NAMESPACE, "AIGC", "TC260")
REQUIRED = ("Label", "ContentProducer", "ProduceID")
RESERVED = frozenset({"ReservedCode1", "ReservedCode2"})
REQUIRED_OF_PLATFORM = ("Label", "ContentPropagator", "PropagateID")
"""What must not be empty in a label that a platform wrote on a declaration or a finding (Labelling Measures Art. 6): it
writes its own code and number, and does not know who made the content."""
BASE64_NAME = "XmpKvBase64"  # a property that holds base64 of AIGC={...}: seen from a watermarking API


def encode(label: Label) -> str:
    """Return the label as JSON: the bare seven keys in the standard's order, all values strings.

    The first write repeats the producer's values in the propagator's fields (Annex E). Characters beyond ASCII are not
    escaped: a ``\\u`` escape needs the backslash, which is not among the characters that Annex E recommends.
    """
    return dump(encoded_fields(label))


def encoded_fields(label: Label) -> dict[str, str]:
    """Return the seven fields of a label as they are written, by their keys in the standard's order."""
    values = (
        str(label.origin),
        label.producer,
        label.content_id,
        label.security,
        label.propagator or label.producer,
        label.propagate_id or label.content_id,
        label.propagator_security,
    )
    return dict(zip(KEYS, values, strict=True))


def dump(value: dict[str, Any]) -> str:
    """Return an object as JSON in the compact form of the standard's examples."""
    return _COMPACT.encode(value)


_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def label_of(finding: Finding) -> Label | None:
    """Return the label in a finding; ``None`` if producer or content id is missing or cannot be represented."""
    field = Field(finding.value, False, ())
    origin = field.get("Label")
    try:
        return Label(
            producer=field.get("ContentProducer"),
            content_id=field.get("ProduceID"),
            origin=Origin(origin) if origin in set(Origin) else Origin.GENERATED,
            propagator=field.get("ContentPropagator"),
            propagate_id=field.get("PropagateID"),
            security=field.get("ReservedCode1"),
            propagator_security=field.get("ReservedCode2"),
        )
    except LabelingError:
        return None


def read(content: bytes | str, where: str, *, named: bool, foreign_namespace: str = "") -> Finding | None:
    """Judge what one carrier holds.

    Args:
        content: The carrier's value.
        where: The carrier's place, for the finding.
        named: Whether the carrier itself is called AIGC, so that whatever it holds was meant as the label. Elsewhere
            (UserComment, ImageDescription, a comment) the value counts only if it is wrapped in ``{"AIGC":…}``, has
            one of the seven keys, or is of the schema of 2023.
        foreign_namespace: The XMP namespace, if it is not the standard's.

    Returns:
        The finding, or ``None`` if there is no label.
    """
    defects: list[Defect] = []
    text = decoded(content, defects)
    if not named and not may_hold_label(text):
        return None
    field = parsed(text, named=named and not foreign_namespace)
    if field is None:
        return None
    if defects:
        field = replace(field, defects=(*defects, *field.defects))
    return _mark(field, where, foreign_namespace)


def read_split(values: dict[str, str], where: str, namespace: str) -> Finding | None:
    """Judge properties of one XMP namespace that may be the seven keys one by one, instead of one JSON object.

    ``values`` are texts by local name. They are a label if one of the standard's two ids is there together with another
    key: ``Label`` alone is a colour in photo managers.
    """
    keys = [key for key in values if key in KEYS]
    if len(keys) < 2 or not {"ContentProducer", "ProduceID"} & set(keys):
        return None
    message = f"the keys are separate properties of the namespace {namespace!r} instead of one AIGC field with JSON"
    field = Field({key: values[key] for key in keys}, False, (defect("CN-IMPLICIT-SPLIT", message),))
    return _mark(field, where, "")


def _mark(field: Field, where: str, foreign_namespace: str) -> Finding:
    defects = [*field.defects, *_judge(field)]
    if foreign_namespace:
        message = f"the property is in the namespace {foreign_namespace!r} instead of {NAMESPACE}"
        defects.append(defect("CN-IMPLICIT-NAMESPACE", message))
    signature, problems = security.check_label(field.canonical())
    defects += problems
    status = Status.DEFECTIVE if any(d.severity is Severity.ERROR for d in defects) else Status.PRESENT
    return Finding("aigc", status, where, field.value, signature, tuple(defects))


def with_pinned(finding: Finding, pinned: Sequence[bytes]) -> Finding:
    """Return the finding for a verifier who pinned these keys: they make a valid signature a trusted one.

    A signature without a key beside it can only be judged here.
    """
    if not pinned or finding.signature not in (Signature.VALID, Signature.UNSUPPORTED):
        return finding
    signature, problems = security.check_label(Field(finding.value, False, ()).canonical(), pinned)
    defects = (*(each for each in finding.defects if each.rule != security.RULE), *problems)
    failed = any(each.severity is Severity.ERROR for each in problems)
    return replace(finding, signature=signature, defects=defects, status=Status.DEFECTIVE if failed else finding.status)


_PLACES = 16


def only_one(found: list[Finding]) -> list[Finding]:
    """Apply 6.1 c), exactly one label in a file: equal labels are duplicates, different ones a conflict."""
    if not found:
        return [Finding("aigc", Status.ABSENT)]
    if len(found) == 1:
        return found
    same = all(_comparable(finding) == _comparable(found[0]) for finding in found)
    status = Status.DUPLICATE if same else Status.CONFLICT
    places = "; ".join(finding.where for finding in found[:_PLACES])  # thousands would make the report quadratic
    places += f"; and {len(found) - _PLACES} more" if len(found) > _PLACES else ""
    message = f"{len(found)} labels that {'are equal' if same else 'differ'}: {places}"
    twice = defect("CN-IMPLICIT-ONE", message)
    return [replace(finding, status=status, defects=(*finding.defects, twice)) for finding in found]


def _comparable(finding: Finding) -> dict[str, Any]:
    return {CANONICAL.get(key.lower(), key): value for key, value in finding.value.items() if value not in ("", None)}


def _judge(field: Field) -> list[Defect]:
    if is_standard(field.value):
        return [*_judge_values(field), *_judge_producer(field)]
    keys = list(field.value)
    if "raw" in field.value and len(keys) == 1:
        return []
    legacy = [key for key in keys if key in LEGACY_KEYS]
    if legacy and "Label" not in keys:
        message = f"the keys {', '.join(legacy)} are those of the practice guide of 2023, not the standard's seven"
        return [defect("CN-IMPLICIT-LEGACY", message)]
    return [*_judge_keys(keys), *_judge_values(field), *_judge_producer(field)]


def _judge_keys(keys: list[str]) -> list[Defect]:
    found: list[Defect] = []
    spelled = {key: CANONICAL[key.lower()] for key in keys if is_key(key) and key not in KEYS}
    missing = [key for key in KEYS if key not in keys and key not in spelled.values()]
    extra = [key for key in keys if not is_key(key)]
    if spelled:
        message = ", ".join(f"{wrong} instead of {right}" for wrong, right in spelled.items())
        found.append(defect("CN-IMPLICIT-KEY-NAME", f"key names other than the standard's: {message}"))
    if missing:
        # The reserved keys hold nothing that the label says: other checkers let them be missing, too.
        severity = Severity.WARNING if set(missing) <= RESERVED else Severity.ERROR
        found.append(defect("CN-IMPLICIT-KEYS", f"missing keys: {', '.join(missing)}", severity=severity))
    if extra:
        shown = ", ".join(key[:40] for key in extra[:5])
        found.append(defect("CN-IMPLICIT-EXTRA-KEYS", f"keys beyond the standard's seven: {shown}"))
    canonical = [CANONICAL[key.lower()] for key in keys if is_key(key)]
    if canonical != sorted(canonical, key=KEYS.index):
        found.append(defect("CN-IMPLICIT-ORDER", "the keys are not in the standard's order"))
    return found


def _judge_values(field: Field) -> list[Defect]:
    found: list[Defect] = []
    values = field.value
    if not is_standard(values):
        values = {CANONICAL[key.lower()]: value for key, value in values.items() if is_key(key)}
    if not_strings := [key for key, value in values.items() if not isinstance(value, str)]:
        message = f"values that are not strings: {', '.join(not_strings)}"
        found.append(defect("CN-IMPLICIT-STRINGS", message))
    required = REQUIRED_OF_PLATFORM if _by_platform(values) else REQUIRED
    if empty := [key for key in required if key in values and values[key] in ("", None)]:
        found.append(defect("CN-IMPLICIT-REQUIRED", f"required values are empty: {', '.join(empty)}"))
    label = values.get("Label")
    if "Label" in values and label not in ("", None) and str(label) not in set(Origin):
        message = f"Label is {str(label)[:40]!r}, not 1 (generated), 2 (possibly) or 3 (suspected)"
        found.append(defect("CN-IMPLICIT-LABEL", message))
    elif "Label" in values and label not in ("", None) and label not in set(Origin):
        found.append(defect("CN-IMPLICIT-LABEL", f"Label is the number {label}, not a string"))
    if lonely := [key for key in ("ContentPropagator", "PropagateID") if key in values and not values[key]]:
        message = f"{' and '.join(lonely)} empty: the first write should repeat the producer's values there"
        found.append(defect("CN-IMPLICIT-PROPAGATOR", message))
    return found


def _by_platform(values: dict[str, Any]) -> bool:
    """Say whether the label is a platform's, "2" or "3", that names no producer (Labelling Measures Art. 6)."""
    unknown = not any(values.get(key) for key in ("ContentProducer", "ProduceID"))
    return unknown and str(values.get("Label")) in (Origin.POSSIBLE, Origin.SUSPECTED)


_SHOWN = 60  # characters of a name that a message quotes; a code has 27, so no code is cut


@lru_cache(maxsize=256)
def _judge_code(producer: str) -> tuple[Defect, ...]:
    """Judge a provider code. A folder holds few producers and many files, so each code is judged once."""
    code = ProviderCode.parse(producer)
    if code is None:
        message = f"ContentProducer {producer!r} is a name, not a 27-character provider code"
        return (defect("CN-PROVIDER-CODE", message),)
    return tuple(defect("CN-PROVIDER-CODE", message) for message in code.problems())


_UNUSUAL = re.compile(r"[^!-\[\]-~]")
"""A character that :func:`~labeling.label.is_usual_character` does not know."""


def _judge_producer(field: Field) -> list[Defect]:
    producer = field.get("ContentProducer")
    found = list(_judge_code(producer[:_SHOWN])) if producer else []
    names = ("ContentProducer", "ProduceID", "ContentPropagator", "PropagateID")
    texts = [field.get(name) for name in names]
    if any(map(_UNUSUAL.search, texts)):
        odd = sorted(c for c in set().union(*texts) if not is_usual_character(c))
        message = f"characters outside 0x21, 0x23-0x5B, 0x5D-0x7E: {''.join(odd[:8])}"
        found.append(defect("CN-IMPLICIT-CHARACTERS", message))
    return found
