"""What PNG samples look like, and how an overlay is blended into them in their own colour type."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.base import Pixels
from labeling.codecs.pixels import luma, over, over_alpha, split_overlay
from labeling.codecs.png.samples import GRAY, GRAY_ALPHA, PALETTE, RGB, RGBA, Header, Samples
from labeling.errors import UnreadableFile


@dataclass(frozen=True, slots=True)
class Look:
    """Header, palette and transparency: everything that gives samples their meaning.

    Attributes:
        header: The image header.
        palette: (n, 4) uint8 RGBA; ``None`` if the picture has no palette.
        key: The colour that tRNS makes transparent in gray and RGB pictures; ``None`` if there is none.
    """

    header: Header
    palette: Pixels | None = None
    key: tuple[int, ...] | None = None

    @classmethod
    def parse(cls, header: Header, plte: bytes, trns: bytes) -> Look:
        """Read the payloads of PLTE and tRNS; empty where there is none.

        Raises:
            UnreadableFile: A palette picture has no palette.
        """
        if header.colour == PALETTE:
            entries = min(len(plte) // 3, 256)
            if not entries:
                raise UnreadableFile("the palette PNG has no palette (PLTE); the file is damaged")
            palette = np.full((entries, 4), 255, np.uint8)
            palette[:, :3] = np.frombuffer(plte[: entries * 3], np.uint8).reshape(-1, 3)
            alpha = np.frombuffer(trns[:entries], np.uint8)
            palette[: len(alpha), 3] = alpha
            return cls(header, palette)
        if trns and header.colour in (GRAY, RGB) and len(trns) >= 2 * header.channels:
            return cls(header, None, struct.unpack(f">{header.channels}H", trns[: 2 * header.channels]))
        return cls(header)

    def plte(self) -> bytes:
        """Return the payload of PLTE; empty if the colour type needs none."""
        return b"" if self.palette is None else self.palette[:, :3].tobytes()

    def trns(self) -> bytes:
        """Return the payload of tRNS; empty if everything is opaque or the samples contain alpha."""
        if self.palette is not None:
            clear = np.flatnonzero(self.palette[:, 3] < 255)
            return self.palette[: clear[-1] + 1, 3].tobytes() if len(clear) else b""
        return b"" if self.key is None else struct.pack(f">{len(self.key)}H", *self.key)

    def keyed(self, samples: Samples) -> NDArray[np.bool_]:
        """Return which pixels tRNS makes transparent: (H, W)."""
        if self.key is None:
            return np.zeros(samples.shape[:2], np.bool_)
        mask: NDArray[np.bool_] = samples[..., 0] == self.key[0]
        for channel in range(1, len(self.key)):
            mask &= samples[..., channel] == self.key[channel]
        return mask

    def rgba(self, samples: Samples) -> Samples:
        """Convert exactly to RGBA: (H, W, 4) uint8, or uint16 for 16-bit samples.

        Raises:
            UnreadableFile: A sample refers to a palette entry that does not exist.
        """
        header = self.header
        if self.palette is not None:
            if samples.size and int(samples.max()) >= len(self.palette):
                raise UnreadableFile("the PNG uses colours that its palette does not have; the file is damaged")
            colours: Samples = self.palette[samples[..., 0]]
            return colours
        peak = 65535 if header.depth == 16 else 255
        deep = samples if header.depth >= 8 else samples * (255 // header.peak)
        out = np.full((*samples.shape[:2], 4), peak, deep.dtype)
        out[..., :3] = deep[..., :3] if header.colour in (RGB, RGBA) else deep[..., :1]
        if header.colour in (GRAY_ALPHA, RGBA):
            out[..., 3] = deep[..., -1]
        out[self.keyed(samples), 3] = 0
        return out

    def as_rgba(self) -> Look:
        """Return the look of the samples after :meth:`rgba`."""
        depth = 16 if self.header.depth == 16 else 8
        return Look(replace(self.header, depth=depth, colour=RGBA, interlaced=False))

    def widened(self, samples: Samples) -> tuple[Look, Samples]:
        """Convert 1-, 2- and 4-bit gray exactly to 8 bits, which can show an overlay's soft edges."""
        if self.header.colour != GRAY or self.header.depth >= 8:
            return self, samples
        scale = 255 // self.header.peak
        key = None if self.key is None else ((self.key[0] & self.header.peak) * scale,)
        return Look(replace(self.header, depth=8), None, key), samples * np.uint8(scale)


def shown(look: Look, samples: Samples) -> Pixels:
    """Return samples as 8-bit (H, W, 3) RGB, or (H, W, 4) RGBA if any of them is transparent."""
    header = look.header
    if header.colour == RGB and header.depth == 8 and look.key is None:
        return samples
    if look.palette is None and look.key is None and header.colour not in (GRAY_ALPHA, RGBA):
        opaque = look.widened(samples)[1] if header.depth < 8 else samples
        eight = (opaque >> 8).astype(np.uint8) if header.depth == 16 else opaque
        return eight if header.colour == RGB else np.repeat(eight, 3, axis=2)
    rgba = look.rgba(samples)
    eight = (rgba >> 8).astype(np.uint8) if rgba.dtype == np.uint16 else rgba
    return eight if eight[..., 3].min() < 255 else np.ascontiguousarray(eight[..., :3])


@dataclass(frozen=True, slots=True)
class Laid:
    """What an overlay makes of a picture.

    Attributes:
        look: The look of the picture afterwards.
        region: The samples in the box afterwards, in this look.
        converted: Turns any other samples of the picture into this look.
        note: What had to change about the colour type; empty if nothing.
    """

    look: Look
    region: Samples
    converted: Callable[[Samples], Samples]
    note: str = ""


def lay(look: Look, region: Samples, used: NDArray[np.bool_], overlay: Pixels) -> Laid:
    """Blend an overlay into samples.

    Args:
        look: The look of the samples.
        region: The samples in the box; they are not changed.
        used: (256,) which palette entries are used in the picture.
        overlay: (H, W, 4) uint8 RGBA for the box, as stored.
    """
    if look.palette is not None:
        made = _lay_palette(look, region, used, overlay)
        if made is not None:
            deeper = made[0].header.depth
            note = "" if deeper == look.header.depth else f"the {look.header.depth}-bit palette became {deeper}-bit"
            return Laid(*made, lambda samples: samples, note)
        rgba = look.as_rgba()
        note = "the palette had no room for the label: now RGBA"
        return Laid(rgba, _mixed(rgba, look.rgba(region), overlay), look.rgba, note)
    wide, widened = look.widened(region)
    mixed = _mixed(wide, widened, overlay)
    note = "" if wide is look else f"{look.header.depth}-bit gray became 8-bit gray"
    if look.key is not None:
        # A transparent colour cannot express soft edges over nothing, and must not make part of the label disappear.
        touched = overlay[..., 3] > 0
        if ((wide.keyed(widened) | wide.keyed(mixed)) & touched).any():
            rgba = wide.as_rgba()
            note = "its transparent colour became an alpha channel"
            clear = _mixed(rgba, wide.rgba(widened), overlay)
            return Laid(rgba, clear, lambda samples: wide.rgba(look.widened(samples)[1]), note)
    return Laid(wide, mixed, lambda samples: look.widened(samples)[1], note)


_AT_ONCE = 1 << 16
"""About as many pixels are blended at once, in floating point."""


def _mixed(look: Look, region: Samples, overlay: Pixels) -> Samples:
    step = max(1, _AT_ONCE // max(region.shape[1], 1))
    out = np.empty_like(region)
    for y in range(0, len(region), step):
        out[y : y + step] = _blended(look, region[y : y + step], overlay[y : y + step])
    return out


def _blended(look: Look, region: Samples, overlay: Pixels) -> Samples:
    colour, alpha = split_overlay(overlay)
    peak = 65535 if look.header.depth == 16 else 255
    if look.header.colour in (GRAY, GRAY_ALPHA):
        colour = luma(colour)[..., None].astype(np.float64)
    colour = colour * (peak // 255)
    blend = over if look.header.colour in (GRAY, RGB) else over_alpha
    return blend(region, colour, alpha, peak)


def _lay_palette(look: Look, region: Samples, used: NDArray[np.bool_], overlay: Pixels) -> tuple[Look, Samples] | None:
    """Blend the overlay into palette indices with new palette entries; ``None`` if there are too few."""
    assert look.palette is not None
    touched = overlay[..., 3] > 0
    colour, alpha = split_overlay(overlay)
    mixed = over_alpha(look.rgba(region), colour, alpha)[touched]
    wanted, back = np.unique(mixed.view("<u4")[..., 0], return_inverse=True)
    have = {int(value): i for i, value in reversed(list(enumerate(look.palette.copy().view("<u4")[:, 0])))}
    new = [int(value) for value in wanted if int(value) not in have]
    free = [i for i in range(256) if i >= len(look.palette) or not used[i]]
    free = [i for i in free if i >= len(look.palette)] + [i for i in free if i < len(look.palette)]
    reused = {have[int(value)] for value in wanted if int(value) in have}
    free = [i for i in free if i not in reused]
    if len(new) > len(free):
        return None
    have.update(zip(new, free, strict=False))
    entries = max([len(look.palette), *(i + 1 for i in free[: len(new)])])
    palette = np.full((entries, 4), 255, np.uint8)
    palette[: len(look.palette)] = look.palette
    for value in new:
        palette[have[value]] = np.frombuffer(value.to_bytes(4, "little"), np.uint8)
    indices = np.array([have[int(value)] for value in wanted], np.uint8)[back.ravel()]
    region = region.copy()
    region[touched, 0] = indices
    depth = max(look.header.depth, next(d for d in (1, 2, 4, 8) if entries <= 1 << d))
    return Look(replace(look.header, depth=depth), palette), region
