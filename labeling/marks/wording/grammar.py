"""What a text says about who made a picture: a small grammar over the parts of words.

A text is cut into clauses. A clause is a statement if it has a name of AI and a verb that goes with it, and every other
word of it has a part: a head of known words or one short unknown name, then the pair, then at most what was made. So
"AI生成率" and "AI-generated images flood the web" are none: a word is left over. Words that deny, ask or command decide
by where they stand. Everything takes linear time: a clause is walked through a fixed number of times.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from labeling.marks.wording.tokens import Token, folded, tokens
from labeling.marks.wording.words import ROMANCE, Part

MAX_TEXT = 200
"""Characters of a text that may be a statement; longer ones are prose."""

MAX_NAME = 8
"""Ideographs of a name before the pair that is not known."""


MAX_BESIDE = 16
"""Ideographs in clauses beside the statement that are not known, a Latin word counting as two: more make it prose."""


class Kind(StrEnum):
    """What a text is."""

    STATEMENT = "statement"
    BRAND = "brand"
    DENIAL = "denial"
    NONE = "none"


class Certainty(StrEnum):
    """How certain a statement is of itself: the classes of Labelling Measures Art. 6."""

    GENERATED = "generated"
    POSSIBLE = "possible"
    SUSPECTED = "suspected"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text says.

    Attributes:
        kind: Statement, brand mark, denial or none of them.
        languages: Languages in whose words it says so; "zh" only for the words of GB 45438-2025 5.
        ai_element: The name of AI, as it stands there.
        generation_element: The verb, as it stands there.
        vendor: The service that it names, as its owner writes it; ``""`` if none is known.
        certainty: How certain the statement is.
    """

    kind: Kind = Kind.NONE
    languages: frozenset[str] = frozenset()
    ai_element: str = ""
    generation_element: str = ""
    vendor: str = ""
    certainty: Certainty = Certainty.GENERATED

    def complies(self, languages: Sequence[str]) -> bool:
        """Return whether it is a statement in the words of one of these languages."""
        return self.kind is Kind.STATEMENT and not self.languages.isdisjoint(languages)

    @property
    def says_ai(self) -> bool:
        """Whether it says that AI made the content, be it in words that no regime accepts."""
        return self.kind in (Kind.STATEMENT, Kind.BRAND)


NOTHING = Reading()

_CODE = re.compile(r"\w[(_]\w*|[={}<;]|\w\.\w+\.\w")
_CAMEL_CASE = re.compile(r"[a-z]A[Ii]G")
_IDEOGRAPH = re.compile(r"[\u3400-\u9fff]")
_KANA = re.compile(r"[\u3041-\u30fa]")


def read(text: str) -> Reading:
    """Say what a text is. It is read as it stands: what OCR gets wrong is mended before."""
    if len(text) > MAX_TEXT:
        return NOTHING
    text = folded(text)
    found = tokens(text)
    if any(token.part is Part.ASKS for token in found) or _is_code(text):
        return NOTHING
    clauses = _clauses(found)
    kana = bool(_KANA.search(text))
    readings = [
        NOTHING if _asks(clause) or _is_slogan(clause, clauses[at + 1 : at + 2]) else _clause(clause, kana)
        for at, clause in enumerate(clauses)
    ]
    if _unknown_beside(clauses, readings) > MAX_BESIDE:
        return NOTHING
    vendor = next((token.vendor.name for token in found if token.vendor is not None), "")
    return _together(readings, vendor)


def _unknown_beside(clauses: list[list[Token]], readings: list[Reading]) -> int:
    """Return how much of the clauses that say nothing of AI is not known; advice and remarks are not counted."""
    return sum(
        len(token.text) if token.text >= "\u2e80" else 2
        for clause, reading in zip(clauses, readings, strict=True)
        if reading.kind is Kind.NONE and clause[0].part is not Part.ADVICE and clause[0].text not in _FORBIDS_MORE
        for token in clause
        if token.part is Part.OTHER
    )


_OPENS_QUESTION = frozenset("is was are were did does has ist sind war wurde est".split())  # noqa: SIM905


def _asks(clause: list[Token]) -> bool:
    """Return whether a clause begins as a question, which may have lost its mark: "Is this AI generated"."""
    opens = len(clause) > 1 and clause[0].text.lower() in _OPENS_QUESTION
    return opens and clause[1].part in (Part.FILL, Part.THING)


def _is_code(text: str) -> bool:
    return bool(_CAMEL_CASE.search(text) or (_CODE.search(text) and not _IDEOGRAPH.search(text)))


def _together(readings: list[Reading], vendor: str) -> Reading:
    """Return what clauses say together: a denial outweighs a statement, and that a brand mark."""
    for kind in (Kind.DENIAL, Kind.STATEMENT, Kind.BRAND):
        ones = [reading for reading in readings if reading.kind is kind]
        if not ones:
            continue
        first = next((one for one in ones if "zh" in one.languages), ones[0])
        languages = frozenset[str]().union(*(one.languages for one in ones))
        certainty = max((one.certainty for one in ones), key=list(Certainty).index)
        return Reading(kind, languages, first.ai_element, first.generation_element, vendor, certainty)
    return NOTHING


def _clauses(found: list[Token]) -> list[list[Token]]:
    clauses: list[list[Token]] = [[]]
    for at, token in enumerate(found):
        spaced_dash = token.text == "-" and at and found[at - 1].part not in _AI
        if token.part is Part.BREAK or (spaced_dash and len(clauses[-1]) > 1):
            clauses.append([])
        else:
            clauses[-1].append(token)
    return [clause for clause in clauses if clause]


def _is_slogan(clause: list[Token], following: list[list[Token]]) -> bool:
    """Return whether a bare pair is only the subject of what follows: "AI生成，无限可能"."""
    bare = len(clause) == 2 and clause[0].part is Part.AI and clause[1].part is Part.MADE
    if not bare or clause[1].language != "zh" or not following:
        return False
    first, *others = following[0]
    promises = first.part in (Part.OTHER, Part.NOT, Part.ACTS) and first.text not in _FORBIDS_MORE
    return promises and len("".join(token.text for token in (first, *others))) > 2 and not first.text.isascii()


# --- one clause -------------------------------------------------------------------------------------------------------

_BETWEEN = frozenset({Part.FILL, Part.WAY, Part.NOT, Part.USES, Part.MAYBE, Part.THING, Part.NOT_AFTER})
_AI = frozenset({Part.AI, Part.AI_OTHER})
_OF_HEAD = frozenset({
    Part.FILL, Part.THING, Part.USES, Part.WAY, Part.VENDOR, Part.MAYBE, Part.SKIP, Part.MADE, Part.AI, Part.AI_OTHER,
})  # fmt: skip
_OF_REST = frozenset({
    Part.FILL, Part.THING, Part.VENDOR, Part.SKIP, Part.MADE, Part.AI, Part.AI_OTHER,
})  # fmt: skip
_WAYS_OF_ACTING = frozenset({"使用", "用", "利用", "借助", "采用", "採用", "运用", "運用", "应用"})


def _clause(clause: list[Token], kana: bool) -> Reading:
    if _denies_alone(clause):
        return Reading(Kind.DENIAL, ai_element=_first_ai(clause))
    for ai, made in _pairs(clause):
        if (reading := _statement(clause, ai, made, kana)).kind is not Kind.NONE:
            return _with_next(reading, clause[max(ai, made) + 1 :], kana)
    return _brand(clause)


def _with_next(reading: Reading, rest: list[Token], kana: bool) -> Reading:
    """Return a statement with the one that follows it in the words of another language: "AI GENERATED 人工智能生成"."""
    if reading.kind is Kind.STATEMENT:
        for ai, made in _pairs(rest):
            following = _statement(rest, ai, made, kana)
            if following.kind is Kind.STATEMENT and following.languages - reading.languages:
                return _together([reading, following], "")
    return reading


def _pairs(clause: list[Token]) -> list[tuple[int, int]]:
    """Return where a maker (a name of AI, or of a generator) and a verb stand beside each other, in either order."""
    found: list[tuple[int, int]] = []
    last_maker = last_made = -1
    for at, token in enumerate(clause):
        if _is_maker(token):
            if last_made >= 0 and clause[last_made].language not in ("zh", "zh other"):
                found.append((at, last_made))
            last_maker = at
        elif token.part is Part.MADE:
            if last_maker >= 0:
                found.append((last_maker, at))
            last_made = at
        elif token.part not in _BETWEEN and token.part is not Part.VENDOR:
            last_maker = last_made = -1
    return sorted(found, key=lambda pair: (clause[pair[0]].part is Part.VENDOR, clause[pair[1]].language != "zh"))


def _is_maker(token: Token) -> bool:
    return token.part in _AI or (token.vendor is not None and token.vendor.maker)


def _statement(clause: list[Token], ai: int, made: int, kana: bool) -> Reading:
    start, end = min(ai, made), max(ai, made)
    between, head, rest = clause[start + 1 : end], clause[:start], clause[end + 1 :]
    maker, verb = clause[ai], clause[made]
    japanese = kana or verb.language == "ja"
    if verb.language in ROMANCE and maker.text.lower() == "ai" and maker.text != "AI":
        return NOTHING
    if any(token.part is Part.THING for token in between) and verb.language in ("zh", "zh other") and not japanese:
        return NOTHING
    if any(token.part is Part.SKIP for token in between):
        return NOTHING
    denied = any(token.part in (Part.NOT, Part.NOT_AFTER) for token in (*between, *_near(head)))
    denied |= any(token.part is Part.NOT_AFTER for token in rest) or _says_no(head)
    if denied and not any(token.part is Part.ACTS for token in head):
        return Reading(Kind.DENIAL, ai_element=maker.text, generation_element=verb.text)
    if not _head_is_known(head, latin=maker.text.isascii() and verb.text.isascii()):
        return NOTHING
    if not _rest_is_known(rest, used=_used(head), chinese=verb.language in ("zh", "zh other") and not japanese):
        return NOTHING
    vague = any(token.part is Part.MAYBE for token in (*head, *between))
    return Reading(
        Kind.STATEMENT,
        _languages(clause, maker, verb, japanese),
        maker.text if maker.part in _AI else "",
        verb.text,
        certainty=_certainty((*head, *between)) if vague else Certainty.GENERATED,
    )


def _languages(clause: list[Token], maker: Token, verb: Token, japanese: bool) -> frozenset[str]:
    """Return the language of a statement. The words of GB 45438-2025 5 are 人工智能 or AI, with 生成 or 合成."""
    if japanese:
        return frozenset({"ja"})
    if verb.language == "zh":
        if maker.part is not Part.AI:
            return frozenset()
        english = any(token.language == "en" for token in clause)
        return frozenset({"zh", "en"} if english else {"zh"})
    return frozenset({verb.language}) if verb.language != "zh other" else frozenset()


def _certainty(found: Sequence[Token]) -> Certainty:
    suspects = any(token.part is Part.MAYBE and token.text.lower() in _SUSPECTS for token in found)
    return Certainty.SUSPECTED if suspects else Certainty.POSSIBLE


_SUSPECTS = frozenset({"疑似", "涉嫌", "疑似含", "疑似为", "suspected", "의심"})


def _near(head: list[Token]) -> list[Token]:
    """Return the words before the pair up to the first that is unknown: a denial beyond it is about something else."""
    for at in range(len(head) - 1, -1, -1):
        if head[at].part in (Part.OTHER, Part.ACTS):
            return head[at + 1 :]
    return head


def _says_no(head: list[Token]) -> bool:
    """Return whether a head ends with the number 0, as in "0 AI生成"."""
    return bool(head) and head[-1].text in ("0", "0%")


def _used(head: list[Token]) -> bool:
    return any(token.part in (Part.USES, Part.MAYBE) for token in head)


def _head_is_known(head: list[Token], *, latin: bool) -> bool:
    """Return whether a head says nothing else. In a ``latin`` sentence a name cannot be told from a word."""
    unknown = 0
    for at, token in enumerate(head):
        if token.part is Part.MADE and _is_chinese(token) is latin:
            return False
        if token.part in _OF_HEAD:
            acts = token.text in _WAYS_OF_ACTING and not (at and head[at - 1].part in _SUBJECTS)
            if acts:
                return False
        elif token.part is Part.OTHER:
            unknown += _weight(token.text, latin)
        else:
            return False
    return unknown <= MAX_NAME


def _is_chinese(token: Token) -> bool:
    return token.language in ("zh", "zh other")


def _weight(word: str, latin: bool) -> int:
    """Return how many ideographs of a name an unknown word counts as; a single letter is noise."""
    if not word.isascii():
        return len(word)
    return 0 if len(word) == 1 else MAX_NAME + 1 if latin else MAX_NAME // 2


_SUBJECTS = frozenset({Part.THING, Part.FILL, Part.MAYBE, Part.NOT, Part.VENDOR})


def _rest_is_known(rest: list[Token], *, used: bool, chinese: bool) -> bool:
    named = any(token.part in _AI for token in rest)
    for at, token in enumerate(rest):
        if token.part is Part.MADE and not named and _is_chinese(token) is not chinese:
            return False  # "Made with AI合成照片" runs together from two texts
        if token.text.lower() == "by" and len(rest) - at <= 3:
            return True  # the name of whoever used it
        if token.part is Part.ADVICE or token.text.startswith("@") or token.text in _FORBIDS_MORE:
            return True
        if token.part is Part.WAY and (used or not chinese):
            continue
        if token.part is Part.OTHER and len(token.text) == 1 and token.text.isascii():
            continue
        if token.part not in _OF_REST:
            return False
    return True


_FORBIDS_MORE = frozenset({"非", "禁止", "严禁", "嚴禁", "未经", "未經", "请勿", "請勿", "不得", "勿", "不代表"})
"""What begins a remark behind a statement: "AI生成 非真实人物", "AI生成内容禁止转载"."""


def _first_ai(clause: list[Token]) -> str:
    return next((token.text for token in clause if token.part in _AI), "")


def _denies_alone(clause: list[Token]) -> bool:
    """Return whether a clause denies AI without a verb: "非AI", "No AI", "AI不使用", "AI was not used to …"."""
    at = next((at for at, token in enumerate(clause) if token.part in _AI), -1)
    if at < 0:
        return False
    parts = [token.part for token in clause]
    used = any(token.text.lower() in ("used", "use") for token in clause)
    before = at - 1
    while before >= 0 and parts[before] in (Part.FILL, Part.USES, Part.WAY):
        before -= 1
    if before >= 0 and (parts[before] is Part.NOT or clause[before].text in ("0", "0%")):
        rest = clause[at + 1 :]
        return used or all(token.part in (*_OF_REST, Part.WAY, Part.MADE) for token in rest)
    after = at + 1
    while after < len(parts) and parts[after] is Part.FILL:
        after += 1
    if after < len(parts) and parts[after] in (Part.NOT, Part.NOT_AFTER):
        tail = clause[after + 1 :]
        ends = clause[after].part is Part.NOT_AFTER or clause[after].text.lower() in ("free", "frei")
        return used or (ends and all(token.part in _OF_REST for token in tail))
    return False


def _brand(clause: list[Token]) -> Reading:
    """Recognise a brand mark: the name of a service and AI, and nothing else but a user's handle."""
    named = [token for token in clause if token.vendor is not None and token.vendor.brand]
    if not named or not any(token.part in _AI or "AI" in token.text for token in clause):
        return NOTHING
    for token in clause:
        if token.text.startswith("@"):
            break
        if token.part not in (Part.VENDOR, Part.AI, Part.SKIP) and not (
            token.part is Part.FILL and len(token.text) == 1
        ):
            return NOTHING
    return Reading(Kind.BRAND, ai_element="AI")
