"""Paint on PNG and APNG files. The pixels are re-encoded without loss, and every other chunk stays where it is."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace

from labeling.codecs.base import Painted, Painter
from labeling.codecs.pixels import backdrops, make_plan, on_white
from labeling.codecs.png import apng
from labeling.codecs.png.colour import Look, lay, shown
from labeling.codecs.png.decode import BY_COLOUR_TYPE, IMAGE, Chunk, image_data, opened
from labeling.codecs.png.samples import GRAY, PALETTE, RGBA, decode, encode
from labeling.containers.base import Buffer
from labeling.containers.png import SIGNATURE, chunk
from labeling.dither import SAMPLED, is_dithered
from labeling.errors import UnreadableFile


def paint(data: Buffer, painter: Painter, *, orientation: int, quality: int | None, max_pixels: int) -> Painted:
    """Paint on every frame of a PNG or APNG file; see :mod:`labeling.codecs.base`.

    ``quality`` is not used, because the format is lossless.
    """
    del quality
    raw = bytes(data)
    chunks, look, frames = opened(raw, max_pixels)
    header = look.header
    plan = make_plan(painter, header.width, header.height, orientation)
    dots = False
    if frames:
        new, pieces, note = apng.Animation.parse(chunks, look).painted(plan, painter)
    else:
        samples = decode(header, image_data(chunks))
        left, top, right, bottom = plan.stored
        dots = is_dithered(on_white(shown(look, samples[:: max(1, header.height // SAMPLED)])))
        overlay = plan.overlay(painter, backdrops(shown(look, samples[top:bottom, left:right])))
        new, samples, note = lay(look, samples, plan.stored, overlay)
        new = replace(new, header=replace(new.header, interlaced=False))
        pieces = [chunk(b"IDAT", encode(new.header, samples))]
    notes = ["PNG re-encoded without loss", note, "it is not interlaced any more" if look.header.interlaced else ""]
    how = "; ".join(filter(None, notes))
    made = b"".join(_spliced(raw, chunks, look, new, pieces))
    return Painted(made, plan.box, plan.width, plan.height, max(frames, 1), True, how, dithered=dots)


def _spliced(raw: bytes, chunks: Sequence[Chunk], old: Look, new: Look, pieces: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the new file: the source's chunks in their order, with those of the picture itself replaced."""
    yield SIGNATURE + chunk(b"IHDR", new.header.body())
    placed = palette = False
    for c in chunks[1:]:
        if not palette and c.kind in (b"PLTE", b"tRNS", b"IDAT"):
            palette = True
            yield from (chunk(kind, body) for kind, body in ((b"PLTE", new.plte()), (b"tRNS", new.trns())) if body)
        if c.kind == b"IDAT" and not placed:
            placed = True
            yield from pieces
        if c.kind in BY_COLOUR_TYPE and new.header != old.header:
            yield from _adapted(c, old, new)
        elif c.kind not in IMAGE and c.kind != b"iDOT":  # which gives offsets into the old picture data
            yield raw[c.start : c.end]
    if not placed:
        raise UnreadableFile("the PNG has no image data (IDAT); the file is damaged")
    yield raw[chunks[-1].end :]


def _adapted(c: Chunk, old: Look, new: Look) -> Iterator[bytes]:
    """Yield a chunk whose payload depends on the colour type as it must be now, or nothing if it lost its meaning."""
    if old.header.colour == new.header.colour == PALETTE:
        if c.kind != b"hIST":  # a histogram has as many entries as the palette had
            yield chunk(c.kind, c.body)
    elif c.kind == b"bKGD" and old.palette is not None and c.body and c.body[0] < len(old.palette):
        yield chunk(c.kind, struct.pack(">3H", *(int(value) for value in old.palette[c.body[0], :3])))
    elif c.kind == b"bKGD" and old.header.colour == GRAY and len(c.body) == 2:
        value = int.from_bytes(c.body, "big") * new.header.peak // old.header.peak
        yield chunk(c.kind, struct.pack(">H", value) * (3 if new.header.colour == RGBA else 1))
    elif old.header.colour == new.header.colour or (c.kind == b"bKGD" and old.header.colour != PALETTE):
        yield chunk(c.kind, c.body)
