"""A place that may hold a label and cannot be read: no label is called absent, and none is written beside it."""

from __future__ import annotations

import functools
import io
import json
import struct
import subprocess
import zlib
from pathlib import Path

import av
import pytest

import labeling
from labeling import containers
from labeling.containers.syntax import isobmff
from labeling.errors import LabelConflict, UnreadableFile
from labeling.verification import metadata

from . import programs, wild
from .containers.av_files import ffmpeg

OTHER = "001191000000MA00DEM00P10001"
VALUE = json.dumps(
    {"Label": "1", "ContentProducer": OTHER, "ProduceID": "theirs-1", "ReservedCode1": "", "ContentPropagator": OTHER,
     "PropagateID": "theirs-1", "ReservedCode2": ""}, separators=(",", ":"),
)  # fmt: skip
COMMENT = wild.ascii_comment(VALUE)


@functools.cache
def labelled_mp4() -> bytes:
    """An MP4 as FFmpeg writes it with another provider's label."""
    options = ("-movflags", "use_metadata_tags", "-metadata", f"AIGC={VALUE}", "-c:v", "mpeg4")
    return ffmpeg(".mp4", *options, inputs=("testsrc=d=0.2:s=32x32:r=10",))


def ffmpeg_shows(data: bytes) -> bool:
    try:
        with av.open(io.BytesIO(data), "r") as opened:
            return any("theirs-1" in text and "AIGC" in name.upper() for name, text in opened.metadata.items())
    except av.error.FFmpegError:
        return False


def is_called_absent(data: bytes) -> bool:
    try:
        contents = containers.read(data)
    except labeling.LabelingError:
        return False
    found = metadata.scan(contents)
    return not (found.aigc or found.broken or contents.problems)


def region(data: bytes, name: bytes) -> range:
    at = data.rindex(name) - 4
    return range(at, at + int.from_bytes(data[at : at + 4], "big"))


def refused(data: bytes, suffix: str, folder: Path, *, words: str = "") -> None:
    """Verified, it is unreadable and inconclusive for a reason; ``add`` refuses it, and leaves it as it was."""
    report = labeling.verify(data, visible=False)
    finding = report.find("aigc")
    assert finding is not None
    assert finding.status == "unreadable", report
    assert words in finding.defects[0].message
    assert report.verdicts["cn"].outcome == "inconclusive"
    folder.mkdir(exist_ok=True)
    path = folder / f"theirs{suffix}"
    path.write_bytes(data)
    for in_place in (False, True):
        with pytest.raises(UnreadableFile):
            labeler().label_file(path, None if in_place else folder / f"ours{suffix}", in_place=in_place)
    assert path.read_bytes() == data
    assert [each.name for each in folder.iterdir()] == [path.name]


def labeler() -> labeling.Labeler:
    return labeling.Labeler(producer="001191110102MACQD9K64010000", visible=False)


def with_number(data: bytes, at: int, number: int) -> bytes:
    return data[:at] + number.to_bytes(4, "big") + data[at + 4 :]


def test_no_byte_of_a_list_hides_a_label_that_ffmpeg_shows() -> None:
    """Every byte of the user data in turn, but those of the name and of the text itself."""
    data = labelled_mp4()
    assert ffmpeg_shows(data)
    name, text = data.rindex(b"AIGC", 0, data.rindex(VALUE.encode())), data.rindex(VALUE.encode())
    kept = {*range(name, name + 4), *range(text, text + len(VALUE))}
    places = [at for at in (*region(data, b"udta"), *region(data, b"moov")[:8]) if at not in kept]
    hidden = 0
    for at in places:
        for flipped in (0x01, 0x80, 0xFF):
            changed = bytearray(data)
            changed[at] ^= flipped
            if is_called_absent(bytes(changed)):
                hidden += 1
                assert not ffmpeg_shows(bytes(changed)), (at, flipped)
    assert len(places) > 100
    assert hidden < len(places)


@pytest.mark.parametrize("box", [b"meta", b"keys", b"ilst", b"item", b"data"])
def test_a_list_whose_sizes_are_wrong_is_unreadable(box: bytes, tmp_path: Path) -> None:
    data = labelled_mp4()
    at = region(data, b"ilst")[8] if box == b"item" else region(data, box).start
    refused(with_number(data, at, 0x7FFF0000), ".mp4", tmp_path)


def test_damage_that_hides_no_label_is_none_of_this() -> None:
    plain = ffmpeg(".mp4", "-c:v", "mpeg4", "-metadata", "title=A video", inputs=("testsrc=d=0.2:s=32x32:r=10",))
    report = labeling.verify(with_number(plain, region(plain, b"ilst")[8], 0x7FFF0000), visible=False)
    assert [m.status for m in report.findings if m.kind == "aigc"] == ["absent"]


def test_a_second_or_a_packed_movie_box_is_unreadable(tmp_path: Path) -> None:
    data = labelled_mp4()
    plain = ffmpeg(".mp4", "-c:v", "mpeg4", inputs=("testsrc=d=0.2:s=32x32:r=10",))
    moov = bytes(data[each] for each in region(data, b"moov"))
    refused(plain + moov, ".mp4", tmp_path, words="moov")
    body = b"".join((b"\0\0\0\x0cdcomzlib", struct.pack(">I4sI", 12 + len(zlib.compress(moov)), b"cmvd", len(moov))))
    cmov = struct.pack(">I4s", 8 + len(body) + len(zlib.compress(moov)), b"cmov") + body + zlib.compress(moov)
    at = region(data, b"moov")
    packed = data[: at.start] + struct.pack(">I4s", 8 + len(cmov), b"moov") + cmov + data[at.stop :]
    finding = labeling.verify(packed, visible=False).find("aigc")
    assert finding is not None
    assert finding.status == "unreadable"


def entry(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, kind, count, value)


def tiff(*entries: bytes, rest: bytes = b"") -> bytes:
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4) + rest


WHOLE = tiff(entry(0x8769, 4, 1, 26), rest=tiff(entry(0x9286, 7, len(COMMENT), 44), rest=COMMENT)[8:])
MANY = [entry(0xC000 + n, 7, 4, 0) for n in range(4999)]
DAMAGED_EXIF = {
    "cut in the text": WHOLE[:-30],
    "cut in the directory": WHOLE[:34],
    "text elsewhere": WHOLE.replace(entry(0x9286, 7, len(COMMENT), 44), entry(0x9286, 7, len(COMMENT), 99_999)),
    "directory elsewhere": tiff(entry(0x8769, 4, 1, 99_999), rest=COMMENT),
    "directory in a circle": tiff(entry(0x8769, 4, 1, 8), rest=COMMENT),
    "directory at a text": tiff(entry(0x8769, 2, 5, 26), rest=COMMENT),
    "two directories": tiff(entry(0x8769, 4, 1, 38), entry(0x8769, 4, 1, 44), rest=bytes(6) + WHOLE[26:]),
    "no header": b"XX" + WHOLE[2:],
    "no directory": WHOLE[:4] + bytes(4) + WHOLE[8:],
    "a type that nobody knows": WHOLE.replace(entry(0x9286, 7, len(COMMENT), 44), entry(0x9286, 99, 400, 44)),
    "too many entries": tiff(*MANY, entry(0x9286, 7, len(COMMENT), 8 + 2 + 12 * 5000 + 4), rest=COMMENT),
}


@pytest.mark.parametrize("name", DAMAGED_EXIF)
def test_exif_in_which_a_label_may_be_is_unreadable(name: str, tmp_path: Path) -> None:
    structure = DAMAGED_EXIF[name]
    for suffix, data in ((".png", wild.png(wild.chunk(b"eXIf", structure))),
                         (".webp", wild.webp((b"EXIF", structure)))):  # fmt: skip
        refused(data, suffix, tmp_path, words="EXIF") if suffix == ".webp" else refused(data, suffix, tmp_path)
        (tmp_path / f"theirs{suffix}").unlink()
    if len(structure) < 60_000:
        refused(wild.jpeg(wild.app1_exif(structure)), ".jpg", tmp_path, words="JPEG APP1 Exif")


def test_a_tag_that_occurs_twice_and_a_text_behind_blanks_are_read(tmp_path: Path) -> None:
    twice = tiff(
        entry(0x9286, 7, 10, 8 + 2 + 24 + 4),
        entry(0x9286, 7, len(COMMENT), 8 + 2 + 24 + 14),
        rest=b"ASCII\0\0\0xx" + COMMENT,
    )
    blanks = COMMENT[:8] + b" " * 300_000 + COMMENT[8:] + b" " * 300_000
    for structure in (twice, tiff(entry(0x9286, 7, len(blanks), 26), rest=blanks)):
        data = wild.png(wild.chunk(b"eXIf", structure))
        finding = labeling.verify(data, visible=False).find("aigc")
        assert finding is not None
        assert finding.value["ProduceID"] == "theirs-1"
        path = tmp_path / "theirs.png"
        path.write_bytes(data)
        with pytest.raises(LabelConflict, match=OTHER):
            labeler().label_file(path, tmp_path / "ours.png")


def test_damaged_exif_that_holds_no_label_is_none_of_this() -> None:
    """Maker notes that reach out of the block, a thumbnail that was cut off, a comment of another kind."""
    for structure in (
        tiff(entry(0x8769, 4, 1, 26), rest=tiff(entry(0x927C, 7, 5000, 44))[8:]),
        tiff(entry(0x0112, 3, 1, 1))[:-4] + struct.pack("<I", 99_999),
        tiff(entry(0x010E, 2, 5000, 26), rest=b"OLYMPUS DIGITAL CAMERA"),
        b"",
        bytes(200),
    ):
        report = labeling.verify(wild.jpeg(wild.app1_exif(structure)), visible=False)
        assert [m.status for m in report.findings if m.kind == "aigc"] == ["absent"], structure


def test_a_text_that_cannot_be_unpacked_is_unreadable(tmp_path: Path) -> None:
    packed = zlib.compress(VALUE.encode())
    for body in (b"\1" + packed, b"\0" + packed[:-20], b"\0" + zlib.compress(b" " * (20 << 20) + VALUE.encode())):
        refused(wild.png(wild.chunk(b"zTXt", b"AIGC\0" + body)), ".png", tmp_path, words="PNG zTXt AIGC")


def test_what_cannot_be_read_beside_a_label_is_a_warning() -> None:
    data = wild.png(wild.chunk(b"tEXt", b"AIGC\0" + VALUE.encode()), wild.chunk(b"eXIf", WHOLE[:-30]))
    report = labeling.verify(data, visible=False)
    assert "FILE-UNREAD" in [each.rule for each in report.verdicts["cn"].warnings]


@pytest.fixture
def mp3() -> bytes:
    return ffmpeg("mp3", "-id3v2_version", "0", "-write_xing", "0")


def id3(flags: int, body: bytes) -> bytes:
    frame = b"TXXX" + len(body).to_bytes(4, "big") + bytes((0, flags)) + body
    size = len(frame)
    return b"ID3\3\0\0" + bytes((size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127)) + frame


def test_an_id3_frame_that_cannot_be_read_is_unreadable(mp3: bytes, tmp_path: Path) -> None:
    text = b"\0AIGC\0" + VALUE.encode()
    size = len(text).to_bytes(4, "big")
    for flags, body in ((0x40, b"\1" + text), (0x80, size + zlib.compress(text)[:-9]), (0x80, size + text)):
        refused(id3(flags, body) + mp3, ".mp3", tmp_path, words="the ID3v2 frame TXXX at offset 10")


def test_a_script_tag_that_cannot_be_read_is_unreadable(tmp_path: Path) -> None:
    programs.require("ffmpeg")
    data = ffmpeg("flv", "-metadata", f"AIGC={VALUE}", "-c:v", "flv", "-an", inputs=("testsrc=d=0.2:s=32x32:r=10",))
    at = data.index(b"onMetaData") - 1
    refused(data[:at] + b"\x63" + data[at + 1 :], ".flv", tmp_path, words="the script tag at offset 13")
    done = subprocess.run(["ffprobe", "-v", "error", "-"], input=data, capture_output=True, check=False)
    assert done.returncode == 0


GUID = b"0123456789ABCDEF0123456789ABCDEF"
NOTE = f"xmlns:n='http://ns.adobe.com/xmp/note/' n:HasExtendedXMP='{GUID.decode()}'"
NAMED = wild.packed(f"<rdf:Description rdf:about='' {NOTE}/>")
PACKET = wild.element(VALUE)


def part(offset: int, data: bytes, total: int, guid: bytes = GUID) -> bytes:
    return wild.segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + guid + struct.pack(">II", total, offset) + data)


def test_extended_xmp_that_readers_ignore_is_no_valid_label() -> None:
    whole = part(0, PACKET, len(PACKET))
    named = wild.app1_xmp(NAMED)
    assert labeling.verify(wild.jpeg(named, whole), visible=False).find("aigc").status == "present"  # type: ignore[union-attr]
    assert labeling.verify(wild.jpeg(whole, named), visible=False).find("aigc").status == "present"  # type: ignore[union-attr]
    other = part(0, PACKET, len(PACKET), GUID[::-1])
    for data in (wild.jpeg(whole), wild.jpeg(named, other), wild.jpeg(wild.app1_xmp(wild.packed("")), whole)):
        report = labeling.verify(data, visible=False)
        finding = report.find("aigc")
        assert finding is not None
        assert finding.status == "defective"
        assert "XMP-EXTENDED" in [each.rule for each in finding.defects]
        assert report.verdicts["cn"].outcome == "noncompliant"


def test_extended_xmp_with_a_hole_is_unreadable(tmp_path: Path) -> None:
    at = PACKET.index(b"<rdf:Description")
    hole = wild.jpeg(wild.app1_xmp(NAMED), part(0, PACKET[:at], 9000), part(at + 500, PACKET[at:], 9000))
    refused(hole, ".jpg", tmp_path, words="a part of the extension is missing")


def test_a_packet_under_another_name_is_unreadable(tmp_path: Path) -> None:
    """exiftool shows the label in each of them."""
    resource = b"8BIM\x04\x24\0\0" + len(PACKET).to_bytes(4, "big") + PACKET + b"\0" * (len(PACKET) & 1)
    files = {
        "a.jpg": wild.jpeg(wild.segment(0xE1, b"http://ns.adobe.com/xap/1.1/\0" + PACKET)),
        "b.jpg": wild.jpeg(wild.segment(0xED, b"Photoshop 3.0\0" + resource)),
        "c.png": wild.png(wild.chunk(b"iTXt", b"xml:com.adobe.xmp\0\0\0\0\0" + PACKET)),
    }
    programs.require("exiftool")
    for name, data in files.items():
        path = tmp_path / name
        path.write_bytes(data)
        assert "theirs-1" in subprocess.run(["exiftool", "-a", path], capture_output=True, text=True, check=True).stdout
        path.unlink()
        refused(data, path.suffix, tmp_path, words="holds an XMP packet with a label")
        (tmp_path / f"theirs{path.suffix}").unlink()


def wav(samples: int, *behind: bytes, told: int | None = None, junk: bytes = b"", after: bytes = b"") -> bytes:
    data = b"data" + (samples if told is None else told).to_bytes(4, "little") + bytes(samples)
    body = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16) + data + junk + b"".join(behind)
    return b"RIFF" + len(body).to_bytes(4, "little") + body + after


def test_a_label_where_the_chunks_of_a_wav_file_do_not_lead_is_unreadable(tmp_path: Path) -> None:
    text = VALUE.encode() + b"\0" * (len(VALUE) & 1)
    label = b"AIGC" + len(text).to_bytes(4, "little") + text
    assert labeling.verify(wav(8000, label), visible=False).find("aigc").status == "present"  # type: ignore[union-attr]
    for data in (
        wav(8000, label, told=8000 + len(label) + 108),
        wav(8000, label, junk=b"\0\1\2\3"),
        wav(8000, after=label),
        b"RIFF" + b"\xff" * 4 + wav(8000, label, told=0xFFFFFFFF)[8:],
    ):
        refused(data, ".wav", tmp_path)
    for data in (wav(8000, told=8108), wav(8000, junk=b"\0\1\2\3" * 9), wav(8000, after=b"anything else")):
        report = labeling.verify(data, visible=False)
        assert [m.status for m in report.findings if m.kind == "aigc"] == ["absent"]


def test_a_label_behind_the_end_or_beyond_a_limit_is_unreadable(tmp_path: Path) -> None:
    uuid = struct.pack(">I4s", 24 + len(PACKET), b"uuid") + isobmff.UUID_XMP + PACKET
    plain = ffmpeg(".mp4", "-c:v", "mpeg4", inputs=("testsrc=d=0.2:s=32x32:r=10",))
    refused(plain + b"\0\0\0\1garbage!" + uuid, ".mp4", tmp_path)
    (tmp_path / "theirs.mp4").unlink()
    flood = wild.avif() + b"\0\0\0\x08free" * isobmff.MAX_BOXES + uuid
    report = labeling.verify(flood, visible=False)
    assert not report.readable
    path = tmp_path / "theirs.avif"
    path.write_bytes(flood)
    with pytest.raises(UnreadableFile, match="more than 65536 boxes"):
        labeler().label_file(path, tmp_path / "ours.avif")


def test_front_matter_that_is_not_closed_or_no_yaml_is_unreadable() -> None:
    for text in (f"---\ntitle: x\n\tAIGC: {VALUE}\n---\n# A text\n", f"---\ntitle: x\nAIGC: {VALUE}\n# A text\n"):
        finding = labeling.verify(text.encode(), visible=False).find("aigc")
        assert finding is not None
        assert finding.status == "unreadable"
    prose = labeling.verify(b"---\ntitle: x\n---\n# A text\n\nAIGC: what the standard says\n", visible=False)
    assert [m.status for m in prose.findings if m.kind == "aigc"] == ["absent"]


def test_no_byte_of_a_matroska_tag_hides_a_label_that_exiftool_shows(tmp_path: Path) -> None:
    programs.require("exiftool")
    options = ("-metadata", f"AIGC={VALUE}", "-c:v", "mpeg4")
    data = ffmpeg(".mkv", *options, inputs=("testsrc=d=0.2:s=32x32:r=10",))
    text = data.rindex(VALUE.encode())
    name = data.rindex(b"AIGC", 0, text)
    absent = []
    for at in (*range(name - 16, name), *range(name + 4, text)):
        for flipped in (0x01, 0x20, 0x80, 0xFF):
            changed = bytearray(data)
            changed[at] ^= flipped
            if is_called_absent(bytes(changed)):
                absent.append(tmp_path / f"{at}-{flipped}.mkv")
                absent[-1].write_bytes(changed)
    shown = subprocess.run(["exiftool", "-a", tmp_path], capture_output=True, text=True, check=False).stdout
    assert "theirs-1" not in shown
    changed = bytearray(data)
    changed[name - 3] ^= 0x01  # of the identifier of the name
    refused(bytes(changed), ".mkv", tmp_path / "one", words="a tag by the name of a label")
