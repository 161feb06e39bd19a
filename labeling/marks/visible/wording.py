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
    """What the rule says of a text: the elements found in it ("" if missing), and the vendor it names before them."""

    complies: bool
    ai_element: str
    generation_element: str
    vendor: str


def judge(text: str, languages: tuple[str, ...] = ("zh",)) -> Wording:
    """Apply the rule. ``languages`` are those the profile accepts: "zh" and "en"."""
    folded = unicodedata.normalize("NFKC", text)
    ai = _AI_ZH.search(folded) or _AI_LATIN.search(folded)
    generation = _GENERATION_ZH.search(folded)
    if generation is None and "en" in languages:
        generation = _GENERATION_EN.search(folded)
    elif "zh" not in languages:
        generation = _GENERATION_EN.search(folded) or generation
    complies = bool(ai and generation)
    vendor = folded[: min(ai.start(), generation.start())].strip(" ·・-|:：,，") if ai and generation else ""
    vendor = "" if vendor in ("内容由", "由", "本内容由", "图片由", "内容为", "該圖片由", "內容由") else vendor
    return Wording(complies, ai[0] if ai else "", generation[0] if generation else "", vendor)
