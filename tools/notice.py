"""Write NOTICE: which native libraries the wheels hold that we depend on, and their licences.

``python tools/notice.py`` looks into the installed wheels and writes the file; ``--check`` says whether it is current.
The licences are in ``tools/native_licences.py``. Anything that is not there ends the program with a sentence.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # tools has no __init__.py

from tools.native_licences import IN_PACKAGE, LIBRARIES, MODULES

ROOT = Path(__file__).resolve().parents[1]
NOTICE = ROOT / "NOTICE"
NAME = "aigc-labeling"

_NATIVE = re.compile(r"\.(so|dylib|dll|pyd)(\.[\w.]+)?$")
_SHARED = re.compile(r"(^|/)\.?(libs|dylibs|[\w-]+\.libs)/|(^|/)lib[^/]*$")
_MODULE = (".abi3.so", "-linux-gnu.so", "-darwin.so", "-linux-musl.so", ".pyd")
_SAME = {"openblasp": "openblas"}
_NOT_OURS = ("test", "dev")
_NOT_LISTED = ("gs", "azure")
"""Extras that no test environment has; :data:`_TAIL` says what was found when they were looked at."""
"""Extras that serve the project's own work."""

_HEAD = """\
aigc-labeling
Licensed under the Apache License, Version 2.0; see LICENSE.

The fonts of the visible label, parts of Noto Sans CJK SC and of Noto Sans, are under the SIL Open Font License 1.1; see
OFL.txt beside them.

The C2PA trust list and the C2PA time-stamp (TSA) trust list, in labeling/marks/credentials/lists, are by the Coalition
for Content Provenance and Authenticity (C2PA), as of 2026-10-01, unchanged, under the Creative Commons Attribution 4.0
International licence (https://creativecommons.org/licenses/by/4.0/). They come from
https://github.com/c2pa-org/conformance-public, commit 3573be509a793a989f093df4f86744a3632f6155. The root certificate
beside them, DigiCert Trusted Root G4, is published by DigiCert, Inc.

The recordings of spoken labels, in labeling/marks/spoken, are the output of two speech synthesisers: eSpeak NG
(Chinese) and Flite with the voice "slt" (English). Neither program is part of aigc-labeling. See tools/make_spoken.py.

The wheel of aigc-labeling holds no machine code. What follows is installed beside it, from wheels of others, and is
under their licences. Who passes on an installation, such as a container image, passes on these as well. The list is
written by tools/notice.py, which looks into the wheels for Linux on x86-64. Those for other systems may hold other
libraries. The licences of the Python code are in the SBOM that is built with the distribution.
"""

_WORDS = {
    "": """\
    No library under the GPL alone. GEOS in shapely, which RapidOCR needs, and FFmpeg in OpenCV are under the LGPL;
    they are shared libraries, which can be replaced. GCC's runtime has the exception that allows its use in every
    program that GCC has compiled.
""",
    "video": """\
    x264 and x265 are under the GPL, and PyAV's libavcodec is linked to them: who passes the wheel on has to keep to
    the GPL. A PyAV that was built against an FFmpeg without them works as well, but encodes no H.264 and no HEVC.
""",
    "heif": """\
    Everything of the extra video, and pillow-heif. x265 is under the GPL; by its own words, so is pillow-heif's wheel
    as a whole.
""",
}
"""Extra, or nothing for the default installation → what is to be said of it."""


_TAIL = """\
pip install 'aigc-labeling[gs]' or 'aigc-labeling[azure]' adds
    What these two extras bring is not listed library by library: gcsfs (BSD-3-Clause) with Google's clients and
    adlfs (BSD-3-Clause) with Azure's. The machine code in them that is not named above is gRPC (Apache-2.0, with the
    libraries linked into it), CRC32C (BSD-3-Clause) and the Python modules of Protocol Buffers (BSD-3-Clause).
"""


class Unknown(SystemExit):
    """Something has no row in the tables of licences."""


@dataclass(frozen=True, slots=True)
class Library:
    """A shared library in a wheel.

    Attributes:
        package: The package that brings it.
        name: Its name without ``lib``, hash and version.
        file: The file, relative to site-packages.
        version: The version in the file's name; empty if there is none.
    """

    package: str
    name: str
    file: str
    version: str

    @property
    def project(self) -> str:
        """Its project. Raises :class:`Unknown`."""
        return self._row()[0]

    @property
    def licence(self) -> str:
        """Its licence as an SPDX expression. Raises :class:`Unknown`."""
        return IN_PACKAGE.get((self.package, self.name), self._row()[1])

    def _row(self) -> tuple[str, str]:
        if self.name not in LIBRARIES:
            raise Unknown(
                f"{self.package} brings {self.file}, whose licence nobody has looked up: add {self.name!r} to "
                "LIBRARIES in tools/native_licences.py and run make docs"
            )
        return LIBRARIES[self.name]


def required(*extras: str) -> list[Requirement]:
    """Return what ``pyproject.toml`` asks for, with these extras and those that they name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    found: list[Requirement] = []
    for line in lines:
        asked = Requirement(line)
        found += required(*asked.extras) if asked.name == NAME else [asked]
    return found


def user_extras() -> list[str]:
    """Return the extras whose packages are listed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [extra for extra in project["optional-dependencies"] if extra not in (*_NOT_OURS, *_NOT_LISTED)]


def packages(*extras: str) -> dict[str, metadata.Distribution]:
    """Return everything that is installed with these extras, by its normal name.

    Raises:
        SystemExit: Some of it is not installed here.
    """
    found: dict[str, metadata.Distribution] = {}
    left = [(asked, {""}) for asked in required(*extras)]
    while left:
        asked, wanted = left.pop()
        if asked.marker and not any(asked.marker.evaluate({"extra": extra}) for extra in wanted):
            continue
        name = canonicalize_name(asked.name)
        if name not in found:
            try:
                found[name] = metadata.distribution(name)
            except metadata.PackageNotFoundError:
                raise SystemExit(f"{name} is not installed: run make test first, which installs every extra") from None
        elif not asked.extras:
            continue
        left += [(Requirement(line), {"", *asked.extras}) for line in found[name].requires or ()]
    return found


def native(package: str, distribution: metadata.Distribution) -> tuple[list[Library], bool]:
    """Return the shared libraries of a package, and whether it has compiled modules beside them."""
    libraries, modules = [], False
    for file in distribution.files or ():
        path = file.as_posix()
        if not _NATIVE.search(path):
            continue
        if _SHARED.search(path) and not file.name.endswith(_MODULE):
            libraries.append(named(package, path))
        else:
            modules = True
    return libraries, modules


def named(package: str, path: str) -> Library:
    """Take the name of a shared library apart: av.libs/libx264-d6533a8d.so.165 is x264, version 165."""
    base = path.rpartition("/")[2]
    stem, _, after = re.sub(r"\.(so|dylib|dll|pyd)(?=\.|$)", "\0", base).partition("\0")
    inner = re.search(r"(?:-r\d+)?(?:-[0-9a-f]{8})*(?:\.(\d[\w.]*))?$", stem)
    assert inner is not None  # every part of the pattern is optional
    name = stem[: inner.start()].removeprefix("lib")
    return Library(package, _SAME.get(name, name), path, after.lstrip(".") or inner[1] or "")


def modules_row(package: str) -> tuple[str, str]:
    """Return the licence of a package with compiled modules, and what is linked into them. Raises :class:`Unknown`."""
    if package not in MODULES:
        raise Unknown(
            f"{package} has compiled modules, and nobody has looked up what is linked into them: add it to MODULES in "
            "tools/native_licences.py and run make docs"
        )
    return MODULES[package]


def _described(package: str, distribution: metadata.Distribution) -> list[str]:
    """Return the lines on a package; none if there is no machine code in it."""
    libraries, modules = native(package, distribution)
    if not libraries and not modules:
        return []
    own, linked = modules_row(package)
    lines = [f"  {package} ({own})" + (f"; linked in: {linked}" if linked else "")]
    seen: dict[tuple[str, str], list[str]] = {}
    for each in sorted(libraries, key=lambda library: library.name.lower()):
        names = seen.setdefault((each.project, each.licence), [])
        if each.name not in names:
            names.append(each.name)
    lines += [f"      {project}: {licence} (lib{', lib'.join(names)})" for (project, licence), names in seen.items()]
    return lines


def written() -> str:
    """Return the text of NOTICE for what is installed."""
    parts = [_HEAD]
    shown: dict[str, metadata.Distribution] = {}
    for extra in ["", *user_extras()]:
        more = {name: found for name, found in packages(*[extra] * bool(extra)).items() if name not in shown}
        shown |= more
        if listed := [line for name in sorted(more) for line in _described(name, more[name])]:
            title = f"pip install 'aigc-labeling[{extra}]' adds\n" if extra else "pip install aigc-labeling\n"
            parts.append(title + _WORDS.get(extra, "") + "\n" + "\n".join(listed) + "\n")
    return "\n".join([*parts, _TAIL])


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether NOTICE is current")
    text = written()
    old = NOTICE.read_text(encoding="utf-8") if NOTICE.is_file() else ""
    if text == old:
        return 0
    if parser.parse_args().check:
        print("NOTICE is out of date: run make docs")
        return 1
    NOTICE.write_text(text, encoding="utf-8")
    print("wrote NOTICE")
    return 0


if __name__ == "__main__":
    sys.exit(main())
