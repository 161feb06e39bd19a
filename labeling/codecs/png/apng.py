"""Paint on animated PNG (third edition, clause 4.9): frames are played, painted on, and stored as differences.

A frame may cover a part of the canvas, blend with what is there, and be disposed of in three ways. The animation is
played with all of that; the copy shows the same by simpler means: each frame replaces the rectangle in which anything
changes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from labeling.codecs.base import Painter, Pixels
from labeling.codecs.pixels import Plan, backdrops, over_alpha
from labeling.codecs.png.colour import Look, lay, shown
from labeling.codecs.png.encode import encode
from labeling.codecs.png.samples import GRAY_ALPHA, PALETTE, RGBA, Samples, check_length, data_bytes, decode
from labeling.containers.base import Buffer
from labeling.containers.png_chunks import chunk
from labeling.errors import TooLarge, UnreadableFile

_BACKGROUND, _PREVIOUS = 1, 2  # dispose_op
_OVER = 1  # blend_op

_CANVAS = 112_000_000
"""Bytes that the canvas of an animation to be painted on may have: it exists several times at once."""

_AT_ONCE = 1 << 18
"""About as many pixels are blended at once."""


class _Chunk(Protocol):
    @property
    def kind(self) -> bytes: ...
    @property
    def body(self) -> Buffer: ...


@dataclass(frozen=True, slots=True)
class _Frame:
    width: int
    height: int
    x: int
    y: int
    delay: tuple[int, int]
    dispose: int
    blend: int
    stream: bytes


@dataclass(frozen=True, slots=True)
class Animation:
    """An APNG taken apart.

    Attributes:
        look: What its samples look like.
        frames: The frames.
        still: The data of the default image, if it is not part of the animation.
    """

    look: Look
    frames: tuple[_Frame, ...]
    still: bytes | None

    @classmethod
    def parse(cls, chunks: Iterable[_Chunk], look: Look) -> Animation:
        """Collect the frames from the file's chunks.

        Raises:
            UnreadableFile: A frame has no data or is not inside the canvas.
        """
        controls: list[bytes] = []
        streams: list[list[Buffer]] = []
        still: list[Buffer] = []
        for each in chunks:
            kind, body = each.kind, each.body
            if kind == b"fcTL":
                controls.append(bytes(body))
                streams.append([])
            elif kind == b"IDAT":
                (streams[-1] if streams else still).append(body)
            elif kind == b"fdAT" and streams:
                streams[-1].append(body[4:])
        frames = tuple(_frame(body, b"".join(parts), look) for body, parts in zip(controls, streams, strict=True))
        canvas = (look.header.width, look.header.height, 0, 0)
        if frames and not still and (frames[0].width, frames[0].height, frames[0].x, frames[0].y) != canvas:
            message = (
                "the first frame of the animated PNG does not cover its canvas (fcTL, 11.3.6.2); the file is damaged"
            )
            raise UnreadableFile(message)
        return cls(look, frames, b"".join(still) if still else None)

    def painted(self, plan: Plan, painter: Painter, fast: bool) -> tuple[Look, list[bytes], str]:
        """Paint on every frame.

        Returns:
            The new look, the chunks that contain the pictures, and what changed about the colour type (empty if
            nothing).

        Raises:
            TooLarge: The canvas takes too much memory.
        """
        self._check_lengths()
        left, top, right, bottom = plan.stored
        look = self.canvas_look()
        header = look.header
        size = header.width * header.height * header.channels * (2 if header.depth == 16 else 1)
        if size > _CANVAS:
            raise TooLarge(
                f"each frame of this animated PNG takes {size:,} bytes as it is shown, and a label is drawn on up to "
                f"{_CANVAS:,}",
                hint="label the metadata alone with `visible=False`, or make it smaller first",
            )
        seen = [
            ground
            for canvas in self.canvases(look)
            for ground in backdrops(shown(look, canvas[top:bottom, left:right]))
        ]
        still = self.still_of(look)
        if still is not None:
            seen += backdrops(shown(look, still[top:bottom, left:right]))
        overlay = plan.overlay(painter, seen)
        pieces: list[bytes] = []
        sequence = 0
        if still is not None:
            pieces.append(chunk(b"IDAT", encode(look.header, _painted(look, still, plan, overlay), fast=fast)))
        before: Samples | None = None
        for frame, canvas in zip(self.frames, self.canvases(look), strict=True):
            canvas = _painted(look, canvas.copy(), plan, overlay)
            x, y, part = _changed(before, canvas)
            control = struct.pack(">5I2H2B", sequence, part.shape[1], part.shape[0], x, y, *frame.delay, 0, 0)
            pieces.append(chunk(b"fcTL", control))
            sequence += 1
            stream = encode(replace(look.header, width=part.shape[1], height=part.shape[0]), part, fast=fast)
            if before is None and still is None:
                pieces.append(chunk(b"IDAT", stream))
            else:
                pieces.append(chunk(b"fdAT", struct.pack(">I", sequence) + stream))
                sequence += 1
            before = canvas
        note = "" if look.header.colour == self.look.header.colour else "its frames became RGBA"
        return look, pieces, note

    def _check_lengths(self) -> None:
        """Refuse frames with less data than their size (fcTL) needs: Pillow shows the rest of them black."""
        for frame in self.frames:
            header = replace(self.look.header, width=frame.width, height=frame.height)
            check_length([frame.stream], data_bytes(header))

    def canvas_look(self) -> Look:
        """Choose the look to play the animation in: the file's own if it can express "nothing here", else RGBA."""
        header = self.look.header
        if header.colour in (GRAY_ALPHA, RGBA):
            return replace(self.look, header=replace(header, interlaced=False))
        clears = any(frame.dispose == _BACKGROUND for frame in self.frames)
        whole = (self.frames[0].width, self.frames[0].height) == (header.width, header.height)
        if header.colour == PALETTE or header.depth < 8 or self.look.key or clears or not whole:
            return self.look.as_rgba()
        return replace(self.look, header=replace(header, interlaced=False))

    def _samples(self, look: Look, frame: _Frame) -> Samples:
        header = replace(self.look.header, width=frame.width, height=frame.height)
        samples = decode(header, frame.stream)
        return samples if look.header.colour == header.colour else replace(self.look, header=header).rgba(samples)

    def still_of(self, look: Look) -> Samples | None:
        """Decode the default image that is not part of the animation, as ``look`` has it; ``None`` if it is a frame."""
        if self.still is None:
            return None
        header = self.look.header
        return self._samples(look, _Frame(header.width, header.height, 0, 0, (0, 0), 0, 0, self.still)).copy()

    def canvases(self, look: Look) -> Iterator[Samples]:
        """Play the animation: yield the canvas as displayed at each frame. It is the same array every time."""
        header = look.header
        depth = np.uint16 if header.depth == 16 else np.uint8
        canvas = np.zeros((header.height, header.width, header.channels), depth)
        for i, frame in enumerate(self.frames):
            where = (slice(frame.y, frame.y + frame.height), slice(frame.x, frame.x + frame.width))
            kept = canvas[where].copy() if frame.dispose == _PREVIOUS else None
            samples = self._samples(look, frame)
            if frame.blend == _OVER and header.colour in (GRAY_ALPHA, RGBA):
                _blend(canvas[where], samples, header.peak)
            else:
                canvas[where] = samples
            yield canvas
            if frame.dispose == _BACKGROUND or (frame.dispose == _PREVIOUS and i == 0):
                canvas[where] = 0
            elif kept is not None:
                canvas[where] = kept


def _blend(below: Samples, samples: Samples, peak: int) -> None:
    """Lay samples with alpha over others, in place and in bands of rows: floating point takes eight times as much."""
    step = max(1, _AT_ONCE // max(samples.shape[1], 1))
    for y in range(0, len(samples), step):
        part, under = samples[y : y + step], below[y : y + step]
        alpha = part[..., -1:]
        opaque = alpha == peak
        if (opaque | (alpha == 0)).all():
            np.copyto(under, part, where=opaque)
        else:
            under[...] = over_alpha(under, part[..., :-1], alpha / peak, peak)


def _frame(control: bytes, stream: bytes, look: Look) -> _Frame:
    if len(control) != 26 or not stream:
        raise UnreadableFile("a frame of the animated PNG has no data or a broken header (fcTL); the file is damaged")
    _, width, height, x, y, num, den, dispose, blend = struct.unpack(">5I2H2B", control)
    inside = x + width <= look.header.width and y + height <= look.header.height
    if not width or not height or not inside:
        raise UnreadableFile("a frame of the animated PNG is outside its canvas; the file is damaged")
    return _Frame(width, height, x, y, (num, den), dispose, blend, stream)


def _painted(look: Look, canvas: Samples, plan: Plan, overlay: Pixels) -> Samples:
    left, top, right, bottom = plan.stored
    region = canvas[top:bottom, left:right]
    region[...] = lay(look, region, np.ones(256, np.bool_), overlay).region
    return canvas


def _changed(before: Samples | None, now: Samples) -> tuple[int, int, Samples]:
    """Find the smallest rectangle that contains every difference, or one pixel if there is none.

    Returns:
        x and y of its upper left corner, and its samples.
    """
    if before is None:
        return 0, 0, now
    differs = (before != now).any(axis=2)
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if not len(rows):
        return 0, 0, now[:1, :1]
    return int(columns[0]), int(rows[0]), now[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
