"""How much of its source a session has listed, and when that is so little that something must be wrong.

A disk that is not mounted is an empty folder, and a mistyped prefix has no objects. A run over them has nothing to do,
and must not report that all is labelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from labeling.batch.storage import Storage
from labeling.batch.task import EmptySource, Item, Status
from labeling.errors import UnreadableFile

Scope = Literal["all", "globs", "list"]
"""What a session lists: the whole source, what its globs choose of it, or what a file list names."""

_UNLESS = "`allow_empty=True` accepts it"


@dataclass(slots=True)
class Coverage:
    """What a session has listed.

    Attributes:
        scope: What is listed.
        known_before: Files that were in the source when the last session looked, as far as the journal knows.
        entries: What was listed, be it a file or not; before a shard takes its part.
        files: Files among them. What is never processed, such as a link that leads nowhere, is none.
        known: Entries of this run that its journal knew.
        moved: Files that it knew under other names.
        part: This run takes a shard of the source, or what is new in it: all that it knows may vanish.
    """

    scope: Scope
    known_before: int = 0
    entries: int = 0
    files: int = 0
    known: int = 0
    moved: int = 0
    part: bool = False

    def counted(self, items: Iterable[Item]) -> Iterator[Item]:
        """Count the entries of a listing while it passes."""
        for item in items:
            self.entries += 1
            self.files += self._is_file(item)
            yield item

    def _is_file(self, item: Item) -> bool:
        if item.problem is None:
            return True
        if item.problem.status == Status.SKIPPED:
            return False
        if self.scope != "list" or item.problem.of_store:  # a store that refuses to tell has not said that it is gone
            return True
        return item.problem.status != Status.FAILED  # what a list names need not be there

    def require_files(self, source: Storage, *, left_out: bool) -> None:
        """Make sure that the source holds what it should. Only of a complete listing can that be told.

        Args:
            source: The source.
            left_out: Globs have left out some of its files.

        Raises:
            EmptySource: No file was found, or none of those that earlier sessions knew.
        """
        if not self.files:
            raise EmptySource(self._nothing(left_out=left_out), path=source.name, hint=self._hint(source))
        if self.scope != "list" and self.known_before and not (self.known or self.moved or self.part):
            gone = (
                "the file that earlier runs found is no longer there" if self.known_before == 1
                else f"none of the {self.known_before:,} files that earlier runs found is there any more"
            )  # fmt: skip
            raise EmptySource(f"{gone}; what is there is new", path=source.name, hint=self._hint(source))

    def _nothing(self, *, left_out: bool) -> str:
        if self.scope == "list" and self.entries:
            return "none of the files that the list names is there" if self.entries > 1 else "the file is not there"
        if left_out:
            return f"no file {'in the list ' if self.scope == 'list' else ''}matches `include` and `exclude`"
        if self.scope == "list":
            return "the list names no file"
        what = "there is nothing in it that can be processed" if self.entries else "there is no file in it"
        if self.known_before:
            return f"{what}; earlier runs found {self.known_before:,}"
        return what

    def _hint(self, source: Storage) -> str:
        if self.scope == "list" and not self.entries:
            return f"check the list; {_UNLESS}"
        also = {"all": "", "globs": "the globs", "list": "the list"}[self.scope]
        if source.local:
            return f"check the path{also and f' and {also}'}, and that its disk is mounted; {_UNLESS}"
        what = f"the bucket, the prefix and {also}" if also else "the bucket and the prefix"
        return f"check {what}; {_UNLESS}"


def whole(items: Iterable[Item], source: Storage, *, may_be_empty: bool) -> Iterator[Item]:
    """Yield the entries of a listing that must be complete.

    Args:
        items: The listing.
        source: What is listed.
        may_be_empty: There may be nothing in it.

    Raises:
        LabelingError: A folder could not be listed, or there is nothing.
    """
    empty = True
    try:
        for item in items:
            if item.is_folder and item.problem is not None:
                raise UnreadableFile(item.problem.message, path=item.path)
            empty = False
            yield item
    except EmptySource:
        empty = True
    if empty and not may_be_empty:
        raise EmptySource("there is no file in it any more", path=source.name, hint=_UNLESS)
