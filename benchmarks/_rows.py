"""The rows by the names that ``--only`` takes, in the order of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks import (
    batch,
    batch_ray,
    commands,
    files,
    frames,
    growth,
    isolate,
    ledger,
    many,
    memory,
    startup,
    video,
    visible,
)
from benchmarks._measure import Row, Settings

Rows = Callable[[Settings], Iterator[Row]]

SHORT: dict[str, Rows] = {
    "jpeg": memory.jpeg,
    "jpeg-c2pa": memory.jpeg_signed,
    "png": memory.png,
    "png-12mp": files.png_12mp,
    "jpeg-12mp": files.jpeg_12mp,
    "add-files": many.add,
    "verify-files": many.verify,
    "visible": visible.check,
    "startup": startup.startup,
    "commands": commands.commands,
    "video": video.start,
    "video-metadata": video.metadata,
    "video-verify": video.verify,
    "c2pa-bytes": files.c2pa_bytes,
    "growth": growth.small,
}
"""What ``make bench`` runs: at most ten minutes together, on two processors."""

LONG: dict[str, Rows] = {
    "visible-sets": visible.sets,
    "isolate": isolate.isolate,
    "frames": frames.frames,
    "video-groups": video.groups,
    "video-long": video.long,
    "video-whole": video.whole,
    "batch": batch.workers,
    "batch-tiny": batch.tiny,
    "batch-ray": batch_ray.ray,
    "ledger-insert": ledger.insert,
    "ledger-server": ledger.server,
    "ledger-find": ledger.find,
    "growth-large": growth.large,
}
"""What ``make bench-full`` runs beside these."""

ROWS = SHORT | LONG
