"""Appending to the ledger in a thread of its own: the workers have something to do while it waits for the disk."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labeling.batch.task import Outcome
    from labeling.ledger import Ledger, Record

MAX_UNRECORDED = 512
"""Outcomes that wait for the ledger. When there are more, the run waits with them."""


class BackgroundRecorder:
    """Records one batch of outcomes after the other. Results and journal get a batch when the ledger has it.

    Args:
        ledger: Where labels are recorded.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._outcomes: Sequence[Outcome] = ()
        self._append: Future[list[Record]] | None = None

    @property
    def busy(self) -> bool:
        """Whether a batch was begun that :meth:`recorded` has not returned yet."""
        return self._append is not None

    def begin(self, outcomes: Sequence[Outcome]) -> None:
        """Begin to record a batch, when no other one is under way."""
        assert self._append is None
        entries = [entry for outcome in outcomes for entry in outcome.entries]
        self._outcomes, self._append = outcomes, self._thread.submit(self._ledger.append, entries)

    def recorded(self, *, wait: bool) -> Sequence[Outcome]:
        """Return the batch whose records are on disk now, and forget it; nothing if there is none.

        Args:
            wait: Wait until they are.

        Raises:
            LabelingError: They cannot be recorded.
        """
        if self._append is None or not (wait or self._append.done()):
            return ()
        append, outcomes = self._append, self._outcomes
        self._append, self._outcomes = None, ()
        append.result()
        return outcomes

    def close(self) -> None:
        """End the thread when it has done what was begun."""
        self._thread.shutdown()
