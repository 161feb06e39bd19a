"""Label a folder with Dask: one labeler in each worker process, results as lines of JSON.

Run it on this machine, or give the address of a scheduler whose workers have aigc-labeling, and source, target and
configuration at the same places. Start them with ``dask worker --nthreads 1``:
    python samples/dask_label.py pictures labelled aigc-label.toml results.jsonl tcp://scheduler:8786
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import label_partition
from distributed import Client, as_completed

FILES = 64
"""Files in a task: what a worker does before its result is safe, and does again if it is lost."""


def label(paths: list[str], **places: str) -> list[label_partition.Row]:
    return list(label_partition.label_partition(paths, **places))


def main(source: str, target: str, config: str, results: str, scheduler: str = "", ledger: str = "") -> None:
    own = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}  # a cluster that ends with the client
    with Client(scheduler) if scheduler else Client(**own) as client:
        client.upload_file(label_partition.__file__)
        paths = label_partition.listed(source)
        parts = [paths[start : start + FILES] for start in range(0, len(paths), FILES)]
        work = partial(label, source=source, target=target, config=config, ledger=ledger)
        # Not pure: nothing may be left out because it was done before. One more try for what fails as a whole, such as
        # a ledger that is away.
        futures = client.map(work, parts, pure=False, retries=1)
        counts: Counter[str] = Counter()
        with Path(results).open("w", encoding="utf-8") as file:
            for _, rows in as_completed(futures, with_results=True):
                counts.update(row.status for row in rows)
                file.writelines(json.dumps(row._asdict()) + "\n" for row in rows)
    print(", ".join(f"{count} {status}" for status, count in sorted(counts.items())))


if __name__ == "__main__":  # workers import this file, and must not run it
    main(*(each if not each or "://" in each else str(Path(each).absolute()) for each in sys.argv[1:]))
