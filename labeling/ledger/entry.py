"""What a ledger holds of one label, what it gives back, and what is entered for something that was labelled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from labeling.errors import LabelingError

if TYPE_CHECKING:
    from labeling.pipelines.image import LabeledImage
    from labeling.pipelines.output import LabeledFile

LABEL = "label"
PRUNE = "prune"
"""Kinds of records: a label that was given, and the note that older records were removed."""

_DIGITS = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Entry:
    """One label to be recorded.

    ``sha256``: of the output, 64 hexadecimal digits. ``fields``: what the label says. ``source`` and ``output``: names
    of the files, as far as they are to be kept. ``fingerprint``: 32 bytes (:mod:`labeling.fingerprint`).
    ``recipient``: who was handed a copy without the explicit label (Labelling Measures Art. 9). ``key``: the caller's
    own, to find the record again. Names and recipients are personal data: what is not given is not stored.
    Raises :class:`LabelingError` for values that no record can hold.
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

    def __post_init__(self) -> None:
        if len(self.sha256) != 64 or not set(self.sha256) <= _DIGITS:
            raise LabelingError(f"sha256 must be 64 hexadecimal digits in lower case, not {self.sha256!r}")
        if self.fingerprint is not None and len(self.fingerprint) != 32:
            raise LabelingError(f"a fingerprint has 32 bytes, not {len(self.fingerprint)}")
        if not 0 <= self.size < 1 << 63:
            raise LabelingError(f"size must be a number of bytes, not {self.size}")


@dataclass(frozen=True, slots=True)
class Record:
    """An entry as it stands in the ledger: with its number, time (UTC, ISO 8601), and place in the chain of hashes."""

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
    prev: str
    hash: str

    def to_dict(self) -> dict[str, Any]:
        """The record for JSON: the fingerprint in hexadecimal digits, or null."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        values["fingerprint"] = self.fingerprint.hex() if isinstance(self.fingerprint, bytes) else None
        return values | {"fields": dict(self.fields)}


@dataclass(frozen=True, slots=True)
class Match:
    """A record that may be that of a file, and by what it was found: "sha256", "content id" or "fingerprint".

    ``distance``: bits in which the fingerprints differ, where both have one. A content id can be copied into any
    file: a match by it whose ``distance`` is large is another picture under our number.
    """

    record: Record
    by: str
    distance: int | None = None


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many records were removed, up to which number, and the record that says so (``None``: there were none)."""

    count: int
    upto: int
    record: Record | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in the ledger that is not as it was written; ``seq`` is where, 0 for the ledger as a whole."""

    seq: int
    message: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What checking the whole chain gave.

    ``head`` is the hash of the last record: kept elsewhere, it proves later that nothing before it was changed.
    ``first`` is the number of the first record that is kept; those before it were pruned. ``findings`` are the first
    ones, ``count_findings`` how many there are in all.
    """

    count: int
    first: int
    last: int
    head: str
    findings: tuple[Finding, ...] = field(default=())
    count_findings: int = 0

    @property
    def intact(self) -> bool:
        """True if nothing was found."""
        return not self.count_findings


def text_of(fields_: Mapping[str, str]) -> str:
    """The form in which fields are stored and hashed: compact JSON in the order given."""
    return json.dumps(dict(fields_), ensure_ascii=False, separators=(",", ":"))


def clean(text: str) -> str:
    """Text that every database can hold: PostgreSQL has no NUL, and names of files need not be Unicode."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def entry_of(
    done: LabeledFile | LabeledImage,
    *,
    source: str = "",
    recipient: str | None = None,
    key: str | None = None,
    profile: str | None = None,
) -> Entry:
    """What is recorded of something that was labelled: hash and fingerprint are taken from the very output.

    Of its path only the file's name is kept. ``source``: what to call the input. Raises :class:`LabelingError` if the
    output cannot be read (any more), or was never written (a dry run).
    """
    from labeling.marks import aigc

    label = done.label
    name, digest, size, fingerprint = _measured(done)
    return Entry(
        content_id=label.content_id,
        sha256=digest,
        fields=json.loads(aigc.encode(label)),
        profile=next(iter(done.report.verdicts), "") if profile is None else profile,
        source=source,
        output=name,
        media_type=done.report.media_type,
        size=size,
        fingerprint=fingerprint,
        recipient=recipient,
        key=key,
    )


def _measured(done: LabeledFile | LabeledImage) -> tuple[str, str, int, bytes | None]:
    """Name, SHA-256, size and fingerprint of the output."""
    from labeling import containers, files
    from labeling.filebytes import FileBytes

    if hasattr(done, "data"):
        return "", *measure(done.data)
    if done.dry_run:
        raise LabelingError(f"{done.path}: nothing was written (a dry run), so there is nothing to record")
    _, data = files.open_source(done.path, containers.is_media)
    try:
        return done.path.name, *measure(data)
    finally:
        if isinstance(data, FileBytes):
            data.close()


_STEP = 1 << 20


def measure(data: Any, *, max_pixels: int | None = None, asked: bool = False) -> tuple[str, int, bytes | None]:
    """SHA-256, size and fingerprint of a file's content; no fingerprint where it has none or cannot be decoded.

    ``asked``: it is what somebody looks for, perhaps a copy that has a little less detail than what was recorded.
    """
    from labeling import fingerprint

    digest = hashlib.sha256()
    for at in range(0, len(data), _STEP):
        digest.update(data[at : at + _STEP])
    try:
        detail = fingerprint.DETAIL / 2 if asked else fingerprint.DETAIL
        found = fingerprint.of_media(data, max_pixels=max_pixels, detail=detail)
    except LabelingError:
        found = None
    return digest.hexdigest(), len(data), found
