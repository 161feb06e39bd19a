"""WebP (RFC 9649): a RIFF file whose metadata is stored in chunks that the VP8X header must announce."""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct

from labeling.containers.base import MAX_PAYLOAD, Block, Buffer, Changes, Contents, Kind, Room
from labeling.containers.collector import Collector
from labeling.containers.edits import Edit, foreign_block, splice
from labeling.errors import LabelingError

MAX_CHUNKS = 1 << 18
"""Limit on the chunks of one file: an animation of 250 000 frames."""

_MAX_RIFF = 0xFFFFFFFE
_PICTURE = {b"VP8 ", b"VP8L", b"ALPH", b"ANMF"}
# The fourth byte of the XMP chunk's name is a blank; some writers put a NUL there.
_KINDS = {b"EXIF": Kind.EXIF, b"XMP ": Kind.XMP, b"XMP\0": Kind.XMP, b"ICCP": Kind.ICC, b"C2PA": Kind.C2PA}
_FLAGS = {Kind.ICC: 0x20, Kind.EXIF: 0x08, Kind.XMP: 0x04}
_ALPHA, _ANIMATION = 0x10, 0x02
_EXIF_PREFIX = b"Exif\0\0"

_head = Struct("<4sI")


@dataclass(slots=True)
class _Walk:
    """What has been found so far.

    ``stills`` counts pictures outside an animation. ``flags_at`` is the offset of the VP8X flags, 0 if there are none.
    ``chunks_end`` is where the last chunk ends, ``end`` where the RIFF data do.
    """

    collector: Collector = field(default_factory=Collector)
    coded: list[tuple[int, int]] = field(default_factory=list)
    width: int = 0
    height: int = 0
    frames: int = 0
    stills: int = 0
    alpha: bool = False
    flags_at: int = 0
    chunks_end: int = 12
    end: int = 12


def read(data: Buffer) -> Contents:
    """Find the metadata of a WebP file; see :mod:`labeling.containers.base`."""
    walk = _walk(data)
    problems = walk.collector.problems
    if not problems:
        if not walk.coded:
            problems.append("it has no picture (VP8, VP8L or ANMF chunk)")
        elif not walk.width or not walk.height:
            problems.append("its picture header is damaged")
        elif (
            walk.stills > 1
        ):  # decoders accept that in the simple layout, but refuse it in the extended one, which a label needs
            problems.append(f"it holds {walk.stills} pictures outside of an animation")
        if walk.end < len(data):
            end, size = walk.end, len(data)
            walk.collector.note_outside(data, end, size, f"{size - end} bytes follow the RIFF data")
    return walk.collector.contents("webp", "image/webp", walk.coded, (walk.width, walk.height), max(1, walk.frames))


def _walk(data: Buffer) -> _Walk:
    walk = _Walk()
    problems = walk.collector.problems
    view, size = memoryview(data), len(data)
    if size < 12 or bytes(view[:4]) != b"RIFF" or bytes(view[8:12]) != b"WEBP":
        problems.append("it does not begin with a RIFF WEBP header")
        return walk
    stop = 8 + int.from_bytes(view[4:8], "little")
    if stop > size:
        problems.append(f"the file is cut off: RIFF says it holds {stop} bytes, {size} are there")
        stop = size
    pos = 12
    for _ in range(MAX_CHUNKS):
        if pos + 8 > stop:
            break
        name, length = _head.unpack_from(view, pos)
        body_end = pos + 8 + length
        if body_end > stop:
            problems.append(
                f"the {_title(name)} chunk at offset {pos} says it holds {length} bytes, but {stop - pos - 8} follow"
            )
            break
        # Some writers forget the last chunk's padding byte, in RIFF's size or altogether.
        end = min(body_end + (length & 1), size)
        _take(view, name, pos, body_end, end, walk)
        pos = end
    else:
        problems.append(f"more than {MAX_CHUNKS} chunks")
    walk.chunks_end, walk.end = pos, max(pos, stop)
    if pos < stop and not problems:
        walk.collector.note_outside(view, pos, stop, f"{stop - pos} bytes at offset {pos} are no chunk")
    return walk


def _title(name: bytes) -> str:
    """Return a chunk's name as one line of text, whatever bytes it is made of."""
    return name.decode("latin-1").strip().encode("unicode_escape").decode("ascii")


def _take(view: memoryview, name: bytes, pos: int, body_end: int, end: int, walk: _Walk) -> None:
    body = pos + 8
    if name in _PICTURE:
        if walk.coded and sum(walk.coded[-1]) == pos:
            walk.coded[-1] = (walk.coded[-1][0], end - walk.coded[-1][0])
        else:
            walk.coded.append((pos, end - pos))
        walk.frames += name == b"ANMF"
        walk.stills += name in (b"VP8 ", b"VP8L")
        if not walk.flags_at:
            _picture_header(bytes(view[body : min(body + 10, body_end)]), name, walk)
    elif (kind := _KINDS.get(name)) is not None:
        start = body
        if kind is Kind.EXIF and bytes(view[body : body + 6]) == _EXIF_PREFIX:
            start = min(body + 6, body_end)
        title = _title(name)
        # Never late: RFC 9649, 2.7, puts EXIF and XMP after the picture.
        walk.collector.add(kind, f"WebP {title} chunk", (pos, end), view[start:body_end], title)
    elif name == b"VP8X" and not walk.flags_at:
        if body_end - body < 10 or pos != 12:
            walk.collector.problems.append(f"the VP8X chunk at offset {pos} is not sound")
            return
        walk.flags_at = body
        walk.alpha = bool(view[body] & _ALPHA)
        walk.width = int.from_bytes(view[body + 4 : body + 7], "little") + 1
        walk.height = int.from_bytes(view[body + 7 : body + 10], "little") + 1


def _picture_header(body: bytes, name: bytes, walk: _Walk) -> None:
    """Read the size and the alpha flag of a file without VP8X (RFC 6386 9.1; RFC 9649 3.4)."""
    if name == b"VP8 " and len(body) == 10 and body[3:6] == b"\x9d\x01\x2a":
        walk.width = int.from_bytes(body[6:8], "little") & 0x3FFF
        walk.height = int.from_bytes(body[8:10], "little") & 0x3FFF
    elif name == b"VP8L" and len(body) >= 5 and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        walk.width, walk.height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        walk.alpha = bool(bits >> 28 & 1)
    elif name == b"ALPH":
        walk.alpha = True


# Writing


def rewrite(data: Buffer, contents: Contents, changes: Changes) -> list[Buffer]:
    """Return the pieces of a copy with ``changes`` made; see :mod:`labeling.containers.base`.

    The order is that of RFC 9649, 2.7: picture, EXIF, XMP. A file of the simple layout gets a VP8X header; its picture
    chunk stays as it is.

    Raises:
        LabelingError: The file has no picture, a block to be dropped is not in it, or the copy would be too large.
    """
    if not contents.coded:
        raise LabelingError("the WebP has no picture; there is nothing to label")
    for block in changes.drop:
        if block not in contents.blocks:
            raise foreign_block(block)
    if changes == Changes():
        return [data]
    walk = _walk(data)
    dropped = {block.offset for block in changes.drop}
    kept = [block for block in contents.blocks if block.offset not in dropped]
    edits: list[Edit] = [(block.offset, block.offset + block.length, b"") for block in set(changes.drop)]
    behind_picture = sum(contents.coded[-1])
    if changes.exif is not None:
        edits += _placed(kept, Kind.EXIF, _chunk(b"EXIF", changes.exif), behind_picture)
    if changes.xmp is not None:
        exif_ends = [block.offset + block.length for block in kept if block.kind is Kind.EXIF]
        home = max(behind_picture, *exif_ends) if exif_ends else behind_picture
        edits += _placed(kept, Kind.XMP, _chunk(b"XMP ", changes.xmp), home)
    if walk.end & 1 and walk.chunks_end == walk.end and not any(start < end == walk.end for start, end, _ in edits):
        edits.insert(0, (walk.end, walk.end, b"\0"))  # the padding byte that the writer forgot
    edits += _header_edits(data, walk, kept, changes)
    size = walk.end - 8 + sum(len(new) - (end - start) for start, end, new in edits)
    if size > _MAX_RIFF:
        raise _too_large()
    return splice(data, [*edits, (4, 8, size.to_bytes(4, "little"))])


def make_room(data: bytes, length: int) -> Room:
    """Make a copy with room for a C2PA manifest store behind the last chunk, in place of any that is there.

    What follows the RIFF data stays, and the content hash covers it (C2PA 2.2, A.3.3); c2pa's own writer leaves it out.

    Args:
        data: The file.
        length: Bytes of the manifest store.

    Raises:
        LabelingError: The copy would be larger than a WebP file can be.
    """
    walk = _walk(data)
    old = [(block.offset, block.offset + block.length) for block in read(data).blocks if block.kind is Kind.C2PA]
    # c2pa's reader takes a padding byte for content, so it is not part of the room.
    forgotten, room, padding = bytes(walk.chunks_end & 1), bytes(_head.size + length), bytes(length & 1)
    new = [(walk.chunks_end, walk.chunks_end, piece) for piece in (forgotten, room, padding)]
    size = walk.end - sum(end - at for at, end in old) + sum(len(piece) for _, _, piece in new) - 8
    if size > _MAX_RIFF:
        raise _too_large()
    edits: list[Edit] = [(at, end, b"") for at, end in old]
    edits += [*new, (4, 8, size.to_bytes(4, "little"))]
    return Room.around(room, splice(data, edits), lambda store: _head.pack(b"C2PA", len(store)) + store)


def _too_large() -> LabelingError:
    return LabelingError("the copy would be larger than the 4 GiB that a WebP file can be")


def _chunk(name: bytes, body: bytes) -> bytes:
    if len(body) > MAX_PAYLOAD:
        raise LabelingError(f"the metadata is {len(body)} bytes, more than the {MAX_PAYLOAD} that fit one WebP chunk")
    return _head.pack(name, len(body)) + body + b"\0" * (len(body) & 1)


def _placed(kept: list[Block], kind: Kind, chunk: bytes, home: int) -> list[Edit]:
    """Return the edits that put ``chunk`` in place of the main block of its kind, or at ``home``."""
    main = next((block for block in kept if block.kind is kind), None)
    if main is None:
        return [(home, home, chunk)]
    if main.offset < home:  # before the picture, where readers may not look for it
        return [(main.offset, main.offset + main.length, b""), (home, home, chunk)]
    return [(main.offset, main.offset + main.length, chunk)]


def _header_edits(data: Buffer, walk: _Walk, kept: list[Block], changes: Changes) -> list[Edit]:
    """Return the edits that make the VP8X flags agree with the chunks that will be there; add VP8X if it is missing."""
    present = {block.kind for block in kept}
    present |= {kind for kind, new in ((Kind.XMP, changes.xmp), (Kind.EXIF, changes.exif)) if new is not None}
    flags = sum(flag for kind, flag in _FLAGS.items() if kind in present)
    if walk.flags_at:
        flags |= data[walk.flags_at] & ~sum(_FLAGS.values())
        return [(walk.flags_at, walk.flags_at + 1, bytes((flags,)))]
    if changes.xmp is None and changes.exif is None:
        return []
    flags |= _ALPHA * walk.alpha | _ANIMATION * bool(walk.frames)
    canvas = (walk.width - 1).to_bytes(3, "little") + (walk.height - 1).to_bytes(3, "little")
    return [(12, 12, _chunk(b"VP8X", bytes((flags, 0, 0, 0)) + canvas))]
