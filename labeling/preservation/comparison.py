"""Compare two lists of entries: a pure function, for any format."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase

from labeling.containers import Cost, Entry
from labeling.containers.base import Measure
from labeling.errors import WouldLose
from labeling.losses import Loss

Value = str | bytes | Measure

MAX_LOSSES = 64
"""Limit on the losses that are listed of one file; the last one then says how many more there are."""


def unmatched(before: Iterable[Entry], after: Iterable[Entry]) -> list[tuple[Entry, Value | None]]:
    """Find the entries of ``before`` that ``after`` does not have.

    Entries of one key are a bag: their order does not count, their number does. Parts of a missing thing are left out.

    Returns:
        Each of them, and the value of its key that ``after`` has in its place, if it has one.
    """
    before, after = list(before), list(after)
    if before == after:  # as a rule: only metadata changed
        return []
    there: dict[str, list[Value]] = {}
    for entry in after:
        there.setdefault(entry.key, []).append(entry.value)
    missing = []
    for entry in before:
        values = there.get(entry.key)
        match = next((value for value in values if _holds(value, entry.value)), None) if values else None
        if values is None or match is None:
            missing.append(entry)
        else:
            values.remove(match)
    found: list[tuple[Entry, Value | None]] = []
    gone: set[str] = set()
    for entry in missing:
        rest = there.get(entry.key)
        found.append((entry, rest.pop(0) if rest else None))
        if found[-1][1] is None:
            gone.add(entry.key)
    return [each for each in found if not _is_part(each[0].key, gone)]


def _holds(new: Value, old: Value) -> bool:
    if isinstance(old, Measure):
        return isinstance(new, Measure) and new.rank + old.slack >= old.rank
    return new == old


def _is_part(key: str, gone: Collection[str]) -> bool:
    while key := key.rpartition(":")[0]:
        if key in gone:
            return True
    return False


def losses_of(
    missing: Iterable[tuple[Entry, Value | None]], reasons: Mapping[str, str], costs: Iterable[Cost], default: str
) -> tuple[Loss, ...]:
    """Say of each missing entry what was lost, where, and why.

    Args:
        missing: What :func:`unmatched` found.
        reasons: What the painter or re-muxer said, by key or the beginning of one.
        costs: What the format's row says, likewise.
        default: The reason of everything else.
    """
    declared = {cost.key: cost.why for cost in costs} | dict(reasons)
    losses: dict[Loss, int] = {}
    for entry, new in missing:
        what, old = entry.what, entry.value
        if isinstance(new, bytes):
            what = f"{what}, changed"
        elif new is not None and not isinstance(old, bytes):
            what = f"{what}: {_shown(old)} → {_shown(new)}"
        elif not isinstance(old, bytes) and _shown(old):
            what = f"{what} ({_shown(old)})"
        loss = Loss(what, entry.where, _reason(entry.key, declared) or default)
        losses[loss] = losses.get(loss, 0) + 1
    found = [loss if count == 1 else Loss(f"{loss.what} ({count} times)", loss.where, loss.why)
             for loss, count in losses.items()]  # fmt: skip
    if len(found) > MAX_LOSSES:
        rest = len(found) - MAX_LOSSES + 1
        found[MAX_LOSSES - 1 :] = [Loss(f"{rest} further things", "", default)]
    return tuple(found)


def _shown(value: str | Measure) -> str:
    return value.text if isinstance(value, Measure) else value


def _reason(key: str, declared: Mapping[str, str]) -> str:
    """Look a reason up by the whole key, by a pattern, then by the key's beginnings, the longest first."""
    pattern = next((each for each in declared if "*" in each and fnmatchcase(key, each)), None)
    if pattern is not None and key not in declared:
        return declared[pattern]
    while key:
        if (why := declared.get(key)) is not None:
            return why
        key = key.rpartition(":")[0]
    return ""


def refuse(lost: Iterable[Loss]) -> None:
    """Raise :class:`WouldLose` if anything is lost: what ``strict=True`` asks for."""
    words = [str(loss) for loss in lost]
    if words:
        hint = "leave `strict=True` out to accept that"
        raise WouldLose(f"the copy would lose {'; '.join(words)}", hint=hint)
