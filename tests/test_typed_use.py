"""Types that users can lean on: a program that uses the whole API passes ``mypy --strict``, and mistakes do not."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import labeling

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "tests" / "typed_use" / "whole_api.py"

# One mistake a line, and the code of the error that mypy has to give for it.
MISTAKES = {
    "labeling.verfy('a.png')": "attr-defined",
    "labeling.batch.rnu('in', 'out')": "attr-defined",
    "labeling.ledger.Leger": "attr-defined",
    "labeler.label_image(3.14)": "arg-type",
    "labeler.label_image(floats)": "arg-type",
    "labeler.label_image(picture, quality='high')": "arg-type",
    "labeler.label_file('a.png', inplace=True)": "call-arg",
    "labeler.label_file('a.png').pth": "attr-defined",
    "labeler.open_video('a.mp4', size=640, fps=24)": "arg-type",
    "labeler.producer = 'somebody else'": "misc",
    "labeling.Labeler(producer=3)": "arg-type",
    "labeling.Labeler()": "call-arg",
    "labeling.Labeler(producer='p', film=labeling.VideoOptions())": "call-arg",
    "labeling.Labeler(producer='p', signer=b'a key')": "arg-type",
    "labeling.VideoOptions(seconds='long')": "arg-type",
    "labeling.Style(opacity='half')": "arg-type",
    "labeling.verify(b'', profile=3)": "arg-type",
    "labeling.verify(3)": "arg-type",
    "labeling.verify(b'', trust='roots.pem')": "arg-type",
    "report.find('visible').where": "union-attr",
    "report.findings[0].kindd": "attr-defined",
    "report.findings[0].mark": "attr-defined",
    "report.marks": "attr-defined",
    "report.findings.append(report.findings[0])": "attr-defined",
    "report.verdicts['cn'].verdict": "attr-defined",
    "report.findings[0].status is labeling.Status.MISSING": "attr-defined",
    "labeling.batch.run('in', 'out', labler=labeler)": "call-arg",
    "labeling.batch.run('in', 'out', workers='many')": "arg-type",
    "labeling.fingerprint.distance('a', 'b')": "arg-type",
    "labeling.ProviderCode.parse('').uscc": "union-attr",
    "labeling.LabelingError('what', path=3)": "arg-type",
}

PREAMBLE = """\
import labeling
import numpy as np
from PIL import Image

labeler = labeling.Labeler(producer="somebody")
picture = Image.new("RGB", (8, 8))
floats = np.zeros((8, 8, 3), np.float32)
report = labeling.verify(b"")
"""


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[int, str]]]:
    """One run of mypy over the program and the mistakes: the errors as (line, code), by the file's name."""
    folder = tmp_path_factory.mktemp("typed_use")
    (folder / "mistakes.py").write_text(PREAMBLE + "".join(f"{line}\n" for line in MISTAKES), encoding="utf-8")
    # No configuration of ours: what a user's own strict run says, who has the package installed.
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--follow-imports=silent", "--no-pretty"]
    command += ["--show-error-codes", "--cache-dir", str(ROOT / ".mypy_cache" / "typed_use")]
    done = subprocess.run(
        [*command, str(PROGRAM), str(folder / "mistakes.py")],
        cwd=folder, env=os.environ | {"MYPYPATH": str(ROOT)}, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: dict[str, list[tuple[int, str]]] = {"whole_api.py": [], "mistakes.py": []}
    for name, line, code in re.findall(r"(\w+\.py):(\d+): error: .* \[([\w-]+)\]$", done.stdout, re.MULTILINE):
        found[name].append((int(line), code))
    return found


def test_the_whole_api_passes_strict_checks(checked: dict[str, list[tuple[int, str]]]) -> None:
    assert checked["whole_api.py"] == []


def test_the_program_uses_every_public_name() -> None:
    tree = ast.parse(PROGRAM.read_text(encoding="utf-8"))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | {"__version__"}
    assert set(labeling.__all__) - used == set()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(checked: dict[str, list[tuple[int, str]]], mistake: str) -> None:
    line = PREAMBLE.count("\n") + list(MISTAKES).index(mistake) + 1
    codes = {code for at, code in checked["mistakes.py"] if at == line}
    assert MISTAKES[mistake] in codes
