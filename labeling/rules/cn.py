"""China: the Labelling Measures (in force 2025-09-01) and GB 45438-2025."""

from __future__ import annotations

from labeling.rules.engine import Check, Evidence, Profile, manifest_broken, not_found


def _no_implicit(evidence: Evidence) -> str | None:
    return "no implicit label: the metadata holds no AIGC field" if evidence.lacks("aigc") else None


def _no_visible(evidence: Evidence) -> str | None:
    if not evidence.lacks("visible"):
        return None
    return not_found(evidence)


def _visible_skipped(evidence: Evidence) -> str | None:
    if "visible" in evidence.skipped:
        return "the explicit label was not looked for: the verdict covers the metadata only"
    return None


PROFILE = Profile(
    name="cn",
    title="China: Labelling Measures and GB 45438-2025",
    checks=(
        Check("CN-IMPLICIT-MISSING", _no_implicit),
        Check("CN-VISIBLE-MISSING", _no_visible),
        Check("CN-VISIBLE-SKIPPED", _visible_skipped),
        Check("C2PA-BROKEN", manifest_broken),
    ),
    judged=frozenset({"aigc", "visible"}),
    languages=("zh",),
    text="AI生成",
    since="2025-09-01",
    sources=(
        "Labelling Measures (2025-03-07)",
        "GB 45438-2025",
        "TC260 practice guides (2025)",
    ),
    cue="rhythm",
)
