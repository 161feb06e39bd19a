"""Nothing that lies in the current folder is run, loaded or followed: verifiers work where strangers' files are."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from labeling.marks.credentials import make_test_chain

from .pictures import rgb
from .planted import LIBRARIES, MODULES, PROGRAMS, SETTINGS, Watch, plant, program, ran
from .test_bad_input import PRODUCER

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify, which sees what is opened, is Linux's")

COMMAND = ("-m", "labeling.cli")


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """A folder with planted files, and pictures in ``pictures``; keys are elsewhere."""
    folder = tmp_path / "uploads"
    (folder / "pictures").mkdir(parents=True)
    for number in range(4):
        rgb(320, 240, seed=number).save(folder / "pictures" / f"{number}.png")
    chain = make_test_chain()
    (tmp_path / "cert.pem").write_bytes(chain.cert_pem)
    (tmp_path / "key.pem").write_bytes(chain.key_pem)
    plant(folder)
    return folder


def planted(folder: Path, opened: set[Path]) -> set[str]:
    """Return which planted files are among those that were opened."""
    names = {*LIBRARIES, *SETTINGS, *PROGRAMS, "aigc-label.toml"}
    names |= {f"{name}.py" for name in MODULES} | {f"{name}/__init__.py" for name in MODULES}
    return {str(path.relative_to(folder)) for path in opened if path.is_relative_to(folder)} & names


def signing(folder: Path) -> tuple[object, ...]:
    return (
        "--producer",
        PRODUCER,
        "--signer-cert",
        folder.parent / "cert.pem",
        "--signer-key",
        folder.parent / "key.pem",
    )


SPAWNS = """
import multiprocessing
if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=print)
    process.start()
    process.join()
"""


def test_the_watch_sees_each_kind_when_it_is_used_on_purpose(uploads: Path, tmp_path: Path) -> None:
    watch = Watch(uploads)
    program("-c", "import pickle, cv2", cwd=uploads)
    program("-P", "-c", "import c2pa", cwd=uploads)
    program("-P", "-c", "import subprocess; subprocess.run(['fc-list'])", cwd=uploads)
    program("-P", "-c", "open('.netrc').read()", cwd=uploads)
    assert ran(uploads) == {"pickle", "cv2", "fc-list"}
    assert {"libc2pa_c.so", ".netrc", "fc-list"} <= planted(uploads, watch.opened())
    (tmp_path / "program.py").write_text(SPAWNS)
    program(tmp_path / "program.py", cwd=uploads)  # as multiprocessing starts a process by itself
    assert "multiprocessing" in ran(uploads)


def test_nothing_planted_runs_in_any_command(uploads: Path) -> None:
    (uploads / "labelled").mkdir()
    watch = Watch(uploads)
    program(*COMMAND, "add", "pictures/0.png", "-o", "labelled/0.png", *signing(uploads), cwd=uploads)
    done = program(*COMMAND, "verify", "labelled/0.png", cwd=uploads)
    assert "c2pa" in done.stdout.lower()
    program(*COMMAND, "inspect", "labelled/0.png", cwd=uploads)
    program(*COMMAND, "batch", "pictures", "out", *signing(uploads), "--workers", 2, "-q", cwd=uploads)
    program(*COMMAND, "batch", "out", "report", "--verify", "--workers", 2, "-q", cwd=uploads)
    opened = watch.opened()
    assert uploads / "labelled" / "0.png" in opened  # the watch was awake
    assert (ran(uploads), planted(uploads, opened)) == (set(), set())
    assert len(list((uploads / "out").glob("*.png"))) == 4


@pytest.mark.parametrize("place", ["another module", "the script itself"])
def test_workers_of_a_program_find_its_modules_and_nothing_planted(uploads: Path, tmp_path: Path, place: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    maker = f"def make():\n    from labeling import Labeler\n    return Labeler(producer={PRODUCER!r})\n"
    imported = "from mine import make\n"
    (home / "mine.py").write_text(maker)
    (home / "program.py").write_text(
        (imported if place == "another module" else maker)
        + "import cv2  # adds the current folder to LD_LIBRARY_PATH\n"
        "from labeling import batch\n"
        "if __name__ == '__main__':\n"
        "    done = batch.run('pictures', 'out', labeler=make, workers=2)\n"
        "    print(done.summary['statuses'])\n"
    )
    watch = Watch(uploads)
    done = program(home / "program.py", cwd=uploads)
    assert "'labelled': 4" in done.stdout
    assert (ran(uploads), planted(uploads, watch.opened())) == (set(), set())


def test_workers_on_a_cluster_import_nothing_planted(uploads: Path) -> None:
    watch = Watch(uploads)
    program(
        *COMMAND,
        "batch",
        "pictures",
        "out",
        "--producer",
        PRODUCER,
        "--engine",
        "ray",
        "--workers",
        1,
        "-q",
        cwd=uploads,
    )
    assert len(list((uploads / "out").glob("*.png"))) == 4
    assert (ran(uploads), planted(uploads, watch.opened())) == (set(), set())


CONFIGS = {
    "key": '[c2pa]\ncert = "../cert.pem"\nkey = "../key.pem"\n',
    "absolute": '[c2pa]\ncert = "{home}/cert.pem"\nkey = "{home}/key.pem"\n',
    "by a link": '[c2pa]\ncert = "link/cert.pem"\nkey = "link/key.pem"\n',
    "font": '[visible]\nfont = "../cert.pem"\n',
    "sm2": '[security]\nsm2_key = "../key.pem"\n',
    "pinned": '[security]\npinned = ["../key.pem"]\n',
    "profile": 'profile = "../profile.toml"\n',
    "time stamps": '[c2pa]\ncert = "mine.pem"\nkey = "mine.pem"\ntsa_url = "http://127.0.0.1:{port}/"\n',
    "ledger": '[ledger]\nurl = "../ledger.db"\n',
    "ledger elsewhere": '[ledger]\nurl = "postgresql://u:p@127.0.0.1:{port}/x"\n',
}


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_configuration_that_was_only_found_leads_nowhere_else(uploads: Path, kind: str) -> None:
    home = uploads.parent
    (uploads / "link").symlink_to(home)
    (home / "profile.toml").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        text = CONFIGS[kind].replace("{home}", str(home)).replace("{port}", str(server.getsockname()[1]))
        top, bracket, tables = text.partition("[")
        (uploads / "aigc-label.toml").write_text(f'producer = "{PRODUCER}"\n{top}{bracket}{tables}')
        watch = Watch(home)
        done = program(*COMMAND, "add", "pictures/0.png", "-o", "o.png", cwd=uploads, code=2)
        assert "aigc-label.toml" in done.stderr and "AIGC_LABEL_CONFIG" in done.stderr
        assert ": leads" not in done.stderr and "--config" in done.stderr
        program(*COMMAND, "batch", "pictures", "out", "-q", cwd=uploads, code=2)
        program(*COMMAND, "verify", "pictures/0.png", "--no-visible", cwd=uploads, code=1)
        opened = watch.opened()
        with pytest.raises(BlockingIOError):
            server.accept()
    assert not {home / name for name in ("cert.pem", "key.pem", "profile.toml", "ledger.db")} & opened
    assert not (uploads / "o.png").exists()
    assert not (home / "ledger.db").exists()


def test_a_configuration_that_is_named_may_lead_anywhere(uploads: Path) -> None:
    (uploads / "aigc-label.toml").write_text(f'producer = "{PRODUCER}"\n' + CONFIGS["key"])
    program(*COMMAND, "add", "pictures/0.png", "-o", "o.png", "--config", "aigc-label.toml", cwd=uploads)
    assert "c2pa" in program(*COMMAND, "verify", "o.png", "--no-visible", cwd=uploads).stdout.lower()


def test_a_configuration_that_was_found_may_name_files_beside_it(uploads: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (uploads / name).write_bytes((uploads.parent / name).read_bytes())
    (uploads / "aigc-label.toml").write_text(
        f'producer = "{PRODUCER}"\n[c2pa]\ncert = "cert.pem"\nkey = "{uploads / "key.pem"}"\n[ledger]\nurl = "l.db"\n'
    )
    program(*COMMAND, "add", "pictures/0.png", "-o", "o.png", cwd=uploads)
    assert (uploads / "l.db").exists()


def test_a_configuration_is_not_read_by_those_who_only_read(uploads: Path) -> None:
    (uploads / "aigc-label.toml").write_text("not TOML")
    watch = Watch(uploads)
    program(*COMMAND, "verify", "pictures/0.png", "--no-visible", cwd=uploads, code=1)
    program(*COMMAND, "inspect", "pictures/0.png", cwd=uploads)
    program(*COMMAND, "batch", "pictures", "rep", "--verify", "--no-visible", "-q", "--workers", 1, cwd=uploads, code=1)
    assert planted(uploads, watch.opened()) == set()
