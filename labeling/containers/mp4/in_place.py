"""Changing the metadata of an MP4 file where it stands, without copying it: for films of gigabytes with room to spare.

The movie box must end in ``udta`` and be followed by a ``free`` box. The new ``udta`` is written into the free space
first, where no reader looks; then a few writes of four or eight bytes let the movie box grow over it. A file that is
left behind after any of them plays, and has the old metadata, or the new.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from labeling.containers.base import Changes, Media
from labeling.containers.mp4 import edit
from labeling.containers.mp4 import metadata as mp4
from labeling.containers.syntax.isobmff import children
from labeling.filebytes import FileBytes, write_all

_PAGE = 4096


class Patch(NamedTuple):
    """``bodies`` (place, bytes) go into free space; then each of ``switches`` is one write."""

    bodies: list[tuple[int, bytes]]
    switches: list[tuple[int, bytes]]


@contextmanager
def applied(data: FileBytes, change: Patch) -> Iterator[None]:
    """Write the change into the file; it is taken back if the ``with`` block raises. Raises :class:`OSError`."""
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
        os.close(fd)


def _write(fd: int, switches: list[tuple[int, bytes]]) -> None:
    for place, new in switches:
        os.lseek(fd, place, os.SEEK_SET)
        os.write(fd, new)


def patch(data: Media, changes: Changes) -> Patch | None:
    """What to write where; ``None`` if the file has no room for it."""
    layout = mp4.lay_out(data)
    moov = layout.moov
    if moov is None or layout.problem or int.from_bytes(layout.movie[:4], "big") != len(layout.movie):
        return None
    free = next((b for b in layout.boxes if b.start == moov.end and b.type == b"free" and b.body - b.start == 8), None)
    inside, outside = edit.edits_of(data, layout, changes)
    if free is None or any((start, end) != (moov.end, moov.end) for start, end, _ in outside):
        return None
    view = memoryview(layout.movie)
    last = children(view, mp4.inner(layout))[-1]
    old = last if last.type == b"udta" else None
    keep = old.start if old else len(layout.movie)
    movie = edit.grown(layout.movie, inside)
    if movie[8:keep] != layout.movie[8:keep]:
        return None  # something else than its end changes
    udta = movie[keep:]
    beside = b"".join(bytes(new) for _, _, new in outside if isinstance(new, bytes))
    left = free.end - free.body - len(udta) - len(beside)
    if left != 0 and left < 8:
        return None
    rest = left.to_bytes(4, "big") + b"free" if left else b""
    grown = len(layout.movie) + 8 + len(udta)
    switches = [
        (free.start, (8).to_bytes(4, "big") + b"free"),  # from here on the new box stands beside the movie, unseen
        (moov.start, grown.to_bytes(4, "big")),  # and now in it
        *([(moov.start + old.start + 4, b"free")] if old else []),
    ]
    if any(place % _PAGE > _PAGE - len(new) for place, new in switches):
        return None  # a write over the border of two pages may be torn
    # What stands beside the movie goes to the end of the free space, so that the next change finds room, too.
    return Patch([(free.body, udta + rest), (free.end - len(beside), beside)], switches)
