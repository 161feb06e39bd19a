"""Files that hold much that is not ours, to test what labelled copies keep; and what witnesses read in them."""

from __future__ import annotations

import functools
import io
import json
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin, TiffImagePlugin

from .containers.battery import OLD_PACKET, encoded, exif, icc
from .pictures import rgb

CHAPTERS = """;FFMETADATA1
title=A film
comment=a note
[CHAPTER]
TIMEBASE=1/1000
START=0
END=1000
title=One
[CHAPTER]
TIMEBASE=1/1000
START=1000
END=3000
title=Two
"""
SUBTITLES = "1\n00:00:00,500 --> 00:00:01,000\nhello\n\n2\n00:00:01,500 --> 00:00:02,000\nworld\n"


# Pictures


def jpeg() -> bytes:
    """EXIF, ICC, XMP, a comment, an APP7 segment, and bytes behind the end."""
    made = encoded(rgb(), "JPEG", quality=90, exif=exif(), icc_profile=icc(), xmp=OLD_PACKET, comment=b"a comment")
    return made[:2] + b"\xff\xe7\x00\x0cforeign123" + made[2:] + b"behind the end"


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png() -> bytes:
    """EXIF, ICC, XMP, text, resolution, light levels, and a chunk of a kind of its own."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "plain")
    info.add_itxt("XML:com.adobe.xmp", OLD_PACKET.decode())
    made = encoded(rgb(), "PNG", exif=exif()[6:], icc_profile=icc(), pnginfo=info, dpi=(300, 300))
    return made[:33] + _chunk(b"cLLI", bytes(8)) + _chunk(b"foRn", b"foreign") + made[33:]


def webp() -> bytes:
    """EXIF, ICC, XMP, and a chunk of a kind of its own."""
    made = encoded(rgb(), "WEBP", quality=80, exif=exif(), icc_profile=icc(), xmp=OLD_PACKET) + b"XYZW\6\0\0\0hello!"
    return made[:4] + struct.pack("<I", len(made) - 8) + made[8:]


def gif() -> bytes:
    """Three frames with a loop count and a comment."""
    frames = [rgb(seed=seed).quantize(64) for seed in (1, 2, 3)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=70, loop=3, comment=b"a comment")


def tiff(**options: Any) -> bytes:
    """Two pages with descriptive tags, ICC, XMP, and a private tag."""
    tags: Any = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in {
        270: "a description",
        315: "an artist",
        700: OLD_PACKET,
        65000: b"foreign",
        34675: icc(),
    }.items():
        tags[tag] = value
        if isinstance(value, bytes):
            tags.tagtype[tag] = 7
    return encoded(rgb(), "TIFF", tiffinfo=tags, save_all=True, append_images=[rgb(seed=2)], **options)


def avif() -> bytes:
    """EXIF, ICC, and XMP."""
    return encoded(rgb(), "AVIF", speed=10, exif=exif(), icc_profile=icc(), xmp=OLD_PACKET)


def heic() -> bytes:
    """EXIF and XMP."""
    import pillow_heif

    out = io.BytesIO()
    pillow_heif.from_pillow(rgb()).save(out, quality=80, exif=exif(), xmp=OLD_PACKET)
    return out.getvalue()


PICTURES: dict[str, Callable[[], bytes]] = {
    "full.jpg": jpeg, "full.png": png, "full.webp": webp, "full.gif": gif, "full.tif": tiff, "full.avif": avif,
    "full.heic": heic,
}  # fmt: skip


# Video and audio


_H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-pix_fmt", "yuv420p", "-bf", "0")
_GERMAN = ("-metadata:s:a:0", "language=deu", "-metadata:s:a:0", "title=Ton")
_RECIPES: dict[str, tuple[str, ...]] = {
    "full.mp4": (*_H264, "-c:a", "aac", "-c:s", "mov_text", *_GERMAN),
    "full.mov": (*_H264, "-c:a", "aac", "-c:s", "mov_text", *_GERMAN),
    "full.mkv": (*_H264, "-c:a", "aac", "-c:s", "srt", *_GERMAN),
    "full.webm": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "10", "-c:a", "libopus",
                  "-c:s", "webvtt", *_GERMAN),
    "full.avi": (*_H264, "-c:a", "libmp3lame", "-sn"),
    "full.flv": (*_H264, "-c:a", "aac", "-sn"),
    "full.wav": ("-vn", "-sn"),
    "full.mp3": ("-vn", "-sn"),
    "full.flac": ("-vn", "-sn"),
    "full.aiff": ("-vn", "-sn", "-write_id3v2", "1"),
    "full.aac": ("-vn", "-sn", "-c:a", "aac", "-write_id3v2", "1"),
    "full.ogg": ("-vn", "-sn", "-c:a", "libvorbis"),
    "full.m4a": ("-vn", "-sn", "-c:a", "aac"),
}  # fmt: skip
MEDIA = tuple(_RECIPES)


@functools.cache
def media(name: str) -> bytes:
    """A file with video, audio, subtitles, chapters, tags and languages, as far as its format has them."""
    with tempfile.TemporaryDirectory() as folder:
        chapters, subtitles, made = (Path(folder) / each for each in ("chapters.txt", "words.srt", name))
        chapters.write_text(CHAPTERS)
        subtitles.write_text(SUBTITLES)
        sources = ("-f", "lavfi", "-i", "testsrc2=d=3:s=160x120:r=10", "-f", "lavfi", "-i", "sine=d=3")
        maps = ("-map", "0:v", "-map", "1:a", "-map", "3:s", "-map_metadata", "2")
        run = [*sources, "-i", str(chapters), "-i", str(subtitles), *maps, *_RECIPES[name], str(made)]
        subprocess.run(["ffmpeg", "-v", "error", "-y", *run], check=True)
        return made.read_bytes()


def avi_with_a_foreign_chunk() -> bytes:
    made = media("full.avi")
    size = struct.unpack_from("<I", made, 4)[0]
    made = made[: 8 + size] + b"XYZW\6\0\0\0hello!"
    return made[:4] + struct.pack("<I", len(made) - 8) + made[8:]


def flv_with_a_cue_point() -> bytes:
    made = media("full.flv")
    first = 13 + 11 + int.from_bytes(made[14:17], "big") + 4
    body = b"\2\0\12onCuePoint\10\0\0\0\1\0\4name\2\0\3cue\0\0\11"
    tag = b"\22" + len(body).to_bytes(3, "big") + bytes(7) + body
    return made[:first] + tag + struct.pack(">I", len(tag)) + made[first:]


def full_palette_tiff() -> bytes:
    """A palette picture that uses 256 colours, none of them near black or white."""
    picture = Image.frombytes("P", (320, 240), bytes(range(256)) * 300)
    picture.putpalette([value for n in range(256) for value in (90 + n % 16 * 4, 90 + n // 16 * 4, 120)])
    return encoded(picture, "TIFF")


def png_with_apples_index() -> bytes:
    made = encoded(rgb(), "PNG")
    at = made.index(b"IDAT") - 4
    return made[:at] + _chunk(b"iDOT", struct.pack(">7I", 2, 0, 120, 40, 120, 120, at)) + made[at:]


FOREIGN: dict[str, Callable[[], bytes]] = {"avi": avi_with_a_foreign_chunk, "flv": flv_with_a_cue_point}
"""Name of a format → a file that holds what no muxer writes."""

COSTLY: dict[str, Callable[[], bytes]] = {
    "png": png_with_apples_index, "tiff": full_palette_tiff,
}  # fmt: skip
"""Name of a format → a file of which a copy with a visible label loses all that the format's row says it may lose."""


# Witnesses


_OURS = ("System:", "File:", "ExifTool:", "Composite:", "SourceFile", "RIFF:WebP_Flags")
_PLACES = ("FileSizeBytes", "Offset", "Offsets", "Start", "ByteCounts", "Length", "DataSize", "MPImageLength")


def exiftool_names(path: Path) -> set[str]:
    """Return the names of the tags that exiftool reads, but those that describe coding and places."""
    run = subprocess.run(["exiftool", "-j", "-a", "-u", "-G1", str(path)], capture_output=True, check=False)
    (tags,) = json.loads(run.stdout)
    if "references previous" in tags.get("ExifTool:Warning", ""):
        # exiftool takes an EXIF directory behind a C2PA manifest for one that it has read. Alone, it reads it.
        tags |= {name: "" for name in ("IFD0:Make",) if _exif_alone(path)}
    return {name for name in tags if not name.startswith(_OURS) and not name.endswith(_PLACES)}


def _exif_alone(path: Path) -> bool:
    with Image.open(path) as image:
        return 0x010F in image.getexif()


def ffprobe(path: Path) -> dict[str, Any]:
    """Return what ffprobe reads of streams, chapters and tags, but what a muxer says of itself."""
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_chapters", "-show_format", "-of", "json", str(path)]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    streams = [
        (s["codec_type"], s.get("codec_name"), s.get("tags", {}).get("language"), s.get("tags", {}).get("title"))
        for s in found["streams"]
    ]
    tags = {key.lower() for key in found["format"].get("tags", {})} - {"encoder", "major_brand", "minor_version"}
    chapters = [(c["start_time"], c["tags"].get("title")) for c in found["chapters"]]
    return {"streams": streams, "tags": tags - {"compatible_brands", "aigc"}, "chapters": chapters}
