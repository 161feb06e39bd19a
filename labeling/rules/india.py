"""India: the IT Rules as amended by G.S.R. 120(E), in force since 2026-02-20.

A prominent visible label (the earlier draft's 10 % of the picture is no rule), in audio a disclosure that is spoken in
front of the content, and permanent metadata with a unique identifier of the computer resource that generated it.
"""

from __future__ import annotations

from labeling.findings import Finding
from labeling.rules.engine import Check, Evidence, Profile, Undecided, defects_for, not_found, said_in, spoken_labels
from labeling.rules.latent import identifies_system, not_permanent, unsure

LANGUAGES = ("en",)

FIRST = 1.0
"""Seconds within which a disclosure begins that stands in front of the content."""


def _no_visible(evidence: Evidence) -> str | None:
    if evidence.medium == "audio":
        return None
    if found := [each for each in evidence.of("visible") if said_in(each, evidence.languages)]:
        if any(_stands_out(each, evidence) for each in found):
            return None
        return Undecided(
            "a label was found, and whether it is prominent is not known: it is very small, faint, "
            "or not shown throughout"
        )
    if "visible" in evidence.skipped or evidence.unread("visible"):
        return Undecided("whether there is a prominent visible label is not known: it was not looked for, or not read")
    if evidence.of("visible"):
        return "no visible label says in an accepted language that the content is synthetically or AI-generated"
    return f"{not_found(evidence)}; generated content must carry a prominent visible label"


def _stands_out(finding: Finding, evidence: Evidence) -> bool:
    """Return whether neither height, contrast nor time of a label makes it doubtful that it is prominent.

    The Rules give no numbers. Those are the measures of GB 45438-2025 5.2 and 5.4.
    """
    doubts = ("CN-VISIBLE-SIZE", "CN-VISIBLE-CONTRAST", "CN-VISIBLE-FRAMES", "CN-VISIBLE-TIME")
    return not any(each.rule in doubts for each in defects_for(finding, evidence.languages, evidence.medium))


def _no_audible(evidence: Evidence) -> str | None:
    spoken = spoken_labels(evidence)
    content = FIRST + max((_end_of_prefix(each) for each in evidence.of("visible")), default=0.0)
    if evidence.medium != "audio" or any((each.get("seconds") or [content + 1])[0] <= content for each in spoken):
        return None
    if spoken:
        return "the spoken disclosure is not in front of the content"
    if "visible" in evidence.skipped or evidence.unread("visible"):
        return Undecided("whether a spoken disclosure stands in front of the content is not known; listen to the file")
    kinds = {each.value.get("kind") for each in evidence.of("visible")}
    if "spoken" in kinds:
        return "the spoken disclosure is not in a language that is accepted"
    if kinds:
        return "the audible label is a rhythm, and no spoken disclosure"
    return "no spoken disclosure was found in front of the content"


def _end_of_prefix(finding: Finding) -> float:
    """Return when a rhythm ends that stands in front of all else: the content begins behind it."""
    start, end = (finding.value.get("seconds") or [FIRST + 1, 0.0])[:2]
    return float(end) if finding.value.get("kind") == "rhythm" and start <= FIRST else 0.0


def _no_identifier(evidence: Evidence) -> str | None:
    if any(True for _ in identifies_system(evidence)):
        return None
    words = "unique identifier of the computer resource that generated the content"
    if unsure(evidence):
        return Undecided(f"it is not known whether the metadata hold a {words}: some could not be read")
    return f"the metadata hold no {words}: the system's name, its model identifier, or a provider code for generation"


PROFILE = Profile(
    name="in",
    title="India: IT Rules as amended by G.S.R. 120(E)",
    checks=(
        Check("IN-VISIBLE", _no_visible),
        Check("IN-AUDIBLE", _no_audible),
        Check("IN-IDENTIFIER", _no_identifier),
        Check("IN-PERMANENT", not_permanent),
    ),
    judged=frozenset(),
    languages=LANGUAGES,
    text="AI GENERATED",
    cue="spoken",
    since="2026-02-20",
    sources=("IT (Intermediary Guidelines and Digital Media Ethics Code) Rules 2021, amendment G.S.R. 120(E)",),
)
