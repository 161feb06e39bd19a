"""What every container format promises, whatever the format (rows in battery.py)."""

from __future__ import annotations

import mmap
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling import containers
from labeling.containers import Changes, Kind
from labeling.errors import LabelingError

from .battery import OLD_PACKET, PACKET, SAMPLES, SOURCE, Sample, coded, exiftool, foreign, held, pixels

every_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
made = {sample.name: sample.make() for sample in SAMPLES}


def write(data: bytes, **changes: Any) -> bytes:
    return b"".join(containers.rewrite(data, containers.read(data), Changes(**changes)))


@every_sample
def test_read_agrees_with_pillow(sample: Sample) -> None:
    data = made[sample.name]
    contents = containers.read(data)
    frames = pixels(data)
    assert (contents.problems, contents.warnings, contents.fixed) == ((), (), "")
    assert (contents.format, contents.media_type) == (sample.format, sample.media_type)
    assert ((contents.width, contents.height), contents.frames) == (frames[0][1], len(frames))
    assert coded(data, contents)


@every_sample
def test_no_change_gives_the_same_bytes(sample: Sample) -> None:
    assert write(made[sample.name]) == made[sample.name]


@every_sample
def test_a_packet_is_found_by_exiftool_and_all_else_stays(sample: Sample, tmp_path: Path) -> None:
    before = made[sample.name]
    after = write(before, xmp=PACKET)
    paths = tmp_path / "before", tmp_path / "after"
    for path, data in zip(paths, (before, after), strict=True):
        path.write_bytes(data)
    old, new = exiftool(*paths)
    assert new["XMP-dc:Source"] == SOURCE
    assert foreign(new) == foreign(old)
    assert not any("Warning" in key or "Error" in key for key in new)
    assert pixels(after) == pixels(before)
    read_before, read_after = containers.read(before), containers.read(after)
    assert (read_after.problems, read_after.warnings) == ((), ())
    assert coded(after, read_after) == coded(before, read_before)
    assert held(read_after.blocks, but=Kind.XMP) == held(read_before.blocks, but=Kind.XMP)


@every_sample
def test_a_second_packet_replaces_the_first(sample: Sample) -> None:
    once = write(made[sample.name], xmp=PACKET)
    assert write(once, xmp=PACKET) == once
    twice = write(write(made[sample.name], xmp=OLD_PACKET), xmp=PACKET)
    packets = [block for block in containers.read(twice).blocks if block.kind is Kind.XMP]
    assert [(block.data, block.late, block.problem) for block in packets] == [(PACKET, False, "")]


@every_sample
def test_a_dropped_block_is_gone_and_nothing_else(sample: Sample) -> None:
    data = write(made[sample.name], xmp=PACKET)
    contents = containers.read(data)
    for block in contents.blocks:
        if block.kind in (Kind.ICC, Kind.APP):
            continue  # the picture's own: colours and loops would change
        less = write(data, drop=(block,))
        after = containers.read(less)
        rest = tuple(other for other in contents.blocks if other is not block)
        assert held(after.blocks) == held(rest)
        assert coded(less, after) == coded(data, contents)
        assert pixels(less) == pixels(data)


@every_sample
def test_exif_is_written_or_refused(sample: Sample, tmp_path: Path) -> None:
    tiff = b"II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\x08\0\0\0\x1a\0\0\0\0\0\0\0labeler\0"
    if not sample.exif:
        with pytest.raises(LabelingError, match="EXIF"):
            write(made[sample.name], exif=tiff)
        return
    after = write(made[sample.name], exif=tiff, xmp=PACKET)
    (tmp_path / "after").write_bytes(after)
    (tags,) = exiftool(tmp_path / "after")
    assert (tags["IFD0:Make"], tags["XMP-dc:Source"]) == ("labeler", SOURCE)
    assert pixels(after) == pixels(made[sample.name])


@every_sample
def test_a_foreign_block_cannot_be_dropped(sample: Sample) -> None:
    data = write(made[sample.name], xmp=PACKET)
    stranger = containers.Block(Kind.XMP, "elsewhere", 7, 9, b"")
    with pytest.raises(LabelingError, match="not in this file"):
        write(data, drop=(stranger,))


@every_sample
def test_every_buffer_reads_the_same(sample: Sample, tmp_path: Path) -> None:
    data = write(made[sample.name], xmp=PACKET)
    expected = containers.read(data)
    (tmp_path / "file").write_bytes(data)
    with (tmp_path / "file").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert containers.read(mapped) == expected
        assert b"".join(containers.rewrite(mapped, expected, Changes(xmp=PACKET))) == data
    for buffer in (bytearray(data), memoryview(data)):
        assert containers.read(buffer) == expected
        assert b"".join(containers.rewrite(buffer, expected, Changes(xmp=PACKET))) == data


@every_sample
def test_a_truncated_file_is_reported_unless_it_still_shows(sample: Sample) -> None:
    data = write(made[sample.name], xmp=PACKET)
    shown = pixels(data)
    size = len(data)
    for cut in sorted({1, 7, 13, 30, *range(40, size, max(1, size // 97)), size - 2, size - 1}):
        try:
            contents = containers.read(data[:cut])
        except LabelingError:
            continue
        assert contents.problems or contents.fixed or pixels(data[:cut]) == shown, cut


edits = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(["put", "insert", "delete"]), st.binary(min_size=1, max_size=5)),
    min_size=1,
    max_size=6,
)


@every_sample
@settings(max_examples=60)
@given(edits=edits)
def test_a_mutated_file_raises_nothing_else_and_is_fast(sample: Sample, edits: list[tuple[float, str, bytes]]) -> None:
    broken = bytearray(made[sample.name])
    for place, how, what in edits:
        # Squared: most of what can go wrong is near the start.
        at = int(place * place * len(broken))
        broken[at : at + (0 if how == "insert" else len(what))] = b"" if how == "delete" else what
    data = bytes(broken)
    began = time.process_time()
    try:
        contents = containers.read(data)
        for block in contents.blocks:
            assert 0 <= block.offset <= block.offset + block.length <= len(data)
        for at, length in contents.coded:
            assert 0 <= at <= at + length <= len(data)
        out = b"".join(containers.rewrite(data, contents, Changes(xmp=PACKET)))
        assert not containers.read(out).problems
    except LabelingError as error:
        assert "\n" not in str(error)
    assert time.process_time() - began < 2
