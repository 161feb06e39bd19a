"""California: SB 942 as amended by AB 853, Business and Professions Code 22757.3(b), the latent disclosure.

It asks for facts, not for a carrier: each may come from the AIGC field, from IPTC's AI properties or from the
disclosure assertion of the C2PA manifest.
"""

from __future__ import annotations

from collections.abc import Callable

from labeling.rules.engine import Check, Evidence, Profile, not_found

_SOURCES: dict[str, tuple[tuple[str, str], ...]] = {
    "provider": (("aigc", "ContentProducer"), ("c2pa", "provider"), ("c2pa", "issuer")),
    "system": (("iptc", "AISystemUsed"), ("c2pa", "system")),
    "version": (("iptc", "AISystemVersionUsed"), ("c2pa", "system_version")),
    "time": (
        ("iptc", "CreateDate"),
        ("iptc", "DateCreated"),
        ("c2pa", "created"),
        ("c2pa", "time"),
        ("iptc", "MetadataDate"),
    ),
    "id": (("aigc", "ProduceID"), ("c2pa", "content_id"), ("c2pa", "active_manifest")),
}


def _missing(fact: str, words: str) -> Callable[[Evidence], str | None]:
    def fails(evidence: Evidence) -> str | None:
        for kind, key in _SOURCES[fact]:
            if any(m.value.get(key) for m in evidence.of(kind)):
                return None
        return f"no latent disclosure gives {words}"

    return fails


def _no_manifest_disclosure(evidence: Evidence) -> str | None:
    if not evidence.lacks("visible"):
        return None
    return f"{not_found(evidence)}; the user must at least be offered a manifest (visible) disclosure"


PROFILE = Profile(
    name="us-ca",
    title="California: SB 942, AB 853",
    checks=(
        Check("US-CA-PROVIDER", _missing("provider", "the provider's name")),
        Check("US-CA-SYSTEM", _missing("system", "the name of the generating system")),
        Check("US-CA-VERSION", _missing("version", "the version of the generating system")),
        Check("US-CA-TIME", _missing("time", "the date and time of creation")),
        Check("US-CA-ID", _missing("id", "a unique identifier")),
        Check("US-CA-VISIBLE", _no_manifest_disclosure),
    ),
    judged=frozenset(),
    languages=("en", "zh"),
    text="AI GENERATED",
)
