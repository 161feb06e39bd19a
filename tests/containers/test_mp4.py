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
from labeling.containers import Changes, Contents, Kind, _isobmff
from labeling.containers._isobmff import UUID_C2PA, UUID_XMP, box, full_box
from labeling.errors import LabelingError
from labeling.files import write_pieces
from labeling.spans import FileBytes

LABEL = json.dumps({"Label": "1", "ContentProducer": "001191110102MACQD9K64010000", "ProduceID": "号-1" + "x" * 150})
OTHER = LABEL.replace('"1"', '"2"')
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta>'


def run(*command: object) -> str:
    """Run a tool; anything it complains about is a failure."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def ffmpeg(*arguments: object) -> None:
    run("ffmpeg", "-v", "error", "-y", "-nostdin", *arguments)


LAYOUTS: dict[str, tuple[object, ...]] = {
    "tail.mp4": (),
    "faststart.mp4": ("-movflags", "+faststart"),
    "fragments.mp4": ("-movflags", "frag_keyframe+empty_moov+default_base_moof"),
    "base_offset.mp4": ("-movflags", "frag_keyframe+empty_moov"),  # tfhd with an absolute place
    "mixed.mp4": ("-movflags", "frag_keyframe"),  # the first samples in tables, the rest in fragments
    "dash.mp4": ("-movflags", "dash+delay_moov+global_sidx", "-frag_duration", 400_000),
    "each_sidx.mp4": ("-movflags", "dash+delay_moov", "-frag_duration", 400_000),
    "room.mp4": ("-moov_size", 30_000),
    "keys.mp4": ("-movflags", "use_metadata_tags", "-metadata", "comment=kept", "-metadata", "my.own=kept too"),
    "itunes.m4a": ("-vn", "-metadata", "title=A song", "-metadata", "artist=Somebody"),
    "quicktime.mov": ("-metadata", "title=A film"),
    "quicktime_keys.mov": ("-movflags", "use_metadata_tags+faststart", "-metadata", "title=A film"),
    "tracks.mp4": ("-map", "1:a", "-map", "0:v"),
    "wide.mp4": ("-movflags", "+faststart", "-brand", "mp42"),
}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One film in every layout."""
    home = tmp_path_factory.mktemp("films")
    chapters = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=900\ntitle=One\n"
    (home / "c.txt").write_text(
        chapters + chapters.partition("\n")[2].replace("=0", "=900").replace("900\nt", "1900\nt")
    )
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=160x120:rate=25:duration=2", "-f", "lavfi", "-i", "sine=duration=2",
           "-c:v", "libx264", "-g", 10, "-bf", 2, "-c:a", "aac", home / "source.mkv")  # fmt: skip
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=16x16", "-frames:v", 1, home / "cover.png")
    source = ("-i", home / "source.mkv")
    for name, options in LAYOUTS.items():
        every = () if "-vn" in options or "-map" in options else ("-map", 0)
        again = source if "-map" in options else ()
        ffmpeg(*source, *again, *every, "-c", "copy", *options, home / name)
    ffmpeg(*source, "-i", home / "c.txt", "-map", 0, "-map", "0:a", "-map_chapters", 1, "-metadata:s:a:1",
           "language=chi", "-c", "copy", home / "chapters.mp4")  # fmt: skip
    ffmpeg("-i", home / "itunes.m4a", "-i", home / "cover.png", "-map", 0, "-map", 1, "-c", "copy",
           "-disposition:v:0", "attached_pic", home / "cover.m4a")  # fmt: skip
    by_hand(home)
    return {path.name: path for path in home.iterdir() if path.suffix in (".mp4", ".mov", ".m4a")}


# Films by hand


def boxes(data: bytes, start: int = 0, end: int | None = None) -> list[tuple[bytes, int, int, int]]:
    """(type, start, body, end), walked independently."""
    found, at, stop = [], start, len(data) if end is None else end
    while at + 8 <= stop:
        size, body = int.from_bytes(data[at : at + 4], "big"), at + 8
        if size == 1:
            size, body = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        size = size or stop - at
        found.append((data[at + 4 : at + 8], at, body, at + size))
        at += size
    return found


def part(data: bytes, *path: bytes) -> tuple[int, int, int]:
    """(start, body, end) of the first box down a path."""
    start, end = 0, len(data)
    body = 0
    for kind in path:
        _, start, body, end = next(each for each in boxes(data, body, end) if each[0] == kind)
    return start, body, end


def wide(kind: bytes, body: bytes) -> bytes:
    """A box with a size of 64 bits."""
    return b"\0\0\0\1" + kind + (16 + len(body)).to_bytes(8, "big") + body


def with_udta(film: bytes, new: bytes) -> bytes:
    """A film whose movie box is the last one, with another ``udta`` box."""
    start, body, end = part(film, b"moov")
    assert end == len(film)
    inside = b"".join(film[a:b] for kind, a, _, b in boxes(film, body, end) if kind != b"udta")
    return film[:start] + box(b"moov", inside, new)


def hdlr(kind: bytes) -> bytes:
    return full_box(b"hdlr", 0, bytes(4), kind, bytes(12), b"\0")


def keyed(*pairs: tuple[str, str], full: bool = True) -> bytes:
    """A list with keys, with or without version and flags around it."""
    keys = full_box(b"keys", 0, len(pairs).to_bytes(4, "big"), *(box(b"mdta", key.encode()) for key, _ in pairs))
    items = [item(n.to_bytes(4, "big"), text) for n, (_, text) in enumerate(pairs, 1)]
    return box(b"meta", bytes(4 if full else 0), hdlr(b"mdta"), keys, box(b"ilst", *items))


def item(kind: bytes, *texts: str) -> bytes:
    return box(kind, *(box(b"data", b"\0\0\0\1", bytes(4), text.encode()) for text in texts))


def by_hand(home: Path) -> None:
    film = (home / "tail.mp4").read_bytes()
    mdat, moov = part(film, b"mdat"), part(film, b"moov")
    quicktime = (home / "quicktime.mov").read_bytes()
    free = part(film, b"free")
    assert film[free[0] : free[2]] == b"\0\0\0\x08free"
    made = {
        # The free box of eight bytes gives way to the eight bytes more of a long size.
        "mdat64.mp4": film[: free[0]] + wide(b"mdat", film[mdat[1] : mdat[2]]) + film[mdat[2] :],
        "mdat0.mp4": (home / "faststart.mp4").read_bytes(),
        "moov0.mp4": film[: moov[0]] + bytes(4) + film[moov[0] + 4 :],
        "co64.mp4": co64((home / "faststart.mp4").read_bytes()),
        "zeros.mov": with_udta(quicktime, box(b"udta", box(b"\xa9nam", b"\0\6\x55\xc4A film"), bytes(4))),
        "moov_meta.mov": with_udta(quicktime, keyed(("com.apple.title", "x"), ("AIGC", OTHER), full=False)),
        "mdir.mp4": with_udta(film, box(b"udta", box(b"meta", bytes(4), hdlr(b"mdir"), box(
            b"ilst", item(b"\xa9nam", "A film"), item(b"AIGC", OTHER, OTHER))))),
        "literal.mp4": with_udta(film, box(b"udta", box(b"aigc", OTHER.encode()))),
        "literal_full.mp4": with_udta(film, box(b"udta", box(b"AIGC", bytes(4), OTHER.encode()))),
        "two.mp4": with_udta(film, box(b"udta", keyed(("a", "1"), ("AIGC", OTHER), ("aigc", OTHER), ("z", "2")))),
        "twice.mp4": with_udta(film, box(b"udta", keyed(("AIGC", OTHER), ("b", "1")), keyed(("AIGC", OTHER)))),
        "keyless.mp4": with_udta(film, box(b"udta", box(b"meta", bytes(4), hdlr(b"mdta")))),
        "uuid.mp4": film + box(b"uuid", UUID_XMP, XMP),
        "zero_tail.mp4": film + bytes(64),
    }  # fmt: skip
    fast = made["mdat0.mp4"]
    at = part(fast, b"mdat")
    assert at[2] == len(fast)
    made["mdat0.mp4"] = fast[: at[0]] + bytes(4) + fast[at[0] + 4 :]
    for name, data in made.items():
        (home / name).write_bytes(data)


def co64(film: bytes) -> bytes:
    """The film with chunk offsets of 64 bits; its movie box comes first, so that they move as well."""

    def inside(start: int, end: int, more: int) -> bytes:
        out = b""
        for kind, a, b, c in boxes(film, start, end):
            if kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
                out += box(kind, inside(b, c, more))
            elif kind == b"stco":
                rows = [int.from_bytes(film[n : n + 4], "big") + more for n in range(b + 8, c, 4)]
                out += box(b"co64", film[b : b + 8], *(row.to_bytes(8, "big") for row in rows))
            else:
                out += film[a:c]
        return out

    grown = len(inside(0, len(film), 0)) - len(film)
    return inside(0, len(film), grown)


# Helpers


def loaded(path: Path) -> tuple[bytes, Contents]:
    data = path.read_bytes()
    return data, containers.read(data)


def changed(path: Path, out: Path, **changes: Any) -> bytes:
    """Rewrite a file from disk, as large files are; what comes of bytes in memory must be the same."""
    with FileBytes(path.open("rb"), str(path)) as source:
        contents = containers.read(source)
        pieces = containers.rewrite(source, contents, Changes(**changes))
        out.touch()
        write_pieces(out, pieces)
    data, again = loaded(path)
    assert b"".join(containers.rewrite(data, again, Changes(**changes))) == out.read_bytes()
    return out.read_bytes()


def texts(contents: Contents) -> list[tuple[str, str]]:
    return [(each.keyword, each.data.decode()) for each in contents.blocks if each.kind is Kind.TEXT]


def labels(contents: Contents) -> list[str]:
    return [text for key, text in texts(contents) if key.upper() == "AIGC"]


def carriers(contents: Contents) -> tuple[Any, ...]:
    return tuple(each for each in contents.blocks if each.kind is Kind.TEXT and each.keyword.upper() == "AIGC")


def frames(path: Path) -> list[str]:
    """Every packet of every track, with its times, as FFmpeg sees them."""
    out = run("ffmpeg", "-v", "warning", "-i", path, "-map", 0, "-c", "copy", "-f", "framemd5", "-")
    return [line for line in out.splitlines() if not line.startswith("#")]


def probed(path: Path) -> Any:
    shown = ("-show_format", "-show_streams", "-show_chapters")
    return json.loads(run("ffprobe", "-v", "warning", *shown, "-of", "json", path))


def exif(path: Path) -> dict[str, Any]:
    found = json.loads(run("exiftool", "-j", "-G1", "-api", "LargeFileSupport=1", path))[0]
    assert not [key for key in found if key.endswith((":Warning", ":Error"))], found
    return dict(found)


def shas(data: bytes, contents: Contents) -> list[str]:
    return [sha256(data[at : at + length]).hexdigest() for at, length in contents.coded]


ALL = [*LAYOUTS, "chapters.mp4", "cover.m4a", "mdat64.mp4", "mdat0.mp4", "moov0.mp4", "co64.mp4", "zeros.mov",
       "moov_meta.mov", "mdir.mp4", "literal.mp4", "literal_full.mp4", "two.mp4", "twice.mp4", "keyless.mp4",
       "uuid.mp4", "zero_tail.mp4"]  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_a_label_goes_in_and_all_else_stays(films: dict[str, Path], tmp_path: Path, name: str) -> None:
    path, out = films[name], tmp_path / name
    before, was = loaded(path)
    assert not was.problems and not was.fixed
    first = next((each for each in carriers(was) if each.where == "MP4 moov/udta/meta keys mdta:AIGC"), None)
    drop = tuple(each for each in carriers(was) if each is not first)
    after = changed(path, out, named=("AIGC", LABEL), xmp=XMP, drop=drop)
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
    found = exif(out)
    assert found["Keys:AIGC"] == json.loads(LABEL) or json.loads(found["Keys:AIGC"]) == json.loads(LABEL)
    # Again: nothing changes, and a shorter one takes no more room
    twice = changed(out, tmp_path / f"again-{name}", named=("AIGC", LABEL), xmp=XMP)
    assert twice == after
    short = changed(out, tmp_path / f"short-{name}", named=("AIGC", "{}"))
    assert len(short) <= len(after) and labels(containers.read(short)) == ["{}"]
    assert frames(tmp_path / f"short-{name}") == frames(path)


@pytest.mark.parametrize("name", ["tail.mp4", "fragments.mp4", "quicktime.mov", "cover.m4a"])
def test_mediainfo_and_pyav_open_the_copy(films: dict[str, Path], tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    changed(films[name], out, named=("AIGC", LABEL))
    tracks = json.loads(run("mediainfo", "--Output=JSON", out))["media"]["track"]
    assert tracks[0]["@type"] == "General" and tracks[0].get("IsTruncated") is None
    assert LABEL in json.dumps(tracks, ensure_ascii=False).replace('\\"', '"') or "AIGC" in json.dumps(tracks)
    with av.open(str(out)) as one, av.open(str(films[name])) as other:
        assert one.metadata["AIGC"] == LABEL
        assert [(p.pts, bytes(p)) for p in one.demux()] == [(p.pts, bytes(p)) for p in other.demux()]


def test_free_space_is_used_and_the_media_stays_where_it_was(films: dict[str, Path], tmp_path: Path) -> None:
    before, was = loaded(films["room.mp4"])
    after = changed(films["room.mp4"], tmp_path / "out.mp4", named=("AIGC", LABEL), xmp=XMP)
    assert len(after) == len(before) and containers.read(after).coded == was.coded
    at = was.coded[0][0]
    assert after[at:] == before[at:]


def test_a_label_larger_than_the_free_space_moves_the_media(films: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    long = json.dumps({"Label": "1", "ReservedCode1": "y" * 40_000})
    changed(films["room.mp4"], out, named=("AIGC", long))
    assert frames(out) == frames(films["room.mp4"])
    assert probed(out)["format"]["tags"]["AIGC"] == long


def test_cover_and_tags_stay(films: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.m4a"
    changed(films["cover.m4a"], out, named=("AIGC", LABEL))
    for path in films["cover.m4a"], out:
        picture = subprocess.run(["exiftool", "-b", "-CoverArt", path], capture_output=True, check=True).stdout
        assert picture == (films["cover.m4a"].parent / "cover.png").read_bytes() or picture.startswith(b"\x89PNG")
    assert exif(out)["ItemList:Title"] == "A song" and exif(out)["ItemList:Artist"] == "Somebody"


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
def test_labels_are_found_wherever_they_stand(films: dict[str, Path], name: str, where: str) -> None:
    data, contents = loaded(films[name])
    block = carriers(contents)[0]
    assert (block.where, block.data.decode()) == (where, OTHER)
    assert block.data in data[block.offset : block.offset + block.length]


def test_all_carriers_go_and_keys_get_new_numbers(films: dict[str, Path], tmp_path: Path) -> None:
    for name in ("two.mp4", "twice.mp4", "mdir.mp4", "literal.mp4", "moov_meta.mov"):
        out = tmp_path / name
        _, was = loaded(films[name])
        after = changed(films[name], out, drop=carriers(was))
        others = [each for each in texts(was) if each[0].upper() != "AIGC"]
        assert texts(containers.read(after)) == others
        assert "AIGC" not in str(probed(out)).upper().replace(name.upper(), "")
        assert frames(out) == frames(films[name])
        tags = probed(out)["format"]["tags"]
        if name == "two.mp4":
            assert (tags["a"], tags["z"]) == ("1", "2")


def test_of_two_labels_one_takes_the_new_value_and_the_other_goes(films: dict[str, Path], tmp_path: Path) -> None:
    _, was = loaded(films["two.mp4"])
    after = changed(films["two.mp4"], tmp_path / "o.mp4", named=("AIGC", LABEL), drop=carriers(was)[1:])
    assert texts(containers.read(after)) == [("a", "1"), ("AIGC", LABEL), ("z", "2")]
    assert len([each for each in boxes(after, *part(after, b"moov", b"udta")[1:]) if each[0] == b"meta"]) == 1


def test_the_four_zero_bytes_stay_at_the_end_of_the_list(films: dict[str, Path], tmp_path: Path) -> None:
    after = changed(films["zeros.mov"], tmp_path / "o.mov", named=("AIGC", LABEL), xmp=XMP)
    _, body, end = part(after, b"moov", b"udta")
    assert after[end - 4 : end] == bytes(4)
    assert [kind for kind, *_ in boxes(after, body, end)] == [b"\xa9nam", b"meta", b"XMP_"]


def test_manifests_are_found_and_can_go(films: dict[str, Path], tmp_path: Path) -> None:
    film = films["faststart.mp4"].read_bytes()
    ftyp, store = part(film, b"ftyp")[2], bytes(4) + b"manifest\0" + bytes(8) + box(b"jumb", b"x" * 99)
    moved = box(b"uuid", UUID_C2PA, store)
    hashes = box(b"uuid", UUID_C2PA, bytes(4) + b"merkle\0" + bytes(30))
    path = tmp_path / "s.mp4"
    path.write_bytes(film[:ftyp] + moved + film[ftyp:] + hashes)  # offsets are not right, and it does not matter
    _, contents = loaded(path)
    c2pa = [each for each in contents.blocks if each.kind is Kind.C2PA]
    assert [(each.offset, each.length, each.data) for each in c2pa] == [(ftyp, len(moved), store)]
    after = changed(path, tmp_path / "o.mp4", drop=(*c2pa, *c2pa))
    assert [kind for kind, *_ in boxes(after)] == [kind for kind, *_ in boxes(film + hashes)]


def test_a_film_beyond_four_gigabytes_gets_wide_offsets(films: dict[str, Path], tmp_path: Path) -> None:
    """The movie box stands before five gigabytes of media: its last chunks lie just below what 32 bits can say."""
    film = films["faststart.mp4"].read_bytes()
    moov, mdat = part(film, b"moov"), part(film, b"mdat")
    gap = (1 << 32) - len(film) - 100
    table = part(film, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stco")
    moved = bytearray(film)
    for trak in [each for each in boxes(film, moov[1], moov[2]) if each[0] == b"trak"]:
        sub = film[trak[1] : trak[3]]
        start, body, end = part(sub, b"trak", b"mdia", b"minf", b"stbl", b"stco")
        for at in range(trak[1] + body + 8, trak[1] + end, 4):
            moved[at : at + 4] = (int.from_bytes(moved[at : at + 4], "big") + gap + 8).to_bytes(4, "big")
    assert moved[table[0] + 4 : table[0] + 8] == b"stco"
    path, out = tmp_path / "large.mp4", tmp_path / "out.mp4"
    with path.open("wb") as file:
        media = mdat[2] - mdat[1] + gap
        file.write(moved[: mdat[0]] + b"\0\0\0\1mdat" + (16 + media).to_bytes(8, "big"))
        file.seek(mdat[1] + gap + 8)
        file.write(film[mdat[1] : mdat[2]])
    assert path.stat().st_blocks * 512 < 1 << 20
    was = frames(path)
    tracemalloc.start()
    with FileBytes(path.open("rb"), "large") as source:
        contents = containers.read(source)
        assert not contents.problems
        pieces = containers.rewrite(source, contents, Changes(named=("AIGC", LABEL)))
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
        tracemalloc.stop()
        with out.open("wb") as file:  # sparse again
            for piece in pieces:
                if not isinstance(piece, bytes | memoryview) and len(piece) > 1 << 30:
                    begin = file.tell()
                    file.write(source[piece.start : piece.start + 4096])
                    file.seek(begin + len(piece) - len(film))
                    file.write(source[piece.end - len(film) : piece.end])
                else:
                    file.write(piece if isinstance(piece, bytes | memoryview) else source[piece.start : piece.end])
    assert frames(out) == was == frames(films["faststart.mp4"])
    assert probed(out)["format"]["tags"]["AIGC"] == LABEL
    stbl = part(out.open("rb").read(1 << 20), b"moov", b"trak", b"mdia", b"minf", b"stbl")
    assert b"co64" in [kind for kind, *_ in boxes(out.open("rb").read(1 << 20), *stbl[1:])]


@pytest.mark.parametrize("name", ["tail.mp4", "faststart.mp4", "base_offset.mp4", "quicktime_keys.mov"])
def test_cut_short_at_any_place(films: dict[str, Path], name: str) -> None:
    """Each file that lost a part is called damaged, or lost nothing that was needed; nothing else is ever raised."""
    data, whole = loaded(films[name])
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
                containers.rewrite(data[:place], contents, Changes(named=("AIGC", LABEL)))
    assert not whole.problems


def attempt(data: bytes) -> None:
    """Whatever the bytes, all goes well or a LabelingError says why not."""
    try:
        contents = containers.read(data)
        drop = tuple(each for each in contents.blocks if each.kind in (Kind.TEXT, Kind.XMP, Kind.C2PA))
        for changes in (Changes(named=("AIGC", LABEL), xmp=XMP), Changes(drop=drop, named=("AIGC", LABEL))):
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


@settings(max_examples=300, deadline=None)
@given(st.lists(TREES, max_size=4), st.lists(TREES, max_size=4))
def test_no_tree_of_boxes_raises(inside: list[bytes], outside: list[bytes]) -> None:
    attempt(box(b"ftyp", b"isom") + box(b"moov", *inside) + b"".join(outside))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_flipped_bytes_raise(films: dict[str, Path], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["tail.mp4", "base_offset.mp4", "two.mp4", "quicktime_keys.mov", "mdir.mp4"]))
    film = bytearray(films[name].read_bytes())
    moov = part(bytes(film), b"moov")
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(
            st.integers(0, 40) | st.integers(moov[0], moov[2] - 1) | st.integers(len(film) - 200, len(film) - 1)
        )
        film[at] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    attempt(bytes(film))


def test_a_sparse_file_of_three_gigabytes_takes_little_memory(films: dict[str, Path], tmp_path: Path) -> None:
    film = films["tail.mp4"].read_bytes()
    moov, path = part(film, b"moov"), tmp_path / "sparse.mp4"
    with path.open("wb") as file:
        file.write(film[: moov[0]] + b"\0\0\0\1free" + (3 << 30).to_bytes(8, "big"))
        file.seek(moov[0] + (3 << 30))
        file.write(film[moov[0] :])
    tracemalloc.start()
    with FileBytes(path.open("rb"), "sparse") as source:
        contents = containers.read(source)
        pieces = containers.rewrite(source, contents, Changes(named=("AIGC", LABEL), xmp=XMP))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not contents.problems and peak < 1 << 20
    assert sum(map(len, pieces)) > 3 << 30


def test_films_that_have_no_place_are_refused_with_a_reason(films: dict[str, Path]) -> None:
    film = films["tail.mp4"].read_bytes()
    head = film[: part(film, b"moov")[0]]
    for data, words in (
        (head + box(b"moov", box(b"cmov", bytes(20))), "compressed"),
        (head + box(b"moov", box(b"rmra", bytes(20))), "refers to other files"),
        (film + box(b"meta", bytes(4), hdlr(b"pict")), "items beside its movie"),
        (head, "no moov box"),
    ):
        with pytest.raises(LabelingError, match=words):
            containers.rewrite(data, containers.read(data), Changes(named=("AIGC", LABEL)))


def test_a_block_of_another_file_is_refused(films: dict[str, Path]) -> None:
    data, contents = loaded(films["tail.mp4"])
    _, other = loaded(films["two.mp4"])
    with pytest.raises(LabelingError, match="not in this file"):
        containers.rewrite(data, contents, Changes(drop=carriers(other)))


def test_the_walker_of_this_test_agrees(films: dict[str, Path]) -> None:
    for name in ("tail.mp4", "dash.mp4", "mdat64.mp4"):
        data = films[name].read_bytes()
        found = _isobmff.walk(memoryview(data), 0, len(data)).boxes
        assert [(each.type, each.start, each.body, each.end) for each in found] == boxes(data)
