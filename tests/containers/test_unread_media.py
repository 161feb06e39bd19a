"""Video, audio and archives that are not labelled are named for what they are, with a way out."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest

from labeling import Labeler, containers, verify
from labeling.containers import formats
from labeling.containers.unread_media import MEDIA
from labeling.errors import LabelingError, UnsupportedFormat
from labeling.findings import Status

from .av_files import VIDEO, ffmpeg

LABELER = Labeler("p")

BY_FFMPEG: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "ts": ("MPEG transport stream", "video/mp2t", ("-c:v", "mpeg2video", "-c:a", "mp2")),
    "m2ts": ("MPEG transport stream", "video/mp2t", ("-c:v", "mpeg2video", "-c:a", "mp2", "-mpegts_m2ts_mode", "1")),
    "mpg": ("MPEG program stream", "video/mpeg", ("-c:v", "mpeg2video", "-c:a", "mp2")),
    "vob": ("MPEG program stream", "video/mpeg", ("-c:v", "mpeg2video", "-c:a", "ac3")),
    "m2v": ("raw MPEG video", "video/mpeg", ("-an",)),
    "h264": ("raw H.264", "video/h264", ("-an", "-c:v", "libx264")),
    "hevc": ("raw HEVC", "video/h265", ("-an", "-c:v", "libx265", "-x265-params", "log-level=none")),
    "ivf": ("IVF", "video/x-ivf", ("-an", "-c:v", "libvpx")),
    "y4m": ("YUV4MPEG2", "video/x-yuv4mpeg", ("-an", "-pix_fmt", "yuv420p")),
    "wmv": ("Windows Media", "video/x-ms-asf", ()),
    "wma": ("Windows Media", "video/x-ms-asf", ("-vn",)),
    "rm": ("RealMedia", "application/vnd.rn-realmedia", ("-c:v", "rv20", "-s", "176x144", "-an")),
    "mxf": ("MXF", "application/mxf", ("-c:v", "mpeg2video", "-r", "25", "-ar", "48000")),
    "nut": ("NUT", "video/x-nut", ()),
    "caf": ("Core Audio", "audio/x-caf", ("-vn", "-c:a", "pcm_s16le")),
    "ac3": ("AC-3", "audio/ac3", ("-vn",)),
    "eac3": ("AC-3", "audio/ac3", ("-vn",)),
    "dts": ("DTS", "audio/vnd.dts", ("-vn", "-c:a", "dca", "-strict", "-2", "-ar", "48000")),
    "wv": ("WavPack", "audio/x-wavpack", ("-vn",)),
    "tta": ("TTA", "audio/x-tta", ("-vn",)),
    "au": ("AU", "audio/basic", ("-vn",)),
    "voc": ("VOC", "audio/x-voc", ("-vn",)),
    "w64": ("W64", "audio/x-w64", ("-vn",)),
}


@pytest.mark.parametrize("kind", list(BY_FFMPEG))
def test_what_ffmpeg_writes_is_named(kind: str, tmp_path: Path) -> None:
    title, media_type, options = BY_FFMPEG[kind]
    _is_named(ffmpeg(f".{kind}", *options, inputs=VIDEO), title, media_type, tmp_path)


def _zip(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "application/epub+zip" if name == "mimetype" else "x")
    return out.getvalue()


def _ftyp(brand: bytes) -> bytes:
    return struct.pack(">I4s4sI4s", 20, b"ftyp", brand, 1, brand) + struct.pack(">I4s", 8, b"moov")


BY_HAND = {
    "CR3": (_ftyp(b"crx "), "CR3", "image/x-canon-cr3"),
    "Motion JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypmjp2" + bytes(40), "Motion JPEG 2000", "video/mj2"),
    "AMR": (b"#!AMR\n" + bytes(60), "AMR", "audio/amr"),
    "AMR-WB": (b"#!AMR-WB\n" + bytes(60), "AMR", "audio/amr"),
    "MIDI": (b"MThd\0\0\0\6\0\1\0\2\1\xe0" + bytes(60), "MIDI", "audio/midi"),
    "MIDI in RIFF": (b"RIFF\x40\0\0\0RMID" + bytes(60), "MIDI", "audio/midi"),
    "DSF": (b"DSD \x1c\0\0\0" + bytes(60), "DSF", "audio/x-dsf"),
    "APE": (b"MAC \x96\x0f" + bytes(60), "Monkey", "audio/x-ape"),
    "EPUB": (_zip("mimetype", "META-INF/container.xml"), "EPUB", "application/epub+zip"),
    "DOCX": (_zip("[Content_Types].xml", "word/document.xml"), "Office",
             "application/vnd.openxmlformats-officedocument"),
    "PPTX of another order": (_zip("ppt/presentation.xml", "[Content_Types].xml"), "Office",
                              "application/vnd.openxmlformats-officedocument"),
    "ZIP": (_zip("a.txt"), "ZIP archive", "application/zip"),
    "ZIP without a file": (_zip(), "ZIP archive", "application/zip"),
    "DOC": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(60), "old Office", "application/x-ole-storage"),
}  # fmt: skip


@pytest.mark.parametrize("kind", list(BY_HAND))
def test_what_is_made_by_hand_is_named(kind: str, tmp_path: Path) -> None:
    _is_named(*BY_HAND[kind], tmp_path)


def _is_named(data: bytes, title: str, media_type: str, folder: Path) -> None:
    kind = containers.unread(data)
    assert kind is not None
    assert title in kind.title
    assert kind.way_out
    path = folder / "a.bin"
    path.write_bytes(data)
    report = verify(path)
    assert {finding.status for finding in report.findings} == {Status.UNREADABLE}
    assert report.media_type == media_type
    with pytest.raises(LabelingError, match="cannot be labelled") as caught:
        LABELER.label_file(path)
    assert title in str(caught.value)
    assert kind.way_out in str(caught.value)


def test_a_stream_in_the_middle_of_which_a_file_begins_is_named() -> None:
    data = ffmpeg(".ts", *BY_FFMPEG["ts"][2], inputs=VIDEO)
    kind = containers.unread(data[188 * 5 :])
    assert kind is not None and "transport" in kind.title


def test_a_large_one_is_named_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    with path.open("wb") as file:
        file.write(ffmpeg(".ts", *BY_FFMPEG["ts"][2], inputs=VIDEO))
        file.truncate(3 << 30)
    with pytest.raises(UnsupportedFormat, match="MPEG transport stream"):
        LABELER.label_file(path)
    assert verify(path).media_type == "video/mp2t"


@pytest.mark.parametrize("brand", [b"isom", b"mp42", b"qt  ", b"3gp4", b"3g2a", b"M4A ", b"M4V ", b"dash", b"XAVC"])
def test_video_of_every_brand_is_mp4(brand: bytes) -> None:
    row = containers.identify(_ftyp(brand))
    assert row is not None and row.name == "mp4"


def test_every_kind_has_a_way_out_and_no_name_twice() -> None:
    assert all(kind.way_out for kind in MEDIA)
    extensions = [extension for kind in formats.UNREAD for extension in kind.extensions]
    assert len(set(extensions)) == len(extensions)
