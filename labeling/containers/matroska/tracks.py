"""The video track of a Matroska file (RFC 9559, 5.1.4): its number, how its frames are stored, and what is cut off."""

from __future__ import annotations

from typing import NamedTuple

from labeling.containers.base import Crop, Media
from labeling.containers.matroska.ebml import EbmlError, Element, children, floating, made, rebuilt, text, unsigned
from labeling.containers.matroska.outline import TRACKS, outline, whole

ENTRY, NUMBER, UID, TYPE, CODEC, PRIVATE, VIDEO = 0xAE, 0xD7, 0x73C5, 0x83, 0x86, 0x63A2, 0xE0
_WIDTH, _HEIGHT = 0xB0, 0xBA
CROP = 0x54CC, 0x54BB, 0x54DD, 0x54AA  # left, top, right, bottom
_SCALE = 0x23314F
_ENCODINGS, _ENCODING, _COMPRESSION, _ENCRYPTION = 0x6D80, 0x6240, 0x5034, 0x5035
_ORDER_SCOPE, _ALGORITHM, _SETTINGS = 0x5032, 0x4254, 0x4255
_IS_VIDEO, _ZLIB, _STRIPPING = 1, 0, 3
_BITMAP_HEADER = 40
_LEGACY = b"V_MS/VFW/FOURCC"


class Storage(NamedTuple):
    """How frames are stored (ContentCompression; RFC 9559, 5.1.4.1.31.5).

    Attributes:
        strip: Bytes with which every frame begins, and which are not stored.
        deflated: Whether frames are compressed with zlib.
    """

    strip: bytes = b""
    deflated: bool = False


class VideoTrack(NamedTuple):
    """The first video track.

    Attributes:
        entry: Its element, with offsets that count from the start of the Tracks element.
        number: Its number, which blocks have.
        uid: Its UID, which tags have.
        codec: Its codec ID.
        private: Its CodecPrivate.
        storage: How its frames are stored; ``None`` if that is a way that cannot be written.
        scale: Factor of its times (TrackTimestampScale).
        size: (width, height) of the coded picture.
        crop: What is cut off.
    """

    entry: Element
    number: int
    uid: int
    codec: bytes
    private: bytes
    storage: Storage | None
    scale: float
    size: tuple[int, int]
    crop: Crop


def video_track(raw: bytes, tracks: Element) -> VideoTrack | None:
    """Return the first video track in a Tracks element.

    Raises:
        EbmlError: The element is not well-formed.
    """
    for entry in children(raw, tracks):
        if entry.id != ENTRY:
            continue
        parts = {child.id: child for child in children(raw, entry)}
        if TYPE not in parts or unsigned(raw, parts[TYPE]) != _IS_VIDEO:
            continue
        numbers = {each: unsigned(raw, parts[each]) for each in (NUMBER, UID) if each in parts}
        texts = {each: raw[parts[each].body : parts[each].end] for each in (CODEC, PRIVATE, _SCALE) if each in parts}
        inside = {child.id: child for child in children(raw, parts[VIDEO])} if VIDEO in parts else {}
        sizes = {each: unsigned(raw, child) for each, child in inside.items() if each in (_WIDTH, _HEIGHT, *CROP)}
        left, top, right, bottom = (sizes.get(each, 0) for each in CROP)
        return VideoTrack(
            entry, numbers.get(NUMBER, 0), numbers.get(UID, 0),
            text(raw, parts[CODEC]) if CODEC in parts else b"", texts.get(PRIVATE, b""),
            _storage(raw, parts[_ENCODINGS]) if _ENCODINGS in parts else Storage(),
            floating(texts[_SCALE]) if _SCALE in texts else 1.0,
            (sizes.get(_WIDTH, 0), sizes.get(_HEIGHT, 0)), (left, top, right, bottom),
        )  # fmt: skip
    return None


def _storage(raw: bytes, encodings: Element) -> Storage | None:
    """Return how frames are stored; ``None`` for encryption, and compression of other kinds or of other things."""
    all_of = [child for child in children(raw, encodings) if child.id == _ENCODING]
    if len(all_of) != 1:
        return None
    parts = {child.id: child for child in children(raw, all_of[0])}
    if _COMPRESSION not in parts or _ENCRYPTION in parts:
        return None
    if _ORDER_SCOPE in parts and unsigned(raw, parts[_ORDER_SCOPE]) != 1:
        return None
    inside = {child.id: child for child in children(raw, parts[_COMPRESSION])}
    algorithm = unsigned(raw, inside[_ALGORITHM]) if _ALGORITHM in inside else _ZLIB
    if algorithm == _ZLIB:
        return Storage(deflated=True)
    if algorithm != _STRIPPING or _SETTINGS not in inside:
        return None
    return Storage(raw[inside[_SETTINGS].body : inside[_SETTINGS].end])


def crop(data: Media) -> Crop:
    """Return how many pixels of the first video track players cut off (PixelCropLeft and so on; RFC 9559, 11.1)."""
    found = outline(data)
    for item in found.all(TRACKS):
        try:
            track = video_track(*whole(data, item))
        except EbmlError:
            continue
        if track is not None:
            return track.crop
    return 0, 0, 0, 0


def with_private(raw: bytes, tracks: Element, track: VideoTrack, extradata: bytes) -> bytes:
    """Rebuild a Tracks element with another decoder configuration for the video; all else stays byte for byte."""
    private = extradata
    if track.codec == _LEGACY:  # a BITMAPINFOHEADER comes first, and says its size
        size = _BITMAP_HEADER + len(extradata)
        private = size.to_bytes(4, "little") + track.private[4:_BITMAP_HEADER] + extradata
    if private == track.private:
        return raw[tracks.start : tracks.end]
    coded = made(PRIVATE, private) if private else b""
    has_one = any(child.id == PRIVATE for child in children(raw, track.entry))

    def change(child: Element) -> bytes | None:
        return coded if child.id == PRIVATE and track.entry.body <= child.start < track.entry.end else None

    return rebuilt(raw, tracks, (ENTRY,), change, None if has_one else {track.entry.start: coded})
