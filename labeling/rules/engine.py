"""From findings to a verdict: a pure function over evidence, and the classes it works with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from labeling.findings import Defect, Finding, Severity, Status
from labeling.rule_catalogue import Rule, rule_named

FOUND = (Status.PRESENT, Status.DEFECTIVE, Status.DUPLICATE, Status.CONFLICT)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What checks look at: the findings, whether the file was readable, and which kinds were skipped on request.

    ``looked`` says in words where a visible label was looked for.
    """

    findings: tuple[Finding, ...]
    readable: bool = True
    skipped: frozenset[str] = frozenset()
    looked: str = "text on the whole picture"

    def of(self, kind: str) -> tuple[Finding, ...]:
        """Return the findings of one kind that found something, however defective."""
        return tuple(m for m in self.findings if m.kind == kind and m.status in FOUND)

    def lacks(self, kind: str) -> bool:
        """Return whether a mark was looked for and is not there; what could not be read is never called missing."""
        states = [m.status for m in self.findings if m.kind == kind]
        return kind not in self.skipped and not any(s in FOUND or s is Status.UNREADABLE for s in states)


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
    """

    outcome: Outcome
    failed: tuple[Defect, ...] = ()
    warnings: tuple[Defect, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """One thing a regime asks for: the id of a rule, and a function that looks for a breach of it.

    ``fails`` returns a sentence if the evidence does not meet the rule, else ``None``. Clause and severity are those
    of the catalogue. Raises :class:`KeyError` for a rule that the catalogue does not have.
    """

    rule: str
    fails: Callable[[Evidence], str | None]

    def __post_init__(self) -> None:
        rule_named(self.rule)

    @property
    def row(self) -> Rule:
        """The rule's row in the catalogue."""
        return rule_named(self.rule)


@dataclass(frozen=True, slots=True)
class Profile:
    """A regime as data: its checks, whose defects count, and what its visible label says.

    Attributes:
        name: Its name, such as ``cn``.
        title: The regime and its laws, for people.
        checks: What it asks for.
        judged: Kinds of marks whose errors count as its own. Those of other marks become warnings.
        languages: Languages in which the wording of a visible label is accepted, such as ``zh``.
        text: The default wording of a visible label.
        ignore: Ids of rules that do not count.
        errors: Ids of rules that count as errors although they are warnings.
    """

    name: str
    title: str
    checks: tuple[Check, ...]
    judged: frozenset[str]
    languages: tuple[str, ...]
    text: str
    ignore: frozenset[str] = field(default=frozenset())
    errors: frozenset[str] = field(default=frozenset())


def evaluate(evidence: Evidence, profile: Profile) -> Verdict:
    """Form the verdict of a profile. A file that could not be read to its end is inconclusive."""
    failed: list[Defect] = []
    warnings: list[Defect] = []
    for defect, own in _defects(evidence, profile):
        if defect.rule not in profile.ignore:
            counts = (own and defect.severity is Severity.ERROR) or defect.rule in profile.errors
            group = failed if counts else warnings
            if defect not in group:
                group.append(defect)
    undecided = any(m.status is Status.UNREADABLE for m in evidence.findings if m.kind in profile.judged)
    if not evidence.readable or (undecided and not failed):
        return Verdict(Outcome.INCONCLUSIVE, (), (*failed, *warnings))
    return Verdict(Outcome.NONCOMPLIANT if failed else Outcome.COMPLIANT, tuple(failed), tuple(warnings))


def said_in(finding: Finding, languages: Iterable[str]) -> bool:
    """Return whether a visible label says in one of these languages that AI made the content."""
    return not set(languages).isdisjoint(finding.value.get("languages", ()))


def _defects(evidence: Evidence, profile: Profile) -> Iterator[tuple[Defect, bool]]:
    """Yield every defect, and whether the profile judges it.

    In a file that could not be read to its end nothing is called missing, and why a mark could not be read is not a
    breach.
    """
    for check in profile.checks if evidence.readable else ():
        if message := check.fails(evidence):
            yield check.row.defect(message), True
    for finding in evidence.findings:
        for defect in finding.defects:
            if defect.rule == "CN-VISIBLE-WORDING" and said_in(finding, profile.languages):
                continue  # another profile that was asked for does not accept these words; this one does
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
