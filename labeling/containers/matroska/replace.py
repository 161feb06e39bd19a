"""Replace blocks of a Matroska video one for one: every other element stays, and positions are updated.

Of the track's own description only the decoder configuration changes, and of its tags those that count its bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping

from labeling.containers.base import NewFrame, OldFrame, Unfit
from labeling.containers.edits import MediaEdit
from labeling.containers.matroska import outline
from labeling.containers.matroska.blocks import Cluster, Moved, OldBlock, Replaced, Rewriter, clusters
from labeling.containers.matroska.ebml import (
    CRC32,
    VOID,
    Element,
    children,
    coded_id,
    made,
    rebuilt,
    text,
    unsigned,
    void,
)
from labeling.containers.matroska.layout import Layout
from labeling.containers.matroska.outline import PREVIOUS_SIZE
from labeling.containers.matroska.parts import Part
from labeling.containers.matroska.tags import SIMPLE_TAG, TAG, TAG_NAME, TAG_STRING, TARGETS
from labeling.containers.matroska.tracks import Storage, VideoTrack, video_track, with_private
from labeling.filebytes import FileBytes

_TRACK_UID = 0x63C5
_PRORES, _ICPF = b"V_PRORES", 8
"""FFmpeg puts the head of an atom before each ProRes frame, which Matroska leaves out."""

_ZLIB_OVERHEAD = 1024

_BYTES, _RATE, _FRAMES = "NUMBER_OF_BYTES", "BPS", "NUMBER_OF_FRAMES"


def edits(
    data: FileBytes, old: Iterable[OldFrame], new: Mapping[int, NewFrame | None], extradata: bytes | None
) -> list[MediaEdit]:
    """Return the edits that put new frames into the places of old ones.

    Args:
        data: The file.
        old: Its frames in order, as far as any is replaced.
        new: Number of a frame → what takes its place (``None``: nothing).
        extradata: The decoder configuration; ``None`` leaves it as it is.

    Raises:
        Unfit: The frames are stored in a way in which they cannot be replaced.
        LabelingError: Positions do not fit into their fields.
    """
    found = outline.outline(data)
    if found.problems:
        raise Unfit(found.problems[0])
    tracks, raw, top, track = _track(data, found)
    storage = track.storage
    if storage is None:
        raise Unfit("its frames are encrypted, or compressed in a rare way")
    if track.scale != 1.0:
        raise Unfit("its times are scaled")
    touched, last = _matched(data, found, track, storage, list(old), new)
    extras = {block.pts: block.extras for cluster, _ in touched for block in cluster.blocks.values() if block.extras}
    rewriter = Rewriter(data, extras, storage, _ICPF if track.codec == _PRORES else 0)
    for cluster, here in touched:
        rewriter.rewrite(cluster, here)
    done = rewriter.done
    parts: list[Part] = []
    for item in found.items:
        part = Part(item.id, (item.start, item.end))
        if item.id == outline.CLUSTER:
            parts += _divided(item, done)
            continue
        if item is tracks and extradata is not None and (changed := with_private(raw, top, track, extradata)) != raw:
            part.new = changed
        elif item.id == outline.TAGS:
            part.new = _counted(data, item, track.uid, done)
        parts.append(part)

    def find(start: int, relative: int | None, number: int, time: int) -> tuple[int, int | None]:
        return _find(done, start, relative, time if number == track.number else None)

    layout = Layout(data, found, parts, find)
    layout.place(None)
    return layout.edits() + _previous_sizes(data, last, done)


def _track(data: FileBytes, found: outline.Outline) -> tuple[Element, bytes, Element, VideoTrack]:
    for item in found.all(outline.TRACKS):
        raw, top = outline.whole(data, item)
        track = video_track(raw, top)
        if track is not None:
            return item, raw, top, track
    raise Unfit("it describes no video track")


def _matched(
    data: FileBytes,
    found: outline.Outline,
    track: VideoTrack,
    storage: Storage,
    old: list[OldFrame],
    new: Mapping[int, NewFrame | None],
) -> tuple[list[tuple[Cluster, dict[int, NewFrame | None]]], list[Cluster]]:
    """Find the blocks of the frames.

    Returns:
        The clusters that change, with what takes the places of their blocks by offset; and the clusters that follow
        one of these and stay.
    """
    added = len(storage.strip) + (_ICPF if track.codec == _PRORES else 0)
    touched: list[tuple[Cluster, dict[int, NewFrame | None]]] = []
    behind: list[Cluster] = []
    number, after = 0, False
    for cluster in _clusters(data, found, track.number):
        here: dict[int, NewFrame | None] = {}
        for at, block in cluster.blocks.items():
            if number < len(old):
                size = _inflated(data, block, old[number].size) if storage.deflated else block.size
                _check(block, size + added, old[number])
            if number in new:
                here[at] = new[number]
            number += 1
        if here:
            touched.append((cluster, here))
        elif after:
            behind.append(cluster)
        after = bool(here)
        if number >= len(old) and not after:
            break
    if number < len(old):
        raise Unfit(f"it has {number} blocks of video for {len(old)} frames")
    return touched, behind


def _clusters(data: FileBytes, found: outline.Outline, number: int) -> Iterator[Cluster]:
    for item in found.all(outline.CLUSTER):
        yield from clusters(data, item.start, item.end, number)


def _inflated(data: FileBytes, block: OldBlock, most: int) -> int:
    """Return the bytes of a frame that is compressed with zlib, as far as they are not more than ``most``."""
    if block.size > most + (most >> 8) + _ZLIB_OVERHEAD:
        return -1
    inflate = zlib.decompressobj()
    try:
        found = len(inflate.decompress(data[block.at : block.at + block.size], most + 1))
    except zlib.error as error:
        raise Unfit(f"the block at offset {block.element.start} cannot be decompressed") from error
    return found if inflate.eof else -1


def _check(block: OldBlock, size: int, frame: OldFrame) -> None:
    time = frame.dts if frame.pts is None else frame.pts
    if size != frame.size or block.pts != time:
        raise Unfit(f"the block at offset {block.element.start} is not the frame that was decoded")


def _divided(item: Element, done: Replaced) -> Iterator[Part]:
    """Yield the parts of a run of clusters: those that change, and what is between them."""
    at = item.start
    for start in sorted(start for start in done.pieces if item.start <= start < item.end):
        if at < start:
            yield Part(outline.CLUSTER, (at, start))
        at = done.ends[start]
        yield Part(outline.CLUSTER, (start, at), pieces=done.pieces[start])
    if at < item.end:
        yield Part(outline.CLUSTER, (at, item.end))


def _find(done: Replaced, start: int, relative: int | None, time: int | None) -> tuple[int, int | None]:
    """Return where what a cue refers to is now (:data:`labeling.containers.matroska.layout.Find`)."""
    if start not in done.pieces:
        return start, relative
    now = None if relative is None else done.moved.get((start, relative))
    if isinstance(now, Moved):
        return now
    shown = now if now is not None else time
    place = done.shown.get(shown) if shown is not None else None
    if place is None:
        return start, None
    return place.cluster, None if relative is None else place.relative


def _previous_sizes(data: FileBytes, behind: list[Cluster], done: Replaced) -> list[MediaEdit]:
    """Blank the size of the cluster before it (RFC 9559, 5.1.3.3), which has changed, and a checksum over that."""
    result: list[MediaEdit] = []
    for cluster in behind:
        sizes = [child for child in cluster.children if child.id == PREVIOUS_SIZE]
        result += [(child.start, child.end, void(child.end - child.start)) for child in sizes]
        if sizes:
            result += [(c.start, c.start + 1, coded_id(VOID)) for c in cluster.children if c.id == CRC32]
    return result


def _counted(data: FileBytes, tags: Element, uid: int, done: Replaced) -> bytes | None:
    """Rebuild a Tags element in which the counts of the video's bytes are right; ``None`` if it has none."""
    raw, top = outline.whole(data, tags)
    new: dict[int, str] = {}
    for tag in children(raw, top):
        if tag.id == TAG and uid and uid in _targets(raw, tag):
            new |= _counts(raw, tag, done)
    if not new:
        return None

    def change(child: Element) -> bytes | None:
        return made(TAG_STRING, new[child.start].encode()) if child.start in new else None

    return rebuilt(raw, top, (TAG, SIMPLE_TAG), change)


def _targets(raw: bytes, tag: Element) -> set[int]:
    return {
        unsigned(raw, child)
        for targets in children(raw, tag)
        if targets.id == TARGETS
        for child in children(raw, targets)
        if child.id == _TRACK_UID
    }


def _counts(raw: bytes, tag: Element, done: Replaced) -> dict[int, str]:
    """Return offsets of TagStrings and their new values."""
    known: dict[str, tuple[Element, int]] = {}
    for simple in children(raw, tag):
        if simple.id != SIMPLE_TAG:
            continue
        parts = {child.id: child for child in children(raw, simple)}
        if TAG_NAME in parts and TAG_STRING in parts:
            name = text(raw, parts[TAG_NAME]).decode("latin-1").split("-")[0]
            value = text(raw, parts[TAG_STRING])
            if name in (_BYTES, _RATE, _FRAMES) and value.isdigit() and len(value) < 20:
                known[name] = parts[TAG_STRING], int(value)
    found: dict[int, str] = {}
    if _FRAMES in known and done.dropped:
        found[known[_FRAMES][0].start] = str(max(0, known[_FRAMES][1] - done.dropped))
    if _BYTES in known and done.delta:
        place, count = known[_BYTES]
        found[place.start] = str(max(0, count + done.delta))
        if _RATE in known and count:
            found[known[_RATE][0].start] = str(max(0, known[_RATE][1] * (count + done.delta) // count))
    return found
