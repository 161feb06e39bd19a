"""Messages of causes: files with the same fault get the same message, without their names and numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence


def without_paths(message: str, names: Sequence[str]) -> str:
    """Return a message without the file's own names, so that a thousand files with one fault have one message.

    A name at the beginning, before ``: ``, is removed together with the folder or address before it. Elsewhere it is
    replaced by ``…``.

    Args:
        message: The message.
        names: The file's path, and other names of it.
    """
    for name in sorted(filter(None, {*names, *(name.rpartition("/")[2] for name in names)}), key=len, reverse=True):
        for form in dict.fromkeys((name, name.replace("/", "\\"), repr(name)[1:-1])):
            message = _without_name(message, form)
    return message


def _without_name(message: str, name: str) -> str:
    start = 0
    while (at := message.find(name, start)) >= 0:
        end = at + len(name)
        begin = _start_of_path(message, at)
        if begin == 0 and message.startswith(": ", end):
            message, start = message[end + 2 :], 0
        elif _is_separate(message, at, end, name):
            message, start = f"{message[:begin]}…{message[end:]}", begin + 1
        else:
            start = at + 1
    return message


def _start_of_path(message: str, at: int) -> int:
    """Return where the path begins that ends with the name at ``at``.

    That is the message's first character if the message begins with a root and only folders follow; otherwise the
    position after the last blank or quotation mark before the name.
    """
    before = message[:at]
    if not before.endswith(("/", "\\")):
        return at
    if _ROOT.match(before) and ": " not in before:
        return 0
    return at - len(re.split(r"[\s'\"(]", before)[-1])


_ROOT = re.compile(r"[A-Za-z][\w+.-]*://|[A-Za-z]:[\\/]|\.{0,2}[\\/]")


def _is_separate(message: str, at: int, end: int, name: str) -> bool:
    """Return whether a name in a message means the file and not (part of) a word: a file may be called ``label``."""
    before, after = message[at - 1 : at], message[end : end + 1]
    if not any(c in name for c in "./\\"):
        return before != "" and before in "/\\'\""
    return not (before.isalnum() or before in ("_", "-") or after.isalnum() or after == "_")


_SPECIFIC = re.compile(r"\b[0-9a-f]{8,}\b|(?<![A-Za-z\d])\d+(?:[ .,_]\d+)*")
"""Numbers, content ids and hashes: what differs between messages that say the same."""

PLACEHOLDER = "\0"


def split_message(message: str) -> tuple[str, list[str]]:
    """Split a message into what it shares with others of its kind, with placeholders, and its own values."""
    return _SPECIFIC.sub(PLACEHOLDER, message), _SPECIFIC.findall(message)


def join_message(form: str, specifics: Sequence[str]) -> str:
    """Return the message for a form and the values of its placeholders."""
    first, *rest = form.split(PLACEHOLDER)
    return first + "".join(value + text for value, text in zip(specifics, rest, strict=True))
