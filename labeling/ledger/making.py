"""The entry for what was labelled, converted or classified: its hash, size and fingerprint are computed here."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from labeling.errors import LabelingError
from labeling.gates import guarded
from labeling.ledger.entry import AGREEMENT, DECISION, Entry
from labeling.limits import MAX_PIXELS_LABELLED

if TYPE_CHECKING:
    from labeling.containers import Media
    from labeling.pipelines.classification import Classification
    from labeling.pipelines.conversion import ConvertedFile
    from labeling.pipelines.labeled_image import LabeledImage
    from labeling.pipelines.output import LabeledFile

_CHUNK = 1 << 20
"""Bytes that are hashed at a time."""


def check_agreement(recipient: str | None, agreement: str | None, profile: str) -> None:
    """Raise :class:`LabelingError` if China's Measures apply, and somebody gets an unlabelled copy by no agreement.

    Art. 9 has the user agreement say who answers for labelling the copy, before it is given out.
    """
    if recipient is not None and not (agreement or "").strip() and profile == "cn":
        raise LabelingError(
            "a copy without the explicit label is given out by an agreement that says who answers for labelling it "
            "(Labelling Measures Art. 9): `recipient` needs `agreement` under the profile cn",
            hint="give the agreement's reference as `agreement`",
        )


def entry_of(
    labelled: LabeledFile | LabeledImage,
    *,
    source: str = "",
    recipient: str | None = None,
    agreement: str | None = None,
    key: str | None = None,
    profile: str | None = None,
    fingerprint: bool = True,
) -> Entry:
    """Make the entry for something that was labelled; hash and fingerprint are computed from the output itself.

    Args:
        labelled: What a verb of :class:`labeling.Labeler` returned. Of its path only the file's name is kept.
        source: A name for the input.
        recipient: Who received a copy without the explicit label (Labelling Measures, Art. 9).
        agreement: The reference of the agreement with the recipient, which says who answers for labelling the copy.
        key: The caller's own key, to find the record again.
        profile: The name of the rules (default: the first profile of the report).
        fingerprint: Decode the picture and compute its fingerprint. Without it, only the same bytes and the content id
            are found again.

    Returns:
        The entry, for :meth:`Ledger.append`.

    Raises:
        LabelingError: The output cannot be read (any more), or was never written (a dry run); or ``recipient`` is
            given without ``agreement`` under the profile cn.

    Example:
        >>> entry = entry_of(labeler.label_file("photo.png"), source="photo.png")  # doctest: +SKIP
    """
    from labeling.marks import aigc

    label = labelled.label
    profile = next(iter(labelled.report.verdicts), "") if profile is None else profile
    check_agreement(recipient, agreement, profile)
    name, digest, size, found = _name_and_measures(labelled, fingerprint=fingerprint)
    return Entry(
        content_id=label.content_id or label.propagate_id,
        sha256=digest,
        fields=aigc.encoded_fields(label),
        profile=profile,
        source=source,
        output=name,
        media_type=labelled.report.media_type,
        size=size,
        fingerprint=found,
        recipient=recipient,
        key=key,
        details=None if agreement is None else {AGREEMENT: agreement},
    )


def entries_of_classification(found: Classification, *, source: str = "", key: str | None = None) -> list[Entry]:
    """Make the entries for a classified upload: the decision with its evidence, and the label that was written, if any.

    The decision's ``sha256`` is that of the upload; ``details`` hold the decision, the automatic one beside it, who
    decided and why, and as JSON what it rests on.

    Args:
        found: What :func:`labeling.classify` returned.
        source: A name for the upload.
        key: The caller's own key, to find the records again.

    Returns:
        One entry or two, for :meth:`Ledger.append`.

    Raises:
        LabelingError: Pixels were classified, which are no file; or the output cannot be read (any more).
    """
    if not found.sha256:
        raise LabelingError("a decision on pixels cannot be recorded: only a file has a hash", path=found.path)
    labels = []
    if found.labeled is not None and not found.labeled.dry_run:
        labels = [entry_of(found.labeled, source=source, key=key)]
    what = found.to_dict()
    declared = {True: "yes", False: "no", None: ""}[found.declared]
    details = {
        "decision": found.decision,
        "automatic": found.automatic,
        "declared": declared,
        "reviewer": found.reviewer,
        "reason": found.reason,
        **{name: _compact(what[name]) for name in ("evidence", "contradictions", "unread")},
        "written": labels[0].sha256 if labels else "",
    }
    decision = Entry(
        content_id=labels[0].content_id if labels else "",
        sha256=found.sha256,
        fields=labels[0].fields if labels else {},
        profile=next(iter(found.report.verdicts), ""),
        source=source,
        output=labels[0].output if labels else "",
        media_type=found.report.media_type,
        size=found.size,
        key=key,
        details=details,
        kind=DECISION,
    )
    return [decision, *labels]


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def entry_of_copy(
    converted: ConvertedFile, *, source: str, output: str, key: str, fingerprint: bool = True
) -> Entry | None:
    """Make the entry for a converted copy of something that carries a label: the copy has another hash.

    Args:
        converted: What :func:`labeling.convert` returned.
        source: A name for the picture that was converted.
        output: A name for the copy.
        key: The caller's own key, to find the record again.
        fingerprint: Compute the picture's fingerprint.

    Returns:
        The entry; ``None`` if the copy has no label that names its producer and the content.

    Raises:
        LabelingError: The copy cannot be read.
    """
    from labeling import containers, files
    from labeling.marks import aigc

    found = converted.report.find("aigc")
    label = aigc.label_of(found) if found is not None else None
    if found is None or label is None:
        return None
    _, data = files.open_source(converted.path, containers.is_media)
    digest, size, found_print = measure(data, max_pixels=MAX_PIXELS_LABELLED, fingerprint=fingerprint)
    return Entry(
        content_id=label.content_id,
        sha256=digest,
        fields={name: value for name, value in found.value.items() if isinstance(value, str)},
        profile=next(iter(converted.report.verdicts), ""),
        source=source,
        output=output,
        media_type=converted.report.media_type,
        size=size,
        fingerprint=found_print,
        key=key,
    )


def _name_and_measures(
    labelled: LabeledFile | LabeledImage, *, fingerprint: bool
) -> tuple[str, str, int, bytes | None]:
    """Return name, SHA-256, size and fingerprint of the output."""
    from labeling import containers, files
    from labeling.filebytes import FileBytes

    if hasattr(labelled, "data"):
        return "", *measure(labelled.data, max_pixels=MAX_PIXELS_LABELLED, fingerprint=fingerprint)
    if labelled.dry_run:
        raise LabelingError("nothing was written (a dry run), so there is nothing to record", path=labelled.path)
    _, data = files.open_source(labelled.path, containers.is_media)
    try:
        measures = measure(data, max_pixels=MAX_PIXELS_LABELLED, fingerprint=fingerprint)
        return labelled.path.name, *measures
    finally:
        if isinstance(data, FileBytes):
            data.close()


def measure(data: Media, *, max_pixels: int | None = None, fingerprint: bool = True) -> tuple[str, int, bytes | None]:
    """Return SHA-256, size and fingerprint of a file's content.

    Args:
        data: The file's content.
        max_pixels: Do not decode larger pictures.
        fingerprint: Decode the picture for its fingerprint.

    Returns:
        The hash in hexadecimal digits, the size in bytes, and the fingerprint; ``None`` if the content is of a kind
        that has none or cannot be decoded.
    """
    from labeling.fingerprint import fingerprint_of_media

    found = None
    try:
        if fingerprint:
            with guarded("compute the fingerprint"):
                found = fingerprint_of_media(data, max_pixels=max_pixels)
    except LabelingError:
        found = None
    return digest_of(data), len(data), found


def digest_of(data: Media) -> str:
    """Return SHA-256 of a file's content in hexadecimal digits."""
    digest = hashlib.sha256()
    for start in range(0, len(data), _CHUNK):
        digest.update(data[start : start + _CHUNK])
    return digest.hexdigest()
