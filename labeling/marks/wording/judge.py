"""Whether the text of a label that is to be drawn has the elements that a regime asks for."""

from __future__ import annotations

from dataclasses import dataclass

from labeling.marks.wording.grammar import Kind, read
from labeling.marks.wording.tokens import folded, tokens
from labeling.marks.wording.words import Part


@dataclass(frozen=True, slots=True)
class Wording:
    """The result for a text: the elements found in it (``""`` if missing), and the service that it names."""

    complies: bool
    ai_element: str
    generation_element: str
    vendor: str


def judge(text: str, languages: tuple[str, ...] = ("zh",)) -> Wording:
    """Apply the rule to the text of a label (GB 45438-2025 5): an AI element together with a generation element.

    Whoever draws a label chooses its sentence, so the elements may stand anywhere in it; but it must not deny them.

    Args:
        text: The text.
        languages: Languages whose words a profile accepts, such as "zh".
    """
    reading = read(text)
    if reading.kind is Kind.STATEMENT:
        return Wording(reading.complies(languages), reading.ai_element, reading.generation_element, reading.vendor)
    found = tokens(folded(text))
    ai = next((token.text for token in found if token.part is Part.AI), "")
    made = next((token.text for token in found if token.part is Part.MADE and token.language in languages), "")
    denies = reading.kind is Kind.DENIAL or any(token.part is Part.NOT for token in found)
    return Wording(bool(ai and made and not denies), ai, made, reading.vendor)
