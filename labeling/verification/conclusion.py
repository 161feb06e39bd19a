"""From findings to a report: verdicts, the origin, and what is said of the file itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime

from labeling import containers
from labeling.containers import Contents
from labeling.findings import REPORTED, Defect, Finding, Signature, Status, in_order
from labeling.label import Origin
from labeling.rule_catalogue import defect
from labeling.rules import Evidence, Profile, evaluate
from labeling.rules.evidence import label_value, medium_of, says_generated
from labeling.verification import metadata
from labeling.verification.report import Report
from labeling.verification.shortened import shortened
from labeling.verification.visible import looked_at

UNKNOWN = "application/octet-stream"

MAX_NAMED = 8
"""How many things that could not be read are named, each in a sentence."""


def notes_on_name(name: str, contents: Contents) -> tuple[Defect, ...]:
    """Warn of a file name that claims another format than the content has. The file is read by its content."""
    claimed = containers.claimed_by(name)
    if claimed is None or claimed[0] == contents.format:
        return ()
    others, comma, last = claimed[1].rpartition(", ")
    title = f"{others} or {last}" if comma else last
    message = f"the name says {title}, but the content is {contents.media_type}; it was read by its content"
    return (defect("FILE-NAME", message),)


def conclude(
    name: str,
    contents: Contents,
    findings: Iterable[Finding],
    profiles: list[Profile],
    *,
    visible: bool = True,
    declared_ai: bool = False,
    notes: tuple[Defect, ...] = (),
    as_of: date | None = None,
) -> Report:
    """Form the report from findings. ``notes`` are about the file itself and go to every verdict's warnings."""
    readable = not contents.problems
    findings = in_order(findings)
    skipped = set() if visible else {"visible"}
    if not any(finding.kind == "watermark" for finding in findings):
        skipped.add("watermark")  # nobody looked: whoever reads watermarks says so when there is none
    today = datetime.now(UTC).date()
    as_of = as_of or today
    medium = medium_of(contents.media_type)
    evidence = Evidence(findings, readable, frozenset(skipped), looked_at(contents), medium, today=max(as_of, today))
    verdicts = {profile.name: evaluate(evidence, profile, as_of) for profile in profiles}
    said = {each.message for each in (*notes, *(each for finding in findings for each in finding.defects))}
    messages = (*contents.notes, *_unread_blocks(contents))
    notes = (*notes, *(defect("FILE-STRUCTURE", message) for message in messages if message not in said))
    if notes:
        verdicts = {name: replace(each, warnings=(*notes, *each.warnings)) for name, each in verdicts.items()}
    origin = origin_of(evidence, declared_ai=declared_ai)
    return Report(name, contents.media_type, readable, origin, shortened(findings), verdicts, contents.problems)


def _unread_blocks(contents: Contents) -> list[str]:
    """Name the blocks of metadata that were not read, such as those beyond the limits."""
    unread = [block for block in contents.blocks if block.problem and not block.data]
    return [metadata.unread_block(block) for block in unread[:MAX_NAMED]]


def unreadable(
    name: str,
    problem: str,
    profiles: list[Profile],
    *,
    visible: bool = True,
    media_type: str = UNKNOWN,
    as_of: date | None = None,
) -> Report:
    """Form the report on something that could not be read at all: nothing is called absent."""
    why = defect("FILE-UNREADABLE", problem)
    kinds = [kind for kind in REPORTED if visible or kind != "visible"]
    findings = [Finding(kind, Status.UNREADABLE, "", {}, Signature.NONE, (why,)) for kind in kinds]
    contents = Contents("", media_type, problems=(problem,))
    return conclude(name, contents, findings, profiles, visible=visible, as_of=as_of)


def origin_of(evidence: Evidence, *, declared_ai: bool = False) -> str:
    """Return the class of Labelling Measures Art. 6: confirmed, possible, suspected or none.

    An implicit label decides by its own ``Label`` value. Without one the uploader's declaration counts, then any other
    trace.
    """
    labels = evidence.of("aigc")
    if labels:
        values = {str(label_value(finding)) for finding in labels}
        if values == {Origin.POSSIBLE}:
            return "possible"
        # A field whose Label says something else, such as "0", is a trace; one that cannot be parsed is a label.
        sure = any(says_generated(each) or str(label_value(each)) in ("", "None", Origin.GENERATED) for each in labels)
        return "confirmed" if sure else "suspected"
    if declared_ai:
        return "possible"
    ai = any(m.value.get("ai") for m in (*evidence.of("c2pa"), *evidence.of("iptc")))
    # A mention in prose (confidence "low") gets a line in the report and makes nothing suspected.
    traces = any(m.value.get("confidence") != "low" for m in evidence.of("generator"))
    if ai or traces or evidence.of("visible") or evidence.of("watermark"):
        return "suspected"
    return "none"
