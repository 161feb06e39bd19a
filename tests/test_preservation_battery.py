"""Every format × visible or metadata only × signed or not × with or without a manifest: nothing is lost unsaid.

exiftool and ffprobe are the witnesses: what they find in a source and not in its labelled copy, ``lost`` has to name.
"""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from labeling import Labeler, Signer, WouldLose, batch, containers
from labeling.cli import group
from labeling.containers import formats
from labeling.marks.credentials.testchain import make_test_chain
from labeling.preservation import State, find_losses
from labeling.verification import metadata

from .preservation_files import COSTLY, FOREIGN, MEDIA, PICTURES, exiftool_names, ffprobe, media

pytestmark = pytest.mark.needs("exiftool", "ffmpeg", "ffprobe")


@pytest.fixture(scope="module")
def signer() -> Signer:
    chain = make_test_chain()
    return Signer.from_pem(chain.cert_pem, chain.key_pem)


def source_of(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(PICTURES[name]() if name in PICTURES else media(name))
    return path


every_file = pytest.mark.parametrize("name", [*PICTURES, *MEDIA])
both_modes = pytest.mark.parametrize("visible", [True, False], ids=["visible", "metadata"])


def losses(data: bytes, result: bytes) -> list[str]:
    states = []
    for each in (data, result):
        contents = containers.read(each)
        states.append(State(each, contents, metadata.scan(contents)))
    return [loss.what for loss in find_losses(*states, why="it was left out")]


@every_file
@both_modes
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_what_witnesses_miss_is_named(name: str, visible: bool, signed: bool, signer: Signer, tmp_path: Path) -> None:
    source = source_of(tmp_path, name)
    labeler = Labeler("my-service", visible=visible, signer=signer if signed else None)
    done = labeler.label_file(source, tmp_path / f"labelled-{name}")
    missing = exiftool_names(source) - exiftool_names(done.path)
    assert not missing or done.lost, missing
    if name in MEDIA:
        before, after = ffprobe(source), ffprobe(done.path)
        same = before["streams"] == after["streams"] and _spaced(before["chapters"]) == _spaced(after["chapters"])
        assert done.lost or (same and before["tags"] <= after["tags"])
    for loss in done.lost:
        assert loss.what and loss.why
    # Once labelled, a further labelling loses nothing: the copy holds what it says.
    again = labeler.label_file(done.path, tmp_path / f"again-{name}", content_id=done.label.content_id)
    assert again.lost == () or visible


def _spaced(chapters: list[tuple[str, str]]) -> list[tuple[float, str]]:
    """Chapters with their times from the first one on: an audible label in front of the sound moves all of them."""
    return [(round(float(start) - float(chapters[0][0]), 2), title) for start, title in chapters]


@every_file
@both_modes
def test_manifests_of_others_are_kept_as_parents_or_named(
    name: str, visible: bool, signer: Signer, tmp_path: Path
) -> None:
    source = source_of(tmp_path, name)
    signed = Labeler("provider", visible=False, signer=signer, sidecar=False).label_file(source, tmp_path / f"s-{name}")
    before = containers.read(signed.path.read_bytes())
    held = metadata.scan(before).c2pa
    done = Labeler("provider", visible=visible, signer=signer).label_file(signed.path, tmp_path / f"l-{name}")
    after = metadata.scan(containers.read(done.path.read_bytes()))
    named = [loss for loss in done.lost if loss.what.startswith("C2PA manifest")]
    if held and not named:
        labels = [entry for block in held for entry in (block.data.find(b"urn:"),) if entry >= 0]
        assert after.c2pa
        assert labels
        first = held[0].data[labels[0] :].split(b"\0", 1)[0]
        assert any(first in block.data for block in after.c2pa)


@pytest.mark.parametrize("name", [name for name in PICTURES if name != "full.gif"])
def test_a_picture_saved_without_its_metadata_has_lost_it(name: str, tmp_path: Path) -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    source = source_of(tmp_path, name)
    bare = tmp_path / f"bare-{name}"
    with Image.open(source) as image:
        image.getexif().clear()
        plain = Image.new(image.mode, image.size)
        plain.save(bare)
    found = losses(source.read_bytes(), bare.read_bytes())
    missing = exiftool_names(source) - exiftool_names(bare)
    assert missing
    if any("Make" in each for each in missing):
        assert any(what.startswith(("EXIF tag 0x010F", "EXIF tag Make")) for what in found), found
    if any("ICC" in each for each in missing):
        assert "ICC colour profile" in found
    if any(each.startswith("XMP") for each in missing):
        assert any(what.startswith("XMP dc:source") for what in found), found


@pytest.mark.parametrize("name", ["full.mp4", "full.mov", "full.mkv", "full.webm"])
def test_a_video_remuxed_without_its_tracks_has_lost_them(name: str, tmp_path: Path) -> None:
    source = source_of(tmp_path, name)
    bare = tmp_path / f"bare-{name}"
    command = ["ffmpeg", "-v", "error", "-i", str(source), "-map", "0:v", "-c", "copy", "-map_metadata", "-1",
               "-map_chapters", "-1", str(bare)]  # fmt: skip
    subprocess.run(command, check=True)
    found = losses(source.read_bytes(), bare.read_bytes())
    assert ffprobe(bare)["streams"] != ffprobe(source)["streams"]
    assert "audio track 1" in found
    assert any(what in found for what in ("subtitle track 1", "text track 1")), found
    assert not any(what.startswith("language of audio") for what in found), "parts of what is gone are not named"
    if name in ("full.mkv", "full.webm"):
        assert any(what.startswith("chapter 0:00:01") for what in found), found


@pytest.mark.parametrize(
    ("name", "options", "what"),
    [
        ("full.mkv", ("-metadata:s:a:0", "language=fra"), "language of audio track 1: deu → fra"),
        ("full.mp4", ("-metadata:s:a:0", "language=fra"), "language of audio track 1: deu → fra"),
        ("full.mkv", ("-disposition:s:0", "forced"), "flag forced of subtitle track 1: no → yes"),
        ("full.mkv", ("-map_chapters", "-1"), "chapter 0:00:00 One"),
        ("full.mp4", ("-t", "2"), "duration of video track 1: 3.000 s → 2.000 s"),
        ("full.wav", ("-t", "2"), "samples"),
    ],
)
def test_a_single_change_is_named(name: str, options: tuple[str, ...], what: str, tmp_path: Path) -> None:
    source = source_of(tmp_path, name)
    changed = tmp_path / f"changed-{name}"
    command = ["ffmpeg", "-v", "error", "-i", str(source), "-map", "0", "-c", "copy", *options, str(changed)]
    subprocess.run(command, check=True)
    found = losses(source.read_bytes(), changed.read_bytes())
    assert any(each.startswith(what) for each in found), found


def test_strict_writes_nothing_and_names_what_would_be_lost(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(COSTLY["png"]())
    with pytest.raises(WouldLose, match="chunk iDOT"):
        Labeler("my-service", strict=True).label_image(source.read_bytes())
    with pytest.raises(WouldLose, match="chunk iDOT"):
        Labeler("my-service", strict=True).label_file(source, tmp_path / "b.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    source.write_bytes(PICTURES["full.png"]())
    assert Labeler("my-service", strict=True).label_file(source, tmp_path / "b.png").lost == ()


def test_the_command_line_prints_losses_and_refuses_them_if_asked(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(COSTLY["png"]())
    runner = CliRunner()
    command = ["add", str(source), "--producer", "p", "-o", str(tmp_path / "b.png")]
    strict = runner.invoke(group, [*command, "--strict"])
    assert strict.exit_code == 2
    assert "would lose chunk iDOT" in strict.output
    assert "leave --strict out" in strict.output
    assert not (tmp_path / "b.png").exists()
    plain = runner.invoke(group, command)
    assert plain.exit_code == 0
    assert "lost: chunk iDOT (PNG iDOT chunk): " in plain.output


def test_a_batch_run_records_losses_and_refuses_them_if_asked(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(COSTLY["png"]())
    lines = []
    for strict in (False, True):
        out = tmp_path / f"out-{strict}"
        batch.run(tmp_path / "in", out, labeler=partial(Labeler, "p", strict=strict), workers=1)
        lines.append(json.loads((out / ".aigc-label" / "results.jsonl").read_text(encoding="utf-8")))
    assert [line["status"] for line in lines] == ["labelled", "refused"]
    assert [loss["what"] for loss in lines[0]["lost"]] == ["chunk iDOT"]
    assert set(lines[0]["lost"][0]) == {"what", "where", "why"}
    assert lines[1]["error"]["kind"] == "WouldLose"


@pytest.mark.parametrize("name", sorted(COSTLY))
def test_what_the_table_says_may_be_lost_is_lost(name: str, tmp_path: Path) -> None:
    """A cost that no file shows any more has to leave labeling/containers/costs.py, and with it the README."""
    row = formats.format_named(name)
    source = tmp_path / f"costly{row.extensions[0]}"
    source.write_bytes(COSTLY[name]())
    lost = Labeler("my-service").label_file(source, tmp_path / f"copy{row.extensions[0]}").lost
    said = {loss.why for loss in lost}
    assert {cost.why for cost in row.costs} <= said, lost


@pytest.mark.parametrize("name", sorted(FOREIGN))
def test_what_no_muxer_writes_stays(name: str, tmp_path: Path) -> None:
    row = formats.format_named(name)
    source = tmp_path / f"foreign{row.extensions[0]}"
    source.write_bytes(FOREIGN[name]())
    assert Labeler("my-service", strict=True).label_file(source, tmp_path / f"copy{row.extensions[0]}").lost == ()


def test_every_cost_is_shown() -> None:
    # Those of HEIF and video need pictures that only special encoders make, or several files: tests/codecs has them.
    assert {row.name for row in formats.FORMATS if row.costs} == {*COSTLY, "heif", "mp4", "matroska"}
