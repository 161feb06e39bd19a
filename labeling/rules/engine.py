"""From findings to a verdict: a pure function over evidence, and the classes it works with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from labeling.findings import Defect, Finding, Severity, Status
from labeling.label import Origin
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

    def unread(self, kind: str) -> bool:
        """Return whether something of a kind could not be read: whether the mark is there is not known."""
        return any(m.kind == kind and m.status is Status.UNREADABLE for m in self.findings)

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
    ignore: frozenset[str] = field(default=frozenset())
    errors: frozenset[str] = field(default=frozenset())
    layers: tuple[Layer, ...] = ()
    since: str = ""
    sources: tuple[str, ...] = ()

    @property
    def every_check(self) -> tuple[Check, ...]:
        """All its checks, those of its layers too."""
        return (*self.checks, *(check for layer in self.layers for check in layer.checks))


def evaluate(evidence: Evidence, profile: Profile) -> Verdict:
    """Form the verdict of a profile.

    A file that could not be read to its end is inconclusive, and so is one with some of the profile's layers only.
    """
    failed: list[Defect] = []
    warnings: list[Defect] = []
    layers, incomplete = _layered(evidence, profile)
    for defect, own in (*layers, *_defects(evidence, profile)):
        if defect.rule not in profile.ignore:
            counts = (own and defect.severity is Severity.ERROR) or defect.rule in profile.errors
            group = failed if counts else warnings
            if defect not in group:
                group.append(defect)
    undecided = any(m.status is Status.UNREADABLE for m in evidence.findings if m.kind in profile.judged)
    if not evidence.readable or ((undecided or incomplete) and not failed):
        return Verdict(Outcome.INCONCLUSIVE, (), (*failed, *warnings))
    return Verdict(Outcome.NONCOMPLIANT if failed else Outcome.COMPLIANT, tuple(failed), tuple(warnings))


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


def label_value(finding: Finding) -> Any:
    """Return the ``Label`` of an AIGC field, in whatever case its key is written; without it, it says "generated".

    Names of the values, such as ``AIGCLabelType.AI_SUSPECTED``, are a defect, and are understood.
    """
    value = next((value for key, value in finding.value.items() if key.lower() == "label"), Origin.GENERATED)
    name = str(value).upper()
    if "SUSPECT" in name:
        return Origin.SUSPECTED
    return Origin.POSSIBLE if "POSSIBL" in name else value


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
