"""Labels as real video and audio files carry them, written by FFmpeg: every form is found and judged correctly."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

import labeling
from labeling.findings import Status

DOUBAO = "001191110102MACQD9K64010000"
KLING = "001191110108335469089C10100"
SEVEN = {
    "Label": "1", "ContentProducer": DOUBAO, "ProduceID": "a-1", "ReservedCode1": "",
    "ContentPropagator": DOUBAO, "PropagateID": "a-1", "ReservedCode2": "",
}  # fmt: skip
FOUR = {key: SEVEN[key] for key in ("Label", "ContentProducer", "ProduceID", "ReservedCode1")}
NULLS = SEVEN | {"ContentProducer": KLING, "ContentPropagator": KLING, "ReservedCode1": None, "ReservedCode2": None}
SHUFFLED = {key: SEVEN[key] for key in ("Label", "ContentProducer", "ContentPropagator", "ProduceID", "PropagateID",
                                        "ReservedCode1", "ReservedCode2")}  # fmt: skip

FORMS = [
    ("A3 Doubao, four fields", "mp4", "AIGC", json.dumps(FOUR), Status.DEFECTIVE, {"CN-IMPLICIT-KEYS"}),
    ("A8 Kling, null values", "mp4", "AIGC", json.dumps(NULLS), Status.DEFECTIVE, {"CN-IMPLICIT-STRINGS"}),
    ("A9 Vidu, another order", "mp4", "AIGC", json.dumps(SHUFFLED), Status.PRESENT, set()),
    ("A10 Wan, line feeds", "mp4", "AIGC", json.dumps(SEVEN, indent=0), Status.PRESENT, set()),
    ("B Volcengine, three fields", "mp4", "AIGC", json.dumps({k: SEVEN[k] for k in list(SEVEN)[:3]}),
     Status.DEFECTIVE, {"CN-IMPLICIT-KEYS"}),
    ("B TikTok, another key", "mp4", "AigcInfo", json.dumps(SEVEN), Status.PRESENT, set()),
    ("B MiniMax, lower case and wrapped", "mp3", "aigc", json.dumps({"aigc": SEVEN}), Status.PRESENT, set()),
    ("encoded twice", "mkv", "AIGC", json.dumps(json.dumps(SEVEN)), Status.DEFECTIVE, {"CN-IMPLICIT-TWICE"}),
    ("Python's repr", "flac", "AIGC", repr(SEVEN), Status.DEFECTIVE, {"CN-IMPLICIT-JSON"}),
    ("bare seven keys", "webm", "aigc", json.dumps(SEVEN), Status.PRESENT, set()),
    ("bare seven keys", "ogg", "AIGC", json.dumps(SEVEN), Status.PRESENT, set()),
    ("bare seven keys", "opus", "Aigc", json.dumps(SEVEN), Status.PRESENT, set()),
]  # fmt: skip


def made(path: Path, key: str, value: str) -> Path:
    video = path.suffix in (".mp4", ".mkv", ".webm")
    source = "testsrc2=s=64x64:r=10:d=1" if video else "sine=d=1:r=48000"
    options = ["-movflags", "use_metadata_tags"] if path.suffix == ".mp4" else []
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, *options, "-metadata", f"{key}={value}"]
    subprocess.run([*command, str(path)], check=True)
    return path


@pytest.mark.parametrize(
    ("name", "form", "key", "value", "status", "rules"), FORMS, ids=[f"{form[0]} {form[1]}" for form in FORMS]
)
def test_every_form_is_found_and_judged(
    name: str, form: str, key: str, value: str, status: Status, rules: set[str], tmp_path: Path
) -> None:
    report = labeling.verify(made(tmp_path / f"video.{form}", key, value), visible=False)
    found = [finding for finding in report.findings if finding.kind == "aigc"]
    assert [finding.status for finding in found] == [status], report.to_dict()
    assert report.origin == "confirmed"
    said = json.dumps(found[0].value)
    assert KLING in said or DOUBAO in said
    assert rules <= {defect.rule for defect in found[0].defects}


def test_what_only_speaks_of_the_standard_is_no_label(tmp_path: Path) -> None:
    comment = "Skylark Agent 2.0 task_id=1 | AIGC GB/T 45438-2025 | mastered for the web"
    report = labeling.verify(made(tmp_path / "video.mp4", "comment", comment), visible=False)
    assert next(finding for finding in report.findings if finding.kind == "aigc").status is Status.ABSENT
    assert report.origin != "confirmed"
