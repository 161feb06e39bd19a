"""Four answers on a signed file, each by itself: integrity, signer, trust and time stamp; and the word that they make.

Integrity is whether hash, signature and assertions fit. A certificate that has expired since breaks none of them.
The answers are taken from c2pa's codes (C2PA 2.2, 15.2.2), and from the certificates as c2pa describes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from labeling.findings import Signature
from labeling.marks.credentials._store import Certificate, Facts
from labeling.marks.credentials.trusted import OLD_AFTER, TSA, Asked, TrustList, is_old

UNTRUSTED, TRUSTED = "signingCredential.untrusted", "signingCredential.trusted"
STAMPED, STAMP_TRUSTED, STAMP_UNTRUSTED = "timeStamp.validated", "timeStamp.trusted", "timeStamp.untrusted"
LATE = ("signingCredential.expired", "claimSignature.outsideValidity")
"""c2pa's codes for a signature that is not from the validity period of its certificate, be it after or before it."""

_REVOKED = ("signingCredential.ocsp.revoked", "signingCredential.revoked")
_OCSP = "signingCredential.ocsp."

HASHES = (
    "assertion.dataHash", "assertion.bmffHash", "assertion.boxesHash", "assertion.collectionHash",
    "assertion.multiAssetHash", "claim.hardBindings",
)  # fmt: skip
_ASSERTIONS = ("assertion", "hashedURI", "ingredient")
_NOT_INTEGRITY = ("signingCredential", "timeStamp", "assertion.action", LATE[1])
"""Codes about the signer and the time, and about actions that were signed as they are and do not follow the rules."""


@dataclass(slots=True)
class Answers:
    """What is known of a signature.

    Attributes:
        integrity: ``state`` (intact, broken, unchecked), and of ``hash``, ``signature`` and ``assertions`` whether they
            fit.
        signer: Whom the certificate names, who issued it, and its state.
        trust: ``state`` (listed, interim, unlisted, unchecked, unasked), the list and its date.
        time_stamp: ``state`` (valid, invalid, none), authority, time, and whether the authority is trusted.
        signature: The word for all of it.
        late: Whether nothing shows that it was signed while the certificate was valid.
    """

    integrity: dict[str, Any] = field(default_factory=dict)
    signer: dict[str, Any] = field(default_factory=dict)
    trust: dict[str, Any] = field(default_factory=dict)
    time_stamp: dict[str, Any] = field(default_factory=dict)
    signature: Signature = Signature.FAILED
    late: bool = False

    def value(self) -> dict[str, Any]:
        """Return the four answers by their names."""
        return {
            "integrity": self.integrity, "signer": self.signer, "trust": self.trust, "time_stamp": self.time_stamp,
        }  # fmt: skip


def answers(found: Facts, asked: Asked, now: datetime | None = None) -> Answers:
    """Return the answers for a manifest store.

    A time stamp from inside the certificate's validity counts whether its authority is trusted or not (C2PA 2.2, 15.8,
    asks for a trusted one; which it is, the answer says), with one exception: a signature whose certificate has expired
    is called trusted only if the authority is trusted too, since whoever has the old key could stamp for himself.
    """
    now = now or datetime.now(UTC)
    result = Answers()
    certificate = found.certificate or Certificate(found.common_name, found.issuer)
    span = _moment(certificate.not_before), _moment(certificate.not_after)
    result.integrity = _integrity(found)
    result.time_stamp = _time_stamp(found, asked)
    stamped = _moment(result.time_stamp.get("time", "")) if result.time_stamp["state"] == "valid" else None
    by_stamp = stamped is not None and _inside(stamped, span)
    excused = by_stamp and not result.time_stamp["trusted"] and not _inside(now, span)
    result.late = any(code in found.failures for code in LATE) and not excused
    result.signer = _signer(found, certificate, span, now)
    result.trust = _trust(found, asked, late=result.late)
    result.signature = _word(result, found, excused=excused, expired=span[1] is None or now > span[1])
    return result


def _word(result: Answers, found: Facts, *, excused: bool, expired: bool) -> Signature:
    if result.integrity["state"] != "intact":
        return Signature.UNSUPPORTED if result.integrity["state"] == "unchecked" else Signature.FAILED
    if result.signer["certificate"] in ("revoked", "unfit"):
        return Signature.FAILED
    if result.late:
        return Signature.EXPIRED if expired else Signature.FAILED
    # c2pa's "Trusted" also says that the signers of ingredients are on a list, and that nothing else is at fault.
    if result.trust["state"] == "listed" and found.state == "Trusted" and not excused:
        return Signature.TRUSTED
    return Signature.VALID


def _integrity(found: Facts) -> dict[str, Any]:
    failures = [code for code in found.failures if not code.startswith(_NOT_INTEGRITY)]
    unsupported = any(code.startswith("algorithm") for code in failures)
    hashes = [code for code in failures if code.startswith(HASHES)]
    signature = [code for code in failures if code.startswith("claimSignature")]
    assertions = [code for code in failures if code.startswith(_ASSERTIONS) and code not in hashes]
    others = [code for code in failures if not code.startswith("algorithm") and code not in signature]
    matched = any(code.startswith(HASHES) and code.endswith(".match") for code in found.codes)
    verified = "claimSignature.validated" in found.codes and not signature and not unsupported
    broken = bool(others) or not (verified or unsupported)
    return {
        "state": "broken" if broken else "unchecked" if unsupported else "intact",
        "hash": "broken" if hashes else "fits" if matched else "unchecked",
        "signature": "unchecked" if unsupported else "fits" if verified else "broken",
        "assertions": "broken" if assertions else "fit" if verified else "unchecked",
    }


def _signer(
    found: Facts, certificate: Certificate, span: tuple[datetime | None, datetime | None], now: datetime
) -> dict[str, Any]:
    credential = [code for code in found.failures if code.startswith("signingCredential")]
    if any(code in credential for code in _REVOKED):
        state = "revoked"
    elif any(code not in (UNTRUSTED, LATE[0]) and not code.startswith(_OCSP) for code in credential):
        state = "unfit"
    elif span[1] is not None and now > span[1]:
        state = "expired"
    elif span[0] is not None and now < span[0]:
        state = "not yet valid"
    elif None in span:
        state = "expired" if LATE[0] in found.failures else "unknown"
    else:
        state = "valid"
    asserted = f"{_OCSP}notRevoked" in found.codes
    revocation = "revoked" if state == "revoked" else "not revoked" if asserted else "not checked"
    return _known({
        "name": certificate.name or found.common_name,
        "organisation": certificate.organisation or found.issuer,
        "issuer": certificate.issuer,
        "serial": certificate.serial,
        "not_before": certificate.not_before,
        "not_after": certificate.not_after,
        "certificate": state,
        "revocation": revocation,
    })  # fmt: skip


def _trust(found: Facts, asked: Asked, *, late: bool) -> dict[str, Any]:
    group = asked.signer(found.codes.get(TRUSTED, ""))
    held = (group.signers or group.interim) if TRUSTED in found.codes else None
    if not asked.lists:
        state = "unasked"
    elif held is not None:
        state = "listed" if group.signers else "interim"
    else:
        # Of a certificate that was not valid when it signed, c2pa does not say where its chain ends.
        state = "unchecked" if late else "unlisted"
    names = {(each.name, each.date): each for each in asked.lists if each.kind != TSA}
    old = [f"{each.name} of {each.date}" for each in asked.lists if is_old(each)]
    note = f"more than {OLD_AFTER} days old: {', '.join(old)}; renew with aigc-label trust update" if old else ""
    return _known({
        "state": state,
        "list": held.name if held else "",
        "date": held.date if held else "",
        "asked": [_known({"name": name, "date": day}) for name, day in names],
        "note": note,
    })  # fmt: skip


def _time_stamp(found: Facts, asked: Asked) -> dict[str, Any]:
    codes = {code for code in found.codes if code.startswith("timeStamp")}
    if not codes and found.authority is None:
        return {"state": "none"}
    faults = codes - {STAMPED, STAMP_TRUSTED, STAMP_UNTRUSTED}
    valid = STAMPED in codes and not faults
    said = found.codes.get(STAMP_TRUSTED, "")
    held: TrustList | None = asked.stamp(said).stamps
    older = said.startswith("legacy")  # of claims of version 1: c2pa asks no list of authorities about them
    authority = found.authority or Certificate()
    return _known({
        "state": "valid" if valid else "invalid",
        "authority": authority.name or found.codes.get(STAMPED, "").rpartition("matched: ")[2],
        "organisation": authority.organisation,
        "time": found.stamped or found.time,
        "list": held.name if valid and held else "",
        "date": held.date if valid and held else "",
        "legacy": valid and older,
    }) | {"trusted": valid and (held is not None or older)}  # fmt: skip


def _inside(moment: datetime, span: tuple[datetime | None, datetime | None]) -> bool:
    return span[0] is not None and span[1] is not None and span[0] <= moment <= span[1]


def _moment(value: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}
