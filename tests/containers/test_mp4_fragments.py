"""Movie fragments as they are read and rewritten: bounds, and what is said of damaged ones."""

from __future__ import annotations

import contextlib
import time
import tracemalloc

import pytest

from labeling import LabelingError
from labeling.containers.mp4 import fragments
from labeling.containers.mp4.layout import lay_out
from tests.containers.mp4_files import ffmpeg


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("fragments") / "video.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=160x120:rate=25:duration=2", "-f", "lavfi", "-i", "sine=duration=2",
           "-c:v", "libx264", "-g", 25, "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov", path)  # fmt: skip
    return path.read_bytes()


def runs(data: bytes) -> list[fragments.Run]:
    return [run for one in fragments.fragments(data, lay_out(data)) for part in one.tracks for run in part.runs]


def test_samples_follow_each_other_and_lie_in_the_media(video: bytes) -> None:
    found = runs(video)
    assert sum(len(run.rows) for run in found[::2]) == 50
    assert all(0 < run.at < run.end <= len(video) for run in found)


@pytest.mark.parametrize("count", [1 << 20, (1 << 32) - 1])
def test_a_run_that_says_it_has_too_many_samples_costs_nothing(count: int, video: bytes) -> None:
    data = bytearray(video)
    at = data.index(b"trun")
    data[at + 4 : at + 12] = b"\0\0\0\1" + count.to_bytes(4, "big")  # every sample takes the defaults
    tracemalloc.start()
    start = time.process_time()
    try:
        runs(bytes(data))
    except LabelingError as error:
        assert "more samples than" in str(error)
    assert time.process_time() - start < 5
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()


def test_no_flipped_byte_of_a_fragment_raises_anything_else(video: bytes) -> None:
    at = video.index(b"moof")
    for place in range(at - 4, at + 200):
        data = bytearray(video)
        data[place] ^= 0xFF
        with contextlib.suppress(LabelingError):
            runs(bytes(data))
