"""SVT-AV1 makes the process that opens it a real-time one where it may (as root); ours goes on as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from labeling.codecs.priority import kept_priority

from .cuts import make_video

TASKS = Path("/proc/self/task")
pytestmark = pytest.mark.skipif(not TASKS.is_dir(), reason="threads are found through /proc")

LABEL = """
import os, sys
import numpy as np
from PIL import Image
from labeling import Labeler

made, folder = sys.argv[1:]
labeler = Labeler("001191110102MACQD9K64010000")
labeler.label_file(made, folder + "/b.webm")
Image.fromarray(np.zeros((240, 320, 3), np.uint8)).save(folder + "/a.avif")
labeler.label_file(folder + "/a.avif", folder + "/b.avif")
print(os.sched_getscheduler(0))
"""


def policies() -> set[int]:
    return {os.sched_getscheduler(int(thread.name)) for thread in TASKS.iterdir()}


def encoder() -> Any:
    made: Any = av.CodecContext.create("libsvtav1", "w")
    made.width, made.height, made.pix_fmt, made.time_base = 320, 240, "yuv420p", Fraction(1, 25)
    made.options = {"preset": "12"}
    return made


def test_no_thread_is_a_real_time_one_while_the_encoder_works() -> None:
    made = encoder()
    with kept_priority():
        made.open()
    assert len([*TASKS.iterdir()]) > 8  # SVT-AV1's own are there
    assert policies() == {os.SCHED_OTHER}
    frame = av.VideoFrame.from_ndarray(np.zeros((360, 320), np.uint8), format="yuv420p")
    assert [*made.encode(frame), *made.encode(None)]
    assert policies() == {os.SCHED_OTHER}


def test_labelling_av1_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.webm", "-c:v", "libsvtav1", "-preset", 12, "-pix_fmt", "yuv420p", size="320x240")
    done = subprocess.run([sys.executable, "-c", LABEL, source, tmp_path], capture_output=True, text=True, check=True)
    assert int(done.stdout) == os.SCHED_OTHER
