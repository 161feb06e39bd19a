"""Whether the text of a label that is to be drawn has the elements that a regime asks for."""

from __future__ import annotations

from dataclasses import dataclass

from labeling.marks.wording.grammar import Kind, read
from labeling.marks.wording.tokens import folded, tokens
from labeling.marks.wording.words import Part


@dataclass(frozen=True, slots=True)
class Wording:
    """The result for a text.

    Attributes:
        complies: Whether it has both elements, in the words of a language that is accepted.
        ai_element: The name of AI in it; ``""`` if there is none.
        generation_element: The verb in it; ``""`` if there is none.
        vendor: The service that it names; ``""`` if none is known.
        languages: Languages in whose words it says that AI made the content.
    """

    complies: bool
    ai_element: str
    generation_element: str
    vendor: str
    languages: frozenset[str] = frozenset()


def judge(text: str, languages: tuple[str, ...] = ("zh",)) -> Wording:
    """Apply the rule to the text of a label (GB 45438-2025 5): an AI element together with a generation element.

    Whoever draws a label chooses its sentence, so the elements may stand anywhere in it; but it must not deny them.

    Args:
        text: The text.
        languages: Languages whose words a profile accepts, such as "zh".
    """
    reading = read(text)
    if reading.kind is Kind.STATEMENT:
        elements = reading.ai_element, reading.generation_element
        return Wording(reading.complies(languages), *elements, reading.vendor, reading.languages)
    found = tokens(folded(text))
    ai = next((token.text for token in found if token.part is Part.AI), "")
    made = next((token for token in found if token.part is Part.MADE and token.language in languages), None)
    denies = reading.kind is Kind.DENIAL or any(token.part is Part.NOT for token in found)
    complies = bool(ai and made and not denies)
    said = frozenset({made.language}) if made and complies else frozenset[str]()
    return Wording(complies, ai, made.text if made else "", reading.vendor, said)
