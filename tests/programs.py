"""Outside programs that tests compare with or make files with: where they are, and the Debian package that brings each.

A test never fails because one is missing: it is skipped, and the reason names the package. ``.ci/run`` installs them
all and turns every skip into a failure.

Three ways to ask, all through :func:`require`:

- ``programs.require("ffmpeg", "ffprobe")`` in a test, a fixture, a helper or at the top of a module;
- ``@pytest.mark.needs("ffmpeg")`` on a test, or ``pytestmark = pytest.mark.needs(…)`` for a module;
- nothing at all: where a test starts a program by its name and the program is missing, ``conftest.py`` asks for it.
"""

from __future__ import annotations

import os
import shutil
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = {
    "avifdec": "libavif-bin",
    "avifenc": "libavif-bin",
    "chromium": "chromium",
    "convert": "imagemagick",
    "exiftool": "libimage-exiftool-perl",
    "ffmpeg": "ffmpeg",
    "ffprobe": "ffmpeg",
    "find": "findutils",
    "git": "git",
    "gs": "ghostscript",
    "heif-dec": "libheif-examples",
    "heif-enc": "libheif-examples",
    "heif-info": "libheif-examples",
    "identify": "imagemagick",
    "java": "default-jre-headless",
    "mediainfo": "mediainfo",
    "mkvextract": "mkvtoolnix",
    "mkvinfo": "mkvtoolnix",
    "mkvmerge": "mkvtoolnix",
    "mkvpropedit": "mkvtoolnix",
    "mount": "mount",
    "openssl": "openssl",
    "pngfix": "libpng-tools",
    "postgres": "postgresql",
    "psql": "postgresql",
    "runuser": "util-linux",
    "setpriv": "util-linux",
    "tiffdump": "libtiff-tools",
    "tiffinfo": "libtiff-tools",
    "unshare": "util-linux",
    "webpinfo": "webp",
    "webpmux": "webp",
}
"""The Debian package of each program."""

NOT_IN_CI = frozenset({"default-jre-headless"})
"""Packages that only ``make test-integrations`` needs."""

_OTHER_NAMES = {"heif-dec": ("heif-convert",), "chromium": ("chromium-browser", "google-chrome")}
_FOLDERS = {"postgres": "/usr/lib/postgresql/*/bin"}
"""Folders where Debian puts a program that is not in PATH, one for each version; they are tried first."""


def find(program: str) -> str | None:
    """Return the path of a program of :data:`PACKAGES`, or ``None`` if it is not installed."""
    return next(_candidates(program), None)


def require(*programs: str) -> str:
    """Skip the test, or the module that is being imported, unless all these programs are installed.

    Returns:
        The path of the first of them.
    """
    paths = {program: find(program) for program in programs}
    missing = [program for program, path in paths.items() if path is None]
    if missing:
        pytest.skip(reason(*missing), allow_module_level=True)
    first = paths[programs[0]]
    assert first is not None
    return first


def unmeasured() -> dict[str, str]:
    """Return the environment for a child that coverage must leave alone.

    Coverage costs CPU time, which some tests measure, and writes files, which some children may not.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


def reason(*missing: str) -> str:
    """Say what is missing and how to install it."""
    packages = dict.fromkeys(PACKAGES[program] for program in missing)
    verb = "is" if len(missing) == 1 else "are"
    return f"{', '.join(missing)} {verb} not installed (Debian: apt-get install {' '.join(packages)})"


def missing_in(error: BaseException) -> str | None:
    """Return the program that an exception says could not be started, if it is one of :data:`PACKAGES`."""
    if not isinstance(error, FileNotFoundError) or not isinstance(error.filename, str):
        return None
    raised_in = [frame.f_globals.get("__name__") for frame, _ in traceback.walk_tb(error.__traceback__)]
    if raised_in[-1:] != ["subprocess"]:
        return None  # a file of that name was opened
    name = Path(error.filename).name
    return name if name in PACKAGES and find(name) is None else None


def _candidates(program: str) -> Iterator[str]:
    if pattern := _FOLDERS.get(program):
        newest_first = sorted(Path("/").glob(f"{pattern[1:]}/{program}"), key=_version, reverse=True)
        yield from map(str, newest_first)
    for name in (program, *_OTHER_NAMES.get(program, ())):
        if path := shutil.which(name):
            yield path


def _version(path: Path) -> float:
    """``15`` in ``/usr/lib/postgresql/15/bin/postgres``."""
    try:
        return float(path.parts[-3])
    except ValueError:
        return 0
