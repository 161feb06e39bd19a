"""The overlay on decoded frames, judged by swscale, by FFmpeg's own rotation, and by reading the label back."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.codecs.video.overlay import FrameOverlay, supports
from labeling.errors import LabelingError, UnsupportedFormat
from labeling.marks.visible import LabelPainter, read_visible

from .stamp import QUARTERS, Stamp

FORMATS = [
    *("yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p", "yuv410p", "yuva420p", "yuyv422", "uyvy422"),
    *("nv12", "nv21", "nv16", "nv24", "p010le", "p016le", "p210le", "gray", "gray10le", "gray16le"),
    *("yuv420p10le", "yuv422p10le", "yuv444p12le", "yuv420p10be", "yuv444p16le"),
    *("gbrp", "gbrp10le", "gbrap", "rgb24", "bgr24", "rgba", "bgra", "argb", "abgr", "rgb0", "0bgr"),
    *("rgb48le", "rgba64le"),
]


def frame_of(pixels: Any, pix_fmt: str) -> Any:
    """RGB in any pixel format, by swscale, in BT.709."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
    # With several threads swscale overwrites samples of more than eight bits now and then.
    made = frame.reformat(
        format=pix_fmt, src_color_range=2, dst_colorspace=1, dst_color_range=range_of(pix_fmt), threads=1
    )
    made.colorspace, made.color_range = 1, range_of(pix_fmt)
    return made


def range_of(pix_fmt: str) -> int:
    limited = pix_fmt.startswith(("yuv4", "yuva", "nv", "p0", "p2", "yuyv", "uyvy"))
    return 1 if limited else 2


def pixels_of(frame: Any) -> Any:
    rgb = frame.reformat(
        format="rgb24", src_colorspace=1, src_color_range=range_of(frame.format.name), dst_color_range=2
    )
    return rgb.to_ndarray()


def planes_of(frame: Any) -> list[bytes]:
    return [bytes(plane) for plane in frame.planes]


def shown(width: int, height: int, fill: int = 90) -> Any:
    return np.full((height, width, 3), fill, np.uint8)


@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_every_pixel_format_shows_the_colours_and_nothing_else_changes(pix_fmt: str, quarters: Any) -> None:
    frame = frame_of(shown(96, 64), pix_fmt)
    before = pixels_of(frame)
    overlay = FrameOverlay(Stamp(), 96, 64)
    overlay.draw(frame)
    after = pixels_of(frame)
    seen = quarters(after, overlay.box)
    wanted = QUARTERS.astype(int)
    if pix_fmt.startswith("gray"):
        wanted = np.repeat((wanted @ (0.2126, 0.7152, 0.0722))[..., None], 3, axis=-1)
    assert np.abs(seen - wanted).max() <= 6, (pix_fmt, seen)
    left, top, right, bottom = overlay.box
    outside = np.ones(before.shape[:2], bool)
    outside[top - 5 : bottom + 5, left - 5 : right + 5] = False  # swscale smooths chroma on the way back
    assert np.array_equal(before[outside], after[outside])


@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_what_was_saved_can_be_put_back_to_the_byte(pix_fmt: str) -> None:
    frame = frame_of(shown(97, 63), pix_fmt)
    before = planes_of(frame)
    overlay = FrameOverlay(LabelPainter(), 97, 63)
    saved = overlay.save(frame)
    overlay.draw(frame)
    assert planes_of(frame) != before
    overlay.restore(frame, saved)
    assert planes_of(frame) == before
    assert sum(part.nbytes for part in saved) < 0.6 * sum(map(len, before))


def test_a_decoder_goes_on_undisturbed_once_its_frame_is_put_back(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    random = np.random.default_rng(2)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=10, options={"bf": "2"}, width=96, height=64)
        for _ in range(20):
            scene = cv2.resize(random.integers(0, 256, (8, 12, 3), np.uint8), (96, 64))
            container.mux(stream.encode(frame_of(scene, "yuv420p")))
        container.mux(stream.encode(None))

    def frames(draw: bool, restore: bool) -> list[list[bytes]]:
        overlay = FrameOverlay(Stamp(), 96, 64)
        found = []
        with av.open(str(path)) as container:
            container.streams.video[0].thread_type = "SLICE"
            for frame in container.decode(video=0):
                found.append(planes_of(frame))
                if draw:
                    saved = overlay.save(frame)
                    overlay.draw(frame)
                    if restore:
                        overlay.restore(frame, saved)
        return found

    plain = frames(draw=False, restore=False)
    assert frames(draw=True, restore=True) == plain
    assert frames(draw=True, restore=False) != plain  # which is why there is a way to put it back


@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_a_clear_overlay_changes_no_sample(pix_fmt: str) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (64, 96, 3), np.uint8)
    frame = frame_of(noise, pix_fmt)
    before = planes_of(frame)
    FrameOverlay(Stamp(alpha=0), 96, 64).draw(frame)
    assert planes_of(frame) == before


@settings(max_examples=60)
@given(
    st.integers(17, 70),
    st.integers(17, 70),
    st.tuples(st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.05, 1), st.floats(0.05, 1)),
    st.sampled_from(["yuv420p", "yuv422p", "nv12", "yuv420p10le", "yuv410p", "gray", "rgb24", "p010le"]),
    st.sampled_from([60, 255]),
)
def test_any_box_in_any_size(width: int, height: int, part: Any, pix_fmt: str, alpha: int) -> None:
    """White on black: the luma under the box is what alpha says, chroma stays neutral, all else stays."""
    left, top = int(part[0] * width), int(part[1] * height)
    box = left, top, min(width, left + 1 + int(part[2] * width)), min(height, top + 1 + int(part[3] * height))

    class White(Stamp):
        def paint(self, backdrops: Any) -> Any:
            overlay = super().paint(backdrops)
            overlay[..., :3] = 255
            return overlay

    frame = frame_of(shown(width, height, 0), pix_fmt)
    FrameOverlay(White(fixed=box, alpha=alpha), width, height).draw(frame)
    expected = np.zeros((height, width), int)
    expected[box[1] : box[3], box[0] : box[2]] = alpha
    assert np.abs(pixels_of(frame).astype(int) - expected[..., None]).max() <= 3


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_upright_as_displayed(rotation: int, mirrored: bool, quarters: Any) -> None:
    frame = frame_of(shown(96, 64), "yuv444p")
    overlay = FrameOverlay(Stamp(), 96, 64, rotation=rotation, mirrored=mirrored)
    overlay.draw(frame)
    seen = np.rot90(pixels_of(frame), -rotation // 90)
    seen = seen[:, ::-1] if mirrored else seen
    assert overlay.displayed == (seen.shape[1], seen.shape[0])
    assert np.abs(quarters(seen, overlay.box) - QUARTERS.astype(int)).max() <= 6
    left, top, right, bottom = overlay.coded
    assert (right - left) * (bottom - top) == (overlay.box[2] - overlay.box[0]) * (overlay.box[3] - overlay.box[1])


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_player_that_turns_the_video_shows_it_upright(degrees: int, tmp_path: Path, quarters: Any) -> None:
    """FFmpeg's own rotation, as ffmpeg applies it when it decodes a file with a display matrix."""
    path, picture = tmp_path / "turned.mp4", tmp_path / "shown.png"
    overlay = FrameOverlay(Stamp(), 96, 64, rotation=degrees)
    frame = frame_of(shown(96, 64), "yuv420p")
    overlay.draw(frame)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=10, options={"crf": "1"}, width=96, height=64)
        stream.set_display_rotation(-degrees)  # counter-clockwise, as av_display_rotation_set has it
        stream.codec_context.colorspace = 1
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-frames:v", "1", picture], check=True)
    seen: Any = cv2.imread(str(picture))
    seen = seen[..., ::-1]
    assert overlay.displayed == (seen.shape[1], seen.shape[0])
    assert np.abs(quarters(seen, overlay.box) - QUARTERS.astype(int)).max() <= 24


@pytest.mark.parametrize("aspect", [Fraction(16, 11), Fraction(8, 9), Fraction(2), Fraction(1, 2)])
@pytest.mark.parametrize("rotation", [0, 90])
def test_square_pixels_and_five_per_cent_as_displayed(aspect: Fraction, rotation: int) -> None:
    frame = frame_of(shown(720, 576), "yuv420p")
    overlay = FrameOverlay(LabelPainter(), 720, 576, rotation=rotation, sample_aspect=aspect)
    overlay.draw(frame)
    size = round(720 * max(aspect, Fraction(1))), round(576 / min(aspect, Fraction(1)))
    seen = np.rot90(cv2.resize(pixels_of(frame), size, interpolation=cv2.INTER_CUBIC), -rotation // 90)
    assert overlay.displayed == (seen.shape[1], seen.shape[0])
    finding = read_visible(np.ascontiguousarray(seen))
    assert finding.value["text"] == "AI生成"
    assert finding.value["height_ratio"] >= 0.05
    assert finding.value["position"] == "bottom-right"
    assert not finding.defects


@pytest.mark.parametrize("backdrop", ["black", "white", "noise", "orange"])
def test_legible_on_whatever_comes(backdrop: str) -> None:
    pictures = {
        "black": shown(640, 360, 0),
        "white": shown(640, 360, 255),
        "noise": np.random.default_rng(5).integers(0, 256, (360, 640, 3), np.uint8),
        "orange": np.full((360, 640, 3), (255, 165, 0), np.uint8),
    }
    frame = frame_of(pictures[backdrop], "yuv420p")
    FrameOverlay(LabelPainter(), 640, 360).draw(frame)
    finding = read_visible(pixels_of(frame))
    assert finding.value["text"] == "AI生成"
    assert finding.value["contrast"] >= 4.5
    assert finding.value["height_ratio"] >= 0.05


def white_luma(pix_fmt: str, height: int = 64, **tags: int) -> int:
    """The luma sample of an opaque white, with the given tags on the frame."""
    frame = frame_of(shown(96, height), pix_fmt)
    frame.color_range = 0
    for name, value in tags.items():
        setattr(frame, name, value)
    overlay = FrameOverlay(Stamp(), 96, height)
    overlay.draw(frame)
    left, top, right, bottom = overlay.box
    samples = np.frombuffer(frame.planes[0], "<u2" if "10" in pix_fmt else "u1")
    rows = samples.reshape(height, -1)
    return int(rows[(top + 3 * bottom) // 4, (left + 3 * right) // 4])


def test_range_and_transfer_are_those_of_the_frame() -> None:
    assert white_luma("yuv420p") == 235
    assert white_luma("yuv420p", color_range=1) == 235
    assert white_luma("yuv420p", color_range=2) == 255
    assert white_luma("yuv420p10le") == 940
    assert white_luma("yuv420p10le", color_range=2) == 1023
    assert white_luma("yuv420p10le", color_trc=16) == round((16 + 219 * 0.58) * 4)  # PQ: 203 cd/m², ITU-R BT.2408
    assert white_luma("yuv420p10le", color_trc=18) == round((16 + 219 * 0.75) * 4)  # HLG


@pytest.mark.parametrize(
    ("colorspace", "height", "matrix"), [(1, 64, 1), (5, 720, 5), (2, 64, 5), (2, 720, 1), (9, 64, 9)]
)
def test_the_matrix_is_that_of_the_frame(colorspace: int, height: int, matrix: int, quarters: Any) -> None:
    frame = frame_of(shown(96, height), "yuv444p")
    frame.colorspace = colorspace
    overlay = FrameOverlay(Stamp(), 96, height)
    overlay.draw(frame)
    seen = frame.reformat(format="rgb24", src_colorspace=matrix, src_color_range=1, dst_color_range=2).to_ndarray()
    assert np.abs(quarters(seen, overlay.box) - QUARTERS.astype(int)).max() <= 4


def test_chroma_at_an_odd_edge_is_the_colour_s_own() -> None:
    """In the last column of an odd frame one chroma sample has one pixel, and is not mixed with what is not there."""
    frame = frame_of(shown(33, 17), "yuv420p")
    FrameOverlay(Stamp(fixed=(30, 14, 33, 17)), 33, 17).draw(frame)
    chroma = np.frombuffer(frame.planes[1], "u1").reshape(9, -1)
    assert chroma.shape[1] >= 17
    blue = chroma[8, 16]  # lower right: white, so neutral
    assert abs(int(blue) - 128) <= 1


def test_rows_that_lie_bottom_up_in_memory() -> None:
    pixels = np.arange(64 * 96 * 3, dtype=np.uint32).astype(np.uint8).reshape(64, 96, 3)
    frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
    graph = av.filter.Graph()
    chain = [graph.add_buffer(width=96, height=64, format=frame.format, time_base=Fraction(1)), graph.add("vflip")]
    chain.append(graph.add("buffersink"))
    chain[0].link_to(chain[1])
    chain[1].link_to(chain[2])
    graph.configure()
    graph.push(frame)
    flipped: Any = graph.pull()
    assert flipped.planes[0].line_size < 0
    overlay = FrameOverlay(Stamp(fixed=(0, 0, 20, 10)), 96, 64)
    overlay.draw(flipped)
    memory = np.frombuffer(flipped.planes[0], "u1").reshape(64, -1)[::-1, : 96 * 3].reshape(64, 96, 3)
    assert memory[0, 0].tolist() == [255, 0, 0]
    assert np.array_equal(memory[10:], pixels[::-1][10:])


def test_several_kinds_of_frames_one_after_the_other() -> None:
    overlay = FrameOverlay(Stamp(), 96, 64)
    for pix_fmt in ("yuv420p", "rgb24", "yuv420p10le", "yuv420p"):
        frame = frame_of(shown(96, 64), pix_fmt)
        overlay.draw(frame)
        left, top, _, _ = overlay.box
        assert np.abs(pixels_of(frame)[top + 4, left + 4].astype(int) - (255, 0, 0)).max() <= 6


def test_what_cannot_be_drawn_on_is_refused() -> None:
    for name in (
        "pal8",
        "monow",
        "rgb565le",
        "bayer_bggr8",
        "xyz12le",
        "gbrpf32le",
        "yuv444p10msble",
        "vaapi",
        "nonsense",
    ):
        assert not supports(name)
    assert all(supports(name) for name in FORMATS)
    overlay = FrameOverlay(Stamp(), 96, 64)
    with pytest.raises(UnsupportedFormat, match=r"rgb565le.*convert the video"):
        overlay.draw(av.VideoFrame(96, 64, "rgb565le"))
    with pytest.raises(LabelingError, match="98×64 pixels, not 96×64"):
        overlay.draw(av.VideoFrame(98, 64, "yuv420p"))


def test_what_cannot_be_laid_out_is_refused() -> None:
    with pytest.raises(LabelingError, match="no room for a legible label"):
        FrameOverlay(LabelPainter(), 16, 8)
    with pytest.raises(LabelingError, match="only quarter turns"):
        FrameOverlay(Stamp(), 96, 64, rotation=45)
    with pytest.raises(LabelingError, match="is impossible; repair"):
        FrameOverlay(Stamp(), 96, 64, sample_aspect=Fraction(1000))
