"""The engine of smart rendering: FFmpeg decodes what is copied to the very pictures of the source, for every kind."""

from __future__ import annotations

import contextlib
import json
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from labeling.codecs.video import bits, hevc, segment
from labeling.codecs.video.base import Settings, Stream
from labeling.codecs.video.h264_sets import pps_ids, read_sets, read_sps
from labeling.codecs.video.overlay import FrameOverlay
from labeling.errors import LabelingError, UnreadableFile

from .cuts import Painter, cut, ffmpeg, make_video, opened, pictures

X264 = ("-c:v", "libx264", "-preset", "veryfast", "-g", 24, "-sc_threshold", 0)
X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-g", 24, "-x265-params")
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", 8, "-g", 24)
CLOSED = "open-gop=0:log-level=none"
INTERLACED = ("-vf", "tinterlace=interleave_top", "-flags", "+ildct+ilme")

KINDS: dict[str, tuple[Any, ...]] = {
    "h264 high": ("mp4", *X264, "-pix_fmt", "yuv420p"),
    "h264 pyramid": ("mp4", *X264, "-pix_fmt", "yuv420p", "-bf", 5, "-x264-params", "b-pyramid=normal:ref=5"),
    "h264 flat b": ("mp4", *X264, "-pix_fmt", "yuv420p", "-bf", 2, "-x264-params", "b-pyramid=none"),
    "h264 scaling lists": ("mp4", *X264, "-pix_fmt", "yuv420p", "-x264-params", "cqm=jvt"),
    "h264 no b": ("mp4", *X264, "-pix_fmt", "yuv420p", "-bf", 0),
    "h264 one reference": ("mp4", *X264, "-pix_fmt", "yuv420p", "-bf", 0, "-refs", 1),
    "h264 baseline": ("mp4", *X264, "-pix_fmt", "yuv420p", "-profile:v", "baseline"),
    "h264 main": ("mp4", *X264, "-pix_fmt", "yuv420p", "-profile:v", "main"),
    "h264 slices": ("mp4", *X264, "-pix_fmt", "yuv420p", "-x264-params", "slices=4"),
    "h264 odd size": ("mp4", *X264, "-pix_fmt", "yuv420p", "-vf", "crop=150:110"),
    "h264 full range": ("mp4", *X264, "-pix_fmt", "yuvj420p"),
    "h264 10 bit": ("mp4", *X264, "-pix_fmt", "yuv420p10le"),
    "h264 4:2:2": ("mp4", *X264, "-pix_fmt", "yuv422p"),
    "h264 4:4:4": ("mp4", *X264, "-pix_fmt", "yuv444p"),
    "h264 intra": ("mp4", *X264[:4], "-g", 1, "-pix_fmt", "yuv420p"),
    "h264 interlaced": ("mp4", *X264[:4], "-g", 8, *INTERLACED, "-pix_fmt", "yuv420p"),
    "h264 interlaced flag": ("mp4", *X264, "-pix_fmt", "yuv420p", "-x264-params", "fake-interlaced=1"),
    "h264 vfr": ("mkv", *X264, "-pix_fmt", "yuv420p", "-vf", "select='mod(n,5)'", "-vsync", "vfr"),
    "h264 annex b": ("avi", *X264, "-pix_fmt", "yuv420p", "-bf", 0),
    "hevc": ("mp4", *X265, CLOSED, "-pix_fmt", "yuv420p", "-tag:v", "hvc1"),
    "hevc in band": ("mp4", *X265, f"{CLOSED}:repeat-headers=1:slices=2", "-pix_fmt", "yuv420p", "-tag:v", "hev1"),
    "hevc no b": ("mp4", *X265, f"{CLOSED}:bframes=0", "-pix_fmt", "yuv420p"),
    "hevc 10 bit": ("mp4", *X265, CLOSED, "-pix_fmt", "yuv420p10le"),
    "hevc 4:2:2": ("mkv", *X265, CLOSED, "-pix_fmt", "yuv422p10le"),
    "vp9": ("webm", *VP9, "-pix_fmt", "yuv420p"),
    "vp9 4:4:4": ("webm", *VP9, "-pix_fmt", "yuv444p"),
    "vp8": ("webm", "-c:v", "libvpx", "-deadline", "realtime", "-b:v", "1M", "-g", 24, "-pix_fmt", "yuv420p"),
    "av1": ("mp4", "-c:v", "libsvtav1", "-preset", 12, "-g", 24, "-pix_fmt", "yuv420p"),
    "mjpeg": ("mkv", "-c:v", "mjpeg", "-q:v", 3, "-pix_fmt", "yuvj420p"),
    "prores": ("mov", "-c:v", "prores_ks", "-pix_fmt", "yuv422p10le"),
}  # fmt: skip


def overlay_of(stream: Stream) -> FrameOverlay:
    return FrameOverlay(Painter(), stream.width, stream.height)


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_behind_the_join_are_bit_exact(tmp_path: Path, kind: str) -> None:
    suffix, *options = KINDS[kind]
    source, target = (
        make_video(tmp_path / f"a.{suffix}", *options),
        tmp_path / ("b.mov" if suffix == "mov" else "b.mkv"),
    )
    container, stream, _ = opened(source)
    container.close()
    before, new, depth = cut(source, target, overlay_of(stream))

    assert [packet.dts for packet in new] == [packet.dts for packet in before[: len(new)]]
    assert {packet.pts for packet in new} == {packet.pts for packet in before[: len(new)]}
    assert all(packet.pts >= packet.dts for packet in new)
    assert new[0].key and segment.join(stream, new[0].data) is segment.Join.CLEAN
    assert depth > 0 or kind not in ("h264 high", "h264 pyramid", "hevc")

    old, now = pictures(source), pictures(target)
    behind = min(packet.pts for packet in before[len(new) :])
    copied = sum(packet.pts >= behind for packet in before)
    assert len(old) == len(now) == len(before) and 0 < copied < len(old)
    assert [md5 for _, md5 in old[-copied:]] == [md5 for _, md5 in now[-copied:]]
    assert old[0] != now[0]
    assert_alike(source, target, kind)


def assert_alike(source: Path, target: Path, kind: str) -> None:
    """ffprobe sees the same kind of stream, and the pictures that are not copied are as they were but for the label."""
    names = "codec_name,profile,width,height,pix_fmt,level,color_range,field_order,has_b_frames,sample_aspect_ratio"
    shows = [shown(path, names) for path in (source, target)]
    for show in shows:
        show.pop("sample_aspect_ratio", None)  # as the container says, which is not ours here
        show.pop("field_order", None)  # Matroska keeps one of its own
    assert shows[0] == shows[1]
    one, other = (raw(path, shows[0]["width"], shows[0]["height"]) for path in (source, target))
    height = shows[0]["height"]
    error = np.square(one[:, height // 2 :].astype(float) - other[:, height // 2 :]).mean(axis=(1, 2))
    every, worst = (10 * np.log10(255**2 / max(value, 1e-9)) for value in (error.mean(), error.max()))
    assert every >= 42 and worst >= 40, f"{every:.1f} dB, at worst {worst:.1f} dB"
    assert (other[:12, 10:18, 12:40].astype(int) > 225).all()  # the label


def shown(path: Path, names: str) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", f"stream={names}", "-of", "json"]
    answer = subprocess.run([*command, path], capture_output=True, check=True).stdout
    (stream,) = json.loads(answer)["streams"]
    return dict(stream)


def raw(path: Path, width: int, height: int) -> NDArray[np.uint8]:
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", str(path), "-map", "0:v:0", "-vsync", "passthrough"]
    command += ["-frames:v", "40", "-pix_fmt", "gray", "-f", "rawvideo", "-"]
    found = subprocess.run(command, capture_output=True, check=True)
    return np.frombuffer(found.stdout, np.uint8).reshape(-1, height, width)


@pytest.mark.parametrize("kind", ["h264 high", "h264 10 bit", "hevc", "vp9", "vp8", "mjpeg"])
def test_restoring_a_picture_right_after_encoding_it_is_safe(tmp_path: Path, kind: str) -> None:
    """The new packets are those of a run in which each picture is copied before it is drawn on."""
    suffix, *options = KINDS[kind]
    container, stream, given = opened(make_video(tmp_path / f"a.{suffix}", *options))
    container.close()
    # With macroblock trees x264 gives one of a few equal streams by chance, also of frames that nobody draws on.
    settings = Settings("superfast" if stream.codec == "h264" else None)
    runs = []
    for copies in (False, True):
        coder = segment.Reencoder(stream, overlay_of(stream), lambda _: True, settings, depth=2)
        coder._copies = copies
        runs.append([packet.data for packet in coder.run(given)])
        assert coder.drawn == len(given)
    assert runs[0] == runs[1]


def test_colour_shape_and_place_of_chroma_are_kept(tmp_path: Path) -> None:
    colours = ("-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc", "-color_range", "tv")
    for codec in ((*X264, "-x264-params", "chromaloc=2"), (*X265, CLOSED)):
        source, target = tmp_path / "a.mp4", tmp_path / "b.mp4"
        make_video(source, *codec, *colours, "-pix_fmt", "yuv420p10le", "-vf", "setsar=4/3")
        container, stream, _ = opened(source)
        container.close()
        cut(source, target, overlay_of(stream))
        # Annex B holds nothing but the coded stream: what the container says does not count.
        names = "color_range,color_space,color_transfer,color_primaries,chroma_location,sample_aspect_ratio"
        seen = []
        for path in (source, target):
            bare = tmp_path / f"{path.stem}.{'h264' if codec[1] == 'libx264' else 'hevc'}"
            ffmpeg("-i", path, "-c", "copy", "-t", 0.5, bare)
            entries = subprocess.run(
                ["ffprobe", "-v", "error", "-show_entries", f"stream={names}", "-of", "csv", bare],
                capture_output=True, check=True, text=True,
            )  # fmt: skip
            seen.append(entries.stdout)
        assert seen[0] == seen[1] and "smpte2084" in seen[0] and "4:3" in seen[0]


def test_both_configurations_are_in_the_new_one(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mp4", *X264, "-pix_fmt", "yuv420p")
    container, stream, given = opened(source)
    container.close()
    coder = segment.Reencoder(stream, None, lambda _: False, Settings())
    list(coder.run(given[:24]))
    both = read_sets(segment.joined(stream, coder.extradata))
    source_ids = {read_sps(nal).id for nal in read_sets(stream.extradata).sps}
    assert len(both.sps) == len(both.pps) == 2
    assert len({read_sps(nal).id for nal in both.sps}) == len({pps_ids(nal)[0] for nal in both.pps}) == 2
    assert {pps_ids(nal)[1] for nal in both.pps} == {read_sps(nal).id for nal in both.sps} > source_ids
    # A second label on the result finds a third id.
    again = segment.Stream(
        stream.codec, segment.joined(stream, coder.extradata), 160, 120, stream.time_base, stream.rate
    )
    assert not segment.refusal(again)
    coder = segment.Reencoder(again, None, lambda _: False, Settings())
    list(coder.run(given[:24]))
    assert len({read_sps(nal).id for nal in read_sets(segment.joined(again, coder.extradata)).sps}) == 3


def test_two_runs_have_one_configuration_and_captions_stay(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mp4", *X264, "-pix_fmt", "yuv420p")
    container, stream, given = opened(source)
    container.close()
    caption = b"\x06\x04\x0aAIGCcaptn!\x80"
    given[3] = given[3]._replace(data=len(caption).to_bytes(4, "big") + caption + given[3].data)
    found = []
    for part in (given[:24], given[24:48]):
        coder = segment.Reencoder(stream, None, lambda _: False, Settings(), depth=2)
        found.append((coder.extradata if coder.ready else None, list(coder.run(part)), coder.extradata))
    assert found[0][0] is None and found[0][2] == found[1][2]
    holders = [packet.pts for packet in found[0][1] if caption in packet.data]
    assert holders == [given[3].pts]
    assert not any(b"x264 - core" in packet.data for packet in found[1][1])


def test_open_groups_and_unknown_codecs_are_refused(tmp_path: Path) -> None:
    for codec in ((*X264, "-x264-params", "open-gop=1:scenecut=0"), (*X265, "open-gop=1:log-level=none")):
        container, stream, given = opened(make_video(tmp_path / "a.mp4", *codec, "-pix_fmt", "yuv420p"))
        container.close()
        kinds = [segment.join(stream, packet.data) for packet in given]
        assert kinds[0] is segment.Join.CLEAN and kinds.count(segment.Join.CLEAN) == 1
        assert kinds.count(segment.Join.OPEN) >= 2
    wmv = Stream("wmv2", b"", 160, 120, Fraction(1, 25), Fraction(25))
    assert "cannot be re-encoded in part" in segment.refusal(wmv)
    with pytest.raises(LabelingError, match="wmv2 cannot be encoded here"):
        segment.Reencoder(wmv, None, lambda _: True, Settings())
    assert "8 bits" in segment.refusal(Stream("vp9", b"", 160, 120, Fraction(1, 25), Fraction(25)), b"\x92\x49\x83\x42")
    assert segment.refusal(Stream("h264", b"\1\2\3", 160, 120, Fraction(1, 25), Fraction(25)))
    assert segment.refusal(Stream("hevc", b"", 160, 120, Fraction(1, 25), Fraction(25)))
    assert segment.describe(Stream("h264", b"", 2, 2, Fraction(1), Fraction(1)), Settings("slow", 12)) == (
        "H.264 (libx264, preset slow, CRF 12)"
    )


@pytest.mark.parametrize("damage", ["missing", "noise", "cut short", "twice"])
def test_damage_is_reported_and_nothing_else_escapes(tmp_path: Path, damage: str) -> None:
    container, stream, given = opened(make_video(tmp_path / "a.mp4", *X264, "-pix_fmt", "yuv420p"))
    container.close()
    bad = given[5]
    if damage == "missing":
        given[5] = bad._replace(data=b"")
    elif damage == "noise":
        given[5] = bad._replace(data=bytes(range(256)) * 4)
    elif damage == "cut short":
        given[5] = bad._replace(data=bad.data[: len(bad.data) // 2])
    else:
        given[5] = bad._replace(pts=given[4].pts)
    coder = segment.Reencoder(stream, overlay_of(stream), lambda _: True, Settings(), depth=2)
    with pytest.raises(UnreadableFile):
        list(coder.run(given))


# Bits and ids


@given(st.lists(st.one_of(st.integers(0, 1 << 20), st.integers(0, 3)), max_size=60))
def test_numbers_survive_coding_and_emulation_prevention(numbers: list[int]) -> None:
    coded = bits.from_bits("".join(map(bits.code_ue, numbers)))
    nal = bits.escape(b"\x67" + coded)
    assert not any(pattern in nal for pattern in (b"\0\0\0", b"\0\0\1", b"\0\0\2"))
    reader = bits.BitReader(bits.unescape(nal)[1:])
    assert [reader.ue() for _ in numbers] == numbers
    assert reader.rest() == ""


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.sampled_from([0, 1, 2, 4]))
def test_nal_units_are_split_as_they_were_joined(parts: list[bytes], size: int) -> None:
    nals = [bits.escape(part.rstrip(b"\0") + b"\x80") for part in parts]
    data = bits.join_nals(nals, size)
    assert (bits.split_lengths(data, size) if size else bits.split_start_codes(data)) == nals


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for codec in ("h264", "hevc", "av1", "vp9", "vp8"):
        segment.refusal(Stream(codec, data, 16, 16, Fraction(1, 25), Fraction(25)))
        with contextlib.suppress(LabelingError):
            segment.join(Stream(codec, b"", 16, 16, Fraction(1, 25), Fraction(25)), data)


@given(st.booleans(), st.integers(0, 0x3F), st.sampled_from(hevc.PPS_IDS), st.booleans())
def test_the_pps_id_of_a_slice_is_changed_and_nothing_else(
    first: bool, rest: int, number: int, random_access: bool
) -> None:
    kind, flags = (19, f"{first:d}0") if random_access else (1, f"{first:d}")
    tail = format(rest, "06b")[: 7 - len(flags)] + "00" * 12 + "1"
    nal = bytes([kind << 1, 1]) + bits.from_bits(flags + bits.code_ue(0) + tail)
    codec = hevc.Hevc(Stream("hevc", b"", 16, 16, Fraction(1, 25), Fraction(25)))
    codec._ids = hevc.Ids(15, 15, number)
    new = codec._slice(bits.escape(nal))
    reader = bits.BitReader(bits.unescape(new)[2:])
    assert [str(reader.u(1)) for _ in flags] == list(flags)
    assert (reader.ue(), reader.rest()) == (number, tail)
    assert bits.escape(bits.unescape(new)) == new


@given(st.lists(st.integers(1, 4), min_size=2, max_size=60), st.integers(0, 3))
def test_reordering_never_breaks_the_order_of_times(steps: list[int], delay: int) -> None:
    """With dts that are the sorted pts put off by ``delay`` pictures, a new part may use that many, and at most 2."""
    shown = [sum(steps[:n]) for n in range(len(steps))]
    groups = [shown[n : n + 4] for n in range(1, len(shown), 4)]
    decoded = shown[:1] + [pts for group in groups for pts in group[-1:] + group[:-1]]
    dts = [pts - 20 for pts in range(delay)] + shown
    depth = segment.reorder_depth(zip(decoded, dts, strict=False))
    slots = dts[: len(shown)]
    assert all(slots[n + depth] <= shown[n] for n in range(len(shown) - depth))
    assert depth <= min(2, delay)


def test_a_run_holds_few_pictures(tmp_path: Path) -> None:
    container, stream, given = opened(make_video(tmp_path / "a.mp4", *X264, "-pix_fmt", "yuv420p"))
    container.close()
    coder = segment.Reencoder(stream, overlay_of(stream), lambda _: True, Settings(), depth=2)
    waiting, came = 0, 0
    for number, packet in enumerate(given):
        came += len(coder.feed(packet))
        waiting = max(waiting, number + 1 - came)
    assert waiting < 60
    assert came + len(coder.finish()) == len(given)
