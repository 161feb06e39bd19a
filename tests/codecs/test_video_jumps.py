"""Frames that are asked for by their time: behind a jump to a key frame they are what decoding all would give."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from labeling.codecs.video import key_frames, sample
from labeling.containers import formats
from labeling.filebytes import FileBytes
from labeling.verification.visible_video import LATER

X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")
CUT = ("-sc_threshold", "0")


class Clip(NamedTuple):
    """How a clip is made, and how many jumps its index allows; ``None`` where that is for FFmpeg to say."""

    name: str
    rate: str
    words: tuple[str, ...]
    jumps: int | None
    seconds: float = 5.2


CLIPS = (
    Clip("second.mp4", "25", (*X264, *CUT, "-g", "25", "-bf", "3"), 3),
    Clip("two.mp4", "30", (*X264, *CUT, "-g", "60"), 2),
    Clip("ntsc.mp4", "30000/1001", (*X264, *CUT, "-g", "60"), 2),
    Clip("default.mp4", "25", X264, 0),
    Clip("open.mp4", "25", (*X264, *CUT, "-g", "20", "-x264-params", "open-gop=1:bframes=3"), 2),
    Clip("intra.mov", "25", ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p"), 4),
    Clip("hevc.mp4", "24", ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=24"), 3),
    Clip("short.mp4", "25", (*X264, *CUT, "-g", "25"), 2, 2.6),
    Clip("moved.mp4", "25", (*X264, *CUT, "-g", "25", "-output_ts_offset", "3.3"), 3),
    Clip("parts.mp4", "25", (*X264, *CUT, "-g", "25", "-movflags", "+frag_keyframe+empty_moov"), None),
    Clip("a.mkv", "25", (*X264, *CUT, "-g", "25"), None),
    Clip("a.avi", "25", ("-c:v", "mpeg4", "-g", "25"), 3),
    Clip("long.avi", "25", ("-c:v", "mpeg4", "-g", "250"), 0),
    Clip("a.flv", "25", (*X264, *CUT, "-g", "25"), None),
)  # fmt: skip


class Shown(NamedTuple):
    """A frame: when it is shown, until when, whether it is the last, and its pixels."""

    seconds: float
    end: float
    last: bool
    pixels: bytes


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("jumps")
    for clip in CLIPS:
        source = f"testsrc2=s=96x64:r={clip.rate}:d={clip.seconds},noise=alls=5:allf=t"
        command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, *clip.words, str(folder / clip.name)]
        subprocess.run(command, check=True)
    return folder


def asked(path: Path, *, jumping: bool) -> Iterator[Shown]:
    """The frames that the verifier reads of a video in which it finds nothing."""
    format = {"mov": "mp4", "mkv": "matroska"}.get(path.suffix[1:], path.suffix[1:])
    assert formats.find(format) is not None
    with FileBytes(path.open("rb"), str(path)) as data:
        frames = sample.opened(data, format, max_pixels=10**6).frames()
        next(frames)
        for due in LATER:
            while True:
                try:
                    frame = frames.send(due) if jumping else next(frames)
                except StopIteration:
                    return
                if frame.end > due or frame.last:
                    yield Shown(round(frame.seconds, 4), round(frame.end, 4), frame.last, frame.rgb().tobytes())
                    break


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.name)
def test_what_is_read_behind_a_jump_is_what_decoding_all_gives(
    made: Path, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    jumps: list[bool] = []
    real = key_frames.jump

    def counted(*words: object) -> bool:
        jumps.append(real(*words))  # type: ignore[arg-type]
        return jumps[-1]

    monkeypatch.setattr(key_frames, "jump", counted)
    with_jumps = list(asked(made / clip.name, jumping=True))
    taken = sum(jumps)
    assert clip.jumps is None or taken == clip.jumps
    without = list(asked(made / clip.name, jumping=False))
    assert sum(jumps) == taken
    assert len(with_jumps) == len(without) == sum(due < clip.seconds for due in LATER) + (clip.seconds < LATER[-1])
    for a, b in zip(with_jumps, without, strict=True):
        if a.seconds != b.seconds:  # at 29.97 pictures a second, the key frame is 2 or 4 milliseconds late
            assert 0 <= a.seconds - b.end <= key_frames.NEAR
        else:
            assert a == b


def test_an_index_that_calls_every_picture_a_key_frame_leads_nobody_astray(made: Path, tmp_path: Path) -> None:
    data = bytearray((made / "default.mp4").read_bytes())
    at = data.index(b"stss")  # the box of sync samples (ISO/IEC 14496-12, 8.6.2): without it, all are
    data[at : at + 4] = b"free"
    path = tmp_path / "wrong.mp4"
    path.write_bytes(data)
    wrong, right = (list(asked(each, jumping=True)) for each in (path, made / "default.mp4"))
    assert [each[:3] for each in wrong] == [each[:3] for each in right]
    for a, b in zip(wrong, right, strict=True):
        difference = np.frombuffer(a.pixels, np.uint8).astype(int) - np.frombuffer(b.pixels, np.uint8)
        assert not difference.any()


def test_an_index_that_calls_other_pictures_key_frames_leads_nobody_astray(made: Path, tmp_path: Path) -> None:
    """MPEG-4's decoder makes up what a picture refers to: gray, in which no label can be read."""
    data = bytearray((made / "long.avi").read_bytes())
    at = data.rindex(b"idx1")
    for number in range(int.from_bytes(data[at + 4 : at + 8], "little") // 16):
        data[at + 12 + 16 * number] = 0x10 if number in (0, 44, 95) else 0  # AVIIF_KEYFRAME
    path = tmp_path / "wrong.avi"
    path.write_bytes(data)
    assert list(asked(path, jumping=True)) == list(asked(made / "long.avi", jumping=False))
