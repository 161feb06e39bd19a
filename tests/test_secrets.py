"""Passwords in URLs, before the host and in the query, are in no message, in no file of a run, and in no trace."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest

from labeling import LabelingError
from labeling.inert import without_secrets

from .pictures import rgb
from .test_bad_input import PRODUCER

SECRET = "s3cr3tpw"


@pytest.mark.parametrize(
    "arguments",
    [
        ("ledger", "verify", "--ledger", f"postgresql://me:{SECRET}@127.0.0.1:1/db?sslmode=disable"),
        ("ledger", "verify", "--ledger", f"postgresql://me@127.0.0.1:1/db?password={SECRET}"),
        ("ledger", "verify", "--ledger", f"mysql://me:{SECRET}@127.0.0.1:1/db?password={SECRET}"),
        ("ledger", "verify", "--ledger", f"postgresql://me:{SECRET}@127.0.0.1:{SECRET}/db"),
        ("add", "a.png", "--ledger", f"postgresql://me:{SECRET}@127.0.0.1:1/db?password={SECRET}"),
        ("add", "a.png", "--tsa-url", f"ftp://me:{SECRET}@127.0.0.1:1/?key={SECRET}"),
        ("add", "a.png", "--tsa-url", f"http://me:{SECRET}@127.0.0.1:1/?key={SECRET}"),
        ("trust", "add", f"https://me:{SECRET}@127.0.0.1:1/list.pem?key={SECRET}"),
        ("trust", "add", f"https://127.0.0.1:1/list.pem?key={SECRET}"),
        ("trust", "add", f"https://me:a/{SECRET}@127.0.0.1:1/list.pem"),
        ("trust", "add", f"https://me:a#{SECRET}@127.0.0.1:1/list.pem"),
        ("trust", "add", f"https://me:a?{SECRET}@127.0.0.1:1/list.pem"),
        ("trust", "add", f"https://me:a {SECRET}@127.0.0.1:1/list.pem"),
        ("add", "a.png", "--tsa-url", f"https://me:a {SECRET}@127.0.0.1:1/"),
        ("ledger", "verify", "--ledger", f"host=127.0.0.1 password={SECRET} dbname=labels"),
        ("trust", "add", f"http://me:{SECRET}@127.0.0.1:1/list.pem?key={SECRET}"),
    ],
)
def test_no_message_repeats_a_password(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    rgb(320, 240).save(tmp_path / "a.png")
    program = [sys.executable, "-m", "labeling.cli"]
    subprocess.run([*program, "init", "--test-signer", "--producer", PRODUCER], cwd=tmp_path, check=True)
    more = ["--producer", PRODUCER, "--no-visible"] if arguments[0] == "add" else []
    done = subprocess.run([*program, *arguments, *more], cwd=tmp_path, capture_output=True, text=True)
    unreachable = any(each.startswith("postgresql://") and ":1/" in each for each in arguments)
    assert done.returncode == (3 if unreachable else 2), done.stderr
    assert done.stderr.count("\n") == 1
    assert SECRET not in done.stdout + done.stderr
    assert not holders(tmp_path)


def holders(folder: Path) -> list[Path]:
    """Return the files in which a secret is, and those named after one."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if SECRET in str(path) or SECRET.encode() in path.read_bytes()]


STORES = {
    "a slash in an AWS secret": f"s3://AKIDFORTESTS:x/{SECRET}@bucket/photos",
    "user and password": f"ftp://me:{SECRET}@127.0.0.1:1/photos",
    "two signs": f"sftp://me:p@{SECRET}@127.0.0.1:1/photos",
    "a presigned address": f"http://127.0.0.1:1/photos?X-Amz-Credential=me&X-Amz-Signature={SECRET}",
    "Azure's SAS": f"http://127.0.0.1:1/photos?sv=2026-01-01&sr=c&sig={SECRET}",
    "a container with SAS": f"abfs://photos@account.dfs.core.windows.net/in?sig={SECRET}",
    "a token as the user": f"https://{SECRET}@127.0.0.1:1/photos",
}


@pytest.mark.parametrize(
    ("store", "side"), [(store, "source") for store in STORES] + [(store, "target") for store in list(STORES)[:1]]
)
def test_no_run_says_or_keeps_the_secret_of_a_store(tmp_path: Path, store: str, side: str) -> None:
    (tmp_path / "in").mkdir()
    rgb(64, 48).save(tmp_path / "in" / "a.png")
    places = [STORES[store], "out"] if side == "source" else ["in", STORES[store]]
    command = [sys.executable, "-m", "labeling.cli", "batch", *places, "--producer", PRODUCER, "--no-visible"]
    environment = os.environ | {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "HTTP_PROXY": "", "http_proxy": ""}
    done = subprocess.run([*command, "--workers", "1"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode in (2, 3), done.stderr
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert not holders(tmp_path)


@pytest.mark.parametrize("store", STORES)
def test_a_program_s_log_of_the_error_shows_no_secret(store: str) -> None:
    """Programs log exceptions with their causes."""
    from labeling.batch.storage import open_storage

    storage = open_storage(STORES[store])
    assert SECRET not in storage.name
    with pytest.raises(LabelingError) as caught:
        list(storage.walk())
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_the_password_of_a_proxy_is_not_said(tmp_path: Path) -> None:
    environment = os.environ | dict.fromkeys(
        ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), f"http://me:{SECRET}@127.0.0.1:1"
    )
    environment |= {"NO_PROXY": "", "no_proxy": ""}
    (tmp_path / "in").mkdir()
    for arguments in (
        ("trust", "add", "https://trust.example/list.pem"),
        (
            "batch",
            "s3://bucket/photos",
            "out",
            "--verify",
            "--storage-options",
            f'{{"secret": "{SECRET}", "key": "me"}}',
        ),
    ):
        command = [sys.executable, "-m", "labeling.cli", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode in (2, 3), done.stderr
        assert SECRET not in done.stdout + done.stderr
        assert not holders(tmp_path)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("s3://AKID:a/b+c@bucket/dir@2x/a.png?versionId=1 fails", "s3://bucket/dir@2x/a.png fails"),
        ("ftp://me:p@ss@host/x", "ftp://host/x"),
        ("http://host:8080/a@b/c?d=e#f", "http://host:8080/a@b/c#f"),
        ("abfs://in@account.dfs.core.windows.net/x?sig=k", "abfs://in@account.dfs.core.windows.net/x"),
        ("s3://bucket/dir@2x/a.png", "s3://bucket/dir@2x/a.png"),
        ("chained zip://a.zip::https://me:pw@host/x", "chained zip://a.zip::https://host/x"),
        ("AccountName=me;AccountKey=abc==;x=1", "AccountName=me;AccountKey=...;x=1"),
        ("GET /photos?sv=1&sig=abc%2B&se=2", "GET /photos?sv=1&sig=...&se=2"),
        ("nothing: to hide", "nothing: to hide"),
    ],
)
def test_what_is_left_of_an_address_is_what_helps(given: str, said: str) -> None:
    assert without_secrets(given) == said


def test_a_long_text_of_a_stranger_takes_no_time() -> None:
    for text in ("a://" * 50_000, "a://b:" + "x@" * 50_000, "sig=" * 50_000, "a-" * 100_000 + "="):
        start = time.process_time()
        without_secrets(text)
        assert time.process_time() - start < 2
