"""Batch runs that convert: names, interruptions, losses; exiftool, Pillow and c2pa's reader testify."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import pytest
from PIL import Image

import labeling
from labeling import Labeler, LabelingError, Signer
from labeling.batch import Conversion, run
from labeling.batch.conversion import OutputNames
from labeling.batch.journal import Journal
from labeling.batch.plan import PlanOptions
from labeling.batch.storage import Folder
from labeling.batch.task import Item
from labeling.ledger import Ledger
from labeling.pipelines.converted_name import name_in

from .batching import STATE, batch, results, start, statuses
from .marks.signing import chain
from .pictures import rgb
from .s3 import Server, small_png
from .test_bad_input import PRODUCER, refused
from .test_batch_kill import until, workers
from .test_convert import TYPES, actions, opened, source, tags

COUNT = 12
LONG = "AIGC_KILL_ROUNDS" in os.environ
"""Kills at more moments: ``make kill``."""


def convert(*arguments: Any) -> subprocess.CompletedProcess[str]:
    """Run ``aigc-label batch … --convert`` to its end."""
    process = start(*arguments, "--convert")
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def keys(folder: Path) -> tuple[str, ...]:
    cert, key = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(chain("es256").cert_pem)
    key.write_bytes(chain("es256").key_pem)
    return "--signer-cert", str(cert), "--signer-key", str(key)


def files_of(target: Path) -> list[str]:
    found = [path for path in target.rglob("*") if path.is_file() and STATE not in path.parts]
    return sorted(path.relative_to(target).as_posix() for path in found)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled and signed pictures of many formats, with EXIF, ICC profile and XMP, in folders; one without a label."""
    folder = tmp_path_factory.mktemp("archive")
    for number, extension in enumerate(("jpg", "png", "webp", "tif", "avif")):
        (folder / "made").mkdir(exist_ok=True)
        where = folder / ("one" if number % 2 else "two/deep")
        where.mkdir(parents=True, exist_ok=True)
        source(folder / "made", extension).rename(where / f"{extension}.{extension}")
    for made in (folder / "made").iterdir():
        made.unlink()
    (folder / "made").rmdir()
    rgb(320, 240).save(folder / "bare.bmp")
    return folder


def test_an_archive_is_converted_with_all_that_it_carries(archive: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    asked = (archive, target, "--resize", "400", "--format", "webp", "--quality", "80", *keys(tmp_path))
    done = convert(*asked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("All 6 files are converted.\n")
    assert files_of(target) == [
        "bare.webp", "one/png.webp", "one/tif.webp", "two/deep/avif.webp",
        "two/deep/jpg.webp", "two/deep/webp.webp",
    ]  # fmt: skip
    found = results(target)
    assert {line["status"] for line in found.values()} == {"converted"}
    for path, line in found.items():
        output, original = target / line["output"], archive / path
        assert hashlib.sha256(output.read_bytes()).hexdigest() == line["sha256"]
        assert (line["media_type"], line["output_size"]) == ("image/webp", output.stat().st_size)
        assert opened(output).size == (line["width"], line["height"]) == (400, 300)
        labels = [
            [finding.value for finding in labeling.verify(each, visible=False).findings if finding.kind == "aigc"]
            for each in (original, output)
        ]
        assert labels[0] == labels[1]
        if path == "bare.bmp":
            assert line["origin"] == "none"  # no label is added
            continue
        copy = tmp_path / original.name
        copy.write_bytes(original.read_bytes())
        was, now = tags(copy), tags(output)
        for name in ("XMP-iptcExt:DigitalSourceType", "XMP-dc:Title", "IFD0:Make"):
            assert now.get(name) == was.get(name) != None, (path, name)  # noqa: E711
        assert opened(output).info["icc_profile"] == opened(original).info["icc_profile"]
        expected = ["c2pa.opened", "c2pa.resized"] + ["c2pa.transcoded"] * (original.suffix != ".webp")
        assert actions(output, "image/webp") == expected
        assert line["verdicts"]["cn"]["verdict"] == "compliant"
    before = {path: (target / path).stat().st_mtime_ns for path in files_of(target)}
    again = convert(*asked)
    assert "6 were done by an earlier run" in again.stdout
    assert {path: (target / path).stat().st_mtime_ns for path in files_of(target)} == before


def test_without_a_format_names_and_formats_stay(archive: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    assert convert(archive, target, "--resize", "200", "--exclude", "*.bmp", *keys(tmp_path), "-q").returncode == 0
    for path, line in results(target).items():
        assert line["output"] == path
        assert line["media_type"] == TYPES[path.rpartition(".")[2]]
        assert opened(target / path).size == (200, 150)


def test_credentials_without_a_signer_are_not_destroyed(archive: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    done = convert(archive, target, "--format", "jpeg")
    assert done.returncode == 2
    assert statuses(target) == {"converted": 1, "failed": 5}
    assert "content credentials" in done.stdout
    assert "--signer-cert" in done.stdout
    assert files_of(target) == ["bare.jpg"]


@pytest.mark.parametrize(
    ("path", "format", "name"),
    [
        ("a/b.png", "webp", "a/b.webp"),
        ("B.JPEG", "jpeg", "B.JPEG"),
        ("B.JPG", "jpg", "B.JPG"),
        ("a.tiff", "tiff", "a.tiff"),
        ("a.bmp", "png", "a.png"),
        ("a.PSD", "png", "a.png"),
        ("a.heif", "avif", "a.avif"),
        ("photo.v2", "webp", "photo.v2.webp"),
        ("a.b/photo", "webp", "a.b/photo.webp"),
        ("clip.mp4", "webp", "clip.mp4.webp"),
        (".png", "webp", ".png.webp"),
        ("a.png", None, "a.png"),
    ],
)
def test_names_of_outputs(path: str, format: str | None, name: str) -> None:
    assert name_in(format, path) == name


def test_two_sources_of_one_output_and_the_first_of_the_list_has_it(tmp_path: Path) -> None:
    folder, target, listed = tmp_path / "in", tmp_path / "out", tmp_path / "list"
    folder.mkdir()
    colours = {"a.png": (200, 0, 0), "a.jpg": (0, 200, 0), "a.webp": (0, 0, 200), "b.png": (90, 90, 90)}
    for name, colour in colours.items():
        Image.new("RGB", (60, 40), colour).save(folder / name)
    listed.write_text("a.jpg\nb.png\na.webp\na.png\n")
    asked = (folder, target, "--format", "webp", "--files", listed)
    for more in ((), ("--retry-failed",), ("--overwrite",), ("--workers", "1")):
        done = convert(*asked, *more)
        assert done.returncode == 2
        found = results(target)
        assert {path: line["status"] for path, line in found.items()} == {
            "a.jpg": "converted", "b.png": "converted", "a.webp": "refused", "a.png": "refused",
        }  # fmt: skip
        with Image.open(target / "a.webp") as image:
            red, green, _ = image.convert("RGB").getpixel((30, 20))  # type: ignore[misc]
        assert green > 150 > red
        assert found["a.png"]["error"]["kind"] == "SameOutput"
        assert "(a.jpg → a.webp)" in found["a.png"]["error"]["message"]
        assert "2  refused: another file, which was listed first, has the same output" in done.stdout
    assert files_of(target) == ["a.webp", "b.webp"]


def test_a_stranger_s_file_is_not_replaced_not_even_after_an_interruption(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    target.mkdir()
    rgb(60, 40).save(folder / "a.png")
    rgb(60, 40).save(folder / "b.png")
    (target / "a.webp").write_bytes(b"a stranger's")
    names = OutputNames(Folder(target), "webp")
    items = Folder(folder).stat(["a.png", "b.png"])

    def planned(stamp: str = "") -> dict[str, bool]:
        journal = Journal(tmp_path / "state")
        with contextlib.closing(journal):
            listed = [Item(item.path, item.size, stamp or item.stamp) for item in items]
            plan = journal.plan(listed, PlanOptions(outputs=names))
            return {task.output: task.output_was_free for task in plan.tasks}

    assert planned() == {"a.webp": False, "b.webp": True}
    (target / "b.webp").write_bytes(b"what a worker wrote before the kill")
    assert planned() == {"a.webp": False, "b.webp": True}  # as it was when they were begun
    done = convert(folder, target, "--format", "webp", "--state", tmp_path / "state")
    assert done.returncode == 2
    assert (target / "a.webp").read_bytes() == b"a stranger's"
    assert opened(target / "b.webp").size == (60, 40)
    assert "a.webp" not in done.stdout  # the cause has no names
    assert "is there already, and not by this run; --overwrite replaces it" in done.stdout


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found through /proc")
@pytest.mark.parametrize("seed", range(6 if LONG else 2))
def test_a_killed_run_goes_on_and_every_picture_is_converted_once(seed: int, tmp_path: Path) -> None:
    chance, folder, target, book = random.Random(seed), tmp_path / "in", tmp_path / "out", tmp_path / "ledger.db"
    folder.mkdir()
    original = source(tmp_path, "png").read_bytes()
    paths = [f"{number:02}.png" for number in range(COUNT)]
    for path in paths:
        (folder / path).write_bytes(original)
    asked = (folder, target, "--format", "gif", "--ledger", book, "--workers", "2", "-q", *keys(tmp_path))
    for _ in range(2):
        process = start(*map(str, asked), "--convert")
        until(process, target, len(files_of(target)) + chance.randint(1, 4) if target.exists() else 1)
        time.sleep(chance.uniform(0, 0.05))
        victims = [process.pid, *workers(process)] if seed % 2 else workers(process)
        if victims and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(victims), signal.SIGKILL)
        _, err = process.communicate(timeout=100)
        assert "Traceback" not in err
    for _ in range(2):
        assert convert(*asked).returncode == 0
        found = results(target)
        assert sorted(found) == paths
        assert files_of(target) == [f"{number:02}.gif" for number in range(COUNT)]
        for line in found.values():
            assert line["status"] == "converted"
            assert hashlib.sha256((target / line["output"]).read_bytes()).hexdigest() == line["sha256"]
            assert line["lost"]  # GIF holds no EXIF: said of each, whatever was interrupted
        assert actions(target / "00.gif", "image/gif") == ["c2pa.opened", "c2pa.transcoded"]
        with Ledger.open(book) as ledger:
            assert ledger.verify().intact
            records = [record for record in ledger.export() if record.kind == "label"]
        assert Counter(record.sha256 for record in records) == Counter(line["sha256"] for line in found.values())
        assert {record.output for record in records} == {line["output"] for line in found.values()}


def test_strict_refuses_what_would_lose_anything(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    source(folder, "jpg", signs=False)
    rgb(60, 40).save(folder / "plain.png")
    done = convert(folder, target, "--format", "gif", "--strict")
    assert done.returncode == 2
    found = results(target)
    assert found["source.jpg"]["status"] == "refused"
    assert found["source.jpg"]["error"]["kind"] == "WouldLose"
    assert "source.gif" not in files_of(target)
    lax = convert(folder, tmp_path / "lax", "--format", "gif", "--report-lang", "zh")
    assert lax.returncode == 0
    assert "What converted pictures do not hold" in lax.stdout
    places = {loss["where"] for loss in results(tmp_path / "lax")["source.jpg"]["lost"]}
    assert any("GPS" in place for place in places)
    page = (tmp_path / "lax" / STATE / "report.html").read_text("utf-8")
    for words in ("批量任务：转换图片", "全部 3 个文件均已转换。", "转换后的图片未能保留的内容", "处理方式"):
        assert words in page
    summary = json.loads((tmp_path / "lax" / STATE / "summary.json").read_text("utf-8"))
    assert (summary["mode"], summary["statuses"]["converted"], summary["statuses"]["labelled"]) == ("convert", 3, 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ("nothing says what to convert to", "--format, --resize or --quality")),
        (("--format", "webp", "--verify"), ("two runs",)),
        (("--format", "webp", "--in-place"), ("in place", "name a target")),
        (("--format", "webp", "--producer", PRODUCER), ("--producer does not go with --convert",)),
        (("--format", "webp", "--config", "x.toml"), ("--config does not go with --convert",)),
        (("--format", "webp", "--content-id", "x"), ("--content-id",)),
        (("--format", "webp", "--signer-cert", "x.pem"), ("--signer-cert and --signer-key",)),
        (("--format", "jp2"), ("jp2", "webp")),
        (("--resize", "0"), ("--resize must be from 1",)),
        (("--format", "png", "--quality", "101"), ("--quality must be",)),
    ],
)
def test_what_does_not_fit_is_refused_before_the_first_file(
    arguments: tuple[str, ...], words: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    rgb(60, 40).save(tmp_path / "in" / "a.png")
    refused(convert(tmp_path / "in", tmp_path / "out", *arguments), 2, *words)
    assert not (tmp_path / "out").exists()


def test_options_of_a_conversion_need_it(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for given in (("--resize", "100"), ("--format", "webp")):
        refused(batch(tmp_path / "in", tmp_path / "out", *given), 2, f"{given[0]} belongs to --convert")


def test_other_options_begin_a_generation_and_a_list_names_paths_alone(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    rgb(60, 40).save(folder / "a.png")
    assert convert(folder, target, "--resize", "30", "-q").returncode == 0
    done = convert(folder, target, "--resize", "20")
    assert "1 file was converted with earlier options (resize); --restart converts it again" in done.stdout
    assert opened(target / "a.png").size == (30, 20)
    assert convert(folder, target, "--resize", "20", "--restart", "-q").returncode == 0
    assert opened(target / "a.png").size == (20, 13)
    refused(batch(folder, target), 2, "other options (mode")
    (tmp_path / "list.csv").write_text("path,text\na.png,AI\n")
    listed = ("--files", tmp_path / "list.csv")
    refused(convert(folder, tmp_path / "other", "--resize", "30", *listed), 2, "line 2 has text", "paths alone")


def test_the_library_takes_a_conversion_and_no_key(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    source(folder, "png").rename(folder / "a.png")
    (folder / "made.png").unlink()
    signer = Signer.from_pem(chain("es256").cert_pem, chain("es256").key_pem)
    with pytest.raises(LabelingError, match="not sent to other processes"):
        Conversion(format="webp", signer=signer)  # type: ignore[arg-type]
    with pytest.raises(LabelingError, match="nothing says"):
        Conversion()
    with pytest.raises(LabelingError, match="by one of `labeler`"):
        run(folder, tmp_path / "out", labeler=Labeler("x"), convert=Conversion(format="webp"))
    make: Callable[[], Signer] = partial(Signer.from_pem, chain("es256").cert_pem, chain("es256").key_pem)
    done = run(folder, tmp_path / "out", convert=Conversion(format="webp", signer=make), engine="inline")
    assert (done.exit_code, done.summary["statuses"]["converted"]) == (0, 1)
    assert actions(tmp_path / "out" / "a.webp", "image/webp") == ["c2pa.opened", "c2pa.transcoded"]


def test_in_memory(tmp_path: Path) -> None:
    memory: Any = fsspec.filesystem("memory")
    memory.pipe({"/conv-in/a.png": small_png(), "/conv-in/sub/a.png": small_png()})
    asked = Conversion(format="jpeg", resize="32")
    done = run("memory://conv-in", "memory://conv-out", convert=asked, state=tmp_path / "state")
    assert (done.exit_code, done.summary["statuses"]["converted"]) == (0, 2)
    with Image.open(io.BytesIO(memory.cat("/conv-out/sub/a.jpg"))) as image:
        assert image.format == "JPEG"
        assert max(image.size) == 32


def test_bucket_to_bucket(store: Server, tmp_path: Path) -> None:
    png = small_png()
    source_, target = store.bucket({"in/a.png": png, "in/sub/b.png": png, "in/a.webp": b"RIFF"}), store.bucket()
    call = [sys.executable, "-m", "labeling.cli", "batch", f"s3://{source_}/in", f"s3://{target}/out", "--convert"]
    call += ["--format", "webp", "--workers", "2", "--state", str(tmp_path / "state"), "-q"]
    for _ in range(2):
        done = subprocess.run(call, capture_output=True, text=True, timeout=120, check=False)
        assert "Traceback" not in done.stderr
        text = (tmp_path / "state" / "results.jsonl").read_text("utf-8")
        found = {line["path"]: line for line in map(json.loads, text.splitlines())}
        assert {path: line["status"] for path, line in found.items()} == {
            "a.png": "converted", "sub/b.png": "converted", "a.webp": "refused",
        }  # fmt: skip
        assert found["a.webp"]["error"]["kind"] == "SameOutput"
        for path in ("a.png", "sub/b.png"):
            body = store.client.get_object(Bucket=target, Key=f"out/{found[path]['output']}")["Body"].read()
            assert hashlib.sha256(body).hexdigest() == found[path]["sha256"]
            with Image.open(io.BytesIO(body)) as image:
                assert image.format == "WEBP"
