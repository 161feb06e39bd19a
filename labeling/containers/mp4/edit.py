"""Changing the movie box of an ISO media file, and everything that says where something lies.

The new movie box takes the place of the old one. Bytes that it needs more (or less) are taken from a ``free`` box
behind it where there is one; otherwise what follows moves, and every absolute offset with it: chunk offsets, auxiliary
information of encryption, base offsets of fragments, and their index.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from labeling.containers.base import Block, Changes, Media, Piece
from labeling.containers.edits import Edit, MediaEdit, foreign_block, splice
from labeling.containers.mp4 import metadata as mp4
from labeling.containers.mp4 import text_lists
from labeling.containers.syntax import isobmff
from labeling.containers.syntax.isobmff import UUID_XMP, Box, box, children
from labeling.errors import LabelingError
from labeling.filebytes import FileRange

_NOTHING = (b"free", b"skip")
_MAX_FRAGMENT = 16 << 20


class MoovEdit(NamedTuple):
    """A change inside the movie box; ``parents`` are the boxes whose sizes follow."""

    start: int
    end: int
    data: bytes
    parents: tuple[Box, ...]


Mp4Edits = tuple[list[MoovEdit], list[MediaEdit]]
"""Changes inside the movie box, and in the rest of the file."""


def rewrite(data: Media, layout: mp4.Layout, changes: Changes, extra_edits: Mp4Edits = ([], [])) -> list[Piece]:
    """Give the pieces of a copy with its metadata changed and ``extra_edits`` made. Raises :class:`LabelingError`."""
    moov = layout.moov
    assert moov is not None
    inside, outside = edits_of(data, layout, changes)
    outside += extra_edits[1]
    movie = grown(layout.movie, [*inside, *extra_edits[0]])
    for wide in (False, True):
        movie_now = with_wide_offsets(movie) if wide else movie
        edits: list[MediaEdit] = [*outside, *_placed(layout, len(movie_now), outside)]
        moved = mover([*edits, (moov.start, moov.end, movie_now)])
        try:
            result = with_offsets(movie_now, moved)
        except OverflowError:
            continue  # 32 bits no longer hold a chunk offset
        edits += [(moov.start, moov.end, result), *_of_fragments(data, layout, moved)]
        return splice(data, edits)
    raise LabelingError("its chunk offsets cannot be moved; re-mux the file first")


def edits_of(data: Media, layout: mp4.Layout, changes: Changes) -> Mp4Edits:
    """The changes of metadata, inside the movie box and outside it."""
    view = memoryview(layout.movie)
    items, (inside, outside) = _of_drops(layout, view, changes.drop)
    inside += _of_lists(view, mp4.inner(layout), items, changes.text_field)
    if changes.xmp is not None:
        _put_packet(data, layout, view, changes, inside, outside)
    return _merged(inside), outside


def mover(edits: list[MediaEdit]) -> Callable[[int], int]:
    """A function that says where the byte at an offset lies after the edits."""
    steps = sorted((end, len(new) - (end - start)) for start, end, new in edits)
    if not any(delta for _, delta in steps):
        return lambda at: at
    import bisect

    ends = [end for end, _ in steps]
    sums = [0]
    for _, delta in steps:
        sums.append(sums[-1] + delta)
    return lambda at: at + sums[bisect.bisect_right(ends, at)]


def grown(movie: bytes, edits: list[MoovEdit]) -> bytes:
    """The movie box with changes carried out and the sizes of the boxes around them corrected."""
    deltas: dict[int, tuple[Box, int]] = {}
    for edit in edits:
        for parent in edit.parents:
            _, sofar = deltas.get(parent.start, (parent, 0))
            deltas[parent.start] = parent, sofar + len(edit.data) - (edit.end - edit.start)
    flat: list[MediaEdit] = [(edit.start, edit.end, edit.data) for edit in edits]
    for parent, delta in deltas.values():
        if not delta:
            continue
        size = parent.end - parent.start + delta
        if int.from_bytes(movie[parent.start : parent.start + 4], "big") == 1:
            flat.append((parent.start + 8, parent.start + 16, size.to_bytes(8, "big")))
        else:  # also a size of 0, "to the end": it may not stay the last box
            flat.append((parent.start, parent.start + 4, size.to_bytes(4, "big")))
    return _joined(splice(movie, flat))


def _joined(pieces: Sequence[Piece]) -> bytes:
    return b"".join(piece for piece in pieces if not isinstance(piece, FileRange))


def _merged(edits: list[MoovEdit]) -> list[MoovEdit]:
    """Each change once; a box that goes takes the changes inside it with it, but not what is put behind it."""
    once = list(dict.fromkeys(edits))
    gone = [edit for edit in once if not edit.data and edit.end > edit.start]
    return [edit for edit in once if not any(_within(edit, other) for other in gone)]


def _within(edit: MoovEdit, other: MoovEdit) -> bool:
    if edit is other or edit.start == edit.end in (other.start, other.end):
        return False
    return other.start <= edit.start and edit.end <= other.end


def _of_drops(layout: mp4.Layout, view: memoryview, drop: tuple[Block, ...]) -> tuple[set[int], Mp4Edits]:
    """The items of lists with keys that are to go (by where they start), and the other changes."""
    assert layout.moov is not None
    moov = mp4.inner(layout)
    items: set[int] = set()
    inside: list[MoovEdit] = []
    outside: list[MediaEdit] = []
    known = {text.start: (text.end, text.parents, text.entry) for text in mp4.texts(view, moov)}
    for udta in children(view, moov, b"udta"):
        known |= {each.start: (each.end, (moov, udta), 0) for each in children(view, udta, b"XMP_")}
    for block in dict.fromkeys(drop):
        at = block.offset - layout.moov.start
        if at in known:
            end, parents, entry = known[at]
            if entry:
                items.add(at)
            else:
                inside.append(MoovEdit(at, end, b"", parents))
        elif any(each.start == block.offset and each.type == b"uuid" for each in layout.boxes):
            outside.append((block.offset, block.offset + block.length, b""))
        else:
            raise foreign_block(block)
    return items, (inside, list(dict.fromkeys(outside)))


def _of_lists(view: memoryview, moov: Box, gone: set[int], named: tuple[str, str] | None) -> Iterator[MoovEdit]:
    """Change lists that have keys: without the items that are to go, and with a text in ``moov/udta/meta``."""
    udta = next(iter(children(view, moov, b"udta")), None)
    lists = list(mp4.key_lists(view, moov))
    home = next((each for each in lists if each.parents == (moov, udta)), None)
    other = next((each for each in lists if each.parents == (moov,)), None) if named and home is None else None
    for found in lists:
        items = children(view, found.ilst) if found.ilst else []
        if found is other and named is not None:
            kept = [item for item in items if item.start not in gone]
            yield from _put_list(
                found, text_lists.with_key(found.names, named[0]), [view[i.start : i.end] for i in kept]
            )
        elif (found is home and named is not None) or any(item.start in gone for item in items):
            yield from _relisted(view, found, items, gone, named if found is home else None)
    if named is None or home is not None:
        return
    new = text_lists.new_meta(*named, other.names if other else ())
    if udta is None:
        yield MoovEdit(_end_of(view, moov), _end_of(view, moov), box(b"udta", new), (moov,))
    else:
        yield MoovEdit(_end_of(view, udta), _end_of(view, udta), new, (moov, udta))


def _relisted(
    view: memoryview, found: text_lists.KeyList, items: list[Box], gone: set[int], named: tuple[str, str] | None
) -> Iterator[MoovEdit]:
    """A list anew: an item's type is the number of its key, so a key that goes gives those behind it new numbers."""
    stay = [(int.from_bytes(item.type, "big"), item) for item in items if item.start not in gone]
    without = {int.from_bytes(item.type, "big") for item in items if item.start in gone} - {n for n, _ in stay}
    kept = [number for number in range(1, len(found.names) + 1) if number not in without]
    names = [found.names[number - 1] for number in kept]
    numbers = {old: new for new, old in enumerate(kept, 1)}
    new = {number: [item for n, item in stay if numbers.get(n) == number] for number in numbers.values()}
    mine = 0
    if named is not None:
        names = text_lists.with_key(tuple(names), named[0])
        mine = names.index((b"mdta", named[0].encode())) + 1
    parts: list[bytes] = []
    for n, item in stay:
        number = numbers.get(n, 0)  # what has no key is left out: it could get one by accident
        if number == mine and named is not None and new[number][0] is item:
            parts.append(text_lists.data_item(mine, named[1]))
        elif number and number != mine:
            parts.append(box(number.to_bytes(4, "big"), bytes(view[item.body : item.end])))
    if named is not None and not new.get(mine):
        parts.append(text_lists.data_item(mine, named[1]))
    yield from _put_list(found, names, parts)


def _put_list(
    found: text_lists.KeyList, names: list[tuple[bytes, bytes]], items: Sequence[bytes | memoryview]
) -> Iterator[MoovEdit]:
    around, end = (*found.parents, found.meta), found.meta.end
    keys, ilst = found.keys, found.ilst
    before = ilst.start if ilst else end
    yield MoovEdit(keys.start if keys else before, keys.end if keys else before, text_lists.keys_box(names), around)
    yield MoovEdit(before, ilst.end if ilst else end, box(b"ilst", *map(bytes, items)), around)


def _end_of(view: memoryview, holder: Box) -> int:
    """Where to add a box to another one.

    QuickTime closes ``udta`` with four zero bytes, which stay at the end; so does a box whose size is 0, "to the end".
    """
    found = isobmff.walk(view, holder.body, holder.end)
    last = found.boxes[-1] if found.boxes else None
    return last.start if last is not None and not any(view[last.start : last.start + 4]) else found.end


def _put_packet(
    data: Media,
    layout: mp4.Layout,
    view: memoryview,
    changes: Changes,
    inside: list[MoovEdit],
    outside: list[MediaEdit],
) -> None:
    """An XMP packet: in ``udta/XMP_`` of QuickTime files, in a uuid box of others (XMP specification, part 3)."""
    assert layout.moov is not None
    moov, packet = mp4.inner(layout), changes.xmp or b""
    dropped = {start for start, _, _ in outside} | {layout.moov.start + edit.start for edit in inside if not edit.data}
    for each in layout.boxes:
        if each.type == b"uuid" and each.user == UUID_XMP and each.start not in dropped:
            outside.append((each.start, each.end, box(b"uuid", UUID_XMP, packet)))
            return
    for udta in children(view, moov, b"udta"):
        for old in children(view, udta, b"XMP_"):
            if layout.moov.start + old.start in dropped:
                continue
            inside.append(MoovEdit(old.start, old.end, box(b"XMP_", packet), (moov, udta)))
            return
    ftyp = layout.first(b"ftyp")
    if ftyp is None or data[ftyp.body : ftyp.body + 4] == b"qt  ":
        if holders := children(view, moov, b"udta"):
            end = _end_of(view, holders[0])
            inside.append(MoovEdit(end, end, box(b"XMP_", packet), (moov, holders[0])))
        elif (own := next((e for e in inside if e.data[4:8] == b"udta"), None)) is not None:
            inside.remove(own)
            inside.append(own._replace(data=box(b"udta", own.data[8:], box(b"XMP_", packet))))
        else:
            end = _end_of(view, moov)
            inside.append(MoovEdit(end, end, box(b"udta", box(b"XMP_", packet)), (moov,)))
        return
    last = layout.first(b"mfra")  # readers look for it at the very end
    late = any(each.type == b"mdat" and each.end <= layout.moov.start for each in layout.boxes)
    at = last.start if last and late else layout.boxes[-1].end if late else layout.moov.end
    if at == layout.boxes[-1].end and not any(data[layout.boxes[-1].start : layout.boxes[-1].start + 4]):
        at = layout.boxes[-1].start  # a box "to the end of the file" has to be the last one
    outside.append((at, at, box(b"uuid", UUID_XMP, packet)))


def _placed(layout: mp4.Layout, size: int, outside: list[MediaEdit]) -> list[Edit]:
    """Take what the movie box and the packet behind it need from free space there, or give back what they leave."""
    assert layout.moov is not None
    stop = layout.moov.end
    need = size - (layout.moov.end - layout.moov.start)
    need += sum(len(new) - (end - start) for start, end, new in outside if start == end == stop)
    free: list[Box] = [each for each in layout.boxes if each.start == stop and each.type in _NOTHING]
    if need == 0 or not any(each.start >= stop and each.type in (b"mdat", b"moof") for each in layout.boxes):
        return []
    if not free:
        return [(stop, stop, box(b"free", bytes(-need - 8)))] if need <= -8 else []
    room = free[0]
    for after in layout.boxes:  # several in a row are one
        if after.start == room.end and after.type in _NOTHING:
            room = room._replace(end=after.end)
    left = room.end - room.start - need
    if left != 0 and left < 8:
        return []
    return [(room.start, room.end, box(b"free", bytes(left - 8)) if left else b"")] if left <= _MAX_FRAGMENT else []


def sample_tables(view: memoryview) -> Iterator[Box]:
    """The ``stbl`` box of every track."""
    moov = isobmff.walk(view, 0, len(view)).boxes[0]
    for trak in children(view, moov, b"trak"):
        for mdia in children(view, trak, b"mdia"):
            for minf in children(view, mdia, b"minf"):
                yield from children(view, minf, b"stbl")


def with_offsets(movie: bytes, moved: Callable[[int], int]) -> bytes:
    """The movie box with every absolute offset moved. Raises :class:`OverflowError` where 32 bits are too few."""
    edits: list[Edit] = []
    view = memoryview(movie)
    for stbl in sample_tables(view):
        for table in children(view, stbl):
            at = table.body + 8
            if table.type in (b"stco", b"co64"):
                code = "I" if table.type == b"stco" else "Q"
            elif table.type == b"saio" and table.end - table.body >= 8:
                at = table.body + (16 if view[table.body + 3] & 1 else 8)
                code = "Q" if view[table.body] else "I"
            else:
                continue
            rows = isobmff.rows_of(view, table, at - table.body - 4, code)
            fresh = array(code, map(moved, rows))
            if fresh != rows:
                edits.append((at, at + len(rows) * rows.itemsize, isobmff.table_bytes(fresh)))
    return _joined(splice(movie, edits)) if edits else movie


def with_wide_offsets(movie: bytes) -> bytes:
    """The movie box with 64-bit chunk offsets in place of 32-bit ones."""
    view = memoryview(movie)
    moov = isobmff.walk(view, 0, len(view)).boxes[0]
    edits: list[MoovEdit] = []
    for trak in children(view, moov, b"trak"):
        for mdia in children(view, trak, b"mdia"):
            for minf in children(view, mdia, b"minf"):
                for stbl in children(view, minf, b"stbl"):
                    for table in children(view, stbl, b"stco"):
                        wide = array("Q", isobmff.rows_of(view, table, 4, "I"))
                        new = box(b"co64", bytes(4), len(wide).to_bytes(4, "big"), isobmff.table_bytes(wide))
                        edits.append(MoovEdit(table.start, table.end, new, (moov, trak, mdia, minf, stbl)))
    return grown(movie, edits)


def _of_fragments(data: Media, layout: mp4.Layout, moved: Callable[[int], int]) -> Iterator[Edit]:
    """Absolute places in fragments (tfhd), in their index at the end (tfra) and at the start (sidx)."""
    if all(moved(each.start) == each.start for each in layout.boxes if each.type in (b"moof", b"mdat")):
        return
    for each in layout.boxes:
        if each.type not in (b"moof", b"sidx", b"mfra"):
            continue
        if each.end - each.start > _MAX_FRAGMENT:
            raise LabelingError("a fragment's header is too large to be read; re-mux the file first")
        raw = data[each.start : each.end]
        view, whole = memoryview(raw), Box(each.type, 0, each.body - each.start, each.end - each.start)
        if each.type == b"sidx":
            yield from _of_index(raw, whole, each, moved)
        for traf in children(view, whole, b"traf") if each.type == b"moof" else []:
            for tfhd in children(view, traf, b"tfhd"):
                if tfhd.end - tfhd.body >= 16 and raw[tfhd.body + 3] & 1:
                    at = each.start + tfhd.body + 8
                    place = moved(int.from_bytes(raw[tfhd.body + 8 : tfhd.body + 16], "big"))
                    yield at, at + 8, place.to_bytes(8, "big")
        for tfra in children(view, whole, b"tfra") if each.type == b"mfra" else []:
            yield from _of_random_access(raw, tfra, each.start, moved)


def _of_index(raw: bytes, sidx: Box, each: Box, moved: Callable[[int], int]) -> Iterator[Edit]:
    if sidx.end - sidx.body < 28:
        return
    wide = 8 if raw[sidx.body] else 4
    at = sidx.body + 12 + wide
    first = int.from_bytes(raw[at : at + wide], "big")
    fresh = moved(each.end + first) - moved(each.end)
    if fresh != first and 0 <= fresh < 1 << (8 * wide):
        yield each.start + at, each.start + at + wide, fresh.to_bytes(wide, "big")


def _of_random_access(raw: bytes, tfra: Box, start: int, moved: Callable[[int], int]) -> Iterator[Edit]:
    if tfra.end - tfra.body < 16:
        return
    wide = 8 if raw[tfra.body] else 4
    lengths = int.from_bytes(raw[tfra.body + 8 : tfra.body + 12], "big")
    tail = 3 + (lengths >> 4 & 3) + (lengths >> 2 & 3) + (lengths & 3)
    step = 2 * wide + tail
    count = min(int.from_bytes(raw[tfra.body + 12 : tfra.body + 16], "big"), (tfra.end - tfra.body - 16) // step)
    for row in range(count):
        at = tfra.body + 16 + row * step + wide
        place = moved(int.from_bytes(raw[at : at + wide], "big"))
        if place >= 1 << (8 * wide):
            raise LabelingError("its index of fragments cannot hold the new places; re-mux the file first")
        yield start + at, start + at + wide, place.to_bytes(wide, "big")


def first_entry(view: memoryview, stsd: Box) -> Box:
    """The first sample description of a ``stsd`` box, which is a full box with a count."""
    return isobmff.walk(view, stsd.body + 8, stsd.end).boxes[0]
