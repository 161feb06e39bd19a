"""Matroska by hand: tags in every form, what is nested or damaged, skipped clusters, and EBML itself."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling import containers
from labeling.containers.matroska import ebml, outline
from labeling.errors import LabelingError

from .matroska_files import (
    CLUSTER,
    CRC,
    CUES,
    LABEL,
    OTHER,
    SEEK_HEAD,
    TAGS,
    VOID,
    box,
    check_positions,
    labelled,
    labels,
    outer,
    rewritten,
    simple,
    video_of,
)


def test_tags_are_read_in_every_form() -> None:
    track = box(0x63C0, box(0x63C5, b"\7"))
    level = box(0x63C0, box(0x68CA, b"\x1e"))
    data = video_of(
        box(TAGS, box(0x7373, track + simple("aigc", "of a track")) + box(0x7373, level + simple("Aigc", "level 30")))
        + box(TAGS, box(0x7373, simple("OUTER", "", simple("AIGC", "nested\0\0"))))
        + box(TAGS, box(0x7373, box(0x67C8, box(0x45A3, b"AIGC") + box(0x4485, b"binary"))))
    )
    found = [(block.where, block.data) for block in containers.read(data).blocks if block.keyword.upper() == "AIGC"]
    assert found == [
        ("Matroska SimpleTag aigc (track 7)", b"of a track"),
        ("Matroska SimpleTag Aigc (level 30)", b"level 30"),
        ("Matroska SimpleTag AIGC (in OUTER)", b"nested"),
    ]
    after = rewritten(data, text_field=("AIGC", LABEL))
    assert labels(after) == ["of a track", "level 30", "nested", LABEL]
    check_positions(after)
    blocks = containers.read(after).blocks
    moved = rewritten(
        after, text_field=("AIGC", OTHER), drop=tuple(b for b in blocks if b.keyword in ("aigc", "Aigc", "AIGC"))
    )
    assert labels(moved) == [OTHER]
    check_positions(moved)


def test_a_replaced_tag_keeps_its_language_and_what_is_nested_in_it() -> None:
    data = video_of(box(TAGS, box(0x7373, simple("AIGC", "old", box(0x447A, b"chi") + simple("SIGNED", "yes")))))
    after = rewritten(data, text_field=("AIGC", LABEL))
    assert [(b.keyword, b.data.decode()) for b in containers.read(after).blocks] == [("AIGC", LABEL), ("SIGNED", "yes")]
    assert box(0x447A, b"chi") in after


def test_a_checksum_of_the_whole_segment_becomes_a_void() -> None:
    data = video_of(b"")
    at = data.index(b"\x18\x53\x80\x67")
    body = data[at + 5 :]
    summed = data[:at] + box(0x18538067, box(CRC, zlib.crc32(body).to_bytes(4, "little")) + body, 8)
    after = labelled(summed)
    assert outer(summed)[1][0][0] == CRC
    assert outer(after)[1][0][0] == VOID
    check_positions(after)


def test_bounds_and_odd_headers() -> None:
    deep = simple("AIGC", "x")
    for _ in range(40):
        deep = simple("A", "b", deep)
    assert "nested" in containers.read(video_of(box(TAGS, box(0x7373, deep)))).problems[0]
    data = video_of(b"")
    assert "document type" in containers.read(data.replace(b"matroska", b"other\0\0\0")).problems[0]
    wide = box(0x1A45DFA3, box(0x4282, b"webm") + box(0x42F3, b"\x09"))
    assert "more than 8 bytes" in containers.read(wide + data[data.index(b"\x18\x53\x80\x67") :]).problems[0]
    assert containers.read(data + b"tail").warnings
    assert labelled(data + b"tail").endswith(b"tail")
    with pytest.raises(LabelingError, match="no place"):
        rewritten(data, xmp=b"<x/>")


def test_many_clusters_are_skipped_where_the_file_says_where_its_tags_are() -> None:
    count = outline.JUMP_AFTER + 3000
    cluster = box(CLUSTER, box(0xE7, b"\0") + box(0xA3, b"\x81\0\0\x80x"))
    head = video_of(b"")[: -len(cluster)]
    start = head.index(b"\x18\x53\x80\x67")
    front = head[start + 5 :]
    tags = box(TAGS, box(0x7373, simple("AIGC", LABEL)))
    hidden = box(TAGS, box(0x7373, simple("AIGC", OTHER)))

    def video(listed: bool) -> bytes:
        def seek(number: int, place: int) -> bytes:
            return box(0x4DBB, box(0x53AB, number.to_bytes(4, "big")) + box(0x53AC, place.to_bytes(4, "big")))

        first = len(box(SEEK_HEAD, seek(CUES, 0) + seek(TAGS, 0))) + len(front)
        row = cluster * (count - 1000) + hidden + cluster * 1000
        last = first + len(row) - len(cluster)
        cues = box(CUES, box(0xBB, box(0xB3, b"\0") + box(0xB7, box(0xF7, b"\1") + box(0xF1, last.to_bytes(4, "big")))))
        after = first + len(row)
        entries = seek(CUES, after) + (
            seek(TAGS, after + len(cues)) if listed else box(VOID, bytes(len(seek(0x80, 0)) + 1))
        )
        return head[:start] + box(0x18538067, box(SEEK_HEAD, entries) + front + row + cues + tags, 8)

    assert labels(video(listed=False)) == [OTHER, LABEL]
    reported = video(listed=True)
    check_positions(reported)
    assert labels(reported) == [LABEL]
    assert len(containers.read(reported).coded) == 1
    assert sum(containers.read(reported).coded[0]) == reported.index(b"\x1c\x53\xbb\x6b", len(front) + 200)


@given(st.integers(0, (1 << 56) - 2), st.integers(0, 8))
def test_sizes_are_coded_and_decoded(size: int, width: int) -> None:
    coded_size = ebml.coded_size(size, width)
    assert len(coded_size) >= max(1, width)
    found = ebml.header(b"\xec" + coded_size, 0)
    assert found == ebml.Element(0xEC, 0, 1 + len(coded_size), 1 + len(coded_size) + size)


@given(st.integers(2, 70_000))
def test_a_void_takes_the_room_that_it_is_given(room: int) -> None:
    made = ebml.void(room)
    found = ebml.header(made, 0)
    assert found is not None
    assert (len(made), found.id, found.end) == (room, 0xEC, room)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_header_or_none(data: bytes) -> None:
    found = ebml.header(data, 0)
    assert found is None or 2 <= found.body <= min(12, len(data))


@given(st.binary(max_size=300), st.integers(-3, 400))
def test_an_element_fits_or_does_not(body: bytes, spare: int) -> None:
    element = ebml.made(0x4487, body)
    fitted = ebml.fitted(element, len(element) + spare)
    assert (fitted is None) == (spare < 0)
    assert fitted is None or len(fitted) == len(element) + spare
