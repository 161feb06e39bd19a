"""Ray against the local pool: the same files, labels and journal, two processors each, taking turns."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import PRODUCER
from benchmarks._measure import Row, Settings, alternate, detail
from benchmarks.batch import pictures, test_keys
from labeling import Labeler, Signer, batch

FILES, SMALL_FILES, QUICK = 2000, 10_000, 24
SMALL = 192
"""Pixels of a side of the small pictures."""

MEMORY = 100 << 20
"""Bytes of each node's object store: nothing but names and results goes through it."""


def _labeler(cert: Path, key: Path) -> Labeler:
    """Made in each worker, which reads the key itself."""
    signer = Signer.from_pem(cert.read_bytes(), key.read_bytes())
    return Labeler(producer=PRODUCER, signer=signer)


def _unsigned() -> Labeler:
    return Labeler(producer=PRODUCER, visible=False)


@contextmanager
def _cluster() -> Iterator[str]:
    """Two nodes of one processor each, with raylets of their own; the address."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        from ray.cluster_utils import Cluster
    except ImportError:
        raise RuntimeError("Ray is what is measured here: pip install 'aigc-labeling[ray]'") from None
    node: dict[str, Any] = {"num_cpus": 1, "object_store_memory": MEMORY}
    cluster = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
    try:
        cluster.add_node(**node)
        yield cluster.address
    finally:
        cluster.shutdown()  # type: ignore[no-untyped-call]


def _run(source: Path, target: Path, make: partial[Labeler], **engine: str) -> batch.Finished:
    return batch.run(source, target, labeler=make, workers=2, **engine)  # type: ignore[arg-type]


def _whole(target: Path, count: int) -> None:
    """Each engine must have done the work: as many results as files, each about the file that is there."""
    lines = [json.loads(line) for line in (target / ".aigc-label" / "results.jsonl").read_text("utf-8").splitlines()]
    good = {
        line["path"]
        for line in lines
        if hashlib.sha256((target / line["path"]).read_bytes()).hexdigest() == line.get("sha256")
    }
    if len(lines) != count or len(good) != count:
        raise RuntimeError(f"{len(good)} of {count} files were labelled in {target.name}, in {len(lines)} results")


def _afresh(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    if hasattr(os, "sync"):
        os.sync()


def ray(settings: Settings) -> Iterator[Row]:
    """Large pictures, and small ones with metadata alone. The cluster starts outside the clock, workers inside."""
    scratch = settings.scratch / "ray"
    scratch.mkdir()
    count, small_count = (QUICK, QUICK) if settings.quick else (FILES, SMALL_FILES)
    large, small = pictures(scratch / "large", count), pictures(scratch / "small", small_count, side=SMALL)
    with _cluster() as address:
        yield _against_local(
            settings, address, large, count, partial(_labeler, *test_keys(settings)),
            f"{count} JPEG 1024², visible + AIGC + C2PA, Ray, 2 nodes of 1 CPU",
        )  # fmt: skip
        yield _against_local(
            settings, address, small, small_count, partial(_unsigned),
            f"{small_count} JPEG {SMALL}², AIGC + IPTC, Ray, 2 nodes of 1 CPU",
        )  # fmt: skip
    _afresh(scratch)


def _against_local(
    settings: Settings, address: str, source: Path, count: int, make: partial[Labeler], work: str
) -> Row:
    ours, other = source.with_name("ray"), source.with_name("local")
    mine, theirs = alternate(
        partial(_run, source, ours, make, engine="ray", ray_address=address),
        partial(_run, source, other, make),
        settings.repetitions(3), between=partial(_afresh, ours, other),
    )  # fmt: skip
    for target, engine in ((ours, {"engine": "ray", "ray_address": address}), (other, {})):
        _run(source, target, make, **engine)
        _whole(target, count)
    _afresh(ours, other)
    a, b = statistics.median(mine), statistics.median(theirs)
    return Row(
        work, "local pool of 2", a, b, "s", b / a, 0.9, "≥ 0.9× its speed", at_least=True,
        detail={**detail(mine, theirs), "files": count},
    )  # fmt: skip
