"""The reader over labelled and unlabelled pictures of every style, with the thresholds of the full benchmark."""

from __future__ import annotations

import itertools
import statistics

from benchmarks import visible_set
from benchmarks.visible import Reading, read

COUNT = 60


def test_labels_of_every_style_are_found_and_measured() -> None:
    examples = list(visible_set.labelled(COUNT, small=True))
    assert {name.split()[1].split("/")[0] for name in (e.name for e in examples)} == set(visible_set.STYLES)
    reading = read(examples)
    assert reading.count == COUNT
    assert len(reading.missed) <= 1, reading.missed
    wrong = {name: round(error, 3) for name, error in reading.errors.items() if abs(error) > 0.1}
    assert len(wrong) <= 0.03 * COUNT, wrong
    assert abs(statistics.median(reading.errors.values())) < 0.03


def test_pictures_full_of_text_are_not_labelled() -> None:
    examples = list(visible_set.unlabelled(COUNT, small=True))
    kinds = {name.split()[1] for name in (e.name for e in examples)}
    assert {"poster", "screenshot", "document", "sign", "subtitle", "chat"} <= kinds
    assert read(examples).false == []


def test_the_sets_are_the_same_each_time() -> None:
    for make in (visible_set.labelled, visible_set.unlabelled):
        one, other = ([*itertools.islice(make(4, small=True), 4)] for _ in range(2))
        assert [e.name for e in one] == [e.name for e in other]
        assert all((a.pixels == b.pixels).all() for a, b in zip(one, other, strict=True))


def test_a_reading_counts_what_went_wrong() -> None:
    reading = Reading(4, ["a"], ["b"], {"c": 0.02, "d": -0.2})
    assert (reading.recall, reading.within) == (0.75, 0.5)
