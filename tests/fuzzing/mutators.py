"""Breaking files on purpose: blindly, and by the structure of each format so that the damage gets past the front door.

Every mutator takes a random source and bytes, and gives bytes. The same random source gives the same file.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from functools import cache
from random import Random

from labeling import LabelingError, containers
from labeling.containers import Changes

from ..containers import battery
from .seeds import FIELD, chunk, segment

LIMIT = 2 << 20
"""Largest mutated file in bytes: small files keep the rate high. test_hostile.py has the big ones."""

Mutator = Callable[[Random, bytes], bytes]

_NUMBERS = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE,
            0xFFFFFFFF, 1 << 32, 1 << 63, (1 << 64) - 1)  # fmt: skip


def _number(rng: Random, size: int, near: int) -> int:
    """A value that length fields, counts and offsets are prone to stumble over."""
    choice = rng.choice([*_NUMBERS, near, near - 1, near + 1, near * 2, rng.randrange(1 << 16)])
    return choice % (1 << (8 * size))


def _patch(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


# Blind


def flip_bits(rng: Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = place(rng, len(out))
        out[at] ^= 1 << rng.randrange(8)
    return bytes(out)


def flip_inside(rng: Random, data: bytes) -> bytes:
    """A bit or two behind the headers: coded pixels, which are looked at only where the rest is sound."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 3))):
        out[rng.randrange(len(out) // 3, len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def place(rng: Random, size: int) -> int:
    """Metadata tends to stand at the beginning or the end."""
    near = min(size, rng.choice((64, 512, 4096, size)))
    at = rng.randrange(near)
    return size - 1 - at if rng.random() < 0.15 else at


def write_number(rng: Random, data: bytes) -> bytes:
    size = rng.choice((1, 2, 4, 8))
    at = place(rng, len(data))
    return _patch(data, at, _number(rng, size, len(data)).to_bytes(size, rng.choice(("big", "little"))))[: len(data)]


def truncate(rng: Random, data: bytes) -> bytes:
    return data[: max(1, place(rng, len(data)))]


def cut_out(rng: Random, data: bytes) -> bytes:
    at = place(rng, len(data))
    return data[:at] + data[at + rng.choice((1, 2, 4, 8, 64, 1024)) :] or b"\0"


def duplicate(rng: Random, data: bytes) -> bytes:
    at = place(rng, len(data))
    part = data[at : at + rng.choice((1, 4, 16, 256, 4096))]
    return data[:at] + part * rng.choice((2, 3, 50)) + data[at + len(part) :]


def swap(rng: Random, data: bytes) -> bytes:
    a, b, c = sorted(place(rng, len(data)) for _ in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


_TOKENS = (
    b"<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>",
    b"&b;",
    b"&#0;",
    b"&#xD800;",
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"<rdf:li>" * 80,
    b"<a>" * 5000,
    b'"',
    b"'",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\0",
    b"\\ud800",
    b"[" * 3000,
    b'{"AIGC":' * 200,
    b"NaN",
    b"1e999",
    b"-Infinity",
    b"9" * 5000,
    b"0x" + b"F" * 5000,
    b"{'Label':{1,2}}",
    b"b'1'",
    b"...",
    b'"Label":"1","Label":"2",',
    b"1j",
    b"-" * 2000,
    b"\n",
    b"AIGC",
    b"AIGC{",
    FIELD.encode(),
    b"xmlns:rdf=''",
    b"--- \n",
    b"%PDF-",
    b"II*\0",
    b"Exif\0\0",
    b"uuid",
    b"\x1a\x45\xdf\xa3",
    b"x:xmpmeta",
    b"</rdf:RDF>",
    b"<rdf:RDF>",
    b"jumb",
    b"\r",
    b"\xc2\x85",
)


def insert_token(rng: Random, data: bytes) -> bytes:
    at = place(rng, len(data))
    token = rng.choice(_TOKENS)
    return data[:at] + token + data[at + rng.choice((0, len(token), 1)) :]


def in_text(rng: Random, data: bytes) -> bytes:
    """Damage inside a label or an XMP packet, without a change of length."""
    spots = [match.start() for match in re.finditer(rb"Label|rdf:|TC260|Produce|AIGC|xpacket|Software", data[:LIMIT])]
    if not spots:
        return insert_token(rng, data)
    at = rng.choice(spots) + rng.randrange(-8, 24)
    return _patch(data, max(0, at), rng.choice(_TOKENS)[: rng.choice((1, 2, 8, 40))])[: len(data)]


# By structure


def jpeg(rng: Random, data: bytes) -> bytes:
    """Lie about a segment's length, or double, move, drop or add segments."""
    spans = [(0, 2)]
    while (at := spans[-1][1]) + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA and len(spans) < 200:
        spans.append((at, at + 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))))
    parts = [data[start:stop] for start, stop in spans]
    rest = data[spans[-1][1] :]
    if len(parts) < 2:
        return flip_bits(rng, data)
    pick = rng.randrange(1, len(parts))
    if rng.random() < 0.4:
        parts[pick] = _patch(parts[pick], 2, struct.pack(">H", _number(rng, 2, len(parts[pick]))))
    elif rng.random() < 0.3:
        marker = rng.choice((0xE0, 0xE1, 0xE2, 0xEB, 0xED, 0xFE, 0xC4, 0xDB, 0xDA, 0xD8, 0xD9))
        heads = (b"", b"Exif\0\0", b"JP\0\1", b"MPF\0", b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\x008BIM\4\4",
                 b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32 + b"\0\0\0\1\0\0\0\0")  # fmt: skip
        parts.insert(pick, segment(marker, rng.choice(heads) + rng.randbytes(rng.choice((0, 1, 9, 60)))))
    else:
        _reorder(rng, parts, 1)
    return b"".join(parts) + rest


def _reorder(rng: Random, parts: list[bytes], first: int) -> None:
    one, other = rng.randrange(first, len(parts)), rng.randrange(first, len(parts))
    match rng.randrange(4):
        case 0:
            parts[one], parts[other] = parts[other], parts[one]
        case 1:
            parts.insert(other, parts[one])
        case 2:
            parts[one:one] = [parts[one]] * rng.choice((2, 20))
        case _:
            del parts[one]


@cache
def _bomb(unit: bytes, megabytes: int) -> bytes:
    """A zlib stream that unpacks to so much; made piece by piece, since memory is being measured."""
    stream = zlib.compressobj(1)
    piece = unit * ((1 << 20) // len(unit))
    return b"".join(stream.compress(piece) for _ in range(megabytes)) + stream.flush()


def png(rng: Random, data: bytes) -> bytes:
    """Damage chunks and give them their right CRC again, or lie about a length, or reorder them, or add a bomb."""
    parts = [data[:8]]
    at = 8
    while at + 12 <= len(data) and len(parts) < 500:
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        parts.append(data[at:end])
        at = end
    if len(parts) < 2:
        return flip_bits(rng, data)
    pick = rng.randrange(1, len(parts))
    kind, body = parts[pick][4:8], parts[pick][8:-4]
    match rng.randrange(5):
        case 0:
            parts[pick] = _patch(parts[pick], 0, struct.pack(">I", _number(rng, 4, len(body))))
        case 1 | 2:
            if body:
                body = rng.choice((flip_bits, write_number, insert_token, cut_out, in_text))(rng, body)
            parts[pick] = chunk(kind, body)
        case 3:
            _reorder(rng, parts, 1)
        case _:
            bomb = _bomb(rng.choice((b" ", b"<a>", b"[")), rng.choice((1, 4, 60)))
            head = rng.choice((b"XML:com.adobe.xmp\0\1\0\0\0", b"AIGC\0\1\0\0\0"))
            parts.insert(
                pick, chunk(b"iTXt", head + bomb) if rng.random() < 0.5 else chunk(b"zTXt", b"AIGC\0\0" + bomb)
            )
    return b"".join(parts)


def riff(rng: Random, data: bytes) -> bytes:
    """The same for RIFF chunks; half of the time the outer size is made right again."""
    parts: list[bytes] = []
    at = 12
    while at + 8 <= len(data) and len(parts) < 200:
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        parts.append(data[at : at + 8 + size + size % 2])
        at += 8 + size + size % 2
    if not parts:
        return flip_bits(rng, data)
    pick = rng.randrange(len(parts))
    match rng.randrange(3):
        case 0:
            parts[pick] = _patch(parts[pick], 4, struct.pack("<I", _number(rng, 4, len(parts[pick]))))
        case 1:
            parts[pick] = write_number(rng, parts[pick])
        case _:
            _reorder(rng, parts, 0)
    body = b"".join(parts)
    size = len(body) + 4 if rng.random() < 0.5 else _number(rng, 4, len(body))
    return data[:4] + struct.pack("<I", size) + data[8:12] + body


def tiff(rng: Random, data: bytes) -> bytes:
    """Damage a directory of a TIFF structure, wherever the file has one: tags, types, counts, values, cycles."""
    starts = [match.start() for match in re.finditer(rb"II\*\0|MM\0\*|II\+\0|MM\0\+", data[:LIMIT])]
    if not starts:
        return flip_bits(rng, data)
    base = rng.choice(starts)
    order = "<" if data[base : base + 2] == b"II" else ">"
    directories = [at for at in (_directory(data, base, order),) if at is not None] or [base + 8]
    at = directories[0]
    for _ in range(rng.choice((1, 1, 3))):
        count = int.from_bytes(data[at : at + 2], "little" if order == "<" else "big")
        entry = at + 2 + 12 * rng.randrange(max(1, min(count, 64)))
        offset, size = rng.choice(((at - entry, 2), (0, 2), (2, 2), (4, 4), (8, 4), (12 * count + at + 2 - entry, 4)))
        near = rng.choice((at - base, len(data) - base, 8, count))
        new = rng.choice((0x02BC, 0x8769, 0x014A, 0x0111, 0x0117)) if (offset, size) == (0, 2) else None
        value = new if new is not None and rng.random() < 0.7 else _number(rng, size, near)
        if entry + offset >= 0 and entry + offset + size <= len(data):
            data = _patch(data, entry + offset, value.to_bytes(size, "little" if order == "<" else "big"))
    return data


def _directory(data: bytes, base: int, order: str) -> int | None:
    raw = data[base + 4 : base + 8]
    at = base + int.from_bytes(raw, "little" if order == "<" else "big")
    return at if base + 8 <= at < len(data) - 2 else None


_PARENTS = (b"meta", b"iprp", b"ipco", b"iinf", b"moov", b"trak", b"mdia", b"minf", b"stbl", b"udta", b"dinf", b"jumb")


def _boxes(data: bytes, start: int, stop: int, depth: int = 0) -> list[tuple[int, int, bytes]]:
    found: list[tuple[int, int, bytes]] = []
    at = start
    while at + 8 <= stop and len(found) < 400:
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        size = stop - at if size == 0 else size
        if size < 8 or at + size > stop:
            break
        found.append((at, at + size, kind))
        if kind in _PARENTS and depth < 8:
            skip = {b"meta": 12, b"iinf": 14}.get(kind, 8)
            found += _boxes(data, at + skip, at + size, depth + 1)
        at += size
    return found


def bmff(rng: Random, data: bytes) -> bytes:
    """Lie about a box's size, damage a table (iloc, iinf, ipma, stco …), or double, move or drop a box."""
    found = _boxes(data, 0, len(data))
    if not found:
        return flip_bits(rng, data)
    tables = [
        each for each in found if each[2] in (b"iloc", b"iinf", b"pitm", b"ipma", b"infe", b"stco", b"stsz", b"iref")
    ]
    start, stop, kind = rng.choice(tables) if tables and rng.random() < 0.5 else rng.choice(found)
    whole = data[start:stop]
    match rng.randrange(6):
        case 0:
            return _patch(data, start, struct.pack(">I", _number(rng, 4, stop - start)))
        case 1:
            large = struct.pack(">I4sQ", 1, kind, _number(rng, 8, stop - start))
            return _patch(data, start, large)[: len(data)]
        case 2 | 3:
            at = start + 8 + rng.randrange(max(1, min(stop - start - 8, 120)))
            size = rng.choice((1, 2, 4))
            return _patch(data, at, _number(rng, size, rng.choice((start, len(data)))).to_bytes(size, "big"))[
                : len(data)
            ]
        case 4:
            return data[:start] + whole * rng.choice((2, 3, 30)) + data[stop:]
        case _:
            return data[:start] + data[stop:] if rng.random() < 0.5 else data[:start] + data[stop:] + whole


def new_packet(rng: Random, data: bytes) -> bytes:
    """The same file with a broken or hostile XMP packet, in a container that is sound."""
    packet = rng.choice((battery.PACKET, battery.OLD_PACKET))
    number = rng.choice(("NaN", "1e999", "0x" + "F" * 5000, "null", "{1}", "[[]]", '"\\ud800"'))
    literal = rng.choice(("b'1'", "{1,2}", "0x" + "F" * 5000, "{(1,):1}", "...", "1j"))
    values = (FIELD, FIELD.replace('"1"', number), FIELD.replace('"', "'").replace("'1'", literal))
    text = rng.choice(values).replace("&", "&amp;").replace("<", "&lt;")
    packet = packet.replace(b"</dc:source>", b"</dc:source><T:AIGC xmlns:T='http://www.tc260.org.cn/ns/AIGC/1.0/'>"
                            + text.encode() + b"</T:AIGC>")  # fmt: skip
    for _ in range(rng.choice((0, 1, 2, 4))):
        packet = rng.choice((insert_token, in_text, flip_bits, cut_out, swap, duplicate))(rng, packet)
    try:
        return b"".join(containers.rewrite(data, containers.read(data), Changes(xmp=packet)))
    except LabelingError:
        return insert_token(rng, data)
