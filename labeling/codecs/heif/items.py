"""Paint on the items of HEIC and AVIF files (ISO/IEC 23008-12).

Only coded pictures that the label covers are encoded again, as their source was: of a grid, the tiles under the label.
They go into the file that is there, so that all other items, properties, references and groups stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from labeling.codecs.base import Box, Painter, Pixels
from labeling.codecs.heif import planes, shown
from labeling.codecs.heif.av1_coding import Av1
from labeling.codecs.heif.coding import Coded, Coding, Hevc
from labeling.codecs.heif.planes import Colour, Planes
from labeling.codecs.heif.shown import Shown, Tile
from labeling.codecs.pixels import Plan, as_stored, check_size, make_plan, stored_box, upright
from labeling.containers.heif.pictures import Pictures
from labeling.containers.heif.repaint import PictureEditor
from labeling.errors import LabelingError, TooLarge, UnreadableFile
from labeling.losses import Loss

MATRIX = "the encoder takes this matrix only; the samples were converted to it"
"""Why the colour description of a picture had to change."""

GRAIN = "film grain synthesis"

_EDGE = 128
"""Pixels in either direction that a coded picture may be larger than what is shown of it, and FFmpeg's rows than that.

One of a few bytes could claim any size.
"""

_LAYERS = (b"a1lx", b"a1op", b"lsel")
"""Properties of the layers of a progressive AV1 picture; the new one has a single layer (AVIF, 2.2)."""


ALPHA_TOO = "the alpha channel was re-encoded too"
"""What is said where the label had to make transparent parts opaque."""


class Written(NamedTuple):
    """What became of the items: how they were encoded, whether that was without loss, and reasons for what is lost.

    ``lost`` is what no comparison of the files sees.
    """

    how: str
    lossless: bool
    reasons: dict[str, str]
    lost: tuple[Loss, ...] = ()


@dataclass(slots=True)
class Items:
    """The pictures that have been painted so far.

    ``decoded`` are those of items, ``changed`` which of them have been painted on, with the tiles of their grid.
    """

    pictures: Pictures
    quality: int | None
    max_pixels: int
    decoded: dict[int, Planes] = field(default_factory=dict)
    changed: dict[int, list[Tile]] = field(default_factory=dict)
    alphas: set[int] = field(default_factory=set)
    thumbnails: int = 0
    unpainted: int = 0

    def label(self, picture: Shown, painter: Painter) -> Plan:
        """Ask the painter for a label, and lay it on a picture and its thumbnails."""
        left, top, right, bottom = picture.rect
        plan = make_plan(painter, right - left, bottom - top, picture.orientation)
        box = picture.place(plan.stored)
        overlay = plan.overlay(painter, self._backdrops(picture, box))
        self._lay(picture, box, overlay)
        for number in self.pictures.sources(b"thmb", picture.item):
            self._thumbnail(number, plan, overlay)
        return plan

    def _planes(self, item: int) -> Planes:
        if item not in self.decoded:
            self.decoded[item] = decode_item(self.pictures, item, self.max_pixels)
        return self.decoded[item]

    def _backdrops(self, picture: Shown, box: Box) -> list[Pixels]:
        """Return what is under the label: over white and over black, if it is transparent."""
        height, width = box[3] - box[1], box[2] - box[0]
        rgb, alpha = np.ones((height, width, 3)), np.ones((height, width, 1))
        for tile in picture.tiles:
            if part := tile.part(box):
                rgb[_within(tile, part, box)] = planes.to_rgb(self._planes(tile.item), part)
        for tile in picture.alpha:
            if part := tile.part(box):
                alpha[_within(tile, part, box)] = planes.alpha_of(self._planes(tile.item), part)[..., None]
        light = rgb if picture.premultiplied else rgb * alpha
        grounds = (1.0, 0.0) if alpha.min() < 1 else (1.0,)
        return [np.rint(np.clip(light + (1 - alpha) * ground, 0, 1) * 255).astype(np.uint8) for ground in grounds]

    def _lay(self, picture: Shown, box: Box, overlay: Pixels) -> None:
        """Blend an overlay into the coded pictures under a box."""
        clear = []
        alpha = np.ones(overlay.shape[:2])
        for tile in picture.alpha:
            if part := tile.part(box):
                found = planes.alpha_of(self._planes(tile.item), part)
                alpha[_within(tile, part, box)] = found
                if found.min() < 1:
                    clear.append((tile, part))
        for tile in picture.tiles:
            if part := tile.part(box):
                here = _within(tile, part, box)
                below = None if picture.premultiplied or not clear else alpha[here]
                planes.paint(self._planes(tile.item), part, overlay[here], below)
                self.changed[tile.item] = tile.alike(picture.tiles)
        for tile, part in clear:
            planes.paint_alpha(self._planes(tile.item), part, overlay[_within(tile, part, box)])
            self.changed[tile.item] = tile.alike(picture.alpha)
            self.alphas.add(tile.item)

    def _thumbnail(self, number: int, plan: Plan, overlay: Pixels) -> None:
        """Lay the same label on a thumbnail, reduced."""
        import cv2

        try:
            small = shown.read(self.pictures, number, self.max_pixels)
        except LabelingError:
            self.unpainted += 1
            return
        left, top, right, bottom = small.rect
        wide, high = (bottom - top, right - left) if small.orientation >= 5 else (right - left, bottom - top)
        across, down = wide / plan.width, high / plan.height
        box = (
            int(plan.box[0] * across),
            int(plan.box[1] * down),
            min(wide, max(int(plan.box[0] * across) + 1, round(plan.box[2] * across))),
            min(high, max(int(plan.box[1] * down) + 1, round(plan.box[3] * down))),
        )
        label: Any = upright(overlay, plan.orientation).astype(np.float32)
        label[..., :3] *= label[..., 3:] / 255
        reduced: Any = cv2.resize(label, (box[2] - box[0], box[3] - box[1]), interpolation=cv2.INTER_AREA)
        reduced[..., :3] *= np.divide(255, np.maximum(reduced[..., 3:], 1e-3), dtype=np.float32)
        stored = as_stored(np.clip(np.rint(reduced), 0, 255).astype(np.uint8), small.orientation)
        self._lay(small, small.place(stored_box(box, small.orientation, right - left, bottom - top)), stored)
        self.thumbnails += 1

    # The result

    def write(self, editor: PictureEditor) -> Written:
        """Encode what was painted, and put it into the file."""
        made: dict[int, Coded] = {}
        reasons: dict[str, str] = {}
        for item, tiles in list(self.changed.items()):
            if item in made:
                continue
            self._encode(item, made, tile=len(tiles) > 1)
            if len(tiles) > 1 and not self._alike(item, made[item]):
                for tile in tiles:  # the tiles of a grid are coded alike (ISO/IEC 23000-22, 7.3.11.4.2)
                    if tile.item not in made:
                        self._encode(tile.item, made, tile=True)
        how = self._how(made)
        for item, coded in made.items():
            if coded.colour is not None:
                reasons["colour:nclx"] = MATRIX
            editor.replace(item, coded.payload)
            for kind in _LAYERS:
                editor.drop_property(item, kind)
                reasons[f"property:{kind.decode()}"] = "the new picture has a single layer"
        self._configure(editor, made)
        lost = tuple(Loss(GRAIN, f"AVIF item {item}", coded.grain) for item, coded in made.items() if coded.grain)
        return Written(how, all(coded.lossless for coded in made.values()), reasons, lost)

    def _encode(self, item: int, made: dict[int, Coded], *, tile: bool) -> None:
        coding = coding_of(self.pictures.kind(item))
        assert coding is not None
        configuration = self.pictures.property(item, coding.property) or b""
        made[item] = coding.encode(
            self._planes(item), self.pictures.payload(item), configuration, self.quality, tile=tile
        )

    def _alike(self, item: int, coded: Coded) -> bool:
        """Return whether other tiles can stay beside a new one."""
        if self.pictures.kind(item) != b"av01":
            return True
        old = self.pictures.property(item, b"av1C") or b""
        return coded.colour is None and coded.configuration[:3] == old[:3]

    def _configure(self, editor: PictureEditor, made: dict[int, Coded]) -> None:
        """Give items the properties of their new data."""
        new: dict[tuple[bytes, bytes], list[int]] = {}
        for item, coded in made.items():
            coding = coding_of(self.pictures.kind(item))
            assert coding is not None
            new.setdefault((coding.property, coded.configuration), []).append(item)
            if coding.property == b"hvcC":  # tiles that stay have the same configuration
                tiles = self.changed.get(item, [])
                if len(tiles) > 1:
                    new[coding.property, coded.configuration] += [tile.item for tile in tiles]
            nclx = self.pictures.nclx(item)
            if coded.colour is not None and nclx is not None:
                owners = [item, *self.pictures.sources(b"dimg", item)]
                editor.set_property(owners, b"colr", colr_of(nclx, coded.colour), like=b"nclx")
        for (kind, configuration), items in new.items():
            editor.set_property(items, kind, configuration)

    def _how(self, made: dict[int, Coded]) -> str:
        """Say what was encoded and how; ask before the editor changes where old data is."""
        title = "AVIF" if any(self.pictures.kind(item) == b"av01" for item in made) else "HEIC"
        tiles = {tile.item for group in self.changed.values() if len(group) > 1 for tile in group}
        again = tiles & made.keys()
        words = list(dict.fromkeys(coded.words for item, coded in made.items() if item not in self.alphas))[:4]
        before = sum(len(self.pictures.payload(item)) for item in made)
        words.append(f"{sum(len(coded.payload) for coded in made.values()) / max(1, before):.2f} times the bytes")
        said = ", ".join(words)
        if again:
            rest = "all others are as they were" if len(again) < len(tiles) else "since they have to be coded alike"
            how = f"{title}: {len(again)} of {len(tiles)} tiles re-encoded ({said}), {rest}"
        else:
            how = f"{title} re-encoded ({said})"
        if self.alphas & made.keys():
            how += f"; {ALPHA_TOO}"
        if self.thumbnails:
            how += "; the thumbnail got the label as well"
        if self.unpainted:
            how += "; a thumbnail that cannot be encoded here stays without the label"
        return how


def decode_item(pictures: Pictures, item: int, max_pixels: int) -> Planes:
    """Decode a coded picture.

    Raises:
        UnreadableFile: It is damaged, or not coded in the size that the file states.
        TooLarge: It is beyond ``max_pixels``.
    """
    coding = coding_of(pictures.kind(item))
    if coding is None:
        raise LabelingError(f"item {item} of the HEIF file cannot be decoded here")
    configuration = pictures.property(item, coding.property)
    if configuration is None:
        raise UnreadableFile(f"item {item} of the HEIF file has no decoder configuration")
    width, height = pictures.size(item)
    most = max_pixels
    if width and height:
        check_size(width, height, max_pixels=max_pixels)
        most = (width + _EDGE) * (height + _EDGE)
    payload = pictures.payload(item)
    try:
        made = coding.decode(payload, configuration, pictures.nclx(item), most)
    except TooLarge as error:  # FFmpeg's decoder of HEVC says the same of both
        raise TooLarge(
            f"item {item} of the HEIF file is coded with more than the {width}×{height} pixels that the file states, "
            "or more memory is needed than there is to decode it"
        ) from error
    if made.width < width or made.height < height:
        raise UnreadableFile(
            f"item {item} of the HEIF file has {made.width}×{made.height} pixels, not {width}×{height}"
        )
    return made


def coding_of(kind: bytes) -> Coding | None:
    """Return how the items of a type are coded; ``None`` if they cannot be encoded here."""
    if kind in (b"hvc1", b"hev1"):
        return Hevc()
    return Av1() if kind == b"av01" else None


def colr_of(old: tuple[int, int, int, bool], new: Colour) -> bytes:
    """Return the content of a colr box of the type nclx, with the matrix that the samples got."""
    codes = b"".join(code.to_bytes(2, "big") for code in (old[0], old[1], new.matrix))
    return b"nclx" + codes + b"\x80"


def _within(tile: Tile, part: Box, box: Box) -> tuple[slice, slice]:
    """Return the rows and columns of a box that a part of a tile is."""
    left, top = tile.left - box[0], tile.top - box[1]
    return slice(part[1] + top, part[3] + top), slice(part[0] + left, part[2] + left)
