"""Matroska and WebM (RFC 9559): a label is a SimpleTag. The other texts are those in the Segment's Info.

Only headers are read. Clusters, which contain the media, are skipped.
"""

from __future__ import annotations

from collections.abc import Callable

from labeling.containers.base import MAX_TOTAL, Changes, Contents, Kind, Media, Piece
from labeling.containers.collector import Collector, name_outside, note
from labeling.containers.edits import foreign_block, splice
from labeling.containers.matroska.ebml import EbmlError, Element, children, floating, text, unsigned
from labeling.containers.matroska.edit import edits
from labeling.containers.matroska.outline import INFO, TAGS, TRACKS, Outline, outline, whole
from labeling.containers.matroska.tags import named_tags
from labeling.errors import LabelingError

_TEXTS = {0x7BA9: "Title", 0x4D80: "MuxingApp", 0x5741: "WritingApp"}
_SCALE, _DURATION = 0x2AD7B1, 0x4489
_TRACK, _TYPE, _VIDEO, _WIDTH, _HEIGHT = 0xAE, 0x83, 0xE0, 0xB0, 0xBA
_IS_VIDEO, _IS_AUDIO = 1, 2


class _Reading:
    """Reads the elements of one Segment."""

    def __init__(self, data: Media, found: Outline) -> None:
        self.data, self.found = data, found
        self.collector = Collector(problems=found.problems, warnings=found.warnings)
        self.left = MAX_TOTAL
        self.seconds = 0.0
        self.types: list[int] = []
        self.size = (0, 0)

    def run(self) -> None:
        for number, name, take in (
            (INFO, "Info", self._info),
            (TRACKS, "Tracks", self._tracks),
            (TAGS, "Tags", self._tags),
        ):
            for item in self.found.all(number):
                self._enter(item, name, take)

    def _enter(self, item: Element, name: str, take: Callable[[bytes, Element, int], None]) -> None:
        self.left -= item.end - item.start
        try:
            if self.left < 0:
                raise EbmlError(f"all metadata of this file together is more than {MAX_TOTAL} bytes")
            data, top = whole(self.data, item)
            if len(data) < top.end:
                top = top._replace(end=len(data))
            take(data, top, item.start)
        except EbmlError as error:
            note(self.found.problems, f"its {name} at offset {item.start} cannot be read: {error.message}")

    def _info(self, data: bytes, info: Element, base: int) -> None:
        scale, duration = 1_000_000, 0.0
        for child in children(data, info):
            if child.id in _TEXTS:
                name = _TEXTS[child.id]
                span = (base + child.start, base + child.end)
                self.collector.add(Kind.TEXT, f"Matroska Info {name}", span, text(data, child), name)
            elif child.id == _SCALE:
                scale = unsigned(data, child) or scale
            elif child.id == _DURATION:
                duration = floating(data[child.body : child.end])
        seconds = duration * scale / 1e9
        if 0 <= seconds < 1e12:
            self.seconds = self.seconds or seconds

    def _tracks(self, data: bytes, tracks: Element, base: int) -> None:
        for track in children(data, tracks):
            if track.id != _TRACK:
                continue
            parts = {child.id: child for child in children(data, track)}
            kind = unsigned(data, parts[_TYPE]) if _TYPE in parts else 0
            self.types.append(kind)
            if kind == _IS_VIDEO and _VIDEO in parts and not any(self.size):
                sizes = {child.id: unsigned(data, child) for child in children(data, parts[_VIDEO])}
                self.size = sizes.get(_WIDTH, 0), sizes.get(_HEIGHT, 0)

    def _tags(self, data: bytes, tags: Element, base: int) -> None:
        named = list(named_tags(data, tags))
        known = {tag.element.start: tag.element.end for tag in named if tag.name}
        if (at := name_outside(data, tags.start, tags.end, known)) >= 0:
            message = f"a tag by the name of a label, at offset {base + at}, has no name or no text where they belong"
            note(self.collector.unread, message)
        for tag in named:
            if self.collector.full:
                return
            where = f"Matroska SimpleTag {tag.name[:64]}" + (f" ({tag.about})" if tag.about else "")
            span = (base + tag.element.start, base + tag.element.end)
            self.collector.add(Kind.TEXT, _one_line(where), span, tag.value, tag.name)

    def media_type(self) -> str:
        only_audio = _IS_AUDIO in self.types and _IS_VIDEO not in self.types
        return f"{'audio' if only_audio else 'video'}/{'webm' if self.found.doc_type == 'webm' else 'x-matroska'}"


def _one_line(words: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in words)


def read(data: Media) -> Contents:
    """Find the metadata of a Matroska or WebM file; see :mod:`labeling.containers.base`."""
    found = outline(data)
    reading = _Reading(data, found)
    reading.run()
    if not found.problems:
        if not reading.types:
            found.problems.append("it describes no track")
        elif not found.clusters:
            found.problems.append("it has no cluster, and so neither video nor audio")
    return reading.collector.contents(
        "matroska", reading.media_type(), found.coded, reading.size, seconds=reading.seconds
    )


def rewrite(data: Media, contents: Contents, changes: Changes) -> list[Piece]:
    """Return the pieces of a copy with ``changes`` made; see :mod:`labeling.containers.base`.

    Everything but the Tags stays as it is. Where elements have to move, SeekHead and Cues are updated.

    Raises:
        LabelingError: The changes include an XMP packet or EXIF, for which there is no place, or drop a text of Info.
    """
    if changes.xmp is not None or changes.exif is not None:
        raise LabelingError("Matroska has no place for XMP or EXIF; only named texts can be written")
    for block in changes.drop:
        if block not in contents.blocks:
            raise foreign_block(block)
        if block.where.startswith("Matroska Info"):
            raise LabelingError(f"{block.where} is part of the file's own description and cannot be dropped")
    dropped = {block.offset for block in changes.drop}
    return splice(data, edits(data, outline(data), dropped, changes.text_field))
