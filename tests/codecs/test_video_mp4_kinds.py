"""The label on MP4 and MOV files of every codec and layout: all that is not under it stays, to the tick and the byte.

FFmpeg's programs are the witnesses: the packets of all other tracks, the times of the video, its pictures as decoded.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from struct import pack
from typing import Any

import pytest

import labeling
from labeling import Labeler, LabelingError
from labeling.containers.syntax.isobmff import Box, box, children, first_at, walk
from labeling.options import VideoOptions

PRODUCER = "001191000000MA00DEM00P10001"
SIZE, RATE, SECONDS = "160x120", 24, 4
FRAGMENTS = "-movflags frag_keyframe+empty_moov+default_base_moof"
MPEG2 = "-c:v mpeg2video -q:v 3 -bf 2 -g 12"

PART = {
    "mpeg4.mp4": "-c:v mpeg4 -q:v 3 -g 24",
    "mpeg4.mov": "-c:v mpeg4 -q:v 3 -g 24 -timecode 01:02:03:04",
    "mpeg2_closed.mp4": f"{MPEG2} -flags +cgop -sc_threshold 1000000000",
    "mjpeg.mov": "-c:v mjpeg -q:v 3",
    "mjpeg.mp4": "-c:v mjpeg -q:v 3",
    "prores.mov": "-c:v prores_ks",
    "prores_alpha.mov": "-vf format=yuva444p10le -c:v prores_ks -profile:v 4 -pix_fmt yuva444p10le",
    "dnxhr.mov": "-s 256x144 -c:v dnxhd -profile:v dnxhr_hqx -pix_fmt yuv422p10le",
    "animation.mov": "-c:v qtrle -g 24",
    "png.mov": "-c:v png",
    "rgb.mp4": "-c:v libx264rgb -crf 18 -preset ultrafast -g 24",
    "fragments.mp4": f"-c:v copy {FRAGMENTS}",
    "delayed.mp4": "-c:v copy -movflags frag_keyframe+delay_moov+default_base_moof",
    "mixed.mp4": "-c:v copy -movflags frag_keyframe",
    "base_offset.mp4": "-c:v copy -movflags frag_keyframe+empty_moov",
    "implied_offset.mp4": "-c:v copy -movflags frag_every_frame+empty_moov+omit_tfhd_offset",
    "separate.mp4": "-c:v copy -movflags frag_every_frame+empty_moov+separate_moof",
    "dash.mp4": "-c:v copy -movflags dash+delay_moov+global_sidx -frag_duration 400000",
}
WHOLE = {
    "mpeg4_open.mp4": "-c:v mpeg4 -q:v 3 -bf 2 -g 12",
    "mpeg2_open.mov": MPEG2,
    "vp9_10.mp4": "-c:v libvpx-vp9 -pix_fmt yuv420p10le -profile:v 2 -cpu-used 8 -deadline realtime",
    "cinepak.mov": "-c:v cinepak",
}
EXTRAS = ("mpeg4.mp4", "fragments.mp4", "mjpeg.mov")


def run(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done
    return done.stdout


def ffmpeg(*arguments: object) -> None:
    run("ffmpeg", "-v", "error", "-nostdin", "-y", *arguments)


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Four seconds of video with audio of each kind, made when first asked for."""
    home = tmp_path_factory.mktemp("kinds")
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=s={SIZE}:r={RATE}:d={SECONDS}", "-f", "lavfi", "-i", f"sine=d={SECONDS}",
           "-c:v", "libx264", "-preset", "ultrafast", "-bf", 2, "-g", 24, "-pix_fmt", "yuv420p", "-c:a", "aac",
           home / "source.mp4")  # fmt: skip

    def video(name: str) -> Path:
        path = home / name
        if not path.exists():
            kind = PART.get(name) or WHOLE[name]
            ffmpeg("-i", home / "source.mp4", *kind.split(), "-c:a", "copy", path)
        return path

    return video


def packets(path: Path) -> dict[str, list[list[str]]]:
    """Track → (pts, dts, duration, size, hash) of each packet."""
    fields = "packet=stream_index,pts,dts,duration,size,data_hash"
    found: dict[str, list[list[str]]] = {}
    for line in run("ffprobe", "-v", "error", "-show_entries", fields, "-show_data_hash", "md5", "-of", "csv=p=0",
                    path).splitlines():  # fmt: skip
        track, *rest = line.split(",")
        if track:  # other lines are the hashes of side data
            found.setdefault(track, []).append(rest)
    return found


def pictures(path: Path) -> list[tuple[str, str]]:
    """(pts, MD5) of each picture as decoded."""
    said = run("ffmpeg", "-v", "fatal", "-nostdin", "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough",
               "-enc_time_base", "-1", "-f", "framemd5", "-")  # fmt: skip
    lines = [line.split(",") for line in said.splitlines() if not line.startswith("#")]
    return [(line[2].strip(), line[5].strip()) for line in lines]


def complaints(path: Path) -> list[str]:
    done = subprocess.run(["ffmpeg", "-v", "warning", "-nostdin", "-i", str(path), "-map", "0:v:0", "-f", "null", "-"],
                          capture_output=True, text=True, timeout=300)  # fmt: skip
    return [line.split("] ")[-1] for line in done.stderr.splitlines()]


def facts(path: Path) -> Any:
    said = run("ffprobe", "-v", "error", "-show_chapters", "-show_entries",
               "format=duration,start_time:stream=index,codec_tag_string,time_base,start_pts,duration_ts,nb_frames,"
               "r_frame_rate,width,height,sample_aspect_ratio,disposition:stream_tags=timecode,language",
               "-of", "json", path)  # fmt: skip
    return json.loads(said)


def top_level(path: Path) -> list[str]:
    """The boxes of a file but for free space and the packet that a label brings."""
    data = path.read_bytes()
    kinds = [each.type.decode() for each in walk(memoryview(data), 0, len(data)).boxes]
    return [kind for kind in kinds if kind not in ("free", "uuid")]


def label(source: Path, target: Path, **video: Any) -> labeling.LabeledFile:
    return Labeler(PRODUCER, video=VideoOptions(**video)).label_file(source, target)


def assert_only_the_label(source: Path, target: Path) -> list[int]:
    """Compare all but the pictures under the label, and return the numbers of those that differ."""
    old, new = packets(source), packets(target)
    video = next(str(stream["index"]) for stream in facts(source)["streams"] if stream.get("width"))
    assert {track: new[track] for track in new if track != video} == {t: old[t] for t in old if t != video}
    assert [row[1:3] for row in new[video]] == [row[1:3] for row in old[video]]
    assert sorted(int(row[0]) for row in new[video]) == sorted(int(row[0]) for row in old[video])
    before, after = pictures(source), pictures(target)
    assert [time for time, _ in after] == [time for time, _ in before]
    assert complaints(source) or not complaints(target)
    assert top_level(target) == top_level(source)
    assert labeling.verify(target).verdicts["cn"].outcome == "compliant"
    return [n for n, (a, b) in enumerate(zip(before, after, strict=True)) if a[1] != b[1]]


@pytest.mark.parametrize("name", PART)
def test_only_what_is_under_the_label_changes(name: str, videos: Callable[[str], Path], tmp_path: Path) -> None:
    source, out = videos(name), tmp_path / name
    done = label(source, out)
    changed = assert_only_the_label(source, out)
    assert changed[:40] == list(range(40)) and changed[-1] < 3 * RATE, (changed, done.how)
    assert facts(out) == facts(source)
    assert "bit-exactly" in done.how[0]
    assert not [loss for loss in done.lost if not loss.what.startswith("bits of a sample")]


@pytest.mark.parametrize("name", WHOLE)
def test_what_cannot_be_cut_keeps_every_time_and_all_other_tracks(
    name: str, videos: Callable[[str], Path], tmp_path: Path
) -> None:
    source, out = videos(name), tmp_path / name
    done = label(source, out)
    assert len(assert_only_the_label(source, out)) >= 40
    codec = name in ("vp9_10.mp4", "cinepak.mov")
    assert [loss.what for loss in done.lost if "codec" in loss.what] == [loss.what for loss in done.lost]
    assert bool(done.lost) == codec
    with pytest.raises(LabelingError):
        label(source, tmp_path / f"never_{name}", reencode="never")


@pytest.mark.parametrize("name", EXTRAS)
def test_chapters_subtitles_and_covers_stay(name: str, videos: Callable[[str], Path], tmp_path: Path) -> None:
    chapters, subtitles, cover = tmp_path / "chapters.txt", tmp_path / "words.srt", tmp_path / "cover.jpg"
    part = "[CHAPTER]\nTIMEBASE=1/1000\nSTART={}\nEND={}\ntitle={}\n"
    chapters.write_text(";FFMETADATA1\n" + part.format(0, 1000, "One") + part.format(1000, 3500, "Two"))
    subtitles.write_text("1\n00:00:00,500 --> 00:00:02,000\nHello\n\n2\n00:00:02,700 --> 00:00:03,100\nAgain\n")
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64", "-frames:v", 1, cover)
    source, out = tmp_path / name, tmp_path / f"out_{name}"
    more = ["-i", chapters, "-i", subtitles]
    maps = ["-map", 0, "-map", 2, "-map_chapters", 1]
    if name == "mpeg4.mp4":  # FFmpeg's cover is a track to itself, and an item in the file
        more, maps = [*more, "-i", cover], [*maps, "-map", 3, "-disposition:v:1", "attached_pic"]
    moves = FRAGMENTS.split() if name == "fragments.mp4" else []
    ffmpeg("-i", videos(name), *more, *maps, "-c", "copy", "-c:s", "mov_text", *moves, source)
    done = label(source, out)
    assert assert_only_the_label(source, out)[-1] < 3 * RATE
    assert facts(out) == facts(source) and len(facts(out)["chapters"]) == 2
    assert not done.lost


def test_timed_metadata_of_an_unknown_kind_stays(videos: Callable[[str], Path], tmp_path: Path) -> None:
    words, plain, source = tmp_path / "words.srt", tmp_path / "plain.mp4", tmp_path / "in.mov"
    words.write_text("1\n00:00:00,500 --> 00:00:02,000\nHello\n")
    ffmpeg("-i", videos("fragments.mp4"), "-i", words, "-c", "copy", "-c:s", "mov_text", *FRAGMENTS.split(), plain)
    source.write_bytes(plain.read_bytes().replace(b"sbtl", b"meta").replace(b"tx3g", b"mebx"))
    label(source, tmp_path / "out.mov")
    assert assert_only_the_label(source, tmp_path / "out.mov")[-1] < 3 * RATE


@pytest.mark.parametrize("start", [0.4, 1.3])
def test_edit_lists_of_fragmented_and_of_plain_files_stay(
    start: float, videos: Callable[[str], Path], tmp_path: Path
) -> None:
    for name, moves in (("mpeg4.mp4", ""), ("fragments.mp4", "-movflags frag_keyframe+delay_moov")):
        source, out = tmp_path / name, tmp_path / f"out_{name}"
        ffmpeg("-ss", start, "-i", videos(name), "-c", "copy", *moves.split(), source)
        label(source, out)
        assert_only_the_label(source, out)
        assert facts(out) == facts(source)


# Clips joined without re-encoding


X265 = "-tag:v hvc1 -c:v libx265 -x265-params log-level=none:repeat-headers=1"
CLIPS = {
    "quality": ("-c:v libx264 -crf 20", "-c:v libx264 -crf 30 -preset superfast -g 24"),
    "size": ("-c:v libx264 -crf 20", "-s 320x180 -c:v libx264 -crf 28 -preset superfast -g 24"),
    "hevc": (f"-preset fast {X265}", f"-preset ultrafast {X265}:keyint=24:open-gop=0"),
}  # fmt: skip


def clips(kind: str, home: Path) -> list[Path]:
    paths = [home / "first.mp4", home / "second.mp4"]
    for path, options, seconds in zip(paths, CLIPS[kind], (1, 3), strict=True):
        ffmpeg("-f", "lavfi", "-i", f"testsrc2=s={SIZE}:r={RATE}:d={seconds}", "-pix_fmt", "yuv420p",
               *options.split(), path)  # fmt: skip
    return paths


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("kind", CLIPS)
def test_joined_clips_are_labelled_and_go_on_as_before(kind: str, suffix: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("".join(f"file {path}\n" for path in clips(kind, tmp_path)))
    source, out, all_of_it = (tmp_path / f"{name}.{suffix}" for name in ("in", "out", "always"))
    ffmpeg("-f", "concat", "-safe", 0, "-i", tmp_path / "list.txt", "-c", "copy", source)
    label(source, out)
    before, after = pictures(source), pictures(out)
    changed = [n for n, (a, b) in enumerate(zip(before, after, strict=True)) if a[1] != b[1]]
    assert changed[:40] == list(range(40)) and changed[-1] < 3 * RATE
    assert complaints(out) == complaints(source) == []
    assert labeling.verify(out).verdicts["cn"].outcome == "compliant"
    if suffix == "mp4":
        assert_only_the_label(source, out)
    label(source, all_of_it, reencode="always")
    assert [time for time, _ in pictures(all_of_it)] == [time for time, _ in before]
    assert complaints(all_of_it) == []


def tables_of(path: Path) -> tuple[bytes, dict[bytes, Box], Box]:
    data = path.read_bytes()
    view = memoryview(data)
    moov = next(each for each in walk(view, 0, len(data)).boxes if each.type == b"moov")
    stbl = first_at(view, moov, b"trak", b"mdia", b"minf", b"stbl")
    assert stbl is not None
    return data, {each.type: each for each in children(view, stbl)}, stbl


def rows(path: Path, kind: bytes, width: int, at: int = 4) -> list[tuple[int, ...]]:
    data, tables, _ = tables_of(path)
    body = data[tables[kind].body + at : tables[kind].end]
    count = int.from_bytes(body[:4], "big")
    return [tuple(int.from_bytes(body[4 + 4 * (n * width + k) :][:4], "big") for k in range(width))
            for n in range(count)]  # fmt: skip


def two_descriptions(first: Path, second: Path, target: Path) -> None:
    """Write one track with two sample descriptions, as editors do that join clips: no parameter set is in band."""
    parts: list[bytes] = []
    sizes: list[int] = []
    sync: list[int] = []
    shifts: list[tuple[int, ...]] = []
    times: list[tuple[int, ...]] = []
    entries = b""
    for path in (first, second):
        data, tables, _ = tables_of(path)
        entries += data[tables[b"stsd"].body + 8 : tables[b"stsd"].end]
        sync += [number + len(sizes) for (number,) in rows(path, b"stss", 1)]
        shifts += rows(path, b"ctts", 2)
        times += rows(path, b"stts", 2)
        here = [size for (size,) in rows(path, b"stsz", 1, at=8)]
        at = rows(path, b"stco", 1)[0][0]
        assert len(rows(path, b"stco", 1)) == 1  # video alone is one chunk
        parts.append(data[at : at + sum(here)])
        sizes += here

    def table(kind: bytes, values: list[tuple[int, ...]], before: bytes = b"") -> bytes:
        numbers = [number for row in values for number in row]
        return box(kind, bytes(4), before, pack(f">I{len(numbers)}I", len(values), *numbers))

    data, _, _ = tables_of(first)
    count = len(rows(first, b"stsz", 1, at=8))
    head = box(b"ftyp", b"isom", bytes(4), b"isomavc1") + box(b"mdat", *parts)
    start = 24 + 8
    new = box(
        b"stbl", box(b"stsd", bytes(4), pack(">I", 2), entries), table(b"stts", times), table(b"ctts", shifts),
        table(b"stss", [(number,) for number in sync]), table(b"stsc", [(1, count, 1), (2, len(sizes) - count, 2)]),
        table(b"stsz", [(size,) for size in sizes], bytes(4)), table(b"stco", [(start,), (start + len(parts[0]),)]),
    )  # fmt: skip
    movie = data[data.index(b"moov") - 4 :]
    movie = movie[: int.from_bytes(movie[:4], "big")]
    shift = data.index(b"moov") - 4

    def rebuilt(raw: bytes, path: tuple[bytes, ...]) -> bytes:
        view = memoryview(raw)
        kept = b""
        for each in walk(view, 8, len(raw)).boxes:
            part = raw[each.start : each.end]
            if each.type == path[0]:
                part = new if len(path) == 1 else rebuilt(part, path[1:])
            elif each.type == b"edts":
                part = b""
            kept += part
        return raw[4:8] and box(raw[4:8], kept)

    assert shift > 0
    target.write_bytes(head + rebuilt(movie, (b"trak", b"mdia", b"minf", b"stbl")))


@pytest.mark.parametrize("kind", CLIPS)
def test_several_sample_descriptions_stay_and_each_is_encoded_in_its_own_way(kind: str, tmp_path: Path) -> None:
    source, out, all_of_it = (tmp_path / f"{name}.mp4" for name in ("in", "out", "always"))
    first, second = clips(kind, tmp_path)
    two_descriptions(first, second, source)
    assert len(pictures(source)) == 4 * RATE
    label(source, out)
    changed = assert_only_the_label(source, out)
    assert changed[:40] == list(range(40)) and changed[-1] < 3 * RATE
    label(source, all_of_it, reencode="always")
    assert [time for time, _ in pictures(all_of_it)] == [time for time, _ in pictures(source)]
    assert complaints(all_of_it) == []
