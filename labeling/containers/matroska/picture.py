"""Carry over how a video is shown (RFC 9559, 5.1.4.1.28) to a copy whose pictures are coded in another way."""

from __future__ import annotations

from labeling.containers.base import Media
from labeling.containers.edits import MediaEdit
from labeling.containers.matroska import outline
from labeling.containers.matroska.ebml import Element, children, rebuilt
from labeling.containers.matroska.layout import Layout
from labeling.containers.matroska.parts import Part
from labeling.containers.matroska.tracks import CROP, ENTRY, VIDEO, video_track

_COLOUR, _STEREO, _PROJECTION, _INTERLACED, _FIELD_ORDER = 0x55B0, 0x53B8, 0x7670, 0x9A, 0x9D
_DISPLAY = 0x54B0, 0x54BA, 0x54B2, 0x54B3  # width, height, unit, type of aspect ratio
_SHOWN = frozenset({*_DISPLAY, _COLOUR, _STEREO, _PROJECTION, _INTERLACED, _FIELD_ORDER, *CROP})

_BITS = 0x55B2
"""BitsPerChannel: of the coded stream, which is another one."""


def edits(source: Media, copy: Media) -> list[MediaEdit]:
    """Return the edits of ``copy`` that make its first video say what that of ``source`` does: size of
    display, colours with mastering display and light levels, projection, arrangement of eyes, fields, what is cut off.

    Raises:
        LabelingError: The copy is not well-formed, or positions in it do not fit into their fields.
    """
    kept = _kept(source)
    if not kept:
        return []
    found = outline.outline(copy)
    parts = [Part(item.id, (item.start, item.end)) for item in found.items]
    for part, item in zip(parts, found.items, strict=True):
        if item.id == outline.TRACKS:
            raw, top = outline.whole(copy, item)
            track = video_track(raw, top)
            if track is not None:
                part.new = _with(raw, top, track.entry, kept)
    layout = Layout(copy, found, parts)
    layout.place(None)
    return layout.edits()


def _kept(source: Media) -> bytes:
    for item in outline.outline(source).all(outline.TRACKS):
        raw, top = outline.whole(source, item)
        track = video_track(raw, top)
        for video in children(raw, track.entry) if track is not None else ():
            if video.id == VIDEO:
                return b"".join(_whole(raw, each) for each in children(raw, video) if each.id in _SHOWN)
    return b""


def _whole(raw: bytes, element: Element) -> bytes:
    if element.id != _COLOUR:
        return raw[element.start : element.end]
    return rebuilt(raw, element, (), lambda child: b"" if child.id == _BITS else None)


def _with(raw: bytes, tracks: Element, entry: Element, kept: bytes) -> bytes:
    video = next((each for each in children(raw, entry) if each.id == VIDEO), None)
    if video is None:
        return raw[tracks.start : tracks.end]

    def change(child: Element) -> bytes | None:
        inside = video.body <= child.start < video.end
        outside = child.id in (ENTRY, VIDEO) and child.start not in (entry.start, video.start)
        if outside:  # other tracks stay
            return raw[child.start : child.end]
        return b"" if inside and child.id in _SHOWN else None

    return rebuilt(raw, tracks, (ENTRY, VIDEO), change, {video.start: kept})
