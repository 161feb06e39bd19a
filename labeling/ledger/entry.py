"""The data that goes into a ledger and comes out of it, and the entry for something that was labelled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from labeling.errors import LabelingError
from labeling.gates import guarded
from labeling.limits import MAX_PIXELS_LABELLED

if TYPE_CHECKING:
    from labeling.containers import Media
    from labeling.pipelines.classification import Classification
    from labeling.pipelines.conversion import ConvertedFile
    from labeling.pipelines.image import LabeledImage
    from labeling.pipelines.output import LabeledFile
    from labeling.resemblance import Resemblance

LABEL = "label"
DECISION = "decision"
PRUNE = "prune"
"""Kinds of records: a label that was given, a decision on an upload's origin, and the note that older records were
removed."""

AGREEMENT = "agreement"
"""Key of :attr:`Entry.details`: the agreement by which a copy without the explicit label was given out (Art. 9)."""

_HEX_DIGITS = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Entry:
    """One label to be recorded.

    Names and recipients are personal data: what is not given is not stored.

    Args:
        content_id: The content's number, as the label has it.
        sha256: SHA-256 of the output, as 64 hexadecimal digits in lower case.
        fields: The fields of the label, by their names.
        profile: The name of the rules that the label follows.
        source: A name for the input, if it is to be kept.
        output: A name for the output, if it is to be kept.
        media_type: The output's media type.
        size: The output's size in bytes.
        fingerprint: What :func:`labeling.fingerprint.fingerprint` gave: 32 to 512 bytes.
        recipient: Who received a copy without the explicit label (Labelling Measures, Art. 9).
        key: The caller's own key, to find the record again.
        details: What else is to be kept, by name: :data:`AGREEMENT` is one. Hashed with the rest.
        kind: ``label``, or ``decision`` for a decision on where content comes from (Labelling Measures, Art. 6).

    Raises:
        LabelingError: A value that no record can hold.
    """

    content_id: str
    sha256: str
    fields: Mapping[str, str]
    profile: str
    source: str = ""
    output: str = ""
    media_type: str = ""
    size: int = 0
    fingerprint: bytes | None = None
    recipient: str | None = None
    key: str | None = None
    details: Mapping[str, str] | None = None
    kind: str = LABEL

    def __post_init__(self) -> None:
        if len(self.sha256) != 64 or not set(self.sha256) <= _HEX_DIGITS:
            raise LabelingError(f"`sha256` must be 64 hexadecimal digits in lower case, not {self.sha256!r}")
        if self.fingerprint is not None:
            from labeling import fingerprint

            if len(self.fingerprint) not in fingerprint.SIZES:
                raise LabelingError(
                    f"`fingerprint` must have 32 bytes, and 10 more for each point, not {len(self.fingerprint)}"
                )
        if self.kind not in (LABEL, DECISION):
            raise LabelingError(f"`kind` must be {LABEL} or {DECISION}, not {self.kind!r}")
        if not 0 <= self.size < 1 << 63:
            raise LabelingError(f"`size` must be a number of bytes, not {self.size}")


@dataclass(frozen=True, slots=True)
class Record:
    """An entry as the ledger stores it: with its number, its time (UTC, ISO 8601) and its place in the hash chain."""

    seq: int
    time: str
    kind: str
    content_id: str
    sha256: str
    fingerprint: bytes | None
    fields: Mapping[str, str]
    profile: str
    source: str
    output: str
    media_type: str
    size: int
    recipient: str | None
    key: str | None
    details: Mapping[str, str] | None
    prev: str
    hash: str

    @property
    def agreement(self) -> str | None:
        """The agreement under which the recipient got a copy without the explicit label, if one was named."""
        return (self.details or {}).get(AGREEMENT)

    def to_dict(self) -> dict[str, Any]:
        """Return the record for JSON.

        Returns:
            A dictionary of all fields; the fingerprint is in hexadecimal digits, or ``None``.
        """
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        values["fingerprint"] = self.fingerprint.hex() if isinstance(self.fingerprint, bytes) else None
        details = None if self.details is None else dict(self.details)
        return values | {"fields": dict(self.fields), "details": details}


@dataclass(frozen=True, slots=True)
class Match:
    """A record that may belong to a file, and what it was found by: "sha256", "content id" or "fingerprint".

    ``distance`` is the number of bits, of 256, in which the whole pictures differ, if both have a fingerprint; that of
    a cropped copy is large. ``resemblance`` counts the points of the recorded picture that are seen in this one, if
    that has any: its ``same`` is true of a copy, also of a part. Anybody can copy a content id into a file: a match by
    content id with a large ``distance`` and without a ``resemblance`` that is the ``same`` is another picture under our
    number.
    """

    record: Record
    by: str
    distance: int | None = None
    resemblance: Resemblance | None = None


@dataclass(frozen=True, slots=True)
class Pruned:
    """The result of pruning: how many records were removed, up to which number, and the record that says so.

    ``record`` is ``None`` if nothing was removed.
    """

    count: int
    upto: int
    record: Record | None = None


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A place where the ledger is not as it was written. ``seq`` is the record's number, 0 for the whole ledger."""

    seq: int
    message: str


@dataclass(frozen=True, slots=True)
class ImportedChain:
    """A chain of another ledger that was merged into this one, as far as its records are still here.

    ``id`` is the hash of the first record that was imported; ``head`` the hash of the last one, as in its own ledger.
    """

    id: str
    count: int
    first: int
    last: int
    head: str


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of importing a ledger.

    Attributes:
        count: Records that were copied.
        before: Records that an earlier import had copied.
        chain: The id of the chain, if it was merged; ``None`` if this ledger now continues it.
        verification: The check of this ledger afterwards.
    """

    count: int
    before: int
    chain: str | None
    verification: Verification


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """The result of reclaiming space: the ledger's bytes before and after, and whether all free space was given back.

    In PostgreSQL, ``complete`` is only true of a full vacuum: otherwise the space is free for new records.
    """

    before: int
    after: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of checking the whole chain.

    Attributes:
        count: Number of records.
        first: Number of the first record that is kept; those before it were pruned.
        last: Number of the last record.
        head: Hash of the last record. Kept elsewhere, it proves later that nothing before it was changed.
        discrepancies: The first discrepancies that were found.
        discrepancy_count: How many were found in all.
        notes: What is worth knowing but no sign of tampering: the first records whose time is earlier than that of
            the record before, because a clock was set back.
        note_count: How many of them there are.
        imported: The chains that were merged into this ledger. They were checked too.
    """

    count: int
    first: int
    last: int
    head: str
    discrepancies: tuple[Discrepancy, ...] = field(default=())
    discrepancy_count: int = 0
    notes: tuple[Discrepancy, ...] = field(default=())
    note_count: int = 0
    imported: tuple[ImportedChain, ...] = ()

    @property
    def intact(self) -> bool:
        """Whether no discrepancy was found."""
        return not self.discrepancy_count


def fields_json(fields_: Mapping[str, str]) -> str:
    """Return a label's fields as they are stored and hashed: compact JSON in the order given."""
    return json.dumps(dict(fields_), ensure_ascii=False, separators=(",", ":"))


def storable(text: str) -> str:
    """Return text that every database can hold: PostgreSQL has no NUL, and names of files need not be Unicode."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


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


_CHUNK = 1 << 20
"""Bytes that are hashed at a time."""


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
