"""The basic wording of the EU's Code of Practice in the 24 official languages of the Union, in words of our own.

The Code's main element is the capitals "AI", the same in every language; GENERATED or MODIFIED supplement it. Words
were chosen that OCR can tell from other words where a language has several.
"""

from __future__ import annotations

BASIC: dict[str, tuple[str, str]] = {
    "bg": ("ГЕНЕРИРАНО", "ПРОМЕНЕНО"),
    "cs": ("VYGENEROVÁNO", "UPRAVENO"),
    "da": ("GENERERET", "ÆNDRET"),
    "de": ("GENERIERT", "VERÄNDERT"),
    "el": ("ΔΗΜΙΟΥΡΓΗΜΕΝΟ", "ΕΠΕΞΕΡΓΑΣΜΕΝΟ"),
    "en": ("GENERATED", "MODIFIED"),
    "es": ("GENERADO", "MODIFICADO"),
    "et": ("LOODUD", "MUUDETUD"),
    "fi": ("LUOTU", "MUOKATTU"),
    "fr": ("GÉNÉRÉ", "MODIFIÉ"),
    "ga": ("GINTE", "MODHNAITHE"),
    "hr": ("GENERIRANO", "IZMIJENJENO"),
    "hu": ("GENERÁLT", "MÓDOSÍTOTT"),
    "it": ("GENERATO", "MODIFICATO"),
    "lt": ("SUGENERUOTA", "PAKEISTA"),
    "lv": ("ĢENERĒTS", "PĀRVEIDOTS"),
    "mt": ("IĠĠENERAT", "MODIFIKAT"),
    "nl": ("GEGENEREERD", "BEWERKT"),
    "pl": ("WYGENEROWANO", "ZMODYFIKOWANO"),
    "pt": ("GERADO", "ALTERADO"),
    "ro": ("GENERAT", "MODIFICAT"),
    "sk": ("VYGENEROVANÉ", "UPRAVENÉ"),
    "sl": ("USTVARJENO", "SPREMENJENO"),
    "sv": ("GENERERAT", "MODIFIERAT"),
}
"""GENERATED and MODIFIED by language (ISO 639-1)."""


KOREAN = "AI 생성"
"""The usual wording in Korea (AI Basic Act Art. 31)."""


def basic(language: str, *, modified: bool = False) -> str:
    """Return the basic wording in a language, one of :data:`BASIC`: for content that is generated, or modified."""
    return f"AI {BASIC[language][modified]}"
