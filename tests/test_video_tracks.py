"""A file with several video tracks: the label counts on the one that players show."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import labeling
from labeling.errors import UnsupportedFormat
from labeling.findings import Status
from tests import programs

from .video_files import look, make_video, shots


def muxed(folder: Path, suffix: str, labelled: tuple[bool, ...], shown: tuple[bool, ...]) -> Path:
    """Make a file of one video track for each of ``labelled``; ``shown`` says which are enabled, or default."""
    command = [programs.require("ffmpeg"), "-v", "error", "-y"]
    for has in sorted(set(labelled)):
        make_video(folder / f"{has}.mp4", shots(0, 2.4 if has else 0))
    for has in labelled:
        command += ["-i", str(folder / f"{has}.mp4")]
    for number, show in enumerate(shown):
        command += ["-map", f"{number}:v", f"-disposition:v:{number}", "default" if show else "0"]
    path = folder / f"made{suffix}"
    subprocess.run([*command, "-c", "copy", str(path)], check=True, capture_output=True)
    asked = [
        programs.require("ffprobe"),
        "-v",
        "error",
        "-show_entries",
        "stream_disposition=default",
        "-of",
        "csv=p=0",
    ]
    said = subprocess.run([*asked, str(path)], check=True, capture_output=True, text=True).stdout.split()
    assert [line.strip(",") for line in said] == [str(int(show)) for show in shown]
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_label_on_a_track_that_is_not_shown_does_not_count(suffix: str, tmp_path: Path) -> None:
    finding = look(muxed(tmp_path, suffix, (True, False), (False, True)))
    assert finding.status is Status.ABSENT
    assert [each.rule for each in finding.defects] == ["FILE-PARTS"]
    assert "video track 2 of 2 was looked at" in finding.defects[0].message


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_label_on_the_track_that_is_shown_counts(suffix: str, tmp_path: Path) -> None:
    finding = look(muxed(tmp_path, suffix, (False, True), (False, True)))
    assert finding.status is Status.PRESENT
    first = look(muxed(tmp_path, suffix, (True, False), (True, False)))
    assert first.status is Status.PRESENT
    assert first.defects == ()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_tracks_that_may_be_shown_as_well_are_looked_at(suffix: str, tmp_path: Path) -> None:
    finding = look(muxed(tmp_path, suffix, (True, False), (True, True)))
    assert finding.status is Status.PRESENT
    assert [each.message for each in finding.defects] == [
        "video track 2, which players may show instead of track 1, has no visible label"
    ]
    assert look(muxed(tmp_path, suffix, (True, True), (True, True))).defects == ()


def test_many_tracks_are_not_all_looked_at(tmp_path: Path) -> None:
    finding = look(muxed(tmp_path, ".mkv", (True,) * 6, (True,) * 6))
    assert finding.status is Status.PRESENT
    assert ["4 of 6 video tracks" in each.message for each in finding.defects] == [True]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_no_label_is_drawn_where_nobody_sees_it(suffix: str, tmp_path: Path) -> None:
    source = muxed(tmp_path, suffix, (False, False), (False, True))
    target = tmp_path / f"labelled{suffix}"
    labeler = labeling.Labeler(producer="001191000000MA00DEM00P10001")
    with pytest.raises(UnsupportedFormat, match="players show video track 2"):
        labeler.label_file(source, target)
    assert not target.exists()
    shown = muxed(tmp_path, suffix, (False, False), (True, False))
    labeler.label_file(shown, target)
    assert look(target).status is Status.PRESENT
