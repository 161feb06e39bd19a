"""Files of strangers, judged whole: what MANIFEST.json says of each beside them is what verification says.

Their manifests' signatures are in marks/test_credentials_answers.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import labeling
from labeling.findings import Status

FOLDER = Path(__file__).resolve().parent.parent.parent / "shared" / "strangers"

TOOLS = {
    "comfy": "ComfyUI", "sdp_automatic1111": "Stable Diffusion web UI", "sdp_img2img": "ComfyUI",
    "sdp_unclip": "ComfyUI", "sdp_fooocus": "Fooocus", "sdp_invokeai": "InvokeAI",
}  # fmt: skip


def strangers() -> list[dict[str, Any]]:
    if not FOLDER.is_dir():
        return []
    found: list[dict[str, Any]] = json.loads((FOLDER / "MANIFEST.json").read_text(encoding="utf-8"))["cases"]
    return found


def made_by(case: dict[str, Any]) -> str:
    """The tool whose parameters are in the file, or nothing."""
    if "ComfyUI graph" not in case["truth"] and "generator parameters" not in case["truth"]:
        return ""
    return next(tool for head, tool in TOOLS.items() if case["file"].startswith(head))


@pytest.mark.skipif(not strangers(), reason=f"the strangers' files are not here ({FOLDER})")
@pytest.mark.parametrize("case", strangers(), ids=lambda case: str(case["file"]))
def test_what_a_stranger_s_file_is(case: dict[str, Any]) -> None:
    report = labeling.verify(FOLDER / case["file"])
    assert report.readable
    visible = report.find("visible")
    assert visible is not None
    assert visible.status is (Status.UNREADABLE if case["file"].endswith(".m4a") else Status.ABSENT)  # speech
    traces = {each.value["generator"] for each in report.findings if each.kind == "generator"}
    tool = made_by(case)
    if tool:
        assert (tool in traces, report.origin) == (True, "suspected")
    elif case["truth"].startswith(("C2PA Google", "C2PA OpenAI", "as hum_lady")):
        assert report.origin == "suspected"
    else:
        assert report.origin == "none"
