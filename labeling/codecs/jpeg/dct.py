"""Read and write the quantised DCT coefficients of a JPEG with the C libraries that jpeglib contains.

jpeglib's Python layer reads every file three times, keeps its library version in global state and leaves temporary
files behind on errors, so its two C functions are called here directly. They take only paths: each call gives them
files that exist in memory alone where the system has such, so that a process that is killed leaves no picture behind;
elsewhere files in a private folder, which is removed. The functions turn libjpeg's fatal errors into a status of zero
(tested with truncated and damaged files), so that nothing exits the process.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.jpeg.warnings import listening
from labeling.errors import LabelingError, MissingDependency, UnreadableFile
from labeling.filebytes import write_all
from labeling.gates import gate

Coefficients = NDArray[np.int16]
"""(block rows, block columns, 8, 8) quantised coefficients of one component."""

TURBO = "turbo210"
"""Library version that is fast and writes sequential files."""

MOZ = "mozjpeg403"
"""Library version that writes progressive files; several times slower, because it searches for the best scan script."""

IJG = "6b"
"""Library version that accepts scans whose components are not in frame order, as editing a fourth component needs."""

_OPTIMIZE_CODING = 1 << 6  # jpeglib's bit for libjpeg's optimize_coding
_KEEP = 0
_EDIT = "edit the JPEG's coefficients"
_ALL = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Component:
    """One component of the frame header (ITU-T T.81 B.2.2).

    Attributes:
        id: Component identifier.
        h: Horizontal sampling factor.
        v: Vertical sampling factor.
        table: Number of its quantisation table.
        rows: Height in blocks of 8 × 8 samples.
        columns: Width in blocks.
    """

    id: int
    h: int
    v: int
    table: int
    rows: int
    columns: int


@functools.cache
def _library(version: str) -> ctypes.CDLL:
    spec = importlib.util.find_spec("jpeglib")
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        for path in sorted(Path(folder, "cjpeglib").glob(f"cjpeglib_{version}.*")):
            if path.suffix in (".so", ".pyd", ".dll"):
                return _prototyped(ctypes.CDLL(str(path)))
    raise MissingDependency('editing JPEG files needs jpeglib: pip install "jpeglib>=1.0.2,<1.1"')


def _prototyped(library: ctypes.CDLL) -> ctypes.CDLL:
    """Declare the signatures of the two functions of jpeglib 1.0."""
    path, pointer, integer, short, mask = (
        ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_short, ctypes.c_uint,
    )  # fmt: skip
    library.read_jpeg_dct.argtypes = [path, *[pointer] * 6]
    library.read_jpeg_dct.restype = integer
    library.write_jpeg_dct.argtypes = [
        path, path, *[pointer] * 4, pointer, pointer, pointer, integer, integer, pointer, short, pointer,
        integer, pointer, pointer, pointer, mask, mask,
    ]  # fmt: skip
    library.write_jpeg_dct.restype = integer
    return library


def _address(array: NDArray[np.generic] | None) -> int | None:
    return None if array is None else array.ctypes.data


def read(data: bytes, components: Sequence[Component]) -> tuple[list[Coefficients], NDArray[np.uint16], str]:
    """Read all coefficients of a JPEG.

    Args:
        data: The JPEG. The library writes into buffers that are sized from ``components``, so the caller must have
            checked that the frame header in ``data`` lists exactly these.
        components: The components of its frame header.

    Returns:
        One array for each component; the quantisation tables, (4, 8, 8) in natural order; and libjpeg's first warning
        about damaged data, or nothing.

    Raises:
        UnreadableFile: The library cannot decode the file.
        MissingDependency: jpeglib is not installed.
    """
    planes = [np.zeros((c.rows, c.columns, 8, 8), np.int16) for c in components]
    tables = np.zeros((4, 8, 8), np.uint16)
    numbers = np.zeros(4, np.int16)
    library = _library(TURBO)
    slots: list[Coefficients | None] = [*planes, None, None, None][:4]
    into = [*map(_address, slots), _address(tables), _address(numbers)]
    with gate(_EDIT, _refused), _nameless(data) as source:
        with listening() as said:
            status = library.read_jpeg_dct(source.encode(), *into)
        if said.text and said.shared:  # another thread's picture may be the damaged one
            for plane in planes:
                plane[:] = 0
            with listening(alone=True) as said:
                status = library.read_jpeg_dct(source.encode(), *into)
    if status == 0:
        raise UnreadableFile("the JPEG's coded picture cannot be decoded; it is damaged or of an unusual kind")
    return planes, tables, said.text


def write(
    source: bytes,
    planes: Sequence[Coefficients | None],
    size: tuple[int, int],
    *,
    components: int,
    version: str = TURBO,
    optimize: bool = False,
) -> bytes:
    """Write a JPEG with the frame parameters of ``source`` and other coefficients.

    Args:
        source: A JPEG.
        planes: One contiguous array for each component. A component that is ``None``, and a fourth one, which jpeglib
            never writes, keeps the coefficients of ``source``.
        size: (width, height) in pixels.
        components: Number of components: 1, 3 or 4.
        version: Library version to use.
        optimize: Whether to compute Huffman tables for this picture.

    Raises:
        UnreadableFile: The library refuses to write the file.
    """
    slots = [plane if i < 3 else None for i, plane in enumerate([*planes, None, None, None, None][:4])]
    dimensions = np.array([size[1], size[0]], np.int32)
    numbers = np.full(4, -1, np.int16)
    space = {1: 1, 3: 3, 4: 4}[components]  # J_COLOR_SPACE; it decides only about markers, which the caller drops
    with gate(_EDIT, _refused), _nameless(source) as given, _nameless(b"") as made, listening():
        status = _library(version).write_jpeg_dct(
            given.encode(), made.encode(), *map(_address, slots), _address(dimensions), None, None,
            space, components, None, -1, _address(numbers), 0, None, None, None,
            _OPTIMIZE_CODING if optimize else _KEEP, _ALL,
        )  # fmt: skip
        result = Path(made).read_bytes()
        if status == 0 or not result:
            raise UnreadableFile(
                "the JPEG's coefficients cannot be written back", hint="re-save the picture and try again"
            )
        return result


def _refused(why: str) -> LabelingError:
    return UnreadableFile(f"the JPEG's coefficients cannot be edited ({why})")


@contextmanager
def _nameless(data: bytes) -> Iterator[str]:
    """Put bytes into a file for C functions, and yield its path; nothing of it stays, even if the process is killed."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("aigc-jpeg")
        try:
            write_all(fd, data)
            path = f"/proc/self/fd/{fd}"
            if Path(path).exists():  # a container may have no /proc
                yield path
                return
        finally:
            os.close(fd)
    import tempfile

    with tempfile.TemporaryDirectory(prefix="aigc-") as folder:
        file = Path(folder, "picture.jpg")
        file.write_bytes(data)
        yield str(file)
