"""Short videos and audio files of every container, made with PyAV, as they are and with a label of every kind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from labeling import Labeler, LabelingError, Signer

_FAST = {"preset": "ultrafast"}
_QUICK = {"deadline": "realtime", "cpu-used": "8"}
_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}

Video = tuple[str, str, dict[str, str]]

_MADE: tuple[tuple[str, str, Video | None, str | None, dict[str, str]], ...] = (
    ("h264.mp4", "mp4", ("libx264", "yuv420p", _FAST), "aac", {}),
    ("fragments.mp4", "mp4", ("libx264", "yuv420p", _FAST), "aac", _FRAGMENTS),
    ("h264-front.mp4", "mp4", ("libx264", "yuv420p", _FAST), None, {"movflags": "faststart"}),
    ("prores.mov", "mov", ("prores_ks", "yuv422p10le", {}), "pcm_s16le", {}),
    ("mpeg4.mov", "mov", ("mpeg4", "yuv420p", {}), None, {}),
    ("aac.m4a", "ipod", None, "aac", {}),
    ("h264.mkv", "matroska", ("libx264", "yuv420p", _FAST), "libopus", {}),
    ("ffv1.mkv", "matroska", ("ffv1", "yuv420p", {}), "pcm_s16le", {}),
    ("vp8.webm", "webm", ("libvpx", "yuv420p", _QUICK), "libopus", {}),
    ("vp9.webm", "webm", ("libvpx-vp9", "yuv420p", _QUICK), None, {}),
    ("mpeg4.avi", "avi", ("mpeg4", "yuv420p", {}), "libmp3lame", {}),
    ("mjpeg.avi", "avi", ("mjpeg", "yuvj420p", {}), "pcm_s16le", {}),
    ("flv1.flv", "flv", ("flv", "yuv420p", {}), "libmp3lame", {}),
    ("h264.flv", "flv", ("libx264", "yuv420p", _FAST), "aac", {}),
    ("pcm.wav", "wav", None, "pcm_s16le", {}),
    ("pcm.aiff", "aiff", None, "pcm_s16be", {}),
    ("lame.mp3", "mp3", None, "libmp3lame", {}),
    ("flac.flac", "flac", None, "flac", {}),
    ("aac.aac", "adts", None, "aac", {}),
    ("opus.opus", "ogg", None, "libopus", {}),
    ("flac.ogg", "ogg", None, "flac", {}),
)
"""Name, muxer, video (encoder, pixel format, its options), audio encoder, and the muxer's options."""

SIGNED = ("h264.mp4", "prores.mov", "mpeg4.avi", "pcm.wav", "lame.mp3", "flac.flac")
PAINTED = ("h264.mp4", "mpeg4.avi", "pcm.wav")


def make(path: Path, muxer: str, video: Video | None, audio: str | None, options: dict[str, str]) -> bytes:
    """Write a file of 1.2 seconds: a gradient of 96 × 64 pixels, and a tone."""
    with av.open(str(path), "w", muxer, container_options={"fflags": "+bitexact", **options}) as file:
        pictures: Any = file.add_stream(video[0], rate=10, options=video[2]) if video else None
        voice: Any = file.add_stream(audio, rate=48000, layout="mono") if audio else None
        if pictures:
            pictures.width, pictures.height, pictures.pix_fmt = 96, 64, video[1] if video else ""
            pictures.codec_context.thread_count = 1
            for number in range(12):
                pixels = np.full((64, 96, 3), 40 + 10 * number, np.uint8)
                pixels[:, : 6 * number + 1, 1] = 200
                frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 10)
                file.mux(pictures.encode(frame))
            file.mux(pictures.encode())
        if voice:
            tone = (np.sin(np.arange(57_600) / 20) * 8000).astype(np.int16)
            fifo, turned = av.AudioFifo(), av.AudioResampler(voice.format, "mono", 48000)
            piece = av.AudioFrame.from_ndarray(tone[None], "s16", "mono")
            piece.sample_rate, piece.pts = 48000, 0
            for each in turned.resample(piece):
                fifo.write(each)
            for each in fifo.read_many(voice.codec_context.frame_size or 1024, partial=True):
                file.mux(voice.encode(each))
            file.mux([packet for packet in voice.encode() if packet.size])
    return path.read_bytes()


def gather_media(producer: str, signer: Signer) -> Iterator[tuple[str, bytes]]:
    """All of them, labelled ones, and some that are signed or carry the label to be seen or heard."""
    av.logging.set_level(None)
    plain = Labeler(producer=producer, visible=False)
    signing = Labeler(producer=producer, visible=False, signer=signer)
    painting = Labeler(producer=producer)
    with tempfile.TemporaryDirectory() as folder:
        for name, muxer, video, audio, options in _MADE:
            source = Path(folder, name)
            yield name, make(source, muxer, video, audio, options)
            wanted = [("labelled", plain)]
            wanted += [("signed", signing)] if name in SIGNED else []
            wanted += [("painted", painting)] if name in PAINTED else []
            for what, labeler in wanted:
                target = Path(folder, f"{what}-{name}")
                try:
                    labeler.label_file(source, target)
                except LabelingError:
                    continue  # no place for it in this format
                yield f"{what}-{name}", target.read_bytes()
