"""Which pictures of a TIFF file are pages, and which are smaller copies of one: pyramid levels and thumbnails."""

from __future__ import annotations

from dataclasses import dataclass, field

from labeling._tiff_ifd import SUB_IFDS, Ifd, Tiff
from labeling.codecs.tiff.page import is_mask, is_reduced, number
from labeling.containers.tiff.metadata import is_page

_DATA = (273, 324, 513)


@dataclass(slots=True)
class Pictures:
    """The pictures of a file: the directories of pages, and (directory, name of its page) of each copy."""

    pages: list[Ifd] = field(default_factory=list)
    copies: list[tuple[Ifd, str]] = field(default_factory=list)


def pictures(tiff: Tiff) -> Pictures:
    """Sort the pictures of a file. Masks are left out.

    A copy says so itself (NewSubfileType), and belongs to the page before it in the chain, or to the page whose SubIFD
    it is. A first page that calls itself a copy has no other: it counts as a page.
    """
    found = Pictures()
    at = {ifd.offset: ifd for ifd in tiff.ifds}
    for ifd in tiff.ifds:
        if not is_page(ifd) or not _is_picture(ifd) or is_mask(tiff, ifd):
            continue
        if is_reduced(tiff, ifd) and found.pages:
            found.copies.append((ifd, found.pages[-1].name))
        else:
            found.pages.append(ifd)
        page = found.pages[-1]
        for offset in tiff.ints(ifd.entries[SUB_IFDS], 64) if SUB_IFDS in ifd.entries else ():
            below = at.get(offset)
            if below is None or not _is_picture(below) or is_mask(tiff, below):
                continue
            if number(tiff, below, 256, 0) <= number(tiff, page, 256, 0):
                found.copies.append((below, page.name))
            else:
                found.pages.append(below)
                page = below
    return found


def _is_picture(ifd: Ifd) -> bool:
    return 256 in ifd.entries and 257 in ifd.entries and any(tag in ifd.entries for tag in _DATA)
