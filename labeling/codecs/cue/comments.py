"""Times in Vorbis comments, moved by a cue in front of the sound."""

from __future__ import annotations

import re

from labeling.containers.syntax import vorbis_comment

_CHAPTER = re.compile(rb"(CHAPTER\d{2,3})=(\d+):(\d\d):(\d\d)\.(\d{1,3})\s*", re.I)
_INDEX = re.compile(rb"(INDEX\s+\d\d\s+)(\d+):(\d\d):(\d\d)")


def moved(raw: bytes, seconds: float) -> tuple[bytes, set[str]]:
    """Move chapters (``CHAPTER001=00:00:01.000``) and the text of cue sheets in Vorbis comments by some seconds.

    A comment of another length changes the length of the header, which FLAC's blocks and OGG's pages state: then the
    times stay, as nobody has hours of three digits.

    Args:
        raw: A comment header.
        seconds: By how much everything is later.

    Returns:
        The header, and the names of the comments that changed.

    Raises:
        LabelingError: It is damaged.
    """
    new, names = bytearray(raw), set[str]()
    for entry in vorbis_comment.parse(raw).entries:
        text = entry.raw
        if (found := _CHAPTER.fullmatch(text)) is not None:
            hours, minutes, whole = (int(found[number]) for number in (2, 3, 4))
            fraction = found[5]
            unit = 10 ** len(fraction)
            total = round(((hours * 60 + minutes) * 60 + whole + int(fraction) / unit + seconds) * unit)
            rest, part = divmod(total, unit)
            shown = b"%0*d:%02d:%02d.%0*d" % (
                len(found[2]),
                rest // 3600,
                rest // 60 % 60,
                rest % 60,
                len(fraction),
                part,
            )
            text = found[1] + b"=" + shown
        elif entry.name.upper() == "CUESHEET":
            text = _INDEX.sub(lambda each: _index(each, seconds), text)
        if text != entry.raw and len(text) == len(entry.raw):
            new[entry.at + 4 : entry.at + 4 + len(text)] = text
            names.add(entry.name)
    return bytes(new), names


def _index(found: re.Match[bytes], seconds: float) -> bytes:
    total = (int(found[2]) * 60 + int(found[3])) * 75 + int(found[4]) + round(seconds * 75)
    return found[1] + b"%0*d:%02d:%02d" % (len(found[2]), total // 4500, total // 75 % 60, total % 75)
