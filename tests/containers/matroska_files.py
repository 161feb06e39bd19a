"""Helpers for the tests of Matroska: a video in every layout, and an EBML parser independent of the one under test."""

from __future__ import annotations

import json
import subprocess
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import av

from labeling import containers
from labeling.containers import Changes

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


def make(home: Path) -> dict[str, Path]:
    """One video in every layout that its muxers have."""
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
