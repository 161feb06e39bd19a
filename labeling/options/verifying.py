"""Options of verification alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from labeling.options.declare import Option


@dataclass(init=False, repr=False, eq=False)
class Verifying:
    """Parameters of :func:`labeling.verify` that the command line has, too. There is no object of this class."""

    min_confidence: float = field(
        default=0.0,
        metadata=Option(
            help="Least confidence of a visible or audible label that counts; with less it is reported only",
            low=0, high=1, metavar="C",
        ).metadata,
    )  # fmt: skip
