"""C2PA's library writes an ID3 tag anew, as version 2.4: what it says stays, and what does not is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from labeling import Labeler, verify
from labeling.findings import Signature

from ..marks.signing import signer
from ..test_bad_input import PRODUCER
from .av_files import ffmpeg, packets
from .battery import exiftool
from .test_mp3 import frame, tag

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 3 + b"\xff\xd9"
UTF16 = "é\0".encode("utf-16")


def audio(suffix: str) -> bytes:
    made = ffmpeg(suffix, "-id3v2_version", "0", "-write_id3v1", "0") if suffix == ".mp3" else ffmpeg(suffix)
    assert not made.startswith(b"ID3")
    return made


OLD = (
    ("TT2", b"\0Title"), ("TP1", b"\0Me"), ("TAL", b"\0Album"), ("TYE", b"\0" + b"2024"), ("TRK", b"\0" + b"3/9"),
    ("TXX", b"\0KEY\0value"), ("COM", b"\0engnote\0a comment"), ("ULT", b"\0eng\0some words"),
    ("PIC", b"\0JPG\3front\0" + JPEG), ("WXX", b"\0page\0http://example.org/"), ("WAR", b"http://example.org/me"),
)  # fmt: skip
NEW = (
    ("TIT2", b"\1\xff\xfeT\0i\0"), ("TPE1", b"\0Me"), ("TYER", b"\0" + b"2024"), ("TXXX", b"\0KEY\0value"),
    ("COMM", b"\0engnote\0a comment"), ("USLT", b"\1eng" + b"\xff\xfe\0\0" + "some words".encode("utf-16")),
    ("APIC", b"\1image/jpeg\0\3" + UTF16 + JPEG), ("APIC", b"\0image/png\0\4back\0" + JPEG),
    ("WXXX", b"\0page\0http://example.org/"), ("WOAR", b"http://example.org/me"), ("PRIV", b"me\0\1\2\3"),
    ("UFID", b"http://example.org\0id"), ("POPM", b"me\0\x80\0\0\0\1"),
    ("GEOB", b"\0text/plain\0a.txt\0words\0content"),
)  # fmt: skip


@pytest.mark.parametrize("suffix", [".mp3", ".flac"])
@pytest.mark.parametrize("version", [2, 3, 4])
def test_what_a_tag_says_stays_when_the_file_is_signed(version: int, suffix: str, tmp_path: Path) -> None:
    plain = audio(suffix)
    front = tag(version, b"".join(frame(version, name, body) for name, body in (OLD if version == 2 else NEW)))
    source = tmp_path / f"a{suffix}"
    source.write_bytes(front + plain)
    made = Labeler(producer=PRODUCER, visible=False, signer=signer()).label_file(source)
    assert made.lost == ()
    assert packets(made.path.read_bytes()) == packets(source.read_bytes())
    c2pa = verify(made.path, visible=False).find("c2pa")
    assert c2pa is not None and c2pa.signature is Signature.VALID
    assert said(made.path) == said(source)


def said(path: Path) -> dict[str, object]:
    """Return what exiftool reads in the tags, whatever version they are of."""
    names = (
        "Title",
        "Artist",
        "Comment",
        "Lyrics",
        "PictureType",
        "PictureDescription",
        "UserDefinedURL",
        "ArtistURL",
        "Popularimeter",
    )
    (found,) = exiftool(path)
    return {
        key.split(":")[-1]: value
        for key, value in found.items()
        if key.startswith("ID3") and key.split(":")[-1].startswith(names)
    }


def test_what_is_changed_in_a_cover_is_noticed() -> None:
    from labeling.containers import inventory, read

    def covers(picture: bytes, coding: bytes = b"\0a\0") -> list[object]:
        data = tag(4, frame(4, "APIC", coding[:1] + b"image/jpeg\0\3" + coding[1:] + picture)) + audio(".mp3")
        return [entry.value for entry in inventory(data, read(data)) if entry.key == "frame:APIC"]

    assert covers(JPEG) == covers(JPEG, b"\3a\0") == covers(JPEG, b"\1" + "a".encode("utf-16") + b"\0\0") != []
    assert covers(JPEG) != covers(JPEG[:-1]) and covers(JPEG) != covers(JPEG, b"\0b\0")
