"""How the time grows with the size of the work: the slope of its logarithm over that of the size.

1 is proportional; what looks at everything again for each item has 2. Three sizes each, in seconds of processor time of
this process and those it started, so that other work on the machine does not count.
"""

from __future__ import annotations

import hashlib
import math
import resource
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import PRODUCER, _pictures
from benchmarks._measure import Row, Settings, Work

LIMIT = 1.1
STEP = 4
"""Each size is so many times the one before it."""

ONCE = 1000
"""Samples of the video that is repeated."""

Prepare = Callable[[Settings, int], Work]


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The exponent of growth: least squares over the logarithms."""
    points = [math.log(size) for size in sizes], [math.log(each) for each in seconds]
    return statistics.linear_regression(*points).slope


def small(settings: Settings) -> Iterator[Row]:
    """Sizes of which the largest takes some seconds."""
    for what, (prepare, most, _) in _WORK.items():
        yield _row(settings, what, prepare, most)


def large(settings: Settings) -> Iterator[Row]:
    """Sizes of which the largest takes minutes."""
    for what, (prepare, _, most) in _WORK.items():
        yield _row(settings, what, prepare, most)


def _row(settings: Settings, what: str, prepare: Prepare, most: int) -> Row:
    largest = most // (100 if settings.quick else 1)
    sizes = [largest // STEP**2, largest // STEP, largest]
    seconds = [min(_processor(prepare(settings, size)) for _ in range(settings.repetitions(2))) for size in sizes]
    value = slope(sizes, seconds)
    return Row(
        f"{what}: {', '.join(f'{size:,}' for size in sizes)}", f"{' → '.join(f'{each:.2f}' for each in seconds)} s",
        seconds[-1], None, "s", value, LIMIT, f"exponent ≤ {LIMIT}", form="{:.2f}",
        detail={"sizes": sizes, "seconds": seconds},
    )  # fmt: skip


def _processor(work: Work) -> float:
    start = _used()
    work()
    return _used() - start


def _used() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _labeler(**more: Any) -> Any:
    import labeling

    return labeling.Labeler(producer=PRODUCER, **more)


def _afresh(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def _files(settings: Settings, count: int) -> Work:
    from labeling import batch

    source, target = settings.scratch / f"growth-{count}", _afresh(settings.scratch / "growth-out")
    if not source.exists():
        source.mkdir()
        _pictures.photo(64, 64).save(source / "0.jpg", "JPEG")
        for number in range(1, count):
            shutil.copyfile(source / "0.jpg", source / f"{number}.jpg")

    def work() -> None:
        done = batch.run(source, target, labeler=_labeler(visible=False), workers=1)
        if done.summary["statuses"]["labelled"] != count:
            raise RuntimeError(f"not all of {count} files were labelled")

    return work


def _video(settings: Settings, name: str, *words: str) -> Path:
    path = settings.scratch / f"growth-{name}"
    if not path.exists():
        subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *words, str(path)], check=True)
    return path


def _frames(settings: Settings, count: int) -> Work:
    from labeling import VideoOptions

    picture = f"testsrc2=s=128x96:r=30:d={count / 30},format=yuv420p"
    coded = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "60")
    source = _video(settings, f"{count}.mp4", "-f", "lavfi", "-i", picture, *coded)
    labeler = _labeler(video=VideoOptions(preset="ultrafast", when="whole"))
    return partial(labeler.label_file, source, settings.scratch / "growth.mp4")


def _samples(kind: str, settings: Settings, count: int) -> Work:
    """One short video of tiny pictures, again and again until there are so many."""
    picture = f"color=s=16x16:r=1000:d={ONCE / 1000},format=yuv420p"
    once = _video(settings, "once.mp4", "-f", "lavfi", "-i", picture, "-c:v", "libx264", "-preset", "ultrafast")
    again = str(max(0, count // ONCE - 1))
    source = _video(settings, f"{count}-samples.{kind}", "-stream_loop", again, "-i", str(once), "-c", "copy")
    return partial(_labeler(visible=False).label_file, source, settings.scratch / f"growth.{kind}")


def _ledger(settings: Settings, count: int) -> Work:
    from labeling.ledger import Entry, Ledger

    path = _afresh(settings.scratch / "growth-ledger") / "ledger.db"
    fields = {"Label": "1", "ContentProducer": PRODUCER}
    digests = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]
    entries = [Entry(digest[:32], digest, fields, "cn", output="a.jpg", size=1) for digest in digests]

    def work() -> None:
        with Ledger.open(path) as ledger:
            for at in range(0, count, 16):
                ledger.append(entries[at : at + 16])
            if ledger.verify().count != count:
                raise RuntimeError(f"not all of {count} records are there")

    return work


_WORK: dict[str, tuple[Prepare, int, int]] = {
    "files labelled by batch": (_files, 6400, 200_000),
    "frames of a video labelled throughout": (_frames, 4800, 38_400),
    "samples of an MP4 file labelled, metadata": (partial(_samples, "mp4"), 640_000, 4_000_000),
    "samples of a Matroska file labelled, metadata": (partial(_samples, "mkv"), 320_000, 2_000_000),
    "rows appended to a ledger, and its chain verified": (_ledger, 16_000, 512_000),
}
"""What grows: how it is made ready, and its largest size in either row."""
