"""The samples for schedulers and frameworks run as they would there: on a Dask cluster, in cron's shell, as a Job."""

from __future__ import annotations

import ast
import fcntl
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import kubernetes_validate
import pytest
import yaml

from .batching import tree, whole
from .partitions import GOOD, archive, check
from .test_bad_input import PRODUCER

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
JOB = SAMPLES / "kubernetes" / "label-job.yaml"


def run(*command: object, code: int = 0, **more: Any) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120, check=False, **more)
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture
def label_partition(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(SAMPLES)
    return importlib.import_module("label_partition")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with the command aigc-label of this installation, and what the system has."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "aigc-label").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m labeling.cli "$@"\n')
    (folder / "aigc-label").chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


# --- partitions, and Dask --------------------------------------------------------------------------------------------


def test_a_part_that_is_done_again_gives_the_same_rows(label_partition: ModuleType, tmp_path: Path) -> None:
    source, config = archive(tmp_path)
    target, ledger = tmp_path / "out", tmp_path / "ledger.db"
    places = [str(source), str(target), str(config)]
    listed = label_partition.listed(str(source))
    unrecorded = list(label_partition.label_partition(listed[:3], *places))  # it died before it came to the ledger
    rows = list(label_partition.label_partition(iter(listed), *places, ledger=str(ledger)))
    assert rows[0].content_id == unrecorded[0].content_id
    check([row._asdict() for row in rows], target, ledger)
    assert list(label_partition.label_partition(listed, *places, ledger=str(ledger))) == rows
    check([row._asdict() for row in rows], target, ledger)


def test_a_part_replaces_nothing_of_others(label_partition: ModuleType, tmp_path: Path) -> None:
    source, config = archive(tmp_path)
    other = tmp_path / "out" / "00.jpg"
    other.parent.mkdir()
    other.write_bytes((source / "02.jpg").read_bytes())
    (row,) = label_partition.label_partition(["00.jpg"], str(source), str(tmp_path / "out"), str(config))
    assert (row.status, row.error) == ("refused", "something else has the output's name")
    assert other.read_bytes() == (source / "02.jpg").read_bytes()
    (gone,) = label_partition.label_partition(["gone.jpg"], str(source), str(tmp_path / "out"), str(config))
    assert gone.status == "failed"
    assert "gone.jpg" in gone.error


def test_dask_labels_with_a_labeler_per_process(tmp_path: Path) -> None:
    source, config = archive(tmp_path)
    target, ledger, results = tmp_path / "out", tmp_path / "ledger.db", tmp_path / "results.jsonl"
    done = run(sys.executable, SAMPLES / "dask_label.py", source, target, config, results, "", ledger)
    assert done.stdout == f"1 failed, {GOOD} labelled, 1 unsupported\n"
    assert done.stderr == ""
    check([json.loads(line) for line in results.read_text("utf-8").splitlines()], target, ledger)


# --- Kubernetes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.34", "1.37"])
def test_the_job_is_what_kubernetes_knows(version: str) -> None:
    """Strictly: a field that the schemas do not have is an error."""
    (job,) = yaml.safe_load_all(JOB.read_text(encoding="utf-8"))
    assert kubernetes_validate.validate(job, version, strict=True) == version
    job["spec"]["completionsmode"] = "Indexed"
    with pytest.raises(kubernetes_validate.ValidationError, match="completionsmode"):
        kubernetes_validate.validate(job, version, strict=True)


def test_the_pods_of_the_job_label_every_file_once(tmp_path: Path, path: str) -> None:
    spec = yaml.safe_load(JOB.read_text(encoding="utf-8"))["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    set_to = {each["name"]: each["value"] for each in container["env"]}
    assert int(set_to["SHARDS"]) == spec["completions"]
    source, target = tmp_path / "in", tmp_path / "out"
    paths = tree(source, 12, size=(64, 64))
    (tmp_path / "aigc-label.toml").write_text(f'producer = "{PRODUCER}"\n')
    here = {"SOURCE": source, "TARGET": target, "SHARDS": 2, "AIGC_LABEL_CONFIG": tmp_path / "aigc-label.toml"}
    here |= {"TMPDIR": tmp_path, "PATH": path}
    assert set(set_to) <= set(here)
    for index in range(2):
        environment = {name: str(value) for name, value in here.items()} | {"JOB_COMPLETION_INDEX": str(index)}
        done = run(*container["command"], *container["args"], env=environment, cwd=tmp_path)
        assert done.stdout + done.stderr == ""
    states = sorted((target / ".aigc-label").glob("shard-*"))
    assert [state.name for state in states] == ["shard-1-of-2", "shard-2-of-2"]
    lines = [json.loads(line) for state in states for line in (state / "results.jsonl").read_text("utf-8").splitlines()]
    assert sorted(line["path"] for line in lines) == paths
    assert {line["status"] for line in lines} == {"labelled"}


# --- cron, and Airflow -----------------------------------------------------------------------------------------------


def crontab() -> tuple[dict[str, str], str]:
    """The settings and the command of the only line with a time, as cron reads them."""
    lines = [line for line in (SAMPLES / "cron" / "aigc-label").read_text("utf-8").splitlines() if line[:1] not in "#"]
    settings = dict(line.split("=", 1) for line in lines if line and line[0].isupper())
    (entry,) = [line for line in lines if line and not line[0].isupper()]
    *times, user, command = entry.split(maxsplit=6)
    assert all(each == "*" or each.isdigit() for each in times)
    assert user.isalpha()
    assert "%" not in command  # to cron, a new line
    return settings, command


def test_cron_starts_one_run_at_a_time_and_says_nothing_if_all_is_well(tmp_path: Path, path: str) -> None:
    settings, command = crontab()
    script = SAMPLES / "cron" / "label-nightly.sh"
    assert command == f"/opt/aigc/{script.name}"
    assert os.access(script, os.X_OK)
    (tmp_path / "aigc-label.toml").write_text(f'producer = "{PRODUCER}"\n')
    here = {"AIGC_LABEL_CONFIG": "aigc-label.toml", "SOURCE": "in", "TARGET": "out", "LOCK": "lock"}
    environment = settings | {name: str(tmp_path / value) for name, value in here.items()} | {"PATH": path}
    paths = tree(tmp_path / "in", 3, size=(64, 64))
    words = [settings["SHELL"], "-c", str(script)]
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "still at work" in run(*words, code=75, env=environment, cwd="/").stderr
    assert not (tmp_path / "out").exists()
    assert run(*words, env=environment, cwd="/").stderr == ""
    whole(tmp_path / "out", paths)
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    done = run(*words, code=3, env=environment, cwd="/")
    assert done.stderr.startswith("aigc-label: 3 of 4 files are labelled")
    assert done.stderr.count("\n") == 1


def test_what_airflow_calls_continues_and_fails_with_a_file(tmp_path: Path) -> None:
    source, config = archive(tmp_path)
    words = [sys.executable, SAMPLES / "label_new.py", source, tmp_path / "out", config, tmp_path / "state"]
    done = run(*words, code=1)
    assert f"not all files are labelled: {{'labelled': {GOOD}, 'unsupported': 1, 'failed': 1}}" in done.stderr
    assert "Traceback" not in done.stderr
    for name in ("broken.jpg", "notes.txt"):
        (source / name).unlink()
    (source / "broken.jpg").write_bytes((source / "00.jpg").read_bytes())
    (source / "notes.txt").write_bytes((source / "00.jpg").read_bytes())
    assert f"'labelled': {GOOD + 2}" in run(*words).stdout


def test_the_dag_calls_it_with_what_it_takes() -> None:
    """Airflow itself is not installed for the tests; this much can be said without."""
    tree = ast.parse((SAMPLES / "airflow_dag.py").read_text(encoding="utf-8"))
    calls = [each for each in ast.walk(tree) if isinstance(each, ast.Call)]
    (call,) = [each for each in calls if isinstance(each.func, ast.Name) and each.func.id == "work"]
    own = ast.parse((SAMPLES / "label_new.py").read_text(encoding="utf-8"))
    (function,) = [each for each in own.body if isinstance(each, ast.FunctionDef)]
    assert [name.id.lower() for name in call.args if isinstance(name, ast.Name)] == [
        argument.arg for argument in function.args.args
    ]
