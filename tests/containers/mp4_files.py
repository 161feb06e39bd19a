"""Helpers for the tests of MP4: a video in every layout, made by FFmpeg and by hand, and an independent box walker."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from labeling.containers.syntax.isobmff import UUID_XMP, box, full_box

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
    "quicktime.mov": ("-metadata", "title=A video"),
    "quicktime_keys.mov": ("-movflags", "use_metadata_tags+faststart", "-metadata", "title=A video"),
    "tracks.mp4": ("-map", "1:a", "-map", "0:v"),
    "wide.mp4": ("-movflags", "+faststart", "-brand", "mp42"),
}


def make(home: Path) -> dict[str, Path]:
    """One video in every layout."""
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


# Videos by hand


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


def with_udta(video: bytes, new: bytes) -> bytes:
    """A video whose movie box is the last one, with another ``udta`` box."""
    start, body, end = part(video, b"moov")
    assert end == len(video)
    inside = b"".join(video[a:b] for kind, a, _, b in boxes(video, body, end) if kind != b"udta")
    return video[:start] + box(b"moov", inside, new)


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
    video = (home / "tail.mp4").read_bytes()
    mdat, moov = part(video, b"mdat"), part(video, b"moov")
    quicktime = (home / "quicktime.mov").read_bytes()
    free = part(video, b"free")
    assert video[free[0] : free[2]] == b"\0\0\0\x08free"
    made = {
        # The free box of eight bytes gives way to the eight bytes more of a long size.
        "mdat64.mp4": video[: free[0]] + wide(b"mdat", video[mdat[1] : mdat[2]]) + video[mdat[2] :],
        "mdat0.mp4": (home / "faststart.mp4").read_bytes(),
        "moov0.mp4": video[: moov[0]] + bytes(4) + video[moov[0] + 4 :],
        "co64.mp4": co64((home / "faststart.mp4").read_bytes()),
        "zeros.mov": with_udta(quicktime, box(b"udta", box(b"\xa9nam", b"\0\6\x55\xc4A video"), bytes(4))),
        "moov_meta.mov": with_udta(quicktime, keyed(("com.apple.title", "x"), ("AIGC", OTHER), full=False)),
        "mdir.mp4": with_udta(video, box(b"udta", box(b"meta", bytes(4), hdlr(b"mdir"), box(
            b"ilst", item(b"\xa9nam", "A video"), item(b"AIGC", OTHER, OTHER))))),
        "literal.mp4": with_udta(video, box(b"udta", box(b"aigc", OTHER.encode()))),
        "literal_full.mp4": with_udta(video, box(b"udta", box(b"AIGC", bytes(4), OTHER.encode()))),
        "two.mp4": with_udta(video, box(b"udta", keyed(("a", "1"), ("AIGC", OTHER), ("aigc", OTHER), ("z", "2")))),
        "twice.mp4": with_udta(video, box(b"udta", keyed(("AIGC", OTHER), ("b", "1")), keyed(("AIGC", OTHER)))),
        "keyless.mp4": with_udta(video, box(b"udta", box(b"meta", bytes(4), hdlr(b"mdta")))),
        "uuid.mp4": video + box(b"uuid", UUID_XMP, XMP),
        "zero_tail.mp4": video + bytes(64),
    }  # fmt: skip
    fast = made["mdat0.mp4"]
    at = part(fast, b"mdat")
    assert at[2] == len(fast)
    made["mdat0.mp4"] = fast[: at[0]] + bytes(4) + fast[at[0] + 4 :]
    for name, data in made.items():
        (home / name).write_bytes(data)


def tables(video: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """(start, end) of the rows of every table of chunk offsets."""
    found = []
    for kind, _, body, stop in boxes(video, start, end):
        if kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
            found += tables(video, body, stop)
        elif kind == b"stco":
            found.append((body + 8, stop))
    return found


def chunk_offsets(video: bytes) -> list[int]:
    return [int.from_bytes(video[at : at + 4], "big") for a, b in tables(video, 0, len(video)) for at in range(a, b, 4)]


def relocated(video: bytes, more: int) -> bytes:
    """The video with all its chunks said to be ``more`` bytes later."""
    out = bytearray(video)
    for start, end in tables(video, 0, len(video)):
        for at in range(start, end, 4):
            out[at : at + 4] = (int.from_bytes(video[at : at + 4], "big") + more).to_bytes(4, "big")
    return bytes(out)


def co64(video: bytes) -> bytes:
    """The video with chunk offsets of 64 bits; its movie box comes first, so that they move as well."""

    def inside(start: int, end: int, more: int) -> bytes:
        out = b""
        for kind, a, b, c in boxes(video, start, end):
            if kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
                out += box(kind, inside(b, c, more))
            elif kind == b"stco":
                rows = [int.from_bytes(video[n : n + 4], "big") + more for n in range(b + 8, c, 4)]
                out += box(b"co64", video[b : b + 8], *(row.to_bytes(8, "big") for row in rows))
            else:
                out += video[a:c]
        return out

    return inside(0, len(video), len(inside(0, len(video), 0)) - len(video))


ALL = [*LAYOUTS, "chapters.mp4", "cover.m4a", "mdat64.mp4", "mdat0.mp4", "moov0.mp4", "co64.mp4", "zeros.mov",
       "moov_meta.mov", "mdir.mp4", "literal.mp4", "literal_full.mp4", "two.mp4", "twice.mp4", "keyless.mp4",
       "uuid.mp4", "zero_tail.mp4"]  # fmt: skip
