"""A large labelled PNG is no copy: what stayed of it are views of the source. Small files show that it is the same."""

from __future__ import annotations

import io
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import labeling

from .codecs.test_png import chunk, chunks_of
from .programs import require

PRODUCER = "001191000000MA00DEM00P10001"
_TIME = re.compile(rb"20\d\d-\d\d-\d\d[T ]?[0-9:.+Z]*")


def picture(seed: int = 0) -> Image.Image:
    random = np.random.default_rng(seed)
    return Image.fromarray(random.integers(0, 256, (60, 80, 3), np.uint8)).resize((400, 300))


def still() -> bytes:
    """With text ahead and behind, EXIF, and bytes behind the end."""
    text, out, exif = PngImagePlugin.PngInfo(), io.BytesIO(), Image.Exif()
    text.add_itxt("Title", "猫", zip=True)
    text.add(b"tEXt", b"Comment\0behind", after_idat=True)
    exif[0x010E] = "a cat"
    picture().save(out, "PNG", pnginfo=text, exif=exif)
    return out.getvalue() + b"trailer"


def moving() -> bytes:
    out = io.BytesIO()
    picture().save(out, "PNG", save_all=True, append_images=[picture(1), picture(2)], duration=90)
    return out.getvalue()


def halves() -> bytes:
    """As iOS stores a screenshot."""
    rows = np.asarray(picture().convert("RGBA"))
    coder = zlib.compressobj()
    lines = [b"\0" + row.tobytes() for row in rows]
    first = coder.compress(b"".join(lines[:150])) + coder.flush(zlib.Z_FULL_FLUSH)
    second = coder.compress(b"".join(lines[150:])) + coder.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 400, 300, 8, 6, 0, 0, 0))
    idot = chunk(b"iDOT", struct.pack(">7I", 2, 0, 150, 40, 150, 150, 40 + 12 + len(first)))
    data = chunk(b"IDAT", first) + chunk(b"IDAT", second)
    return b"\x89PNG\r\n\x1a\n" + head + idot + data + chunk(b"IEND", b"")


KINDS = {"still": still, "moving": moving, "halves": halves}


def content(data: bytes) -> list[tuple[bytes, bytes]]:
    return [(kind, body if kind in (b"IDAT", b"fdAT") else _TIME.sub(b"", body)) for kind, body in chunks_of(data)]


@pytest.mark.parametrize("visible", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_in_pieces_is_the_file(kind: str, visible: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    labeler = labeling.Labeler(PRODUCER, visible=visible)
    whole = labeler.label_image(KINDS[kind](), content_id="one")
    for module in ("labeling.codecs.png.paint", "labeling.pipelines.image"):
        monkeypatch.setattr(f"{module}.SMALL", 0)
    made = labeler.label_image(KINDS[kind](), content_id="one")
    assert len(made.pieces()) > 1
    assert content(made.data) == content(whole.data) and len(made.data) == len(whole.data) == made.size
    assert made.how == whole.how and made.lost == whole.lost
    assert made.report.compliant and whole.report.compliant
    again = labeler.label_image(made.data)  # read as any file
    assert again.label.content_id == "one"


def test_the_source_s_data_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("labeling.codecs.png.paint", "labeling.pipelines.image"):
        monkeypatch.setattr(f"{module}.SMALL", 0)
    out = io.BytesIO()
    Image.fromarray(np.asarray(picture().resize((1200, 900)))).save(out, "PNG")
    source = out.getvalue()
    made = labeling.Labeler(PRODUCER).label_image(source)
    views = [piece for piece in made.pieces() if isinstance(piece, memoryview) and piece.obj is source]
    assert sum(map(len, views)) > 0.7 * len(source)


def test_pieces_can_be_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    from labeling.marks.credentials import Signer, make_test_chain

    for module in ("labeling.codecs.png.paint", "labeling.pipelines.image"):
        monkeypatch.setattr(f"{module}.SMALL", 0)
    chain = make_test_chain("es256")
    made = labeling.Labeler(PRODUCER, signer=Signer.from_pem(chain.cert_pem, chain.key_pem)).label_image(still())
    signed = next(finding for finding in made.report.findings if finding.kind == "c2pa")
    assert signed.signature == "valid"


_PEAK = """
import sys, labeling
labeling.Labeler(producer="001191000000MA00DEM00P10001").label_file(sys.argv[1], sys.argv[2])
print(int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) >> 10)
"""


def test_labelling_a_large_file_takes_its_bytes_once(tmp_path: Path) -> None:
    """12 megapixels that are stored without compression, 3 bytes each: once in memory, and never as a whole else."""

    def peak(width: int, height: int) -> int:
        rows = np.zeros((height, 1 + 3 * width), np.uint8)
        rows[:, 1:] = (np.arange(3 * width) // 97 + np.arange(height)[:, None] // 31).astype(np.uint8)
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        source, target = tmp_path / "a.png", tmp_path / "b.png"
        data = chunk(b"IDAT", zlib.compress(rows.tobytes(), 0))
        source.write_bytes(b"\x89PNG\r\n\x1a\n" + head + data + chunk(b"IEND", b""))
        run = [sys.executable, "-c", _PEAK, str(source), str(target)]
        said = subprocess.run(run, capture_output=True, text=True, check=True)
        size = subprocess.run(
            [require("exiftool"), "-s3", "-ImageSize", target], capture_output=True, text=True, check=True
        )
        assert size.stdout.strip() == f"{width}x{height}"
        return int(said.stdout)

    assert peak(4000, 3000) - peak(500, 400) <= 36 + 30
