"""The wording rule: an AI element together with a generation element (GB 45438-2025 4.1, 5.2).

The two elements are matched, never one fixed string: "AI生成", "人工智能合成" and "豆包AI生成" comply; "AI" alone and
"Made with AI" do not. English wording is for regimes that do not ask for Chinese.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_AI_ZH = re.compile(r"人工智[能慧]")
_AI_LATIN = re.compile(r"(?<![A-Z])AI(?![A-Z])", re.IGNORECASE)
_GENERATION_ZH = re.compile(r"生成|合成|產生")
_GENERATION_EN = re.compile(r"\b(generated|synthesi[sz]ed|synthetic)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wording:
    """The result for a text: the elements found in it (``""`` if missing), and the vendor named before them."""

    complies: bool
    ai_element: str
    generation_element: str
    vendor: str


def judge(text: str, languages: tuple[str, ...] = ("zh",)) -> Wording:
    """Apply the rule to a text. ``languages`` are those that the profile accepts: "zh" and "en"."""
    folded = unicodedata.normalize("NFKC", text)
    ai = _AI_ZH.search(folded) or _AI_LATIN.search(folded)
    generation = _GENERATION_ZH.search(folded)
    if generation is None and "en" in languages:
        generation = _GENERATION_EN.search(folded)
    elif "zh" not in languages:
        generation = _GENERATION_EN.search(folded) or generation
    complies = bool(ai and generation)
    before = folded[: min(ai.start(), generation.start())] if ai and generation else ""
    vendor = before.strip(" ·・-|:：,，▲△Δ☑")  # OCR takes logos for triangles and ticks
    vendor = "" if vendor in ("内容由", "由", "本内容由", "图片由", "内容为", "該圖片由", "內容由") else vendor
    return Wording(complies, ai[0] if ai else "", generation[0] if generation else "", vendor)


# --- what OCR read ---------------------------------------------------------------------------------------------------

_BROKEN_AI_ZH = re.compile(r"(?<![A-Za-z])A\s?[IlTLi1|!丨]{0,2}(?=\s?(?:生[成咸戌威戍]|合成))")
_BROKEN_AI_EN = re.compile(r"(?<![A-Za-z])A[l1|](?=[\s-]?generated\b)|(?<=\bby )A[l1|](?![A-Za-z])", re.IGNORECASE)
_TURNED_AI = re.compile(r"(?<![A-Za-z])A\s?[-一—\-_~]?\s?(?=生成|合成)")
_BEHEADED = re.compile(r"^工智(?=[能慧](?:生成|合成))")
_RUN_ON = re.compile(r"(?<=[a-z])AI(?=\s?(?:生成|合成))")
_BROKEN_MADE = re.compile(r"(?<=AI)(\s?)生[咸戌威戍]|(?<=智[能慧])(\s?)生[咸戌威戍]")


def mended(text: str, *, turned: bool = False) -> str:
    """Correct what OCR confuses or loses: I with l, 1, T or a bar, 成 with 咸 or 戌, spaces, the 人 of 人工智能.

    It corrects only beside the other element. In ``turned`` text an I is on its side: it is lost or read as a dash.
    """
    text = unicodedata.normalize("NFKC", text.strip())
    text = _RUN_ON.sub(" AI", _BEHEADED.sub("人工智", text))
    if turned:
        text = _TURNED_AI.sub("AI", text)
    text = _BROKEN_AI_EN.sub("AI", _BROKEN_AI_ZH.sub("AI", text))
    text = re.sub(r"(?<![A-Za-z])AI(?=generated)", "AI ", text, flags=re.IGNORECASE)
    return _BROKEN_MADE.sub(lambda match: f"{match[1] or match[2] or ''}生成", text)


_AI = r"(?:AI|人工智[能慧])(?:技术|技術|模型|算法)?"
_MADE = r"(?:生成|合成|產生|辅助生成|輔助生成|自动生成|創作|创作)"
_THING = (
    "的?(?:内容|內容|图片|圖片|图像|圖像|影像|图|圖|照片|作品|视频|視頻|"
    "插画|插圖|画面|畫面|效果图|素材|标识|标签|物|画)?"
)
_STATEMENT_ZH = re.compile(
    rf"(?:{_AI}[\s·・:：\-—]*{_MADE}(?:[/、和与及]?{_MADE})*"
    rf"|{_MADE}(?:来源|方式)?[:：\s]*{_AI}){_THING}(?P<tail>.*)",
    re.IGNORECASE,
)
_STATEMENT_EN = re.compile(
    r"(?:(?<![a-z])AI[\s-]*(?:generated|synthesi[sz]ed|synthetic)"
    r"|\b(?:generated|synthesi[sz]ed|synthetic(?: media)?)(?: \w+)?"
    r" (?:by|with|using|through) (?:an? )?(?:\w+ )?AI(?![a-z]))"
    r"(?:[\s-]*(?:content|image|picture|photo|video|media|art|artwork|illustration)s?)?(?P<tail>.*)",
    re.IGNORECASE,
)
_CJK, _LETTER = re.compile(r"[\u3400-\u9fff]"), re.compile("[A-Za-z]")
_MAX_HEAD = 12
_BREAKS = re.compile(r"[，,。；;！!？?、]")
_TRAILS = ("仅供", "僅供", "请", "請", "非真实", "不代表", "注意", "谨慎", "勿", "by", "with", "using", "@", "©")


def statement(text: str, languages: tuple[str, ...] = ("zh",)) -> bool:
    """Return whether a text states that this picture was generated, rather than merely containing both elements.

    "AI生成技术峰会" and "AI改变生活，生成…" have AI and generation as their subject. So the elements must be adjacent,
    with at most a name or "本图片由" before them, and at most what was generated and a stop behind them.
    """
    if not judge(text, languages).complies:
        return False
    folded = unicodedata.normalize("NFKC", text).strip()
    if "zh" in languages and (match := _STATEMENT_ZH.search(folded)):
        return _is_affix(_head(match), match["tail"], _CJK)
    if "en" in languages and (match := _STATEMENT_EN.search(folded)):
        return _is_affix(_head(match), match["tail"], _LETTER)
    return False


def _head(match: re.Match[str]) -> str:
    """Return what comes before a match in its line."""
    return match.string[match.string.rfind("\n", 0, match.start()) + 1 : match.start()]


def _is_affix(head: str, tail: str, letters: re.Pattern[str]) -> bool:
    head = _BREAKS.split(head)[-1] if not _BREAKS.search(head[-1:]) else head
    tail = tail.strip(" .。·・)）]】'\"”》>|｜")
    limit = _MAX_HEAD if letters is _CJK else 2 * _MAX_HEAD
    if len(head.strip()) > limit:
        return False
    if not tail or tail.lower().startswith(_TRAILS) or _BREAKS.match(tail):
        return True
    return len(letters.findall(tail)) <= (1 if letters is _CJK else 0)


def joins(one: str, other: str) -> bool:
    """Return whether one text continues in another: one ends with the AI element, the other begins with generation."""
    first, second = one.strip(), other.strip()
    if re.search(rf"{_AI}$", first, re.IGNORECASE) or re.search(r"(?<![A-Za-z])A[l1|]$", first):
        return bool(re.match(rf"{_MADE}|[生合]|generated\b", second, re.IGNORECASE)) and len(second) <= 6
    return bool(re.search(r"\b由$|内容由$|图片由$", first)) and bool(re.match(_AI, second, re.IGNORECASE))
