"""The JSON form of every report is what docs/report.schema.json says: for real files, for wild variants, for none."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from PIL import Image

import labeling
from labeling import Labeler, LabelingError
from labeling.findings import KINDS
from labeling.reports import render
from labeling.rules import PROFILES
from labeling.verification.report import SCHEMA_VERSION, Report

from .test_bad_input import PRODUCER
from .test_cases import names
from .test_wild_variants import ROWS

ROOT = Path(__file__).resolve().parent.parent
STRANGERS = ROOT.parent / "shared" / "strangers"
SCHEMA: dict[str, Any] = json.loads((ROOT / "docs/report.schema.json").read_text(encoding="utf-8"))
ALL = tuple(PROFILES)
CASES = names(
    *("1_aigc_cn", "1b_aigc_near_miss", "2_c2pa", "3_iptc_dst", "5_ordinary", "6_corrupt", "7_text"), without=()
)


def violations(*reports: Report) -> list[str]:
    """What is wrong with the reports by the schema, in both forms."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    array = jsonschema.Draft202012Validator(SCHEMA | {"$ref": "#/$defs/reports"})
    found = [error.message for error in array.iter_errors(json.loads(render("json", reports)))]
    for line in render("jsonl", reports).splitlines():
        found += [error.message for error in validator.iter_errors(json.loads(line))]
    return found


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$defs"]["report"]["properties"]["version"]["const"] == SCHEMA_VERSION == "1"
    assert SCHEMA["$defs"]["finding"]["properties"]["mark"]["enum"] == list(KINDS)


@pytest.mark.parametrize("name", CASES)
def test_every_case(name: str, cases: Path) -> None:
    try:
        report = labeling.verify(cases / name, ALL, visible=False)
    except LabelingError:
        assert name.startswith("6_corrupt")
        return
    assert violations(report) == []


@pytest.mark.skipif(not STRANGERS.is_dir(), reason=f"the strangers' pictures are not here ({STRANGERS})")
def test_every_stranger_and_some_with_their_visible_label() -> None:
    paths = [path for path in sorted(STRANGERS.iterdir()) if path.suffix not in (".json", ".md")]
    assert paths
    reports = [labeling.verify(path, ALL, visible=number % 9 == 0) for number, path in enumerate(paths)]
    assert violations(*reports) == []


@pytest.mark.parametrize("name", ROWS)
def test_every_variant(name: str) -> None:
    assert violations(labeling.verify(ROWS[name].data, ALL, visible=False)) == []


def test_a_labelled_picture_an_unlabelled_one_and_what_cannot_be_read(tmp_path: Path) -> None:
    plain, labelled, broken = (tmp_path / name for name in ("plain.png", "labelled.png", "broken.png"))
    Image.linear_gradient("L").resize((480, 320)).convert("RGB").save(plain)
    done = Labeler(producer=PRODUCER).label_file(plain, labelled)
    broken.write_bytes(plain.read_bytes()[:60])
    custom = tmp_path / "desk.toml"
    custom.write_text('extends = "cn"\nrequire = ["c2pa", "watermark"]\ntrusted = true\n')
    profiles = (*ALL, str(custom))
    reports = [labeling.verify(path, profiles) for path in (plain, labelled, broken)]
    reports += [labeling.verify(b"no picture", profiles), labeling.verify(Image.open(plain), profiles)]
    assert not reports[3].readable
    assert violations(done.report, *reports, labeling.verify(labelled, "platform", declared_ai=True)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"version": "2"},
        {"extra": 1},
        {"origin": "unknown"},
        {"problems": []},
        {"marks": [{"mark": "aigc", "status": "present", "defects": []}]},
        {"marks": [{"mark": "colour", "status": "absent", "defects": []}]},
        {"verdicts": {"cn": {"verdict": "compliant", "failed": []}}},
        {"verdicts": {"cn": {"verdict": "fine", "failed": [], "warnings": []}}},
    ],
)
def test_the_schema_refuses_what_is_no_report(change: dict[str, Any]) -> None:
    sound = labeling.verify(ROWS["B PDF Info"].data, visible=False).to_dict()
    validator = jsonschema.Draft202012Validator(SCHEMA)
    assert validator.is_valid(sound)
    assert list(sound)[:2] == ["version", "path"]
    assert not validator.is_valid(copy.deepcopy(sound) | change)
