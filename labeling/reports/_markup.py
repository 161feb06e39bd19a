"""HTML without injection: text becomes markup only through :func:`el`, which escapes it.

File names and contents are untrusted. Besides the characters with a meaning in HTML, invisible ones are dangerous: a
right-to-left override shows ``gpj.exe`` as ``exe.jpg``. They are spelled out.
"""

from __future__ import annotations

import html

from labeling.inert import inert

MAX_TEXT = 2000
"""Characters of one value that are shown; the JSON report has all of them."""


class Html(str):
    """Text that is already markup."""

    __slots__ = ()


def visible(text: str) -> str:
    """Spell out control characters, directional marks and halves of surrogate pairs, as in ``[U+202E]``."""
    return inert(text, kept="\n\t", spelled=lambda c: f"[U+{ord(c):04X}]")


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
