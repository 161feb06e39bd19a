"""Bad input through the real command: one line that says what to do, exit code 2 or 3, nothing left behind."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from labeling import Labeler, WriteError
from labeling.atomic_writes import write_atomically

from . import programs
from .commands import run

PRODUCER = "001191110102MACQD9K64010000"


def refused(result: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """The command failed with ``code`` and one line holding all ``words``."""
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    for word in words:
        assert word in lines[0], lines[0]


def only(folder: Path, *names: str) -> None:
    """Nothing else was left in the folder."""
    assert sorted(p.name for p in folder.iterdir()) == sorted(names)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    Image.radial_gradient("L").convert("RGB").save(path, quality=90)
    return path


def add(path: Path, *more: str | Path, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    return run("add", path, "--producer", PRODUCER, *more, **kwargs)


def test_missing_folder_and_empty_file(tmp_path: Path) -> None:
    refused(add(tmp_path / "none.png"), 3, "none.png", "no such file")
    (tmp_path / "sub").mkdir()
    refused(add(tmp_path / "sub"), 3, "sub", "folder")
    (tmp_path / "empty.png").touch()
    refused(add(tmp_path / "empty.png"), 3, "empty.png", "empty")
    only(tmp_path, "sub", "empty.png")


def test_a_named_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    refused(add(tmp_path / "pipe.jpg"), 3, "pipe.jpg", "not a regular file")
    only(tmp_path, "pipe.jpg")


def test_a_wrong_extension_is_labelled_by_content(photo: Path) -> None:
    liar = photo.rename(photo.with_suffix(".png"))
    result = add(liar, "-o", photo.parent / "out.jpg")
    assert result.returncode == 0, result.stderr
    with Image.open(photo.parent / "out.jpg") as image:
        assert image.format == "JPEG"


def test_text_video_and_bmp_have_no_place_for_a_label(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("hello " * 50)
    refused(add(tmp_path / "a.png"), 3, "a.png", "no format")
    Image.new("RGB", (80, 80)).save(tmp_path / "a.bmp")
    refused(add(tmp_path / "a.bmp"), 2, "a.bmp", "PNG")
    only(tmp_path, "a.png", "a.bmp")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".gif", ".tiff", ".avif"])
def test_truncated(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut{suffix}"
    Image.effect_mandelbrot((300, 200), (-2, -1, 1, 1), 50).convert("RGB").save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    refused(add(path), 3, path.name)
    only(tmp_path, path.name)


AS_NOBODY = """
import os, sys, difflib
import labeling.cli.add, labeling.labeler, labeling.verification.metadata, labeling.containers.jpeg.metadata
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
labeling.cli.main()
"""


def as_nobody(folder: Path, *arguments: str | Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command in a folder as a user without rights, which root (as in containers) is not.

    It is left out of coverage: a process without rights cannot write what it has run.
    """
    command = [sys.executable, "-c", before + AS_NOBODY, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=programs.unmeasured())


def test_unreadable_file_and_read_only_target(photo: Path) -> None:
    """As a user without rights, which root (as in containers) is not."""
    with tempfile.TemporaryDirectory() as name:
        outside = Path(name)
        outside.chmod(0o755)
        secret, plain = outside / "secret.jpg", outside / "plain.jpg"
        for path, mode in ((secret, 0o000), (plain, 0o644)):
            path.write_bytes(photo.read_bytes())
            path.chmod(mode)
        outside.chmod(0o555)
        for path, code, words in (
            (secret, 3, "secret.jpg: no permission"),
            (plain, 2, "out.jpg: no permission to write"),
        ):
            arguments = ["add", str(path), "--no-visible", "--producer", PRODUCER, "-o", str(outside / "out.jpg")]
            refused(as_nobody(outside, *arguments), code, words)
        only(outside, "plain.jpg", "secret.jpg")
        outside.chmod(0o755)


def test_target_folder_missing_or_target_is_a_folder(photo: Path) -> None:
    refused(add(photo, "-o", photo.parent / "no" / "out.jpg"), 2, "does not exist")
    (photo.parent / "sub" / "photo.jpg").mkdir(parents=True)
    refused(add(photo, "-o", photo.parent / "sub"), 2, "is a folder")
    only(photo.parent, "photo.jpg", "sub")
    only(photo.parent / "sub", "photo.jpg")


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, photo: Path) -> None:
    """A tmpfs of 64 KiB where mounting is allowed (also in a user namespace), the limit on file sizes elsewhere."""
    Image.effect_noise((512, 512), 90).convert("RGB").save(photo, quality=95)
    small = tmp_path / "small"
    small.mkdir()
    script = (
        f"mount -t tmpfs -o size=64k tmpfs {small} && cp {__file__} {small}/filler 2>/dev/null;"
        f"{sys.executable} -m labeling.cli add {photo} --no-visible --producer {PRODUCER} -o {small}/out.jpg;"
        f"code=$?; ls -A {small} >&2; exit $code"
    )
    result = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True)
    if "mount:" in result.stderr or "unshare:" in result.stderr:
        import resource

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

        refused(
            add(photo, "--no-visible", "-o", small / "out.jpg", preexec_fn=limit), 2, "out.jpg", "cannot be written"
        )
        only(small)
    else:
        assert result.returncode == 2, result.stderr
        assert "disk is full" in result.stderr.splitlines()[0]
        assert result.stderr.splitlines()[1:] == ["filler"]


def test_a_bomb_of_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(30_000 * 3 + 1) * 50, 9)
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    refused(add(bomb), 3, "bomb.png", "--max-pixels")
    only(tmp_path, "bomb.png")


def test_wrong_wishes(photo: Path) -> None:
    refused(add(photo, "--text", "AI生成🦄"), 2, "🦄", "--font")
    refused(add(photo, "--text", "Made with AI"), 2, "Made with AI")
    refused(add(photo, "--font", photo), 2, "photo.jpg")
    refused(add(photo, "--height", "0.03"), 2, "0.05")
    refused(add(photo, "--config", photo.parent / "none.toml"), 2, "none.toml", "init")
    refused(run("add", photo, cwd=photo.parent), 2, "--producer", "init")
    refused(add(photo, "--signer-cert", photo), 2, "--signer-key")
    refused(add(photo, "-o", photo), 2, "--in-place")
    only(photo.parent, "photo.jpg")


def test_a_picture_too_small_or_too_narrow_for_a_legible_label(tmp_path: Path) -> None:
    Image.new("RGB", (3, 3)).save(tmp_path / "dot.png")
    refused(add(tmp_path / "dot.png"), 2, "dot.png", "--no-visible")
    only(tmp_path, "dot.png")


def test_bad_key_and_wrong_certificate(photo: Path) -> None:
    folder = photo.parent / "keys"
    assert run("init", folder, "--test-signer", "--producer", PRODUCER).returncode == 0
    assert (folder / "test-signer-key.pem").stat().st_mode & 0o777 == 0o600
    junk = folder / "junk.pem"
    junk.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    certificate = folder / "test-signer.pem"
    result = add(photo, "--signer-cert", certificate, "--signer-key", junk)
    refused(result, 2, "junk.pem")
    assert "AAAA" not in result.stderr
    refused(add(photo, "--signer-cert", folder / "test-root.pem", "--signer-key", folder / "test-signer-key.pem"), 2)
    refused(run("init", folder, "--producer", PRODUCER), 2, "--force")
    only(photo.parent, "photo.jpg", "keys")


def test_another_providers_label_is_never_overwritten(photo: Path, cases: Path) -> None:
    other = photo.parent / "other.jpg"
    Labeler(producer="doubao", visible=False).label_file(photo, other)
    before = other.read_bytes()
    refused(add(other, "--in-place"), 2, "doubao", "propagate")
    assert other.read_bytes() == before
    real = cases / "1_aigc_cn" / "doubao_png_tEXt_windows_resave.png"
    refused(add(real, "-o", photo.parent / "x.png"), 2, "doubao", "propagate")
    only(photo.parent, "photo.jpg", "other.jpg")


def test_content_credentials_are_not_broken_for_want_of_a_signer(tmp_path: Path, cases: Path) -> None:
    signed = cases / "2_c2pa" / "pub_adobe-20220124-C.jpg"
    refused(add(signed, "-o", tmp_path / "x.jpg"), 2, "C2PA", "--signer-cert")
    only(tmp_path)


def test_several_files_go_on_after_a_bad_one(photo: Path) -> None:
    out = photo.parent / "out"
    result = run("add", photo.parent / "none.jpg", photo, "--producer", PRODUCER, "-o", out)
    assert result.returncode == 3
    only(out, "photo.jpg")


def test_verify_of_a_broken_or_missing_file_is_a_report(tmp_path: Path) -> None:
    (tmp_path / "junk.jpg").write_bytes(b"\xff\xd8\xff\xe1\xff\xffjunk")
    result = run("verify", tmp_path / "junk.jpg", tmp_path / "none.jpg", "--format", "json")
    assert result.returncode == 3
    reports = json.loads(result.stdout)
    assert [r["readable"] for r in reports] == [False, False]
    for report in reports:
        assert {m["status"] for m in report["marks"] if m["mark"] in ("aigc", "c2pa", "iptc")} == {"unreadable"}
        assert report["verdicts"]["cn"]["verdict"] == "inconclusive"


def test_wrong_usage() -> None:
    for arguments in (["add"], ["verify", "x", "--profile", "mars"], ["nonsense"], ["verify", "x", "--format", "png"]):
        result = run(*arguments)
        assert result.returncode == 2
        assert "Traceback" not in result.stderr


def test_an_error_or_interrupt_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    class Ending(list[bytes]):
        """Pieces that end with an exception once they are written: when first, or when read back."""

        def __init__(self, times: int, error: BaseException) -> None:
            super().__init__([b"new"])
            self.times, self.error = times, error

        def __iter__(self) -> Iterator[bytes]:
            yield from super().__iter__()
            self.times -= 1
            if not self.times:
                raise self.error

    for error in (WriteError("no"), KeyboardInterrupt()):
        for times in (1, 2):
            with pytest.raises(type(error)):
                write_atomically(path, Ending(times, error))
            assert path.read_bytes() == b"old"
            only(tmp_path, "a.bin")
