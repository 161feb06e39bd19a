"""Videos with a label on some of their frames, made with PyAV, and the finding on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from labeling.filebytes import FileBytes
from labeling.findings import Finding
from labeling.marks.visible import LabelPainter, Style
from labeling.verification import visible_video

Pixels = NDArray[np.uint8]
Shot = tuple[float, Pixels]

FORMATS = {".mp4": "mp4", ".mov": "mp4", ".m4a": "mp4", ".mkv": "matroska", ".webm": "matroska", ".opus": "ogg"}


def scene(width: int, height: int, seconds: float) -> Pixels:
    """A gradient with a disc that moves across it."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    picture = (np.stack([80 + 90 * x, 70 + 60 * y, 140 - 70 * x * y], axis=2)).astype(np.uint8)
    at = int(width * (0.2 + 0.2 * seconds) % width), height // 3
    return cv2.circle(picture, at, height // 8, (200, 180, 40), -1)  # type: ignore[return-value]


def labelled(pixels: Pixels, painter: LabelPainter) -> Pixels:
    height, width = pixels.shape[:2]
    left, top, right, bottom = painter.box(width, height)
    overlay = painter.paint([pixels[top:bottom, left:right]]).astype(float)
    cover, out = overlay[..., 3:] / 255, pixels.copy()
    under = out[top:bottom, left:right]
    out[top:bottom, left:right] = (under * (1 - cover) + overlay[..., :3] * cover).round().astype(np.uint8)
    return out


def shots(
    since: float,
    until: float,
    *,
    length: float = 2.4,
    fps: float = 25,
    size: tuple[int, int] = (480, 270),
    **style: Any,
) -> Iterator[Shot]:
    """Frames of ``length`` seconds that carry the label from ``since`` to ``until``."""
    painter = LabelPainter(Style(**style))
    for number in range(round(length * fps)):
        at = number / fps
        pixels = scene(*size, at)
        yield at, labelled(pixels, painter) if since - 1e-6 <= at < until - 1e-6 else pixels


def make_video(
    path: Path,
    frames: Iterator[Shot],
    codec: str = "libx264",
    *,
    tick: int = 12800,
    aspect: Fraction | None = None,
    turn: Callable[[Pixels], Pixels] = lambda pixels: pixels,
    rotation: int = 0,
    audio: NDArray[np.float32] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write frames with PyAV; each is shown until the next. ``audio`` is mono at 48 kHz."""
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=25, options=options or {})
        voice: Any = out.add_stream("aac", rate=48000, layout="mono") if audio is not None else None
        stream.pix_fmt = "yuv422p10le" if codec == "prores_ks" else "yuv420p"
        stream.codec_context.time_base = Fraction(1, tick)
        for number, (at, displayed) in enumerate(frames):
            pixels = np.ascontiguousarray(turn(displayed))
            if not number:
                stream.width, stream.height = pixels.shape[1], pixels.shape[0]
                if aspect is not None:
                    stream.codec_context.sample_aspect_ratio = aspect
                if rotation:
                    stream.set_display_rotation(rotation)
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts, frame.time_base = round(at * tick), Fraction(1, tick)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
        if audio is not None:
            for start in range(0, audio.size, 1024):
                piece = av.AudioFrame.from_ndarray(audio[None, start : start + 1024], "fltp", "mono")
                piece.sample_rate, piece.pts = 48000, start
                out.mux(voice.encode(piece))
            out.mux(voice.encode())
    return path


def look(path: Path, **options: Any) -> Finding:
    with FileBytes(path.open("rb", buffering=0), str(path)) as data:
        format = FORMATS.get(path.suffix, path.suffix[1:])
        finding = visible_video.find_explicit_label(data, format, languages=("zh",), **options)
        if path.stat().st_size < 1 << 20:
            assert (
                visible_video.find_explicit_label(data[0 : len(data)], format, languages=("zh",), **options) == finding
            )
    return finding


def rules(finding: Finding) -> list[str]:
    return [defect.rule for defect in finding.defects]
