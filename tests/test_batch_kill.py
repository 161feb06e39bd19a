"""Batch runs that are killed: whenever it happens, the next run leaves every file labelled exactly once.

The long form: ``make kill``.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labeling.ledger import Ledger

from .batching import STATE, batch, results, start, statuses, tree, whole
from .test_bad_input import PRODUCER, refused

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found through /proc")

COUNT = 36
SEEDS = 20 if "AIGC_KILL_ROUNDS" in os.environ else 6


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("source")
    return folder, tree(folder, COUNT)


def workers(process: subprocess.Popen[str]) -> list[int]:
    """The processes that a run has spawned, but for Python's own resource tracker."""
    found = []
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            with contextlib.suppress(OSError):
                if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text():
                    found.append(int(child))
    return found


def outputs(target: Path) -> int:
    return sum(path.is_file() and STATE not in path.parts for path in target.rglob("*"))


def until(process: subprocess.Popen[str], target: Path, number: int) -> None:
    """Wait until so many outputs are there, or the run has ended."""
    end = time.monotonic() + 60
    while outputs(target) < number and process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_killed_run_goes_on_and_every_file_is_labelled_once(
    seed: int, source: tuple[Path, list[str]], tmp_path: Path
) -> None:
    chance = random.Random(seed)
    folder, paths = source
    target, ledger = tmp_path / "out", tmp_path / "ledger.db"
    arguments = (folder, target, "--ledger", ledger, "--workers", "2", "-q")
    for _ in range(chance.randint(1, 3)):
        process = start(*arguments, "--producer", PRODUCER)
        until(process, target, outputs(target) + chance.randint(0, 15))
        time.sleep(chance.uniform(0, 0.05))
        victims = [process.pid, *workers(process)] if seed % 2 else workers(process)
        if victims and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(victims), signal.SIGKILL)
        _, err = process.communicate(timeout=60)  # where a worker was killed, the run goes on by itself
        assert "Traceback" not in err
    assert batch(*arguments).returncode == 0
    whole(target, paths, ledger)
    assert batch(*arguments).returncode == 0  # and there is nothing left to do
    whole(target, paths, ledger)


def lose(kind: str, state: Path, folder: Path, paths: list[str]) -> None:
    """What the second month brings: a state that is lost in part or as a whole, and new dates."""
    if kind == "all":
        shutil.rmtree(state, ignore_errors=True)
    elif kind == "journal":
        for file in state.glob("journal.sqlite*"):
            file.unlink()
    elif kind == "dates":
        for path in paths[::2]:
            os.utime(folder / path, (1e9, 1e9))


@pytest.mark.parametrize("seed", range(SEEDS if "AIGC_KILL_ROUNDS" in os.environ else 1))
def test_whatever_is_lost_and_changed_between_kills_every_file_keeps_its_content_id(seed: int, tmp_path: Path) -> None:
    chance = random.Random(f"state {seed}")
    folder, target, ledger = tmp_path / "in", tmp_path / "out", tmp_path / "ledger.db"
    paths = tree(folder, 24, size=(60, 50))
    arguments = (folder, target, "--ledger", ledger, "--workers", "2", "-q", "--no-visible")
    versions = ["1", "2"]
    kinds = chance.sample(["all", "journal", "dates"], 3)
    for kind in kinds:
        process = start(*arguments, "--producer", PRODUCER, "--generator-version", chance.choice(versions))
        until(process, target, min(outputs(target) + chance.randint(1, 9), len(paths)))
        time.sleep(chance.uniform(0, 0.05))
        victims = [process.pid, *workers(process)]
        for victim in victims:  # all of a container
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        _, err = process.communicate(timeout=60)
        assert "Traceback" not in err
        lose(kind, target / STATE, folder, paths)
    done = batch(*arguments, "--generator-version", "1")
    assert done.returncode == 0, done.stderr
    whole(target, paths, ledger)
    with Ledger.open(ledger) as book:
        numbers = {record.source: record.content_id for record in book.export()}
    for restart in ((), ("--restart",)):
        assert batch(*arguments, "--generator-version", "2", *restart).returncode == 0
        whole(target, paths, None if restart else ledger)
        assert {path: line["content_id"] for path, line in results(target).items()} == numbers


def test_results_that_were_not_committed_are_cut_off(source: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, paths = source
    target = tmp_path / "out"
    assert batch(folder, target, "-q").returncode == 0
    with (target / STATE / "results.jsonl").open("ab") as file:
        file.write(b'{"path":"torn')
    assert batch(folder, target, "-q").returncode == 0
    whole(target, paths)


def test_interrupted_it_finishes_what_is_in_flight_and_says_how_to_go_on(
    source: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, paths = source
    target = tmp_path / "out"
    process = start(folder, target, "--workers", "2", "--producer", PRODUCER)
    until(process, target, 5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "continues from here" in err
    assert "Traceback" not in err
    done = results(target)
    assert 0 < len(done) < COUNT
    assert outputs(target) == len(done)
    assert "interrupted" in out.lower() or "interrupted" in err.lower()
    assert batch(folder, target, "-q").returncode == 0
    whole(target, paths)


def test_a_signal_to_the_whole_group_harms_no_file(source: tuple[Path, list[str]], tmp_path: Path) -> None:
    """As service managers end a service: the workers get it too, and must finish what they are at."""
    folder, paths = source
    target = tmp_path / "out"
    process = start(folder, target, "--workers", "2", "--producer", PRODUCER, start_new_session=True)
    until(process, target, 5)
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert all((line["status"], line["attempts"]) == ("labelled", 1) for line in results(target).values())
    assert batch(folder, target, "-q").returncode == 0
    whole(target, paths)
    assert {line["attempts"] for line in results(target).values()} == {1}


def test_interrupted_twice_it_ends_at_once(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 6, size=(3000, 2000))
    process = start(folder, target, "--workers", "1", "--producer", PRODUCER)
    end = time.monotonic() + 60
    while not list(target.rglob(".aigc-*.tmp")) and outputs(target) < 1 and time.monotonic() < end:
        time.sleep(0.002)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert batch(folder, target, "-q").returncode == 0
    whole(target, paths)


def test_two_runs_do_not_work_in_one_target(source: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, paths = source
    target = tmp_path / "out"
    first = start(folder, target, "--workers", "1", "-q", "--producer", PRODUCER)
    until(first, target, 1)
    first.send_signal(signal.SIGSTOP)  # else it might be done before the second has begun
    refused(batch(folder, target, "-q"), 2, "another run is at work here")
    first.send_signal(signal.SIGCONT)
    first.communicate(timeout=60)
    assert first.returncode == 0
    whole(target, paths)


POISON = """
import os, signal
from labeling import Labeler
from labeling.batch import run

class Poisoned(Labeler):
    def label_file(self, source, *arguments, **more):
        if "0007" in str(source) or "0008" in str(source):
            os.kill(os.getpid(), signal.SIGKILL)
        if "0009" in str(source):
            import time
            time.sleep(1000)
        return super().label_file(source, *arguments, **more)

def make():
    return Poisoned(producer={producer!r})

if __name__ == "__main__":
    done = run({source!r}, {target!r}, labeler=make, workers=2, timeout=3)
    raise SystemExit(done.exit_code)
"""


def test_what_kills_its_worker_twice_is_set_aside_and_reported(source: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, paths = source
    target, script = tmp_path / "out", tmp_path / "poison.py"
    script.write_text(POISON.format(producer=PRODUCER, source=str(folder), target=str(target)))
    for _ in range(2):  # the second time they are left alone
        done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=100)
        assert done.returncode == 2, done.stderr
        assert statuses(target) == {"labelled": COUNT - 3, "poison": 3}
    found = {path: line for path, line in results(target).items() if line["status"] == "poison"}
    assert sorted(Path(path).stem for path in found) == ["0007", "0008", "0009"]
    for path, line in found.items():
        assert line["attempts"] == 2
        assert ("longer than 3 s" if "0009" in path else "SIGKILL") in line["error"]["message"]
        assert not (target / path).exists()
    # Without the poison, --retry-failed labels the rest.
    again = (
        script.read_text().replace("Poisoned(producer", "Labeler(producer").replace("timeout=3", "retry_failed=True")
    )
    script.write_text(again)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    whole(target, paths)
