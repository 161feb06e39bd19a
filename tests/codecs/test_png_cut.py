"""The compressed data ahead of the label stays as it is, to the bit; the way without that is the witness, and zlib."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
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
from labeling.codecs.png import cut, stream
from labeling.errors import UnreadableFile, WriteError

from .test_png import chunk, chunks_of
from .test_png_bands import CHANNELS, Given

WIDTH, HEIGHT = 240, 200
BOX = (150, 170, 230, 190)
Compress = Callable[[bytes], bytes]


def filtered_rows(colour: int, depth: int, kinds: list[int], seed: int = 0) -> bytes:
    """Rows of a picture in part flat, in part grain, with filters as given: any bytes are some picture."""
    line = -(-WIDTH * CHANNELS[colour] * depth // 8)
    random = np.random.default_rng(seed)
    rows = random.integers(0, 8, (HEIGHT, 1 + line), np.uint8)
    rows[:, 1 + line // 3 : 1 + line // 2] = 0
    rows[HEIGHT // 3 : HEIGHT // 2] = 0
    if colour == 3:
        rows &= 0x11  # any sum of few of them is in the palette
    rows[:, 0] = [kinds[y % len(kinds)] for y in range(HEIGHT)]
    return rows.tobytes()


def png(colour: int, depth: int, coded: bytes, size: int, interlaced: int = 0) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour, 0, 0, interlaced))
    palette = chunk(b"PLTE", bytes(range(256)) * 3 if depth == 8 else bytes(3 << depth)) if colour == 3 else b""
    data = b"".join(chunk(b"IDAT", coded[at : at + size]) for at in range(0, len(coded), size))
    return b"\x89PNG\r\n\x1a\n" + head + palette + data + chunk(b"IEND", b"")


def compressed(level: int, memory: int = 8, strategy: int = zlib.Z_DEFAULT_STRATEGY, window: int = 15) -> Compress:
    def by(raw: bytes) -> bytes:
        coder = zlib.compressobj(level, zlib.DEFLATED, window, memory, strategy)
        return coder.compress(raw) + coder.flush()

    return by


def flushed(raw: bytes) -> bytes:
    """In parts that end with a whole byte, as pigz does it."""
    coder = zlib.compressobj(6)
    parts = [coder.compress(raw[at : at + 9000]) + coder.flush(zlib.Z_SYNC_FLUSH) for at in range(0, len(raw), 9000)]
    return b"".join(parts) + coder.flush()


def data_of(file: bytes) -> bytes:
    return b"".join(body for kind, body in chunks_of(file) if kind == b"IDAT")


def overlay(box: Box, seed: int = 1) -> Pixels:
    made = np.random.default_rng(seed).integers(0, 256, (box[3] - box[1], box[2] - box[0], 4), np.uint8)
    made[..., :3] = made[..., :1]
    return made


def painted(file: bytes, box: Box = BOX, look: Pixels | None = None) -> bytes:
    return paint_file(file, "png", Given(box, overlay(box) if look is None else look)).data


def painted_without(file: bytes, box: Box = BOX, look: Pixels | None = None) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut, "kept", lambda *_: None)
        return painted(file, box, look)


def same_bytes(one: bytes, other: bytes) -> int:
    """How many bytes at their beginnings are equal."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


TYPES = [(0, 8), (0, 16), (2, 8), (2, 16), (4, 8), (4, 16), (6, 8), (6, 16)]


@pytest.mark.parametrize(("colour", "depth"), TYPES)
def test_rows_are_those_of_the_way_without_it_and_most_of_the_data_stays(colour: int, depth: int) -> None:
    coded = compressed(6, 3)(filtered_rows(colour, depth, [0, 1, 2, 3, 4]))
    file = png(colour, depth, coded, 5000)
    made = painted(file)
    assert zlib.decompress(data_of(made)) == zlib.decompress(data_of(painted_without(file)))
    assert same_bytes(data_of(made), coded) > 0.7 * len(coded)
    for by in (pillow, opencv):
        before, after = by(file), by(made)
        outside = np.ones(before.shape[:2], bool)
        outside[BOX[1] : BOX[3], BOX[0] : BOX[2]] = False
        assert np.array_equal(before[outside], after[outside])
        assert not np.array_equal(before[~outside], after[~outside])


def pillow(data: bytes) -> NDArray[Any]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def opencv(data: bytes) -> NDArray[Any]:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED))


@pytest.mark.parametrize("depth", [2, 4, 8])
def test_a_palette_with_room_for_the_label(depth: int) -> None:
    coded = compressed(6, 2)(filtered_rows(3, depth, [0]))
    file = png(3, depth, coded, 5000)
    black = np.zeros((BOX[3] - BOX[1], BOX[2] - BOX[0], 4), np.uint8)
    black[::2, :, 3] = 255
    made = painted(file, look=black)
    assert zlib.decompress(data_of(made)) == zlib.decompress(data_of(painted_without(file, look=black)))
    assert same_bytes(data_of(made), coded) > 0.7 * len(coded)


ENCODERS: dict[str, tuple[Compress, float]] = {
    "fast": (compressed(1, 3), 0.7), "best": (compressed(9, 3), 0.7), "Huffman": (compressed(6, 3, 2), 0.7),
    "run lengths": (compressed(6, 3, 3), 0.7), "flushed": (flushed, 0.7), "usual": (compressed(6), 0.3),
    "fixed codes": (compressed(6, 5, 4), 0), "stored": (compressed(0), 0), "small window": (compressed(6, 5, 0, 12), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder(name: str) -> None:
    by, least = ENCODERS[name]
    coded = by(filtered_rows(2, 8, [0, 1, 2, 3, 4]))
    for size in (1 << 20, 8192, 7):
        made = painted(png(2, 8, coded, size))
        assert zlib.decompress(data_of(made)) == zlib.decompress(data_of(painted_without(png(2, 8, coded, size))))
        assert same_bytes(data_of(made), coded) >= least * len(coded)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_filters_any_box_and_marks_anywhere(draws: st.DataObject) -> None:
    colour, depth = draws.draw(st.sampled_from(TYPES))
    kinds = draws.draw(st.lists(st.integers(0, 4), min_size=1, max_size=9))
    raw = filtered_rows(colour, depth, kinds, draws.draw(st.integers(0, 99)))
    coded = compressed(draws.draw(st.integers(1, 9)), draws.draw(st.integers(1, 9)))(raw)
    left, top = draws.draw(st.integers(0, WIDTH - 1)), draws.draw(st.integers(0, HEIGHT - 1))
    box = (left, top, draws.draw(st.integers(left + 1, WIDTH)), min(HEIGHT, top + draws.draw(st.integers(1, 20))))
    file = png(colour, depth, coded, draws.draw(st.sampled_from([100, 8192, 1 << 20])))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "FED", draws.draw(st.sampled_from([300, 5000, 1 << 16])))
        patch.setattr(cut, "_STEP", draws.draw(st.sampled_from([50, 1 << 14])))
        patch.setattr("labeling.codecs.png.rows.BAND", draws.draw(st.sampled_from([1, 5000, 1 << 20])))
        made = painted(file, box)
    assert zlib.decompress(data_of(made)) == zlib.decompress(data_of(painted_without(file, box)))


def test_of_an_ordinary_file_little_is_compressed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    add = stream.Deflated.add

    def counted(self: stream.Deflated, raw: bytes, near: int | None = None) -> None:
        sizes.append(len(raw))
        add(self, raw, near)

    monkeypatch.setattr(stream.Deflated, "add", counted)
    random = np.random.default_rng(3)
    rows = cv2.resize(random.integers(0, 256, (90, 120, 3), np.uint8), (1200, 900))  # smooth
    out = io.BytesIO()
    Image.fromarray(rows).save(out, "PNG")
    made = painted(out.getvalue(), (900, 830, 1150, 880))
    assert sum(sizes) < 0.2 * rows.size
    assert len(made) < 1.06 * len(out.getvalue())
    assert np.array_equal(pillow(made)[:830], rows[:830])


@pytest.mark.parametrize("where", [0.3, 0.8, 0.99])
def test_damage_is_found_as_before(where: float) -> None:
    coded = bytearray(compressed(6, 5)(filtered_rows(2, 8, [4])))
    coded[int(where * len(coded))] ^= 0x40
    with pytest.raises(UnreadableFile, match="damaged"):
        painted(png(2, 8, bytes(coded), 8192))


@pytest.mark.parametrize("what", ["sum", "joint", "coded", "before"])
def test_a_wrong_joint_does_not_get_out(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = cut.kept

    def wrong(*arguments: Any) -> stream.Kept | None:
        found = find(*arguments)
        assert found is not None
        if what == "sum":
            return replace(found, sum=found.sum ^ 1)
        if what == "joint":
            return replace(found, joint=bytes([found.joint[0] ^ 1]) + found.joint[1:])
        if what == "before":
            return replace(found, before=found.before[:-1] + bytes([found.before[-1] ^ 1]))
        return replace(found, coded=found.coded - 1)

    monkeypatch.setattr(cut, "kept", wrong)
    coded = compressed(9, 5)(filtered_rows(2, 8, [0]))
    with pytest.raises(WriteError, match="did not read back"):
        painted(png(2, 8, coded, 8192))


def test_the_kept_part_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte of it that changed on the way is found, although nothing decompresses it again."""
    splice = stream.chunk_of

    def wrong(name: bytes, parts: list[Any]) -> list[Any]:
        first, *rest = parts
        return splice(name, [bytes(first[:9]) + bytes([first[9] ^ 1]) + bytes(first[10:]), *rest])

    monkeypatch.setattr("labeling.codecs.png.edit.chunk_of", wrong)
    coded = compressed(6, 5)(filtered_rows(2, 8, [2]))
    with pytest.raises(WriteError, match="did not read back"):
        painted(png(2, 8, coded, 1 << 20))


@pytest.mark.parametrize("place", ["top", "bottom"])
@pytest.mark.parametrize("level", [1, 6, 9])
def test_a_file_hardly_grows_wherever_the_label_is(level: int, place: str) -> None:
    small = np.random.default_rng(5).integers(0, 256, (60, 80, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(cv2.resize(small, (640, 480), interpolation=cv2.INTER_CUBIC)).save(out, "PNG", compress_level=level)
    top = 10 if place == "top" else 440
    black = np.zeros((24, 60, 4), np.uint8)
    black[::6, :, 3] = 255
    made = painted(out.getvalue(), (560, top, 620, top + 24), black)
    assert len(made) <= 1.06 * len(out.getvalue()) + 2000
