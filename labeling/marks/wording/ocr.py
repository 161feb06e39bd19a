"""What OCR confuses or loses in the words of a label, mended before they are read."""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher
from functools import cache

from labeling.marks.wording.basic import BASIC
from labeling.marks.wording.tokens import plain

_I = "IlLTt1|!丨i"
_MAKING = r"(?:生[成咸戌威戍]|牛成|合成|创作|創作|绘|繪|制作|產生|辅助|輔助|智能生|大模型|技术生)"
_BEFORE_VERB = re.compile(rf"(?<![A-Za-z])A\s?[{_I}]{{0,2}}(?=\s?{_MAKING})")
_AFTER_NAME = re.compile(r"(?<=[\u4e00-\u9fff])A\s?[l1|丨](?=$|[\s·@,，。])")
_ENGLISH = re.compile(
    r"(?<![A-Za-z])A[lL1|](?=[\s-]?(?:generated|synthe|made|created|art\b)(?:\b|(?<=synthe)))", re.IGNORECASE
)
_AFTER_BY = re.compile(
    r"(?:(?<=ed by )|(?<=ed with )|(?<=made with )|(?<=made by )|(?<=\bno )|(?<=\bnot ))A[l1|](?![A-Za-z])",
    re.IGNORECASE,
)
_GERMAN = re.compile(
    r"(?<![A-Za-z])K[l1|](?=[\s-](?:generi|erzeug|erstell))"
    r"|(?:(?<=mit )|(?<=von )|(?<=durch )|(?<=ohne )|(?<=keine ))K[l1|](?![A-Za-z])",
    re.IGNORECASE,
)
_ROMANCE = re.compile(
    r"(?:(?<=par )|(?<=por )|(?<=con )|(?<=com )|(?<=da )|(?<=avec )|(?<=[\s'’]l['’])|(?<=sans )|(?<=sin )|(?<=sem ))"
    r"[l1|]A(?![A-Za-z])",
    re.IGNORECASE,
)
_JOINED = re.compile(
    r"(?<![A-Za-z])(A[Il1])(?=generated)|(?<=generated)(?=image|content|video|photo|picture|by)", re.IGNORECASE
)
_TURNED = re.compile(r"(?<![A-Za-z])A\s?[-一—\-_~]?\s?(?=生成|合成)")
_BEHEADED = re.compile(r"^[太入八大]?工智(?=[能慧](?:生成|合成))")
_LOGO = re.compile(rf"^(?:[1-9]?[OQ©®@]|[○◯⊙◎]\s?)(?=A[{_I}]{{0,2}}\s?(?:生成|合成))")
_WHOLE = "generated"
_NEARLY = "|".join(f"{_WHOLE[:n]}[a-z]{rest}" for n in range(9) for rest in (f"?{_WHOLE[n + 1 :]}", _WHOLE[n:]))
_MISSPELT = re.compile(rf"^(?:A[Il1|]-?(?!generates?$)(?:{_NEARLY})|A[tr-]{{1,2}}generated)$")
_RUN_ON = re.compile(r"(?<=[a-z])AI(?=\s?(?:生成|合成))")
_MADE = re.compile(r"(?<=AI)(\s?)(?:生[咸戌威戍]|牛成)|(?<=智[能慧])(\s?)(?:生[咸戌威戍]|牛成)")
_SPACED = re.compile(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])")


_BESIDE_AI = re.compile(r"(?:(?<![A-Za-z])|(?<=AI))A\s?[IlL1|]\s*([^\W\d_]{5,18})$")
_ICON = re.compile(r"A\s?[DIlL1|O]?")
"""What OCR makes of "AI" in a frame before it."""

_TWINS = str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧΓΠΞ三∆" + "АВГЕИКМНОПРСТУХ", "ABEZHIKMNOPTYXTNEEΔ" + "ABTEEKMHONPCTYX")
"""Greek and Cyrillic capitals and the letters that OCR takes them for."""

_LIKE, _SHORTEST = 0.82, 7
"""How alike a Greek or Bulgarian word is to what was read of it, and the least length of that."""


def _basic(text: str) -> str:
    """Mend the EU's basic wording: "AI" before one of its words, and Greek or Cyrillic that was read as Latin."""
    match = _BESIDE_AI.search(text)
    if match is None:
        return text
    word, head = match[1], text[: match.start()]
    head = "" if _ICON.fullmatch(head.strip()) else head
    if plain(word) in _basic_words():
        return f"{head}AI {word}"
    if len(word) >= _SHORTEST:
        read = _twinned(word)
        for known in (*BASIC["el"], *BASIC["bg"]):
            if SequenceMatcher(None, read, _twinned(known), autojunk=False).ratio() >= _LIKE:
                return f"{head}AI {known}"
    return text


def _twinned(word: str) -> str:
    bare = "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
    return bare.upper().translate(_TWINS)


@cache
def _basic_words() -> frozenset[str]:
    return frozenset(
        plain(word.replace("Æ", each)) for words in BASIC.values() for word in words for each in ("Æ", "AE")
    )


def mended(text: str, *, turned: bool = False) -> str:
    """Correct what OCR confuses or loses: I with l, 1, T or a bar, 成 with 咸 or 戌, spaces, the 人 of 人工智能, a
    letter of "generated". A round logo before AI is read as an O: it is left off.

    It corrects only beside the other element, so it never adds one. In ``turned`` text an I is on its side: it is lost
    or read as a dash.
    """
    text = unicodedata.normalize("NFKC", text.strip())
    text = _RUN_ON.sub(" AI", _BEHEADED.sub("人工智", _LOGO.sub("", text)))
    if turned:
        text = _TURNED.sub("AI", text)
    text = _AFTER_NAME.sub("AI", _BEFORE_VERB.sub("AI", text))
    text = _SHARED.sub("AI ", text)
    text = _AFTER_BY.sub("AI", _ENGLISH.sub("AI", text))
    text = _ROMANCE.sub("IA", _GERMAN.sub("KI", text))
    text = _basic(_JOINED.sub(lambda match: f"{match[1] or ''} ", text))
    text = _MADE.sub(lambda match: f"{match[1] or match[2] or ''}生成", text)
    return "AI generated" if _MISSPELT.match(text.replace(" ", "")) else text


_CUT = re.compile(r"(?<![A-Za-z])A[Il1|]\s?(?:g|ge|gen)?\Z")
_CUT_OFF = re.compile(r"A\s?[IlL1|]")
_CONTINUED = re.compile(r"(?:A?I )?generated\b", re.IGNORECASE)
_LONGEST_REST = 30
_SHARED = re.compile(r"(?<![A-Za-z])A[Il1|]\s?(?:g|ge|gen)?\s?(?:A?I )?(?=generated\b)")


_UNFINISHED = re.compile(
    r"(?<![A-Za-z])(?:A[Il1|]\s?[生合]?|人工智[能慧]?[生合]?|A[Il1|][\s-]?g[a-z]{2,7})$|^[Il1|]?[\s-]?(?:gen[a-z]{2,6}|生成|合成)$"
)


def is_unfinished(text: str) -> bool:
    """Return whether a text begins or ends within a label: the box that it was read from may be too short."""
    return bool(_UNFINISHED.search(text))


def joins(one: str, other: str) -> bool:
    """Return whether one text continues in another: one ends with the AI element, the other begins with generation."""
    first, second = one.strip(), other.strip()
    if _CUT.search(first) and _CONTINUED.match(second):
        return len(second) <= _LONGEST_REST
    if _CUT_OFF.fullmatch(first) and plain(second) in _basic_words():
        return True
    if re.search(r"(?:AI|人工智[能慧])$", first, re.IGNORECASE) or re.search(r"(?<![A-Za-z])A[l1|]$", first):
        return bool(re.match(rf"{_MAKING}|[生合]|generated\b", second, re.IGNORECASE)) and len(second) <= 6
    return bool(re.search(r"\b由$|内容由$|图片由$|[非未]$", first)) and bool(
        re.match(r"AI|人工智[能慧]", second, re.IGNORECASE)
    )
