"""Files of several full pictures (MPO, stereo cameras): every view has the label, and the index leads to each."""

from __future__ import annotations

import io
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

from labeling import Labeler, verify

from .marks import signing
from .pictures import rgb

VIEWS = [(640, 480), (322, 250)]
ORIENTATION = 0x0112


def _shifted(size: tuple[int, int], by: int) -> Image.Image:
    """A view from further aside."""
    return Image.fromarray(np.roll(np.asarray(rgb(*size)), by, axis=1))


def _mpo(images: list[Image.Image], *, turned: int = 1, **options: Any) -> bytes:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[ORIENTATION] = turned
    images[0].save(out, "MPO", save_all=True, append_images=images[1:], quality=90, exif=exif, **options)
    return out.getvalue()


def _views(data: bytes) -> list[Image.Image]:
    """Cut the views out by the index, as Pillow reads it."""
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "MPO"
        return [view.convert("RGB") for view in ImageSequence.Iterator(image)]


def _first_end(data: bytes) -> int:
    at = data.index(b"\xff\xda")
    while data[at + 1] != 0xD9:
        at = data.index(b"\xff", at + 2)
    return at + 2


@pytest.mark.needs("exiftool")
@pytest.mark.parametrize("sign", [False, True], ids=["plain", "signed"])
@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}], ids=["4:2:0", "progressive", "4:4:4"]
)
@pytest.mark.parametrize("size", VIEWS)
@pytest.mark.parametrize("count", [2, 3])
def test_every_view_has_the_label(
    count: int, size: tuple[int, int], options: dict[str, Any], sign: bool, tmp_path: Path
) -> None:
    source = _mpo([_shifted(size, 9 * number) for number in range(count)], **options) + b"behind it all"
    made = Labeler("service", signer=signing.signer() if sign else None).label_image(source)
    assert not made.lost
    assert f"the label is on {count - 1} of the {count - 1} further pictures" in " ".join(made.how)
    before, after = _views(source), _views(made.data)
    assert len(after) == count
    left, top, right, bottom = next(each for each in made.report.findings if each.kind == "visible").value["box"]
    for old, new in zip(before, after, strict=True):
        assert next(each for each in verify(new).findings if each.kind == "visible").status.value == "present"
        unlike = (np.asarray(old) != np.asarray(new)).any(axis=2)
        assert unlike[top:bottom, left:right].any()
        assert not unlike[: max(0, top - 32)].any()
    assert made.data.endswith(b"behind it all")
    path = tmp_path / "out.jpg"
    path.write_bytes(made.data)
    told = subprocess.run(
        ["exiftool", "-validate", "-warning", "-a", str(path)], check=True, capture_output=True, text=True
    )
    assert "MPF" not in told.stdout
    assert "MPImage" not in told.stdout
    if sign:
        assert signing.witness(made.data)["validation_state"] == "Valid"
    again = Labeler("service", signer=signing.signer() if sign else None).label_image(made.data)
    assert "the visible label is there already" in again.how
    assert [each.tobytes() for each in _views(again.data)] == [each.tobytes() for each in after]


@pytest.mark.parametrize("visible", [False, True], ids=["metadata", "visible"])
def test_maps_and_strangers_stay_as_they_are(visible: bool) -> None:
    """A gray map of the same size, and a smaller picture of something else."""
    first = rgb(640, 480)
    other = Image.new("RGB", (160, 120), (250, 240, 10))
    source = _mpo([first, first.convert("L"), other])
    made = Labeler("service", visible=visible).label_image(source)
    assert not made.lost
    assert made.data[_first_end(made.data) :] == source[_first_end(source) :]
    assert len(_views(made.data)) == 3
    assert not visible or "stay as they are" in " ".join(made.how)


def test_a_smaller_copy_gets_the_label_at_its_size() -> None:
    first = rgb(640, 480)
    source = _mpo([first, first.resize((320, 240)), rgb(640, 480, 3).convert("L")])
    made = Labeler("service").label_image(source)
    assert "the label is on 1 of the 2 further pictures" in " ".join(made.how)
    old, new = _views(source)[1], _views(made.data)[1]
    left, top, right, bottom = (
        value // 2 for value in next(each for each in made.report.findings if each.kind == "visible").value["box"]
    )
    unlike = (np.asarray(old) != np.asarray(new)).any(axis=2)
    assert unlike[top:bottom, left:right].mean() > 0.5
    assert not unlike[: top - 17].any()
    assert _views(source)[2].tobytes() == _views(made.data)[2].tobytes()


@pytest.mark.parametrize("turned", [3, 6, 8])
def test_the_first_view_is_upright_by_its_own_orientation(turned: int) -> None:
    source = _mpo([rgb(640, 480), _shifted((640, 480), 9)], turned=turned)
    made = Labeler("service").label_image(source)
    assert made.report.compliant
    assert verify(made.data).compliant
    assert not made.lost


def test_a_damaged_view_is_left_alone() -> None:
    source = bytearray(_mpo([rgb(640, 480), _shifted((640, 480), 9)]))
    second = source.index(b"\xff\xd8\xff", _first_end(bytes(source)))
    frame = source.index(b"\xff\xc0", second)
    struct.pack_into(">H", source, frame + 5, 0)  # a picture without height
    made = Labeler("service").label_image(bytes(source))
    assert "stay as they are" in " ".join(made.how)
    assert made.data[_first_end(made.data) :] == source[_first_end(bytes(source)) :]
