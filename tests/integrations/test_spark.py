"""The sample for Spark on a real cluster of two executors: ``make test-integrations``, for its 450 MB are not in CI."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyspark

from tests import programs
from tests.partitions import GOOD, archive, check

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def test_spark_labels_with_a_labeler_per_process(tmp_path: Path) -> None:
    programs.require("java")
    source, config = archive(tmp_path)
    target, ledger, results = tmp_path / "out", tmp_path / "ledger.db", tmp_path / "results"
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    cluster = ["--master", "local-cluster[2,1,1024]", "--conf", "spark.ui.enabled=false"]
    words = [*cluster, "--py-files", SAMPLES / "label_partition.py", SAMPLES / "spark_label.py"]
    here = {"PYSPARK_PYTHON": sys.executable, "SPARK_HOME": str(Path(pyspark.__file__).parent)}
    here |= {
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(tmp_path),
        "SPARK_WORKER_DIR": str(tmp_path / "work"),
    }
    done = subprocess.run(
        [str(each) for each in (submit, *words, source, target, config, results, ledger)],
        env=os.environ | here, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.splitlines() == ["1 failed", f"{GOOD} labelled", "1 unsupported"]
    lines = [line for part in results.glob("part-*.json") for line in part.read_text("utf-8").splitlines()]
    rows = [{"error": "", "sha256": "", "content_id": ""} | json.loads(line) for line in lines]
    check(rows, target, ledger)
