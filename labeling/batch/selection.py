"""Which part of a source one run takes: a shard of it, by the hash of each path."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from labeling.batch.task import Item, path_bytes
from labeling.errors import LabelingError

MAX_SHARDS = 100_000

_SHARD = re.compile(r"(\d{1,6})/(\d{1,6})", re.ASCII)


class Shard(NamedTuple):
    """One of several runs that divide a source among themselves.

    A file belongs to shard ``h mod total + 1``, where ``h`` is the number that the first 8 bytes of the SHA-256 of its
    path are, most significant byte first. The path is relative to the source, with ``/``, as bytes (UTF-8, or what the
    file system has). So neither the machine nor the order of the listing matters, and no run needs to know the others.

    Attributes:
        number: From 1 on.
        total: How many there are.
    """

    number: int
    total: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the shard that a text such as ``3/16`` names.

        Raises:
            LabelingError: It names none.
        """
        found = _SHARD.fullmatch(text) if isinstance(text, str) else None
        shard = cls(int(found[1]), int(found[2])) if found else None
        if shard is None or not 1 <= shard.number <= shard.total <= MAX_SHARDS:
            raise LabelingError(
                f"`shard` must be a number and how many there are, such as 3/16 (1/16 to 16/16), not {text!r}"
            )
        return shard

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"

    @property
    def folder(self) -> str:
        """The name of its folder for journal and report, beside those of the other shards."""
        return f"shard-{self.number}-of-{self.total}"

    def takes(self, path: str) -> bool:
        """Return whether a path belongs to this shard."""
        digest = hashlib.sha256(path_bytes(path)).digest()
        return int.from_bytes(digest[:8], "big") % self.total == self.number - 1


def in_shard(items: Iterable[Item], shard: Shard | None, output_name: Callable[[str], str]) -> Iterator[Item]:
    """Yield the files of a listing that belong to a shard.

    Folders that could not be listed belong to every shard: each of them may miss files because of it.

    Args:
        items: The listing.
        shard: The shard; ``None`` takes everything.
        output_name: Returns what the output of a path is called. By its hash, two sources with one output meet in one
            shard, which notices it.
    """
    if shard is None:
        return iter(items)
    return (item for item in items if item.is_folder or shard.takes(_hashable(item, output_name)))


def _hashable(item: Item, output_name: Callable[[str], str]) -> str:
    return item.path if item.problem is not None else output_name(item.path)
