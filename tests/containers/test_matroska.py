"""Matroska and WebM, made by FFmpeg and mkvmerge and by hand, checked with FFmpeg, MKVToolNix, PyAV and exiftool."""

from __future__ import annotations

import json
import random
import subprocess
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling import containers
from labeling.containers import Changes, Kind
from labeling.containers.matroska import ebml, outline
from labeling.errors import LabelingError
from labeling.filebytes import FileBytes, FileRange
from labeling.files import write_pieces

LABEL = json.dumps({"Label": "1", "ContentProducer": "001191110102MACQD9K64010000", "ProduceID": "号-1" + "x" * 150})
OTHER = LABEL.replace('"1"', '"2"')

MASTERS = {0x18538067, 0x114D9B74, 0x4DBB, 0x1C53BB6B, 0xBB, 0xB7, 0x1254C367, 0x7373, 0x67C8, 0x63C0, 0x1F43B675}
CRC, VOID, CLUSTER, TAGS, SEEK_HEAD, CUES = 0xBF, 0xEC, 0x1F43B675, 0x1254C367, 0x114D9B74, 0x1C53BB6B

Node = tuple[int, int, int, int]  # ID, start, body, end


def run(*command: object) -> str:
    """Run a tool; anything it complains about is a failure."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def ffmpeg(*arguments: object) -> None:
    run("ffmpeg", "-v", "error", "-y", "-nostdin", *arguments)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One video in every layout that its muxers have."""
    home = tmp_path_factory.mktemp("videos")
    (home / "c.txt").write_text(
        ";FFMETADATA1\ntitle=A video\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=900\ntitle=One\n"
    )
    (home / "s.srt").write_text("1\n00:00:00,200 --> 00:00:01,000\nwords\n")
    (home / "t.xml").write_text(
        "<Tags><Tag><Targets><TargetTypeValue>50</TargetTypeValue></Targets>"
        "<Simple><Name>DIRECTOR</Name><String>Somebody</String></Simple></Tag></Tags>"
    )
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=16x16", "-frames:v", 1, home / "cover.png")
    picture = ("-f", "lavfi", "-i", "testsrc=size=160x120:rate=25:duration=3")
    audio = ("-f", "lavfi", "-i", "sine=duration=3")
    ffmpeg(*picture, *audio, "-i", home / "s.srt", "-i", home / "c.txt", "-map", 0, "-map", 1, "-map", 2,
           "-map_metadata", 3, "-map_chapters", 3, "-c:v", "libx264", "-g", 10, "-c:a", "aac", "-c:s", "srt",
           "-attach", home / "cover.png", "-metadata:s:t", "mimetype=image/png",
           "-cluster_time_limit", 400, home / "full.mkv")  # fmt: skip
    ffmpeg(*picture, *audio, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", 8, "-g", 10, "-c:a",
           "libopus", "-cluster_time_limit", 400, home / "web.webm")  # fmt: skip
    full, web = home / "full.mkv", home / "web.webm"
    copy = ("-map", 0, "-c", "copy", "-cluster_time_limit", 400)
    ffmpeg("-i", full, *copy, "-cues_to_front", 1, home / "front.mkv")
    ffmpeg("-i", full, *copy, "-reserve_index_space", 5000, home / "reserve.mkv")
    ffmpeg("-i", web, *copy, "-reserve_index_space", 300, home / "tight.webm")
    ffmpeg("-i", web, *copy, "-vn", home / "audio.webm")
    for name, options in (("pipe", ()), ("live", ("-live", 1))):
        piped = ["ffmpeg", "-v", "error", "-i", web, *copy, *options, "-f", "webm", "-"]
        (home / f"{name}.webm").write_bytes(subprocess.run([str(p) for p in piped], capture_output=True).stdout)
    run("mkvmerge", "-q", "--global-tags", home / "t.xml", "-o", home / "merge.mkv", full)
    run("mkvmerge", "-q", "--clusters-in-meta-seek", "--cluster-length", "300ms", "-o", home / "meta.mkv", full)
    run("mkvmerge", "-q", "--cluster-length", "300ms", "-w", "-o", home / "merge.webm", web)
    made = {path.name: path for path in home.iterdir() if path.suffix in (".mkv", ".webm")}
    made |= {name: home / name for name in _by_hand(made, home)}
    return made


def nodes(data: bytes, at: int, end: int, depth: int = 0) -> Iterator[Node]:
    """Every element, parsed without the modules under test. An unknown size reaches to the end, or the next cluster."""
    while at < end:
        id_length = 9 - data[at].bit_length()
        number = int.from_bytes(data[at : at + id_length], "big")
        first = data[at + id_length]
        length = 9 - first.bit_length()
        body = at + id_length + length
        size = int.from_bytes(data[at + id_length : body], "big") - (1 << 7 * length)
        if size == (1 << 7 * length) - 1:
            after = data.find(b"\x1f\x43\xb6\x75", body) if number == CLUSTER else -1
            stop = end if after < 0 else after
        else:
            stop = body + size
        assert stop <= end
        yield number, at, body, stop
        if number in MASTERS:
            yield from nodes(data, body, stop, depth + 1)
        at = stop


def outer(data: bytes) -> tuple[Node, list[Node]]:
    """The Segment and the elements right inside it."""
    everything = list(nodes(data, 0, len(data)))
    segment = next(node for node in everything if node[0] == 0x18538067)
    found, at = [], segment[2]
    for node in everything:
        if node[1] == at and node != segment:
            found.append(node)
            at = node[3]
    assert at == segment[3]
    return segment, found


def check_positions(data: bytes) -> None:
    """Whatever says where something is, or what sum it has, is right."""
    segment, parts = outer(data)
    starts = {start - segment[2]: number for number, start, _, _ in parts}
    for number, start, body, end in parts:
        if data[body] == CRC and number in (SEEK_HEAD, CUES, TAGS, CLUSTER):
            assert int.from_bytes(data[body + 2 : body + 6], "little") == zlib.crc32(data[body + 6 : end])
        wanted = 0
        for inner, _, inner_body, inner_end in nodes(data, start, end):
            value = int.from_bytes(data[inner_body:inner_end], "big")
            if inner == 0x53AB:
                wanted = value
            elif inner == 0x53AC:
                assert starts[value] == wanted
            elif inner == 0xF1:
                assert starts[value] == CLUSTER
            elif inner == 0xA7 and number == CLUSTER:
                assert value == start - segment[2]


def box(number: int, body: bytes, width: int = 0) -> bytes:
    """An element by hand, its size as short as can be."""
    width = width or next(n for n in range(1, 9) if len(body) < (1 << 7 * n) - 1)
    return (
        number.to_bytes((number.bit_length() + 7) // 8, "big")
        + (len(body) | 1 << 7 * width).to_bytes(width, "big")
        + body
    )


def least(value: int) -> bytes:
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")


def _by_hand(made: dict[str, Path], home: Path) -> Iterator[str]:
    """What no muxer at hand writes: without SeekHead; clusters of unknown size; Position; integers without any room."""
    data = made["web.webm"].read_bytes()
    segment, parts = outer(data)
    head = data[: segment[1]]
    cut = {number: data[start:end] for number, start, _, end in parts if number != CLUSTER}
    plain = cut[0x1549A966] + cut[0x1654AE6B]
    clusters = [data[body:end] for number, _, body, end in parts if number == CLUSTER]
    unknown = b"\x01" + b"\xff" * 7
    recorder = b"".join(b"\x1f\x43\xb6\x75" + unknown + body for body in clusters)
    variants = {"recorder.webm": head + b"\x18\x53\x80\x67" + unknown + plain + recorder}
    for name, seek_head, positions in (
        ("bare.webm", False, False),
        ("narrow.webm", True, False),
        ("position.webm", False, True),
    ):
        offset = 0
        for _ in range(4):  # positions depend on what their own lengths are
            cues = b""
            at = offset + len(plain)
            row = b""
            for time, body in enumerate(clusters):
                own = body
                if positions:
                    stamp = 2 + (body[1] & 0x7F)
                    own = body[:stamp] + b"\xa7\x84" + at.to_bytes(4, "big") + body[stamp:]
                    own = box(CRC, zlib.crc32(own).to_bytes(4, "little")) + own
                where = box(0xB7, box(0xF7, b"\1") + box(0xF1, least(at)))
                cues += box(0xBB, box(0xB3, least(time * 400)) + where)
                row += box(CLUSTER, own)
                at += len(box(CLUSTER, own))
            seek = b""
            if seek_head:
                for number, place in ((0x1549A966, offset), (0x1654AE6B, offset + len(cut[0x1549A966])), (CUES, at)):
                    seek += box(0x4DBB, box(0x53AB, number.to_bytes(4, "big")) + box(0x53AC, least(place)))
                seek = box(SEEK_HEAD, seek)
            offset = len(seek)
        variants[name] = head + box(0x18538067, seek + plain + row + box(CUES, cues))
    for name, content in variants.items():
        (home / name).write_bytes(content)
        yield name


def rewritten(data: bytes, **changes: Any) -> bytes:
    return b"".join(containers.rewrite(data, containers.read(data), Changes(**changes)))


def labelled(data: bytes) -> bytes:
    return rewritten(data, text_field=("AIGC", LABEL))


def coded(data: bytes) -> list[bytes]:
    return [data[start : start + length] for start, length in containers.read(data).coded]


def labels(data: bytes) -> list[str]:
    return [block.data.decode() for block in containers.read(data).blocks if block.keyword.upper() == "AIGC"]


def packets(path: Path) -> list[tuple[object, ...]]:
    with av.open(path) as video:
        return [
            (packet.stream_index, packet.pts, packet.dts, packet.is_keyframe, sha256(bytes(packet)).hexdigest())
            for packet in video.demux(*video.streams.video, *video.streams.audio, *video.streams.subtitles)
        ]


def frames_from_the_middle(path: Path) -> str:
    return run("ffmpeg", "-v", "warning", "-ss", "1.5", "-i", path, "-map", "0:a?", "-map", "0:V?", "-t", "0.4",
               "-f", "framemd5", "-")  # fmt: skip


NAMES = (
    *("full.mkv", "web.webm", "front.mkv", "reserve.mkv", "tight.webm", "audio.webm", "pipe.webm", "live.webm"),
    *("merge.mkv", "meta.mkv", "merge.webm", "recorder.webm", "bare.webm", "narrow.webm", "position.webm"),
)


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


def video_of(tags: bytes) -> bytes:
    """The smallest video: a track, a cluster, and these tags."""
    ebml = box(0x1A45DFA3, box(0x4282, b"matroska"))
    tracks = box(
        0x1654AE6B, box(0xAE, box(0xD7, b"\1") + box(0x83, b"\1") + box(0xE0, box(0xB0, b"\x10") + box(0xBA, b"\x08")))
    )
    return ebml + box(
        0x18538067, box(0x1549A966, b"") + tracks + tags + box(CLUSTER, box(0xE7, b"\0") + box(0xA3, b"\x81\0\0\x80x"))
    )


def simple(name: str, value: str, more: bytes = b"") -> bytes:
    return box(0x67C8, box(0x45A3, name.encode()) + box(0x4487, value.encode()) + more)


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


def test_a_video_on_disk_is_copied_and_not_read(videos: dict[str, Path], tmp_path: Path) -> None:
    source = videos["web.webm"]
    with FileBytes(source.open("rb", buffering=0), str(source)) as data:
        pieces = containers.rewrite(data, containers.read(data), Changes(text_field=("AIGC", LABEL)))
        assert sum(piece.end - piece.start for piece in pieces if isinstance(piece, FileRange)) > 0.9 * len(data)
        (tmp_path / "out.webm").touch()
        write_pieces(tmp_path / "out.webm", pieces)
    assert (tmp_path / "out.webm").read_bytes() == labelled(source.read_bytes())


def test_many_clusters_are_skipped_where_the_file_says_where_its_tags_are(videos: dict[str, Path]) -> None:
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
