"""A million of everything: small files, at most 10 MB, with as much of one thing as fits in.

Each maker returns a file. ``python -m tests.hostile_files`` verifies and labels all of them and those of
:mod:`tests.hostile_kinds`, each in processes of its own with 1.5 GiB, and prints seconds of CPU and megabytes; so does
``make robustness``.
"""

from __future__ import annotations

import functools
import io
import json
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image

ADDRESS_SPACE = 3 << 29
METADATA, PIXELS = 2.0, 5.0
"""Seconds of CPU that a file may take: for its metadata, and with its pixels."""

MEMORY = 600
"""Megabytes that it may take."""

SIZE = 10_000_000

MAKERS: dict[str, Callable[[], bytes]] = {}


def made(make: Callable[[], bytes]) -> Callable[[], bytes]:
    MAKERS[make.__name__.replace("_", "-")] = make
    return make


def filled(head: bytes, one: bytes, tail: bytes = b"", size: int = SIZE) -> bytes:
    return head + one * ((size - len(head) - len(tail)) // len(one)) + tail


@functools.cache
def picture(kind: str, width: int = 64, height: int = 48, **options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (90, 140, 60)).save(out, kind, **options)
    return out.getvalue()


# --- PNG ------------------------------------------------------------------------------------------------------------


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(kind: bytes, body: bytes) -> bytes:
    """Return a small PNG file with one more chunk before its picture."""
    plain = picture("PNG")
    return plain[:33] + chunk(kind, body) + plain[33:]


def _png(one: bytes, at: int = 33) -> bytes:
    plain = picture("PNG")
    return filled(plain[:at], one, plain[at:])


@made
def png_empty_chunks() -> bytes:
    return _png(chunk(b"prVt"))


@made
def png_texts() -> bytes:
    return _png(chunk(b"tEXt", b"a\0b"))


@made
def png_compressed_texts() -> bytes:
    return _png(chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x")))


@made
def png_international_texts() -> bytes:
    return _png(chunk(b"iTXt", b"a\0\0\0\0\0b"))


@made
def png_xmp_packets() -> bytes:
    return _png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>"))


@made
def png_empty_idats() -> bytes:
    plain = picture("PNG")
    at = plain.index(b"IDAT") - 4
    return filled(plain[:at], chunk(b"IDAT"), plain[at:])


@made
def png_frame_controls() -> bytes:
    control = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 64, 48, 0, 0, 1, 10, 0, 0))
    return _png(chunk(b"acTL", struct.pack(">II", 1, 0)) + control)


@made
def png_bombs_of_text() -> bytes:
    return _png(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 20), 9)))


@made
def png_interlaced_and_thin() -> bytes:
    head = struct.pack(">IIBBBBB", 1, 2_000_000, 8, 0, 0, 0, 1)
    rows = zlib.compress(bytes(4_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND")


# --- JPEG -----------------------------------------------------------------------------------------------------------


def _jpeg(one: bytes, at: int = 2) -> bytes:
    plain = picture("JPEG")
    return filled(plain[:at], one, plain[at:])


@made
def jpeg_empty_segments() -> bytes:
    return _jpeg(b"\xff\xeb\0\x02")


@made
def jpeg_comments() -> bytes:
    return _jpeg(b"\xff\xfe\0\x03a")


@made
def jpeg_exif_segments() -> bytes:
    body = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"
    return _jpeg(b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body)


@made
def jpeg_photoshop_resources() -> bytes:
    body = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\0" * 5000
    return _jpeg(b"\xff\xed" + struct.pack(">H", len(body) + 2) + body)


@made
def jpeg_iim_datasets() -> bytes:
    sets = b"\x1c\x02\x19\0\0" * 12000
    body = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(sets)) + sets
    return _jpeg(b"\xff\xed" + struct.pack(">H", len(body) + 2) + body)


@made
def jpeg_jumbf_parts() -> bytes:
    body = b"JP\0\x01" + struct.pack(">I", 1) + struct.pack(">I4s", 8, b"jumb")
    return _jpeg(b"\xff\xeb" + struct.pack(">H", len(body) + 2) + body)


@made
def jpeg_fill_bytes() -> bytes:
    return _jpeg(b"\xff")


@made
def jpeg_restart_markers() -> bytes:
    return filled(picture("JPEG")[:-2], b"\xff\xd0", b"\xff\xd9")


@made
def jpeg_scans() -> bytes:
    plain = picture("JPEG", progressive=True)
    at = plain.rindex(b"\xff\xda")
    return filled(plain[:-2], plain[at:-2], b"\xff\xd9", 2_000_000)


@made
def jpeg_pictures_after_its_end() -> bytes:
    return filled(picture("JPEG"), b"\xff\xd8\xff\xd9")


@made
def jpeg_extended_xmp() -> bytes:
    guid = b"0" * 32
    body = b"http://ns.adobe.com/xmp/extension/\0" + guid + struct.pack(">II", 100, 0) + b"x"
    return _jpeg(b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body)


# --- TIFF -----------------------------------------------------------------------------------------------------------


@made
def tiff_strips() -> bytes:
    count = 300_000
    at = 8 + 2 + 12 * 9 + 4
    fields = [(256, 4, 1, 8), (257, 4, 1, count), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, count, at),
              (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, count, at + 4 * count)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", *field) for field in fields)
    start = at + 8 * count
    offsets = struct.pack(f"<{count}I", *range(start, start + 8 * count, 8))
    head = struct.pack("<2sHIH", b"II", 42, 8, len(fields)) + entries + bytes(4)
    return head + offsets + struct.pack("<I", 8) * count + bytes(8 * count)


@made
def tiff_strips_in_one_place() -> bytes:
    count = 300_000
    at = 8 + 2 + 12 * 9 + 4
    fields = [(256, 4, 1, 8), (257, 4, 1, count), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, count, at),
              (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, count, at + 4 * count)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", *field) for field in fields)
    head = struct.pack("<2sHIH", b"II", 42, 8, len(fields)) + entries + bytes(4)
    return head + struct.pack("<I", 8) * count + struct.pack("<I", 8) * count


@made
def tiff_entries() -> bytes:
    plain = struct.pack("<2sHIH", b"II", 42, 8, 65535)
    return plain + b"".join(struct.pack("<HHII", tag, 1, 1, 0) for tag in range(65535)) + bytes(4)


@made
def tiff_pages() -> bytes:
    one = 2 + 12 + 4
    count = SIZE // one
    head = struct.pack("<2sHI", b"II", 42, 8)
    return head + b"".join(
        struct.pack("<HHHIII", 1, 256, 4, 1, 1, 8 + (n + 1) * one if n + 1 < count else 0) for n in range(count)
    )


@made
def tiff_subdirectories() -> bytes:
    count = 500_000
    head = struct.pack("<2sHIH", b"II", 42, 8, 1) + struct.pack("<HHII", 330, 4, count, 26) + bytes(4)
    return head + struct.pack("<I", 8) * count


@made
def tiff_tiles_of_one_pixel_column() -> bytes:
    count = 60_000
    at = 8 + 2 + 12 * 10 + 4
    fields = [(256, 4, 1, count * 16), (257, 4, 1, 16), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1),
              (322, 4, 1, 16), (323, 4, 1, 16), (324, 4, count, at), (325, 4, count, at + 4 * count)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", *field) for field in fields)
    head = struct.pack("<2sHIH", b"II", 42, 8, len(fields)) + entries + bytes(4)
    return head + struct.pack("<I", 8) * count + struct.pack("<I", 256) * count


# --- GIF ------------------------------------------------------------------------------------------------------------


def _gif(one: bytes) -> bytes:
    plain = picture("GIF")
    return filled(plain[:-1], one, b";")


@made
def gif_empty_comments() -> bytes:
    return _gif(b"!\xfe\0")


@made
def gif_comments_of_small_parts() -> bytes:
    return _gif(b"!\xfe" + b"\x01a" * 1000 + b"\0")


@made
def gif_application_extensions() -> bytes:
    return _gif(b"!\xff\x0bXMP DataXMP<x/>\0")


@made
def gif_controls() -> bytes:
    return _gif(b"!\xf9\x04\0\0\0\0\0")


@made
def gif_frames() -> bytes:
    return _gif(b",\0\0\0\0\x01\0\x01\0\0\x02\x02L\x01\0")


@made
def gif_frame_larger_than_the_canvas() -> bytes:
    plain = bytearray(picture("GIF"))
    at = plain.index(b",")
    plain[at + 5 : at + 9] = struct.pack("<HH", 60000, 1600)
    return bytes(plain)


def gif_of_small_frames(width: int, height: int, frames: int) -> bytes:
    """Return an animation on a canvas of this size, each of whose frames is a single pixel."""
    one = b"!\xf9\4\4\1\0\0\0," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\2\x44\1\0"
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(3) + b"\xff\xff\xff"
    return head + one * frames + b";"


@made
def gif_frames_of_a_canvas() -> bytes:
    return gif_of_small_frames(200, 200, 9000)


@made
def gif_large_canvas() -> bytes:
    plain = picture("GIF", 16, 16)
    return plain[:6] + struct.pack("<HH", 10000, 9999) + plain[10:]


# --- WebP, WAV, AVI ---------------------------------------------------------------------------------------------------


def riff(kind: bytes, body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(body) + 4) + kind + body


@made
def webp_chunks() -> bytes:
    plain = picture("WEBP")
    canvas = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + (63).to_bytes(3, "little") + (47).to_bytes(3, "little")
    return riff(b"WEBP", filled(canvas + plain[12:], b"prVt\0\0\0\0"))


@made
def webp_frames() -> bytes:
    plain = picture("WEBP", 2, 2)[12:]
    canvas = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + (63).to_bytes(3, "little") + (47).to_bytes(3, "little")
    frame = bytes(6) + (1).to_bytes(3, "little") * 2 + (10).to_bytes(3, "little") + b"\0" + plain
    one = b"ANMF" + struct.pack("<I", len(frame)) + frame
    return riff(b"WEBP", filled(canvas + b"ANIM" + struct.pack("<IIH", 6, 0, 0), one))


@made
def webp_of_one_colour() -> bytes:
    return picture("WEBP", 7500, 7500, lossless=True)


_WAV = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)


@made
def wav_chunks() -> bytes:
    return riff(b"WAVE", filled(_WAV + b"data" + struct.pack("<I", 100) + bytes(100), b"prVt\0\0\0\0"))


@made
def wav_info_entries() -> bytes:
    entries = filled(b"INFO", b"ICMT\x02\0\0\0a\0")
    return riff(b"WAVE", _WAV + b"data\0\0\0\0LIST" + struct.pack("<I", len(entries)) + entries)


@made
def avi_lists() -> bytes:
    return riff(b"AVI ", filled(b"LIST\x04\0\0\0hdrl", b"LIST\x04\0\0\0INFO"))


@made
def avi_chunks() -> bytes:
    inside = filled(b"movi", b"00dc\0\0\0\0")
    return riff(b"AVI ", b"LIST\x04\0\0\0hdrlLIST" + struct.pack("<I", len(inside)) + inside)


# --- MP4 and HEIF -----------------------------------------------------------------------------------------------------


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def full_box(kind: bytes, *parts: bytes, version: int = 0) -> bytes:
    return box(kind, bytes([version, 0, 0, 0]), *parts)


_FTYP = box(b"ftyp", b"isom\0\0\2\0isommp42")
_MVHD = full_box(b"mvhd", struct.pack(">IIII", 0, 0, 1000, 1000), bytes(80))


def _track(*table: bytes, edits: bytes = b"") -> bytes:
    tkhd = full_box(b"tkhd", struct.pack(">IIIII", 0, 0, 1, 0, 1000), bytes(52), struct.pack(">II", 64 << 16, 48 << 16))
    mdhd = full_box(b"mdhd", struct.pack(">IIIIHH", 0, 0, 1000, 1000, 0x55C4, 0))
    hdlr = full_box(b"hdlr", bytes(4), b"vide", bytes(13))
    avc1 = box(b"avc1", bytes(24), struct.pack(">HH", 64, 48), bytes(50))
    stsd = full_box(b"stsd", struct.pack(">I", 1), avc1)
    stbl = box(b"stbl", stsd, *table)
    minf = box(b"minf", full_box(b"vmhd", bytes(8)), stbl)
    return box(b"trak", tkhd, edits, box(b"mdia", mdhd, hdlr, minf))


@made
def mp4_boxes() -> bytes:
    return filled(_FTYP + box(b"moov", _MVHD), box(b"free"))


@made
def mp4_boxes_in_the_movie() -> bytes:
    return _FTYP + box(b"moov", filled(_MVHD, box(b"free")))


@made
def mp4_tracks() -> bytes:
    return _FTYP + box(b"moov", filled(_MVHD, _track()))


@made
def mp4_samples() -> bytes:
    count = 1_200_000
    table = [
        full_box(b"stts", struct.pack(">III", 1, count, 1)),
        full_box(b"stsc", struct.pack(">IIII", 1, 1, count, 1)),
        full_box(b"stsz", struct.pack(">II", 0, count), struct.pack(">I", 1) * count),
        full_box(b"stco", struct.pack(">II", 1, 64)),
    ]
    return _FTYP + box(b"moov", _MVHD, _track(*table)) + box(b"mdat", bytes(count))


@made
def mp4_chunks() -> bytes:
    count = 1_000_000
    table = [
        full_box(b"stts", struct.pack(">III", 1, count, 1)),
        full_box(b"stsc", struct.pack(">IIII", 1, 1, 1, 1)),
        full_box(b"stsz", struct.pack(">II", 1, count)),
        full_box(b"stco", struct.pack(">I", count), struct.pack(">I", 64) * count),
    ]
    return _FTYP + box(b"moov", _MVHD, _track(*table)) + box(b"mdat", bytes(100))


@made
def mp4_samples_that_are_not_there() -> bytes:
    table = [
        full_box(b"stts", struct.pack(">III", 1, 0xFFFFFFFF, 1)),
        full_box(b"stsc", struct.pack(">IIII", 1, 1, 0xFFFFFFFF, 1)),
        full_box(b"stsz", struct.pack(">II", 1, 0xFFFFFFFF)),
        full_box(b"stco", struct.pack(">II", 1, 64)),
    ]
    return _FTYP + box(b"moov", _MVHD, _track(*table)) + box(b"mdat", bytes(100))


@made
def mp4_edits() -> bytes:
    count = 800_000
    edits = box(b"edts", full_box(b"elst", struct.pack(">I", count), struct.pack(">IiI", 1, 0, 1 << 16) * count))
    return _FTYP + box(b"moov", _MVHD, _track(edits=edits))


@made
def mp4_fragments() -> bytes:
    trex = box(b"mvex", full_box(b"trex", struct.pack(">IIIII", 1, 1, 1, 1, 0)))
    run = box(b"traf", full_box(b"tfhd", struct.pack(">I", 1)), full_box(b"trun", struct.pack(">I", 1)))
    one = box(b"moof", full_box(b"mfhd", struct.pack(">I", 1)), run) + box(b"mdat", b"a")
    return filled(_FTYP + box(b"moov", _MVHD, _track(), trex), one)


@made
def mp4_texts() -> bytes:
    text = box(b"\xa9cmt", box(b"data", struct.pack(">II", 1, 0), b"a"))
    meta = full_box(b"meta", full_box(b"hdlr", bytes(4), b"mdirappl", bytes(9)), box(b"ilst", filled(b"", text)))
    return _FTYP + box(b"moov", _MVHD, box(b"udta", meta))


@made
def mp4_keys_of_many_names() -> bytes:
    count = 200_000
    keys = full_box(b"keys", struct.pack(">I", count), *(box(b"mdta", b"%07d" % n) for n in range(count)))
    data = box(b"data", struct.pack(">II", 1, 0), b"a")
    ilst = box(b"ilst", *(box(struct.pack(">I", n + 1), data) for n in range(count)))
    meta = full_box(b"meta", full_box(b"hdlr", bytes(4), b"mdta", bytes(13)), keys, ilst)
    return _FTYP + box(b"moov", _MVHD, _track(), box(b"udta", meta)) + box(b"mdat", bytes(100))


@made
def mp4_nested_boxes() -> bytes:
    depth = 1_000_000
    return _FTYP + b"".join(struct.pack(">I4s", 8 * (depth - n), b"moov") for n in range(depth))


@made
def mp4_uuid_boxes() -> bytes:
    return filled(_FTYP + box(b"moov", _MVHD), box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac"), b"<x/>"))


def _heif(*boxes: bytes) -> bytes:
    hdlr = full_box(b"hdlr", bytes(4), b"pict", bytes(13))
    return box(b"ftyp", b"avif\0\0\0\0mif1avif") + full_box(b"meta", hdlr, *boxes)


@made
def heif_items() -> bytes:
    count = 65535
    infos = [full_box(b"infe", struct.pack(">HH", n, 0), b"mime\0a\0", version=2) for n in range(1, count)]
    pitm = full_box(b"pitm", struct.pack(">H", 1))
    return _heif(pitm, full_box(b"iinf", struct.pack(">H", len(infos)), *infos))


@made
def heif_properties() -> bytes:
    infe = full_box(b"infe", struct.pack(">HH", 1, 0), b"av01\0", version=2)
    ipco = box(b"ipco", full_box(b"ispe", struct.pack(">II", 64, 64)) * 400_000)
    ipma = full_box(b"ipma", struct.pack(">IHB", 1, 1, 1), b"\x81")
    iprp = box(b"iprp", ipco, ipma)
    return _heif(full_box(b"pitm", struct.pack(">H", 1)), full_box(b"iinf", struct.pack(">H", 1), infe), iprp)


@made
def heif_references() -> bytes:
    infe = full_box(b"infe", struct.pack(">HH", 1, 0), b"av01\0", version=2)
    one = box(b"cdsc", struct.pack(">HHH", 1, 1, 1))
    refs = full_box(b"iref", filled(b"", one))
    return _heif(full_box(b"pitm", struct.pack(">H", 1)), full_box(b"iinf", struct.pack(">H", 1), infe), refs)


@made
def heif_extents() -> bytes:
    count = 65535
    iloc = full_box(b"iloc", b"\x44\0", struct.pack(">HHHH", 1, 1, 0, count), struct.pack(">II", 8, 1) * count)
    infe = full_box(b"infe", struct.pack(">HH", 1, 0), b"Exif\0", version=2)
    return _heif(full_box(b"pitm", struct.pack(">H", 1)), full_box(b"iinf", struct.pack(">H", 1), infe), iloc)


@made
def avif_that_lies_about_its_size() -> bytes:
    plain = bytearray(picture("AVIF"))
    at = plain.index(b"ispe") + 8
    plain[at : at + 8] = struct.pack(">II", 10000, 9999)
    return bytes(plain)


# --- audio ------------------------------------------------------------------------------------------------------------


def syncsafe(size: int) -> bytes:
    return bytes(size >> shift & 127 for shift in (21, 14, 7, 0))


@made
def mp3_frames_of_a_tag() -> bytes:
    frames = filled(b"", b"TXXX" + syncsafe(5) + b"\0\0\0a\0bc", size=8_000_000)
    return b"ID3\4\0\0" + syncsafe(len(frames)) + frames + b"\xff\xfb\x90\0" + bytes(413)


@made
def mp3_tags_of_many_names() -> bytes:
    tags = b""
    for first in range(0, 200_000, 4000):
        frames = b"".join(b"PRIV" + syncsafe(10) + b"\0\0%07d\0bc" % n for n in range(first, first + 4000))
        tags += b"ID3\4\0\0" + syncsafe(len(frames)) + frames
    return tags + (b"\xff\xfb\x90\0" + bytes(413)) * 20


@made
def mp3_tags() -> bytes:
    return filled(b"", b"ID3\4\0\0\0\0\0\0")


@made
def mp3_audio_frames() -> bytes:
    return filled(b"", b"\xff\xfb\x10\x64" + bytes(100))


@made
def aac_frames() -> bytes:
    return filled(b"", b"\xff\xf1\x50\x80\0\xff\xfc")


@made
def flac_blocks() -> bytes:
    info = b"fLaC\0\0\0\x22" + struct.pack(">HH", 4096, 4096) + bytes(6) + b"\x0a\xc4\x42\xf0" + bytes(20)
    return filled(info, b"\x02\0\0\x04test")


@made
def flac_comments() -> bytes:
    info = b"fLaC\0\0\0\x22" + struct.pack(">HH", 4096, 4096) + bytes(6) + b"\x0a\xc4\x42\xf0" + bytes(20)
    count = 1_500_000
    body = struct.pack("<II", 0, count) + b"\x03\0\0\0a=b" * count
    return info + b"\x84" + (len(body) & 0xFFFFFF).to_bytes(3, "big") + body


@made
def flac_comments_of_many_names() -> bytes:
    info = b"fLaC\0\0\0\x22" + struct.pack(">HH", 4096, 4096) + bytes(6) + b"\x0a\xc4\x42\xf0" + bytes(20)
    entries = b"".join(b"\x08\0\0\0%07d=" % n for n in range(800_000))
    body = struct.pack("<II", 0, 800_000) + entries
    return info + b"\x84" + len(body).to_bytes(3, "big") + body


@made
def mp3_frames_of_many_names() -> bytes:
    frames = b"".join(b"TXXX" + syncsafe(11) + b"\0\0\0%07d\0bc" % n for n in range(400_000))
    return b"ID3\4\0\0" + syncsafe(len(frames)) + frames + b"\xff\xfb\x90\0" + bytes(413)


@made
def ogg_pages() -> bytes:
    return filled(b"", b"OggS\0\0" + bytes(8) + struct.pack("<III", 1, 0, 0) + b"\0")


@made
def ogg_streams() -> bytes:
    return b"".join(b"OggS\0\2" + bytes(8) + struct.pack("<III", n, 0, 0) + b"\1\7\1vorbis" for n in range(280_000))


@made
def aiff_chunks() -> bytes:
    body = filled(b"AIFFCOMM\0\0\0\x12\0\1\0\0\0\0\0\x10\x40\x0e\xac\x44\0\0\0\0\0\0", b"ANNO\0\0\0\2ab")
    return b"FORM" + struct.pack(">I", len(body)) + body


# --- Matroska and FLV -------------------------------------------------------------------------------------------------


def _element(number: bytes, body: bytes) -> bytes:
    return number + (0x0100000000000000 | len(body)).to_bytes(8, "big") + body


_EBML = _element(b"\x1a\x45\xdf\xa3", b"\x42\x82\x88matroska")


def _segment(body: bytes) -> bytes:
    return _EBML + _element(b"\x18\x53\x80\x67", body)


@made
def matroska_voids() -> bytes:
    return _segment(filled(b"", b"\xec\x80"))


@made
def matroska_clusters() -> bytes:
    return _segment(filled(b"", b"\x1f\x43\xb6\x75\x83\xe7\x81\0"))


@made
def matroska_blocks() -> bytes:
    return _segment(_element(b"\x1f\x43\xb6\x75", filled(b"\xe7\x81\0", b"\xa3\x85\x81\0\0\x80a")))


@made
def matroska_tags() -> bytes:
    one = _element(b"\x67\xc8", b"\x45\xa3\x81a\x44\x87\x81b")
    return _segment(_element(b"\x12\x54\xc3\x67", filled(b"", _element(b"\x73\x73", one))))


@made
def matroska_tags_of_many_names() -> bytes:
    one = b"".join(_element(b"\x67\xc8", b"\x45\xa3\x87%07d\x44\x87\x81b" % n) for n in range(300_000))
    track = _element(b"\xae", b"\xd7\x81\1\x83\x81\2\x86\x85A_PCM")
    cluster = _element(b"\x1f\x43\xb6\x75", b"\xe7\x81\0\xa3\x85\x81\0\0\x80a")
    tags = _element(b"\x12\x54\xc3\x67", _element(b"\x73\x73", one))
    return _segment(_element(b"\x16\x54\xae\x6b", track) + tags + cluster)


@made
def matroska_cues() -> bytes:
    point = b"\xbb\x8a\xb3\x81\1\xb7\x85\xf7\x81\1\xf1\x80"
    return _segment(_element(b"\x1c\x53\xbb\x6b", filled(b"", point)))


@made
def matroska_nested_elements() -> bytes:
    return _EBML + b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" * 800_000


@made
def flv_tags() -> bytes:
    return filled(b"FLV\1\5\0\0\0\x09\0\0\0\0", b"\x08\0\0\1\0\0\0\0\0\0\0\xaf\0\0\0\x0c")


@made
def flv_properties() -> bytes:
    many = b"".join(b"\0\x07%07d\1\1" % n for n in range(100_000))
    body = b"\2\0\x0aonMetaData\x08" + struct.pack(">I", 100_000) + many + b"\0\0\x09"
    tag = b"\x12" + len(body).to_bytes(3, "big") + bytes(7) + body
    return (
        b"FLV\1\5\0\0\0\x09\0\0\0\0" + tag + struct.pack(">I", len(tag)) + b"\x08\0\0\1" + bytes(7) + b"\xaf\0\0\0\x0c"
    )


@made
def flv_scripts() -> bytes:
    return filled(b"FLV\1\5\0\0\0\x09\0\0\0\0", b"\x12\0\0\1\0\0\0\0\0\0\0\5\0\0\0\x0c")


# --- documents and packets -----------------------------------------------------------------------------------------

_RDF = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"


def packet(inside: bytes) -> bytes:
    return png_with(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + inside)


@made
def xmp_nodes() -> bytes:
    head = _RDF + b"<rdf:Description xmlns:a='urn:a'>"
    return packet(filled(head, b"<a:b>c</a:b>", b"</rdf:Description></rdf:RDF></x:xmpmeta>", 4_000_000))


@made
def xmp_descriptions() -> bytes:
    return packet(filled(_RDF, b"<rdf:Description/>", b"</rdf:RDF></x:xmpmeta>", 4_000_000))


@made
def xmp_attributes() -> bytes:
    many = b"".join(b" a:b%d=''" % n for n in range(300_000))
    return packet(_RDF + b"<rdf:Description xmlns:a='urn:a'" + many + b"/></rdf:RDF></x:xmpmeta>")


@made
def xmp_depth() -> bytes:
    return packet(_RDF + b"<a>" * 1_000_000)


@made
def svg_long_texts() -> bytes:
    return filled(b'<svg xmlns="http://www.w3.org/2000/svg">', b"<desc>" + b"-" * 65500 + b"</desc>", b"</svg>")


@made
def svg_elements() -> bytes:
    return filled(b'<svg xmlns="http://www.w3.org/2000/svg">', b"<g/>", b"</svg>", 3_900_000)


@made
def svg_metadata() -> bytes:
    return filled(b'<svg xmlns="http://www.w3.org/2000/svg">', b"<metadata><a/></metadata>", b"</svg>")


@made
def svg_prolog() -> bytes:
    return filled(b"", b"<!--" * 1000, b"<svg/>")


@made
def pdf_objects() -> bytes:
    return filled(b"%PDF-1.7\n", b"1 0 obj\n<<>>\nendobj\n", b"startxref\n0\n%%EOF")


@made
def pdf_nested_arrays() -> bytes:
    return filled(b"%PDF-1.7\n1 0 obj\n", b"[", b"\nendobj\ntrailer <</Root 1 0 R>>\nstartxref\n9\n%%EOF")


@made
def pdf_open_strings() -> bytes:
    return filled(b"%PDF-1.7\n1 0 obj\n", b"(", b"\nendobj\ntrailer <</Root 1 0 R>>\nstartxref\n9\n%%EOF")


@made
def pdf_sections() -> bytes:
    return filled(b"%PDF-1.7\n", b"xref\n0 1\n0000000000 65535 f \ntrailer <</Prev 9>>\n", b"startxref\n9\n%%EOF")


@made
def pdf_startxrefs() -> bytes:
    return filled(b"%PDF-1.7\n", b"startxref\n9\n%%EOF\n")


@made
def markdown_keys() -> bytes:
    return filled(b"---\n", b"a: b\n", b"---\n# a\n")


@made
def markdown_fences() -> bytes:
    return filled(b"# a\n\n", b"```\n")


# --- measuring ------------------------------------------------------------------------------------------------------

_CHILD = """
import json, os, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, ({space}, {space}))
resource.setrlimit(resource.RLIMIT_CPU, ({limit}, {limit}))
import labeling
from labeling import LabelingError
words, took = "", {{}}
target = sys.argv[1] + ".labelled"
for visible in {painted}:
    start = time.process_time()
    try:
        labeling.Labeler(producer="001191000000MA00DEM00P10001", visible=visible).label_file(sys.argv[1], target)
        said = "labelled"
    except LabelingError as error:
        said = "refused: " + str(error).removeprefix(sys.argv[1])[:70]
    took["painted" if visible else "labelled"] = round(time.process_time() - start, 2)
    took["add"] = said
    if os.path.exists(target):
        os.unlink(target)
for visible in {visible}:
    start = time.process_time()
    try:
        report = labeling.verify(sys.argv[1], visible=visible)
        words = "; ".join(report.problems)[:100] or str(report.media_type)
    except LabelingError as error:
        words = "refused: " + str(error)[:100]
    took["pixels" if visible else "metadata"] = round(time.process_time() - start, 2)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
print(json.dumps({{**took, "peak": int(peak) >> 10, "words": words}}))
"""


def measure(
    data: bytes, *, visible: tuple[bool, ...] = (False, True), painted: tuple[bool, ...] = (), limit: int = 60
) -> dict[str, object]:
    """Verify a file in a process of its own, and return seconds of CPU, megabytes, and what was said.

    Args:
        data: The file.
        visible: Whether to look for the visible label, for each time that it is verified.
        painted: Whether to write a visible label, for each time that it is labelled before.
        limit: Seconds after which the process ends.
    """
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        script = _CHILD.format(space=ADDRESS_SPACE, limit=limit, visible=visible, painted=painted)
        command = [sys.executable, "-c", script, file.name]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        return {"words": f"ended with {run.returncode}: {run.stderr[-300:]}", "peak": 0, "failed": True}
    result: dict[str, object] = json.loads(run.stdout)
    return result


def main(names: list[str]) -> int:
    bad = 0
    for name in names or MAKERS:
        data = MAKERS[name]()
        result, added = measure(data), measure(data, visible=(), painted=(False,))
        peak = max(int(str(result["peak"])), int(str(added["peak"])))
        result = {**added, **result, "peak": peak}
        over = (
            "failed" in result
            or float(str(result.get("metadata", 99))) > METADATA
            or float(str(result.get("labelled", 99))) > METADATA
            or float(str(result.get("pixels", 0))) > PIXELS
            or int(str(result["peak"])) > MEMORY
        )
        bad += over
        print(f"{'!' if over else ' '} {name:36}{len(data):10} {json.dumps(result)}", flush=True)
    print(f"{bad} of {len(names or MAKERS)} beyond the limits")
    return 1 if bad else 0


if __name__ == "__main__":
    from tests import hostile_files, hostile_kinds  # this module is not the one that the makers of the other are in

    assert hostile_kinds
    sys.exit(hostile_files.main([Path(name).name for name in sys.argv[1:]]))
