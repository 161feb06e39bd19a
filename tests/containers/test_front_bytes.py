"""What is in front of audio that begins later: ID3 tags of taggers for MP3, and bytes that are nothing."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path

import av
import pytest

from labeling import Labeler, containers, verify
from labeling.errors import UnsupportedFormat

from ..test_bad_input import PRODUCER
from .av_files import LABEL, coded, ffmpeg, texts, write
from .test_mp3 import frame, tag

TITLE = tag(4, frame(4, "TIT2", b"\3Title"))
LABELLED = tag(4, frame(4, "TXXX", b"\3AIGC\0" + LABEL.encode()))
COVER = tag(3, frame(3, "APIC", b"\0image/png\0\3\0" + bytes(range(256)) * 4))
JUNK = {"zeros": bytes(37), "words": b"HTTP/1.1 200 OK\r\n\r\n", "sync": b"xOgg\xff\xfe" * 9}


def audio(kind: str) -> bytes:
    options = {".ogg": ("-c:a", "libvorbis"), ".opus": ("-c:a", "libopus"), ".oga": ("-c:a", "flac")}
    return ffmpeg(kind, "-metadata", "artist=me", *options.get(kind, ()))


def demuxer(kind: str) -> str:
    """FFmpeg looks for OGG at the very start unless it is told where to look."""
    return "ogg" if kind in (".ogg", ".opus", ".oga") else kind[1:]


def packets(data: bytes, kind: str) -> list[tuple[int | None, bytes]]:
    with av.open(io.BytesIO(data), "r", format=demuxer(kind)) as opened:
        return [(packet.pts, bytes(packet)) for packet in opened.demux() if packet.size]


def shown(path: Path) -> dict[str, str]:
    command = ["ffprobe", "-v", "error", "-f", demuxer(path.suffix), "-show_entries", "format_tags:stream_tags"]
    done = subprocess.run([*command, "-of", "json", str(path)], capture_output=True, check=True)
    found = json.loads(done.stdout)
    return {**found["format"].get("tags", {}), **found["streams"][0].get("tags", {})}


@pytest.mark.parametrize("front", [TITLE, TITLE + COVER, COVER + bytes(9)], ids=["one", "two", "padded"])
@pytest.mark.parametrize("kind", [".ogg", ".opus", ".oga"])
def test_an_id3_tag_in_front_of_ogg_is_read_and_stays(front: bytes, kind: str, tmp_path: Path) -> None:
    plain = audio(kind)
    source = tmp_path / f"a{kind}"
    source.write_bytes(front + plain)
    contents = containers.read(front + plain)
    assert (contents.format, contents.problems) == ("ogg", ())
    assert "an ID3 tag precedes the first page" in contents.warnings[-1 - front.endswith(bytes(9))]
    made = Labeler(producer=PRODUCER, visible=False).label_file(source)
    assert made.lost == ()
    after = made.path.read_bytes()
    assert after.startswith(front + b"OggS")
    assert (coded(after), packets(after, kind)) == (coded(plain), packets(plain, kind))
    tags = shown(made.path)
    assert "AIGC" in tags and tags["artist"] == "me"
    assert verify(made.path, visible=False).verdicts["cn"].outcome == "compliant"


def test_a_label_in_such_a_tag_is_found_and_replaced() -> None:
    before = LABELLED + audio(".ogg")
    contents = containers.read(before)
    assert [where for where, text in texts(contents) if text == LABEL] == ["ID3v2 tag before the OGG pages, TXXX AIGC"]
    old = next(block for block in contents.blocks if block.keyword == "AIGC")
    after = write(before, text_field=("AIGC", LABEL), drop=(old,))
    assert [where for where, text in texts(containers.read(after)) if text == LABEL] == ["OGG Vorbis comment AIGC"]
    assert packets(after, ".ogg") == packets(audio(".ogg"), ".ogg")


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("kind", [".ogg", ".opus", ".aac", ".mp3"])
def test_bytes_in_front_are_kept_and_said(kind: str, junk: str, tmp_path: Path) -> None:
    plain = audio(kind)
    if kind == ".mp3":
        plain = plain[10 + sum(byte << 7 * at for at, byte in enumerate(reversed(plain[6:10]))) :]
    before = JUNK[junk] + plain
    (tmp_path / f"a{kind}").write_bytes(before)
    contents = containers.read(before)
    assert contents.problems == ()
    assert any(words.startswith(f"{len(JUNK[junk])} bytes ") for words in contents.warnings) is not (
        kind == ".mp3" and junk == "zeros"  # padding, which players expect there
    )
    made = Labeler(producer=PRODUCER, visible=False).label_file(tmp_path / f"a{kind}")
    assert made.lost == ()
    after = made.path.read_bytes()
    assert JUNK[junk] in after and coded(after) == coded(plain)
    assert packets(after, kind)[1:] == packets(before, kind)[1:]  # FFmpeg takes junk in front of AAC for a packet
    assert "AIGC" in shown(made.path)
    assert verify(made.path, visible=False).verdicts["cn"].outcome == "compliant"


@pytest.mark.parametrize("kind", [".ogg", ".aac"])
def test_a_file_with_audio_somewhere_in_it_is_none(kind: str) -> None:
    for data in (b"program" * 9 + audio(kind) + b"more of it" * 500, bytes(1 << 17) + audio(kind)):
        with pytest.raises(UnsupportedFormat):
            containers.read(data)


@pytest.mark.parametrize(
    ("data", "title"),
    [(b"TTA1" + bytes(100), "True Audio"), (b"MAC " + bytes(100), "Monkey's Audio"), (b"wvpk" + bytes(100), "WavPack"),
     (b"MPCK" + bytes(100), "Musepack"), (b"\x7f\xfe\x80\1" + bytes(100), "DTS")],
)  # fmt: skip
def test_what_is_not_read_is_named_behind_a_tag_too(data: bytes, title: str) -> None:
    with pytest.raises(UnsupportedFormat, match=f"an ID3 tag precedes {title}") as caught:
        containers.read(TITLE + data)
    assert "ffmpeg" in str(caught.value.hint)
