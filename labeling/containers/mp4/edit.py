"""Rewrite the metadata of an MP4 file.

The new movie box replaces the old one. Additional bytes come from a ``free`` box behind it, if there is one; bytes that
it no longer needs become such a box. Otherwise everything behind it moves, and every absolute offset in the file with
it (:mod:`labeling.containers.mp4.offsets`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labeling.containers.base import Block, Changes, Media, Piece
from labeling.containers.edits import Edit, MediaEdit, foreign_block, splice
from labeling.containers.mp4 import text_lists
from labeling.containers.mp4.layout import Layout, inner, key_lists, texts
from labeling.containers.mp4.movie_box import MoovEdit, Mp4Edits, grown, merged
from labeling.containers.mp4.offsets import MAX_FRAGMENT, mover, of_fragments, with_offsets, with_wide_offsets
from labeling.containers.syntax import isobmff
from labeling.containers.syntax.isobmff import UUID_XMP, Box, box, children, descend_with_parents, first_at
from labeling.errors import LabelingError

_FREE = (b"free", b"skip")


def rewrite(data: Media, layout: Layout, changes: Changes, extra_edits: Mp4Edits = ([], [])) -> list[Piece]:
    """Return the pieces of a copy with its metadata changed.

    Args:
        data: The file.
        layout: Its boxes, of which one is a movie box.
        changes: The changes of metadata.
        extra_edits: Further edits to make in the same copy.

    Raises:
        LabelingError: A block to be dropped is not in the file, or an offset has no room for its new value.
    """
    moov = layout.moov
    assert moov is not None
    inside, outside = edits_of(data, layout, changes)
    outside += extra_edits[1]
    movie = grown(layout.movie, [*inside, *extra_edits[0]])
    for wide in (False, True):
        movie_now = with_wide_offsets(movie) if wide else movie
        edits: list[MediaEdit] = [*outside, *_free_space(layout, len(movie_now), outside)]
        moved = mover([*edits, (moov.start, moov.end, movie_now)])
        try:
            result = with_offsets(movie_now, moved)
        except OverflowError:
            continue  # 32 bits no longer hold a chunk offset
        edits += [(moov.start, moov.end, result), *of_fragments(data, layout, moved)]
        return splice(data, edits)
    raise LabelingError("its chunk offsets cannot be moved", hint="re-mux the file first")


def edits_of(data: Media, layout: Layout, changes: Changes) -> Mp4Edits:
    """Return the edits that change the metadata, inside the movie box and outside it."""
    view = memoryview(layout.movie)
    items, (inside, outside) = _of_drops(layout, view, changes.drop)
    inside += _of_lists(view, inner(layout), items, changes.text_field)
    if changes.xmp is not None:
        _put_packet(data, layout, view, changes.xmp, inside, outside)
    return merged(inside), outside


def _of_drops(layout: Layout, view: memoryview, drop: tuple[Block, ...]) -> tuple[set[int], Mp4Edits]:
    """Return the items of lists with keys that are dropped (by their offsets), and the edits for all other blocks."""
    assert layout.moov is not None
    moov = inner(layout)
    items: set[int] = set()
    inside: list[MoovEdit] = []
    outside: list[MediaEdit] = []
    known = {text.start: (text.end, text.parents, text.entry) for text in texts(view, moov)}
    known |= {
        each.start: (each.end, tuple(around), 0) for *around, each in descend_with_parents(view, moov, b"udta", b"XMP_")
    }
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


def _of_lists(view: memoryview, moov: Box, gone: set[int], field: tuple[str, str] | None) -> Iterator[MoovEdit]:
    """Yield the edits of lists with keys: drop the items ``gone``, and put a text into ``moov/udta/meta``."""
    udta = first_at(view, moov, b"udta")
    lists = list(key_lists(view, moov))
    home = next((each for each in lists if each.parents == (moov, udta)), None)
    other = next((each for each in lists if each.parents == (moov,)), None) if field and home is None else None
    for found in lists:
        items = children(view, found.ilst) if found.ilst else []
        if found is other and field is not None:
            kept = [item for item in items if item.start not in gone]
            yield from _put_list(
                found, text_lists.with_key(found.names, field[0]), [view[i.start : i.end] for i in kept]
            )
        elif (found is home and field is not None) or any(item.start in gone for item in items):
            yield from _relisted(view, found, items, gone, field if found is home else None)
    if field is None or home is not None:
        return
    new = text_lists.new_meta(*field, other.names if other else ())
    if udta is None:
        yield MoovEdit(_end_of(view, moov), _end_of(view, moov), box(b"udta", new), (moov,))
    else:
        yield MoovEdit(_end_of(view, udta), _end_of(view, udta), new, (moov, udta))


def _relisted(
    view: memoryview, found: text_lists.KeyList, items: list[Box], gone: set[int], field: tuple[str, str] | None
) -> Iterator[MoovEdit]:
    """Yield the edits that renumber a list: an item's type is the number of its key, so later keys move up."""
    stay = [(int.from_bytes(item.type, "big"), item) for item in items if item.start not in gone]
    without = {int.from_bytes(item.type, "big") for item in items if item.start in gone} - {n for n, _ in stay}
    kept = [number for number in range(1, len(found.names) + 1) if number not in without]
    names = [found.names[number - 1] for number in kept]
    numbers = {old: new for new, old in enumerate(kept, 1)}
    new = {number: [item for n, item in stay if numbers.get(n) == number] for number in numbers.values()}
    mine = 0
    if field is not None:
        names = text_lists.with_key(tuple(names), field[0])
        mine = names.index((b"mdta", field[0].encode())) + 1
    parts: list[bytes] = []
    for n, item in stay:
        number = numbers.get(n, 0)  # an item without a key is left out: a new key could get its number
        if number == mine and field is not None and new[number][0] is item:
            parts.append(text_lists.data_item(mine, field[1]))
        elif number and number != mine:
            parts.append(box(number.to_bytes(4, "big"), bytes(view[item.body : item.end])))
    if field is not None and not new.get(mine):
        parts.append(text_lists.data_item(mine, field[1]))
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
    """Return where to insert a new last child of a box.

    QuickTime ends ``udta`` with four zero bytes, which stay last. So does a child whose size is 0, "to the end".
    """
    found = isobmff.walk(view, holder.body, holder.end)
    last = found.boxes[-1] if found.boxes else None
    return last.start if last is not None and not any(view[last.start : last.start + 4]) else found.end


def _put_packet(
    data: Media,
    layout: Layout,
    view: memoryview,
    packet: bytes,
    inside: list[MoovEdit],
    outside: list[MediaEdit],
) -> None:
    """Add the edits for an XMP packet: in ``udta/XMP_`` of QuickTime files, else in a uuid box (XMP, part 3)."""
    assert layout.moov is not None
    moov = inner(layout)
    dropped = {start for start, _, _ in outside} | {layout.moov.start + edit.start for edit in inside if not edit.data}
    for each in layout.boxes:
        if each.type == b"uuid" and each.user == UUID_XMP and each.start not in dropped:
            outside.append((each.start, each.end, box(b"uuid", UUID_XMP, packet)))
            return
    for *parents, old in descend_with_parents(view, moov, b"udta", b"XMP_"):
        if layout.moov.start + old.start not in dropped:
            inside.append(MoovEdit(old.start, old.end, box(b"XMP_", packet), tuple(parents)))
            return
    ftyp = layout.first(b"ftyp")
    if ftyp is None or data[ftyp.body : ftyp.body + 4] == b"qt  ":
        if (udta := first_at(view, moov, b"udta")) is not None:
            end = _end_of(view, udta)
            inside.append(MoovEdit(end, end, box(b"XMP_", packet), (moov, udta)))
        elif (new := next((e for e in inside if e.data[4:8] == b"udta"), None)) is not None:
            inside.remove(new)
            inside.append(new._replace(data=box(b"udta", new.data[8:], box(b"XMP_", packet))))
        else:
            end = _end_of(view, moov)
            inside.append(MoovEdit(end, end, box(b"udta", box(b"XMP_", packet)), (moov,)))
        return
    last = layout.first(b"mfra")  # readers look for it at the very end
    late = any(each.type == b"mdat" and each.end <= layout.moov.start for each in layout.boxes)
    at = last.start if last and late else layout.boxes[-1].end if late else layout.moov.end
    if at == layout.boxes[-1].end and not any(data[layout.boxes[-1].start : layout.boxes[-1].start + 4]):
        at = layout.boxes[-1].start  # a box "to the end of the file" has to stay the last one
    outside.append((at, at, box(b"uuid", UUID_XMP, packet)))


def _free_space(layout: Layout, size: int, outside: list[MediaEdit]) -> list[Edit]:
    """Take what the movie box and a packet behind it need from the free space there, or add what they leave to it."""
    assert layout.moov is not None
    stop = layout.moov.end
    need = size - (layout.moov.end - layout.moov.start)
    need += sum(len(new) - (end - start) for start, end, new in outside if start == end == stop)
    free: list[Box] = [each for each in layout.boxes if each.start == stop and each.type in _FREE]
    if need == 0 or not any(each.start >= stop and each.type in (b"mdat", b"moof") for each in layout.boxes):
        return []
    if not free:
        return [(stop, stop, box(b"free", bytes(-need - 8)))] if need <= -8 else []
    room = free[0]
    for after in layout.boxes:  # several in a row count as one
        if after.start == room.end and after.type in _FREE:
            room = room._replace(end=after.end)
    left = room.end - room.start - need
    if left != 0 and left < 8:
        return []
    return [(room.start, room.end, box(b"free", bytes(left - 8)) if left else b"")] if left <= MAX_FRAGMENT else []
