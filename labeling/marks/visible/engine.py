"""The OCR engine behind the reader: RapidOCR on onnxruntime, loaded once per process, with models from its wheel.

Nothing is downloaded: the wheel ships the models, and a missing one is an error.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.errors import MissingDependency

MIN_SCORE = 0.5

_lock = threading.Lock()


@lru_cache(maxsize=1)
def _engine() -> Any:
    logger = logging.getLogger("RapidOCR")
    level = logger.level
    threads = int(os.environ.get("AIGC_LABEL_OCR_THREADS", "0")) or min(4, os.cpu_count() or 1)
    try:
        import rapidocr

        _require_models(Path(rapidocr.__file__).parent / "models")
        engine = rapidocr.RapidOCR(
            params={
                "Global.log_level": "critical",
                "Det.limit_type": "max",  # the reader chooses the size itself: the detector must not scale it up again
                "Det.limit_side_len": 8192,
                "Rec.rec_img_shape": [3, 48, 48],  # least width: short labels are not padded to 320 pixels
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            }
        )
        engine(np.zeros((64, 64, 3), np.uint8))  # loads the detector
    except ImportError as error:  # RapidOCR itself only notices a missing onnxruntime when it loads a model
        raise MissingDependency(
            f"reading visible labels needs OCR: pip install rapidocr onnxruntime ({error})"
        ) from error
    logger.setLevel(max(level, logging.CRITICAL))
    return engine


def _require_models(folder: Path) -> None:
    """RapidOCR would fetch a model that is missing from its wheel; verification makes no network call."""
    for kind in ("det", "rec"):
        if not any(folder.glob(f"*{kind}*.onnx")):
            raise MissingDependency(
                f"RapidOCR's {kind} model is missing from {folder}: pip install --force-reinstall rapidocr"
            )


def _model(name: str) -> Any:
    engine = _engine()
    model = getattr(engine, name)
    if model is None:
        getattr(engine, f"_load_{name.removeprefix('text_')}_model")()
        model = getattr(engine, name)
    return model


def detect(pixels: NDArray[np.uint8]) -> list[tuple[float, float, float, float]]:
    """Boxes (left, top, right, bottom) of text lines on an RGB picture, (H, W, 3) uint8."""
    with _lock:
        result = _model("text_det")(np.ascontiguousarray(pixels[:, :, ::-1]))
    if result.boxes is None:
        return []
    corners = np.asarray(result.boxes, float)
    low, high = corners.min(axis=1), corners.max(axis=1)
    return [(*map(float, a), *map(float, b)) for a, b in zip(low, high, strict=True)]  # type: ignore[misc]


def recognise(crops: Sequence[NDArray[np.uint8]]) -> list[str]:
    """What each RGB crop says, "" where the engine is not sure."""
    if not crops:
        return []
    from rapidocr.ch_ppocr_rec import TextRecInput

    with _lock:
        result = _model("text_rec")(TextRecInput(img=[np.ascontiguousarray(crop[:, :, ::-1]) for crop in crops]))
    return [text if score >= MIN_SCORE else "" for text, score in zip(result.txts, result.scores, strict=True)]
