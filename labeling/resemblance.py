"""Whether a picture shows what a stored one showed: cropped, with margins or a caption, mirrored, turned, scaled.

Points with similar words propose a similarity (shift, scale and rotation, mirrored or not) between the two pictures.
The one that most pairs agree on is then tested at all stored points: what is around the place where each of them must
be in the picture asked about is read there, and its word is compared. In a copy most of them agree. In another picture
with the same heading, logo or layout those agree that are on it, and the others do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling import blobs, keypoints
from labeling.blobs import Floats
from labeling.keypoints import KEY_BITS, Points, Words

Similarity = tuple[complex, complex]
"""A factor (scale and rotation) and a shift: a stored place z is at factor × z + shift in the picture asked about."""

_CONTRAST = 0.5
"""Weaker blobs count in a picture that is asked about: coding may have weakened them."""

_MOST_POINTS = 200
"""The clearest points, of those found in the picture that is asked about, that take part."""

_FLIPS = 3
"""Bits of a key, those nearest to changing, that are tried both ways."""

_SIMILAR = 10
"""Bits of 48 in which the words of one point may differ; those of two points differ in 24 on average."""

_SHIFT = 2.0
_LOG_SCALE = 0.5
_TURN = 0.5
"""How far a point may be from where a similarity has it (in units of its scale, and a pixel more), how far its scale
(binary logarithm) and its angle (radians) may be off."""

_MOST_PAIRS = 200
_BEST = 8
"""Proposals, those with most agreeing pairs, whose points are counted one by one."""

_FINEST = 1.2
"""Points that would have a smaller scale than this in the picture asked about cannot be seen in it."""

_FACTORS = (0.1, 10.0)
"""Scales beyond these are no copy's."""

LEAST_PROPOSED = 3
"""Pairs of points that must agree on a similarity before it is tested."""

LEAST_POINTS = 5
LEAST_SHARE = 0.5
"""How many stored points, unlike each other, must be seen again in a copy; what share of those that are in it; and what
share of those that are seen must be unlike each other."""

MANY_POINTS = 10
LEAST_SHARE_OF_FEW = 0.65
"""If fewer are seen again, a larger share must be: a part of a pattern may look like a part of another one."""


@dataclass(frozen=True, slots=True)
class Resemblance:
    """How well a picture agrees with a stored one.

    Attributes:
        agreeing: Points of the stored picture that are seen where they must be in this one.
        comparable: Points of the stored picture that must be within this one, if it is a copy.
        unlike: How many of the agreeing points are unlike each other: all grids, and all chessboards, look alike.
        mirrored: Whether this one is mirrored.
        turned: Degrees by which this one is turned clockwise, -180 to 180; of a mirrored one, before it was mirrored.
    """

    agreeing: int
    comparable: int
    unlike: int
    mirrored: bool = False
    turned: int = 0

    @property
    def same(self) -> bool:
        """Whether this picture is a copy of the stored one, or of a part of it."""
        if self.unlike < max(LEAST_POINTS, LEAST_SHARE * self.agreeing):
            return False
        least = LEAST_SHARE if self.unlike >= MANY_POINTS else LEAST_SHARE_OF_FEW
        return self.agreeing >= least * self.comparable


@dataclass(frozen=True, slots=True)
class Sought:
    """Points to look for in an index, in the ascending order of their keys; each under several of them.

    Attributes:
        keys: (n,) uint32.
        angle: (n,) radians.
        scale: (n,) in pixels of the plane.
        mirrored: (n,) 1 for the points of the mirrored picture, 0 for the others.
    """

    keys: NDArray[np.uint32]
    angle: Floats
    scale: Floats
    mirrored: NDArray[np.int64]


class Sight:
    """A picture that is asked about.

    Args:
        plane: Its brightness, (H, W) float32 of 0 to 255, as :func:`labeling.keypoints.resized` makes it.
    """

    def __init__(self, plane: Floats) -> None:
        self.plane = plane
        self._space = blobs.scale_space(plane)
        found = blobs.detect(self._space, _CONTRAST)
        if len(found) > _MOST_POINTS:
            found = found[np.argpartition(-np.abs(found[:, 3]), _MOST_POINTS)[:_MOST_POINTS]]
        points, _ = keypoints.describe(self._space, found[:, 0], found[:, 1], found[:, 2], found[:, 3] > 0)
        self._points = points, keypoints.mirrored(points, plane.shape[1])

    def sought(self) -> Sought:
        """Return what an index may know the points by."""
        points = self._points[0]
        nearest = np.argsort(points.margins[:, :KEY_BITS], 1)[:, :_FLIPS].astype(np.uint64)
        flips = np.zeros((len(points), 1), np.uint64)
        for bit in np.uint64(1) << nearest.T:
            flips = np.concatenate([flips, flips ^ bit[:, None]], 1)
        keys = np.stack([(some.words & np.uint64((1 << KEY_BITS) - 1))[:, None] ^ flips for some in self._points])
        angles = np.stack([some.angle for some in self._points])[:, :, None]
        mirrored = np.arange(2, dtype=np.int64)[:, None, None]
        columns: list[Any] = [keys.astype(np.uint32), angles, points.scale[None, :, None], mirrored]
        flat = [column.ravel() for column in np.broadcast_arrays(*columns)]
        order = np.argsort(flat[0], kind="stable")
        return Sought(*(column[order] for column in flat))

    def resemblance(self, stored: Points) -> Resemblance | None:
        """Compare with a stored picture; ``None`` if no similarity of the two suggests itself."""
        straight, mirror = (_proposed(points, stored) for points in self._points)
        mirrored = mirror is not None and (straight is None or mirror[0] > straight[0])
        best = mirror if mirrored else straight
        return None if best is None else self._tested(stored, best[1], mirrored=mirrored)

    def _tested(self, stored: Points, similarity: Similarity, *, mirrored: bool) -> Resemblance:
        """Read the picture wherever a similarity has a stored point."""
        factor, shift = similarity
        places = (stored.x + 1j * stored.y) * factor + shift
        x, y = places.real.astype(np.float32), places.imag.astype(np.float32)
        scale = (stored.scale * abs(factor)).astype(np.float32)
        angle = (stored.angle + np.angle(factor)).astype(np.float32)
        height, width = self.plane.shape
        border = keypoints.CLEAR * scale
        within = (x >= border) & (x <= width - 1 - border) & (y >= border) & (y <= height - 1 - border)
        (which,) = np.nonzero(within & (scale >= _FINEST))
        turned = round(float(np.degrees(np.angle(factor))))
        if not which.size:
            return Resemblance(0, 0, 0, mirrored, turned)
        if mirrored:
            x, angle = width - 1 - x, np.float32(np.pi) - angle
        bright = (stored.words[which] & np.uint64(1)) == 1
        read, _ = keypoints.describe(self._space, x[which], y[which], scale[which], bright, angle[which])
        if mirrored:
            read = keypoints.mirrored(read, width)
        seen = stored.words[which[keypoints.count_bits(read.words ^ stored.words[which]) <= _SIMILAR]]
        return Resemblance(len(seen), len(which), _unlike(seen), mirrored, turned)


def _proposed(points: Points, stored: Points) -> tuple[int, Similarity] | None:
    """Return the similarity that most pairs of points agree on, and how many do."""
    differing = keypoints.count_bits(points.words[:, None] ^ stored.words[None])
    given, kept = np.nonzero(differing <= _SIMILAR)
    if len(given) < LEAST_PROPOSED:
        return None
    if len(given) > _MOST_PAIRS:
        order = np.argsort(differing[given, kept], kind="stable")[:_MOST_PAIRS]
        given, kept = given[order], kept[order]
    pairs = _Pairs(points, stored, given, kept)
    agree = pairs.agreeing(pairs.factor, pairs.there - pairs.here * pairs.factor)
    likely = np.argsort(-agree.sum(1), kind="stable")[:_BEST]
    counts = [_distinct(given[agree[n]], kept[agree[n]]) for n in likely]
    best = int(np.argmax(counts))
    if counts[best] < LEAST_PROPOSED:
        return None
    some, similarity = agree[likely[best]], (0j, 0j)
    for _ in range(2):
        similarity = _fitted(pairs.here[some], pairs.there[some])
        if not _FACTORS[0] <= abs(similarity[0]) <= _FACTORS[1]:
            return None
        some = pairs.agreeing(np.array([similarity[0]]), np.array([similarity[1]]))[0]
        if np.count_nonzero(some) < LEAST_PROPOSED:
            return None
    return counts[best], similarity


def _unlike(words: Words) -> int:
    """Count words, leaving out those that are like one before."""
    alike = keypoints.count_bits(words[:, None] ^ words[None]) <= _SIMILAR
    return int(np.count_nonzero(~np.tril(alike, -1).any(1)))


def _distinct(given: Any, kept: Any) -> int:
    """Count pairs so that no point, of either picture, counts twice."""
    return min(len(set(given.tolist())), len(set(kept.tolist())))


class _Pairs:
    """Points of two pictures that may be the same."""

    def __init__(self, points: Points, stored: Points, given: Any, kept: Any) -> None:
        self.there = points.x[given] + 1j * points.y[given]
        self.here = stored.x[kept] + 1j * stored.y[kept]
        self._reach = 1 + _SHIFT * points.scale[given]
        ratio, turn = points.scale[given] / stored.scale[kept], points.angle[given] - stored.angle[kept]
        self.factor = ratio * np.exp(1j * turn)

    def agreeing(self, factor: Any, shift: Any) -> Any:
        """Return for each similarity (rows) whether each pair (columns) agrees with it."""
        close = np.abs(self.here[None] * factor[:, None] + shift[:, None] - self.there[None]) <= self._reach
        relative = self.factor[None] / factor[:, None]
        scales, turns = np.abs(np.log2(np.abs(relative))), np.abs(np.angle(relative))
        return close & (scales <= _LOG_SCALE) & (turns <= _TURN)


def _fitted(here: Any, there: Any) -> Similarity:
    """Return the similarity with the least squares."""
    middle, other = here.mean(), there.mean()
    spread = (np.abs(here - middle) ** 2).sum()
    factor = (np.conj(here - middle) * (there - other)).sum() / max(float(spread), 1e-6)
    return complex(factor), complex(other - middle * factor)
