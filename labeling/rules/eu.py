"""European Union: AI Act Art. 50 and its Code of Practice (final 2026-06-10)."""

from __future__ import annotations

from labeling.findings import Signature
from labeling.rules.engine import Check, Evidence, Profile

_SIGNED = (Signature.VALID, Signature.TRUSTED)


def _not_marked(evidence: Evidence) -> str | None:
    if any(m.value.get("ai") for m in (*evidence.of("c2pa"), *evidence.of("iptc"))) or evidence.of("aigc"):
        return None
    return "no machine-readable mark says that the content is generated"


def _not_signed(evidence: Evidence) -> str | None:
    signed = [m for m in evidence.of("c2pa") if m.signature in _SIGNED]
    if not signed:
        return "no digitally signed metadata: the file carries no valid C2PA manifest"
    if not any(m.value.get("ai") for m in signed):
        return "the C2PA manifest does not say that the content is generated (digitalSourceType)"
    return None


def _not_trusted(evidence: Evidence) -> str | None:
    if any(m.signature is Signature.VALID for m in evidence.of("c2pa")):
        return "the manifest's signer is not on a trust list that was given: integrity is proven, identity is not"
    return None


def _not_stamped(evidence: Evidence) -> str | None:
    if any(m.signature in _SIGNED and not m.value.get("time_stamped") for m in evidence.of("c2pa")):
        return "the signature carries no time stamp from a time-stamp authority"
    return None


def _no_watermark(evidence: Evidence) -> str | None:
    if evidence.of("watermark"):
        return None
    return "no second layer: an imperceptible watermark was not found or not looked for"


def _no_visible(evidence: Evidence) -> str | None:
    if not evidence.lacks("visible"):
        return None
    return "no visible label: deployers of deep fakes must disclose them"


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
    languages=("en", "zh"),
    text="AI GENERATED",
)
