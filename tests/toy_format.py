"""A made-up picture format: its container module, its codec and its row, all that a new format consists of.

A file is the signature, the length of an XMP packet and the packet, width and height, and RGB samples.
"""

from __future__ import annotations

import struct
from typing import Any

from PIL import Image

from labeling.codecs._memory import lay
from labeling.codecs.base import Painted, Painter
from labeling.containers import Buffer, Changes, Contents, Kind
from labeling.containers.collector import Collector
from labeling.containers.format_row import Format, PictureEncoding

MAGIC = b"TOYPIC1\n"
_START = len(MAGIC) + 4  # of the packet


def write(picture: Image.Image, packet: bytes = b"") -> bytes:
    samples = struct.pack(">HH", *picture.size) + picture.tobytes()
    return MAGIC + struct.pack(">I", len(packet)) + packet + samples


# --- the container ---


def read(data: Buffer) -> Contents:
    raw = bytes(data)
    collector = Collector()
    end = _START + int.from_bytes(raw[len(MAGIC) : _START], "big")
    width, height = struct.unpack_from(">HH", raw, end) if len(raw) >= end + 4 else (0, 0)
    if not width or len(raw) != end + 4 + width * height * 3:
        collector.problems.append("the samples are cut off")
    elif end > _START:
        collector.add(Kind.XMP, "Toy packet", (_START - 4, end), raw[_START:end])
    return collector.contents("toy", "image/x-toy", [(end, len(raw) - end)], (width, height))


def rewrite(data: Buffer, contents: Contents, changes: Changes) -> list[Buffer]:
    ((at, length),) = contents.coded
    packet = bytes(data[_START:at]) if changes.xmp is None else changes.xmp
    return [MAGIC, struct.pack(">I", len(packet)), packet, bytes(data[at : at + length])]


# --- the codec ---


def open_file(data: Buffer, max_pixels: int) -> Image.Image:
    raw = bytes(data)
    at = read(raw).coded[0][0]
    return Image.frombytes("RGB", struct.unpack_from(">HH", raw, at), raw[at + 4 :])


def paint(data: Buffer, painter: Painter, *, orientation: int, quality: int | None, max_pixels: int) -> Painted:
    picture = open_file(data, max_pixels)
    plan = lay(picture, painter, orientation)
    packet = bytes(data[_START : read(data).coded[0][0]])
    return Painted(write(picture, packet), plan.box, plan.width, plan.height, 1, True, "drawn on the toy")


def encode(picture: Image.Image, quality: int | None, lossless: bool) -> tuple[bytes, bool, str]:
    return write(picture, picture.info.get("xmp", b"")), True, "encoded as a toy"


def row(**changes: Any) -> Format:
    """The row of the format; ``changes`` are fields that are to be different."""
    fields: dict[str, Any] = {
        "name": "toy",
        "title": "Toy picture",
        "media_types": ("image/x-toy",),
        "extensions": (".toy",),
        "signatures": (((0, MAGIC),),),
        "module": __name__,
        "carrier": "the packet at the start",
        "opener": f"{__name__}:open_file",
        "painter": __name__,
        "on_file": "nothing: a toy has no compression",
        "encodings": (
            PictureEncoding(
                name="toy", media_type="image/x-toy", encoder=f"{__name__}:encode", modes=("RGB",), keeps_xmp=True
            ),
        ),
    }
    return Format(**fields | changes)
