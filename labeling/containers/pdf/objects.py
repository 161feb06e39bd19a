"""Read PDF objects (ISO 32000-2, 7.3) within bounds.

They become Python objects: dict and list; :class:`Name`; bytes for strings; int or float; :class:`Ref`; bool; None.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

MAX_DEPTH = 32
"""Limit on nested objects."""

MAX_TOKENS = 200_000
"""Limit on the objects that are read of one file. Metadata depends on a few hundred."""

MAX_STRING = 1 << 18
"""Limit on the bytes of a string."""

_MAX_BLANK = 1 << 18
"""Limit on the bytes of blanks and comments in one place."""


class Name(str):
    """A name object, without its solidus."""

    __slots__ = ()


class Ref(NamedTuple):
    """An indirect reference."""

    number: int
    generation: int


class Malformed(Exception):
    """There is no object, or it is beyond the limits. Never leaves the PDF modules."""


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
    """Read objects of one file. How many it reads is bounded over its whole life."""

    def __init__(self) -> None:
        self.left = MAX_TOKENS

    def read(self, data: bytes | memoryview, at: int, depth: int = 0) -> tuple[Any, int]:
        """Return the object at offset ``at``, and the offset after it.

        Raises:
            Malformed: There is no object, or a limit is reached.
        """
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
                raise Malformed("a dictionary has a key that is not a name")
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
    """Return the offset after the blanks and comments at ``at``."""
    found = _BLANK.match(data, at, at + _MAX_BLANK)
    return found.end() if found else at


def _string(data: bytes | memoryview, at: int) -> tuple[bytes, int]:
    """Read a literal string from after its opening parenthesis (ISO 32000-2, 7.3.4.2)."""
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
    if code in (b"\n", b"\r", b"\r\n"):  # a continued line
        return b""
    return _ESCAPES.get(code, code)


def text_of(raw: bytes) -> str:
    """Decode a text string (ISO 32000-2, 7.9.2.2): UTF-16 or UTF-8 by its mark; else UTF-8 if valid, or Latin-1.

    PDFDocEncoding equals Latin-1 in all that a label contains. UTF-8 without its mark is wrong but common.
    """
    if raw[:2] in (b"\xfe\xff", b"\xff\xfe"):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
