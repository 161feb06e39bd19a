"""What a source holds and its labelled copy does not is named: labeling/preservation."""

from __future__ import annotations

import pytest

from labeling import Labeler, containers
from labeling.containers import Cost, Entry, formats
from labeling.containers.base import MAX_ENTRIES, Measure
from labeling.containers.format_row import resolve
from labeling.errors import UnsupportedFormat, WouldLose
from labeling.losses import Loss
from labeling.preservation import refuse
from labeling.preservation.comparison import MAX_LOSSES, losses_of, unmatched

from .containers.battery import SAMPLES, Sample


def test_entries_of_one_key_are_a_bag() -> None:
    before = [Entry("chunk:NOTE", b"a", "chunk NOTE"), Entry("chunk:NOTE", b"b", "chunk NOTE")]
    assert unmatched(before, reversed(before)) == []
    assert unmatched(before, before[:1]) == [(before[1], None)]


def test_a_property_says_what_it_was_and_is() -> None:
    missing = unmatched([Entry("bit-depth", "10", "bit depth", "item 1")], [Entry("bit-depth", "8", "bit depth")])
    assert losses_of(missing, {}, (), "because") == (Loss("bit depth: 10 → 8", "item 1", "because"),)


def test_more_is_as_good() -> None:
    ten, eight = (Entry("bit-depth", Measure(bits, f"{bits} bits"), "bit depth") for bits in (10, 8))
    assert unmatched([eight], [ten]) == []
    assert losses_of(unmatched([ten], [eight]), {}, (), "w")[0].what == "bit depth: 10 bits → 8 bits"
    near = Entry("duration", Measure(1000, "1 s", slack=50), "duration")
    assert unmatched([near], [Entry("duration", Measure(951, "0.95 s"), "duration")]) == []


def test_the_parts_of_a_lost_thing_are_not_named_one_by_one() -> None:
    track = Entry("track:audio:1", b"", "audio track")
    language = Entry("track:audio:1:language", "deu", "language of the audio track")
    assert [entry for entry, _ in unmatched([track, language], [])] == [track]
    assert [entry for entry, _ in unmatched([track, language], [track])] == [language]


def test_the_nearest_reason_is_given() -> None:
    missing = [(Entry("track:audio:aac", b"", "audio track"), None)]
    costs = (Cost("track", "tracks", "by the row"),)
    assert losses_of(missing, {"track:audio": "by the codec"}, costs, "")[0].why == "by the codec"
    assert losses_of(missing, {"track:text": "by the codec"}, costs, "")[0].why == "by the row"
    assert losses_of(missing, {"tr": "by the codec"}, (), "by default")[0].why == "by default"


def test_equal_losses_are_counted_and_their_number_is_bounded() -> None:
    same = [(Entry("chunk:NOTE", b"", "chunk NOTE"), None)] * 3
    assert losses_of(same, {}, (), "because")[0].what == "chunk NOTE (3 times)"
    many = [(Entry(f"chunk:{n}", b"", f"chunk {n}"), None) for n in range(1000)]
    found = losses_of(many, {}, (), "because")
    assert len(found) == MAX_LOSSES
    assert found[-1].what == f"{1000 - MAX_LOSSES + 1} further things"


def test_strict_refuses_and_names_every_loss() -> None:
    refuse([])
    with pytest.raises(WouldLose, match=r"chunk NOTE \(WebP\): because") as caught:
        refuse([Loss("chunk NOTE", "WebP", "because")])
    assert "leave `strict=True` out" in str(caught.value)


# Every format


def test_every_format_that_is_written_has_an_inventory() -> None:
    for row in formats.FORMATS:
        assert bool(row.inventory) == bool(row.carrier), row.name
        if row.inventory:
            assert callable(resolve(row.inventory, "labeling.containers"))


def test_an_inventory_is_bounded_and_never_raises_on_damaged_files() -> None:
    for sample in SAMPLES:
        data = sample.make()
        for damaged in (
            data[: len(data) // 2],
            data[:64],
            data[:-3] + b"\xff\xff\xff",
            data.replace(b"\0\0", b"\xff\xff"),
        ):
            try:
                contents = containers.read(damaged)
            except UnsupportedFormat:
                continue
            assert sum(1 for _ in containers.inventory(damaged, contents)) < MAX_ENTRIES, sample.name


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
@pytest.mark.parametrize("visible", [True, False], ids=["visible", "metadata"])
def test_nothing_of_the_samples_is_lost(sample: Sample, *, visible: bool) -> None:
    made = Labeler("my-service", visible=visible).label_image(sample.make())
    assert made.lost == ()
