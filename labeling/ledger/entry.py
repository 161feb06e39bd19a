"""The data that goes into a ledger and comes out of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from labeling.errors import LabelingError

if TYPE_CHECKING:
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
