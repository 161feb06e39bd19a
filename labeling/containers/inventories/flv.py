"""What FLV files hold: values of script tags that are no texts, and the kinds of their streams."""

from __future__ import annotations

from collections.abc import Iterator

from labeling.containers.base import Contents, Entry, Media, digest
from labeling.containers.flv import amf
from labeling.containers.flv.edit import ON_META_DATA

MAX_TAGS = 2000
MAX_BYTES = 4 << 20
"""Only so many tags, or bytes of them, are looked at from the beginning."""

_PAGE = 4096  # tags of sound are small and near each other, and each slice is a call of the system
_AUDIO, _VIDEO, _SCRIPT = 8, 9, 18
_MUXER = {"metadatacreator", "encoder", "filesize", "hasKeyframes", "hasMetadata"}
_CODED = {"videodatarate", "datasize", "videosize", "framerate", "width", "height", "videocodecid", "canSeekToEnd",
          "lasttimestamp", "lastkeyframetimestamp", "lastkeyframelocation", "times", "filepositions", "audiosize",
          "audiodatarate", "audiocodecid", "audiosamplerate", "audiosamplesize", "stereo", "hasVideo", "hasAudio",
          "hasCuePoints"}  # fmt: skip
"""Properties that describe the streams: a muxer writes what is true of the new file."""

_CODECS = {
    2: "Sorenson Spark", 3: "Screen Video", 4: "VP6", 5: "VP6 with alpha", 6: "Screen Video 2", 7: "H.264", 12: "HEVC",
}  # fmt: skip


def inventory(data: Media, contents: Contents) -> Iterator[Entry]:
    """List what an FLV file holds (Adobe Flash Video File Format Specification 10.1, Annex E)."""
    texts = {block.offset for block in contents.blocks}
    pos, size, read = int.from_bytes(data[5:9], "big") + 4, len(data), 0
    streams: dict[str, str] = {}
    page, base = b"", 0
    for _ in range(MAX_TAGS):
        if not base <= pos <= base + len(page) - 12:
            page, base = data[pos : pos + _PAGE], pos
        head = page[pos - base : pos - base + 12]
        if len(head) < 12 or read > MAX_BYTES:
            break
        kind, end = head[0] & 0x1F, pos + 11 + int.from_bytes(head[1:4], "big")
        if kind == _SCRIPT and end <= size:
            yield from _script(data[pos + 11 : end], pos + 11, texts)
        elif kind == _VIDEO:
            streams.setdefault("video", _CODECS.get(head[11] & 15, str(head[11] & 15)))
        elif kind == _AUDIO:
            streams.setdefault("audio", f"sound format {head[11] >> 4}")
        read += end - pos
        pos = end + 4
    for name, codec in streams.items():
        yield Entry(f"track:{name}:1", b"", f"{name} track", "FLV")
        yield Entry(f"track:{name}:1:codec", codec, f"codec of the {name} track", "FLV")


def _script(body: bytes, base: int, texts: set[int]) -> Iterator[Entry]:
    script = amf.Script(body)
    try:
        script.parse()
    except amf.AmfError:
        return
    first = script.values[0] if script.values else None
    name = (amf.text(body, first[1]) or b"").decode("utf-8", "replace") if first is not None else ""
    if name != ON_META_DATA:
        if name not in ("onXMPData", "onTextData", "AIGC"):
            yield Entry(f"script:{name}", digest(body), f"script tag {name}", f"FLV, offset {base - 11}")
        return
    for each in script.properties:
        is_text = base + each.start in texts
        if each.path or is_text or each.name in _MUXER or each.name in _CODED or script.text(each.value) is not None:
            continue
        if each.name == "duration":
            yield Entry("property:duration", b"", "duration", "FLV onMetaData")  # without it, players cannot seek
        elif each.name not in ("keyframes", "cuePoints"):
            value = digest(body[each.value : each.end])
            yield Entry(f"property:{each.name}", value, f"property {each.name}", "FLV onMetaData")
        elif each.name == "cuePoints":
            yield Entry("property:cuePoints", b"", "cue points", "FLV onMetaData")
