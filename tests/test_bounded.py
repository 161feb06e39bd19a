"""Time grows with the size of a file and not with its square, and files with too many of one thing are named."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

import labeling

from . import hostile_files, hostile_kinds
from .programs import require

SHORT = (
    "png-empty-chunks", "png-bombs-of-text", "jpeg-empty-segments", "tiff-strips", "tiff-strips-in-one-place",
    "tiff-entries", "gif-large-canvas", "svg-long-texts", "ogg-streams", "avif-that-lies-about-its-size",
    "gif-frames-of-a-canvas", "matroska-voids", "matroska-clusters",
    "flac-comments", "flac-comments-of-many-names", "mp3-frames-of-many-names", "mp3-tags-of-many-names",
    "mp4-keys-of-many-names",
    "matroska-tags-of-many-names", "flv-properties", "mp4-boxes", "jpeg-exif-segments", "jpeg-fill-bytes",
)  # fmt: skip


@pytest.mark.parametrize("name", SHORT)
def test_a_million_of_something_stays_within_the_limits(name: str) -> None:
    result = hostile_files.measure(hostile_files.MAKERS[name]())
    assert "failed" not in result, result["words"]
    # Twice the limits that ``make robustness`` holds to: several tests share the machine.
    assert float(str(result["metadata"])) <= 2 * hostile_files.METADATA
    assert float(str(result["pixels"])) <= 2 * hostile_files.PIXELS
    assert int(str(result["peak"])) <= hostile_files.MEMORY


@pytest.mark.parametrize("name", ["heif-sound-items", "heif-sound-references"])
def test_heif_items_in_whose_square_a_decoder_takes_time_are_counted_before(name: str) -> None:
    data = hostile_files.MAKERS[name]()
    started = time.process_time()
    finding = next(each for each in labeling.verify(data).findings if each.kind == "visible")
    assert time.process_time() - started < hostile_files.PIXELS
    assert "more than 16,384 items" in finding.defects[0].message
    few = hostile_kinds.avif_of_items(3000)
    finding = next(each for each in labeling.verify(few).findings if each.kind == "visible")
    assert finding.status.value == "absent"


def test_a_large_colour_profile_of_an_avif_file_is_no_link() -> None:
    out = io.BytesIO()
    Image.new("RGB", (64, 48)).save(out, "AVIF", icc_profile=bytes(600_000))
    finding = next(each for each in labeling.verify(out.getvalue()).findings if each.kind == "visible")
    assert finding.status.value == "absent"


@pytest.mark.parametrize("name", ["png-texts", "gif-application-extensions", "jpeg-empty-segments"])
def test_a_file_with_too_much_of_something_is_refused_and_not_called_damaged(name: str) -> None:
    with pytest.raises(labeling.UnreadableFile, match=r"cannot be read in full \(.*more than") as caught:
        labeling.Labeler("001191000000MA00DEM00P10001", visible=False).label_image(hostile_files.MAKERS[name]())
    assert "damaged" not in str(caught.value)


def test_small_tiles_beside_each_other_are_looked_at_within_the_limits() -> None:
    result = hostile_files.measure(hostile_files.tiff_tiles_of_one_pixel_column())
    assert "failed" not in result, result["words"]
    assert float(str(result["pixels"])) <= 1.4 * hostile_files.PIXELS
    assert int(str(result["peak"])) <= hostile_files.MEMORY


def test_too_many_strips_are_named() -> None:
    report = labeling.verify(hostile_files.MAKERS["tiff-strips"]())
    finding = next(each for each in report.findings if each.kind == "visible")
    assert finding.status.value == "unreadable"
    assert "300,000 strips or tiles and the limit is 65,536" in finding.defects[0].message


_LABEL_FILE = """
import sys, labeling
labeling.Labeler(producer="001191000000MA00DEM00P10001").label_file(sys.argv[1], sys.argv[2])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
print(int(peak) >> 10)
"""

_SIDE = 4000
_ZLIB = {"compression": "zlib", "compressionargs": {"level": 1}}


@pytest.mark.parametrize(
    ("dtype", "options", "copies"),
    [
        (np.uint8, {}, 0),  # the rows under the label are replaced where they are
        (np.uint8, {"byteorder": ">", "bigtiff": True, "predictor": True, **_ZLIB}, 1),
        (np.uint16, {"byteorder": ">"}, 0),
        (np.float32, _ZLIB, 1),
        (np.uint8, {"planarconfig": "separate", **_ZLIB}, 1),
    ],
)
def test_a_tiff_in_one_strip_is_labelled_in_bands_and_not_copied(
    tmp_path: Path, dtype: type[np.generic], options: dict[str, Any], copies: int
) -> None:
    source, target = tmp_path / "a.tif", tmp_path / "b.tif"
    rows = np.add.outer(np.arange(_SIDE), np.arange(_SIDE)) % 200
    top = {"B": 200, "H": 50_000, "f": 1}[np.dtype(dtype).char]
    pixels: NDArray[Any] = np.repeat((rows * (top / 200)).astype(dtype)[..., None], 3, axis=2)
    given = np.moveaxis(pixels, 2, 0) if "planarconfig" in options else pixels
    tifffile.imwrite(source, given, photometric="rgb", rowsperstrip=_SIDE, metadata=None, **options)
    command = [sys.executable, "-c", _LABEL_FILE, str(source), str(target)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    files = (source.stat().st_size + copies * target.stat().st_size) >> 20
    assert int(run.stdout) < 210 + files, "the decoded picture is 46 to 183 MB, and is never whole"
    made = tifffile.imread(target)
    made = np.moveaxis(made, 0, 2) if "planarconfig" in options else made
    changed = (made != pixels).any(axis=2)
    down, across = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert down[0] > 0.85 * _SIDE and across[0] > 0.5 * _SIDE, "it is in the corner, and all else is as it was"
    assert 0.03 * _SIDE < down[-1] - down[0] < 0.1 * _SIDE


@pytest.mark.parametrize("coding", ["lzw:2", "lzw:1", "packbits"])
def test_a_tiff_in_one_strip_is_recoded_line_by_line(tmp_path: Path, coding: str) -> None:
    tiffcp, tiffinfo = require("tiffcp"), require("tiffinfo")
    plain, source, target = tmp_path / "p.tif", tmp_path / "a.tif", tmp_path / "b.tif"
    rng = np.random.default_rng(1)
    pixels = np.repeat(rng.integers(0, 255, (_SIDE, _SIDE // 8, 4), np.uint8), 8, axis=1)  # four samples: 61 MB
    Image.fromarray(pixels, "CMYK").save(plain)
    subprocess.run([tiffcp, "-B", "-c", coding, "-r", str(_SIDE), str(plain), str(source)], check=True)
    command = [sys.executable, "-c", _LABEL_FILE, str(source), str(target)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    files = (2 * source.stat().st_size + target.stat().st_size) >> 20  # libtiff maps the strip into memory
    assert int(run.stdout) < 260 + files
    said = subprocess.run([tiffinfo, "-D", str(target)], capture_output=True, text=True, check=True)
    assert f"Rows/Strip: {_SIDE}" in said.stdout
    assert "rror" not in said.stderr
    with Image.open(target) as image:
        changed = (np.asarray(image) != pixels).any(axis=2)
    down, across = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert down[0] > 0.85 * _SIDE and across[0] > 0.5 * _SIDE
    assert 0.03 * _SIDE < down[-1] - down[0] < 0.1 * _SIDE
    report = labeling.verify(target)
    assert next(each for each in report.findings if each.kind == "visible").status.value == "present"


def test_a_damaged_strip_is_named_when_it_is_decoded_line_by_line(tmp_path: Path) -> None:
    tiffcp = require("tiffcp")
    plain, source, target = tmp_path / "p.tif", tmp_path / "a.tif", tmp_path / "b.tif"
    Image.effect_noise((_SIDE, _SIDE), 20).save(plain)
    subprocess.run([tiffcp, "-c", "lzw", "-r", str(_SIDE), str(plain), str(source)], check=True)
    data = bytearray(source.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = b"\xff" * 4000
    source.write_bytes(data)
    with pytest.raises(labeling.UnreadableFile, match="damaged"):
        labeling.Labeler("001191000000MA00DEM00P10001").label_file(source, target)
    assert not target.exists()
    finding = next(each for each in labeling.verify(source).findings if each.kind == "visible")
    assert finding.status.value == "unreadable"


_PAINT = """
import sys, labeling
data = open(sys.argv[1], "rb").read()
made = labeling.Labeler(producer="001191000000MA00DEM00P10001").label_image(data)
open(sys.argv[1], "wb").write(made.data)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
print(int(peak) >> 10)
"""


def test_a_gif_of_many_frames_is_painted_without_keeping_the_canvas_of_each(tmp_path: Path) -> None:
    file = tmp_path / "a.gif"
    data = hostile_files.gif_of_small_frames(300, 300, 1500)
    file.write_bytes(data)
    run = subprocess.run([sys.executable, "-c", _PAINT, str(file)], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 300, "all canvases together are 540 MB"
    with Image.open(file) as painted:
        assert painted.n_frames == 1500  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [name for name in SHORT if name.endswith(("names", "properties"))])
def test_a_file_of_too_many_metadata_fields_is_not_opened_and_the_report_says_so(name: str) -> None:
    report = labeling.verify(hostile_files.MAKERS[name]())
    finding = next(each for each in report.findings if each.kind == "visible")
    assert finding.status.value == "unreadable"
    assert "not opened, because it has more than 4,096 metadata fields" in finding.defects[0].message
    assert "-map_metadata -1" in finding.defects[0].message


def test_an_avif_file_that_lies_about_its_size_is_named_and_one_of_odd_size_is_read() -> None:
    report = labeling.verify(hostile_files.MAKERS["avif-that-lies-about-its-size"]())
    finding = next(each for each in report.findings if each.kind == "visible")
    assert (
        "says that item 1 has 10000×9999 pixels, and its AV1 sequence header says 64×48" in finding.defects[0].message
    )
    for mode, size in (("RGB", (63, 47)), ("RGBA", (61, 1)), ("L", (1, 33))):
        honest = io.BytesIO()
        Image.new(mode, size).save(honest, "AVIF")
        finding = next(each for each in labeling.verify(honest.getvalue()).findings if each.kind == "visible")
        assert finding.status.value == "absent"


def test_comments_of_ogg_that_are_too_many_are_not_given_to_a_decoder() -> None:
    count = 40_000
    packet = b"OpusTags" + struct.pack("<II", 0, count) + b"".join(b"\x08\0\0\0%07d=" % n for n in range(count))
    lacing = b"\xff" * (len(packet) // 255) + bytes((len(packet) % 255,))
    data = _page(2, 0, b"\x13", b"OpusHead\1\1" + struct.pack("<HIHB", 312, 48000, 0, 0))
    for number, at in enumerate(range(0, len(lacing), 255)):
        data += _page(bool(at), number + 1, lacing[at : at + 255], packet[at * 255 : (at + 255) * 255])
    data += _page(4, 1000, b"\3", b"\xf8\xff\xfe")
    started = time.process_time()
    report = labeling.verify(data)
    assert time.process_time() - started < hostile_files.PIXELS
    finding = next(each for each in report.findings if each.kind == "visible")
    assert "more than 4,096 metadata fields" in finding.defects[0].message


def _page(flags: int, number: int, lacing: bytes, body: bytes) -> bytes:
    def build(crc: int) -> bytes:
        return b"OggS" + struct.pack("<BBQIIIB", 0, flags, 0, 1, number, crc, len(lacing)) + lacing + body

    crc = 0
    for byte in build(0):  # RFC 3533, 6: the highest bit first, not inverted
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
    return build(crc)


def test_too_many_elements_of_matroska_are_named() -> None:
    for name in ("matroska-voids", "matroska-clusters"):
        report = labeling.verify(hostile_files.MAKERS[name](), visible=False)
        assert "more elements than are read in a file of its size" in report.problems[0]


def test_hours_of_speech_in_a_live_stream_are_read() -> None:
    # Neither the Segment nor its one cluster states its size, as in a live stream: every block has to be walked.
    unknown = b"\x01" + b"\xff" * 7
    entry = b"\xae\x8a\xd7\x81\1\x83\x81\2\x86\x82A_"
    head = hostile_files.MAKERS["matroska-nested-elements"]()[:64].split(b"\x18\x53\x80\x67")[0]
    data = head + b"\x18\x53\x80\x67" + unknown + b"\x16\x54\xae\x6b" + bytes((0x80 | len(entry),)) + entry
    data += b"\x1f\x43\xb6\x75" + unknown + b"\xe7\x81\0" + (b"\xa3\x94\x81\0\0\x80" + bytes(16)) * 400_000
    assert not any("elements" in problem for problem in labeling.verify(data, visible=False).problems)
    cut = labeling.verify(data[:-10], visible=False).problems
    assert any("cut off" in problem for problem in cut), "the walk goes to the last block"


GROWING: dict[str, Callable[[int], bytes]] = {
    "svg text": lambda size: (
        b"<svg xmlns='http://www.w3.org/2000/svg'>" + (b"<a>" + b"-" * 65500 + b"</a>") * (size >> 16) + b"</svg>"
    ),
    "svg one text": lambda size: b"<svg xmlns='http://www.w3.org/2000/svg'>" + b"-" * size + b"</svg>",
    "svg comments": lambda size: b"<svg xmlns='http://www.w3.org/2000/svg'><!--" + b"<!-" * (size // 3) + b"--></svg>",
    "svg open tag": lambda size: b"<svg xmlns='http://www.w3.org/2000/svg'" + b" " * size,
    "pdf digits": lambda size: b"%PDF-1.7\n" + b"1" * size,
    "pdf numbers": lambda size: b"%PDF-1.7\n" + b"1 0 " * (size // 4),
    "pdf blanks": lambda size: b"%PDF-1.7\n1 0 obj" + b" " * size,
    "pdf startxref": lambda size: b"%PDF-1.7\n" + b"startxref " * (size // 10),
    "pdf strings": lambda size: b"%PDF-1.7\n1 0 obj (" + b"(" * size + b"\nstartxref\n9\n%%EOF",
    "pdf hex": lambda size: b"%PDF-1.7\n1 0 obj <" + b"0" * size + b"\nstartxref\n9\n%%EOF",
    "markdown key": lambda size: b"---\n" + b"a" * size + b"\n---\n# a\n",
    "markdown quotes": lambda size: b"---\nAIGC: {" + b'"a\\' * (size // 3) + b"\n---\n# a\n",
    "markdown blanks": lambda size: b"---\na:" + b" " * size + b"x\n---\n# a\n",
    "markdown fences": lambda size: b"# a\n" + b"`" * size + b"\n",
    "xmp tag": lambda size: _xmp(b"<x:xmpmeta xmlns:x='adobe:ns:meta/' a='" + b'"' * size),
    "xmp quotes": lambda size: _xmp(b"<x:xmpmeta xmlns:x='adobe:ns:meta/' " + b"\"'" * (size // 2) + b">"),
    "xmp equals": lambda size: _xmp(b"<x:xmpmeta xmlns:x='adobe:ns:meta/' " + b"a = " * (size // 4) + b">"),
    "generator words": lambda size: _text(b"parameters", b"Steps: " * (size // 7)),
    "generator blanks": lambda size: _text(b"Software", b" " * size + b"x"),
    "json": lambda size: _text(b"AIGC", b'{"a":' * (size // 5)),
    "json escapes": lambda size: _text(b"AIGC", b'{"a":"' + b"\\ud8" * (size // 4)),
}


def _text(keyword: bytes, text: bytes) -> bytes:
    return hostile_files.png_with(b"tEXt", keyword + b"\0" + text)


def _xmp(packet: bytes) -> bytes:
    return hostile_files.png_with(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)


@pytest.mark.parametrize("name", GROWING)
def test_patterns_take_no_longer_than_the_length_of_what_they_are_given(name: str) -> None:
    def took(size: int) -> float:
        data, best = GROWING[name](size), float("inf")
        for _ in range(3):
            start = time.process_time()
            labeling.verify(data, visible=False)
            best = min(best, time.process_time() - start)
        return best

    took(1000)
    small, large = took(1 << 17), took(1 << 20)
    # Eight times as long may take about eight times the time; its square would take 64 times as much.
    assert large <= 20 * max(small, 0.005), (small, large)
