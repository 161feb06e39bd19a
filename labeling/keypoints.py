"""Key points of a picture: places that are found again in a copy that was cropped, framed, mirrored, turned or scaled.

A key point is a blob (:mod:`labeling.blobs`). What surrounds it is read on five rings, relative to the scale and to the
direction in which the brightness rises, as harmonics of the angle. The signs of 47 of their coefficients and the blob's
own are its *word*. In a mirrored picture the sines change their signs, so the word of a mirrored point follows from the
word itself.

A point is stored in 10 bytes: x and y in pixels of the plane, 32 times the binary logarithm of the scale, the angle in
256ths of a turn, and the word, 48 bits, little-endian.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.blobs import FINEST, STEPS, Floats, detect, scale_space

Words = NDArray[np.uint64]

LONG_SIDE = 256
"""The picture is brought to this many pixels on its longer side, the *plane* in which points are found."""

SEARCH_SIDE = 384
"""The same for a picture that is asked about: if it has margins, what was recorded is smaller in it."""

POINT_SIZE = 10
MAX_POINTS = 48
"""Points that are stored: 480 bytes."""

WORD_BITS = 48
KEY_BITS = 20
"""The lowest bits of a word, the steadiest ones: what the index of the ledger knows a point by."""

_RINGS = np.array([1.5, 2.5, 3.7, 5.2, 7.0], np.float32)
"""Radii on which the surroundings are read, in units of the point's scale."""

_RING_LEVELS = np.array([0, 0, 1, 2, 2])
"""How many steps more each ring is blurred: the farther out, the farther apart are the places that are read."""

_RING_WEIGHTS = np.array([1, 1, 1, 0.7, 0.5], np.float32)
_ANGLES = 20
_HARMONICS = 6

CLEAR = 3.0
"""A point is stored if this many times its scale is free of the edge: beyond it, a frame looks different."""

_MOST_DESCRIBED = 3 * MAX_POINTS
"""Points, those that differ most from what is around them, among which the stored ones are chosen."""

_CELLS = 4
"""Stored points are spread over this many parts of the plane in each direction, as far as there are any."""

_INNER = 0.3
_OUTER_TURN = 2.5
"""Nearer to the edge than 20 %, where a crop may fall, a part of the plane has so many times fewer points."""

# Coefficients as (order over the rings, harmonic, middle value in photographs). The sines have their middle at 0, since
# a photograph might as well be mirrored; harmonic 0 counts with the sign of the blob. Those of the key come first: the
# steadiest ones, as independent as possible.
_KEY_COSINES = (
    (3, 0, -0.140), (2, 0, -0.296), (1, 0, -0.384), (0, 3, -0.092), (4, 0, -0.045), (1, 1, -0.275), (0, 2, 0.031),
    (3, 1, -0.046), (1, 2, 0.002), (2, 2, -0.001), (0, 4, -0.007),
)  # fmt: skip
_KEY_SINES = ((0, 2), (1, 1), (0, 3), (2, 2), (0, 4), (3, 1), (1, 2), (2, 1))
_COSINES = (
    (2, 1, -0.099), (4, 1, -0.012), (3, 2, -0.002), (4, 2, -0.000), (1, 3, 0.046), (2, 3, -0.003), (3, 3, 0.005),
    (4, 3, -0.002), (1, 4, 0.003), (2, 4, 0.000), (3, 4, 0.000), (4, 4, -0.000), (0, 5, 0.009), (1, 5, -0.008),
    (2, 5, 0.003),
)  # fmt: skip
_SINES = (
    (4, 1), (3, 2), (4, 2), (1, 3), (2, 3), (3, 3), (4, 3), (1, 4), (2, 4), (3, 4), (4, 4), (0, 5), (1, 5),
)  # fmt: skip


def count_bits_by_table(words: NDArray[np.uint64]) -> Any:
    """Return how many bits are set in each word, for numpy before 2.0."""
    return _bit_counts()[words.view(np.uint16)].reshape(*words.shape, 4).sum(-1, dtype=np.uint8)


@cache
def _bit_counts() -> NDArray[np.uint8]:
    return np.array([number.bit_count() for number in range(1 << 16)], np.uint8)


count_bits: Any = getattr(np, "bitwise_count", count_bits_by_table)
"""How many bits are set in each word."""


@dataclass(frozen=True, slots=True)
class Points:
    """Key points: positions and scales in pixels of the plane, angles in radians, words.

    Attributes:
        x: (n,) float32.
        y: (n,) float32.
        scale: (n,) float32.
        angle: (n,) float32.
        words: (n,) uint64.
        margins: (n, 48) float32: how far each value is from where its bit would change; empty for stored points.
    """

    x: Floats
    y: Floats
    scale: Floats
    angle: Floats
    words: Words
    margins: Floats

    def __len__(self) -> int:
        return len(self.words)


def plane_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Return width and height of the plane of a picture."""
    factor = side / max(width, height)
    return max(1, round(width * factor)), max(1, round(height * factor))


def resized(pixels: NDArray[np.uint8], side: int) -> Any:
    """Bring a picture, (H, W) or (H, W, 3), to the size of its plane."""
    import cv2

    height, width = pixels.shape[:2]
    size = plane_size(width, height, side)
    smaller = max(size) < max(width, height)
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def describe(
    space: list[Floats], x: Floats, y: Floats, scale: Floats, polarity: Any, angle: Floats | None = None
) -> tuple[Points, Floats]:
    """Read the surroundings of places in a picture.

    Args:
        space: What :func:`labeling.blobs.scale_space` made of the picture.
        x: (n,) in pixels of the plane.
        y: (n,) in pixels of the plane.
        scale: (n,) in pixels of the plane.
        polarity: (n,) bool: whether the blob is bright.
        angle: (n,) radians; by default the direction in which the brightness rises.

    Returns:
        The points, and how clear the direction of each is.
    """
    harmonics = _read(space, x, y, scale) @ _waves()  # (n, rings, harmonics)
    slope = harmonics[:, :, 1] @ _RING_WEIGHTS
    turned = -np.angle(slope) if angle is None else angle
    energy = np.sqrt((np.abs(harmonics[:, :, 1 : _HARMONICS - 1]) ** 2).sum((1, 2)) + 1e-6)
    harmonics = harmonics * np.exp(1j * np.outer(turned, np.arange(_HARMONICS)))[:, None].astype(np.complex64)
    orders = np.tensordot(harmonics, _ring_orders(), (1, 1)) / energy[:, None, None]  # (n, harmonics, orders)
    cosines, sines, middles, _ = _layout()
    values = np.empty((len(x), WORD_BITS), np.float32)
    values[:, 0] = np.where(polarity, 1, -1)
    signs = np.where(cosines[2] == 0, values[:, :1], 1)
    values[:, cosines[0]] = orders[:, cosines[2], cosines[1]].real * signs - middles
    values[:, sines[0]] = orders[:, sines[2], sines[1]].imag
    packed = np.packbits(values > 0, axis=1, bitorder="little")
    words = np.zeros((len(x), 8), np.uint8)
    words[:, : packed.shape[1]] = packed
    points = Points(x, y, scale, turned.astype(np.float32), words.view("<u8")[:, 0].astype(np.uint64), np.abs(values))
    return points, (np.abs(slope) / energy).astype(np.float32)


def _read(space: list[Floats], x: Floats, y: Floats, scale: Floats) -> Floats:
    """Return the brightness around places: (n, rings, angles)."""
    read = np.zeros((len(x), len(_RINGS), _ANGLES), np.float32)
    octaves = np.clip(np.floor(np.log2(scale / (FINEST * 2 ** (0.5 / STEPS)))), 0, len(space) - 1).astype(np.intp)
    for number, levels in enumerate(space):
        (some,) = np.nonzero(octaves == number)
        if not some.size:
            continue
        unit = 2.0**number
        local = scale[some] / unit
        radii = local[:, None, None] * _RINGS[None, :, None]
        across = x[some, None, None] / unit + radii * _circle()[0]
        down = y[some, None, None] / unit + radii * _circle()[1]
        step = np.clip(np.rint(STEPS * np.log2(local / FINEST)), 0, STEPS).astype(np.intp)
        level = np.minimum(step[:, None] + _RING_LEVELS, len(levels) - 1)[:, :, None]
        height, width = levels.shape[1:]
        column = np.clip(np.floor(across).astype(np.intp), 0, width - 2)
        row = np.clip(np.floor(down).astype(np.intp), 0, height - 2)
        right, lower = np.clip(across - column, 0, 1), np.clip(down - row, 0, 1)
        flat = levels.reshape(-1)
        place = (level * height + row) * width + column
        upper = flat[place] * (1 - right) + flat[place + 1] * right
        place += width
        read[some] = upper * (1 - lower) + (flat[place] * (1 - right) + flat[place + 1] * right) * lower
    return read


@cache
def _circle() -> tuple[Floats, Floats]:
    angles = np.arange(_ANGLES) * (2 * np.pi / _ANGLES)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


@cache
def _waves() -> Any:
    return (np.exp(-2j * np.pi / _ANGLES * np.outer(np.arange(_ANGLES), np.arange(_HARMONICS))) / _ANGLES).astype(
        np.complex64
    )


@cache
def _ring_orders() -> Floats:
    """Cosine transform over the rings: its order 0 is their sum, order 1 compares inner and outer ones, and so on."""
    count = len(_RINGS)
    angles = np.pi / count * np.outer(np.arange(count), np.arange(count) + 0.5)
    return np.asarray(np.cos(angles), np.float32)


@cache
def _layout() -> tuple[tuple[Any, ...], tuple[Any, ...], Floats, int]:
    """Return (bits, orders, harmonics) of cosines and sines, the middles of the cosines, and the mask of the sines."""
    cosines: list[tuple[int, int, int]] = []
    sines: list[tuple[int, int, int]] = []
    middles: list[float] = []
    bit = 1  # bit 0 is the blob's own
    for some_cosines, some_sines in ((_KEY_COSINES, _KEY_SINES), (_COSINES, _SINES)):
        for order, harmonic, middle in some_cosines:
            cosines.append((bit, order, harmonic))
            middles.append(middle)
            bit += 1
        for order, harmonic in some_sines:
            sines.append((bit, order, harmonic))
            bit += 1
    assert bit == WORD_BITS
    mask = sum(1 << position for position, _, _ in sines)
    both = tuple(tuple(np.array(column) for column in zip(*rows, strict=True)) for rows in (cosines, sines))
    return both[0], both[1], np.array(middles, np.float32), mask


def mirrored(points: Points, width: float) -> Points:
    """Return the points as they would be in the mirrored picture, whose plane is ``width`` pixels wide."""
    words = points.words ^ np.uint64(_layout()[3])
    return Points(width - 1 - points.x, points.y, points.scale, np.pi - points.angle, words, points.margins)


def points_of(plane: Floats) -> Points:
    """Return the points of a picture that are to be stored: the clearest ones, spread over it."""
    space = scale_space(plane, lasting=False)
    found = detect(space)
    height, width = plane.shape
    x, y = found[:, 0], found[:, 1]
    to_edge = np.minimum(np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y))
    found = found[to_edge >= CLEAR * found[:, 2]]
    if len(found) > _MOST_DESCRIBED:
        found = found[np.argpartition(-np.abs(found[:, 3]), _MOST_DESCRIBED)[:_MOST_DESCRIBED]]
    points, clearness = describe(space, found[:, 0], found[:, 1], found[:, 2], found[:, 3] > 0)
    order = np.argsort(-np.abs(found[:, 3]) * np.minimum(clearness, 1.5), kind="stable")
    return _taken(points, order[_spread(points, order, plane.shape)])


def _spread(points: Points, order: Any, shape: tuple[int, ...]) -> Any:
    """Return which of the ordered points are stored: the first of each part in turn, then the second of each…"""
    across, down = points.x[order] / shape[1], points.y[order] / shape[0]
    part = np.minimum(across * _CELLS, _CELLS - 1).astype(np.intp) * _CELLS
    part += np.minimum(down * _CELLS, _CELLS - 1).astype(np.intp)
    inner = np.maximum(np.abs(across - 0.5), np.abs(down - 0.5)) < _INNER
    turns = np.empty(len(order))
    seen = [0.0] * (_CELLS * _CELLS)
    for place, (cell, step) in enumerate(zip(part.tolist(), np.where(inner, 1, _OUTER_TURN).tolist(), strict=True)):
        turns[place] = seen[cell]
        seen[cell] += step
    return np.argsort(turns, kind="stable")[:MAX_POINTS]


def _taken(points: Points, which: Any) -> Points:
    return Points(*(getattr(points, name)[which] for name in Points.__slots__))


def packed(points: Points) -> bytes:
    """Return points as they are stored, 10 bytes each, the most telling first."""
    rows = np.empty((len(points), POINT_SIZE), np.uint8)
    rows[:, 0] = np.clip(np.rint(points.x), 0, 255)
    rows[:, 1] = np.clip(np.rint(points.y), 0, 255)
    rows[:, 2] = np.clip(np.rint(32 * np.log2(points.scale)), 0, 255)
    rows[:, 3] = np.rint(points.angle * (128 / np.pi)).astype(np.int64) & 255
    rows[:, 4:] = points.words.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :6]
    return rows.tobytes()


def unpacked(data: bytes) -> Points:
    """Return stored points. Any bytes are points; those after the last whole one are left out."""
    rows = np.frombuffer(data, np.uint8, len(data) // POINT_SIZE * POINT_SIZE).reshape(-1, POINT_SIZE)
    words = np.zeros((len(rows), 8), np.uint8)
    words[:, :6] = rows[:, 4:]
    numbers = rows[:, :4].astype(np.float32)
    scale, angle = np.exp2(numbers[:, 2] / 32), numbers[:, 3] * np.float32(np.pi / 128)
    return Points(
        numbers[:, 0], numbers[:, 1], scale.astype(np.float32), angle,
        words.view("<u8")[:, 0].astype(np.uint64), np.zeros((0, WORD_BITS), np.float32),
    )  # fmt: skip
