"""Korea: AI Basic Act Art. 31, in force since 2026-01-22.

Output is marked so that people see or hear it, or in a machine-readable way together with one notice; output that is
hard to tell from reality is labelled clearly. The usual wording is "AI 생성".
"""

from __future__ import annotations

from labeling.rules.engine import Check, Evidence, Profile, Undecided, said_in, spoken_labels
from labeling.rules.evidence import says_of_content
from labeling.rules.latent import created_or_altered, unsure, watermarked

KOREAN = ("ko",)
LANGUAGES = (*KOREAN, "en")


def _for_people(evidence: Evidence) -> bool:
    """Return whether people see or hear that AI made the content."""
    seen = evidence.of("visible")
    heard = spoken_labels(evidence) or any(each.value.get("kind") == "rhythm" for each in seen)
    return bool(heard) or any(said_in(each, evidence.languages) for each in seen)


def _for_machines(evidence: Evidence) -> bool:
    said = any(map(says_of_content, evidence.intact("c2pa")))
    return said or watermarked(evidence) or any(True for _ in created_or_altered(evidence))


def _not_marked(evidence: Evidence) -> str | None:
    if _for_people(evidence) or _for_machines(evidence):
        return None
    if "visible" in evidence.skipped or evidence.unread("visible") or unsure(evidence):
        return Undecided("no mark that was looked for and could be read says that AI made the content")
    return "neither a visible or audible label nor a machine-readable mark says that AI made the content"


def _notice(evidence: Evidence) -> str | None:
    if _for_people(evidence) or not _for_machines(evidence):
        return None
    return Undecided(
        "a machine-readable mark was found, and no visible or audible label in Korean or English: that is enough if "
        "users get a notice once, which no file shows, and if the content cannot be taken for real"
    )


def _wording(evidence: Evidence) -> str | None:
    found = [each for each in evidence.of("visible") if each.value.get("languages")]
    if not found or any(said_in(each, KOREAN) for each in found):
        return None
    return "the label that was found is not in Korean; the usual wording is AI 생성"


PROFILE = Profile(
    name="kr",
    title="Korea: AI Basic Act Art. 31",
    checks=(
        Check("KR-MARKED", _not_marked),
        Check("KR-NOTICE", _notice),
        Check("KR-WORDING", _wording),
    ),
    judged=frozenset(),
    languages=LANGUAGES,
    text="AI 생성",
    since="2026-01-22",
    sources=("Framework Act on Artificial Intelligence (AI Basic Act) Art. 31",),
)
