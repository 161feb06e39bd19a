"""MP4 files with something behind or beside the movie: bytes that are in no box, and XML of a camera."""

from __future__ import annotations

from pathlib import Path

import c2pa
import pytest

import labeling
from labeling import Labeler, LabelingError, Signer, containers
from labeling.containers import Changes
from labeling.containers.syntax.isobmff import box, full_box
from labeling.marks.credentials import make_test_chain
from tests.containers.mp4_files import LABEL, ffmpeg, run

PRODUCER = "001191000000MA00DEM00P10001"
TAILS = {
    "few": b"abc",
    "as a box": b"abc12345678",
    "no box": b"\xff\xfe\0\1 behind it",
    "of size 0": b"\0\0\0\0\0behind",
    "long": bytes(range(256)) * 200,
    "zeros": bytes(4000),
}


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tail") / "video.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=160x120:rate=25:duration=3", "-c:v", "libx264", "-g", 25, path)
    return path


def packets(path: Path) -> str:
    return run("ffmpeg", "-v", "error", "-i", path, "-map", 0, "-c", "copy", "-f", "framemd5", "-")


@pytest.mark.parametrize("kind", TAILS)
def test_bytes_behind_a_video_stay_and_do_no_harm(kind: str, video: Path, tmp_path: Path) -> None:
    source, out, again = tmp_path / "in.mp4", tmp_path / "out.mp4", tmp_path / "again.mp4"
    source.write_bytes(video.read_bytes() + TAILS[kind])
    done = Labeler(PRODUCER, visible=False).label_file(source, out)
    assert out.read_bytes().endswith(TAILS[kind]) and not done.lost
    assert packets(out) == packets(source)
    assert labeling.verify(out, visible=False).verdicts["cn"].outcome == "compliant"
    Labeler(PRODUCER).label_file(out, again)
    assert again.read_bytes().endswith(TAILS[kind])


def test_a_signature_leaves_out_what_is_in_no_box_and_says_so(video: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "in.mp4", tmp_path / "out.mp4"
    source.write_bytes(video.read_bytes() + TAILS["as a box"])
    chain = make_test_chain()
    signer = Signer.from_pem(chain.cert_pem, chain.key_pem)
    done = Labeler(PRODUCER, visible=False, signer=signer).label_file(source, out)
    assert [loss.what for loss in done.lost] == ["11 bytes behind the end"]
    assert packets(out) == packets(source)
    assert c2pa.Reader(str(out)).get_validation_state() == "Valid"


@pytest.mark.parametrize("cut", [1, 40, 4000])
def test_a_fragment_or_media_that_was_cut_short_is_no_tail(cut: int, video: Path, tmp_path: Path) -> None:
    for options in (("-movflags", "faststart"), ("-movflags", "frag_keyframe+empty_moov")):
        path = tmp_path / "whole.mp4"
        ffmpeg("-i", video, "-c", "copy", *options, path)
        data = path.read_bytes()[:-cut]
        if cut == 1 and b"moof" in data:
            continue  # only the index at the end is hurt
        contents = containers.read(data)
        assert contents.problems
        with pytest.raises(LabelingError):
            containers.rewrite(data, contents, Changes(text_field=("AIGC", LABEL)))


def test_xml_of_a_camera_beside_the_movie_stays(video: Path, tmp_path: Path) -> None:
    """As XAVC cameras write it: a ``meta`` box of the file with handler ``nrtm`` and plain XML."""
    xml = b"<?xml version='1.0'?><NonRealTimeMeta><Device manufacturer='Sony'/></NonRealTimeMeta>"
    meta = box(b"meta", bytes(4), full_box(b"hdlr", 0, bytes(4), b"nrtm", bytes(13)), box(b"xml ", bytes(4), xml))
    for name, visible in (("plain", False), ("drawn", True), ("faststart", True)):
        source, out = tmp_path / "in.mp4", tmp_path / f"{name}.mp4"
        ffmpeg("-i", video, "-c", "copy", *(["-movflags", "faststart"] if name == "faststart" else []), source)
        source.write_bytes(source.read_bytes() + meta)
        done = Labeler(PRODUCER, visible=visible).label_file(source, out)
        assert meta in out.read_bytes() and not done.lost
        assert labeling.verify(out, visible=visible).verdicts["cn"].outcome == "compliant"
        assert run("exiftool", "-s3", "-DeviceManufacturer", out).strip() == "Sony"
