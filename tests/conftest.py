"""What every test may ask for: the third-party cases, outside programs; and in CI, that nothing is skipped."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from . import programs

if TYPE_CHECKING:
    from . import postgres, s3

settings.register_profile("no wall clock", deadline=None)  # a busy machine fails no property
settings.load_profile("no wall clock")

ROOT = Path(__file__).resolve().parent.parent
CASES = Path(os.environ.get("AIGC_CASES", ROOT.parent / "shared" / "cases"))


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder of real files that nobody here wrote; where it is missing, the test is skipped."""
    if CASES.is_dir():
        return CASES
    pytest.skip(f"the third-party cases are not here ({CASES}); set AIGC_CASES to their folder")


@pytest.fixture(scope="session")
def manifest(cases: Path) -> dict[str, dict[str, Any]]:
    """The truth about each case, by its path inside the folder."""
    entries = json.loads((cases / "MANIFEST.json").read_text(encoding="utf-8"))["cases"]
    return {entry["file"]: entry for entry in entries}


@pytest.fixture(scope="session")
def unshare() -> list[str]:
    """The words before a command that may mount file systems which nobody else sees."""
    programs.require("unshare", "mount")
    words = ["unshare", "--mount"] if os.name == "posix" and os.geteuid() == 0 else ["unshare", "-rm"]
    probe = [*words, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a file system")
    return words


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium."""
    return programs.require("chromium")


@pytest.fixture(scope="session")
def _store() -> Iterator[s3.Server]:
    from . import s3  # here: moto and boto3 take long to import

    with s3.serving() as server:
        yield server


@pytest.fixture
def store(_store: s3.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> s3.Server:
    """An S3-speaking server, found through the environment alone; the working directory is empty."""
    return _store.for_test(tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A PostgreSQL server; where it is not installed, the test is skipped."""
    from . import postgres

    with postgres.running() as server:
        yield server


# --- missing programs skip a test ------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    for mark in item.iter_markers("needs"):
        programs.require(*mark.args)
    try:
        return (yield)
    except FileNotFoundError as error:
        _skip_for(error)
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    try:
        return (yield)
    except FileNotFoundError as error:
        _skip_for(error)
        raise


def _skip_for(error: FileNotFoundError) -> None:
    if program := programs.missing_in(error):
        pytest.skip(programs.reason(program))


# --- in CI nothing may be skipped ------------------------------------------------------------------------------------


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus == pytest.ExitCode.OK and _forbidden(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if skipped := _forbidden(config):
        terminalreporter.section("skipped, which CI forbids", red=True)
        for report in skipped:
            terminalreporter.line(f"{report.nodeid}: {_why(report)}", red=True)


def _forbidden(config: pytest.Config) -> list[Any]:
    """The reports of skipped tests, if this is CI. In xdist's workers there is no terminal: the controller judges."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or reporter is None:
        return []
    return list(reporter.stats.get("skipped", []))


def _why(report: Any) -> str:
    return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
