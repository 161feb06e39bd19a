"""Film grain of AV1 pictures: decoders add it, and go on doing so. Judged by ffprobe, FFmpeg and avifdec."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import labeling
from labeling.codecs import paint_file
from labeling.codecs.heif.av1_grain import grain_of, with_grain
from labeling.codecs.heif.av1_headers import split
from labeling.containers.heif.layout import parse
from labeling.containers.heif.pictures import Pictures
from labeling.errors import LabelingError
from tests import programs

from .heif_files import photo
from .stamp import QUARTERS, Quarters, Stamp


def avif(folder: Path, *options: str, count: int = 1, image: Image.Image | None = None) -> bytes:
    programs.require("avifenc", "avifdec")
    names = [folder / f"{number}.png" for number in range(count)]
    for number, name in enumerate(names):
        (image or photo(200, 144, number)).save(name)
    target = folder / "grain.avif"
    command = ["avifenc", "-s", "8", *options, *map(str, names), str(target)]
    subprocess.run(command, check=True, capture_output=True)
    return target.read_bytes()


def frames(data: bytes, *, grain: bool) -> Any:
    """The luma of the primary picture as FFmpeg decodes it, with or without the grain."""
    command = [programs.require("ffmpeg"), "-v", "error", *([] if grain else ["-export_side_data", "film_grain"])]
    command += ["-i", "-", "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    made = subprocess.run(command, input=data, check=True, capture_output=True).stdout
    return np.frombuffer(made, np.uint8)[: 200 * 144].reshape(144, 200).astype(int)


def grains(folder: Path, data: bytes) -> list[str]:
    """The film grain parameters of all pictures, bit for bit."""
    path = folder / "asked.avif"
    path.write_bytes(data)
    file = parse(data)
    assert file.meta is not None
    pictures = Pictures(file, file.meta)
    return [
        grain_of(list(split(pictures.payload(number))))
        for number in file.meta.items if pictures.kind(number) == b"av01"
    ]  # fmt: skip


@pytest.mark.parametrize("test", range(1, 17))
@pytest.mark.parametrize("options", [("-y", "420"), ("-y", "400"), ("-y", "420", "-d", "10")])
def test_every_kind_of_grain_stays(test: int, options: tuple[str, ...], tmp_path: Path, quarters: Quarters) -> None:
    data = avif(tmp_path, *options, "-a", f"film-grain-test={test}")
    painted = paint_file(data, "heif", Stamp(gray=True))
    assert not painted.lost
    assert all(grains(tmp_path, data))
    assert grains(tmp_path, data) == grains(tmp_path, painted.data)
    left, top, right, bottom = painted.box
    before, after = ({grain: frames(each, grain=grain) for grain in (False, True)} for each in (data, painted.data))
    for grain in (False, True):
        difference = np.abs(before[grain] - after[grain])
        difference[top - 3 : bottom + 3, left - 3 : right + 3] = 0
        assert difference.mean() < 2
    added = [each[True] - each[False] for each in (before, after)]
    assert abs(added[0].std() - added[1].std()) < 0.5 + 0.1 * added[0].std()
    expected = QUARTERS[..., 1]
    read = quarters(np.repeat(after[False][..., None], 3, axis=2), painted.box)[..., 0]
    assert ((read > 90) == (expected > 128)).all()


@pytest.mark.parametrize("options", [("-y", "444"), ("-y", "422"), ("--grid", "2x2", "-y", "420"), ("-l", "-y", "444")])
def test_grain_of_other_layouts_is_there_or_lost(options: tuple[str, ...], tmp_path: Path) -> None:
    data = avif(tmp_path, *options, "-a", "film-grain-test=3", image=photo(200 if "-l" not in options else 208, 144))
    painted = paint_file(data, "heif", Stamp(gray=True))
    old, new = grains(tmp_path, data), grains(tmp_path, painted.data)
    assert bool(painted.lost) == (old != new)
    assert all("film grain" in each.what for each in painted.lost)
    subprocess.run(
        [programs.require("avifdec"), str(tmp_path / "asked.avif"), str(tmp_path / "x.png")],
        check=True, capture_output=True,
    )  # fmt: skip


def test_grain_of_a_sequence_is_named(tmp_path: Path) -> None:
    data = avif(tmp_path, "-y", "420", "-a", "film-grain-test=5", count=3)
    source = tmp_path / "sequence.avif"
    source.write_bytes(data)
    labeled = labeling.Labeler("service").label_file(source, tmp_path / "out.avif")
    assert "film grain synthesis" in [each.what for each in labeled.lost]
    with pytest.raises(LabelingError, match="film grain"):
        labeling.Labeler("service", strict=True).label_file(source, tmp_path / "strict.avif")
    quiet = labeling.Labeler("service", visible=False, strict=True).label_file(source, tmp_path / "quiet.avif")
    assert quiet.lost == ()


def test_headers_that_do_not_parse_are_refused_and_not_guessed(tmp_path: Path) -> None:
    data = avif(tmp_path, "-y", "420", "-a", "film-grain-test=5")
    file = parse(data)
    assert file.meta is not None
    payload = Pictures(file, file.meta).payload(file.meta.primary)
    with pytest.raises(LabelingError, match="already"):
        with_grain(list(split(payload)), "0")
    for size in range(2, min(60, len(payload))):
        try:
            found = grain_of(list(split(payload[:size])))
        except LabelingError:
            continue
        assert found in ("", grain_of(list(split(payload))))
