"""A label on HEIC and AVIF: what is not under it stays, and is coded as it was.

Judged by the programs of libavif and libheif.
"""

from __future__ import annotations

import io
import struct
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image

import labeling
from labeling.codecs import displayed, paint_file
from labeling.codecs.video.bits import unescape
from labeling.codecs.video.hevc import SPS, read_sets
from labeling.containers.heif.layout import parse
from labeling.containers.heif.pictures import Pictures
from labeling.containers.syntax.aperture import clean_aperture
from labeling.errors import LabelingError, TooLarge
from tests import programs

from . import heif_files
from .heif_files import Item, box, decoded, full, grid, heif, hevc, photo, size_of
from .stamp import QUARTERS, Quarters, Stamp


def avif(folder: Path, image: Image.Image, *options: str) -> bytes:
    """An AVIF file as avifenc writes it."""
    programs.require("avifenc", "avifdec")
    source, target = folder / "source.png", folder / "source.avif"
    image.save(source)
    subprocess.run(["avifenc", "-s", "8", *options, str(source), str(target)], check=True, capture_output=True)
    return target.read_bytes()


def facts(folder: Path, data: bytes) -> list[str]:
    """What avifdec says of a file: size, depth, sampling, colour, aperture, rotation."""
    path = folder / "asked.avif"
    path.write_bytes(data)
    said = subprocess.run(["avifdec", "--info", str(path)], check=True, capture_output=True, text=True).stdout
    return [line for line in said.splitlines() if line.startswith((" *", "   *")) and "Size" not in line]


def shown(folder: Path, data: bytes) -> Any:
    """The coded picture as avifdec decodes it, in 16 bits; it applies neither clap nor irot."""
    path, made = folder / "shown.avif", folder / "shown.png"
    path.write_bytes(data)
    subprocess.run(["avifdec", "-d", "8", str(path), str(made)], check=True, capture_output=True)
    with Image.open(made) as image:
        return np.asarray(image.convert("RGBA")).astype(int)


def outside(before: Any, after: Any, place: tuple[int, int, int, int]) -> Any:
    """Differences outside a box and the chroma samples at its edge."""
    left, top, right, bottom = place
    difference = np.abs(before - after)
    difference[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2] = 0
    return difference


@pytest.mark.parametrize("sampling", ["420", "422", "444", "400"])
@pytest.mark.parametrize("depth", ["8", "10", "12"])
@pytest.mark.parametrize("size", [(160, 120), (161, 119)])
def test_avif_keeps_depth_chroma_and_colour(
    sampling: str, depth: str, size: tuple[int, int], tmp_path: Path, quarters: Quarters
) -> None:
    options = ["-y", sampling, "-d", depth, "--cicp", "9/16/9", "--min", "16", "--max", "16"]
    data = avif(tmp_path, photo(*size), *options)
    painted = paint_file(data, "heif", Stamp(gray=True))  # colours may need another matrix: see below
    before, after = facts(tmp_path, data), facts(tmp_path, painted.data)
    if sampling == "422" and depth != "8":  # no encoder at hand: more chroma, no loss
        assert [line.replace("YUV422", "YUV444") for line in before] == after
        assert "stored as 4:4:4" in painted.how
    else:
        assert before == after
    old, new = shown(tmp_path, data), shown(tmp_path, painted.data)
    assert outside(old, new, painted.box).mean() < 1.5
    place = displayed(painted.data, "heif")
    expected = np.repeat(QUARTERS[..., 1:2], 3, axis=2)
    read = quarters(place, painted.box)
    assert ((read > 90) == (expected > 128)).all()  # as bright as diffuse white in PQ, not as the peak
    if depth == "8" or sampling in ("420", "400"):
        assert len(painted.data) < 2 * len(data) + 2000


@pytest.mark.parametrize(
    "options", [("-y", "444"), ("-y", "444", "-d", "10"), ("-y", "420", "--cicp", "1/13/6"), ("-y", "400")]
)
def test_lossless_avif_stays_lossless(options: tuple[str, ...], tmp_path: Path) -> None:
    data = avif(tmp_path, photo(150, 110), "-l", *options)
    painted = paint_file(data, "heif", Stamp())
    assert painted.lossless
    assert facts(tmp_path, data) == facts(tmp_path, painted.data)
    assert outside(shown(tmp_path, data), shown(tmp_path, painted.data), painted.box).max() == 0


@pytest.mark.parametrize("codes", ["12/13/6", "1/13/1", "9/18/9"])
@pytest.mark.parametrize("span", ["limited", "full"])
def test_avif_keeps_range_and_primaries(codes: str, span: str, tmp_path: Path) -> None:
    data = avif(tmp_path, photo(160, 120), "--cicp", codes, "-r", span, "-y", "444", "--min", "10", "--max", "10")
    painted = paint_file(data, "heif", Stamp(gray=True))
    assert facts(tmp_path, data) == facts(tmp_path, painted.data)
    assert outside(shown(tmp_path, data), shown(tmp_path, painted.data), painted.box).mean() < 1.5


def test_colours_that_the_encoder_cannot_take_change_their_matrix_and_nothing_else(tmp_path: Path) -> None:
    image = photo(160, 120)
    image.paste((0, 0, 255), (0, 0, 40, 40))
    data = avif(tmp_path, image, "--cicp", "9/16/9", "-y", "444", "--min", "4", "--max", "4")
    painted = paint_file(data, "heif", Stamp())
    assert facts(tmp_path, painted.data) == [
        line.replace(" 9", " 6") if "Matrix" in line else line for line in facts(tmp_path, data)
    ]
    assert outside(shown(tmp_path, data), shown(tmp_path, painted.data), painted.box).mean() < 1.5
    assert "colour:nclx" in painted.reasons


def test_the_label_is_inside_the_clean_aperture(tmp_path: Path, quarters: Quarters) -> None:
    crop = ["--clap", "80,1,60,1,-10,1,6,1"]
    turn = ["--irot", "1"]
    data = avif(tmp_path, photo(160, 120), "-y", "444", *crop, *turn, "--pasp", "2,1")
    painted = paint_file(data, "heif", Stamp())
    assert (painted.width, painted.height) == (60, 80)
    assert facts(tmp_path, data) == facts(tmp_path, painted.data)
    assert np.abs(quarters(displayed(painted.data, "heif"), painted.box) - QUARTERS).max() < 40
    coded = shown(tmp_path, painted.data)[36:96, 30:110, :3]  # the aperture, in the picture as avifdec decodes it
    assert np.abs(quarters(np.rot90(coded), painted.box) - QUARTERS).max() < 40


def test_clean_apertures() -> None:
    def rect(*numbers: int) -> Any:
        return clean_aperture(b"".join(number.to_bytes(4, "big", signed=True) for number in numbers), 101, 80)

    assert rect(51, 1, 40, 1, 0, 1, 0, 1) == (25, 20, 76, 60)
    assert rect(101, 2, 40, 1, 1, 4, -10, 1) == (26, 10, 76, 50)  # 25.5 to 76
    for unsound in ((0, 1, 40, 1, 0, 1, 0, 1), (51, 0, 40, 1, 0, 1, 0, 1), (51, 1, 40, 1, 90, 1, 0, 1)):
        assert rect(*unsound) == (0, 0, 101, 80)
    assert clean_aperture(b"short", 101, 80) == (0, 0, 101, 80)


@pytest.mark.parametrize(
    "more", [(), ("-p",), ("-y", "444", "-d", "10", "--grid", "2x2"), ("--grid", "2x2", "-y", "420")]
)
def test_avif_with_alpha_is_opaque_under_the_label(more: tuple[str, ...], tmp_path: Path, quarters: Quarters) -> None:
    image = photo(200, 160)
    ramp = np.add.outer(np.zeros(160), np.arange(200))
    image.putalpha(Image.fromarray(ramp.astype(np.uint8)))
    data = avif(tmp_path, image, *more)
    painted = paint_file(data, "heif", Stamp())
    assert facts(tmp_path, data) == facts(tmp_path, painted.data)
    left, top, right, bottom = painted.box
    old, new = shown(tmp_path, data), shown(tmp_path, painted.data)
    assert new[top:bottom, left:right, 3].min() >= 253
    assert outside(old, new, painted.box)[..., 3].max() <= 2
    assert np.abs(quarters(new[..., :3], painted.box) - QUARTERS).max() < 40


def test_of_an_avif_grid_only_the_tiles_under_the_label_change(tmp_path: Path) -> None:
    data = avif(tmp_path, photo(256, 256), "--grid", "2x2", "-y", "420", "--min", "20", "--max", "20")
    painted = paint_file(data, "heif", Stamp())
    assert "1 of 4 tiles" in painted.how
    old, new = shown(tmp_path, data), shown(tmp_path, painted.data)
    assert np.array_equal(old[:127], new[:127])  # avifdec smooths chroma across tiles
    assert np.array_equal(old[:, :127], new[:, :127])
    assert not np.array_equal(old, new)


# HEIC


def payloads(data: bytes) -> dict[int, bytes]:
    """The bytes of each item that has some."""
    file = parse(data)
    assert file.meta is not None
    pictures = Pictures(file, file.meta)
    return {number: pictures.payload(number) for number in file.meta.items}


@pytest.mark.parametrize("turn", [None, 1, 2, 3])
def test_heic_grid(turn: int | None, tmp_path: Path, quarters: Quarters) -> None:
    data = grid(turn=turn)
    painted = paint_file(data, "heif", Stamp())
    old, new = payloads(data), payloads(painted.data)
    changed = {number for number in old if old[number] != new[number]}
    tiles, thumbnail = set(range(2, 8)), 8
    assert changed - tiles == {thumbnail}
    assert 1 <= len(changed & tiles) <= 4
    assert f"{len(changed & tiles)} of 6 tiles" in painted.how
    assert len(painted.data) < 1.2 * len(data)
    before, after = (np.asarray(pillow_heif.open_heif(each).to_pillow()).astype(int) for each in (data, painted.data))
    assert after.shape[:2] == (painted.height, painted.width)
    assert np.abs(quarters(after, painted.box) - QUARTERS).max() < 40
    same = np.all(before == after, axis=-1)
    assert same.mean() > 0.3
    assert outside(before, after, painted.box).mean() < 1.5
    for name in (
        b"nobody knows this item",
        b"nor this property",
        b"a box that nobody knows",
        b"grpl",
        b"colrnclx",
        b"hdrgainmap",
    ):
        assert painted.data.count(name) == data.count(name)
    # All tiles have one decoder configuration (ISO/IEC 23000-22, 7.3.11.4.2), and libheif reads them.
    assert painted.data.count(b"hvcC") == data.count(b"hvcC")
    path = tmp_path / "painted.heic"
    path.write_bytes(painted.data)
    programs.require("heif-info")
    said = subprocess.run(["heif-info", str(path)], check=True, capture_output=True, text=True).stdout
    assert "thumbnail: 120x84" in said or "thumbnail: 84x120" in said
    made = tmp_path / "painted.png"
    subprocess.run([programs.require("heif-dec"), str(path), str(made)], check=True, capture_output=True)
    with Image.open(made) as image:
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - after).mean() < 2  # it smooths chroma


def test_a_grid_is_labelled_again(quarters: Quarters) -> None:
    once = paint_file(grid(), "heif", Stamp())
    twice = paint_file(once.data, "heif", Stamp(fixed=(10, 10, 120, 90)))
    after = np.asarray(pillow_heif.open_heif(twice.data).to_pillow())
    assert np.abs(quarters(after, twice.box) - QUARTERS).max() < 40
    assert np.abs(quarters(after, once.box) - QUARTERS).max() < 40


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "gray", "yuv420p10le", "yuv444p10le", "gray10le"])
@pytest.mark.parametrize("lossless", [True, False])
def test_heic_keeps_depth_chroma_and_what_is_lossless(pix_fmt: str, lossless: bool) -> None:
    coded, configuration = hevc(photo(160, 120), pix_fmt, "lossless=1" if lossless else "qp=24")
    item = Item(b"hvc1", coded, [(box(b"hvcC", configuration), True), size_of(160, 120), (heif_files.NCLX_P3, False)])
    data = heif([item])
    painted = paint_file(data, "heif", Stamp())
    assert painted.lossless == lossless
    before, after = decoded(data), decoded(painted.data)
    assert before.format.name == after.format.name
    old, new = heif_files.pixels(before)[0].astype(int), heif_files.pixels(after)[0].astype(int)
    difference = outside(old, new, painted.box)
    assert difference.max() == 0 if lossless else difference.mean() < 2 * (4 if "10" in pix_fmt else 1)
    assert heif_files.NCLX_P3 in painted.data
    assert len(painted.data) < 1.3 * len(data) + 500


def test_heic_quality_follows_the_source(tmp_path: Path) -> None:
    for quality in (35, 60, 85):
        out = io.BytesIO()
        pillow_heif.from_pillow(photo(400, 300)).save(out, quality=quality)
        painted = paint_file(out.getvalue(), "heif", Stamp(fixed=(300, 250, 380, 280)))
        assert 0.7 < len(painted.data) / len(out.getvalue()) < 1.3


def profile(folder: Path, data: bytes) -> tuple[str, list[int]]:
    """The profile in hvcC as exiftool shows it, and those in the parameter sets of the primary picture."""
    path = folder / "profile.heic"
    path.write_bytes(data)
    command = [programs.require("exiftool"), "-s3", "-n", "-GeneralProfileIDC", str(path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    file = parse(data)
    assert file.meta is not None
    _, sets = read_sets(Pictures(file, file.meta).property(file.meta.primary, b"hvcC") or b"")
    return said, [unescape(nal)[3] & 31 for nal in sets[SPS]]  # general_profile_idc, behind 2 + 1 bytes


@pytest.mark.parametrize(
    ("encoder", "options", "allowed"),
    [
        ("pillow-heif", (), {"3"}), ("heif-enc", (), {"3"}), ("heif-enc", ("-t", "64"), {"3"}),
        ("heif-enc", ("-b", "10"), {"2"}), ("heif-enc", ("-p", "chroma=444"), {"4"}),
    ],
)  # fmt: skip
def test_the_profile_is_one_that_the_brand_allows(
    encoder: str, options: tuple[str, ...], allowed: set[str], tmp_path: Path
) -> None:
    path = tmp_path / "source.heic"
    if encoder == "pillow-heif":
        pillow_heif.from_pillow(photo(160, 120)).save(path)
    else:
        deep = "-b" in options
        pixels = np.asarray(photo(160, 120)).astype(np.uint16) * 257
        cv2.imwrite(str(tmp_path / "source.png"), pixels if deep else (pixels // 257).astype(np.uint8))
        command = [programs.require(encoder), *options, str(tmp_path / "source.png"), "-o", str(path)]
        subprocess.run(command, check=True, capture_output=True)
    painted = paint_file(path.read_bytes(), "heif", Stamp())
    said, coded_as = profile(tmp_path, painted.data)
    assert said in allowed
    assert set(map(str, coded_as)) <= allowed
    before, after = (decoded(each) for each in (path.read_bytes(), painted.data))
    assert before.format.name == after.format.name


@pytest.mark.parametrize("tiles", [1, 4])
def test_tiles_of_a_grid_stay_in_the_profile(tiles: int, tmp_path: Path) -> None:
    data = grid(256, 256, 128 if tiles == 4 else 256, extra=False)
    painted = paint_file(data, "heif", Stamp())
    old: list[bytes] = []
    new: list[bytes] = []
    for each, found in ((data, old), (painted.data, new)):
        file = parse(each)
        assert file.meta is not None
        pictures = Pictures(file, file.meta)
        for number in pictures.targets(b"dimg", 1):
            found += read_sets(pictures.property(number, b"hvcC") or b"")[1][SPS]
    added = [nal for nal in new if nal not in old]
    assert added
    assert {unescape(nal)[3] & 31 for nal in added} == {3}


HDR = [
    box(b"colr", b"nclx", struct.pack(">HHHB", 9, 16, 9, 0)),
    box(b"clli", struct.pack(">HH", 1203, 403)),
    box(b"mdcv", struct.pack(">8H2I", 13250, 34500, 7500, 3000, 34000, 16000, 15635, 16450, 10000000, 50)),
    box(b"cclv", bytes(range(20))), box(b"amve", struct.pack(">IHH", 3140000, 15635, 16450)),
]  # fmt: skip


@pytest.mark.parametrize("turned", [(), (1,), (2, 0), (3, 1)])
def test_hdr_and_turned_pictures_keep_all_properties(turned: tuple[int, ...], tmp_path: Path) -> None:
    data, sets = hevc(photo(160, 120), "yuv420p10le")
    clap = [100, 1, 80, 1, 4, 1, -6, 1]
    more = [(each, False) for each in HDR] + [(box(b"clap", struct.pack(">4I4i", *clap[:4], *clap[4:])), True)]
    more += [(box(kind, bytes((value,))), True) for kind, value in zip((b"irot", b"imir"), turned, strict=False)]
    source = heif([Item(b"hvc1", data, [(box(b"hvcC", sets), True), size_of(160, 120), *more])], brand=b"heix")
    path, target = tmp_path / "source.heic", tmp_path / "out.heic"
    path.write_bytes(source)
    labeled = labeling.Labeler("service", strict=True).label_file(path, target)
    assert labeled.lost == ()
    made = target.read_bytes()
    for each, _ in more:
        assert each in made
    wide, high = (80, 100) if turned[:1] in ((1,), (3,)) else (100, 80)
    picture = pillow_heif.open_heif(made).to_pillow()
    assert picture.size == (wide, high)
    command = [programs.require("exiftool"), "-s", "-n", "-ColorPrimaries", "-TransferCharacteristics", "-Rotation",
               "-CleanAperture*", "-MaxContentLightLevel", "-ImageSpatialExtent"]  # fmt: skip
    said = [subprocess.run([*command, str(each)], capture_output=True, text=True).stdout for each in (path, target)]
    assert said[0] == said[1] != ""
    assert {finding.kind: finding.status for finding in labeling.verify(target).findings}["visible"] == "present"


def test_a_gain_map_and_its_group_stay(tmp_path: Path, quarters: Quarters) -> None:
    base, one = hevc(photo(160, 120))
    gain, two = hevc(photo(80, 60, 5).convert("L"), "gray")
    items = [
        Item(b"hvc1", base, [(box(b"hvcC", one), True), size_of(160, 120)]),
        Item(b"hvc1", gain, [(box(b"hvcC", two), True), size_of(80, 60)], hidden=True),
        Item(b"tmap", bytes(62), [size_of(160, 120), (HDR[0], False), (HDR[1], False)]),
    ]
    group = box(b"grpl", full(b"altr", 0, struct.pack(">4I", 9, 2, 3, 1)))
    data = heif(items, [(b"dimg", 3, [1, 2])], groups=group)
    path = tmp_path / "source.heic"
    path.write_bytes(data)
    labeled = labeling.Labeler("service", strict=True).label_file(path, tmp_path / "out.heic")
    assert labeled.lost == ()
    made = (tmp_path / "out.heic").read_bytes()
    assert group in made
    old, new = payloads(data), payloads(made)
    assert (old[2], old[3]) == (new[2], new[3])
    assert old[1] != new[1]
    assert HDR[1] in made


def test_items_inside_the_meta_box_and_a_picture_of_which_nothing_is_known() -> None:
    coded, configuration = hevc(photo(160, 120))
    properties = [(box(b"hvcC", configuration), True), size_of(160, 120)]
    data = heif([Item(b"hvc1", coded, properties, inside=True), Item(b"j2k1", b"what", [size_of(16, 12)])])
    painted = paint_file(data, "heif", Stamp())
    assert "picture 2 was left without a label" in painted.how
    assert payloads(painted.data)[2] == b"what"
    assert np.asarray(pillow_heif.open_heif(painted.data)[0].to_pillow()).shape == (120, 160, 3)


def test_stereo_pairs_are_labelled_in_both_pictures(quarters: Quarters) -> None:
    left, one = hevc(photo(160, 120))
    right, two = hevc(photo(160, 120, 2))
    items = [
        Item(b"hvc1", data, [(box(b"hvcC", sets), True), size_of(160, 120)])
        for data, sets in ((left, one), (right, two))
    ]
    group = box(b"grpl", full(b"ster", 0, bytes.fromhex("00000063 00000002 00000001 00000002")))
    painted = paint_file(heif(items, groups=group), "heif", Stamp())
    assert painted.frames == 2
    assert group in painted.data
    for picture in pillow_heif.open_heif(painted.data):
        assert np.abs(quarters(np.asarray(picture.to_pillow()), painted.box) - QUARTERS).max() < 40


# Derived pictures


def coded(width: int, height: int, seed: int = 1) -> Item:
    data, sets = hevc(photo(width, height, seed))
    return Item(b"hvc1", data, [(box(b"hvcC", sets), True), size_of(width, height)], hidden=True)


def overlay(width: int, height: int, *places: tuple[int, int]) -> Item:
    """An overlay item (ISO/IEC 23008-12, 6.6.2.2) on a magenta canvas."""
    body = struct.pack(">BB4HHH", 0, 0, 65535, 0, 65535, 65535, width, height)
    body += b"".join(struct.pack(">hh", *place) for place in places)
    return Item(b"iovl", body, [size_of(width, height)], inside=True)


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_identity_items_are_labelled_as_they_turn_the_picture(turn: int, quarters: Quarters) -> None:
    derived = Item(b"iden", b"\0", [size_of(160, 120), (box(b"irot", bytes((turn,))), True)], inside=True)
    data = heif([derived, coded(160, 120)], [(b"dimg", 1, [2])])
    painted = paint_file(data, "heif", Stamp())
    before, after = (np.asarray(pillow_heif.open_heif(each).to_pillow()).astype(int) for each in (data, painted.data))
    assert after.shape[:2] == (painted.height, painted.width) == ((120, 160) if turn in (0, 2) else (160, 120))
    assert np.abs(quarters(after, painted.box) - QUARTERS).max() < 40
    assert outside(before, after, painted.box).mean() < 1.5
    assert payloads(painted.data)[1] == b"\0"


def test_an_identity_of_a_grid_and_a_grid_of_identities(quarters: Quarters) -> None:
    grid_item = Item(b"grid", struct.pack(">BBBBHH", 0, 0, 0, 1, 256, 128), [size_of(256, 128)], inside=True)
    tiles = [coded(128, 128, 1), coded(128, 128, 2)]
    same = Item(b"iden", b"\0", [size_of(256, 128)], inside=True)
    one = heif([same, grid_item, *tiles], [(b"dimg", 1, [2]), (b"dimg", 2, [3, 4])])
    part = Item(b"iden", b"\0", [size_of(128, 128)], inside=True)
    two = heif([grid_item, part, part, *tiles], [(b"dimg", 1, [2, 3]), (b"dimg", 2, [4]), (b"dimg", 3, [5])])
    for data in (one, two):
        painted = paint_file(data, "heif", Stamp())
        after = np.asarray(pillow_heif.open_heif(painted.data).to_pillow()).astype(int)
        assert after.shape == (128, 256, 3)
        assert np.abs(quarters(after, painted.box) - QUARTERS).max() < 40


@pytest.mark.parametrize("place", [(20, 30), (100, 80), (60, 40), (-10, -10)])
def test_overlays_are_labelled_on_what_is_seen(place: tuple[int, int], quarters: Quarters) -> None:
    data = heif([overlay(160, 120, (0, 0), place), coded(160, 120), coded(64, 64, 4)], [(b"dimg", 1, [2, 3])])
    painted = paint_file(data, "heif", Stamp(fixed=(70, 50, 140, 110)))
    before, after = (np.asarray(pillow_heif.open_heif(each).to_pillow()).astype(int) for each in (data, painted.data))
    assert np.abs(quarters(after, painted.box) - QUARTERS).max() < 45
    assert outside(before, after, painted.box).mean() < 1.5


def test_overlays_with_gaps_and_pictures_used_twice_are_refused_with_a_way_out(tmp_path: Path) -> None:
    twice = Item(b"grid", struct.pack(">BBBBHH", 0, 0, 0, 1, 256, 128), [size_of(256, 128)], inside=True)
    for data, words in (
        (heif([overlay(160, 120, (8, 8)), coded(64, 48)], [(b"dimg", 1, [2])]), "none covers all of it"),
        (heif([overlay(160, 120, (0, 0), (0, 0)), coded(160, 120)], [(b"dimg", 1, [2])]), "damaged"),
        (heif([twice, coded(128, 128)], [(b"dimg", 1, [2, 2])]), "at several places"),
    ):
        path = tmp_path / "source.heic"
        path.write_bytes(data)
        with pytest.raises(LabelingError, match=words) as error:
            paint_file(data, "heif", Stamp())
        assert words == "damaged" or "visible=False" in (error.value.hint or "")
        quiet = labeling.Labeler("service", visible=False, strict=True).label_file(path, tmp_path / f"{len(data)}.heic")
        assert quiet.lost == ()
        if words == "none covers all of it":
            labeling.convert(path, tmp_path / "converted.png")
            with Image.open(tmp_path / "converted.png") as image:
                assert image.size == (160, 120)


# What cannot be painted on


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (heif([Item(b"unci", bytes(9216), [size_of(64, 48)])], brand=b"mif1"), "uncompressed pictures"),
        (heif([Item(b"j2k1", bytes(99), [size_of(64, 48)])], brand=b"j2ki"), "JPEG 2000"),
        (heif([Item(b"vvc1", bytes(99), [size_of(64, 48)])], brand=b"vvic"), "H.266"),
        (heif([Item(b"av01", bytes(99), [size_of(17000, 17000)])], brand=b"avif"), "17000×17000 pixels"),
        (box(b"ftyp", b"mif3", b"avif", b"mif3avif") + box(b"mini", bytes(60)), "minimized header"),
    ],
)
def test_what_cannot_be_decoded_is_called_by_its_name(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "named.heif"
    path.write_bytes(data)
    report = labeling.verify(path)
    told = [*report.problems, *(each.message for finding in report.findings for each in finding.defects)]
    assert any(words in each for each in told)
    assert not any("damaged" in each or "moov" in each for each in told)
    with pytest.raises(LabelingError) as error:
        labeling.Labeler("service").label_file(path, tmp_path / "out.heif")
    assert "damaged" not in str(error.value)


def test_a_large_avif_is_beyond_the_decoder_and_not_damaged() -> None:
    data = heif([Item(b"av01", bytes(99), [size_of(17000, 17000)])], brand=b"avif")
    with pytest.raises(TooLarge, match="more than the decoder takes"):
        displayed(data, "heif", max_pixels=10**9)
