"""``batch --verify`` reads files in isolated processes: one that does not fit costs its own report, and no worker."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from labeling import Limits, batch
from labeling.batch.options import Engine

from .pictures import rgb

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="isolated processes are Linux's")


@pytest.mark.parametrize("engine", ["local", "inline"])
def test_a_file_that_does_not_fit_costs_no_worker(tmp_path: Path, engine: Engine) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for number in range(5):
        rgb(160, 120, seed=number).save(source / f"{number}.png")
    with (source / "2.png").open("r+b") as file:
        file.truncate(1023 << 20)
    check = batch.Check(visible=False, isolate=Limits(memory=1024))
    done = batch.run(source, tmp_path / "out", verify=check, workers=1, engine=engine)
    lines = sorted((json.loads(line) for line in done.results.read_text().splitlines()), key=lambda line: line["path"])
    assert [(line["path"], line["status"], line["attempts"]) for line in lines] == [
        (f"{number}.png", "verified", 1) for number in range(5)
    ]
    assert [line["report"]["readable"] for line in lines] == [True, True, False, True, True]
    assert "it needed more memory" in lines[2]["report"]["problems"][0]
    assert done.exit_code == 1


def test_it_is_the_default_within_the_run_s_timeout() -> None:
    assert batch.Check().within(3600).isolate == Limits(timeout=3600)
    assert batch.Check().within(None).isolate == Limits(timeout=86_400)
    assert batch.Check(isolate=False).within(5).isolate is False
    own = Limits(timeout=7, cpu_time=3)
    assert batch.Check(isolate=own).within(5).isolate == own
