"""Replace frames of an FLV video one for one: every other tag stays, and the offsets in onMetaData are updated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from labeling.containers.base import NewFrame, OldFrame, Unfit
from labeling.containers.edits import MediaEdit
from labeling.containers.flv import amf
from labeling.containers.flv.edit import ON_META_DATA, ScriptTag, followed
from labeling.filebytes import FileBytes

_VIDEO, _SCRIPT, _AVC = 9, 18, 7
_HEAD, _AVC_HEAD = 11, 5
_CONFIGURATION, _PICTURE = 0, 1
_MAX_SIZE = (1 << 24) - 1
_MAX_SHIFT = 1 << 23
_MAX_SCRIPT = 16 << 20


def edits(
    data: FileBytes, old: Iterable[OldFrame], new: Mapping[int, NewFrame | None], extradata: bytes | None
) -> list[MediaEdit]:
    """Return the edits that put new frames into the places of old ones; see :attr:`Format.replacer`.

    Raises:
        Unfit: The video is not H.264, or its tags cannot be replaced.
    """
    frames, number = list(old), 0
    changes: list[MediaEdit] = []
    shifts: list[tuple[int, int]] = []
    scripts: list[ScriptTag] = []
    configuration: bytes | None = None

    def put(at: int, end: int, head: bytes, body: bytes | NewFrame) -> None:
        content = body if isinstance(body, bytes) else body.data
        size = len(head) + len(content)
        if size > _MAX_SIZE:
            raise Unfit(f"a new picture has {size} bytes, more than a tag of FLV can hold")
        changes.append((at + 1, at + 4, size.to_bytes(3, "big")))
        changes.append((at + _HEAD, at + _HEAD + _AVC_HEAD, head))
        changes.append((at + _HEAD + _AVC_HEAD, at + _HEAD + _AVC_HEAD, content))
        changes.append((at + _HEAD + _AVC_HEAD, end, b""))
        changes.append((end, end + 4, (_HEAD + size).to_bytes(4, "big")))
        shifts.append((at + 1, size - (end - at - _HEAD)))

    at, total = int.from_bytes(data[5:9], "big") + 4, len(data)
    while number < len(frames):
        start = data[at : at + _HEAD + _AVC_HEAD]
        end = at + _HEAD + int.from_bytes(start[1:4], "big")
        if len(start) < _HEAD or end + 4 > total:
            raise Unfit(f"it has {number} tags of video for {len(frames)} frames")
        kind = start[0]
        if kind == _SCRIPT and end - at <= _MAX_SCRIPT:
            scripts.append(_script(data, at, end))
        elif kind == _VIDEO and end - at >= _HEAD + 2:
            flags, step = start[_HEAD], start[_HEAD + 1]
            if flags & 15 != _AVC or flags & 0x80:
                raise Unfit("the video is not H.264 in tags of the usual kind")
            if step == _CONFIGURATION and extradata is not None:
                here = data[at + _HEAD + _AVC_HEAD : end]
                if configuration not in (None, here):
                    raise Unfit("the video's coding changes on the way")
                configuration = here
                put(at, end, start[_HEAD:], extradata)
            elif step == _PICTURE and end - at > _HEAD + _AVC_HEAD:
                time = int.from_bytes(start[7:8] + start[4:7], "big")
                if (frames[number].size, frames[number].dts) != (end - at - _HEAD - _AVC_HEAD, time):
                    raise Unfit(f"the tag at offset {at} is not the frame that was decoded")
                if number in new:
                    frame = new[number]
                    if frame is None or frame.dts != time or not 0 <= frame.pts - time < _MAX_SHIFT:
                        raise Unfit("the new pictures do not fit the times of the old ones")
                    lead = (1 if frame.key else 2) << 4 | _AVC, _PICTURE
                    put(at, end, bytes(lead) + (frame.pts - time).to_bytes(3, "big"), frame)
                number += 1
        at = end + 4
    return changes + followed(total, scripts, shifts)


def _script(data: FileBytes, at: int, end: int) -> ScriptTag:
    tag = ScriptTag(at, end + 4, data[at : at + _HEAD], amf.Script(data[at + _HEAD : end]))
    try:
        tag.script.parse()
    except amf.AmfError as error:
        if tag.name == ON_META_DATA:
            raise Unfit(f"its onMetaData cannot be read: {error.message}") from error
    return tag
