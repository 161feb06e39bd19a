"""The state of runs whose target is an object store: what a container loses, a second container, and half a report."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from labeling import LabelingError
from labeling.batch import lease
from labeling.batch.remote_storage import RemoteStorage
from labeling.ledger import Ledger

from .s3 import PRODUCER, Server, go, proven, results, small_png

NAMES = [f"{number}.png" for number in range(8)]

CONTAINER = f"""
import os, sys
from contextlib import nullcontext
from labeling import Labeler
from labeling.batch import lease, remote_state, run, session
from labeling.batch.journal import Journal
from labeling.ledger import Ledger
source, target, book, files = sys.argv[1:]
remote_state.INTERVAL = remote_state.SHARE = 0
lease.PATIENCE = 0.3
session.FLUSH_COUNT, done, finish, tick = 1, [], Journal.finish, remote_state.RemoteState.tick
def waiting(state, journal):
    error = tick(state, journal)
    if state._upload is not None:
        state._upload.done.wait()
    return error
remote_state.RemoteState.tick = waiting
def dying(journal, outcomes):
    finish(journal, outcomes)
    done.extend(outcomes)
    if len(done) >= int(files):
        os._exit(7)
Journal.finish = dying
with Ledger.open(book) if book else nullcontext() as ledger:
    run(source, target, labeler=Labeler(producer={PRODUCER!r}, visible=False), engine="inline", ledger=ledger)
"""


def lost(source: str, target: str, book: object = "", files: int = 5) -> None:
    """Run in a container that vanishes, with its files, after so many results; it waits for each part's upload."""
    command = [sys.executable, "-c", CONTAINER, source, target, str(book), str(files)]
    assert subprocess.run(command, check=False).returncode == 7
    shutil.rmtree(".aigc-label")


def state(store: Server, bucket: str) -> set[str]:
    return {key.rpartition("/")[2] for key in store.keys(bucket) if ".aigc-label/" in key}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "PATIENCE", 0.3)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("recorded", [False, True])
def test_a_container_goes_on_where_another_was_lost(recorded: bool, store: Server, tmp_path: Path) -> None:
    bodies = {name: small_png() for name in NAMES}
    source, target = store.bucket(bodies), store.bucket()
    book = tmp_path / "ledger.db" if recorded else ""
    places = (f"s3://{source}", f"s3://{target}")
    lost(*places, book, 5)
    kept = [json.loads(line) for line in _parts(store, target).splitlines()]
    assert 0 < len(kept) < 8
    first = store.objects(target)
    if recorded:
        lost(*places, book, 2)
        assert len(_parts(store, target).splitlines()) > len(kept)
    more: dict[str, Any] = {"ledger": Ledger.open(book)} if recorded else {}
    done = go(*places, **more)
    assert proven(store, target, done) == set(NAMES)
    found = results(done)
    for line in kept:
        assert found[line["path"]] == line
    assert done.summary["resumed"] >= len(kept)
    names = {"journal.sqlite", "results.jsonl", "summary.json", "report.html", "failed.jsonl", "run.json"}
    assert state(store, target) - {"history.jsonl"} == names  # no part, no lease
    if recorded:
        last = store.objects(target)
        with more["ledger"] as ledger:
            assert ledger.verify().intact
            known = {record.sha256 for record in ledger.export()}
            kept_bodies = [name for name, body in first.items() if hashlib.sha256(body).hexdigest() in known]
            assert len(kept_bodies) >= 5  # what was written down by the first container
            assert all(last[name] == first[name] for name in kept_bodies)
            assert {r.output: r.content_id for r in ledger.export()} == {p: x["content_id"] for p, x in found.items()}
            assert len(list(ledger.export())) == len(NAMES)
    store.forget()
    shutil.rmtree(".aigc-label")
    assert go(*places).summary["resumed"] == len(NAMES)
    assert not store.asked("PUT", r"\.png$")


def _parts(store: Server, bucket: str) -> bytes:
    keys = sorted(key for key in store.keys(bucket) if "/part-" in key)
    return b"".join(store.client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys)


def test_a_local_state_that_is_older_gives_way(store: Server, tmp_path: Path) -> None:
    source, target = store.bucket({"a.png": small_png()}), store.bucket()
    places = (f"s3://{source}", f"s3://{target}")
    go(*places, state=tmp_path / "one")
    store.client.put_object(Bucket=source, Key="b.png", Body=small_png())
    second = go(*places, state=tmp_path / "two")
    assert second.summary["resumed"] == 1
    store.forget()
    third = go(*places, state=tmp_path / "one")
    assert third.summary["resumed"] == 2
    assert not store.asked("PUT", r"\.png$")
    assert results(third) == results(second)
    assert (tmp_path / "one" / "results.older.jsonl").exists()


@pytest.mark.parametrize("old", [["run.json"], ["run.json", "journal.sqlite"]])
def test_half_a_report_is_put_right(old: list[str], store: Server, tmp_path: Path) -> None:
    """The upload at the end was cut short: the results are newer than the rest."""
    source, target = store.bucket({"a.png": small_png(), "b.png": small_png()}), store.bucket()
    places = (f"s3://{source}", f"s3://{target}")
    go(*places)
    before = {n: store.client.get_object(Bucket=target, Key=f".aigc-label/{n}")["Body"].read() for n in old}
    for name in ("a.png", "c.png"):
        store.client.put_object(Bucket=source, Key=name, Body=small_png() + b"\0")
    second = results(go(*places))
    for name, body in before.items():
        store.client.put_object(Bucket=target, Key=f".aigc-label/{name}", Body=body)
    shutil.rmtree(".aigc-label")
    third = go(*places)
    assert third.summary["resumed"] == 3
    assert results(third) == second


def test_two_runs_do_not_work_in_one_target(store: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = store.bucket({"a.png": small_png()}), store.bucket()
    monkeypatch.setattr(lease, "INTERVAL", 0.05)
    other = lease.Lease(RemoteStorage(f"s3://{target}", {}), ".aigc-label", tmp_path)
    other.take()
    with pytest.raises(LabelingError, match="another run is at work in this target, on "):
        go(f"s3://{source}", f"s3://{target}")
    assert not store.objects(target)
    end = time.monotonic() + 30
    while not other.lost and time.monotonic() < end:  # as if both had begun at the same moment
        store.client.put_object(
            Bucket=target, Key=".aigc-label/lease.json", Body=b'{"owner": "x", "host": "elsewhere"}'
        )
        time.sleep(0.1)
    error = other.error()
    assert error is not None and "another run is at work in this target, on elsewhere" in str(error)
    other.release()
    assert state(store, target) == {"lease.json"}  # which is not its own
    monkeypatch.setattr(lease, "PATIENCE", 0.3)  # nobody renews it
    assert go(f"s3://{source}", f"s3://{target}").exit_code == 0
    assert "lease.json" not in state(store, target)


def test_a_target_whose_lease_may_not_be_removed_is_free_all_the_same(store: Server) -> None:
    source, target = store.bucket({"a.png": small_png()}), store.bucket()
    store.spoil("403", "lease.json", "DELETE")
    counts = []
    for _ in range(2):
        store.proxy.requests.clear()
        go(f"s3://{source}", f"s3://{target}")
        counts.append(len(store.asked("GET", "lease.json")))
    assert counts[0] == counts[1]  # the second did not look again and again whether the first was still at work
