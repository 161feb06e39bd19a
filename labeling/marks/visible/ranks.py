"""Medians and percentiles without ``numpy.ma``: numpy's own import it when they are first called.

That is a twentieth of what a command on one file takes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def percentile(values: NDArray[Any], percent: float) -> NDArray[Any]:
    """Return the value below which a share of values lies, along the first axis, by linear interpolation.

    Args:
        values: At least one, (N, …).
        percent: The share, 0 to 100; 50 is the median.
    """
    place = (len(values) - 1) * percent / 100
    low = int(place)
    high = min(low + 1, len(values) - 1)
    ordered = np.partition(values, (low, high), axis=0)
    below, above = ordered[low], ordered[high]
    return np.asarray(below + (above * 1.0 - below) * (place - low))
