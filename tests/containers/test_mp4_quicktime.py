"""QuickTime files as they were before ISO-BMFF: without ``ftyp``, with user data closed by an integer of 0."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import labeling
from labeling import Labeler, LabelingError, Signer
from labeling.containers import formats
from labeling.containers.syntax.isobmff import box
from labeling.marks.credentials import make_test_chain

from .mp4_files import boxes, ffmpeg, with_udta

pytestmark = pytest.mark.needs("ffmpeg", "ffprobe", "exiftool")


@pytest.fixture(scope="module")
def signer() -> Signer:
    chain = make_test_chain()
    return Signer.from_pem(chain.cert_pem, chain.key_pem)


def plain(path: Path) -> bytes:
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=3", "-c:v", "libx264", "-g", 25, "-pix_fmt", "yuv420p", path)
    return path.read_bytes()


def frames(path: Path) -> list[str]:
    """The decoded pictures; FFmpeg says nothing about the file."""
    ran = subprocess.run(
        ["ffmpeg", "-v", "warning", "-i", path, "-map", "0:v", "-f", "framemd5", "-"], capture_output=True, text=True
    )
    assert ran.returncode == 0 and not ran.stderr, ran.stderr
    return [line.split(",")[-1] for line in ran.stdout.splitlines() if not line.startswith("#")]


def without_ftyp(data: bytes, first: bytes) -> bytes:
    """The movie with a box of another type, of the same size, in place of ``ftyp``."""
    kind, start, _, end = boxes(data)[0]
    assert (kind, start) == (b"ftyp", 0)
    return box(first, bytes(end - 8)) + data[end:]


def moved_behind(data: bytes) -> bytes:
    """A movie that begins with ``moov``; free space of the size of ``ftyp`` follows, so that chunks stay in place."""
    (one, _, _, old), (two, _, _, end) = boxes(data)[:2]
    assert (one, two) == (b"ftyp", b"moov")
    return data[old:end] + box(b"free", bytes(old - 8)) + data[end:]


@pytest.mark.parametrize("visible", [True, False])
@pytest.mark.parametrize("first", [b"free", b"skip", b"wide", b"moov"])
def test_movies_without_ftyp_are_labelled_and_not_signed_in_our_words(
    tmp_path: Path, signer: Signer, first: bytes, visible: bool
) -> None:
    data = plain(tmp_path / "whole.mov")
    if first == b"moov":
        ffmpeg("-i", tmp_path / "whole.mov", "-c", "copy", "-movflags", "faststart", tmp_path / "fast.mov")
        data = moved_behind((tmp_path / "fast.mov").read_bytes())
    else:
        data = without_ftyp(data, first)
    source, out = tmp_path / "old.mov", tmp_path / "new.mov"
    source.write_bytes(data)
    expected = frames(source)
    assert len(expected) == 75
    done = Labeler("my-service", visible=visible, signer=signer).label_file(source, out)
    said = [words for words in done.how if words.startswith("not signed")]
    assert len(said) == 1 and "without an ftyp box" in said[0] and "ffmpeg" in said[0]
    assert not done.lost
    now = frames(out)
    assert now[50:] == expected[50:] and (now == expected) is not visible
    shown = subprocess.run(["exiftool", "-a", "-G", "-ee", out], capture_output=True, text=True, check=True).stdout
    assert "AIGC" in shown
    assert labeling.verify(out).verdicts["cn"].outcome == ("compliant" if visible else "noncompliant")


@pytest.mark.parametrize(("suffix", "zeros", "behind", "signed"), [
    ("mov", b"", b"", True), ("mov", bytes(4), b"", True), ("mp4", bytes(4), b"", False),
    ("mov", bytes(4), box(b"free", bytes(8)), False), ("mov", b"", box(b"free", bytes(8)), True),
])  # fmt: skip
def test_user_data_closed_by_zero_is_signed_or_it_is_said_in_our_words(
    tmp_path: Path, signer: Signer, suffix: str, zeros: bytes, behind: bytes, signed: bool
) -> None:
    source, out = tmp_path / f"old.{suffix}", tmp_path / f"new.{suffix}"
    text = box(b"\xa9nam", b"\0\x05\x15\xc7hello")
    source.write_bytes(with_udta(plain(source), box(b"udta", text, zeros)) + behind)
    expected = frames(source)
    done = Labeler("my-service", signer=signer).label_file(source, out)
    said = [words for words in done.how if words.startswith("not signed")]
    assert bool(said) is not signed and all("four zero bytes" in words for words in said)
    assert not done.lost and frames(out)[50:] == expected[50:]
    seen = labeling.verify(out)
    manifest = seen.find("c2pa")
    assert manifest is not None and (manifest.status == "present") is signed
    assert seen.verdicts["cn"].outcome == "compliant"
    title = subprocess.run(["exiftool", "-s3", "-Title", out], capture_output=True, text=True, check=True).stdout
    assert title.strip() == "hello"


@pytest.mark.parametrize("advised", ["ftyp", "zero"])
def test_what_the_note_advises_can_be_signed(tmp_path: Path, signer: Signer, advised: str) -> None:
    source, again, out = tmp_path / "old.mov", tmp_path / "again.mov", tmp_path / "new.mov"
    data = plain(source)
    source.write_bytes(
        without_ftyp(data, b"free") if advised == "ftyp" else with_udta(data, box(b"udta", bytes(4))) + box(b"free")
    )
    ffmpeg("-i", source, "-c", "copy", again)
    done = Labeler("my-service", signer=signer).label_file(again, out)
    assert not any(words.startswith("not signed") for words in done.how)
    finding = labeling.verify(out).find("c2pa")
    assert finding is not None and finding.status == "present"


def test_texts_are_no_movies() -> None:
    for text in (b"The free world\n", b"Let skip it go\n", b"The wide world\n"):
        row = formats.identify(text)
        assert row is None or row.name != "mp4"


def test_an_edit_list_that_plays_nothing_is_named_and_the_advice_works(tmp_path: Path) -> None:
    source, again, out = tmp_path / "old.mp4", tmp_path / "again.mp4", tmp_path / "new.mp4"
    data = bytearray(plain(tmp_path / "plain.mp4"))
    at = data.index(b"elst")
    assert data[at + 4 : at + 12] == bytes((0, 0, 0, 0, 0, 0, 0, 1))  # version 0, one entry
    data[at + 12 : at + 16] = bytes(4)
    source.write_bytes(data)
    with pytest.raises(LabelingError, match="edit list plays 0 seconds") as caught:
        Labeler("my-service").label_file(source, out)
    assert not out.exists() and "report" not in str(caught.value)
    Labeler("my-service", visible=False).label_file(source, tmp_path / "bare.mp4")
    ffmpeg("-ignore_editlist", 1, "-i", source, "-c", "copy", again)
    Labeler("my-service").label_file(again, out)
    assert labeling.verify(out).verdicts["cn"].outcome == "compliant"
