"""A label on AVI and FLV: new frames are put into the places of old ones, so that headers and other streams stay."""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling import Labeler, containers
from labeling.codecs.video.remux import paint
from labeling.filebytes import FileBytes

from .cuts import LABEL, Painter, ffmpeg, make_video, packets, pictures

X264 = ("-c:v", "libx264", "-preset", "veryfast", "-g", 24, "-sc_threshold", 0, "-pix_fmt", "yuv420p")
MJPEG = ("-c:v", "mjpeg", "-q:v", 3, "-pix_fmt", "yuvj420p")
TONE = ("-f", "lavfi", "-i", "sine=440:d=3")
PRODUCER = "001191110102MACQD9K64010000"


def run(source: Path, format: str, **options: str) -> Path:
    target = source.with_name(f"new{source.suffix}")
    paint(source, target, format, Painter(), ((0.0, LABEL),), **options)  # type: ignore[arg-type]
    return target


def chunks(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, body, end) of every chunk; of a list, its form, and then what is in it."""
    at = start
    while at + 8 <= stop:
        name, size = struct.unpack_from("<4sI", data, at)
        end = at + 8 + size
        assert end <= stop
        if name in (b"RIFF", b"LIST"):
            yield data[at + 8 : at + 12], at + 12, end
            yield from chunks(data, at + 12, end)
        else:
            yield name, at + 8, end
        at = end + (size & 1)
    assert at == stop


def check_indices(data: bytes) -> int:
    """Every entry of every index leads to a chunk of its name and size; return how many there are."""
    all_of = list(chunks(data, 0, len(data)))
    starts = {body - 8: (name, end - body) for name, body, end in all_of}
    movi = next(body for name, body, _ in all_of if name == b"movi") - 4
    count = 0
    for name, body, end in all_of:
        if name == b"idx1":
            entries = list(struct.iter_unpack("<4sIII", data[body:end]))
            base = movi if starts.get(movi + entries[0][2], (b"",))[0] == entries[0][0] else 0
            for kind, _, offset, size in entries:
                assert starts[base + offset] == (kind, size)
                count += 1
        elif name[:2] == b"ix":
            longs, _, _, number, kind, base, _ = struct.unpack_from("<HBBI4sQI", data, body)
            assert longs == 2
            for offset, size in struct.iter_unpack("<II", data[body + 24 : body + 24 + 8 * number]):
                assert starts[base + offset - 8] == (kind, size & 0x7FFFFFFF)
                count += 1
        elif name == b"indx":
            _, _, kind, number, _, _ = struct.unpack_from("<HBBI4sQ", data, body)
            for offset, _, _ in struct.iter_unpack("<QII", data[body + 24 : body + 24 + 16 * number]):
                assert starts[offset][0][:2] == b"ix"
    return count


def headers(data: bytes) -> list[tuple[bytes, bytes]]:
    """Headers and all else that is no packet and no index.

    Left out are the buffer sizes, which follow the largest packet, and the configuration behind a BITMAPINFOHEADER.
    """
    found = []
    for name, body, end in chunks(data, 0, len(data)):
        if name in STRUCTURE or name[:2] in (b"00", b"01", b"ix"):
            continue
        if name == b"strf" and end - body >= 40:
            body, end = body + 4, body + 40
        found.append((name, data[body : min(end, body + {b"avih": 28, b"strh": 36}.get(name, end))]))
    return found


STRUCTURE = {b"RIFF", b"AVI ", b"AVIX", b"hdrl", b"strl", b"movi", b"idx1", b"indx"}
AVI = {
    "mjpeg, mp3": (*MJPEG, "-c:a", "mp3"),
    "h264, pcm": (*X264, "-bf", 0, "-c:a", "pcm_s16le"),
    "h264 with b, mp3": (*X264, "-bf", 2, "-c:a", "mp3"),
    "mpeg-4 with b, ac3": ("-c:v", "mpeg4", "-vtag", "XVID", "-q:v", 4, "-bf", 2, "-c:a", "ac3"),
    "packed": ("-c:v", "mpeg4", "-vtag", "DX50", "-q:v", 4, "-g", 12, "-c:a", "mp2"),
}


@pytest.mark.parametrize("kind", AVI)
def test_headers_sound_and_other_chunks_of_avi_stay(tmp_path: Path, kind: str) -> None:
    source = make_video(tmp_path / "old.avi", *AVI[kind], "-metadata", "title=A title", inputs=TONE)
    data = source.read_bytes()
    extra = b"note" + struct.pack("<I", 5) + b"words\0" + b"JUNK" + struct.pack("<I", 4) + b"kept"
    source.write_bytes(data[:4] + struct.pack("<I", len(data) - 8 + len(extra)) + data[8:] + extra)
    target = run(source, "avi")
    before, after = source.read_bytes(), target.read_bytes()
    assert check_indices(after) == check_indices(before) > 75
    assert headers(before) == headers(after)
    assert packets(source, "a") == packets(target, "a") != []
    assert len(pictures(source)) == len(pictures(target))
    durations = [
        subprocess.run(["mediainfo", "--Inform=Audio;%Duration%", path], capture_output=True, check=True).stdout
        for path in (source, target)
    ]
    assert durations[0] == durations[1]


def test_places_from_the_start_of_the_file_stay_so(tmp_path: Path) -> None:
    source = make_video(tmp_path / "old.avi", *MJPEG, "-c:a", "mp3", inputs=TONE)
    data = bytearray(source.read_bytes())
    movi = data.index(b"movi")
    index = data.rindex(b"idx1") + 8
    for at in range(index, index + int.from_bytes(data[index - 4 : index], "little"), 16):
        place = int.from_bytes(data[at + 8 : at + 12], "little") + movi
        data[at + 8 : at + 12] = place.to_bytes(4, "little")
    source.write_bytes(data)
    check_indices(bytes(data))
    target = run(source, "avi")
    check_indices(target.read_bytes())
    assert len(pictures(target)) == 75 and pictures(target)[30:] == pictures(source)[30:]


def test_opendml_indices_follow(tmp_path: Path) -> None:
    """Two RIFF chunks, each with its packets and their standard index; a super index leads to both."""
    plain = make_video(tmp_path / "plain.avi", *MJPEG).read_bytes()
    all_of = list(chunks(plain, 0, len(plain)))
    frames = [plain[body:end] for name, body, end in all_of if name == b"00dc"]
    avih, strh, strf = (next(plain[b:e] for n, b, e in all_of if n == name) for name in (b"avih", b"strh", b"strf"))

    def chunk(name: bytes, body: bytes) -> bytes:
        return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)

    def movie(part: list[bytes], at: int) -> tuple[bytes, int]:
        body, entries = b"", b""
        for frame in part:
            entries += struct.pack("<II", 4 + len(body) + 8, len(frame))
            body += chunk(b"00dc", frame)
        index = struct.pack("<HBBI4sQI", 2, 0, 1, len(part), b"00dc", at + 8, 0) + entries
        return chunk(b"LIST", b"movi" + body + chunk(b"ix00", index)), at + 12 + len(body)

    def built(places: tuple[int, int]) -> tuple[bytes, tuple[int, int]]:
        entries = b"".join(struct.pack("<QII", place, 0, 40) for place in places)
        indx = chunk(b"indx", struct.pack("<HBBI4sQI", 4, 0, 0, 2, b"00dc", 0, 0) + entries)
        strl = chunk(b"LIST", b"strl" + chunk(b"strh", strh) + chunk(b"strf", strf) + indx)
        odml = chunk(b"LIST", b"odml" + chunk(b"dmlh", struct.pack("<I", len(frames)) + bytes(244)))
        head = b"AVI " + chunk(b"LIST", b"hdrl" + chunk(b"avih", avih) + strl + odml)
        first, one = movie(frames[:10], 8 + len(head))
        riff = chunk(b"RIFF", head + first)
        second, two = movie(frames[10:], len(riff) + 12)
        return riff + chunk(b"RIFF", b"AVIX" + second), (one, two)

    source = tmp_path / "old.avi"
    source.write_bytes(built(built((0, 0))[1])[0])
    assert check_indices(source.read_bytes()) == 75 == len(pictures(source))
    target = run(source, "avi", reencode="never")
    after = target.read_bytes()
    assert check_indices(after) == 75
    assert headers(source.read_bytes()) == headers(after)
    assert len(pictures(target)) == 75 and pictures(target)[30:] == pictures(source)[30:]
    assert pictures(target)[0] != pictures(source)[0]


def properties(path: Path) -> dict[str, object]:
    done = subprocess.run(["exiftool", "-j", "-n", "-Flash:all", path], capture_output=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)[0]
    return found


@pytest.mark.parametrize("whole", [False, True])
def test_properties_of_flv_stay_and_offsets_follow(tmp_path: Path, whole: bool) -> None:
    source = make_video(
        tmp_path / "old.flv", *X264, "-bf", 2, "-c:a", "aac", "-flvflags", "add_keyframe_index", "-metadata",
        "title=A title", "-metadata", "mood=calm", inputs=TONE,
    )  # fmt: skip
    target = run(source, "flv", **({"reencode": "always"} if whole else {}))
    before, after = properties(source), properties(target)
    moved = ("FileSizeBytes", "DataSize", "VideoSize", "Lastkeyframelocation", "KeyFramePositions")
    for each in moved:
        assert before.pop(each) != after[each]
    data = target.read_bytes()
    assert after.pop("FileSizeBytes") == len(data)
    places = str(after.pop("KeyFramePositions")).strip("[]").split(",")
    assert all(data[int(float(place))] == 9 and data[int(float(place)) + 11] == 0x17 for place in places)
    for each in ("DataSize", "VideoSize", "Lastkeyframelocation"):
        after.pop(each)
    assert {n: v for n, v in before.items() if n != "SourceFile"} == {
        n: v for n, v in after.items() if n != "SourceFile"
    }
    assert packets(source, "a") == packets(target, "a") != []
    old, new = pictures(source), pictures(target)
    assert [pts for pts, _ in old] == [pts for pts, _ in new]
    if not whole:
        assert old[48:] == new[48:] and old[0] != new[0]


@pytest.mark.parametrize("suffix", ["flv", "mkv", "webm", "avi"])
@pytest.mark.parametrize("visible", [False, True])
def test_bytes_behind_the_end_are_kept_and_do_no_harm(tmp_path: Path, suffix: str, visible: bool) -> None:
    """Some tools add a few bytes, to give a file another checksum. Players stop before them."""
    codec = ("-c:v", "libvpx", "-b:v", "300k") if suffix == "webm" else X264 if suffix != "avi" else MJPEG
    source, target = make_video(tmp_path / f"old.{suffix}", *codec, size="320x240"), tmp_path / f"new.{suffix}"
    with source.open("ab") as file:
        file.write(b"abc12345678")
    labeler = Labeler(PRODUCER, visible=visible)
    labeler.label_file(source, target)
    assert target.read_bytes().endswith(b"abc12345678")
    with FileBytes(target.open("rb"), str(target)) as data:
        assert not containers.read(data).problems
    again = tmp_path / f"again.{suffix}"
    labeler.label_file(target, again)
    ffmpeg("-i", again, "-f", "null", "-")


def test_an_flv_that_ends_within_a_tag_is_still_cut_off(tmp_path: Path) -> None:
    data = make_video(tmp_path / "old.flv", *X264).read_bytes()
    for cut in (25, 3000):
        assert any("cut off" in problem for problem in containers.read(data[:-cut]).problems)
    assert containers.read(data[: len(data) // 2] + bytes(100_000)).problems


def heard(path: Path) -> tuple[float, str]:
    """How long FFmpeg says that a file is, and what it complains about while it decodes it."""
    shown = subprocess.run(
        ["ffprobe", "-v", "warning", "-show_entries", "format=duration", "-of", "csv=p=0", path],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    played = subprocess.run(
        ["ffmpeg", "-v", "warning", "-i", path, "-f", "null", "-"], capture_output=True, text=True, check=True
    )
    return float(shown.stdout), shown.stderr + played.stderr


@pytest.mark.parametrize(("codec", "name", "seconds"), [
    ("flv1", "Sorenson Spark", 3), ("flashsv", "Screen Video", 3), ("flv1", "Sorenson Spark", 14),
])  # fmt: skip
def test_a_flash_video_that_gets_another_codec_keeps_its_duration_and_has_no_broken_index(
    tmp_path: Path, codec: str, name: str, seconds: int
) -> None:
    source, out = tmp_path / "old.flv", tmp_path / "new.flv"
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=s=160x120:r=25:d={seconds}", "-f", "lavfi", "-i", f"sine=440:d={seconds}",
           "-c:v", codec, "-pix_fmt", "bgr24" if codec == "flashsv" else "yuv420p", "-c:a", "mp3", "-ar", 44100,
           source)  # fmt: skip
    done = Labeler(PRODUCER).label_file(source, out)
    told = [loss.what for loss in done.lost]
    assert f"codec of the video track: {name} → H.264" in told and not any("duration" in what for what in told)
    (before, _), (after, complaints) = heard(source), heard(out)
    assert not complaints and after == pytest.approx(before, abs=0.05)
    assert [each[2:] for each in packets(source, "a")] == [each[2:] for each in packets(out, "a")]
    listed = subprocess.run(["exiftool", "-j", "-n", out], capture_output=True, text=True, check=True).stdout
    facts = json.loads(listed)[0]
    assert facts["FileSizeBytes"] == out.stat().st_size
    places = facts.get("KeyFramePositions", [])  # exiftool shows a single one as a number
    assert isinstance(places, list)
    assert len(places) != 1 and bool(places) is (seconds > 10)
    data = out.read_bytes()
    assert all(data[at] == 9 and data[at + 11] >> 4 == 1 for at in places)  # a video tag with a key frame
