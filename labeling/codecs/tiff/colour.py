"""What the samples of a TIFF page look like, and the blending of an overlay into them (TIFF 6.0, 4–8 and 16–23)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from labeling.codecs.base import Pixels
from labeling.codecs.grounds import band_rows
from labeling.codecs.pixels import cmyk, luma, over, over_alpha, split_overlay
from labeling.codecs.tiff.page import BLACK_IS_ZERO, ICC_LAB, INKS, LAB, RGB, SEPARATED, WHITE_IS_ZERO, YCBCR, Page

Samples = NDArray[Any]


def shown(page: Page, region: Samples, peak: float | None = None) -> Pixels:
    """Return samples, (H, W, samples), as 8-bit (H, W, 3) RGB, or (H, W, 4) RGBA if any of them is transparent.

    Args:
        page: The layout.
        region: The samples.
        peak: The value of white of floating-point samples, if the region does not tell; see :func:`floating_peak`.
    """
    if page.photometric in _PLAIN and page.alpha is None and region.dtype.kind == "u" and region.dtype.itemsize <= 2:
        table = _table(page.bits, region.dtype.itemsize, page.photometric == WHITE_IS_ZERO)
        part = region[..., : INKS[page.photometric]]
        plain = part if table is None else table[part]
        return np.ascontiguousarray(plain if plain.shape[2] == 3 else np.repeat(plain, 3, axis=2))
    if peak is None and region.dtype.kind == "f":
        peak = _peak(page, region)
    rows = band_rows(4 * region.shape[1], 1)  # they are computed with many bits
    if len(region) > rows:
        bands = [shown(page, region[y : y + rows], peak) for y in range(0, len(region), rows)]
        if any(band.shape[2] == 4 for band in bands):
            opaque = np.full((rows, region.shape[1], 1), 255, np.uint8)
            bands = [np.concatenate([band, opaque[: len(band)]], axis=2)[..., :4] for band in bands]
        return np.concatenate(bands)
    eight = _eight(page, region, peak)
    colour = eight[..., : INKS[page.photometric]]
    if page.photometric == SEPARATED:
        colour = (255 - colour[..., :3]) * (255 - colour[..., 3:]) / 255
    elif page.photometric == WHITE_IS_ZERO:
        colour = 255 - colour
    elif page.photometric in (YCBCR, LAB, ICC_LAB):
        mode = "YCbCr" if page.photometric == YCBCR else "LAB"
        colour = _converted(np.rint(colour).astype(np.uint8), mode, "RGB").astype(np.float64)
    rgb = np.rint(np.broadcast_to(colour, (*colour.shape[:2], 3))).astype(np.uint8)
    if page.alpha is None:
        return rgb
    alpha = np.rint(eight[..., page.alpha : page.alpha + 1]).astype(np.uint8)
    if alpha.min() == 255:
        return rgb
    if page.premultiplied:
        rgb = np.rint(np.minimum(rgb / np.maximum(alpha, 1).astype(np.float64) * 255, 255)).astype(np.uint8)
    return np.concatenate([rgb, alpha], axis=2)


def blend(page: Page, region: Samples, overlay: Pixels) -> Samples:
    """Blend an RGBA overlay into samples, in place. Extra samples that are not alpha stay as they are."""
    peak = _peak(page, region)
    rows = band_rows(4 * region.shape[1], 1)  # they are computed with many bits
    for y in range(0, len(region), rows):
        _blend(page, region[y : y + rows], overlay[y : y + rows], peak)
    return region


def _blend(page: Page, region: Samples, overlay: Pixels, peak: float) -> None:
    rgb, alpha = split_overlay(overlay)
    count = INKS[page.photometric]
    colour = _colour(page, rgb)
    floating = page.dtype.kind == "f"
    if floating:
        touched = np.broadcast_to(alpha > 0, region.shape) & ~np.isfinite(region)
        region[touched] = 0  # no data (NaN) would stay so under any colour
    colour = colour * (peak / 255)
    whole = 0 if floating else int(peak)
    if page.alpha is None:
        region[..., :count] = _over(page, region[..., :count], colour, alpha, whole)
        return
    channels = [*range(count), page.alpha]
    part = np.ascontiguousarray(region[..., channels])
    if page.premultiplied:  # colour and alpha mix alike
        colour = np.dstack([colour, np.full(colour.shape[:2], peak)])
        region[..., channels] = over(part, colour, alpha, whole)
    elif floating:
        region[..., channels] = _over_alpha(part, colour, alpha, peak)
    else:
        region[..., channels] = over_alpha(part, colour, alpha, whole)


_PLAIN = (BLACK_IS_ZERO, WHITE_IS_ZERO, RGB)


@lru_cache(maxsize=4)
def _table(bits: int, size: int, inverted: bool) -> Pixels | None:
    """Return what each sample is with 8 bits; ``None`` if it is that already."""
    if bits == 8 and not inverted:
        return None
    values = np.minimum(np.arange(1 << (8 * size)) * (255 / ((1 << bits) - 1)), 255)
    made: Pixels = np.rint(255 - values if inverted else values).astype(np.uint8)
    return made


def _peak(page: Page, region: Samples) -> float:
    """Return the sample value of white."""
    if page.dtype.kind == "u":
        return float((1 << page.bits) - 1)
    if page.dtype.kind == "i":
        return float((1 << (page.bits - 1)) - 1)
    return floating_peak(greatest(region))


def greatest(region: Samples) -> float:
    """Return the greatest finite sample; 0 if there is none."""
    finite = region[np.isfinite(region)]
    return float(finite.max()) if finite.size else 0.0


def floating_peak(top: float) -> float:
    """Return the value of white where ``top`` is the greatest sample.

    Floating-point files do not state it: 1.0, unless there are greater values.
    """
    return next((peak for peak in (1.0, 255.0, 65535.0) if top <= peak), top)


def _eight(page: Page, region: Samples, peak: float | None = None) -> NDArray[np.float64]:
    """Return samples as 0–255; those of Lab have a* and b* with an offset of 128."""
    if page.photometric in (LAB, ICC_LAB):
        shift = page.bits - 8
        high = (region >> shift).astype(np.uint8)
        if page.photometric == ICC_LAB:  # with that offset (TIFF Technical Note 4)
            return high.astype(np.float64)
        return np.dstack([high[..., :1], high[..., 1:3] ^ 128]).astype(np.float64)
    peak = _peak(page, region) if peak is None else peak
    return np.clip(np.nan_to_num(region.astype(np.float64)) * (255 / peak), 0, 255)


def _colour(page: Page, rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the overlay's colour in the page's inks, 0–255."""
    if page.photometric == SEPARATED:
        return cmyk(rgb).astype(np.float64)
    if page.photometric == RGB:
        return rgb
    if page.photometric in (YCBCR, LAB, ICC_LAB):
        mode = "YCbCr" if page.photometric == YCBCR else "LAB"
        return _converted(np.rint(rgb).astype(np.uint8), "RGB", mode).astype(np.float64)
    gray = luma(rgb)[..., None].astype(np.float64)
    return gray if page.photometric == BLACK_IS_ZERO else 255 - gray


def _converted(samples: NDArray[np.uint8], before: str, after: str) -> NDArray[np.uint8]:
    """Convert (H, W, 3) samples between RGB and YCbCr or LAB, whose a* and b* have an offset of 128."""
    height, width = samples.shape[:2]
    given = np.ascontiguousarray(samples[..., :3])
    if before == "LAB":
        given = given ^ _SIGN  # Pillow takes and gives bytes as TIFF files have them
    image = Image.frombytes(before, (width, height), given.tobytes())
    if "LAB" not in (before, after):
        return np.asarray(image.convert(after))
    from PIL import ImageCms

    profiles = {"LAB": ImageCms.createProfile("LAB"), "RGB": ImageCms.createProfile("sRGB")}
    transform = ImageCms.buildTransform(profiles[before], profiles[after], before, after)
    made = ImageCms.applyTransform(image, transform)
    assert made is not None  # it is None only for in-place transforms
    return np.asarray(made) ^ _SIGN if after == "LAB" else np.asarray(made)


_SIGN = np.array([0, 128, 128], np.uint8)


def _over(page: Page, part: Samples, colour: NDArray[Any], alpha: NDArray[Any], whole: int) -> Samples:
    if page.photometric == ICC_LAB:  # L* 100 is 255, or 0xFF00 of 16 bits (ICC.1, 6.3.4.2)
        return over(part, colour * (255 / whole) * (1 << (page.bits - 8)), alpha, whole)
    if page.photometric != LAB:
        return over(part, colour, alpha, whole)
    # a* and b* are signed: they are blended with an offset, and the colour is scaled to the samples' own bits.
    high, offset = 1 << (page.bits - 8), 1 << (page.bits - 1)
    shifted = part.astype(f"u{page.dtype.itemsize}")
    shifted[..., 1:] ^= offset
    scaled = np.dstack([colour[..., :1] * ((1 << page.bits) - 1) / whole, colour[..., 1:] * 255 / whole * high])
    mixed = over(shifted, scaled, alpha, (1 << page.bits) - 1)
    mixed[..., 1:] ^= offset
    made: Samples = mixed.astype(part.dtype)
    return made


def _over_alpha(samples: Samples, colour: NDArray[Any], alpha: NDArray[Any], peak: float) -> Samples:
    """Do as :func:`labeling.codecs.pixels.over_alpha`, for floating-point samples."""
    below = samples[..., -1:].astype(np.float64) / peak
    total = alpha + below * (1 - alpha)
    safe = np.where(total > 0, total, 1)
    mixed = (colour * alpha + samples[..., :-1].astype(np.float64) * below * (1 - alpha)) / safe
    out = np.concatenate([mixed, total * peak], axis=-1).astype(samples.dtype)
    made: Samples = np.where(alpha > 0, out, samples)
    return made
