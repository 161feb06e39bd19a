"""The OCR engine behind the reader: three networks on onnxruntime, each loaded when it is first needed.

One is our own (``tools/train_detector.py``): it knows labels only and sees small ones. The other two come with
RapidOCR: its detector, which finds text of any kind and looks where ours finds nothing, and its recogniser. Of RapidOCR
only these files are used: its own code would import for half a second, run more networks than are needed, and pad what
is read to the longest text beside it. Nothing is downloaded: RapidOCR's wheel ships the files, and one that is missing
or that is not the one that was tested is an error.

Each network runs in one thread: labelling is done beside other work, to which several would have to wait for one
another. ``AIGC_LABEL_OCR_THREADS`` in the environment sets another number. The same pixels always give the same text.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import os
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.errors import LabelingError, MissingDependency
from labeling.gates import gate
from labeling.marks.visible import textmap

MIN_SCORE = 0.5
"""Confidence of the recogniser below which a text does not count."""


class OcrFailed(LabelingError):
    """The OCR engine raised an exception: nothing is known of the label, and nothing is wrong with the file."""


DETECTOR = Path(__file__).parent / "detector.onnx"
"""The weights of our own network."""

TEXTS, LETTERS = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"
"""RapidOCR's detector of texts, and its recogniser."""

TESTED = {
    TEXTS: "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    LETTERS: "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
}
"""SHA-256 of each, in RapidOCR 3.10: :mod:`labeling.marks.visible.textmap` and :func:`recognise` are for these."""

MULTIPLE = 32
"""Of which both sides of a picture are multiples for the detector of texts."""

TALL = 48
"""Height in pixels at which the recogniser reads."""

WIDEST = 48
"""Width of a crop, in its heights, above which it holds no label: a sliver at the border of a picture may have any."""

_NORMAL = (np.arange(256, dtype=np.float32) / 255 - 0.5) / 0.5
"""What each value of a pixel is to RapidOCR's networks, -1 to 1."""

_NO_TELEMETRY = ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED")
"""Variables that onnxruntime heeds while it is imported, by their names in different releases.

Its wheels would otherwise give the machine a lasting number, keep a database in the user's cache folder and ``.ses`` in
the folder for temporary files, and send events to Microsoft.
"""

_lock = threading.Lock()


def spots(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Run our own detector on an RGB picture, (H, W, 3) uint8; H and W are multiples of 16.

    Returns:
        Two arrays (H / 4, W / 4) of float32: how likely each place is the core of a line that speaks of AI, 0 to 1, and
        how high that line is, in pixels.

    Raises:
        MissingDependency: The message says what to install.
        OcrFailed: It cannot be loaded, or fails.
    """
    with _reading():
        likely, high = _run(_session(DETECTOR), pixels[None])
    return likely, high


def detect(pixels: NDArray[np.uint8]) -> list[tuple[float, float, float, float]]:
    """Find text lines on an RGB picture, (H, W, 3) uint8, as boxes (left, top, right, bottom) in pixels.

    Raises:
        MissingDependency: The message says what to install.
        OcrFailed: It cannot be loaded, or fails.
    """
    import cv2

    height, width = pixels.shape[:2]
    rows, columns = (round(side / MULTIPLE) * MULTIPLE for side in (height, width))
    with _reading():
        if not (rows and columns):
            return []
        fitted = np.asarray(cv2.resize(np.ascontiguousarray(pixels), (columns, rows)), np.uint8)
        [[likely]] = _run(_session(model(TEXTS)), _planes(fitted)[None])
        return textmap.boxes(likely, width, height)


def recognise(crops: Sequence[NDArray[np.uint8]]) -> list[tuple[str, float]]:
    """Read RGB crops, each (H, W, 3) uint8, one at a time.

    Returns:
        What each says, ``""`` where the engine is not sure, and how sure it is, 0 to 1.

    Raises:
        MissingDependency: The message says what to install.
        OcrFailed: It cannot be loaded, or fails.
    """
    with _reading():
        said = [_read(crop) for crop in crops]
    return [(text if score >= MIN_SCORE else "", score) for text, score in said]


def _read(crop: NDArray[np.uint8]) -> tuple[str, float]:
    """Read one crop: the recogniser says of each piece of it which letter it is, or none (CTC: Graves et al. 2006)."""
    import cv2

    height, width = crop.shape[:2]
    if not crop.size or width > WIDEST * height:
        return "", 0.0
    aspect = width / height
    whole = int(TALL * max(1.0, aspect))
    part = min(whole, math.ceil(TALL * aspect))
    small = np.asarray(cv2.resize(np.ascontiguousarray(crop), (part, TALL)), np.uint8)
    planes = np.zeros((3, TALL, whole), np.float32)  # what is narrower than high is filled up with grey
    planes[:, :, :part] = _planes(small)
    session = _session(model(LETTERS))
    [sure] = _run(session, planes[None])
    which = sure.argmax(axis=1)
    new = which != 0
    new[1:] &= which[1:] != which[:-1]
    if not new.any():
        return "", 0.0
    letters = _letters(session)
    return "".join(letters[index] for index in which[new]), float(sure.max(axis=1)[new].mean())


def _planes(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn RGB pixels, (H, W, 3), into what RapidOCR's networks take: blue, green and red, (3, H, W) float32."""
    return np.take(_NORMAL, pixels.transpose(2, 0, 1)[::-1])


@cache
def _letters(session: Any) -> list[str]:
    """Return what the recogniser's classes are: none, the characters that its file names, and a space."""
    return ["", *session.get_modelmeta().custom_metadata_map["character"].splitlines(), " "]


def _run(session: Any, values: NDArray[Any]) -> Any:
    """Run a network and return its first output."""
    return session.run(None, {session.get_inputs()[0].name: values})[0]


def _reading() -> AbstractContextManager[None]:
    """Turn whatever onnxruntime and OpenCV raise into :class:`OcrFailed`, but for want of memory."""
    return gate("look for text on the picture", lambda why: OcrFailed(f"the OCR engine failed ({why})"))


def _session(path: Path) -> Any:
    """Return the network in a file, loaded once per process."""
    with _lock:
        return _loaded(path)


@cache
def _loaded(path: Path) -> Any:
    onnxruntime = _onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # threads that wait leave the cores alone
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = False  # it would keep what the largest picture took
    options.enable_mem_pattern = False  # it would keep a plan for each width that a crop has had
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _onnxruntime() -> Any:
    for name in _NO_TELEMETRY:
        os.environ.setdefault(name, "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise _missing(str(error)) from error
    return onnxruntime


@cache
def model(name: str) -> Path:
    """Return where a file of RapidOCR's is, without importing it.

    Raises:
        MissingDependency: It is not there, or is another one than was tested: it would read what nobody has checked.
    """
    package = importlib.util.find_spec("rapidocr")
    if package is None or not package.origin:
        raise _missing("RapidOCR is not installed")
    path = Path(package.origin).parent / "models" / name
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise MissingDependency(
            f"RapidOCR's model {name} is missing from {path.parent}", hint="pip install --force-reinstall rapidocr"
        ) from error
    if digest != TESTED[name]:
        raise MissingDependency(
            f"visible labels cannot be read with this release of RapidOCR: its {name} is not the one that was tested",
            hint="pip install --upgrade --force-reinstall aigc-labeling brings the release that was tested",
        )
    return path


def _missing(why: str) -> MissingDependency:
    return MissingDependency(f"reading visible labels needs OCR ({why})", hint="pip install rapidocr onnxruntime")


def _threads() -> int:
    return max(1, int(os.environ.get("AIGC_LABEL_OCR_THREADS") or 1))
