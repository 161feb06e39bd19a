"""The boxes of an MP4 or MOV file: where they are, and what inside the movie box may hold texts.

ISO/IEC 14496-12 and the QuickTime File Format. Only box headers and the movie box are read; coded media is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from labeling.containers.base import Media
from labeling.containers.mp4 import text_lists
from labeling.containers.syntax import isobmff
from labeling.containers.syntax.isobmff import Box, children, first_at, printable
from labeling.filebytes import FileBytes

MAX_MOVIE = 128 << 20
"""Limit on the bytes of a movie box. Ten hours of video need a tenth of it."""

MAX_TOP = 1 << 19
"""Limit on the top-level boxes of a file; each fragment has two."""

FEW_TOP, BYTES_EACH = 1 << 14, 64
"""Top-level boxes that a file of any size may have, and bytes of a larger one for each further one, on average.

The ``moof`` and ``mdat`` boxes of a fragment have about 100 bytes without any media, so this limits only files that are
made to keep a reader busy."""

_PAGE, _NEAR = 1 << 14, 1 << 10

MAX_TAIL = 1 << 20
"""Limit on the bytes behind the last box that are taken for a tail."""

_TOP_LEVEL = {
    b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"mfra", b"sidx", b"ssix", b"uuid",
    b"meta", b"pnot", b"udta", b"pdin", b"prft", b"emsg", b"imda", b"bloc", b"meco", b"PICT",
}  # fmt: skip
"""Types of boxes that may be at the top level (ISO/IEC 14496-12, table 1; QuickTime File Format)."""

_NOTHING = bytes(4)
_head = Struct(">I4s").unpack_from


class Layout(NamedTuple):
    """The top-level boxes of a file.

    Attributes:
        boxes: The top-level boxes, at their offsets in the file.
        moov: The movie box among them; ``None`` if there is none, or if it is larger than :data:`MAX_MOVIE`.
        movie: The bytes of the movie box, header included; empty if ``moov`` is ``None``.
        problem: What is wrong with the boxes; empty if nothing is.
        end: Offset of the end of the boxes. What follows, to the end of the file, is in no box.
    """

    boxes: list[Box]
    moov: Box | None
    movie: bytes
    problem: str
    end: int = 0

    def first(self, kind: bytes) -> Box | None:
        """Return the first top-level box of a type."""
        return next((each for each in self.boxes if each.type == kind), None)


class Parsed(NamedTuple):
    """What reading a file gives to whoever lists what else is in it (:attr:`Contents.parsed`).

    Attributes:
        layout: The boxes.
        tables: The tables of chunk offsets in ``layout.movie``.
    """

    layout: Layout
    tables: tuple[Box, ...]


def lay_out(data: Media) -> Layout:
    """Walk the top-level boxes of a file by their headers, and read the movie box.

    The boxes of an open file are walked once: ``data.derived`` keeps them, until something is written into the file.
    """
    if not isinstance(data, FileBytes):
        boxes, problem, end = _walked(data)
    elif (kept := data.derived.get(_walked)) is None:
        boxes, problem, end = data.derived[_walked] = _walked(data)
    else:
        boxes, problem, end = kept
    moov = next((each for each in boxes if each.type == b"moov"), None)
    if moov is not None and moov.end - moov.start > MAX_MOVIE:
        return Layout(boxes, None, b"", f"the moov box has {moov.end - moov.start} bytes, more than are read", end)
    return Layout(boxes, moov, data[moov.start : moov.end] if moov else b"", problem, end)


def _walked(data: Media) -> tuple[list[Box], str, int]:
    """Return the top-level boxes, what is wrong with them, and their end."""
    size, pos, problem = len(data), 0, ""
    most = min(MAX_TOP, FEW_TOP + size // BYTES_EACH)
    boxes: list[Box] = []
    page, base = b"", 0  # small boxes are read many at a time: each slice of a file is a system call
    near = False
    while pos + 8 <= size:
        at = pos - base
        if at + 32 > len(page):
            page, base, at = data[pos : pos + (_PAGE if near else 32)], pos, 0
        length, kind = _head(page, at)
        body = pos + 8
        if length == 1:
            length, body = int.from_bytes(page[at + 8 : at + 16], "big"), pos + 16
        elif length == 0:  # to the end of the file
            length = size - pos
        user = page[at + body - pos : at + body - pos + 16] if kind == b"uuid" else b""
        if boxes and kind == _NOTHING and not any(page[at : at + 32]):  # padding
            return boxes, "", size
        if (pos + length > size and kind not in _TOP_LEVEL) and _is_tail(data, boxes, pos):
            break
        if length < body - pos or not (kind in _TOP_LEVEL or _is_type(kind)):
            problem = "" if _is_tail(data, boxes, pos) else f"there is no valid box at offset {pos}"
            break
        if pos + length > size:
            name, there = printable(kind), size - pos
            problem = f"the {name} box at offset {pos} says it has {length} bytes, but {there} are there"
            boxes.append(Box(kind, pos, min(body + len(user), size), size, user))
            return boxes, problem, size
        if len(boxes) >= most:
            problem = f"more than {most} boxes, the most that are read in a file of its size"
            break
        boxes.append(Box(kind, pos, min(body + len(user), pos + length), pos + length, user))
        near = length < _NEAR
        pos += length
    return boxes, problem, pos


def _is_tail(data: Media, boxes: list[Box], at: int) -> bool:
    """Return whether what starts at ``at`` was appended to a whole file, such as bytes that change its checksum.

    The movie and its media have to come before it. A fragment in it would mean that a box before that is damaged.
    """
    kinds = {each.type for each in boxes}
    whole = b"moov" in kinds and not kinds.isdisjoint((b"mdat", b"moof"))
    if not whole or len(data) - at > MAX_TAIL:
        return False
    tail = data[at : len(data)]
    return not any(kind in tail for kind in (b"moof", b"mdat", b"moov"))


def _is_type(kind: bytes) -> bool:
    return len(kind) == 4 and all(0x20 <= value < 0x7F or value == 0xA9 for value in kind)


def inner(layout: Layout) -> Box:
    """Return the movie box with offsets that count from the start of ``layout.movie``."""
    assert layout.moov is not None
    return Box(b"moov", 0, layout.moov.body - layout.moov.start, len(layout.movie))


def holders(view: memoryview, moov: Box) -> Iterator[tuple[Box, tuple[Box, ...], str]]:
    """Yield the boxes that may hold texts: the movie and its tracks.

    Yields:
        The box, the boxes around its children (outermost first, itself included), and its place in words.
    """
    yield moov, (moov,), "MP4 moov"
    for number, trak in enumerate(children(view, moov, b"trak")[: isobmff.MAX_TRACKS], 1):
        yield trak, (moov, trak), f"MP4 moov/trak {number}"


def texts(view: memoryview, moov: Box) -> Iterator[text_lists.Text]:
    """Yield the named texts of the movie and of its tracks."""
    for holder, parents, place in holders(view, moov):
        for each in children(view, holder):
            if each.type == b"meta":
                yield from text_lists.texts_of_meta(view, each, parents, f"{place}/meta")
            elif each.type == b"udta":
                yield from text_lists.texts_of_udta(view, each, parents, f"{place}/udta")
                for meta in children(view, each, b"meta"):
                    yield from text_lists.texts_of_meta(view, meta, (*parents, each), f"{place}/udta/meta")


def crowded(view: memoryview, moov: Box) -> bool:
    """Return whether a list of the movie or of its tracks has more items than are read."""
    metas = (
        meta
        for holder, _, _ in holders(view, moov)
        for each in children(view, holder)
        for meta in (children(view, each, b"meta") if each.type == b"udta" else [each] if each.type == b"meta" else [])
    )
    return any(text_lists.is_long(view, meta) for meta in metas)


def key_lists(view: memoryview, moov: Box) -> Iterator[text_lists.KeyList]:
    """Yield the lists with keys of the movie and of its tracks."""
    for holder, parents, _ in holders(view, moov):
        for each in children(view, holder):
            metas = [(each, parents)] if each.type == b"meta" else []
            if each.type == b"udta":
                metas = [(meta, (*parents, each)) for meta in children(view, each, b"meta")]
            for meta, around in metas:
                if (found := text_lists.key_list(view, meta, around)) is not None:
                    yield found


def media_of(view: memoryview, trak: Box) -> tuple[bytes, Box | None]:
    """Return a track's handler type (``vide``, ``soun``, …; empty if unknown) and its media box."""
    mdia = first_at(view, trak, b"mdia")
    return (text_lists.handler(view, children(view, mdia)), mdia) if mdia else (b"", None)
