"""A cue in MP4 and M4A (ISO/IEC 14496-12): samples in front of those of the audio track, or behind them.

The new samples are in a box ``mdat`` of their own; the old ones stay where they are, and the tables of the track get
the new ones as well. An edit list says as before how many samples of the decoder are skipped at the start.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import NamedTuple

from labeling.codecs.cue import aac, m4a_tables
from labeling.codecs.cue.base import CannotPut, CueOf, Ends, Placed
from labeling.containers import Media
from labeling.containers.edits import Edit
from labeling.containers.mp4.descriptions import elementary
from labeling.containers.mp4.layout import Layout, inner, lay_out, media_of
from labeling.containers.mp4.movie_box import MoovEdit, grown
from labeling.containers.mp4.offsets import Moved, mover, with_offsets, with_wide_offsets
from labeling.containers.syntax import isobmff
from labeling.containers.syntax.isobmff import Box, box, children, descend_with_parents, first_at
from labeling.errors import UnreadableFile

_GAPLESS = re.compile(rb"( [0-9A-Fa-f]{8} [0-9A-Fa-f]{8} [0-9A-Fa-f]{8} )([0-9A-Fa-f]{16})( [0-9A-Fa-f]{8})")
_NAME = b"iTunSMPB"
_TICKS = 10_000_000  # of chapters in "chpl"
_CHAPTERS = b"chpl"
_MEANT = frozenset({"track:*:edits", "udta:chpl", "text:iTunSMPB", "text:com.apple.iTunes:iTunSMPB"})


class _Track(NamedTuple):
    trak: Box
    parents: tuple[Box, ...]  # moov, trak, mdia, minf, stbl
    scale: int
    config: aac.Config


def put(data: Media, cue_of: CueOf, ends: Ends) -> Placed:
    """Put a cue into an MP4 file without pictures; see :func:`labeling.codecs.cue.pcm.put`."""
    layout = lay_out(data)
    if layout.problem or layout.moov is None:
        raise UnreadableFile(layout.problem or "the MP4 file has no movie box")
    if layout.first(b"moof") is not None:
        raise CannotPut("it is an MP4 file in fragments; re-mux it first (ffmpeg -i … -c copy)")
    view, moov = memoryview(layout.movie), inner(layout)
    track = _track(view, moov)
    aac.refuse_spectral_band_replication(data, "mp4", track.config)
    tables = m4a_tables.Tables(view, track.parents)
    bit_rate = round(8 * tables.bytes / max(1, tables.duration) * track.scale)
    front, behind = (
        aac.packets(cue_of, track.config, bit_rate, behind=after) if wanted else []
        for wanted, after in ((ends.start, False), (ends.end, True))
    )
    edits = tables.edits([len(each) for each in front], [len(each) for each in behind], aac.FRAME)
    first = aac.FRAME * len(front)
    edits += m4a_tables.longer(view, moov, track.trak, track.parents[2], first, aac.FRAME * len(behind), track.scale)
    edits += _texts(view, moov, first, first + aac.FRAME * len(behind), track.config.rate)
    shift, added = first / track.scale, (first + aac.FRAME * len(behind)) / track.scale
    if behind and not any(data[layout.boxes[-1].start : layout.boxes[-1].start + 4]):
        raise CannotPut("its last box reaches to the end of the file, so that nothing can follow it; re-mux it first")
    pieces = _laid_out(layout, edits, b"".join(front), b"".join(behind))
    return Placed(pieces, shift, added - shift, sum(map(len, front)), "packets", _MEANT)


def _track(view: memoryview, moov: Box) -> _Track:
    """Return the audio track, which has to be the only one, and of AAC-LC."""
    found = []
    for trak in children(view, moov, b"trak")[: isobmff.MAX_TRACKS]:
        kind, mdia = media_of(view, trak)
        if kind == b"soun" and mdia is not None:
            found.append((trak, mdia))
    if len(found) != 1:
        raise CannotPut(f"it has {len(found)} audio tracks")
    trak, mdia = found[0]
    boxes = next(descend_with_parents(view, mdia, b"minf", b"stbl"), None)
    stsd = first_at(view, boxes[-1], b"stsd") if boxes is not None else None
    if boxes is None or stsd is None:
        raise UnreadableFile("its audio track has no sample tables")
    entries = isobmff.walk(view, stsd.body + 8, stsd.end).boxes
    if len(entries) != 1 or entries[0].type != b"mp4a":
        names = ", ".join(isobmff.printable(each.type) for each in entries[:4]) or "none"
        raise CannotPut(f"its sound is of the kind {names}, and only AAC (mp4a) can be encoded here")
    version = int.from_bytes(view[entries[0].body + 8 : entries[0].body + 10], "big")
    inside = entries[0].body + 28 + {1: 16, 2: 36}.get(version, 0)
    esds = next((each for each in isobmff.walk(view, inside, entries[0].end).boxes if each.type == b"esds"), None)
    if esds is None and (wave := first_at(view, Box(b"", inside, inside, entries[0].end), b"wave")) is not None:
        esds = first_at(view, wave, b"esds")
    if esds is None:
        raise CannotPut("its sound has no configuration of AAC")
    found_config = elementary(bytes(view[esds.body : esds.end]))
    if found_config.kind not in (0x40, 0x67):
        raise CannotPut(f"its sound is MPEG-4 elementary stream {found_config.kind:#x}, not AAC")
    config = aac.config_of(found_config.data)
    scale = m4a_tables.media_scale(view, mdia)
    if scale != config.rate:
        raise CannotPut(f"its track counts {scale} ticks a second, and its sound has {config.rate} samples")
    return _Track(trak, (moov, trak, *boxes), scale, config)


def _texts(view: memoryview, moov: Box, front: int, added: int, rate: int) -> Iterator[MoovEdit]:
    """Yield the edits of chapters (``chpl``) and of iTunes' numbers for playing without gaps; none changes a length."""
    for *_, chpl in descend_with_parents(view, moov, b"udta", _CHAPTERS):
        at = chpl.body + (9 if view[chpl.body] else 5)
        for _ in range(view[at - 1] if at <= chpl.end else 0):
            if at + 9 > chpl.end:
                break
            value = int.from_bytes(view[at : at + 8], "big") + round(front * _TICKS / rate)
            yield MoovEdit(at, at + 8, value.to_bytes(8, "big"), ())
            at += 9 + view[at + 8]
    whole = bytes(view)
    name = whole.find(_NAME)
    numbers = _GAPLESS.search(whole, name, name + 256) if name >= 0 else None
    if numbers is not None:
        count = int(numbers[2], 16) + added
        yield MoovEdit(numbers.start(2), numbers.end(2), b"%016X" % count, ())


def _laid_out(layout: Layout, inside: list[MoovEdit], front: bytes, behind: bytes) -> list[Edit]:
    """Return the edits of the file: the movie box with all offsets right, and the new media."""
    assert layout.moov is not None
    moov = layout.moov
    media = layout.first(b"mdat")
    if media is None:
        raise UnreadableFile("it has no media data")
    places = [(media.start, box(b"mdat", front))] if front else []
    if behind:
        places.append((layout.end, box(b"mdat", behind)))
    for wide in (False, True):
        movie = grown(layout.movie, inside)
        movie = with_wide_offsets(movie) if wide else movie
        outside: list[Edit] = [(at, at, new) for at, new in places]
        change = len(movie) - (moov.end - moov.start)
        moved = mover([*outside, (moov.start, moov.end, movie)])
        new: dict[int, int] = {}
        if front:
            new[m4a_tables.FRONT] = media.start + 8 + (change if moov.end <= media.start else 0)
        if behind:
            new[m4a_tables.BEHIND] = layout.end + 8 + change + (8 + len(front) if front else 0)
        with contextlib.suppress(OverflowError):  # 32 bits do not hold a chunk offset: with 64 they do
            return [*outside, (moov.start, moov.end, with_offsets(movie, _placed(new, moved)))]
    raise CannotPut("its chunk offsets cannot be moved; re-mux it first (ffmpeg -i … -c copy)")


def _placed(new: dict[int, int], moved: Moved) -> Moved:
    return lambda at: new[at] if at in new else moved(at)
