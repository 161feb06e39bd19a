"""What runs out, or breaks, while a file is encoded, signed or read: real causes, and the words for them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest
from PIL import Image

import labeling
from labeling import InternalError, Labeler, LabelingError, Signer, TooLarge, WriteError, batch
from labeling.marks.credentials import make_test_chain

from . import pictures
from .test_bad_input import only
from .test_batch_trouble import mounted
from .video_files import make_video, shots

PRODUCER = "001191110102MACQD9K64010000"


def raising(error: Exception) -> Any:
    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail


ENCODERS: dict[str, tuple[str, str]] = {
    "Pillow for WebP": ("webp", "PIL.WebPImagePlugin._save"),
    "Pillow for GIF": ("gif", "PIL.GifImagePlugin._save"),
    "Pillow for AVIF": ("avif", "PIL.AvifImagePlugin._save"),
    "Pillow for TIFF": ("tiff", "PIL.TiffImagePlugin._save"),
    "Pillow for JPEG": ("jpeg", "PIL.JpegImagePlugin._save"),
    "pillow-heif": ("heif", "pillow_heif.HeifFile.save"),
}


@pytest.mark.parametrize("part", ENCODERS)
def test_an_encoder_that_fails_is_named_and_not_called_a_fault_of_ours(
    monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    kind, call = ENCODERS[part]
    picture = pictures.rgb(320, 240)
    Labeler(PRODUCER).label_image(picture, kind)  # loads the plugins
    registered = {"webp": "WEBP", "gif": "GIF", "avif": "AVIF", "tiff": "TIFF", "jpeg": "JPEG"}.get(kind)
    for error, kind_of_ours, words in (
        (KeyError("no such encoder"), LabelingError, "cannot be encoded as"),
        (cv2.error("assertion failed"), LabelingError, "assertion failed"),
        (MemoryError(), TooLarge, "more memory is needed than there is"),
        (OSError(28, "No space left on device"), WriteError, "the disk is full"),
    ):
        with monkeypatch.context() as patch:
            if registered is not None:
                patch.setitem(Image.SAVE, registered, raising(error))
            else:
                patch.setattr(call, raising(error))
            with pytest.raises(kind_of_ours, match=words) as caught:
                Labeler(PRODUCER).label_image(picture, kind)
        assert not isinstance(caught.value, InternalError)


def test_a_png_that_lacks_memory_for_its_coder_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labeling.deflate.compressor", raising(MemoryError()))
    with pytest.raises(TooLarge, match="more memory is needed than there is"):
        Labeler(PRODUCER).label_image(pictures.rgb(320, 240), "png")


SMALL = """
import resource, sys
import labeling
from PIL import Image
labeler = labeling.Labeler("001191110102MACQD9K64010000")
kind = sys.argv[1]
labeler.label_image(Image.new("RGB", (400, 300), "teal"), kind)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
picture = Image.new("RGB", (6000, 5000), "teal")
for more in (95, 130, 200, 300):
    resource.setrlimit(resource.RLIMIT_AS, (size + (more << 20), resource.RLIM_INFINITY))
    try:
        labeler.label_image(picture, kind)
        print("done")
    except labeling.LabelingError as error:
        print(type(error).__name__, error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits on memory that hold are Linux's")
@pytest.mark.parametrize("kind", ["png", "webp", "tiff"])
def test_too_little_memory_is_said_whatever_library_needs_it(kind: str) -> None:
    done = subprocess.run([sys.executable, "-c", SMALL, kind], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("OutOfMemory"), lines
    assert all(line == "done" or "more memory is needed than there is" in line for line in lines), lines


def test_a_disk_that_fills_while_c2pa_signs_is_called_full(unshare: list[str], tmp_path: Path) -> None:
    """There is room for the labelled copy, and none for the signed one: c2pa only says that a stream failed."""
    source, target = tmp_path / "a.mp4", tmp_path / "small"
    make_video(source, shots(0, 0))
    target.mkdir()
    chain = make_test_chain()
    (tmp_path / "chain.pem").write_bytes(chain.cert_pem)
    (tmp_path / "key.pem").write_bytes(chain.key_pem)
    size = source.stat().st_size
    command = [
        sys.executable, "-m", "labeling.cli", "add", source, "--no-visible", "--producer", PRODUCER, "-o",
        target / "out.mp4", "--signer-cert", tmp_path / "chain.pem", "--signer-key", tmp_path / "key.pem",
    ]  # fmt: skip
    keep = f"{' '.join(map(str, command))}; code=$?; ls -A {target}; exit $code"
    done = mounted(unshare, f"mount -t tmpfs -o size={size * 3 // 2} tmpfs {target}", "sh", "-c", keep)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "out.mp4: the disk is full; nothing was written" in done.stderr
    assert done.stdout == ""


def test_what_breaks_inside_the_signer_is_a_signing_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = make_test_chain()
    pictures.rgb(320, 240).save(tmp_path / "a.png")
    labeler = Labeler(PRODUCER, visible=False, signer=Signer.from_pem(chain.cert_pem, chain.key_pem))
    for error in (RuntimeError("the pool is closed"), KeyError("alg"), OSError("broken pipe")):
        with monkeypatch.context() as patch:
            patch.setattr("c2pa.Builder.from_json", raising(error))
            with pytest.raises(labeling.SigningError, match="c2pa could not sign") as caught:
                labeler.label_file(tmp_path / "a.png")
        assert caught.value.path == str(tmp_path / "a.png")
        only(tmp_path, "a.png")


def test_an_ocr_engine_that_fails_says_nothing_of_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures.rgb(320, 240).save(tmp_path / "a.png")
    done = Labeler(PRODUCER).label_file(tmp_path / "a.png", tmp_path / "b.png")
    found = labeling.verify(done.path).find("visible")
    assert found is not None
    assert found.status == "present"
    monkeypatch.setattr("onnxruntime.InferenceSession.run", raising(RuntimeError("[ONNXRuntimeError] : 1 : FAIL")))
    finding = labeling.verify(done.path).find("visible")
    assert finding is not None
    (defect,) = finding.defects
    assert (finding.status, defect.rule) == ("unreadable", "FILE-UNCHECKED")
    assert defect.message == (
        "the visible label was not looked for: the OCR engine failed ([ONNXRuntimeError] : 1 : FAIL)"
    )


LARGE = """
import resource, sys
import numpy, labeling
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
noise = numpy.random.default_rng(1)
try:
    with labeling.Labeler("001191110102MACQD9K64010000").open_video(sys.argv[1], size=(320, 240), fps=25) as video:
        for _ in range(60):
            video.write(noise.integers(0, 256, (240, 320, 3), numpy.uint8))
except labeling.WriteError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_video_that_cannot_be_written_to_its_end_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LARGE, str(tmp_path / "a.mp4")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path}/a.mp4: the video cannot be written (File too large); choose another place\n"
    only(tmp_path)


def test_a_run_lets_nothing_out_but_our_errors_and_what_callbacks_raise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    pictures.rgb(64, 48).save(tmp_path / "in" / "a.png")
    labeler = Labeler(PRODUCER, visible=False)

    def cancel(_: object) -> None:
        raise ZeroDivisionError("cancelled")

    with pytest.raises(ZeroDivisionError, match="cancelled"):
        batch.run(tmp_path / "in", tmp_path / "out", labeler=labeler, engine="inline", progress=cancel)
    with pytest.raises(ZeroDivisionError, match="no key"):
        batch.run(tmp_path / "in", tmp_path / "out", labeler=raising(ZeroDivisionError("no key")), engine="inline")
    with monkeypatch.context() as patch:
        patch.setattr("labeling.batch.journal.Journal.compact", raising(OSError(28, "No space left on device")))
        with pytest.raises(WriteError, match="the disk is full"):
            batch.run(tmp_path / "in", tmp_path / "out", labeler=labeler, engine="inline")
        patch.setattr("labeling.batch.journal.Journal.compact", raising(RuntimeError("odd")))
        with pytest.raises(InternalError, match=r"could not carry out the run \(RuntimeError: odd"):
            batch.run(tmp_path / "in", tmp_path / "out", labeler=labeler, engine="inline")
    assert batch.run(tmp_path / "in", tmp_path / "out", labeler=labeler, engine="inline").exit_code == 0
    assert json.loads((tmp_path / "out" / ".aigc-label" / "results.jsonl").read_text("utf-8").splitlines()[0])
