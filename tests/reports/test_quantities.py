"""Numbers as people read them: time spans, sizes, shares and the ticks of an axis."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.reports import quantities


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"), (0.0004, "0.4 ms"), (0.01274, "12.7 ms"), (0.9999, "1 s"), (1, "1 s"), (12.84, "12.8 s"),
        (59.99, "1 min"), (125, "2 min 5 s"), (3599.9, "1 h"), (3600, "1 h"), (11520, "3 h 12 min"),
        (86399, "1 d"), (187200, "2 d 4 h"), (86400 * 1200, "1,200 d"),
    ],
)  # fmt: skip
def test_durations(seconds: float, said: str) -> None:
    assert quantities.duration(seconds) == said


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1536, "1.54 kB"),
        (999_900, "1 MB"),
        (32.9e9, "32.9 GB"),
        (5e15, "5000 TB"),
    ],
)
def test_sizes(size: float, said: str) -> None:
    assert quantities.size(size) == said


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_a_share_is_never_said_to_be_nothing_or_all_if_it_is_not(part: int, rest: int) -> None:
    said = quantities.share(part, part + rest)
    assert (said == "0 %") is (part == 0)
    assert not re.match(r"100|0\.0", said)
    assert quantities.share(rest, rest) == "100 %"


@given(st.floats(1e-3, 1e12), st.booleans())
def test_ticks_reach_over_the_greatest_and_are_few(most: float, whole: bool) -> None:
    findings = quantities.ticks(most, whole=whole)
    assert findings[0] == 0
    assert findings[-1] >= most * (1 - 1e-6)
    assert 2 <= len(findings) <= 6
    assert not whole or all(finding == int(finding) for finding in findings)
    assert 1 <= len(quantities.time_ticks(most)) <= 7
