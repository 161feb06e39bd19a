"""Batch runs for platforms: labels of others carried on, labels of the platform's own, and labels for copies.

Witnesses: exiftool for the fields of the outputs, the ledger's chain, Pillow for the pixels.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import fsspec
import pytest
from PIL import Image, PngImagePlugin

from labeling import Labeler, LabelingError
from labeling.batch import Check, Propagation, Transplantation, run
from labeling.batch.journal import Journal
from labeling.ledger import Ledger

from .batching import results
from .commands import run as command
from .pictures import rgb
from .test_bad_input import PRODUCER
from .test_classify import exiftool

PLATFORM = "my-platform"
HOW = Propagation(propagator=PLATFORM, visible=False, isolate=False)


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """One upload of each class of Art. 6, and one that is no picture."""
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    labeler = Labeler(PRODUCER, visible=False)
    (folder / "confirmed.png").write_bytes(labeler.label_image(rgb(), "png", content_id="theirs-1").data)
    rgb(seed=2).save(folder / "deep/declared.jpg")
    parameters = PngImagePlugin.PngInfo()
    parameters.add_text("parameters", "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512")
    rgb(seed=3).save(folder / "suspected.png", pnginfo=parameters)
    rgb(seed=4).save(folder / "nothing.webp")
    (folder / "notes.txt").write_text("no picture")
    return folder


def aigc(path: Path) -> dict[str, Any]:
    return dict(json.loads(exiftool(path)["XMP-TC260:Aigc"]))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("in_place", [False, True])
def test_a_platform_labels_each_upload_by_its_class(uploads: Path, tmp_path: Path, in_place: bool) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text(
        "path,declared,propagate_id\nconfirmed.png,,post-1\ndeep/declared.jpg,是,post-2\nsuspected.png,no,\n"
        "nothing.webp,,\nnotes.txt,,\n"
    )
    before = {path: digest(uploads / path) for path in ("nothing.webp", "notes.txt")}
    with Ledger.open(str(tmp_path / "ledger.db")) as ledger:
        finished = run(
            uploads, None if in_place else tmp_path / "out", propagate=HOW, file_list=listed, ledger=ledger,
            in_place=in_place, engine="inline", state=tmp_path / "state",
        )  # fmt: skip
        records = list(ledger.export())
        assert ledger.verify().intact
    found = {line["path"]: line for line in map(json.loads, finished.results.read_text("utf-8").splitlines())}
    assert {path: line["status"] for path, line in found.items()} == {
        "confirmed.png": "labelled", "deep/declared.jpg": "labelled", "suspected.png": "labelled",
        "nothing.webp": "classified", "notes.txt": "unsupported",
    }  # fmt: skip
    assert {path: line.get("decision") for path, line in found.items() if path != "notes.txt"} == {
        "confirmed.png": "confirmed", "deep/declared.jpg": "possible", "suspected.png": "suspected",
        "nothing.webp": "none",
    }  # fmt: skip
    out = uploads if in_place else tmp_path / "out"
    theirs, declared, suspected = (aigc(out / path) for path in ("confirmed.png", "deep/declared.jpg", "suspected.png"))
    assert (theirs["Label"], theirs["ContentProducer"], theirs["ProduceID"]) == ("1", PRODUCER, "theirs-1")
    assert (theirs["ContentPropagator"], theirs["PropagateID"]) == (PLATFORM, "post-1")
    assert (declared["Label"], declared["ContentProducer"], declared["PropagateID"]) == ("2", "", "post-2")
    assert (suspected["Label"], suspected["ContentPropagator"]) == ("3", PLATFORM) and suspected["PropagateID"]
    if in_place:
        assert {path: digest(uploads / path) for path in before} == before
    else:
        assert not any((out / path).exists() for path in before)  # what needs no label has no output
    assert sorted(record.kind for record in records) == ["decision"] * 4 + ["label"] * 3
    written = {record.source: record.sha256 for record in records if record.kind == "label"}
    assert written == {path: digest(out / path) for path in written} and len(written) == 3
    assert finished.exit_code == 3  # the text file


def test_a_second_run_adds_nothing_and_a_list_that_says_more_is_followed(uploads: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    run(uploads, target, propagate=HOW, engine="inline")
    before = {path: (target / path).stat().st_mtime_ns for path in ("confirmed.png", "suspected.png")}
    again = run(uploads, target, propagate=HOW, engine="inline")
    assert again.summary["resumed"] == 5
    assert {path: (target / path).stat().st_mtime_ns for path in before} == before
    assert not (target / "nothing.webp").exists()
    listed = tmp_path / "list.jsonl"
    listed.write_text(
        '{"path": "nothing.webp", "decision": "suspected", "reviewer": "Li Lei", "reason": "six fingers"}\n'
    )
    run(uploads, target, propagate=HOW, file_list=listed, engine="inline")
    assert aigc(target / "nothing.webp")["Label"] == "3"
    line = results(target)["nothing.webp"]
    assert (line["decision"], line["automatic"], line["reviewer"]) == ("suspected", "none", "Li Lei")


def test_what_needs_no_label_any_more_has_no_output(tmp_path: Path) -> None:
    folder, target, listed = tmp_path / "in", tmp_path / "out", tmp_path / "list.csv"
    folder.mkdir()

    def go(*declared: str, **more: Any) -> dict[str, dict[str, Any]]:
        listed.write_text("path,declared\n" + "".join(f"{n}.jpg,{said}\n" for n, said in enumerate(declared)))
        run(folder, target, propagate=HOW, file_list=listed, engine="inline", **more)
        return results(target)

    for number in range(2):
        rgb(seed=number).save(folder / f"{number}.jpg")
    first = go("yes", "yes")
    (target / "1.jpg").write_bytes((target / "1.jpg").read_bytes() + b"changed")
    second = go("no", "no")
    assert (second["0.jpg"]["status"], second["0.jpg"]["decision"]) == ("classified", "none")
    assert not (target / "0.jpg").exists() and "was removed" in second["0.jpg"]["how"][0]
    assert second["1.jpg"]["status"] == "refused" and (target / "1.jpg").exists()
    (target / "0.jpg").write_bytes(b"of somebody else")
    assert go("maybe later", "no")["0.jpg"]["status"] == "failed"
    assert go("no", "no")["0.jpg"]["status"] == "classified" and (target / "0.jpg").read_bytes() == b"of somebody else"
    assert go("yes", "yes")["0.jpg"]["status"] == "refused"
    (target / "0.jpg").unlink()
    again = go("yes", "yes", retry_failed=True)
    assert [again[path]["content_id"] for path in again] == [first[path]["content_id"] for path in again]
    declared = (folder / "0.jpg").read_bytes()
    rgb(seed=9).save(folder / "0.jpg")  # another content, of which the list says nothing
    listed.write_text("path,declared\n0.jpg,no\n")
    run(folder, target, propagate=HOW, file_list=listed, engine="inline")
    (folder / "0.jpg").write_bytes(declared)
    listed.write_text("path,declared\n0.jpg,yes\n")
    run(folder, target, propagate=HOW, file_list=listed, engine="inline")
    assert results(target)["0.jpg"]["status"] == "labelled" and aigc(target / "0.jpg")["Label"] == "2"


def test_what_a_list_said_stands_in_runs_without_one(tmp_path: Path) -> None:
    folder, target, listed = tmp_path / "in", tmp_path / "out", tmp_path / "list.csv"
    folder.mkdir()
    rgb().save(folder / "a.jpg")
    listed.write_text("path,declared\na.jpg,yes\n")
    run(folder, target, propagate=HOW, file_list=listed, engine="inline")
    before = results(target)["a.jpg"]
    assert run(folder, target, propagate=HOW, engine="inline").summary["resumed"] == 1
    for text in ("a.jpg\n", "path\na.jpg\n", '{"path": "a.jpg"}\n'):
        run(folder, target, propagate=HOW, file_list=io.StringIO(text), engine="inline")
        assert results(target)["a.jpg"] == before
    run(folder, target, propagate=HOW, restart=True, engine="inline")
    after = results(target)["a.jpg"]
    assert after["time"] != before["time"]
    assert [after[key] for key in ("decision", "list", "content_id")] == [
        "possible",
        before["list"],
        before["content_id"],
    ]
    listed.write_text("path,declared\na.jpg,\n")
    run(folder, target, propagate=HOW, file_list=listed, engine="inline")
    assert results(target)["a.jpg"]["decision"] == "none"


def test_what_a_killed_run_had_decided_is_in_the_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    rgb().save(tmp_path / "in/a.jpg")
    rgb(seed=2).save(tmp_path / "in/b.jpg")
    listed = tmp_path / "list.csv"
    listed.write_text("path,declared,decision,reviewer,reason\na.jpg,yes,,,\nb.jpg,,suspected,Li Lei,six fingers\n")
    with Ledger.open(str(tmp_path / "ledger.db")) as ledger:
        with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
            killed.setattr(Journal, "finish", interrupted)
            run(tmp_path / "in", tmp_path / "out", propagate=HOW, file_list=listed, ledger=ledger, engine="inline")
        run(tmp_path / "in", tmp_path / "out", propagate=HOW, file_list=listed, ledger=ledger, engine="inline")
        assert sorted(record.kind for record in ledger.export()) == ["decision", "decision", "label", "label"]
    found = results(tmp_path / "out")
    assert [found[path]["decision"] for path in ("a.jpg", "b.jpg")] == ["possible", "suspected"]
    assert found["b.jpg"]["reviewer"] == "Li Lei"
    assert any(line["how"] == ["found finished after an interruption"] for line in found.values())


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_manifest_is_no_file_of_its_own_beside_its_video(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    rgb().save(tmp_path / "in/a.jpg")
    for name in ("a.jpg.c2pa", "gone.mkv.c2pa"):
        (tmp_path / "in" / name).write_bytes(b"\0\0\0\x10jumb\0\0\0\x08jumd")
    run(tmp_path / "in", tmp_path / "out", propagate=HOW, engine="inline")
    found = {path: line["status"] for path, line in results(tmp_path / "out").items()}
    assert found == {"a.jpg": "classified", "a.jpg.c2pa": "skipped", "gone.mkv.c2pa": "unsupported"}


def test_what_was_found_before_is_found_again_when_a_content_returns(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    parameters = PngImagePlugin.PngInfo()
    parameters.add_text("parameters", "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512")
    rgb(seed=3).save(folder / "a.png", pnginfo=parameters)
    suspected = (folder / "a.png").read_bytes()
    said = []
    for data in (suspected, None, suspected):
        if data is None:
            rgb(seed=4).save(folder / "a.png")
        else:
            (folder / "a.png").write_bytes(data)
        run(folder, target, propagate=HOW, engine="inline")
        said.append((results(target)["a.png"]["decision"], (target / "a.png").exists()))
    assert said == [("suspected", True), ("none", False), ("suspected", True)]


def test_a_declaration_that_means_nothing_costs_its_own_file_only(uploads: Path, tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text("path,declared,propagate_id\nnothing.webp,perhaps,\nsuspected.png,,\nconfirmed.png,,  \n")
    finished = run(uploads, tmp_path / "out", propagate=HOW, file_list=listed, engine="inline")
    found = results(tmp_path / "out")
    assert (found["nothing.webp"]["status"], found["suspected.png"]["status"]) == ("failed", "labelled")
    assert found["confirmed.png"]["error"]["message"].startswith("`propagate_id` is blank")
    assert "perhaps" in found["nothing.webp"]["error"]["message"] and finished.exit_code == 2


def test_an_uploader_s_declaration_counts_when_a_run_verifies(uploads: Path, tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text("path,declared\nnothing.webp,yes\nsuspected.png,\n")
    check = Check(profile=("platform",), visible=False, isolate=False)
    run(uploads, tmp_path / "report", verify=check, file_list=listed, engine="inline")
    found = results(tmp_path / "report")
    assert [found[path]["origin"] for path in ("nothing.webp", "suspected.png")] == ["possible", "suspected"]


def test_copies_get_the_labels_of_their_originals(tmp_path: Path) -> None:
    labelled, copies, out = (tmp_path / name for name in ("labelled", "copies", "out"))
    for folder in (labelled / "a", copies / "a"):
        folder.mkdir(parents=True)
    ids = {}
    for number, (original, copy) in enumerate(
        [("a/one.png", "a/one.jpg"), ("two.labeled.png", "two.webp"), ("three.png", "three.png"), ("x.png", "four.jpg")]
    ):
        picture = rgb(480, 360, seed=number)
        data = Labeler(PRODUCER).label_image(picture, "png", content_id=f"id-{number}").data
        (labelled / original).write_bytes(data)
        with Image.open(labelled / original) as image:
            image.convert("RGB").resize((240, 180)).save(copies / copy)
        ids[copy] = f"id-{number}"
    rgb(240, 180, seed=99).save(copies / "a/other.png")
    rgb(480, 360, seed=98).save(labelled / "a/other.png")  # has no label
    listed = tmp_path / "list.csv"
    listed.write_text("path,labelled\na/one.jpg,\ntwo.webp,\nthree.png,\nfour.jpg,x.png\na/other.png,\n")
    done = command("batch", copies, out, "--transplant", labelled, "--files", listed, "--workers", "1")
    assert done.returncode == 2, done.stderr
    found = results(out)
    assert {path: line["status"] for path, line in found.items()} == {
        **dict.fromkeys(ids, "labelled"), "a/other.png": "refused",
    }  # fmt: skip
    for path, content_id in ids.items():
        fields = aigc(out / path)
        assert (fields["ContentProducer"], fields["ProduceID"]) == (PRODUCER, content_id)
        with Image.open(out / path) as image, Image.open(copies / path) as copy_:
            assert image.convert("RGB").tobytes() == copy_.convert("RGB").tobytes()
    assert found["four.jpg"]["original"] == "x.png"
    assert not (out / "a/other.png").exists()


def test_an_original_that_is_not_there_or_not_certain_is_named(tmp_path: Path) -> None:
    labelled, copies = tmp_path / "labelled", tmp_path / "copies"
    labelled.mkdir()
    copies.mkdir()
    data = Labeler(PRODUCER).label_image(rgb(), "png").data
    for name in ("two.png", "two.webp"):
        (labelled / name).write_bytes(data)
    for name in ("one.jpg", "two.jpg"):
        rgb().save(copies / name)
    run(copies, tmp_path / "out", transplant=Transplantation(labelled=labelled), engine="inline")
    found = results(tmp_path / "out")
    assert found["one.jpg"]["error"]["message"].startswith("no original has its name")
    assert "several files may be its original: two.png, two.webp" in found["two.jpg"]["error"]["message"]


def test_no_original_is_read_from_outside_its_folder(tmp_path: Path) -> None:
    labelled, copies = tmp_path / "labelled", tmp_path / "copies"
    for folder in (labelled, copies, tmp_path / "secret"):
        folder.mkdir()
    (tmp_path / "secret/s.png").write_bytes(Labeler(PRODUCER).label_image(rgb(), "png").data)
    (labelled / "a.png").symlink_to("../secret/s.png")
    (labelled / "deep").symlink_to("../secret")
    names = {"a.png": None, "b.png": "deep/s.png", "c.png": "../secret/s.png", "d.png": str(tmp_path / "secret/s.png")}
    for name in names:
        rgb().save(copies / name)
    listed = tmp_path / "list.jsonl"
    listed.write_text("".join(json.dumps({"path": path, "labelled": named}) + "\n" for path, named in names.items()))
    done = run(
        copies, tmp_path / "out", transplant=Transplantation(labelled=labelled), file_list=listed, engine="inline"
    )
    found = results(tmp_path / "out")
    assert {line["status"] for line in found.values()} == {"failed"}
    for path in ("a.png", "b.png"):
        assert "leads out of the folder of the originals" in found[path]["error"]["message"]
    for path in ("c.png", "d.png"):
        assert "must be below the folder of the originals" in found[path]["error"]["message"]
    assert sorted(cause["count"] for cause in done.summary["causes"]) == [2, 2]  # not one for each name


def test_an_original_in_a_store_is_called_by_its_own_name(tmp_path: Path) -> None:
    store = fsspec.filesystem("memory")
    copies = tmp_path / "copies"
    copies.mkdir()
    for name, data in (("a.png", Labeler(PRODUCER).label_image(rgb(), "png").data), ("b.png", None)):
        rgb().save(copies / name)
        store.pipe_file(f"/originals/{name}", data or (copies / name).read_bytes())
    run(copies, tmp_path / "out", transplant=Transplantation(labelled="memory://originals"), engine="inline")
    found = results(tmp_path / "out")
    assert found["a.png"]["how"] == ["labels carried over from memory://originals/a.png"]
    assert found["b.png"]["status"] == "refused"
    assert found["b.png"]["error"]["message"].startswith("its original, b.png, carries no label")


def test_a_recipient_s_copy_has_no_visible_label_and_is_recorded_with_its_agreement(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("plain.png", "given.png", "without.png"):
        rgb(480, 360).save(folder / name)
    listed = tmp_path / "list.csv"
    listed.write_text(
        "path,recipient,agreement\nplain.png,,\ngiven.png,customer 7,contract 12\nwithout.png,customer 8,\n"
    )
    with Ledger.open(str(tmp_path / "ledger.db")) as ledger:
        run(folder, tmp_path / "out", labeler=Labeler(PRODUCER), file_list=listed, ledger=ledger, engine="inline")
        [record] = [each for each in ledger.export() if each.recipient is not None]
    assert (record.recipient, record.agreement, record.source) == ("customer 7", "contract 12", "given.png")
    found = results(tmp_path / "out")
    assert (found["plain.png"]["status"], found["given.png"]["status"]) == ("labelled", "labelled")
    assert "Labelling Measures Art. 9" in found["without.png"]["error"]["message"]
    with Image.open(folder / "given.png") as before, Image.open(tmp_path / "out/given.png") as after:
        assert before.convert("RGB").tobytes() == after.convert("RGB").tobytes()
    with Image.open(folder / "plain.png") as before, Image.open(tmp_path / "out/plain.png") as after:
        assert before.convert("RGB").tobytes() != after.convert("RGB").tobytes()
    run(folder, tmp_path / "no-ledger", labeler=Labeler(PRODUCER), file_list=listed, engine="inline")
    assert "this run has no ledger" in results(tmp_path / "no-ledger")["given.png"]["error"]["message"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--propagate",), "--propagator"),
        (("--propagator", "x"), "--propagator belongs to --propagate"),
        (("--propagate", "--propagator", "x", "--verify"), "--verify and --propagate are two runs"),
        (("--propagate", "--propagator", "x", "--position", "top-left"), "--position does not go with --propagate"),
        (("--transplant", ""), "it is empty"),
        (("--files", ""), "it is empty"),
        (("--ledger", ""), "it is empty"),
        (("--state", ""), "it is empty"),
        (("--propagator", ""), "--propagator belongs to --propagate"),
        (("--sample", "5"), "--sample belongs to --dry-run"),
        (("--since", "2999-01-01"), "--since lies in the future"),
        (("--transplant", "nowhere"), "no such folder of labelled originals"),
        (("--transplant", ".", "--resize", "100"), "--resize belongs to --convert"),
    ],
)
def test_options_that_do_not_go_together_are_refused(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    rgb().save(tmp_path / "a.png")
    done = command("batch", tmp_path, tmp_path / "out", *arguments)
    assert done.returncode in (2, 3) and said in (done.stdout + done.stderr).replace("\n", " "), done.stderr
    assert not (tmp_path / "out/a.png").exists()


@pytest.mark.parametrize("arguments", [("", "out"), ("in", ""), ("", "--in-place"), ("", "report", "--verify")])
def test_an_empty_path_is_not_the_working_directory(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "in").mkdir()
    rgb().save(tmp_path / "in/a.png")
    before = digest(tmp_path / "in/a.png")
    done = command("batch", *arguments, *(() if "--verify" in arguments else ("--producer", PRODUCER)), cwd=tmp_path)
    assert done.returncode == 2 and "the path of a folder is empty" in done.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a.png"]
    assert digest(tmp_path / "in/a.png") == before


def test_another_run_in_the_target_of_a_platform_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    rgb().save(tmp_path / "in/a.png")
    run(tmp_path / "in", tmp_path / "out", propagate=HOW, engine="inline")
    with pytest.raises(LabelingError, match="mode: propagate, not label"):
        run(tmp_path / "in", tmp_path / "out", labeler=Labeler(PRODUCER), engine="inline")


def test_a_platform_has_a_code() -> None:
    with pytest.raises(LabelingError, match="propagator"):
        Propagation(propagator=" ")
    with pytest.raises(LabelingError, match="labelled"):
        Transplantation(labelled="")
