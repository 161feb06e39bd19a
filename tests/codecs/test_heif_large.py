"""Large HEIC and AVIF pictures are looked at coded picture by coded picture, and look as their libraries show them."""

from __future__ import annotations

import io
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import labeling
from labeling import codecs
from labeling.codecs import grounds
from labeling.findings import Status
from tests.programs import require

SMALL = 1000


def scene(width: int, height: int, alpha: bool) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], axis=2).astype(np.uint8)
    image[height // 4 : height // 3, width // 5 : width // 2] = 250, 20, 30
    made = Image.fromarray(image)
    if alpha:
        made.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1))))
    return made


AVIF = {
    "420": ["--yuv", "420"], "422": ["--yuv", "422"], "444": ["--yuv", "444"], "gray": ["--yuv", "400"],
    "limited": ["--yuv", "420", "--range", "limited"], "deep": ["--yuv", "420", "--depth", "10"],
    "deep limited": ["--yuv", "444", "--depth", "12", "--range", "limited"],
    "bt709": ["--yuv", "444", "--cicp", "1/13/1"], "rgb": ["--yuv", "444", "--cicp", "1/13/0"],
    "turned": ["--irot", "1", "--imir", "0"], "cut": ["--crop", "20,30,200,101"],
    "cut and turned": ["--crop", "20,30,200,101", "--irot", "3"],
    "grid": ["--grid", "3x2", "--yuv", "420"],
}  # fmt: skip


def seen(data: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[grounds.Shown, grounds.Shown]:
    """Return how the library shows a picture, and how it is seen if it is a large one."""
    plain = codecs.displayed_on_grounds(data, "heif")
    with monkeypatch.context() as patch:
        patch.setattr("labeling.codecs.heif.displayed.MOST", SMALL)
        patch.setattr(grounds, "BAND", 40 * 500)
        patch.setattr("labeling.codecs.opening.open_with", None)
        patch.setattr("labeling.codecs.opening.heif_library", None)
        return plain, codecs.displayed_on_grounds(data, "heif")


def compare(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, large = seen(data, monkeypatch)
    assert len(plain.grounds) == len(large.grounds)
    for one, other in zip(plain.grounds, large.grounds, strict=True):
        assert one.shape == other.shape
        assert np.abs(one.astype(int) - other).mean() < 1.5


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("name", AVIF)
def test_a_large_avif_picture_is_seen_as_pillow_shows_it(
    name: str, alpha: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("avifenc")
    grid = "grid" in name
    source, target = tmp_path / "a.png", tmp_path / "a.avif"
    scene(384 if grid else 333, 384 if grid else 217, alpha).save(source)
    command = ["avifenc", "--speed", "9", "--min", "0", "--max", "12", *AVIF[name], str(source), str(target)]
    subprocess.run(command, check=True, capture_output=True)
    compare(target.read_bytes(), monkeypatch)


@pytest.mark.parametrize("kind", ["whole", "tiles", "alpha", "gray"])
def test_a_large_heic_picture_is_seen_as_libheif_shows_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    heif = pytest.importorskip("pillow_heif")
    image = scene(334, 218, kind == "alpha").convert({"gray": "L", "alpha": "RGBA"}.get(kind, "RGB"))
    out = io.BytesIO()
    made = heif.from_pillow(image)
    made.save(out, quality=90, **({"tile_size": 128} if kind == "tiles" else {}))
    assert (b"grid" in out.getvalue()) == (kind == "tiles")
    compare(out.getvalue(), monkeypatch)


def test_tiles_that_are_coded_larger_than_stated_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    scene(640, 480, alpha=False).save(out, "AVIF")
    data = bytearray(out.getvalue())
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", 64, 48)
    monkeypatch.setattr("labeling.codecs.heif.displayed.MOST", SMALL)
    finding = next(each for each in labeling.verify(bytes(data)).findings if each.kind == "visible")
    assert finding.status is Status.UNREADABLE
    # Whatever the file states, the limit on pixels is for what is coded.
    finding = next(each for each in labeling.verify(bytes(data), max_pixels=200_000).findings if each.kind == "visible")
    assert "640×480 pixels and the limit is 200,000" in finding.defects[0].message


def test_a_heic_picture_that_is_coded_larger_than_stated_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    heif = pytest.importorskip("pillow_heif")
    out = io.BytesIO()
    heif.from_pillow(scene(640, 480, alpha=False)).save(out)
    data = bytearray(out.getvalue())
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", 64, 48)
    monkeypatch.setattr("labeling.codecs.heif.displayed.MOST", SMALL)
    finding = next(each for each in labeling.verify(bytes(data)).findings if each.kind == "visible")
    assert "coded with more than the 64×48 pixels that the file states" in finding.defects[0].message


def test_a_heic_picture_of_just_the_limit_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    heif = pytest.importorskip("pillow_heif")
    out = io.BytesIO()
    heif.from_pillow(scene(334, 218, alpha=False)).save(out)
    monkeypatch.setattr("labeling.codecs.heif.displayed.MOST", SMALL)
    shown = codecs.displayed_on_grounds(out.getvalue(), "heif", max_pixels=334 * 218)
    assert shown.grounds[0].shape == (218, 334, 3)
