"""Classifications as text, JSON and CSV. Text is for people and in two languages; programs read English words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labeling.reports.messages import placed, word
from labeling.reports.plain import FORMULA

if TYPE_CHECKING:
    from labeling.pipelines.classification import Classification

COLUMNS = (
    "path", "media_type", "decision", "automatic", "declared", "evidence", "contradictions", "unread", "reviewer",
    "reason", "label", "propagator", "propagate_id", "output", "record", "error",
)  # fmt: skip
"""Columns of the CSV form, which may come back as a list with a reviewer's decisions."""


@dataclass(frozen=True, slots=True)
class Classified:
    """What became of one file.

    Attributes:
        path: The file, as it was named.
        found: Its classification; ``None`` if there is none.
        error: Why not, or why it was not written or recorded.
        records: Numbers of its records in the ledger.
    """

    path: str
    found: Classification | None = None
    error: str = ""
    records: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        what: dict[str, Any] = self.found.to_dict() if self.found is not None else {"path": self.path, "decision": None}
        if self.records:
            what["records"] = list(self.records)
        if self.error:
            what["error"] = self.error
        return what

    def row(self) -> list[str]:
        """Return its cells for CSV, as they are: the writer makes them inert."""
        values: dict[str, str] = {"path": self.path, "error": self.error, "record": " ".join(map(str, self.records))}
        if (found := self.found) is not None:
            values |= {
                "media_type": found.report.media_type,
                "decision": found.decision,
                "automatic": found.automatic,
                "declared": {True: "yes", False: "no", None: ""}[found.declared],
                "evidence": "; ".join(f"{each.mark}: {each.says}" for each in found.evidence),
                "contradictions": "; ".join(f"{each.kind}: {each.says}" for each in found.contradictions),
                "unread": "; ".join(found.unread),
                "reviewer": found.reviewer,
                "reason": found.reason,
            }
            if (done := found.labeled) is not None:
                label = done.label
                values |= {
                    "label": str(label.origin), "propagator": label.propagator, "propagate_id": label.propagate_id,
                    "output": "" if done.dry_run else str(done.path),
                }  # fmt: skip
        return [values.get(column, "") for column in COLUMNS]


def uncelled(text: str) -> str:
    """Return what :func:`labeling.reports.plain.cell` made a cell of: without the quote before a formula."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(FORMULA) else text


def lines(found: Classification, language: str = "en") -> list[str]:
    """Return what is said to people: the decision, what it rests on, and what does not go together."""
    if found.overruled:
        why = f"{word('reviewer', language)} {found.reviewer}: {found.reason}"
    else:
        why = word(f"why:{found.automatic or 'unreadable'}", language)
    said = [f"{found.path}: {_class(found.decision, language)} — {why}"]
    if found.reviewer:
        said.append(_entry("automatic", _class(found.automatic, language), language))
    if found.reviewer and not found.overruled:
        said.append(_entry("reviewer", f"{found.reviewer}: {found.reason}", language))
    if found.declared is False:
        said.append(_entry("declared", word("declared:no", language), language))
    for item in found.evidence:
        signature = word(f"signature:{item.signature}", language)
        colon = word("colon", language)
        place = word("in brackets", language).format(placed(item.where, language)) if item.where else ""
        signed = f" [{word('column:signature', language)}{colon}{signature}]" if item.signature != "none" else ""
        says = word("declared:yes", language) if item.mark == "declaration" else item.says
        said.append(_entry("rests on", f"{word(f'long:{item.mark}', language)}{place}{colon}{says}{signed}", language))
    said += [
        _entry("contradiction", f"{word(f'contradiction:{each.kind}', language)} — {each.says}", language)
        for each in found.contradictions
    ]
    said += [_entry("not read", sentence, language) for sentence in found.unread]
    return said


def _class(name: str, language: str) -> str:
    return word(name or "not known", language)


def _entry(key: str, text: str, language: str) -> str:
    return f"  {word(key, language)}{word('colon', language)}{text}"


def record_line(records: Sequence[int], where: str, language: str = "en") -> str:
    """Return what is said of a decision that was recorded."""
    return _entry("recorded", f"{', '.join(map(str, records))} ({where})", language)
