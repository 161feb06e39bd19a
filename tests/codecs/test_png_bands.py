"""Still PNG files are painted on band by band: rows away from the label keep their filtered bytes."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from labeling.codecs import paint_file
from labeling.codecs.base import Box, Pixels
from labeling.codecs.png.filters import filtered
from labeling.errors import UnreadableFile, WriteError

from .test_png import TYPES, chunk, chunks_of

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


class Given:
    """A painter with a given overlay."""

    def __init__(self, box: Box, overlay: Pixels) -> None:
        self._box, self._overlay = box, overlay

    def box(self, width: int, height: int) -> Box:
        return self._box

    def paint(self, backdrops: Sequence[Pixels]) -> Pixels:
        left, top, right, bottom = self._box
        assert all(each.shape == (bottom - top, right - left, 3) for each in backdrops)
        return self._overlay


def bits_of(rows: NDArray[Any], depth: int, rest: int) -> list[bytes]:
    """Pack samples, (H, n), into rows of bytes; unused bits at their ends are ``rest``."""
    packed = []
    for row in rows:
        if depth >= 8:
            packed.append(row.astype(f">u{depth // 8}").tobytes())
            continue
        bits = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - depth :].ravel()
        packed.append(np.packbits(np.concatenate([bits, np.full(-len(bits) % 8, rest, np.uint8)])).tobytes())
    return packed


def paeth(a: int, b: int, c: int) -> int:
    by = [(abs(a + b - c - each), order, each) for order, each in enumerate((a, b, c))]
    return min(by)[2]


def predicted(kind: int, a: int, b: int, c: int) -> int:
    return (0, a, b, (a + b) // 2, paeth(a, b, c))[kind]


def filter_rows(rows: list[bytes], kinds: Sequence[int], bpp: int) -> bytes:
    """Filter rows, byte by byte as PNG, third edition, 9.2 says."""
    out, above = bytearray(), bytes(len(rows[0]))
    for row, kind in zip(rows, kinds, strict=True):
        left, corner = bytes(bpp) + row, bytes(bpp) + above
        out.append(kind)
        out += bytes((x - predicted(kind, left[i], above[i], corner[i])) % 256 for i, x in enumerate(row))
        above = row
    return bytes(out)


def passes_of(width: int, height: int, interlaced: bool) -> list[tuple[int, int, int, int]]:
    grid = ADAM7 if interlaced else ((0, 0, 1, 1),)
    return [(x, y, dx, dy) for x, y, dx, dy in grid if x < width and y < height]


def read_rows(data: bytes) -> tuple[tuple[int, ...], NDArray[Any], list[list[bytes]]]:
    """Decode slowly and plainly: the fields of IHDR, the samples, and the filtered rows of each pass."""
    found = chunks_of(data)
    width, height, depth, colour, _, _, interlaced = head = struct.unpack(">IIBBBBB", dict(found)[b"IHDR"])
    raw = zlib.decompress(b"".join(body for kind, body in found if kind == b"IDAT"))
    channels, at = CHANNELS[colour], 0
    bpp = max(1, channels * depth // 8)
    samples = np.zeros((height, width, channels), np.uint16)
    parts = []
    for x, y, dx, dy in passes_of(width, height, bool(interlaced)):
        columns = len(range(x, width, dx))
        line = -(-columns * channels * depth // 8)
        above, rows = bytes(line), []
        for row in range(y, height, dy):
            rows.append(raw[at : at + 1 + line])
            made = bytearray(bpp)
            corner = bytes(bpp) + above
            for i, value in enumerate(rows[-1][1:]):
                made.append((value + predicted(rows[-1][0], made[i], above[i], corner[i])) % 256)
            above = bytes(made[bpp:])
            if depth >= 8:
                values = np.frombuffer(above, f">u{depth // 8}")
            else:
                bits = np.unpackbits(np.frombuffer(above, np.uint8)).reshape(-1, depth)
                values = bits @ (1 << np.arange(depth - 1, -1, -1))
            samples[row, x::dx] = values[: columns * channels].reshape(columns, channels)
            at += 1 + line
        parts.append(rows)
    assert at == len(raw)
    return head, samples, parts


def rgba(head: tuple[int, ...], samples: NDArray[Any], palette: bytes, alpha: bytes) -> NDArray[np.float64]:
    """Return what samples look like, 0–1."""
    depth, colour = head[2], head[3]
    if colour == 3:
        table = np.full((256, 4), 255)
        table[: len(palette) // 3, :3] = np.frombuffer(palette, np.uint8).reshape(-1, 3)
        table[: len(alpha), 3] = list(alpha)
        return np.asarray(table[samples[..., 0]] / 255)
    out = np.ones((*samples.shape[:2], 4))
    peak = (1 << depth) - 1
    out[..., :3] = (samples[..., :3] if colour in (2, 6) else samples[..., :1]) / peak
    if colour in (4, 6):
        out[..., 3] = samples[..., -1] / peak
    if alpha:
        key = np.frombuffer(alpha, ">u2")
        out[(samples == key).all(axis=2), 3] = 0
    return out


@dataclass
class Picture:
    data: bytes
    samples: NDArray[Any]
    palette: bytes
    alpha: bytes


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    colour, depth = draw(st.sampled_from(TYPES))
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 30))
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    few = draw(st.booleans())
    samples = random.integers(0, 2 if few else 1 << depth, (height, width, CHANNELS[colour]))
    interlaced = draw(st.booleans())
    kinds = draw(st.lists(st.integers(0, 4), min_size=1, max_size=7))
    bpp = max(1, CHANNELS[colour] * depth // 8)
    raw = b""
    for x, y, dx, dy in passes_of(width, height, interlaced):
        part = samples[y::dy, x::dx]
        rows = bits_of(part.reshape(len(part), -1), depth, draw(st.integers(0, 1)))
        raw += filter_rows(rows, [kinds[i % len(kinds)] for i in range(len(rows))], bpp)
    stream = zlib.compress(raw, draw(st.integers(0, 9)))
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    idats = b"".join(chunk(b"IDAT", stream[a:b]) for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True))
    palette = random.integers(0, 256, 3 << depth, np.uint8).tobytes() if colour == 3 else b""
    alpha = b""
    if draw(st.booleans()):
        if colour == 3:
            alpha = random.integers(0, 256, 1 << depth, np.uint8).tobytes()
        elif colour in (0, 2):
            alpha = samples[random.integers(height), random.integers(width)].astype(">u2").tobytes()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))
    extra = (chunk(b"PLTE", palette) if palette else b"") + (chunk(b"tRNS", alpha) if alpha else b"")
    data = b"\x89PNG\r\n\x1a\n" + head + extra + idats + chunk(b"IEND", b"")
    return Picture(data, samples, palette, alpha)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pictures(), st.data())
def test_outside_the_box_nothing_changes_and_in_it_is_what_was_drawn(picture: Picture, draws: st.DataObject) -> None:
    height, width = picture.samples.shape[:2]
    left, top = draws.draw(st.integers(0, width - 1)), draws.draw(st.integers(0, height - 1))
    right, bottom = draws.draw(st.integers(left + 1, width)), draws.draw(st.integers(top + 1, height))
    random = np.random.default_rng(draws.draw(st.integers(0, 99)))
    overlay = random.integers(0, 256, (bottom - top, right - left, 4), np.uint8)
    overlay[..., :3] = overlay[..., :1] if draws.draw(st.booleans()) else 0  # gray, for every colour type
    overlay[..., 3] = random.choice(draws.draw(st.sampled_from([(0, 255), (0, 100, 255), (255,)])), overlay.shape[:2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("labeling.codecs.png.rows.BAND", draws.draw(st.sampled_from([1, 50, 200, 1 << 20])))
        patch.setattr("labeling.codecs.png.edit._KEPT", draws.draw(st.sampled_from([0, 1 << 20])))
        painted = paint_file(picture.data, "png", Given((left, top, right, bottom), overlay))
    head, samples, parts = read_rows(painted.data)
    before, old, old_parts = read_rows(picture.data)
    assert np.array_equal(old, picture.samples)
    assert head[6] == before[6], "an interlaced picture stays interlaced"
    chunks = dict(chunks_of(painted.data))
    was = rgba(before, old, picture.palette, picture.alpha)
    now = rgba(head, samples, chunks.get(b"PLTE", b""), chunks.get(b"tRNS", b""))
    outside = np.ones((height, width), bool)
    outside[top:bottom, left:right] = overlay[..., 3] == 0
    assert np.array_equal(was[outside], now[outside])
    drawn, part = now[top:bottom, left:right], was[top:bottom, left:right]
    share = overlay[..., 3:] / 255
    total = share + part[..., 3:] * (1 - share)
    mixed = (overlay[..., :3] / 255 * share + part[..., :3] * part[..., 3:] * (1 - share)) / np.maximum(total, 1e-9)
    touched = overlay[..., 3] > 0
    assert np.abs(drawn[touched] - np.dstack([mixed, total])[touched]).max(initial=0) <= 1.01 / 255
    if head == before:
        _check_rows(old_parts, parts, passes_of(width, height, bool(head[6])), top, bottom)
    # Pillow compares the colour of tRNS with samples that it has scaled or cut to 8 bits; OpenCV has no rule for it.
    for by in () if picture.alpha and before[3] != 3 and before[2] != 8 else (pillow, opencv):
        one, other = by(picture.data), by(painted.data)
        if by is opencv and one.shape != other.shape:
            continue
        assert np.array_equal(one[outside], other[outside])


def _check_rows(
    old: list[list[bytes]], new: list[list[bytes]], passes: list[tuple[int, int, int, int]], top: int, bottom: int
) -> None:
    for (_, y, _, dy), one, other in zip(passes, old, new, strict=True):
        inside = [n for n in range(len(one)) if top <= y + n * dy < bottom]
        near = {*inside, *(n + 1 for n in inside)}
        assert all(a == b for n, (a, b) in enumerate(zip(one, other, strict=True)) if n not in near)
        assert [row[0] for row in one] == [row[0] for row in other]


def pillow(data: bytes) -> NDArray[Any]:
    with Image.open(io.BytesIO(data)) as image:
        if image.mode.startswith("I"):
            return np.asarray(image)
        pixels = np.asarray(image.convert("RGBA")).copy()
    pixels[pixels[..., 3] == 0] = 0
    return pixels


def opencv(data: bytes) -> NDArray[Any]:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED))


LINE = 1 + 30 * 3


def damaged(name: str) -> bytes:
    raw = bytearray(np.random.default_rng(2).integers(0, 256, 20 * LINE, np.uint8).tobytes())
    raw[::LINE] = bytes(n % 5 for n in range(20))
    if name == "filter":
        raw[19 * LINE] = 5
    if name == "row":
        del raw[19 * LINE :]
    stream = zlib.compress(bytes(raw) + (bytes(500) if name == "more" else b""))
    parts = [stream[at : at + 1] for at in range(len(stream))] if name == "bytes" else [stream[:9], b"", stream[9:]]
    if name == "sum":
        parts[-1] = parts[-1][:-1] + bytes((parts[-1][-1] ^ 1,))
    if name in ("half", "no sum"):
        parts[-1] = parts[-1][: -4 if name == "no sum" else len(stream) // 2]
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 30, 20, 8, 2, 0, 0, 0))
    body = b"".join(chunk(b"IDAT", part) for part in parts)
    if name == "crc":
        body = body[:-1] + bytes((body[-1] ^ 1,))
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")


@pytest.mark.parametrize("name", ["filter", "row", "sum", "half", "crc"])
def test_damaged_data_is_refused(name: str) -> None:
    overlay = np.full((3, 3, 4), 255, np.uint8)
    with pytest.raises(UnreadableFile):
        paint_file(damaged(name), "png", Given((1, 1, 4, 4), overlay))


@pytest.mark.parametrize("name", ["bytes", "more", "no sum"])
def test_what_every_viewer_shows_is_painted_on(name: str) -> None:
    overlay = np.full((3, 3, 4), 255, np.uint8)
    made = paint_file(damaged(name), "png", Given((1, 1, 4, 4), overlay)).data
    before, after = pillow(damaged(name)), pillow(made)
    before[1:4, 1:4] = 255
    assert np.array_equal(before, after)
    assert np.array_equal(opencv(made)[..., ::-1], after[..., :3])


def test_what_was_written_wrongly_does_not_get_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(kinds: Pixels, window: Pixels, bpp: int) -> Pixels:
        made = filtered(kinds, window, bpp)
        made[0, 0] ^= 1
        return made

    monkeypatch.setattr("labeling.codecs.png.edit.filtered", wrong)
    with pytest.raises(WriteError, match="did not read back"):
        paint_file(damaged("more"), "png", Given((1, 1, 4, 4), np.full((3, 3, 4), 255, np.uint8)))
