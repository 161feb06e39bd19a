"""MP4, MOV and M4A: made by FFmpeg in every layout and by hand, checked with FFmpeg, exiftool, MediaInfo and PyAV."""

from __future__ import annotations

import json
import random
import subprocess
import tracemalloc
from hashlib import sha256
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling import containers
from labeling.atomic_writes import write_pieces
from labeling.containers import Changes, Contents, Kind
from labeling.containers.syntax import isobmff
from labeling.containers.syntax.isobmff import UUID_C2PA, UUID_XMP, box
from labeling.errors import LabelingError
from labeling.filebytes import FileBytes, FileRange

from .mp4_files import ALL, LABEL, OTHER, XMP, boxes, chunk_offsets, hdlr, make, part, relocated, run


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make(tmp_path_factory.mktemp("videos"))


def loaded(path: Path) -> tuple[bytes, Contents]:
    data = path.read_bytes()
    return data, containers.read(data)


def changed(path: Path, out: Path, **changes: Any) -> bytes:
    """Rewrite a file from disk, as large files are; what comes of bytes in memory must be the same."""
    with FileBytes(path.open("rb"), str(path)) as source:
        contents = containers.read(source)
        pieces = containers.rewrite(source, contents, Changes(**changes), None)
        out.touch()
        write_pieces(out, pieces)
    data, again = loaded(path)
    assert b"".join(containers.rewrite(data, again, Changes(**changes))) == out.read_bytes()
    return out.read_bytes()


def texts(contents: Contents) -> list[tuple[str, str]]:
    return [(each.keyword, each.data.decode("utf-8", "replace")) for each in contents.blocks if each.kind is Kind.TEXT]


def labels(contents: Contents) -> list[str]:
    return [text for key, text in texts(contents) if key.upper() == "AIGC"]


def carriers(contents: Contents) -> tuple[Any, ...]:
    return tuple(each for each in contents.blocks if each.kind is Kind.TEXT and each.keyword.upper() == "AIGC")


def said(*command: object) -> tuple[str, list[str]]:
    """What a tool says, and what it complains of, which must be the same for a file and its copy."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line.partition("] ")[2] or line for line in done.stderr.splitlines()]


def superfluous(path: Path) -> tuple[Any, ...]:
    """All carriers but the first one in the format's home."""
    found = carriers(loaded(path)[1])
    home = next((each for each in found if each.where == "MP4 moov/udta/meta keys mdta:AIGC"), None)
    return tuple(each for each in found if each is not home)


def frames(path: Path) -> tuple[list[str], list[str]]:
    """Every packet of every track, with its times, as FFmpeg sees them, and complaints."""
    out, wrong = said("ffmpeg", "-v", "warning", "-i", path, "-map", 0, "-c", "copy", "-f", "framemd5", "-")
    return [line for line in out.splitlines() if not line.startswith("#")], wrong


def probed(path: Path) -> Any:
    shown = ("-show_format", "-show_streams", "-show_chapters")
    out, wrong = said("ffprobe", "-v", "warning", *shown, "-of", "json", path)
    return {**json.loads(out), "complaints": wrong}


def exif(*paths: Path) -> dict[str, dict[str, Any]]:
    """What exiftool finds in each file, by the file's name."""
    found = json.loads(run("exiftool", "-q", "-j", "-G1", *paths))
    return {each["System:FileName"]: each for each in found}


def warned(found: dict[str, Any]) -> list[str]:
    return [f"{key}: {text}" for key, text in found.items() if key.endswith((":Warning", ":Error"))]


def shas(data: bytes, contents: Contents) -> list[str]:
    return [sha256(data[at : at + length]).hexdigest() for at, length in contents.coded]


@pytest.mark.parametrize("name", ALL)
def test_a_label_goes_in_and_all_else_stays(videos: dict[str, Path], tmp_path: Path, name: str) -> None:
    path, out = videos[name], tmp_path / name
    before, was = loaded(path)
    assert not was.problems and not was.fixed
    after = changed(path, out, text_field=("AIGC", LABEL), xmp=XMP, drop=superfluous(path))
    now = containers.read(after)
    assert labels(now) == [LABEL] and not now.problems and not now.warnings
    assert [each.data for each in now.blocks if each.kind is Kind.XMP] == [XMP]
    assert shas(after, now) == shas(before, was)
    assert (now.width, now.height, now.seconds, now.media_type) == (was.width, was.height, was.seconds, was.media_type)
    others = [each for each in texts(was) if each[0].upper() != "AIGC"]
    assert [each for each in texts(now) if each[0] != "AIGC"] == others
    # Independent tools
    assert frames(out) == frames(path)
    one, other = probed(path), probed(out)
    assert json.loads(other["format"]["tags"].pop("AIGC")) == json.loads(LABEL)
    one["format"]["tags"] = {k: v for k, v in one["format"]["tags"].items() if k.upper() != "AIGC"}
    for each in one, other:
        for key in ("filename", "size", "bit_rate"):
            each["format"].pop(key, None)
    assert other == one
    # Again: nothing changes, and a shorter one takes no more room
    twice = changed(out, tmp_path / f"again-{name}", text_field=("AIGC", LABEL), xmp=XMP)
    assert twice == after
    short = changed(out, tmp_path / f"short-{name}", text_field=("AIGC", "{}"))
    assert len(short) <= len(after) and labels(containers.read(short)) == ["{}"]


def test_exiftool_mediainfo_and_pyav_read_the_copies(videos: dict[str, Path], tmp_path: Path) -> None:
    for name in ALL:
        changed(videos[name], tmp_path / name, text_field=("AIGC", LABEL), drop=superfluous(videos[name]))
    copies = [tmp_path / name for name in ALL]
    before, after = exif(*videos.values()), exif(*copies)
    for name in ALL:
        assert json.loads(after[name]["Keys:AIGC"]) == json.loads(LABEL)
        assert warned(after[name]) == warned(before[name])
    for seen in json.loads(run("mediainfo", "--Output=JSON", *copies)):
        general, *tracks = seen["media"]["track"]
        assert general["@type"] == "General" and "IsTruncated" not in general
        assert any(track["@type"] in ("Video", "Audio") for track in tracks)
    for name in ("tail.mp4", "fragments.mp4", "quicktime.mov", "cover.m4a"):
        with av.open(str(tmp_path / name)) as one, av.open(str(videos[name])) as other:
            assert one.metadata["AIGC"] == LABEL
            assert [(p.pts, bytes(p)) for p in one.demux()] == [(p.pts, bytes(p)) for p in other.demux()]


def test_free_space_is_used_and_the_media_stays_where_it_was(videos: dict[str, Path], tmp_path: Path) -> None:
    before, was = loaded(videos["room.mp4"])
    after = changed(videos["room.mp4"], tmp_path / "out.mp4", text_field=("AIGC", LABEL), xmp=XMP)
    assert len(after) == len(before) and containers.read(after).coded == was.coded
    at = was.coded[0][0]
    assert after[at:] == before[at:]


def test_a_label_larger_than_the_free_space_moves_the_media(videos: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    long = json.dumps({"Label": "1", "ReservedCode1": "y" * 40_000})
    changed(videos["room.mp4"], out, text_field=("AIGC", long))
    assert frames(out) == frames(videos["room.mp4"])
    assert probed(out)["format"]["tags"]["AIGC"] == long


def test_cover_and_tags_stay(videos: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.m4a"
    changed(videos["cover.m4a"], out, text_field=("AIGC", LABEL))
    for path in videos["cover.m4a"], out:
        picture = subprocess.run(["exiftool", "-b", "-CoverArt", path], capture_output=True, check=True).stdout
        assert picture == (videos["cover.m4a"].parent / "cover.png").read_bytes() or picture.startswith(b"\x89PNG")
    found = exif(out)["out.m4a"]
    assert found["ItemList:Title"] == "A song" and found["ItemList:Artist"] == "Somebody"


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("moov_meta.mov", "MP4 moov/meta keys mdta:AIGC"),
        ("mdir.mp4", "MP4 moov/udta/meta ilst AIGC"),
        ("literal.mp4", "MP4 moov/udta box aigc"),
        ("literal_full.mp4", "MP4 moov/udta box AIGC"),
        ("two.mp4", "MP4 moov/udta/meta keys mdta:AIGC"),
    ],
)
def test_labels_are_found_wherever_they_stand(videos: dict[str, Path], name: str, where: str) -> None:
    data, contents = loaded(videos[name])
    block = carriers(contents)[0]
    assert (block.where, block.data.decode()) == (where, OTHER)
    assert block.data in data[block.offset : block.offset + block.length]


def test_all_carriers_go_and_keys_get_new_numbers(videos: dict[str, Path], tmp_path: Path) -> None:
    for name in ("two.mp4", "twice.mp4", "mdir.mp4", "literal.mp4", "moov_meta.mov"):
        out = tmp_path / name
        _, was = loaded(videos[name])
        after = changed(videos[name], out, drop=carriers(was))
        others = [each for each in texts(was) if each[0].upper() != "AIGC"]
        assert texts(containers.read(after)) == others
        assert "AIGC" not in (tag.upper() for tag in probed(out)["format"]["tags"])
        assert frames(out) == frames(videos[name])
        tags = probed(out)["format"]["tags"]
        if name == "two.mp4":
            assert (tags["a"], tags["z"]) == ("1", "2")


def test_of_two_labels_one_takes_the_new_value_and_the_other_goes(videos: dict[str, Path], tmp_path: Path) -> None:
    _, was = loaded(videos["two.mp4"])
    after = changed(videos["two.mp4"], tmp_path / "o.mp4", text_field=("AIGC", LABEL), drop=carriers(was)[1:])
    assert texts(containers.read(after)) == [("a", "1"), ("AIGC", LABEL), ("z", "2")]
    assert len([each for each in boxes(after, *part(after, b"moov", b"udta")[1:]) if each[0] == b"meta"]) == 1


def test_the_four_zero_bytes_stay_at_the_end_of_the_list(videos: dict[str, Path], tmp_path: Path) -> None:
    after = changed(videos["zeros.mov"], tmp_path / "o.mov", text_field=("AIGC", LABEL), xmp=XMP)
    _, body, end = part(after, b"moov", b"udta")
    assert after[end - 4 : end] == bytes(4)
    assert [kind for kind, *_ in boxes(after, body, end)] == [b"\xa9nam", b"meta", b"XMP_"]


def test_manifests_are_found_and_can_go(videos: dict[str, Path], tmp_path: Path) -> None:
    video = videos["faststart.mp4"].read_bytes()
    ftyp, store = part(video, b"ftyp")[2], box(b"jumb", b"x" * 99)
    moved = box(b"uuid", UUID_C2PA, bytes(4) + b"manifest\0" + bytes(8) + store)
    hashes = box(b"uuid", UUID_C2PA, bytes(4) + b"merkle\0" + bytes(30))
    path = tmp_path / "s.mp4"
    path.write_bytes(video[:ftyp] + moved + video[ftyp:] + hashes)  # offsets are not right, and it does not matter
    _, contents = loaded(path)
    c2pa = [each for each in contents.blocks if each.kind is Kind.C2PA]
    assert [(each.offset, each.length, each.data) for each in c2pa] == [(ftyp, len(moved), store)]
    after = changed(path, tmp_path / "o.mp4", drop=(*c2pa, *c2pa))
    assert [kind for kind, *_ in boxes(after)] == [kind for kind, *_ in boxes(video + hashes)]


def test_a_video_beyond_four_gigabytes_gets_wide_offsets(videos: dict[str, Path], tmp_path: Path) -> None:
    """The movie box stands before five gigabytes of media: its last chunks lie just below what 32 bits can say."""
    video = videos["faststart.mp4"].read_bytes()
    mdat = part(video, b"mdat")
    gap = (1 << 32) - max(chunk_offsets(video)) - 50
    moved = relocated(video, gap + 8)
    path, out = tmp_path / "large.mp4", tmp_path / "out.mp4"
    with path.open("wb") as file:
        media = mdat[2] - mdat[1] + gap
        file.write(moved[: mdat[0]] + b"\0\0\0\1mdat" + (16 + media).to_bytes(8, "big"))
        file.seek(mdat[1] + gap + 8)
        file.write(video[mdat[1] : mdat[2]])
    assert path.stat().st_blocks * 512 < 1 << 20
    was = frames(path)
    tracemalloc.start()
    with FileBytes(path.open("rb"), "large") as source:
        contents = containers.read(source)
        assert not contents.problems
        pieces = containers.rewrite(source, contents, Changes(text_field=("AIGC", LABEL)), None)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
        tracemalloc.stop()
        with out.open("wb") as file:  # sparse again
            for piece in pieces:
                if isinstance(piece, FileRange) and len(piece) > 1 << 30:
                    begin = file.tell()
                    file.write(source[piece.start : piece.start + 4096])
                    file.seek(begin + len(piece) - len(video))
                    file.write(source[piece.end - len(video) : piece.end])
                else:
                    file.write(source[piece.start : piece.end] if isinstance(piece, FileRange) else piece)
    assert frames(out) == was == frames(videos["faststart.mp4"])
    assert probed(out)["format"]["tags"]["AIGC"] == LABEL
    with out.open("rb") as file:
        head = file.read(1 << 16)
    _, body, end = part(head, b"moov", b"trak", b"mdia", b"minf", b"stbl")
    assert [kind for kind, *_ in boxes(head, body, end)].count(b"co64") == 1


@pytest.mark.parametrize("name", ["tail.mp4", "faststart.mp4", "base_offset.mp4", "quicktime_keys.mov"])
def test_cut_short_at_any_place(videos: dict[str, Path], name: str) -> None:
    """Each file that lost a part is called damaged, or lost nothing that was needed; nothing else is ever raised."""
    data, whole = loaded(videos[name])
    ends = {end for _, _, _, end in boxes(data)}
    places = sorted({*range(8, 200, 7), *random.Random(5).sample(range(64, len(data)), 120), len(data) - 1})
    for place in places:
        try:
            contents = containers.read(data[:place])
        except LabelingError:
            assert place < 16
            continue
        if place not in ends and not any(place - end in range(8) for end in ends):
            assert contents.problems, place
            with pytest.raises(LabelingError):
                containers.rewrite(data[:place], contents, Changes(text_field=("AIGC", LABEL)))
    assert not whole.problems


def attempt(data: bytes) -> None:
    """Whatever the bytes, all goes well or a LabelingError says why not."""
    try:
        contents = containers.read(data)
        drop = tuple(each for each in contents.blocks if each.kind in (Kind.TEXT, Kind.XMP, Kind.C2PA))
        for changes in (Changes(text_field=("AIGC", LABEL), xmp=XMP), Changes(drop=drop, text_field=("AIGC", LABEL))):
            after = b"".join(containers.rewrite(data, contents, changes))
            assert LABEL in labels(containers.read(after))
    except LabelingError:
        pass


KINDS = st.sampled_from(
    [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stco", b"co64", b"saio", b"stsd", b"stsz", b"stsc", b"udta",
     b"meta", b"hdlr", b"keys", b"ilst", b"data", b"----", b"name", b"\xa9nam", b"aigc", b"AIGC", b"XMP_", b"mvhd",
     b"mdhd", b"tkhd", b"elst", b"edts", b"moof", b"traf", b"tfhd", b"mfra", b"tfra", b"sidx", b"mdat", b"free",
     b"uuid", b"ftyp", b"\0\0\0\1", b"mdta"]
)  # fmt: skip
LEAVES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([bytes(4) + bytes(4) + b"mdta" + bytes(13), bytes(8) + b"mdir", UUID_XMP + b"<x/>", bytes(30),
                     UUID_C2PA + bytes(4) + b"manifest\0", bytes(7) + b"\1" + b"\0\0\0\x0cmdtaAIGC", b"\xff" * 30]),
)  # fmt: skip
TREES = st.recursive(
    st.builds(box, KINDS, LEAVES),
    lambda inner: st.builds(box, KINDS, LEAVES | st.just(b""), inner, inner),
    max_leaves=20,
)


@settings(max_examples=300)
@given(st.lists(TREES, max_size=4), st.lists(TREES, max_size=4))
def test_no_tree_of_boxes_raises(inside: list[bytes], outside: list[bytes]) -> None:
    attempt(box(b"ftyp", b"isom") + box(b"moov", *inside) + b"".join(outside))


@settings(max_examples=150)
@given(st.data())
def test_no_flipped_bytes_raise(videos: dict[str, Path], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["tail.mp4", "base_offset.mp4", "two.mp4", "quicktime_keys.mov", "mdir.mp4"]))
    video = bytearray(videos[name].read_bytes())
    moov = part(bytes(video), b"moov")
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(
            st.integers(0, 40) | st.integers(moov[0], moov[2] - 1) | st.integers(len(video) - 200, len(video) - 1)
        )
        video[at] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    attempt(bytes(video))


def test_a_sparse_file_of_three_gigabytes_takes_little_memory(videos: dict[str, Path], tmp_path: Path) -> None:
    video = videos["tail.mp4"].read_bytes()
    moov, path = part(video, b"moov"), tmp_path / "sparse.mp4"
    with path.open("wb") as file:
        file.write(video[: moov[0]] + b"\0\0\0\1free" + (3 << 30).to_bytes(8, "big"))
        file.seek(moov[0] + (3 << 30))
        file.write(video[moov[0] :])
    tracemalloc.start()
    with FileBytes(path.open("rb"), "sparse") as source:
        contents = containers.read(source)
        pieces = containers.rewrite(source, contents, Changes(text_field=("AIGC", LABEL), xmp=XMP), None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not contents.problems and peak < 1 << 20
    assert sum(map(len, pieces)) > 3 << 30


def test_videos_that_have_no_place_are_refused_with_a_reason(videos: dict[str, Path]) -> None:
    video = videos["tail.mp4"].read_bytes()
    head = video[: part(video, b"moov")[0]]
    for data, words in (
        (head + box(b"moov", box(b"cmov", bytes(20))), "compressed"),
        (head + box(b"moov", box(b"rmra", bytes(20))), "refers to other files"),
        (
            video + box(b"meta", bytes(4), hdlr(b"pict"), box(b"iloc", bytes(4), b"\x44\0\0\1", bytes(14))),
            "items beside",
        ),
        (head, "no moov box"),
    ):
        with pytest.raises(LabelingError, match=words):
            containers.rewrite(data, containers.read(data), Changes(text_field=("AIGC", LABEL)))


def test_a_block_of_another_file_is_refused(videos: dict[str, Path]) -> None:
    data, contents = loaded(videos["tail.mp4"])
    _, other = loaded(videos["two.mp4"])
    with pytest.raises(LabelingError, match="not in this file"):
        containers.rewrite(data, contents, Changes(drop=carriers(other)))


def test_the_walker_of_this_test_agrees(videos: dict[str, Path]) -> None:
    for name in ("tail.mp4", "dash.mp4", "mdat64.mp4"):
        data = videos[name].read_bytes()
        found = isobmff.walk(memoryview(data), 0, len(data)).boxes
        assert [(each.type, each.start, each.body, each.end) for each in found] == boxes(data)
