"""JPEG files whose picture data is damaged: what libjpeg says of it is in the result, and not on the terminal."""

from __future__ import annotations

import io
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labeling import Labeler, WouldLose
from labeling.codecs.jpeg import dct, segments
from labeling.codecs.jpeg.warnings import listening

from .pictures import rgb
from .test_bad_input import PRODUCER, add

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the line is printed, and nothing is known")


def jpeg(**options: object) -> bytes:
    out = io.BytesIO()
    rgb(640, 480).save(out, "JPEG", quality=90, **options)
    return out.getvalue()


def cut_short(data: bytes) -> bytes:
    """Leave out a part of the picture data, but not its end."""
    at = len(data) * 3 // 4
    return data[:at] + data[at + 900 :]


def read(data: bytes) -> str:
    parts = segments.split(data)
    return dct.read(segments.SOI + parts.bytes_of(parts.coded) + segments.EOI, segments.frame(parts).components)[2]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_blocks": 7}])
def test_damage_is_named_as_lost_and_not_printed(tmp_path: Path, options: dict[str, object]) -> None:
    path, sound = tmp_path / "a.jpg", tmp_path / "sound.jpg"
    sound.write_bytes(jpeg(**options))
    path.write_bytes(cut_short(sound.read_bytes()))
    done = add(path, "-o", tmp_path / "out.jpg")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "damaged picture data" in done.stdout
    made = Labeler(PRODUCER).label_file(path, tmp_path / "again.jpg")
    (lost,) = (each for each in made.lost if each.what == "damaged picture data")
    assert "could decode of it (" in lost.why
    with pytest.raises(WouldLose, match="damaged picture data"):
        Labeler(PRODUCER, strict=True).label_file(path, tmp_path / "strict.jpg")
    assert not [each for each in Labeler(PRODUCER).label_file(sound, dry_run=True).lost if "damaged" in each.what]
    with Image.open(path) as before, Image.open(tmp_path / "again.jpg") as after:
        old, new = np.asarray(before.convert("RGB"), int), np.asarray(after.convert("RGB"), int)
    left, top, right, bottom = made.report.find("visible").value["box"]  # type: ignore[union-attr]
    outside = np.ones(old.shape[:2], bool)
    outside[max(0, top - 16) : bottom + 16, max(0, left - 16) : right + 16] = False
    assert (old[outside] == new[outside]).all()


def test_threads_hear_of_their_own_pictures_only() -> None:
    sound, damaged = jpeg(), cut_short(jpeg())
    heard: dict[str, set[bool]] = {"sound": set(), "damaged": set()}

    def work(name: str, data: bytes) -> None:
        for _ in range(25):
            heard[name].add(bool(read(data)))

    threads = [
        threading.Thread(target=work, args=each) for each in (("sound", sound), ("damaged", damaged), ("sound", sound))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == {"sound": {False}, "damaged": {True}}


def test_standard_error_is_given_back(capfd: pytest.CaptureFixture[str]) -> None:
    import ctypes

    c = ctypes.CDLL(None)
    c.perror.argtypes = [ctypes.c_char_p]
    with listening() as said:
        c.perror(b"inside")
        print("from Python", file=sys.stderr)
    c.perror(b"outside")
    assert said.text.startswith("inside: ")
    err = capfd.readouterr().err
    assert "outside: " in err
    assert "from Python" in err
    assert "inside" not in err
