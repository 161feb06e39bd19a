"""Take a GIF file apart into its blocks (GIF89a specification), and make new frames."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.base import Box, Pixels
from labeling.containers import gif as container
from labeling.errors import UnreadableFile

Keys = NDArray[np.uint32]
"""Colours as numbers 0xRRGGBB."""

_CONTROL = 0xF9


@dataclass(frozen=True, slots=True)
class Frame:
    """What a frame says about itself.

    Attributes:
        delay: How long it is shown, in hundredths of a second.
        user_input: Whether it waits for the user.
        table: Its colour table, or the global one.
        own: Whether the table is its own.
        box: Its rectangle on the canvas.
        dispose: Its disposal method (GIF89a, 23).
        clear: The number of the colour that is not drawn, if there is one.
        interlaced: Whether its rows are stored in four passes.
        coded: Where in the file its LZW data begin, with their code size, and end.
    """

    delay: int
    user_input: bool
    table: Keys
    own: bool
    box: Box
    dispose: int
    clear: int | None
    interlaced: bool
    coded: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Gif:
    """A GIF taken apart.

    Attributes:
        width: Width of the canvas in pixels.
        height: Its height in pixels.
        screen: The header, as 89a, with the global colour table.
        blocks: Frames, and the bytes of extensions, in the order of the file. Graphic control extensions are part of
            their frames.
        rest: The trailer, and what follows it.
    """

    width: int
    height: int
    screen: bytes
    blocks: tuple[Frame | bytes, ...]
    rest: bytes

    @property
    def frames(self) -> int:
        """Number of frames."""
        return sum(isinstance(block, Frame) for block in self.blocks)


def split(raw: bytes) -> Gif:
    """Take a GIF apart.

    Raises:
        UnreadableFile: The file is cut off or damaged.
    """
    try:
        return _split(raw)
    except (struct.error, IndexError) as error:
        raise UnreadableFile("the GIF is cut off or damaged") from error


def _split(raw: bytes) -> Gif:
    width, height, flags, background, aspect = struct.unpack_from("<HHBBB", raw, 6)
    table = _table(raw, 13, flags)
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, flags, background, aspect)
    screen = head + raw[13 : container.tables_end(raw)]
    blocks: list[Frame | bytes] = []
    control = b""
    for kind, at, end in container.walk(raw):
        if kind == container.TRAILER:
            return Gif(width, height, screen, tuple(blocks), raw[at:])
        if kind == container.EXTENSION:
            if raw[at + 1] == _CONTROL:
                control = raw[at + 3 : end]
            else:
                blocks.append(raw[at:end])
        elif kind == container.IMAGE:
            local = _table(raw, at + 10, raw[at + 9])
            own = bool(len(local))
            blocks.append(_frame(control, raw, at, end, local if own else table, own))
            control = b""
        else:
            raise UnreadableFile(f"the GIF has a block of unknown kind at offset {at}; it is damaged")
    raise UnreadableFile("the GIF is cut off: the trailer that ends it is missing")


def _frame(control: bytes, raw: bytes, at: int, end: int, table: Keys, own: bool) -> Frame:
    """Parse a graphic control extension, empty if there is none, and the image descriptor at ``at``."""
    delay, flags = int.from_bytes(control[1:3], "little"), control[0] if control else 0
    left, top, width, height, packed = struct.unpack_from("<HHHHB", raw, at + 1)
    return Frame(
        delay, bool(flags & 2), table, own, (left, top, left + width, top + height), flags >> 2 & 7,
        control[3] if flags & 1 and len(control) > 3 else None, bool(packed & 0x40),
        (at + 10 + container.table_size(packed), end),
    )  # fmt: skip


def _table(raw: bytes, at: int, flags: int) -> Keys:
    """Read the colour table at ``at``, as the packed field ``flags`` announces it; empty if there is none."""
    colours = raw[at : at + container.table_size(flags)]
    if len(colours) < container.table_size(flags):
        raise UnreadableFile("the GIF is cut off inside a colour table")
    return keys(np.frombuffer(colours, np.uint8).reshape(-1, 3))


def keys(rgb: Pixels) -> Keys:
    """Pack (…, 3 or more) RGB into one number for each pixel."""
    wide = rgb.astype(np.uint32)
    packed: Keys = (wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]).astype(np.uint32)
    return packed


Bands = Callable[[], Iterator[tuple[Keys, NDArray[np.bool_]]]]
"""Yields the colours of a frame in bands of rows, and where it shows them and not what is below."""

_MANY = 1 << 18
"""Pixels from which a table of all colours is faster than sorting them."""


def used_in(bands: Iterable[tuple[Keys, NDArray[np.bool_]]]) -> tuple[Keys, bool]:
    """Return the colours that are visible in bands, in order, and whether something is not visible."""
    found: list[Keys] = []
    there: NDArray[np.bool_] | None = None
    hole = False
    for colours, visible in bands:
        everything = bool(visible.all())
        hole |= not everything
        shown = colours.ravel() if everything else colours[visible]
        if there is None and shown.size < _MANY:
            found.append(np.unique(shown))
        else:
            there = np.zeros(1 << 24, np.bool_) if there is None else there
            there[shown] = True
    if there is not None:
        found.append(np.flatnonzero(there).astype(np.uint32))
    return (np.unique(np.concatenate(found)) if found else np.zeros(0, np.uint32)), hole


def frame(
    source: Frame, origin: tuple[int, int], size: tuple[int, int], bands: Bands, *, dispose: int, hollow: bool = False
) -> bytes | None:
    """Make one frame: graphic control extension, image descriptor, colour table if needed, LZW data.

    Args:
        source: The frame that it replaces.
        origin: x and y of its upper left corner on the canvas.
        size: Its height and its width.
        bands: Its pixels, from the top; asked for twice.
        dispose: Disposal method.
        hollow: Whether it names a colour that is not drawn even if it draws everything: what it is cleared to is then
            nothing for all players. Some clear to the background colour if no frame names one.

    Returns:
        The blocks, or ``None`` if the colours do not fit into one table.
    """
    used, hole = used_in(bands())
    hole = hole or hollow
    table, own = _choose(source, used, hole)
    if table is None:
        return None
    order = np.argsort(table, kind="stable")
    taken = order[np.searchsorted(table, used, sorter=order)]
    clear = next((i for i in range(len(table) - 1, -1, -1) if i not in set(taken.tolist())), 0) if hole else 0
    height, width = size
    indices = np.empty((height, width), np.uint8)
    numbers = np.zeros(1 << 24, np.uint8) if height * width >= _MANY else None
    if numbers is not None:
        numbers[used] = taken
    at = 0
    for colours, visible in bands():
        part = indices[at : at + len(colours)]
        if numbers is not None:
            np.take(numbers, colours, out=part)
            part[~visible] = clear
        else:
            part[...] = clear
            part[visible] = taken[np.searchsorted(used, colours[visible])]
        at += len(colours)
    control = struct.pack("<BHBB", dispose << 2 | source.user_input << 1 | hole, source.delay, clear, 0)
    bits = max(1, (len(table) - 1).bit_length())
    local = _table_bytes(table, bits) if own else b""
    descriptor = struct.pack("<BHHHHB", container.IMAGE, *origin, width, height, (0x80 | (bits - 1)) if own else 0)
    return b"".join((bytes([container.EXTENSION, _CONTROL, 4]), control, descriptor, local, _lzw(indices)))


def _choose(source: Frame, used: Keys, hole: bool) -> tuple[Keys | None, bool]:
    """Choose a colour table: the frame's if it still suffices, else a new one in which its entries keep their order.

    Returns:
        The table (``None`` if the colours do not fit), and whether it is the frame's own.
    """
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

    height, width = indices.shape
    image: Any = Image.frombuffer("L", (width, height), indices, "raw", "L", 0, 1)
    return b"".join((b"\x08", image.tobytes("gif", ("L", 8, 0)), b"\0"))
