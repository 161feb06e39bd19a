"""A loss: something of a file that its labelled copy does not hold any more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing that the source holds and the labelled file does not.

    Args:
        what: The thing, such as ``chunk NOTE`` or ``bit depth: 10 → 8``.
        where: Its place in the source, in the format's own terms.
        why: Why the labelled file does not hold it.
    """

    what: str
    where: str
    why: str

    def to_dict(self) -> dict[str, str]:
        """Return the loss in the JSON form of results and reports.

        Returns:
            A mapping of ``what``, ``where`` and ``why``.
        """
        return {"what": self.what, "where": self.where, "why": self.why}

    def __str__(self) -> str:
        return f"{self.what} ({self.where}): {self.why}" if self.where else f"{self.what}: {self.why}"
