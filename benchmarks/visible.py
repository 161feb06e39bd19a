"""How well and how fast visible labels are read: ``python -m benchmarks.visible``.

Recall, text heights and false alarms over the procedural sets of :mod:`benchmarks.visible_set`, and the time of one
check of a 1024×1024 picture against RapidOCR with its defaults on the same picture, in turns.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks import visible_set
from benchmarks._measure import Row, Settings, Work, detail, turns
from labeling.findings import Status
from labeling.marks.visible import read_visible

TOLERANCE = 0.1


@dataclass(slots=True)
class Reading:
    """What came out over a set of pictures: names of the missed and the false, relative errors of height by name."""

    count: int = 0
    missed: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)
    errors: dict[str, float] = field(default_factory=dict)

    @property
    def recall(self) -> float:
        """Share of labelled pictures whose label was found."""
        return 1 - len(self.missed) / self.count

    @property
    def within(self) -> float:
        """Share of the labels found whose height is within the tolerance."""
        return sum(abs(error) <= TOLERANCE for error in self.errors.values()) / max(1, len(self.errors))


def read(examples: Iterable[visible_set.Example]) -> Reading:
    """Read every picture and compare with the truth."""
    reading = Reading()
    for example in examples:
        reading.count += 1
        finding = read_visible(example.pixels, languages=example.languages)
        # Of unlabelled pictures some show a brand mark, which is reported, but as one that falls short.
        short = any(each.rule == "CN-VISIBLE-WORDING" for each in finding.defects)
        found = finding.status is not Status.ABSENT and not short
        if example.text and not found:
            reading.missed.append(example.name)
        elif found and not example.text:
            reading.false.append(f"{example.name}: {finding.value['text']!r} {finding.where}")
        elif found:
            truth = example.em / min(example.pixels.shape[:2])
            reading.errors[example.name] = finding.value["height_ratio"] / truth - 1
    return reading


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """Keep one core busy meanwhile, as workers and generators do."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            yield
        finally:
            other.kill()


PEAK = """
import sys
import numpy as np
from PIL import Image
from labeling.marks.visible import read_visible
for path in sys.argv[1:]:
    read_visible(np.asarray(Image.open(path)))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
"""Linux's own figure: getrusage's peak is at first that of the process that started this one."""


def check(settings: Settings) -> Iterator[Row]:
    """One check of a picture, ten pictures of 1024×1024 in turn; the memory that pages full of text take."""
    for where, context in (("", contextlib.nullcontext()), (", a core is busy", busy_core())):
        with context:
            ours, theirs, alone = race(settings.repetitions(2))
        a, b, c = (statistics.median(times) * 1e3 for times in (ours, theirs, alone))
        yield Row(
            f"visible label looked for, 1024² pixels{where}", "RapidOCR's defaults", a, b, "ms", a, 70.0, "≤ 70 ms",
            form="{:.0f} ms", detail=detail(ours, theirs), bare=c, bare_of="its networks alone",
        )  # fmt: skip
    if not sys.platform.startswith("linux"):
        return
    pages = [each.pixels for each in visible_set.unlabelled(120) if each.name.split()[1] in ("document", "screenshot")]
    paths = [settings.scratch / f"page-{number}.png" for number in range(len(pages))]
    for path, page in zip(paths, pages, strict=True):
        Image.fromarray(page).save(path)
    program = [sys.executable, "-c", PEAK, *map(str, paths)]
    peak = int(subprocess.run(program, capture_output=True, text=True, check=True).stdout) / 1024
    yield Row(
        f"  memory, {len(pages)} pages of text", "", peak, None, "MiB", peak, 350.0, "≤ 350 MiB",
        form="{:.0f} MiB",
    )  # fmt: skip


def sets(settings: Settings) -> Iterator[Row]:
    """Recall, heights and false alarms over the two sets."""
    count = 24 if settings.quick else 600
    with_label, without = read(visible_set.labelled(count)), read(visible_set.unlabelled(count))
    for words, value, limit, at_least in (
        (f"visible labels found, {with_label.count} pictures", with_label.recall, 99.0, True),
        ("  heights of text within ±10 %", with_label.within, 100.0, True),
        (f"  false alarms, {without.count} pictures without", len(without.false) / without.count, 0.5, False),
    ):
        yield Row(
            words, "", 100 * value, None, "%", 100 * value, limit, f"{'≥' if at_least else '≤'} {limit:g} %",
            form="{:.1f} %", at_least=at_least,
        )  # fmt: skip


@cache
def pictures() -> list[NDArray[np.uint8]]:
    """Ten pictures of 1024×1024, with and without a label."""
    every = (*visible_set.labelled(200), *visible_set.unlabelled(200))
    square = [np.ascontiguousarray(each.pixels) for each in every if each.pixels.shape[:2] == (1024, 1024)]
    return square[:: max(1, len(square) // 10)][:10]


def networks(picture: NDArray[np.uint8]) -> Work:
    """Return what runs the networks that a check of a picture runs, on the same values, and nothing else."""
    import onnxruntime

    calls: list[Work] = []
    plain = onnxruntime.InferenceSession.run

    def noted(session: Any, *arguments: Any) -> Any:
        calls.append(partial(plain, session, *arguments))
        return plain(session, *arguments)

    onnxruntime.InferenceSession.run = noted
    try:
        read_visible(picture)
    finally:
        onnxruntime.InferenceSession.run = plain
    return lambda: [call() for call in calls]


def race(repetitions: int) -> tuple[list[float], list[float], list[float]]:
    """Seconds of a check, of RapidOCR with its defaults, and of our networks alone, on ten pictures."""
    read_visible(np.zeros((64, 64, 3), np.uint8))  # onnxruntime is imported as the library does it
    from rapidocr import RapidOCR

    engine = RapidOCR(params={"Global.log_level": "critical"})
    times: tuple[list[float], list[float], list[float]] = ([], [], [])
    for picture in pictures():
        works = partial(read_visible, picture), partial(engine, picture), networks(picture)
        for every, some in zip(times, turns(*works, repetitions=repetitions), strict=True):
            every += some
    return times


def main() -> None:
    """Entry point. Ends with 0 whatever the figures are."""
    parser = argparse.ArgumentParser("python -m benchmarks.visible", description=__doc__)
    parser.add_argument("--count", type=int, default=600, help="pictures in each of the two sets")
    parser.add_argument("--repetitions", type=int, default=5, help="of each of the ten timed pictures")
    parser.add_argument("--names", action="store_true", help="name every picture that went wrong")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        with_label, without = read(visible_set.labelled(arguments.count)), read(visible_set.unlabelled(arguments.count))
        errors = sorted(map(abs, with_label.errors.values()))
        bias = statistics.median(with_label.errors.values())
        print(f"labelled    {with_label.count}: recall {with_label.recall:.2%} (target 99 %)")
        print(f"height      {with_label.within:.2%} within ±10 %; median error {errors[len(errors) // 2]:.1%}, "
              f"95th percentile {errors[int(0.95 * len(errors))]:.1%}, "
              f"largest {errors[-1]:.1%}, bias {bias:+.1%}")  # fmt: skip
        print(
            f"unlabelled  {without.count}: {len(without.false)} false alarms (target 0.5 %), half of them full of text"
        )
        missed = Counter(name.split()[1].split("/")[0] for name in with_label.missed)
        print("missed by style:", ", ".join(f"{style} {count}" for style, count in missed.items()) or "none")
        if arguments.names:
            wrong = [f"{error:+.1%} {name}" for name, error in with_label.errors.items() if abs(error) > TOLERANCE]
            print(*with_label.missed, *wrong, *without.false, sep="\n")
        for where, context in (("", contextlib.nullcontext()), (", a core is busy", busy_core())):
            with context:
                a, b, _ = (statistics.median(times) * 1e3 for times in race(arguments.repetitions))
            print(f"1024×1024{where}: {a:.0f} ms against {b:.0f} ms of RapidOCR's defaults: {b / a:.1f}× faster")


if __name__ == "__main__":
    main()
