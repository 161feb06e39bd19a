"""A folder in which somebody has planted code and settings, and a watch that tells which of them were opened or run."""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys
from pathlib import Path

MARK = "ran-"

MODULES = (
    "pickle", "multiprocessing", "signal", "struct", "typing", "__future__", "json", "sitecustomize", "usercustomize",
    "click", "numpy", "cv2", "PIL", "av", "c2pa", "onnxruntime", "rapidocr", "jpeglib", "fsspec", "sqlalchemy", "rich",
)  # fmt: skip
"""Modules of Python and of others; every second one is a package."""

LIBRARIES = tuple(
    f"{folder}{name}"
    for folder in ("", "libs/", "artifacts/", "unknown-linux-gnu/", "libs/x86_64-unknown-linux-gnu/")
    for name in ("libc2pa_c.so", "libcrypto.so.3", "libonnxruntime.so")
)

PROGRAMS = ("fc-list", "fc-match", "ffmpeg", "file", "gcc", "ldconfig", "python", "python3", "uname", "exiftool")

SETTINGS = (
    ".netrc", ".env", "openssl.cnf", "magic", "magic.mgc", "setup.cfg", "pyvenv.cfg", "conf", "fsspec.json", "boto.cfg",
    "fonts.conf", "config.yaml", "default_models.yaml", "PP-OCRv6_det_small.onnx", "models/PP-OCRv6_rec_small.onnx",
    "NotoSansSC-Regular.otf", "fonts/NotoSansSC-Regular.otf", "config", "credentials", "libx264_2pass.log",
    "python311.zip",
)  # fmt: skip


def plant(folder: Path) -> None:
    """Plant one of each: a module leaves a file when it is run, and whatever is opened is seen by :class:`Watch`."""
    for number, name in enumerate(MODULES):
        path = folder / f"{name}.py" if number % 2 else folder / name / "__init__.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"open({str(folder / (MARK + name))!r}, 'w').close()\n")
    for name in (*LIBRARIES, *SETTINGS):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"planted")
    for name in PROGRAMS:
        (folder / name).write_text(f"#!/bin/sh\n: > {folder / (MARK + name)}\n")
        (folder / name).chmod(0o755)


class Watch:
    """Which files in some folders were opened, by whatever process (inotify(7)); ``opened`` is asked once."""

    _OPEN, _IS_FOLDER = 0x20, 0x40000000

    def __init__(self, *folders: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._folders = {}
        for folder in {each for top in folders for each in (top, *(p for p in top.rglob("*") if p.is_dir()))}:
            number = libc.inotify_add_watch(self._fd, os.fsencode(folder), self._OPEN)
            assert number > 0, os.strerror(ctypes.get_errno())
            self._folders[number] = folder

    def opened(self) -> set[Path]:
        """Return the files that were opened since the watch began, and end it."""
        found = set()
        while True:
            try:
                events = os.read(self._fd, 1 << 20)
            except BlockingIOError:
                break
            while events:
                number, mask, _, length = struct.unpack_from("iIII", events)
                assert number > 0, "more happened than the kernel keeps"
                if not mask & self._IS_FOLDER:
                    found.add(self._folders[number] / os.fsdecode(events[16 : 16 + length].rstrip(b"\0")))
                events = events[16 + length :]
        os.close(self._fd)
        return found


def ran(folder: Path) -> set[str]:
    """Return which planted modules and programs were run."""
    return {path.name.removeprefix(MARK) for path in folder.glob(f"{MARK}*")}


def program(*arguments: object, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a Python program as a user does: without our settings, and with the current folder on ``PATH``.

    Nor with the library path that importing OpenCV has left in the tests' own environment.
    """
    ours = ("PYTHON", "AIGC_LABEL", "C2PA", "LD_LIBRARY_PATH")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    kept |= {"PATH": f".:{kept['PATH']}", "HOME": str(cwd.parent)}
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=kept, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, f"{done.returncode}: {done.stdout}{done.stderr}"
    return done
