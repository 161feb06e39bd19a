"""From findings to a verdict: a pure function over evidence, and the classes it works with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any

from labeling.findings import Defect, Finding, Severity, Status
from labeling.rule_catalogue import Rule, rule_named
from labeling.rules.contradictions import contradictions
from labeling.rules.evidence import FOUND as FOUND
from labeling.rules.evidence import Evidence as Evidence

NOT_IN_FORCE = "PROFILE-NOT-IN-FORCE"


class Undecided(str):
    """What a check says that cannot tell: nothing failed, and nobody knows whether the rule is met.

    The sentence goes to the warnings, and the verdict is inconclusive if nothing else fails.
    """

    __slots__ = ()


class Outcome(StrEnum):
    """The verdict of one profile (stable words of the report)."""

    COMPLIANT = "compliant"
    NONCOMPLIANT = "noncompliant"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one profile says about a file.

    Attributes:
        outcome: Whether the file complies.
        failed: Every rule that it breaks; empty unless the outcome is ``noncompliant``.
        warnings: What is only worth knowing.
        since: The day, YYYY-MM-DD, from which the rules of the profile apply; "" if it has none.
        in_force: Whether that day had come when the file was checked.
        sources: What the rules are taken from.
    """

    outcome: Outcome
    failed: tuple[Defect, ...] = ()
    warnings: tuple[Defect, ...] = ()
    since: str = ""
    in_force: bool = True
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """One thing a regime asks for: the id of a rule, and a function that looks for a breach of it.

    ``fails`` returns a sentence if the evidence does not meet the rule, else ``None``; :class:`Undecided` if it cannot
    tell. Clause and severity are those of the catalogue, the clause by the medium where it has several. Raises
    :class:`KeyError` for a rule that the catalogue does not have.
    """

    rule: str
    fails: Callable[[Evidence], str | None]

    def __post_init__(self) -> None:
        rule_named(self.rule)

    @property
    def row(self) -> Rule:
        """The rule's row in the catalogue."""
        return rule_named(self.rule)

    def defect(self, message: str, medium: str) -> Defect:
        """Make the defect of what ``fails`` said of a file of this medium."""
        row = self.row
        severity = Severity.WARNING if isinstance(message, Undecided) and row.either else row.severity
        return row.defect(str(message), clause=row.clause_for(medium), severity=severity)


@dataclass(frozen=True, slots=True)
class Layer:
    """One of several techniques that a regime asks for together, such as signed metadata and a watermark.

    Attributes:
        kinds: The kinds of marks that may be it, of :data:`labeling.findings.KINDS`.
        checks: What the mark must be. Their rules may be errors or warnings.
    """

    kinds: tuple[str, ...]
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """A regime as data: its checks, whose defects count, and what its visible label says.

    Attributes:
        name: Its name, such as ``cn``.
        title: The regime and its laws, for people.
        checks: What it asks for.
        layers: Techniques that it asks for together. With all of them a file may be compliant, with some it is
            inconclusive, and the warnings say which are missing or were not looked for; with none it is non-compliant.
        judged: Kinds of marks whose errors count as its own. Those of other marks become warnings.
        languages: Languages in which the wording of a visible label is accepted, such as ``zh``.
        text: The default wording of a visible label.
        cue: The audible label that audio gets unless another is asked for: "rhythm", "spoken" or "none".
        ignore: Ids of rules that do not count.
        errors: Ids of rules that count as errors although they are warnings.
        since: The day, YYYY-MM-DD, from which its rules apply; "" if it has none.
        sources: What its rules are taken from, with dates.
    """

    name: str
    title: str
    checks: tuple[Check, ...]
    judged: frozenset[str]
    languages: tuple[str, ...]
    text: str
    cue: str = "none"
    ignore: frozenset[str] = field(default=frozenset())
    errors: frozenset[str] = field(default=frozenset())
    layers: tuple[Layer, ...] = ()
    since: str = ""
    sources: tuple[str, ...] = ()

    @property
    def every_check(self) -> tuple[Check, ...]:
        """All its checks, those of its layers too."""
        return (*self.checks, *(check for layer in self.layers for check in layer.checks))


def evaluate(evidence: Evidence, profile: Profile, as_of: date | None = None) -> Verdict:
    """Form the verdict of a profile.

    A file that could not be read to its end is inconclusive, and so is one with some of the profile's layers only.

    Args:
        evidence: What was found.
        profile: What is asked for.
        as_of: The day of the check, if it matters whether the profile's law is in force.
    """
    evidence = replace(evidence, languages=profile.languages)
    failed: list[Defect] = []
    warnings: list[Defect] = []
    layers, open_questions = _layered(evidence, profile)
    open_questions |= any(m.status is Status.UNREADABLE for m in evidence.findings if m.kind in profile.judged)
    for defect, own in (*layers, *_defects(evidence, profile)):
        if defect.rule not in profile.ignore:
            open_questions |= own is None
            counts = (own and defect.severity is Severity.ERROR) or (own is not None and defect.rule in profile.errors)
            group = failed if counts else warnings
            if defect not in group:
                group.append(defect)
    in_force = as_of is None or profile.since <= as_of.isoformat()
    if not in_force and NOT_IN_FORCE not in profile.ignore:
        message = f"the law that {profile.name} judges by applies from {profile.since} on, and not yet on {as_of}"
        warnings.insert(0, rule_named(NOT_IN_FORCE).defect(message))
    rests_on = (profile.since, in_force, profile.sources)
    if not evidence.readable or (open_questions and not failed):
        return Verdict(Outcome.INCONCLUSIVE, (), (*failed, *warnings), *rests_on)
    outcome = Outcome.NONCOMPLIANT if failed else Outcome.COMPLIANT
    return Verdict(outcome, tuple(failed), tuple(warnings), *rests_on)


def _layered(evidence: Evidence, profile: Profile) -> tuple[list[tuple[Defect, bool]], bool]:
    """Return what the layers of a profile lack, in the form of :func:`_defects`, and whether that leaves it open.

    What could not be read is no layer, and is not called missing.
    """
    layers = [layer for layer in profile.layers if any(check.rule not in profile.ignore for check in layer.checks)]
    if not evidence.readable:
        return [], False
    lacking: list[tuple[Check, str]] = []
    missing = unread = 0
    for layer in layers:
        breaches = [
            (check, message)
            for check in layer.checks
            if check.rule not in profile.ignore and (message := check.fails(evidence))
        ]
        missing += bool(breaches)
        if breaches and any(evidence.unread(kind) for kind in layer.kinds):
            unread += 1
        else:
            lacking += breaches
    severity = Severity.WARNING if unread or missing < len(layers) else None
    return [(check.row.defect(message, severity=severity), True) for check, message in lacking], missing > 0


_OF_ONE_LABEL = ("CN-VISIBLE-WORDING", "CN-VISIBLE-SIZE", "CN-VISIBLE-POSITION", "CN-VISIBLE-CONTRAST")


_OF_ONE_SEARCH = (*_OF_ONE_LABEL, "CN-VISIBLE-TIME")


def defects_for(finding: Finding, languages: Iterable[str], medium: str = "image") -> tuple[Defect, ...]:
    """Return what is wrong with a mark for a profile that accepts a visible label in these languages.

    Which of several labels on a picture the finding is on depends on all the profiles that were asked for. Where it is
    in no language of this profile and another one is, the verdict is on that one.
    """
    wanted = set(languages)
    if finding.kind != "visible" or not wanted.isdisjoint(finding.value.get("languages", ())):
        return tuple(each for each in finding.defects if each.rule != "CN-VISIBLE-WORDING")
    for label in finding.value.get("beside", ()):
        if not wanted.isdisjoint(label.get("languages", ())):
            own = [rule_named(each["rule"]).defect(each["message"]) for each in label.get("defects", ())]
            own = [replace(each, clause=rule_named(each.rule).clause_for(medium)) for each in own]
            others = _OF_ONE_SEARCH if "seconds" in label else _OF_ONE_LABEL
            return (*(each for each in finding.defects if each.rule not in others), *own)
    return finding.defects


def spoken_labels(evidence: Evidence) -> list[dict[str, Any]]:
    """Return what is known of each spoken label, alone or beside a rhythm, in a language that the profile accepts.

    Of a recording of the user's the language is not known, and counts as accepted.
    """
    labels = [each for finding in evidence.of("visible") for each in (finding.value, *finding.value.get("beside", ()))]
    spoken = [each for each in labels if each.get("kind") == "spoken"]
    return [
        each for each in spoken if not set(evidence.languages).isdisjoint(each.get("languages", evidence.languages))
    ]


def said_in(finding: Finding, languages: Iterable[str]) -> bool:
    """Return whether a visible label, or one beside it, says in one of these languages that AI made the content."""
    labels = (finding.value, *finding.value.get("beside", ()))
    return any(not set(languages).isdisjoint(each.get("languages", ())) for each in labels)


def _defects(evidence: Evidence, profile: Profile) -> Iterator[tuple[Defect, bool | None]]:
    """Yield every defect, and whether the profile judges it; ``None`` if nobody knows whether the rule is broken.

    In a file that could not be read to its end nothing is called missing, and why a mark could not be read is not a
    breach.
    """
    for check in profile.checks if evidence.readable else ():
        if message := check.fails(evidence):
            yield check.defect(message, evidence.medium), (None if isinstance(message, Undecided) else True)
    for defect in contradictions(evidence):
        yield defect, True
    for finding in evidence.findings:
        for defect in defects_for(finding, profile.languages, evidence.medium):
            yield defect, finding.kind in profile.judged and finding.status is not Status.UNREADABLE


_BROKEN = {
    "hash": "the content was changed after it was signed",
    "signature": "the signature does not match the claim",
    "assertions": "an assertion of the manifest is not the one that was signed, or does not validate",
}


def manifest_broken(evidence: Evidence) -> str | None:
    """Check that hash, signature and assertions of a manifest fit: worth a warning under every regime.

    Who signed, and when, is another question: a certificate that has expired since breaks nothing.
    """
    for finding in evidence.of("c2pa"):
        integrity = finding.value.get("integrity", {})
        if integrity.get("state") == "broken":
            parts = [words for part, words in _BROKEN.items() if integrity.get(part) == "broken"]
            return f"the C2PA manifest is broken: {'; '.join(parts) or 'it does not validate'}"
    return None


def not_found(evidence: Evidence) -> str:
    """Say that no visible label was found, by what means and where: that is not to say that there is none."""
    return f"no label was found by OCR ({evidence.looked})"
