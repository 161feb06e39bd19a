"""HEIC and AVIF files put together by hand: grids, and everything that may be beside a picture in them."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from labeling.containers.syntax.isobmff import children, first_at, walk


def box(kind: bytes, *parts: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)


def full(kind: bytes, version: int, *parts: bytes, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def photo(width: int, height: int, seed: int = 1) -> Image.Image:
    """Smooth colours with some noise."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray((60 + random.random((height // 24 + 2, width // 24 + 2, 3)) * 130).astype(np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    return Image.fromarray((smooth + random.integers(-3, 4, (height, width, 1))).clip(0, 255).astype(np.uint8))


def hevc(image: Image.Image, pix_fmt: str = "yuv420p", params: str = "qp=20") -> tuple[bytes, bytes]:
    """A picture as HEVC with x265's one set of parameters: the data of an item, and hvcC."""
    import av

    encoder: Any = av.CodecContext.create("libx265", "w")
    encoder.width, encoder.height, encoder.pix_fmt = *image.size, pix_fmt
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    encoder.options = {"preset": "fast", "x265-params": f"log-level=none:info=0:keyint=1:repeat-headers=1:{params}"}
    frame: Any = av.VideoFrame.from_ndarray(np.asarray(image.convert("RGB")), "rgb24").reformat(format=pix_fmt)
    frame.pts = 0
    data = b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
    nals = [nal.rstrip(b"\0") for nal in data.split(b"\0\0\1")[1:]]
    sets = [nal for nal in nals if nal[0] >> 1 in (32, 33, 34)]
    profile = next(nal for nal in sets if nal[0] >> 1 == 33).replace(b"\0\0\3", b"\0\0")[3:15]
    chroma, deep = {"gray": 0, "yuv420p": 1, "yuv422p": 2, "yuv444p": 3}[pix_fmt.split("10")[0]], 2 * ("10" in pix_fmt)
    head = b"\1" + profile + b"\xf0\0\xfc" + bytes((0xFC | chroma, 0xF8 | deep, 0xF8 | deep)) + b"\0\0\x0f"
    arrays = b"".join(bytes((0x80 | nal[0] >> 1, 0, 1)) + struct.pack(">H", len(nal)) + nal for nal in sets)
    coded = [nal for nal in nals if nal[0] >> 1 < 32]
    return b"".join(struct.pack(">I", len(nal)) + nal for nal in coded), head + bytes((len(sets),)) + arrays


@dataclass
class Item:
    """An item: its type, its data, its properties as (box, essential), whether it is hidden, and more of its infe."""

    kind: bytes
    data: bytes
    properties: list[tuple[bytes, bool]] = field(default_factory=list)
    hidden: bool = False
    more: bytes = b""
    inside: bool = False
    """Its data is in the idat box."""


def size_of(width: int, height: int) -> tuple[bytes, bool]:
    return full(b"ispe", 0, struct.pack(">II", width, height)), False


def heif(
    items: Sequence[Item],
    references: Sequence[tuple[bytes, int, Sequence[int]]] = (),
    *,
    brand: bytes = b"heic",
    primary: int = 1,
    groups: bytes = b"",
    behind: bytes = b"",
    before: bytes = b"",
) -> bytes:
    """Put a file together; items are numbered from 1."""
    boxes: list[bytes] = []
    rows = []
    for number, item in enumerate(items, 1):
        indices = []
        for each, essential in item.properties:
            if each not in boxes:
                boxes.append(each)
            indices.append(boxes.index(each) + 1 | essential << 7)
        rows.append(struct.pack(">HB", number, len(indices)) + bytes(indices))
    ipma = full(b"ipma", 0, struct.pack(">I", len(rows)), *rows)
    infes = [
        full(b"infe", 2, struct.pack(">HH", number, 0), item.kind, b"\0", item.more, flags=int(item.hidden))
        for number, item in enumerate(items, 1)
    ]
    idat = b"".join(item.data for item in items if item.inside)
    iref = [box(kind, struct.pack(f">HH{len(to)}H", source, len(to), *to)) for kind, source, to in references]

    def meta(start: int) -> bytes:
        entries, at, inner = [], start, 0
        for number, item in enumerate(items, 1):
            place = inner if item.inside else at
            entries.append(struct.pack(">HHHHII", number, int(item.inside), 0, 1, place, len(item.data)))
            if item.inside:
                inner += len(item.data)
            else:
                at += len(item.data)
        return full(
            b"meta", 0,
            full(b"hdlr", 0, bytes(4) + b"pict" + bytes(13)),
            full(b"pitm", 0, struct.pack(">H", primary)),
            full(b"iloc", 1, b"\x44\0", struct.pack(">H", len(entries)), *entries),
            full(b"iinf", 0, struct.pack(">H", len(infes)), *infes),
            full(b"iref", 0, *iref) if iref else b"",
            box(b"iprp", box(b"ipco", *boxes), ipma),
            box(b"idat", idat) if idat else b"",
            groups,
        )  # fmt: skip

    ftyp = box(b"ftyp", brand, bytes(4), brand + b"mif1miaf") + before
    mdat = box(b"mdat", *(item.data for item in items if not item.inside))
    return ftyp + meta(len(ftyp) + len(meta(0)) + 8) + mdat + behind


NCLX_P3 = box(b"colr", b"nclx", struct.pack(">HHHB", 12, 13, 6, 0x80))


def grid(width: int = 360, height: int = 250, tile: int = 128, *, extra: bool = True, turn: int | None = None) -> bytes:
    """A HEIC file as phones write it: a grid of tiles, a thumbnail, a gain map, EXIF; and things that nobody knows."""
    image = photo(-(-width // tile) * tile, -(-height // tile) * tile)
    columns, rows = image.width // tile, image.height // tile
    tiles = [
        hevc(image.crop((x * tile, y * tile, x * tile + tile, y * tile + tile)))
        for y in range(rows)
        for x in range(columns)
    ]
    assert len({configuration for _, configuration in tiles}) == 1
    hvcc, pixi = (box(b"hvcC", tiles[0][1]), True), (full(b"pixi", 0, b"\3\x08\x08\x08"), False)
    turned = [(box(b"irot", bytes((turn,))), True)] if turn is not None else []
    colour = (NCLX_P3, False)
    descriptor = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)
    items = [Item(b"grid", descriptor, [size_of(width, height), pixi, colour, *turned], inside=True)]
    items += [Item(b"hvc1", data, [hvcc, size_of(tile, tile), colour], hidden=True) for data, _ in tiles]
    references: list[tuple[bytes, int, Sequence[int]]] = [(b"dimg", 1, range(2, len(tiles) + 2))]
    groups = b""
    if extra:
        small, small_set = hevc(image.crop((0, 0, width, height)).resize((120, 84)))
        gain, gain_set = hevc(photo(width // 2 & ~1, height // 2 & ~1, 7).convert("L"), "gray")
        first = len(items) + 1
        urn = full(b"auxC", 0, b"urn:com:apple:photo:2020:aux:hdrgainmap\0")
        items += [
            Item(b"hvc1", small, [(box(b"hvcC", small_set), True), size_of(120, 84), pixi, *turned]),
            Item(
                b"hvc1", gain, [(box(b"hvcC", gain_set), True), size_of(width // 2 & ~1, height // 2 & ~1), (urn, True)]
            ),
            Item(b"xyzw", b"nobody knows this item", [(box(b"qqqq", b"nor this property"), False)], hidden=True),
        ]
        references += [(b"thmb", first, [1]), (b"auxl", first + 1, [1]), (b"cdsc", first + 2, [1])]
        groups = box(b"grpl", full(b"altr", 0, struct.pack(">III", 77, 2, 1) + struct.pack(">I", first + 2)))
    return heif(items, references, groups=groups, behind=box(b"zzzz", b"a box that nobody knows"))


def pixels(frame: Any) -> list[NDArray[Any]]:
    """The planes of a decoded frame."""
    kind = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
    found = []
    for plane in frame.planes:
        rows = np.frombuffer(plane, kind).reshape(plane.height, -1)
        found.append(rows[:, : plane.width].copy())
    return found


def decoded(data: bytes) -> Any:
    """The primary picture as FFmpeg decodes it, of a file without a grid."""
    import av

    with av.open(io.BytesIO(data), "r") as file:
        return next(file.decode(video=0))


def heic_sequence(count: int = 4, *, params: str = "keyint=4:bframes=0", pix_fmt: str = "yuv420p") -> bytes:
    """An image sequence in HEVC whose primary picture shares the data of its first sample, made of an MP4 file."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream: Any = file.add_stream("libx265", rate=10)
        stream.width, stream.height, stream.pix_fmt = 192, 128, pix_fmt
        stream.options = {"x265-params": f"{params}:log-level=none:info=0"}
        stream.codec_context.codec_tag, stream.codec_context.time_base = "hvc1", Fraction(1, 600)
        time = 0
        for number in range(count):
            picture = np.asarray(photo(192, 128, 0 if "bframes=3" in params else number))
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 600)
            time += 40 + 7 * number
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    data = out.getvalue().replace(b"vide", b"pict")
    view = memoryview(data)
    moov = next(each for each in walk(view, 0, len(data)).boxes if each.type == b"moov")
    tables = {each.type: each for each in descend_all(view, moov, b"trak", b"mdia", b"minf", b"stbl")}
    (size,) = struct.unpack_from(">I", data, tables[b"stsz"].body + 12)
    (at,) = struct.unpack_from(">I", data, tables[b"stco"].body + 8)
    hvcc = data[data.index(b"hvcC") - 4 :]
    hvcc = hvcc[: int.from_bytes(hvcc[:4], "big")]
    length = int.from_bytes(data[:4], "big")
    brands = b"hevc" + bytes(4) + b"msf1hevcmif1heicmiafiso8"[: length - 16]
    meta = full(
        b"meta", 0,
        full(b"hdlr", 0, bytes(4) + b"pict" + bytes(13)),
        full(b"pitm", 0, struct.pack(">H", 1)),
        full(b"iloc", 0, b"\x44\0", struct.pack(">HHHHII", 1, 1, 0, 1, at, size)),
        full(b"iinf", 0, struct.pack(">H", 1), full(b"infe", 2, struct.pack(">HH", 1, 0), b"hvc1", b"\0")),
        box(b"iprp", box(b"ipco", hvcc, size_of(192, 128)[0]),
            full(b"ipma", 0, struct.pack(">IHB", 1, 1, 2) + b"\x81\x02")),
    )  # fmt: skip
    return data[:4] + b"ftyp" + brands + data[length:] + meta


def descend_all(view: memoryview, moov: Any, *path: bytes) -> list[Any]:
    """The boxes in the first box at a path."""
    found = first_at(view, moov, *path)
    assert found is not None
    return children(view, found)
