"""TIFF files are edited in place: samples and tags of all kinds stay. Pillow, tifffile and libtiff are witnesses."""

from __future__ import annotations

import io
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from labeling.codecs import displayed, paint_file
from labeling.errors import LabelingError, UnreadableFile, UnsupportedFormat

from .. import programs
from .stamp import QUARTERS, Quarters, Save, Scene, Stamp

Entries = dict[int, tuple[int, Any]]
_CODES = {1: "B", 2: "s", 3: "H", 4: "I", 7: "B", 12: "d"}
_MOVED = {273, 279, 324, 325}


def classic(*pages: tuple[Entries, list[bytes]], order: str = "<", shared: bool = False) -> bytes:
    """Write a TIFF file by hand: for each page its tags, and its strips (or tiles, if there is a tag 322)."""
    data = bytearray((b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 0))
    link = 4
    for given, chunks in pages:
        offsets, counts = (324, 325) if 322 in given else (273, 279)
        places: dict[bytes, int] = {}
        found = []
        for chunk in chunks:
            if chunk and not (shared and chunk in places):
                places[chunk] = len(data)
                data += chunk + bytes(len(chunk) & 1)
            found.append(places.get(chunk, 0))
        tags = {**given, offsets: (4, found), counts: (3, [len(chunk) for chunk in chunks])}
        rows = b""
        for tag, (kind, value) in sorted(tags.items()):
            values = value if isinstance(value, list) else [value]
            packed = value if kind == 2 else struct.pack(f"{order}{len(values)}{_CODES[kind]}", *values)
            count = len(packed) if kind == 2 else len(values)
            if len(packed) > 4:
                held = struct.pack(order + "I", len(data))
                data += packed + bytes(len(packed) & 1)
            else:
                held = packed.ljust(4, b"\0")
            rows += struct.pack(order + "HHI", tag, kind, count) + held
        struct.pack_into(order + "I", data, link, len(data))
        data += struct.pack(order + "H", len(tags)) + rows + bytes(4)
        link = len(data) - 4
    return bytes(data)


def layout(width: int, height: int, **more: Any) -> Entries:
    """Return the tags of an uncompressed gray page; ``more`` are others, by ``t`` and their number."""
    tags: Entries = {
        256: (4, width),
        257: (4, height),
        258: (3, 8),
        259: (3, 1),
        262: (3, 1),
        277: (3, 1),
        278: (4, height),
    }
    return {**tags, **{int(name[1:]): value for name, value in more.items()}}


def gray(width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    return np.add.outer(np.arange(height) * 2, np.arange(width)).astype(np.uint8)


def tags(data: bytes) -> list[dict[int, Any]]:
    """Return the tags of every page as tifffile reads them, except those that say where strips and tiles are."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        return [{t.code: t.value for t in page.aspage().tags if t.code not in _MOVED} for page in file.pages]


def complaints(data: bytes, folder: Path) -> str:
    path = folder / "witness.tif"
    path.write_bytes(data)
    done = subprocess.run([programs.require("tiffinfo"), "-D", path], capture_output=True, text=True, check=False)
    return "\n".join(line for line in done.stderr.splitlines() if "Unknown field" not in line)


def same_outside(before: NDArray[Any], after: NDArray[Any], box: tuple[int, int, int, int]) -> bool:
    left, top, right, bottom = box
    before = before.copy()
    before[top:bottom, left:right] = after[top:bottom, left:right]
    return np.array_equal(before, after)


COMPRESSIONS = ["raw", "zstd", "lzma", "tiff_lzw", "packbits", "tiff_adobe_deflate"]


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK", "L", "LA", "I;16", "F", "YCbCr", "LAB", "P", "1"])
def test_every_mode_and_compression_keeps_samples_and_tags(
    mode: str, compression: str, scene: Scene, save: Save, stamp: type[Stamp], tmp_path: Path
) -> None:
    more = TiffImagePlugin.ImageFileDirectory_v2()
    more[33550], more.tagtype[33550] = (1.0, 1.0, 0.0), 12  # ModelPixelScale (GeoTIFF)
    more[34735], more.tagtype[34735] = (1, 1, 0, 1, 1024, 0, 1, 2), 3
    more[285], more.tagtype[285] = "a page", 2
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0a comment"
    exif.get_ifd(0x8825)[1] = "N"
    for tag in more:
        exif[tag] = more[tag]
    image = scene(96, 64)
    if mode == "LAB":
        image = Image.merge("LAB", image.split())
    elif mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    elif mode in ("RGBA", "LA"):
        image.putalpha(Image.linear_gradient("L").resize(image.size))
        image = image.convert(mode)
    else:
        image = image.quantize(32) if mode == "P" else image.convert(mode)
    try:
        data = save(image, "TIFF", compression=compression, exif=exif, icc_profile=b"a profile " * 20)
    except (OSError, RuntimeError):
        pytest.skip(f"Pillow does not write {mode} with {compression}")
    painted = paint_file(data, "tiff", stamp(gray=mode in ("1", "L", "LA", "I;16", "F")))
    assert painted.how == "only the TIFF strips or tiles under the label were changed"
    before, after = tags(data), tags(painted.data)
    if mode == "P":
        before[0].pop(320), after[0].pop(320)
    assert before == after
    old, new = (np.array(Image.open(io.BytesIO(each))) for each in (data, painted.data))
    assert old.dtype == new.dtype
    assert not np.array_equal(old, new)
    assert same_outside(old, new, painted.box)
    assert complaints(painted.data, tmp_path) == complaints(data, tmp_path)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("bits", [1, 2, 4, 12, 16])
@pytest.mark.parametrize("photometric", [0, 1, 3])
def test_few_and_odd_bits(bits: int, photometric: int, order: str, stamp: type[Stamp], quarters: Quarters) -> None:
    if photometric == 3 and bits > 8:
        return
    width, height = 93, 64  # rows do not end on a byte
    peak = (1 << bits) - 1
    values = (gray(width, height).astype(np.uint32) * peak // 255).astype(np.uint16)
    as_bits = (values[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    packed = np.packbits(as_bits.astype(np.uint8).reshape(height, -1), axis=1)
    if bits == 16:
        packed = values.astype(order + "u2").view(np.uint8).reshape(height, -1)
    more: dict[str, Any] = {"t258": (3, bits), "t262": (3, photometric), "t278": (4, 7)}
    if photometric == 3:
        more["t320"] = (3, [257 * (v * 255 // peak) for _ in range(3) for v in range(peak + 1)])
    strips = [zlib.compress(packed[at : at + 7].tobytes()) for at in range(0, height, 7)]
    data = classic((layout(width, height, t259=(3, 8), **more), strips), order=order)
    painted = paint_file(data, "tiff", stamp(gray=True))
    seen = displayed(painted.data, "tiff").astype(int)
    step = 255 // 2 if bits == 1 else 255 / peak
    expected = np.repeat(QUARTERS[..., 1:2], 3, axis=2)
    assert np.abs(quarters(seen, painted.box) - expected).max() <= step + 1
    assert same_outside(displayed(data, "tiff"), displayed(painted.data, "tiff"), painted.box)
    try:
        old, new = (np.array(Image.open(io.BytesIO(each)).convert("L")) for each in (data, painted.data))
    except (OSError, SyntaxError, ValueError):
        return  # Pillow does not read 2 and 4 bits of every kind
    assert same_outside(old, new, painted.box)


@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("bits", [1, 8])
def test_the_lowest_bit_first(bits: int, compression: int, stamp: type[Stamp], quarters: Quarters) -> None:
    plain = np.packbits(gray() > 90, axis=1) if bits == 1 else gray()
    mirror = np.array([int(f"{n:08b}"[::-1], 2) for n in range(256)], np.uint8)
    stored = plain.tobytes() if compression == 1 else zlib.compress(plain.tobytes())
    chunk = mirror[np.frombuffer(stored, np.uint8)].tobytes()
    data = classic((layout(96, 64, t258=(3, bits), t259=(3, compression), t266=(3, 2)), [chunk]))
    painted = paint_file(data, "tiff", stamp(gray=True))
    old, new = (np.array(Image.open(io.BytesIO(each)).convert("L")) for each in (data, painted.data))
    assert np.abs(quarters(new[..., None], painted.box)[..., 0] - QUARTERS[..., 1]).max() <= 1
    assert same_outside(old, new, painted.box)


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "u4", "f2", "f4", "f8"])
@pytest.mark.parametrize("predictor", [False, True])
def test_signed_long_and_floating_samples(dtype: str, predictor: bool, stamp: type[Stamp]) -> None:
    samples = (gray().astype(np.float64) - 60).astype(dtype) if dtype[0] != "u" else gray().astype(dtype) << 20
    out = io.BytesIO()
    if predictor and dtype[0] == "f":
        if dtype != "f4":
            return
        options: dict[str, Any] = {"compression": "tiff_adobe_deflate", "tiffinfo": {317: 3}}
        Image.fromarray(samples).save(out, "TIFF", **options)
    else:
        tifffile.imwrite(out, samples, compression="zlib", predictor=predictor, metadata=None)
    painted = paint_file(out.getvalue(), "tiff", stamp(gray=True))
    assert tags(painted.data) == tags(out.getvalue())
    if predictor and dtype[0] == "f":
        after = np.array(Image.open(io.BytesIO(painted.data)))
    else:
        after = tifffile.imread(io.BytesIO(painted.data))
    assert after.dtype == samples.dtype
    assert not np.array_equal(after, samples)
    assert same_outside(samples, after, painted.box)


def test_no_data_under_the_label_does_not_swallow_it(stamp: type[Stamp], quarters: Quarters) -> None:
    samples = np.full((64, 96), np.nan, np.float32)
    samples[:8] = 0.5
    out = io.BytesIO()
    tifffile.imwrite(out, samples, metadata=None)
    painted = paint_file(out.getvalue(), "tiff", stamp(gray=True))
    after = tifffile.imread(io.BytesIO(painted.data))
    shown = quarters((after * 255)[..., None], painted.box)[..., 0]
    assert np.abs(shown - QUARTERS[..., 1]).max() <= 1
    assert np.isnan(after[9]).all()


@pytest.mark.parametrize("given", [(4, 4), (2, 1), (1, 2), (2, 2)])
def test_subsampled_chroma_without_jpeg(
    given: tuple[int, int], scene: Scene, stamp: type[Stamp], quarters: Quarters
) -> None:
    across, down = given
    full = np.asarray(scene(94, 62).convert("YCbCr"))
    padded = np.pad(full, ((0, -62 % down), (0, -94 % across), (0, 0)), "edge")
    cells = padded.reshape(len(padded) // down, down, -1, across, 3).swapaxes(1, 2)
    units = np.concatenate([cells[..., 0].reshape(*cells.shape[:2], -1), cells[:, :, 0, 0, 1:]], axis=-1)
    more: dict[str, Any] = {"t258": (3, [8, 8, 8]), "t262": (3, 6), "t277": (3, 3), "t530": (3, list(given))}
    data = classic((layout(94, 62, t259=(3, 8), **more), [zlib.compress(units.tobytes())]))
    painted = paint_file(data, "tiff", stamp())
    before, after = displayed(data, "tiff"), displayed(painted.data, "tiff")
    assert np.abs(quarters(after.astype(int), painted.box) - QUARTERS).max() <= 3
    left, top, right, bottom = painted.box
    box = left // across * across, top // down * down, -(-right // across) * across, -(-bottom // down) * down
    assert same_outside(before, after, box)
    with Image.open(io.BytesIO(painted.data)) as image:  # libtiff agrees about the layout
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - after).max() <= 4


@pytest.mark.parametrize("mode", ["RGB", "YCbCr", "L"])
@pytest.mark.parametrize("rows", [16, 64])
def test_jpeg_strips_change_only_under_the_label(
    mode: str, rows: int, scene: Scene, save: Save, stamp: type[Stamp], quarters: Quarters, tmp_path: Path
) -> None:
    data = save(scene(96, 64).convert(mode), "TIFF", compression="jpeg", quality=92, tiffinfo={278: rows, 270: "kept"})
    painted = paint_file(data, "tiff", stamp(gray=mode == "L"))
    assert tags(painted.data) == tags(data)
    old, new = (np.array(Image.open(io.BytesIO(each)).convert("RGB")) for each in (data, painted.data))
    expected = QUARTERS if mode != "L" else np.repeat(QUARTERS[..., 1:2], 3, axis=2)
    assert np.abs(quarters(new.astype(int), painted.box) - expected).max() <= 24
    left, top, right, _ = painted.box
    assert same_outside(old, new, (left // 16 * 16 - 1, top // 16 * 16 - 1, -(-right // 16) * 16 + 1, 64))
    assert complaints(painted.data, tmp_path) == ""


# --- which pictures are painted on ------------------------------------------------------------------------------------


def stored(data: bytes, page: int) -> NDArray[Any]:
    with Image.open(io.BytesIO(data)) as image:
        image.seek(page)
        return np.array(image)


def test_masks_stay_as_they_are(stamp: type[Stamp]) -> None:
    mask = np.packbits(gray() > 90, axis=1).tobytes()
    one_bit: dict[str, Any] = {"t258": (3, 1)}
    data = classic(
        (layout(96, 64), [gray().tobytes()]),
        (layout(96, 64, t254=(4, 4), t262=(3, 4), **one_bit), [mask]),
        (layout(96, 64, t254=(4, 5), **one_bit), [mask]),
    )
    painted = paint_file(data, "tiff", stamp(gray=True))
    assert painted.frames == 1
    assert painted.data.count(mask) == 2
    assert not np.array_equal(stored(painted.data, 0), stored(data, 0))


@pytest.mark.parametrize("home", ["chain", "SubIFDs"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_pyramid_levels_get_the_label_at_their_size(
    home: str, compression: str | None, scene: Scene, stamp: type[Stamp], quarters: Quarters
) -> None:
    image = scene(384, 256)
    out = io.BytesIO()
    options: dict[str, Any] = {"photometric": "rgb", "compression": compression, "metadata": None, "tile": (64, 64)}
    with tifffile.TiffWriter(out) as file:
        file.write(np.asarray(image), subifds=2 if home == "SubIFDs" else 0, **options)
        for level in (1, 2):
            size = 384 >> level, 256 >> level
            file.write(np.asarray(image.resize(size)), subfiletype=1, **options)
    painted = paint_file(out.getvalue(), "tiff", stamp())
    assert painted.frames == 1
    assert "smaller copies" in painted.how
    with tifffile.TiffFile(io.BytesIO(painted.data)) as after, tifffile.TiffFile(io.BytesIO(out.getvalue())) as before:
        pages = [after.pages[0], *(after.pages[0].aspage().pages or [])] if home == "SubIFDs" else list(after.pages)
        olds = [before.pages[0], *(before.pages[0].aspage().pages or [])] if home == "SubIFDs" else list(before.pages)
        assert len(pages) == 3
        for level, (page, old) in enumerate(zip(pages, olds, strict=True)):
            left, top, right, bottom = painted.box
            s = 1 << level
            box = left // s, top // s, -(-right // s), -(-bottom // s)
            shown = page.asarray()
            assert (
                np.abs(quarters(shown.astype(int), (left // s, top // s, right // s, bottom // s)) - QUARTERS).max()
                <= 4
            )
            assert same_outside(old.asarray(), shown, box)


def test_a_thumbnail_with_bars_has_the_label_where_the_picture_is(stamp: type[Stamp], quarters: Quarters) -> None:
    big, small = np.full((200, 300), 90, np.uint8), np.zeros((120, 160), np.uint8)
    small[7:113] = 90
    data = classic((layout(300, 200), [big.tobytes()]), (layout(160, 120, t254=(4, 1)), [small.tobytes()]))
    painted = paint_file(data, "tiff", stamp(gray=True))
    left, top, right, bottom = painted.box
    s = 160 / 300
    box = tuple(round(v) for v in (left * s, top * s + 6.7, right * s, bottom * s + 6.7))
    assert np.abs(quarters(stored(painted.data, 1)[..., None], box)[..., 0] - QUARTERS[..., 1]).max() <= 4


def test_the_work_on_copies_is_bounded(stamp: type[Stamp]) -> None:
    small = (layout(90, 64, t254=(4, 1)), [gray(90).tobytes()])
    data = classic((layout(96, 64), [gray().tobytes()]), *[small] * 6)
    painted = paint_file(data, "tiff", stamp(gray=True), max_pixels=96 * 64)
    assert "IFD5 and what follows it (there are too many) stays without the label" in painted.how
    before, after = stored(data, 1), stored(painted.data, 1)
    assert not np.array_equal(before, after)


def test_a_jpeg_strip_that_claims_to_be_huge_is_not_decoded(save: Save, scene: Scene, stamp: type[Stamp]) -> None:
    data = bytearray(save(scene(96, 64), "TIFF", compression="jpeg"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 60000, 60000)
    with pytest.raises(UnreadableFile, match="60000×60000"):
        paint_file(bytes(data), "tiff", stamp())


def test_tiles_that_are_stored_once_and_used_twice_keep_the_other_use(stamp: type[Stamp]) -> None:
    same = np.full((32, 32), 77, np.uint8).tobytes()
    tiles = {"t322": (4, 32), "t323": (4, 32)}
    data = classic((layout(96, 64, **tiles), [same] * 6), shared=True)
    before = np.full((64, 96), 77, np.uint8)
    painted = paint_file(data, "tiff", stamp(gray=True, fixed=(70, 40, 90, 60)))
    after = tifffile.imread(io.BytesIO(painted.data))
    assert same_outside(before, after, (70, 40, 90, 60))
    assert not np.array_equal(before, after)


def test_pages_that_share_strips_are_each_labelled_once(stamp: type[Stamp]) -> None:
    strip = gray().tobytes()
    page = bytearray(classic((layout(96, 64), [strip]), (layout(96, 64, t285=(2, b"again\0")), [bytes(len(strip))])))
    one, two = (int.from_bytes(page[at : at + 4], "little") for at in _values(bytes(page), 273))
    page[_values(bytes(page), 273)[1] :][:0] = b""
    struct.pack_into("<I", page, _values(bytes(page), 273)[1], one)
    del two
    painted = paint_file(bytes(page), "tiff", stamp(gray=True))
    first, second = stored(painted.data, 0), stored(painted.data, 1)
    assert np.array_equal(first, second)
    assert same_outside(gray(), first, painted.box)
    assert not np.array_equal(gray(), first)


def _values(data: bytes, tag: int) -> list[int]:
    """Return where the inline value of a tag is in each directory of the chain."""
    found, at = [], int.from_bytes(data[4:8], "little")
    while at:
        count = int.from_bytes(data[at : at + 2], "little")
        rows = range(at + 2, at + 2 + 12 * count, 12)
        found += [row + 8 for row in rows if int.from_bytes(data[row : row + 2], "little") == tag]
        at = int.from_bytes(data[rows.stop : rows.stop + 4], "little")
    return found


def test_sparse_tiles_under_the_label_come_into_being(stamp: type[Stamp], quarters: Quarters) -> None:
    tile = np.full((32, 32), 77, np.uint8).tobytes()
    data = classic((layout(96, 64, t322=(4, 32), t323=(4, 32)), [tile, tile, tile, tile, b"", b""]))
    painted = paint_file(data, "tiff", stamp(gray=True))
    after = tifffile.imread(io.BytesIO(painted.data))
    assert np.abs(quarters(after[..., None], painted.box)[..., 0] - QUARTERS[..., 1]).max() <= 1


def test_a_table_of_short_numbers_grows(stamp: type[Stamp]) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (300, 300), np.uint8)
    noise[150:] = 7
    strips = [zlib.compress(noise[at : at + 150].tobytes(), 9) for at in (0, 150)]
    data = classic((layout(300, 300, t259=(3, 8), t278=(4, 150)), strips))
    again = np.random.default_rng(2).integers(0, 255, (150, 300, 1), np.uint8)

    class Noise(Stamp):
        def paint(self, backdrops: Any) -> Any:
            return np.concatenate([again.repeat(3, axis=2), np.full_like(again, 255)], axis=2)

    noise = noise[:, :]
    painted = paint_file(data, "tiff", Noise(fixed=(0, 150, 300, 300)))
    after = np.array(Image.open(io.BytesIO(painted.data)))
    assert np.array_equal(after[:150], noise[:150])
    assert np.array_equal(after[150:], again[..., 0])


def test_a_cloud_optimized_file_says_that_it_was_edited(stamp: type[Stamp]) -> None:
    ghost = b"GDAL_STRUCTURAL_METADATA_SIZE=000140 bytes\nLAYOUT=IFDS_BEFORE_DATA\nKNOWN_INCOMPATIBLE_EDITION=NO\n "
    plain = classic((layout(96, 64), [gray().tobytes()]))
    # Behind the header nothing is in its old place any more: the strip goes last.
    entry = plain.index(struct.pack("<HHI", 273, 4, 1)) + 8
    moved = bytearray(plain + gray().tobytes())
    struct.pack_into("<I", moved, entry, len(plain))
    moved[8 : 8 + len(ghost)] = ghost
    painted = paint_file(bytes(moved), "tiff", stamp(gray=True))
    assert b"KNOWN_INCOMPATIBLE_EDITION=YES\n" in painted.data
    assert b"KNOWN_INCOMPATIBLE_EDITION=NO" not in painted.data


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "name"),
    [(50002, "JPEG XL"), (52546, "JPEG XL"), (34887, "LERC"), (50001, "WebP"), (34712, "JPEG 2000"),
     (6, "old-style JPEG"), (33003, "JPEG 2000"), (34661, "JBIG"), (12345, "unknown")],
)  # fmt: skip
def test_compressions_that_are_not_read_are_named(number: int, name: str, stamp: type[Stamp]) -> None:
    data = classic((layout(96, 64, t259=(3, number)), [b"whatever it is"]))
    with pytest.raises(UnsupportedFormat, match=f"{name}.*visible=False") as caught:
        paint_file(data, "tiff", stamp())
    assert "damaged" not in str(caught.value)
    with pytest.raises(UnsupportedFormat, match=name) as caught:
        displayed(data, "tiff")
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize(
    "more",
    [{"t262": (3, 9)}, {"t262": (3, 32845)}, {"t258": (3, 64)}, {"t339": (3, 6)}, {"t262": (3, 5), "t332": (3, 2)}],
    ids=str,
)
def test_samples_that_are_not_painted_on_are_refused_with_the_way_out(more: dict[str, Any], stamp: type[Stamp]) -> None:
    data = classic((layout(96, 64, **more), [gray().tobytes() * 8]))
    with pytest.raises(UnsupportedFormat, match="visible=False"):
        paint_file(data, "tiff", stamp())


RAW: dict[str, dict[str, Any]] = {
    "DNG": {"t50706": (1, [1, 4, 0, 0])}, "Canon": {"t271": (2, b"Canon\0"), "t262": (3, 32803)},
    "Nikon NEF": {"t271": (2, b"NIKON CORPORATION\0"), "t259": (3, 34713)}, "Sony ARW": {"t259": (3, 32767)},
    "Pentax PEF": {"t259": (3, 65535)}, "unknown maker": {"t262": (3, 34892)}, "Samsung": {"t259": (3, 32770)},
}  # fmt: skip


@pytest.mark.parametrize("kind", RAW)
def test_camera_raw_is_named_and_not_drawn_on(kind: str, stamp: type[Stamp]) -> None:
    tags = RAW[kind]
    data = classic((layout(96, 64, **tags), [gray().tobytes()]))
    with pytest.raises(UnsupportedFormat, match=rf"camera raw .*{kind}.*visible=False"):
        paint_file(data, "tiff", stamp())
    with pytest.raises(UnsupportedFormat, match="not looked for"):
        displayed(data, "tiff")


def test_cr2_is_known_by_its_header(stamp: type[Stamp]) -> None:
    data = classic((layout(96, 64, t271=(2, b"Canon\0")), [b"CR\2\0" + gray().tobytes()]))
    with pytest.raises(LabelingError, match="CR2"):
        paint_file(data, "tiff", stamp())


@pytest.mark.parametrize("start", [b"MMMM", b"IIII", b"CR\2\0"])
def test_pixels_that_look_like_a_marker_make_no_raw_file(start: bytes, stamp: type[Stamp]) -> None:
    data = classic((layout(96, 64, t271=(2, b"a camera\0")), [start + gray().tobytes()]))
    assert paint_file(data, "tiff", stamp(gray=True)).frames == 1
