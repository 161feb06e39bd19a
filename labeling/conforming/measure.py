"""Evidence for a regulator: what is measured on samples of a system's output, beside what its configuration states.

Every row is counted from the verified samples, or says that it was not measured. Nothing here calls a system compliant:
it says of how many samples a profile said what.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeling._version import __version__
from labeling.conforming.gaps import gap_analysis
from labeling.errors import LabelingError, UnreadableFile
from labeling.findings import MARKS, Finding, Status, Technique, technique_of, technique_of_rule
from labeling.options import LabelerOptions, SystemFacts
from labeling.reports.file_evidence import gather_evidence
from labeling.rule_catalogue import RULES
from labeling.rules import Profile
from labeling.rules import profile as profile_named
from labeling.verification.conclusion import unreadable
from labeling.verification.inspection import inspect
from labeling.verification.redaction import withholds
from labeling.verification.report import Report
from labeling.verification.verifier import verify

if TYPE_CHECKING:
    from labeling.config import Config
    from labeling.marks.credentials import TrustChoice

VERSION = "1"
"""Version of the form of :func:`conformity`."""

MAX_SAMPLES = 10_000
KINDS = tuple(kind for kind in MARKS if kind != "exif")
"""Kinds of marks with a row of their own; labels in EXIF are findings of the kind aigc."""

_GONE = (Status.ABSENT, Status.UNREADABLE)
_MAX_PLACES = 6
_MAX_VALUES = 8

Item = tuple[Path, Report, str, int, bool]
"""A sample, its report, SHA-256 and size, and whether its metadata hold what redaction would withhold."""


def conformity(
    samples: str | os.PathLike[str],
    profile: str = "cn",
    *,
    config: Config | None = None,
    trust: TrustChoice = "shipped",
    max_pixels: int | None = None,
    leave_out: str | os.PathLike[str] | None = None,
    on_sample: Callable[[Path], None] = lambda _: None,
) -> dict[str, Any]:
    """Verify every sample in a folder and gather what a provider hands to a regulator.

    Args:
        samples: A folder with output of the system, as it is given to the public. Folders in it are looked into, links
            are not followed.
        profile: The profile to judge by: one of :data:`labeling.PROFILES`, or the path of a profile in TOML.
        config: The configuration that states who the provider is and what its system is called.
        trust: As in :func:`labeling.verify`.
        max_pixels: As in :func:`labeling.verify`.
        leave_out: A folder whose files are no samples, such as that of the result.
        on_sample: Hears of each sample before it is verified.

    Returns:
        A dictionary for JSON: ``system`` (stated and found), ``counts``, ``marks`` (what is labelled how), ``clauses``
        (rule by rule), ``gaps`` (under ``eu``, measure by measure of the Code of Practice), ``watermark``, ``trust``,
        ``tests``, ``tool`` and ``samples``. :func:`labeling.reports.conformity_page.to_html` makes a page of it.

    Raises:
        LabelingError: The folder cannot be read, holds no file or more than 10 000; or the profile does not exist.

    Example:
        >>> import labeling
        >>> labeling.conformity("samples", "cn")["counts"]["samples"]  # doctest: +SKIP
        120
    """
    judging = profile_named(profile)
    paths = _paths(Path(samples), None if leave_out is None else Path(leave_out))
    items: list[Item] = []
    for path in paths:
        on_sample(path)
        items.append(_examined(path, judging, profile, trust, max_pixels))
    reports = [item[1] for item in items]
    counts = _counts(reports, judging)
    marks = list(_marks(reports))
    clauses = list(_clauses(reports, judging))
    found: dict[str, Any] = {
        "version": VERSION,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "profile": {"name": judging.name, "title": judging.title, "since": judging.since,
                    "in_force": not judging.since or judging.since <= f"{datetime.now(UTC):%Y-%m-%d}",
                    "sources": list(judging.sources)},
        "tool": {"id": "aigc-label", "version": __version__},
        "system": _system(config, reports),
        "counts": counts,
        "marks": marks,
        "clauses": clauses,
        "watermark": _watermark(reports),
        "trust": _trust(reports, trust),
        "tests": {"suite": f"aigc-labeling {__version__}", "run_here": False},
        "samples": [_sample(item, Path(samples), judging) for item in items],
    }  # fmt: skip
    if judging.name == "eu":
        withheld = sum(item[4] for item in items)
        found["gaps"] = gap_analysis(reports, clauses, marks, private=withheld)
    return found


def _paths(folder: Path, leave_out: Path | None) -> list[Path]:
    """Return all files below a folder in order, without hidden ones and links."""
    if not folder.is_dir():
        raise UnreadableFile("is not a folder", path=folder, hint="name the folder with the samples")
    skipped = None if leave_out is None else leave_out.resolve()
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        here = Path(parent)
        if skipped is not None and here.resolve() == skipped:
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [here / name for name in sorted(names) if not name.startswith(".") and not (here / name).is_symlink()]
        if len(found) > MAX_SAMPLES:
            raise LabelingError(f"there are more than {MAX_SAMPLES} samples", path=folder, hint="name a part of them")
    if not found:
        raise UnreadableFile("holds no file", path=folder, hint="put output of the system there")
    return found


def _examined(path: Path, judging: Profile, name: str, trust: TrustChoice, max_pixels: int | None) -> Item:
    evidence = gather_evidence(path, pixels=False)
    digest, size = (evidence.sha256, evidence.size) if evidence else ("", 0)
    try:
        report = verify(path, name, trust=trust, max_pixels=max_pixels)
        private = withholds(inspect(path))
    except LabelingError as error:
        return path, unreadable(str(path), error.reason, [judging]), digest, size, False
    return path, report, digest, size, private


def _counts(reports: list[Report], judging: Profile) -> dict[str, int]:
    outcomes = Counter(str(report.verdicts[judging.name].outcome) for report in reports)
    words = {name: outcomes[name] for name in ("compliant", "inconclusive", "noncompliant")}
    return {"samples": len(reports), "unreadable": sum(not each.readable for each in reports), **words}


def _marks(reports: list[Report]) -> Iterator[dict[str, Any]]:
    """Say for each kind of mark in how many samples it is there, where, and what that rests on."""
    for number, kind in enumerate(KINDS, 1):
        held = [[finding for finding in report.findings if finding.kind == kind] for report in reports]
        states = Counter(_state(found, kind, each.readable) for found, each in zip(held, reports, strict=True))
        there = [(f, r) for found, r in zip(held, reports, strict=True) for f in found if f.status not in _GONE]
        places = Counter(finding.where for finding, _ in there if finding.where)
        techniques = dict.fromkeys(str(technique_of(finding, report.media_type)) for finding, report in there)
        yield {
            "row": f"M{number}",
            "mark": kind,
            **{state: states[state] for state in ("present", "defective", "absent", "unreadable", "unchecked")},
            "places": [place for place, _ in places.most_common(_MAX_PLACES)],
            "techniques": list(techniques),
        }


def _state(found: list[Finding], kind: str, readable: bool) -> str:
    """Return in one word what a sample has of a kind: of several findings the worst."""
    states = {str(finding.status) for finding in found}
    if not states:  # traces are looked for always, and reported only where there are any
        return ("absent" if readable else "unreadable") if kind == "generator" else "unchecked"
    if states & {"defective", "duplicate", "conflict"}:
        return "defective"
    return next((word for word in ("unreadable", "present", "absent") if word in states), "unchecked")


_KIND_OF = {
    Technique.VISIBLE: "visible", Technique.AUDIBLE: "visible", Technique.SIGNED: "c2pa", Technique.METADATA: "aigc",
    Technique.WATERMARK: "watermark",
}  # fmt: skip
"""Which mark has to be readable for a rule that rests on a technique to be judged."""


def _clauses(reports: list[Report], judging: Profile) -> Iterator[dict[str, Any]]:
    """Count, for each rule that the profile checks and each other that was broken, what it said of the samples."""
    rules = dict.fromkeys(check.rule for check in judging.every_check)
    cited: dict[str, str] = {}
    said: list[dict[str, str]] = []
    for report in reports:
        verdict = report.verdicts[judging.name]
        said.append(
            {each.rule: "warned" for each in verdict.warnings} | {each.rule: "failed" for each in verdict.failed}
        )
        cited |= {each.rule: each.clause for each in (*verdict.warnings, *verdict.failed)}
    for number, rule in enumerate(dict.fromkeys((*rules, *(rule for each in said for rule in each))), 1):
        row = RULES.get(rule)
        counts = Counter(each.get(rule) or _unsaid(rule, report) for each, report in zip(said, reports, strict=True))
        yield {
            "row": f"C{number}",
            "rule": rule,
            "clause": cited.get(rule, row.clause if row else ""),
            "asks": {"en": row.english, "zh": row.chinese} if row else {"en": rule, "zh": rule},
            **{name: counts[name] for name in ("no_breach", "failed", "warned", "not_judged")},
        }


def _unsaid(rule: str, report: Report) -> str:
    """Return what it means that a verdict does not speak of a rule: it was not broken, or could not be judged."""
    technique = technique_of_rule(rule, report.media_type)
    kind = None if technique is None else _KIND_OF.get(technique)
    states = {finding.status for finding in report.findings if finding.kind == kind}
    return "not_judged" if not report.readable or states == {Status.UNREADABLE} else "no_breach"


def _system(config: Config | None, reports: list[Report]) -> list[dict[str, Any]]:
    given = {} if config is None else config.given
    stated = {**given.get(LabelerOptions, {}), **given.get(SystemFacts, {})}
    found: dict[str, Iterable[object]] = {
        "producer": (f.value.get("ContentProducer") for r in reports for f in r.findings if f.kind == "aigc"),
        "provider_name": (f.value.get("provider") for r in reports for f in r.findings if f.kind == "c2pa"),
        "generator": _each(reports, ("iptc", "AISystemUsed"), ("c2pa", "system")),
        "generator_version": _each(reports, ("iptc", "AISystemVersionUsed"), ("c2pa", "system_version")),
    }
    rows = []
    for number, key in enumerate(
        ("provider_name", "producer", "generator", "generator_version", "filing", "contact"), 1
    ):
        values = Counter(str(value) for value in found.get(key, ()) if value)
        rows.append({
            "row": f"S{number}",
            "item": key,
            "stated": str(stated[key]) if stated.get(key) else None,
            "found": [{"value": value, "samples": n} for value, n in values.most_common(_MAX_VALUES)]
            if key in found else None,
        })  # fmt: skip
    return rows


def _each(reports: list[Report], *fields: tuple[str, str]) -> Iterator[object]:
    """Yield each value that a report has in one of these fields, once for a report."""
    for report in reports:
        held = (f.value.get(key) for kind, key in fields for f in report.findings if f.kind == kind)
        yield from dict.fromkeys(str(value) for value in held if value)


def _watermark(reports: list[Report]) -> dict[str, Any]:
    found = [finding for report in reports for finding in report.findings if finding.kind == "watermark"]
    return {
        "found": sum(finding.status is Status.PRESENT for finding in found),
        "looked_for": bool(found),
        "named": sum(any(f.value.get("watermarks") for f in r.findings if f.kind == "c2pa") for r in reports),
        "robustness": None,
    }


def _trust(reports: list[Report], trust: TrustChoice) -> dict[str, Any]:
    from labeling.marks.credentials import resolved

    lists = resolved(trust)
    asked = [{"name": each.name, "date": each.date, "kind": each.kind, "certificates": len(each.bodies())}
             for each in (lists.all_lists() if lists else ())]  # fmt: skip
    signed = Counter(str(f.signature) for r in reports for f in r.findings
                     if f.kind == "c2pa" and f.status not in _GONE and f.signature is not None)  # fmt: skip
    stamped = sum(f.value.get("time_stamp", {}).get("state") == "valid"
                  for r in reports for f in r.findings if f.kind == "c2pa")  # fmt: skip
    return {"lists": asked, "signatures": dict(signed), "time_stamped": stamped}


def _sample(item: Item, folder: Path, judging: Profile) -> dict[str, Any]:
    path, report, digest, size, other = item
    verdict = report.verdicts[judging.name]
    return {
        "path": path.relative_to(folder).as_posix(),
        "sha256": digest or None,
        "size": size,
        "media_type": report.media_type,
        "readable": report.readable,
        "origin": report.origin,
        "other_metadata": other,
        "verdict": str(verdict.outcome),
        "failed": list(dict.fromkeys(each.rule for each in verdict.failed)),
        "warnings": list(dict.fromkeys(each.rule for each in verdict.warnings)),
    }
