"""A picture of a HEIF file as it is shown: its coded pictures, its clean aperture, and how it is turned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from labeling.codecs.base import Box
from labeling.codecs.pixels import check_size, upright
from labeling.containers.heif.pictures import MAX_TILES, Pictures
from labeling.errors import LabelingError, UnreadableFile

CODED = (b"hvc1", b"hev1", b"av01")
_ALPHA = (b"auxiliary:alpha", b"auxid:1", b"aux:alpha")
_MAX_DEPTH = 4
_WITHOUT = "convert it to PNG, or label it without the visible text (`visible=False`)"


@dataclass(frozen=True, slots=True)
class Tile:
    """A coded picture and where it is in the whole one.

    ``grid`` is the grid item that it is a tile of, if it is one: tiles of a grid are coded alike.
    """

    item: int
    left: int
    top: int
    width: int
    height: int
    grid: int = 0

    def part(self, box: Box) -> Box | None:
        """Return what is in the tile of a box of the whole picture, in pixels of the tile; ``None`` if nothing is."""
        left, top = max(box[0] - self.left, 0), max(box[1] - self.top, 0)
        right, bottom = min(box[2] - self.left, self.width), min(box[3] - self.top, self.height)
        return (left, top, right, bottom) if left < right and top < bottom else None

    def alike(self, tiles: list[Tile]) -> list[Tile]:
        """Return those of a picture's tiles that are coded as this one is."""
        return [each for each in tiles if each.grid == self.grid] if self.grid else [self]


@dataclass(slots=True)
class Shown:
    """A picture.

    Attributes:
        item: The item.
        width: Width in pixels before it is cut and turned.
        height: Height, likewise.
        tiles: What it is made of: one coded picture, or the tiles of a grid; of a derived picture, those below it.
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
    found: dict[int, Tile] = {}
    for tile in _coded(pictures, number, 0, 0, (width, height), _MAX_DEPTH):
        if tile.item in found:
            raise LabelingError("the HEIF picture shows the same picture at several places", hint=_WITHOUT)
        found[tile.item] = tile
    return list(found.values())


def _coded(
    pictures: Pictures, number: int, left: int, top: int, size: tuple[int, int], depth: int, grid: int = 0
) -> Iterator[Tile]:
    """Yield the coded pictures of an item: itself, or those that it is derived from (ISO/IEC 23008-12, 6.6.2)."""
    kind = pictures.kind(number)
    if kind in CODED:
        yield Tile(number, left, top, *size, grid)
        return
    if kind not in (b"grid", b"iden", b"iovl"):
        name = kind.decode("latin-1").strip().encode("unicode_escape").decode()
        raise LabelingError(f"a label cannot be drawn on a HEIF picture of the type {name}", hint=_WITHOUT)
    if not depth:
        raise LabelingError("the HEIF picture is derived from others in too many steps", hint=_WITHOUT)
    targets = pictures.targets(b"dimg", number)
    columns, wide, high = 1, *size
    if kind == b"iovl":
        yield from _layers(pictures, number, left, top, size, depth)
        return
    if kind == b"grid":
        form = pictures.grid(number)
        if len(targets) != form.rows * form.columns or len(targets) > MAX_TILES:
            raise UnreadableFile(f"the grid of item {number} is damaged")
        columns, (wide, high) = form.columns, pictures.size(targets[0])
        if (form.width, form.height) != size or wide * columns < size[0] or high * form.rows < size[1]:
            raise UnreadableFile(f"the tiles of the grid of item {number} do not cover it")
    elif len(targets) != 1:
        raise UnreadableFile(f"item {number} is not derived from one picture")
    for index, target in enumerate(targets):
        if pictures.size(target) != (wide, high):
            raise LabelingError("the HEIF picture is derived from pictures of several sizes", hint=_WITHOUT)
        place = left + index % columns * wide, top + index // columns * high
        yield from _below(pictures, target, *place, depth, number if kind == b"grid" else grid)


def _below(pictures: Pictures, number: int, left: int, top: int, depth: int, grid: int = 0) -> Iterator[Tile]:
    """Yield the coded pictures of an item that another one is derived from."""
    size = pictures.size(number)
    if pictures.turns(number) != ((0, 0, *size), []):
        raise LabelingError("the HEIF picture is derived from pictures that are cut or turned", hint=_WITHOUT)
    if pictures.kind(number) not in CODED and any(is_alpha(pictures, n) for n in pictures.sources(b"auxl", number)):
        raise LabelingError("the HEIF picture is derived from others with alpha channels", hint=_WITHOUT)
    yield from _coded(pictures, number, left, top, size, depth - 1, grid)


def _layers(pictures: Pictures, number: int, left: int, top: int, size: tuple[int, int], depth: int) -> Iterator[Tile]:
    """Yield the coded pictures of an overlay, the lowest first: of a label on all, the uppermost is seen."""
    targets, places = pictures.targets(b"dimg", number), pictures.overlay(number)
    if len(places) != len(targets) or len(targets) > MAX_TILES:
        raise UnreadableFile(f"the overlay of item {number} is damaged")
    covered = False
    for target, (across, down) in zip(targets, places, strict=True):
        wide, high = pictures.size(target)
        covered = covered or (across <= 0 <= down + high - size[1] and down <= 0 <= across + wide - size[0])
        for tile in _below(pictures, target, left + across, top + down, depth):
            if any(is_alpha(pictures, each) for each in pictures.sources(b"auxl", tile.item)):
                raise LabelingError("the HEIF picture is made of layers that are transparent in part", hint=_WITHOUT)
            yield tile
    if not covered:
        raise LabelingError("the HEIF picture is made of layers of which none covers all of it", hint=_WITHOUT)


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
        found += [Tile(number, tile.left, tile.top, tile.width, tile.height, tile.grid) for number in numbers]
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
