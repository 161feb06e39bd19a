"""Frames from memory to a video with the label on each, against PyAV encoding the same frames without it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks._measure import Row, Settings, race

WIDTH, HEIGHT, FPS = 1280, 720, 24
PRESET, CRF = "veryfast", 18


def _moving(count: int) -> list[Any]:
    """Frames of a picture that drifts, with a little noise: (HEIGHT, WIDTH, 3) uint8 RGB, 2.6 MiB each."""
    import numpy as np

    from benchmarks._pictures import photo

    random = np.random.default_rng(7)
    large = np.asarray(photo().convert("RGB").resize((WIDTH + 2 * count, HEIGHT + count)))
    grain = random.integers(0, 4, large.shape, np.uint8)
    large = np.maximum(large, 4) - grain
    return [np.ascontiguousarray(large[n : n + HEIGHT, 2 * n : 2 * n + WIDTH]) for n in range(count)]


def _ours(frames: list[Any], path: Path) -> int:
    from labeling.codecs.video.writer import VideoWriter
    from labeling.marks.visible import LabelPainter

    with VideoWriter(path, "mp4", LabelPainter(), (WIDTH, HEIGHT), FPS, quality=CRF, preset=PRESET) as video:
        for frame in frames:
            video.write(frame)
    return path.stat().st_size


def _plain(frames: list[Any], path: Path) -> int:
    """As PyAV's own examples do it, with the options that ours sets."""
    import av

    options = {"crf": str(CRF), "preset": PRESET}
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS, options=options, width=WIDTH, height=HEIGHT)
        stream.pix_fmt = "yuv420p"
        stream.thread_type = "AUTO"
        for array in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(array, "rgb24")))
        container.mux(stream.encode(None))
    return path.stat().st_size


def frames(settings: Settings) -> Iterator[Row]:
    """ndarrays → labelled MP4, the label on every frame."""
    count = 24 if settings.quick else 240
    made = _moving(count)
    path = settings.scratch / "frames.mp4"
    yield race(
        f"{count} frames of 720p → labelled H.264 {PRESET}", "PyAV encode, unlabelled",
        partial(_ours, made, path), partial(_plain, made, path),
        settings.repetitions(5), 1.05, "≤ 1.05×",
    )  # fmt: skip
