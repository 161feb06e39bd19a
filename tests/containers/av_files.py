"""Helpers for the tests of video and audio files: FFmpeg makes the files, and says what is in them."""

from __future__ import annotations

import functools
import io
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import av

from labeling import containers
from labeling.containers import Changes, Contents, Kind

LABEL = json.dumps({"Label": "1", "ContentProducer": "001191110102MACQD9K64010000", "名": "标识"}, ensure_ascii=False)


@functools.cache
def ffmpeg(suffix: str, *options: str, inputs: tuple[str, ...] = ("sine=d=0.3",)) -> bytes:
    """A file as FFmpeg writes it to a pipe or, if ``suffix`` begins with a dot, to a file that it can go back in."""
    sources = [word for each in inputs for word in ("-f", "lavfi", "-i", each)]
    command = ["ffmpeg", "-v", "error", "-y", *sources, "-fflags", "+bitexact", *options]
    if not suffix.startswith("."):
        return subprocess.run([*command, "-f", suffix, "pipe:1"], capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"made{suffix}"
        subprocess.run([*command, str(path)], check=True)
        return path.read_bytes()


VIDEO = ("testsrc=d=0.5:s=48x32:r=10", "sine=d=0.5")


def write(data: bytes, **changes: Any) -> bytes:
    return b"".join(containers.rewrite(data, containers.read(data), Changes(**changes)))


def packets(data: bytes) -> list[tuple[int, int | None, bytes]]:
    """All packets as FFmpeg demuxes them."""
    with av.open(io.BytesIO(data), "r") as opened:
        return [(packet.stream_index, packet.pts, bytes(packet)) for packet in opened.demux() if packet.size]


def ffprobe(path: Path) -> dict[str, str]:
    done = subprocess.run(
        ["ffprobe", "-v", "warning", "-show_entries", "format_tags:stream_tags", "-of", "json", str(path)],
        capture_output=True,
        check=True,
    )
    assert b"nvalid" not in done.stderr and b"rror" not in done.stderr, done.stderr
    found = json.loads(done.stdout)
    tags = dict(found.get("format", {}).get("tags", {}))
    for stream in found.get("streams", []):
        tags.update(stream.get("tags", {}))
    return tags


def texts(contents: Contents) -> list[tuple[str, str]]:
    return [(block.where, block.data.decode()) for block in contents.blocks if block.kind is Kind.TEXT]


def coded(data: bytes) -> list[bytes]:
    return [data[at : at + length] for at, length in containers.read(data).coded]
