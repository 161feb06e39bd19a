"""Strangers' files are read in a process that may end: what ends it costs one report, and nothing stays behind."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

import labeling
from labeling import Limits, Status
from labeling.isolation import Lost, Pool
from labeling.verification import isolated
from labeling.verification.report import Report
from labeling.verification.transfer import NoReport, packed, unpacked

from .pictures import MAKERS, rgb
from .test_bad_input import PRODUCER

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="isolated processes are Linux's")

HERE = str(Path(__file__).parent)


@pytest.fixture(autouse=True)
def no_children_of_other_tests() -> None:
    isolated.pool().close()


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.setenv("A_SECRET", "key")
    made = Pool("isolation_targets:serve", size=2)
    yield made
    made.close()


def children_of(parent: int) -> list[int]:
    """Return the ids of a process's children that are not zombies."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, ppid = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if int(ppid) == parent and state != "Z" and b"labeling.isolation" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def processor_time(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 300  # the machine may be busy
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("segfault", "SIGSEGV"),
        ("abort", "SIGABRT, perhaps for lack of memory"),
        ("exit", "exit code 7"),
        ("hang", "longer than 1 s"),
        ("spin", "more processor time"),
        ("allocate", "more memory"),
        ("allocate natively", "SIGABRT"),
        ("pretend", "no answer"),
        ("nest", "no answer"),
    ],
)
def test_whatever_ends_a_child_is_told_and_the_next_request_is_served(pool: Pool, action: str, words: str) -> None:
    first = pool.ask({"do": "", "cpu_time": 5}, timeout=60, memory=1024)
    assert children_of(os.getpid()) == [first["pid"]]
    limits = {"timeout": 1.0 if action == "hang" else 300, "memory": 1024}
    with pytest.raises(Lost, match=words):
        pool.ask({"do": action, "cpu_time": 1}, **limits)  # type: ignore[arg-type]
    assert children_of(os.getpid()) == []
    second = pool.ask({"do": ""}, b"four", timeout=60, memory=1024)
    assert second["pid"] != first["pid"]
    assert second["payload"] == [4, ord("r")]


def test_a_child_has_no_network_no_files_no_secrets_and_another_folder(pool: Pool) -> None:
    for action in ("write", "look"):
        assert pool.ask({"do": action}, timeout=60)["pid"]
    with pytest.raises(Lost) as lost:
        pool.ask({"do": "connect"}, timeout=60)
    with socket.socket() as connection:
        here = connection.connect_ex(("127.0.0.1", 9))
    assert here == errno.ECONNREFUSED
    unshared = {errno.ENETUNREACH, errno.ENETDOWN} if os.geteuid() == 0 else {errno.ENETUNREACH, errno.ECONNREFUSED}
    assert any(f"errno {number}" in lost.value.reason for number in unshared)


def test_a_child_that_earlier_files_left_in_a_bad_state_costs_no_later_file(pool: Pool) -> None:
    """What a used child fails on is asked once more of a new one; what a new one fails on is not."""
    heard: list[object] = []
    pool.ask({"do": ""}, timeout=60)
    with pytest.raises(Lost):
        pool.ask({"do": "segfault"}, timeout=60, on_note=heard.append)
    with pytest.raises(Lost):
        pool.ask({"do": "segfault"}, timeout=60, on_note=heard.append)
    assert heard == [{"at": "segfault"}] * 3


def test_many_threads_share_a_bounded_number_of_children(pool: Pool) -> None:
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: pool.ask({"do": ""}, timeout=60)["pid"], range(200)))
    assert 1 <= len(set(answers)) <= 2
    assert set(children_of(os.getpid())) == set(answers)
    pool.close()
    assert children_of(os.getpid()) == []


def test_a_thread_that_ends_takes_no_child_with_it(pool: Pool) -> None:
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(pool.ask({"do": ""}, timeout=60)["pid"]))
    thread.start()
    thread.join()
    assert pool.ask({"do": ""}, timeout=60)["pid"] == seen[0]


@pytest.mark.parametrize(("fmt", "made"), [("jpg", "baseline.jpg"), ("png", "alpha.png")])
def test_the_report_is_the_same_as_without(
    tmp_path: Path, fmt: str, made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = labeling.Signer.from_pem(*_chain())
    labeler = labeling.Labeler(PRODUCER, signer=signer)
    (tmp_path / f"plain.{fmt}").write_bytes(MAKERS[made]())
    labeler.label_file(tmp_path / f"plain.{fmt}", tmp_path / f"labelled.{fmt}")
    data = (tmp_path / f"labelled.{fmt}").read_bytes()
    (tmp_path / f"damaged.{fmt}").write_bytes(data[: len(data) * 3 // 4])
    (tmp_path / f"other.{fmt}").write_bytes(b"no picture at all")
    monkeypatch.chdir(tmp_path)
    trust = labeling.Trust(_chain()[0])
    for name in ("plain", "labelled", "damaged", "other"):
        for options in ({}, {"visible": False}, {"trust": trust, "declared_ai": True}):
            given = f"{name}.{fmt}", ["cn", "eu", "us-ca", "platform"]
            assert labeling.verify(*given, isolate=True, **options) == labeling.verify(*given, **options)
    with Path(f"labelled.{fmt}").open("rb") as file:
        assert labeling.verify(file, isolate=True).find("aigc") == labeling.verify(data).find("aigc")
    assert labeling.verify(data, isolate=True) == labeling.verify(data)


def _chain() -> tuple[bytes, bytes]:
    from labeling.marks.credentials import make_test_chain

    chain = make_test_chain()
    return chain.cert_pem, chain.key_pem


def test_errors_are_those_of_the_library_with_the_name_that_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for source in ("nowhere.png", ".", "new\nline\udcff.png"):
        with pytest.raises(labeling.UnreadableFile) as isolated:
            labeling.verify(source, isolate=True)
        with pytest.raises(labeling.UnreadableFile) as direct:
            labeling.verify(source)
        assert (str(isolated.value), isolated.value.path) == (str(direct.value), direct.value.path)
    with pytest.raises(labeling.LabelingError, match="PIL image"):
        labeling.verify(Image.new("RGB", (9, 9)), isolate=True)
    with pytest.raises(labeling.LabelingError, match="`timeout` must be a number"):
        labeling.verify(b"", timeout=0)
    with pytest.raises(labeling.LabelingError, match="`isolate` must be"):
        labeling.verify(b"", isolate="yes")  # type: ignore[arg-type]


def test_where_there_are_no_such_processes_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(labeling.LabelingError, match="need Linux"):
        labeling.verify(b"x", timeout=5)


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A picture whose pixels take seconds, and whose metadata takes none; with a label."""
    path = tmp_path / "slow.png"
    Image.new("RGBA", (9900, 9900), (0, 128, 128, 128)).save(path)
    labeling.Labeler(PRODUCER, visible=False).label_file(path, in_place=True)
    return path


def only_child() -> int:
    wait_for(lambda: children_of(os.getpid()), "a child")
    [pid] = children_of(os.getpid())
    return pid


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_crash_in_the_pixels_leaves_the_rest_of_the_report(slow: Path, number: signal.Signals) -> None:
    labeling.verify(slow, visible=False, isolate=True)
    first = only_child()
    reports: list[Report] = []
    thread = threading.Thread(target=lambda: reports.append(labeling.verify(slow, isolate=True)))
    begun = processor_time(first)
    thread.start()
    wait_for(lambda: processor_time(first) > begun + 0.3, "the decoder")
    os.kill(first, number)
    # The child had read another file before, so that a new one tries: it is hit as well.
    wait_for(lambda: children_of(os.getpid()) not in ([first], []), "another child")
    second = only_child()
    wait_for(lambda: processor_time(second) > 1.0, "its decoder")
    os.kill(second, number)
    thread.join(300)
    [report] = reports
    aigc, visible = report.find("aigc"), report.find("visible")
    assert aigc is not None
    assert visible is not None
    assert (aigc.status, visible.status) == (Status.PRESENT, Status.UNREADABLE)
    [why] = visible.defects
    assert (why.rule, str(report.verdicts["cn"].outcome)) == ("FILE-LIMITS", "inconclusive")
    assert why.message.startswith("the pixels were not looked at: its process ended with " + number.name)


def test_what_takes_too_long_is_ended_and_its_metadata_reported(slow: Path) -> None:
    for report in (
        labeling.verify(slow, timeout=0.5),
        labeling.verify(slow, isolate=Limits(cpu_time=1)),
    ):
        visible, c2pa = report.find("visible"), report.find("c2pa")
        assert visible is not None
        assert c2pa is not None
        assert (visible.status, c2pa.status, report.origin) == (Status.UNREADABLE, Status.ABSENT, "confirmed")
        assert [each.rule for each in visible.defects] == ["FILE-LIMITS"]
        assert report.exit_code == 3


def test_a_child_that_is_stopped_is_replaced(slow: Path) -> None:
    labeling.verify(slow, visible=False, isolate=True)
    stopped = only_child()
    os.kill(stopped, signal.SIGSTOP)
    report = labeling.verify(slow, visible=False, timeout=1)
    assert not report.readable
    assert "took longer than 1 s" in report.problems[0]
    assert labeling.verify(slow, visible=False, isolate=True).readable
    assert stopped not in children_of(os.getpid())


def test_a_file_that_does_not_fit_the_memory_is_one_report_among_many(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(6)]
    for number, name in enumerate(names):
        rgb(320, 240, seed=number).save(tmp_path / name)
    with (tmp_path / "3.png").open("r+b") as file:
        file.truncate(1023 << 20)
    done = command("verify", *names, "--memory", "1024", "--no-visible", "--format", "json", cwd=tmp_path)
    reports = json.loads(done.stdout)
    assert [report["path"] for report in reports] == names
    assert [report["readable"] for report in reports] == [True, True, True, False, True, True]
    assert "it needed more memory than it may have" in reports[3]["problems"][0]
    assert (done.returncode, done.stderr) == (1, "")


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "labeling.cli", *arguments], cwd=cwd, capture_output=True, text=True, timeout=300
    )


def started(*arguments: str | Path, temporary: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "labeling.cli", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(temporary)},
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_command_leaves_no_process_and_no_file(
    slow: Path, tmp_path: Path, number: signal.Signals
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = started("verify", slow, "--isolate", temporary=temporary)
    wait_for(lambda: children_of(process.pid), "a child")
    [child] = children_of(process.pid)
    wait_for(lambda: processor_time(child) > 1.0, "the decoder")
    process.send_signal(number)
    process.communicate(timeout=300)
    wait_for(lambda: not Path(f"/proc/{child}").exists(), "the end of the child")
    assert process.returncode != 0
    assert list(temporary.iterdir()) == []


def test_a_program_without_a_main_guard_and_a_fork_may_use_it(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(MAKERS["rgb.png"]())
    (tmp_path / "program.py").write_text(
        "import os, labeling\n"
        "first = labeling.verify('photo.png', visible=False, isolate=True)\n"
        "if (child := os.fork()) == 0:\n"
        "    os._exit(0 if labeling.verify('photo.png', visible=False, isolate=True) == first else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert labeling.verify('photo.png', visible=False, isolate=True) == first\n"
        "print(first.media_type)\n"
    )
    done = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr, done.returncode) == ("image/png\n", "", 0)


def test_an_html_page_of_isolated_files_decodes_nothing_here(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(MAKERS["rgb.png"]())
    for options, shown in (((), True), (("--isolate",), False)):
        done = command("verify", "photo.png", *options, "--format", "html", cwd=tmp_path)
        assert "photo.png" in done.stdout
        assert ("data:image/jpeg" in done.stdout) is shown


def test_what_is_no_report_is_refused() -> None:
    buffer = io.BytesIO()
    rgb(64, 48).save(buffer, "png")
    report = labeling.verify(buffer.getvalue(), ["cn", "eu"])
    good = packed(report)
    assert unpacked(json.loads(json.dumps(good))) == report
    bad: list[dict[str, object]] = [
        {},
        good | {"path": 1},
        good | {"origin": "human"},
        good | {"readable": "yes"},
        good | {"problems": "none"},
        good | {"problems": [None]},
        good | {"findings": [["aigc", "present", "", {}, "trusted"]]},
        good | {"findings": [["aigc", "signed", "", {}, None, []]]},
        good | {"findings": [["humanity", "present", "", {}, None, []]]},
        good | {"findings": [["aigc", "present", "", [], None, []]]},
        good | {"findings": [["aigc", "present", "", {}, None, [["MADE-UP", "", "", "error"]]]]},
        good | {"findings": [["aigc", "present", "", {}, None, [["FILE-NAME", "", "my law", "error"]]]]},
        good | {"verdicts": [["cn", "splendid", [], []]]},
        good | {"verdicts": [[["cn"], "compliant", [], []]]},
        good | {"findings": None},
    ]
    for value in bad:
        with pytest.raises(NoReport):
            unpacked(value)
