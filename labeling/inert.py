"""Text of strangers on its way out: what steers a terminal, or misleads whoever reads it, is shown as an escape.

That is: control characters with ESC and the C1 set (ECMA-48), overrides, isolates and marks of direction (UAX #9), line
and paragraph separators, halves of surrogate pairs, and characters without a shape (UTS #39).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any

_SHAPELESS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Letters and marks that are drawn as nothing."""

_JOINER = "\N{ZERO WIDTH JOINER}"
"""It joins emoji."""

_URL = re.compile(
    r"((?:(abfss?|wasbs?)|[A-Za-z][A-Za-z0-9+.-]{0,30})://)"
    # User and password. What people write there has not always been quoted: an AWS secret may hold "/".
    r"(?:(?(2)(?!))[^\s/?#:@]*@|[^\s/?#:@]*:(?!\d{1,5}(?:[\s/?#]|$))(?:(?!://)\S){0,400}?@(?=[^\s/?#@]*(?:[\s/?#]|$)))?"
    r"((?:(?!::[A-Za-z][A-Za-z0-9+.-]{0,30}://)[^\s?#()])*)(?:\?[^\s#()]*)?"  # "::" chains URLs in fsspec
)
"""A URL. In those of Azure's stores, what is before ``@`` without a colon is the container."""

_GIVEN_AWAY = re.compile(
    r"(\b(?:sig|[a-z0-9_-]{0,40}(?:signature|secret|token|passw(?:or)?d|accountkey|access_?key|api_?key|credential))=)"
    r"[^\s&;,'\"]+",
    re.IGNORECASE,
)
"""A value that is a secret by its name: in a query without its URL, or in a connection string of Azure."""

_SUSPECT = re.compile(r"[^ -~\n]")


def is_shapeless(character: str) -> bool:
    """Return whether a character is no sign that people see, but does something to the text around it."""
    return character != _JOINER and (unicodedata.category(character) in _SHAPELESS or character in _FILLERS)


def inert(text: str, *, kept: str = "", spelled: Callable[[str], str] | None = None) -> str:
    """Spell out every character that could steer a terminal or hide something.

    Args:
        text: Any text, such as a file's name or what a file says.
        kept: Characters that stay all the same, such as a line break.
        spelled: How one is spelled out; by default as Python and JSON do: ``\\x1b``, ``\\u202e``.
    """
    if text.isascii() and text.isprintable():
        return text
    spell = spelled or _escape
    return "".join(spell(c) if is_shapeless(c) and c not in kept else c for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    named = {9: "\\t", 10: "\\n", 13: "\\r"}.get(code)
    return named or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}")


def to_json(value: object, **options: Any) -> str:
    """Return a value as JSON (RFC 8259) in which such characters are escaped: nothing is lost, and nothing is raw.

    Args:
        value: What :func:`json.dumps` takes.
        **options: Passed to it.
    """
    text = json.dumps(value, ensure_ascii=False, **options)
    if text.isascii() and "\x7f" not in text:
        return text
    return _SUSPECT.sub(_in_json, text)


def _in_json(match: re.Match[str]) -> str:
    character = match[0]
    if not is_shapeless(character):
        return character
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]


def without_secrets(text: str) -> str:
    """Return a text in which URLs have no user, no password and no query, where a key may be.

    Every text that may hold a URL of the user's goes through here before it is printed, logged or stored.
    """
    if "=" in text:
        text = _GIVEN_AWAY.sub(r"\1...", text)
    if "://" not in text:
        return text
    return _URL.sub(lambda match: match[1] + match[3], text)
