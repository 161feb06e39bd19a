"""Parse a HEIF or AVIF file: boxes, items, tracks, where its picture data is, and whether its boxes can move."""

from __future__ import annotations

from dataclasses import dataclass, field

from labeling.containers.base import Buffer
from labeling.containers.heif import meta_box
from labeling.containers.syntax.isobmff import MAX_BOXES, MAX_TRACKS, Box, Track, children, descend, tracks, walk

_KNOWN = {b"ftyp", b"meta", b"mdat", b"moov", b"moof", b"free", b"skip", b"uuid", b"idat", b"mfra", b"styp", b"sidx"}
"""Box types that count as cut off, and not as random bytes, if they extend beyond the end of the file."""

SEQUENCES = {b"avis", b"msf1", b"hevc", b"hevx", b"hevm", b"hevs"}
"""Brands of image sequences."""

_FRAGMENTS = {b"moof", b"mfra", b"sidx"}


@dataclass(slots=True)
class File:
    """A parsed file.

    Attributes:
        view: Its bytes.
        boxes: Its top-level boxes.
        end: Offset of the end of the last one.
        meta: Its meta box.
        inner: The meta boxes of the movie and its tracks, in which a sequence often lists its items again.
        tracks: The tracks of the movie.
        problems: Damage.
        warnings: Oddities that do no harm.
    """

    view: memoryview
    boxes: list[Box]
    end: int
    meta: meta_box.Meta | None = None
    inner: list[meta_box.Meta] = field(default_factory=list)
    tracks: list[Track] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def brand(self) -> bytes:
        """The major brand; empty if there is none."""
        return bytes(self.view[8:12]) if self.boxes and self.boxes[0].type == b"ftyp" else b""


def parse(data: Buffer) -> File:
    """Parse the boxes of a file; damage is listed in ``problems``."""
    view = memoryview(data)
    found = walk(view, 0, len(view))
    file = File(view, found.boxes, found.end)
    if found.problem and (found.cut in _KNOWN or not found.boxes):
        file.problems.append(f"the file is cut off: {found.problem}" if found.cut else found.problem)
    elif len(found.boxes) >= MAX_BOXES and found.end < len(view):
        file.problems.append(found.problem)
    elif found.end < len(view):
        file.warnings.append(f"{len(view) - found.end} bytes follow the last box; they are kept")
    moov = None
    for each in found.boxes:
        if each.type == b"meta" and file.meta is None:
            file.meta = meta_box.parse(view, each)
            file.problems += file.meta.problems
        elif each.type == b"moov" and moov is None:
            moov = each
            _parse_movie(file, each)
    if not found.boxes or found.boxes[0].type != b"ftyp":
        file.problems.append("it does not begin with an ftyp box")
    elif file.meta is None and moov is None:
        file.problems.append("it has no meta box")
    elif moov is None and file.brand in SEQUENCES:
        file.problems.append("its brand says that it is a sequence, but it has no moov box")
    return file


def _parse_movie(file: File, moov: Box) -> None:
    file.tracks, problem = tracks(file.view, moov)
    if problem:
        file.problems.append(problem)
    metas = (*children(file.view, moov, b"meta"), *descend(file.view, moov, b"trak", b"meta"))
    for each in metas:
        if len(file.inner) < MAX_TRACKS:
            meta = meta_box.parse(file.view, each)
            if meta.child(b"iloc") is not None:
                file.inner.append(meta)


def coded_spans(file: File, problems: list[str]) -> list[tuple[int, int]]:
    """Return (offset, length) of all picture data, merged where adjacent.

    Data that extends beyond the file is added to ``problems``.
    """
    size, spans = len(file.view), []
    meta = file.meta
    if meta is not None:
        for item in meta.items.values():
            location = meta.locations.get(item.id)
            if location is not None and not item.is_metadata:
                spans += meta.spans(location, size)
        if meta.primary and meta.primary not in meta.items and not meta.problems:
            problems.append("its primary item is not there")
    for track in file.tracks:
        spans += track.spans()
    merged: list[tuple[int, int]] = []
    for offset, length in sorted(spans):
        if offset + length > file.end:
            # What is behind the boxes may move, and no offset would be updated.
            problems.append("the file is cut off: picture data extends beyond its last box")
            break
        if merged and offset <= sum(merged[-1]):
            start = merged[-1][0]
            merged[-1] = (start, max(offset + length, sum(merged[-1])) - start)
        elif length:
            merged.append((offset, length))
    return merged


def fixed(file: File) -> str:
    """Return why the offsets in a file cannot be updated when boxes move; empty if they can."""
    if file.meta is None and file.tracks and not any(each.type in _FRAGMENTS for each in file.boxes):
        return ""  # nothing has to move: see movie_only.py
    if file.meta is None:
        return "an image sequence without a meta box has no place for metadata items; re-save it as AVIF or HEIC"
    if any(each.type in _FRAGMENTS for each in file.boxes):
        return "the image sequence is in movie fragments, which cannot be moved; re-save it without fragments"
    if any(problem.startswith("its iloc") for meta in file.inner for problem in meta.problems):
        return "the items of a track cannot be parsed, and so not be moved; re-save it"
    meta = file.meta
    spans = [span for track in file.tracks for span in track.spans()]
    for location in meta.locations.values():
        if not location.method:
            spans += meta.spans(location, file.end)
    changed = [(each.start, each.end) for each in file.boxes if each.type in (b"ftyp", b"meta", b"moov")]
    if any(offset < end and start < offset + length for offset, length in spans for start, end in changed):
        return "item data overlaps the boxes that describe it, which cannot be moved; re-save it"
    return ""
