"""The pipeline of video and audio: whole files in, whole files out, whatever happens on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import c2pa
import numpy as np
import pytest

import labeling
from labeling import Labeler, LabelingError, Signer, VideoOptions, atomic_writes, containers, filebytes
from labeling.containers import Changes
from labeling.containers.mp4 import in_place
from labeling.findings import Signature, Status
from labeling.marks.credentials import make_test_chain

PRODUCER = "001191000000MA00DEM00P10001"
FORMS = {
    "mp4": ("-c:v", "libx264", "-g", "24", "-c:a", "aac"),
    "mov": ("-c:v", "libx264", "-g", "24", "-c:a", "pcm_s16le"),
    "mkv": ("-c:v", "libx264", "-g", "24", "-c:a", "aac"),
    "webm": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "24", "-c:a", "libopus"),
    "avi": ("-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p", "-c:a", "mp3"),
    "flv": ("-c:v", "libx264", "-g", "24", "-c:a", "aac", "-ar", "44100"),
    "wav": ("-vn", "-c:a", "pcm_s16le"),
    "mp3": ("-vn", "-c:a", "libmp3lame"),
    "flac": ("-vn", "-c:a", "flac"),
    "ogg": ("-vn", "-c:a", "libvorbis"),
    "opus": ("-vn", "-c:a", "libopus"),
    "m4a": ("-vn", "-c:a", "aac"),
}
SIGNED = ("mp4", "mov", "avi", "wav", "mp3", "flac", "m4a")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("videos")

    def video(form: str) -> Path:
        path = folder / f"video.{form}"
        if not path.exists():
            source = ("-f", "lavfi", "-i", "testsrc2=s=320x240:r=24:d=4", "-f", "lavfi", "-i", "sine=d=4:r=44100")
            subprocess.run(["ffmpeg", "-v", "error", *source, *FORMS[form], "-shortest", str(path)], check=True)
        return path

    return video


@pytest.fixture(scope="module")
def signer() -> Signer:
    chain = make_test_chain()
    return Signer.from_pem(chain.cert_pem, chain.key_pem)


def packets(path: Path, kind: str) -> list[str]:
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", f"0:{kind}", "-c", "copy", "-f", "framehash", "-"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line.split(",")[5].strip() for line in lines if not line.startswith("#")]  # side data come behind it


def pictures(path: Path) -> list[str]:
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v", "-f", "framehash", "-"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert not done.stderr
    return [line.split(",")[-1].strip() for line in done.stdout.splitlines() if not line.startswith("#")]


def findings(report: labeling.Report) -> dict[str, Status]:
    return {finding.kind: finding.status for finding in report.findings}


@pytest.mark.parametrize("form", FORMS)
def test_metadata_alone_changes_no_packet(form: str, videos: Callable[[str], Path], tmp_path: Path) -> None:
    source, target = videos(form), tmp_path / f"out.{form}"
    done = Labeler(PRODUCER, visible=False).label_file(source, target, content_id="clip-1")
    for kind in ("a", *(("v",) if "-vn" not in FORMS[form] else ())):
        assert packets(target, kind) == packets(source, kind)
    report = labeling.verify(target, visible=False)
    assert report.compliant
    assert report.origin == done.report.origin == "confirmed"
    again = Labeler(PRODUCER, visible=False).label_file(target, tmp_path / f"again.{form}")
    assert again.label.content_id == "clip-1"
    assert again.path.stat().st_size == target.stat().st_size
    with pytest.raises(labeling.LabelConflict, match="already labelled"):
        Labeler("somebody-else", visible=False).label_file(target, tmp_path / f"other.{form}")
    assert not list(tmp_path.glob(".aigc*"))


@pytest.mark.parametrize("form", ["mp4", "mov", "mkv", "webm", "avi", "flv"])
def test_a_visible_label_leaves_later_pictures_and_the_audio_alone(
    form: str, videos: Callable[[str], Path], tmp_path: Path
) -> None:
    source, target = videos(form), tmp_path / f"out.{form}"
    done = Labeler(PRODUCER).label_file(source, target)
    before, after = pictures(source), pictures(target)
    assert len(before) == len(after)
    changed = [number for number, (one, other) in enumerate(zip(before, after, strict=True)) if one != other]
    assert changed == list(range(47 if form == "avi" else 48)), done.how  # FFmpeg leaves a gap behind the first
    assert packets(target, "a") == packets(source, "a")
    report = labeling.verify(target)
    assert report.compliant, report.to_dict()
    visible = next(finding for finding in report.findings if finding.kind == "visible")
    assert visible.value["seconds"] == [0.0, 2.0]
    assert visible.value["height_ratio"] >= 0.05


@pytest.mark.parametrize("form", SIGNED)
def test_c2pa_s_own_reader_validates(form: str, videos: Callable[[str], Path], signer: Signer, tmp_path: Path) -> None:
    target = tmp_path / f"out.{form}"
    done = Labeler(PRODUCER, visible=False, signer=signer).label_file(videos(form), target)
    with c2pa.Reader(str(target)) as reader:
        assert json.loads(reader.json())["validation_state"] == "Valid"
    assert next(m for m in done.report.findings if m.kind == "c2pa").signature is Signature.VALID
    with pytest.raises(labeling.SigningError, match="give a signer"):
        Labeler(PRODUCER, visible=False).label_file(target, tmp_path / f"again.{form}")
    Labeler(PRODUCER, visible=False, signer=signer).label_file(target, tmp_path / f"again.{form}")
    with c2pa.Reader(str(tmp_path / f"again.{form}")) as reader:
        store = json.loads(reader.json())
    assert store["validation_state"] == "Valid"
    ingredients = store["manifests"][store["active_manifest"]]["ingredients"]
    assert [each["relationship"] for each in ingredients] == ["parentOf"]


@pytest.mark.parametrize("form", ["mkv", "flv", "ogg"])
def test_a_manifest_lies_beside_what_cannot_hold_one(
    form: str, videos: Callable[[str], Path], signer: Signer, tmp_path: Path
) -> None:
    target = tmp_path / f"out.{form}"
    plain = Labeler(PRODUCER, visible=False, signer=signer).label_file(videos(form), target)
    assert any("no place for a C2PA manifest" in sentence for sentence in plain.how)
    assert findings(labeling.verify(target, visible=False))["c2pa"] is Status.ABSENT
    Labeler(PRODUCER, visible=False, signer=signer, sidecar=True).label_file(videos(form), target)
    assert (tmp_path / f"out.{form}.c2pa").exists()
    found = next(m for m in labeling.verify(target, visible=False).findings if m.kind == "c2pa")
    assert (found.status, found.signature) == (Status.PRESENT, Signature.VALID)
    data = bytearray(target.read_bytes())
    data[-200] ^= 1
    target.write_bytes(data)
    assert (
        next(m for m in labeling.verify(target, visible=False).findings if m.kind == "c2pa").signature
        is Signature.FAILED
    )


def test_a_platform_adds_its_half(videos: Callable[[str], Path], tmp_path: Path) -> None:
    for form in ("mp4", "mkv", "mp3"):
        target = tmp_path / f"out.{form}"
        Labeler(PRODUCER, visible=False).label_file(videos(form), target)
        done = labeling.propagate(
            target, tmp_path / f"published.{form}", propagator="a-platform", propagate_id="post-1"
        )
        value = labeling.verify(done.path, visible=False).findings[0].value
        assert (value["ContentProducer"], value["ContentPropagator"]) == (PRODUCER, "a-platform")


def test_in_place_dry_run_and_lying_names(videos: Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "a video 片.png"
    path.write_bytes(videos("mp4").read_bytes())
    before = path.read_bytes()
    quiet = Labeler(PRODUCER, visible=False)
    assert quiet.label_file(path, in_place=True, dry_run=True).dry_run
    assert path.read_bytes() == before
    with pytest.raises(LabelingError, match="would be overwritten"):
        quiet.label_file(path, path)
    quiet.label_file(path, in_place=True)
    report = labeling.verify(path, visible=False)
    assert report.media_type == "video/mp4"
    assert [d.rule for d in report.verdicts["cn"].warnings if d.rule.startswith("FILE")] == ["FILE-NAME"]
    assert labeling.verify(path.read_bytes(), visible=False).compliant
    with pytest.raises(LabelingError, match="label_file"):
        quiet.label_image(path.read_bytes())


@pytest.mark.parametrize("form", FORMS)
def test_a_truncated_file_is_never_labelled_silently(form: str, videos: Callable[[str], Path], tmp_path: Path) -> None:
    whole = videos(form).read_bytes()
    for share in (0.02, 0.3, 0.9):
        path = tmp_path / f"cut.{form}"
        path.write_bytes(whole[: int(len(whole) * share)])
        report = labeling.verify(path)
        assert report.readable or findings(report)["aigc"] is Status.UNREADABLE
        try:
            Labeler(PRODUCER).label_file(path, tmp_path / f"out.{form}")
        except LabelingError as error:
            assert str(path) in str(error)
            assert "\n" not in str(error)
            assert not (tmp_path / f"out.{form}").exists()
        else:
            assert labeling.verify(tmp_path / f"out.{form}", visible=False).compliant
            (tmp_path / f"out.{form}").unlink()
        assert not list(tmp_path.glob(".aigc*"))


def test_damaged_pictures_give_an_error_and_no_file(videos: Callable[[str], Path], tmp_path: Path) -> None:
    data = bytearray(videos("mp4").read_bytes())
    start = data.index(b"mdat") + 4
    rng = np.random.default_rng(1)
    data[start + 2000 : start + 6000] = rng.integers(0, 256, 4000, np.uint8).tobytes()
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    with pytest.raises(LabelingError, match=r"damaged\.mp4"):
        Labeler(PRODUCER).label_file(path, tmp_path / "out.mp4")
    assert [p.name for p in tmp_path.iterdir()] == ["damaged.mp4"]


def test_a_video_that_becomes_shorter_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "shrinking"
    path.write_bytes(bytes(1 << 20))
    with filebytes.FileBytes(path.open("rb"), str(path)) as data:
        os.truncate(path, 1000)
        with pytest.raises(labeling.UnreadableFile, match="became shorter"):
            data[500_000:600_000]
        with (tmp_path / "copy").open("wb") as out, pytest.raises(labeling.UnreadableFile, match="became shorter"):
            filebytes.copy_range(filebytes.FileRange(data, 0, 1 << 20), out.fileno())
            filebytes.copy_range(filebytes.FileRange(data, 1, 1 << 20), out.fileno())


@pytest.mark.skipif(not hasattr(os, "copy_file_range"), reason="only Linux copies files by itself")
@pytest.mark.parametrize("shift", [0, 4096, 300])
def test_ranges_of_files_are_copied_whether_or_not_they_keep_their_place_in_a_page(
    shift: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = np.random.default_rng(shift).bytes(700_001)
    (tmp_path / "source").write_bytes(content)
    kernel = os.copy_file_range
    calls: list[int] = []

    def counted(source: int, target: int, count: int, at: int) -> int:
        calls.append(count)
        return kernel(source, target, count, at)

    monkeypatch.setattr(os, "copy_file_range", counted)
    with filebytes.FileBytes((tmp_path / "source").open("rb"), "source") as data:
        atomic_writes.write_pieces(new_file(tmp_path / "copy"), [bytes(shift), filebytes.FileRange(data, 0, len(data))])
        atomic_writes.write_pieces(new_file(tmp_path / "part"), [filebytes.FileRange(data, 12345, 600_000)])
    assert (tmp_path / "copy").read_bytes() == bytes(shift) + content
    assert (tmp_path / "part").read_bytes() == content[12345:600_000]
    assert len(calls) == (0 if shift % 4096 else 1)  # the kernel would touch each page twice


def test_a_file_that_is_read_in_pages_is_the_same_file(tmp_path: Path) -> None:
    content = np.random.default_rng(5).bytes(100_003)
    (tmp_path / "file").write_bytes(content)
    rng = np.random.default_rng(6)
    with filebytes.FileBytes((tmp_path / "file").open("rb"), "file") as data:
        for paged in (filebytes.Paged(data), filebytes.Paged(content)):
            assert len(paged) == len(content)
            for size in (1, 9, 12, 5000, 40_000) * 60:
                places = (int(rng.integers(0, len(content))), len(content) - size // 2, 16_384 - size // 2)
                at = places[int(rng.integers(3))]
                assert paged[max(0, at) : at + size] == content[max(0, at) : at + size]


def new_file(path: Path) -> Path:
    path.touch()
    return path


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupt_leaves_no_output(how: signal.Signals, videos: Callable[[str], Path], tmp_path: Path) -> None:
    source = tmp_path / "long.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-stream_loop", "20", "-i", str(videos("mp4")), "-c", "copy", str(source)], check=True
    )
    target = tmp_path / "out.mp4"
    command = [sys.executable, "-m", "labeling.cli", "add", str(source), "-o", str(target), "--producer", PRODUCER]
    with subprocess.Popen([*command, "--when", "whole", "--preset", "veryslow"], stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 30
        while not list(tmp_path.glob(".aigc*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(how)
        said = process.communicate(timeout=30)[1].decode()
    assert process.returncode != 0
    assert not target.exists()
    assert "Traceback" not in said
    if how is signal.SIGINT:
        assert not list(tmp_path.glob(".aigc*"))


def test_a_recording_that_fails_leaves_nothing(tmp_path: Path) -> None:
    labeler = Labeler(PRODUCER)
    video = labeler.open_video(tmp_path / "a.mp4", size=(320, 240), fps=24)
    with pytest.raises(RuntimeError, match="out of ideas"), video:
        video.write(np.zeros((240, 320, 3), np.uint8))
        raise RuntimeError("out of ideas")
    with pytest.raises(LabelingError, match="no frame"), labeler.open_video(tmp_path / "b.mp4", (320, 240), 24):
        pass
    with pytest.raises(LabelingError, match=r"\.xyz"):
        labeler.open_video(tmp_path / "c.xyz", (320, 240), 24)
    assert not list(tmp_path.iterdir())


def test_a_recording_is_labelled_and_signed(signer: Signer, tmp_path: Path) -> None:
    labeler = Labeler(
        PRODUCER, generator="m", generator_version="2", signer=signer, profile="us-ca", provider_name="P Ltd."
    )
    with labeler.open_video(tmp_path / "a.mp4", size=(320, 240), fps=24, content_id="c") as video:
        for shade in range(72):
            video.write(np.full((240, 320, 3), shade * 3, np.uint8))
    assert video.result is not None
    assert video.result.label.content_id == "c"
    report = labeling.verify(tmp_path / "a.mp4", profile=["cn", "us-ca", "eu"])
    assert {name: str(v.outcome) for name, v in report.verdicts.items()}["us-ca"] == "compliant"
    with c2pa.Reader(str(tmp_path / "a.mp4")) as reader:
        assert json.loads(reader.json())["validation_state"] == "Valid"


@pytest.mark.parametrize(
    ("options", "words"),
    [({"when": "sometimes"}, "start"), ({"seconds": 1.5}, "at least 2 seconds"), ({"reencode": "perhaps"}, "auto")],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(LabelingError, match=words):
        VideoOptions(**options)  # type: ignore[arg-type]


def test_spans_of_the_label() -> None:
    assert VideoOptions().spans(60) == ((0.0, 2.0),)
    assert VideoOptions().spans(1.5) == VideoOptions(when="whole").spans(60) == ((0.0, None),)
    assert VideoOptions(when="start+end", seconds=3).spans(60) == ((0.0, 3), (57, None))
    assert VideoOptions(when="start+end").spans(3) == VideoOptions(when="start+middle+end").spans(5) == ((0.0, None),)
    assert VideoOptions(when="start+end").spans(0) == VideoOptions(when="start+middle+end").spans(0) == ((0.0, 2.0),)
    assert VideoOptions(when="start+middle+end").spans(60) == ((0.0, 2.0), (29.0, 31.0), (58.0, None))


def test_the_configuration_speaks_of_videos(tmp_path: Path) -> None:
    path = tmp_path / "aigc-label.toml"
    path.write_text(f'producer = "{PRODUCER}"\n[video]\nwhen = "whole"\nseconds = 3\n', encoding="utf-8")
    assert Labeler.from_config(path).video == VideoOptions(when="whole", seconds=3)
    path.write_text(f'producer = "{PRODUCER}"\n[video]\nseconds = 1\n', encoding="utf-8")
    with pytest.raises(LabelingError, match="at least 2 seconds"):
        Labeler.from_config(path)


def test_a_large_video_with_room_is_changed_in_place(videos: Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "room.mp4"
    command = ["ffmpeg", "-v", "error", "-i", str(videos("mp4")), "-c", "copy", "-moov_size", "100000", str(path)]
    subprocess.run(command, check=True)
    before, node = path.read_bytes(), path.stat().st_ino
    audio, shown = packets(path, "a"), pictures(path)
    quiet = Labeler(PRODUCER, visible=False)
    for content_id in ("first", "second-and-longer"):
        done = quiet.label_file(path, in_place=True, content_id=content_id)
        assert any("in place" in sentence for sentence in done.how)
        assert (path.stat().st_ino, path.stat().st_size) == (node, len(before))
        value = labeling.verify(path, visible=False).findings[0].value
        assert value["ProduceID"] == content_id
        assert packets(path, "a") == audio
        assert pictures(path) == shown
        told = subprocess.run(["exiftool", "-G1", "-a", "-AIGC", str(path)], capture_output=True, text=True).stdout
        assert told.count("[Keys]") >= 1
        assert content_id in told


def test_an_edit_in_place_is_taken_back_on_failure_and_every_step_of_it_plays(
    videos: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / "room.mp4"
    command = ["ffmpeg", "-v", "error", "-i", str(videos("mp4")), "-c", "copy", "-moov_size", "100000", str(path)]
    subprocess.run(command, check=True)
    shown = pictures(path)
    with filebytes.FileBytes(path.open("rb"), str(path)) as data:
        change = in_place.patch(data, Changes(text_field=("AIGC", '{"Label":"1"}'), xmp=b"<x/>"))
        assert change is not None
        with pytest.raises(RuntimeError, match="stop"), in_place.applied(data, change):
            raise RuntimeError("stop")
        assert not any(b.keyword == "AIGC" for b in containers.read(data).blocks)
        for done in range(len(change.switches) + 1):  # killed behind any of the writes
            step = bytearray(path.read_bytes())
            for place, new in (*change.bodies, *change.switches[:done]):
                step[place : place + len(new)] = new
            (tmp_path / "step.mp4").write_bytes(step)
            assert pictures(tmp_path / "step.mp4") == shown
            contents = containers.read(bytes(step))
            assert not contents.problems
            labels = [b for b in contents.blocks if b.keyword == "AIGC"]
            assert len(labels) == (1 if done > 1 else 0)


def test_a_device_is_never_replaced(videos: Callable[[str], Path], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(labeling.WriteError, match="not a regular file"):
        Labeler(PRODUCER, visible=False).label_file(videos("wav"), pipe)
    assert pipe.is_fifo()


def test_audio_gets_an_audible_label_under_cn(videos: Callable[[str], Path], tmp_path: Path) -> None:
    for form in ("wav", "mp3", "m4a", "flac"):
        done = Labeler(PRODUCER).label_file(videos(form), tmp_path / f"out.{form}")
        assert any("rhythm" in sentence for sentence in done.how)
        report = labeling.verify(tmp_path / f"out.{form}")
        assert report.compliant, report.to_dict()


def test_a_label_in_the_coded_video_is_a_trace_and_no_label(videos: Callable[[str], Path], tmp_path: Path) -> None:
    for codec, flavour in (("libx264", "h264"), ("libx265", "hevc")):
        path, target = tmp_path / f"{codec}.mp4", tmp_path / f"{codec}-sei.mp4"
        source = ["-f", "lavfi", "-i", "testsrc2=s=64x64:r=10:d=1", "-c:v", codec]
        subprocess.run(["ffmpeg", "-v", "quiet", *source, str(path)], check=True)
        assert not [m for m in labeling.verify(path, visible=False).findings if m.kind == "generator"]
        text = '{"AIGC":{"Label":"1","ContentProducer":"x","ProduceID":"y"}}'
        sei = f"{flavour}_metadata=sei_user_data='086f3693-b7b3-4f2c-9653-21492feee5b8+{text}'".replace(":", "\\:")
        command = ["ffmpeg", "-v", "error", "-i", str(path), "-c", "copy", "-bsf:v", sei, str(target)]
        if flavour == "hevc":
            continue  # FFmpeg's filter writes user data into H.264 only
        subprocess.run(command, check=True)
        report = labeling.verify(target, visible=False)
        found = {m.kind: m for m in report.findings}
        assert found["aigc"].status is Status.ABSENT
        assert "SEI" in found["generator"].where
        assert report.origin == "suspected"
