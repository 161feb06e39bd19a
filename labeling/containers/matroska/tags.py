"""The tags of Matroska (RFC 9559, 5.1.8): Tags contains Tag elements, which have a target and contain SimpleTags."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labeling.containers.base import Media
from labeling.containers.matroska.ebml import EbmlError, Element, children, header, made, rebuilt, text, unsigned
from labeling.containers.matroska.outline import TAGS, whole

MAX_NESTED = 16
"""Limit on the nesting of SimpleTags."""

TAG, TARGETS, SIMPLE_TAG, TAG_NAME, TAG_STRING = 0x7373, 0x63C0, 0x67C8, 0x45A3, 0x4487
TARGET_TYPE_VALUE, TARGET_TYPE = 0x68CA, 0x63CA
UIDS = {0x63C5: "track", 0x63C9: "edition", 0x63C4: "chapter", 0x63C6: "attachment"}


@dataclass(frozen=True, slots=True)
class Named:
    """A SimpleTag with a string.

    Attributes:
        element: The SimpleTag.
        name: Its TagName.
        value: Its TagString.
        about: What it is about, in words; empty for the whole file.
        home: Whether it is directly inside a Tag about the whole file, where a label belongs.
    """

    element: Element
    name: str
    value: bytes
    about: str
    home: bool


def whole_file(data: bytes, tag: Element) -> tuple[str, bool, bool]:
    """Find out what a Tag is about.

    It is about the whole file if its targets have no UIDs (0 means all) and level 50, the default (RFC 9559,
    5.1.8.1.1). It is plain if it has no TargetType either, which FFmpeg would put before the names of its tags.

    Returns:
        What it is about in words (empty for the whole file), whether that is the whole file, and whether it is plain.
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
    """Yield every SimpleTag with a string in a Tags element, including nested ones.

    Raises:
        EbmlError: The element is not well-formed, or nested too deep.
    """
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
    """A Tags element that changes.

    Attributes:
        old: The element; ``None`` for a new one.
        new: Its new bytes; empty if nothing is left in it.
        home: Whether it contains the new text, so that it may have grown. All others are shorter by 3 bytes or more.
    """

    old: Element | None
    new: bytes
    home: bool


def retagged(data: Media, tags: list[Element], dropped: set[int], field: tuple[str, str] | None) -> list[Retagged]:
    """Return the Tags elements that change.

    Args:
        data: The file.
        tags: Its Tags elements.
        dropped: Offsets of the SimpleTags to remove.
        field: Name and text of a SimpleTag to write.
    """
    home, place = _home(data, tags, dropped, field)
    result = []
    for each in tags:
        inside = {at - each.start for at in dropped if each.start <= at < each.end}
        if inside or each is home:
            raw, top = whole(data, each)
            new = _new_tags(raw, top, inside, field if each is home else None, place)
            if new != raw:
                result.append(Retagged(each, new, each is home))
    if field is not None and home is None:
        result.append(Retagged(None, made(TAGS, _tag(field)), True))
    return result


def _home(
    data: Media, tags: list[Element], dropped: set[int], field: tuple[str, str] | None
) -> tuple[Element | None, int]:
    """Find where a text goes.

    It replaces the first SimpleTag of exactly this name about the whole file. Otherwise it is added to the first plain
    Tag about the whole file, or else to the first Tags.

    Returns:
        The Tags element, and the offset in it of the SimpleTag to replace or of the Tag to add to (0: add a Tag).
    """
    if field is None:
        return None, 0
    second: tuple[Element, int] | None = None
    for each in tags:
        raw, top = whole(data, each)
        for tag in named_tags(raw, top):
            if tag.home and tag.name == field[0] and each.start + tag.element.start not in dropped:
                return each, tag.element.start
        for child in children(raw, top):
            if second is None and child.id == TAG and whole_file(raw, child)[2]:
                second = each, child.start
    return second or ((tags[0], 0) if tags else (None, 0))


def _new_tags(raw: bytes, tags: Element, dropped: set[int], field: tuple[str, str] | None, place: int) -> bytes:
    """Build a Tags element without what is dropped (empty if nothing is left) and with ``field`` at ``place``."""

    def change(child: Element) -> bytes | None:
        if child.id == SIMPLE_TAG and child.start in dropped:
            return b""
        if child.id == SIMPLE_TAG and field is not None and child.start == place:
            return _with_string(raw, child, field[1])
        if child.id == TAG and child.start != place:
            simple = [each.start for each in children(raw, child) if each.id == SIMPLE_TAG]
            if simple and dropped.issuperset(simple):
                return b""
        return None

    added = {}
    if field is not None:
        at_tag = any(tag.start == place and tag.id == TAG for tag in children(raw, tags))
        if at_tag:
            added[place] = _simple_tag(field)
        elif not place:
            added[tags.start] = _tag(field)
    new = rebuilt(raw, tags, (TAG, SIMPLE_TAG), change, added)
    return new if any(child.id == TAG for child in children(new, _top(new))) else b""


def _top(raw: bytes) -> Element:
    top = header(raw, 0)
    assert top is not None
    return top


def _with_string(raw: bytes, simple: Element, value: str) -> bytes:
    """Rebuild a SimpleTag with another TagString. Its language and nested tags stay."""
    first = next(child for child in children(raw, simple) if child.id == TAG_STRING)

    def change(child: Element) -> bytes | None:
        if child.id != TAG_STRING:
            return None
        return made(TAG_STRING, value.encode()) if child.start == first.start else b""

    return rebuilt(raw, simple, (), change)


def _simple_tag(field: tuple[str, str]) -> bytes:
    name, value = field
    return made(SIMPLE_TAG, made(TAG_NAME, name.encode()) + made(TAG_STRING, value.encode()))


def _tag(field: tuple[str, str]) -> bytes:
    return made(TAG, made(TARGETS, b"") + _simple_tag(field))
