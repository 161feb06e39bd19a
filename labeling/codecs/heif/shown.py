"""A picture of a HEIF file as it is shown: its coded pictures, its clean aperture, and how it is turned."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from labeling.codecs.base import Box
from labeling.codecs.pixels import check_size, upright
from labeling.containers.heif.pictures import MAX_TILES, Pictures
from labeling.errors import LabelingError, UnreadableFile

CODED = (b"hvc1", b"hev1", b"av01")
_ALPHA = (b"auxiliary:alpha", b"auxid:1", b"aux:alpha")
_WITHOUT = "convert it to PNG, or label it without the visible text (`visible=False`)"


@dataclass(frozen=True, slots=True)
class Tile:
    """A coded picture and where it is in the whole one."""

    item: int
    left: int
    top: int
    width: int
    height: int

    def part(self, box: Box) -> Box | None:
        """Return what is in the tile of a box of the whole picture, in pixels of the tile; ``None`` if nothing is."""
        left, top = max(box[0] - self.left, 0), max(box[1] - self.top, 0)
        right, bottom = min(box[2] - self.left, self.width), min(box[3] - self.top, self.height)
        return (left, top, right, bottom) if left < right and top < bottom else None


@dataclass(slots=True)
class Shown:
    """A picture.

    Attributes:
        item: The item.
        width: Width in pixels before it is cut and turned.
        height: Height, likewise.
        tiles: What it is made of: one coded picture, or the tiles of a grid.
        rect: The part that is shown.
        orientation: The EXIF orientation that means the same as its irot and imir properties.
        alpha: The coded pictures of its alpha channel.
        premultiplied: Whether its samples are multiplied with alpha.
    """

    item: int
    width: int
    height: int
    tiles: list[Tile]
    rect: Box
    orientation: int
    alpha: list[Tile] = field(default_factory=list)
    premultiplied: bool = False

    def place(self, stored: Box) -> Box:
        """Return a box of the part that is shown in pixels of the whole picture."""
        left, top, _, _ = self.rect
        return stored[0] + left, stored[1] + top, stored[2] + left, stored[3] + top


def read(pictures: Pictures, number: int, max_pixels: int) -> Shown:
    """Find out how an item is shown.

    Raises:
        LabelingError: Items of its type cannot be painted on.
        TooLarge: The picture is beyond the limit.
    """
    base = number
    if pictures.kind(number) == b"tmap":  # a gain map on the picture that it names first (ISO 21496-1)
        base = next(iter(pictures.targets(b"dimg", number)), number)
    width, height = pictures.size(base)
    check_size(width, height, max_pixels=max_pixels)
    tiles = _tiles(pictures, base, width, height)
    rect, turned = pictures.turns(base)
    shown = Shown(base, width, height, tiles, rect, orientation(turned))
    shown.alpha = _alpha(pictures, shown)
    shown.premultiplied = bool(pictures.targets(b"prem", base))
    return shown


def _tiles(pictures: Pictures, number: int, width: int, height: int) -> list[Tile]:
    kind = pictures.kind(number)
    if kind in CODED:
        return [Tile(number, 0, 0, width, height)]
    if kind != b"grid":
        name = kind.decode("latin-1").strip().encode("unicode_escape").decode()
        raise LabelingError(f"a label cannot be drawn on a HEIF picture of the type {name}", hint=_WITHOUT)
    grid, targets = pictures.grid(number), pictures.targets(b"dimg", number)
    if len(targets) != grid.rows * grid.columns or len(targets) > MAX_TILES:
        raise UnreadableFile(f"the grid of item {number} is damaged")
    wide, high = pictures.size(targets[0])
    if (grid.width, grid.height) != (width, height) or wide * grid.columns < width or high * grid.rows < height:
        raise UnreadableFile(f"the tiles of the grid of item {number} do not cover it")
    found = []
    for index, target in enumerate(targets):
        if pictures.kind(target) not in CODED or pictures.turns(target) != ((0, 0, wide, high), []):
            raise LabelingError("the HEIF picture is a grid of pictures that are cut or turned", hint=_WITHOUT)
        found.append(Tile(target, index % grid.columns * wide, index // grid.columns * high, wide, high))
    return found


def _alpha(pictures: Pictures, shown: Shown) -> list[Tile]:
    own = next((each for each in pictures.sources(b"auxl", shown.item) if is_alpha(pictures, each)), 0)
    if own:
        size = pictures.size(own)
        if size != (shown.width, shown.height):
            raise LabelingError("the alpha channel of the HEIF picture has a size of its own", hint=_WITHOUT)
        return _tiles(pictures, own, *size)
    found = []
    for tile in shown.tiles:
        numbers = [number for number in pictures.sources(b"auxl", tile.item) if is_alpha(pictures, number)]
        found += [Tile(number, tile.left, tile.top, tile.width, tile.height) for number in numbers]
    return found


def is_alpha(pictures: Pictures, number: int) -> bool:
    """Return whether an auxiliary picture is an alpha channel (ISO/IEC 23008-12, 6.5.8)."""
    return is_alpha_urn((pictures.property(number, b"auxC") or b"")[4:])


def is_alpha_urn(text: bytes) -> bool:
    """Return whether a type of auxiliary pictures, up to its first NUL, is that of alpha channels."""
    return text.partition(b"\0")[0].endswith(_ALPHA)


def orientation(turned: list[tuple[str, int]]) -> int:
    """Return the EXIF orientation that means the same as irot and imir properties in this order."""
    probe = np.arange(6, dtype=np.uint8).reshape(2, 3)
    wanted = probe
    for kind, value in turned:
        wanted = np.rot90(wanted, value) if kind == "irot" else wanted[:, ::-1] if value else wanted[::-1]
    return next(number for number in range(1, 9) if np.array_equal(upright(probe, number), wanted))
