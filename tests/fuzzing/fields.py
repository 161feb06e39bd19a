"""Where a file says how much, how long, how large and from where: the fields that a mutation lies in.

Each ``*_fields`` walks one format as far as it is sound and yields :class:`Field`; :func:`lie` overwrites some of them.
Pictures and documents are here, containers of video and audio in ``media_fields``.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

MOST_FIELDS = 3000
"""Fields that are looked at in one file; a flooded file has millions."""


@dataclass(frozen=True)
class Field:
    """A number in a file: place, bytes, what it means (see :data:`_VALUES`) and its byte order."""

    at: int
    size: int
    means: str
    big: bool = True


_VALUES: dict[str, tuple[int, ...]] = {
    "size": (0, 1, 2, 7, 8, 12, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF8, 0xFFFFFFFF),
    "count": (0, 1, 2, 0xFF, 1000, 0xFFFF, 100_000, 1_000_000, 0x0FFFFFFF, 0x7FFFFFFF, 0xFFFFFFFF),
    "offset": (0, 1, 4, 8, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF),
    "dimension": (
        0,
        1,
        2,
        3,
        15,
        4096,
        9999,
        10_000,
        16_384,
        20_000,
        32_767,
        60_000,
        65_500,
        65_535,
        1_000_000,
        0x7FFFFFFF,
        0xFFFFFFFF,
    ),
    "scale": (0, 0, 1, 2, 90_000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF),
    "kind": (0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64, 128, 254, 255, 34_892, 34_925, 50_000, 65_535),
}


def number(rng: Random, field: Field, data: bytes) -> int:
    """A value that this field is prone to stumble over: an edge, or something near what it says, or near the end."""
    old = int.from_bytes(data[field.at : field.at + field.size], "big" if field.big else "little")
    edges = [value for value in _VALUES[field.means] if value < 1 << (8 * field.size)] or [0]
    rest = len(data) - field.at
    choice = rng.choice(
        (
            rng.choice(edges),
            rng.choice(edges),
            old + rng.choice((-8, -1, 1, 2, 8)),
            old * 2,
            rest,
            rest + 1,
            len(data),
            field.at,
            rng.getrandbits(8 * field.size),
        )
    )
    return choice % (1 << (8 * field.size))


def lie(rng: Random, data: bytes, found: list[Field]) -> bytes:
    """Overwrite one field or a few, of one meaning at times, such as width and height together."""
    if not found:
        return data
    out = bytearray(data)
    chosen = [rng.choice(found) for _ in range(rng.choice((1, 1, 1, 2, 4)))]
    if rng.random() < 0.25:
        alike = [field for field in found if field.means == chosen[0].means and field.size == chosen[0].size]
        near = alike.index(chosen[0])
        chosen = alike[near : near + 2]
    for field in chosen:
        if field.at + field.size <= len(out):
            new = number(rng, field, data).to_bytes(field.size, "big" if field.big else "little")
            out[field.at : field.at + field.size] = new
    return bytes(out)


def jpeg_fields(data: bytes) -> Iterator[Field]:
    """Segments and what SOF, DHT, DQT, DRI, SOS, JFIF, MPF and JUMBF say (ITU-T T.81 B.2, CIPA DC-007)."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        yield Field(at + 2, 2, "size")
        body = at + 4
        if marker in (0xC0, 0xC1, 0xC2, 0xC3, 0xC9):
            yield Field(body, 1, "kind")
            yield Field(body + 1, 2, "dimension")
            yield Field(body + 3, 2, "dimension")
            yield from (Field(body + 5 + each, 1, "kind") for each in range(min(13, length)))
        elif marker in (0xC4, 0xDB, 0xDA, 0xDD):
            yield from (Field(body + each, 1, "count") for each in range(min(20, max(0, length - 2))))
        elif marker in (0xE0, 0xE1, 0xE2, 0xEB, 0xED):
            yield from _numbers(data, body, min(length - 2, 120))
        if marker == 0xDA:
            return
        at += 2 + max(2, length)


def _numbers(data: bytes, start: int, length: int) -> Iterator[Field]:
    """Binary words that stand between texts: small numbers in two or four bytes."""
    for at in range(start, min(start + length, len(data)) - 3):
        if data[at : at + 2] == b"\0\0":
            yield Field(at, 4, "size")


def png_fields(data: bytes) -> Iterator[Field]:
    """Lengths of chunks, and what IHDR, acTL, fcTL, pHYs, cICP and PLTE say (PNG, third edition, 11)."""
    parts = {b"IHDR": (("dimension", 4), ("dimension", 4), *(("kind", 1),) * 5), b"acTL": (("count", 4), ("count", 4)),
             b"fcTL": (("count", 4), *(("dimension", 4),) * 4, ("scale", 2), ("scale", 2), ("kind", 1), ("kind", 1)),
             b"pHYs": (("scale", 4), ("scale", 4)), b"fdAT": (("count", 4),), b"iCCP": (("size", 4), ("kind", 1)),
             b"tRNS": (("kind", 2),), b"eXIf": (("size", 4), ("offset", 4))}  # fmt: skip
    at = 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield Field(at, 4, "size")
        place = at + 8
        for means, size in parts.get(data[at + 4 : at + 8], ()):
            yield Field(place, size, means)
            place += size
        at += 12 + length


def mended_png(data: bytes) -> bytes:
    """The same chunks with their right CRC, as far as they can be told apart."""
    out, at = bytearray(data), 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            break
        out[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(out)


def gif_fields(data: bytes) -> Iterator[Field]:
    """The canvas, the frames' boxes, delays, tables of colours and sub-blocks (GIF89a, 18 to 26)."""
    yield from (Field(at, 2, "dimension", False) for at in (6, 8))
    yield from (Field(10, 1, "kind"), Field(11, 1, "kind"))
    at = 13 + (3 << ((data[10] & 7) + 1) if len(data) > 10 and data[10] & 0x80 else 0)
    while at + 2 <= len(data):
        if data[at] == 0x2C and at + 11 <= len(data):
            yield from (Field(at + each, 2, "dimension", False) for each in (1, 3, 5, 7))
            yield from (Field(at + 9, 1, "kind"), Field(at + 10, 1, "kind"))
            at += 11 + (3 << ((data[at + 9] & 7) + 1) if data[at + 9] & 0x80 else 0)
        elif data[at] == 0x21:
            yield Field(at + 1, 1, "kind")
            if data[at + 1] == 0xF9:
                yield from (Field(at + 3, 1, "kind"), Field(at + 4, 2, "scale", False), Field(at + 6, 1, "kind"))
            at += 2
        else:
            return
        while at < len(data) and data[at]:
            yield Field(at, 1, "size")
            at += 1 + data[at]
        at += 1


def tiff_fields(data: bytes) -> Iterator[Field]:
    """Directories, wherever the file holds a TIFF structure: tags, types, counts, values, links (TIFF 6.0, 2)."""
    sizes = {256: "dimension", 257: "dimension", 258: "kind", 259: "kind", 262: "kind", 273: "offset", 277: "kind",
             278: "dimension", 279: "size", 284: "kind", 317: "kind", 322: "dimension", 323: "dimension", 324: "offset",
             325: "size", 330: "offset", 338: "kind", 339: "kind", 34665: "offset", 34853: "offset"}  # fmt: skip
    for match in list(re.finditer(rb"II[*+]\0|MM\0[*+]", data[: 1 << 20]))[:4]:
        base, big = match.start(), data[match.start()] == 0x4D
        order: dict[bool, str] = {True: "big", False: "little"}
        wide = b"+" in match.group()
        width, entry = (8, 20) if wide else (4, 12)
        seen: set[int] = set()
        link = base + (8 if wide else 4)
        yield Field(link, width, "offset", big)
        for _ in range(8):
            at = base + int.from_bytes(data[link : link + width], order[big])  # type: ignore[arg-type]
            if at in seen or not base < at < len(data) - 2:
                break
            seen.add(at)
            head = 8 if wide else 2
            count = int.from_bytes(data[at : at + head], order[big])  # type: ignore[arg-type]
            yield Field(at, head, "count", big)
            for one in range(min(count, 60)):
                place = at + head + entry * one
                tag = int.from_bytes(data[place : place + 2], order[big])  # type: ignore[arg-type]
                short = data[place + 2 : place + 4] in (b"\0\3", b"\3\0")
                yield Field(place, 2, "kind", big)
                yield Field(place + 2, 2, "kind", big)
                yield Field(place + 4, width, "count", big)
                yield Field(place + 4 + width, 2 if short else width, sizes.get(tag, "offset"), big)
            link = at + head + entry * count
            yield Field(link, width, "offset", big)


def webp_fields(data: bytes) -> Iterator[Field]:
    """Chunks, and the sizes in VP8X, ANIM, ANMF, VP8 and VP8L (WebP container specification; RFC 6386, 9.1)."""
    yield Field(4, 4, "size", False)
    at = 12
    while at + 8 <= len(data):
        kind, length, body = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little"), at + 8
        yield Field(at + 4, 4, "size", False)
        if kind == b"VP8X":
            yield Field(body, 1, "kind")
            yield from (Field(body + each, 3, "dimension", False) for each in (4, 7))
        elif kind == b"ANIM":
            yield Field(body + 4, 2, "count", False)
        elif kind == b"ANMF":
            yield from (Field(body + each, 3, "dimension", False) for each in (0, 3, 6, 9))
            yield from (Field(body + 12, 3, "scale", False), Field(body + 15, 1, "kind"))
            yield Field(body + 20, 4, "size", False)
            yield from (Field(body + 24 + each, 2, "dimension", False) for each in (1, 6, 8))
        elif kind in (b"VP8 ", b"VP8L"):
            yield from (Field(body + each, 2, "dimension", False) for each in (1, 3, 6, 8))
        at = body + length + length % 2


def bmp_fields(data: bytes) -> Iterator[Field]:
    """File and information header."""
    yield from (Field(2, 4, "size", False), Field(10, 4, "offset", False), Field(14, 4, "size", False))
    yield from (Field(18, 4, "dimension", False), Field(22, 4, "dimension", False))
    yield from (Field(26, 2, "kind", False), Field(28, 2, "kind", False), Field(30, 4, "kind", False))
    yield from (Field(46, 4, "count", False), Field(50, 4, "count", False))


def jumbf_fields(data: bytes) -> Iterator[Field]:
    """JUMBF boxes of C2PA wherever they are, and the heads of CBOR items in them (ISO 19566-5; RFC 8949, 3)."""
    for match in list(re.finditer(rb"jumb|jumd|cbor|json|c2sh|bfdb|bidb", data[: 1 << 20]))[:60]:
        yield Field(match.start() - 4 if match.start() >= 4 else 0, 4, "size")
        if match.group() == b"cbor":
            for at in range(match.end(), min(match.end() + 400, len(data) - 9)):
                if data[at] >> 5 in (2, 3, 4, 5):
                    yield Field(at, 1, "kind")
                    if data[at] & 0x1F >= 24:
                        yield Field(at + 1, min(8, 1 << (data[at] & 7)), "count")


_TEXT_NUMBER = re.compile(rb"(?<![\w.])-?\d{1,10}(?:\.\d+)?")
_HOSTILE_TEXT = (b"0", b"-1", b"1", b"65535", b"2147483647", b"4294967295", b"99999999999999999999", b"1e400", b"NaN",
                 b"-2147483648", b"0.0000001", b"9" * 5000)  # fmt: skip


def lie_in_text(rng: Random, data: bytes) -> bytes:
    """Another number in a text: PDF's /Length, references and offsets, SVG's width, height and viewBox."""
    found = list(_TEXT_NUMBER.finditer(data[: 1 << 20]))
    for _ in range(rng.choice((1, 1, 2, 4))):
        if found:
            match = found.pop(rng.randrange(len(found)))
            found = [other for other in found if other.start() < match.start()]
            data = data[: match.start()] + rng.choice(_HOSTILE_TEXT) + data[match.end() :]
    return data
