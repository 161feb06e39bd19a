"""What a source holds and its labelled copy does not is named: labeling/preservation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from labeling import Labeler, containers
from labeling.containers import Contents, Cost, Entry, Part, formats
from labeling.containers.base import MAX_ENTRIES, Measure
from labeling.containers.format_row import resolve
from labeling.errors import UnsupportedFormat, WouldLose
from labeling.losses import Loss
from labeling.preservation import State, find_losses, refuse
from labeling.preservation.comparison import MAX_LOSSES, losses_of, unmatched
from labeling.verification import metadata

from . import toy_format
from .codecs.cuts import ffmpeg
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


# Parts, which compare at once


def _state(path: Path) -> State:
    data = path.read_bytes()
    contents = containers.read(data)
    return State(data, contents, metadata.scan(contents))


@pytest.fixture(scope="module")
def languages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MP4 file with a video track and two audio tracks that differ in their language alone."""
    path = tmp_path_factory.mktemp("parts") / "a.mp4"
    tone = ("-f", "lavfi", "-i", "sine=d=1")
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=64x48:d=1", *tone, *tone, "-map", 0, "-map", 1, "-map", 2, "-c:v", "libx264",
        "-c:a", "aac", "-metadata:s:a:0", "language=deu", "-metadata:s:a:1", "language=fra", path,
    )  # fmt: skip
    return path


def test_reading_first_changes_nothing_of_what_is_listed(languages: Path) -> None:
    state = _state(languages)
    assert state.contents.parsed is not None
    anew = replace(state.contents, parsed=None)
    assert [*containers.inventory(state.data, state.contents)] == [*containers.inventory(state.data, anew)]


def test_a_change_within_a_part_is_named_as_before(languages: Path, tmp_path: Path) -> None:
    other = tmp_path / "b.mp4"
    ffmpeg("-i", languages, "-map", 0, "-c", "copy", "-metadata:s:a:1", "language=ita", other)
    lost = find_losses(_state(languages), _state(other), why="because")
    assert [loss.what for loss in lost] == ["language of audio track 2: fra → ita"]
    ffmpeg("-i", languages, "-map", "0:v", "-map", "0:a:0", "-c", "copy", "-y", other)
    assert [loss.what for loss in find_losses(_state(languages), _state(other), why="because")] == ["audio track 2"]
    assert find_losses(_state(languages), _state(languages), why="because") == ()


def test_a_part_that_is_there_once_less_is_missing() -> None:
    def state(count: int) -> State:
        return State(b"parts" * count, Contents("parts", "image/x-parts"), metadata.Found())

    row = toy_format.row(name="parts", extensions=(".parts",), media_types=("image/x-parts",), encodings=(),
                         inventory=f"{__name__}:parts_of", kept="parts")  # fmt: skip
    formats.register(row)
    try:
        lost = find_losses(state(3), state(2), why="because")
        assert [loss.what for loss in lost] == ["part"]
        assert find_losses(state(2), state(3), why="because") == ()
    finally:
        formats.unregister("parts")


def parts_of(data: bytes, contents: Contents) -> list[Part]:
    """List a part for every five bytes."""
    return [Part((data[at : at + 5],), lambda: [Entry("part", b"", "part")]) for at in range(0, len(data), 5)]
