"""HTML without injection: text becomes markup only through :func:`el`, which escapes it.

File names and contents are untrusted. Besides the characters with a meaning in HTML, invisible ones are dangerous: a
right-to-left override shows ``gpj.exe`` as ``exe.jpg``. They are spelled out.
"""

from __future__ import annotations

import base64
import hashlib
import html
import importlib.resources

from labeling.inert import inert

MAX_TEXT = 2000
"""Characters of one value that are shown; the JSON report has all of them."""


class Html(str):
    """Text that is already markup."""

    __slots__ = ()


def visible(text: str) -> str:
    """Spell out control characters and directional marks as in ``[U+202E]``.

    Bytes of a name that are not UTF-8 are written as everywhere, and as file lists take them: ``\\udce9``.
    """
    return inert(
        text, kept="\n\t", spelled=lambda c: f"\\u{ord(c):x}" if "\udc80" <= c <= "\udcff" else f"[U+{ord(c):04X}]"
    )


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


def asset(name: str) -> Html:
    """Return a style sheet or a script that comes with the package."""
    return Html(importlib.resources.files("labeling.reports").joinpath(name).read_text(encoding="utf-8"))


def policy(style: str, script: str = "") -> str:
    """Return a Content Security Policy (W3C CSP 3) that allows nothing but a page's own style sheet.

    Args:
        style: The style sheet.
        script: The page's own script, if it has one; then pictures within the page are allowed too.
    """
    own_style, own_script = (
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in (style, script)
    )
    rules = ["default-src 'none'", f"style-src {own_style}", "base-uri 'none'", "form-action 'none'"]
    if script:
        rules[1:2] = ["img-src data:", rules[1], f"script-src {own_script}"]
    return "; ".join(rules)
