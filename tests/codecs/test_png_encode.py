"""The PNG encoder: every kind of samples comes back to the bit from decoders that are not ours, and what it chooses."""

from __future__ import annotations

import io
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageSequence

import labeling
from labeling import deflate
from labeling.codecs.png import encode as png_encode
from labeling.codecs.png.filters import Filters, filtered
from labeling.codecs.png.samples import GRAY, GRAY_ALPHA, PALETTE, RGB, RGBA, Header, Samples
from labeling.codecs.png.stream import Deflated
from labeling.containers.base import Buffer
from labeling.containers.png_chunks import SIGNATURE, chunk, walk

KINDS = [
    *((GRAY, depth) for depth in (1, 2, 4, 8, 16)), *((PALETTE, depth) for depth in (1, 2, 4, 8)),
    *((colour, depth) for colour in (GRAY_ALPHA, RGB, RGBA) for depth in (8, 16)),
]  # fmt: skip
TEXTURES = ("flat", "noise", "ramp", "steps")


def _samples(header: Header, texture: str, seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    shape = header.height, header.width, header.channels
    if texture == "noise":
        made = rng.integers(0, header.peak + 1, shape)
    elif texture == "flat":
        made = np.full(shape, seed % (header.peak + 1))
    else:
        y, x = np.ogrid[: header.height, : header.width]
        slope = (x * 3 + y * 5)[..., None] * (1 + np.arange(header.channels))
        made = (slope if texture == "ramp" else slope // 64 * 41) % (header.peak + 1)
    return made.astype(np.uint16 if header.depth == 16 else np.uint8)


def _file(header: Header, samples: Samples, *, fast: bool = False) -> bytes:
    parts: list[Buffer] = [SIGNATURE, chunk(b"IHDR", header.body())]
    if header.colour == PALETTE:
        parts.append(chunk(b"PLTE", bytes(n * k % 256 for n in range(1 << header.depth) for k in (1, 5, 7))))
    png_encode.write(header, lambda top, bottom: samples[top:bottom], parts.append, fast=fast)
    return b"".join([*parts, chunk(b"IEND", b"")])


def _pillow(data: bytes, header: Header) -> NDArray[Any]:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return np.asarray(image)


def _check(header: Header, samples: Samples, data: bytes) -> None:
    """Pillow decodes all that it has modes for to the bit, OpenCV the deep ones."""
    if header.depth == 16 and header.colour != GRAY:
        seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        assert seen is not None and seen.dtype == np.uint16
        expected = (
            samples[..., (0, 0, 0, 1)]
            if header.colour == GRAY_ALPHA
            else samples[..., (2, 1, 0, 3)[: samples.shape[2]]]
        )
        if seen.shape[-1] == expected.shape[-1]:
            assert np.array_equal(seen, expected)
        return
    shown = _pillow(data, header).reshape(header.height, header.width, -1)
    scale = 255 // header.peak if header.colour == GRAY and header.depth in (2, 4) else 1
    assert np.array_equal(shown, samples * np.uint8(scale) if scale > 1 else samples)


@given(
    kind=st.sampled_from(KINDS),
    size=st.one_of(
        st.tuples(st.integers(1, 40), st.integers(1, 40)), st.tuples(st.just(1), st.integers(1, 3000)),
        st.tuples(st.integers(1, 3000), st.just(1)), st.tuples(st.integers(150, 301), st.integers(150, 301)),
    ),
    texture=st.sampled_from(TEXTURES), seed=st.integers(0, 255), fast=st.booleans(),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_other_decoders_see_what_was_encoded(
    kind: tuple[int, int], size: tuple[int, int], texture: str, seed: int, fast: bool
) -> None:
    header = Header(*size, kind[1], kind[0])
    samples = _samples(header, texture, seed)
    _check(header, samples, _file(header, samples, fast=fast))


@pytest.mark.parametrize("missing", [("zlib_ng",), ("zlib_ng", "isal")])
def test_they_see_it_where_there_is_no_wheel(missing: tuple[str, ...]) -> None:
    code = (
        f"import sys; sys.modules |= dict.fromkeys({missing!r}); import pytest\n"
        "sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', '--import-mode=importlib',"
        " '-k', 'other_decoders or every_filter', sys.argv[1]]))"
    )
    done = subprocess.run([sys.executable, "-c", code, __file__], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout + done.stderr


def _by_definition(kind: int, row: bytes, above: bytes, bpp: int) -> list[int]:
    """Clause 9.2, byte by byte; both rows have a pixel of zeros on the left."""
    out = []
    for at in range(bpp, len(row)):
        a, b, c = row[at - bpp], above[at], above[at - bpp]
        p = a + b - c
        paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
        out.append((row[at] - (0, a, b, (a + b) // 2, paeth)[kind]) % 256)
    return out


def test_every_filter_is_that_of_clause_9() -> None:
    rng = np.random.default_rng(3)
    for bpp, top in ((1, 256), (3, 256), (4, 4), (8, 2)):
        window = rng.integers(0, top, (31, bpp * 20)).astype(np.uint8)
        window[:, :bpp] = 0
        kinds = (np.arange(30) % 5).astype(np.uint8)
        made = filtered(kinds, window, bpp)
        for row, kind in enumerate(kinds):
            assert made[row].tolist() == _by_definition(int(kind), bytes(window[row + 1]), bytes(window[row]), bpp)


def test_the_filter_of_a_row_is_the_one_with_the_least_sum() -> None:
    window = np.random.default_rng(4).integers(0, 256, (6, 303)).astype(np.uint8)
    window[:, :3] = 0
    window[1, 3:] = np.repeat(np.arange(100, dtype=np.uint8), 3)  # a slope: what is on the left is near
    window[5] = window[4]
    chosen = Filters(300, 3).choose(window[1:], window[:-1])
    assert chosen.tolist() == [1, 1, 1, 1, 2]
    sums = [sum(min(v, 256 - v) for v in _by_definition(k, bytes(window[1]), bytes(window[0]), 3)) for k in range(5)]
    assert int(np.argmin(sums)) == chosen[0]


def _stream(data: bytes) -> tuple[bytes, bytes]:
    stream = b"".join(data[start + 8 : end - 4] for kind, start, end in walk(data) if kind == b"IDAT")
    return stream, zlib.decompress(stream)


def _photo(size: int) -> Samples:
    """Smooth shapes with grain."""
    rng = np.random.default_rng(5)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).resize((size, size), Image.Resampling.BICUBIC)
    grain = np.clip(rng.normal(0, 4, (size, size, 1)), -20, 20)
    return np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8)


def test_a_photo_is_filtered_and_text_is_not() -> None:
    header = Header(300, 300, 8, RGB)
    photo = _photo(300)
    stream, raw = _stream(_file(header, photo))
    assert {raw[at] for at in range(0, len(raw), 901)} - {0}
    assert len(stream) < 0.97 * len(zlib.compress(np.pad(photo.reshape(300, -1), ((0, 0), (1, 0))).tobytes()))

    rng = np.random.default_rng(6)
    glyphs = rng.choice([0, 255], (12, 10, 10)).astype(np.uint8)
    text = np.block([[glyphs[n] for n in line] for line in rng.integers(0, 12, (30, 30))])[..., None]
    _, raw = _stream(_file(Header(300, 300, 8, GRAY), text))
    assert {raw[at] for at in range(0, len(raw), 301)} == {0}


@pytest.mark.parametrize("fast", [False, True])
def test_files_stay_near_to_pillow_s(fast: bool) -> None:
    pictures = {"photo": _photo(256), "steps": _samples(Header(256, 256, 8, RGB), "steps", 0)}
    pictures |= {"ramp": _samples(Header(256, 256, 8, RGB), "ramp", 0), "flat": np.full((256, 256, 3), 90, np.uint8)}
    for name, samples in pictures.items():
        out = io.BytesIO()
        Image.fromarray(samples).save(out, "PNG")
        ours = len(_file(Header(256, 256, 8, RGB), samples, fast=fast))
        assert ours < (1.5 if fast else 1.1) * len(out.getvalue()) + (6000 if fast else 1500), name


def test_fast_asks_for_the_fast_compressor(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def count(name: str, real: Callable[..., deflate.Compressor]) -> None:
        def counted(*arguments: Any, **options: Any) -> deflate.Compressor:
            made.append(name)
            return real(*arguments, **options)

        monkeypatch.setattr(deflate, name, counted)

    count("compressor", deflate.compressor)
    count("fast_compressor", deflate.fast_compressor)
    header, samples = Header(300, 300, 8, RGB), _photo(300)
    _file(header, samples, fast=True)
    assert set(made) == {"fast_compressor"}
    made.clear()
    _file(header, samples)
    assert made[-1] == "compressor"


def test_a_large_picture_is_not_held_while_it_is_filtered() -> None:
    samples = np.broadcast_to(_photo(256)[None, :, None], (12, 256, 6, 256, 3)).reshape(3072, 1536, 3)
    size = 0

    def put(part: Buffer) -> None:
        nonlocal size
        size += len(part)

    header = Header(1536, 3072, 8, RGB)
    for fast in (False, True):
        tracemalloc.start()
        png_encode.write(header, lambda top, bottom: samples[top:bottom], put, fast=fast)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < samples.nbytes
    assert size


def test_one_very_long_row() -> None:
    header = Header(200_000, 2, 8, RGB)
    samples = _samples(header, "ramp", 0)
    _check(header, samples, _file(header, samples))
    assert len(_file(header, samples)) < samples.nbytes // 20


@pytest.mark.parametrize("how", ["pixels", "file", "animation", "palette file"])
def test_the_option_holds_for_pixels_and_files(how: str, tmp_path: Path) -> None:
    """Fast files are larger, show the same pixels, and have the same labels."""
    image = Image.fromarray(_photo(300))
    path = tmp_path / "source.png"
    if how == "animation":
        image.save(path, save_all=True, append_images=[image.rotate(90)])
    else:
        (image if how == "file" else image.quantize(250, dither=Image.Dither.NONE)).save(path)
    labeler = labeling.Labeler("my-service", generator="x", compression="fast")
    made = []
    for compression in ("normal", "fast"):
        if how == "pixels":
            done = labeler.label_image(image, compression=compression, content_id="1")
        else:
            done = replace(labeler, compression=compression).label_image(path.read_bytes(), content_id="1")
        assert done.report.verdicts["cn"].outcome == "compliant"
        made.append(done.data)
    normal, fast = made
    # Of a file, the part that is compressed again is compressed fast anyhow where that comes near to its size.
    assert len(fast) > len(normal) or how == "file"
    seen = []
    for data in made:
        with Image.open(io.BytesIO(data)) as shown:
            seen.append([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(shown)])
    assert len(seen[0]) == (2 if how == "animation" else 1)
    assert all(np.array_equal(a, b) for a, b in zip(*seen, strict=True))


def test_a_file_s_rows_are_compressed_fast_whatever_they_took_before() -> None:
    raw = np.tile(_photo(60), (5, 5, 1)).tobytes()
    made = []
    for fast in (False, True):
        parts: list[Buffer] = []
        stream = Deflated(parts.append, fast=fast)
        stream.add(raw, near=1)
        stream.finish()
        data = b"".join(parts)
        assert zlib.decompress(data[8:-4]) == raw
        made.append(len(data))
    assert made[0] < made[1]


def test_another_compression_is_refused() -> None:
    image = Image.new("RGB", (64, 64))
    with pytest.raises(labeling.LabelingError, match="`compression` must be one of normal, fast"):
        labeling.Labeler("my-service").label_image(image, compression="best")
