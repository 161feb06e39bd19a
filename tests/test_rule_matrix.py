"""Every rule × every medium × pass or fail: a file each, judged by all profiles, or the reason why there is none."""

from __future__ import annotations

import json
import os
import re
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import labeling
from labeling.marks.credentials import Trust
from labeling.rule_catalogue import RULES
from labeling.rules import PROFILES
from labeling.verification.report import Report

from .rule_makers import clock, made, top
from .rule_matrix import CASES, MEDIA, Case, figures, why_not

ROOT = Path(__file__).resolve().parent.parent
SPEC = Path(os.environ.get("AIGC_SPEC", ROOT.parent / "shared" / "docs" / "spec.md"))

DESK = """
name = "desk"
require = ["aigc", "visible", "c2pa", "iptc", "exif", "generator", "watermark"]
trusted = true
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("matrix")
    (path / "desk.toml").write_text(DESK)
    return path


@cache
def _file(name: str, medium: str) -> bytes:
    return made(name, medium)


@cache
def _judged(name: str, medium: str, told: str, folder: Path) -> Report:
    options: dict[str, Any] = json.loads(told)
    profiles = [*PROFILES, *([str(folder / "desk.toml")] if options.pop("desk", False) else [])]
    if options.pop("trust", None):
        options["trust"] = Trust(top().pem, tsa_pem=clock()[1].pem)
    if "as_of" in options:
        options["as_of"] = date.fromisoformat(options["as_of"])
    source: Any = _file(name, medium)
    if file_name := options.pop("name", ""):
        source = folder / file_name
        source.write_bytes(_file(name, medium))
    return labeling.verify(source, profiles, **({"visible": False} | options))


def rules(report: Report, of: str) -> set[str]:
    """The rules that verdicts name; those on a Chinese label are China's."""
    verdicts = [report.verdicts["cn"]] if of.startswith("CN-") else report.verdicts.values()
    return {each.rule for verdict in verdicts for each in (*verdict.failed, *verdict.warnings)}


def _has_cells(case: Case, medium: str) -> bool:
    return not (why_not(case, medium, "fail") and why_not(case, medium, "pass"))


CELLS = [(case, medium) for case in CASES for medium in MEDIA if _has_cells(case, medium)]


@pytest.mark.parametrize(("case", "medium"), CELLS, ids=[f"{case.rule}-{medium}" for case, medium in CELLS])
def test_a_file_that_breaks_the_rule_is_told_and_one_that_keeps_it_is_not(
    case: Case, medium: str, folder: Path
) -> None:
    if not why_not(case, medium, "fail"):
        options = dict(case.options) | ({"name": case.name} if case.name else {})
        report = _judged(case.broken, medium, json.dumps(options), folder)
        assert case.rule in rules(report, case.rule)
        for verdict in report.verdicts.values():
            for each in (*verdict.failed, *verdict.warnings):
                assert each.clause in RULES[each.rule].clauses
            own = [each for each in verdict.failed if each.rule == case.rule]
            assert not own or str(verdict.outcome) == "noncompliant"
    if not why_not(case, medium, "pass"):
        kept = case.options if case.kept_options is None else case.kept_options
        assert case.rule not in rules(_judged(case.kept, medium, json.dumps(dict(kept)), folder), case.rule)


def test_every_rule_has_its_cells_and_every_cell_a_file_or_a_reason() -> None:
    assert [case.rule for case in CASES if case.rule not in RULES] == []
    assert set(RULES) - {case.rule for case in CASES} == set(), "give the rule a row in tests/rule_matrix.py"
    assert len({case.rule for case in CASES}) == len(CASES)
    cells, made_here, impossible = figures()
    assert cells == len(CASES) * len(MEDIA) * 2 == made_here + impossible
    assert made_here > 2 * impossible


def test_no_file_is_judged_otherwise_in_another_order_of_profiles(folder: Path) -> None:
    names = list(PROFILES)
    for name, medium in (("good", "video"), ("changed", "audio"), ("camera", "image")):
        told = _judged(name, medium, "{}", folder).verdicts
        assert labeling.verify(_file(name, medium), names[::-1], visible=False).verdicts == told
        for each in names:
            assert labeling.verify(_file(name, medium), each, visible=False).verdicts[each] == told[each]
    seen = _judged("english", "image", '{"visible": true}', folder).verdicts
    assert labeling.verify(_file("english", "image"), names[::-1]).verdicts == seen


# --- the clauses ------------------------------------------------------------------------------------------------------

LAWS: tuple[tuple[str, str], ...] = (
    (r"Labelling Measures Art\. (\d+)", r"Labelling Measures .*\b{0}:"),
    (r"GB 45438-2025 (5\.\d)", r"\b{0}\b"),
    (r"GB 45438-2025 (6\.1)", r"\b{0}\b"),
    (r"GB 45438-2025 Annex (E)", r"Annex {0}"),
    (r"TC260-PG-(\w+)", r"{0}"),
    (r"AI Act Art\. (50)", r"AI Act Art\. {0}"),
    (r"(Code of Practice)", r"{0}"),
    (r"Cal\. Bus\. & Prof\. Code 22757\.3\(a\)\(1\)(\([A-E]\))", r"22757\.3\(a\)\(1\).*{0}"),
    (r"Cal\. Bus\. & Prof\. Code 22757\.3(\(a\)\([24]\))", r"{0}:"),
    (r"Washington (HB 1170)", r"Washington {0}"),
    (r"(G\.S\.R\. 120\(E\))", r"G\.S\.R\. 120\(E\)"),
    (r"AI Basic Act Art\. (31)", r"AI Basic Act Art\. {0}"),
)
"""How a law is cited in the catalogue, and what the specification must then have."""

OTHER_SOURCES = ("C2PA", "IPTC", "ISO", "XMP", "RFC", "the file format", "this verification", "the custom profile")


def clauses() -> list[str]:
    return sorted({part for rule in RULES.values() for clause in rule.clauses for part in clause.split("; ")})


def test_every_clause_is_cited_in_a_way_that_is_known() -> None:
    for clause in clauses():
        known = any(re.search(pattern, clause) for pattern, _ in LAWS) or clause.startswith(OTHER_SOURCES)
        assert known, clause


def test_the_specification_has_every_clause_that_is_cited() -> None:
    if not SPEC.is_file():
        pytest.skip(f"the specification is not here ({SPEC}); set AIGC_SPEC to its path")
    text = " ".join(SPEC.read_text(encoding="utf-8").split())
    for clause in clauses():
        for pattern, needle in LAWS:
            if found := re.search(pattern, clause):
                assert re.search(needle.replace("{0}", re.escape(found[1])), text), clause
