"""A platform's duty towards uploads: Labelling Measures Art. 6.

The platform checks the metadata, takes the uploader's declaration, looks for other traces, and shows a notice for each
of the three classes. The findings decide the notice; only a defective label is a failure.
"""

from __future__ import annotations

from labeling.rules.engine import Check, Evidence, Profile, manifest_broken

ARTICLE = "Labelling Measures Art. 6"

NOTICES: dict[str, dict[str, str]] = {
    "confirmed": {
        "zh": "本内容为人工智能生成合成内容",
        "en": "This content was generated or synthesised by AI.",
        "clause": f"{ARTICLE}(1)",
    },
    "possible": {
        "zh": "本内容可能为人工智能生成合成内容",
        "en": "This content may have been generated or synthesised by AI.",
        "clause": f"{ARTICLE}(2)",
    },
    "suspected": {
        "zh": "本内容疑似人工智能生成合成内容",
        "en": "This content is suspected to have been generated or synthesised by AI.",
        "clause": f"{ARTICLE}(3)",
    },
}
"""The notice shown with the content, by origin; content of which nothing is known gets none."""


def _no_propagation(evidence: Evidence) -> str | None:
    for finding in evidence.of("aigc"):
        value = finding.value
        if not value.get("ContentPropagator") or value.get("ContentPropagator") == value.get("ContentProducer"):
            return "the propagator's fields are not filled in yet: add them when the content is published (propagate)"
    return None


PROFILE = Profile(
    name="platform",
    title="China: duties of platforms (Labelling Measures Art. 6)",
    checks=(
        Check("PLATFORM-PROPAGATOR", _no_propagation),
        Check("C2PA-BROKEN", manifest_broken),
    ),
    judged=frozenset({"aigc"}),
    languages=("zh",),
    text="AI生成",
    since="2025-09-01",
    sources=("Labelling Measures (2025-03-07) Art. 6",),
)
