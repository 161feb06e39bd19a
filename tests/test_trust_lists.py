"""The lists that come with the package, those that are kept beside them, and how each is turned off or renewed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from labeling import LabelingError, trust
from labeling.marks.credentials import shipped, shipped_lists

from .commands import run as program
from .marks.authorities import CLAIMS, CREATED, issued, root, signed
from .marks.signing import picture as plain

TODAY = datetime.now(UTC).date().isoformat()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIGC_LABEL_HOME", str(tmp_path / "home"))
    return tmp_path


def run(*arguments: str | Path) -> str:
    done = program(*arguments)
    assert done.stderr == ""
    return done.stdout


def said(path: Path, *options: str | Path) -> dict[str, Any]:
    [report] = json.loads(run("verify", path, "--no-visible", "--format", "json", *options))
    found: dict[str, Any] = next(each for each in report["marks"] if each["mark"] == "c2pa")
    return found


def test_the_shipped_lists_are_certificates_with_a_name_and_a_date() -> None:
    counts = {}
    for each in shipped_lists():
        certificates = x509.load_pem_x509_certificates(each.pem)
        counts[each.name] = len(certificates)
        assert len(certificates) == len(each.bodies())
        newest = max(certificate.not_valid_before_utc for certificate in certificates)
        assert newest.date().isoformat() < each.date <= TODAY
        for certificate in certificates:
            assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert list(counts.values()) == [30, 22, 1]
    [digicert] = x509.load_pem_x509_certificates(shipped_lists()[2].pem)
    # As published at https://www.digicert.com/kb/digicert-root-certificates.htm.
    assert digicert.fingerprint(hashes.SHA256()).hex().startswith("552f7bdcf1a7af9e6ce672017f4f12abf77240c78e76")


def test_files_without_a_manifest_read_no_list(tmp_path: Path) -> None:
    path = tmp_path / "plain.png"
    path.write_bytes(plain("png"))
    code = (
        "import sys, labeling\n"
        f"labeling.verify({str(path)!r}, visible=False)\n"
        "held = sys.modules.get('labeling.marks.credentials.trusted')\n"
        "assert 'c2pa' not in sys.modules\n"
        "assert held is None or held.shipped_lists.cache_info().currsize == 0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_load_combines_shipped_stored_and_named_lists(tmp_path: Path) -> None:
    assert trust.load() is shipped()
    mine = tmp_path / "mine.pem"
    mine.write_bytes(root().pem)
    assert trust.load(("none",)) is None
    alone = trust.load(("none", str(mine)))
    assert alone is not None
    assert [(each.name, each.date) for each in alone.all_lists()] == [("mine.pem", "")]
    trust.add(str(mine), name="kept")
    beside = trust.load((mine,))
    assert beside is not None
    names = [each.name for each in beside.all_lists()]
    assert names == [*(each.name for each in shipped_lists()), "kept", "mine.pem"]
    assert trust.load(use_stored=False) is shipped()


def test_update_takes_the_place_of_the_list_that_it_is_like(tmp_path: Path) -> None:
    anchors, stamps, _ = shipped_lists()
    own = root("Newcomer")
    newer = tmp_path / "newer.pem"
    for held, kind in ((anchors, "anchors"), (stamps, "tsa")):
        newer.write_bytes(held.pem + own.pem)
        bundle = trust.update(str(newer))
        assert (bundle.renews, bundle.kind) == (held.name, kind)
        assert bundle.certificates == len(held.bodies()) + 1
    loaded = trust.load()
    assert loaded is not None
    assert {(each.name, each.date) for each in loaded.all_lists()} == {
        (anchors.name, TODAY), (stamps.name, TODAY), (shipped_lists()[2].name, shipped_lists()[2].date),
    }  # fmt: skip
    assert all(each.ages for each in loaded.all_lists()[1:])
    picture = tmp_path / "a.jpg"
    picture.write_bytes(signed(issued(own, (CLAIMS,)), own))
    assert said(picture)["value"]["trust"]["list"] == anchors.name
    assert said(picture)["signature"] == "trusted"
    assert "renewed" in run("trust", "update", newer, "--kind", "tsa")
    shown = run("trust", "list").splitlines()
    assert sorted(each.partition(":")[0] for each in shown) == sorted(each.name for each in shipped_lists())
    assert (
        f"{anchors.name}: 31 certificates (anchors), {TODAY}, renewed from {newer} (kept as c2pa-trust-list)" in shown
    )
    run("trust", "remove", "c2pa-trust-list")
    assert said(picture)["signature"] == "valid"
    assert f"{anchors.name}: 30 certificates (anchors), {anchors.date}, comes with the package" in run("trust", "list")


def test_a_renewed_list_that_is_old_says_so_and_the_interim_list_is_named(tmp_path: Path, cases: Path) -> None:
    newer = tmp_path / "newer.pem"
    newer.write_bytes(shipped_lists()[0].pem)
    day = datetime(2020, 1, 1, 12, tzinfo=UTC).timestamp()
    os.utime(newer, (day, day))
    trust.update(str(newer))  # it is stored today, and is no newer for it
    assert "more than 180 days old: aigc-label trust update renews it" in run("trust", "list")
    top = root()
    picture = tmp_path / "a.jpg"
    picture.write_bytes(signed(issued(top, (CLAIMS,)), top))
    found = said(picture)
    assert "C2PA trust list of 2020-01-01" in found["value"]["trust"]["note"]
    assert (found["signature"], found["defects"]) == ("valid", [])
    run("trust", "add", cases.parent / "trust" / "itl_anchors.pem")
    assert "nobody is trusted by it" in run("trust", "list")


def test_batch_workers_judge_by_the_same_lists(tmp_path: Path) -> None:
    top = root()
    source, pem = tmp_path / "in", tmp_path / "top.pem"
    source.mkdir()
    pem.write_bytes(top.pem)
    (source / "a.jpg").write_bytes(signed(issued(top, (CLAIMS,)), top))
    run("batch", source, tmp_path / "out", "--verify", "--no-visible", "--trust", pem, "--workers", "2")
    results = "".join(each.read_text() for each in (tmp_path / "out").rglob("*.jsonl"))
    assert '"signature": "trusted"' in results or '"signature":"trusted"' in results
    assert "top.pem" in results


def test_what_is_neither_list_needs_to_be_told(tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(root().pem)
    with pytest.raises(LabelingError, match="cannot be told"):
        trust.update(str(other))
    assert trust.update(str(other), kind="tsa").renews == "C2PA time-stamp list"
    with pytest.raises(LabelingError, match="are renewed"):
        trust.update(str(other), kind="allowed")
    other.write_bytes(b"no certificate")
    with pytest.raises(LabelingError, match="holds no PEM certificates"):
        trust.update(str(other))
    with pytest.raises(LabelingError, match="https only"):
        trust.update("http://127.0.0.1:1/list.pem")


def test_the_command_line_says_none_and_names_files(tmp_path: Path) -> None:
    top = root()
    picture, pem = tmp_path / "a.jpg", tmp_path / "top.pem"
    picture.write_bytes(signed(issued(top, (CLAIMS,)), top))
    pem.write_bytes(top.pem)
    assert said(picture)["value"]["trust"]["asked"] == [{"name": "C2PA trust list", "date": "2026-10-01"}]
    none = said(picture, "--trust", "none")
    assert (none["signature"], none["value"]["trust"]) == ("valid", {"state": "unasked"})
    for options in (("--trust", pem), ("--trust", "none", "--trust", pem)):
        own = said(picture, *options)
        assert (own["signature"], own["value"]["trust"]["list"]) == ("trusted", "top.pem")
    text = run("verify", picture, "--no-visible", "--trust", pem)
    assert "on the list top.pem" in " ".join(text.split())
    text = run("verify", picture, "--no-visible", "--lang", "zh", "--trust", "none")
    assert "未查询任何信任列表" in text
    page = tmp_path / "page.html"
    run("verify", picture, "--no-visible", "--format", "html", "-o", page)
    shown = page.read_text(encoding="utf-8")
    assert "on none of the lists asked: C2PA trust list of 2026-10-01" in shown
    assert "hash, signature and assertions fit" in shown
    sarif = json.loads(run("verify", picture, "--no-visible", "--format", "sarif"))
    told = sarif["runs"][0]["artifacts"][0]["properties"]["contentCredentials"]
    assert set(told) == {"integrity", "signer", "trust", "time stamp"}


def test_what_manifests_say_steers_no_terminal(tmp_path: Path) -> None:
    top = root()
    words = "Applied \x1b[31mwatermark\u202e <b>bold</b>"
    action = {"action": "c2pa.edited", "description": words, "softwareAgent": {"name": "\x1b]0;x\x07"}}
    path = tmp_path / "a.jpg"
    path.write_bytes(signed(issued(top, (CLAIMS,)), top, actions=(CREATED, action)))
    for form in ("table", "json", "html", "sarif", "csv"):
        shown = run("verify", path, "--no-visible", "--format", form)
        assert not {"\x1b", "\x07", "\u202e"} & set(shown), form
        assert "<b>bold" not in shown or form in ("table", "json"), form
    assert not {"\x1b", "\x07", "\u202e"} & set(run("inspect", path))


def test_inspect_tells_the_history(tmp_path: Path) -> None:
    top = root()
    picture = tmp_path / "a.jpg"
    action = {"action": "c2pa.watermarked.bound"}
    picture.write_bytes(signed(issued(top, (CLAIMS,)), top, actions=(CREATED, action)))
    found = json.loads(run("inspect", picture, "--format", "json"))
    found = found[0] if isinstance(found, list) else found
    assert [each["action"] for each in found["history"][0]["actions"]] == ["c2pa.created", "c2pa.watermarked.bound"]
    assert found["watermarks"][0]["by"] == "c2pa.watermarked.bound"
