"""Runs that lose access midway: expired tokens, permissions taken away, disks that fill up or are read-only."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labeling import LabelingError
from labeling.batch import brake
from labeling.batch.brake import MAX_STORE_FAILURES, Brake
from labeling.batch.options import Engine
from labeling.batch.store_access import refused_access
from labeling.batch.task import Outcome, Status, StoreDown

from .batching import tree
from .s3 import KEY, SECRET, Kind, Server, go, proven, results, small_png
from .test_batch_trouble import command, kept_results, mounted

COUNT = 14
FEW = 6
"""Failures that end a run here, so that it needs fewer files."""


def credentials(path: Path, token: str) -> None:
    """What a sidecar or `aws sso login` writes."""
    text = f"[default]\naws_access_key_id={KEY}\naws_secret_access_key={SECRET}\naws_session_token={token}\n"
    written = path.with_suffix(".new")
    written.write_text(text)
    written.replace(path)


@pytest.fixture
def token(store: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes the credentials those of a file, and returns what renews them."""
    file = tmp_path / "credentials"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    credentials(file, "first")
    return lambda text: credentials(file, text)


def pictures(store: Server) -> str:
    """A bucket with pictures in several prefixes."""
    bucket = store.bucket()
    for number in range(COUNT):
        store.put_quickly(bucket, f"{'abc'[number % 3]}/{number:03}.png", small_png())
    return bucket


def recorded(folder: Path) -> dict[str, dict[str, Any]]:
    """The results in the folder of the only run."""
    (found,) = folder.glob(".aigc-label/*/results.jsonl")
    return {line["path"]: line for line in map(json.loads, found.read_text().splitlines())}


@pytest.mark.parametrize("engine", ["inline", "local"])
def test_a_token_that_expires_is_read_again_where_it_was_renewed(
    store: Server, token: Callable[[str], None], engine: Engine
) -> None:
    source, target = pictures(store), store.bucket()
    fault = store.spoil("expired", token="first", after=30)
    fault.then = lambda: token("second")
    done = go(f"s3://{source}", f"s3://{target}", engine=engine, workers=2)
    assert len(proven(store, target, done)) == COUNT
    assert 1 <= fault.met < 2 * COUNT  # once for each storage of each process, and not for each file


@pytest.mark.parametrize(
    ("kind", "method", "bucket", "after"),
    [("expired", "", "source", 12), ("403", "PUT", "target", 4), ("403", "GET", "source", 5)],
)
def test_access_that_is_lost_ends_the_run_and_nothing_is_marked_as_failed(
    store: Server, tmp_path: Path, kind: Kind, method: str, bucket: str, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brake, "MAX_STORE_FAILURES", FEW)
    source, target = pictures(store), store.bucket()
    where = {"source": source, "target": target}[bucket]
    store.spoil(kind, f"^/{where}/", method, after=after)
    words = rf"failed {FEW} files in a row.*(ExpiredToken|AccessDenied|400|403).*what is done stays done"
    with pytest.raises(StoreDown, match=f"the {bucket} has {words}"):
        go(f"s3://{source}", f"s3://{target}")
    before = recorded(tmp_path)
    assert 0 < len(before) <= COUNT - FEW
    assert {line["status"] for line in before.values()} == {"labelled"}
    store.forget()
    done = go(f"s3://{source}", f"s3://{target}")
    assert len(proven(store, target, done)) == COUNT
    ids = {path: line["content_id"] for path, line in results(done).items()}
    assert all(ids[path] == line["content_id"] for path, line in before.items())


def test_one_object_that_is_refused_is_that_files_failure_alone(store: Server) -> None:
    source, target = pictures(store), store.bucket()
    store.spoil("403", f"^/{source}/b/007")
    store.spoil("archived", f"^/{source}/c/008", "GET")
    done = go(f"s3://{source}", f"s3://{target}", max_errors=3)
    failed = {path: line["error"] for path, line in results(done).items() if line["status"] == "failed"}
    assert failed.keys() == {"b/007.png", "c/008.png"}
    assert "does not permit it" in failed["b/007.png"]["message"]
    assert "restore it there first" in failed["c/008.png"]["message"]
    assert len(proven(store, target, done)) == COUNT - 2
    assert done.exit_code == 3
    store.forget()
    again = go(f"s3://{source}", f"s3://{target}")  # the object's own state is asked again only if that is wanted
    assert {path for path, line in results(again).items() if line["status"] == "failed"} == {"c/008.png"}
    assert len(proven(store, target, go(f"s3://{source}", f"s3://{target}", retry_failed=True))) == COUNT


def test_a_file_list_ends_with_its_store(store: Server, tmp_path: Path) -> None:
    source, target = pictures(store), store.bucket()
    names = tmp_path / "names"
    names.write_text("".join(f"{key}\n" for key in store.keys(source)))
    store.spoil("expired", f"^/{source}/", "HEAD")
    with pytest.raises(LabelingError):
        go(f"s3://{source}", f"s3://{target}", file_list=names)
    store.forget()
    assert len(proven(store, target, go(f"s3://{source}", f"s3://{target}", file_list=names))) == COUNT


def test_a_disk_that_fills_up_ends_the_run_and_with_room_the_same_command_goes_on(
    unshare: list[str], tmp_path: Path
) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 90)
    target.mkdir()
    work = " ".join(map(str, command(folder, target, "--state", tmp_path / "state")))
    # A small file may still fit between larger ones: those count as failed then, and are tried again all the same.
    script = (
        f"set +e; {work}; first=$?; mount -o remount,size=50m {target}; {work}; echo $first $?; "
        f"find {target} -type f | wc -l"
    )
    done = mounted(unshare, f"mount -t tmpfs -o size=600k tmpfs {target}", "sh", "-c", script)
    assert done.stdout.split() == ["3", "0", str(len(paths))], done.stderr
    assert "the target has failed 30 files in a row" in done.stderr
    assert "the disk is full" in done.stderr
    assert {line["status"] for line in kept_results(tmp_path / "state").values()} == {"labelled"}


def test_a_target_that_may_not_be_written_any_more(tmp_path: Path) -> None:
    """Root may do everything, unless it gives up the capabilities for it."""
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 50)
    target.mkdir(mode=0o500)
    arguments = command(folder, target, "--state", tmp_path / "state")
    if os.geteuid() == 0:
        without = "-dac_override,-dac_read_search"
        arguments = ["setpriv", f"--bounding-set={without}", f"--inh-caps={without}", *arguments]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "no permission to write there" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert kept_results(tmp_path / "state") == {}
    target.chmod(0o700)
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path for path, line in kept_results(tmp_path / "state").items() if line["status"] == "labelled"} == {*paths}


class RefreshError(Exception):
    """As google.auth calls it."""


class HttpError(Exception):
    """As gcsfs raises it."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"not that, {code}")


class HttpResponseError(Exception):
    """As azure.core raises it."""

    def __init__(self, status_code: int, error_code: str) -> None:
        self.status_code, self.error_code = status_code, error_code
        super().__init__(error_code)


@pytest.mark.parametrize(
    ("error", "access"),
    [
        (RefreshError("invalid_grant"), "credentials"), (HttpError(401), "credentials"),
        (OSError("Forbidden: https://storage.googleapis.com/b/o\nno"), "permission"),
        (HttpResponseError(403, "AuthenticationFailed"), "credentials"),
        (HttpResponseError(403, "AuthorizationPermissionMismatch"), "permission"),
        (HttpError(503), ""), (TimeoutError(), ""), (FileNotFoundError(2, "no such"), ""),
    ],
)  # fmt: skip
def test_what_other_stores_say_about_access(error: Exception, access: str) -> None:
    """The forms are those of gcsfs and adlfs; the packages themselves are not needed to see them."""
    assert refused_access(error) == access
    wrapped = OSError("failed")
    wrapped.__cause__ = error
    assert refused_access(wrapped) == access


def failing(number: int, where: Any) -> Outcome:
    return Outcome(f"{number}", Status.FAILED, b'{"error":{"message":"no"}}', store_failed=where)


def test_files_of_other_kinds_do_not_hide_that_a_target_is_lost() -> None:
    """An unsupported file is read, but says nothing about the target."""
    ends = Brake()
    for number in range(MAX_STORE_FAILURES):
        assert not list(ends.let_through(failing(number, "write")))
        assert ends.error is None or number == MAX_STORE_FAILURES - 1
        text = Outcome(f"{number}.txt", Status.UNSUPPORTED)
        assert list(ends.let_through(text)) == [text]
    assert ends.error is not None
    assert not list(ends.rest())


def test_what_was_held_back_is_written_when_others_succeed() -> None:
    ends = Brake()
    held = [failing(number, "read") for number in range(MAX_STORE_FAILURES - 1)]
    assert not [each for outcome in held for each in ends.let_through(outcome)]
    well = Outcome("well", Status.LABELLED)
    assert list(ends.let_through(well)) == [*held, well]
    assert not list(ends.rest())
    assert ends.error is None
