"""Rewriting EXIF: what is there stays, and piexif only sees structures that our own bounded reader has checked."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import piexif
import pytest
from PIL import Image

from labeling import Label, Labeler, LabelingError, verify
from labeling._tiff_ifd import read_tiff
from labeling.marks import exif

from ..test_bad_input import PRODUCER

LABEL = Label(
    producer="p", content_id="1", generator="painter", generator_version="2", created=datetime(2026, 1, 2, tzinfo=UTC)
)
Field = tuple[int, int, int, int]


def tiff(*directories: Iterable[Field], next_offset: int = 0) -> bytes:
    """A little-endian structure: directories one behind the other, each entry as tag, type, count, value."""
    out = b"II*\0" + struct.pack("<I", 8)
    for entries in map(list, directories):
        out += struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        out += struct.pack("<I", next_offset)
    return out


HOSTILE: dict[str, bytes] = {
    "no header": b"not a TIFF structure",
    "nothing": b"",
    "a count of 4 GiB bytes": tiff([(0x010E, 1, 0xFFFFFFFF, 8)]),
    "a count of 4 GiB rationals": tiff([(0x011A, 5, 0xFFFFFFFF, 8)]),
    "a count of 4 GiB shorts": tiff([(0x0102, 3, 0xFFFFFFFF, 8)]),
    "a value behind the end": tiff([(0x010E, 2, 100, 0x7FFFFFFF)]),
    "an Exif directory behind the end": tiff([(0x8769, 4, 1, 0xFFFFFFF0)]),
    "an Exif directory that is IFD0": tiff([(0x8769, 4, 1, 8)]),
    "a next directory that is IFD0": tiff([(0x0112, 3, 1, 1)], next_offset=8),
    "a directory with more entries than bytes": b"II*\0\x08\0\0\0\xff\xff" + bytes(40),
    "BigTIFF": b"II+\0\x08\0\0\0" + bytes(40),
    "a type that is none": tiff([(0x010E, 99, 1, 0)]),
    "one tag three thousand times": tiff([(0x010E, 1, 1 << 14, 8)] * 3000) + bytes(1 << 14),
    "values that overlap": tiff([(0x9000 + tag, 1, 1 << 14, 8) for tag in range(1000)]) + bytes(1 << 14),
}


def test_what_is_there_stays_and_our_three_tags_are_set() -> None:
    existing = piexif.dump({
        "0th": {0x010F: b"Maker", 0x0112: 6, 0x0131: b"camera", 0x8298: b"somebody"},
        "Exif": {0x9286: b"ASCII\0\0\0a comment"},
        "GPS": {1: b"N"},
    }).removeprefix(b"Exif\0\0")  # fmt: skip
    made = exif.encode(existing, LABEL, description="AI生成")
    found = exif.read(made)
    assert found.orientation == 6
    assert dict(found.texts) == {
        "Make": "Maker",
        "Copyright": "somebody",
        "UserComment": "a comment",
        "Software": "painter 2",
        "DateTime": "2026:01:02 00:00:00",
        "ImageDescription": "AI生成",
    }
    gps = read_tiff(made).ifd("GPS")
    assert gps is not None
    assert 1 in gps.entries
    assert dict(exif.read(exif.encode(None, LABEL)).texts)["Software"] == "painter 2"


def test_a_directory_without_its_pointer_to_the_next_is_refused_or_rewritten_whole() -> None:
    cut = tiff([(0x0112, 3, 1, 6)])[:-4]
    with pytest.raises(LabelingError, match="cannot be rewritten without loss"):
        exif.encode(cut, LABEL)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_exif_is_refused_before_piexif_sees_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object) -> dict[str, Any]:
        pytest.fail("piexif was given a structure that is not sound")

    data = HOSTILE[name]
    if name not in ("a type that is none", "nothing", "a next directory that is IFD0"):
        monkeypatch.setattr(piexif, "load", load)
    with pytest.raises(LabelingError, match="cannot be rewritten without loss"):
        exif.encode(data, LABEL)


@pytest.mark.parametrize(
    "error", [RuntimeError("odd"), RecursionError(), MemoryError(), AttributeError("x"), struct.error()]
)
def test_any_error_of_piexif_is_ours(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object) -> dict[str, Any]:
        raise error

    monkeypatch.setattr(piexif, "load", load)
    with pytest.raises(LabelingError, match="cannot be rewritten without loss"):
        exif.encode(tiff([(0x0112, 3, 1, 6)]), LABEL)


def test_what_piexif_would_lose_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    existing = piexif.dump({"0th": {0x010F: b"Maker"}}).removeprefix(b"Exif\0\0")
    monkeypatch.setattr(piexif, "load", lambda _: {"0th": {}, "Exif": {}})
    with pytest.raises(LabelingError, match="Make would be lost"):
        exif.encode(existing, LABEL)


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in ("nothing", "no header")])
def test_a_file_with_hostile_exif_is_refused_or_labelled_and_left_alone(name: str, tmp_path: Path) -> None:
    source, target = tmp_path / "a.jpg", tmp_path / "b.jpg"
    source.write_bytes(jpeg(HOSTILE[name]))
    before = source.read_bytes()
    said = "the file's EXIF cannot be rewritten without loss|JPEG APP1 Exif was not searched for labels to its end"
    with pytest.raises(LabelingError, match=rf"a\.jpg: ({said})"):
        Labeler(PRODUCER, visible=False, exif=True).label_file(source, target)
    assert source.read_bytes() == before
    assert not target.exists()


def jpeg(structure: bytes) -> bytes:
    """A small JPEG with this EXIF."""
    out = io.BytesIO()
    Image.new("RGB", (16, 16)).save(out, "JPEG")
    payload = b"Exif\0\0" + structure
    segment = b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload
    return out.getvalue()[:2] + segment + out.getvalue()[2:]


FIELD = f'{{"AIGC":{{"Label":"1","ContentProducer":"{PRODUCER}","ProduceID":"job-7"}}}}'
BESIDE = "taken by hand, not a label"


@pytest.mark.parametrize(("description", "comment"), [
    (FIELD, None),
    (FIELD, b"ASCII\0\0\0" + BESIDE.encode()),
    (BESIDE, b"ASCII\0\0\0" + FIELD.encode()),
    (BESIDE, b"UNICODE\0" + FIELD.encode("utf-16-le")),
    (FIELD, FIELD.encode()),
])  # fmt: skip
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_our_label_moves_out_of_the_texts_that_hold_it_and_of_no_other(
    tmp_path: Path, suffix: str, description: str, comment: bytes | None
) -> None:
    """ImageDescription is where the schema of 2023 is seen; what stands beside a label stays (GB 45438-2025 6.1 c)."""
    tags = Image.Exif()
    tags[0x010E], tags[0x010F] = description, "a camera"
    if comment is not None:
        tags.get_ifd(0x8769)[exif.USER_COMMENT] = comment
    source, target = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    Image.new("RGB", (64, 64)).save(source, exif=tags)
    done = Labeler(PRODUCER, visible=False, strict=True).label_file(source, target)
    assert done.lost == ()
    with Image.open(target) as new:
        kept = new.getexif()
    assert kept[0x010F] == "a camera"
    texts = (kept[0x010E], bytes(kept.get_ifd(0x8769).get(exif.USER_COMMENT, b"")).decode("latin-1"))
    assert [BESIDE in text for text in texts] == [BESIDE in description, BESIDE.encode() in (comment or b"")]
    (found,) = (finding for finding in verify(target, visible=False).findings if finding.kind == "aigc")
    assert found.where.endswith("element TC260:AIGC")
    assert found.value["ProduceID"] == "job-7"
