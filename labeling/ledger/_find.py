"""Finding the records of a file: by its bytes, by the content id in it, or by what its picture looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from sqlalchemy import ColumnElement, Connection, select

from labeling import containers, files, fingerprint
from labeling.containers import Contents
from labeling.errors import LabelingError
from labeling.filebytes import FileBytes
from labeling.gates import guarded
from labeling.ledger._points import PointSearch, pack_points
from labeling.ledger._rows import ROW_COLUMNS, fetch_rows
from labeling.ledger._schema import entries, fingerprints, head, points
from labeling.ledger._search import BlockCache, search_block, words_of
from labeling.ledger.chain import BLOCK, pack, record_of
from labeling.ledger.entry import DECISION, LABEL, Match, Record, storable
from labeling.ledger.making import digest_of
from labeling.resemblance import Resemblance, Sight
from labeling.verification import metadata

if TYPE_CHECKING:
    from PIL import Image

_RECORDS_PER_QUERY = 500

_MAX_CANDIDATES = 1000
"""Records per criterion that are looked at: of fingerprints the closest, of everything else the latest."""

_CLOSE = 32
"""Bits by which whole pictures are ranked: closer ones first, and of those alike in it the ones with most points."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a file is looked for by. ``labels`` pairs each content id in it with the providers that it names.

    ``fingerprint`` describes the whole picture, ``sight`` is the picture itself.
    """

    sha256: str = ""
    labels: tuple[tuple[str, frozenset[str]], ...] = ()
    fingerprint: bytes | None = None
    sight: Sight | None = None


def query_of(source: files.Source | Image.Image, *, max_pixels: int | None = None) -> Query:
    """Read what a file or picture can be looked for by.

    Raises:
        LabelingError: The source cannot be read at all.
    """
    if hasattr(source, "getbands") and hasattr(source, "info"):
        from labeling.verification.verifier import contents_of_image

        sight = fingerprint.sight_of(source, max_pixels=max_pixels)
        return Query("", _labels(contents_of_image(source)), fingerprint.whole_of(sight), sight)
    _, data = files.open_source(source, containers.is_media)
    try:
        try:
            with guarded("read the labels"):
                labels = _labels(containers.read(data))
        except LabelingError:
            labels = ()
        try:
            with guarded("compute the fingerprint"):
                sight = fingerprint.sight_of_media(data, max_pixels=max_pixels)
        except LabelingError:
            sight = None
        return Query(digest_of(data), labels, fingerprint.whole_of(sight), sight)
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
            if record.seq not in matches:
                matches[record.seq] = Match(record, by, _distance(record, query), _resemblance(record, query))

    if query.sha256:
        add(_latest(connection, entries.c.sha256 == query.sha256), "sha256")
    for content_id, providers in query.labels:
        same_id = _latest(connection, entries.c.content_id == storable(content_id))
        # A content id alone proves nothing: "job-42" of another provider is not our "job-42".
        add([r for r in same_id if not _providers(r) or providers & _providers(r)], "content id")
    if distance >= 0:
        numbers = [seq for seq in _similar(connection, query, cache, distance) if seq not in matches]
        for start in range(0, len(numbers), _RECORDS_PER_QUERY):
            some = numbers[start : start + _RECORDS_PER_QUERY]
            add(_latest(connection, entries.c.seq.in_(some)), "fingerprint")
    return sorted(matches.values(), key=_rank)


_CRITERIA = ("sha256", "content id", "fingerprint")
"""What a record can be found by, best first."""


def _rank(match: Match) -> tuple[int, int, int, int]:
    distance = match.distance if match.distance is not None else fingerprint.BITS
    agreeing = match.resemblance.agreeing if match.resemblance is not None else 0
    return _CRITERIA.index(match.by), distance // _CLOSE, -agreeing, -match.record.seq


def _providers(record: Record) -> set[str]:
    return {record.fields.get("ContentProducer", ""), record.fields.get("ContentPropagator", "")} - {""}


def _distance(record: Record, query: Query) -> int | None:
    if query.fingerprint is None or not _is_fingerprint(record.fingerprint):
        return None
    return fingerprint.distance(record.fingerprint, query.fingerprint)


def _resemblance(record: Record, query: Query) -> Resemblance | None:
    if query.sight is None or not _is_fingerprint(record.fingerprint):
        return None
    return query.sight.resemblance(fingerprint.points_in(record.fingerprint))


def _is_fingerprint(value: object) -> TypeGuard[bytes]:
    """Whether a value is a fingerprint still: somebody may have altered it."""
    return isinstance(value, bytes) and len(value) in fingerprint.SIZES


def _latest(connection: Connection, condition: ColumnElement[bool]) -> list[Record]:
    """Return the latest labels and decisions that meet a condition."""
    query = select(*ROW_COLUMNS).where(condition, entries.c.kind.in_((LABEL, DECISION)))
    query = query.order_by(entries.c.seq.desc()).limit(_MAX_CANDIDATES)
    return [record_of(row) for row in fetch_rows(connection, query)]


def _similar(connection: Connection, query: Query, cache: BlockCache, limit: int) -> list[int]:
    """Return the numbers of all records whose pictures look like the one that is asked about, the closest first.

    Full blocks are in the search tables; the records after the last full block are packed here.
    """
    if query.fingerprint is None and query.sight is None:
        return []
    seq, pruned_to = connection.execute(select(head.c.seq, head.c.pruned_to)).one()
    first, end = pruned_to // BLOCK, seq // BLOCK
    rest = select(entries.c.seq, entries.c.fingerprint).where(
        entries.c.seq > max(end * BLOCK, pruned_to), entries.c.fingerprint.is_not(None)
    )
    unpacked = [(number, value) for number, value in fetch_rows(connection, rest) if _is_fingerprint(value)]
    found: list[tuple[int, int]] = []
    if query.fingerprint is not None:
        words = words_of(query.fingerprint)
        for block, data in cache.read(connection, fingerprints, first, end):
            found += search_block(block, data, words, limit)
        found += search_block(end, pack(end, unpacked), words, limit)
    close = [number for _, number in sorted(found) if number > pruned_to]
    if query.sight is None:
        return close[:_MAX_CANDIDATES]
    search = PointSearch(query.sight)
    for block, data in cache.read(connection, points, first, end):
        search.look(block, data)
    search.look(end, pack_points(end, unpacked))
    likely = [number for number in search.likely() if number > pruned_to]
    asked = select(entries.c.seq, entries.c.fingerprint).where(entries.c.seq.in_(likely))
    same = []
    for number, value in fetch_rows(connection, asked) if likely else ():
        if _is_fingerprint(value):
            seen = query.sight.resemblance(fingerprint.points_in(value))
            if seen is not None and seen.same:
                same.append((-seen.agreeing, number))
    return list(dict.fromkeys([*close, *(number for _, number in sorted(same))]))[:_MAX_CANDIDATES]
