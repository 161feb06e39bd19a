"""Batch runs on a Ray cluster of two nodes, each with a raylet of its own: what a node, a worker or the run dies of."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from labeling import Labeler, LabelingError
from labeling._version import __version__
from labeling.batch import Conversion, ray_workers, run
from labeling.batch.job import Job
from labeling.batch.ray_workers import check_node
from labeling.batch.storage import Folder
from labeling.ledger import Ledger

from .batching import STATE, batch, lines, results, start, statuses, tree, whole
from .test_bad_input import PRODUCER

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found through /proc")

CLUSTER = """
import shutil, sys
from ray.cluster_utils import Cluster

node = {"num_cpus": 1, "object_store_memory": 80 << 20}
soon = {"health_check_period_ms": 1000, "health_check_failure_threshold": 4, "health_check_initial_delay_ms": 1000}
cluster = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False, "_system_config": soon})
print(cluster.address, cluster.head_node.all_processes["raylet"][0].process.pid, flush=True)
for line in sys.stdin:
    print(cluster.add_node(**node).all_processes["raylet"][0].process.pid, flush=True)
folder = cluster.head_node.get_session_dir_path()
cluster.shutdown()
shutil.rmtree(folder, ignore_errors=True)
"""

LABELERS = """
import os, signal, time
from pathlib import Path
from labeling import Labeler

class Witness(Labeler):
    '''Takes its time, and leaves word of the raylet that it works for.'''
    def label_file(self, source, *arguments, **more):
        Path(os.environ["AIGC_TEST_SEEN"], str(os.getppid())).touch()
        time.sleep(0.1)
        return super().label_file(source, *arguments, **more)

class Poisoned(Labeler):
    def label_file(self, source, goal, **more):
        if "0007" in str(source):
            goal.with_name(f".aigc-{os.getpid():x}-{'0' * 12}.tmp").write_bytes(b"a write that was killed")
            Path(os.environ["AIGC_TEST_DIED"], str(os.getpid())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if "0009" in str(source):
            time.sleep(1000)
        return super().label_file(source, goal, **more)

def configured():
    return Labeler.from_config(os.environ.get("AIGC_TEST_CONFIG", "/nowhere/aigc-label.toml"))
"""


@dataclass
class Nodes:
    """The cluster: its address, the raylets that live, and a folder in which witnesses leave word."""

    process: subprocess.Popen[str]
    seen: Path
    died: Path
    labelers: Any
    address: str = ""
    raylets: tuple[int, ...] = ()

    def add(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("add\n")
        self.process.stdin.flush()
        pid = int(self.process.stdout.readline())
        self.raylets += (pid,)
        return pid

    def lose(self, raylet: int) -> None:
        """As a machine is lost: all its processes at once, and none says farewell."""
        for pid in (raylet, *children(raylet)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.raylets = tuple(each for each in self.raylets if each != raylet)

    def witnesses(self) -> set[int]:
        return {int(path.name) for path in self.seen.iterdir()}


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    folder = tmp_path_factory.mktemp("nodes")
    for name in ("seen", "died"):
        (folder / name).mkdir()
    (folder / "ray_test_labelers.py").write_text(LABELERS)
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    patch.setenv("AIGC_TEST_SEEN", str(folder / "seen"))
    patch.setenv("AIGC_TEST_DIED", str(folder / "died"))
    patch.setenv("PYTHONPATH", str(folder))
    patch.syspath_prepend(folder)
    ray_test_labelers = importlib.import_module("ray_test_labelers")

    process = subprocess.Popen(
        [sys.executable, "-c", CLUSTER], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    found = Nodes(process, folder / "seen", folder / "died", ray_test_labelers)
    try:
        assert process.stdout is not None
        found.address, head = process.stdout.readline().split()
        found.raylets = (int(head),)
        found.add()
        yield found
    finally:
        process.communicate(timeout=60)
        patch.undo()


def children(process: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def outputs(target: Path) -> int:
    return len([path for path in target.rglob("*") if path.suffix in (".jpg", ".png", ".webp")])


def until(target: Path, number: int, process: subprocess.Popen[str] | None = None) -> None:
    end = time.monotonic() + 60
    while outputs(target) < number and time.monotonic() < end and (process is None or process.poll() is None):
        time.sleep(0.005)


def leftovers(target: Path) -> list[Path]:
    return list(target.rglob(".aigc-*.tmp"))


def test_both_nodes_work_and_the_results_are_those_of_the_local_pool(nodes: Nodes, tmp_path: Path) -> None:
    folder, target, local = tmp_path / "in", tmp_path / "out", tmp_path / "local"
    paths = tree(folder, 40)
    labeler = partial(nodes.labelers.Witness, producer=PRODUCER)
    done = run(folder, target, labeler=labeler, engine="ray", ray_address=nodes.address)
    assert (done.exit_code, done.summary["workers"], done.summary["engine"]) == (0, 2, "ray")
    whole(target, paths)
    assert nodes.witnesses() == set(nodes.raylets)
    run(folder, local, labeler=labeler, workers=1)
    mine, theirs = results(target), results(local)
    for path in paths:
        for key in ("status", "attempts", "media_type", "size", "how", "origin", "verdicts"):
            assert mine[path][key] == theirs[path][key], (path, key)
    before = {path: (target / path).stat().st_mtime_ns for path in paths}
    again = run(folder, target, labeler=labeler, engine="ray", ray_address=nodes.address, workers=2)
    assert again.summary["resumed"] == 40
    assert {path: (target / path).stat().st_mtime_ns for path in paths} == before
    whole(target, paths)
    other = partial(nodes.labelers.Witness, producer=PRODUCER, visible=False)
    later = run(folder, target, labeler=other, engine="ray", ray_address=nodes.address)
    assert later.summary["earlier_options"] == {"files": 40, "options": ["visible"]}


def test_pictures_are_converted_on_a_cluster_as_they_are_here(nodes: Nodes, tmp_path: Path) -> None:
    folder, target, local = tmp_path / "in", tmp_path / "out", tmp_path / "local"
    paths = tree(folder, 12)
    asked = Conversion(format="webp", resize="160", quality=80)
    done = run(folder, target, convert=asked, engine="ray", ray_address=nodes.address)
    assert (done.exit_code, done.summary["engine"]) == (0, "ray")
    run(folder, local, convert=asked, engine="inline")
    mine, theirs = results(target), results(local)
    assert sorted(mine) == paths
    for path in paths:
        for key in ("status", "output", "sha256", "how", "width", "height"):
            assert mine[path][key] == theirs[path][key], (path, key)
        assert hashlib.sha256((target / mine[path]["output"]).read_bytes()).hexdigest() == mine[path]["sha256"]


def test_a_node_is_lost_and_another_joins_and_every_file_is_labelled_once(nodes: Nodes, tmp_path: Path) -> None:
    folder, target, ledger = tmp_path / "in", tmp_path / "out", tmp_path / "ledger.db"
    paths = tree(folder, 200)
    lost = nodes.raylets[-1]
    joined: list[int] = []

    def fate() -> None:
        until(target, 30)
        nodes.lose(lost)
        for path in nodes.seen.iterdir():
            path.unlink()
        joined.append(nodes.add())

    meanwhile = threading.Thread(target=fate)
    meanwhile.start()
    with Ledger.open(ledger) as book:
        done = run(
            folder, target, labeler=partial(nodes.labelers.Witness, producer=PRODUCER), ledger=book,
            engine="ray", ray_address=nodes.address, workers=2,
        )  # fmt: skip
    meanwhile.join()
    assert done.exit_code == 0
    whole(target, paths, ledger)
    assert {line["attempts"] for line in lines(target)} == {1}  # no file is charged with a node's end
    assert nodes.witnesses() == {nodes.raylets[0], *joined}
    assert not leftovers(target)


def test_a_file_that_kills_its_worker_twice_is_set_aside(nodes: Nodes, tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 24)
    labeler = partial(nodes.labelers.Poisoned, producer=PRODUCER)
    done = run(folder, target, labeler=labeler, engine="ray", ray_address=nodes.address, workers=2, timeout=3)
    assert done.exit_code == 2
    assert statuses(target) == {"labelled": 22, "poison": 2}
    found = {Path(path).stem: line for path, line in results(target).items() if line["status"] == "poison"}
    assert sorted(found) == ["0007", "0009"]
    assert [line["attempts"] for line in found.values()] == [2, 2]
    assert "2 workers failed on this file (its process on the cluster was lost: " in found["0007"]["error"]["message"]
    assert "longer than 3 s" in found["0009"]["error"]["message"]
    assert not leftovers(target)
    again = Labeler(producer=PRODUCER)  # the same options, without the poison
    done = run(
        folder, target, labeler=again, engine="ray", ray_address=nodes.address, workers=2, retry_failed=True
    )  # fmt: skip
    assert done.exit_code == 0
    whole(target, paths)


def test_files_that_shared_a_call_with_one_that_kills_are_not_charged(
    nodes: Nodes, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_workers, "CALL_SECONDS", 60.0)  # calls get several files, however slow the machine is
    folder, target = tmp_path / "in", tmp_path / "out"
    tree(folder, 120, size=(16, 16))
    poison = folder / "c" / "0080 later0007.png"  # listed when calls have several files, and before others
    shutil.copy(folder / "b" / "0001.png", poison)
    for path in folder.rglob("000[79].*"):
        path.unlink()
    before = set(nodes.died.iterdir())
    labeler = partial(nodes.labelers.Poisoned, producer=PRODUCER, visible=False)
    done = run(folder, target, labeler=labeler, engine="ray", ray_address=nodes.address, workers=2)
    assert done.exit_code == 2
    # Two with this file alone, and one with others in its call, unless no other was at hand.
    assert len(set(nodes.died.iterdir()) - before) in (2, 3)
    found = results(target)
    bad = found.pop("c/0080 later0007.png")
    assert (bad["status"], bad["attempts"]) == ("poison", 2)
    assert {(line["status"], line["attempts"]) for line in found.values()} == {("labelled", 1)}
    assert len(found) == outputs(target) == 118
    assert not leftovers(target)
    assert capfd.readouterr() == ("", "")  # Ray has a paragraph for each process that died


def test_a_labeler_that_no_node_can_make_ends_the_run(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path / "in", 2)
    config = tmp_path / "aigc-label.toml"
    config.write_text(f'producer = "{PRODUCER}"\n')
    monkeypatch.setenv("AIGC_TEST_CONFIG", str(config))  # here, not there
    with pytest.raises(LabelingError, match=r"/nowhere/aigc-label\.toml"):
        run(
            tmp_path / "in", tmp_path / "out", labeler=nodes.labelers.configured,
            engine="ray", ray_address=nodes.address, workers=2,
        )  # fmt: skip


def test_the_run_is_killed_and_the_local_pool_goes_on(nodes: Nodes, tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 24, size=(1600, 1200))
    process = start(
        folder, target, "--producer", PRODUCER, "-q",
        "--engine", "ray", "--ray-address", nodes.address, "--workers", "2",
    )  # fmt: skip
    until(target, 6, process)
    process.kill()
    process.communicate()
    assert 6 <= outputs(target) < 24
    done = batch(folder, target, "--workers", "2", "-q")
    assert done.returncode == 0, done.stderr
    whole(target, paths)
    assert not leftovers(target)


def test_interrupted_on_a_cluster_of_its_own_it_finishes_what_is_in_flight(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 24, size=(1600, 1200))
    scratch = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # sockets need a short path
    process = start(
        folder, target, "--producer", PRODUCER, "--engine", "ray", "--workers", "1",
        start_new_session=True, env=os.environ | {"RAY_TMPDIR": scratch, "RAY_ADDRESS": ""},
    )  # fmt: skip
    try:
        until(target, 4, process)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes of the group
        _, err = process.communicate(timeout=60)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    assert process.returncode == 130, err
    assert "continues from here" in err
    assert "Traceback" not in err
    done = results(target)
    assert 4 <= len(done) < 24
    assert {line["status"] for line in done.values()} == {"labelled"}
    assert outputs(target) == len(done)
    assert not leftovers(target)
    assert batch(folder, target, "-q").returncode == 0
    whole(target, paths)


@pytest.mark.parametrize("listens", [False, True])
def test_a_cluster_that_does_not_answer_is_named_soon(tmp_path: Path, listens: bool) -> None:
    tree(tmp_path / "in", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        if not listens:
            server.close()
        # batch() allows two minutes; Ray itself would try for a quarter of an hour.
        done = batch(tmp_path / "in", tmp_path / "out", "--engine", "ray", "--ray-address", address)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"aigc-label: the Ray cluster {address} cannot be reached (")
    assert done.stderr.count("\n") == 1


def test_without_ray_the_line_for_pip_is_given(tmp_path: Path) -> None:
    tree(tmp_path / "in", 1)
    script = "import sys; sys.modules['ray'] = None; from labeling.cli import main; main()"
    words = ["batch", str(tmp_path / "in"), str(tmp_path / "out"), "--producer", PRODUCER, "--engine", "ray"]
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "aigc-label: --engine ray needs Ray: pip install 'aigc-labeling[ray]'\n"


def test_a_node_that_sees_other_folders_or_has_another_version_is_of_no_use(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    target = tmp_path / "out"
    job = Job(source=Folder(tmp_path / "in"), target=Folder(target), folder=target / STATE)
    with pytest.raises(LabelingError, match=rf"does not see {target}/\.aigc-label/lock; mount the folder"):
        check_node(job, __version__)
    (target / STATE).mkdir(parents=True)
    (target / STATE / "lock").touch()
    check_node(job, __version__)
    with pytest.raises(LabelingError, match=r"not 0\.0\.0; install the same"):
        check_node(job, "0.0.0")
    with pytest.raises(LabelingError, match=r"nowhere; mount the folder"):
        check_node(Job(source=Folder(tmp_path / "nowhere"), target=None), __version__)


def descendants(process: int) -> Iterator[int]:
    for child in children(process):
        yield from descendants(child)
        yield child


def test_a_cluster_that_is_lost_as_a_whole_is_named_in_one_line(tmp_path: Path) -> None:
    """Ray would wait for a minute, print a paragraph and end the process with 1, which means something else here."""
    folder, target = tmp_path / "in", tmp_path / "out"
    tree(folder, 60, size=(1600, 1200))
    soon = "from labeling.batch import ray_workers as r; r.HEAD_TIMEOUT = r.NODE_CHECK_INTERVAL = 1.0; "
    script = f"{soon}from labeling.cli import main; main()"
    words = [sys.executable, "-c", script, "batch", folder, target, "--producer", PRODUCER, "-q", "--engine", "ray"]
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER], text=True, env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as cluster:  # fmt: skip
        assert cluster.stdout is not None
        address = cluster.stdout.readline().split()[0]
        process = subprocess.Popen(
            [*map(str, words), "--ray-address", address], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        until(target, 4, process)
        for pid in descendants(cluster.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        out, err = process.communicate(timeout=60)
        cluster.kill()
    assert process.returncode == 2, err
    assert "the head of the Ray cluster that this run was connected to does not answer any more" in err
    assert (out, err.count("\n")) == ("", 1)
    assert 4 <= outputs(target) < 60


def test_the_node_that_the_run_itself_is_on_is_lost_and_the_local_pool_goes_on(nodes: Nodes, tmp_path: Path) -> None:
    """The last one: it takes the cluster's head along.

    The other node's workers are stopped before, or they may have labelled all that is left when the loss is noticed.
    """
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 100, size=(1600, 1200))
    process = start(
        folder, target, "--producer", PRODUCER, "-q",
        "--engine", "ray", "--ray-address", nodes.address, "--workers", "2",
    )  # fmt: skip
    until(target, 6, process)
    head, *others = nodes.raylets
    stopped = [pid for raylet in others for pid in children(raylet)]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    nodes.lose(head)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    assert process.returncode == 2, err
    assert "this run was connected to is lost; run again, by way of another node" in err
    assert (out, err.count("\n")) == ("", 1)
    assert 6 <= outputs(target) < 100
    done = batch(folder, target, "--workers", "2", "-q")
    assert done.returncode == 0, done.stderr
    whole(target, paths)
    assert not leftovers(target)
