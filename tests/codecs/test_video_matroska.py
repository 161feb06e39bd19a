"""A label on a Matroska video: its blocks are replaced in place, so that all else stays, say MKVToolNix and FFmpeg."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labeling.codecs.video.remux import paint
from labeling.containers.matroska import blocks
from labeling.filebytes import FileBytes
from labeling.findings import Status
from labeling.marks.visible.paint import LabelPainter
from labeling.verification.visible_video import find_explicit_label

from ..containers.matroska_files import CLUSTER, CUES, box, check_positions, make, nodes, outer
from .cuts import LABEL, Painter, make_video, packets, pictures

X264 = ("-c:v", "libx264", "-preset", "veryfast", "-g", 24, "-sc_threshold", 0, "-pix_fmt", "yuv420p")
TONE = ("-f", "lavfi", "-i", "sine=440:d=3")

CHAPTERS = """<?xml version="1.0"?><Chapters><EditionEntry><EditionFlagOrdered>1</EditionFlagOrdered>
<EditionUID>77</EditionUID><ChapterAtom><ChapterUID>5</ChapterUID><ChapterTimeStart>00:00:02.000000000
</ChapterTimeStart><ChapterTimeEnd>00:00:03.000000000</ChapterTimeEnd><ChapterDisplay><ChapterString>B</ChapterString>
<ChapLanguageIETF>zh-Hans</ChapLanguageIETF></ChapterDisplay></ChapterAtom><ChapterAtom><ChapterTimeStart>
00:00:00.000000000</ChapterTimeStart><ChapterTimeEnd>00:00:01.000000000</ChapterTimeEnd><ChapterFlagHidden>1
</ChapterFlagHidden><ChapterDisplay><ChapterString>A</ChapterString></ChapterDisplay></ChapterAtom></EditionEntry>
</Chapters>"""
TAGS = """<?xml version="1.0"?><Tags><Tag><Targets><TargetTypeValue>70</TargetTypeValue></Targets><Simple>
<Name>TITLE</Name><String>Series</String></Simple></Tag><Tag><Targets><TargetTypeValue>50</TargetTypeValue></Targets>
<Simple><Name>TITLE</Name><String>Video</String><TagLanguageIETF>de-AT</TagLanguageIETF></Simple><Simple>
<Name>ARTIST</Name><String>Me</String><Simple><Name>URL</Name><String>http://example.org</String></Simple></Simple>
</Tag></Tags>"""


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make(tmp_path_factory.mktemp("videos"))


def run(source: Path, target: Path) -> None:
    paint(source, target, "matroska", Painter(), ((0.0, LABEL),), reencode="never")


def said(*command: object) -> str:
    return subprocess.run([*map(str, command)], capture_output=True, check=True, text=True).stdout


def check_cues(data: bytes, track: int = 1) -> None:
    """Each cue leads to a block of its track that is a key frame and is shown at the cue's time."""
    segment, parts = outer(data)
    for _, start, _, end in (part for part in parts if part[0] == CUES):
        time = cluster = relative = 0
        for number, _, body, stop in nodes(data, start, end):
            value = int.from_bytes(data[body:stop], "big")
            if number == 0xB3:
                time = value
            elif number == 0xF1:
                cluster = segment[2] + value
            elif number == 0xF0:
                relative = value
                inside = list(nodes(data, cluster, len(data)))
                assert inside[0][0] == CLUSTER
                stamp = next(int.from_bytes(data[b:e], "big") for n, _, b, e in inside if n == 0xE7)
                place = inside[0][2] + relative
                kind, _, at, _ = next(node for node in inside if node[1] == place)
                if kind == 0xA0:  # a group: its block comes first
                    at = next(nodes(data, at, len(data)))[2]
                assert stamp + int.from_bytes(data[at + 1 : at + 3], "big", signed=True) == time
                assert data[at] & 0x7F != track or kind == 0xA0 or data[at + 3] & 0x80


NAMES = (
    *("full.mkv", "web.webm", "front.mkv", "reserve.mkv", "tight.webm", "pipe.webm", "live.webm", "merge.mkv"),
    *("meta.mkv", "merge.webm", "recorder.webm", "bare.webm", "narrow.webm", "position.webm"),
)


@pytest.mark.parametrize("name", NAMES)
def test_every_layout_keeps_all_but_the_blocks_under_the_label(
    videos: dict[str, Path], tmp_path: Path, name: str
) -> None:
    source, target = videos[name], tmp_path / name
    run(source, target)
    before, after = source.read_bytes(), target.read_bytes()
    check_positions(after)
    check_cues(after)
    old, new = pictures(source), pictures(target)
    assert [pts for pts, _ in old] == [pts for pts, _ in new]
    alike = [one == other for one, other in zip(old, new, strict=True)]
    assert not any(alike[:25]) and all(alike[30:])
    assert packets(source, "as") == packets(target, "as")
    kept = {0x1549A966, 0x1043A770, 0x1941A469}  # Info, Chapters, Attachments: byte for byte
    elements = [[data[s:e] for n, s, _, e in outer(data)[1] if n in kept] for data in (before, after)]
    assert elements[0] == elements[1] != []


def test_editions_languages_targets_names_and_ids_stay(tmp_path: Path) -> None:
    (tmp_path / "c.xml").write_text(CHAPTERS.replace("\n", ""))
    (tmp_path / "t.xml").write_text(TAGS.replace("\n", ""))
    (tmp_path / "note.txt").write_text("a note")
    plain = make_video(tmp_path / "plain.mkv", *X264, "-c:a", "libopus", inputs=TONE)
    source, target = tmp_path / "old.mkv", tmp_path / "new.mkv"
    said("mkvmerge", "-q", "-o", source, "--title", "Big title", "--chapters", tmp_path / "c.xml", "--global-tags",
         tmp_path / "t.xml", "--attachment-description", "words", "--attachment-mime-type", "text/plain",
         "--attach-file", tmp_path / "note.txt", "--language", "0:zh-Hans", "--language", "1:fr-CA", "--track-name",
         "0:Näme", "--hearing-impaired-flag", "1:1", "--original-flag", "1:1", "--cropping", "0:0,8,0,8",
         "--display-dimensions", "0:320x208", plain)  # fmt: skip
    run(source, target)
    assert said("mkvextract", source, "chapters", "-") == said("mkvextract", target, "chapters", "-")
    old, new = (said("mkvextract", path, "tags", "-") for path in (source, target))
    counts = re.compile(r"<Name>(BPS|NUMBER_OF_BYTES)</Name>\s*<String>(\d+)")
    assert counts.sub("", old) == counts.sub("", new)
    size = sum(int(line) for line in said("ffprobe", "-v", "error", "-select_streams", "v", "-show_entries",
               "packet=size", "-of", "csv=p=0", target).split())  # fmt: skip
    assert dict(counts.findall(new))["NUMBER_OF_BYTES"] in [str(size), dict(counts.findall(old))["NUMBER_OF_BYTES"]]
    assert f"<String>{size}</String>" in new
    facts: list[Any] = [json.loads(said("mkvmerge", "-J", path)) for path in (source, target)]
    for fact in facts:
        assert not fact["warnings"] and not fact["errors"]
        for each in ("file_name", "identification_format_version"):
            fact.pop(each)
        for track in fact["tracks"]:
            for each in ("codec_private_data", "codec_private_length", "tag_bps", "tag_number_of_bytes"):
                track["properties"].pop(each, None)
    assert facts[0] == facts[1]
    assert facts[0]["tracks"][0]["properties"]["language_ietf"] == "zh-Hans"


def test_times_of_every_picture_and_its_group_stay(tmp_path: Path) -> None:
    """Blocks in groups, with durations and references: as mkvmerge writes a variable rate."""
    plain = make_video(tmp_path / "plain.mkv", *X264, "-bf", 2, "-vf", "select='mod(n,5)'", "-vsync", "vfr")
    source, target = tmp_path / "old.mkv", tmp_path / "new.mkv"
    said("mkvmerge", "-q", "-o", source, "--engage", "no_simpleblocks", plain)
    run(source, target)
    times = ("ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=pts,duration", "-of", "csv")
    assert sorted(said(*times, source).split()) == sorted(said(*times, target).split())
    old, new = pictures(source), pictures(target)
    assert [pts for pts, _ in old] == [pts for pts, _ in new] and old[40:] == new[40:]
    check_positions(target.read_bytes())
    check_cues(target.read_bytes())


def test_frames_that_are_compressed_stay_so(tmp_path: Path) -> None:
    """zlib (RFC 9559, 5.1.4.1.31.6), which mkvmerge writes on request; the fewer bytes count in the statistics."""
    plain = make_video(tmp_path / "plain.mkv", "-c:v", "mjpeg", "-q:v", 4, "-c:a", "flac", inputs=TONE)
    source, target = tmp_path / "old.mkv", tmp_path / "new.mkv"
    said("mkvmerge", "-q", "-o", source, "--compression", "-1:zlib", plain)
    run(source, target)
    for path in (source, target):
        assert said("mkvinfo", path).count("Content compression") == 2
    old, new = pictures(source), pictures(target)
    assert len(old) == len(new) and old[30:] == new[30:] and old[0] != new[0]
    assert packets(source, "as") == packets(target, "as")
    uids = [
        [track["properties"]["uid"] for track in json.loads(said("mkvmerge", "-J", path))["tracks"]]
        for path in (source, target)
    ]
    assert uids[0] == uids[1]
    check_positions(target.read_bytes())
    check_cues(target.read_bytes())


def test_compressed_frames_that_would_fill_the_memory_are_re_muxed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = make_video(tmp_path / "plain.mkv", "-c:v", "mjpeg", "-q:v", 4)
    source, target = tmp_path / "old.mkv", tmp_path / "new.mkv"
    said("mkvmerge", "-q", "-o", source, "--compression", "0:zlib", plain)
    monkeypatch.setattr(blocks, "MAX_HELD", 1000)
    run(source, target)
    assert "Content compression" not in said("mkvinfo", target)
    old, new = pictures(source), pictures(target)
    assert len(old) == len(new) and old[30:] == new[30:] and old[0] != new[0]


def test_frames_stored_without_their_first_bytes_stay_so(tmp_path: Path) -> None:
    """Header stripping (RFC 9559, 5.1.4.1.31.7), which mkvmerge did by default for years."""
    data = make_video(tmp_path / "plain.mkv", "-c:v", "mjpeg", "-q:v", 4).read_bytes()
    segment, parts = outer(data)
    body = b""
    for number, start, inside, end in parts:
        if number not in (CLUSTER, 0x1654AE6B, 0x1549A966):
            continue
        children = [node for node in nodes(data, inside, end) if node[0] != 0xBF]
        if number == CLUSTER:
            body += box(CLUSTER, b"".join(_stripped(data, *node) for node in children))
        elif number == 0x1654AE6B:
            (entry,) = (node for node in children if node[0] == 0xAE)
            way = box(0x6240, box(0x5034, box(0x4254, b"\3") + box(0x4255, b"\xff\xd8")))
            body += box(number, box(0xAE, data[entry[2] : entry[3]] + box(0x6D80, way)))
        else:
            body += data[start:end]
    source, target = tmp_path / "old.mkv", tmp_path / "new.mkv"
    source.write_bytes(data[: segment[1]] + box(segment[0], body))
    run(source, target)
    assert "header removal" in said("mkvinfo", target)
    old, new = pictures(source), pictures(target)
    assert [pts for pts, _ in old] == [pts for pts, _ in new] and old[30:] == new[30:] and old[0] != new[0]


def _stripped(data: bytes, number: int, start: int, body: int, end: int) -> bytes:
    if number != 0xA3:
        return data[start:end]
    assert data[body + 4 : body + 6] == b"\xff\xd8"
    return box(number, data[body : body + 4] + data[body + 6 : end])


@pytest.mark.parametrize("aspect", [1, 2])
def test_the_label_is_inside_what_players_show(tmp_path: Path, aspect: int) -> None:
    """PixelCropLeft, Top, Right and Bottom (RFC 9559, 11.1); the size of display is that of the rest."""
    plain = make_video(tmp_path / "plain.mkv", *X264)
    source, target = tmp_path / "old.mkv", tmp_path / "new.mkv"
    said("mkvmerge", "-q", "-o", source, "--cropping", "0:10,20,14,24", "--display-dimensions",
         f"0:{136 * aspect}x76", plain)  # fmt: skip
    painted = paint(source, target, "matroska", Painter(), ((0.0, LABEL),))
    assert painted.displayed == (136 * aspect, 76)
    cut = f"crop=136:76:10:20,scale={136 * aspect}:76:flags=neighbor"
    command = ["ffmpeg", "-v", "error", "-i", target, "-vf", cut, "-frames:v", "1", "-pix_fmt", "gray"]
    shown = subprocess.run([*map(str, command), "-f", "rawvideo", "-"], capture_output=True, check=True).stdout
    left, top, right, bottom = painted.box
    inside = np.frombuffer(shown, np.uint8).reshape(76, 136 * aspect)[top + 2 : bottom - 2, left + 2 : right - 2]
    assert (inside > 220).all()
    video = json.loads(said("mkvmerge", "-J", target))["tracks"][0]["properties"]
    assert (video["display_dimensions"], video["cropping"]) == (f"{136 * aspect}x76", "10,20,14,24")


def test_a_label_that_is_cut_off_is_no_label(tmp_path: Path) -> None:
    source, target = make_video(tmp_path / "old.mkv", *X264, size="320x240"), tmp_path / "new.mkv"
    paint(source, target, "matroska", LabelPainter(), ((0.0, None),))

    def status() -> Status:
        with FileBytes(target.open("rb"), str(target)) as data:
            return find_explicit_label(data, "matroska", languages=("zh",)).status

    assert status() is Status.PRESENT
    said("mkvpropedit", "-q", target, "--edit", "track:v1", "--set", "pixel-crop-bottom=40")
    assert status() is Status.ABSENT


@pytest.mark.parametrize(("coder", "lost"), [("huffyuv", []), ("rawvideo", []), ("libtheora", [])])
def test_a_lossless_codec_stays_or_is_named(coder: str, lost: list[str], tmp_path: Path) -> None:
    source = make_video(tmp_path / "old.mkv", "-c:v", coder, "-pix_fmt", "yuv422p" if coder == "huffyuv" else "yuv420p")
    painted = paint(source, tmp_path / "new.mkv", "matroska", Painter(), ((0.0, LABEL),))
    assert [loss.what for loss in painted.lost] == lost
    old, new = pictures(source), pictures(tmp_path / "new.mkv")
    assert len(old) == len(new) and (old[60:] == new[60:]) == (coder != "libtheora")
