"""Matroska and WebM, made by FFmpeg and mkvmerge and by hand, checked with FFmpeg, MKVToolNix, PyAV and exiftool."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from labeling import containers
from labeling.atomic_writes import write_pieces
from labeling.containers import Changes, Kind
from labeling.containers.matroska import ebml, outline
from labeling.errors import LabelingError
from labeling.filebytes import FileBytes, FileRange

from .matroska_files import (
    LABEL,
    OTHER,
    TAGS,
    box,
    check_positions,
    coded,
    frames_from_the_middle,
    labelled,
    labels,
    make,
    nodes,
    packets,
    rewritten,
    run,
    simple,
    video_of,
)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make(tmp_path_factory.mktemp("videos"))


NAMES = (
    *("full.mkv", "web.webm", "front.mkv", "reserve.mkv", "tight.webm", "audio.webm", "pipe.webm", "live.webm"),
    *("merge.mkv", "meta.mkv", "merge.webm", "recorder.webm", "bare.webm", "narrow.webm", "position.webm"),
)


@pytest.mark.parametrize("name", ["full.mkv", "pipe.webm", "live.webm"])
def test_the_clusters_of_an_open_file_are_walked_once_and_read_as_those_of_bytes(
    videos: dict[str, Path], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    walks: list[int] = []
    element = ebml.Window.element

    def counted(window: ebml.Window, pos: int) -> ebml.Element | None:
        walks.extend([1] * (pos == 0))
        return element(window, pos)

    monkeypatch.setattr(ebml.Window, "element", counted)
    data = videos[name].read_bytes()
    with FileBytes(videos[name].open("rb"), name) as opened:
        contents = containers.read(opened)
        assert contents == containers.read(opened) == containers.read(data)
        assert len(walks) == 2
        changes = Changes(text_field=("AIGC", LABEL))
        pieces = containers.rewrite(opened, contents, changes)
        assert len(walks) == 2
    with FileBytes(videos[name].open("rb"), name) as again:  # a list of one reader is not that of the next
        outline.outline(again).problems.append("mine")
        assert containers.read(again).problems == ()
    assert sum(map(len, pieces)) == len(labelled(data))


@pytest.mark.parametrize("name", NAMES)
def test_a_label_is_put_in_and_nothing_is_lost(videos: dict[str, Path], tmp_path: Path, name: str) -> None:
    source = videos[name]
    before = source.read_bytes()
    contents = containers.read(before)
    assert (contents.problems, contents.fixed) == ((), "")
    check_positions(before)
    after = labelled(before)
    target = tmp_path / name
    target.write_bytes(after)

    assert containers.read(after).problems == ()
    assert labels(after) == [LABEL]
    assert coded(after) == coded(before)
    check_positions(after)
    assert labelled(after) == after
    probed = json.loads(run("ffprobe", "-v", "warning", "-show_format", "-show_chapters", "-of", "json", target))
    was = json.loads(run("ffprobe", "-v", "warning", "-show_format", "-show_chapters", "-of", "json", source))
    assert probed["format"]["tags"].pop("AIGC") == LABEL
    assert probed["format"]["tags"] == was["format"].get("tags", {})
    assert probed["chapters"] == was["chapters"]
    assert packets(target) == packets(source)
    assert frames_from_the_middle(target) == frames_from_the_middle(source)
    assert run("exiftool", "-s3", "-Aigc", target).strip() == LABEL
    merged, merged_before = (json.loads(run("mkvmerge", "-J", path)) for path in (target, source))
    assert (merged["errors"], merged["warnings"]) == ([], [])
    assert [merged[key] for key in ("attachments", "chapters", "tracks", "track_tags")] == [
        merged_before[key] for key in ("attachments", "chapters", "tracks", "track_tags")
    ]
    assert f"<String>{LABEL}</String>".replace('"', "&quot;") in run("mkvextract", target, "tags").replace(
        '"', "&quot;"
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_second_label_takes_the_place_of_the_first(videos: dict[str, Path], name: str) -> None:
    before = videos[name].read_bytes()
    first = labelled(before)
    second = rewritten(first, text_field=("AIGC", OTHER))
    assert (len(second), labels(second)) == (len(first), [OTHER])
    longer = rewritten(second, text_field=("AIGC", LABEL * 3))
    assert labels(longer) == [LABEL * 3]
    check_positions(longer)
    shorter = rewritten(longer, text_field=("AIGC", LABEL))
    assert (len(shorter), labels(shorter)) == (len(longer), [LABEL])
    check_positions(shorter)
    for odd in range(1, 6):  # a byte too much for the room is not enough for a Void
        trimmed = rewritten(longer, text_field=("AIGC", LABEL * 3 + "x" * odd))
        trimmed = rewritten(trimmed, text_field=("AIGC", LABEL * 3 + "x" * (odd - 1)))
        assert labels(trimmed) == [LABEL * 3 + "x" * (odd - 1)]
        check_positions(trimmed)
    dropped = rewritten(first, drop=tuple(b for b in containers.read(first).blocks if b.keyword == "AIGC"))
    assert labels(dropped) == []
    check_positions(dropped)
    assert [b.data for b in containers.read(dropped).blocks] == [b.data for b in containers.read(before).blocks]
    assert coded(dropped) == coded(before)


def test_the_description_of_the_video(videos: dict[str, Path]) -> None:
    said = {}
    for name, path in videos.items():
        found = containers.read(path.read_bytes())
        said[name] = found.media_type, found.width, found.height, round(found.seconds)
    assert said["full.mkv"] == ("video/x-matroska", 160, 120, 3)
    assert said["web.webm"] == ("video/webm", 160, 120, 3)
    assert said["audio.webm"] == ("audio/webm", 0, 0, 3)
    assert said["live.webm"] == ("video/webm", 160, 120, 0)
    texts = {block.where: block.data.decode() for block in containers.read(videos["merge.mkv"].read_bytes()).blocks}
    assert texts["Matroska Info Title"] == "A video"
    assert texts["Matroska Info WritingApp"].startswith("mkvmerge")
    assert texts["Matroska SimpleTag DIRECTOR"] == "Somebody"
    assert any(where.startswith("Matroska SimpleTag ENCODER (track ") for where in texts)


def test_free_room_is_used_before_anything_moves(videos: dict[str, Path]) -> None:
    for name in ("reserve.mkv", "merge.mkv", "meta.mkv", "merge.webm"):
        before = videos[name].read_bytes()
        after = labelled(before)
        assert containers.read(after).coded[0] == containers.read(before).coded[0]
        assert len(after) <= len(before)


@pytest.mark.parametrize("name", ["full.mkv", "web.webm", "merge.mkv"])
def test_a_file_cut_off_anywhere_is_reported_and_refused(videos: dict[str, Path], name: str) -> None:
    data = videos[name].read_bytes()
    picks = random.Random(4)
    for cut in {1, 5, 40, 60, len(data) - 1, *(picks.randrange(2, len(data)) for _ in range(60))}:
        contents = containers.read(data[:cut]) if cut > 4 else None
        if contents is not None:
            assert contents.problems, cut
            with pytest.raises(LabelingError):
                containers.rewrite(data[:cut], contents, Changes(text_field=("AIGC", LABEL)))


def test_a_live_stream_cut_between_blocks_is_whole_and_within_one_is_not(videos: dict[str, Path]) -> None:
    data = videos["recorder.webm"].read_bytes()
    blocks = [node for node in nodes(data, 0, len(data)) if node[0] == 0xA3]
    assert containers.read(data[: blocks[20][3]]).problems == ()
    assert labels(labelled(data[: blocks[20][3]])) == [LABEL]
    assert "cut off" in containers.read(data[: blocks[20][3] - 3]).problems[0]


@pytest.mark.parametrize("rest", [b"\0" * 300, b"trailing!", b"</body>\r\n", b"\x42\x86\x81\x01" + b"\xff" * 40])
@pytest.mark.parametrize("name", ["live.webm", "recorder.webm"])
def test_bytes_behind_a_live_stream_are_kept_and_said(
    videos: dict[str, Path], tmp_path: Path, name: str, rest: bytes
) -> None:
    """A Segment of unknown size ends where something begins that is not of Matroska (RFC 8794, 6.2)."""
    plain = videos[name].read_bytes()
    contents = containers.read(plain + rest)
    assert contents.problems == ()
    assert contents.warnings == (f"{len(rest)} bytes follow the Segment; they are kept",)
    after = labelled(plain + rest)
    assert after.endswith(rest) and labels(after) == [LABEL]
    assert labelled(after) == after
    target = tmp_path / name
    target.write_bytes(after)
    assert packets(target) == packets(videos[name])


def test_a_gap_in_a_live_stream_is_damage(videos: dict[str, Path]) -> None:
    data = videos["recorder.webm"].read_bytes()
    at = data.rindex(b"\x1f\x43\xb6\x75")
    contents = containers.read(data[:at] + bytes(100) + data[at:])
    assert contents.problems == (f"there is no element at offset {at}",)
    assert containers.read(data + bytes((1 << 24) + 1)).problems == (f"there is no element at offset {len(data)}",)


def test_damage_raises_nothing_else(videos: dict[str, Path]) -> None:
    data = (videos["full.mkv"].read_bytes())[:6000]
    picks = random.Random(9)
    for _ in range(400):
        broken = bytearray(data)
        for _ in range(picks.randrange(1, 8)):
            broken[picks.randrange(4, len(broken))] = picks.choice((0, 1, 0x7F, 0x80, 0xFF, picks.randrange(256)))
        contents = containers.read(bytes(broken))
        if not contents.problems:
            rewritten(bytes(broken), text_field=("AIGC", LABEL))
    for _ in range(200):  # whole files, whose tags are hit
        broken = bytearray(video_of(box(TAGS, box(0x7373, simple("A", "b") + simple("AIGC", "old")))))
        broken[picks.randrange(4, len(broken))] = picks.randrange(256)
        contents = containers.read(bytes(broken))
        if not contents.problems:
            assert LABEL in labels(rewritten(bytes(broken), text_field=("AIGC", LABEL)))


def test_a_video_on_disk_is_copied_and_not_read(videos: dict[str, Path], tmp_path: Path) -> None:
    source = videos["web.webm"]
    with FileBytes(source.open("rb", buffering=0), str(source)) as data:
        pieces = containers.rewrite(data, containers.read(data), Changes(text_field=("AIGC", LABEL)))
        assert sum(piece.end - piece.start for piece in pieces if isinstance(piece, FileRange)) > 0.9 * len(data)
        (tmp_path / "out.webm").touch()
        write_pieces(tmp_path / "out.webm", pieces)
    assert (tmp_path / "out.webm").read_bytes() == labelled(source.read_bytes())


def test_a_real_video(cases: Path, manifest: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    name = "5_ordinary/filetype_sample.webm"
    data = (cases / name).read_bytes()
    found, stream = containers.read(data), manifest[name]["ffprobe"]["streams"][0]
    assert (found.problems, found.media_type) == ((), manifest[name]["media_type"])
    assert (found.width, found.height) == (stream["width"], stream["height"])
    assert found.seconds == pytest.approx(8.2)
    assert all(block.kind is Kind.TEXT for block in found.blocks)
    target = tmp_path / "out.webm"
    target.write_bytes(labelled(data))
    check_positions(target.read_bytes())
    assert packets(target) == packets(cases / name)
    assert run("exiftool", "-s3", "-Aigc", target).strip() == LABEL
    assert json.loads(run("mkvmerge", "-J", target))["warnings"] == []
