"""The files that the reports are about, and the reports on them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from labeling import Labeler, verify
from labeling.verification.report import Report

from ..test_bad_input import PRODUCER


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled picture, the same one unlabelled, and a broken one."""
    folder = tmp_path_factory.mktemp("desk")
    Image.linear_gradient("L").resize((900, 600)).convert("RGB").save(folder / "plain.png")
    Labeler(producer=PRODUCER).label_file(folder / "plain.png", folder / "labelled.png")
    (folder / "broken.png").write_bytes((folder / "plain.png").read_bytes()[:60])
    return folder


@pytest.fixture(scope="module")
def reports(desk: Path) -> list[Report]:
    return [verify(path, ["cn", "eu", "platform"]) for path in sorted(desk.iterdir())]
