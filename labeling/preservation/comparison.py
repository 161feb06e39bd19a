"""Compare two lists of entries: a pure function, for any format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from labeling.containers import Cost, Entry
from labeling.errors import WouldLose
from labeling.losses import Loss

MAX_LOSSES = 64
"""Limit on the losses that are listed of one file; the last one then says how many more there are."""


def unmatched(before: Iterable[Entry], after: Iterable[Entry]) -> list[tuple[Entry, str]]:
    """Find the entries of ``before`` that ``after`` does not have.

    Entries of one key are a bag: their order does not count, their number does.

    Returns:
        Each of them, and the value of its key that ``after`` has in its place: empty if it has none.
    """
    there: dict[str, Counter[str | bytes]] = {}
    for entry in after:
        there.setdefault(entry.key, Counter())[entry.value] += 1
    missing = []
    for entry in before:
        values = there.get(entry.key)
        if values is not None and values[entry.value] > 0:
            values[entry.value] -= 1
        else:
            missing.append(entry)
    found = []
    for entry in missing:
        rest = +there.get(entry.key, Counter())
        new = next(iter(rest), None)
        if new is not None:
            there[entry.key][new] -= 1
        found.append((entry, new if isinstance(new, str) else "changed" if new is not None else ""))
    return found


def losses_of(
    missing: Iterable[tuple[Entry, str]], reasons: Mapping[str, str], costs: Iterable[Cost], default: str
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
        what = entry.what
        if new and isinstance(entry.value, str) and new != "changed":
            what = f"{what}: {entry.value} → {new}"
        elif new:
            what = f"{what}, changed"
        loss = Loss(what, entry.where, _reason(entry.key, declared) or default)
        losses[loss] = losses.get(loss, 0) + 1
    found = [loss if count == 1 else Loss(f"{loss.what} ({count} times)", loss.where, loss.why)
             for loss, count in losses.items()]  # fmt: skip
    if len(found) > MAX_LOSSES:
        rest = len(found) - MAX_LOSSES + 1
        found[MAX_LOSSES - 1 :] = [Loss(f"{rest} further things", "", default)]
    return tuple(found)


def _reason(key: str, declared: Mapping[str, str]) -> str:
    """Look a reason up by the whole key, then by its beginnings up to each colon, the longest first."""
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
        raise WouldLose(f"the labelled copy would lose {'; '.join(words)}", hint=hint)
