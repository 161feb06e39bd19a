"""Counters of a batch run: exact sums in memory that does not grow with the number of files."""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.batch._bounded import Counts, Histogram, Timeline
from labeling.batch.summary import Summary

from .batch_summaries import (
    stamp,
)


@given(st.lists(st.integers(0, 30), max_size=300), st.integers(2, 12))
def test_bounded_counts_add_up_and_are_never_too_high(keys: list[int], limit: int) -> None:
    counts: Counts[int] = Counts(limit)
    for key in keys:
        counts.add(key)
    truth, kept = Counter(keys), counts.most(limit)
    assert len(kept) <= limit
    assert sum(row.count for _, row in kept) + counts.others == len(keys)
    assert all(row.count <= truth[key] for key, row in kept)
    assert counts.beyond(1) == len(keys) - sum(row.count for _, row in kept[:1])
    if len(truth) <= limit:
        assert dict(truth) == {key: row.count for key, row in kept}


@settings(max_examples=300)
@given(st.lists(st.floats(1e-4, 9e5), min_size=1, max_size=200), st.sampled_from([0.01, 0.25, 0.5, 0.9, 0.99, 1.0]))
def test_quantiles_are_numpy_s_within_a_cell(values: list[float], share: float) -> None:
    histogram = Histogram(-4, 6)
    for value in values:
        histogram.add(value)
    estimate = histogram.quantile(share)
    truth = float(np.quantile(values, share, method="inverted_cdf"))
    assert estimate == pytest.approx(truth, rel=0.025)
    assert estimate is not None
    assert min(values) <= estimate <= max(values)


@given(st.lists(st.integers(0, 10**15 - 1), min_size=1, max_size=200))
def test_columns_are_numpy_s_histogram(values: list[int]) -> None:
    histogram = Histogram(0, 15)
    for value in values:
        histogram.add(value)
    columns = histogram.columns()
    edges = [columns[0][0], *(high for _, high, _ in columns)]
    if not np.isfinite(edges[-1]):
        edges[-1] = 1e30
    assert [number for _, _, number in columns] == list(np.histogram(values, edges)[0])
    assert sum(number for _, _, number in columns) == len(values)
    assert len(columns) >= 6


def test_values_beyond_the_range_are_counted_at_its_ends() -> None:
    histogram = Histogram(-4, 6)
    for value in (0.0, 1e-9, 5e7):
        histogram.add(value)
    assert [number for _, _, number in histogram.columns() if number] == [2, 1]
    assert histogram.quantile(1) == 5e7
    assert Histogram(0, 3).quantile(0.5) is None


@given(st.lists(st.tuples(st.floats(0, 1e10), st.integers(0, 10**9)), min_size=1, max_size=100))
def test_the_time_line_is_short_and_loses_nothing_in_any_order(moments: list[tuple[float, int]]) -> None:
    timeline = Timeline(limit=20)
    for moment, size in moments:
        timeline.add(moment, size)
    found = timeline.to_dict()
    files, sizes, interval = found["files"], found["bytes"], found["interval"]
    assert isinstance(files, list)
    assert isinstance(sizes, list)
    assert isinstance(interval, float)
    assert 1 <= len(files) <= 20
    assert sum(sizes) == sum(size for _, size in moments)
    first = min(int(moment // interval) for moment, _ in moments)
    assert files == list(np.bincount([int(moment // interval) - first for moment, _ in moments]))


def unlike(number: int) -> Iterator[dict[str, Any]]:
    """Lines that have nothing in common, which is the worst there is for tables of names: 1500, then every tenth."""
    plain = {"path": "p", "status": "verified", "attempts": 1, "seconds": 0.01, "time": stamp(0), "size": 5000}
    for index in range(number):
        if index >= 1500 and index % 10:
            yield plain
            continue
        name = np.base_repr(index + 10**9, 36).translate(str.maketrans("0123456789", "ghijklmnop"))
        verdict = {"verdict": f"v{name}", "failed": [f"F-{name}"], "warnings": [f"W-{name}"]}
        yield {
            "path": f"{name}/{name}.jpg", "status": f"s{name}", "attempts": 1, "seconds": 1e-4 * 1.0001**index % 1e5,
            "time": stamp(index * 3.7), "size": index**3, "media_type": f"image/{name}", "output_size": index,
            "how": [f"how {name}"], "lost": [{"what": f"chunk {name}", "where": "", "why": name}],
            "origin": name, "verdicts": {f"p{name}": verdict},
            "error": {"kind": f"K{name}", "message": f"{name}.jpg: fault {name}"},
        }  # fmt: skip


def held(number: int) -> int:
    """Return the bytes that a summary holds after this number of lines."""
    gc.collect()
    tracemalloc.start()
    try:
        sums = Summary("verify", ["cn"])
        for line in unlike(number):
            sums.add(line)
        del line
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_files() -> None:
    few, many = held(2000), held(200_000)
    assert many < 1.3 * few
    assert many < 4_000_000
