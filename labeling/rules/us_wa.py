"""Washington: HB 1170, in force from 2027-02-01.

It asks for provenance data in image, video and audio, and deems C2PA or a commonly supported watermark enough.
"""

from __future__ import annotations

from labeling.rules.engine import Check, Evidence, Profile, Undecided
from labeling.rules.evidence import says_of_content
from labeling.rules.latent import unsure, watermarked


def _no_provenance(evidence: Evidence) -> str | None:
    if watermarked(evidence) or any(map(says_of_content, evidence.intact("c2pa"))):
        return None
    if unsure(evidence, "c2pa", "watermark"):
        return Undecided("no provenance data that could be read say that AI made the content: C2PA, or a watermark")
    found = evidence.of("c2pa")
    if not found:
        return "no provenance data: neither a C2PA manifest nor a watermark was found"
    if evidence.intact("c2pa"):
        return "the C2PA manifest does not say that AI made the content, and no watermark was found"
    return "the C2PA manifest does not validate, so it counts for nothing, and no watermark was found"


PROFILE = Profile(
    name="us-wa",
    title="Washington: HB 1170",
    checks=(Check("US-WA-PROVENANCE", _no_provenance),),
    judged=frozenset(),
    languages=("en", "zh"),
    text="AI GENERATED",
    since="2027-02-01",
    sources=("Washington HB 1170 (2026)",),
)
