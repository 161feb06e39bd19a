"""Turn a palette page into an RGB page that looks the same, where its palette has no room for the label's colours."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np

from labeling._tiff_ifd import Tiff, read_tiff
from labeling.codecs.tiff import palette
from labeling.codecs.tiff.chunks import pack, unpack
from labeling.codecs.tiff.editor import Editor
from labeling.codecs.tiff.page import RGB, Page
from labeling.codecs.tiff.rows import Recoded
from labeling.containers.tiff.edit import Editor as TagEditor
from labeling.errors import UnsupportedFormat

_BITS, _PHOTOMETRIC, _SAMPLES, _MAP, _PLANAR = 258, 262, 277, 320, 284


def to_rgb(tiff: Tiff, page: Page, max_directories: int) -> bytes:
    """Return a copy in which ``page`` has 8-bit RGB samples, with the same strips or tiles and compression.

    All its other tags stay. The colours are exact unless the palette has more than 8 bits in use.

    Raises:
        UnsupportedFormat: The page is no page of the main chain.
    """
    if not page.name[3:].isdigit():
        raise UnsupportedFormat(
            "the palette of this TIFF has no room for the label's colours",
            hint="convert it to RGB first, or leave the visible label out (`visible=False`)",
        )
    wide = replace(page, photometric=RGB, samples=3, bits=8, dtype=np.dtype(np.uint8), map=None, alpha=None)
    editor = Editor(tiff)
    colours = palette.colours(editor.colour_map(page))
    for index in range(page.across * page.down):
        row = index // page.across
        indices = unpack(page, editor.chunk(page, index), row)[..., 0]
        editor.replace(page, index, Recoded(0, (pack(wide, colours[indices], row),), 0))
    made = read_tiff(bytes(editor.data.pieces()), max_ifds=max_directories)
    tags = TagEditor(made, ())
    for tag, values in ((_BITS, (8, 8, 8)), (_PHOTOMETRIC, (RGB,)), (_SAMPLES, (3,)), (_PLANAR, (1,))):
        tags.set(page.name, tag, 3, struct.pack(f"{tiff.byte_order}{len(values)}H", *values))
    tags.remove(page.name, _MAP)
    return b"".join(tags.pieces())
