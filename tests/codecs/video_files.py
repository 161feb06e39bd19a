"""Helpers for the tests of written videos: frames to write, and how independent tools see the file."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from labeling.codecs.video.writer import VideoWriter, container_of
from labeling.marks.visible import LabelPainter, read_visible

W, H = 320, 192
PAINTER = LabelPainter()


class Tensor:
    """What of a torch tensor is used, on the numpy array inside."""

    def __init__(self, array: Any) -> None:
        self.array, self.dtype = array, f"torch.{array.dtype}"

    def detach(self) -> Tensor:
        return self

    cpu = detach

    def numpy(self) -> Any:
        return self.array


def pictures(count: int) -> Iterator[Any]:
    y, x = np.mgrid[0:H, 0:W]
    for n in range(count):
        yield np.stack([(x + 3 * n) % 200, (y + 2 * n) % 200, np.full_like(x, 90)], axis=-1).astype(np.uint8)


def write(path: Path, frames: Any, *, fps: Any = 24, painter: Any = PAINTER, **options: Any) -> VideoWriter:
    path.touch()
    with VideoWriter(path, container_of(path), painter, (W, H), fps, **{"preset": None, **options}) as video:
        for frame in frames:
            video.write(frame)
    return video


def probe(path: Path) -> Any:
    """What ffprobe says, which must have nothing to complain of."""
    command = ["ffprobe", "-v", "warning", "-of", "json", "-show_streams", "-show_format", "-count_packets", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return json.loads(done.stdout)


def decoded(path: Path) -> Any:
    """All frames as (N, H, W, 3), by the ffmpeg command."""
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-copyts",
        "-i",
        str(path),
        "-map",
        "0:v",
        "-fps_mode",
        "passthrough",
        "-pix_fmt",
        "rgb24",
    ]
    done = subprocess.run([*command, "-f", "rawvideo", "-"], capture_output=True, check=True)
    assert done.stderr == b""
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, H, W, 3)


def has_label(pixels: Any) -> bool:
    return "text" in read_visible(pixels).value


def tone(seconds: float, rate: int = 48_000, channels: int = 2) -> Any:
    wave = 0.4 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)
    return np.repeat(wave.astype(np.float32)[:, None], channels, axis=1)
