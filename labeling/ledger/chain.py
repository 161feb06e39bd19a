"""The hash chain: which bytes of a record are hashed, so that anybody can recompute it, and the check of a chain.

The hash of a record is SHA-256 over the UTF-8 bytes of one JSON array as RFC 8785 writes it (no spaces, shortest
escapes): the text :data:`FORMAT_TAG`, then the columns in the order of :data:`COLUMNS`, with ``fields`` as the text
that is stored, ``fingerprint`` in hexadecimal digits, null for a missing value, and ``prev``, the hash of the record
before. The ``prev`` of the first record is :data:`GENESIS`.

A record without ``details`` is hashed as if there were no such column, under :data:`FORMAT_TAG`: records from before
it keep their hashes. One with details is hashed with them, under :data:`FORMAT_TAG_2`.

What a chain alone cannot prove: whoever can write to the database can recompute all hashes from some record on. The
hash of the last record, kept elsewhere (:attr:`Verification.head`), reveals that. Nothing else does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from labeling.ledger.entry import PRUNE, Discrepancy, Record, Verification

FORMAT_TAG = "aigc-ledger/1"
FORMAT_TAG_2 = "aigc-ledger/2"
GENESIS = "0" * 64

COLUMNS = (
    "seq", "time", "kind", "content_id", "sha256", "fingerprint", "fields", "profile", "source", "output",
    "media_type", "size", "recipient", "key", "details", "prev",
)  # fmt: skip

BLOCK = 4096
"""Records per block of the search table: block n has the fingerprints of the records from n × BLOCK + 1 on."""

Row = Sequence[Any]
"""The values of :data:`COLUMNS`, followed by the hash. Of any type: the database may have been altered."""

MAX_DISCREPANCIES = 1000
"""Discrepancies that are kept; the rest is only counted."""

_TYPES: tuple[tuple[type, ...], ...] = tuple(
    {"seq": (int,), "size": (int,), "fingerprint": (bytes, type(None)), "recipient": (str, type(None)),
     "key": (str, type(None)), "details": (str, type(None))}.get(name, (str,))
    for name in COLUMNS
)  # fmt: skip

_PREV = COLUMNS.index("prev")
_FINGERPRINT = COLUMNS.index("fingerprint")
_FIELDS = COLUMNS.index("fields")
_KIND = COLUMNS.index("kind")
_DETAILS = COLUMNS.index("details")

_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=repr).encode


def hash_of(row: Row) -> str:
    """Return the hash of a record, computed from its columns, in hexadecimal digits."""
    values = [FORMAT_TAG_2, *row[: len(COLUMNS)]]
    if isinstance(row[_FINGERPRINT], bytes):
        values[1 + _FINGERPRINT] = row[_FINGERPRINT].hex()
    if row[_DETAILS] is None:
        values[0] = FORMAT_TAG
        del values[1 + _DETAILS]
    return hashlib.sha256(_to_json(values).encode("utf-8", "backslashreplace")).hexdigest()


def record_of(row: Row) -> Record:
    """Return the record of a row. A value that was altered beyond reading is shown as it is stored."""
    values: list[Any] = [repr(v) if isinstance(v, bytes) and n != _FINGERPRINT else v for n, v in enumerate(row)]
    for column in (_FIELDS, _DETAILS):
        try:
            parsed = json.loads(row[column])
        except (ValueError, TypeError, RecursionError):
            parsed = None
        if column == _FIELDS or row[column] is not None:
            values[column] = parsed if isinstance(parsed, dict) else {"": str(row[column])}
    return Record(*values)


def pack(block: int, rows: Iterable[tuple[int, bytes]]) -> bytes:
    """Lay out the fingerprints of a block for searching: of each the 32 bytes that describe the whole picture.

    First come the offsets of the records in the block (16 bits each, little-endian), then the first 8 bytes of each
    fingerprint, then the second 8 bytes of each, and so on.

    Args:
        block: The block's number.
        rows: Number and fingerprint of each record that has one.
    """
    offsets, planes = bytearray(), [bytearray() for _ in range(4)]
    for seq, fingerprint in rows:
        if not isinstance(fingerprint, bytes) or len(fingerprint) < 32:
            continue  # altered by hand; the check of the chain reports it
        offsets += (seq - 1 - block * BLOCK).to_bytes(2, "little")
        for number, plane in enumerate(planes):
            plane += fingerprint[8 * number : 8 * number + 8]
    return b"".join([offsets, *planes])


class ChainChecker:
    """Checks a chain record by record, in the order of their numbers, in memory that does not grow with its length.

    Args:
        anchor: A hash that must be in the chain, because it was kept elsewhere; ``None`` to check no such hash.
    """

    def __init__(self, anchor: str | None) -> None:
        self.discrepancies: list[Discrepancy] = []
        self.discrepancy_count = 0
        self.notes: list[Discrepancy] = []
        self.note_count = 0
        self.count = 0
        self.first = 0
        self.last = 0
        self.head = GENESIS
        self._before_first: tuple[int, str] = (0, GENESIS)  # number and hash of the record that the first one follows
        self._allowed_starts: set[tuple[int, str]] = {(0, GENESIS)}  # GENESIS, and what prune records vouch for
        self._time = ""
        self._clock: tuple[Any, Any] = (0, "")  # number and time of the last record that was not imported
        self.anchor = anchor
        self._anchor_found = anchor in (None, GENESIS)

    def report(self, seq: int, message: str) -> None:
        """Note a discrepancy at a record."""
        self.discrepancy_count += 1
        if len(self.discrepancies) < MAX_DISCREPANCIES:
            self.discrepancies.append(Discrepancy(seq, message))

    def note(self, seq: int, message: str) -> None:
        """Note something about a record that is no sign of tampering."""
        self.note_count += 1
        if len(self.notes) < MAX_DISCREPANCIES:
            self.notes.append(Discrepancy(seq, message))

    def add(self, row: Row, *, imported: bool = False) -> None:
        """Check the next record: by itself, and as the successor of the one before.

        Args:
            row: The record.
            imported: It was merged from another ledger, and has its time from there.
        """
        seq, prev, stored_hash = row[0], row[_PREV], row[-1]
        wrong = [name for name, value, types in zip(COLUMNS, row, _TYPES, strict=False) if type(value) not in types]
        if wrong or hash_of(row) != stored_hash:
            detail = f" ({', '.join(wrong)} of the wrong type)" if wrong else ""
            self.report(seq, f"record {seq} was altered: its hash is not that of its columns{detail}")
        if not self.count:
            self.first, self._before_first = seq, (seq - 1, prev)
        elif seq != self.last + 1:
            missing = f"record {self.last + 1}" + (f" to {seq - 1}" if seq - self.last > 2 else "")
            self.report(self.last + 1, f"{missing} was removed")
        elif prev != self.head:
            self.report(seq, f"record {seq} does not follow the one before it: altered, replaced or moved")
        if not imported and isinstance(row[1], str) and isinstance(self._clock[1], str) and row[1] < self._clock[1]:
            self.note(
                seq,
                f"record {seq} has an earlier time ({row[1]}) than record {self._clock[0]} ({self._clock[1]}): a clock "
                "was set back, or the clocks of two machines differ",
            )
        self._clock = self._clock if imported else (seq, row[1])
        if row[_KIND] == PRUNE and not imported:
            fields = record_of(row).fields
            if str(fields.get("upto", "")).isascii() and str(fields.get("upto", "")).isdigit():
                self._allowed_starts.add((int(fields["upto"]), str(fields.get("hash"))))
        self._anchor_found = self._anchor_found or stored_hash == self.anchor
        self.count += 1
        self.last, self.head, self._time = seq, stored_hash, row[1]

    def finish_imported(self, start: tuple[int, str] | None, end: tuple[int, str] | None) -> None:
        """Check the ends of a chain that was merged into another ledger.

        Args:
            start: Number and hash of the record that its first one follows; ``None`` if that is not known any more.
            end: Number and hash of its last record; ``None`` if that is not known.
        """
        if start is not None and self._before_first != start:
            self.report(self.first, f"it begins with record {self.first}, not after record {start[0]}")
        if end is not None and (self.last, self.head) != end:
            self.report(
                self.last + 1, f"it ends with record {self.last}, but record {end[0]} was the last one imported"
            )

    def excuse_anchor(self) -> None:
        """The hash that was kept elsewhere was found in a chain that was imported."""
        self._anchor_found = True

    def finish(self, head: Row) -> Verification:
        """Check both ends of the chain, and return the result.

        Args:
            head: What the ledger notes of its ends: number, time and hash of the last record, then number and hash
                of the last record that was pruned.
        """
        seq, time, digest, pruned_to, pruned_hash = head
        if self.count and self._before_first not in self._allowed_starts:
            upto = self._before_first[0]
            reason = "no prune record vouches for it" if upto else "its first record does not begin the chain"
            self.report(1, f"record 1 to {upto} was removed, and {reason}" if upto else reason)
        if self.count and self._before_first != (pruned_to, pruned_hash):
            self.report(self.first, f"the chain begins with record {self.first}, not after record {pruned_to}")
        if (self.last, self.head) != (seq, digest):
            self.report(self.last + 1, f"the chain ends with record {self.last}, but record {seq} was the last written")
        elif time != self._time:
            self.report(self.last, f"the time of the last record was {self._time}, not {time}")
        if not self._anchor_found and self.anchor not in {known for _, known in self._allowed_starts}:
            self.report(0, f"no record has the hash {self.anchor}: the chain was rewritten, or that part was pruned")
        return Verification(
            self.count,
            self.first,
            self.last,
            self.head,
            tuple(self.discrepancies),
            self.discrepancy_count,
            tuple(self.notes),
            self.note_count,
        )


def rows_and_blocks(rows: Iterable[Row], last: int) -> Iterator[tuple[Row, tuple[int, list[tuple[int, bytes]]] | None]]:
    """Yield every row, and after the last row of a full block the fingerprints that the search tables must have of it.

    Args:
        rows: The rows in the order of their numbers.
        last: The number of the last record: the block that it does not fill is not in the search tables.

    Yields:
        ``(row, None)`` for a record, ``((), (number, fingerprints))`` for a block.
    """
    held: list[tuple[int, bytes]] = []
    current = -1
    for row in rows:
        block = (row[0] - 1) // BLOCK
        if block != current:
            if current >= 0:
                yield (), (current, held)
            current, held = block, []
        if isinstance(row[_FINGERPRINT], bytes):
            held.append((row[0], row[_FINGERPRINT]))
        yield row, None
    if current >= 0 and (current + 1) * BLOCK <= last:
        yield (), (current, held)
