"""Which part of a source one run takes: a shard of it, by the hash of each path; or what was changed of late."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from labeling.batch.task import Item, path_bytes
from labeling.errors import LabelingError

MAX_SHARDS = 100_000

MAX_CHOICES = 32
"""Choices of files of which the last complete session is kept."""

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


LAST = "last"
"""What ``since`` says for: since the start of the last session that was complete."""

CLOCKS = 300.0
"""Seconds that :data:`LAST` reaches further back: the clocks of file servers and stores differ from ours."""

_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s?(min|h|d|w)", re.ASCII)
_UNITS = {"min": 60, "h": 3600, "d": 86400, "w": 604800}


def check_since(since: str | datetime | timedelta | None) -> None:
    """Raise :class:`LabelingError` unless ``since`` can be understood, and has been."""
    now = datetime.now(UTC)
    moment = since_moment(since, last=None, now=now)
    if moment is not None and moment > now:
        raise LabelingError(f"`since` lies in the future ({since}), so that no file is taken")


def since_moment(since: str | datetime | timedelta | None, *, last: datetime | None, now: datetime) -> datetime | None:
    """Return from which moment on files are taken; ``None`` for all.

    Args:
        since: :data:`LAST`, a date or time (ISO 8601; without a time zone that of this machine), or how long ago, such
            as ``36h`` or ``7d``.
        last: The start of the last complete session.
        now: The time.

    Raises:
        LabelingError: It is none of these.
    """
    if since is None:
        return None
    if since == LAST:
        return None if last is None else last - timedelta(seconds=CLOCKS)
    try:
        if isinstance(since, timedelta):
            return now - since
        if isinstance(since, datetime):
            return since.astimezone(UTC)
        if isinstance(since, str):
            if ago := _DURATION.fullmatch(since.strip()):
                return now - timedelta(seconds=float(ago[1]) * _UNITS[ago[2]])
            return datetime.fromisoformat(since.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise LabelingError(f"`since` must be last, a date such as 2026-11-30, or how long ago: 36h, 7d; not {since!r}")


class Selection:
    """Takes the files of a listing that belong to a run.

    Folders that could not be listed belong to every shard, and to every time: each run may miss files because of them.

    Args:
        shard: The shard; ``None`` takes everything.
        since: Files that were changed before are left out. A file for which the storage gives no time is taken.
        output_name: Returns what the output of a path is called. By its hash, two sources with one output meet in one
            shard, which notices it.

    Attributes:
        since: The moment.
        older: Files that were left out because of their time.
        closed: Folders that could not be listed.
    """

    def __init__(self, shard: Shard | None, since: datetime | None, output_name: Callable[[str], str]) -> None:
        self._shard, self._output_name, self.since = shard, output_name, since
        self._since = None if since is None else since.timestamp()
        self.older = self.closed = 0

    def copy(self) -> Selection:
        """Return the same choice, which has not counted anything."""
        return Selection(self._shard, self.since, self._output_name)

    def of(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the files that belong to the run."""
        for item in items:
            if item.is_folder:
                self.closed += 1
            elif self._shard is not None and not self._shard.takes(self._hashable(item)):
                continue
            elif self._since is not None and item.problem is None and 0 < item.changed < self._since:
                self.older += 1
                continue
            yield item

    def _hashable(self, item: Item) -> str:
        return item.path if item.problem is not None else self._output_name(item.path)


class CompleteSessions:
    """When the last session began that saw all files, for each choice of files that a run makes.

    Args:
        text: What :attr:`text` was before, as the journal keeps it.
        include: The globs of this run.
        exclude: Its other globs.
        generation: The generation of its labels: another one makes all of them again.
    """

    def __init__(self, text: str, include: Sequence[str], exclude: Sequence[str], generation: int) -> None:
        try:
            known = json.loads(text or "{}")
        except ValueError:
            known = {}
        self._known: dict[str, str] = known if isinstance(known, dict) else {}
        choice = json.dumps([sorted(include), sorted(exclude), generation])
        self._key = hashlib.sha256(choice.encode("utf-8", "surrogateescape")).hexdigest()[:16]

    @property
    def last(self) -> datetime | None:
        """The start of the last one; ``None`` if there was none."""
        try:
            return datetime.fromisoformat(self._known[self._key])
        except (KeyError, ValueError, TypeError):
            return None

    def note(self, started: datetime) -> str:
        """Return the text for the journal when a session that began then was complete."""
        self._known.pop(self._key, None)
        kept = list(self._known.items())[-MAX_CHOICES:]
        self._known = dict(kept) | {self._key: started.isoformat()}
        return json.dumps(self._known)
