"""Many files: label, convert or verify a folder or bucket of any size, continue after any interruption, and report.

.. code-block:: python

    from functools import partial
    from labeling import Labeler, batch

    finished = batch.run("pictures/", "labelled/", labeler=partial(Labeler.from_config, "aigc-label.toml"))
    print(finished.summary["statuses"], finished.page)
"""

from __future__ import annotations

from labeling.batch.conversion import Conversion
from labeling.batch.estimation import estimate
from labeling.batch.finished import Finished
from labeling.batch.job import Check, Propagation, Transplantation
from labeling.batch.merging import Merged, merge
from labeling.batch.run import run
from labeling.batch.session import Progress

__all__ = [
    "Check",
    "Conversion",
    "Finished",
    "Merged",
    "Progress",
    "Propagation",
    "Transplantation",
    "estimate",
    "merge",
    "run",
]
