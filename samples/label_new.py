"""Label what is new in a folder or bucket, and fail if a file failed: what a scheduler calls, such as Airflow.

Run it without one:  python samples/label_new.py pictures labelled aigc-label.toml state
"""

from __future__ import annotations

import os
import sys
from functools import partial

from labeling import Labeler, LabelingError, batch
from labeling.ledger import Ledger


def label_new(source: str, target: str, config: str, state: str) -> dict[str, int]:
    """Label the files that no run has labelled yet; called again, it continues.

    The ledger is the one in ``AIGC_LABEL_LEDGER``, if it is set.

    Returns:
        How many files have each status, those of earlier runs included.

    Raises:
        RuntimeError: A file could not be labelled. All others were.
        LabelingError: The run could not begin, or not go on.
    """
    labeler = partial(Labeler.from_config, config)  # a function: each worker makes its own, and keys do not travel
    url = os.environ.get("AIGC_LABEL_LEDGER")
    if url:
        with Ledger.open(url) as ledger:
            done = batch.run(source, target, labeler=labeler, state=state, retry_failed=True, ledger=ledger)
    else:
        done = batch.run(source, target, labeler=labeler, state=state, retry_failed=True)
    counts = {status: count for status, count in done.summary["statuses"].items() if count}
    if done.interrupted or done.exit_code:
        raise RuntimeError(f"not all files are labelled: {counts}; see {done.page}")
    return counts


if __name__ == "__main__":  # workers are spawned: they import this file, and must not run it
    try:
        print(label_new(*sys.argv[1:5]))
    except (LabelingError, RuntimeError) as error:
        sys.exit(str(error))
