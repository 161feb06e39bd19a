"""The OCR engine behind the reader: RapidOCR on onnxruntime, loaded once per process, with models from its wheel.

Nothing is downloaded: the wheel ships the models, and a missing one is an error.

RapidOCR's documented call runs detection and recognition on one picture, cuts out and turns every text it finds, and
reads crops one at a time. We detect with a network of our own (``tools/train_detector.py``), which knows labels only
and sees small ones, and with RapidOCR's where that finds nothing. Then we read the few crops that come of it. So we
call its two steps: the detector ``text_det`` and the method ``recognize_txt``. No documentation promises them. So
pyproject.toml allows only the release that was tested, and :func:`ocr` checks that they are there.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.errors import LabelingError, MissingDependency
from labeling.gates import gate

MIN_SCORE = 0.5
"""Confidence of the recogniser below which a text does not count."""


class OcrFailed(LabelingError):
    """The OCR engine raised an exception: nothing is known of the label, and nothing is wrong with the file."""


DETECTOR = Path(__file__).parent / "detector.onnx"
"""The weights of our own network."""

STEPS = ("recognize_txt", "text_det")
"""What this module calls of a ``RapidOCR`` object."""

_NO_TELEMETRY = ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED")
"""Variables that onnxruntime heeds while it is imported, by their names in different releases.

Its wheels would otherwise give the machine a lasting number, keep a database in the user's cache folder and ``.ses`` in
the folder for temporary files, and send events to Microsoft.
"""

_lock = threading.Lock()


@lru_cache(maxsize=1)
def ocr() -> Any:
    """Load the engine, once per process.

    Raises:
        MissingDependency: The message says what to install.
        OcrFailed: It cannot be loaded.
    """
    logger = logging.getLogger("RapidOCR")
    level = logger.level
    with _reading():
        engine = _loaded(_threads())
    logger.setLevel(max(level, logging.CRITICAL))
    if missing := [name for name in STEPS if not callable(getattr(engine, name, None))]:
        raise MissingDependency(
            f"visible labels cannot be read with this release of RapidOCR: it has no {' and no '.join(missing)}",
            hint="pip install --upgrade --force-reinstall aigc-labeling brings the release that was tested",
        )
    return engine


def _loaded(threads: int) -> Any:
    try:
        for name in _NO_TELEMETRY:
            os.environ.setdefault(name, "1")
        import rapidocr

        _require_models(Path(rapidocr.__file__).parent / "models")
        engine = rapidocr.RapidOCR(
            params={
                "Global.log_level": "critical",
                "Det.limit_type": "max",  # the reader chooses the size itself: the detector must not scale it up again
                "Det.limit_side_len": 8192,
                "Rec.rec_img_shape": [3, 48, 48],  # least width: short labels are not padded to 320 pixels
                "Rec.rec_batch_num": 1,  # nor to the longest one beside them: that takes memory, and saves no time
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            }
        )
        engine(np.zeros((64, 64, 3), np.uint8))  # loads its detector
    except ImportError as error:  # RapidOCR itself only notices a missing onnxruntime when it loads a model
        raise MissingDependency(
            f"reading visible labels needs OCR ({error})", hint="pip install rapidocr onnxruntime"
        ) from error
    return engine


def _require_models(folder: Path) -> None:
    """Refuse a wheel without its models: RapidOCR would download them, and verification makes no network call."""
    for kind in ("det", "rec"):
        if not any(folder.glob(f"*{kind}*.onnx")):
            raise MissingDependency(
                f"RapidOCR's {kind} model is missing from {folder}", hint="pip install --force-reinstall rapidocr"
            )


def _reading() -> AbstractContextManager[None]:
    """Turn whatever RapidOCR and onnxruntime raise into :class:`OcrFailed`, but for want of memory."""
    return gate("look for text on the picture", lambda why: OcrFailed(f"the OCR engine failed ({why})"))


def spots(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Run the detector on an RGB picture, (H, W, 3) uint8; H and W are multiples of 16.

    Returns:
        Two arrays (H / 4, W / 4) of float32: how likely each place is the core of a line that speaks of AI, 0 to 1, and
        how high that line is, in pixels.
    """
    ocr()  # it says what is missing, and sees to it that onnxruntime sends nothing
    with _lock, _reading():
        likely, high = _detector().run(None, {"pixels": pixels[None]})[0]
    return likely, high


@lru_cache(maxsize=1)
def _detector() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # a second pool of threads would wait beside RapidOCR's, at the cost of both
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = False  # it would keep what the largest picture took
    return onnxruntime.InferenceSession(str(DETECTOR), options, providers=["CPUExecutionProvider"])


def _threads() -> int:
    return int(os.environ.get("AIGC_LABEL_OCR_THREADS", "0")) or min(4, os.cpu_count() or 1)


def detect(pixels: NDArray[np.uint8]) -> list[tuple[float, float, float, float]]:
    """Find text lines on an RGB picture, (H, W, 3) uint8, as boxes (left, top, right, bottom) in pixels."""
    with _lock, _reading():
        result = ocr().text_det(np.ascontiguousarray(pixels[:, :, ::-1]))
    if result.boxes is None:
        return []
    corners = np.asarray(result.boxes, float)
    low, high = corners.min(axis=1), corners.max(axis=1)
    return [(*map(float, a), *map(float, b)) for a, b in zip(low, high, strict=True)]  # type: ignore[misc]


def recognise(crops: Sequence[NDArray[np.uint8]]) -> list[tuple[str, float]]:
    """Read RGB crops, each (H, W, 3) uint8.

    Returns:
        What each says, ``""`` where the engine is not sure, and how sure it is, 0 to 1.
    """
    if not crops:
        return []
    with _lock, _reading():
        result = ocr().recognize_txt([np.ascontiguousarray(crop[:, :, ::-1]) for crop in crops])
    return [
        (text if score >= MIN_SCORE else "", float(score))
        for text, score in zip(result.txts, result.scores, strict=True)
    ]
