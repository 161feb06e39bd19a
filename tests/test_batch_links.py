"""Symbolic links in a batch run's target: nothing is written where they lead. Temporary files are always new ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labeling import Labeler, LabelingError, WriteError, atomic_writes, batch

from .batching import STATE, results
from .pictures import rgb
from .test_bad_input import PRODUCER


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    for path in ("a.png", "sub/b.png", "deep/er/c.png"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        rgb(160, 120).save(folder / path)
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder with a file in it that nobody may touch."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "precious").write_bytes(b"precious")
    return folder


def run(source: Path, target: Path | None, **more: object) -> batch.Finished:
    arguments: dict[str, object] = {"labeler": Labeler(producer=PRODUCER, visible=False), "engine": "inline"}
    return batch.run(source, target, **(arguments | more))  # type: ignore[arg-type]


def untouched(elsewhere: Path) -> bool:
    return {path.name: path.read_bytes() for path in elsewhere.iterdir()} == {"precious": b"precious"}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("link", "leads", "refused"),
    [
        ("sub", "elsewhere", {"sub/b.png"}),
        ("deep/er", "elsewhere", {"deep/er/c.png"}),
        ("deep", "elsewhere", {"deep/er/c.png"}),
        ("deep", "elsewhere/new", {"deep/er/c.png"}),  # leads nowhere
        ("sub", "out/deep", {"sub/b.png"}),
        ("sub", "in/sub", {"sub/b.png"}),  # the source itself
    ],
)
def test_nothing_is_written_through_a_link(
    source: Path, elsewhere: Path, link: str, leads: str, refused: set[str], overwrite: bool
) -> None:
    target = source.parent / "out"
    (target / link).parent.mkdir(parents=True)
    (target / link).symlink_to(source.parent / leads)
    before = (source / "sub" / "b.png").read_bytes()
    done = run(source, target, overwrite=overwrite)
    found = results(target)
    assert {path for path, line in found.items() if line["status"] == "refused"} == refused
    assert {path for path, line in found.items() if line["status"] == "labelled"} == set(found) - refused
    assert done.exit_code == 2
    assert untouched(elsewhere)
    assert not (elsewhere / "new").exists()
    assert (source / "sub" / "b.png").read_bytes() == before
    (line,) = (found[path] for path in refused)
    if not (target / link / Path(*refused).name).exists():
        assert (line["error"]["kind"], link in line["error"]["message"]) == ("ThroughLink", True)


def test_a_link_with_the_output_s_own_name_is_refused_or_replaced(source: Path, elsewhere: Path) -> None:
    target = source.parent / "out"
    target.mkdir()
    (target / "a.png").symlink_to(elsewhere / "precious")
    run(source, target)
    assert results(target)["a.png"]["status"] == "refused"
    assert (target / "a.png").is_symlink()
    run(source, target, overwrite=True, retry_failed=True)
    assert results(target)["a.png"]["status"] == "labelled"
    assert not (target / "a.png").is_symlink()
    assert untouched(elsewhere)


def test_the_target_itself_may_be_a_link(source: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    assert run(source, tmp_path / "out").exit_code == 0
    assert (tmp_path / "real" / "deep" / "er" / "c.png").is_file()


@pytest.mark.parametrize("verifying", [False, True])
@pytest.mark.parametrize(
    "name", ["", "lock", "results.jsonl", "journal.sqlite", "journal.sqlite-wal", "results.new", "run.json"]
)
def test_the_run_s_own_folder_and_files_are_no_links(source: Path, elsewhere: Path, name: str, verifying: bool) -> None:
    target = source.parent / "out"
    place = target / STATE / name
    place.parent.mkdir(parents=True)
    place.symlink_to(elsewhere / ("precious" if name else ""))
    more: dict[str, object] = {"labeler": None, "verify": batch.Check(visible=False)} if verifying else {}
    if name == "results.new":  # is made anew when it is needed
        run(source, target, **more)
    else:
        with pytest.raises(LabelingError, match="is a symbolic link"):
            run(source, target, **more)
        assert not (target / "a.png").exists()
    assert untouched(elsewhere)


def test_a_folder_for_the_journal_that_the_user_names_may_be_a_link(source: Path, tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "books")
    assert run(source, tmp_path / "out", state=tmp_path / "link").exit_code == 0
    assert (tmp_path / "books" / "results.jsonl").is_file()


def test_the_summary_and_the_page_replace_links(source: Path, elsewhere: Path) -> None:
    state = source.parent / "out" / STATE
    state.mkdir(parents=True)
    for name in ("summary.json", "report.html"):
        (state / name).symlink_to(elsewhere / "precious")
    run(source, source.parent / "out")
    assert untouched(elsewhere)
    assert not (state / "summary.json").is_symlink()


def test_rewritten_results_are_a_new_file(source: Path, elsewhere: Path) -> None:
    (source / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    target = source.parent / "out"
    run(source, target)
    (target / STATE / "results.new").symlink_to(elsewhere / "precious")
    rgb(160, 120).save(source / "bad.png")
    run(source, target)  # the line of the first attempt is dropped, and the file rewritten
    assert results(target)["bad.png"]["status"] == "labelled"
    assert untouched(elsewhere)


def test_leftovers_are_not_removed_behind_a_link(elsewhere: Path, tmp_path: Path) -> None:
    from labeling.batch.storage import Folder

    (elsewhere / ".aigc-1-x.tmp").write_bytes(b"")
    (tmp_path / "sub").symlink_to(elsewhere)
    Folder(tmp_path).remove_leftovers("sub/b.png")
    assert (elsewhere / ".aigc-1-x.tmp").exists()


def test_a_temporary_file_is_never_one_that_is_there(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "urandom", bytes)  # zeros: as if somebody had guessed the name
    planted = tmp_path / f".aigc-{os.getpid():x}-{'0' * 12}.tmp"
    planted.symlink_to(elsewhere / "precious")
    with pytest.raises(WriteError, match="File exists"):
        atomic_writes.write_atomically(tmp_path / "new.png", [b"data"])
    assert not (tmp_path / "new.png").exists()
    assert untouched(elsewhere)


def test_a_temporary_file_that_was_exchanged_for_a_link_is_not_followed(tmp_path: Path, elsewhere: Path) -> None:
    with atomic_writes.temp_beside(tmp_path / "new.mp4") as temporary:
        temporary.unlink()
        temporary.symlink_to(elsewhere / "precious")
        with pytest.raises(OSError, match="symbolic links"):
            atomic_writes.write_pieces(temporary, [b"data"])
    assert untouched(elsewhere)


def test_names_of_others_in_the_temporary_folder_lead_nowhere(tmp_path: Path, elsewhere: Path) -> None:
    (elsewhere / "lock").write_bytes(b"")
    (tmp_path / "aigc-label-x").symlink_to(elsewhere)
    (tmp_path / "aigc-label-y").mkdir()
    (tmp_path / "aigc-label-y" / "lock").symlink_to(elsewhere / "precious")
    (tmp_path / "aigc-label-z").mkdir()
    (tmp_path / "aigc-label-z" / "lock").write_bytes(b"")
    code = "from labeling.batch import local_copies\nwith local_copies.temporary_folder() as made: print(made)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)
    assert (elsewhere / "precious").read_bytes() == b"precious"
    assert (tmp_path / "aigc-label-y").is_dir()
    assert not (tmp_path / "aigc-label-z").exists()  # ours, and nobody holds its lock


def test_converted_files_go_through_no_link_either(source: Path, elsewhere: Path) -> None:
    target = source.parent / "out"
    target.mkdir()
    (target / "sub").symlink_to(elsewhere)
    run(source, target, labeler=None, convert=batch.Conversion(resize="64"))
    found = results(target)
    assert (found["sub/b.png"]["status"], found["sub/b.png"]["error"]["kind"]) == ("refused", "ThroughLink")
    assert found["a.png"]["status"] == "converted"
    assert untouched(elsewhere)
