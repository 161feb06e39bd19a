"""Batch runs from and to object stores: a real S3-speaking server on loopback; boto3 tells what is there then."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec
import pytest

from labeling import LabelingError
from labeling.batch.job import Check

from .pictures import MAKERS
from .s3 import KEY, PRODUCER, SECRET, Server, go, proven, results, small_png, statuses


@pytest.fixture(scope="module")
def png() -> bytes:
    return small_png()


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "labeling.cli", "batch", *map(str, arguments), "--producer", PRODUCER, "--no-visible"]


def test_bucket_to_bucket_with_workers_and_a_film(store: Server, png: bytes, tmp_path: Path) -> None:
    source = store.bucket({"in/a.png": png, "in/sub/b.jpg": MAKERS["baseline.jpg"](), "in/note.txt": b"no picture"})
    store.client.put_object(Bucket=source, Key="in/film.mp4", Body=film(tmp_path / "film.mp4"))
    target = store.bucket()
    run = command(f"s3://{source}/in/", f"s3://{target}/out", "--workers", 2, "--state", "state")
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 3, done.stderr  # for the text
    lines = [json.loads(line) for line in Path("state/results.jsonl").read_text().splitlines()]
    assert {line["path"]: line["status"] for line in lines} == {
        "a.png": "labelled", "sub/b.jpg": "labelled", "film.mp4": "labelled", "note.txt": "unsupported",
    }  # fmt: skip
    for line in lines:
        if line["status"] == "labelled":
            body = store.client.get_object(Bucket=target, Key=f"out/{line['path']}")["Body"].read()
            assert hashlib.sha256(body).hexdigest() == line["sha256"]
            assert line["content_id"].encode() in body
    copies = {key.rpartition("/")[2] for key in store.keys(target) if key.startswith("out/.aigc-label/")}
    assert copies == {"journal.sqlite", "results.jsonl", "summary.json", "report.html", "failed.jsonl", "run.json"}
    texts = [done.stdout.encode(), done.stderr.encode(), *(p.read_bytes() for p in Path("state").iterdir())]
    texts += [store.client.get_object(Bucket=target, Key=key)["Body"].read() for key in store.keys(target)]
    assert not [text[:80] for text in texts if SECRET.encode() in text or KEY.encode() in text]
    assert {path.name for path in tmp_path.iterdir()} == {"film.mp4", "state"}


def film(path: Path) -> bytes:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 64, 48
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode())
    return path.read_bytes()


def test_bucket_to_folder_and_folder_to_bucket(store: Server, png: bytes, tmp_path: Path) -> None:
    source, target = store.bucket({"a.png": png, "b/c.png": png}), store.bucket()
    down = go(f"s3://{source}", tmp_path / "down")
    assert statuses(down) == {"a.png": "labelled", "b/c.png": "labelled"}
    for path, line in results(down).items():
        assert hashlib.sha256((tmp_path / "down" / path).read_bytes()).hexdigest() == line["sha256"]
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "ü.png").write_bytes(png)
    up = go(tmp_path / "up", f"s3://{target}/deep/er")
    assert proven(store, target, up, "deep/er/") == {"deep/er/ü.png"}


def test_memory(store: Server, png: bytes) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe({"/in/a.png": png, "/in/b/c.png": png})
    try:
        first = go("memory://in", "memory://out", engine="local")  # which gives way: no other process sees this memory
        assert statuses(first) == {"a.png": "labelled", "b/c.png": "labelled"}
        for path, line in results(first).items():
            assert hashlib.sha256(memory.cat(f"/out/{path}")).hexdigest() == line["sha256"]
        assert memory.exists("/out/.aigc-label/report.html")
        assert go("memory://in", "memory://out").summary["resumed"] == 2
        with pytest.raises(LabelingError, match="there is no such place"):
            go("memory://nowhere", "memory://other")
    finally:
        memory.rm("/", recursive=True)


def test_file_list_with_content_numbers(store: Server, png: bytes, tmp_path: Path) -> None:
    source, target = store.bucket({"a.png": png, "b/c d.png": png, "unnamed.png": png}), store.bucket()
    (tmp_path / "list.csv").write_text("path,content_id\na.png,N-1\nb/c d.png,N-2\nnone.png,N-3\n../up.png,N-4\n")
    done = go(f"s3://{source}", f"s3://{target}", file_list=tmp_path / "list.csv")
    found = results(done)
    assert {path: line.get("content_id") for path, line in found.items()} == {
        "a.png": "N-1", "b/c d.png": "N-2", "none.png": None, "../up.png": None,
    }  # fmt: skip
    assert found["none.png"]["status"] == "failed"
    assert "no such object" in found["none.png"]["error"]["message"]
    assert found["../up.png"]["status"] == "refused"
    assert proven(store, target, done) == {"a.png", "b/c d.png"}
    assert not [each for each in store.asked("GET", f"^/{source}$") if "list-type" in each.query]  # a list needs none


def test_only_what_the_globs_choose(store: Server, png: bytes) -> None:
    source, target = store.bucket(dict.fromkeys(["a.png", "a.gif", "x/b.PNG", "x/draft.png"], png)), store.bucket()
    done = go(f"s3://{source}", f"s3://{target}", include=["*.png"], exclude=["draft*"])
    assert proven(store, target, done) == {"a.png", "x/b.PNG"}


def test_pages_of_a_large_bucket(store: Server, png: bytes, tmp_path: Path) -> None:
    source = store.bucket()
    for number in range(2010):
        store.put_quickly(source, f"{number:04}.png", png)
    done = go(f"s3://{source}", tmp_path / "report", labeler=None, verify=Check(visible=False), include=["*99.png"])
    assert sorted(results(done)) == [f"{number:04}.png" for number in range(99, 2010, 100)]
    pages = store.asked("GET", f"^/{source}$")
    assert len(pages) == 3
    assert ["continuation-token" in page.query for page in pages] == [False, True, True]


def test_a_second_run_touches_only_what_has_changed(store: Server, png: bytes, tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(5)]
    source, target = store.bucket(dict.fromkeys(names, png)), store.bucket()
    first = results(go(f"s3://{source}", f"s3://{target}"))
    outputs = store.objects(target)
    store.forget()
    again = go(f"s3://{source}", f"s3://{target}")
    assert again.summary["resumed"] == 5
    assert results(again) == first
    assert not store.asked("PUT", r"\.png$")
    assert not store.asked("GET", r"\.png$")

    store.client.put_object(Bucket=source, Key="3.png", Body=MAKERS["palette.png"]())
    shutil.rmtree(".aigc-label")  # what this machine knows; the target has a copy
    store.forget()
    third = go(f"s3://{source}", f"s3://{target}")
    assert third.summary["resumed"] == 4
    assert [request.path for request in store.asked("PUT", r"\.png$")] == [f"/{target}/3.png"]
    assert proven(store, target, third) == set(names)
    assert {name for name, body in store.objects(target).items() if body != outputs[name]} == {"3.png"}


def test_in_place(store: Server, png: bytes) -> None:
    bucket = store.bucket({"a.png": png, "b.png": png})
    first = go(f"s3://{bucket}", in_place=True)
    assert proven(store, bucket, first) == {"a.png", "b.png"}
    shutil.rmtree(".aigc-label")
    store.forget()
    assert go(f"s3://{bucket}", in_place=True).summary["resumed"] == 2
    assert not store.asked("PUT", r"\.png$")


def test_taken_names_are_refused(store: Server, png: bytes) -> None:
    source, target = store.bucket({"a.png": png, "b.png": png}), store.bucket({"a.png": b"whose is this?"})
    first = go(f"s3://{source}", f"s3://{target}")
    assert statuses(first) == {"a.png": "refused", "b.png": "labelled"}
    assert store.objects(target)["a.png"] == b"whose is this?"
    assert "`overwrite=True`" in results(first)["a.png"]["error"]["message"]
    second = go(f"s3://{source}", f"s3://{target}", overwrite=True, retry_failed=True)
    assert proven(store, target, second) == {"a.png", "b.png"}


ODD = [
    "ü 中文 \U0001f600.png", "sp ace.png", "plus+.png", "per%20cent%.png", "q?x=1&y=2.png", "h#ash.png", "a", "a/b.png",
    "amp&<.png", "quo'\"te.png", "star*[1]{x}.png", "tail /x.png", "back\\slash.png", "~.png", "..png", "...",
    "control\x01.png", "/".join(["d" * 100] * 4) + "/" + "n" * 200 + ".png",
]  # fmt: skip
MISNAMED = ["/lead.png", "./dot.png", "x/../up.png", "x/./y.png", "v.png?versionId=7", "folder-with-content/"]


def test_odd_names(store: Server, png: bytes, tmp_path: Path) -> None:
    source = store.bucket(dict.fromkeys([*ODD, *MISNAMED, "a//b.png", "z" * 300 + ".png"], png) | {"folder/": b""})
    target = store.bucket()
    done = go(f"s3://{source}", f"s3://{target}")
    assert proven(store, target, done) == {*ODD, "a//b.png", "z" * 300 + ".png"}
    found = results(done)
    assert {found[name]["error"]["kind"] for name in MISNAMED} == {"Name"}
    assert all("rename" in found[name]["error"]["message"] for name in MISNAMED)
    assert "folder/" not in found

    down = results(go(f"s3://{source}", tmp_path / "down"))
    # A folder has no a beside a/b.png, no name of 300 characters, and a//b.png would be a/b.png.
    assert {name for name, line in down.items() if line["status"] != "labelled"} == {
        *MISNAMED, "a//b.png", "z" * 300 + ".png", "a/b.png",
    }  # fmt: skip
    assert down["a//b.png"]["status"] == "refused"
    assert down["a/b.png"]["status"] == down["z" * 300 + ".png"]["status"] == "failed"
    assert down["z" * 300 + ".png"]["error"]["kind"] == down["a/b.png"]["error"]["kind"] == "WriteError"
    files = {str(path.relative_to(tmp_path / "down")) for path in (tmp_path / "down").rglob("*") if path.is_file()}
    assert {name for name in files if not name.startswith(".aigc-label/")} == {*ODD} - {"a/b.png"}
    assert {path.name for path in tmp_path.iterdir()} == {"down", ".aigc-label"}


def test_a_name_that_becomes_too_long_for_the_store(store: Server, png: bytes) -> None:
    source, target = store.bucket({"a.png": png, "n" * 700 + ".png": png}), store.bucket()
    done = go(f"s3://{source}", f"s3://{target}/{'p' * 400}")
    assert proven(store, target, done, "p" * 400 + "/") == {"p" * 400 + "/a.png"}
    assert (
        "refuses the request (400 Bad Request); check the name's length"
        in results(done)["n" * 700 + ".png"]["error"]["message"]
    )


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("s3://no-such-bucket/x", "s3://{}/out", ["no-such-bucket", "there is no such bucket"]),
        ("s3://{}/nothing", "s3://{}/out", ["nothing", "no objects whose names begin so"]),
        ("s3://{}", "s3://no-such-bucket", ["no-such-bucket", "there is no such bucket"]),
        ("s3://{}", "s3://NOT_valid!", ["NOT_valid!", "does not accept such a name"]),
    ],
)
def test_places_that_are_not_there(store: Server, png: bytes, source: str, target: str, words: list[str]) -> None:
    bucket = store.bucket({"a.png": png})
    with pytest.raises(LabelingError) as caught:
        go(source.format(bucket), target.format(bucket))
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "no-such-bucket" not in {each["Name"] for each in store.client.list_buckets()["Buckets"]}
    assert store.keys(bucket) == ["a.png"]


def test_wrong_and_missing_credentials(store: Server, png: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = store.bucket({"a.png": png})
    wrong = {"key": "AKIDOFNOBODY", "secret": "hush-hush"}
    with pytest.raises(LabelingError, match=r"403 InvalidAccessKeyId.*check credentials") as caught:
        go(f"s3://{bucket}", "out", storage_options=wrong)
    assert "hush" not in str(caught.value)
    with pytest.raises(LabelingError) as caught:
        go(f"s3://{'user:hush-hush@'}{bucket}", "out")
    assert "hush" not in str(caught.value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(LabelingError, match="no credentials were found; set them"):
        go(f"s3://{bucket}", "out")
    assert [request.answer for request in store.asked("GET")] == [403]  # none of this is tried again and again


def test_objects_that_vanish_or_are_denied(store: Server, png: bytes) -> None:
    names = ["a.png", "denied.png", "gone-at-once.png", "gone-later.png", "z.png"]
    source, target = store.bucket(dict.fromkeys(names, png)), store.bucket()
    store.spoil("403", "denied")
    store.spoil("gone", "gone-at-once", "HEAD")
    store.spoil("gone", "gone-later", "GET")
    done = go(f"s3://{source}", f"s3://{target}")
    assert proven(store, target, done) == {"a.png", "z.png"}
    found = results(done)
    assert {found[name]["status"] for name in names[1:4]} == {"failed"}
    assert "check credentials and permissions" in found["denied.png"]["error"]["message"]
    for name in names[2:4]:
        assert found[name]["error"] == {
            "kind": "UnreadableFile", "message": f"there is no such object in s3://{source}",
        }  # fmt: skip
    assert done.exit_code == 3


def test_killed_and_resumed(store: Server, png: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    names = [f"{number:02}.png" for number in range(40)]
    source, target = store.bucket(dict.fromkeys(names, png)), store.bucket()
    run = command(f"s3://{source}", f"s3://{target}", "--workers", 2, "--quiet")
    with subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 60
        while len(store.asked("PUT", rf"^/{target}/\d\d")) < 5 and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    early = store.objects(target)
    left = set((tmp_path / "tmp").iterdir())  # the workers' copies of what they were at
    assert 5 <= len(early) < 40
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert left
    assert not left & set((tmp_path / "tmp").iterdir())
    (results_file,) = Path(".aigc-label").glob("*/results.jsonl")
    lines = [json.loads(line) for line in results_file.read_text().splitlines()]
    assert sorted(line["path"] for line in lines) == names
    there = store.objects(target)
    assert {line["path"]: line["sha256"] for line in lines} == {
        name: hashlib.sha256(body).hexdigest() for name, body in there.items()
    }
    puts = Counter(request.path for request in store.asked("PUT", rf"^/{target}/\d\d"))
    assert len(puts) == 40
    assert max(puts.values()) <= 2  # done again: what was in flight, or done and not yet in the journal


def test_objects_are_new_by_the_time_at_which_they_were_stored(
    store: Server, png: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = store.bucket({"a.png": png, "b.png": png})
    first = go(f"s3://{source}", tmp_path / "out", since="last").summary
    assert (first["session"], first["since"]) == ({"labelled": 2}, {"moment": None, "older": 0})
    monkeypatch.setattr("labeling.batch.options.check_since", lambda since: None)  # that it may not be to come
    later = datetime.now(UTC) + timedelta(hours=1)
    assert go(f"s3://{source}", tmp_path / "new", since=later, allow_empty=True).summary["since"]["older"] == 2
    (tmp_path / "list").write_text("a.png\n")
    listed = go(f"s3://{source}", tmp_path / "new", since=later, file_list=tmp_path / "list", allow_empty=True).summary
    assert listed["since"]["older"] == 1
    assert go(f"s3://{source}", tmp_path / "new", since="1h").summary["session"] == {"labelled": 2}
    memory = fsspec.filesystem("memory")
    memory.pipe("/since/a.png", png)
    try:
        assert go("memory://since", tmp_path / "other", since=later, allow_empty=True).summary["since"]["older"] == 1
        assert go("memory://since", tmp_path / "other", since="1h").summary["session"] == {"labelled": 1}
    finally:
        memory.rm("/since", recursive=True)
