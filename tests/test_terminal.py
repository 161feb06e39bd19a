"""What the commands print: inert whatever a file says or is called, whole or with an error, and ended in order."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from labeling import inert, verify

from . import programs
from .pictures import rgb
from .test_bad_input import PRODUCER

HARMFUL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
"""Control characters, and those that Unicode's UAX #9 and UTS #39 warn of."""

SAID = "\x1b]0;pwned\x07\x1b[31mevil\nline2 \x9b31m \x7f \u202egnp.exe\u2066\u200e\u2069 \u2028 =cmd"
NAME = "a\x1b]0;pwned\x07\x1b[2J\u202egnp.\u009b31m\u2066x"
NEW_LINE = "b\naigc-label: all is well"


def aigc(**fields: str) -> str:
    names = (
        "Label",
        "ContentProducer",
        "ProduceID",
        "ReservedCode1",
        "ContentPropagator",
        "PropagateID",
        "ReservedCode2",
    )
    return json.dumps(dict.fromkeys(names, "") | {"Label": "1"} | fields)


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder with a labelled PNG, a JPEG with a comment, an MP4, and a damaged file, all with such names."""
    folder = tmp_path / "in"
    folder.mkdir()
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("AIGC", aigc(ContentProducer=SAID, ProduceID=SAID, ContentPropagator=SAID))
    texts.add_itxt("Software", SAID)
    texts.add_itxt("parameters", f"Steps: 20, Model: {SAID}")
    rgb().save(folder / f"{NAME}.png", pnginfo=texts)
    exif = Image.Exif()
    exif[0x0131] = exif[0x010E] = SAID
    rgb().save(folder / f"{NEW_LINE}.jpg", exif=exif.tobytes(), comment=SAID.encode())
    (folder / f"{NAME}.webp").write_bytes(b"RIFF\x10\x00\x00\x00WEBPVP8 " + b"\x1b[31m" * 3)
    subprocess.run(
        [programs.require("ffmpeg"), "-v", "error", "-f", "lavfi", "-i", "testsrc=s=320x240:d=1:r=8",
         "-metadata", f"title={SAID}", "-metadata", f"AIGC={aigc(ContentProducer=SAID, ProduceID='x')}",
         "-movflags", "use_metadata_tags", str(folder / "v.mp4")], check=True,
    )  # fmt: skip
    (folder / "v.mp4").rename(folder / f"{NAME}.mp4")
    return folder


def run(*arguments: object) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "labeling.cli", *map(str, arguments)],
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    text = (done.stdout + done.stderr).decode()
    assert "Traceback" not in text
    assert "internal error" not in text
    assert not HARMFUL.findall(text), (arguments, HARMFUL.findall(text))
    return done.returncode, text


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv", "sarif", "html"])
def test_verify_prints_nothing_that_steers(hostile: Path, form: str) -> None:
    files = sorted(hostile.iterdir())
    code, text = run("verify", *files, "--format", form, "--no-visible")
    assert code in (1, 3)
    if form != "html":
        assert {"json": "\\u202e", "jsonl": "\\u202e", "sarif": "%E2%80%AE"}.get(form, "\\u202e") in text
    if form == "json":
        assert [report["path"] for report in json.loads(text)] == [str(path) for path in files]
        (png,) = [path for path in files if path.suffix == ".png"]
        alone = json.dumps(verify(png, visible=False).to_dict(), default=str)
        assert json.loads(text)[files.index(png)] == json.loads(alone)
    if form == "csv":
        assert len(list(csv.reader(io.StringIO(text)))) == 1 + len(files)


@pytest.mark.parametrize("form", ["text", "json"])
def test_inspect_prints_nothing_that_steers(hostile: Path, form: str) -> None:
    _, text = run("inspect", *sorted(hostile.iterdir()), "--format", form)
    assert "pwned" in text
    assert "\nline2" not in text
    if form == "json":
        (software,) = [
            block["text"]
            for entry in json.loads("[" + text.partition("[")[2].rpartition("]")[0] + "]")
            for block in entry["blocks"]
            if block.get("where", "").endswith("Software")
        ]
        assert SAID in software


def test_every_writing_verb_prints_nothing_that_steers(hostile: Path, tmp_path: Path) -> None:
    png, jpg, video = (hostile / name for name in (f"{NAME}.png", f"{NEW_LINE}.jpg", f"{NAME}.mp4"))
    book = tmp_path / f"{NAME}.db"
    conf = tmp_path / f"{NAME}.toml"
    conf.write_text("[x\x1b]\n")
    shutil.copyfile(jpg, tmp_path / "copy.jpg")
    seen = [
        run("add", *sorted(hostile.iterdir()), "--producer", PRODUCER, "-o", tmp_path / f"{NAME}.out"),
        run("add", jpg, "--producer", PRODUCER, "--ledger", book, "-o", tmp_path / f"{NEW_LINE}-out.jpg"),
        run("propagate", png, "--propagator", SAID, "--propagate-id", SAID, "-o", tmp_path / "p.png"),
        run("propagate", video, "--propagator", "p", "--propagate-id", "1", "-o", tmp_path / "p.mp4"),
        run("transplant", png, tmp_path / "copy.jpg", "-o", tmp_path / f"{NAME}-t.jpg"),
        run("transplant", tmp_path / f"{NEW_LINE}-out.jpg", tmp_path / "copy.jpg", "-o", tmp_path / f"{NAME}-t.jpg"),
        run("convert", png, tmp_path / f"{NAME}.webp", "--resize", "200"),
        run("convert", hostile / f"{NAME}.webp", tmp_path / "no.png"),
        run("add", png, "--config", conf),
        run("add", png, "--profile", SAID, "--producer", PRODUCER),
        run("add", png, f"--{SAID}"),
        run(SAID),
        run("init", tmp_path / f"{NAME}.folder", "--producer", PRODUCER),
        run("trust", "add", png, "--name", SAID),
    ]
    assert sum(code == 0 for code, _ in seen) >= 4, seen
    for form in ("table", "json", "jsonl"):
        run("ledger", "find", jpg, tmp_path / f"{NEW_LINE}-out.jpg", "--ledger", book, "--format", form)
    for form in ("jsonl", "csv"):
        _, text = run("ledger", "export", "--ledger", book, "--format", form)
        assert "all is well" in text
    run("ledger", "show", SAID, "--ledger", book)
    run("ledger", "verify", "--ledger", book)


@pytest.mark.parametrize(
    "more", [("--verify",), ("--producer", PRODUCER, "--no-visible"), ("--convert", "--resize", "99")]
)
def test_a_batch_run_prints_and_leaves_nothing_that_steers(
    hostile: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    run("batch", hostile, tmp_path / "out", *more, "--workers", "1")
    for name in ("results.jsonl", "summary.json", "report.html"):
        text = (tmp_path / "out" / ".aigc-label" / name).read_text(encoding="utf-8")
        found = HARMFUL.findall(text.replace("\t", ""))
        assert not found, (name, found)
        if name == "results.jsonl":
            names = {json.loads(line)["path"] for line in text.splitlines()}
            assert names == {path.name for path in hostile.iterdir()}


def test_json_is_lossless_and_escapes_are_its_own() -> None:
    for text in (SAID, NAME, "plain", "中文 👩‍💻 é", "\ud800", "\U000e0041", 'a"\\\x7f', "\u202e" * 3):
        made = inert.to_json({"k": [text]})
        assert json.loads(made) == {"k": [text]}
        assert not HARMFUL.search(made)
    assert inert.inert("中文 👩‍💻 é\u3000") == "中文 👩‍💻 é\u3000"
    assert inert.inert("\x1b\x9b\u202e\n") == "\\x1b\\x9b\\u202e\\n"


@pytest.fixture
def many(tmp_path: Path) -> list[str]:
    rgb(64, 48).save(tmp_path / "0.png")
    names = [f"{number}.png" for number in range(40)]
    for name in names[1:]:
        shutil.copyfile(tmp_path / "0.png", tmp_path / name)
    return names


COMMANDS = {
    "verify": ("verify", "--no-visible"),
    "json": ("verify", "--no-visible", "--format", "json"),
    "inspect": ("inspect",),
    "add": ("add", "--no-visible", "--producer", PRODUCER, "--in-place"),
    "help": ("verify", "--help"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_is_an_error(tmp_path: Path, many: list[str], command: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "labeling.cli", *COMMANDS[command], *many],
            cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == (
        "aigc-label: standard output cannot be written (the disk is full); what it holds is not complete\n"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_has_gone_is_none(tmp_path: Path, many: list[str], command: str) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "labeling.cli", *COMMANDS[command], *many],
        cwd=tmp_path, stdout=write, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_what_was_labelled_is_recorded_though_nobody_reads_of_it(tmp_path: Path, many: list[str]) -> None:
    arguments = [sys.executable, "-u", "-m", "labeling.cli", *COMMANDS["add"], "--ledger", "ledger.db", *many]
    with Path("/dev/full").open("w") as full:
        subprocess.run(arguments, cwd=tmp_path, stdout=full, stderr=subprocess.DEVNULL)
    labelled = [name for name in many if verify(tmp_path / name, visible=False).findings[0].status == "present"]
    _, text = run("ledger", "export", "--ledger", tmp_path / "ledger.db")
    assert labelled
    assert sorted(json.loads(line)["source"] for line in text.splitlines()) == sorted(labelled)


def test_a_full_standard_error_changes_no_exit_code(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "labeling.cli", "inspect", "none.png"], cwd=tmp_path, stderr=full, stdout=full
        )
    assert done.returncode == 3


@pytest.mark.parametrize("command", ["verify", "json", "add"])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_command_in_order(tmp_path: Path, command: str, sent: signal.Signals) -> None:
    names = [f"{number}.jpg" for number in range(300)]
    rgb(1200, 900).save(tmp_path / "0.jpg")
    for name in names[1:]:
        shutil.copyfile(tmp_path / "0.jpg", tmp_path / name)
    arguments = [word for word in COMMANDS[command] if word != "--no-visible"]
    process = subprocess.Popen(
        [sys.executable, "-m", "labeling.cli", *arguments, *names],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    end = time.monotonic() + 60
    while "libjpeg" not in (maps := Path(f"/proc/{process.pid}/maps").read_text()) and "onnx" not in maps:
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(sent)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + sent, err
    assert "Traceback" not in err
    if sent is signal.SIGINT:
        found = re.search(r"interrupted; (\d+) of 300 files were", err)
        assert found, err
        if command == "json":
            assert len(json.loads(out)) == int(found[1])
    assert {path.name for path in tmp_path.iterdir()} == set(names)


IN_A_CALLBACK = """
import importlib, os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells let background jobs ignore it
undisturbed = importlib.import_module("labeling.marks.credentials._undisturbed")
{method} = undisturbed.Watched.{method}
def interrupted(self, *data):
    os.kill(os.getpid(), signal.{name})  # c2pa calls this through ctypes, which swallows what is raised here
    time.sleep(0.1)
    return {method}(self, *data)
undisturbed.Watched.{method} = interrupted
sys.argv[0] = "aigc-label"
from labeling.cli import main; main()
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("method", ["write", "readinto", "flush"])
def test_a_signal_while_a_library_calls_back_ends_the_command_in_order(
    tmp_path: Path, sent: signal.Signals, method: str
) -> None:
    """Rust aborted the process: ctypes had returned a number at random for the callback."""
    for name in ("a.gif", "b.gif"):
        rgb(320, 240).save(tmp_path / name)
    subprocess.run([sys.executable, "-m", "labeling.cli", "init", "--test-signer"], cwd=tmp_path, check=True)
    before = {path.name for path in tmp_path.iterdir()}
    command = [
        sys.executable,
        "-c",
        IN_A_CALLBACK.format(name=sent.name, method=method),
        "add",
        "a.gif",
        "b.gif",
        "--in-place",
    ]
    command += ["--producer", PRODUCER, "--no-visible"]
    old = (tmp_path / "b.gif").read_bytes()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 128 + sent, done.stderr
    expected = "aigc-label: interrupted; 0 of 2 files were labelled\n" if sent is signal.SIGINT else ""
    assert (done.stdout, done.stderr) == ("", expected)
    assert {path.name for path in tmp_path.iterdir()} == before
    assert (tmp_path / "b.gif").read_bytes() == old


def test_a_fault_of_ours_is_no_verdict(tmp_path: Path) -> None:
    rgb(64, 48).save(tmp_path / "a.png")
    code = (
        "import sys, labeling.verification.verifier as v\n"
        "def broken(*a, **k): raise ZeroDivisionError('\\x1b[31m')\n"
        "v.verify = broken; sys.argv = ['aigc-label', 'verify', 'a.png']\n"
        "from labeling.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("aigc-label: internal error: ZeroDivisionError: \\x1b[31m at <string>:")
    assert done.stderr.count("\n") == 1


def test_in_a_pipe_a_narrow_table_still_names_the_files(tmp_path: Path) -> None:
    names = [f"a-picture-with-a-name-{number}.png" for number in range(2)]
    for name in names:
        Image.new("RGB", (64, 64)).save(tmp_path / name)
    words = [sys.executable, "-m", "labeling.cli", "verify", *names, "--profile", "cn", "--profile", "eu"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"COLUMNS": "40"})
    table = done.stdout.splitlines()[1:3]
    assert [row.split()[0] for row in table] == names
    assert all("noncompliant" in row for row in table)
