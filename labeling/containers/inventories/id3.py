"""What ID3v2 tags hold besides texts: pictures, chapters and the like, compared by what they say.

Whoever rewrites a tag may do so in another version of ID3, and code the texts in it in another way.
"""

from __future__ import annotations

from collections.abc import Iterator

from labeling.containers.base import Entry, digest
from labeling.containers.collector import Collector
from labeling.containers.syntax import id3
from labeling.containers.syntax.id3_names import modern

_SEEK_FRAMES = {"MLLT", "SEEK", "ASPI"}  # they say where things are in the file
_FRAMES = {"APIC": "cover (APIC)", "CHAP": "chapter (CHAP)", "CTOC": "chapters (CTOC)"}
_PICTURES = {b"JPG": b"image/jpeg", b"PNG": b"image/png"}
_LANGUAGE = 3


def frames(tag: id3.Tag, taken: set[int], where: str) -> Iterator[Entry]:
    """List the frames of an ID3v2 tag that are not at the offsets ``taken``, which blocks have."""
    for frame in tag.frames:
        name = modern(frame.name)
        if frame.at in taken or name in _SEEK_FRAMES:
            continue
        own = frame.name.decode("latin-1").strip()
        shown = _FRAMES.get(name, f"frame {own}")
        yield Entry(f"frame:{name}", digest(_meaning(frame, tag.version, name)), shown, f"{where} {own}")


def _meaning(frame: id3.Frame, version: int, name: str) -> bytes:
    """Return what a frame says, however its texts are coded."""
    header = 6 if version == 2 else 10
    payload = id3.payload(frame.raw, version, Collector())
    if not payload:
        return frame.raw[header:]
    coding, rest = payload[0], payload[1:]
    match name:
        case "APIC":
            kind, rest = _media_type(rest, version)
            role, rest = rest[:1], rest[1:]
            words, data = id3.cut(coding, rest)
            return b"\0".join((kind, role, id3.decoded(coding, words).encode(), data))
        case "USLT":
            words, data = id3.cut(coding, rest[_LANGUAGE:])
            return b"\0".join((rest[:_LANGUAGE], *(id3.decoded(coding, each).encode() for each in (words, data))))
        case "WXXX":
            words, data = id3.cut(coding, rest)
            return b"\0".join((id3.decoded(coding, words).encode(), data.strip(b"\0")))
        case "POPM":  # user, rating, counter, which has as many bytes as one likes
            user, _, rest = payload.partition(b"\0")
            return b"\0".join((user, rest[:1], rest[1:].lstrip(b"\0")))
        case "PCNT":
            return payload.lstrip(b"\0")
        case "GEOB":
            kind, _, rest = rest.partition(b"\0")
            file, rest = id3.cut(coding, rest)
            words, data = id3.cut(coding, rest)
            return b"\0".join((kind, *(id3.decoded(coding, each).encode() for each in (file, words)), data))
    return payload.strip(b"\0") if name.startswith("W") else payload


def _media_type(raw: bytes, version: int) -> tuple[bytes, bytes]:
    if version == 2:  # three letters
        return _PICTURES.get(raw[:3].upper(), raw[:3]), raw[3:]
    kind, _, rest = raw.partition(b"\0")
    return (b"image/jpeg" if kind == b"image/jpg" else kind), rest
