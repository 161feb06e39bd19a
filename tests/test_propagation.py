"""Propagation and transplanting: the producer's half stays, and nothing but a copy gets another picture's labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import c2pa
import pytest
from PIL import Image

import labeling
from labeling import LabelConflict, Labeler, LabelingError, Signer, SigningError
from labeling.findings import Status
from labeling.marks.credentials import make_test_chain

from .commands import run
from .pictures import MAKERS, rgb
from .test_bad_input import PRODUCER


def label_in(path: Path) -> dict[str, Any]:
    [finding] = [m for m in labeling.verify(path, visible=False).findings if m.kind == "aigc"]
    assert finding.status is not Status.ABSENT
    return finding.value


@pytest.fixture
def signer() -> Signer:
    chain = make_test_chain()
    return Signer.from_pem(chain.cert_pem, chain.key_pem)


@pytest.mark.parametrize(
    "kind", ["baseline.jpg", "animated.png", "lossy.webp", "animated.gif", "pages.tif", "still.avif"]
)
def test_a_platform_fills_its_half_and_the_producers_stays(kind: str, tmp_path: Path) -> None:
    source, labelled, out = tmp_path / kind, tmp_path / f"l-{kind}", tmp_path / f"p-{kind}"
    source.write_bytes(MAKERS[kind]())
    Labeler(PRODUCER, visible=False).label_file(source, labelled, content_id="id-1")
    before = label_in(labelled)
    done = labeling.propagate(labelled, out, propagator="platform", propagate_id="post-17", security="s")
    after = label_in(out)
    filled = {"ContentPropagator": "platform", "PropagateID": "post-17", "ReservedCode2": "s"}
    assert after == before | filled
    assert done.report.verdicts["cn"].outcome == "compliant"
    again = labeling.propagate(out, tmp_path / f"q-{kind}", propagator="other", propagate_id="9")
    assert label_in(again.path) == before | {"ContentPropagator": "other", "PropagateID": "9", "ReservedCode2": ""}


def test_real_labels_in_other_carriers_move_to_the_proper_one_whole(cases: Path, tmp_path: Path) -> None:
    folder = cases / "1_aigc_cn"
    for name in (
        "baidu_jpeg_exif_usercomment_white.jpeg",
        "doubao_png_tEXt_windows_resave.png",
        "kling_png_tEXt_null_fields.png",
    ):
        before = label_in(folder / name)
        out = tmp_path / name
        labeling.propagate(folder / name, out, propagator="platform", propagate_id="post-17")
        after = label_in(out)
        for key in ("Label", "ContentProducer", "ProduceID"):
            assert after[key] == before[key]
        assert after["ReservedCode1"] == (before["ReservedCode1"] or "")
        assert (after["ContentPropagator"], after["PropagateID"]) == ("platform", "post-17")


def test_what_has_no_label_or_a_doubtful_one_is_not_propagated(cases: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.png"
    rgb().save(plain)
    with pytest.raises(LabelConflict, match="no label"):
        labeling.propagate(plain, propagator="p", propagate_id="1")
    Labeler(PRODUCER, visible=False).label_file(plain, tmp_path / "l.png")
    with pytest.raises(LabelingError, match="`propagate_id`"):
        labeling.propagate(tmp_path / "l.png", propagator="p", propagate_id=" ")


def test_content_credentials_are_kept_as_the_parent_or_the_file_is_refused(tmp_path: Path, signer: Signer) -> None:
    signed = tmp_path / "signed.jpg"
    signed.write_bytes(Labeler(PRODUCER, signer=signer).label_image(rgb(), "jpeg").data)
    with pytest.raises(SigningError, match="`signer`"):
        labeling.propagate(signed, tmp_path / "x.jpg", propagator="p", propagate_id="1")
    done = labeling.propagate(signed, tmp_path / "x.jpg", propagator="p", propagate_id="1", signer=signer)
    store = manifest(done.path)
    assert store["validation_state"] == "Valid"
    assert parents(store) == ["parentOf"]


def manifest(path: Path) -> dict[str, Any]:
    media_type = {".jpg": "image/jpeg", ".webp": "image/webp"}[path.suffix]
    with path.open("rb") as file, c2pa.Reader(media_type, file) as reader:
        parsed: dict[str, Any] = json.loads(reader.json())
    return parsed


def parents(store: dict[str, Any]) -> list[str]:
    return [one["relationship"] for one in store["manifests"][store["active_manifest"]]["ingredients"]]


def test_labels_go_over_to_a_smaller_copy_in_another_format(tmp_path: Path, signer: Signer) -> None:
    original = tmp_path / "a.jpg"
    made = Labeler(PRODUCER, generator="m", generator_version="2", signer=signer).label_image(rgb(800, 600), "jpeg")
    original.write_bytes(made.data)
    copy = tmp_path / "copy.webp"
    with Image.open(original) as image:
        image.resize((400, 300)).save(copy, quality=60)
    plain = labeling.transplant(original, copy, tmp_path / "b.webp")
    assert label_in(plain.path) == label_in(original)
    assert [loss.what for loss in plain.lost] == ["C2PA manifest of the original"]
    [finding] = [m for m in labeling.verify(plain.path, visible=False).findings if m.kind == "iptc"]
    assert (finding.value["AISystemUsed"], finding.value["AISystemVersionUsed"]) == ("m", "2")
    again = labeling.transplant(original, copy, tmp_path / "c.webp", signer=signer)
    assert parents(manifest(again.path)) == ["parentOf"]


def test_no_label_for_another_picture_and_none_over_somebody_elses(tmp_path: Path) -> None:
    original, other = tmp_path / "a.png", tmp_path / "b.png"
    original.write_bytes(Labeler(PRODUCER, visible=False).label_image(rgb(), "png").data)
    rgb(seed=9).rotate(90).save(other)
    with pytest.raises(LabelConflict, match="does not show the same picture"):
        labeling.transplant(original, other, tmp_path / "x.png")
    theirs = tmp_path / "theirs.png"
    theirs.write_bytes(Labeler("somebody", visible=False).label_image(rgb(), "png").data)
    with pytest.raises(LabelConflict, match="somebody"):
        labeling.transplant(original, theirs, tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


def test_the_commands(tmp_path: Path) -> None:
    labelled, copy = tmp_path / "a.png", tmp_path / "copy.jpg"
    labelled.write_bytes(Labeler(PRODUCER, visible=False).label_image(rgb(), "png", content_id="id-1").data)
    rgb().save(copy)
    out = tmp_path / "out.png"
    result = run("propagate", labelled, "--propagator", "platform", "--propagate-id", "17", "-o", out)
    assert result.returncode == 0, result.stderr
    assert label_in(out)["PropagateID"] == "17"
    result = run("transplant", labelled, copy, "--in-place")
    assert result.returncode == 0, result.stderr
    assert label_in(copy)["ProduceID"] == "id-1"
    result = run("propagate", tmp_path / "none.png", "--propagator", "p", "--propagate-id", "1")
    assert (result.returncode, len(result.stderr.splitlines())) == (3, 1)


def test_trust_lists_are_kept_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signer: Signer) -> None:
    monkeypatch.setenv("AIGC_LABEL_HOME", str(tmp_path / "home"))
    chain = make_test_chain()
    (tmp_path / "root.pem").write_bytes(chain.root_pem)
    signed = tmp_path / "signed.jpg"
    ours = Signer.from_pem(chain.cert_pem, chain.key_pem)
    signed.write_bytes(Labeler(PRODUCER, signer=ours).label_image(rgb(), "jpeg").data)

    def signature(*more: str) -> str:
        [report] = json.loads(run("verify", signed, "--no-visible", "--format", "json", *more).stdout)
        return str(next(m for m in report["marks"] if m["mark"] == "c2pa")["signature"])

    assert "root" not in run("trust", "list").stdout.split()
    assert signature() == "valid"
    added = run("trust", "add", tmp_path / "root.pem")
    assert added.returncode == 0, added.stderr
    assert "1 certificate (anchors)" in added.stdout
    assert "root" in run("trust", "list").stdout
    assert signature() == "trusted"
    assert signature("--no-stored-trust") == "valid"
    (tmp_path / "home" / "trust" / "root.pem").write_bytes(b"altered")
    assert run("trust", "list").returncode == 2
    assert run("trust", "remove", "root").returncode == 0  # as the message says: remove it and add it again
    assert "root" not in run("trust", "list").stdout.split()
    again = run("trust", "remove", "root")
    assert (again.returncode, len(again.stderr.splitlines())) == (2, 1)
    assert "there is no trust list 'root'" in again.stderr
    for bad in (tmp_path / "none.pem", signed, "http://example.org/x.pem"):
        refused = run("trust", "add", bad)
        assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
