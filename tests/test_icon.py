"""The icon beside the text: three that are drawn, or a PNG file of the user's own; the label is read all the same."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import labeling
from labeling import LabelingError, Style, config
from labeling.marks.visible import engine
from labeling.marks.visible.icon import drawn
from labeling.options.style import ICONS, MAX_ICON

NAMES = [name for name in ICONS if name != "none"]
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="http://127.0.0.1:9/x.png"/></svg>'


def png(size: tuple[int, int] = (40, 20), color: str = "#00aa30") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, "PNG")
    return out.getvalue()


def pixels_of(made: labeling.LabeledImage) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(made.data)).convert("RGB")).astype(int)


def labelled(style: Style, ground: str = "black", size: tuple[int, int] = (320, 240)) -> labeling.LabeledImage:
    return labeling.Labeler("my-service", "eu", style=style).label_image(Image.new("RGB", size, ground))


def test_the_three_icons_are_frames_that_fill_up_and_say_ai() -> None:
    shares = []
    for name in ("basic", "modified", "generated"):
        mask = np.asarray(drawn(name, (124, 100)), int)
        shares.append(mask.mean() / 255)
        assert mask[0, 0] < 30, "rounded corners"
        assert mask[50, 2] == mask[50, -3] == mask[3, 62] == 255, "a frame on every side"
        letters = mask[16:-16, 20:-20]
        [(text, _)] = engine.recognise([np.repeat(letters[..., None], 3, 2).astype(np.uint8)])
        assert name == "modified" or text == "AI", (name, text)
    assert shares[0] + 0.1 < shares[1] < shares[2] - 0.1
    half = np.asarray(drawn("modified", (124, 100)), int)
    assert half[15, 20] == 255, "the left half is filled"
    assert half[15, 105] == 0, "the right one is not"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("ground", "language"), [("black", "en"), ("#e8e4dc", "et")])
def test_the_label_beside_an_icon_is_read(name: str, ground: str, language: str) -> None:
    found = labeling.verify(labelled(Style(icon=name, language=language), ground).data, "eu").find("visible")
    assert found is not None
    assert (str(found.status), found.value["languages"]) == ("present", [language])


def test_an_icon_has_the_ink_and_the_opacity_of_the_text() -> None:
    for ground, opacity, level in (("black", 1.0, 255), ("white", 1.0, 0), ("black", 0.5, 128)):
        made = labelled(Style(icon="generated", language="en", opacity=opacity), ground)
        found = made.report.find("visible")
        assert found is not None
        left, top, right, bottom = found.value["box"]
        part = pixels_of(made)[top:bottom, left : left + (right - left) // 5]
        filled = part[np.abs(part - level).max(axis=2) <= 2]
        assert len(filled) > 0.3 * part.shape[0] * part.shape[1], (ground, opacity)


def test_an_icon_of_one_s_own_keeps_its_colours() -> None:
    made = labelled(Style(icon=png(), language="en"))
    green = (np.abs(pixels_of(made) - (0, 0xAA, 0x30)).max(axis=2) <= 3).nonzero()
    height, width = (int(np.ptp(axis)) + 1 for axis in green)
    assert 18 <= height <= 30
    assert abs(width - 2 * height) <= 3
    found = labeling.verify(made.data, "eu").find("visible")
    assert found is not None
    assert found.value["languages"] == ["en"]


def bomb() -> bytes:
    """A PNG file of a few bytes that claims 60 000 × 60 000 pixels."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    body = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


@pytest.mark.parametrize(
    ("icon", "words"),
    [(SVG, "or a PNG file"), (b"", "or a PNG file"), ("round", "or a PNG file"), (bomb(), "`icon`"),
     (png()[:60], "`icon` cannot be read"), (png() + bytes(MAX_ICON), "more than 4 MiB")],
)  # fmt: skip
def test_what_is_no_icon_is_refused(icon: str | bytes, words: str) -> None:
    with pytest.raises(LabelingError, match=words):
        labelled(Style(icon=icon, language="en"))


def test_a_logo_and_an_icon_exclude_each_other() -> None:
    with pytest.raises(LabelingError, match="`logo` and `icon` exclude"):
        Style(icon="basic", logo=png())
    with pytest.raises(LabelingError, match="`logo` cannot be read"):
        labelled(Style(logo=b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"))


def test_the_command_line_and_the_configuration_take_names_and_files(tmp_path: Path) -> None:
    Image.new("RGB", (320, 240)).save(tmp_path / "a.png")
    (tmp_path / "own.png").write_bytes(png())
    (tmp_path / "own.svg").write_bytes(SVG)

    def add(icon: str) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable,
            "-m",
            "labeling.cli",
            "add",
            "a.png",
            "--producer",
            "x",
            "-o",
            "out.png",
            "--icon",
            icon,
        ]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8")

    assert add("modified").returncode == 0
    refused = add("own.svg")
    assert refused.returncode == 2
    assert "own.svg: --icon is no PNG file; convert the SVG to PNG first" in refused.stderr
    missing = add("rund")
    assert missing.returncode == 2
    assert (
        'rund: there is no such file; --icon is "none", "basic", "generated", "modified", or a PNG file'
        in missing.stderr
    )
    file = tmp_path / "aigc-label.toml"
    for written, icon in (("generated", "generated"), ("own.png", png())):
        file.write_text(f'producer = "x"\n[visible]\nicon = "{written}"\n')
        assert labeling.Labeler.from_config(file).style == Style(icon=icon)
    file.write_text('producer = "x"\n[visible]\nicon = 3\n')
    with pytest.raises(LabelingError, match=r"visible\.icon must be the path of a file"):
        config.load(file)
