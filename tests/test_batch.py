"""Batch runs over folders: what is taken, what is left alone, what is processed again, and what the results say."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
from functools import partial
from pathlib import Path

from PIL import Image

import labeling
from labeling import Labeler
from labeling.batch import Check, Progress, run
from labeling.batch.journal import Journal
from labeling.batch.plan import PlanOptions
from labeling.batch.task import Item, Problem, Status, problem_outcome

from .batching import STATE, batch, exiftool, lines, results, statuses, tree, whole
from .test_bad_input import PRODUCER

LABELER = Labeler(producer=PRODUCER)


def test_a_tree_is_kept_and_a_second_run_has_nothing_to_do(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 12)
    done = batch(folder, target, "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert "12 files" in done.stdout
    whole(target, paths)
    before = {path: (target / path).stat().st_mtime_ns for path in paths}
    again = batch(folder, target, "--workers", "2")
    assert again.returncode == 0
    assert "12" in again.stdout
    assert {path: (target / path).stat().st_mtime_ns for path in paths} == before
    assert exiftool(target / paths[0], "-MIMEType")["MIMEType"].startswith("image/")
    summary = json.loads((target / STATE / "summary.json").read_text())
    assert (summary["total"], summary["statuses"]["labelled"], summary["resumed"]) == (12, 12, 12)
    assert "<svg" in (target / STATE / "report.html").read_text("utf-8")


def test_what_has_changed_is_done_again_and_nothing_else(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 6)
    run(folder, target, labeler=LABELER, engine="inline")
    first = results(target)
    for path in paths[:3]:
        os.utime(folder / path, ns=(1, 1))  # another date is no other content
    Image.new("RGB", (300, 200), "teal").save(folder / paths[0])
    Image.new("RGB", (300, 200), "teal").save(folder / "new.png")
    done = run(folder, target, labeler=LABELER, engine="inline")
    second = results(target)
    whole(target, [*paths, "new.png"])
    assert done.summary["resumed"] == 5  # two of them were read to see it
    assert {path for path in first if first[path] != second[path]} == {paths[0]}
    assert first[paths[0]]["content_id"] != second[paths[0]]["content_id"]
    assert run(folder, target, labeler=LABELER, engine="inline").summary["resumed"] == 7  # the new dates are known
    for path, line in second.items():
        assert line["source_sha256"] == hashlib.sha256((folder / path).read_bytes()).hexdigest()


def test_checksums_see_through_dates(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 4)
    sums = partial(run, folder, target, labeler=LABELER, engine="inline", checksum=True)
    sums()
    first = results(target)
    for path in paths:
        os.utime(folder / path, ns=(1, 1))
    stamp = (folder / paths[1]).stat()
    data = (folder / paths[1]).read_bytes()
    Image.effect_noise((320, 240), 50).convert("RGB").save(folder / paths[1], Image.open(io.BytesIO(data)).format)
    changed = (folder / paths[1]).read_bytes()
    (folder / paths[1]).write_bytes(changed)
    os.utime(folder / paths[1], ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    sums()
    second = results(target)
    assert {path for path in paths if first[path] != second[path]} == {paths[1]}
    whole(target, paths)


def test_globs_choose_by_name_and_path(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 15)
    Image.new("RGB", (300, 200)).save(folder / "SHOUT.JPG", "JPEG")
    run(folder, target, labeler=LABELER, engine="inline", include=["*.jpg"], exclude=["a/deep/*"])
    chosen = [path for path in paths if path.endswith(".jpg") and not path.startswith("a/deep/")]
    whole(target, [*chosen, "SHOUT.JPG"])


def test_links_pipes_and_strange_names(tmp_path: Path) -> None:
    folder, target, elsewhere = tmp_path / "in", tmp_path / "out", tmp_path / "secret"
    tree(elsewhere, 3)
    paths = tree(folder, 3)
    picture = (folder / paths[0]).read_bytes()
    (folder / "out.jpg").symlink_to(elsewhere / "a" / "deep" / "0000.jpg")
    (folder / "outside").symlink_to(elsewhere)
    (folder / "loop").symlink_to(".")
    (folder / "self").symlink_to("self")
    (folder / "nowhere.jpg").symlink_to("missing.jpg")
    (folder / "inside.jpg").symlink_to(paths[0])
    os.mkfifo(folder / "pipe")
    longest = "ä" * 125 + ".jpeg"
    assert len(longest.encode()) == 255
    names = [longest, " space .jpg", "new\nline.jpg", "'quote\".jpg", "-dash.jpg", "=1+1.jpg"]
    for name in names:
        (folder / name).write_bytes(picture)
    broken = os.fsdecode(b"\xff\xfe.jpg")
    (folder / broken).write_bytes(picture)
    (folder / "empty.jpg").touch()
    (folder / "notes.txt").write_text("no picture")
    done = run(folder, target, labeler=LABELER, workers=2)
    found = results(target)
    labelled = sorted(path for path, line in found.items() if line["status"] == "labelled")
    assert labelled == sorted([*paths, *names, "inside.jpg", broken])
    assert all((target / path).is_file() for path in labelled)
    skipped = {path: line["error"] for path, line in found.items() if line["status"] == "skipped"}
    assert sorted(skipped) == sorted(["out.jpg", "outside", "loop", "self", "nowhere.jpg", "pipe"])
    assert {error["kind"] for error in skipped.values()} == {"Symlink", "NotAFile"}
    assert found["empty.jpg"]["error"]["kind"] == "UnreadableFile"
    assert found["notes.txt"]["status"] == "unsupported"
    assert done.exit_code == 3
    assert run(folder, target, labeler=LABELER, workers=1).summary["resumed"] == len(found)


def test_ten_thousand_files_in_one_folder(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    for number in range(10_000):
        (folder / f"{number}.png").write_bytes(out.getvalue())
    counts: list[int] = []

    def progress(state: Progress) -> None:
        counts.append(state.done)

    done = run(folder, target, verify=Check(visible=False), workers=2, progress=progress)
    assert done.summary["statuses"]["verified"] == 10_000
    assert done.exit_code == 1  # none is labelled
    assert counts == sorted(counts)
    assert counts[-1] == 10_000
    assert len(results(target)) == 10_000


def test_the_output_may_lie_in_the_source_but_is_not_labelled_again(tmp_path: Path) -> None:
    paths = tree(tmp_path, 5)
    target = tmp_path / "labelled"
    for _ in range(2):
        run(tmp_path, target, labeler=LABELER, engine="inline")
        whole(target, paths)


def test_existing_outputs_are_not_replaced_unasked(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 4)
    (target / paths[0]).parent.mkdir(parents=True)
    (target / paths[0]).write_bytes(b"precious")
    done = run(folder, target, labeler=LABELER, engine="inline")
    found = results(target)[paths[0]]
    assert (found["status"], found["error"]["kind"]) == ("refused", "Taken")
    assert "`overwrite=True`" in found["error"]["message"]
    assert (target / paths[0]).read_bytes() == b"precious"
    assert done.exit_code == 2
    run(folder, target, labeler=LABELER, engine="inline", retry_failed=True, overwrite=True)
    whole(target, paths)


def test_in_place(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    paths = tree(folder, 6)
    for _ in range(2):
        done = run(folder, labeler=LABELER, in_place=True, workers=1)
        assert done.exit_code == 0
        whole(folder, paths)
    assert done.summary["resumed"] == 6


def test_in_place_links_stay_links(tmp_path: Path) -> None:
    paths = tree(tmp_path, 2)
    (tmp_path / "link.jpg").symlink_to(paths[0])
    run(tmp_path, labeler=LABELER, in_place=True, engine="inline")
    found = results(tmp_path)
    assert (found["link.jpg"]["status"], found["link.jpg"]["error"]["kind"]) == ("skipped", "Symlink")
    assert (tmp_path / "link.jpg").is_symlink()
    assert {found[path]["status"] for path in paths} == {"labelled"}


def test_a_folder_that_can_be_listed_again_is_no_failure_any_more(tmp_path: Path) -> None:
    paths = tree(tmp_path / "in", 2)
    run(tmp_path / "in", tmp_path / "out", labeler=LABELER, engine="inline")
    journal = Journal(tmp_path / "out" / STATE)
    problem = Problem(Status.FAILED, "UnreadableFile", "the folder cannot be listed (Permission denied)")
    closed = Item("b/.", problem=problem)
    journal.plan([closed], PlanOptions())
    journal.finish([problem_outcome(closed, problem)])
    journal.close()
    done = run(tmp_path / "in", tmp_path / "out", labeler=LABELER, engine="inline")
    assert done.exit_code == 0
    whole(tmp_path / "out", paths)


def test_others_labels_stay(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    tree(folder, 3)
    theirs = Labeler(producer="somebody else").label_file(folder / "b/0001.png", folder / "theirs.png").path
    run(folder, target, labeler=LABELER, engine="inline")
    found = results(target)["theirs.png"]
    assert (found["status"], found["error"]["kind"]) == ("refused", "LabelConflict")
    assert "somebody else" in found["error"]["message"]
    assert not (target / theirs.name).exists()


def test_verifying_tells_what_verify_tells(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "report"
    tree(folder, 3)
    LABELER.label_file(folder / "b/0001.png", folder / "good.png")
    (folder / "broken.png").write_bytes((folder / "good.png").read_bytes()[:700])
    done = batch(folder, target, "--verify", "--workers", "2")
    assert done.returncode == 1, done.stderr
    found = results(target)
    for path, line in found.items():
        expected = labeling.verify(folder / path).to_dict() | {"path": path}
        assert line["report"] == json.loads(json.dumps(expected, default=str)), path
    assert found["good.png"]["verdicts"]["cn"]["verdict"] == "compliant"
    assert found["broken.png"]["report"]["readable"] is False
    assert not [path for path in target.iterdir() if path.name != STATE]
    only = json.loads((target / STATE / "summary.json").read_text())
    assert only["verdicts"]["cn"] == {"compliant": 1, "inconclusive": 1, "noncompliant": 3}


def test_videos_and_audio_too(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x240:r=10:d=1", "-c:v", "libx264",
         folder / "video.mp4"], check=True,
    )  # fmt: skip
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=d=1", folder / "tone.mp3"], check=True)
    paths = ["video.mp4", "tone.mp3"]
    run(folder, target, labeler=LABELER, workers=1)
    found = results(target)
    assert sorted(found) == sorted(paths)
    for path in paths:
        assert found[path]["content_id"].encode() in (target / path).read_bytes()
        subprocess.run(["ffprobe", "-v", "error", target / path], check=True, capture_output=True)


def test_lines_stand_in_the_order_of_their_ends(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    tree(folder, 8)
    run(folder, target, labeler=LABELER, workers=2)
    times = [line["time"] for line in lines(target)]
    assert len(times) == 8
    assert statuses(target) == {"labelled": 8}
    shutil.rmtree(target / "a")
    assert run(folder, target, labeler=LABELER, workers=2).summary["resumed"] == 8  # the journal is believed
