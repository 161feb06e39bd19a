"""Kinds of picture files that are not labelled are named for what they are, with a way out where there is one."""

from __future__ import annotations

import io
import struct
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from labeling import Labeler, containers, convert, verify
from labeling.containers import formats
from labeling.containers.format_row import resolve
from labeling.containers.unread_pictures import PICTURES
from labeling.errors import LabelingError, UnsupportedFormat

from ..pictures import rgb

LABELER = Labeler("p", visible=False)


def _saved(image: Image.Image, format: str) -> bytes:
    out = io.BytesIO()
    image.save(out, format)
    return out.getvalue()


BY_PILLOW = {
    "TGA": ("RGB", "L", "RGBA", "P"), "PPM": ("RGB", "L", "1"), "DDS": ("RGB", "RGBA"), "ICO": ("RGBA",),
    "ICNS": ("RGBA",), "PCX": ("RGB", "L", "P", "1"), "SGI": ("RGB", "L"), "JPEG2000": ("RGB", "L"),
    "QOI": ("RGB", "RGBA"), "EPS": ("RGB",),
}  # fmt: skip
"""Pillow's name → modes of pictures that it writes."""

TITLES = {
    "TGA": "Targa", "PPM": "Netpbm", "DDS": "DirectDraw", "ICO": "ICO", "ICNS": "ICNS", "PCX": "PCX", "SGI": "SGI",
    "JPEG2000": "JPEG 2000", "QOI": "QOI", "EPS": "PostScript",
}  # fmt: skip


@pytest.mark.parametrize(("kind", "mode"), [(kind, mode) for kind, modes in BY_PILLOW.items() for mode in modes])
@pytest.mark.parametrize("from_disk", [False, True], ids=["bytes", "file"])
def test_what_pillow_writes_is_named(kind: str, mode: str, from_disk: bool, tmp_path: Path) -> None:
    data = _saved(rgb(64, 48).convert(mode), kind)
    _is_named(data, TITLES[kind], tmp_path if from_disk else None)


BY_IMAGEMAGICK = {
    "psd": "Photoshop", "hdr": "Radiance", "jp2": "JPEG 2000", "j2k": "JPEG 2000", "wbmp": "WBMP",
    "pcx": "PCX", "dpx": "DPX", "fits": "FITS", "pgm": "Netpbm", "pam": "Netpbm", "tga": "Targa", "xpm": "XPM",
    "ras": "Sun raster", "sgi": "SGI", "cin": "Cineon",
}  # fmt: skip


@pytest.mark.needs("convert")
@pytest.mark.parametrize("kind", list(BY_IMAGEMAGICK))
def test_what_imagemagick_writes_is_named(kind: str, tmp_path: Path) -> None:
    rgb(64, 48).save(tmp_path / "a.png")
    done = subprocess.run(["convert", str(tmp_path / "a.png"), str(tmp_path / f"a.{kind}")], capture_output=True)
    if done.returncode or not (tmp_path / f"a.{kind}").exists():
        pytest.skip(f"this ImageMagick writes no {kind}")
    _is_named((tmp_path / f"a.{kind}").read_bytes(), BY_IMAGEMAGICK[kind], tmp_path)


BY_HAND = {
    "PSB": (b"8BPS\0\2" + bytes(60), "large Photoshop"),
    "CUR": (b"\0\0\2\0\1\0\x20\x20\0\0\1\0\1\0" + bytes(60), "CUR"),
    "EXR": (b"\x76\x2f\x31\1\2" + bytes(60), "OpenEXR"),
    "XCF": (b"gimp xcf v011\0" + bytes(60), "GIMP"),
    "DjVu": (b"AT&TFORM" + bytes(60), "DjVu"),
    "JPEG XR": (b"II\xbc\1" + bytes(60), "JPEG XR"),
    "JPEG-LS": (b"\xff\xd8\xff\xf7" + bytes(60), "JPEG-LS"),
    "KTX2": (b"\xabKTX 20\xbb\r\n\x1a\n" + bytes(60), "KTX"),
    "PFM": (b"Pf\n4 4\n-1.0\n" + bytes(64), "Netpbm"),
    "PBM with a comment": (b"P4\n# made by hand\n8 8\n" + bytes(8), "Netpbm"),
    "WBMP, wide": (b"\0\0\x81\x00\x02" + bytes(32), "WBMP"),
    "EMF": (b"\1\0\0\0" + bytes(36) + b" EMF" + bytes(40), "metafile"),
    "HEIF": (struct.pack(">I4s4sI", 16, b"ftyp", b"mif3", 0) + bytes(40), "HEIF"),
}


@pytest.mark.parametrize("kind", list(BY_HAND))
def test_what_is_rare_is_named(kind: str, tmp_path: Path) -> None:
    _is_named(*BY_HAND[kind], tmp_path)


def _is_named(data: bytes, title: str, folder: Path | None) -> None:
    kind = containers.unread(data)
    assert kind is not None
    assert title in kind.title
    with pytest.raises(UnsupportedFormat, match="this is") as caught:
        if folder is None:
            LABELER.label_image(data)
        else:
            (folder / "some.bin").write_bytes(data)
            LABELER.label_file(folder / "some.bin", folder / "out.bin")
    assert title in str(caught.value)
    if kind.media_type.startswith("image/"):
        assert "convert it to PNG or JPEG first" in str(caught.value)
    report = verify(data if folder is None else folder / "some.bin")
    assert not report.readable
    assert report.media_type == kind.media_type
    assert title in str(report.problems)


@pytest.mark.parametrize(
    "text", [b"P1 is the first of six.\n", b"DDS and QOI are formats.\n", b"P5\n\nsome text 5 6\n"]
)
def test_a_text_is_a_text(text: bytes) -> None:
    assert containers.unread(text) is None


def test_what_is_advised_works(tmp_path: Path) -> None:
    for row in PICTURES:
        if row.plugin:
            resolve(f"PIL.{row.plugin}")
    for kind in ("TGA", "PPM", "DDS", "ICO", "PCX", "SGI", "JPEG2000", "QOI", "ICNS"):
        source, target = tmp_path / kind, tmp_path / f"{kind}.png"
        source.write_bytes(_saved(rgb(64, 48), kind))
        found = formats.unread(source.read_bytes())
        assert found is not None
        assert "aigc-label convert" in found.way_out
        convert(source, target)
        assert LABELER.label_file(target, tmp_path / f"{kind}-out.png").report.findings


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP", "AVIF"])
def test_what_is_read_is_not_taken_for_something_else(format: str) -> None:
    data = _saved(rgb(64, 48), format)
    assert containers.unread(data) is None
    try:
        LABELER.label_image(data)
    except LabelingError as error:
        assert format == "BMP", error
