"""European Union: AI Act Art. 50, with its Code of Practice (``eu``) and alone (``eu-art50``).

The Code (2026-06-10) asks providers for two techniques together: metadata that are signed and time-stamped, and an
imperceptible watermark. Whoever reads watermarks adds a finding of the kind ``watermark`` to the evidence: present,
with ``ai`` false in its value if the mark says something else, or absent if none was found. Without such a finding
nobody looked.
"""

from __future__ import annotations

import re

from labeling.findings import Finding, Signature
from labeling.label import Origin
from labeling.options.style import LANGUAGES as OFFICIAL
from labeling.rules.engine import Check, Evidence, Layer, Profile, manifest_broken, not_found, said_in, spoken_labels
from labeling.rules.evidence import SIGNED, label_value, says_generated, says_of_content

LANGUAGES = ("en", "zh", *(language for language in OFFICIAL if language != "en"))
"""The official languages of the Union, and Chinese: Art. 50(5) asks for a clear disclosure, in no language."""

_METADATA = ("c2pa", "iptc", "aigc")
_MARKS = (*_METADATA, "watermark")

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


def _watermarked(evidence: Evidence) -> bool:
    return any(finding.value.get("ai", True) for finding in evidence.of("watermark"))


def _says_so(finding: Finding) -> bool:
    """Return whether metadata say for certain that AI made the content: neither "may be" nor "suspected"."""
    return says_generated(finding) if finding.kind == "aigc" else says_of_content(finding)


def _unmarked(evidence: Evidence) -> str | None:
    found = [finding for kind in _METADATA for finding in evidence.intact(kind)]
    if _watermarked(evidence) or any(_says_so(finding) for finding in found):
        return None
    message = "no machine-readable mark says that the content is generated or manipulated"
    labels = {str(label_value(finding)) for finding in evidence.intact("aigc")}
    if labels and labels <= {Origin.POSSIBLE, Origin.SUSPECTED}:
        return f"{message}: the AIGC field only says that it may be, or is suspected to be (Label 2 or 3)"
    return f"{message}: the AIGC field does not say it, or cannot be relied on" if evidence.of("aigc") else message


def _not_marked(evidence: Evidence) -> str | None:
    """Check as :func:`_unmarked` does; a mark that could not be read is left to the layers."""
    return None if any(evidence.unread(kind) for kind in _MARKS) else _unmarked(evidence)


def _signed_for_ai(evidence: Evidence) -> list[Finding]:
    return [m for m in evidence.of("c2pa") if m.signature in SIGNED and says_of_content(m)]


def _not_signed(evidence: Evidence) -> str | None:
    if _signed_for_ai(evidence):
        return None
    if any(m.signature in SIGNED for m in evidence.of("c2pa")):
        values = [m.value for m in evidence.of("c2pa") if m.value.get("ai") and not m.value.get("ai_disclosure")]
        only = "; it says so of an ingredient alone" if values else ""
        return f"the C2PA manifest does not say that the content is generated or manipulated (digitalSourceType){only}"
    for finding in evidence.of("c2pa"):
        state = finding.value.get("signer", {}).get("certificate")
        if finding.value.get("integrity", {}).get("state") == "intact" and state in _UNFIT:
            return f"the metadata are digitally signed, but the signer's certificate {_UNFIT[state]}"
    return "no digitally signed metadata: the file carries no valid C2PA manifest"


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


def _stamp(finding: Finding) -> str:
    state: str = finding.value.get("time_stamp", {}).get("state", "none")
    return state


def _not_stamped(evidence: Evidence) -> str | None:
    signed = [m for m in evidence.of("c2pa") if m.signature in SIGNED]
    if not signed or any(m.signature is not Signature.EXPIRED and _stamp(m) == "valid" for m in signed):
        return None
    states = {_stamp(m) for m in signed}
    if "valid" in states:
        return "the signature is time-stamped, but not as one of the time when the signer's certificate was valid"
    if "invalid" in states:
        return "the time stamp of the signature is not valid"
    return "the signature carries no time stamp from a time-stamp authority"


def _authority_unknown(evidence: Evidence) -> str | None:
    for finding in evidence.of("c2pa"):
        if finding.signature in SIGNED and _stamp(finding) == "valid":
            if not finding.value["time_stamp"].get("trusted"):
                return "the authority that stamped the time is on no trust list that was asked"
            return None
    return None


def _no_watermark(evidence: Evidence) -> str | None:
    if _watermarked(evidence):
        return None
    if evidence.of("watermark"):
        return "the imperceptible watermark that was found does not say that the content is generated or manipulated"
    if evidence.unread("watermark"):
        return "whether there is an imperceptible watermark could not be read"
    claimed = any(finding.value.get("watermarks") for finding in evidence.of("c2pa"))
    word = "; that the manifest speaks of one is its signer's word" if claimed else ""
    if "watermark" in evidence.skipped:
        return f"no imperceptible watermark was looked for{word}"
    return f"no imperceptible watermark was found{word}"


def _not_robust(evidence: Evidence) -> str | None:
    if _watermarked(evidence) or _unmarked(evidence):
        return None
    return f"the mark is in the metadata alone, and is lost with them; {_no_watermark(evidence)}"


def _spoken(finding: Finding) -> bool:
    """Return whether a label is spoken: our own sentence, or a recording that the user has declared to be one."""
    return finding.value.get("kind") == "spoken"


def _no_visible(evidence: Evidence) -> str | None:
    if "visible" in evidence.skipped:
        return "no disclosure in words was looked for; deployers of deep fakes must make one, and metadata are none"
    if evidence.lacks("visible"):
        return f"{not_found(evidence)}; deployers of deep fakes must disclose them, and metadata alone do not"
    found = evidence.of("visible")
    if not found or spoken_labels(evidence) or any(said_in(finding, evidence.languages) for finding in found):
        return None
    if all(finding.value.get("kind") == "rhythm" for finding in found):
        return "a rhythm says nothing in words: deployers of deep fakes must speak a short disclaimer in plain language"
    return "the text that was found does not say that the content is generated, as deployers of deep fakes must"


_CAPITALS = re.compile(r"(?<![A-Za-z])AI(?![a-z])")


def _other_element(evidence: Evidence) -> str | None:
    seen = [finding for finding in evidence.of("visible") if not _spoken(finding)]
    said = [finding.value.get("text") for finding in seen if said_in(finding, evidence.languages)]
    texts = [text for text in said if isinstance(text, str)]
    if not texts or any(_CAPITALS.search(text) for text in texts):
        return None
    return 'the main element of the text that was found is not the capitals "AI"'


_CODE = "Code of Practice on marking and labelling of AI-generated content, final, 2026-06-10"
_ACT = (
    "Regulation (EU) 2024/1689 (AI Act), Art. 50 (paragraph 2 from 2026-12-02 on for systems that were on the market "
    "before 2026-08-02)"
)
_GUIDELINES = "Commission Guidelines on Art. 50, 2026-07-20"

PROFILE = Profile(
    name="eu",
    title="European Union: AI Act Art. 50 and its Code of Practice",
    checks=(
        Check("EU-MARKED", _not_marked),
        Check("EU-TRUSTED", _not_trusted),
        Check("EU-STAMP-AUTHORITY", _authority_unknown),
        Check("EU-VISIBLE", _no_visible),
        Check("EU-ELEMENT", _other_element),
    ),
    layers=(
        Layer(("c2pa",), (Check("EU-SIGNED", _not_signed), Check("EU-TIME-STAMP", _not_stamped))),
        Layer(("watermark",), (Check("EU-WATERMARK", _no_watermark),)),
    ),
    judged=frozenset({"c2pa"}),
    languages=LANGUAGES,
    text="AI GENERATED",
    since="2026-08-02",
    sources=(_ACT, _CODE, _GUIDELINES),
)

ACT_ALONE = Profile(
    name="eu-art50",
    title="European Union: AI Act Art. 50 alone, for those who have not signed the Code of Practice",
    checks=(
        Check("EU-ROBUST", _not_robust),
        Check("EU-VISIBLE", _no_visible),
        Check("C2PA-BROKEN", manifest_broken),
    ),
    layers=(Layer(_MARKS, (Check("EU-MARKED", _unmarked),)),),
    judged=frozenset(),
    languages=LANGUAGES,
    text="AI GENERATED",
    since="2026-08-02",
    sources=(_ACT, _GUIDELINES),
)
