"""A platform's half of the rules: which class an upload belongs to, on which evidence, and the label that follows.

Labelling Measures Art. 6: (1) an implicit label says that the content was generated, (2) none does, and the uploader
declares it, (3) neither, and an explicit label or other traces raise suspicion. In all three cases the platform adds
the attribute, its own code and its own number to the metadata. GB 45438-2025, Annex E: ``Label`` is "2" on a
declaration, "3" on a finding; who made the content is not known then, and is left empty.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from labeling import atomic_writes, containers, files
from labeling.errors import LabelConflict, LabelingError, UnreadableFile
from labeling.filebytes import FileBytes
from labeling.findings import Finding, Status
from labeling.gates import guarded
from labeling.label import Label, Origin, new_content_id
from labeling.marks import aigc
from labeling.options import Style, VideoOptions
from labeling.pipelines import image
from labeling.pipelines.labeling_options import LabelingOptions
from labeling.pipelines.output import LabeledFile, resolve_target, write_result
from labeling.pipelines.source import OTHERS_MUST_STAY, LabelFor, open_source
from labeling.rules import profile as profile_named
from labeling.rules.platform import NOTICES
from labeling.verification.grounds import (
    Contradiction,
    EvidenceItem,
    contradictions_of,
    evidence_of,
    is_open,
    is_sound,
    unread_of,
)
from labeling.verification.report import ORIGINS, Report
from labeling.verification.verifier import name_of, verify

if TYPE_CHECKING:
    from PIL import Image

    from labeling.marks.credentials import Signer, Trust
    from labeling.options.isolation import Limits

WORDINGS = {"confirmed": "AI生成", "possible": "可能为AI生成", "suspected": "疑似AI生成"}
"""Wording of the visible notice by class: with both elements of GB 45438-2025 5.2, and no surer than the class is."""

_CHANGES = {
    Origin.GENERATED: "the propagator's half of the label was filled",
    Origin.POSSIBLE: "labelled by the platform as possibly AI-generated (Labelling Measures Art. 6(2))",
    Origin.SUSPECTED: "labelled by the platform as suspected to be AI-generated (Labelling Measures Art. 6(3))",
}

_BESIDE_SOUND = (
    "no notice was put into the sound, whose rhythm cannot say how sure it is: show it beside the content (Labelling "
    "Measures Art. 6)"
)

_SHA256_OF = 1 << 20
MAX_SAID = 2000
"""Characters of a reviewer's name or reason."""


@dataclass(frozen=True, slots=True)
class Classification:
    """The class of one upload, as :func:`labeling.classify` returns it.

    Attributes:
        path: The file's path, or a name for it such as ``<bytes>``.
        decision: ``confirmed``, ``possible``, ``suspected`` or ``none`` (Labelling Measures Art. 6): the reviewer's, if
            there is one; "" if nothing was found and the file could not be read to its end: nobody knows then.
        automatic: What the file and the declaration say by themselves; "" as above.
        declared: Whether the uploader declares the content to be AI-generated; ``None`` where nothing was said.
        evidence: What the automatic decision rests on.
        contradictions: What does not go together.
        unread: What could not be read or looked at.
        report: The verifier's :class:`~labeling.Report`.
        sha256: SHA-256 of the file, in hexadecimal digits; "" for pixels.
        size: Its bytes.
        reviewer: Who decided, if a person did.
        reason: Why.
        labeled: The :class:`~labeling.LabeledFile` that was written, if any.
    """

    path: str
    decision: str
    automatic: str
    declared: bool | None
    evidence: tuple[EvidenceItem, ...]
    contradictions: tuple[Contradiction, ...]
    unread: tuple[str, ...]
    report: Report
    sha256: str = ""
    size: int = 0
    reviewer: str = ""
    reason: str = ""
    labeled: LabeledFile | None = None

    @property
    def overruled(self) -> bool:
        """Whether a reviewer decided otherwise than the file and the declaration say."""
        return bool(self.reviewer) and self.decision != self.automatic

    @property
    def exit_code(self) -> int:
        """0 if the file was classified, 3 if it could not be read well enough to say."""
        return 0 if self.decision else 3

    def to_dict(self) -> dict[str, Any]:
        """Return the classification for JSON.

        Returns:
            A dictionary for ``json.dumps``; ``decision`` and ``automatic`` are ``None`` where nobody knows.
        """
        result: dict[str, Any] = {
            "path": self.path,
            "media_type": self.report.media_type,
            "sha256": self.sha256,
            "size": self.size,
            "decision": self.decision or None,
            "automatic": self.automatic or None,
            "declared": self.declared,
            "overruled": self.overruled,
            "reviewer": self.reviewer,
            "reason": self.reason,
            "evidence": [item.to_dict() for item in self.evidence],
            "contradictions": [{"kind": each.kind, "says": each.says} for each in self.contradictions],
            "unread": list(self.unread),
        }
        if self.decision in NOTICES:
            result["notice"] = NOTICES[self.decision]
        if (done := self.labeled) is not None:
            result["written"] = {
                "path": str(done.path),
                "dry_run": done.dry_run,
                "label": aigc.encoded_fields(done.label),
                "how": list(done.how),
                "lost": [str(loss) for loss in done.lost],
            }
        return result


def classify(
    source: files.Source | Image.Image,
    target: str | os.PathLike[str] | None = None,
    *,
    declared: bool | None = None,
    decision: str | None = None,
    reviewer: str = "",
    reason: str = "",
    write: bool = False,
    propagator: str = "",
    propagate_id: str | None = None,
    security: str = "",
    notice: bool | Style = False,
    signer: Signer | None = None,
    profile: str = "platform",
    visible: bool = True,
    trust: Trust | Literal["shipped", "none"] | None = "shipped",
    max_pixels: int | None = None,
    isolate: bool | Limits = False,
    timeout: float | None = None,
    in_place: bool = False,
    dry_run: bool = False,
    strict: bool = False,
    keep_times: bool = False,
) -> Classification:
    """Say which class of Labelling Measures Art. 6 an upload belongs to, and write the platform's label if asked.

    With ``write``, a file that carries a label gets the propagator's half, as :func:`labeling.propagate` fills it. A
    file without one gets Label "2" (``possible``) or "3" (``suspected``) with the platform's code and number; who made
    it stays empty. No IPTC source type is written beside that, and a manifest says that the file was opened and
    labelled, not that it was created. ``none`` writes nothing.

    Args:
        source: A path, a file's bytes, a binary file object, or a PIL image; a path where something is written.
        target: The output's path; by default ``NAME.labeled.EXT`` beside the source.
        declared: Whether the uploader declares the content to be AI-generated; ``None`` if nothing was said.
        decision: A reviewer's decision: confirmed, possible, suspected or none. The automatic one is kept beside it.
        reviewer: Who decided; needed with ``decision``.
        reason: Why; needed with ``decision``.
        write: Write the label that follows from the decision.
        propagator: The platform's provider code (27 characters, service 2) or name; needed with ``write``.
        propagate_id: The platform's number for the content; by default the one that its label has from this platform,
            or a new unique one.
        security: Security data for the label's field ReservedCode2.
        notice: Draw the visible notice of the class too, unless a visible label is there; a :class:`~labeling.Style`
            says how it looks, and its text, if it is not the default one, what it says.
        signer: Signs with C2PA, with the source as the parent ingredient.
        profile: The regime that the returned reports judge by.
        visible: Whether to look for a visible label, which decodes pixels.
        trust: As in :func:`labeling.verify`.
        max_pixels: As in :func:`labeling.verify`.
        isolate: As in :func:`labeling.verify`; the label is written in this process.
        timeout: As in :func:`labeling.verify`.
        in_place: Replace the source itself.
        dry_run: Do everything but write.
        strict: Refuse a file whose copy would lose anything.
        keep_times: Give the output the source's times of last access and last change.

    Returns:
        The decision with its evidence, and the labelled file if one was written.

    Raises:
        LabelConflict: The labels in the file differ; or a reviewer confirms a file without an implicit label: "1" is
            the producer's to write.
        SigningError: The file has a C2PA manifest, and there is no ``signer``.
        UnreadableFile: A label is to be written, and nobody knows which, since the file could not be read to its end.
        LabelingError: The file cannot be read or written, or a parameter has a wrong value.

    Example:
        >>> import labeling
        >>> found = labeling.classify("photo.png", declared=True)
        >>> found.decision, [item.mark for item in found.evidence]
        ('possible', ['declaration'])
        >>> done = labeling.classify("photo.png", "ours.png", declared=True, write=True, propagator="my-platform")
        >>> done.labeled.label.origin, done.labeled.label.propagator
        (<Origin.POSSIBLE: '2'>, 'my-platform')
    """
    _check(declared, decision, reviewer, reason)
    if write:
        if not isinstance(source, str | os.PathLike):
            raise LabelingError("a label is written to a copy of a file: `source` must be a path")
        if not propagator.strip():
            raise LabelingError("a platform writes its own code: `propagator` is needed", hint="or leave `write` out")
        if propagate_id is not None and not propagate_id.strip():
            raise LabelingError("`propagate_id` is empty", hint="leave it out, and a new unique one is made")
    start = source.tell() if hasattr(source, "tell") and hasattr(source, "seek") else 0
    report = verify(
        source, profile, visible=visible, trust=trust, declared_ai=bool(declared), max_pixels=max_pixels,
        isolate=isolate, timeout=timeout,
    )  # fmt: skip
    unread = unread_of(report)
    origin = "possible" if declared and report.origin == "none" else report.origin  # a declaration needs no reading
    automatic = "" if origin == "none" and is_open(report) else origin
    digest, size = _measured(source, start)
    found = Classification(
        path=report.path,
        decision=automatic if decision is None else decision,
        automatic=automatic,
        declared=declared,
        evidence=evidence_of(report, declared),
        contradictions=contradictions_of(report, declared),
        unread=unread,
        report=report,
        sha256=digest,
        size=size,
        reviewer=reviewer.strip(),
        reason=reason.strip(),
    )
    if not write or found.decision == "none":
        return found
    assert isinstance(source, str | os.PathLike)
    return write_label(
        found, source, target, propagator=propagator, propagate_id=propagate_id, security=security, notice=notice,
        signer=signer, profile=profile, in_place=in_place, dry_run=dry_run, strict=strict, keep_times=keep_times,
    )  # fmt: skip


def write_label(
    found: Classification,
    source: str | os.PathLike[str],
    target: str | os.PathLike[str] | None = None,
    *,
    propagator: str,
    propagate_id: str | None = None,
    security: str = "",
    notice: bool | Style = False,
    signer: Signer | None = None,
    profile: str = "platform",
    in_place: bool = False,
    dry_run: bool = False,
    strict: bool = False,
    keep_times: bool = False,
) -> Classification:
    """Write the label of a class other than ``none`` to a file that was classified: see :func:`classify`.

    Returns:
        The classification with the labelled file.

    Raises:
        LabelingError: As :func:`classify` with ``write``.
    """
    label_for = _label_for(found, propagator, propagate_id, security)
    with guarded("label the file", source):
        times = atomic_writes.times_of(source, keep=keep_times)
        chosen = resolve_target(source, target, in_place=in_place)
        options = LabelingOptions(
            profile_named(profile), signer=signer, strict=strict, times=times, change=_CHANGES[_origin(found)]
        )
        how: tuple[str, ...] = ()
        if notice:
            options, how = _with_notice(options, found, notice)
        done = _written(source, chosen, label_for, options, dry_run=dry_run)
        return replace(found, labeled=replace(done, how=(_said(found), *done.how, *how)))


def _check(declared: object, decision: str | None, reviewer: str, reason: str) -> None:
    if declared is not None and not isinstance(declared, bool):
        raise LabelingError(f"`declared` must be True, False or None, not {declared!r:.80}")
    if decision is not None and decision not in ORIGINS:
        raise LabelingError(f"`decision` must be one of {', '.join(ORIGINS)}, not {decision!r:.80}")
    for name, value in (("reviewer", reviewer), ("reason", reason)):
        if not isinstance(value, str) or len(value) > MAX_SAID:
            raise LabelingError(f"`{name}` must be text of at most {MAX_SAID} characters")
        if (decision is not None) != bool(value.strip()):
            raise LabelingError(
                "a reviewer's decision is recorded with who decided and why",
                hint="give `decision`, `reviewer` and `reason` together",
            )


def _measured(source: Any, start: int) -> tuple[str, int]:
    """Return SHA-256 and size of a file; of pixels, which are no file, nothing. Streams are read from ``start`` on."""
    import hashlib

    if hasattr(source, "getbands"):
        return "", 0
    if hasattr(source, "read") and hasattr(source, "seek"):
        source.seek(start)
    with guarded("read the file", name_of(source)):
        _, data = files.open_source(source, containers.is_media)
        digest = hashlib.sha256()
        with data if isinstance(data, FileBytes) else nullcontext():
            for at in range(0, len(data), _SHA256_OF):
                digest.update(data[at : at + _SHA256_OF])
            return digest.hexdigest(), len(data)


def _origin(found: Classification) -> Origin:
    """Return the ``Label`` that goes into the file: the one that is there, or that of the decision."""
    if there := _labels(found):
        label = aigc.label_of(there[0])
        return label.origin if label is not None else Origin.GENERATED
    return Origin.SUSPECTED if found.decision == "suspected" else Origin.POSSIBLE


def _labels(found: Classification) -> list[Finding]:
    unlabelled = (Status.ABSENT, Status.UNREADABLE)
    return [each for each in found.report.findings if each.kind == "aigc" and each.status not in unlabelled]


def _label_for(found: Classification, propagator: str, propagate_id: str | None, security: str) -> LabelFor:
    """Return what makes the label: the propagator's half of the one in the file, or a platform's own.

    Raises:
        LabelConflict: There is no label that could follow from the decision.
        UnreadableFile: Nobody knows which class the file belongs to.
    """
    if not found.decision:
        message = "nothing was found, and not all of the file could be read, so that its class is not known"
        hint = "a person may decide (`decision`, `reviewer`, `reason`)"
        raise UnreadableFile(f"{message}: {found.unread[0]}", path=found.path, hint=hint)
    if propagate_id is not None and not propagate_id.strip():
        raise LabelingError("`propagate_id` is blank", path=found.path, hint="give a number, or none at all")
    labels = _labels(found)
    if not labels and found.decision == "confirmed":
        raise LabelConflict(
            'has no implicit label, and Label "1" is written by the producer alone (GB 45438-2025 Annex E)',
            path=found.path, hint="what a platform finds itself is suspected (`decision=\"suspected\"`)",
        )  # fmt: skip
    if any(each.status is Status.CONFLICT for each in labels):
        raise LabelConflict(
            "carries several labels that differ", path=found.path, hint="which one holds must be settled first"
        )
    if labels and str(labels[0].value.get("Label")) not in set(Origin):
        raise LabelConflict(
            "its label has no valid Label value", path=found.path, hint="the producer's half is not ours to mend"
        )

    def label_for(own: Label | None) -> Label:
        if own is None and labels:
            raise LabelConflict("its label cannot be kept as it is", hint=OTHERS_MUST_STAY)
        number = propagate_id or new_content_id()
        if own is None:
            return Label(
                producer="", content_id="", origin=_origin(found), propagator=propagator, propagate_id=number,
                propagator_security=security,
            )  # fmt: skip
        if propagate_id is None and own.propagator == propagator and own.propagate_id:
            number = own.propagate_id  # the platform's own number stays when a file is classified again
        return replace(own, propagator=propagator, propagate_id=number, propagator_security=security)

    return label_for


def _said(found: Classification) -> str:
    """Return the sentence on the label that was written; a label that the decision differs from stays."""
    origin = _origin(found)
    if not _labels(found):
        return f'Label "{origin}" was written with the platform\'s code and number; the producer is not known'
    if found.overruled:
        return (
            f'the label in the file, "{origin}", stays as it is (Labelling Measures Art. 10); the propagator\'s half '
            "was filled, and the reviewer's decision is not in the file"
        )
    return _CHANGES[Origin.GENERATED]


def _with_notice(
    options: LabelingOptions, found: Classification, notice: bool | Style
) -> tuple[LabelingOptions, tuple[str, ...]]:
    """Return the options with what draws the notice; a file that shows an explicit label needs no second one."""
    there = found.report.find("visible")
    if there is not None and there.status is Status.PRESENT:
        return options, ("the visible label is there already",)
    if is_sound(found.report):
        return options, (_BESIDE_SOUND,)
    from labeling.marks.visible import LabelPainter

    style = notice if isinstance(notice, Style) else Style()
    if style.text == Style().text:
        style = replace(style, text=WORDINGS[found.decision])
    painter = LabelPainter(style, languages=options.profile.languages)
    return replace(options, painter=painter), ()


def _written(
    source: str | os.PathLike[str], chosen: Any, label_for: LabelFor, options: LabelingOptions, *, dry_run: bool
) -> LabeledFile:
    name, data = open_source(source)
    if isinstance(data, FileBytes) or containers.is_media(data):
        from labeling.pipelines.video import label_video

        with data if isinstance(data, FileBytes) else nullcontext():
            video = VideoOptions(audio_cue="none")
            return label_video(data, name, chosen, label_for, options, video, dry_run=dry_run)
    made = image.label_bytes(data, name, label_for, options)
    return write_result(made, source, chosen, dry_run=dry_run, times=options.times)
