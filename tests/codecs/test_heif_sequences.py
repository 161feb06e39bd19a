"""A label on image sequences in AVIF and HEIC: times, loops, tracks and items stay.

Judged by avifdec, ffprobe, exiftool, libheif and Pillow.
"""

from __future__ import annotations

import io
import json
import struct
import subprocess
from pathlib import Path
from typing import Any

import av
import numpy as np
import pillow_heif
import pytest
from PIL import Image

import labeling
from labeling.codecs import paint_file
from labeling.codecs.pixels import upright
from labeling.codecs.video.bits import unescape
from labeling.codecs.video.hevc import SPS, read_sets
from labeling.containers.heif.layout import parse
from labeling.containers.heif.pictures import Pictures
from labeling.containers.heif.sequence import Sequence
from labeling.containers.syntax.isobmff import walk
from labeling.errors import LabelingError, TooLarge
from labeling.marks.credentials import Signer, make_test_chain
from tests import programs

from .heif_files import box, heic_sequence, photo
from .stamp import QUARTERS, Quarters, Stamp

SIZE = (200, 144)


def avifenc(folder: Path, *options: str, clear: bool = False, count: int = 4) -> bytes:
    """A sequence by libavif; an option ``--duration`` may be given for each frame."""
    programs.require("avifenc")
    durations = [each for each in options if each.startswith("--duration=")]
    command = ["avifenc", "-s", "9", *(each for each in options if each not in durations)]
    for number in range(count):
        name = folder / f"{number}.png"
        image = photo(*SIZE, number)
        if clear:
            ramp = np.clip(np.arange(SIZE[0]) * 3, 0, 255).astype(np.uint8)
            image.putalpha(Image.fromarray(np.tile(ramp, (SIZE[1], 1))))
        image.save(name)
        command += ["--duration", durations[number].split("=")[1]] if durations else []
        command.append(str(name))
    target = folder / "sequence.avif"
    subprocess.run([*command, str(target)], check=True, capture_output=True)
    return target.read_bytes()


def ffmpeg(folder: Path, *options: str) -> bytes:
    target = folder / "ffmpeg.avif"
    for number in range(5):
        photo(*SIZE, number).save(folder / f"{number}.png")
    command = [programs.require("ffmpeg"), "-v", "error", "-y", "-framerate", "12", "-i", str(folder / "%d.png")]
    subprocess.run([*command, *options, str(target)], check=True, capture_output=True)
    return target.read_bytes()


def pillow(*, clear: bool, **options: Any) -> bytes:
    frames, out = [photo(*SIZE, number) for number in range(4)], io.BytesIO()
    if clear:
        for frame in frames:
            frame.putalpha(Image.linear_gradient("L").resize(SIZE))
    frames[0].save(out, "AVIF", save_all=True, append_images=frames[1:], duration=[40, 81, 120, 7], **options)
    return out.getvalue()


def told(folder: Path, data: bytes) -> tuple[list[str], str, Any]:
    """What avifdec, ffprobe and exiftool say of a sequence, apart from sizes and offsets."""
    path = folder / "asked.avif"
    path.write_bytes(data)
    said = []
    if b"avis" in data[:40]:
        command = [programs.require("avifdec"), "--info", str(path)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    wanted = (
        "stream=index,codec_name,time_base,nb_frames,start_pts,duration_ts,pix_fmt,color_space,color_primaries,"
        "color_transfer,color_range:packet=stream_index,pts,dts:format=duration"
    )
    command = [programs.require("ffprobe"), "-v", "error", "-show_entries", wanted, "-of", "compact", str(path)]
    probe = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    command = [programs.require("exiftool"), "-j", "-G1", "-n", str(path)]
    tags = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)[0]
    leave = (
        "FileSize",
        "MediaDataSize",
        "MediaDataOffset",
        "Date",
        "Size",
        "SourceFile",
        "Configuration",
        "Bitrate",
        "Inode",
        "LevelIDC",
        "Profile",
        "Constraint",
    )
    return (
        [line for line in said if "decoded: " not in line],
        probe,
        {name: value for name, value in tags.items() if not any(each in name for each in leave)},
    )


def frames(data: bytes, stream: int = 0) -> list[Any]:
    """All pictures of a track, as FFmpeg decodes them."""
    command = [programs.require("ffmpeg"), "-v", "error", "-i", "-", "-map", f"0:{stream}", "-f", "rawvideo"]
    command += ["-pix_fmt", "rgb24", "-fps_mode", "passthrough", "-"]
    made = subprocess.run(command, input=data, check=True, capture_output=True).stdout
    size = tracks(data).tracks[stream][1].entries[0]
    return list(np.frombuffer(made, np.uint8).reshape(-1, size.height, size.width, 3).astype(int))


def tracks(data: bytes) -> Sequence:
    file = parse(data)
    assert file.meta is not None
    return Sequence(Pictures(file, file.meta))


def samples(data: bytes, which: int) -> list[bytes]:
    track = tracks(data).tracks[which][1]
    return [data[at : at + size] for at, size in zip(track.offsets, track.sizes, strict=True)]


def beside(before: Any, after: Any, place: tuple[int, int, int, int]) -> Any:
    left, top, right, bottom = place
    difference = np.abs(before - after)
    difference[max(0, top - 3) : bottom + 3, max(0, left - 3) : right + 3] = 0
    return difference


@pytest.mark.parametrize(
    "options",
    [
        ("-y", "420", "--fps", "10"),
        ("-y", "444", "--timescale", "1001", "--duration=40", "--duration=33", "--duration=1000", "--duration=1"),
        ("-y", "422", "--min", "10", "--max", "30"),
        ("-y", "400"),
        ("-y", "420", "-d", "10", "--cicp", "9/16/9"),
        ("-y", "420", "-d", "12"),
        ("-y", "444", "-d", "10", "--cicp", "12/13/6"),
        ("-y", "420", "-r", "limited", "--cicp", "1/1/1"),
        ("-y", "420", "--pasp", "2,1"),
    ],
)
def test_what_avifdec_ffprobe_and_exiftool_say_stays(options: tuple[str, ...], tmp_path: Path) -> None:
    data = avifenc(tmp_path, *options)
    painted = paint_file(data, "heif", Stamp(gray=True))
    assert painted.frames == 4
    assert told(tmp_path, data) == told(tmp_path, painted.data)
    old, new = frames(data), frames(painted.data)
    assert len(old) == len(new) == 4
    for before, after in zip(old, new, strict=True):
        assert beside(before, after, painted.box).mean() < 4
        left, top, right, bottom = painted.box
        assert np.abs(before - after)[top:bottom, left:right].mean() > 20
    with Image.open(io.BytesIO(painted.data)) as image:
        assert getattr(image, "n_frames", 1) == 4


@pytest.mark.parametrize(
    "options",
    [
        ("-pix_fmt", "yuv420p", "-c:v", "libsvtav1"),
        ("-pix_fmt", "yuv420p10le", "-c:v", "libaom-av1", "-cpu-used", "8", "-loop", "3"),
        ("-pix_fmt", "yuv420p", "-c:v", "libaom-av1", "-cpu-used", "8", "-g", "2"),
    ],
)
def test_sequences_by_ffmpeg(options: tuple[str, ...], tmp_path: Path, quarters: Quarters) -> None:
    data = ffmpeg(tmp_path, *options)
    painted = paint_file(data, "heif", Stamp())
    assert told(tmp_path, data) == told(tmp_path, painted.data)
    for before, after in zip(frames(data), frames(painted.data), strict=True):
        assert beside(before, after, painted.box).mean() < 4
        assert np.abs(quarters(after, painted.box) - QUARTERS).max() < 45
    assert len(painted.data) < 2 * len(data) + 3000
    old, new = tracks(data).tracks[0][1], tracks(painted.data).tracks[0][1]
    assert old.sync is not None
    assert new.sync is not None
    assert len(new.sync) >= len(old.sync)


@pytest.mark.parametrize("clear", [True, False])
@pytest.mark.parametrize("endless", [True, False])
def test_sequences_by_pillow_keep_times_loops_and_alpha(
    clear: bool, endless: bool, tmp_path: Path, quarters: Quarters
) -> None:
    data = bytearray(pillow(clear=clear))
    if not endless:
        at = data.index(b"mvhd") + 28
        assert data[at : at + 8] == b"\xff" * 8
        data[at : at + 8] = (480).to_bytes(8, "big")
    path = tmp_path / "source.avif"
    path.write_bytes(data)
    painted = paint_file(bytes(data), "heif", Stamp())
    assert not painted.lost
    assert told(tmp_path, bytes(data)) == told(tmp_path, painted.data)
    with Image.open(io.BytesIO(painted.data)) as image:
        times = []
        for index in range(4):
            image.seek(index)
            image.load()
            times.append(image.info["duration"])
            shown = np.asarray(image.convert("RGBA")).astype(int)
            left, top, right, bottom = painted.box
            assert shown[top:bottom, left:right, 3].min() >= 253
            assert np.abs(quarters(shown[..., :3], painted.box) - QUARTERS).max() < 45
    assert times == [40, 81, 120, 7]
    where = data.index(b"mvhd")
    assert painted.data[painted.data.index(b"mvhd") :][:112] == data[where : where + 112]
    for edits in (b"edts", b"elst"):
        assert painted.data.count(edits) == data.count(edits)


@pytest.mark.parametrize("premultiplied", [(), ("-p",)])
def test_an_alpha_track_is_opaque_under_the_label_and_else_as_it_was(
    premultiplied: tuple[str, ...], tmp_path: Path
) -> None:
    data = avifenc(tmp_path, "-y", "420", *premultiplied, clear=True)
    painted = paint_file(data, "heif", Stamp())
    assert told(tmp_path, data) == told(tmp_path, painted.data)
    before, after = (frames(each, 1) for each in (data, painted.data))
    left, top, right, bottom = painted.box
    for old, new in zip(before, after, strict=True):
        assert new[top + 1 : bottom - 1, left + 1 : right - 1].min() >= 250
        assert beside(old, new, painted.box).mean() < 2


def test_an_alpha_track_that_is_opaque_under_the_label_keeps_its_bytes(tmp_path: Path) -> None:
    data = avifenc(tmp_path, "-y", "420", "--minalpha", "0", "--maxalpha", "0", clear=True)
    opaque = paint_file(data, "heif", Stamp(fixed=(120, 90, 190, 130)))
    assert samples(opaque.data, 1) == samples(data, 1)
    clear = paint_file(data, "heif", Stamp(fixed=(10, 90, 80, 130)))
    assert samples(clear.data, 1) != samples(data, 1)
    assert samples(opaque.data, 0) != samples(data, 0) != samples(clear.data, 0)


def test_a_lossless_sequence_stays_lossless(tmp_path: Path) -> None:
    data = avifenc(tmp_path, "-y", "444", "-l")
    painted = paint_file(data, "heif", Stamp())
    assert painted.lossless
    for before, after in zip(frames(data), frames(painted.data), strict=True):
        assert beside(before, after, painted.box).max() == 0
    assert told(tmp_path, data) == told(tmp_path, painted.data)


def test_the_primary_picture_shares_the_new_first_sample(tmp_path: Path, quarters: Quarters) -> None:
    data = avifenc(tmp_path, "-y", "420", clear=True)
    painted = paint_file(data, "heif", Stamp())
    file = parse(painted.data)
    assert file.meta is not None
    pictures = Pictures(file, file.meta)
    sequence = Sequence(pictures)
    assert pictures.payload(file.meta.primary) == samples(painted.data, 0)[0]
    alpha = pictures.sources(b"auxl", file.meta.primary)[0]
    assert pictures.payload(alpha) == samples(painted.data, 1)[0]
    assert pictures.property(file.meta.primary, b"av1C") == sequence.tracks[0][1].entries[0].config_data
    still = painted.data.replace(b"avis", b"avif", 1)  # readers of pictures see the item
    path, made = tmp_path / "still.avif", tmp_path / "still.png"
    path.write_bytes(still)
    subprocess.run([programs.require("heif-dec"), str(path), str(made)], check=True, capture_output=True)
    with Image.open(made) as image:
        assert np.abs(quarters(np.asarray(image.convert("RGB")).astype(int), painted.box) - QUARTERS).max() < 45


def test_a_primary_picture_of_its_own_is_labelled_as_well(tmp_path: Path, quarters: Quarters) -> None:
    data = heic_sequence()
    file = parse(data)
    assert file.meta is not None
    payload = Pictures(file, file.meta).payload(1)
    old = struct.pack(">HHHHII", 1, 1, 0, 1, *struct.unpack(">II", _location(data)))
    new = struct.pack(">HHHHII", 1, 1, 0, 1, len(data) + 8, len(payload))
    data = data.replace(old, new) + box(b"mdat", payload)
    painted = paint_file(data, "heif", Stamp())
    assert (
        np.abs(quarters(np.asarray(pillow_heif.open_heif(painted.data).to_pillow()), painted.box) - QUARTERS).max() < 45
    )
    for after in frames(painted.data):
        assert np.abs(quarters(after, painted.box) - QUARTERS).max() < 45


def _location(data: bytes) -> bytes:
    at = data.rindex(b"iloc")
    return data[at + 18 : at + 26]


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le", "yuv444p"])
@pytest.mark.parametrize("params", ["keyint=4:bframes=0", "keyint=1:bframes=0", "keyint=8:bframes=3:b-adapt=0"])
def test_heic_sequences(pix_fmt: str, params: str, tmp_path: Path, quarters: Quarters) -> None:
    data = heic_sequence(8, params=params, pix_fmt=pix_fmt)
    painted = paint_file(data, "heif", Stamp())
    old, new = told(tmp_path, data)[1:], told(tmp_path, painted.data)[1:]
    assert old[1] == new[1]
    times = [sorted(line for line in each[0].splitlines() if "packet" not in line) for each in (old, new)]
    assert times[0] == times[1]
    with av.open(io.BytesIO(data), "r") as one, av.open(io.BytesIO(painted.data), "r") as two:
        assert [frame.pts for frame in one.decode(video=0)] == [frame.pts for frame in two.decode(video=0)]
    for before, after in zip(frames(data), frames(painted.data), strict=True):
        assert beside(before, after, painted.box).mean() < 4
        assert np.abs(quarters(after, painted.box) - QUARTERS).max() < 45
    primary = np.asarray(pillow_heif.open_heif(painted.data).to_pillow()).astype(int)
    assert np.abs(quarters(primary, painted.box) - QUARTERS).max() < 45
    assert len(painted.data) < 1.5 * len(data) + 3000
    if params.startswith("keyint=1"):
        assert tracks(painted.data).tracks[0][1].sync is None  # each picture on its own, as before
    _, sets = read_sets(tracks(painted.data).tracks[0][1].entries[0].config_data)
    allowed = {"yuv420p": 1, "yuv420p10le": 2, "yuv444p": 4}[pix_fmt]  # Main, Main 10, range extensions
    assert {unescape(nal)[3] & 31 for nal in sets[SPS]} == {allowed}


@pytest.mark.parametrize("kind", ["avif", "heic"])
@pytest.mark.parametrize("visible", [True, False])
def test_sequences_through_the_whole_pipeline(kind: str, visible: bool, tmp_path: Path) -> None:
    data = avifenc(tmp_path, "-y", "444", clear=True) if kind == "avif" else heic_sequence()
    source, target = tmp_path / f"source.{kind}", tmp_path / f"out.{kind}"
    source.write_bytes(data)
    labeled = labeling.Labeler("service", visible=visible, strict=True).label_file(source, target)
    assert labeled.lost == ()
    report = labeling.verify(target)
    found = {finding.kind: finding.status for finding in report.findings}
    assert found["aigc"] == "present"
    if visible:
        assert found["visible"] == "present"
    else:
        assert samples(data, 0) == samples(target.read_bytes(), 0)
    once = target.read_bytes()
    assert told(tmp_path, data)[1] == told(tmp_path, once)[1]


@pytest.mark.parametrize("turn", [(), ("--irot", "1"), ("--imir", "0"), ("--clap", "120,1,100,1,0,1,0,1")])
def test_cut_and_turned_sequences(turn: tuple[str, ...], tmp_path: Path, quarters: Quarters) -> None:
    data = avifenc(tmp_path, "-y", "420", *turn)
    painted = paint_file(data, "heif", Stamp())
    assert told(tmp_path, data) == told(tmp_path, painted.data)
    for after in frames(painted.data):
        if "--clap" in turn:
            after = after[22:122, 40:160]
        shown = upright(after, {"--irot": 8, "--imir": 4}.get(turn[0] if turn else "", 1))
        assert shown.shape[:2] == (painted.height, painted.width)
        assert np.abs(quarters(shown, painted.box) - QUARTERS).max() < 45


@pytest.mark.parametrize("kind", ["avif", "heic", "heic with reordered pictures"])
@pytest.mark.parametrize("visible", [True, False])
def test_signed_sequences(kind: str, visible: bool, tmp_path: Path) -> None:
    chain = make_test_chain()
    signer = Signer.from_pem(chain.cert_pem, chain.key_pem)
    params = "keyint=8:bframes=3:b-adapt=0" if "reordered" in kind else "keyint=4:bframes=0"
    data = avifenc(tmp_path, "-y", "420", clear=True) if kind == "avif" else heic_sequence(params=params)
    source, target, again = (tmp_path / f"{name}.{kind[:4]}" for name in ("source", "target", "again"))
    source.write_bytes(data)
    labeler = labeling.Labeler("service", signer=signer, visible=visible, strict=True)
    assert labeler.label_file(source, target).lost == ()
    assert labeler.label_file(target, again).lost == ()
    for path in (target, again):
        found = {finding.kind: finding for finding in labeling.verify(path).findings}
        assert found["c2pa"].signature == "valid"
        assert found["aigc"].status == "present"
        assert found["visible"].status == ("present" if visible else "absent")
        assert times(path.read_bytes()) == times(data)


def times(data: bytes) -> list[int | None]:
    with av.open(io.BytesIO(data), "r") as file:
        return [frame.pts for frame in file.decode(video=0)]


@pytest.mark.parametrize("target", ["webp", "png"])
@pytest.mark.parametrize("endless", [True, False])
def test_a_converted_sequence_loses_its_loops_at_most(target: str, endless: bool, tmp_path: Path) -> None:
    data = bytearray(pillow(clear=False))
    if not endless:
        for name, place in ((b"mvhd", 28), (b"tkhd", 32)):
            at = data.index(name) + place
            assert data[at : at + 8] == b"\xff" * 8
            data[at : at + 8] = (480).to_bytes(8, "big")
    source = tmp_path / "source.avif"
    source.write_bytes(data)
    converted = labeling.convert(source, tmp_path / f"out.{target}")
    assert [each.what for each in converted.lost] == ([] if endless else ["edit list of picture track 1"])
    with Image.open(tmp_path / f"out.{target}") as image:
        assert getattr(image, "n_frames", 1) == 4


def test_one_picture_of_a_heic_sequence_is_not_all_of_it(tmp_path: Path) -> None:
    source = tmp_path / "source.heics"
    source.write_bytes(heic_sequence())
    converted = labeling.convert(source, tmp_path / "out.webp")
    assert "picture track 1" in [each.what for each in converted.lost]


# Sequences without a meta box


def bare(*, behind: bytes = b"") -> bytes:
    """A sequence that has no items at all."""
    data = heic_sequence()
    return data[: data.rindex(b"meta") - 4] + behind


@pytest.mark.parametrize("behind", [b"", box(b"free", bytes(40)), box(b"zzzz", b"unknown")])
def test_metadata_of_a_sequence_without_items_is_in_a_uuid_box(behind: bytes, tmp_path: Path) -> None:
    data = bare(behind=behind)
    source, target, again = tmp_path / "source.heics", tmp_path / "target.heics", tmp_path / "again.heics"
    source.write_bytes(data)
    labeler = labeling.Labeler("service", visible=False, strict=True)
    assert labeler.label_file(source, target).lost == ()
    made = target.read_bytes()
    assert made.startswith(data)
    command = [programs.require("exiftool"), "-s3", "-XMP-iptcExt:DigitalSourceType", str(target)]
    assert "trainedAlgorithmicMedia" in subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert frames_of(made) == frames_of(data)
    assert {finding.kind: finding.status for finding in labeling.verify(target).findings}["aigc"] == "present"
    target.write_bytes(made + box(b"zzzz", b"behind the label"))
    assert labeler.label_file(target, again).lost == ()
    twice = again.read_bytes()
    assert box(b"zzzz", b"behind the label") in twice
    assert frames_of(twice) == frames_of(data)
    command[-1] = str(again)
    assert "trainedAlgorithmicMedia" in subprocess.run(command, check=True, capture_output=True, text=True).stdout


def frames_of(data: bytes) -> str:
    command = [programs.require("ffmpeg"), "-v", "error", "-i", "-", "-f", "framemd5", "-"]
    return subprocess.run(command, input=data, check=True, capture_output=True).stdout.decode()


def test_a_last_box_without_a_size_gets_one_before_the_label_follows(tmp_path: Path) -> None:
    data = bare()
    view = memoryview(data)
    boxes = walk(view, 0, len(data)).boxes
    mdat = next(each for each in boxes if each.type == b"mdat")
    assert boxes[-1].type == b"moov"
    last = boxes[-1]
    open_end = data[: last.start] + bytes(4) + data[last.start + 4 :]
    source, target = tmp_path / "source.heics", tmp_path / "target.heics"
    source.write_bytes(open_end)
    labeling.Labeler("service", visible=False).label_file(source, target)
    assert target.read_bytes().startswith(data)
    assert mdat.end <= last.start


def test_what_a_sequence_without_items_cannot_take(tmp_path: Path) -> None:
    source = tmp_path / "source.heics"
    source.write_bytes(bare())
    with pytest.raises(LabelingError, match="without a meta box") as error:
        labeling.Labeler("service").label_file(source, tmp_path / "target.heics")
    assert "visible=False" in (error.value.hint or "")
    with pytest.raises(LabelingError, match="no place for EXIF"):
        labeling.Labeler("service", visible=False, exif=True).label_file(source, tmp_path / "target.heics")
    source.write_bytes(bare(behind=box(b"moof", bytes(8))))
    with pytest.raises(LabelingError, match="without a meta box"):
        labeling.Labeler("service", visible=False).label_file(source, tmp_path / "target.heics")


# What cannot be labelled


def test_what_cannot_be_labelled_is_refused_and_takes_metadata(tmp_path: Path) -> None:
    data = avifenc(tmp_path, "-y", "420")
    other = data.replace(b"pict\0\0\0\0", b"vide\0\0\0\0")  # no track of pictures
    unknown = data.replace(b"av01", b"vvc1")
    for each, words in ((other, "0 tracks of pictures"), (unknown, "coded as vvc1")):
        assert each != data
        with pytest.raises(LabelingError, match=words) as error:
            paint_file(each, "heif", Stamp())
        assert "visible=False" in (error.value.hint or "")


def test_hostile_tables_are_bounded(tmp_path: Path) -> None:
    data = avifenc(tmp_path, "-y", "420")
    with pytest.raises(TooLarge):
        paint_file(data, "heif", Stamp(), max_pixels=200 * 144 - 1)
    at = data.index(b"stco") + 12
    for change in (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x20"):
        with pytest.raises(LabelingError):
            paint_file(data[:at] + change + data[at + 4 :], "heif", Stamp())


@pytest.mark.parametrize("kind", ["avif", "heic"])
def test_damaged_samples_are_refused_at_once(kind: str, tmp_path: Path) -> None:
    data = avifenc(tmp_path, "-y", "420") if kind == "avif" else heic_sequence()
    track = tracks(data).tracks[0][1]
    for number in range(4):
        for at in (0, 1, 3, 9):
            place = track.offsets[number] + min(at, track.sizes[number] - 1)
            damaged = data[:place] + bytes((data[place] ^ 0x5A,)) + data[place + 1 :]
            try:
                painted = paint_file(damaged, "heif", Stamp())
            except LabelingError:
                continue
            assert len(frames(painted.data)) == 4
