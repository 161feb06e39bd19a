"""FLV, made by FFmpeg and by hand, checked with FFmpeg, PyAV and exiftool."""

from __future__ import annotations

import json
import random
import struct
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling import containers
from labeling.atomic_writes import write_pieces
from labeling.containers import Changes, Kind
from labeling.containers.flv import amf
from labeling.containers.flv import metadata as flv
from labeling.errors import LabelingError
from labeling.filebytes import FileBytes, FileRange

LABEL = json.dumps({"Label": "1", "ContentProducer": "001191110102MACQD9K64010000", "ProduceID": "号-1" + "x" * 150})
OTHER = LABEL.replace('"1"', '"2"')
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta>'

NAMES = ("plain.flv", "index.flv", "bare.flv", "audio.flv", "pipe.flv")


def run(*command: object) -> str:
    """Run a tool; anything it complains about is a failure."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One video as FFmpeg's options have it."""
    home = tmp_path_factory.mktemp("videos")
    source = home / "plain.flv"
    run("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=25:duration=3", "-f", "lavfi", "-i",
        "sine=duration=3", "-c:v", "libx264", "-g", 10, "-c:a", "aac", source)  # fmt: skip
    for name, options in (
        ("index.flv", ("-flvflags", "add_keyframe_index")),
        ("bare.flv", ("-flvflags", "no_metadata")),
        ("audio.flv", ("-vn",)),
    ):
        run("ffmpeg", "-v", "error", "-i", source, "-c", "copy", *options, home / name)
    piped = ["ffmpeg", "-v", "error", "-i", str(source), "-c", "copy", "-f", "flv", "-"]
    (home / "pipe.flv").write_bytes(subprocess.run(piped, capture_output=True).stdout)
    return {name: home / name for name in NAMES}


def tags(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(type, offset, data) of every tag; all PreviousTagSizes are right. Without the module under test."""
    at = int.from_bytes(data[5:9], "big") + 4
    while at < len(data):
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        assert int.from_bytes(data[at + 11 + size : at + 15 + size], "big") == 11 + size
        yield data[at], at, data[at + 11 : at + 11 + size]
        at += 15 + size
    assert at == len(data)


def string(value: bytes) -> bytes:
    return b"\2" + struct.pack(">H", len(value)) + value


def prop(name: str, value: bytes) -> bytes:
    return struct.pack(">H", len(name.encode())) + name.encode() + value


def number(value: float) -> bytes:
    return b"\0" + struct.pack(">d", value)


def array(*properties: bytes, count: int | None = None) -> bytes:
    return b"\x08" + struct.pack(">I", len(properties) if count is None else count) + b"".join(properties) + b"\0\0\x09"


def obj(*properties: bytes) -> bytes:
    return b"\x03" + b"".join(properties) + b"\0\0\x09"


def tag(kind: int, body: bytes) -> bytes:
    head = bytes((kind,)) + len(body).to_bytes(3, "big") + bytes(7)
    return head + body + (11 + len(body)).to_bytes(4, "big")


VIDEO = tag(9, b"\x12" + b"film" * 9) + tag(8, b"\x2f" + b"sound" * 7)


def video(*scripts: bytes, media: bytes = VIDEO) -> bytes:
    return b"FLV\1\5\0\0\0\x09\0\0\0\0" + b"".join(tag(18, script) for script in scripts) + media


def meta(*properties: bytes) -> bytes:
    return string(b"onMetaData") + array(*properties)


def rewritten(data: bytes, **changes: Any) -> bytes:
    return b"".join(containers.rewrite(data, containers.read(data), Changes(**changes)))


def labelled(data: bytes) -> bytes:
    return rewritten(data, text_field=("AIGC", LABEL))


def labels(data: bytes) -> list[str]:
    return [block.data.decode() for block in containers.read(data).blocks if block.keyword.upper() == "AIGC"]


def coded(data: bytes) -> list[bytes]:
    return [data[start : start + length] for start, length in containers.read(data).coded]


def packets(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """The packets of picture and audio: FFmpeg shows script tags that it does not know as a data stream."""
    found: dict[str, list[tuple[object, ...]]] = {}
    with av.open(path) as opened:
        for packet in opened.demux(*opened.streams.video, *opened.streams.audio):
            one = packet.pts, packet.dts, packet.is_keyframe, sha256(bytes(packet)).hexdigest()
            found.setdefault(packet.stream.type, []).append(one)
    return found


def frames_from_the_middle(path: Path) -> str:
    return run("ffmpeg", "-v", "warning", "-ss", "1.5", "-i", path, "-t", "0.4", "-f", "framemd5", "-")


@pytest.mark.parametrize("name", NAMES)
def test_a_label_is_put_in_and_nothing_is_lost(videos: dict[str, Path], tmp_path: Path, name: str) -> None:
    before = videos[name].read_bytes()
    assert containers.read(before).problems == ()
    after = labelled(before)
    target = tmp_path / name
    target.write_bytes(after)
    assert (containers.read(after).problems, labels(after), labelled(after)) == ((), [LABEL], after)
    assert coded(after) == coded(before)
    assert [each[2] for each in tags(after) if each[0] != 18] == [each[2] for each in tags(before) if each[0] != 18]
    probed, was = (
        json.loads(run("ffprobe", "-v", "warning", "-show_format", "-of", "json", path))["format"]
        for path in (target, videos[name])
    )
    assert probed["tags"].pop("AIGC") == LABEL
    places = {"lastkeyframelocation", "datasize", "filesize"}
    assert {key: text for key, text in was.get("tags", {}).items() if key not in places}.items() <= probed[
        "tags"
    ].items()
    assert probed["tags"].keys() == was.get("tags", {}).keys()
    assert probed.get("duration") == was.get("duration")
    assert packets(target) == packets(videos[name])
    assert frames_from_the_middle(target) == frames_from_the_middle(videos[name])
    assert run("exiftool", "-s3", "-AIGC", target).strip() == LABEL
    second = rewritten(after, text_field=("AIGC", OTHER))
    assert (len(second), labels(second)) == (len(after), [OTHER])


def test_the_description_of_the_video(videos: dict[str, Path]) -> None:
    found = containers.read(videos["plain.flv"].read_bytes())
    assert (found.media_type, found.width, found.height, round(found.seconds)) == ("video/x-flv", 160, 120, 3)
    assert [(block.where, block.keyword) for block in found.blocks] == [("FLV onMetaData encoder", "encoder")]
    audio = containers.read(videos["audio.flv"].read_bytes())
    assert (audio.media_type, audio.width, audio.height) == ("video/x-flv", 0, 0)


def test_numbers_that_are_places_in_the_file_follow(videos: dict[str, Path], tmp_path: Path) -> None:
    before = videos["index.flv"].read_bytes()
    after = rewritten(before, text_field=("AIGC", LABEL), xmp=XMP)
    (tmp_path / "after.flv").write_bytes(after)
    grown = len(after) - len(before)

    def said(path: Path) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(run("exiftool", "-json", path))[0]
        return found

    old, new = said(videos["index.flv"]), said(tmp_path / "after.flv")
    assert new["FileSizeBytes"] == len(after) == old["FileSizeBytes"] + grown
    assert new["Lastkeyframelocation"] == old["Lastkeyframelocation"] + grown
    places = [int(float(place)) for place in new["KeyFramePositions"]]
    assert places == [int(float(place)) + grown for place in old["KeyFramePositions"]]
    starts = {at for kind, at, body in tags(after) if kind == 9 and body[0] >> 4 == 1}
    assert set(places) <= starts
    changed = {key for key in old if not key.startswith("File") and old[key] != new[key]}
    assert changed == {"SourceFile", "Directory", "DataSize", "Lastkeyframelocation", "KeyFramePositions"}


@pytest.mark.parametrize(("reported", "right"), [(0, 0), (12345, 12345)])
def test_numbers_that_were_wrong_stay(reported: int, right: int) -> None:
    data = video(meta(prop("filesize", number(reported)), prop("datasize", number(20)), prop("AIGC", string(b"old"))))
    after = labelled(data)
    assert prop("filesize", number(right)) + prop("datasize", number(20)) in after


def test_data_size_grows_where_it_counts_all_tags() -> None:
    def made(size: float) -> bytes:
        return video(meta(prop("datasize", number(size)), prop("filesize", number(len_all))))

    len_all = 0
    len_all = len(made(0))
    after = labelled(made(len_all - 13))
    assert prop("datasize", number(len(after) - 13)) + prop("filesize", number(len(after))) in after
    assert prop("datasize", number(len(VIDEO))) in labelled(made(len(VIDEO)))


def test_properties_are_read_in_every_form() -> None:
    data = video(
        string(b"onMetaData") + obj(prop("aigc", string(b"lower")), prop("more", obj(prop("AIGC", string(b"nested"))))),
        string(b"@setDataFrame") + string(b"onMetaData") + array(prop("AIGC", string(b"relayed"))),
        string(b"onCuePoint") + obj(prop("AIGC", b"\x0c\0\0\0\4long"), prop("n", b"\x0a\0\0\0\1" + string(b"item"))),
        string(b"onXMPData") + array(prop("liveXML", string(XMP))),
        string(b"onMetaData")
        + array(prop("date", b"\x0b" + bytes(10)), prop("no", b"\5"), prop("un", b"\6"), prop("b", b"\1\1"),
                prop("typed", b"\x10\0\1T" + prop("x", string(b"y")) + b"\0\0\x09"), prop("ref", b"\7\0\0"),
                prop("xml", b"\x0f\0\0\0\4<a/>"), count=0)[:-3],
    )  # fmt: skip
    contents = containers.read(data)
    assert contents.problems == ()
    assert [(block.kind, block.where, block.data) for block in contents.blocks] == [
        (Kind.TEXT, "FLV onMetaData aigc", b"lower"),
        (Kind.TEXT, "FLV onMetaData more/AIGC", b"nested"),
        (Kind.TEXT, "FLV @setDataFrame AIGC", b"relayed"),
        (Kind.TEXT, "FLV onCuePoint AIGC", b"long"),
        (Kind.XMP, "FLV onXMPData liveXML", XMP),
        (Kind.TEXT, "FLV onMetaData typed/x", b"y"),
        (Kind.TEXT, "FLV onMetaData xml", b"<a/>"),
    ]
    after = rewritten(data, text_field=("AIGC", LABEL), drop=contents.blocks[:4])
    assert labels(after) == [LABEL]
    assert [body for kind, _, body in tags(after) if kind == 18] == [
        string(b"onMetaData") + obj(prop("more", obj()), prop("AIGC", string(LABEL.encode()))),
        string(b"@setDataFrame") + string(b"onMetaData") + array(),
        string(b"onCuePoint") + obj(prop("n", b"\x0a\0\0\0\1" + string(b"item"))),
        *[body for kind, _, body in tags(data) if kind == 18][3:],
    ]
    assert coded(after) == coded(data)


def test_the_first_of_that_very_name_is_replaced_wherever_it_stands() -> None:
    data = video(meta(prop("aigc", string(b"a"))), meta(prop("x", b"\5"), prop("AIGC", string(b"b")), prop("y", b"\5")))
    after = labelled(data)
    assert labels(after) == ["a", LABEL]
    assert meta(prop("x", b"\5"), prop("AIGC", string(LABEL.encode())), prop("y", b"\5")) in after


def test_a_long_label_is_a_long_string_and_one_too_long_is_refused() -> None:
    data = video(meta(prop("a", string(b"b"))))
    assert labels(rewritten(data, text_field=("AIGC", "x" * 70_000))) == ["x" * 70_000]
    with pytest.raises(LabelingError, match="more than"):
        rewritten(data, text_field=("AIGC", "x" * (1 << 24)))


def test_a_packet_goes_behind_on_meta_data_and_is_replaced(tmp_path: Path, videos: dict[str, Path]) -> None:
    for name in ("plain.flv", "bare.flv"):
        data = videos[name].read_bytes()
        after = rewritten(data, text_field=("AIGC", LABEL), xmp=XMP)
        names = [body[3 : 3 + body[2]] for kind, _, body in tags(after) if kind == 18]
        assert names[:2] == [b"onMetaData", b"onXMPData"]
        again = rewritten(after, xmp=XMP + b"  ")
        assert [block.data for block in containers.read(again).blocks if block.kind is Kind.XMP] == [XMP + b"  "]
        assert rewritten(again, xmp=XMP + b"  ") == again
        (tmp_path / "x.flv").write_bytes(again)
        assert packets(tmp_path / "x.flv") == packets(videos[name])


def test_tags_that_are_filtered_or_unknown_are_kept() -> None:
    odd = tag(0x32, b"encrypted script") + tag(15, b"of a kind of its own")
    data = video(meta(), media=odd + VIDEO)
    assert labelled(data).endswith(odd + VIDEO)
    assert containers.read(data).problems == ()


@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_off_anywhere_is_reported_and_refused(videos: dict[str, Path], name: str) -> None:
    data = videos[name].read_bytes()
    whole = {at for _, at, _ in tags(data)} | {at - 4 for _, at, _ in tags(data)}
    picks = random.Random(4)
    for cut in {len(data) - 1, *(picks.randrange(5, len(data)) for _ in range(80))} - whole:
        contents = containers.read(data[:cut])
        assert contents.problems, cut
        with pytest.raises(LabelingError):
            containers.rewrite(data[:cut], contents, Changes(text_field=("AIGC", LABEL)))


def test_a_long_video_is_judged_by_its_end() -> None:
    media = (tag(8, b"\x2f" + b"s" * 20) + tag(9, b"\x12" + b"f" * 20)) * flv.MAX_MEDIA_TAGS
    cue = string(b"onCuePoint") + obj(prop("name", string(b"late")))
    data = video(meta(), media=media + tag(18, cue) + VIDEO)
    contents = containers.read(data)
    assert (contents.problems, len(contents.coded), labels(labelled(data))) == ((), 1, [LABEL])
    assert coded(labelled(data)) == coded(data)
    assert "cut off" in containers.read(data[:-9]).problems[0]
    wrong = data[:-4] + bytes(4)  # some writers leave the last PreviousTagSize empty, some leave it out
    assert containers.read(wrong).problems == containers.read(data[:-4]).problems == ()
    more = containers.read(data + b"\0" * 40)  # bytes that no player looks at
    assert (more.problems, more.warnings) == ((), ("40 bytes follow the last tag; they are kept",))
    assert "no tag" in containers.read(data + b"\0" * 70_000).problems[0]


def test_damage_raises_nothing_else() -> None:
    data = video(
        string(b"onMetaData")
        + array(
            prop("a", string(b"b")), prop("keyframes", obj(prop("filepositions", b"\x0a\0\0\0\2" + number(300) * 2)))
        ),
        string(b"onXMPData") + array(prop("liveXML", string(XMP))),
    )
    picks = random.Random(9)
    for _ in range(1500):
        broken = bytearray(data)
        for _ in range(picks.randrange(1, 6)):
            broken[picks.randrange(4, len(broken))] = picks.choice((0, 1, 8, 9, 0x0A, 0xFF, picks.randrange(256)))
        contents = containers.read(bytes(broken))
        if not contents.problems:
            assert LABEL in labels(rewritten(bytes(broken), text_field=("AIGC", LABEL), xmp=XMP))


def test_bounds() -> None:
    deep = string(b"x")
    for _ in range(40):
        deep = obj(prop("o", deep))
    assert "deep" in containers.read(video(string(b"onMetaData") + deep)).problems[0]
    many = b"\x0a" + struct.pack(">I", 1 << 31) + b"\5" * 300_000
    assert "more than" in containers.read(video(string(b"onMetaData") + many)).problems[0]
    assert containers.read(video(string(b"onCuePoint") + many)).problems == ()
    with pytest.raises(LabelingError, match="no place"):
        rewritten(video(meta()), exif=b"II*\0")


def test_a_video_on_disk_is_copied_and_not_read(videos: dict[str, Path], tmp_path: Path) -> None:
    source = videos["index.flv"]
    with FileBytes(source.open("rb", buffering=0), str(source)) as data:
        pieces = containers.rewrite(data, containers.read(data), Changes(text_field=("AIGC", LABEL)))
        assert sum(piece.end - piece.start for piece in pieces if isinstance(piece, FileRange)) > 0.9 * len(data)
        (tmp_path / "out.flv").touch()
        write_pieces(tmp_path / "out.flv", pieces)
    assert (tmp_path / "out.flv").read_bytes() == labelled(source.read_bytes())


@given(st.text(max_size=40), st.text(max_size=70))
def test_strings_come_back(name: str, value: str) -> None:
    script = amf.Script(amf.coded_array([amf.coded_property(name, value.encode())]))
    script.parse()
    (found,) = script.properties
    assert (found.name, script.text(found.value)) == (name, value.encode())


@given(st.integers(65_530, 65_545))
def test_long_strings_come_back(size: int) -> None:
    coded_text = amf.coded_text(b"x" * size)
    assert coded_text[0] == (2 if size <= 65_535 else 12)
    assert amf.text(coded_text, 0) == b"x" * size


@given(st.binary(max_size=200))
def test_any_bytes_are_values_or_refused(data: bytes) -> None:
    script = amf.Script(data)
    try:
        script.parse()
    except amf.AmfError:
        return
    assert sum(end - start for _, start, end in script.values) == len(data)
