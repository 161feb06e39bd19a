"""Which record is that of a file: by its bytes, by the content id in it, or by what its picture looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from labeling import containers, files, fingerprint
from labeling.containers import Contents
from labeling.errors import LabelingError
from labeling.filebytes import FileBytes
from labeling.ledger._ledger import _ROW, rows_of
from labeling.ledger._schema import entries, fingerprints, head
from labeling.ledger._search import Cache, near, words_of
from labeling.ledger.chain import BLOCK, record_of
from labeling.ledger.entry import LABEL, Match, Record, clean, measure
from labeling.verification import metadata

_READ_AT_ONCE = 64
"""Blocks, 136 KB each, that are read from the database at once."""

_MOST = 1000
"""So many of the closest fingerprints are looked up."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a file is looked for by. ``labels``: pairs of a content id in it and the providers that it names."""

    sha256: str = ""
    labels: tuple[tuple[str, frozenset[str]], ...] = ()
    fingerprint: bytes | None = None


def query_of(source: Any, *, max_pixels: int | None = None) -> Query:
    """Read what there is to look for. Raises :class:`LabelingError` if the source cannot be read at all."""
    if hasattr(source, "getbands") and hasattr(source, "info"):
        from labeling.verification.verifier import contents_of_image

        print_ = fingerprint.of(source, max_pixels=max_pixels, detail=fingerprint.DETAIL / 2)
        return Query("", _labels(contents_of_image(source)), print_)
    _, data = files.open_source(source, containers.is_media)
    try:
        digest, _, print_ = measure(data, max_pixels=max_pixels, asked=True)
        try:
            labels = _labels(containers.read(data))
        except LabelingError:
            labels = ()
        return Query(digest, labels, print_)
    finally:
        if isinstance(data, FileBytes):
            data.close()


def _labels(contents: Contents) -> tuple[tuple[str, frozenset[str]], ...]:
    found: dict[str, frozenset[str]] = {}
    for finding in metadata.scan(contents).aigc:
        said = {key.lower(): str(value) for key, value in finding.value.items()}
        providers = frozenset(filter(None, (said.get("contentproducer"), said.get("contentpropagator"))))
        for key in ("produceid", "propagateid"):
            if said.get(key):
                found[said[key]] = found.get(said[key], frozenset()) | providers
    return tuple(found.items())


def find(connection: Connection, query: Query, cache: Cache, limit: int) -> list[Match]:
    """All matches, best first; each record once."""
    found: dict[int, Match] = {}

    def add(records: list[Record], by: str) -> None:
        for record in records:
            found.setdefault(record.seq, Match(record, by, _distance(record, query)))

    if query.sha256:
        add(_records(connection, entries.c.sha256 == query.sha256), "sha256")
    for content_id, providers in query.labels:
        same = _records(connection, entries.c.content_id == clean(content_id))
        # The number alone may be anybody's: "job-42" of another provider is not ours.
        add([r for r in same if not r.fields.get("ContentProducer") or providers & _providers(r)], "content id")
    if query.fingerprint is not None and limit >= 0:
        close = sorted(_close(connection, query.fingerprint, cache, limit))[:_MOST]
        numbers = [seq for _, seq in close if seq not in found]
        for at in range(0, len(numbers), 500):
            add(_records(connection, entries.c.seq.in_(numbers[at : at + 500])), "fingerprint")
    return sorted(found.values(), key=_order)


_RANKS = ("sha256", "content id", "fingerprint")


def _order(match: Match) -> tuple[int, int, int]:
    far = match.distance if match.distance is not None else fingerprint.BITS
    return _RANKS.index(match.by), far, -match.record.seq


def _providers(record: Record) -> set[str]:
    return {record.fields.get("ContentProducer", ""), record.fields.get("ContentPropagator", "")} - {""}


def _distance(record: Record, query: Query) -> int | None:
    if query.fingerprint is None or not isinstance(record.fingerprint, bytes) or len(record.fingerprint) != 32:
        return None
    return fingerprint.distance(record.fingerprint, query.fingerprint)


def _records(connection: Connection, condition: Any) -> list[Record]:
    query = select(*_ROW).where(condition, entries.c.kind == LABEL).order_by(entries.c.seq.desc()).limit(_MOST)
    return [record_of(row) for row in rows_of(connection, query)]


def _close(connection: Connection, wanted: bytes, cache: Cache, limit: int) -> list[tuple[int, int]]:
    """Distance and number of all records whose fingerprints are near: full blocks, then the records behind them."""
    seq, pruned_to = connection.execute(select(head.c.seq, head.c.pruned_to)).one()
    words = words_of(wanted)
    first, end = pruned_to // BLOCK, seq // BLOCK
    found: list[tuple[int, int]] = []
    missing = cache.missing(first, end)
    for block in range(first, end):
        if (data := cache.get(block)) is not None:
            found += near(block, data, words, limit)
    for at in range(0, len(missing), _READ_AT_ONCE):
        some = missing[at : at + _READ_AT_ONCE]
        stored = select(fingerprints.c.block, fingerprints.c.data).where(fingerprints.c.block.in_(some))
        for block, data in rows_of(connection, stored):
            cache.keep(block, bytes(data))
            found += near(block, bytes(data), words, limit)
    rest = select(entries.c.seq, entries.c.fingerprint).where(
        entries.c.seq > end * BLOCK, entries.c.fingerprint.is_not(None)
    )
    for number, stored in rows_of(connection, rest):
        if isinstance(stored, bytes) and len(stored) == len(wanted):
            found.append((fingerprint.distance(stored, wanted), number))
    return [(far, number) for far, number in found if far <= limit and number > pruned_to]
