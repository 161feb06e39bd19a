"""Markdown, which is only read: YAML front matter, and a separate mapping at the end of the document.

Only the part of YAML that such blocks use is read: top-level keys with a scalar, one level of mapping below them with
any indent, a flow mapping, or a block scalar. There are no tags, anchors or aliases, so nothing can be run or expanded.
What a document quotes, in a fence or in the middle of its text, is not its metadata.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from labeling.containers.base import Buffer, Changes, Contents, Kind
from labeling.containers.collector import LABEL_NAME, Collector
from labeling.errors import LabelingError

FIXED = "Markdown documents are read but not yet written"

MAX_SIZE = 64 << 20
"""Limit on the bytes of a document."""

MAX_BLOCK = 1 << 18
"""Limit on the bytes of the front matter, and of a block at the end."""

_QUOTED = r"""\"(?:[^"\\]|\\.)*\"|'(?:[^']|'')*'"""
_KEY = re.compile(rf"""({_QUOTED}|[^\s#\-?:,\[\]{{}}&*!|>'"%@`][^:#]{{0,120}}?)[ \t]{{0,8}}:(?:[ \t](.*))?\Z""")
_FENCE = re.compile(rb"(?m)^ {0,3}(`{3,}|~{3,})([^\r\n]*)")
_STRUCTURE = re.compile(r"(?m)^(?: {0,3}#{1,6} \S| {0,3}(?:```|~~~)|\|? ?:?-{3,}:? ?\|)")
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "/": "/", '"': '"', "\\": "\\", " ": " "}
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|.)")
_HEAD = 1 << 14

Line = tuple[int, str]
"""(offset in bytes, text without its line end)."""


def looks_like(data: Buffer) -> bool:
    """Return whether a file without a signature is Markdown: UTF-8 text with front matter, headings or the like.

    Plain prose without any structure is not claimed, because it could be anything.
    """
    head = bytes(data[:_HEAD])
    if _CONTROLS.search(head):
        return False
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4 or len(data) <= _HEAD:
            return False
        text = head[: error.start].decode("utf-8-sig")
    if text.lstrip()[:1] == "<":  # HTML or other XML
        return False
    return bool(_STRUCTURE.search(text) or text.lstrip().startswith("---\n") or _blocks(bytes(data[:MAX_SIZE])))


def read(data: Buffer) -> Contents:
    """Find the metadata of a Markdown document; see :mod:`labeling.containers.base`."""
    collector = Collector()
    if len(data) > MAX_SIZE:
        collector.problems.append(f"it is larger than the {MAX_SIZE >> 20} MiB of text that are read")
    else:
        for where, span, key, value in _blocks(bytes(data)):
            shown = key[:60].encode("unicode_escape").decode() if not key.isprintable() else key[:60]
            collector.add(Kind.PROPERTY, f"Markdown {where} {shown}", span, value.encode("utf-8", "replace"), key)
        if _hides_label(bytes(data)) and not any(LABEL_NAME.search(each.keyword.encode()) for each in collector.blocks):
            collector.unread.append("its front matter names a label, and cannot be read: it is not closed, or no YAML")
        if (last := _last_line(bytes(data))) is not None:
            line = last[1].encode()
            collector.add(Kind.TEXT, f"Markdown {LAST_LINE}", (last[0], last[0] + len(line)), line, LAST_LINE)
    return collector.contents("markdown", "text/markdown", (), fixed=FIXED)


_NAMED = re.compile(rb"(?im)^[ \t]*[\"']?aigc[\"']?[ \t]*:")


def _hides_label(raw: bytes) -> bool:
    """Return whether a document begins as front matter does, with a key by the name of a label in it."""
    head = raw[:MAX_BLOCK].removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    if not head.startswith(b"---\n"):
        return False
    ends = (head.find(b"\n---", 3), head.find(b"\n\n", 3))
    return _NAMED.search(head[: next((end for end in ends if end >= 0), len(head))]) is not None


LAST_LINE = "last line"
"""Keyword of the block that holds the last line of the text, where services say who wrote it (GB 45438-2025 5.1)."""

_LONGEST_LINE = 300


def _last_line(raw: bytes) -> Line | None:
    """Return the last line that is not blank, before a mapping that ends the document; ``None`` if it is a long one."""
    body = _last(raw, 0)
    stop = body[0][0] if body else len(raw)
    text = raw[max(0, stop - MAX_BLOCK) : stop].rstrip(b" \t\r\n")
    while text.endswith(b"\n---"):
        text = text[:-4].rstrip(b" \t\r\n")
    start = text.rfind(b"\n") + 1
    line = text[start:]
    if not line or len(line) > _LONGEST_LINE:
        return None
    at = max(0, stop - MAX_BLOCK) + start
    return None if _in_fence(raw, 0, at) else (at, line.decode("utf-8", "replace"))


Found = tuple[str, tuple[int, int], str, str]
"""(place, span in bytes, key, value as text; a mapping as JSON)."""


def _blocks(raw: bytes) -> list[Found]:
    front = _front(raw)
    found = [("front matter", *each) for each in _entries(front)]
    floor = front[-1][0] if front else 0
    # Prose may end in a line like "Note: see above", or in a list after such a line. Only a mapping is metadata there.
    last = [each for each in _entries(_last(raw, floor)) if each[2].startswith("{") and each[2].endswith("}")]
    return found + [("block at the end", *each) for each in last]


def _lines(raw: bytes, start: int, stop: int) -> list[Line]:
    lines: list[Line] = []
    for line in raw[start:stop].split(b"\n"):
        lines.append((start, line.decode("utf-8", "replace").rstrip("\r")))
        start += len(line) + 1
    return lines


def _front(raw: bytes) -> list[Line]:
    """Return the lines between ``---``, on the first line that is not blank, and the next such line."""
    start = len(raw) - len(raw.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n"))
    lines = _lines(raw, start, min(len(raw), start + MAX_BLOCK))
    if lines[0][1].rstrip() != "---":
        return []
    end = next((n for n, (_, line) in enumerate(lines[1:], 1) if line.rstrip() in ("---", "...")), 0)
    return lines[1:end]


def _last(raw: bytes, floor: int) -> list[Line]:
    """Return the lines of a mapping that ends the document: a key at the margin to which all that follows belongs."""
    begin = max(floor, len(raw) - MAX_BLOCK)
    lines = _lines(raw, begin, len(raw))
    end = len(lines)
    while end and lines[end - 1][1].strip() in ("", "---", "..."):
        end -= 1
    start = end - 1
    while start > 0 and (not lines[start][1].strip() or lines[start][1][0] in " \t}"):
        start -= 1
    if start < 0 or _KEY.match(lines[start][1]) is None:
        return []
    if start > 0 and lines[start - 1][1].strip() not in ("", "---"):
        return []
    return [] if _in_fence(raw, floor, lines[start][0]) else lines[start:end]


def _in_fence(raw: bytes, start: int, stop: int) -> bool:
    """Return whether a fenced code block is still open at ``stop`` (CommonMark 4.5)."""
    fence = b""
    for found in _FENCE.finditer(raw, start, stop):
        if not fence:
            fence = found[1]
        elif found[1].startswith(fence) and not found[2].strip():
            fence = b""
    return bool(fence)


# The subset of YAML


def _entries(lines: list[Line]) -> Iterator[tuple[tuple[int, int], str, str]]:
    """Yield the span, the key and the value of each top-level entry of a mapping."""
    at = 0
    while at < len(lines):
        offset, line = lines[at]
        key = _KEY.match(line)
        below = at + 1
        while below < len(lines) and (not lines[below][1].strip() or lines[below][1][0] in " \t}"):
            below += 1
        if key is not None:
            body = [text for _, text in lines[at + 1 : below]]
            end = lines[below - 1][0] + len(lines[below - 1][1].encode())
            yield (offset, end), _scalar(key[1]), _value((key[2] or "").strip(), body)
        at = below


def _value(first: str, body: list[str]) -> str:
    """Return the value of a key as text, from what follows the colon and from the indented lines below."""
    inner = [line for line in body if line.strip() and not line.lstrip().startswith("#")]
    if first[:1] in ("|", ">") or first.startswith("{"):
        whole = first if first.startswith("{") else ""
        return _flow("\n".join([whole, *(line.strip() for line in body)]).strip())
    if first.startswith("#"):
        first = ""
    if first or not inner:
        return _scalar(" ".join([first, *(line.strip() for line in inner)]).strip())
    if inner[0].lstrip().startswith("{"):
        return _flow("\n".join(line.strip() for line in inner))
    indent = min(len(line) - len(line.lstrip()) for line in inner)
    pairs = []
    for line in inner:
        key = _KEY.match(line[indent:])
        if key is not None:
            pairs.append((_scalar(key[1]), _scalar((key[2] or "").strip())))
    return _json(pairs) if pairs else "\n".join(inner)


def _json(pairs: list[tuple[str, str]]) -> str:
    """Return a JSON object in which a key that occurs twice is kept twice, so that readers can see that it does."""
    return "{" + ",".join(f"{json.dumps(k)}:{json.dumps(v, ensure_ascii=False)}" for k, v in pairs) + "}"


_PAIR = re.compile(rf"""\s*+({_QUOTED}|[^\s"'{{}}\[\],:]++)\s*+:\s*+((?:{_QUOTED})?[^"'{{}}\[\],]*+)(,|\Z)""")


def _flow(text: str) -> str:
    """Return a flow mapping as JSON: unchanged if it is JSON; keys or values without quotes get them."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        pass
    else:
        return text
    inner, at, pairs = text.removeprefix("{").removesuffix("}").rstrip(), 0, []
    while at < len(inner):
        found = _PAIR.match(inner, at)
        if found is None:
            return text
        pairs.append((_scalar(found[1]), _scalar(found[2].strip())))
        at = found.end()
    return _json(pairs) if pairs else text


def _scalar(text: str) -> str:
    """Return a plain or quoted scalar as a string; null is the empty string."""
    if len(text) > 1 and text[0] == '"' and (end := _closing(text)):
        return _ESCAPE.sub(_escaped, text[1:end])
    if len(text) > 1 and text[0] == "'" and (end := text.rfind("'")) > 0:
        return text[1:end].replace("''", "'")
    plain = re.split(r"[ \t]#", text, maxsplit=1)[0].rstrip()
    return "" if plain in ("~", "null", "Null", "NULL") else plain


def _closing(text: str) -> int:
    found = re.compile(r'"(?:[^"\\]|\\.)*"').match(text)
    return found.end() - 1 if found else 0


def _escaped(found: re.Match[str]) -> str:
    code = found[1]
    if len(code) == 1:
        return _ESCAPES.get(code, found[0])
    point = int(code[1:], 16)
    return "\ufffd" if 0xD800 <= point < 0xE000 else chr(point)  # half of a surrogate pair is not a character


def rewrite(data: Buffer, contents: Contents, changes: Changes) -> list[Buffer]:
    """Refuse, because Markdown documents are not yet written.

    Raises:
        LabelingError: Always.
    """
    raise LabelingError(FIXED)
