"""When a run ends early, because its storage fails or too many files do.

A file whose storage failed is held back for a while. If others are read or written meanwhile, it was that file alone,
and it counts as failed. If not, the run ends; what was held back stays to be done, as if it had not been begun.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from labeling.batch.task import Outcome, Status, StoreDown

MAX_STORE_FAILURES = 30
"""Files in a row that their storage failed, after which the run ends: it would fail the others too."""

_COUNTED = frozenset({Status.FAILED, Status.REFUSED, Status.POISON})
"""What ``max_errors`` counts. A file of a kind that cannot be labelled is no sign that something is wrong."""


class Brake:
    """Looks at every outcome of a session, and says when it is enough.

    Args:
        max_errors: Failed files after which the session ends; ``None`` for any number.

    Attributes:
        error: Why the run cannot go on; ``None`` while it can.
        reached: ``max_errors`` files have failed.
        to_be_tried_again: Files that only their storage failed, and that count as failed until the next run.
    """

    def __init__(self, max_errors: int | None = None) -> None:
        self._max_errors = max_errors
        self._failed = 0
        self._held: dict[str, list[Outcome]] = {"read": [], "write": []}
        self.error: StoreDown | None = None
        self.reached = False
        self.to_be_tried_again = 0

    @property
    def sentence(self) -> str:
        """Why the session ended when ``max_errors`` was reached."""
        return f"the run has ended because {self._failed} of its files failed (`max_errors={self._max_errors}`)"

    def let_through(self, outcome: Outcome, *, was_read: bool = True) -> Iterator[Outcome]:
        """Yield the outcomes that are to be written down now: this one, or none, and those that were held back.

        Args:
            outcome: What became of a file.
            was_read: A worker has read it, unless its storage failed.
        """
        if outcome.store_failed == "":
            if outcome.status in (Status.LABELLED, Status.CONVERTED) and not outcome.unchanged:
                yield from self._released("write")
            if was_read:
                yield from self._released("read")
            yield self._counted(outcome)
            return
        if outcome.store_failed == "write":
            yield from self._released("read")  # its source was read
        held = self._held[outcome.store_failed]
        held.append(outcome)
        if len(held) >= MAX_STORE_FAILURES and self.error is None:
            self.error = self._dead(outcome)

    def rest(self) -> Iterator[Outcome]:
        """Yield what is held back at the end of the session, unless it ends for that."""
        for half in self._held:
            yield from self._released(half)

    def _counted(self, outcome: Outcome) -> Outcome:
        """Count an outcome that is written down; return it."""
        self._failed += outcome.status in _COUNTED
        self.to_be_tried_again += outcome.store_failed != ""
        self.reached = self._max_errors is not None and self._failed >= self._max_errors
        return outcome

    def _released(self, half: str) -> Iterator[Outcome]:
        held, self._held[half] = self._held[half], []
        if self.error is None:
            yield from map(self._counted, held)

    def _dead(self, last: Outcome) -> StoreDown:
        place, verb = ("source", "read") if last.store_failed == "read" else ("target", "written")
        cause = json.loads(last.line)["error"]["message"]
        return StoreDown(
            f"the {place} has failed {MAX_STORE_FAILURES} files in a row, and the run has ended: {cause}",
            hint=f"run again when files can be {verb}: what is done stays done, and those are tried again",
        )
