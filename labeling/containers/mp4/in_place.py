"""Change the metadata of an MP4 file in place, without copying it: for videos of gigabytes.

The movie box must end in ``udta``, and a ``free`` box with enough room must follow it. The new ``udta`` is first
written into the free space, where no reader looks. Then a few writes of four or eight bytes extend the movie box over
it. If the process is killed after any of these writes, the file still plays and has either the old metadata or the new.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from labeling.containers.base import Changes, Media
from labeling.containers.mp4.edit import edits_of
from labeling.containers.mp4.layout import inner, lay_out
from labeling.containers.mp4.movie_box import grown
from labeling.containers.syntax.isobmff import children
from labeling.filebytes import FileBytes, write_all

_PAGE = 4096


class Patch(NamedTuple):
    """Writes that change a file in place, as (offset, bytes).

    Attributes:
        bodies: What goes into free space first.
        switches: What makes it part of the file: a single write each, in this order.
    """

    bodies: list[tuple[int, bytes]]
    switches: list[tuple[int, bytes]]


@contextmanager
def applied(data: FileBytes, change: Patch) -> Iterator[None]:
    """Write a change into the file, and undo it if the ``with`` block raises.

    Args:
        data: The open file, which is opened a second time for writing.
        change: What :func:`patch` found.

    Raises:
        OSError: Opening or writing failed.
    """
    data.derived.clear()
    fd = os.open(data.name, os.O_RDWR | getattr(os, "O_BINARY", 0))
    before = [(place, data[place : place + len(new)]) for place, new in change.switches]
    try:
        for place, body in change.bodies:
            os.lseek(fd, place, os.SEEK_SET)
            write_all(fd, body)
        os.fsync(fd)  # before anything points there
        try:
            _write(fd, change.switches)
            yield
        except BaseException:
            _write(fd, before[::-1])
            raise
    finally:
        data.derived.clear()
        os.close(fd)


def _write(fd: int, switches: list[tuple[int, bytes]]) -> None:
    for place, new in switches:
        os.lseek(fd, place, os.SEEK_SET)
        os.write(fd, new)


def patch(data: Media, changes: Changes) -> Patch | None:
    """Find out how to make ``changes`` in place.

    Returns:
        What to write, or ``None`` if the file has no room for the changes.
    """
    layout = lay_out(data)
    moov = layout.moov
    if moov is None or layout.problem or int.from_bytes(layout.movie[:4], "big") != len(layout.movie):
        return None
    free = next((b for b in layout.boxes if b.start == moov.end and b.type == b"free" and b.body - b.start == 8), None)
    inside, outside = edits_of(data, layout, changes)
    if free is None or any((start, end) != (moov.end, moov.end) for start, end, _ in outside):
        return None
    view = memoryview(layout.movie)
    last = children(view, inner(layout))[-1]
    old = last if last.type == b"udta" else None
    keep = old.start if old else len(layout.movie)
    movie = grown(layout.movie, inside)
    if movie[8:keep] != layout.movie[8:keep]:
        return None  # something before its end changes
    udta = movie[keep:]
    beside = b"".join(bytes(new) for _, _, new in outside if isinstance(new, bytes))
    left = free.end - free.body - len(udta) - len(beside)
    if left != 0 and left < 8:
        return None
    rest = left.to_bytes(4, "big") + b"free" if left else b""
    size = len(layout.movie) + 8 + len(udta)
    switches = [
        (free.start, (8).to_bytes(4, "big") + b"free"),  # from here on the new box follows the movie box, unseen
        (moov.start, size.to_bytes(4, "big")),  # and now it is inside
        *([(moov.start + old.start + 4, b"free")] if old else []),
    ]
    if any(place % _PAGE > _PAGE - len(new) for place, new in switches):
        return None  # a write across two pages may be torn
    # Boxes that follow the movie box go to the end of the free space, so that the next change finds room as well.
    return Patch([(free.body, udta + rest), (free.end - len(beside), beside)], switches)
