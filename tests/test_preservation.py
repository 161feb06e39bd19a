"""What a source holds and its labelled copy does not is named: labeling/preservation."""

from __future__ import annotations

import pytest

from labeling.containers import Cost, Entry
from labeling.errors import WouldLose
from labeling.losses import Loss
from labeling.preservation import refuse
from labeling.preservation.comparison import MAX_LOSSES, losses_of, unmatched


def test_entries_of_one_key_are_a_bag() -> None:
    before = [Entry("chunk:NOTE", b"a", "chunk NOTE"), Entry("chunk:NOTE", b"b", "chunk NOTE")]
    assert unmatched(before, reversed(before)) == []
    assert unmatched(before, before[:1]) == [(before[1], "")]


def test_a_property_says_what_it_was_and_is() -> None:
    missing = unmatched([Entry("bit-depth", "10", "bit depth", "item 1")], [Entry("bit-depth", "8", "bit depth")])
    assert losses_of(missing, {}, (), "because") == (Loss("bit depth: 10 → 8", "item 1", "because"),)


def test_the_nearest_reason_is_given() -> None:
    missing = [(Entry("track:audio:aac", b"", "audio track"), "")]
    costs = (Cost("track", "tracks", "by the row"),)
    assert losses_of(missing, {"track:audio": "by the codec"}, costs, "")[0].why == "by the codec"
    assert losses_of(missing, {"track:text": "by the codec"}, costs, "")[0].why == "by the row"
    assert losses_of(missing, {"tr": "by the codec"}, (), "by default")[0].why == "by default"


def test_equal_losses_are_counted_and_their_number_is_bounded() -> None:
    same = [(Entry("chunk:NOTE", b"", "chunk NOTE"), "")] * 3
    assert losses_of(same, {}, (), "because")[0].what == "chunk NOTE (3 times)"
    many = [(Entry(f"chunk:{n}", b"", f"chunk {n}"), "") for n in range(1000)]
    found = losses_of(many, {}, (), "because")
    assert len(found) == MAX_LOSSES
    assert found[-1].what == f"{1000 - MAX_LOSSES + 1} further things"


def test_strict_refuses_and_names_every_loss() -> None:
    refuse([])
    with pytest.raises(WouldLose, match=r"chunk NOTE \(WebP\): because") as caught:
        refuse([Loss("chunk NOTE", "WebP", "because")])
    assert "leave `strict=True` out" in str(caught.value)
