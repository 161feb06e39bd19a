"""Paint on HEIC and AVIF files (ISO/IEC 23008-12): on their items, and on the tracks of image sequences."""

from __future__ import annotations

from labeling.codecs import pyav
from labeling.codecs.base import Painted, Painter
from labeling.codecs.heif import sequence, shown
from labeling.codecs.heif.items import Items
from labeling.codecs.pixels import check_size
from labeling.containers.base import Buffer
from labeling.containers.heif.layout import parse
from labeling.containers.heif.pictures import Pictures
from labeling.containers.heif.repaint import PictureEditor
from labeling.errors import LabelingError, UnreadableFile


def paint(data: Buffer, painter: Painter, *, orientation: int, quality: int | None, max_pixels: int) -> Painted:
    """Paint on every picture of a HEIF file; see :mod:`labeling.codecs.base`.

    ``orientation`` is not used. In these formats the picture has properties of its own for rotation (irot, imir;
    ISO/IEC 23008-12, 6.5.10), and the EXIF tag only repeats them.
    """
    del orientation
    pyav.require("drawing on HEIC and AVIF files", instead=pyav.WITHOUT)
    raw = bytes(data)
    file = parse(raw)
    if file.problems:
        raise UnreadableFile(f"the HEIF file cannot be read: {file.problems[0]}")
    if file.meta is None or file.tracks:
        return sequence.paint_sequence(file, painter, quality, max_pixels)
    pictures = Pictures(file, file.meta)
    items = Items(pictures, quality, max_pixels)
    main, *others = pictures.masters()
    first = shown.read(pictures, main, max_pixels)
    check_size(first.width, first.height, 1 + len(others), max_pixels=max_pixels)
    done, left = {first.item}, []
    for number in others:
        try:
            other = shown.read(pictures, number, max_pixels)
        except LabelingError as error:
            left.append(f"; picture {number} was left without a label ({error.message})")
            continue
        if other.item not in done:
            done.add(other.item)
            items.label(other, painter)
    plan = items.label(first, painter)  # last: the painter reports on what it painted last
    editor = PictureEditor(pictures)
    written = items.write(editor)
    result = b"".join(editor.pieces())
    how = written.how + "".join(left)
    return Painted(
        result, plan.box, plan.width, plan.height, len(done), written.lossless, how, written.reasons, written.lost
    )
