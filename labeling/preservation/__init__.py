"""Nothing is lost silently: what a source holds is compared with what its labelled copy holds.

Container modules list what is in a file (:class:`labeling.containers.Entry`) and know no mark. This package joins their
lists with the metadata blocks, knows what is ours or meant to change, and names what is missing
(:class:`labeling.losses.Loss`).
"""

from __future__ import annotations

from labeling.losses import Loss
from labeling.preservation.comparison import refuse, unmatched
from labeling.preservation.conversion import find_conversion_losses
from labeling.preservation.inventory import ASKED, State, find_losses

__all__ = ["ASKED", "Loss", "State", "find_conversion_losses", "find_losses", "refuse", "unmatched"]
