"""Batch runs over folders and file lists: what is taken, what is left alone, what goes on, and what the results say."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import labeling
from labeling import Labeler, LabelingError
from labeling.batch import Check, Progress, run
from labeling.batch import listing as listings
from labeling.batch.journal import Journal, PlanOptions
from labeling.batch.storage import normalized_path
from labeling.batch.task import Item, Problem, Status, problem_outcome
from labeling.marks.credentials import Signer, make_test_chain

from .batching import STATE, batch, lines, results, statuses, tree, whole
from .test_bad_input import PRODUCER, refused

LABELER = Labeler(producer=PRODUCER)


def exiftool(path: Path, *tags: str) -> dict[str, str]:
    said = subprocess.run(["exiftool", "-j", *tags, path], capture_output=True, check=True).stdout
    found: dict[str, str] = json.loads(said)[0]
    return found


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
    os.utime(folder / paths[0], ns=(1, 1))
    Image.new("RGB", (300, 200), "teal").save(folder / "new.png")
    done = run(folder, target, labeler=LABELER, engine="inline")
    second = results(target)
    whole(target, [*paths, "new.png"])
    assert done.summary["resumed"] == 5
    assert {path for path in first if first[path] != second[path]} == {paths[0]}


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
    told: list[int] = []

    def progress(state: Progress) -> None:
        told.append(state.done)

    done = run(folder, target, verify=Check(visible=False), workers=2, progress=progress)
    assert done.summary["statuses"]["verified"] == 10_000
    assert done.exit_code == 1  # none is labelled
    assert told == sorted(told)
    assert told[-1] == 10_000
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


def test_a_state_elsewhere_belongs_to_its_target(tmp_path: Path) -> None:
    paths = tree(tmp_path / "in", 2)
    state = tmp_path / "in" / "state"  # not a file of the source
    for _ in range(2):
        run(tmp_path / "in", tmp_path / "out", labeler=LABELER, engine="inline", state=state)
    assert len((state / "results.jsonl").read_text().splitlines()) == len(paths)
    with pytest.raises(LabelingError, match=r"other options \(target\)"):
        run(tmp_path / "in", tmp_path / "elsewhere", labeler=LABELER, engine="inline", state=state)


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


def _csv(paths: list[str]) -> list[str]:
    rows = (f'"{path}",id-{number},由AI生成,painter' for number, path in enumerate(paths))
    return ["path,content_id,text,generator", *rows]


def _jsonl(paths: list[str]) -> list[str]:
    own = {"text": "由AI生成", "generator": "painter"}
    return [json.dumps({"path": path, "content_id": f"id-{number}"} | own) for number, path in enumerate(paths)]


def _plain(paths: list[str]) -> list[str]:
    return [*paths, ""]


LISTS = {"lines": ("\n", _plain), "nul": ("\0", _plain), "csv": ("\n", _csv), "jsonl": ("\n", _jsonl)}


@pytest.mark.parametrize("form", LISTS)
def test_file_lists_give_each_file_its_own_label(form: str, tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = [path for path in tree(folder, 9) if not path.startswith("c/")]
    between, make = LISTS[form]
    listing = tmp_path / "list"
    listing.write_text(between.join(make(paths)), "utf-8")
    done = batch(folder, target, "--files", listing)
    assert done.returncode == 0, done.stderr
    whole(target, paths)
    if form in ("csv", "jsonl"):
        for number, path in enumerate(paths):
            assert results(target)[path]["content_id"] == f"id-{number}"
            findings = {finding.kind: finding for finding in labeling.verify(target / path).findings}
            assert findings["aigc"].value["ProduceID"] == f"id-{number}"
            assert findings["visible"].value["text"] == "由AI生成"
            xmp = exiftool(target / path, "-XMP-iptcExt:all")
            assert any("painter" in str(value) for value in xmp.values()), xmp


def test_a_list_on_standard_input(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 6)
    with subprocess.Popen(["find", ".", "-name", "*.jpg", "-print0"], cwd=folder, stdout=subprocess.PIPE) as found:
        done = batch(folder, target, "--files", "-", stdin=found.stdout)
    assert done.returncode == 0, done.stderr
    whole(target, [path for path in paths if path.endswith(".jpg")])


def test_a_list_that_names_files_twice_or_outside(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 3)
    Image.new("RGB", (300, 200)).save(tmp_path / "outside.png")
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    names = [paths[0], f"./{paths[0]}", "../outside.png", str(tmp_path / "outside.png"), "link.png", "missing.png", "a"]
    half = json.dumps({"path": "\ud800.png"})
    listing = "\n".join([*(json.dumps({"path": name}) for name in names), half])
    done = run(folder, target, labeler=LABELER, engine="inline", file_list=io.StringIO(listing))
    found = results(target)
    assert {path: line["status"] for path, line in found.items()} == {
        paths[0]: "labelled", "../outside.png": "refused", str(tmp_path / "outside.png"): "refused",
        "link.png": "skipped", "missing.png": "failed", "a": "failed", "\\ud800.png": "refused",
    }  # fmt: skip
    assert done.summary["repeated"] == 1
    assert [path.name for path in target.rglob("*.*") if STATE not in path.parts and path.is_file()] == [
        Path(paths[0]).name
    ]


@pytest.mark.parametrize(
    ("text", "word"),
    [('{"path": "a.png", "colour": 1}', "colour"), ('{"path": 7}', "names no path"), ('{"path"', "not JSON"),
     ("path,colour\na.png,red", "colour"), ("x" * 100_000, "longer than")],
)  # fmt: skip
def test_a_list_that_is_none_says_which_line(text: str, word: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(LabelingError, match=word):
        run(tmp_path / "in", tmp_path / "out", labeler=LABELER, engine="inline", file_list=io.StringIO(text))


def test_the_command_refuses_what_cannot_be_meant(tmp_path: Path) -> None:
    tree(tmp_path / "in", 1)
    (tmp_path / "out" / "deep").mkdir(parents=True)
    refused(batch(tmp_path / "in"), 2, "no target", "--in-place")
    refused(batch(tmp_path / "in", tmp_path / "in"), 2, "one folder", "--in-place")
    refused(batch(tmp_path / "missing", tmp_path / "out"), 3, "missing", "no such folder")
    refused(batch(tmp_path / "out" / "deep", tmp_path / "out"), 2, "is inside the target")
    refused(batch(tmp_path / "in", tmp_path / "out", "--in-place"), 2, "takes no target")
    refused(batch(tmp_path / "in", tmp_path / "out", "--content-id", "x"), 2, "--files")
    refused(batch(tmp_path / "in", tmp_path / "out", "--files", tmp_path / "none"), 2, "file list", "No such file")
    refused(batch(tmp_path / "in", "gopher://x/y"), 2, "gopher")
    refused(batch(tmp_path / "in", tmp_path / "out", "--storage-options", "[1]"), 2, "must be an object")


def test_options_must_stay_the_same_within_a_run(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 2)
    assert batch(folder, target).returncode == 0
    refused(batch(folder, target, "--text", "由AI生成"), 2, "other options (style)", "--restart")
    assert batch(folder, target, "--text", "由AI生成", "--restart", "--overwrite").returncode == 0
    whole(target, paths)
    assert labeling.verify(target / paths[0]).findings[1].value["text"] == "由AI生成"


def test_a_signer_is_made_in_each_worker(tmp_path: Path) -> None:
    import c2pa

    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 4)
    chain = make_test_chain("es256")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(chain.cert_pem)
    key.write_bytes(chain.key_pem)
    with pytest.raises(LabelingError, match="not sent to other processes"):
        run(folder, target, labeler=Labeler(producer=PRODUCER, signer=Signer.from_pem(chain.cert_pem, chain.key_pem)))
    done = batch(folder, target, "--signer-cert", cert, "--signer-key", key, "--workers", "2")
    assert done.returncode == 0, done.stderr
    whole(target, paths)
    for path in paths:
        with c2pa.Reader(str(target / path)) as reader:
            assert reader.get_validation_state() in ("Valid", "Trusted")
    for file in (target / STATE).iterdir():
        assert b"PRIVATE KEY" not in file.read_bytes()
    with pytest.raises(LabelingError, match=r"none.pem: the certificate cannot be read"):
        run(folder, tmp_path / "other", labeler=partial(_signed, str(tmp_path / "none.pem")))


def _signed(path: str) -> Labeler:
    from labeling import config

    return Labeler(producer=PRODUCER, signer=config.signer(Path(path), Path(path)))


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


def test_films_and_sounds_too(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x240:r=10:d=1", "-c:v", "libx264",
         folder / "film.mp4"], check=True,
    )  # fmt: skip
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=d=1", folder / "tone.mp3"], check=True)
    paths = ["film.mp4", "tone.mp3"]
    run(folder, target, labeler=LABELER, workers=1)
    found = results(target)
    assert sorted(found) == paths
    for path in paths:
        assert found[path]["content_id"].encode() in (target / path).read_bytes()
        subprocess.run(["ffprobe", "-v", "error", target / path], check=True, capture_output=True)


def test_a_labeler_that_is_lost_or_wrong_ends_the_run_at_once(tmp_path: Path) -> None:
    tree(tmp_path / "in", 2)
    with pytest.raises(LabelingError, match="either how to label"):
        run(tmp_path / "in", tmp_path / "out")
    with pytest.raises(LabelingError, match="engine"):
        run(tmp_path / "in", tmp_path / "out", labeler=LABELER, engine="steam")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_a_journal_that_is_damaged_or_of_the_future(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 2)
    run(folder, target, labeler=LABELER, engine="inline")
    journal = target / STATE / "journal.sqlite"
    sound = journal.read_bytes()
    journal.write_bytes(b"no database at all" * 100)
    refused(batch(folder, target), 2, "journal", "--restart")
    journal.write_bytes(sound)
    results_file = target / STATE / "results.jsonl"
    results_file.write_bytes(results_file.read_bytes()[:40])
    refused(batch(folder, target), 2, "shorter", "--restart")
    assert batch(folder, target, "--restart", "--overwrite").returncode == 0
    whole(target, paths)


def test_the_library_needs_no_more_than_a_folder(tmp_path: Path) -> None:
    """The example of the package's docstring, as a program."""
    tree(tmp_path / "pictures", 2)
    program = (
        "from functools import partial\nfrom labeling import Labeler, batch\n"
        "if __name__ == '__main__':\n"
        "    done = batch.run('pictures', 'labelled', labeler=partial(Labeler.from_config, 'aigc-label.toml'))\n"
        "    print(done.summary['statuses']['labelled'], done.page)\n"
    )
    (tmp_path / "program.py").write_text(program)
    (tmp_path / "aigc-label.toml").write_text(f'producer = "{PRODUCER}"\n')
    said = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout == f"2 {Path('labelled') / STATE / 'report.html'}\n"


def test_lines_stand_in_the_order_of_their_ends(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    tree(folder, 8)
    run(folder, target, labeler=LABELER, workers=2)
    times = [line["time"] for line in lines(target)]
    assert len(times) == 8
    assert statuses(target) == {"labelled": 8}
    shutil.rmtree(target / "a")
    assert run(folder, target, labeler=LABELER, workers=2).summary["resumed"] == 8  # the journal is believed


@given(st.lists(st.sampled_from(["a", "B", ".", "..", "", "ü", "x y", "*"]), min_size=1, max_size=6))
def test_paths_of_lists_never_lead_out(parts: list[str]) -> None:
    text = "/".join(parts)
    try:
        found = normalized_path(text)
    except LabelingError:
        assert ".." in parts or text.startswith("/") or not text.strip("./")
        return
    assert os.path.normpath(found) == os.path.normpath(text)
    assert not found.startswith(("/", "../"))


@given(st.text("ab*?[]/.", max_size=8), st.text("abAB/.", max_size=12))
def test_globs_never_fail(pattern: str, path: str) -> None:
    assert listings.GlobFilter([pattern], [])(path) in (True, False)
    assert listings.GlobFilter([], [path])(path) is False or any(c in path for c in "*?[") or not path
