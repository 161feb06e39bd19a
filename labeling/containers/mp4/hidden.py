"""What the lists of texts in a movie box may hold that could not be read.

A list whose boxes do not fit together may still be read by others, FFmpeg among them. So a field by the name of a label
that none of the texts accounts for is reported, if anything is wrong around it. What is wrong elsewhere, as in the user
data of many cameras, hides no label.
"""

from __future__ import annotations

from collections.abc import Iterator

from labeling.containers.base import MAX_PAYLOAD, Media
from labeling.containers.collector import LABEL_NAME, name_outside
from labeling.containers.mp4 import text_lists
from labeling.containers.mp4.layout import Layout, holders, key_lists
from labeling.containers.syntax import isobmff
from labeling.containers.syntax.isobmff import Box, children, walk


def unread(data: Media, layout: Layout, movie: Box, texts: list[text_lists.Text]) -> Iterator[str]:
    """Yield a sentence on each place in which a label may be that was not read.

    Args:
        data: The file.
        layout: Its boxes, of which one is a movie box.
        movie: The movie box, at offset 0.
        texts: What was read of it.
    """
    assert layout.moov is not None
    view = memoryview(layout.movie)
    if any(each.type == b"cmov" for each in children(view, movie)):
        yield "its movie box is compressed (cmov), and was not read"
    for again in [each for each in layout.boxes if each.type == b"moov"][1:]:
        size = again.end - again.start
        if size > MAX_PAYLOAD or LABEL_NAME.search(data[again.start : again.end]):
            yield f"the moov box at offset {again.start} is not the first one, and was not read"
            break
    known = {text.start: text.end for text in texts}
    used = {(text.parents[-2].start if len(text.parents) > 1 else -1, text.entry) for text in texts if text.entry}
    lists = list(key_lists(view, movie))
    for found in lists:
        if found.keys is not None:
            entries = walk(view, found.keys.body + 8, found.keys.end, text_lists.MAX_KEYS).boxes
            known |= {each.start: each.end for n, each in enumerate(entries, 1) if (found.meta.start, n) in used}
    at = next(
        (at for region in _regions(view, movie) if (at := name_outside(view, region.start, region.end, known)) >= 0), -1
    )
    if at >= 0 and (trouble := _trouble(view, movie)):
        yield f"a field by the name of a label, at offset {layout.moov.start + at}, could not be read: {trouble}"


def _regions(view: memoryview, movie: Box) -> Iterator[Box]:
    """Yield the boxes in which names of texts are: user data, lists, and tracks of which a part was not read."""
    for holder, _, _ in holders(view, movie):
        inside = walk(view, holder.body, holder.end)
        if inside.problem and holder is not movie:
            yield holder
        else:
            yield from (each for each in inside.boxes if each.type in (b"udta", b"meta"))
    yield from children(view, movie, b"trak")[isobmff.MAX_TRACKS :]


def _trouble(view: memoryview, movie: Box) -> str:
    """Say what is wrong with the lists and the user data; empty if nothing is."""
    if len(children(view, movie, b"trak")) > isobmff.MAX_TRACKS:
        return f"it has more than {isobmff.MAX_TRACKS} tracks"
    for holder, _, place in holders(view, movie):
        inside = walk(view, holder.body, holder.end)
        if inside.problem:
            return f"in the {place} box {inside.problem}"
        for each in inside.boxes:
            if each.type == b"udta":
                below = walk(view, each.body, each.end)
                metas = [box for box in below.boxes if box.type == b"meta"]
                if below.problem and any(view[below.end : each.end]):  # QuickTime may end it in four zero bytes
                    return f"in the {place}/udta box {below.problem}"
            else:
                metas = [each] if each.type == b"meta" else []
            for meta in metas:
                if problem := _trouble_in(view, meta):
                    return f"in the {place} meta box {problem}"
    return ""


def _trouble_in(view: memoryview, meta: Box) -> str:
    inside = text_lists.walked(view, meta)
    if inside.problem:
        return inside.problem
    keys = next((each for each in inside.boxes if each.type == b"keys"), None)
    entries = 0
    if keys is not None:
        listed = walk(view, keys.body + 8, keys.end, text_lists.MAX_KEYS)
        entries = len(listed.boxes)
        if listed.problem:
            return listed.problem
    lists = [each for each in inside.boxes if each.type == b"ilst"]
    if keys is not None and not lists:
        return "keys have no items"
    for ilst in lists:
        items = walk(view, ilst.body, ilst.end)
        if items.problem:
            return items.problem
        if len(items.boxes) > text_lists.MAX_KEYS:
            return f"there are more than {text_lists.MAX_KEYS} items"
        for item in items.boxes:
            data = walk(view, item.body, item.end)
            if data.problem:
                return data.problem
            number = int.from_bytes(item.type, "big")
            if text_lists.handler(view, inside.boxes) == b"mdta" and not 1 <= number <= entries:
                return f"the item at offset {item.start} has no key"
            if not any(each.type == b"data" and each.end - each.body >= 8 for each in data.boxes):
                return f"the item at offset {item.start} has no data"
    return ""
