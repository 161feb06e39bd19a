"""Pixel formats: where samples are in the planes of a frame, and what values a colour has.

Formats have FFmpeg's names. Colour matrices, ranges and transfer functions are the code points of ITU-T H.273, which
FFmpeg uses as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

BT709, BT601, FULL_RANGE = 1, 6, 2
_UNSPECIFIED = 2
_PQ, _HLG = 16, 18

WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}
"""Matrix coefficients of H.273 → weights of red and blue in luma."""

HDR_WHITE = {_PQ: 0.58, _HLG: 0.75}
"""Transfer function → signal of diffuse white, 203 cd/m² (ITU-R BT.2408). A label at peak brightness would glare.

On the usual plate, which lets 38 % of the signal through, the contrast stays above 4.5 : 1 even over the brightest
signal.
"""

_SUBSAMPLING = {"444": (0, 0), "440": (0, 1), "422": (1, 0), "420": (1, 1), "411": (2, 0), "410": (2, 2)}


@dataclass(frozen=True, slots=True)
class Component:
    """The samples of one channel.

    Attributes:
        channel: One of Y U V R G B A.
        plane: Index of the plane.
        offset: Index of the first sample in a row.
        step: Samples from one to the next.
        across: Horizontal subsampling, as a power of 2.
        down: Vertical subsampling, as a power of 2.
    """

    channel: str
    plane: int
    offset: int = 0
    step: int = 1
    across: int = 0
    down: int = 0


@dataclass(frozen=True, slots=True)
class Format:
    """A pixel format.

    Attributes:
        components: Its channels.
        bits: Significant bits of a sample.
        shift: By how many bits they are shifted up.
        dtype: numpy's type of a sample.
        full: Whether its values have the full range by definition.
    """

    components: tuple[Component, ...]
    bits: int = 8
    shift: int = 0
    dtype: str = "u1"
    full: bool = False

    @property
    def grid(self) -> tuple[int, int]:
        """(across, down): how many pixels share one sample of the coarsest component."""
        return 1 << max(c.across for c in self.components), 1 << max(c.down for c in self.components)


@lru_cache(maxsize=64)
def format_of(name: str) -> Format | None:
    """Return a pixel format by FFmpeg's name.

    ``None`` for palettes, packed bits, floats, Bayer patterns, XYZ, and frames in hardware.
    """
    for pattern, make in _FORMS:
        match = re.fullmatch(pattern, name)
        if match:
            return make(match)
    return None


def _planar(match: re.Match[str]) -> Format | None:
    full, clear, sampling, bits, order = match.groups()
    if sampling not in _SUBSAMPLING:
        return None
    across, down = _SUBSAMPLING[sampling]
    parts = [Component("Y", 0), Component("U", 1, 0, 1, across, down), Component("V", 2, 0, 1, across, down)]
    return _format([*parts, Component("A", 3)] if clear else parts, bits, order, full=bool(full))


def _two_planes(match: re.Match[str]) -> Format:
    """Parse nv12 and its variants: chroma is interleaved in a second plane."""
    across, down = {"12": (1, 1), "21": (1, 1), "16": (1, 0), "61": (1, 0)}.get(match[1], (0, 0))
    first, second = "UV" if match[1] in ("12", "16", "24") else "VU"
    return _format(_interleaved(first, second, across, down), None, None)


def _high_bits(match: re.Match[str]) -> Format:
    """Parse p010 and its variants: as nv12, but in the upper bits of 16."""
    across, down = {"0": (1, 1), "2": (1, 0), "4": (0, 0)}[match[1]]
    bits = int(match[2])
    return Format(tuple(_interleaved("U", "V", across, down)), bits, 16 - bits, _order(match[3]) + "u2")


def _interleaved(first: str, second: str, across: int, down: int) -> list[Component]:
    return [Component("Y", 0), Component(first, 1, 0, 2, across, down), Component(second, 1, 1, 2, across, down)]


def _gray(match: re.Match[str]) -> Format:
    return _format([Component("Y", 0)], match[1], match[2], full=True)


def _planar_rgb(match: re.Match[str]) -> Format:
    return _format([Component(c, n) for n, c in enumerate("GBRA" if match[1] else "GBR")], match[2], match[3])


def _packed_rgb(match: re.Match[str]) -> Format:
    order = match[1].upper()
    parts = [Component(c, 0, n, len(order)) for n, c in enumerate(order) if c != "0"]
    return _format(parts, "16" if match[2] in ("48", "64") else None, match[3])


def _packed_422(match: re.Match[str]) -> Format:
    order = match[1].upper()
    luma = Component("Y", 0, order.index("Y"), 2)
    return _format([luma, *(Component(c, 0, order.index(c), 4, 1, 0) for c in "UV")], None, None)


def _format(parts: list[Component], bits: str | None, order: str | None, *, full: bool = False) -> Format:
    depth = int(bits or 8)
    return Format(tuple(parts), depth, 0, _order(order) + "u2" if depth > 8 else "u1", full)


def _order(name: str | None) -> str:
    return ">" if name == "be" else "<"


_DEPTH = r"(9|10|12|14|16)?(le|be)?"
_FORMS: tuple[tuple[str, Callable[[re.Match[str]], Format | None]], ...] = (
    (rf"yuv(j?)(a?)(4\d\d)p{_DEPTH}", _planar),
    (r"nv(12|21|16|61|24|42)", _two_planes),
    (r"p([024])(10|12|16)(le|be)", _high_bits),
    (rf"gray{_DEPTH}", _gray),
    (rf"gbr(a?)p{_DEPTH}", _planar_rgb),
    (r"(rgb|bgr)(24|48)(le|be)?", _packed_rgb),
    (r"(rgba|bgra|argb|abgr|rgb0|bgr0|0rgb|0bgr)(64)?(le|be)?", _packed_rgb),
    (r"(yuyv|uyvy|yvyu)422", _packed_422),
)


def matrix_of(colorspace: int, height: int) -> int:
    """Return the colour matrix for pictures of ``height`` lines.

    If it is unspecified, it is BT.709 from 720 lines on and BT.601 below, as players do it. Rare matrices (YCgCo,
    ICtCp) are treated as unspecified: white and black, the usual colours of a label, are the same in all.
    """
    if colorspace in WEIGHTS:
        return colorspace
    return BT709 if height >= 720 else BT601


def channels(rgb: NDArray[np.floating[Any]], form: Format, matrix: int, full: bool, transfer: int) -> dict[str, Any]:
    """Convert colours to the sample values of a pixel format.

    The primaries are assumed to be those of the frame: black and white are the same in all.

    Args:
        rgb: (H, W, 3) sRGB, 0 to 1.
        form: The pixel format.
        matrix: Colour matrix (H.273).
        full: Whether samples have the full range.
        transfer: Transfer function (H.273).

    Returns:
        A (H, W) array of sample values for each channel, A included.
    """
    signal = rgb * HDR_WHITE.get(transfer, 1.0)
    peak = float((1 << form.bits) - 1)
    red, green, blue = (signal[..., n] for n in range(3))
    kr, kb = WEIGHTS[matrix]
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    pb, pr = (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)
    half, unit = float(1 << form.bits - 1), float(1 << form.bits - 8)
    if full:
        yuv = luma * peak, half + pb * peak, half + pr * peak
    else:
        yuv = (16 + 219 * luma) * unit, half + 224 * unit * pb, half + 224 * unit * pr
    values = dict(zip("YUVRGB", (*yuv, red * peak, green * peak, blue * peak), strict=True))
    return {name: np.clip(value, 0, peak) for name, value in values.items()} | {"A": np.full_like(luma, peak)}
