"""Finding the records of a file: by its bytes, by the content id in it, or by what its picture looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, select

from labeling import containers, files, fingerprint
from labeling.containers import Contents
from labeling.errors import LabelingError
from labeling.filebytes import FileBytes
from labeling.gates import guarded
from labeling.ledger._rows import ROW_COLUMNS, fetch_rows
from labeling.ledger._schema import entries, fingerprints, head
from labeling.ledger._search import BlockCache, search_block, words_of
from labeling.ledger.chain import BLOCK, record_of
from labeling.ledger.entry import DECISION, LABEL, Match, Record, measure, storable
from labeling.verification import metadata

if TYPE_CHECKING:
    from PIL import Image

_BLOCKS_PER_QUERY = 64
"""Blocks, of 136 KB each, that are read from the database at a time."""

_RECORDS_PER_QUERY = 500

_MAX_CANDIDATES = 1000
"""Records per criterion that are looked at: of fingerprints the closest, of everything else the latest."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a file is looked for by. ``labels`` pairs each content id in it with the providers that it names."""

    sha256: str = ""
    labels: tuple[tuple[str, frozenset[str]], ...] = ()
    fingerprint: bytes | None = None


def query_of(source: files.Source | Image.Image, *, max_pixels: int | None = None) -> Query:
    """Read what a file or picture can be looked for by.

    Raises:
        LabelingError: The source cannot be read at all.
    """
    if hasattr(source, "getbands") and hasattr(source, "info"):
        from labeling.verification.verifier import contents_of_image

        found = fingerprint.fingerprint(source, max_pixels=max_pixels, detail=fingerprint.DETAIL / 2)
        return Query("", _labels(contents_of_image(source)), found)
    _, data = files.open_source(source, containers.is_media)
    try:
        digest, _, found = measure(data, max_pixels=max_pixels, for_search=True)
        try:
            with guarded("read the labels"):
                labels = _labels(containers.read(data))
        except LabelingError:
            labels = ()
        return Query(digest, labels, found)
    finally:
        if isinstance(data, FileBytes):
            data.close()


def _labels(contents: Contents) -> tuple[tuple[str, frozenset[str]], ...]:
    """Return each content id in a file's labels, with the providers named beside it."""
    labels: dict[str, frozenset[str]] = {}
    for finding in metadata.scan(contents).aigc:
        fields = {key.lower(): str(value) for key, value in finding.value.items()}
        providers = frozenset(filter(None, (fields.get("contentproducer"), fields.get("contentpropagator"))))
        for key in ("produceid", "propagateid"):
            if fields.get(key):
                labels[fields[key]] = labels.get(fields[key], frozenset()) | providers
    return tuple(labels.items())


def find(connection: Connection, query: Query, cache: BlockCache, distance: int) -> list[Match]:
    """Return all matches, best first; each record once, by the best criterion that found it.

    Args:
        connection: A connection that sees one unchanging state of the database.
        query: What to look for.
        cache: Blocks of fingerprints that were read before.
        distance: Bits in which fingerprints may differ; negative to leave out the search by fingerprint.
    """
    matches: dict[int, Match] = {}

    def add(records: list[Record], by: str) -> None:
        for record in records:
            matches.setdefault(record.seq, Match(record, by, _distance(record, query)))

    if query.sha256:
        add(_latest(connection, entries.c.sha256 == query.sha256), "sha256")
    for content_id, providers in query.labels:
        same_id = _latest(connection, entries.c.content_id == storable(content_id))
        # A content id alone proves nothing: "job-42" of another provider is not our "job-42".
        add([r for r in same_id if not _providers(r) or providers & _providers(r)], "content id")
    if query.fingerprint is not None and distance >= 0:
        closest = sorted(_similar(connection, query.fingerprint, cache, distance))[:_MAX_CANDIDATES]
        numbers = [seq for _, seq in closest if seq not in matches]
        for start in range(0, len(numbers), _RECORDS_PER_QUERY):
            some = numbers[start : start + _RECORDS_PER_QUERY]
            add(_latest(connection, entries.c.seq.in_(some)), "fingerprint")
    return sorted(matches.values(), key=_rank)


_CRITERIA = ("sha256", "content id", "fingerprint")
"""What a record can be found by, best first."""


def _rank(match: Match) -> tuple[int, int, int]:
    distance = match.distance if match.distance is not None else fingerprint.BITS
    return _CRITERIA.index(match.by), distance, -match.record.seq


def _providers(record: Record) -> set[str]:
    return {record.fields.get("ContentProducer", ""), record.fields.get("ContentPropagator", "")} - {""}


def _distance(record: Record, query: Query) -> int | None:
    if query.fingerprint is None or not isinstance(record.fingerprint, bytes) or len(record.fingerprint) != 32:
        return None
    return fingerprint.distance(record.fingerprint, query.fingerprint)


def _latest(connection: Connection, condition: ColumnElement[bool]) -> list[Record]:
    """Return the latest labels and decisions that meet a condition."""
    query = select(*ROW_COLUMNS).where(condition, entries.c.kind.in_((LABEL, DECISION)))
    query = query.order_by(entries.c.seq.desc()).limit(_MAX_CANDIDATES)
    return [record_of(row) for row in fetch_rows(connection, query)]


def _similar(connection: Connection, wanted: bytes, cache: BlockCache, limit: int) -> list[tuple[int, int]]:
    """Return distance and number of all records whose fingerprints are close.

    Full blocks are in the search table; the records after the last full block are compared one by one.
    """
    seq, pruned_to = connection.execute(select(head.c.seq, head.c.pruned_to)).one()
    words = words_of(wanted)
    first, end = pruned_to // BLOCK, seq // BLOCK
    found: list[tuple[int, int]] = []
    missing = cache.missing(first, end)
    for block in range(first, end):
        if (data := cache.get(block)) is not None:
            found += search_block(block, data, words, limit)
    for start in range(0, len(missing), _BLOCKS_PER_QUERY):
        some = missing[start : start + _BLOCKS_PER_QUERY]
        blocks = select(fingerprints.c.block, fingerprints.c.data).where(fingerprints.c.block.in_(some))
        for block, stored in fetch_rows(connection, blocks):
            cache.keep(block, bytes(stored))
            found += search_block(block, bytes(stored), words, limit)
    rest = select(entries.c.seq, entries.c.fingerprint).where(
        entries.c.seq > end * BLOCK, entries.c.fingerprint.is_not(None)
    )
    for number, stored in fetch_rows(connection, rest):
        if isinstance(stored, bytes) and len(stored) == len(wanted):
            found.append((fingerprint.distance(stored, wanted), number))
    return [(distance, number) for distance, number in found if distance <= limit and number > pruned_to]
