"""Front matter: quoted scalars are read as YAML 1.2.2 (5.7, 7.3) says; formats that are only read refuse a change."""

from __future__ import annotations

import importlib
import json

import pytest

from labeling import LabelingError, containers
from labeling.containers import Changes

from .battery import PACKET


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r'"plain"', "plain"),
        (r'"a \"quoted\" word"', 'a "quoted" word'),
        (r'"back\\slash and \/"', "back\\slash and /"),
        (r'"tab\tand line\n"', "tab\tand line\n"),
        (r'"\u4eba\x41"', "人A"),
        (r'"half \ud800 of a pair"', "half \ufffd of a pair"),
        ("'it''s'", "it's"),
        ("~", ""),
        ("word  # comment", "word"),
    ],
)
def test_scalars_are_read_as_yaml_has_them(written: str, meant: str) -> None:
    page = f"---\nAIGC:\n  Label: '1'\n  ProduceID: {written}\n---\ntext\n"
    (block,) = [block for block in containers.read(page.encode()).blocks if block.keyword == "AIGC"]
    assert json.loads(block.data)["ProduceID"] == meant


@pytest.mark.parametrize("name", ["jxl", "markdown", "pdf.metadata", "svg"])
def test_a_format_that_is_only_read_says_so(name: str) -> None:
    module = importlib.import_module(f"labeling.containers.{name}")
    contents = containers.read(b"---\ntitle: x\n---\ntext\n")
    with pytest.raises(LabelingError, match="read but not yet written"):
        module.rewrite(b"", contents, Changes(xmp=PACKET))
