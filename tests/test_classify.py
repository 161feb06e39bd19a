"""A platform's half: the class of an upload, its evidence, and a label that is no surer than the class is.

Witnesses: exiftool and ffprobe for the fields, c2pa's own reader for manifests, the ledger's chain.
"""

from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import c2pa
import pytest
from PIL import Image, PngImagePlugin

import labeling
from labeling import LabelConflict, Labeler, LabelingError, Origin, Signer, SigningError, Style, UnreadableFile
from labeling.ledger import Ledger
from labeling.marks.credentials import make_test_chain

from . import programs
from .commands import run
from .pictures import rgb
from .test_bad_input import PRODUCER

HALF: dict[str, Any] = {"propagator": "my-platform", "propagate_id": "post-17"}
PLATFORM = {"ContentProducer": "", "ProduceID": "", "ContentPropagator": "my-platform", "PropagateID": "post-17"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One upload of each kind."""
    folder = tmp_path_factory.mktemp("uploads")
    picture = rgb(300, 220)
    for name in ("plain.png", "plain.jpg", "plain.webp"):
        picture.save(folder / name)
    labeler = Labeler(PRODUCER, visible=False)
    (folder / "labelled.png").write_bytes(labeler.label_image(picture, "png", content_id="id-1").data)
    drawn = Labeler(PRODUCER, style=Style(height_ratio=0.12)).label_image(picture, "png")
    with Image.open(io.BytesIO(drawn.data)) as image:
        image.convert("RGB").save(folder / "drawn.png")  # the visible label alone: a re-upload without metadata
    parameters = PngImagePlugin.PngInfo()
    parameters.add_text("parameters", "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512")
    picture.save(folder / "generated.png", pnginfo=parameters)
    cut = (folder / "plain.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(cut[: len(cut) // 2])
    return folder


@pytest.fixture(scope="module")
def signer() -> Signer:
    chain = make_test_chain()
    return Signer.from_pem(chain.cert_pem, chain.key_pem)


def exiftool(path: Path) -> dict[str, Any]:
    programs.require("exiftool")
    done = subprocess.run(["exiftool", "-j", "-G1", str(path)], capture_output=True, text=True, check=True)
    [found] = json.loads(done.stdout)
    return dict(found)


def active(path: Path, media_type: str) -> dict[str, Any]:
    with path.open("rb") as file, c2pa.Reader(media_type, file) as reader:
        store = json.loads(reader.json())
    assert store["validation_state"] == "Valid"
    return dict(store["manifests"][store["active_manifest"]])


@pytest.mark.parametrize(
    ("name", "declared", "decision", "marks"),
    [
        ("labelled.png", None, "confirmed", ["aigc", "iptc"]),
        ("labelled.png", True, "confirmed", ["aigc", "declaration", "iptc"]),
        ("plain.png", True, "possible", ["declaration"]),
        ("plain.png", None, "none", []),
        ("plain.png", False, "none", []),
        ("drawn.png", None, "suspected", ["visible"]),
        ("generated.png", None, "suspected", ["generator"]),
        ("generated.png", True, "possible", ["declaration", "generator"]),
        ("cut.jpg", None, "", []),
    ],
)
def test_the_four_classes_and_what_each_rests_on(
    desk: Path, name: str, declared: bool | None, decision: str, marks: list[str]
) -> None:
    found = labeling.classify(desk / name, declared=declared, visible=name in ("drawn.png", "cut.jpg"))
    assert (found.decision, found.automatic, [each.mark for each in found.evidence]) == (decision, decision, marks)
    assert all(each.says for each in found.evidence)
    assert (found.exit_code, bool(found.unread)) == ((0, False) if decision else (3, True))
    assert json.loads(json.dumps(found.to_dict()))["decision"] == (decision or None)


@pytest.mark.parametrize("form", ["png", "jpg", "webp"])
@pytest.mark.parametrize("origin", [Origin.POSSIBLE, Origin.SUSPECTED])
def test_a_platforms_label_names_no_producer_and_claims_no_certainty(
    desk: Path, tmp_path: Path, signer: Signer, form: str, origin: Origin
) -> None:
    how: dict[str, Any] = {"declared": True}
    if origin is Origin.SUSPECTED:
        how = {"decision": "suspected", "reviewer": "Li Lei", "reason": "six fingers"}
    source, out, signed = desk / f"plain.{form}", tmp_path / f"a.{form}", tmp_path / f"b.{form}"
    done = labeling.classify(source, out, write=True, visible=False, **HALF, **how)
    fields = exiftool(out)
    assert (
        json.loads(fields["XMP-TC260:Aigc"])
        == {"Label": str(origin), "ReservedCode1": "", "ReservedCode2": ""} | PLATFORM
    )
    assert not [key for key in fields if "DigitalSourceType" in key or "AISystem" in key]
    assert done.labeled is not None and done.labeled.lost == ()
    for profile in ("cn", "platform"):
        judged = labeling.verify(out, profile, visible=False)
        [label] = [each for each in judged.findings if each.kind == "aigc"]
        assert (label.defects, judged.origin) == ((), "possible" if origin is Origin.POSSIBLE else "suspected")
    labeling.classify(source, signed, write=True, visible=False, signer=signer, **HALF, **how)
    manifest = active(signed, {"jpg": "image/jpeg"}.get(form, f"image/{form}"))
    said = json.dumps(manifest["assertions"])
    [actions] = [each["data"] for each in manifest["assertions"] if each["label"].startswith("c2pa.actions")]
    assert [each["action"] for each in actions["actions"]] == ["c2pa.opened", "c2pa.edited.metadata"]
    assert "digitalSourceType" not in said and "ai-disclosure" not in said and "trainedAlgorithmicMedia" not in said
    assert [each["relationship"] for each in manifest["ingredients"]] == ["parentOf"]


def test_a_label_that_is_there_gets_the_platforms_half_alone(desk: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    done = labeling.classify(desk / "labelled.png", out, write=True, visible=False, **HALF)
    label = json.loads(exiftool(out)["XMP-TC260:Aigc"])
    assert label["Label"] == "1" and label["ContentProducer"] == PRODUCER and label["ProduceID"] == "id-1"
    assert (label["ContentPropagator"], label["PropagateID"]) == ("my-platform", "post-17")
    overruled = labeling.classify(
        desk / "labelled.png", tmp_path / "o.png", write=True, visible=False, decision="possible", reviewer="Li",
        reason="no producer of that name", **HALF,
    )  # fmt: skip
    assert overruled.overruled and overruled.automatic == "confirmed"
    assert json.loads(exiftool(tmp_path / "o.png")["XMP-TC260:Aigc"])["Label"] == "1"
    assert overruled.labeled is not None and "stays as it is" in overruled.labeled.how[0]
    again = labeling.classify(out, tmp_path / "again.png", write=True, visible=False, propagator="my-platform")
    assert done.labeled is not None and again.labeled is not None
    assert again.labeled.label.propagate_id == "post-17"


def test_a_platforms_label_is_carried_on_and_nobody_elses_goes_over_it(desk: Path, tmp_path: Path) -> None:
    labeling.classify(desk / "plain.png", tmp_path / "a.png", declared=True, write=True, visible=False, **HALF)
    done = labeling.propagate(tmp_path / "a.png", tmp_path / "b.png", propagator="other", propagate_id="9")
    assert (done.label.origin, done.label.producer, done.label.propagator) == (Origin.POSSIBLE, "", "other")
    with pytest.raises(LabelConflict, match="my-platform"):
        Labeler(PRODUCER, visible=False).label_file(tmp_path / "a.png", tmp_path / "c.png")


def test_the_visible_notice_says_no_more_than_the_class(desk: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    done = labeling.classify(desk / "plain.png", out, declared=True, write=True, notice=True, **HALF)
    visible = labeling.verify(out, "cn").find("visible")
    assert visible is not None and visible.status == "present" and "可能" in visible.value["text"]
    assert done.labeled is not None and done.labeled.report.compliant
    drawn = labeling.classify(desk / "drawn.png", tmp_path / "d.png", write=True, notice=True, **HALF)
    assert drawn.labeled is not None and "the visible label is there already" in drawn.labeled.how


def test_what_cannot_be_labelled_is_refused_with_the_way_out(desk: Path, tmp_path: Path, signer: Signer) -> None:
    plain, half = desk / "plain.png", {"write": True, "visible": False, **HALF}
    by = {"reviewer": "Li", "reason": "seen"}
    refusals: list[tuple[type[LabelingError], str, Path, dict[str, Any]]] = [
        (LabelConflict, "by the producer alone", plain, {"decision": "confirmed", **by, **half}),
        (UnreadableFile, "class is not known", desk / "cut.jpg", half),
        (LabelingError, "`propagator`", plain, {"write": True}),
        (LabelingError, "together", plain, {"decision": "none"}),
        (LabelingError, "together", plain, {"reviewer": "Li"}),
        (LabelingError, "one of confirmed", plain, {"decision": "sure", **by}),
    ]
    for kind, words, source, arguments in refusals:
        with pytest.raises(kind, match=words):
            labeling.classify(source, tmp_path / "x.png", **arguments)
    foreign = tmp_path / "foreign.jpg"
    foreign.write_bytes(Labeler("m", visible=False, signer=signer).label_image(rgb(), "jpeg").data)
    with pytest.raises(SigningError, match="`signer`"):
        labeling.classify(foreign, tmp_path / "x.jpg", **half)
    kept = labeling.classify(foreign, tmp_path / "k.jpg", signer=signer, **half)
    assert kept.decision == "confirmed"
    assert [each["relationship"] for each in active(tmp_path / "k.jpg", "image/jpeg")["ingredients"]] == ["parentOf"]
    assert not (tmp_path / "x.png").exists() and not (tmp_path / "x.jpg").exists()
    nothing = labeling.classify(plain, tmp_path / "x.png", **half)
    assert (nothing.decision, nothing.labeled, (tmp_path / "x.png").exists()) == ("none", None, False)


def test_contradictions_are_shown_beside_the_decision(desk: Path, tmp_path: Path) -> None:
    programs.require("exiftool")

    def kinds(source: str, term: str, declared: bool | None) -> set[str]:
        copy = tmp_path / "copy.png"
        copy.write_bytes((desk / source).read_bytes())
        value = f"-XMP-iptcExt:DigitalSourceType=http://cv.iptc.org/newscodes/digitalsourcetype/{term}"
        subprocess.run(["exiftool", "-q", "-overwrite_original", value, str(copy)], check=True)
        found = labeling.classify(copy, visible=False, declared=declared)
        assert all(term in each.says for each in found.contradictions if each.kind in ("camera", "declared-yes"))
        return {each.kind for each in found.contradictions}

    assert kinds("labelled.png", "digitalCapture", False) == {"camera", "declared-no"}
    assert kinds("plain.png", "digitalCapture", True) == {"declared-yes"}
    assert kinds("plain.png", "trainedAlgorithmicMedia", True) == set()
    labeling.classify(desk / "plain.png", desk / "two.png", declared=True, write=True, visible=False, **HALF)
    assert kinds("two.png", "trainedAlgorithmicMedia", None) == {"certainty"}
    judged = labeling.verify(tmp_path / "copy.png", "cn", visible=False).verdicts["cn"]  # its finding may rest on that
    assert "MARKS-CONTRADICT" in {each.rule for each in judged.warnings} - {each.rule for each in judged.failed}
    assert labeling.classify(desk / "generated.png", visible=False).contradictions == ()


def test_decision_and_evidence_are_in_the_ledger_and_its_chain_holds(desk: Path, tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "l.db") as ledger:
        found = labeling.classify(
            desk / "generated.png", tmp_path / "out.png", write=True, visible=False, decision="possible",
            reviewer="Li Lei", reason="=asked the uploader", **HALF,
        )  # fmt: skip
        decision, label = ledger.record_classification(found, source="generated.png")
        assert (decision.kind, label.kind) == ("decision", "label")
        details = decision.details or {}
        assert (details["decision"], details["automatic"]) == ("possible", "suspected")
        assert (details["reviewer"], details["reason"]) == ("Li Lei", "=asked the uploader")
        [evidence] = json.loads(details["evidence"])
        assert evidence["mark"] == "generator"
        assert label.fields["Label"] == "2" and label.fields["ContentProducer"] == ""
        assert ledger.verify().intact
        assert [match.record.kind for match in ledger.find(desk / "generated.png", distance=-1)] == ["decision"]
        assert {match.record.seq for match in ledger.find(tmp_path / "out.png", distance=-1)} == {1, 2}
        labeling.classify(desk / "plain.png", tmp_path / "o.png", declared=True, write=True, visible=False,
                          propagator="somebody", propagate_id="post-17")  # fmt: skip
        assert ledger.find(tmp_path / "o.png", distance=-1) == []  # their post-17 is not ours


def test_a_table_goes_out_and_comes_back_with_a_reviewers_decisions(desk: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    for source, target in (("plain.png", "=1+1.png"), ("plain.png", "sub/a.png"), ("labelled.png", "b.png"),
                           ("cut.jpg", "cut.jpg")):  # fmt: skip
        (folder / target).write_bytes((desk / source).read_bytes())
    out = run("classify", "in", "in/b.png", "--no-visible", "--format", "csv", cwd=tmp_path)
    assert out.returncode == 3, out.stderr
    rows = list(csv.DictReader(io.StringIO(out.stdout)))
    decided = {row["path"]: row["decision"] for row in rows}
    assert decided == {"in/=1+1.png": "none", "in/b.png": "confirmed", "in/cut.jpg": "", "in/sub/a.png": "none"}
    alone = run("classify", "=1+1.png", "--no-visible", "--format", "csv", cwd=folder)
    assert '"\'=1+1.png"' in alone.stdout
    rows[[row["path"] for row in rows].index("in/sub/a.png")] |= {
        "decision": "suspected", "reviewer": "李雷", "reason": "=too many fingers",
    }  # fmt: skip
    table = io.StringIO()
    writer = csv.DictWriter(table, rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    (tmp_path / "back.csv").write_bytes(table.getvalue().encode("gb18030"))  # as a spreadsheet in China saves it
    done = run("classify", "--files", "back.csv", "--no-visible", "--write", "--propagator", "me", "-o", "out",
               "--ledger", "l.db", "--format", "jsonl", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 3 and "Traceback" not in done.stderr
    answers = {each["path"]: each for each in map(json.loads, done.stdout.splitlines())}
    assert answers["in/sub/a.png"]["overruled"] and answers["in/sub/a.png"]["automatic"] == "none"
    assert answers["in/sub/a.png"]["written"]["label"]["Label"] == "3"
    assert "not known" in answers["in/cut.jpg"]["error"] and "written" not in answers["in/=1+1.png"]
    assert sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*")) == [
        "in/b.png", "in/sub/a.png",
    ]  # fmt: skip
    exported = run("ledger", "export", "--ledger", "l.db", "--format", "csv", cwd=tmp_path).stdout
    assert "too many fingers" in exported and run("ledger", "verify", "--ledger", "l.db", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("listed", "code", "words"),
    [
        ("path,decison\na.png,none\n", 2, "decison"),
        ("path,declared\na.png,maybe\n", 2, "known are yes and no"),
        ("path,decision\na.png,none\n", 2, "together"),
        ("path\na.png,b.png\n", 2, "more cells"),
        ("path,declared,declared\na.png,yes,no\n", 2, "the column declared twice"),
        ("a.png\nmissing.png\n", 3, "missing.png"),
        ("\n", 2, "names no file"),
        ("file,declared\na.png,yes\n", 2, "none that is called path"),
    ],
)
def test_a_bad_list_is_one_line_that_says_why(desk: Path, tmp_path: Path, listed: str, code: int, words: str) -> None:
    (tmp_path / "a.png").write_bytes((desk / "plain.png").read_bytes())
    (tmp_path / "l.csv").write_text(listed)
    done = run("classify", "--files", "l.csv", "--no-visible", "--format", "json", cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (code, 1)
    assert words in done.stderr


def test_the_command_in_both_languages_and_the_hint_of_propagate(desk: Path, tmp_path: Path) -> None:
    done = run("classify", desk / "generated.png", "--no-visible", "--declared", "no", "--lang", "zh")
    assert done.returncode == 0 and "疑似" in done.stdout and "相互矛盾" in done.stdout
    assert "生成工具痕迹（PNG tEXt parameters）：Stable" in done.stdout
    english = run("classify", desk / "generated.png", "--no-visible")
    assert "suspected" in english.stdout and "rests on: Generator trace" in english.stdout
    hint = run("propagate", desk / "plain.png", "--propagator", "p", "--propagate-id", "1", "-o", tmp_path / "x.png")
    assert hint.returncode == 2 and "classify" in hint.stderr


def test_video_and_audio_get_the_platforms_label(tmp_path: Path) -> None:
    programs.require("ffmpeg", "ffprobe")
    make = "ffmpeg -v error -f lavfi -i testsrc=s=160x120:d=1:r=5 -f lavfi -i sine=d=1 -c:v libx264 -c:a aac"
    subprocess.run([*make.split(), str(tmp_path / "a.mp4"), "-vn", str(tmp_path / "a.flac")], check=True)
    for name in ("a.mp4", "a.flac"):
        out = tmp_path / f"out-{name}"
        labeling.classify(tmp_path / name, out, declared=True, write=True, visible=False, **HALF)
        probe = subprocess.run(
            ["ffprobe", "-v", "error", "-of", "json", "-show_format", str(out)], capture_output=True, check=True
        )
        tags = {key.upper(): value for key, value in json.loads(probe.stdout)["format"]["tags"].items()}
        assert json.loads(tags["AIGC"]) == {"Label": "2", "ReservedCode1": "", "ReservedCode2": ""} | PLATFORM
    assert labeling.classify(tmp_path / "a.flac").decision == "none"  # a spoken label that nobody hears is no doubt
    loud = labeling.classify(tmp_path / "a.flac", tmp_path / "b.flac", declared=True, write=True, notice=True, **HALF)
    assert loud.labeled is not None and any("beside the content" in said for said in loud.labeled.how)
    made = [["ffmpeg", "-v", "error", "-i", str(tmp_path / name), "-f", "md5", "-"] for name in ("a.flac", "b.flac")]
    assert len({subprocess.run(each, capture_output=True, check=True).stdout for each in made}) == 1
