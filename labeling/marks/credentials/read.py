"""Read and judge the content credentials of any file, offline.

A manifest is the claim of its signer. The finding distinguishes whether it is intact (``valid``) and whether its signer
is also on a list that the caller trusts (``trusted``).
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from labeling.errors import LabelingError, UnreadableFile
from labeling.filebytes import FileBytes
from labeling.findings import Defect, Finding, Severity, Signature, Status
from labeling.gates import shortage
from labeling.marks.credentials import _context, library
from labeling.marks.credentials._answers import (
    HASHES,
    LATE,
    STAMP_UNTRUSTED,
    STAMPED,
    TRUSTED,
    UNTRUSTED,
    Answers,
    answers,
)
from labeling.marks.credentials._store import Facts, facts
from labeling.marks.credentials._undisturbed import Watched, undisturbed
from labeling.marks.credentials._values import text
from labeling.marks.credentials.trusted import Asked, TrustChoice, asked, resolved
from labeling.rule_catalogue import defect

if TYPE_CHECKING:
    import mmap

    Buffer = bytes | bytearray | memoryview | mmap.mmap

MARK = "c2pa"
WHERE = "C2PA manifest store"

_MAX_CRJSON = 64 << 20

# Failure codes of C2PA 2.2, 15.2.2, by their beginning: our rule and what the code means.
_RULES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (HASHES, "C2PA-HASH-MISMATCH", "the content was changed after it was signed"),
    (
        ("assertion.hashedURI", "hashedURI", "assertion.missing", "assertion.inaccessible"),
        "C2PA-ASSERTION", "an assertion in the manifest was changed or is missing",
    ),
    (("claimSignature",), "C2PA-SIGNATURE", "the signature does not match the claim"),
    (("signingCredential.ocsp.revoked", "signingCredential.revoked"), "C2PA-REVOKED",
     "the signer's certificate was revoked"),
    (("signingCredential",), "C2PA-CREDENTIAL",
     "the signer's certificate is not one that may sign claims"),
    (("algorithm",), "C2PA-ALGORITHM",
     "the signature or a hash uses an algorithm that is not allowed"),
    (("timeStamp",), "C2PA-TIME-STAMP", "the time stamp is not valid"),
    (("ingredient", "assertion.ingredient"), "C2PA-INGREDIENT",
     "an ingredient's manifest does not validate"),
    (("assertion.action",), "C2PA-ACTION", "the actions do not follow the specification"),
    (("assertion",), "C2PA-ASSERTION", "an assertion in the manifest does not validate"),
    (("",), "C2PA-MALFORMED", "the manifest is malformed"),
)  # fmt: skip


def read(
    data: Buffer | FileBytes, media_type: str, *, trust: TrustChoice = None, store: bytes | None = None
) -> Finding:
    """Judge the active manifest of a file.

    ``store`` is a manifest store from beside the file. Without ``trust`` no signer is known and the best signature
    is "valid". ``value`` holds what the manifest says (see :class:`~labeling.marks.credentials._store.Facts`), the four
    answers (see :class:`~labeling.marks.credentials._answers.Answers`), and ``validation_state`` and
    ``validation_codes`` as c2pa's reader gives them. Never raises on a broken file: that is a finding. Raises
    :class:`LabelingError` for an unusable trust list, and where memory or the disk runs out.
    """
    lists = asked(resolved(trust))

    def ask(table: dict[str, Any], *, stamps: bool = True) -> Facts | Finding:
        return undisturbed(lambda: _facts(data, media_type, table, store, stamps=stamps))

    found = ask(lists.settings())
    if isinstance(found, Finding):
        return found
    _settle(found, lists, ask)
    return _judge(found, lists)


def _settle(found: Facts, lists: Asked, ask: Callable[..., Facts | Finding]) -> None:
    """Ask again where one answer does not say who vouches for the signer."""
    codes = found.codes
    late = LATE[0] in found.failures and UNTRUSTED in found.failures
    if late and STAMPED in codes and STAMP_UNTRUSTED in codes and lists.lists:
        # c2pa-rs takes an unknown authority's stamp for none, and then the chain of an expired certificate for broken.
        again = ask(lists.settings(), stamps=False)
        if isinstance(again, Facts) and TRUSTED in again.codes:
            codes[TRUSTED] = again.codes[TRUSTED]
    if TRUSTED not in codes or lists.signer(codes[TRUSTED]).signers is not None:
        return
    # c2pa-rs 0.91 lets the roots of time-stamp authorities vouch for signers as well, and so would the interim list.
    # They must not: ask again without them, since a root may be on several lists.
    again = ask(lists.settings(trusting_only=True), stamps=not late)
    if isinstance(again, Facts) and lists.signer(again.codes.get(TRUSTED, "")).signers is not None:
        codes[TRUSTED] = again.codes[TRUSTED]
    elif found.state == "Trusted":
        found.state, found.failures = "Valid", (*found.failures, UNTRUSTED)


def _facts(
    data: Buffer | FileBytes, media_type: str, trust: dict[str, Any], beside: bytes | None, *, stamps: bool
) -> Facts | Finding:
    c2pa = library.load()

    try:
        judge = _context.for_judging(trust, stamps=stamps)
    except c2pa.C2paError as error:
        raise LabelingError(f"the trust list cannot be used: {_line(error)}") from None
    try:
        with c2pa.Reader(media_type, _stream(data), beside, context=judge) as reader:
            store = json.loads(reader.json())
            certificates = _certificates(reader, c2pa.C2paError)
    except c2pa.C2paError.ManifestNotFound:
        return Finding(MARK, Status.ABSENT)
    except (c2pa.C2paError, ValueError, RecursionError) as error:
        short = shortage(error, "read the C2PA manifest")
        if short is None or isinstance(short, UnreadableFile):
            return _unreadable(_line(error))
        raise short from error
    if not isinstance(store, dict) or not isinstance(store.get("manifests"), dict):
        return _unreadable("the reader did not return a manifest store")
    return facts(store, certificates)


def _certificates(reader: Any, fault: type[Exception]) -> dict[str, Any]:
    """Return crJSON, the form in which c2pa describes certificates; nothing where it cannot be had."""
    try:
        text = reader.crjson()
        found = json.loads(text) if len(text) <= _MAX_CRJSON else {}
    except (AttributeError, fault, ValueError, RecursionError):  # AttributeError: an older c2pa-python has no such form
        return {}
    return found if isinstance(found, dict) else {}


def _stream(data: Buffer | FileBytes) -> Any:
    return Watched(data.stream()) if isinstance(data, FileBytes) else io.BytesIO(data)


def _unreadable(problem: str) -> Finding:
    kind = Signature.UNSUPPORTED if "prerelease" in problem else Signature.NONE
    why = defect("C2PA-MALFORMED", f"the manifest store cannot be read: {problem}")
    value = {"malformed": True} if kind is Signature.NONE else {}  # nobody reads it, and it carries nothing
    return Finding(MARK, Status.UNREADABLE, WHERE, value, kind, (why,))


def _judge(found: Facts, lists: Asked = Asked()) -> Finding:  # noqa: B008 - it is never changed
    said = answers(found, lists)
    value = found.value() | said.value()
    value |= {"validation_state": found.state, "validation_codes": list(found.failures)}
    defects = (*_failed(found, said), *_missing_origin(found))
    worst = any(each.severity is Severity.ERROR for each in defects)
    status = Status.DEFECTIVE if worst else Status.PRESENT
    return Finding(MARK, status, WHERE, value, said.signature, defects)


def _failed(found: Facts, said: Answers) -> list[Defect]:
    """Return a defect for each rule that a failure code breaks; an unknown signer is not one (see ``trust``)."""
    defects: dict[str, Defect] = {}
    for code in found.failures:
        if code == UNTRUSTED:
            continue
        if code.startswith("claimSignature") and said.integrity["signature"] == "unchecked":
            continue  # c2pa's way of saying that it could not verify it: whether it matches is not known
        if code in LATE:
            if said.late:
                defects.setdefault("C2PA-EXPIRED", defect("C2PA-EXPIRED", f"{_late(said)} ({code})"))
            continue
        rule, message = next(row[1:] for row in _RULES if any(code.startswith(prefix) for prefix in row[0]))
        why = found.codes.get(code, "")
        detail = f"{code}: {why}" if why else code
        defects.setdefault(rule, defect(rule, f"{message} ({detail})"))
    if said.time_stamp["state"] == "invalid" and "C2PA-TIME-STAMP" not in defects:
        code = next((code for code in found.codes if code.startswith("timeStamp") and code != STAMPED), "timeStamp")
        message = f"the time stamp is not valid, and counts for nothing ({code})"
        defects["C2PA-TIME-STAMP"] = defect("C2PA-TIME-STAMP", message, severity=Severity.WARNING)
    return list(defects.values())


def _late(said: Answers) -> str:
    """Say why a signature is not from the validity period of its certificate, as far as it is known."""
    signer, stamp = said.signer, said.time_stamp
    since, until = (str(signer.get(key, ""))[:10] for key in ("not_before", "not_after"))
    stamped = str(stamp.get("time", ""))[:10] if stamp["state"] == "valid" else ""
    if said.signature is Signature.FAILED and signer["certificate"] == "not yet valid":
        return f"the signer's certificate is not valid before {since}"
    if stamped and since and stamped < since:
        return f"the time stamp says {stamped}, but the signer's certificate is valid only from {since} on"
    ended = f"the signer's certificate expired on {until}" if until else "the signer's certificate has expired"
    if stamped:
        return f"{ended}, and the time stamp says {stamped}"
    return f"{ended}, and no valid time stamp shows that it signed before that day"


def _missing_origin(found: Facts) -> list[Defect]:
    """Return what a manifest should say of an asset's origin, and does not (C2PA 2.2, 18.14.2)."""
    if not found.created or found.created_with_source_type:
        return []
    # Claims of version 1 are older than the obligation; it applies to those that disclose AI all the same.
    if found.claim_version < 2 and not found.ai_disclosure:
        return []
    message = "the manifest says that the content was created, but not from what kind of source (digitalSourceType)"
    severity = Severity.ERROR if found.ai_disclosure else Severity.WARNING
    return [defect("C2PA-NO-SOURCE-TYPE", message, severity=severity)]


def _line(error: BaseException) -> str:
    return text(str(error))
