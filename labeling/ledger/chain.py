"""The chain of hashes: what of a record is hashed, for anybody to compute it again, and the check of a whole chain.

The hash of a record is SHA-256 over the UTF-8 bytes of one JSON array as RFC 8785 writes it (no spaces, shortest
escapes): the text :data:`FORM`, then the columns in the order of :data:`COLUMNS`, with ``fields`` as the text that is
stored, ``fingerprint`` in hexadecimal digits, null for what is not there, and ``prev``, the hash of the record before.
The first record's ``prev`` is :data:`GENESIS`.

What a chain alone cannot prove: whoever may write to the database can compute all hashes anew from some record on. The
hash of the last record, kept elsewhere (:attr:`Verification.head`), shows that; without it nobody can.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from labeling.ledger.entry import PRUNE, Finding, Record, Verification

FORM = "aigc-ledger/1"
GENESIS = "0" * 64

COLUMNS = (
    "seq", "time", "kind", "content_id", "sha256", "fingerprint", "fields", "profile", "source", "output",
    "media_type", "size", "recipient", "key", "prev",
)  # fmt: skip

BLOCK = 4096
"""Records whose fingerprints lie in one block of the search table: block n has those from n × BLOCK + 1 on."""

Row = Sequence[Any]
"""The columns, and behind them the hash."""

MAX_FINDINGS = 1000
"""So many findings are kept; the rest is counted."""

_TYPES: tuple[tuple[type, ...], ...] = tuple(
    {"seq": (int,), "size": (int,), "fingerprint": (bytes, type(None)), "recipient": (str, type(None)),
     "key": (str, type(None))}.get(name, (str,))
    for name in COLUMNS
)  # fmt: skip

_PREV = COLUMNS.index("prev")
_FINGERPRINT = COLUMNS.index("fingerprint")
_FIELDS = COLUMNS.index("fields")
_KIND = COLUMNS.index("kind")

_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=repr).encode


def hash_of(row: Row) -> str:
    """The hash of a record from its columns."""
    values = [FORM, *row[: len(COLUMNS)]]
    if isinstance(row[_FINGERPRINT], bytes):
        values[1 + _FINGERPRINT] = row[_FINGERPRINT].hex()
    return hashlib.sha256(_dump(values).encode("utf-8", "backslashreplace")).hexdigest()


def record_of(row: Row) -> Record:
    """The record of a row. What was altered beyond reading is shown as it stands."""
    values: list[Any] = [repr(v) if isinstance(v, bytes) and n != _FINGERPRINT else v for n, v in enumerate(row)]
    try:
        said = json.loads(row[_FIELDS])
    except (ValueError, TypeError, RecursionError):
        said = None
    values[_FIELDS] = said if isinstance(said, dict) else {"": str(row[_FIELDS])}
    return Record(*values)


def pack(block: int, rows: Iterable[tuple[int, bytes]]) -> bytes:
    """Lay the fingerprints of a block out for searching: the offsets in it (16 bits, little-endian), then the first
    8 bytes of each fingerprint, the second of each, and so on."""
    offsets, planes = bytearray(), [bytearray() for _ in range(4)]
    for seq, fingerprint in rows:
        if not isinstance(fingerprint, bytes) or len(fingerprint) != 32:
            continue  # altered by hand: that is for the check to say
        offsets += (seq - 1 - block * BLOCK).to_bytes(2, "little")
        for number, plane in enumerate(planes):
            plane += fingerprint[8 * number : 8 * number + 8]
    return b"".join([offsets, *planes])


class Check:
    """Goes through a chain, record by record, in the order of their numbers; needs no more memory for a longer one."""

    def __init__(self, anchor: str | None) -> None:
        self.findings: list[Finding] = []
        self.total = 0
        self.count = 0
        self.first = 0
        self.last = 0
        self.head = GENESIS
        self._before: tuple[int, str] = (0, GENESIS)  # number and hash that the first record has to follow
        self._vouched: set[tuple[int, str]] = {(0, GENESIS)}
        self._time = ""
        self._anchor = anchor
        self._anchored = anchor in (None, GENESIS)

    def tell(self, seq: int, message: str) -> None:
        self.total += 1
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(seq, message))

    def record(self, row: Row) -> None:
        """Check one record: of itself, and as the successor of the one before."""
        seq, prev, stored = row[0], row[_PREV], row[-1]
        wrong = [name for name, value, types in zip(COLUMNS, row, _TYPES, strict=False) if type(value) not in types]
        if wrong or hash_of(row) != stored:
            where = f" ({', '.join(wrong)} of the wrong type)" if wrong else ""
            self.tell(seq, f"record {seq} was altered: its hash is not that of its columns{where}")
        if not self.count:
            self.first, self._before = seq, (seq - 1, prev)
        elif seq != self.last + 1:
            missing = f"record {self.last + 1}" + (f" to {seq - 1}" if seq - self.last > 2 else "")
            self.tell(self.last + 1, f"{missing} was removed")
        elif prev != self.head:
            self.tell(seq, f"record {seq} does not follow the one before it: altered, replaced or moved")
        if row[_KIND] == PRUNE:
            said = record_of(row).fields
            if str(said.get("upto", "")).isascii() and str(said.get("upto", "")).isdigit():
                self._vouched.add((int(said["upto"]), str(said.get("hash"))))
        self._anchored = self._anchored or stored == self._anchor
        self.count += 1
        self.last, self.head, self._time = seq, stored, row[1]

    def end(self, head: Row) -> Verification:
        """Check beginning and end. ``head``: number, time and hash of the last record, and of the last pruned one."""
        seq, time, digest, pruned_to, pruned_hash = head
        if self.count and self._before not in self._vouched:
            upto = self._before[0]
            said = "no prune record vouches for it" if upto else "its first record does not begin the chain"
            self.tell(1, f"record 1 to {upto} was removed, and {said}" if upto else said)
        if self.count and self._before != (pruned_to, pruned_hash):
            self.tell(self.first, f"the chain begins with record {self.first}, not behind record {pruned_to}")
        if (self.last, self.head) != (seq, digest):
            self.tell(self.last + 1, f"the chain ends with record {self.last}, but record {seq} was the last written")
        elif time != self._time:
            self.tell(self.last, f"the time of the last record was {self._time}, not {time}")
        if not self._anchored and self._anchor not in {each for _, each in self._vouched}:
            self.tell(0, f"no record has the hash {self._anchor}: the chain was written anew, or that part was pruned")
        return Verification(self.count, self.first, self.last, self.head, tuple(self.findings), self.total)


def blocks_of(rows: Iterable[Row], last: int) -> Iterator[tuple[Row, tuple[int, bytes] | None]]:
    """Give every row, and with the last row of a full block what that block of the search table has to hold."""
    held: list[tuple[int, bytes]] = []
    current = -1
    for row in rows:
        block = (row[0] - 1) // BLOCK
        if block != current:
            if current >= 0:
                yield (), (current, pack(current, held))
            current, held = block, []
        if isinstance(row[_FINGERPRINT], bytes):
            held.append((row[0], row[_FINGERPRINT]))
        yield row, None
    if current >= 0 and (current + 1) * BLOCK <= last:
        yield (), (current, pack(current, held))
