"""Which values of a file name no person: codes, systems, versions, times, numbers of content, words of closed lists.

Each check returns the value as it may be shown, or :data:`WITHHELD`. What is in doubt is withheld.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import Any

from labeling.label import ProviderCode, uscc_is_valid
from labeling.marks import wording
from labeling.marks.wording.vendors import by_alias

WITHHELD = "withheld"
"""In place of a value that is not shown."""

Check = Callable[[Any], Any]


def number(value: Any) -> Any:
    """A number, a truth value, a list of numbers, or nothing."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple) and len(value) <= 64:
        return [number(each) for each in value]
    return WITHHELD


def one_of(*words: str) -> Check:
    """Return a check that passes these words alone."""
    return lambda value: value if value in words else WITHHELD


def form(pattern: str) -> Check:
    """Return a check that passes text of this form alone."""
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: value if isinstance(value, str) and compiled.fullmatch(value) else WITHHELD


def each(check: Check) -> Check:
    """Return a check of the items of a list."""
    return lambda value: [check(item) for item in value] if isinstance(value, list | tuple) else WITHHELD


def code(value: Any) -> Any:
    """The provider code of an organisation (TC260-PG-20252A), or the mark of a known service.

    A code of a person would hold the number of an identity card.
    """
    text = value if isinstance(value, str) else ""
    parsed = ProviderCode.parse(text)
    if parsed is not None:
        return text if parsed.subject == "1" and parsed.binding in "01" else WITHHELD
    if _DRAFT_CODE.fullmatch(text) and not text.isdigit() and uscc_is_valid(text[:18]):
        return text
    return text if text == "" or text.lower() in _vendors() else WITHHELD


_DRAFT_CODE = re.compile(r"9[0-9A-Z]{17,31}", re.ASCII)
"""A unified social credit code of an organisation, alone or with what drafts of the guide put behind it."""


@cache
def _vendors() -> frozenset[str]:
    return frozenset(by_alias())


_WORDS_TEXT = """
    reference text image2image text2image web prod server cn tos ai
    aigc asset audio batch c2pa clip content demo did doc file frame gen id iid image img instance item job oid
    photo pic picture process req request run sample self task test tmp uri urn uuid video vid work xmp
"""
_WORDS = frozenset(_WORDS_TEXT.split())
"""Words that occur in numbers of content."""

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def number_of_content(value: Any) -> Any:
    """A number of content: digits, UUIDs and the like, with words such as "job" between; nothing that may be a name.

    Identity cards (18 characters), telephone numbers and addresses are no numbers of content.
    """
    text = value if isinstance(value, str) else ""
    if text == "" or _ULID.fullmatch(text):
        return text
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z._:/+-]{0,199}", text) or not re.search(r"\d", text):
        return WITHHELD
    if re.fullmatch(r"\+?[\d-]{9,14}", text) or re.fullmatch(r"\d{17}[\dXx]", text):
        return WITHHELD
    if _is_random(text):
        return text
    runs = re.findall(r"[A-Za-z]+", text)
    long = len(text) >= 16 and len(re.findall(r"\d", text)) >= 4
    return text if all(_is_no_name(run, long=long) for run in runs) else WITHHELD


def _is_random(text: str) -> bool:
    """Whether a text changes between digits, capitals and small letters as often as random numbers in base 64 do."""
    kinds = ["d" if c.isdigit() else "u" if c.isupper() else "l" if c.islower() else "" for c in text]
    changes = sum(one != other for one, other in pairwise(kinds) if one and other)
    return len(text) >= 16 and kinds.count("d") >= 2 and changes >= 0.4 * len(text)


def _is_no_name(run: str, *, long: bool) -> bool:
    if run.lower() in _WORDS or re.fullmatch(r"[a-f]+|[A-F]+", run):
        return True
    if len(run) <= 3:
        return not re.fullmatch(r"[A-Z][a-z]{2}", run)
    return long and len(run) <= 12 and not re.search(r"[a-z]{4}|[A-Z]{4}|[A-Z][a-z]{3}", run)  # a random one


_DATES = re.compile(
    r"\d{4}([:-]\d\d([:-]\d\d([T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?)?)?)?( ?(Z|UTC|[+-]\d\d:?\d\d))?", re.ASCII
)


def time(value: Any) -> Any:
    """A date or a time, as EXIF, XMP and C2PA write it."""
    text = value.isoformat() if isinstance(value, datetime) else value
    return text if isinstance(text, str) and (text == "" or _DATES.fullmatch(text)) else WITHHELD


def version(value: Any) -> Any:
    """A version: short, and with a digit."""
    fits = isinstance(value, str) and re.fullmatch(r"(?=.*\d)[vV]?[0-9A-Za-z][0-9A-Za-z._+-]{0,31}", value, re.ASCII)
    if not fits:
        return value if value == "" else WITHHELD
    runs = re.findall(r"[A-Za-z]+", value)
    return value if all(len(run) <= 3 or run.lower() in _STAGES for run in runs) else WITHHELD


_STAGES_TEXT = """
    alpha beta dev final main post preview release stable turbo large medium small base lora
"""
_STAGES = frozenset(_STAGES_TEXT.split())

_NAMES_SOMEBODY = re.compile(
    r"@|://|\\|(^|[\s\"'(])(/|~)|['’]s\b|\b(home|users|documents)[/\\]|\d{9}"
    r"|\b(by|author|owner|user|contact|mail|tel|phone)\b|作者|用户|姓名|电话",
    re.IGNORECASE,
)


def system(value: Any) -> Any:
    """The name of a program, a model, a device or the company behind it, from a field that is for that alone."""
    if not isinstance(value, str):
        return WITHHELD
    text = re.sub(r"\s?\([^()]*\)", "", value)  # comments, as in a user agent: the system it ran on, or whose it was
    if len(text) > 120 or _NAMES_SOMEBODY.search(text) or not text.isprintable():
        return WITHHELD
    return text


_TERMS = re.compile(
    r"(https?://cv\.iptc\.org/newscodes/digitalsourcetype/|http://c2pa\.org/digitalsourcetype/)?[A-Za-z]+"
)


def term(value: Any) -> Any:
    """A term of the IPTC or C2PA vocabulary of source types."""
    from labeling.label import AI_TERMS, HUMAN_TERMS, term_of

    if not isinstance(value, str) or not _TERMS.fullmatch(value):
        return WITHHELD
    known = {each.lower() for each in (*AI_TERMS, *HUMAN_TERMS, *_OTHER_TERMS)}
    return value if term_of(value).lower() in known else WITHHELD


_OTHER_TERMS = (
    "algorithmicallyEnhanced", "algorithmicMedia", "dataDrivenMedia", "screenCapture", "virtualRecording", "composite",
    "softwareImage", "trainedAlgorithmicData", "empty", "multiFrameComputationalCapture",
)  # fmt: skip


def label_text(value: Any) -> Any:
    """What a text on the picture says of AI: its two elements, or the text itself if there is nothing else in it."""
    if not isinstance(value, str):
        return WITHHELD
    reading = wording.read(value)
    elements = [part for part in (reading.ai_element, reading.generation_element) if part]
    if not elements:
        return WITHHELD
    left = value
    for part in (*elements, *(name for name in (reading.vendor,) if name)):
        left = left.replace(part, "", 1)
    return value if not re.search(r"\w", left) else " … ".join(elements)


_PLACES_TEXT = """
    JFIF Adobe ICC_PROFILE MPF ISFT encoder ENCODER TSSE ©too element mdta:AIGC XML:com.adobe.xmp
    PNG JPEG WebP GIF TIFF HEIF AVIF HEIC BMP JXL JPEG-XL SVG PDF MP4 MOV M4A QuickTime Matroska WebM AVI FLV MP3
    WAV AIFF FLAC OGG Ogg Opus Vorbis AAC Markdown RIFF ID3 ID3v2 ID3v1 ID3v2.2 ID3v2.3 ID3v2.4 iTXt tEXt zTXt eXIf
    caBX XMP XML xmp com adobe Exif EXIF IFD IFD0 IFD1 GPS COM APP segment segments chunk chunks packet box boxes
    tag tags TXXX TXX comment Comment comments UserComment ImageDescription Software AIGC aigc TC260 C2PA c2pa
    manifest store stores beside moov udta meta keys ilst mdta mdir uuid trak frame front matter YAML LIST INFO PMX
    Tags Tag SimpleTag Info onMetaData script application extension DataXMP item mime sequence first last picture
    line of the in at inside offset audio video to and s bottom right top left bottom-right bottom-left top-right
    top-left center centre middle iptc IPTC IIM Photoshop 8BIM dataset SEI user data lowest bits alpha channel
    parameters prompt workflow PIL info trailer behind
"""
_PLACES = frozenset(_PLACES_TEXT.split())


def place(value: Any) -> str:
    """A place in a file, in which names that the file itself gives are left out."""
    text = value if isinstance(value, str) else ""
    shown = []
    for part in text.split():
        core = part.strip(",;:()'\"")
        pieces = re.split(r"[/:.]", core)
        known = all(
            piece in _PLACES or re.fullmatch(r"\d*|0x[0-9A-Fa-f]+|APP\d+|[\d.–-]+|IFD\d", piece) for piece in pieces
        )
        shown.append(part if known else "…")
    return re.sub(r"…( …)+", "…", " ".join(shown))
