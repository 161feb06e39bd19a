"""HTML without injection: text becomes markup only through :func:`el`, which escapes it.

File names and contents are untrusted. Besides the characters with a meaning in HTML, invisible ones are dangerous: a
right-to-left override shows ``gpj.exe`` as ``exe.jpg``. They are spelled out.
"""

from __future__ import annotations

import html
import unicodedata

MAX_TEXT = 2000
"""Characters of one value that are shown; the JSON report has all of them."""

_KEPT = "\n\t\N{ZERO WIDTH JOINER}"  # the last one joins emoji


class Html(str):
    """Text that is already markup."""

    __slots__ = ()


def visible(text: str) -> str:
    """Spell out control characters, directional marks and halves of surrogate pairs, as in ``[U+202E]``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"[U+{ord(c):04X}]" if unicodedata.category(c) in _SHAPELESS and c not in _KEPT else c for c in text)


_SHAPELESS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def escaped(value: object) -> Html:
    """Return text as markup; of a long text, the beginning and how much more there is."""
    if isinstance(value, Html):
        return value
    text = str(value)
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}… (+{len(text) - MAX_TEXT:,})"
    return Html(html.escape(visible(text)))


def el(tag: str, *children: object, **attributes: object) -> Html:
    """Return an element.

    Children that are not :class:`Html` are escaped. Children that are ``None`` are left out, and so are attributes that
    are ``None`` or ``False``. Underscores end attribute names or become hyphens: ``class_``, ``data_verdict``.
    """
    parts = [f"<{tag}"]
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        name = name.rstrip("_").replace("_", "-")
        parts.append(f" {name}" if value is True else f' {name}="{html.escape(visible(str(value)))}"')
    parts.append(">")
    if tag not in _VOID:
        parts += [escaped(child) for child in children if child is not None]
        parts.append(f"</{tag}>")
    return Html("".join(parts))


_VOID = frozenset({"img", "input", "meta", "link"})


def joined(*parts: object) -> Html:
    """Return several pieces one after the other."""
    return Html("".join(escaped(part) for part in parts if part is not None))
