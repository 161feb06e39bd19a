"""Small videos that FFmpeg makes, what it decodes them to, and the engine of smart rendering on its own."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from labeling.codecs.packets import packet_of
from labeling.codecs.video import segment
from labeling.codecs.video.base import Packet, Settings, Stream

SECONDS = 3
LABEL = 1.0  # seconds: the first group of pictures (24) and a bit of the second

NAMES = {"libdav1d": "av1"}


class Painter:
    """A white plate in the top left corner."""

    def box(self, width: int, height: int) -> tuple[int, int, int, int]:
        return 8, 8, 8 + width // 3, 8 + max(12, height // 12)

    def paint(self, backdrops: Sequence[Any]) -> NDArray[np.uint8]:
        height, width = backdrops[0].shape[:2]
        return np.full((height, width, 4), 255, np.uint8)


def ffmpeg(*args: object) -> None:
    done = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, args)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def make_video(target: Path, *args: object, size: str = "160x120", inputs: tuple[object, ...] = ()) -> Path:
    """Three seconds at 25 pictures a second, of noise and movement."""
    made = f"testsrc2=s={size}:r=25:d={SECONDS},noise=alls=6:allf=t"
    ffmpeg("-f", "lavfi", "-i", made, *inputs, *args, target)
    return target


def pictures(path: Path) -> list[tuple[str, str]]:
    """(pts, MD5) of every picture of the first video track, as FFmpeg decodes it, without a word of complaint."""
    command = ["ffmpeg", "-v", "warning", "-nostdin", "-i", str(path), "-map", "0:v:0", "-f", "framemd5", "-"]
    done = subprocess.run(command, capture_output=True, text=True)
    harmless = "deprecated pixel format", "Guessed Channel Layout"
    complaints = [line for line in done.stderr.splitlines() if not any(words in line for words in harmless)]
    assert done.returncode == 0 and not complaints, complaints
    lines = [line.split(",") for line in done.stdout.splitlines() if not line.startswith("#")]
    return [(line[2].strip(), line[5].strip()) for line in lines]


def packets(path: Path, kinds: str) -> list[tuple[object, ...]]:
    """(track, pts, size, MD5) of all packets of some kinds of track (a s v)."""
    entries = "packet=stream_index,pts,size,data_hash"
    command = ["ffprobe", "-v", "error", "-show_entries", entries, "-show_data_hash", "md5", "-of", "csv", str(path)]
    found: list[tuple[object, ...]] = []
    for kind in kinds:
        done = subprocess.run([*command, "-select_streams", kind], capture_output=True, text=True, check=True)
        found += [tuple(line.split(",")) for line in done.stdout.splitlines()]
    return sorted(found)


def opened(path: Path) -> tuple[av.container.InputContainer, Stream, list[Packet]]:
    container = av.open(str(path))
    video = container.streams.video[0]
    context = video.codec_context
    tag = context.codec_tag if context.codec_tag.isprintable() else ""
    assert video.time_base is not None
    stream = Stream(
        NAMES.get(context.name, context.name), context.extradata or b"", video.width, video.height,
        video.time_base, video.average_rate or Fraction(25), tag,
    )  # fmt: skip
    found: list[tuple[Any, Any, bool, bytes]] = [
        (packet.pts, packet.dts, packet.is_keyframe, bytes(packet)) for packet in container.demux(video)
    ]
    found = [packet for packet in found if packet[3]]
    lead = next(n for n, packet in enumerate(found) if packet[1] is not None)  # Matroska: the first ones have no dts
    return (
        container,
        stream,
        [
            Packet(pts, found[lead][1] - (lead - n) if dts is None else dts, key, data)
            for n, (pts, dts, key, data) in enumerate(found)
        ],
    )


def cut(
    path: Path, target: Path, overlay: Any, *, settings: Settings | None = None, seconds: float = LABEL
) -> tuple[list[Packet], list[Packet], int]:
    """Re-encode what is before the first clean join behind ``seconds``, copy the rest: (packets, new ones, depth)."""
    container, stream, given = opened(path)
    codec = segment.codec_of(stream)
    assert not codec.refusal(given[0].data)
    first = min(packet.pts for packet in given)
    joins = [n for n, packet in enumerate(given) if codec.join(packet.data) is segment.Join.CLEAN]
    end = next(n for n in joins if n and (given[n].pts - first) * stream.time_base >= seconds)
    depth = segment.reorder_depth((packet.pts, packet.dts) for packet in given[:end])

    def wanted(pts: int) -> bool:
        return (pts - first) * stream.time_base < seconds

    coder = segment.Reencoder(
        stream, overlay, wanted, settings or Settings(), depth=depth, intra=len(joins) == len(given)
    )
    new = list(coder.run(given[:end]))
    rest = [given[end]._replace(data=segment.reentry(stream, given[end].data)), *given[end + 1 :]]
    with av.open(str(target), "w", container_options={"avoid_negative_ts": "disabled"}) as out:
        track = out.add_stream_from_template(container.streams.video[0], opaque=True)
        track.codec_context.extradata = segment.joined(stream, coder.extradata) or None
        if target.suffix == ".mov":
            track.codec_context.codec_tag = stream.tag
        for packet in new + rest:
            made = packet_of(packet.data)
            made.pts, made.dts, made.is_keyframe = packet.pts, packet.dts, packet.key
            made.time_base, made.stream = stream.time_base, track
            made.duration = round(1 / stream.rate / stream.time_base)
            out.mux_one(made)
    container.close()
    return given, new, depth
