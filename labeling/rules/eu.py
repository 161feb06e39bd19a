"""European Union: AI Act Art. 50 and its Code of Practice (final 2026-06-10)."""

from __future__ import annotations

from labeling.findings import Signature
from labeling.rules.engine import Check, Evidence, Profile, not_found, said_in

LANGUAGES = (*("en", "zh", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "da", "fi", "cs", "sk", "hu", "ro", "el"),)
"""Languages of the Union whose words are known, and Chinese: Art. 50(5) asks for a clear disclosure, in no language."""

_SIGNED = (Signature.VALID, Signature.TRUSTED, Signature.EXPIRED)
"""Signed and intact. That the certificate has expired since is no lack of metadata: C2PA-EXPIRED says it."""

_UNFIT = {
    "revoked": "was revoked",
    "unfit": "is not one that may sign claims",
    "not yet valid": "is not valid yet",
}
_UNPROVEN = {
    "unasked": "no trust list was asked",
    "interim": "the manifest's signer is on the interim trust list alone, which makes nobody trusted",
    "listed": "the manifest's signer is on a trust list, but an ingredient's is not, or something else is at fault",
    "stamped": "the manifest's signer is on a trust list, but its certificate has expired, and the authority whose "
    "time stamp says that it signed before is on none",
    "unlisted": "the manifest's signer is on no trust list that was asked",
}


def _not_marked(evidence: Evidence) -> str | None:
    if any(m.value.get("ai") for m in (*evidence.of("c2pa"), *evidence.of("iptc"))) or evidence.of("aigc"):
        return None
    return "no machine-readable mark says that the content is generated"


def _not_signed(evidence: Evidence) -> str | None:
    signed = [m for m in evidence.of("c2pa") if m.signature in _SIGNED]
    if not signed:
        for finding in evidence.of("c2pa"):
            state = finding.value.get("signer", {}).get("certificate")
            if finding.value.get("integrity", {}).get("state") == "intact" and state in _UNFIT:
                return f"the metadata are digitally signed, but the signer's certificate {_UNFIT[state]}"
        return "no digitally signed metadata: the file carries no valid C2PA manifest"
    if not any(m.value.get("ai") for m in signed):
        return "the C2PA manifest does not say that the content is generated (digitalSourceType)"
    return None


def _not_trusted(evidence: Evidence) -> str | None:
    for finding in evidence.of("c2pa"):
        if finding.signature is Signature.EXPIRED:
            return "the signer's certificate has expired: integrity is proven, identity is not"
        if finding.signature is Signature.VALID:
            state = finding.value.get("trust", {}).get("state", "")
            expired = finding.value.get("signer", {}).get("certificate") == "expired"
            if state == "listed" and expired and not finding.value.get("time_stamp", {}).get("trusted"):
                state = "stamped"
            why = _UNPROVEN.get(state, _UNPROVEN["unlisted"])
            return f"{why}: integrity is proven, identity is not"
    return None


def _not_stamped(evidence: Evidence) -> str | None:
    if any(m.signature in _SIGNED and not m.value.get("time_stamped") for m in evidence.of("c2pa")):
        return "the signature carries no valid time stamp from a time-stamp authority"
    return None


def _no_watermark(evidence: Evidence) -> str | None:
    if evidence.of("watermark"):
        return None
    return "no second layer: an imperceptible watermark was not found or not looked for"


def _no_visible(evidence: Evidence) -> str | None:
    if evidence.lacks("visible"):
        return f"{not_found(evidence)}; deployers of deep fakes must disclose them"
    if evidence.of("visible") and not any(
        finding.value.get("kind") == "rhythm" or said_in(finding, LANGUAGES) for finding in evidence.of("visible")
    ):
        return "the text that was found does not say that the content is generated, as deployers of deep fakes must"
    return None


PROFILE = Profile(
    name="eu",
    title="European Union: AI Act Art. 50",
    checks=(
        Check("EU-MARKED", _not_marked),
        Check("EU-SIGNED", _not_signed),
        Check("EU-TRUSTED", _not_trusted),
        Check("EU-TIME-STAMP", _not_stamped),
        Check("EU-WATERMARK", _no_watermark),
        Check("EU-VISIBLE", _no_visible),
    ),
    judged=frozenset({"c2pa"}),
    languages=LANGUAGES,
    text="AI GENERATED",
)
