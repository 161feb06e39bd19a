"""Whatever a library raises: one of our errors comes out, other marks are reported, and other files are not affected.

Faults are put in where the real library is called: no library can be made to fail in every way by a file.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import labeling
from labeling import InternalError, Labeler, LabelingError, Signer, gates
from labeling.cli import group
from labeling.marks.credentials import make_test_chain
from labeling.marks.visible import engine

from . import pictures
from .test_bad_input import as_nobody, only
from .video_files import make_video, shots

PRODUCER = "001191110102MACQD9K64010000"


class Unheard(Exception):
    """An exception that nobody has thought of."""


RAISED: dict[str, Callable[[], Exception]] = {
    "MemoryError": MemoryError,
    "numpy's MemoryError": lambda: np._core._exceptions._ArrayMemoryError((9, 9), np.dtype(float)),  # type: ignore[attr-defined]
    "RecursionError": RecursionError,
    "OverflowError": lambda: OverflowError("Python int too large to convert to C long"),
    "ZeroDivisionError": ZeroDivisionError,
    "StopIteration": StopIteration,
    "KeyError": lambda: KeyError(7),
    "TypeError": lambda: TypeError("odd"),
    "AssertionError": AssertionError,
    "struct.error": lambda: struct.error("unpack requires a buffer of 8 bytes"),
    "zlib.error": lambda: zlib.error("Error -3 while decompressing data"),
    "cv2.error": lambda: cv2.error("assertion failed"),
    "bomb": lambda: Image.DecompressionBombError("Image size exceeds limit"),
    "warning": lambda: UserWarning("Truncated File Read"),
    "no room": lambda: OSError(errno.ENOSPC, "No space left on device"),
    "no handles": lambda: OSError(errno.EMFILE, "Too many open files"),
    "no right": lambda: PermissionError(errno.EACCES, "Permission denied", "/root/.cache"),
    "plain OSError": lambda: OSError("broken data stream"),
    "unheard of": lambda: Unheard("never seen"),
}
SHORT = {
    "MemoryError": "more memory is needed than there is",
    "numpy's MemoryError": "more memory is needed than there is",
    "no room": "the disk is full",
    "no handles": "too many files are open",
}
"""What is said where the machine came short; then nothing may be called damaged."""


def raising(error: Callable[[], BaseException]) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise error()

    return fail


FOREIGN_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/png"/>'
    "</rdf:RDF></x:xmpmeta>"
)


def signer() -> Signer:
    chain = make_test_chain()
    return Signer.from_pem(chain.cert_pem, chain.key_pem)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled file of each kind, NAME.EXT, and the same picture without a label, plain.EXT."""
    folder = tmp_path_factory.mktemp("files")
    plain = folder / "plain"
    plain.mkdir()
    labeler = Labeler(PRODUCER, signer=signer())
    for name in ("png", "jpg", "gif", "webp", "avif"):
        pictures.rgb().save(plain / f"a.{name}")
    pictures.rgb().save(plain / "a.tif", compression="tiff_adobe_deflate")
    notes = PngInfo()
    notes.add_itxt("XML:com.adobe.xmp", FOREIGN_XMP)  # a packet of our own making needs no parser
    pictures.rgb().save(plain / "xmp.png", pnginfo=notes)
    (plain / "a.heic").write_bytes(pictures.MAKERS["still.heic"]())
    make_video(plain / "a.mp4", shots(0, 0))
    for path in sorted(plain.iterdir()):
        labeler.label_file(path, folder / path.name)
    return folder


PARTS: dict[str, tuple[str, Any, str, tuple[str, ...]]] = {
    "Pillow": ("a.jpg", "PIL.JpegImagePlugin.JpegImageFile.load", "visible", ("aigc", "iptc", "c2pa")),
    "OpenCV": ("a.png", "cv2.resize", "visible", ("aigc", "iptc", "c2pa")),
    "zlib": ("a.tif", "zlib.decompressobj", "visible", ("aigc", "iptc", "c2pa")),
    "PyAV": ("a.mp4", "av.open", "visible", ("aigc", "c2pa")),
    "pillow-heif": ("a.heic", "pillow_heif.open_heif", "visible", ("aigc", "iptc", "c2pa")),
    "libavif": ("a.avif", "PIL.AvifImagePlugin.AvifImageFile.load", "visible", ("aigc", "iptc", "c2pa")),
    "onnxruntime": ("a.png", "onnxruntime.InferenceSession.run", "visible", ("aigc", "iptc", "c2pa")),
    "c2pa": ("a.png", "c2pa.Reader", "c2pa", ("aigc", "iptc", "visible")),
    "expat": ("xmp.png", "xml.parsers.expat.ParserCreate", "aigc", ("c2pa", "visible")),
}
"""A file, the call of a library, the mark that it is needed for, and the marks that are reported all the same."""


@pytest.mark.parametrize("raised", RAISED)
@pytest.mark.parametrize("part", PARTS)
def test_one_part_s_fault_is_a_finding_on_it_and_the_others_are_reported(
    files: Path, monkeypatch: pytest.MonkeyPatch, part: str, raised: str
) -> None:
    name, call, lost, kept = PARTS[part]
    engine.recognise([np.zeros((48, 96, 3), np.uint8)])  # loads the engine
    with monkeypatch.context() as patch:
        patch.setattr(call, raising(RAISED[raised]))
        report = labeling.verify(files / name, ["cn", "eu"])
    found = {finding.kind: finding for finding in report.findings}
    assert found[lost].status == "unreadable", found[lost]
    assert found[lost].defects
    assert {str(found[kind].status) for kind in kept} == {"present"}
    if lost in ("aigc", "visible"):
        assert report.verdicts["cn"].outcome == "inconclusive"
    assert report.verdicts["cn"].outcome != "noncompliant"
    words = " ".join(each.message for each in found[lost].defects)
    if raised in SHORT:
        assert SHORT[raised] in words
        assert "damaged" not in words


ADDING: dict[str, tuple[str, str]] = {
    "Pillow": ("a.jpg", "PIL.JpegImagePlugin.JpegImageFile.load"),
    "jpeglib": ("a.jpg", "os.memfd_create"),
    "zlib": ("a.tif", "zlib.decompressobj"),
    "PyAV": ("a.mp4", "av.open"),
    "HEVC by PyAV": ("a.heic", "av.CodecContext.create"),
    "AV1 by PyAV": ("a.avif", "av.CodecContext.create"),
    "WebP": ("a.webp", "cv2.imdecode"),
    "GIF": ("a.gif", "PIL.GifImagePlugin.GifImageFile.seek"),
    "c2pa": ("a.png", "c2pa.Builder.from_json"),
}


@pytest.mark.parametrize("raised", RAISED)
@pytest.mark.parametrize("part", ADDING)
def test_a_file_that_cannot_be_labelled_raises_our_error_and_leaves_nothing(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, raised: str
) -> None:
    name, call = ADDING[part]
    source = tmp_path / name
    source.write_bytes((files / "plain" / name).read_bytes())
    before = hashlib.sha256(source.read_bytes()).hexdigest()
    labeler = Labeler(PRODUCER, signer=signer() if part == "c2pa" else None)
    with monkeypatch.context() as patch:
        patch.setattr(call, raising(RAISED[raised]))
        with pytest.raises(LabelingError) as caught:
            labeler.label_file(source)
    assert caught.value.path == str(source)
    assert hashlib.sha256(source.read_bytes()).hexdigest() == before
    only(tmp_path, name)
    if raised in SHORT:
        assert SHORT[raised] in str(caught.value) or "disk is full" in str(caught.value)
        assert "damaged" not in str(caught.value)
    if isinstance(caught.value, InternalError):
        assert caught.value.__cause__ is not None
        assert "report it" in str(caught.value)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_nobody_s_wish_to_stop_is_swallowed(
    files: Path, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile.load", raising(stop))
    with pytest.raises(stop):
        labeling.verify(files / "a.jpg")
    with pytest.raises(stop):
        Labeler(PRODUCER).label_file(files / "plain" / "a.jpg", dry_run=True)


def test_what_the_caller_s_own_code_raises_comes_out_as_it_is(files: Path) -> None:
    def cancel(_: float, __: float) -> None:
        raise Unheard("cancelled")

    with pytest.raises(Unheard, match="cancelled"):
        Labeler(PRODUCER).label_file(files / "plain" / "a.mp4", progress=cancel, dry_run=True)

    def frames() -> Iterator[np.ndarray[Any, Any]]:
        yield np.zeros((360, 640, 3), np.uint8)
        raise Unheard("no more")

    with pytest.raises(Unheard, match="no more"):
        list(Labeler(PRODUCER).label_frames(frames()))


@pytest.mark.parametrize("wrong", [{"max_pixels": "many"}, {"max_pixels": -1}, {"trust": "a.pem"}, {"profile": "none"}])
def test_a_wrong_argument_is_the_caller_s_mistake_and_not_ours(files: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(LabelingError) as caught:
        labeling.verify(files / "a.png", **wrong)
    assert not isinstance(caught.value, InternalError)
    with pytest.raises(TypeError):
        labeling.verify()  # type: ignore[call-arg]


def test_a_fault_of_ours_names_its_place_and_keeps_its_cause(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labeling.containers.read", raising(lambda: Unheard("never seen")))
    with pytest.raises(InternalError, match=r"Unheard: never seen; verification/inspection.py:\d+\); please") as caught:
        labeling.inspect(files / "a.png")
    assert isinstance(caught.value.__cause__, Unheard)
    assert (caught.value.path, caught.value.exit_code) == (str(files / "a.png"), 3)
    report = labeling.verify(files / "a.png")  # pixels and manifest are checked without the list of blocks
    found = {finding.kind: str(finding.status) for finding in report.findings}
    assert found == {"aigc": "unreadable", "iptc": "unreadable", "visible": "present", "c2pa": "present"}
    assert report.verdicts["cn"].outcome == "inconclusive"


# --- hostile files ----------------------------------------------------------------------------------------------------


def _saved(image: Image.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def _tiff(compression: str, damage: Callable[[bytearray, int], None]) -> bytes:
    data = bytearray(_saved(pictures.rgb(64, 48), "TIFF", compression=compression))
    with Image.open(io.BytesIO(bytes(data))) as image:
        damage(data, image.tag_v2[273][0])  # type: ignore[attr-defined]
    return bytes(data)


def _flip(offset: int) -> Callable[[bytearray, int], None]:
    def damage(data: bytearray, at: int) -> None:
        data[at + offset] ^= 0xFF

    return damage


def _entry(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, kind, count, value)


def _small_tiff() -> bytes:
    """134 bytes that say 9999 × 9999 pixels of 16 samples."""
    tags = [
        (256, 3, 1, 9999), (257, 3, 1, 9999), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 130),
        (277, 3, 1, 16), (278, 3, 1, 9999), (279, 4, 1, 4), (339, 3, 1, 1),
    ]  # fmt: skip
    body = struct.pack("<H", len(tags)) + b"".join(_entry(*tag) for tag in tags) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8) + body + b"\0\0\0\0"


def _gif(first: tuple[int, int] | None = None, second: tuple[int, int, int, int] | None = None) -> bytes:
    frames = [pictures.rgb(48, 40, seed=seed).quantize(8) for seed in (1, 2)]
    data = bytearray(_saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50))
    places = [i for i in range(len(data)) if data[i : i + 5] == b",\0\0\0\0"]
    if first is not None:
        data[places[0] + 1 : places[0] + 5] = struct.pack("<HH", *first)
    if second is not None:
        data[places[-1] + 1 : places[-1] + 9] = struct.pack("<HHHH", *second)
    return bytes(data)


def _arithmetic() -> bytes:
    data = _saved(pictures.rgb(64, 48).convert("CMYK"), "JPEG")
    return data.replace(b"\xff\xc0", b"\xff\xc9", 1)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a damaged Deflate byte": lambda: _tiff("tiff_adobe_deflate", _flip(2)),
    "damaged LZW": lambda: _tiff("tiff_lzw", _flip(3)),
    "damaged PackBits": lambda: _tiff("packbits", _flip(0)),
    "134 bytes of TIFF": _small_tiff,
    "a GIF frame far outside": lambda: _gif(first=(60000, 60000)),
    "a later GIF frame outside": lambda: _gif(second=(0, 1, 48, 40)),
    "a later GIF frame at the end of the world": lambda: _gif(second=(65000, 65000, 48, 40)),
    "four components with arithmetic coding": _arithmetic,
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("visible", [True, False])
def test_a_hostile_file_gives_a_report_and_an_error_that_does_not_blame_us(
    tmp_path: Path, name: str, visible: bool
) -> None:
    path = tmp_path / "hostile"
    path.write_bytes(HOSTILE[name]())
    report = labeling.verify(path, visible=visible)
    assert report.find("aigc") is not None
    assert not any(defect.rule == "FILE-UNCHECKED" for finding in report.findings for defect in finding.defects)
    assert "fault in aigc-labeling" not in json.dumps(report.to_dict())
    labeling.inspect(path)
    try:
        done = Labeler(PRODUCER, visible=visible).label_file(path, tmp_path / "out")
        assert done.report.find("aigc").status == "present"  # type: ignore[union-attr]
    except LabelingError as error:
        assert not isinstance(error, InternalError)
        assert error.path == str(path)
        only(tmp_path, "hostile")


def test_a_stream_that_fails_is_one_of_our_errors() -> None:
    class Broken(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")

    with pytest.raises(LabelingError, match="Connection reset by peer"):
        labeling.verify(Broken())


# --- warnings as errors -----------------------------------------------------------------------------------------------

UNDER_ERRORS = """
import sys
from pathlib import Path
import labeling
out = Path(sys.argv[1])
labeler = labeling.Labeler("001191110102MACQD9K64010000")
for path in map(Path, sys.argv[2:]):
    done = labeler.label_file(path, out / path.name)
    report = labeling.verify(out / path.name)
    assert report.compliant, (path, report)
    assert not any(finding.status == "unreadable" for finding in report.findings), (path, report)
    labeling.inspect(path)
    print(path.name)
"""


def test_warnings_of_libraries_are_no_errors_under_w_error(files: Path, tmp_path: Path) -> None:
    """One sound file of each format, and one on which Pillow warns: a TIFF with two units of resolution."""
    plain = sorted(path for path in (files / "plain").iterdir() if path.is_file())
    odd = tmp_path / "odd.tif"
    data = _saved(pictures.rgb(), "TIFF", dpi=(72, 72))
    unit = struct.pack("<HHI", 296, 3, 1)
    assert data.count(unit) == 1
    odd.write_bytes(data.replace(unit + b"\2\0\0\0", struct.pack("<HHIHH", 296, 3, 2, 2, 2)))
    with pytest.warns(UserWarning, match="tag 296 had too many entries"), Image.open(odd) as image:
        image.load()
    out = tmp_path / "out"
    out.mkdir()
    command = [sys.executable, "-W", "error", "-c", UNDER_ERRORS, out, *plain, odd]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [path.name for path in (*plain, odd)]


def test_warnings_are_hidden_in_our_verbs_only_and_in_their_own_thread() -> None:
    seen: list[str] = []

    def elsewhere() -> None:
        try:
            warnings.warn("mine", UserWarning, stacklevel=1)
        except UserWarning as warning:
            seen.append(str(warning))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with gates.guarded("test"):
            warnings.warn("a library's", UserWarning, stacklevel=1)
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
        elsewhere()
    assert seen == ["mine", "mine"]


# --- the machine ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("there", [True, False])
def test_a_home_of_somebody_else_costs_a_note_and_no_verification(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    """As with sudo, or in a container: HOME is of another user, and may not be looked into."""
    shared = Path("/tmp") / f"aigc-gates-{os.getpid()}"
    shared.mkdir(mode=0o755)
    try:
        home = shared / "home"
        (home / ".config" / "aigc-labeling" / "trust").mkdir(parents=True)
        home.chmod(0o000 if there else 0o755)
        picture = shared / "a.png"
        picture.write_bytes(_saved(pictures.rgb(), "PNG"))
        monkeypatch.setenv("HOME", str(home if there else shared / "nowhere"))
        monkeypatch.delenv("AIGC_LABEL_HOME", raising=False)
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
        before = "import labeling.cli.verify, labeling.cli._output, labeling.reports.plain, labeling.reports.html\n"
        before += "import labeling.marks.credentials.library, labeling.trust, cryptography.x509\n"
        done = as_nobody(shared, "verify", picture, "--no-visible", "--format", "json", before=before)
        assert done.returncode == 1, done.stderr
        assert [mark["status"] for mark in json.loads(done.stdout)[0]["marks"]] == ["absent"] * 3
        if there:
            assert done.stderr.count("\n") == 1
            assert "trust lists cannot be read (Permission denied)" in done.stderr
            assert "AIGC_LABEL_HOME" in done.stderr
        else:
            assert done.stderr == ""
    finally:
        (shared / "home").chmod(0o755)
        subprocess.run(["rm", "-r", str(shared)], check=True)


def test_a_full_temporary_folder_is_told_and_costs_no_other_file(
    unshare: list[str], files: Path, tmp_path: Path
) -> None:
    """A tmpfs with one page left. On Linux, JPEG needs no temporary file: it is hidden that there are nameless ones."""
    small, out = tmp_path / "small", tmp_path / "out"
    small.mkdir()
    out.mkdir()
    code = "import os; del os.memfd_create; from labeling.cli import main; main()"
    script = (
        'mount -t tmpfs -o size=8k tmpfs "$0" && head -c 4096 /dev/zero > "$0"/filler 2>/dev/null;'
        'TMPDIR="$0"; export TMPDIR; "$@"; code=$?; ls -A "$0"; exit $code'
    )
    plain = [str(files / "plain" / name) for name in ("a.png", "a.jpg", "a.gif")]
    command = [sys.executable, "-c", code, "add", *plain, "--producer", PRODUCER, "-q", "-o", str(out)]
    done = subprocess.run([*unshare, "sh", "-c", script, str(small), *command], capture_output=True, text=True)
    assert done.returncode == 2, (done.stdout, done.stderr)
    [line] = done.stderr.splitlines()
    assert "a.jpg: to edit the JPEG's coefficients" in line
    assert "the disk is full" in line
    assert "TMPDIR" in line
    assert done.stdout.split() == ["filler"]
    only(out, "a.png", "a.gif")


# --- the command line -------------------------------------------------------------------------------------------------


def test_every_file_is_caught_by_itself(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile.load", raising(lambda: Unheard("never seen")))
    names = [str(files / "a.png"), str(files / "a.jpg"), str(tmp_path / "none.png"), str(files / "a.gif")]
    done = CliRunner().invoke(group, ["verify", *names, "--format", "json"])
    reports = json.loads(done.stdout)
    assert [report["path"] for report in reports] == names
    assert [report["verdicts"]["cn"]["verdict"] for report in reports] == [
        "compliant", "inconclusive", "inconclusive", "compliant",
    ]  # fmt: skip
    assert done.exit_code == 3
    out = tmp_path / "out"
    plain = [str(files / "plain" / name) for name in ("a.png", "a.jpg", "a.gif")]
    added = CliRunner().invoke(group, ["add", *plain, "--producer", PRODUCER, "-o", str(out)])
    assert added.exit_code == 3
    assert added.stderr.count("\n") == 1
    only(out, "a.png", "a.gif")
    monkeypatch.setattr("labeling.verification.inspection.exif.read", raising(lambda: Unheard("never seen")))
    listed = CliRunner().invoke(group, ["inspect", *names[:2], "--format", "json"])
    assert listed.exit_code in (0, 3)
    assert json.loads(listed.stdout)


PROFILES = {
    "not TOML": "name = ",
    "not text": "\udcff",
    "an unknown key": "nmae = 'x'",
    "a wrong type": "require = 'c2pa'",
    "an unknown mark": "require = ['watermarks']",
    "an unknown base": "extends = 'mars'",
    "deep": "require = " + "[" * 5000,
    "an empty name": "name = ''",
}


@pytest.mark.parametrize("broken", [*PROFILES, "missing", "a folder"])
@pytest.mark.parametrize("there", [True, False])
def test_a_broken_profile_is_one_line(files: Path, tmp_path: Path, broken: str, there: bool) -> None:
    path = tmp_path / "house.toml"
    if broken == "a folder":
        path.mkdir()
    elif broken in PROFILES:
        path.write_bytes(PROFILES[broken].encode("utf-8", "surrogateescape"))
    picture = files / "a.png" if there else tmp_path / "none.png"
    done = CliRunner().invoke(group, ["verify", str(picture), "--no-visible", "--profile", str(path)])
    if broken == "an empty name":
        assert done.exit_code in (0, 2, 3), done.output
        return
    assert done.exit_code == 2, done.output
    assert done.stderr.count("\n") <= 4  # click's own usage error has a few lines
    assert "house.toml" in done.stderr
    assert done.exception is None or isinstance(done.exception, SystemExit)


def test_a_missing_library_costs_its_own_file_only(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    names = [str(files / "a.heic"), str(files / "a.png")]
    done = CliRunner().invoke(group, ["verify", *names, "--format", "json"])
    first, second = json.loads(done.stdout)
    assert first["verdicts"]["cn"]["verdict"] == "inconclusive"
    assert second["verdicts"]["cn"]["verdict"] == "compliant"
    assert done.exit_code == 3
    assert [mark["status"] for mark in first["marks"] if mark["mark"] == "aigc"] == ["present"]
    assert "pip install" in json.dumps(first)


# --- the ledger -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raised", RAISED)
def test_the_ledger_raises_our_errors_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: str) -> None:
    from sqlalchemy.engine import Engine

    from labeling.ledger import Ledger

    with Ledger.open(tmp_path / "ledger.db") as book:
        with monkeypatch.context() as patch:
            patch.setattr(Engine, "connect", raising(RAISED[raised]))
            with pytest.raises(LabelingError) as caught:
                book.verify()
        assert book.verify().intact
    if raised in SHORT:
        assert SHORT[raised] in str(caught.value)
