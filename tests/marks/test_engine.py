"""The OCR engine: RapidOCR's networks without RapidOCR, loaded when they are needed, one crop at a time."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from packaging.requirements import Requirement
from PIL import Image, ImageDraw

import labeling
from labeling.marks.visible import engine
from labeling.marks.visible import font as fonts
from labeling.marks.visible.lines import Line
from labeling.marks.visible.page import in_block
from tests.pictures import rgb

ROOT = Path(__file__).resolve().parent.parent.parent

SAID = (
    "AI生成",
    "内容由AI生成，请注意甄别",
    "Generated with AI 2026",
    "a",
    "第一章　春天",
    "1,234.56 €",
    "人工智能合成图片",
)


def page(turn: float = 0.0) -> Image.Image:
    """Return a picture with texts of different sizes and lengths."""
    image = rgb(380, 300)
    drawing = ImageDraw.Draw(image)
    for row, text in enumerate(SAID):
        place = (10 + 23 * (row % 3), 6 + 41 * row)
        drawing.text(place, text, "white", fonts.face(None, 12 + 3 * row), stroke_width=2, stroke_fill="black")
    return image.rotate(turn, Image.Resampling.BICUBIC)


def crops(picture: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Return parts of a picture: wide, narrow, upright, empty of text, mirrored in memory."""
    rows = [picture[4 + 41 * row : 40 + 41 * row, : 200 + 25 * row] for row in range(7)]
    return [*rows, picture[:60, :20], picture[40:90, 100:140], rows[1][:, ::-1], np.rot90(rows[2])]


@pytest.fixture(scope="module")
def rapidocr() -> Any:
    """RapidOCR itself, set as the reader needs it: no scaling, one crop at a time, short ones not padded."""
    engine.recognise([np.zeros((48, 96, 3), np.uint8)])  # onnxruntime is imported as the library does it
    from rapidocr import RapidOCR

    params = {"Global.log_level": "critical", "Det.limit_type": "max", "Det.limit_side_len": 8192}
    params |= {"Rec.rec_img_shape": [3, 48, 48], "Rec.rec_batch_num": 1}
    made = RapidOCR(params=params | {"EngineConfig.onnxruntime.intra_op_num_threads": 1})
    made(np.zeros((64, 64, 3), np.uint8))  # loads its detector
    return made


@pytest.mark.parametrize("turn", [0, 4, 90, 200])
@pytest.mark.parametrize("size", [(380, 300), (600, 171), (250, 500)])
def test_the_same_boxes_as_rapidocr_finds(rapidocr: Any, size: tuple[int, int], turn: int) -> None:
    picture = np.asarray(page(turn).resize(size))
    theirs = rapidocr.text_det(np.ascontiguousarray(picture[:, :, ::-1])).boxes
    around = [] if theirs is None else [(*box.min(axis=0).tolist(), *box.max(axis=0).tolist()) for box in theirs]
    assert engine.detect(picture) == around
    assert len(around) > 2 or size == (600, 171)


@pytest.mark.parametrize("turn", [0, 4])
def test_the_same_texts_as_rapidocr_reads(rapidocr: Any, turn: int) -> None:
    parts = crops(np.asarray(page(turn)))
    theirs = rapidocr.recognize_txt([np.ascontiguousarray(part[:, :, ::-1]) for part in parts])
    sure = [text if score >= engine.MIN_SCORE else "" for text, score in zip(theirs.txts, theirs.scores, strict=True)]
    ours = engine.recognise(parts)
    assert [text for text, _ in ours] == sure
    assert [score for _, score in ours] == pytest.approx(theirs.scores, abs=2e-5)
    assert turn or "AI生成" in sure


def test_a_sliver_or_nothing_is_not_read() -> None:
    """Part of a band cut off by the border may be a row of pixels: as wide as the picture when it is made 48 high."""
    picture = np.asarray(rgb(400, 300))
    assert engine.recognise([picture[:1], picture[:0], picture[:, :0], picture[:8]]) == [("", 0.0)] * 4


@pytest.mark.parametrize(("texts", "block", "bands"), [(SAID[1:2] * 3, True, 1), (("", SAID[1], ""), False, 4)])
def test_a_block_is_known_from_the_first_line_beside_it(
    texts: tuple[str, ...], block: bool, bands: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Image.new("RGB", (360, 160), "white")
    for row, text in enumerate(texts):
        ImageDraw.Draw(image).text((20, 20 + 40 * row), text, "black", fonts.face(None, 24))
    read: list[int] = []
    recognise = engine.recognise

    def counted(crops: list[NDArray[np.uint8]]) -> list[tuple[str, float]]:
        read.append(len(crops))
        return recognise(crops)

    monkeypatch.setattr(engine, "recognise", counted)
    assert in_block(np.asarray(image), Line(18, 56, 340, 92)) is block
    assert read == [1] * bands


def test_the_networks_are_those_of_the_release_that_is_allowed() -> None:
    for name in engine.TESTED:
        assert engine.model(name).is_relative_to(Path(str(importlib.metadata.distribution("rapidocr").locate_file(""))))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [wanted] = [each for each in map(Requirement, project["dependencies"]) if each.name == "rapidocr"]
    assert wanted.specifier.contains(importlib.metadata.version("rapidocr"))
    assert not wanted.specifier.contains("3.11.0"), "test a new release before it is allowed"


@pytest.mark.parametrize(
    ("has", "said"),
    [
        ([], "RapidOCR's model PP-OCRv6_rec_small.onnx is missing from"),
        (["models/PP-OCRv6_rec_small.onnx"], "its PP-OCRv6_rec_small.onnx is not the one that was tested; pip install"),
    ],
)
def test_a_rapidocr_with_other_networks_is_refused_by_name(
    has: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("__init__.py", *has):
        path = tmp_path / "rapidocr" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("raise AssertionError('imported')")
    monkeypatch.delitem(sys.modules, "rapidocr", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    engine.model.cache_clear()
    with pytest.raises(labeling.MissingDependency, match=said):
        engine.model(engine.LETTERS)


def ran(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True, text=True, check=False, env=os.environ | environment,
    )  # fmt: skip


@pytest.mark.parametrize("missing", ["rapidocr", "onnxruntime"])
def test_without_an_engine_the_pip_line_is_given_and_no_visible_works(missing: str) -> None:
    program = f"""
        import sys
        sys.modules[{missing!r}] = None
        import io, labeling
        from PIL import Image
        out = io.BytesIO()
        Image.new("RGB", (64, 64)).save(out, "PNG")
        assert labeling.verify(out.getvalue(), visible=False).readable
        try:
            labeling.verify(out.getvalue())
        except labeling.LabelingError as error:
            print(type(error).__name__, error)
    """
    done = ran(program)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("MissingDependency ")
    assert "pip install rapidocr onnxruntime" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


LOADED = """
    import sys
    from labeling.marks.visible import engine, font, read_visible
    assert "onnxruntime" not in sys.modules
    import numpy as np
    import onnxruntime
    from PIL import Image, ImageDraw
    made, read, threads = [], [], set()
    class Counted(onnxruntime.InferenceSession):
        def __init__(self, path, options, **more):
            self.name = path.rpartition("/")[2]
            made.append(self.name)
            threads.add(options.intra_op_num_threads)
            super().__init__(path, options, **more)
        def run(self, names, values):
            if self.name == engine.LETTERS:
                read.append(next(iter(values.values())).shape[0])
            return super().run(names, values)
    onnxruntime.InferenceSession = Counted
    picture = Image.new("RGB", (320, 320), "gray")
    read_visible(np.asarray(picture))
    print(*made)
    ImageDraw.Draw(picture).text((200, 285), "AI生成", "white", font.face(None, 24))
    finding = read_visible(np.asarray(picture))
    assert finding.status == "present", finding
    print(*made[2:], set(read), threads)
    print(*sorted({name.partition(".")[0] for name in sys.modules} & {"rapidocr", "shapely", "omegaconf", "requests"}))
    print("numpy.ma" in sys.modules)
"""


@pytest.mark.parametrize("threads", ["", "3"])
def test_what_is_not_needed_is_not_loaded(threads: str) -> None:
    """Without text no recogniser, no RapidOCR at all, and one thread unless another number is asked for."""
    done = ran(LOADED, AIGC_LABEL_OCR_THREADS=threads, ORT_DISABLE_TELEMETRY="1", ORT_TELEMETRY_DISABLED="1")
    assert done.stderr == ""
    detectors, recogniser, others, masked = done.stdout.splitlines()
    assert detectors == f"{engine.DETECTOR.name} {engine.TEXTS}"
    assert recogniser == f"{engine.LETTERS} {{1}} {{{threads or 1}}}"
    assert (others, masked) == ("", "False")
