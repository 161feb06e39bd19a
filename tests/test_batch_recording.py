"""A run and its ledger: files are labelled while it waits for others, and what cannot be recorded is no result."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from labeling import Labeler, batch
from labeling.batch.conversion import Conversion
from labeling.batch.session import Progress
from labeling.errors import LabelingError
from labeling.ledger import Ledger

from .commands import run
from .ledgers import PRODUCER
from .pictures import rgb

COUNT = 120


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(COUNT):
        Image.new("RGB", (8, 8), (number, 90, 40)).save(folder / f"{number:03}.png")
    return folder


def outputs(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*.png"))


def results(folder: Path) -> list[str]:
    lines = (folder / ".aigc-label" / "results.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["path"] for line in lines]


def test_files_are_labelled_while_another_process_keeps_the_ledger_locked(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labeling.batch.session.PROGRESS_INTERVAL", 0)  # the first report comes before all is done
    target = tmp_path / "out"
    labeler = Labeler(producer=PRODUCER, visible=False)
    other = sqlite3.connect(tmp_path / "l.db", isolation_level=None, check_same_thread=False)
    last = Progress()
    seen: list[tuple[int, int]] = []

    def release() -> None:
        deadline = time.monotonic() + 50  # the ledger is waited for 60 seconds
        while outputs(target) < COUNT and time.monotonic() < deadline:
            time.sleep(0.02)
        seen.append((outputs(target), last.done))
        other.execute("ROLLBACK")

    watcher = threading.Thread(target=release)

    def watch(progress: Progress) -> None:
        nonlocal last
        last = progress
        if watcher.ident is None:
            other.execute("BEGIN IMMEDIATE")
            watcher.start()

    with Ledger.open(tmp_path / "l.db") as ledger:
        batch.run(source, target, labeler=labeler, ledger=ledger, engine="inline", progress=watch)
        watcher.join()
        [(labelled, written_down)] = seen
        assert labelled == COUNT
        assert written_down < COUNT  # no result before its record
        verified = ledger.verify()
        assert (verified.intact, verified.count) == (True, COUNT)
        assert sorted(record.source for record in ledger.export()) == sorted(results(target))
    other.close()


def test_a_ledger_that_fails_ends_the_run_and_the_next_one_completes_it(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    labeler = Labeler(producer=PRODUCER, visible=False)
    with Ledger.open(tmp_path / "l.db") as ledger:
        other = sqlite3.connect(tmp_path / "l.db", isolation_level=None)
        other.execute(
            "CREATE TRIGGER no BEFORE INSERT ON ledger_entries WHEN NEW.seq = 1 "
            "BEGIN SELECT RAISE(ABORT, 'no more'); END"
        )
        with pytest.raises(LabelingError, match="no more"):
            batch.run(source, target, labeler=labeler, ledger=ledger, engine="inline")
        assert ledger.verify().count == 0
        assert results(target) == []
        other.execute("DROP TRIGGER no")
        other.close()
        finished = batch.run(source, target, labeler=labeler, ledger=ledger, engine="inline")
        assert finished.exit_code == 0
        records = list(ledger.export())
        assert len(records) == len({record.source for record in records}) == COUNT
        assert ledger.verify().intact


def test_without_fingerprints_files_are_found_by_their_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    rgb(320, 240).save(folder / "a.png")
    for words in ((), ("--no-fingerprints",)):
        target = tmp_path / f"out{len(words)}"
        done = run(
            "batch", folder, target, "--producer", PRODUCER, "--no-visible", "--ledger", tmp_path / "l.db",
            "--workers", "1", *words,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    with Ledger.open(tmp_path / "l.db") as ledger:
        assert [record.fingerprint is None for record in ledger.export()] == [False, True]
        by = {match.record.seq: match.by for match in ledger.find(tmp_path / "out1" / "a.png")}
        assert by[2] == "sha256"
        converted = batch.run(
            tmp_path / "out1", tmp_path / "small", convert=Conversion(resize="160"), ledger=ledger, engine="inline",
            no_fingerprints=True,
        )  # fmt: skip
        assert converted.exit_code == 0
        [*_, copy] = ledger.export()
        assert (copy.seq, copy.fingerprint) == (3, None)
