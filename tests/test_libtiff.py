"""What libtiff finds wrong in a TIFF is counted and said once; standard error stays for what we say."""

from __future__ import annotations

import io
import json
import random
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

from labeling.codecs.libtiff import listening

from .commands import run
from .ledgers import PRODUCER

WIDTH, HEIGHT = 640, 400


def fax(order: str = "<", compression: int = 3) -> bytes:
    """A fax whose lines are rubbish: one strip, by hand."""
    data = random.Random(1).randbytes(40_000)
    entries = [
        (256, 4, 1, WIDTH), (257, 4, 1, HEIGHT), (258, 3, 1, 1), (259, 3, 1, compression), (262, 3, 1, 0),
        (273, 4, 1, 8 + 2 + 12 * 9 + 4), (277, 3, 1, 1), (278, 4, 1, HEIGHT), (279, 4, 1, len(data)),
    ]  # fmt: skip
    made = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, len(entries))
    for tag, kind, count, value in entries:
        held = struct.pack(f"{order}HH", value, 0) if kind == 3 else struct.pack(f"{order}I", value)
        made += struct.pack(f"{order}HHI", tag, kind, count) + held
    return made + bytes(4) + data


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "fax.tif").write_bytes(fax())
    return tmp_path / "fax.tif"


def decode(path: Path) -> None:
    Image.open(io.BytesIO(path.read_bytes())).load()


def spoken(path: Path) -> int:
    """Lines that libtiff prints when Pillow alone decodes the file: the witness."""
    script = "import sys; from PIL import Image; Image.open(sys.argv[1]).load()"
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    return done.stderr.count("Fax3")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [2, 3])
def test_the_report_names_the_faults_once(tmp_path: Path, order: str, compression: int) -> None:
    path = tmp_path / "fax.tif"
    path.write_bytes(fax(order, compression))
    assert spoken(path) > 100
    for isolation in ((), ("--isolate",)):
        done = run("verify", "fax.tif", "--format", "json", *isolation, cwd=tmp_path)
        assert done.stderr == ""
        [report] = json.loads(done.stdout)
        warnings = [
            each["message"] for each in report["verdicts"]["cn"]["warnings"] if each["rule"] == "FILE-STRUCTURE"
        ]
        [message] = [each for each in warnings if "libtiff" in each]
        assert message == f"libtiff found {spoken(path):,} faults in the picture data; what they spoilt was not seen"


def test_a_label_and_a_conversion_name_what_was_damaged(broken: Path) -> None:
    added = run("add", "fax.tif", "--producer", PRODUCER, "-o", "out.tif", cwd=broken.parent)
    converted = run("convert", "fax.tif", "out.png", cwd=broken.parent)
    for done in (added, converted):
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count(f"damaged picture data ({spoken(broken):,} faults)") == 1
    assert spoken(broken.parent / "out.tif") == 0  # the one strip was coded anew


def test_a_sound_fax_has_no_faults(tmp_path: Path) -> None:
    Image.new("1", (WIDTH, HEIGHT), 1).save(tmp_path / "sound.tif", compression="group3")
    with listening() as faults:
        decode(tmp_path / "sound.tif")
    assert faults.count == 0
    assert "libtiff" not in run("verify", "sound.tif", cwd=tmp_path).stdout


def test_each_thread_and_each_scope_counts_its_own(broken: Path) -> None:
    expected, counts = spoken(broken), []

    def work() -> None:
        for _ in range(5):
            with listening() as outer:
                decode(broken)
                with listening() as inner:
                    decode(broken)
                    decode(broken)
            counts.append((outer.count, inner.count))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [(expected, 2 * expected)] * 20


def test_libtiff_speaks_again_afterwards(broken: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with listening():
        decode(broken)
    assert capfd.readouterr().err == ""
    decode(broken)
    assert capfd.readouterr().err.count("Fax3") == spoken(broken)


def test_an_interrupt_while_libtiff_complains_is_not_swallowed(broken: Path) -> None:
    data, caught = io.BytesIO(broken.read_bytes()), 0
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for number in range(30):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0002 + number * 0.0001)
                with listening():
                    for _ in range(2000):
                        Image.open(data).load()
            except KeyboardInterrupt:
                caught += 1
    finally:
        signal.signal(signal.SIGALRM, before)
    assert caught == 30  # a handler in Python swallows most of them
    with listening() as faults:
        decode(broken)
    assert faults.count == spoken(broken)
