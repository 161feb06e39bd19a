"""The blocks of a GIF file (GIF89a specification): taken apart, and frames made anew."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.base import Pixels
from labeling.errors import UnreadableFile

Keys = NDArray[np.uint32]
"""Colours as 0xRRGGBB."""

_EXTENSION, _IMAGE, _TRAILER, _CONTROL = 0x21, 0x2C, 0x3B, 0xF9
_MAX_BLOCKS = 1_000_000


@dataclass(frozen=True, slots=True)
class Frame:
    """What a frame says about itself. ``table`` is its own colour table or the global one, ``own`` tells which."""

    delay: int
    user_input: bool
    table: Keys
    own: bool


@dataclass(frozen=True, slots=True)
class Gif:
    """A GIF taken apart. ``blocks`` are frames, and extensions as bytes, in the order of the file."""

    width: int
    height: int
    screen: bytes
    blocks: tuple[Frame | bytes, ...]
    rest: bytes

    @property
    def frames(self) -> int:
        """The number of pictures."""
        return sum(isinstance(block, Frame) for block in self.blocks)


def split(raw: bytes) -> Gif:
    """Take a GIF apart; raises :class:`~labeling.errors.UnreadableFile` where it is cut off."""
    try:
        return _split(raw)
    except (struct.error, IndexError) as error:
        raise UnreadableFile("the GIF is cut off or damaged") from error


def _split(raw: bytes) -> Gif:
    width, height, flags, background, aspect = struct.unpack_from("<HHBBB", raw, 6)
    at = 13
    table, at = _table(raw, at, flags)
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, flags, background, aspect) + raw[13:at]
    blocks: list[Frame | bytes] = []
    control = b""
    for _ in range(_MAX_BLOCKS):
        kind = raw[at]
        if kind == _TRAILER:
            return Gif(width, height, screen, tuple(blocks), raw[at:])
        if kind == _EXTENSION:
            end = _skip(raw, at + 2)
            if raw[at + 1] == _CONTROL:
                control = raw[at + 3 : end]
            else:
                blocks.append(raw[at:end])
        elif kind == _IMAGE:
            local, data = _table(raw, at + 10, raw[at + 9])
            own = bool(len(local))
            delay = int.from_bytes(control[1:3], "little")
            blocks.append(Frame(delay, bool(control[:1] and control[0] & 2), local if own else table, own))
            end, control = _skip(raw, data + 1), b""
        else:
            raise UnreadableFile(f"the GIF has a block of unknown kind at byte {at}; it is damaged")
        at = end
    raise UnreadableFile(f"the GIF has more than {_MAX_BLOCKS:,} blocks")


def _table(raw: bytes, at: int, flags: int) -> tuple[Keys, int]:
    if not flags & 0x80:
        return np.zeros(0, np.uint32), at
    end = at + 3 * (2 << (flags & 7))
    if end > len(raw):
        raise UnreadableFile("the GIF is cut off inside a colour table")
    return keys(np.frombuffer(raw[at:end], np.uint8).reshape(-1, 3)), end


def _skip(raw: bytes, at: int) -> int:
    while size := raw[at]:
        at += size + 1
    return at + 1


def keys(rgb: Pixels) -> Keys:
    """Pack (…, ≥3) RGB into one number a pixel."""
    wide = rgb.astype(np.uint32)
    packed: Keys = (wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]).astype(np.uint32)
    return packed


def frame(
    source: Frame, origin: tuple[int, int], colours: Keys, visible: NDArray[np.bool_], *, dispose: int
) -> bytes | None:
    """Make one frame: graphic control extension, image descriptor, colour table if needed, LZW data.

    ``colours`` and ``visible`` are (H, W); where ``visible`` is false the frame shows what is below. Returns ``None``
    if the colours do not fit into one table.
    """
    used = np.unique(colours[visible])
    hole = bool((~visible).any())
    table, own = _choose(source, used, hole)
    if table is None:
        return None
    order = np.argsort(table, kind="stable")
    indices = np.zeros(colours.shape, np.uint8)
    indices[visible] = order[np.searchsorted(table, colours[visible], sorter=order)]
    clear = 0
    if hole:
        clear = next(i for i in range(len(table) - 1, -1, -1) if i not in set(indices[visible].ravel().tolist()))
        indices[~visible] = clear
    control = struct.pack("<BHBB", dispose << 2 | source.user_input << 1 | hole, source.delay, clear, 0)
    bits = max(1, (len(table) - 1).bit_length())
    height, width = colours.shape
    local = _table_bytes(table, bits) if own else b""
    descriptor = struct.pack("<BHHHHB", _IMAGE, *origin, width, height, (0x80 | (bits - 1)) if own else 0)
    return bytes([_EXTENSION, _CONTROL, 4]) + control + descriptor + local + _lzw(indices)


def _choose(source: Frame, used: Keys, hole: bool) -> tuple[Keys | None, bool]:
    """Choose a colour table: the one the frame had if it still suffices, else a local one; entries keep their order."""
    have = source.table
    spare = len(have) > len(np.intersect1d(have, used)) and len(have) > len(used)
    if len(have) and np.isin(used, have).all() and (spare or not hole):
        return have, source.own
    added = np.concatenate([have, np.setdiff1d(used, have)])
    if len(added) + hole > 256:
        added = used
    if len(added) + hole > 256:
        return None, True
    padding = np.zeros(int(hole), np.uint32)
    return np.concatenate([added, padding]).astype(np.uint32), True


def _table_bytes(table: Keys, bits: int) -> bytes:
    rgb = np.zeros((1 << bits, 3), np.uint8)
    for channel, shift in enumerate((16, 8, 0)):
        rgb[: len(table), channel] = table >> shift & 255
    return rgb.tobytes()


def _lzw(indices: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    image: Any = Image.fromarray(indices)
    return b"\x08" + bytes(image.tobytes("gif", ("L", 8, 0))) + b"\0"
