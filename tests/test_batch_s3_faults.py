"""Object stores that fail: what passes is ridden out, what lasts is counted and explained, and the rest goes on."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest

from labeling import LabelingError, UnreadableFile, WriteError
from labeling.batch.remote_storage import RemoteStorage
from labeling.batch.store_calls import MAX_TRIES, MAX_TRY_TIME
from labeling.batch.task import StoreDown

from .s3 import KEY, SECRET, Kind, Server, go, proven, results, small_png

QUICK = {"config_kwargs": {"read_timeout": 1}}
"""So that nobody waits twenty seconds for a server that hangs."""


PASSING: dict[Kind, dict[str, int]] = {
    "500": {"list": 1, "look": 1, "get": 2, "put": 2, "read back": 1},
    "503": {"list": 1, "look": 2, "get": 1, "put": 1, "read back": 1},
    "reset": {"list": 1, "look": 1, "get": 2, "put": 2, "read back": 2},
    "truncated": {"list": 1, "get": 2, "read back": 2},
    "hang": {"list": 1, "get": 1, "put": 1},
    "delay": {"list": 1, "put": 1},
}
"""How many requests of a kind are spoilt, and then no more."""


@pytest.mark.parametrize("kind", PASSING)
def test_what_passes_is_ridden_out(store: Server, kind: Kind) -> None:
    source, target = store.bucket(dict.fromkeys(["a.png", "b.png"], small_png())), store.bucket()
    which = {
        "list": (f"^/{source}$", "GET"), "look": (f"^/{source}/a", "HEAD"), "get": (f"^/{source}/a", "GET"),
        "put": (f"^/{target}/b", "PUT"), "read back": (f"^/{target}/b", "GET"),
    }  # fmt: skip
    seconds = 30.0 if kind == "hang" else 0.5
    faults = [store.spoil(kind, *which[name], times=n, seconds=seconds) for name, n in PASSING[kind].items()]
    done = go(f"s3://{source}", f"s3://{target}", storage_options=QUICK)
    assert proven(store, target, done) == {"a.png", "b.png"}
    assert [fault.met for fault in faults] == list(PASSING[kind].values())
    assert done.exit_code == 0


LASTING: dict[tuple[Kind, str], str] = {
    ("hang", "get"): "ReadTimeoutError",
    ("truncated", "get"): "payload is not completed",
    ("503", "put"): "503 SlowDown",
    ("reset", "put"): "Could not connect",
    ("500", "read back"): "500 InternalError",
}


def test_what_lasts_is_counted_and_the_rest_goes_on(store: Server) -> None:
    names = {what: f"{'-'.join(what)}.png" for what in LASTING}
    sound = [f"sound-{number}.png" for number in range(12)]
    source, target = store.bucket(dict.fromkeys([*names.values(), *sound], small_png())), store.bucket()
    faults = {
        (kind, part): store.spoil(
            kind, f"^/{source if part == 'get' else target}/{name}", "PUT" if part == "put" else "GET"
        )
        for (kind, part), name in names.items()
    }
    done = go(
        f"s3://{source}", f"s3://{target}", storage_options=QUICK | {"key": KEY, "secret": SECRET},
        engine="local", workers=4,
    )  # fmt: skip
    assert all(fault.met <= 4 * MAX_TRIES for fault in faults.values())  # nothing is tried for ever
    assert proven(store, target, done) == set(sound)  # and of what did not go well nothing is left there
    found = results(done)
    assert {name for name, line in found.items() if line["status"] == "failed"} == set(names.values())
    for what, words in LASTING.items():
        error = found[names[what]]["error"]
        assert error["kind"] == "StoreDown", error
        assert re.search(words, error["message"]), error
        assert "run again later" in error["message"]
        assert "\n" not in error["message"]
    assert done.exit_code == 2
    assert SECRET not in json.dumps(found) + done.page.read_text(encoding="utf-8")

    store.forget()
    again = go(f"s3://{source}", f"s3://{target}")
    assert proven(store, target, again) == {*names.values(), *sound}


def test_an_upload_that_is_spoilt_on_its_way_is_noticed(store: Server) -> None:
    source = store.bucket(dict.fromkeys(["once.png", "always.png", "fine.png"], small_png()))
    target = store.bucket()
    store.spoil("corrupted upload", f"^/{target}/once", "PUT", times=1)
    store.spoil("corrupted upload", f"^/{target}/always", "PUT")
    done = go(f"s3://{source}", f"s3://{target}")
    assert proven(store, target, done) == {"once.png", "fine.png"}
    error = results(done)["always.png"]["error"]
    assert error["kind"] == "WriteError"
    assert "does not read back the same, 2 times; it was removed" in error["message"]


def test_an_upload_that_is_refused_leaves_what_was_there(store: Server) -> None:
    source, target = store.bucket({"a.png": small_png()}), store.bucket()
    go(f"s3://{source}", f"s3://{target}")
    before = store.objects(target)["a.png"]
    store.put_quickly(source, "a.png", small_png() + b"\0" * 8)
    store.spoil("403", f"^/{target}/a", "PUT")
    done = go(f"s3://{source}", f"s3://{target}")
    assert results(done)["a.png"]["status"] == "failed"
    assert store.objects(target)["a.png"] == before


def test_in_place_somebodys_newer_object_is_not_replaced_by_the_old_one(store: Server) -> None:
    other = small_png() + b"\0" * 8
    bucket = store.bucket({"a.png": small_png()})
    fault = store.spoil("delay", f"^/{bucket}/a", "GET", times=1, seconds=0.0)
    fault.then = lambda: store.put_quickly(bucket, "a.png", other)
    done = go(f"s3://{bucket}", in_place=True)
    assert results(done)["a.png"]["output_size"] > len(other) - 8
    assert store.objects(bucket)["a.png"].endswith(bytes(8))


def test_in_place_somebodys_newer_object_is_not_taken_for_what_was_just_written(store: Server) -> None:
    other = small_png() + b"\0" * 8
    bucket = store.bucket({"a.png": small_png()})
    fault = store.spoil("delay", f"^/{bucket}/a", "HEAD", times=1, after=2, seconds=0.0)
    fault.then = lambda: store.put_quickly(bucket, "a.png", other)
    done = go(f"s3://{bucket}", in_place=True)
    assert fault.met == 1
    assert proven(store, bucket, done) == {"a.png"}
    assert store.objects(bucket)["a.png"].endswith(bytes(8))


def test_a_store_that_shows_an_object_a_moment_after_it_was_put(store: Server) -> None:
    source, target = store.bucket({"a.png": small_png()}), store.bucket()
    fault = store.spoil("404", f"^/{target}/a", "GET", times=1)
    done = go(f"s3://{source}", f"s3://{target}")
    assert fault.met == 1
    assert proven(store, target, done) == {"a.png"}


def test_in_place_a_spoilt_upload_is_left(store: Server) -> None:
    bucket = store.bucket({"a.png": small_png()})
    store.spoil("corrupted upload", f"^/{bucket}/a", "PUT")
    done = go(f"s3://{bucket}", in_place=True)
    assert "it was left there" in results(done)["a.png"]["error"]["message"]
    assert store.objects(bucket).keys() == {"a.png"}


def test_a_source_that_arrives_otherwise_than_it_is_stored(store: Server) -> None:
    """As far as the store keeps a checksum: boto3 sends one with each object."""
    source, target = store.bucket({"a.png": small_png()}), store.bucket()
    fault = store.spoil("corrupted", f"^/{source}/a", "GET", times=2)
    done = go(f"s3://{source}", f"s3://{target}")
    assert proven(store, target, done) == {"a.png"}
    assert fault.met == 2
    assert len([each for each in store.asked("GET", f"^/{source}/a") if not each.query]) == 3


def test_the_source_changes_while_it_is_read(store: Server) -> None:
    other = small_png() + b"\0" * 8
    source, target = store.bucket({"a.png": small_png()}), store.bucket()
    fault = store.spoil("delay", f"^/{target}/a", "HEAD", times=1, seconds=0.0)
    fault.then = lambda: store.put_quickly(source, "a.png", other)
    done = go(f"s3://{source}", f"s3://{target}")
    assert proven(store, target, done) == {"a.png"}
    assert results(done)["a.png"]["size"] == len(other)
    assert len(store.asked("PUT", f"^/{target}/a")) == 1


def test_a_listing_that_breaks_off_ends_the_run_after_what_is_listed(store: Server, tmp_path: Path) -> None:
    source = store.bucket()
    for number in range(1500):
        store.put_quickly(source, f"{number:04}.png", small_png())
    store.spoil("403", f"^/{source}$", query="continuation-token")
    with pytest.raises(UnreadableFile, match=r"the listing: s3://.* does not permit it \(403 AccessDenied"):
        go(f"s3://{source}", tmp_path / "out", include=["000*.png"])
    store.forget()
    assert go(f"s3://{source}", tmp_path / "out", include=["000*.png"]).summary["resumed"] == 10


def test_nobody_at_home(tmp_path: Path, store: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("labeling.batch.store_calls.time.sleep", pauses.append)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"endpoint_url": f"http://127.0.0.1:{port}"}
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(small_png())
    with pytest.raises(LabelingError, match=f"EndpointConnectionError.*:{port}.*run again later"):
        go(tmp_path / "in", "s3://bucket/out", storage_options=options)
    assert 0 < len(pauses) < MAX_TRIES
    assert sum(pauses) < MAX_TRY_TIME


def test_a_store_that_dies_ends_the_run_before_every_file_has_waited_for_it(store: Server, tmp_path: Path) -> None:
    source, target = tmp_path / "in", store.bucket()
    source.mkdir()
    for number in range(200):
        (source / f"{number:03}.png").write_bytes(small_png())
    store.spoil("503", f"^/{target}/", "PUT")
    quick = {"config_kwargs": {"retries": {"max_attempts": 1}}}
    with pytest.raises(LabelingError, match=r"target has failed 30 files in a row.*503 SlowDown.*tried again"):
        go(source, f"s3://{target}", storage_options=quick, engine="local", workers=8)
    store.forget()
    done = go(source, f"s3://{target}")  # without `retry_failed`
    assert len(proven(store, target, done)) == 200


def test_half_a_journal_is_never_taken_for_one(store: Server) -> None:
    bucket = store.bucket({".aigc-label/journal.sqlite": bytes(1000)})
    storage = RemoteStorage(f"s3://{bucket}", QUICK)
    store.spoil("truncated", "journal.sqlite", "GET")
    with pytest.raises(StoreDown):
        storage.download(".aigc-label/journal.sqlite", Path("journal.sqlite"))
    assert not list(Path.cwd().iterdir())


def test_a_film_in_parts(store: Server, tmp_path: Path) -> None:
    """Of more than 32 MB, an object goes up in parts, and comes down in parts of 16 MB."""
    bucket = store.bucket()
    large = tmp_path / "large"
    large.write_bytes(bytes(range(256)) * (40 << 12))
    storage = RemoteStorage(f"s3://{bucket}", QUICK)
    store.spoil("500", "large", "PUT", times=1)
    storage.upload(large, "large")
    parts = [request for request in store.asked("PUT", "large") if "partNumber" in request.query]
    assert sorted({request.query["partNumber"][0] for request in parts}) == ["1", "2", "3"]
    with storage.fetch("large") as local:
        assert local.read_bytes() == large.read_bytes()
    store.spoil("403", "large", "PUT")
    with pytest.raises(WriteError, match="403 AccessDenied"):
        storage.upload(large, "large")
    assert not store.client.list_multipart_uploads(Bucket=bucket).get("Uploads")
