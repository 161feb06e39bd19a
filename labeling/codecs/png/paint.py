"""Paint on PNG and APNG files. The pixels are re-encoded without loss, and every other chunk stays where it is."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from labeling.codecs.base import Painted, Painter
from labeling.codecs.pixels import make_plan
from labeling.codecs.png import apng
from labeling.codecs.png.colour import Look
from labeling.codecs.png.decode import BY_COLOUR_TYPE, IMAGE, Chunk, opened
from labeling.codecs.png.decode import frames as decoded_frames
from labeling.codecs.png.edit import edit, not_read_back
from labeling.codecs.png.samples import GRAY, PALETTE, RGB, RGBA, Header
from labeling.codecs.replay import check_plays
from labeling.containers.base import Buffer
from labeling.containers.png_chunks import SIGNATURE, chunk, walk
from labeling.deflate import crc32
from labeling.errors import UnreadableFile
from labeling.filebytes import SMALL, Pieces

T = TypeVar("T")

_TRUECOLOUR = (RGB, RGBA)


def paint(
    data: Buffer, painter: Painter, *, orientation: int, quality: int | None, max_pixels: int, fast: bool = False
) -> Painted:
    """Paint on every frame of a PNG or APNG file; see :mod:`labeling.codecs.base`.

    ``quality`` is not used, because the format is lossless. ``fast`` saves time, and makes larger files.
    """
    del quality
    raw = bytes(data)
    chunks, look, frames = opened(raw, max_pixels)
    plan = make_plan(painter, look.header.width, look.header.height, orientation)
    out: list[Buffer] = []
    if frames:
        new, pieces, note = apng.Animation.parse(chunks, look).painted(plan, painter, fast)
        _splice(raw, chunks, look, new, out, lambda: out.extend(pieces))
        made: bytes | Pieces = b"".join(out)
        dots = False
        note += "; it is not interlaced any more" if look.header.interlaced else ""
    else:
        view = memoryview(raw)
        still = edit(look, [view[c.start : c.end] for c in chunks if c.kind == b"IDAT"], plan, painter)
        dots = _splice(raw, chunks, look, still.look, out, lambda: still.write(out.append, fast))
        made, note = Pieces(out), still.note
        still.check(_image_data(made, still.look))
        if len(made) <= SMALL:
            made = bytes(made)
    how = "; ".join(filter(None, ["PNG re-encoded without loss", note.removeprefix("; ")]))
    painted = Painted(made, plan.box, plan.width, plan.height, max(frames, 1), True, how, dithered=dots)
    return check_plays(painted, "png", orientation, max_pixels, player=decoded_frames) if frames else painted


def _image_data(made: Pieces, look: Look) -> list[Buffer]:
    """Return the parts of the zlib stream in a new file; nothing is copied.

    Raises:
        WriteError: A chunk of the picture is not what was written.
    """
    found: list[Buffer] = []
    for kind, start, end in walk(made):
        if kind not in IMAGE:
            continue
        total, body = crc32(kind), made.views(start + 8, end - 4)
        for view in body:
            total = crc32(view, total)
        right = kind != b"IHDR" or b"".join(body) == look.header.body()
        if not right or total.to_bytes(4, "big") != made[end - 4 : end]:
            raise not_read_back()
        if kind == b"IDAT":
            found += body
    return found


def _splice(raw: bytes, chunks: Sequence[Chunk], old: Look, new: Look, out: list[Buffer], write: Callable[[], T]) -> T:
    """Write the new file: the source's chunks in their order, with those of the picture itself replaced.

    Returns:
        What ``write`` does, which writes those.
    """
    view = memoryview(raw)
    out.append(SIGNATURE + chunk(b"IHDR", new.header.body()))
    written: list[T] = []
    palette = False
    plte, differs = _plte(chunks, old, new), new.header != old.header or new.plte() != old.plte()
    for c in chunks[1:]:
        if not palette and c.kind in (b"PLTE", b"tRNS", b"IDAT"):
            palette = True
            out.extend(chunk(kind, body) for kind, body in ((b"PLTE", plte), (b"tRNS", new.trns())) if body)
        if c.kind == b"IDAT" and not written:
            written.append(write())
        if c.kind in BY_COLOUR_TYPE and differs:
            out.extend(_adapted(c, old, new))
        elif c.kind not in IMAGE and c.kind != b"iDOT":  # which gives offsets into the old picture data
            out.append(view[c.start : c.end])
    if not written:
        raise UnreadableFile("the PNG has no image data (IDAT); the file is damaged")
    out.append(view[chunks[-1].end :])
    return written[0]


def _plte(chunks: Sequence[Chunk], old: Look, new: Look) -> bytes:
    """Return the new payload of PLTE: the palette, or that suggested for truecolour (PNG, third edition, 11.2.2)."""
    if old.header.colour not in _TRUECOLOUR:
        return new.plte()
    return next((bytes(c.body) for c in chunks if c.kind == b"PLTE"), b"")


def _adapted(c: Chunk, old: Look, new: Look) -> Iterator[bytes]:
    """Yield a chunk whose payload depends on the colour type as it must be now, or nothing if it lost its meaning."""
    if c.kind == b"sBIT":
        if body := _significant(bytes(c.body), old.header, new.header):
            yield chunk(c.kind, body)
    elif c.kind == b"hIST":  # counts of the uses of each entry of a palette
        if old.header.colour in _TRUECOLOUR:
            yield chunk(c.kind, bytes(c.body))
    elif old.palette is not None and new.palette is not None:
        index = c.body[0] if len(c.body) == 1 else 256
        if index < len(old.palette) and old.palette[index].tobytes() == new.palette[index].tobytes():
            yield chunk(c.kind, bytes(c.body))
    elif c.kind == b"bKGD" and old.palette is not None and c.body and c.body[0] < len(old.palette):
        yield chunk(c.kind, struct.pack(">3H", *(int(value) for value in old.palette[c.body[0], :3])))
    elif c.kind == b"bKGD" and old.header.colour == GRAY and len(c.body) == 2:
        value = int.from_bytes(c.body, "big") * new.header.peak // old.header.peak
        yield chunk(c.kind, struct.pack(">H", value) * (3 if new.header.colour == RGBA else 1))
    elif old.header.colour != PALETTE:
        yield chunk(c.kind, bytes(c.body))


def _significant(body: bytes, old: Header, new: Header) -> bytes:
    """Return the payload of sBIT for another colour type (PNG, third edition, 11.3.2.4); nothing if it is none."""
    depth = 8 if old.colour == PALETTE else old.depth
    if len(body) != (3 if old.colour == PALETTE else old.channels) or not all(0 < bits <= depth for bits in body):
        return b""
    if new.colour == old.colour:
        return body
    return (body if len(body) == 3 else body * 3) + bytes([new.depth])  # it became RGBA
