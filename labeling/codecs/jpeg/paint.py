"""Paint on JPEG files in the DCT domain: only the blocks under the box change, and nothing else is re-encoded."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.base import Painted, Painter, Pixels
from labeling.codecs.jpeg import dct, further, segments
from labeling.codecs.pixels import Plan, check_size, cmyk, decoding, luma, make_plan, open_with
from labeling.containers.base import Buffer
from labeling.containers.jpeg import mpf, previews
from labeling.errors import LabelingError, UnsupportedFormat
from labeling.losses import Loss

Plane = NDArray[np.floating[Any]]


_DAMAGED = "damaged picture data"


def paint(data: Buffer, painter: Painter, *, orientation: int, quality: int | None, max_pixels: int) -> Painted:
    """Paint on a JPEG file; see :mod:`labeling.codecs.base`.

    ``quality`` is not used: the file's own quantisation tables are.
    """
    return _painted(bytes(data), painter, orientation, max_pixels, alone=False)


def _painted(data: bytes, painter: Painter, orientation: int, max_pixels: int, *, alone: bool) -> Painted:
    """Paint; ``alone`` leaves out what follows the first picture."""
    jpeg = segments.split(data)
    frame = segments.frame(jpeg)
    check_size(frame.width, frame.height, max_pixels=max_pixels)
    if any(frame.max_h % c.h or frame.max_v % c.v for c in frame.components):
        raise UnsupportedFormat(
            "this JPEG has fractional chroma sampling", hint="convert it to an ordinary JPEG or PNG"
        )
    # jpeglib crashes (on a file handle it never set) if libjpeg rejects the header, so Pillow reads the header first.
    _decodes(segments.head_only(jpeg))
    if not jpeg.complete:
        _decodes(jpeg.data)  # a missing EOI alone is harmless, missing picture data is not
    plan = make_plan(painter, frame.width, frame.height, orientation)
    source = segments.SOI + jpeg.bytes_of(jpeg.coded) + segments.EOI
    planes, tables, damage = dct.read(source, frame.components)
    edit = _Edit.under(plan, frame)
    space = segments.colour_space(jpeg, frame.components)
    samples = [edit.samples(i, planes[i], tables) for i in range(len(planes))]
    overlay = plan.overlay(painter, [edit.backdrop(samples, space)])
    edit.blend(planes, tables, samples, overlay, space)
    made, kind = _write(jpeg, frame, source, planes)
    tail = further.Tail(jpeg.data[jpeg.end :])
    if not alone:
        tail = further.paint(
            jpeg, painter, plan.stored, overlay,
            lambda picture, its, turned: _painted(picture, its, turned, max_pixels, alone=True),
        )  # fmt: skip
    if tail.painted:  # what painters say of their work is to be of the first picture
        make_plan(painter, frame.width, frame.height, orientation).overlay(painter, [edit.backdrop(samples, space)])
    changed = frozenset({"trailer"} if tail.painted else ())
    how = _how(jpeg, kind, tail)
    lost = (Loss(_DAMAGED, "JPEG", f"the copy holds what libjpeg could decode of it ({damage})"),) if damage else ()
    return Painted(_splice(jpeg, made, tail), plan.box, plan.width, plan.height, 1, True, how, meant=changed, lost=lost)


def _decodes(data: bytes) -> None:
    with decoding("JPEG"):
        open_with("JpegImagePlugin:JpegImageFile", data).load()


@dataclass(frozen=True, slots=True)
class _Edit:
    """The region under the box, extended to whole MCUs.

    ``left`` … ``bottom`` are in stored pixels and may reach beyond the picture.
    """

    frame: segments.Frame
    box: tuple[int, int, int, int]
    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def under(cls, plan: Plan, frame: segments.Frame) -> _Edit:
        left, top, right, bottom = plan.stored
        w, h = 8 * frame.max_h, 8 * frame.max_v
        return cls(frame, plan.stored, left // w * w, top // h * h, -(-right // w) * w, -(-bottom // h) * h)

    def blocks(self, i: int) -> tuple[slice, slice]:
        """Return the rows and columns of component ``i``'s blocks in the region, without those that only pad MCUs."""
        c = self.frame.components[i]
        ry, rx = 8 * self.frame.max_v // c.v, 8 * self.frame.max_h // c.h
        return (
            slice(self.top // ry, min(self.bottom // ry, c.rows)),
            slice(self.left // rx, min(self.right // rx, c.columns)),
        )

    def samples(self, i: int, plane: dct.Coefficients, tables: NDArray[np.uint16]) -> Plane:
        """Decode the region of component ``i``: (rows, columns) of 0–255, at the component's own resolution."""
        table = tables[self.frame.components[i].table].astype(np.float32)
        blocks = plane[self.blocks(i)].astype(np.float32) * table
        pixels: Plane = np.clip(_tiles_to_plane(_basis().T @ blocks @ _basis()) + 128, 0, 255)
        return pixels

    def backdrop(self, samples: list[Plane], space: str) -> Pixels:
        """Return what is in the box as (H, W, 3) RGB. Chroma is repeated, which is good enough to judge contrast."""
        left, top, right, bottom = self.box
        full = []
        for c, plane in zip(self.frame.components, samples, strict=True):
            rows = np.minimum(np.arange(top - self.top, bottom - self.top) * c.v // self.frame.max_v, len(plane) - 1)
            columns = np.arange(left - self.left, right - self.left) * c.h // self.frame.max_h
            full.append(plane[rows][:, np.minimum(columns, plane.shape[1] - 1)])
        return _to_rgb(np.stack(full, axis=-1), space)

    def blend(
        self,
        planes: list[dct.Coefficients],
        tables: NDArray[np.uint16],
        samples: list[Plane],
        overlay: Pixels,
        space: str,
    ) -> None:
        """Blend the overlay into the coefficients ``planes``, in place.

        The *difference* that the overlay makes is transformed and added to the coefficients, so that a block in which
        nothing changes keeps its coefficients exactly.
        """
        spread = self._spread(overlay)
        alpha = spread[..., 3:].astype(np.float32) / 255
        colours = _from_rgb(spread[..., :3], space) * alpha
        for i, c in enumerate(self.frame.components):
            ry, rx = self.frame.max_v // c.v, self.frame.max_h // c.h
            shape = samples[i].shape
            coverage = _shrink(alpha[..., 0], ry, rx)[: shape[0], : shape[1]]
            colour = _shrink(colours[..., i], ry, rx)[: shape[0], : shape[1]]
            change = _plane_to_tiles(colour - samples[i] * coverage)
            table = tables[c.table].astype(np.float32)
            where = self.blocks(i)
            before = planes[i][where]
            after = np.rint(before + (_basis() @ change @ _basis().T) / np.maximum(table, 1))
            np.clip(after, -1023, 1023, out=after)  # the range of 8-bit coefficients (T.81 F.1.2)
            touched = _plane_to_tiles(coverage).any(axis=(2, 3), keepdims=True)
            planes[i][where] = np.where(touched, after.astype(np.int16), before)

    def _spread(self, overlay: Pixels) -> Pixels:
        """Extend the overlay, (H, W, 4) RGBA, to the region.

        Where the box ends at the picture's edge, the overlay's last row or column is repeated into the invisible rest
        of the blocks: a step there would ring into the visible part.
        """
        left, top, right, bottom = self.box
        rows, columns = slice(top - self.top, bottom - self.top), slice(left - self.left, right - self.left)
        spread = np.zeros((self.bottom - self.top, self.right - self.left, 4), np.uint8)
        spread[rows, columns] = overlay
        if bottom == self.frame.height:
            spread[rows.stop :, columns] = overlay[-1]
        if right == self.frame.width:
            spread[:, columns.stop :] = spread[:, columns.stop - 1 : columns.stop]
        return spread


@functools.cache
def _basis() -> Plane:
    """Return the 8-point DCT-II as an orthonormal matrix whose rows are frequencies."""
    k, n = np.mgrid[0:8, 0:8]
    matrix = np.sqrt(2 / 8) * np.cos((2 * n + 1) * k * np.pi / 16)
    matrix[0] = np.sqrt(1 / 8)
    basis: Plane = matrix.astype(np.float32)
    return basis


def _tiles_to_plane(tiles: Plane) -> Plane:
    rows, columns = tiles.shape[:2]
    return tiles.swapaxes(1, 2).reshape(rows * 8, columns * 8)


def _plane_to_tiles(plane: Plane) -> Plane:
    rows, columns = plane.shape[0] // 8, plane.shape[1] // 8
    return plane.reshape(rows, 8, columns, 8).swapaxes(1, 2)


def _shrink(plane: Plane, ry: int, rx: int) -> Plane:
    """Average over cells of ``ry`` × ``rx`` samples, as encoders subsample chroma."""
    if ry == rx == 1:
        return plane
    total: Plane = plane[::ry, ::rx].copy()  # added up cell by cell: numpy's mean over two axes is many times slower
    for row, column in itertools.product(range(ry), range(rx)):
        if row or column:
            total += plane[row::ry, column::rx]
    total *= np.float32(1 / (ry * rx))
    return total


def _ycc(rgb: Plane) -> Plane:
    y = luma(rgb)
    return np.stack([y, (rgb[..., 2] - y) * 0.564334 + 128, (rgb[..., 0] - y) * 0.713267 + 128], axis=-1)


def _ycc_to_rgb(ycc: Plane) -> Plane:
    y, b, r = ycc[..., 0], ycc[..., 1] - 128, ycc[..., 2] - 128
    rgb: Plane = np.stack([y + 1.402 * r, y - 0.344136 * b - 0.714136 * r, y + 1.772 * b], axis=-1)
    np.clip(rgb, 0, 255, out=rgb)
    return rgb


def _from_rgb(rgb: Pixels, space: str) -> Plane:
    """Convert RGB to the file's components. Files of four components store inverted inks, as Adobe writes them."""
    colour = rgb.astype(np.float32)
    if space == "gray":
        return luma(colour)[..., None]
    if space == "rgb":
        return colour
    if space == "ycc":
        return _ycc(colour)
    inks = cmyk(colour)
    if space == "cmyk":
        return 255 - inks
    return np.concatenate([_ycc(inks[..., :3]), 255 - inks[..., 3:]], axis=-1)


def _to_rgb(planes: Plane, space: str) -> Pixels:
    if space == "gray":
        rgb = np.repeat(planes, 3, axis=-1)
    elif space == "rgb":
        rgb = planes
    elif space == "ycc":
        rgb = _ycc_to_rgb(planes)
    else:
        light = planes[..., :3] if space == "cmyk" else 255 - _ycc_to_rgb(planes[..., :3])
        rgb = light * planes[..., 3:] / 255
    return np.rint(rgb).astype(np.uint8)


def _write(
    jpeg: segments.Jpeg, frame: segments.Frame, source: bytes, planes: list[dct.Coefficients]
) -> tuple[bytes, str]:
    """Write the changed coefficients; return the JPEG and its process (baseline or progressive)."""
    size, count = (frame.width, frame.height), len(planes)
    if count == 4:
        return _write_four(source, size, planes), "baseline"
    # Where tables change between scans, the real file has to be the source: libjpeg then judges the conflict.
    stand_in = source if segments.has_late_tables(jpeg) else segments.empty_like(jpeg, frame)
    if frame.process == "progressive":
        return dct.write(stand_in, planes, size, components=count, version=dct.MOZ), "progressive"
    optimize = segments.has_own_codes(jpeg)
    return dct.write(stand_in, planes, size, components=count, optimize=optimize), "baseline"


def _write_four(source: bytes, size: tuple[int, int], planes: list[dct.Coefficients]) -> bytes:
    """Write four components with a function that replaces only three.

    The order of the frame header decides which component is which. So K is moved to the front and written, and moved
    back when the other three are written.
    """
    black_first = _reorder(source, (3, 1, 2, 0))
    first = dct.write(black_first, [planes[3], None, None], size, components=4, version=dct.IJG)
    return dct.write(_reorder(first, (3, 1, 2, 0)), planes[:3], size, components=4, version=dct.IJG, optimize=True)


def _reorder(data: bytes, order: tuple[int, ...]) -> bytes:
    """Change the order of the components in the frame header, and nothing else."""
    header = next((s for s in segments.split(data).coded if s.marker in (0xC0, 0xC1, 0xC2)), None)
    if header is None:  # with arithmetic coding, which the library that takes any order does not know
        raise UnsupportedFormat(
            "this JPEG has four components and arithmetic coding", hint="convert it to an ordinary JPEG or PNG"
        )
    at = header.start + 10
    entries = [data[at + 3 * i : at + 3 * i + 3] for i in range(len(order))]
    return data[:at] + b"".join(entries[i] for i in order) + data[at + 3 * len(order) :]


def _splice(jpeg: segments.Jpeg, made: bytes, tail: further.Tail) -> bytes:
    """Put the new coded picture between the source's application segments and what follows its EOI."""
    coded = segments.split(made)
    if not coded.complete:
        raise LabelingError("the new JPEG is incomplete", hint="re-save the picture and try again")
    first = segments.SOI + jpeg.bytes_of(jpeg.other) + coded.bytes_of(coded.coded) + segments.EOI
    return _with_indexes(jpeg, first, tail) + tail.data


def _with_indexes(jpeg: segments.Jpeg, first: bytes, tail: further.Tail) -> bytes:
    """Return the new first picture with what leads to those behind it corrected: the index, and offsets in EXIF."""
    out, at = bytearray(first), len(segments.SOI)
    for s in jpeg.other:
        size = s.end - s.start
        if s.marker == 0xE2 and jpeg.data.startswith(mpf.PREFIX, s.start + 4):
            old, new = mpf.Place(s.start + mpf.HEADER, jpeg.end), mpf.Place(at + mpf.HEADER, len(first))
            payload = jpeg.data[s.start + 4 : s.end]
            fitted = mpf.fitted(payload, jpeg.data, old, new) or payload
            out[at + 4 : at + size] = mpf.resized(fitted, tail.changes) if tail.changes else fitted
        elif s.marker == 0xE1 and jpeg.data.startswith(b"Exif\0", s.start + 4):
            exif, base = jpeg.data[s.start + previews.TIFF_HEADER : s.end], s.start + previews.TIFF_HEADER
            positions = previews.offsets(exif, jpeg.data, base, jpeg.end)
            by = len(first) - at - (jpeg.end - s.start)
            if positions:
                out[at + previews.TIFF_HEADER : at + size] = previews.moved(exif, positions, by)
        at += size
    return bytes(out)


def _how(jpeg: segments.Jpeg, kind: str, tail: further.Tail) -> str:
    frame = segments.frame(jpeg)
    how = "only the JPEG blocks under the label were changed"
    if frame.process in ("progressive", "arithmetic") and kind != frame.process:
        how += f"; the {frame.process} file became {kind}"
    if segments.has_restarts(jpeg):  # they only limit what later damage to the file spoils
        how += "; its restart markers were left out, on which no pixel depends"
    if tail.painted:
        how += f"; the label is on {tail.painted} of the {tail.painted + tail.left} further pictures behind it as well"
        how += ", but not on thumbnails in their own metadata"
    elif jpeg.app(2, b"MPF\0") is not None:
        how += "; the further pictures behind it (such as previews or a gain map) stay as they are"
    return how
