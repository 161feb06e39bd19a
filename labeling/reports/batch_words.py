"""What the report of a batch run says, in each language: texts of ``batch_texts`` with numbers and names in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from labeling.reports import messages, quantities
from labeling.reports.batch_texts import TEXTS

REMARKED = 5
"""Files that a remark names."""


def word(key: str, language: str = "en", **values: object) -> str:
    """Return the text for ``key``, also of :mod:`labeling.reports.messages`; an unknown key is its own text.

    Args:
        key: The text's key.
        language: "en" or "zh".
        values: For the placeholders in the text.
    """
    pair = TEXTS.get(key)
    if pair is None:
        return messages.word(key, language, **values)
    text = pair[language == "zh"]
    return text.format(**values) if values else text


GOOD_STATUSES = {
    "label": ("labelled",),
    "convert": ("converted",),
    "verify": ("verified",),
    "propagate": ("labelled", "classified"),
    "transplant": ("labelled",),
}
"""What a file becomes that went well, by what the run did."""

GOOD = frozenset({status for statuses in GOOD_STATUSES.values() for status in statuses} | {"skipped"})
"""What needs nobody's attention."""


def shown_statuses(summary: Mapping[str, Any]) -> dict[str, int]:
    """Return what became of the files. Those that were verified are divided by their worst verdict."""
    found = dict(summary["statuses"])
    if summary["mode"] != "verify":
        return found
    judged = dict(summary["worst"])
    found["verified"] -= sum(judged.values())
    return judged | {name: number for name, number in found.items() if number or name != "verified"}


def good_statuses(mode: str) -> tuple[str, ...]:
    """Return what a file becomes that went well; a mode of another version counts as labelling."""
    return GOOD_STATUSES.get(mode, GOOD_STATUSES["label"])


def own_key(key: str, mode: str) -> str:
    """Return the key of a text in a run of this mode, which may have its own."""
    own = f"{key}:{mode}"
    return own if own in TEXTS else key


def remedy(status: str, kind: str, language: str = "en", mode: str = "label") -> str:
    """Return what to do about a kind of error, as the second half of a message; ``""`` if nothing general applies."""
    for key in (own_key(f"kind:{kind}", mode), f"kind:{status}"):
        if key in TEXTS:
            return word(key, language)
    return ""


def lead(total: int, well: int, attention: int, mode: str, language: str) -> str:
    """Return the sentence at the top: how many files went well, and how many need attention."""
    if not total:
        return word("lead:none", language)
    some = ":1" if well == 1 else ""
    which = some if well < total else ":one" if total == 1 else ":all"
    mode = mode if mode in GOOD_STATUSES else "label"
    first = word(f"lead:{mode}{which}", language, well=f"{well:,}", total=f"{total:,}")
    if not attention:
        return first
    second = word("attention:1" if attention == 1 else "attention", language, n=f"{attention:,}")
    return f"{first}{'' if language == 'zh' else ' '}{second}"


def earlier_options(summary: Mapping[str, Any], language: str = "en") -> str:
    """Return what is said of files that were made with options of an earlier generation; ``""`` if there are none."""
    found = summary.get("earlier_options")
    if not found:
        return ""
    mode = "convert" if summary["mode"] == "convert" else "label"
    key = f"earlier:{mode}:1" if found["files"] == 1 else f"earlier:{mode}"
    return word(key, language, n=quantities.count(found["files"]), options=", ".join(found["options"]))


def remarks(summary: Mapping[str, Any], language: str = "en") -> Iterator[tuple[str, list[str]]]:
    """Yield what is said of files beyond what became of them, each sentence with the names of some of the files."""
    rows = summary.get("remade") or []
    moved = summary.get("moved") or {"files": 0, "examples": []}
    for key, number, examples in (
        ("remade", sum(row["count"] for row in rows), [path for row in rows for path in row["examples"]]),
        ("found", summary.get("found") or 0, []),
        ("moved", moved["files"], moved["examples"]),
        ("vanished", summary.get("vanished") or 0, []),
    ):
        if number:
            names = examples[:REMARKED]
            yield _counted(key, number, language), [*names, "…"] if names and number > len(names) else names
    if (found := summary.get("orphans")) is not None:
        yield from _of_orphans(found, language)
    if summary.get("bytes_only"):
        yield word("bytes_only", language), []
    if number := summary.get("unrecorded", 0):
        yield _counted("unrecorded", number, language), []


def _of_orphans(found: Mapping[str, Any], language: str) -> Iterator[tuple[str, list[str]]]:
    if found.get("skipped") or not found["found"]:
        yield word("orphans:skipped" if found.get("skipped") else "orphans:none", language), []
        return
    became = dict(found["became"])
    listed, removed = became.pop("listed", 0), became.pop("removed", 0)
    for key, number in (("listed", listed), ("removed", removed), ("kept", sum(became.values()))):
        if number:
            names = [*found["examples"], *["…"] * (number > len(found["examples"]))] if key == "listed" else []
            yield _counted(f"orphans:{key}", number, language, file=found["list"]), names


def _counted(key: str, number: int, language: str, **more: str) -> str:
    return word(f"{key}:1" if number == 1 else key, language, n=quantities.count(number), **more)


def limited(summary: Mapping[str, Any], language: str = "en") -> str:
    """Return what is said of a session that a limit has ended; ``""`` if none has."""
    found = summary.get("limited")
    if not found:
        return ""
    left = found["left"]
    key = "limited" if left is None else "limited:left:1" if left == 1 else "limited:left"
    return word(key, language, n=quantities.count(left or 0))
