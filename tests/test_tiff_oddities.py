"""TIFF files that leave something out, or whose colours are rare: labelled where that is sound, else named."""

from __future__ import annotations

import io
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from labeling import Labeler, verify
from labeling.errors import LabelingError
from labeling.findings import Finding, Status

from .pictures import rgb

STRIP_BYTE_COUNTS = 279
PRODUCER = "001191110102MACQD9K64010000"


def _saved(image: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, "TIFF", **options)
    return out.getvalue()


def _without(data: bytes, tag: int) -> bytes:
    """Drop a tag from the first directory, as the writers of the 1980s left it out."""
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    entries = [data[at + 2 + 12 * n : at + 14 + 12 * n] for n in range(count)]
    kept = [each for each in entries if struct.unpack_from(order + "H", each)[0] != tag]
    after = data[at + 2 + 12 * count : at + 6 + 12 * count]
    made = struct.pack(order + "H", len(kept)) + b"".join(kept) + after
    return data[:at] + made + data[at + len(made) :]


@pytest.mark.needs("tiffinfo")
@pytest.mark.parametrize("mode", ["RGB", "L", "1", "CMYK", "I;16", "P"])
def test_one_plain_strip_needs_no_length(mode: str, tmp_path: Path) -> None:
    source, target = tmp_path / "in.tif", tmp_path / "out.tif"
    image = rgb(640, 480).convert("L").convert("I").convert("I;16") if mode == "I;16" else rgb(640, 480).convert(mode)
    source.write_bytes(_without(_saved(image), STRIP_BYTE_COUNTS))
    done = Labeler("service", visible=False).label_file(source, target)
    assert done.report.findings
    assert not done.lost
    told = subprocess.run(["tiffinfo", str(target)], check=True, capture_output=True, text=True)
    assert "calculating from imagelength" in told.stderr + told.stdout
    with Image.open(source) as before, Image.open(target) as after:
        assert before.tobytes() == after.tobytes() == image.tobytes()
    with pytest.raises(LabelingError, match="does not say how long its strips"):
        Labeler("service").label_file(source, tmp_path / "visible.tif")
    assert not (tmp_path / "visible.tif").exists()


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "group4"])
def test_a_compressed_strip_without_its_length_is_not_called_damaged(compression: str, tmp_path: Path) -> None:
    path = tmp_path / "in.tif"
    image = rgb(640, 480).convert("1" if compression == "group4" else "RGB")
    path.write_bytes(_without(_saved(image, compression=compression), STRIP_BYTE_COUNTS))
    before = path.read_bytes()
    for visible in (True, False):
        with pytest.raises(LabelingError, match="does not say how long its strips") as caught:
            Labeler("service", visible=visible).label_file(path, in_place=True)
        assert "damaged" not in str(caught.value)
        assert "re-save it" in str(caught.value)
    assert path.read_bytes() == before
    assert verify(path, visible=False).readable


def _as_srgb(samples: NDArray[Any]) -> NDArray[np.float64]:
    """Convert ICC Lab (ICC.1, 6.3.4.2: L* 100 is 255 or 0xFF00, a* and b* have an offset of 128) to sRGB, 0–1."""
    scale = 1 if samples.dtype == np.uint8 else 256
    lab = samples.astype(np.float64) / scale
    lightness, a, b = lab[..., 0] / 255 * 100, lab[..., 1] - 128, lab[..., 2] - 128
    fy = (lightness + 16) / 116
    f = np.stack([fy + a / 500, fy, fy - b / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * [0.9642, 1.0, 0.8249]
    to_rgb = np.array([[3.1339, -1.6169, -0.4906], [-0.9788, 1.9161, 0.0335], [0.0719, -0.2290, 1.4052]])
    linear = np.clip(xyz @ to_rgb.T, 0, 1)
    return np.asarray(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("ground", [20, 128, 235], ids=["dark", "middle", "light"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_icc_lab_keeps_its_samples_and_the_label_is_gray(depth: Any, ground: int, order: str, tmp_path: Path) -> None:
    scale = 1 if depth == np.uint8 else 256
    samples = np.empty((480, 640, 3), depth)
    samples[...] = np.array([ground, 128, 128]) * scale
    samples[::7, ::5, 1] = 140 * scale
    source, target = tmp_path / "in.tif", tmp_path / "out.tif"
    tifffile.imwrite(source, samples, photometric="icclab", byteorder="<" if order == "<" else ">")
    done = Labeler("service").label_file(source, target)
    assert done.report.compliant
    assert verify(target).compliant
    made = tifffile.imread(target)
    assert made.dtype == samples.dtype
    box = next(finding for finding in done.report.findings if finding.kind == "visible").value["box"]
    changed = np.argwhere((made != samples).any(axis=2))
    assert (changed >= [box[1], box[0]]).all()
    assert (changed < [box[3], box[2]]).all()
    label = _as_srgb(made)[box[1] : box[3], box[0] : box[2]]
    ink = label[np.abs(label - label.mean()).max(axis=2) > 0.3]
    assert ink.size
    assert (np.ptp(ink, axis=1) < 0.12).mean() > 0.9  # the ink is white or black, without a tint


@pytest.mark.parametrize("ground", [20, 128, 235], ids=["dark", "middle", "light"])
def test_the_label_on_cie_lab_is_gray_too(ground: int, tmp_path: Path) -> None:
    source, target = tmp_path / "in.tif", tmp_path / "out.tif"
    Image.new("LAB", (640, 480), (ground, 128, 128)).save(source)
    done = Labeler("service").label_file(source, target)
    assert done.report.compliant
    assert verify(target).compliant
    made = tifffile.imread(target).view(np.int8)  # L*, and a* and b* with their sign (TIFF 6.0, section 23)
    assert np.abs(made[..., 1:]).max() <= 2
    assert (made[..., 0] != np.uint8(ground).astype(np.int8)).any()


def _strips(compression: str, mode: str = "RGB", pages: int = 1) -> bytes:
    image = rgb(200, 160).convert(mode)
    rest = [image] * (pages - 1)
    return _saved(image, compression=compression, tiffinfo={278: 16}, save_all=True, append_images=rest)


def _spoilt(data: bytes, page: int) -> bytes:
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        at, size = tiff.pages[page].dataoffsets[0], tiff.pages[page].databytecounts[0]
    return data[: at + 4] + b"\xff" * (size - 8) + data[at + size - 4 :]


@pytest.mark.parametrize("mode", ["RGB", "P"])
@pytest.mark.parametrize("page", [0, 1])
@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_a_strip_away_from_the_label_that_does_not_decode(compression: str, page: int, mode: str) -> None:
    whole = _strips(compression, mode, pages=2)
    assert Labeler(PRODUCER).label_image(whole).report.compliant
    spoilt = _spoilt(whole, page)
    with Image.open(io.BytesIO(spoilt)) as image, pytest.raises((OSError, ValueError)):
        image.seek(page)
        image.load()
    with pytest.raises(LabelingError, match=r"cannot be decoded|does not have"):
        Labeler(PRODUCER).label_image(spoilt)
    assert _visible(spoilt).status is (Status.ABSENT if page else Status.UNREADABLE)


def _visible(data: bytes) -> Finding:
    return next(finding for finding in verify(data).findings if finding.kind == "visible")


def test_what_is_too_much_to_be_decoded_is_not_called_compliant() -> None:
    out = io.BytesIO()
    tifffile.imwrite(out, np.full((4112, 4112), 128, np.uint8), tile=(16, 16), photometric="minisblack")
    made = Labeler(PRODUCER).label_image(out.getvalue())
    assert "were not decoded, because there are so many" in made.how[0]
    found = next(finding for finding in made.report.findings if finding.kind == "visible")
    assert found.status is _visible(made.data).status is Status.UNREADABLE and not made.report.compliant
