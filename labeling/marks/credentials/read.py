"""Read and judge the content credentials of any file, offline.

A manifest is the claim of its signer. The finding distinguishes whether it is intact (``valid``) and whether its signer
is also on a list that the caller trusts (``trusted``).
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from labeling.errors import LabelingError, UnreadableFile
from labeling.filebytes import FileBytes
from labeling.findings import Defect, Finding, Severity, Signature, Status
from labeling.gates import shortage
from labeling.marks.credentials import _context, library
from labeling.marks.credentials._store import Facts, facts, text
from labeling.rule_catalogue import defect

if TYPE_CHECKING:
    import mmap

    Buffer = bytes | bytearray | memoryview | mmap.mmap

MARK = "c2pa"
WHERE = "C2PA manifest store"

_TSA_LIST = "time-stamp authorities"
_UNTRUSTED = "signingCredential.untrusted"

# Failure codes of C2PA 2.2, 15.2.2, by their beginning: our rule and what the code means.
_RULES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("assertion.dataHash", "assertion.bmffHash", "assertion.boxesHash", "assertion.collectionHash",
         "assertion.multiAssetHash", "claim.hardBindings"),
        "C2PA-HASH-MISMATCH", "the content was changed after it was signed",
    ),
    (
        ("assertion.hashedURI", "hashedURI", "assertion.missing", "assertion.inaccessible"),
        "C2PA-ASSERTION", "an assertion in the manifest was changed or is missing",
    ),
    (("claimSignature.outsideValidity",), "C2PA-EXPIRED",
     "the signature was made outside the validity period of its certificate"),
    (("claimSignature",), "C2PA-SIGNATURE", "the signature does not match the claim"),
    (("signingCredential.expired",), "C2PA-EXPIRED",
     "the signer's certificate has expired, and no trusted time stamp proves an earlier signature"),
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


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose C2PA signatures count as trusted.

    Args:
        anchors_pem: Root certificates of signers, as a PEM bundle.
        allowed_pem: Certificates of single signers that are trusted as well.
        tsa_pem: Root certificates of time-stamp authorities. Without them every intact time stamp counts, since
            nothing says which ones to believe.

    Raises:
        LabelingError: A bundle holds no certificate.
    """

    anchors_pem: bytes = field(repr=False)
    allowed_pem: bytes = field(default=b"", repr=False)
    tsa_pem: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if not (self.anchors_pem or self.allowed_pem):
            raise LabelingError("the trust list is empty", hint="give a PEM bundle of root certificates")
        for what in ("anchors", "allowed", "tsa"):
            pem: bytes = getattr(self, f"{what}_pem")
            if pem and b"-----BEGIN CERTIFICATE-----" not in pem:
                raise LabelingError(f"the trust list ({what}) holds no PEM certificate", hint="give a PEM bundle")

    def settings(self) -> dict[str, Any]:
        """The ``trust`` table of c2pa's settings. Raises :class:`LabelingError` if the PEM is not text."""
        try:
            # The older keys (trust_anchors, allowed_list) are not used: c2pa-rs 0.91 ignores that allowed list.
            signers = {"trust_anchors": self.anchors_pem.decode("utf-8"), "trust_kind": "manifest"}
            if self.allowed_pem:
                signers["allowed_list"] = self.allowed_pem.decode("utf-8")
            stamps = {"trust_anchors": self.tsa_pem.decode("utf-8"), "trust_kind": "tsa", "trust_uri": _TSA_LIST}
        except UnicodeDecodeError:
            raise LabelingError("the trust list is not PEM text", hint="convert it from DER") from None
        return {"anchors": [signers, stamps] if self.tsa_pem else [signers]}


def read(
    data: Buffer | FileBytes, media_type: str, *, trust: Trust | None = None, store: bytes | None = None
) -> Finding:
    """Judge the active manifest of a file.

    ``store`` is a manifest store from beside the file. Without ``trust`` no signer is known and the best signature
    is "valid". ``value`` holds what the manifest says (see :class:`~labeling.marks.credentials._store.Facts`),
    ``validation_state`` and ``validation_codes`` as c2pa's reader gives them. Never raises on a broken file: that is a
    finding. Raises :class:`LabelingError` for an unusable trust list, and where memory or the disk runs out.
    """
    found = _facts(data, media_type, trust, store)
    if isinstance(found, Finding):
        return found
    if trust and found.state == "Trusted" and f"[{_TSA_LIST}]" in found.trusted_by:
        # c2pa-rs 0.91 lets the roots of time-stamp authorities vouch for signers as well. They must not: ask again
        # without them, since a root may be on both lists.
        again = _facts(data, media_type, replace(trust, tsa_pem=b""), store)
        if isinstance(again, Facts) and again.state != "Trusted":
            found.state, found.failures = "Valid", (*found.failures, _UNTRUSTED)
    return _judge(found)


def _facts(data: Buffer | FileBytes, media_type: str, trust: Trust | None, beside: bytes | None) -> Facts | Finding:
    c2pa = library.load()

    try:
        judge = _context.for_judging(trust.settings() if trust else None, stamps=trust is None or bool(trust.tsa_pem))
    except c2pa.C2paError as error:
        raise LabelingError(f"the trust list cannot be used: {_line(error)}") from None
    try:
        with c2pa.Reader(media_type, _stream(data), beside, context=judge) as reader:
            store = json.loads(reader.json())
    except c2pa.C2paError.ManifestNotFound:
        return Finding(MARK, Status.ABSENT)
    except (c2pa.C2paError, ValueError, RecursionError) as error:
        short = shortage(error, "read the C2PA manifest")
        if short is None or isinstance(short, UnreadableFile):
            return _unreadable(_line(error))
        raise short from error
    if not isinstance(store, dict) or not isinstance(store.get("manifests"), dict):
        return _unreadable("the reader did not return a manifest store")
    return facts(store)


def _stream(data: Buffer | FileBytes) -> Any:
    return data.stream() if isinstance(data, FileBytes) else io.BytesIO(data)


def _unreadable(problem: str) -> Finding:
    kind = Signature.UNSUPPORTED if "prerelease" in problem else Signature.NONE
    why = defect("C2PA-MALFORMED", f"the manifest store cannot be read: {problem}")
    return Finding(MARK, Status.UNREADABLE, WHERE, {}, kind, (why,))


def _judge(found: Facts) -> Finding:
    state, codes = found.state, found.failures
    value = found.value() | {"validation_state": state, "validation_codes": list(codes)}
    defects = (*_failed(codes, found.explanations), *_missing_origin(found))
    worst = any(each.severity is Severity.ERROR for each in defects)
    status = Status.DEFECTIVE if worst else Status.PRESENT
    return Finding(MARK, status, WHERE, value, _signature(state, codes), defects)


def _signature(state: str, codes: tuple[str, ...]) -> Signature:
    if state == "Trusted":
        return Signature.TRUSTED
    if state == "Valid":
        return Signature.VALID
    return Signature.UNSUPPORTED if "algorithm.unsupported" in codes else Signature.FAILED


def _failed(codes: tuple[str, ...], explanations: dict[str, str]) -> list[Defect]:
    """Return a defect for each rule that a failure code breaks; an unknown signer is not one (see ``signature``)."""
    defects: dict[str, Defect] = {}
    for code in codes:
        if code == _UNTRUSTED:
            continue
        rule, message = next(row[1:] for row in _RULES if any(code.startswith(prefix) for prefix in row[0]))
        why = explanations.get(code, "")
        detail = f"{code}: {why}" if why else code
        defects.setdefault(rule, defect(rule, f"{message} ({detail})"))
    return list(defects.values())


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
