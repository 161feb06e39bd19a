"""The samples of a coded picture: planes of YUV, RGB or gray, of any depth, and an overlay on a part of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.base import Box, Pixels
from labeling.codecs.video.pixel_formats import BT601, FULL_RANGE, WEIGHTS, Format, channels, format_of
from labeling.errors import UnsupportedFormat

if TYPE_CHECKING:
    import av

Samples = NDArray[Any]
IDENTITY, UNSPECIFIED = 0, 2


@dataclass(frozen=True, slots=True)
class Colour:
    """How samples are to be read, in the code points of ITU-T H.273.

    Attributes:
        primaries: Colour primaries.
        transfer: Transfer characteristics.
        matrix: Matrix coefficients.
        full: Whether the range is full.
    """

    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    matrix: int = UNSPECIFIED
    full: bool = False


@dataclass(slots=True)
class Planes:
    """A decoded picture.

    Attributes:
        name: FFmpeg's name of its pixel format.
        form: The format.
        samples: One array (rows, columns) for each of ``form.components``.
        width: Width in pixels.
        height: Height in pixels.
        coded: What the coded picture itself says of its colour.
        colour: How it is to be read: what the container says takes precedence.
        painted: The boxes that have been painted on.
        grain: The film grain that decoders add to them, which is not in the samples: film_grain_params of AV1 as a
            string of 0 and 1; empty if there is none.
        grained: Whether there is film grain in the samples, as decoded, that can be kept in no other way.
    """

    name: str
    form: Format
    samples: list[Samples]
    width: int
    height: int
    coded: Colour
    colour: Colour
    painted: list[Box] = field(default_factory=list)
    grain: str = ""
    grained: bool = False

    @property
    def gray(self) -> bool:
        """Whether there is luma only."""
        return len(self.samples) == 1

    @property
    def subsampling(self) -> tuple[int, int]:
        """Horizontal and vertical subsampling of chroma, as powers of 2."""
        return max(part.across for part in self.form.components), max(part.down for part in self.form.components)


def from_frame(frame: av.VideoFrame, nclx: tuple[int, int, int, bool] | None) -> Planes:
    """Copy the samples of a frame.

    Args:
        frame: The frame.
        nclx: Primaries, transfer, matrix and full range, as the container gives them.

    Raises:
        UnsupportedFormat: Frames of its pixel format are not known.
    """
    name = frame.format.name
    matrix = nclx[2] if nclx is not None else UNSPECIFIED
    # The identity matrix stores green, blue and red in the places of Y, U and V.
    if matrix == IDENTITY and name.startswith("yuv444p"):
        name = name.replace("yuv444p", "gbrp")
    elif matrix not in (IDENTITY, UNSPECIFIED) and name.startswith("gbrp"):
        name = name.replace("gbrp", "yuv444p")
    form = format_of(name)
    if form is None or any(part.step != 1 for part in form.components) or form.shift:
        raise UnsupportedFormat(f"pictures of the pixel format {name} cannot be painted on", hint="convert it to PNG")
    samples = []
    for part in form.components:
        plane: Any = frame.planes[part.plane]
        flat = np.frombuffer(plane, form.dtype)
        rows = flat.reshape(-1, plane.line_size // flat.itemsize)
        samples.append(rows[: -(-frame.height // (1 << part.down)), : -(-frame.width // (1 << part.across))].copy())
    full = frame.color_range == FULL_RANGE or (form.full and frame.color_range != 1)
    coded = Colour(int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace), full)
    if frame.format.name.startswith("gbr"):
        coded = Colour(coded.primaries, coded.transfer, IDENTITY, full)
    colour = coded if nclx is None else Colour(*nclx)
    return Planes(name, form, samples, frame.width, frame.height, coded, colour)


def to_frame(planes: Planes) -> av.VideoFrame:
    """Return a frame with the samples and what the coded picture said of its colour."""
    import av

    frame = av.VideoFrame(planes.width, planes.height, planes.name)
    for part, samples in zip(planes.form.components, planes.samples, strict=True):
        plane: Any = frame.planes[part.plane]
        rows = np.frombuffer(plane, planes.form.dtype).reshape(-1, plane.line_size // samples.itemsize)
        rows[: samples.shape[0], : samples.shape[1]] = samples
    return frame


def paint(planes: Planes, box: Box, overlay: Pixels, below: NDArray[np.float64] | None = None) -> None:
    """Blend an overlay into the samples. Nothing outside the chroma grid of its box changes.

    Args:
        planes: The picture.
        box: Where the overlay goes, in pixels; inside the picture.
        overlay: (H, W, 4) uint8 RGBA.
        below: (H, W) the alpha of the picture there, 0 to 1, if its samples are not multiplied with it.
    """
    planes.painted.append(box)
    opacity = overlay[..., 3].astype(np.float64) / 255
    if below is not None:  # of what is seen there afterwards, so much is of the overlay
        total = opacity + below * (1 - opacity)
        opacity = np.divide(opacity, total, out=np.zeros_like(opacity), where=total > 0)
    colour = planes.colour
    values = channels(
        overlay[..., :3].astype(np.float64) / 255, planes.form, _matrix(colour), colour.full, colour.transfer
    )
    peak = (1 << planes.form.bits) - 1
    for part, samples in zip(planes.form.components, planes.samples, strict=True):
        across, down = 1 << part.across, 1 << part.down
        left, top = box[0] // across, box[1] // down
        right, bottom = -(-box[2] // across), -(-box[3] // down)
        # The box widened to whole samples, without ink there; behind the edge of the picture its last pixels repeat.
        before = (box[1] - top * down, box[0] - left * across)
        behind = (bottom * down - box[3], right * across - box[2])
        out = (max(0, bottom * down - planes.height), max(0, right * across - planes.width))
        pad = ((before[0], behind[0] - out[0]), (before[1], behind[1] - out[1]))
        edge = ((0, out[0]), (0, out[1]))
        cover = _means(np.pad(np.pad(opacity, pad), edge, mode="edge"), across, down)
        shade = _means(np.pad(np.pad(opacity * values[part.channel], pad), edge, mode="edge"), across, down)
        region = samples[top:bottom, left:right]
        mixed = np.clip(np.rint(region * (1 - cover) + shade), 0, peak).astype(samples.dtype)
        region[...] = np.where(cover > 0, mixed, region)


def paint_alpha(planes: Planes, box: Box, overlay: Pixels) -> None:
    """Make an alpha plane as opaque as the overlay asks for, in its box."""
    low, high = alpha_range(planes)
    left, top, right, bottom = box
    region = planes.samples[0][top:bottom, left:right]
    opacity = overlay[..., 3].astype(np.float64) / 255
    raised = np.rint(region + (high - region.astype(np.float64)) * opacity)
    region[...] = np.where(opacity > 0, np.clip(raised, low, high), region).astype(region.dtype)


def alpha_range(planes: Planes) -> tuple[int, int]:
    """Return the samples that stand for transparent and for opaque."""
    peak = (1 << planes.form.bits) - 1
    if planes.colour.full or planes.form.full:
        return 0, peak
    unit = 1 << planes.form.bits - 8
    return 16 * unit, 235 * unit


def alpha_of(planes: Planes, box: Box) -> NDArray[np.float64]:
    """Return a box of an alpha plane as (H, W), 0 to 1."""
    low, high = alpha_range(planes)
    left, top, right, bottom = box
    found: NDArray[np.float64] = (planes.samples[0][top:bottom, left:right].astype(np.float64) - low) / (high - low)
    return np.clip(found, 0, 1)


def to_rgb(planes: Planes, box: Box, *, clip: bool = True) -> NDArray[np.float64]:
    """Return a box as (H, W, 3) RGB, 0 to 1, in the primaries and the transfer function of the picture.

    Args:
        planes: The picture.
        box: The box.
        clip: Bring colours that are no RGB to the nearest ones that are.
    """
    left, top, right, bottom = box
    parts: dict[str, NDArray[np.float64]] = {}
    for part, samples in zip(planes.form.components, planes.samples, strict=True):
        rows = np.arange(top, bottom) >> part.down
        columns = np.arange(left, right) >> part.across
        parts[part.channel] = samples[np.ix_(rows, columns)].astype(np.float64)
    unit, peak = float(1 << planes.form.bits - 8), float((1 << planes.form.bits) - 1)
    full = planes.colour.full
    if "G" in parts:
        rgb = np.stack([parts["R"], parts["G"], parts["B"]], axis=-1)
        return _clipped(rgb / peak if full else (rgb / unit - 16) / 219, clip=clip)
    luma = parts["Y"] / peak if full else (parts["Y"] / unit - 16) / 219
    if "U" not in parts:
        return _clipped(np.repeat(luma[..., None], 3, axis=2), clip=clip)
    half = float(1 << planes.form.bits - 1)
    pb, pr = ((parts[name] - half) / (peak if full else 224 * unit) for name in "UV")
    kr, kb = WEIGHTS[_matrix(planes.colour)]
    red, blue = luma + (2 - 2 * kr) * pr, luma + (2 - 2 * kb) * pb
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    return _clipped(np.stack([red, green, blue], axis=-1), clip=clip)


def to_rgb8(planes: Planes, box: Box) -> Pixels:
    """Return a box as (H, W, 3) uint8 RGB; for looking at it, since deeper samples are cut to 8 bits."""
    import cv2

    parts = {part.channel: _bytes(planes, at, box) for at, part in enumerate(planes.form.components)}
    full = planes.colour.full
    gain, low = (1.0, 0.0) if full else (255 / 219, 16.0)
    if "G" in parts:
        affine = np.diag([gain] * 3)
        stacked = np.dstack([parts[name] for name in "RGB"])
    elif "U" not in parts:
        return np.repeat(_spread(parts["Y"], gain, low)[..., None], 3, axis=2)
    else:
        kr, kb = WEIGHTS[_matrix(planes.colour)]
        kg = 1 - kr - kb
        red, blue = ((2 - 2 * weight) * (1 if full else 255 / 224) for weight in (kr, kb))
        affine = np.array([
            [gain, 0, red], [gain, -kb / kg * blue, -kr / kg * red], [gain, blue, 0],
        ])  # fmt: skip
        stacked = np.dstack([parts[name] for name in "YUV"])
    zero = affine @ np.array([low] * 3 if "G" in parts else [low, 128, 128])
    return np.asarray(cv2.transform(stacked, np.column_stack([affine, -zero])), np.uint8)


def to_alpha8(planes: Planes, box: Box) -> Pixels:
    """Return a box of an alpha plane as (H, W, 1) uint8."""
    full = planes.colour.full or planes.form.full
    return _spread(_bytes(planes, 0, box), *((1.0, 0.0) if full else (255 / 219, 16.0)))[..., None]


def _bytes(planes: Planes, at: int, box: Box) -> Pixels:
    """Return the samples of a component in a box: 8 bits, and one for each pixel."""
    part, (left, top, right, bottom) = planes.form.components[at], box
    found = planes.samples[at][
        top >> part.down : -(-bottom >> part.down), left >> part.across : -(-right >> part.across)
    ]
    if planes.form.bits > 8:
        found = (found >> (planes.form.bits - 8)).astype(np.uint8)
    if part.down:
        found = found.repeat(1 << part.down, 0)[top - (top >> part.down << part.down) :][: bottom - top]
    if part.across:
        found = found.repeat(1 << part.across, 1)[:, left - (left >> part.across << part.across) :][:, : right - left]
    return found


def _spread(samples: Pixels, gain: float, low: float) -> Pixels:
    """Bring samples of a limited range to the full one."""
    if gain == 1:
        return samples
    table = np.clip(np.rint((np.arange(256) - low) * gain), 0, 255).astype(np.uint8)
    spread: Pixels = table[samples]
    return spread


def _clipped(rgb: NDArray[np.float64], *, clip: bool) -> NDArray[np.float64]:
    return np.clip(rgb, 0, 1) if clip else rgb


def _matrix(colour: Colour) -> int:
    """Return a matrix whose weights are known. Unspecified means BT.601 in HEIF (ISO/IEC 23000-22, 7.3.6.4).

    White and black, the usual colours of a label, are the same in all.
    """
    return colour.matrix if colour.matrix in WEIGHTS else BT601


def _means(values: NDArray[np.float64], across: int, down: int) -> NDArray[np.float64]:
    height, width = values.shape
    means: NDArray[np.float64] = values.reshape(height // down, down, width // across, across).mean(axis=(1, 3))
    return means
