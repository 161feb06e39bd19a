"""Which files of a listing stand for all of it: some of each kind, chosen at random while the listing passes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from labeling.batch.task import Item
from labeling.containers import formats

MAX_KINDS = 64
"""Kinds of files that are told apart. What comes after so many is one kind more."""

MAX_PER_KIND = 50
"""Files of a kind that are kept to choose from."""

OTHERS = "others"
_LONGEST = 12
_AT_LEAST = 2


@dataclass
class Kind:
    """Files whose names end alike.

    Attributes:
        name: The extension in lower case, with its dot; empty for none.
        files: How many there are.
        size: Their bytes.
        path_bytes: Bytes of their paths.
        large_parts: Parts beyond the first that an upload of each of them would have.
        kept: Some of them, chosen at random.
    """

    name: str
    files: int = 0
    size: int = 0
    path_bytes: int = 0
    large_parts: int = 0
    kept: list[Item] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What the name claims to be; empty if it is no kind that we know."""
        claimed = formats.claimed_by(f"x{self.name}") if self.name not in ("", OTHERS) else None
        return claimed[1] if claimed else ""

    @property
    def is_read(self) -> bool:
        """Whether files with such a name can be read."""
        claimed = formats.claimed_by(f"x{self.name}") if self.name not in ("", OTHERS) else None
        return bool(claimed and claimed[0])


class Sampler:
    """Counts a listing by the files' names, in bounded memory.

    Args:
        part_size: Bytes from which on an upload is made in parts.

    Attributes:
        kinds: The kinds, by their names.
        passed_over: Entries that are not processed, by why: links that lead outside, pipes, folders that are closed.
    """

    def __init__(self, part_size: int) -> None:
        self.kinds: dict[str, Kind] = {}
        self.passed_over: Counter[str] = Counter()
        self._part_size = part_size
        self._chance = random.Random(0)  # noqa: S311 - the same listing gives the same sample

    def add_all(self, items: Iterable[Item]) -> None:
        """Count what is listed."""
        for item in items:
            if item.problem is not None:
                self.passed_over[item.problem.message] += 1
            else:
                self._add(item)

    def _add(self, item: Item) -> None:
        name = PurePosixPath(item.path).suffix.lower()
        if len(name) > _LONGEST or (name not in self.kinds and len(self.kinds) >= MAX_KINDS):
            name = OTHERS
        kind = self.kinds.setdefault(name, Kind(name))
        kind.files += 1
        kind.size += item.size
        kind.path_bytes += len(item.key)
        if item.size > 2 * self._part_size:
            kind.large_parts += -(-item.size // self._part_size) + 1
        if len(kind.kept) < MAX_PER_KIND:
            kind.kept.append(item)
        elif (place := self._chance.randrange(kind.files)) < MAX_PER_KIND:
            kind.kept[place] = item

    @property
    def files(self) -> int:
        """All files."""
        return sum(kind.files for kind in self.kinds.values())

    def chosen(self, number: int) -> list[tuple[Kind, Item]]:
        """Return so many files: two of each kind if there is room, the others by how many there are of each.

        Kinds take turns, so that the first files are of all kinds.
        """
        kinds = sorted(self.kinds.values(), key=lambda kind: (-kind.size, kind.name))
        left = {kind.name: self._chance.sample(kind.kept, len(kind.kept)) for kind in kinds}
        found: list[tuple[Kind, Item]] = []
        while len(found) < number and any(left.values()):
            given = Counter(kind.name for kind, _ in found)
            kind = max(
                (each for each in kinds if left[each.name]),
                key=lambda each: (max(0, _AT_LEAST - given[each.name]), each.files / (given[each.name] + 1)),
            )
            found.append((kind, left[kind.name].pop()))
        return found


def unread(kinds: Sequence[Kind]) -> list[Kind]:
    """Return the kinds whose names say that they cannot be read."""
    return [kind for kind in kinds if kind.title and not kind.is_read]
