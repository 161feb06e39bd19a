"""The tags of Matroska (RFC 9559, 5.1.8): Tags holds Tag, which says what it is about, and that holds SimpleTags."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labeling.containers.base import Media
from labeling.containers.matroska.ebml import EbmlError, Element, children, header, made, rebuilt, text, unsigned
from labeling.containers.matroska.outline import TAGS, whole

MAX_NESTED = 16

TAG, TARGETS, SIMPLE_TAG, TAG_NAME, TAG_STRING = 0x7373, 0x63C0, 0x67C8, 0x45A3, 0x4487
TARGET_TYPE_VALUE, TARGET_TYPE = 0x68CA, 0x63CA
UIDS = {0x63C5: "track", 0x63C9: "edition", 0x63C4: "chapter", 0x63C6: "attachment"}


@dataclass(frozen=True, slots=True)
class Named:
    """A SimpleTag that holds a string. ``home``: it stands right in a Tag about the whole file."""

    element: Element
    name: str
    value: bytes
    about: str
    home: bool


def whole_file(data: bytes, tag: Element) -> tuple[str, bool, bool]:
    """What a Tag is about: in words ("" for the file), whether that is the whole file, whether it says so plainly.

    The whole file is targets without UIDs (0 means all) and of level 50, the default (RFC 9559, 5.1.8.1.1).
    A plain one has no TargetType either, which FFmpeg puts before the names of its tags.
    """
    words, level, plain = "", 50, True
    for targets in children(data, tag):
        if targets.id != TARGETS:
            continue
        for child in children(data, targets):
            if child.id in UIDS and (uid := unsigned(data, child)) and not words:
                words = f"{UIDS[child.id]} {uid}"
            elif child.id == TARGET_TYPE_VALUE:
                level = unsigned(data, child) or 50
            elif child.id == TARGET_TYPE:
                plain = False
    if not words and level != 50:
        words = f"level {level}"
    return words, not words, not words and plain


def named_tags(data: bytes, tags: Element) -> Iterator[Named]:
    """Every SimpleTag with a string in a Tags element, nested ones too. Raises :class:`EbmlError`."""
    for tag in children(data, tags):
        if tag.id == TAG:
            about, is_file, _ = whole_file(data, tag)
            for child in children(data, tag):
                if child.id == SIMPLE_TAG:
                    yield from _simple(data, child, about, is_file, 0)


def _simple(data: bytes, element: Element, about: str, home: bool, depth: int) -> Iterator[Named]:
    if depth > MAX_NESTED:
        raise EbmlError(f"tags are nested more than {MAX_NESTED} deep")
    name, value, inner = "", None, []
    for child in children(data, element):
        if child.id == TAG_NAME:
            name = text(data, child).decode("utf-8", "replace")
        elif child.id == TAG_STRING and value is None:
            value = text(data, child)
        elif child.id == SIMPLE_TAG:
            inner.append(child)
    if value is not None:
        yield Named(element, name, value, about, home)
    within = f"{about}, in {name[:64]}" if about else f"in {name[:64]}"
    for child in inner:
        yield from _simple(data, child, within, False, depth + 1)


# Writing


@dataclass(frozen=True, slots=True)
class Retagged:
    """The new bytes of a Tags element (empty: nothing is left in it), and which one (None: a new one).

    ``home``: the one with the text that was asked for, which may have grown. The others are shorter by 3 bytes or more.
    """

    old: Element | None
    new: bytes
    home: bool


def retagged(data: Media, tags: list[Element], dropped: set[int], named: tuple[str, str] | None) -> list[Retagged]:
    """The Tags elements that change if the SimpleTags at the offsets ``dropped`` go and ``named`` is to be there."""
    home, place = _home(data, tags, dropped, named)
    result = []
    for each in tags:
        inside = {at - each.start for at in dropped if each.start <= at < each.end}
        if inside or each is home:
            raw, top = whole(data, each)
            new = _new_tags(raw, top, inside, named if each is home else None, place)
            if new != raw:
                result.append(Retagged(each, new, each is home))
    if named is not None and home is None:
        result.append(Retagged(None, made(TAGS, _tag(named)), True))
    return result


def _home(
    data: Media, tags: list[Element], dropped: set[int], named: tuple[str, str] | None
) -> tuple[Element | None, int]:
    """The Tags for ``named``, and in it (counted from its start) the SimpleTag to replace or the Tag to add to (or 0).

    It is the first SimpleTag of that very name about the whole file; else the first Tag about the whole file; else any.
    """
    if named is None:
        return None, 0
    second: tuple[Element, int] | None = None
    for each in tags:
        raw, top = whole(data, each)
        for tag in named_tags(raw, top):
            if tag.home and tag.name == named[0] and each.start + tag.element.start not in dropped:
                return each, tag.element.start
        for child in children(raw, top):
            if second is None and child.id == TAG and whole_file(raw, child)[2]:
                second = each, child.start
    return second or ((tags[0], 0) if tags else (None, 0))


def _new_tags(raw: bytes, tags: Element, dropped: set[int], named: tuple[str, str] | None, place: int) -> bytes:
    """The Tags element without what is dropped (empty if nothing is left) and with ``named`` at ``place``."""

    def change(child: Element) -> bytes | None:
        if child.id == SIMPLE_TAG and child.start in dropped:
            return b""
        if child.id == SIMPLE_TAG and named is not None and child.start == place:
            return _with_string(raw, child, named[1])
        if child.id == TAG and child.start != place:
            simple = [each.start for each in children(raw, child) if each.id == SIMPLE_TAG]
            if simple and dropped.issuperset(simple):
                return b""
        return None

    added = {}
    if named is not None:
        at_tag = any(tag.start == place and tag.id == TAG for tag in children(raw, tags))
        if at_tag:
            added[place] = _simple_tag(named)
        elif not place:
            added[tags.start] = _tag(named)
    new = rebuilt(raw, tags, (TAG, SIMPLE_TAG), change, added)
    return new if any(child.id == TAG for child in children(new, _top(new))) else b""


def _top(raw: bytes) -> Element:
    top = header(raw, 0)
    assert top is not None
    return top


def _with_string(raw: bytes, simple: Element, value: str) -> bytes:
    """A SimpleTag with another TagString; its language and the tags nested in it stay."""
    first = next(child for child in children(raw, simple) if child.id == TAG_STRING)

    def change(child: Element) -> bytes | None:
        if child.id != TAG_STRING:
            return None
        return made(TAG_STRING, value.encode()) if child.start == first.start else b""

    return rebuilt(raw, simple, (), change)


def _simple_tag(named: tuple[str, str]) -> bytes:
    name, value = named
    return made(SIMPLE_TAG, made(TAG_NAME, name.encode()) + made(TAG_STRING, value.encode()))


def _tag(named: tuple[str, str]) -> bytes:
    return made(TAG, made(TARGETS, b"") + _simple_tag(named))
