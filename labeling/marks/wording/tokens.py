"""A text as a row of words, each with its part: what :mod:`labeling.marks.wording.grammar` reads.

One pass over the text. Chinese and Japanese are matched longest first; names of services come before everything else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from labeling.marks.wording import vendors, words
from labeling.marks.wording.vendors import Vendor
from labeling.marks.wording.words import Part, Word


class Token(NamedTuple):
    """One word of a text: as it stands there, its part, the language of a verb, and the service that it names."""

    text: str
    part: Part
    language: str = ""
    vendor: Vendor | None = None


_CJK = "\u2e80-\u2fdf\u3005-\u3007\u3041-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_HANGUL = "\uac00-\ud7a3"
_PIECES = re.compile(
    rf"(?P<handle>[@＠]\S*)|(?P<number>[vV]?\d(?:[.,:/\-]?[\d年月日%])*)|(?P<cjk>[{_CJK}]+)|(?P<hangul>[{_HANGUL}]+)"
    rf"|(?P<word>[^\W\d_{_CJK}{_HANGUL}]+)|(?P<space>\s+)|(?P<sign>.)",
    re.DOTALL,
)
_BREAKS = frozenset(",，.。;；:：!！|｜\n—–")
_ACTS = frozenset(">›»→＞❯➔▶+《》")
_ASKS = frozenset("?？¿")
_MISSING = str.maketrans("łŁđĐøØıæß", "lLdDoOias")


def plain(word: str) -> str:
    """Return a word of a language with spaces in lower case, without accents."""
    if word.isascii():
        return word.lower()
    parts = unicodedata.normalize("NFD", word.translate(_MISSING))
    bare = "".join(c for c in parts if not unicodedata.combining(c)) if parts[0] < "\u0400" else word
    return bare.lower().translate(_MISSING)


def tokens(text: str) -> list[Token]:
    """Return the words of a text, which is as :func:`folded` returns it."""
    found = list(_read(text))
    return list(_joined(found))


def folded(text: str) -> str:
    """Return a text in compatibility form (full-width letters are usual ones), in one line, without spaces in CJK."""
    text = unicodedata.normalize("NFKC", text.strip()).replace(" / ", " | ")
    return re.sub(rf"(?<=[{_CJK}])[ \t]+(?=[{_CJK}])", "", text)


def _read(text: str) -> Iterator[Token]:
    at = 0
    for start, end, vendor in vendors.found_in(text):
        yield from _pieces(text[at:start])
        yield Token(text[start:end], Part.VENDOR, vendor=vendor)
        if vendors.INCLUDES_AI.search(text[start:end]):
            yield Token("AI", Part.AI)
        at = end
    yield from _pieces(text[at:])


def _pieces(text: str) -> Iterator[Token]:
    for match in _PIECES.finditer(text):
        piece = match[0]
        match match.lastgroup:
            case "cjk":
                yield from _matched(piece, *words.characters())
            case "hangul":
                yield from _matched(piece, *words.hangul())
            case "word":
                yield from _word(piece)
            case "handle" | "number":
                yield Token(piece, Part.SKIP)
            case "sign":
                yield _sign(piece)
            case _:
                pass


def _sign(sign: str) -> Token:
    if sign in _ASKS:
        return Token(sign, Part.ASKS)
    if sign in _ACTS:
        return Token(sign, Part.ACTS)
    if sign in _BREAKS:
        return Token(sign, Part.BREAK)
    return Token(sign, Part.FILL)


def _matched(run: str, known: dict[str, Word], longest: int) -> Iterator[Token]:
    """Yield the words of a run of characters, longest first; neighbours that are unknown stay together."""
    at = unknown = 0
    while at < len(run):
        for length in range(min(longest, len(run) - at), 0, -1):
            word = known.get(run[at : at + length])
            if word is not None:
                break
        else:
            at += 1
            continue
        if unknown < at:
            yield Token(run[unknown:at], Part.OTHER)
        yield Token(run[at : at + length], word.part, word.language)
        at = unknown = at + length
    if unknown < at:
        yield Token(run[unknown:at], Part.OTHER)


_RUN_ON = re.compile("(?:" + "|".join(sorted(words.RUN_ON, key=len, reverse=True)) + ")+")
_RUN_ON_WORD = re.compile("|".join(sorted(words.RUN_ON, key=len, reverse=True)))


def _word(piece: str) -> Iterator[Token]:
    lower = plain(piece)
    word = words.spaced().get(lower)
    if word is not None:
        known = lower not in words.CASED or piece.isupper()
        yield Token(piece, word.part if known else Part.OTHER, word.language)
    elif 4 <= len(lower) < 40 and "ai" in lower and _RUN_ON.fullmatch(lower):
        for part in _RUN_ON_WORD.findall(lower):
            known_word = words.spaced().get(part, Word(Part.AI))
            yield Token("AI" if known_word.part is Part.AI else part, known_word.part, known_word.language)
    else:
        yield Token(piece, Part.OTHER)


def _joined(found: list[Token]) -> Iterator[Token]:
    """Yield the tokens with "artificial intelligence" and the like as one."""
    at = 0
    while at < len(found):
        one = found[at]
        two = found[at + 1] if at + 1 < len(found) else None
        if two is not None and (plain(one.text), plain(two.text)) in words.AI_OF_TWO:
            yield Token(f"{one.text} {two.text}", Part.AI_OTHER)
            at += 2
        else:
            yield one
            at += 1
