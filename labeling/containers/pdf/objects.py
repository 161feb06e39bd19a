"""PDF objects (ISO 32000-2, 7.3): a bounded reader of dictionaries, arrays, strings, names, numbers and references.

Python has: dict and list; :class:`Name`; bytes for strings; int or float; :class:`Ref`; bool; None.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

MAX_DEPTH = 32
MAX_TOKENS = 200_000
"""Objects read of one file: what metadata hangs on is a few hundred."""

MAX_STRING = 1 << 18

_MAX_BLANK = 1 << 18
"""Bytes of blanks and comments that may stand in one place."""


class Name(str):
    """A name object, without its solidus."""

    __slots__ = ()


class Ref(NamedTuple):
    """An indirect reference."""

    number: int
    generation: int


class Malformed(Exception):
    """What stands there is no object, or is beyond the bounds; never leaves the PDF modules."""


_BLANK = re.compile(rb"(?:[\0\t\n\f\r ]++|%[^\r\n]*+)*+")
_NAME = re.compile(rb"/([^\0\t\n\f\r ()<>\[\]{}/%]{0,256})")
_REF = re.compile(rb"(\d{1,10})[\0\t\n\f\r ]{1,16}(\d{1,5})[\0\t\n\f\r ]{1,16}R(?![A-Za-z0-9])")
_NUMBER = re.compile(rb"[+-]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})")
_WORD = re.compile(rb"(true|false|null)(?![A-Za-z0-9])")
_HEX = re.compile(rb"<([0-9A-Fa-f\0\t\n\f\r ]*)>")
_STRING_PART = re.compile(rb"[^()\\]+|\\(?:[0-7]{1,3}|\r\n|[\s\S])|[()]")
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_CODE = re.compile(rb"#([0-9A-Fa-f]{2})")


class Lexer:
    """Reads objects of one file; the count of what it reads is bounded over the lexer's whole life."""

    def __init__(self) -> None:
        self.left = MAX_TOKENS

    def read(self, data: bytes | memoryview, at: int, depth: int = 0) -> tuple[Any, int]:
        """The object at ``at`` and the offset behind it. Raises :class:`Malformed`."""
        self.left -= 1
        if self.left < 0 or depth > MAX_DEPTH:
            raise Malformed("its objects are nested too deeply or too many")
        at = skip(data, at)
        first = bytes(data[at : at + 2])
        if first == b"<<":
            return self._dictionary(data, at + 2, depth)
        if first[:1] == b"[":
            return self._array(data, at + 1, depth)
        if first[:1] == b"(":
            return _string(data, at + 1)
        if found := _HEX.match(data, at):
            digits = b"".join(found[1].split()).replace(b"\0", b"")
            if len(digits) > 2 * MAX_STRING:
                raise Malformed("a string is too long")
            return bytes.fromhex((digits + b"0" * (len(digits) & 1)).decode()), found.end()
        if found := _NAME.match(data, at):
            raw = _CODE.sub(lambda code: bytes((int(code[1], 16),)), found[1])
            return Name(raw.decode("utf-8", "replace")), found.end()
        if found := _REF.match(data, at):
            return Ref(int(found[1]), int(found[2])), found.end()
        if found := _NUMBER.match(data, at):
            return float(found[0]) if b"." in found[0] else int(found[0]), found.end()
        if found := _WORD.match(data, at):
            return {b"true": True, b"false": False, b"null": None}[found[1]], found.end()
        raise Malformed(f"there is no object at offset {at}")

    def _dictionary(self, data: bytes | memoryview, at: int, depth: int) -> tuple[dict[str, Any], int]:
        result: dict[str, Any] = {}
        while True:
            at = skip(data, at)
            if bytes(data[at : at + 2]) == b">>":
                return result, at + 2
            key, at = self.read(data, at, depth + 1)
            if not isinstance(key, Name):
                raise Malformed("a dictionary has a key that is no name")
            result[str(key)], at = self.read(data, at, depth + 1)

    def _array(self, data: bytes | memoryview, at: int, depth: int) -> tuple[list[Any], int]:
        result: list[Any] = []
        while True:
            at = skip(data, at)
            if bytes(data[at : at + 1]) == b"]":
                return result, at + 1
            item, at = self.read(data, at, depth + 1)
            result.append(item)


def skip(data: bytes | memoryview, at: int) -> int:
    """The offset behind blanks and comments."""
    found = _BLANK.match(data, at, at + _MAX_BLANK)
    return found.end() if found else at


def _string(data: bytes | memoryview, at: int) -> tuple[bytes, int]:
    """A literal string behind its opening parenthesis (ISO 32000-2, 7.3.4.2): balanced parentheses, escapes."""
    parts: list[bytes] = []
    start, depth = at, 1
    while (found := _STRING_PART.match(data, at)) and at - start <= MAX_STRING:
        part, at = found[0], found.end()
        if part == b")":
            depth -= 1
            if not depth:
                return b"".join(parts), at
        elif part == b"(":
            depth += 1
        elif part[:1] == b"\\":
            part = _unescaped(part[1:])
        parts.append(part)
    raise Malformed("a string does not end")


def _unescaped(code: bytes) -> bytes:
    if code[:1].isdigit() and code[:1] < b"8":
        return bytes((int(code, 8) & 0xFF,))
    if code in (b"\n", b"\r", b"\r\n"):  # a line that goes on
        return b""
    return _ESCAPES.get(code, code)


def text_of(raw: bytes) -> str:
    """A text string (ISO 32000-2, 7.9.2.2): UTF-16 or UTF-8 by its mark; else UTF-8 where valid, or Latin-1.

    PDFDocEncoding is Latin-1 in all that a label holds; UTF-8 without its mark is wrong but common.
    """
    if raw[:2] in (b"\xfe\xff", b"\xff\xfe"):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
