"""Replace, add and remove properties in the script tags of an FLV file. Bytes are edited, values are not re-encoded.

A longer tag moves everything behind it. Only numbers in onMetaData, which tools write for seeking, refer to that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

from labeling.containers.base import Buffer, Changes
from labeling.containers.edits import Edit, splice
from labeling.containers.flv import amf
from labeling.errors import LabelingError

ON_META_DATA, ON_XMP_DATA, XMP_PROPERTY = "onMetaData", "onXMPData", "liveXML"

_MAX_DATA = (1 << 24) - 1
_NEW_HEADER = bytes((18,)) + bytes(10)
_GROUPS = (amf.OBJECT, amf.ECMA_ARRAY)


@dataclass(slots=True)
class ScriptTag:
    """A script tag.

    Attributes:
        start: Offset of the tag.
        end: Offset of the end of its PreviousTagSize.
        header: Its header of 11 bytes.
        script: Its values.
    """

    start: int
    end: int
    header: bytes
    script: amf.Script

    @property
    def name(self) -> str:
        """The name of the tag, which is its first value; empty if it has none."""
        values = self.script.values
        found = self.script.text(values[0][1]) if values else None
        return "" if found is None else found.decode("utf-8", "replace")

    @property
    def group(self) -> int | None:
        """Offset of the object or ECMA array that is the second value; ``None`` if there is none."""
        values = self.script.values
        return values[1][1] if len(values) > 1 and values[1][0] in _GROUPS else None


def edits(size: int, first: int, tags: list[ScriptTag], dropped: set[int], changes: Changes) -> list[Edit]:
    """Return the edits that change the metadata of a file.

    Args:
        size: Size of the file in bytes.
        first: Offset of its first tag.
        tags: Its script tags.
        dropped: Offsets of the properties to remove.
        changes: The changes of text and XMP packet.

    Raises:
        LabelingError: A tag would be too long.
    """
    plans = [_Plan(tag) for tag in tags]
    for plan in plans:
        plan.drop(dropped)
    new: list[Edit] = []
    if changes.text_field is not None:
        name, value = changes.text_field
        new += _put(plans, ON_META_DATA, name, value.encode(), first)
    if changes.xmp is not None:
        meta = next((plan.tag.end for plan in plans if plan.tag.name == ON_META_DATA), first)
        new += _put(plans, ON_XMP_DATA, XMP_PROPERTY, changes.xmp, meta)
    shifts = [(plan.tag.start + 1, plan.growth) for plan in plans if plan.growth]
    shifts += [(start, len(tag)) for start, _, tag in new]
    if not new and not any(plan.edits for plan in plans):
        return []
    for plan in plans:
        if plan.tag.name == ON_META_DATA:
            plan.follow(size, sum(tag.end - tag.start for tag in tags), shifts)
    return new + [plan.result() for plan in plans if plan.edits]


def followed(size: int, tags: list[ScriptTag], shifts: list[tuple[int, int]]) -> list[Edit]:
    """Return the edits of the offsets and sizes in onMetaData when other tags change their lengths.

    Args:
        size: Size of the file in bytes.
        tags: Its script tags.
        shifts: (offset, growth): what is at this offset or behind it moves by ``growth`` bytes.
    """
    plans = [_Plan(tag) for tag in tags if tag.name == ON_META_DATA]
    for plan in plans:
        plan.follow(size, sum(tag.end - tag.start for tag in tags), shifts, sum(more for _, more in shifts))
    return [plan.result() for plan in plans if plan.edits]


def _put(plans: list[_Plan], tag_name: str, name: str, value: bytes, home: int) -> list[Edit]:
    """Replace the first property of a name in tags of a name, or add it to the first such tag, or make a tag.

    It is added as the last property: FFmpeg stops reading an object at its first text of more than 1023 bytes.
    """
    known = [plan for plan in plans if plan.tag.name == tag_name and plan.tag.group is not None]
    for plan in known:
        if plan.replaced(name, value):
            return []
    if known:
        known[0].add(amf.coded_property(name, value))
        return []
    body = amf.coded_text(tag_name.encode()) + amf.coded_array([amf.coded_property(name, value)])
    return [(home, home, _coded_tag(_NEW_HEADER, body))]


def _coded_tag(header: bytes, body: bytes) -> bytes:
    """Build a tag with its length in the header and its PreviousTagSize behind it."""
    if len(body) > _MAX_DATA:
        raise LabelingError(f"the script tag would be {len(body)} bytes, more than the {_MAX_DATA} that FLV allows")
    size = len(body).to_bytes(3, "big")
    return header[:1] + size + header[4:11] + body + (11 + len(body)).to_bytes(4, "big")


class _Plan:
    """Collects the changes of one script tag. Offsets of ``edits`` count from the start of its data."""

    def __init__(self, tag: ScriptTag) -> None:
        self.tag = tag
        self.edits: list[Edit] = []
        self._gone: dict[int, int] = {}  # start of a property that is removed → its end
        self._added = 0

    @property
    def growth(self) -> int:
        # A last tag without its PreviousTagSize gets one.
        return (
            0 if not self.edits else sum(len(piece) for piece in self._pieces()) + 15 - (self.tag.end - self.tag.start)
        )

    def drop(self, offsets: set[int]) -> None:
        body = self.tag.start + 11
        for each in self.tag.script.properties:
            if body + each.start in offsets:
                self._gone[each.start] = each.end
                self.edits.append((each.start, each.end, b""))
                self._count(each.owner)

    def replaced(self, name: str, value: bytes) -> bool:
        """Replace the first property of a name in the tag's object; return whether there is one."""
        script = self.tag.script
        for each in script.properties:
            if each.owner != self.tag.group or each.name != name or each.start in self._gone:
                continue
            if script.text(each.value) is None:
                continue
            new = amf.coded_text(value)
            if new != script.data[each.value : each.end]:
                self.edits.append((each.value, each.end, new))
            return True
        return False

    def add(self, coded: bytes) -> None:
        group = self.tag.group
        assert group is not None
        closing = self.tag.script.groups[group].closing
        self.edits.append((closing, closing, coded))
        self._added += 1
        self._count(group)

    def _count(self, owner: int) -> None:
        """Update the number of items of an ECMA array, which is only a hint, if it was right."""
        script = self.tag.script
        group = script.groups.get(owner)
        stated = int.from_bytes(script.data[owner + 1 : owner + 5], "big")
        if group is None or group.marker != amf.ECMA_ARRAY or stated != group.items:
            return
        gone = sum(each.owner == owner and each.start in self._gone for each in script.properties)
        added = self._added if owner == self.tag.group else 0
        self.edits = [edit for edit in self.edits if edit[:2] != (owner + 1, owner + 5)]
        self.edits.append((owner + 1, owner + 5, (stated - gone + added).to_bytes(4, "big")))

    def follow(self, size: int, scripts: int, shifts: list[tuple[int, int]], video: int = 0) -> None:
        """Update the numbers that are offsets or sizes of the file, where they were right.

        Some tools count all tags in ``datasize``, others only those of audio and video. A number that is too large for
        the latter counts all tags.

        Args:
            size: Size of the file in bytes.
            scripts: Bytes of all script tags.
            shifts: (offset, growth): what is at this offset or behind it moves by ``growth`` bytes.
            video: By how many bytes the video grows.
        """
        total = sum(more for _, more in shifts)
        data = self.tag.script.data
        shifts = sorted(shifts)
        sums = list(accumulate((more for _, more in shifts), initial=0))

        def moved(position: float) -> float:
            passed = bisect_right(shifts, (position, 1 << 32))
            return position + sums[passed] if 0 < position < size else position

        for each in self.tag.script.properties:
            if any(start <= each.start < end for start, end in self._gone.items()):
                continue
            value = amf.number(data, each.value)
            new = value
            if each.path == ("keyframes",) and each.name == "filepositions":
                self._positions(each.value, moved)
            elif each.path or value is None:
                continue
            elif each.name == "lastkeyframelocation":
                new = moved(value)
            elif each.name == "videosize" and value > 0:
                new = value + video
            elif (each.name == "filesize" and value == size) or (
                each.name == "datasize" and size - 13 - scripts < value <= size
            ):
                new = value + total
            if new is not None and new != value:
                self.edits.append((each.value, each.end, amf.coded_number(new)))

    def _positions(self, value: int, moved: Callable[[float], float]) -> None:
        data = self.tag.script.data
        places = amf.numbers(data, value)
        if not places:
            return
        new = b"".join(amf.coded_number(moved(amf.number(data, at) or 0.0)) for at in places)
        if new != data[places[0] : places[0] + len(new)]:
            self.edits.append((places[0], places[0] + len(new), new))

    def _pieces(self) -> list[Buffer]:
        return splice(self.tag.script.data, self.edits)

    def result(self) -> Edit:
        """Return the edit that replaces the whole tag."""
        return self.tag.start, self.tag.end, _coded_tag(self.tag.header, b"".join(self._pieces()))
