"""What a command loads before it is done: modules are counted, not seconds.

Whoever waits at a terminal, or starts a process for each file, waits for these imports more than for the work.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import PRODUCER

SHOW = """\
import sys
sys.argv = ["aigc-label", *sys.argv[1:]]
from labeling.cli import main
try:
    main()
finally:
    print("\\n<", *sys.modules, file=sys.stderr)
"""

PIXELS = {"numpy", "cv2", "PIL", "av", "jpeglib", "labeling.codecs", "labeling.marks.visible"}
READING = {
    *("onnxruntime", "rapidocr", "labeling.marks.wording.ocr", "labeling.marks.visible.engine"),
    *("labeling.marks.visible.read", "labeling.marks.visible.lines", "labeling.marks.visible.measure"),
}
SIGNATURES = {"c2pa", "cryptography", "labeling.marks.credentials"}
LEDGER = {"sqlalchemy", "sqlite3", "labeling.ledger", "labeling.fingerprint", "labeling.keypoints"}
REPORTS = {"rich", "labeling.reports"}
OTHERS = {
    *("labeling.batch", "labeling.isolation.process", "labeling.verification.redaction", "multiprocessing"),
    *("labeling.conforming", "fsspec", "ray", "logging", "asyncio", "http", "importlib.metadata"),
}


def loaded(folder: Path, *words: str) -> set[str]:
    """The modules that a command has loaded when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", SHOW, *words], cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False,
        env={key: value for key, value in os.environ.items() if not key.startswith("COV")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return set(done.stderr.rpartition("<")[2].split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a picture without a label, in two formats."""
    folder = tmp_path_factory.mktemp("start")
    picture = Image.linear_gradient("L").resize((240, 200)).convert("RGB")
    picture.save(folder / "plain.jpg", quality=90)
    picture.save(folder / "plain.png")
    return folder


@pytest.mark.parametrize("name", ["plain.jpg", "plain.png"])
def test_labelling_metadata_loads_no_pixels_and_nothing_that_was_not_asked_for(folder: Path, name: str) -> None:
    found = loaded(folder, "add", name, "--producer", PRODUCER, "--no-visible", "-q", "-o", f"silent-{name}")
    assert found & (PIXELS | READING | SIGNATURES | LEDGER | REPORTS | OTHERS) == set()
    assert "labeling.marks.wording" not in found
    assert "labeling.pipelines.image" in found


@pytest.mark.parametrize("name", ["plain.jpg", "plain.png"])
def test_drawing_loads_nothing_of_what_reads(folder: Path, name: str) -> None:
    found = loaded(folder, "add", name, "--producer", PRODUCER, "-q", "-o", f"shown-{name}")
    assert found & (READING | SIGNATURES | LEDGER | REPORTS | OTHERS - {"logging"}) == set()
    assert {"numpy", "PIL", "labeling.marks.visible.paint"} <= found


def test_verifying_metadata_loads_a_table_only_to_print_one(folder: Path) -> None:
    loaded(folder, "add", "plain.jpg", "--producer", PRODUCER, "--no-visible", "-q", "-o", "labelled.jpg")
    plain = loaded(folder, "verify", "labelled.jpg", "--no-visible", "-q", "--format", "json")
    assert plain & (PIXELS | READING | SIGNATURES | LEDGER | OTHERS | {"rich", "labeling.marks.wording"}) == set()
    assert "labeling.verification.verifier" in plain
    table = loaded(folder, "verify", "labelled.jpg", "--no-visible", "-q")
    assert table & (PIXELS | READING | SIGNATURES | LEDGER | OTHERS) == set()
    assert "rich.table" in table


COUNT = """\
import gc, sys, weakref
class Kept:
    pass
runs = []
gc.callbacks.append(lambda phase, info: runs.append(phase))
usual = gc.get_threshold()
sys.argv = ["aigc-label", *sys.argv[1:]]
from labeling.cli import main
before = len(runs)
try:
    main()
except SystemExit:
    pass
during = len(runs) - before
many = [[] for _ in range(50_000)]
cycle = Kept()
cycle.itself, seen = cycle, weakref.ref(cycle)
del cycle
many += [[] for _ in range(50_000)]
print(during // 2, gc.get_threshold() == usual, len(gc.callbacks), seen() is None)
"""


def test_the_collector_of_garbage_begins_when_the_command_has_loaded(folder: Path) -> None:
    """And then works as ever: what fails with large pictures in hand must not keep them."""
    words = ["verify", "plain.jpg", "--no-visible", "-q", "-o", "report.txt"]
    done = subprocess.run([sys.executable, "-c", COUNT, *words], cwd=folder, capture_output=True, text=True, check=True)
    during, *then = done.stdout.split()
    assert int(during) <= 3
    assert then == ["True", "1", "True"]


def test_what_is_asked_for_is_loaded_after_all(folder: Path) -> None:
    """So that the sets above name what there is."""
    from labeling.marks.credentials import make_test_chain

    chain = make_test_chain("es256")
    (folder / "chain.pem").write_bytes(chain.cert_pem)
    (folder / "key.pem").write_bytes(chain.key_pem)
    signed = loaded(
        folder, "add", "plain.jpg", "--producer", PRODUCER, "--no-visible", "-q", "-o", "signed.jpg",
        "--signer-cert", "chain.pem", "--signer-key", "key.pem", "--ledger", "ledger.db",
    )  # fmt: skip
    assert {"c2pa", "labeling.marks.credentials", "labeling.ledger", "sqlalchemy", "sqlite3"} <= signed
    found = loaded(folder, "verify", "signed.jpg", "--no-visible", "-q", "--redact")
    assert {"c2pa", "labeling.marks.credentials", "labeling.verification.redaction"} <= found
    every = PIXELS | READING | SIGNATURES | LEDGER | REPORTS | OTHERS
    missing = {name for name in every if name not in sys.modules and importlib.util.find_spec(name) is None}
    assert missing - {"ray"} == set()
