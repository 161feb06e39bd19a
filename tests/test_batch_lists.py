"""Batch runs over file lists: forms of lists, labels of their own, and paths that must not lead out."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import labeling
from labeling import Labeler, LabelingError
from labeling.batch import listing as listings
from labeling.batch import run
from labeling.batch.storage import normalized_path

from .batching import STATE, batch, exiftool, results, tree, whole
from .test_bad_input import PRODUCER

LABELER = Labeler(producer=PRODUCER)


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


FORMS = {
    "Path": "Path,Content_ID\n{},mine\n",
    "PATH, semicolons, quotes and a mark": '\ufeff"PATH";"content id"\r\n"{}";"mine"\r\n',
    "tabs": "Content_id\tPath\nmine\t{}\n",
    "empty columns": "path,content_id,,\n{},mine,,\n",
    "Chinese": "文件路径;content_id\n{};mine\n",
    "JSON": '\ufeff{{"Path": "{}", "CONTENT_ID": "mine", "status": "failed", "cause": "it was so"}}\n',
}


@pytest.mark.parametrize("form", FORMS)
def test_lists_as_spreadsheets_write_them(form: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    name = "ä;b.png" if form == "PATH, semicolons, quotes and a mark" else "ä b.png"
    Image.new("RGB", (24, 16)).save(tmp_path / "in" / name)
    listing = tmp_path / "list"
    listing.write_bytes(FORMS[form].format(name).encode())
    labeler = Labeler(producer=PRODUCER, visible=False)
    run(tmp_path / "in", tmp_path / "out", labeler=labeler, engine="inline", file_list=listing)
    assert results(tmp_path / "out")[name]["content_id"] == "mine"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_refused(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    listing = tmp_path / "list"
    listing.write_bytes("path\r\na.png\r\n".encode(encoding))
    with pytest.raises(LabelingError, match="is UTF-16; save it as UTF-8"):
        run(tmp_path / "in", tmp_path / "out", labeler=LABELER, engine="inline", file_list=listing)


@pytest.mark.skipif(os.name == "nt", reason="names are bytes under POSIX alone")
def test_names_that_are_not_utf8_are_spelled_one_way_that_lists_take(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    name = os.fsdecode(b"caf\xe9.png")
    (folder / name).write_bytes(b"nothing")
    shown = "caf\\udce9.png"
    done = batch(folder, target, "--no-visible")
    assert shown in done.stdout
    for file in ("results.jsonl", "failed.jsonl", "summary.json", "report.html"):
        text = (target / STATE / file).read_text("utf-8")
        assert shown in text, file
        assert "U+DCE9" not in text, file
    Image.new("RGB", (24, 16)).save(tmp_path / "sound.png")
    (folder / name).write_bytes((tmp_path / "sound.png").read_bytes())
    listing = tmp_path / "list"
    for text in (shown, f"path,generator\n{shown},painter\n", f'{{"path": "{shown}"}}'):
        listing.write_text(text)
        labeler = Labeler(producer=PRODUCER, visible=False)
        run(folder, target, labeler=labeler, engine="inline", file_list=listing, restart=True, overwrite=True)
        assert results(target)[name]["status"] == "labelled"


def test_one_content_id_for_two_files_is_refused_for_the_second(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    names = [f"{number:03}.png" for number in range(80)]  # in two portions
    for name in names:
        Image.new("RGB", (24, 16), (int(name[:3]), 0, 0)).save(folder / name)
    listing = tmp_path / "list.csv"

    def listed(ids: dict[str, str]) -> dict[str, dict[str, object]]:
        rows = "".join(f"{name},{ids.get(name, f'id-{name}')}\n" for name in sorted(ids | dict.fromkeys(names)))
        listing.write_text(f"path,content_id\n{rows}")
        labeler = Labeler(producer=PRODUCER, visible=False)
        run(folder, target, labeler=labeler, engine="inline", file_list=listing, retry_failed=True)
        return results(target)

    found = listed({"001.png": "same", "003.png": "same", "079.png": "same"})
    assert found["001.png"]["content_id"] == "same"
    for name in ("003.png", "079.png"):
        assert found[name]["status"] == "refused"
        assert found[name]["error"]["kind"] == "SameContentId"  # type: ignore[index]
        assert "same, to 001.png as well" in found[name]["error"]["message"]  # type: ignore[index]
    assert sum(line["status"] == "labelled" for line in found.values()) == 78
    found = listed({"001.png": "same", "003.png": "another", "079.png": "third"})  # the list is mended
    assert {line["status"] for line in found.values()} == {"labelled"}
    (folder / "001.png").rename(folder / "new.png")  # a renamed file keeps its id
    names.remove("001.png")
    found = listed({"new.png": "same", "003.png": "another", "079.png": "third"})
    assert found["new.png"]["content_id"] == "same"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,declared,Declared\na.png,yes,no\n", "has several columns declared"),
        ("path,declared\na.png,yes,no\n", "line 2 has more cells than the header has names"),
        ('path,reason\n\na.png,"two\nlines"\n\n,lost\n', "line 6 names no path"),
    ],
)
def test_a_table_that_cannot_be_meant_so_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(LabelingError, match=said):
        list(listings._rows(io.StringIO(text, newline=""), "list", listings.COLUMNS["propagate"]))


def test_rows_of_empty_cells_are_passed_over() -> None:
    text = "path;declared;\r\na.png;yes;\r\n;;\r\n\r\n;;\r\n"
    rows = list(listings._rows(io.StringIO(text, newline=""), "list", listings.COLUMNS["propagate"]))
    assert rows == [("a.png", (("declared", "yes"),), None)]


def test_what_operating_systems_leave_in_folders_is_skipped_unless_a_list_names_it(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    paths = tree(folder, 2)
    litter = [".DS_Store", "a/Thumbs.db", f"a/._{Path(paths[0]).name}"]
    for path in litter:
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(b"\0\5\26\7\0\2\0\0Mac OS X        ")
    finished = run(folder, tmp_path / "out", labeler=LABELER, engine="inline")
    assert finished.exit_code == 0
    assert {path: results(tmp_path / "out")[path]["status"] for path in litter} == dict.fromkeys(litter, "skipped")
    listed = io.StringIO(".DS_Store\n")
    assert run(folder, tmp_path / "listed", labeler=LABELER, file_list=listed, engine="inline").exit_code == 3
