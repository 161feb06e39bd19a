"""Labelled frames for those who encode themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from labeling.codecs.video.frames import label_frames
from labeling.errors import LabelingError
from labeling.marks.visible import read_visible

from .video_files import PAINTER, H, W, has_label, pictures


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK"])
def test_labelled_pil_frames_for_those_who_encode_themselves(mode: str) -> None:
    frames = [Image.fromarray(frame).convert(mode) for frame in pictures(3)]
    copies = [frame.copy() for frame in frames]
    made = list(label_frames(iter(frames), PAINTER))
    assert [frame.tobytes() for frame in frames] == [frame.tobytes() for frame in copies]
    left, top, right, bottom = PAINTER.box(W, H)
    for ours, frame in zip(made, frames, strict=True):
        assert (ours.mode, ours.size) == ("RGB" if mode == "P" else mode, frame.size)
        assert has_label(np.asarray(ours.convert("RGB")))
        one, other = np.array(ours), np.array(frame.convert(ours.mode))
        one[top:bottom, left:right] = other[top:bottom, left:right] = 0
        assert np.array_equal(one, other)


def test_labelled_arrays_keep_their_look_and_follow_a_change_of_size() -> None:
    large = [np.full((H, W, 3), level, np.uint8) for level in (0, 255, 90)]
    small = [np.zeros((120, 200), np.uint8), np.zeros((120, 200, 4), np.uint8)]
    made = list(label_frames([*large, *small], PAINTER))
    assert [frame.shape for frame in made] == [frame.shape for frame in [*large, *small]]
    assert all(frame.max() == frame.min() for frame in [*large, *small])
    for frame in made[:3]:
        finding = read_visible(frame)
        assert finding.value["text"] == "AI生成"
        assert finding.value["contrast"] >= 4.5
    left, top, right, bottom = PAINTER.box(W, H)
    dark, light = (frame[top:bottom, left:right] for frame in made[:2])
    assert (dark == 255).any() and (dark == 0).any() and (light == 255).any() and (light < 110).any()  # plate and ink
    assert has_label(np.dstack([made[3]] * 3))
    assert has_label(made[4][..., :3])


@pytest.mark.parametrize(
    "frame", [np.zeros((H, W, 3), np.float32), np.zeros((3, H, W), np.uint8), b"", np.zeros(4, np.uint8)]
)
def test_label_frames_refuses_what_is_no_frame(frame: Any) -> None:
    with pytest.raises(LabelingError, match="a frame must be a PIL image or a uint8 array"):
        list(label_frames([frame], PAINTER))
