"""NOTICE names every native library in the wheels that we depend on, and no GPL codec is installed unless asked for."""

from __future__ import annotations

import ctypes
import platform
import sys
from pathlib import Path

import pytest

from tools import native_licences, notice

EXTRAS = [extra for extra in notice.user_extras() if extra != "sm2" or platform.machine() != "aarch64"]
LISTED = notice.NOTICE.read_text(encoding="utf-8")


def everything() -> list[notice.Library]:
    found = []
    for name, distribution in notice.packages(*EXTRAS).items():
        libraries, modules = notice.native(name, distribution)
        if modules:
            notice.modules_row(name)  # raises a sentence if nobody knows what is linked in
        found += libraries
    return found


def needs_gpl(licence: str) -> bool:
    """Whether every choice that an SPDX expression gives has a part under the GPL without an exception."""
    return all(
        any(part.startswith(("GPL", "AGPL")) and " WITH " not in part for part in choice.split(" AND "))
        for choice in licence.split(" OR ")
    )


def test_every_native_library_is_known_and_listed() -> None:
    found = everything()
    assert len(found) > 50  # the scan sees them
    for library in found:
        line = f"{library.project}: {library.licence}"  # raises a sentence if it is not known
        assert line in LISTED, f"NOTICE lacks {line} of {library.package}: run make docs"
        assert f"lib{library.name}" in LISTED


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="NOTICE lists the wheels for Linux on x86-64"
)
def test_notice_is_current() -> None:
    assert notice.written() == LISTED, "run make docs"


def test_the_scan_sees_every_file_beside_the_packages() -> None:
    seen = {library.file for library in everything()}
    for distribution in notice.packages(*EXTRAS).values():
        for file in distribution.files or ():
            if file.parts[0].endswith(".libs"):
                assert file.as_posix() in seen


def test_no_row_is_left_over() -> None:
    runtime = {"brotlienc", "gcc_s", "gomp", "stdc++", "z"}  # of wheels for other systems
    names = {library.name for library in everything()}
    assert set(native_licences.LIBRARIES) - names <= runtime
    assert set(native_licences.MODULES) <= set(notice.packages(*EXTRAS))


def test_an_unknown_library_ends_with_a_sentence() -> None:
    stranger = notice.named("av", "av.libs/libstranger-9393c086.so.4.1.0")
    assert (stranger.name, stranger.version) == ("stranger", "4.1.0")
    with pytest.raises(SystemExit, match=r"av brings av\.libs/libstranger\S+, whose licence nobody has looked up: add"):
        print(stranger.licence)
    with pytest.raises(SystemExit, match="strange-package has compiled modules, and nobody has looked up"):
        notice.modules_row("strange-package")


@pytest.mark.parametrize(
    ("path", "name", "version"),
    [
        ("av.libs/libx264-d6533a8d.so.165", "x264", "165"),
        ("numpy.libs/libgfortran-040039e1-0352e75f.so.5.0.0", "gfortran", "5.0.0"),
        ("opencv_python_headless.libs/libopenblasp-r0-59ffcd50.3.15.so", "openblas", "3.15"),
        ("av.libs/libxcb-shape-7716c890.so.0.0.0", "xcb-shape", "0.0.0"),
        ("opencv_python_headless.libs/libcrypto-5409cd36.so.1.1.1k", "crypto", "1.1.1k"),
        ("c2pa/libs/libc2pa_c.so", "c2pa_c", ""),
        ("onnxruntime/capi/libonnxruntime.so.1.32.0", "onnxruntime", "1.32.0"),
        ("av/.dylibs/libavcodec.62.28.102.dylib", "avcodec", "62.28.102"),
    ],
)
def test_names_of_libraries(path: str, name: str, version: str) -> None:
    found = notice.named("package", path)
    assert (found.name, found.version) == (name, version)


def test_the_default_installation_has_no_gpl_codec() -> None:
    assert needs_gpl("GPL-2.0-or-later")
    assert not needs_gpl("LGPL-3.0-or-later OR GPL-2.0-or-later")
    assert not needs_gpl("GPL-3.0-or-later WITH GCC-exception-3.1")
    default = notice.packages()
    assert {"av", "pillow-heif"} & set(default) == set()
    for name, distribution in default.items():
        for library in notice.native(name, distribution)[0]:
            assert not needs_gpl(library.licence), library
        fields = distribution.metadata.json
        words = [str(fields.get("license_expression")), str(fields.get("license"))]
        words += [each for each in fields.get("classifier", []) if "License" in each]
        assert "GPL" not in " ".join(words), name
    assert {each.name for each in everything() if needs_gpl(each.licence)} == {"x264", "x265"}


def test_ffmpeg_says_of_itself_what_notice_says() -> None:
    """The witness is FFmpeg's own avcodec_license()."""
    import av  # noqa: F401 - brings the libraries that its libavcodec needs
    import cv2  # noqa: F401

    words = {"LGPL version 2.1 or later": "LGPL-2.1-or-later", "LGPL version 3 or later": "LGPL-3.0-or-later"}
    asked = 0
    for name, distribution in notice.packages("video").items():
        for library in notice.native(name, distribution)[0]:
            if library.name == "avcodec":
                loaded = ctypes.CDLL(str(Path(str(distribution.locate_file(library.file)))))
                loaded.avcodec_license.restype = ctypes.c_char_p
                assert words[loaded.avcodec_license().decode()] == library.licence
                asked += 1
    assert asked == 2
