"""No regular expression takes time that grows faster than what it is given, and none is left out of this test."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from labeling.batch.listing import glob_expression
from labeling.codecs.video import pixel_formats
from labeling.marks import generator
from labeling.marks.wording import vendors
from labeling.options import LabelerOptions, Style, VideoOptions
from labeling.options.conversion import ConversionOptions
from labeling.options.declare import options_of
from labeling.reports import messages

from . import regexes

Patterns = Iterable[re.Pattern[Any]]
_FLAGS = re.IGNORECASE | re.DOTALL


def _globs() -> Patterns:
    found = (glob_expression(each) for each in (["*.png", "a*b/*.jp?g"], ["*[!a-c]*.*"], ["*a*a*a*a*b"]))
    return [each for each in found if each is not None]


def _declared() -> Patterns:
    tables = (LabelerOptions, Style, VideoOptions, ConversionOptions)
    return [re.compile(each.pattern) for table in tables for each in options_of(table).values() if each.pattern]


def _forms() -> Patterns:
    """Return the patterns that the redaction of reports gives to ``form``."""
    tree = ast.parse((regexes.ROOT / "labeling/verification/redaction.py").read_text())
    calls = [each for each in ast.walk(tree) if isinstance(each, ast.Call) and ast.unparse(each.func) == "form"]
    return [re.compile(ast.literal_eval(each.args[0]), re.ASCII) for each in calls]


RUN_TIME: dict[str, Patterns] = {
    "labeling/batch/listing.py: '|'.join(parts)": _globs(),
    "labeling/codecs/video/pixel_formats.py: pattern": [re.compile(each) for each, _ in pixel_formats._FORMS],
    "labeling/marks/generator.py: pattern": [
        re.compile(each, _FLAGS) for trace in generator.TRACES for each in (trace.pattern, trace.also) if each
    ],
    "labeling/marks/wording/vendors.py: '|'.join(parts)": [vendors.pattern()],
    "labeling/options/declare.py: self.pattern": _declared(),
    "labeling/reports/messages.py: pattern": [each for each, _ in messages._CLAUSES],
    "labeling/verification/_harmless.py: pattern": _forms(),
}
"""Patterns that are only known when the code runs, by the place where it compiles them."""

FOUND = regexes.everywhere()


def test_every_pattern_is_known() -> None:
    assert len(FOUND) > 80
    missing = {each.place for each in FOUND if each.pattern is None}
    assert missing == RUN_TIME.keys(), "say in RUN_TIME which patterns a new place compiles"
    assert all(RUN_TIME.values())


def _slow(pattern: re.Pattern[Any], uses: Iterable[str]) -> Iterator[tuple[str, float, tuple[str, str, str]]]:
    return (
        (use, round(growth, 1), attack)
        for use in sorted(uses)
        for attack in regexes.attacks(pattern)
        if (growth := regexes.grows(regexes.runner(pattern, use), *attack)) >= regexes.FACTOR
    )


@pytest.mark.parametrize("found", [each for each in FOUND if each.pattern], ids=lambda each: each.place[:80])
def test_a_pattern_takes_no_longer_than_its_text_is_long(found: regexes.Found) -> None:
    assert found.pattern is not None
    assert next(_slow(found.pattern, found.uses), None) is None


@pytest.mark.parametrize("place", RUN_TIME)
def test_patterns_made_when_the_code_runs_take_no_longer_than_their_text(place: str) -> None:
    uses = {"listing": "match", "pixel_formats": "fullmatch", "declare": "fullmatch", "_harmless": "fullmatch"}
    use = next((each for name, each in uses.items() if name in place), "search")
    for pattern in RUN_TIME[place]:
        assert next(_slow(pattern, [use]), None) is None, pattern.pattern


@pytest.mark.parametrize(
    ("pattern", "use"),
    [
        (r"a+b", "search"), (r"\s*x?\s*\Z", "match"), (r"(?P<head>.*?)AI", "search"), (rb"[^=/]+=", "finditer"),
        (r"<[^<>]*:Name[^<>]*>", "search"), (r"[ \t]+$", "sub"),
    ],
)  # fmt: skip
def test_patterns_that_start_again_at_every_place_are_found(pattern: Any, use: str) -> None:
    assert next(_slow(re.compile(pattern), [use]), None) is not None
