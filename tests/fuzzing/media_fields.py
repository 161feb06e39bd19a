"""The fields of containers of video and audio that a mutation lies in; see ``fields``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from . import fields
from .fields import MOST_FIELDS, Field

_PARENTS = {b"moov": 8, b"trak": 8, b"mdia": 8, b"minf": 8, b"stbl": 8, b"udta": 8, b"dinf": 8, b"edts": 8, b"mvex": 8,
            b"moof": 8, b"traf": 8, b"meta": 12, b"iprp": 8, b"ipco": 8, b"iinf": 14, b"ilst": 8, b"stsd": 16,
            b"jumb": 8, b"sinf": 8, b"grpl": 8}  # fmt: skip

_SCALES = {b"mvhd": (20, 24), b"mdhd": (20, 24), b"sidx": (16,), b"mehd": (12,)}
_DIMENSIONS = {b"ispe": (12, 16), b"tkhd": (84, 88), b"avc1": (32,), b"hvc1": (32,), b"mp4v": (32,), b"av01": (32,)}


def bmff_fields(data: bytes, start: int = 0, stop: int | None = None, depth: int = 0) -> Iterator[Field]:
    """Box sizes; time scales, canvases, sample tables and item places (ISO/IEC 14496-12, 8; ISO/IEC 23008-12)."""
    at, stop = start, len(data) if stop is None else stop
    while at + 8 <= stop:
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        yield Field(at, 4, "size")
        size = stop - at if size == 0 else int.from_bytes(data[at + 8 : at + 16], "big") if size == 1 else size
        if size < 8 or at + size > stop:
            return
        if kind in _PARENTS:
            yield Field(at + 8, 4, "count")
            if depth < 10:
                yield from bmff_fields(data, at + _PARENTS[kind], at + size, depth + 1)
        elif kind not in (b"mdat", b"free", b"skip"):
            known = {
                **dict.fromkeys(_SCALES.get(kind, ()), "scale"),
                **dict.fromkeys(_DIMENSIONS.get(kind, ()), "dimension"),
            }
            for word in range(8, min(size, 120) - 3, 4):
                yield Field(at + word, 4, known.get(word, "kind" if word == 8 else "count" if word < 24 else "offset"))
            if kind in (b"iloc", b"ipma", b"infe", b"iref", b"pitm", b"pixi", b"av1C", b"hvcC", b"avcC", b"esds"):
                yield from (Field(at + word, 1, "kind") for word in range(8, min(size, 80)))
        at += size


_MASTERS = {
    0x18538067,
    0x1549A966,
    0x1654AE6B,
    0xAE,
    0xE0,
    0xE1,
    0x1F43B675,
    0xA0,
    0x114D9B74,
    0x4DBB,
    0x1C53BB6B,
    0xBB,
    0xB7,
    0x1254C367,
    0x7373,
    0x63C0,
    0x67C8,
    0x1043A770,
    0x45B9,
    0xB6,
    0x80,
    0x6D80,
    0x6240,
    0x1941A469,
    0x61A7,
    0x1A45DFA3,
}
_EBML_MEANS = {0x2AD7B1: "scale", 0x4489: "scale", 0xB0: "dimension", 0xBA: "dimension", 0x54B0: "dimension",
               0x54BA: "dimension", 0x23E383: "scale", 0xB5: "scale", 0x9F: "count", 0x53AB: "kind", 0x53AC: "offset",
               0xF1: "offset", 0xE7: "scale", 0x42F7: "scale", 0x42F3: "count", 0x42F2: "count"}  # fmt: skip


def ebml_fields(data: bytes, start: int = 0, stop: int | None = None, depth: int = 0) -> Iterator[Field]:
    """Sizes of elements, with time scales, canvases and positions (RFC 8794; RFC 9559)."""
    at, stop = start, len(data) if stop is None else stop
    while at + 2 <= stop:
        width = 9 - data[at].bit_length()
        if width > 4:
            return
        number = int.from_bytes(data[at : at + width], "big")
        place = at + width
        if place >= stop or not data[place]:
            return
        length = 9 - data[place].bit_length()
        size = int.from_bytes(data[place : place + length], "big") & ((1 << 7 * length) - 1)
        yield Field(place, 1, "size")
        if length > 1:
            yield Field(place, length, "size")
        body = place + length
        end = stop if size == (1 << 7 * length) - 1 else body + size
        if number in _MASTERS and depth < 10:
            yield from ebml_fields(data, body, min(end, stop), depth + 1)
        elif number in (0xA3, 0xA1):  # blocks: track, time, flags and laces
            yield from (Field(body, 1, "count"), Field(body + 1, 2, "scale"), Field(body + 3, 1, "kind"))
            yield from (Field(body + each, 1, "size") for each in range(4, 8))
        elif 1 <= size <= 8:
            yield Field(body, size, _EBML_MEANS.get(number, "count"))
        at = end


def ogg_fields(data: bytes) -> Iterator[Field]:
    """Pages, and the first words of their packets (RFC 3533, 6; RFC 7845, 5)."""
    at = 0
    while at + 27 <= len(data) and data[at : at + 4] == b"OggS":
        yield from (Field(at + 4, 1, "kind"), Field(at + 5, 1, "kind"), Field(at + 6, 8, "scale", False))
        yield from (Field(at + 14, 4, "count", False), Field(at + 18, 4, "count", False), Field(at + 26, 1, "count"))
        laces = data[at + 27 : at + 27 + data[at + 26]]
        yield from (Field(at + 27 + each, 1, "size") for each in range(min(8, len(laces))))
        body = at + 27 + len(laces)
        if at < 20_000:
            yield from (Field(body + each, 4, "size", False) for each in range(8, 60, 4))
        at = body + sum(laces)


def _ogg_crc_table() -> Iterator[int]:
    for value in range(256):
        value <<= 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7) if value >> 31 else value << 1
        yield value & 0xFFFFFFFF


_OGG_CRC = tuple(_ogg_crc_table())


def mended_ogg(data: bytes) -> bytes:
    """The same pages with their right CRC (RFC 3533, 6), as far as they follow one another."""
    out, at = bytearray(data), 0
    while at + 27 <= len(data) < 200_000 and data[at : at + 4] == b"OggS":
        end = at + 27 + data[at + 26] + sum(data[at + 27 : at + 27 + data[at + 26]])
        out[at + 22 : at + 26] = bytes(4)
        crc = 0
        for byte in out[at:end]:
            crc = (crc << 8 ^ _OGG_CRC[crc >> 24 ^ byte]) & 0xFFFFFFFF
        out[at + 22 : at + 26] = crc.to_bytes(4, "little")
        at = end
    return bytes(out)


def flv_fields(data: bytes) -> Iterator[Field]:
    """Header, tags, times, and the counts in script data (Adobe FLV 10.1, E.2 to E.4)."""
    yield from (Field(4, 1, "kind"), Field(5, 4, "offset"))
    at = 13
    while at + 11 <= len(data):
        length = int.from_bytes(data[at + 1 : at + 4], "big")
        yield from (Field(at, 1, "kind"), Field(at + 1, 3, "size"), Field(at + 4, 4, "scale"))
        yield from (Field(at + 11, 1, "kind"), Field(at + 12, 4, "count"))
        yield Field(at + 11 + length, 4, "size")
        if data[at] == 18:
            for word in range(at + 11, min(at + 11 + length, len(data) - 9)):
                if data[word] == 0:
                    yield from (Field(word, 1, "kind"), Field(word + 1, 2, "size"), Field(word + 1, 4, "count"))
        at += 15 + length


def riff_fields(data: bytes) -> Iterator[Field]:
    """Chunks of AVI and WAV at every level, and the words of their headers (AVI RIFF reference; RFC 2361)."""
    if data[8:12] == b"WEBP":
        yield from fields.webp_fields(data)
        return
    yield Field(4, 4, "size", False)
    at = 12
    while at + 8 <= len(data):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        yield Field(at + 4, 4, "size", False)
        if kind in (b"LIST", b"RIFF") and data[at + 8 : at + 12] != b"movi":
            at += 12
            continue
        if kind == b"fmt ":
            yield from (Field(at + 8 + each, 2, "kind", False) for each in (0, 2, 12, 14))
            yield from (Field(at + 12, 4, "scale", False), Field(at + 16, 4, "scale", False))
        elif kind in (b"avih", b"strh", b"strf", b"idx1", b"indx", b"ds64", b"bext", b"cue "):
            means = {b"avih": "count", b"strh": "scale", b"strf": "dimension", b"idx1": "offset"}.get(kind, "count")
            yield from (Field(at + 8 + each, 4, means, False) for each in range(0, min(length, 64) - 3, 4))
        at += 8 + length + length % 2


def aiff_fields(data: bytes) -> Iterator[Field]:
    """Chunks, and COMM (AIFF 1.3)."""
    yield Field(4, 4, "size")
    at = 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "big")
        yield Field(at + 4, 4, "size")
        if data[at : at + 4] == b"COMM":
            yield from (Field(at + 8, 2, "kind"), Field(at + 10, 4, "count"), Field(at + 14, 2, "kind"))
            yield from (Field(at + 16, 2, "scale"), Field(at + 18, 4, "scale"))
        at += 8 + length + length % 2


def id3_fields(data: bytes) -> Iterator[Field]:
    """ID3v2's header and frames, and the first frame of the audio behind it (ID3v2.4.0, 3 and 4)."""
    end = 0
    if data[:3] == b"ID3" and len(data) > 20:
        yield from (Field(3, 1, "kind"), Field(5, 1, "kind"), Field(6, 4, "size"))
        end = 10 + (data[6] << 21 | data[7] << 14 | data[8] << 7 | data[9])
        at = 10
        while at + 10 <= min(end, len(data)) and data[at]:
            length = int.from_bytes(data[at + 4 : at + 8], "big")
            yield from (Field(at + 4, 4, "size"), Field(at + 8, 2, "kind"), Field(at + 10, 1, "kind"))
            at += 10 + length
    yield from (Field(end + each, 1, "kind") for each in range(8))
    yield from (Field(end + each, 4, "size") for each in range(4, 60, 4))


def flac_fields(data: bytes) -> Iterator[Field]:
    """Metadata blocks, STREAMINFO and comments (RFC 9639, 8)."""
    at = 4
    while at + 4 <= len(data):
        kind, length = data[at], int.from_bytes(data[at + 1 : at + 4], "big")
        yield from (Field(at, 1, "kind"), Field(at + 1, 3, "size"))
        yield from (Field(at + 4 + each, 4, "count", kind & 0x7F != 4) for each in range(0, min(length, 40) - 3, 4))
        if kind & 0x80:
            return
        at += 4 + length


def _walker(data: bytes) -> Callable[[bytes], Iterator[Field]] | None:
    heads: tuple[tuple[bytes, Callable[[bytes], Iterator[Field]]], ...] = (
        (b"\xff\xd8", fields.jpeg_fields),
        (b"\x89PNG", fields.png_fields),
        (b"GIF8", fields.gif_fields),
        (b"RIFF", riff_fields),
        (b"BM", fields.bmp_fields),
        (b"\x1a\x45\xdf\xa3", ebml_fields),
        (b"OggS", ogg_fields),
        (b"FLV", flv_fields),
        (b"fLaC", flac_fields),
        (b"FORM", aiff_fields),
        (b"ID3", id3_fields),
        (b"\xff", id3_fields),
    )
    if data[4:8] in (b"ftyp", b"JXL ", b"moov", b"mdat", b"free", b"wide"):
        return bmff_fields
    return next((walk for head, walk in heads if data.startswith(head)), None)


def fields_of(data: bytes) -> list[Field]:
    """The fields of a file of any format, with those of the TIFF structures and JUMBF boxes in it."""
    walk = _walker(data)
    found = list(islice(walk(data), MOST_FIELDS)) if walk else []
    for inner in (fields.tiff_fields, fields.jumbf_fields):
        found += islice(inner(data), 600)
    return [field for field in found if field.at >= 0 and field.at + field.size <= len(data)]
