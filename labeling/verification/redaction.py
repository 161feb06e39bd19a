"""Redaction: what a report or a listing says of systems, without what it says of persons.

California's detection tool shows "system provenance data" and no "personal provenance data" (B&P Code 22757.2). So only
the fields named here pass, each through a check of its value; everything else in a file is free text, and is withheld:
authors, owners, addresses, positions, serial numbers, prompts, titles, names of files and of accounts. Messages that
may quote a file become the general sentence of their rule.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, overload

from labeling.findings import Defect, Finding, Severity
from labeling.marks import aigc
from labeling.rule_catalogue import RULES
from labeling.rules import Verdict
from labeling.verification._harmless import (
    WITHHELD,
    Check,
    code,
    each,
    form,
    label_text,
    number,
    number_of_content,
    one_of,
    place,
    system,
    term,
    time,
    version,
)
from labeling.verification.report import Report

Fields = Mapping[str, Any]
"""A check by the name of the field; of a field that holds others, again such a mapping."""

REST = "withheld_fields"
"""Key under which the number of fields is given whose very names are withheld."""

NAME = "file"
"""What a redacted report calls the file, unless its caller has another name for it: names of files name persons."""

_UNREAD = "part of the file could not be read (the details are withheld: they may quote the file)"

_WORD = form(r"[a-z][a-z -]{0,40}")
_CODES = form(r"[A-Za-z0-9]+(\.[A-Za-z0-9_-]+){0,6}")
_ACTION = form(r"c2pa\.[a-z0-9_.]{1,60}")

_AIGC: Fields = {
    "Label": one_of("1", "2", "3", 1, 2, 3, "AIGC"),  # type: ignore[arg-type]
    "ContentProducer": code,
    "ProduceID": number_of_content,
    "ReservedCode1": one_of(""),
    "ContentPropagator": code,
    "PropagateID": number_of_content,
    "ReservedCode2": one_of(""),
    "ServiceProvider": code,
    "Time": time,
    "ContentId": number_of_content,
    "ContentID": number_of_content,
    "ServiceUser": one_of(""),
}

_DISCLOSURE: Fields = {
    "modelType": _CODES,
    "modelName": system,
    "modelVersion": version,
    "provider": system,
    "system": system,
    "system_version": version,
    "content_id": number_of_content,
    "dateTime": time,
}
_DISCLOSURE = {**_DISCLOSURE, "metadata": _DISCLOSURE}

_STEP: Fields = {
    "manifest": number_of_content,
    "generator": system,
    "signer": one_of(),
    "time": time,
    "actions": [{
        "action": _ACTION, "description": one_of(), "agent": system, "when": time, "source_type": term,
    }],
    "ingredients": [{
        "title": one_of(), "relationship": _WORD, "description": one_of(), "manifest": number_of_content,
    }],
}  # fmt: skip
_WATERMARK: Fields = {"manifest": number_of_content, "by": _CODES, "says": form(r"[a-z0-9]+(\.[a-zA-Z0-9_-]+)+")}

_C2PA: Fields = {
    "active_manifest": number_of_content,
    "title": one_of(),
    "claim_generator": system,
    "issuer": system,
    "common_name": one_of(),
    "alg": _CODES,
    "time": time,
    "digital_source_type": term,
    "digital_source_types": each(term),
    "ingredient_digital_source_types": each(term),
    "software_agent": system,
    "ai_disclosure": _DISCLOSURE,
    "provider": system,
    "system": system,
    "system_version": version,
    "content_id": number_of_content,
    "created": time,
    "actions": each(_ACTION),
    "ingredient_validation_codes": each(_CODES),
    "validation_codes": each(_CODES),
    "validation_state": _CODES,
    "history": [_STEP],
    "watermarks": [_WATERMARK],
    "manifests": number,
    "time_stamped": number,
    "ai": number,
    "integrity": dict.fromkeys(("state", "hash", "signature", "assertions"), _WORD),
    "signer": {
        "name": one_of(), "organisation": system, "issuer": system, "serial": one_of(), "not_before": time,
        "not_after": time, "certificate": _WORD, "revocation": _WORD,
    },
    "trust": {
        "state": _WORD, "list": system, "date": time, "asked": [{"name": system, "date": time}], "note": system,
    },
    "time_stamp": {
        "state": _WORD, "authority": system, "organisation": system, "time": time, "list": system, "date": time,
        "legacy": number, "trusted": number,
    },
}  # fmt: skip

_IPTC: Fields = {
    "DigitalSourceType": term,
    "ai": number,
    "AISystemUsed": system,
    "AISystemVersionUsed": version,
    **dict.fromkeys(("CreateDate", "DateCreated", "MetadataDate"), time),
    **dict.fromkeys(("DigImageGUID", "InstanceID", "DocumentID"), number_of_content),
    **dict.fromkeys(("AIPromptInformation", "AIPromptWriterName"), one_of()),
}

_VISIBLE: Fields = {
    "text": label_text,
    "denial": one_of(),
    "vendor": lambda value: value if value is None else code(value),
    "languages": each(form(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")),
    "position": place,
    "kind": _WORD,
    "certainty": _WORD,
    "turned": _WORD,
    "measured": _WORD,
    **dict.fromkeys(("box", "height_ratio", "contrast", "confidence", "seconds", "duration", "rate"), number),
    "rhythm": number,
}

_VALUES: dict[str, Fields] = {
    "aigc": _AIGC,
    "c2pa": _C2PA,
    "iptc": _IPTC,
    "visible": _VISIBLE,
    "exif": {"Software": system, "DateTime": time},
    "ledger": {
        **dict.fromkeys(("record", "distance", "copy"), number),
        **dict.fromkeys(("date", "kept_until"), time),
        "by": _WORD,
        "content_id": number_of_content,
        "agreement": one_of(),
    },
    "generator": {"generator": system, "confidence": one_of("high", "medium", "low"), "text": one_of()},
}


@overload
def redact(found: Report, *, name: str = NAME) -> Report: ...
@overload
def redact(found: dict[str, Any], *, name: str = NAME) -> dict[str, Any]: ...
def redact(found: Report | dict[str, Any], *, name: str = NAME) -> Report | dict[str, Any]:
    """Take out of a report, or of what :func:`labeling.inspect` found, what may be about persons.

    What stays is the provenance of systems: provider codes, providers and systems with their versions, times, numbers
    of content, source types, the states of signatures, and all verdicts with their rules. Other values are replaced by
    "withheld". A number of content or the name of a system that may name somebody is withheld as well.

    Args:
        found: A report, or a listing.
        name: What to call the file. Its own name and path may name persons.

    Returns:
        A new report or listing. In JSON it has the key ``redacted``.

    Example:
        >>> import labeling
        >>> labeling.redact(labeling.verify("photo.png")).path
        'file'
    """
    return _report(found, name) if isinstance(found, Report) else _listing(found, name)


def withholds(listing: dict[str, Any]) -> bool:
    """Return whether a listing of a file's metadata holds anything that :func:`redact` takes out, but file names."""
    return _holds(_listing(listing, NAME)["blocks"]) or _holds(_listing(listing, NAME).get("history", []))


def _holds(value: Any) -> bool:
    if isinstance(value, dict):
        return REST in value or any(_holds(each_one) for each_one in value.values())
    if isinstance(value, list):
        return any(_holds(each_one) for each_one in value)
    return isinstance(value, str) and value == WITHHELD


def _report(report: Report, name: str) -> Report:
    verdicts = {
        profile: replace(verdict, failed=_defects(verdict.failed), warnings=_defects(verdict.warnings))
        for profile, verdict in report.verdicts.items()
        if isinstance(verdict, Verdict)
    }
    findings = tuple(_finding(finding) for finding in report.findings)
    problems = (_UNREAD,) if report.problems else ()
    return replace(report, path=name, findings=findings, verdicts=verdicts, problems=problems, redacted=True)


def _finding(finding: Finding) -> Finding:
    value = _checked(finding.value, _VALUES.get(finding.kind, {}))
    return replace(finding, where=place(finding.where), value=value, defects=_defects(finding.defects))


def _defects(defects: tuple[Defect, ...]) -> tuple[Defect, ...]:
    return tuple(dict.fromkeys(replace(each_one, message=_sentence(each_one)) for each_one in defects))


def _sentence(defect: Defect) -> str:
    """Return the rule's own sentence; a message says what is in the file."""
    rule = RULES.get(defect.rule)
    if rule is None:
        return WITHHELD
    return defect.message if rule.general else rule.sentence("en", warning=defect.severity is Severity.WARNING)


def _checked(value: Any, fields: Fields) -> dict[str, Any]:
    """Return the fields that are known, each checked, and how many others there are."""
    shown: dict[str, Any] = {}
    others = 0
    for key, held in value.items() if isinstance(value, dict) else ():
        known = fields.get(str(key).rpartition(":")[2], fields.get(str(key)))
        if known is None:
            others += 1
        else:
            shown[str(key) if key in fields else str(key).rpartition(":")[2]] = _value(held, known)
    return {**shown, REST: others} if others else shown


def _value(held: Any, known: Any) -> Any:
    if isinstance(known, Mapping):
        return _checked(held, known) if isinstance(held, dict) else WITHHELD
    if isinstance(known, list):
        return [_checked(one, known[0]) for one in held] if isinstance(held, list | tuple) else WITHHELD
    check: Check = known
    try:
        return check(held)
    except TypeError:  # a value that cannot be compared, such as a list where a word belongs
        return WITHHELD


# --- listings ---------------------------------------------------------------------------------------------------------

_KNOWN: Fields = {
    **{key: _IPTC[key] for key in _IPTC if key != "ai"},
    **dict.fromkeys(("CreatorTool", "Software", "Make", "Model"), system),
    **dict.fromkeys(("DateTime", "ModifyDate", "DateTimeOriginal", "DateTimeDigitized"), time),
    "ProgramVersion": version,
    **dict.fromkeys(
        ("Artist", "Copyright", "ImageDescription", "UserComment", "OwnerName", "creator", "rights"), one_of()
    ),
    **dict.fromkeys(("XPTitle", "XPComment", "XPAuthor", "XPKeywords", "XPSubject", "title", "description"), one_of()),
}
"""Properties of XMP and tags of EXIF by their local names."""

_ENCODERS = frozenset(("software", "isft", "encoder", "tsse", "\u00a9too", "\u00a9swr"))
"""Names of texts in which the program that wrote a file names itself."""

_BLOCK = ("kind", "offset", "length", "behind_the_picture", "payload_bytes")
_PLAIN = ("format", "media_type", "bytes", "width", "height", "frames", "seconds", "coded_bytes")


def _listing(found: dict[str, Any], name: str) -> dict[str, Any]:
    told: dict[str, Any] = {key: _value(found[key], _C2PA[key]) for key in ("history", "watermarks") if key in found}
    return {
        "path": name,
        **{key: found[key] for key in _PLAIN if key in found},
        "blocks": [_block(block) for block in found.get("blocks", ())],
        **told,
        "problems": [_UNREAD] if found.get("problems") else [],
        "warnings": [WITHHELD] if found.get("warnings") else [],
        "redacted": True,
    }


def _block(block: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {key: block[key] for key in _BLOCK if key in block}
    shown["where"] = place(block.get("where"))
    if "keyword" in block:
        shown["keyword"] = place(block["keyword"]).replace("…", WITHHELD)
    for key in ("properties", "tags"):
        if key in block:
            shown[key] = _named(block[key])
    if "text" in block:
        held = _label(block["text"])
        if held is None and str(block.get("keyword", "")).lower() in _ENCODERS:
            held = system(block["text"].strip("\0 "))
        shown["text"] = WITHHELD if held is None else held
    if "problem" in block:
        shown["problem"] = _UNREAD
    return shown


def _named(properties: dict[str, str]) -> dict[str, Any]:
    """Return properties with what they hold, if they are known; an AIGC field with its keys."""
    shown: dict[str, Any] = {}
    others = 0
    for qname, text in properties.items():
        local = qname.rpartition(":")[2]
        label = _label(text) if local == "AIGC" or local in ("UserComment", "ImageDescription") else None
        if label is not None:
            shown["AIGC" if local == "AIGC" else local] = label
        elif local in _KNOWN:
            shown[local] = _value(text, _KNOWN[local])
        else:
            others += 1
    return {**shown, REST: others} if others else shown


def _label(text: str) -> str | None:
    """Return an AIGC field with its keys checked, as JSON; ``None`` for any other text."""
    found = aigc.read(text.encode(), "", named=False)
    if found is None:
        return None
    return json.dumps(_checked(found.value, _AIGC), ensure_ascii=False)
