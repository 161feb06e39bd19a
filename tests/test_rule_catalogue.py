"""One catalogue of rules: whatever the code reports has a row, and every row is reported by some code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling.findings import MARKS, Severity
from labeling.rule_catalogue import RETIRED, RULES, defect, required_mark, rule_named
from labeling.rules import PROFILES, Check

ROOT = Path(__file__).resolve().parent.parent
RULE_ID = re.compile(
    r"(?:CN|EU|US-CA|US-WA|IN|KR|PLATFORM|PROFILE|MARKS|C2PA|IPTC|XMP|EXIF|FILE|CUSTOM)(?:-[A-Z0-9]+)+\Z"
)


def constants(folder: str) -> Iterator[str]:
    """Every string constant of the code outside the catalogue."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        if "rule_catalogue" not in path.parts:
            nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            yield from (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def literals(folder: str) -> Iterator[str]:
    """Every string constant outside the catalogue that looks like a rule id."""
    return filter(RULE_ID.match, constants(folder))


def test_every_rule_of_the_code_has_a_row_and_every_row_is_used() -> None:
    used = {check.rule for profile in PROFILES.values() for check in profile.every_check} | set(literals("labeling"))
    used |= {required_mark(kind) for kind in MARKS}
    assert len(used) > 40
    assert used - set(RULES) == set(), "give the rule a row in labeling/rule_catalogue"
    assert set(RULES) - used == set(), "labeling/rule_catalogue has rows that no code uses"
    assert set(literals("cli")) <= set(RULES)


def test_no_id_of_a_rule_that_was_removed_is_used_again() -> None:
    assert RETIRED
    assert not RETIRED.keys() & RULES.keys()
    assert not RETIRED.keys() & (set(literals("labeling")) | set(literals("cli")))


def test_every_rule_has_its_sentence_in_both_languages() -> None:
    for name, rule in RULES.items():
        assert rule.id == name
        assert RULE_ID.match(name)
        assert rule.clause
        assert rule.english.isascii()
        assert rule.english.endswith(".")
        for chinese in filter(None, (rule.chinese, rule.chinese_warning)):
            assert re.search(r"[\u4e00-\u9fff]", chinese)
            assert chinese.endswith("。")
        assert rule.sentence("zh") == rule.chinese != rule.sentence("en")


def test_a_defect_takes_clause_and_severity_from_its_row() -> None:
    made = defect("CN-IMPLICIT-ORDER", "the keys are not in the standard's order")
    assert (made.clause, made.severity) == ("GB 45438-2025 Annex E", Severity.WARNING)
    assert defect("FILE-PIXELS", "", clause="GB 45438-2025 5.4").clause == "GB 45438-2025 5.4"
    assert defect("C2PA-NO-SOURCE-TYPE", "").severity is Severity.ERROR
    assert defect("C2PA-NO-SOURCE-TYPE", "", severity=Severity.WARNING).severity is Severity.WARNING


def test_a_rule_without_a_row_is_refused_where_it_is_named() -> None:
    for make in (lambda: rule_named("CN-NEW"), lambda: defect("CN-NEW", ""), lambda: Check("CN-NEW", lambda _: None)):
        with pytest.raises(KeyError, match="CN-NEW"):
            make()


def test_a_clause_or_severity_that_the_row_does_not_give_is_refused() -> None:
    with pytest.raises(ValueError, match="CN-IMPLICIT-ORDER"):
        defect("CN-IMPLICIT-ORDER", "", severity=Severity.ERROR)
    with pytest.raises(ValueError, match="Annex Z"):
        defect("CN-IMPLICIT-ORDER", "", clause="GB 45438-2025 Annex Z")


def test_no_clause_of_a_rule_is_written_where_the_rule_is_used() -> None:
    picked = {clause for rule in RULES.values() if rule.other_clauses for clause in rule.clauses}  # by the call
    clauses = {rule.clause for rule in RULES.values()} - picked
    notices = {"Labelling Measures Art. 6"}  # platforms' notices cite the article and its items
    written = {text for folder in ("marks", "rules", "verification") for text in constants(f"labeling/{folder}")}
    assert written & clauses <= notices


def test_explicit_labels_are_cited_by_medium_and_nothing_cites_what_does_not_exist() -> None:
    sections = {"image": "5.2", "video": "5.4", "audio": "5.3", "text": "5.1"}
    for name in ("CN-VISIBLE-MISSING", "CN-VISIBLE-WORDING", "FILE-PIXELS", "FILE-DECODER"):
        for medium, section in sections.items():
            assert RULES[name].clause_for(medium).endswith(f"GB 45438-2025 {section}"), (name, medium)
    assert RULES["CN-VISIBLE-MISSING"].clause_for("video").startswith("Labelling Measures Art. 4; ")
    assert RULES["CN-IMPLICIT-JSON"].clause_for("video") == "GB 45438-2025 Annex E"
    assert not [clause for rule in RULES.values() for clause in rule.clauses if "45438-2025 4.1" in clause]
