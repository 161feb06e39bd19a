"""How a batch run is begun: arguments that are refused, options that must stay the same, keys, and its folder."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import labeling
from labeling import Labeler, LabelingError
from labeling.batch import run
from labeling.batch.options import RunOptions
from labeling.marks.credentials import Signer, make_test_chain

from .batching import STATE, batch, results, tree, whole
from .test_bad_input import PRODUCER, refused

LABELER = Labeler(producer=PRODUCER)


def test_the_command_refuses_what_cannot_be_meant(tmp_path: Path) -> None:
    tree(tmp_path / "in", 1)
    (tmp_path / "out" / "deep").mkdir(parents=True)
    refused(batch(tmp_path / "in"), 2, "no target", "--in-place")
    refused(batch(tmp_path / "in", tmp_path / "in"), 2, "one folder", "--in-place")
    refused(batch(tmp_path / "missing", tmp_path / "out"), 3, "missing", "no such folder")
    refused(batch(tmp_path / "out" / "deep", tmp_path / "out"), 2, "is inside the target")
    refused(batch(tmp_path / "in", tmp_path / "out", "--in-place"), 2, "takes no target")
    refused(batch(tmp_path / "in", tmp_path / "out", "--content-id", "x"), 2, "--files")
    refused(batch(tmp_path / "in", tmp_path / "out", "--files", tmp_path / "none"), 2, "file list", "No such file")
    refused(batch(tmp_path / "in", "gopher://x/y"), 2, "gopher")
    refused(batch(tmp_path / "in", tmp_path / "out", "--storage-options", "[1]"), 2, "must be an object")


def test_options_that_change_begin_a_generation_and_keep_what_is_done(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 2)
    assert batch(folder, target).returncode == 0
    first = results(target)
    done = batch(folder, target, "--text", "由AI生成")
    assert done.returncode == 0
    assert "2 files were labelled with earlier options (style); --restart labels them again" in done.stdout
    assert results(target) == first
    done = batch(folder, target, "--text", "由AI生成", "--restart")
    assert done.returncode == 0
    assert "earlier options" not in done.stdout
    whole(target, paths)
    assert {path: line["content_id"] for path, line in results(target).items()} == {
        path: line["content_id"] for path, line in first.items()
    }
    assert labeling.verify(target / paths[0]).findings[1].value["text"] == "由AI生成"
    replaced = [json.loads(line) for line in (target / STATE / "history.jsonl").read_text().splitlines()]
    assert {line["path"]: line for line in replaced} == first


def test_a_signer_is_made_in_each_worker(tmp_path: Path) -> None:
    import c2pa

    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 4)
    chain = make_test_chain("es256")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(chain.cert_pem)
    key.write_bytes(chain.key_pem)
    with pytest.raises(LabelingError, match="not sent to other processes"):
        run(folder, target, labeler=Labeler(producer=PRODUCER, signer=Signer.from_pem(chain.cert_pem, chain.key_pem)))
    done = batch(folder, target, "--signer-cert", cert, "--signer-key", key, "--workers", "2")
    assert done.returncode == 0, done.stderr
    whole(target, paths)
    for path in paths:
        with c2pa.Reader(str(target / path)) as reader:
            assert reader.get_validation_state() in ("Valid", "Trusted")
    for file in (target / STATE).iterdir():
        assert b"PRIVATE KEY" not in file.read_bytes()
    with pytest.raises(LabelingError, match=r"none.pem: the certificate cannot be read"):
        run(folder, tmp_path / "other", labeler=partial(_signed, str(tmp_path / "none.pem")))


def _signed(path: str) -> Labeler:
    from labeling import config

    return Labeler(producer=PRODUCER, signer=config.signer(Path(path), Path(path)))


def test_a_labeler_that_is_lost_or_wrong_ends_the_run_at_once(tmp_path: Path) -> None:
    tree(tmp_path / "in", 2)
    with pytest.raises(LabelingError, match="by one of `labeler`"):
        run(tmp_path / "in", tmp_path / "out")
    with pytest.raises(LabelingError, match="engine"):
        run(tmp_path / "in", tmp_path / "out", labeler=LABELER, engine="steam")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_a_journal_that_is_damaged_or_of_the_future(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 2)
    run(folder, target, labeler=LABELER, engine="inline")
    journal = target / STATE / "journal.sqlite"
    sound = journal.read_bytes()
    journal.write_bytes(b"no database at all" * 100)
    refused(batch(folder, target), 2, "journal", "--restart")
    journal.write_bytes(sound)
    results_file = target / STATE / "results.jsonl"
    numbers = {path: line["content_id"] for path, line in results(target).items()}
    sound_results = results_file.read_bytes()
    results_file.write_bytes(sound_results[:40])
    refused(batch(folder, target), 2, "shorter", "--restart")
    results_file.write_bytes(sound_results)
    assert batch(folder, target, "--restart").returncode == 0
    whole(target, paths)
    assert {path: line["content_id"] for path, line in results(target).items()} == numbers


def test_the_library_needs_no_more_than_a_folder(tmp_path: Path) -> None:
    """The example of the package's docstring, as a program."""
    tree(tmp_path / "pictures", 2)
    program = (
        "from functools import partial\nfrom labeling import Labeler, batch\n"
        "if __name__ == '__main__':\n"
        "    done = batch.run('pictures', 'labelled', labeler=partial(Labeler.from_config, 'aigc-label.toml'))\n"
        "    print(done.summary['statuses']['labelled'], done.page)\n"
    )
    (tmp_path / "program.py").write_text(program)
    (tmp_path / "aigc-label.toml").write_text(f'producer = "{PRODUCER}"\n')
    done = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"2 {Path('labelled') / STATE / 'report.html'}\n"


def test_a_state_elsewhere_belongs_to_its_target(tmp_path: Path) -> None:
    paths = tree(tmp_path / "in", 2)
    state = tmp_path / "in" / "state"  # not a file of the source
    for _ in range(2):
        run(tmp_path / "in", tmp_path / "out", labeler=LABELER, engine="inline", state=state)
    assert len((state / "results.jsonl").read_text().splitlines()) == len(paths)
    with pytest.raises(LabelingError, match=r"other options \(target\)"):
        run(tmp_path / "in", tmp_path / "elsewhere", labeler=LABELER, engine="inline", state=state)


WRONG: dict[str, list[object]] = {
    "workers": [0, -1, 1.5, True, "2"],
    "timeout": [0, -1.0, float("nan"), "3600", True],
    "engine": ["steam", None],
    "language": ["fr"],
    "include": ["*.jpg"],
    "exclude": ["*.jpg"],
    "storage_options": ["{}"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_value_that_an_option_cannot_have_is_refused_by_its_name(name: str, value: object, tmp_path: Path) -> None:
    tree(tmp_path / "in", 1)
    wrong: dict[str, Any] = {name: value}
    with pytest.raises(LabelingError, match=f"^`{name}` must be"):
        run(tmp_path / "in", tmp_path / "out", labeler=LABELER, **wrong)
    assert not (tmp_path / "out").exists()


def test_the_command_names_the_option(tmp_path: Path) -> None:
    tree(tmp_path / "in", 1)
    refused(batch(tmp_path / "in", tmp_path / "out", "--timeout", "-1"), 2, "--timeout must be a number of seconds")


def test_every_option_is_a_parameter_of_run_with_the_same_default() -> None:
    parameters = inspect.signature(run).parameters
    for option in fields(RunOptions):
        assert parameters[option.name].default == option.default, option.name
        assert parameters[option.name].annotation == option.type
    assert parameters.keys() - {option.name for option in fields(RunOptions)} == {
        "source", "target", "labeler", "verify", "convert", "propagate", "transplant",
        "file_list", "ledger", "progress", "log",
    }  # fmt: skip
