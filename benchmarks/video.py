"""Labels on video, file to file, against the ``ffmpeg`` command and ``cp``; and whether anything else changes."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import PRODUCER
from benchmarks._measure import Row, Settings, Work, alternate, command_path, detail, run, turns

PRESET, CRF = "veryfast", 23
LABEL_SECONDS = 2
IN_PROCESS = "label_file"

PEAK = """\
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""A process that is small itself: the kernel counts for a child what its parent held when it was started."""


def _ffmpeg(*words: str | Path, output: Path | None = None) -> None:
    found = shutil.which("ffmpeg")
    if found is None:
        raise RuntimeError("ffmpeg is the alternative here; install it (Debian: ffmpeg)")
    run([found, "-v", "error", "-nostdin", "-y", *words], output=output)


def _size(settings: Settings) -> tuple[int, int, int]:
    """Width, height and seconds of the video."""
    return (320, 180, 4) if settings.quick else (1920, 1080, 60)


def _words(settings: Settings) -> str:
    _, height, seconds = _size(settings)
    return f"{seconds} s {height}p30 H.264"


def _source(settings: Settings, *, keyint: int = 60) -> Path:
    """A moving test picture with noise, and a tone; encoded once.

    Groups of 60 pictures are always as long, as streaming has them; those of 250 end at scene cuts, x264's default.
    """
    width, height, seconds = _size(settings)
    path = settings.scratch / f"video-{keyint}.mp4"
    if not path.exists():
        picture = f"testsrc2=s={width}x{height}:r=30:d={seconds},noise=alls=8:allf=t,format=yuv420p"
        _ffmpeg(
            "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", f"sine=d={seconds}:r=48000",
            "-c:v", "libx264", "-preset", PRESET, "-crf", str(CRF), "-g", str(keyint),
            *(("-sc_threshold", "0") if keyint == 60 else ()), "-c:a", "aac", path,
        )  # fmt: skip
    return path


def _repeated(source: Path, target: Path, times: int) -> Path:
    """Repeat a video ``times`` times in one file, without re-encoding."""
    if not target.exists():
        _ffmpeg("-stream_loop", str(times - 1), "-i", source, "-c", "copy", target)
    return target


def _labeler(**more: Any) -> Any:
    import labeling

    return labeling.Labeler(producer=PRODUCER, video=labeling.VideoOptions(preset=PRESET, crf=CRF, **more))


def _burnt(settings: Settings, source: Path, *, always: bool = False) -> Work:
    """What one does without us: lay the text over the video as a picture, and re-encode all of it."""
    from PIL import Image, ImageDraw, ImageFont

    from labeling.marks import visible

    _, height, _ = _size(settings)
    picture = settings.scratch / "label.png"
    font = next((Path(visible.__file__).parent / "font").glob("*.[ot]tf"))
    letters = ImageFont.truetype(font, round(0.06 * height))
    left, top, right, bottom = (round(edge) for edge in letters.getbbox("AI生成", stroke_width=2))
    image = Image.new("RGBA", (right - left, bottom - top))
    draw = ImageDraw.Draw(image)
    draw.text((-left, -top), "AI生成", "white", letters, stroke_width=2, stroke_fill="black")
    image.save(picture)
    overlay = f"overlay=W-w-{height // 50}:H-h-{height // 50}"
    if not always:
        overlay += f":enable='lt(t,{LABEL_SECONDS})'"
    return partial(
        _ffmpeg, "-i", source, "-i", picture, "-filter_complex", overlay,
        "-c:v", "libx264", "-preset", PRESET, "-crf", str(CRF), "-c:a", "copy", settings.scratch / "burnt.mp4",
    )  # fmt: skip


def _settle() -> None:
    """Wait until the disk has nothing to do for earlier runs."""
    if hasattr(os, "sync"):
        os.sync()


def _faster(work: str, ours: Work, other: Work, repetitions: int, limit: float | None, versus: str) -> Row:
    """A row whose alternative takes most of a minute: it is not warmed up, ours is."""
    ours()
    mine, theirs = turns(ours, other, repetitions=repetitions, between=_settle, warm=False)
    a, b = statistics.median(mine), statistics.median(theirs)
    return Row(
        work, versus, a, b, "s", b / a, limit, f"≥ {limit:.1f}× faster" if limit else "", form="{:.2f}× faster",
        at_least=True, detail=detail(mine, theirs),
    )  # fmt: skip


def start(settings: Settings) -> Iterator[Row]:
    """The label on the first two seconds: by the library, and by the command."""
    source, ours = _source(settings), settings.scratch / "ours.mp4"
    burn, words, versus = _burnt(settings, source), _words(settings), "ffmpeg overlay, whole video"
    label = _labeler().label_file
    first = _faster(
        f"{words} + AAC, start label, {IN_PROCESS}", partial(label, source, ours), burn,
        1, 16.0, versus,
    )  # fmt: skip
    yield first
    command: list[str | Path] = [
        command_path(), "add", source, "-o", ours, "--producer", PRODUCER, "--preset", PRESET, "--crf", str(CRF), "-q",
    ]  # fmt: skip
    mine, _ = alternate(partial(run, command), lambda: None, settings.repetitions(3), between=_settle)
    other = first.other or 0.0  # that of the row before: another minute of ffmpeg would tell nothing new
    a = statistics.median(mine)
    yield Row(
        "  the same by aigc-label", versus, a, other, "s", other / a, None, "", form="{:.2f}× faster", at_least=True,
        detail=detail(mine, mine),
    )  # fmt: skip
    yield from _exact(settings, source, ours)


def groups(settings: Settings) -> Iterator[Row]:
    """The same with longer groups of pictures."""
    source = _source(settings, keyint=250)
    yield _faster(
        f"{_words(settings)} + AAC, x264's default groups (keyint 250), start label, {IN_PROCESS}",
        partial(_labeler().label_file, source, settings.scratch / "ours.mp4"), _burnt(settings, source), 1, None,
        "ffmpeg overlay, whole video",
    )  # fmt: skip


def _sums(settings: Settings, path: Path, *words: str) -> list[str]:
    """FFmpeg's lines of a framemd5 file: stream, dts, pts, duration, size, MD5."""
    output = settings.scratch / "sums.txt"
    _ffmpeg("-i", path, *words, "-f", "framemd5", "-", output=output)
    return [line for line in output.read_text().splitlines() if not line.startswith("#")]


def _exact(settings: Settings, source: Path, ours: Path) -> Iterator[Row]:
    """Count the pictures after the label that decode as before, and the packets of audio that are the same."""
    first = LABEL_SECONDS * 30
    for what, words, start in (
        ("pictures after the label, framemd5", ("-map", "0:v"), first),
        ("packets of audio", ("-map", "0:a", "-c", "copy"), 0),
    ):
        before, after = (_sums(settings, path, *words) for path in (source, ours))
        same = sum(a == b for a, b in zip(before[start:], after[start:], strict=False))
        count = max(len(before), len(after)) - start
        yield Row(
            f"  {what}", "the source's", same, count, "equal", 100 * same / count, 100.0, "100 %", form="{:.2f} %",
            at_least=True,
        )  # fmt: skip


def _copy(source: Path, settings: Settings) -> Work:
    return partial(run, ["cp", source, settings.scratch / "copy.mp4"])


def long(settings: Settings) -> Iterator[Row]:
    """A video ten times as long costs no more than copying it."""
    source, ours = _source(settings), settings.scratch / "ours.mp4"
    tenfold = _repeated(source, settings.scratch / "long.mp4", 10)
    label = _labeler().label_file
    repetitions = settings.repetitions(5)
    mine, short = alternate(partial(label, tenfold, ours), partial(label, source, ours), repetitions, between=_settle)
    copy, _ = alternate(_copy(tenfold, settings), lambda: None, repetitions, between=_settle)
    a, b, c = map(statistics.median, (mine, short, copy))
    yield Row(
        f"ten times {_words(settings)}, start label, {IN_PROCESS}", "our one time + 1.5 × cp", a, b + 1.5 * c, "s",
        a / (b + 1.5 * c), 1.0, "≤ 1×",
        detail={**detail(mine, short), "cp": c, "bytes": tenfold.stat().st_size},
    )  # fmt: skip


def whole(settings: Settings) -> Iterator[Row]:
    """The label on every picture: both re-encode everything."""
    source = _source(settings)
    label = _labeler(when="whole").label_file
    yield _faster(
        f"{_words(settings)}, label throughout, {IN_PROCESS}", partial(label, source, settings.scratch / "ours.mp4"),
        _burnt(settings, source, always=True), settings.repetitions(2), 1.0, "ffmpeg overlay",
    )  # fmt: skip


def metadata(settings: Settings) -> Iterator[Row]:
    """Metadata alone into a large video: it takes as long as ``cp``, and next to no memory."""
    import labeling

    small, ours = _source(settings), settings.scratch / "ours.mp4"
    wanted = (1 << 21) if settings.quick else 10**9
    source = _repeated(small, settings.scratch / "large.mp4", -(-wanted // small.stat().st_size))
    size = source.stat().st_size
    words = f"{size / 1e9:.2f} GB MP4, metadata only"
    label = labeling.Labeler(producer=PRODUCER, visible=False).label_file
    command: list[str | Path] = [
        command_path(),
        "add",
        "--no-visible",
        "--producer",
        PRODUCER,
        "-q",
        source,
        "-o",
        ours,
    ]
    copy, repetitions = _copy(source, settings), settings.repetitions(5)
    for row, work, limit in (
        (f"{words}, {IN_PROCESS}", partial(label, source, ours), 1.3),
        ("  the same by aigc-label", partial(run, command), None),
    ):
        mine, theirs = alternate(work, copy, repetitions, between=_settle)
        a, b = statistics.median(mine) * 1e3, statistics.median(theirs) * 1e3
        yield Row(
            row, "cp", a, b, "ms", a / b, limit, "≤ 1.3×" if limit else "",
            detail={**detail(mine, theirs), "bytes": size}, bare=b, bare_of="cp",
        )  # fmt: skip
    if sys.platform == "linux":
        peaks = settings.scratch / "peak.txt"
        run([sys.executable, "-c", PEAK, *command], output=peaks)
        peak = int(peaks.read_text()) / 1024
        yield Row("  peak memory of aigc-label", "—", peak, None, "MiB", peak, 100.0, "≤ 100 MiB", form="{:.0f} MiB")


def verify(settings: Settings) -> Iterator[Row]:
    """Verify a labelled video; a call that does not count loads the OCR models."""
    import labeling

    labelled = settings.scratch / "labelled.mp4"
    _labeler().label_file(_source(settings), labelled)
    for words, visible, limit, target in (
        ("visible label and metadata", True, 1500.0, "≤ 1500 ms"), ("metadata alone", False, 20.0, "≤ 20 ms"),
    ):  # fmt: skip
        look = partial(labeling.verify, labelled, ["cn"], visible=visible)
        verdict = look().verdicts["cn"]
        if visible and verdict.outcome != "compliant":
            raise RuntimeError(f"our verifier did not find the video compliant: {verdict}")
        times = []
        for _ in range(settings.repetitions(11)):
            start = time.perf_counter()
            look()
            times.append(time.perf_counter() - start)
        value = statistics.median(times) * 1e3
        yield Row(
            f"{_words(settings)}, {words} verified, verify()", "—", value, None, "ms", value, limit, target,
            form="{:.1f} ms", detail=detail(times, times),
        )  # fmt: skip
    command: list[str | Path] = [command_path(), "verify", "-q", _source(settings)]
    mine, bare = turns(
        partial(run, command, codes=(1, 3)), partial(run, [sys.executable, "-c", "pass"]),
        repetitions=settings.repetitions(5),
    )  # fmt: skip
    a = statistics.median(mine)
    yield Row(
        f"{_words(settings)} without a label, verified by aigc-label", "", a, None, "s", a, 1.2, "≤ 1.2 s",
        form="{:.2f} s", detail=detail(mine, bare), bare=statistics.median(bare), bare_of="bare Python",
    )  # fmt: skip
