"""Every regular expression of the code, found in its syntax trees, and strings that make one work hard.

A string is made of the pattern's own parts: what leads up to a repetition, what is repeated many times, and something
that the pattern does not expect behind it. A pattern that goes back or starts again at each place then takes time that
grows with the square of the length, or worse.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from re import _constants as c  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

ROOT = Path(__file__).parent.parent
CALLS = frozenset(("compile", "match", "search", "fullmatch", "findall", "finditer", "sub", "subn", "split"))
USES = CALLS - {"compile"}


@dataclass(frozen=True)
class Found:
    """A call of a function of ``re``.

    Attributes:
        place: The module and the source of the pattern, which is how the tests name it.
        pattern: The pattern, compiled; ``None`` if it is only known when the code runs.
        uses: The methods that are called with it.
    """

    place: str
    pattern: re.Pattern[Any] | None
    uses: frozenset[str]


def everywhere() -> list[Found]:
    """Return every call of ``re`` in the library and the command line."""
    trees = {
        path: ast.parse(path.read_text()) for folder in ("labeling", "cli") for path in (ROOT / folder).rglob("*.py")
    }
    used: dict[str, set[str]] = {}
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in USES:
                name = _name(node.value)
                used.setdefault(name, set()).add(node.attr)
    return [found for path, tree in sorted(trees.items()) for found in _of_module(path, tree, used)]


def _of_module(path: Path, tree: ast.Module, used: dict[str, set[str]]) -> Iterator[Found]:
    names = {each.targets[0]: each.value for each in ast.walk(tree) if isinstance(each, ast.Assign)}
    assigned = {id(call): _name(target) for target, value in names.items() for call in ast.walk(value)}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALLS):
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re"):
            continue
        place = f"{path.relative_to(ROOT)}: {ast.unparse(node.args[0])}"
        if node.func.attr == "compile":
            uses = frozenset(used.get(assigned.get(id(node), ""), USES))
        else:
            uses = frozenset((node.func.attr,))
        yield Found(place, _compiled(path, node), uses)


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _compiled(path: Path, call: ast.Call) -> re.Pattern[Any] | None:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    module = f"labeling.{module}" if module.startswith("cli") else module
    names = vars(importlib.import_module(module))
    flags = [each.value for each in call.keywords if each.arg == "flags"]
    if isinstance(call.func, ast.Attribute) and call.func.attr == "compile":
        flags += call.args[1:2]
    elif isinstance(call.func, ast.Attribute) and call.func.attr in ("match", "search", "fullmatch"):
        flags += call.args[2:3]
    try:
        pattern, *rest = (
            eval(compile(ast.Expression(each), str(path), "eval"), names) for each in (call.args[0], *flags)
        )
    except NameError:
        return None
    return re.compile(pattern, *rest)


# --- strings that a pattern works hard on ---------------------------------------------------------------------------


def attacks(pattern: re.Pattern[Any]) -> list[tuple[str, str, str]]:
    """Return (what comes first, what is repeated, what comes last) for each repetition of a pattern."""
    tree = parser.parse(pattern.pattern, pattern.flags)
    found: list[tuple[str, str, str]] = []
    _pumps(list(tree), "", found)
    pumps = {pump for _, pump, _ in found if pump}
    plain = [("", pump, "") for pump in pumps]
    joined = [("", "".join(sorted(pumps)), "\0")] if len(pumps) < 9 else []
    return [each for each in dict.fromkeys([*found, *plain, *joined]) if each[1]]


def _pumps(nodes: list[Any], before: str, found: list[tuple[str, str, str]]) -> str:
    """Collect the repetitions of a sequence of nodes that follows ``before``; return a string that the nodes match."""
    made = ""
    for at, (kind, value) in enumerate(nodes):
        if kind in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
            least, most, body = value
            inside: list[tuple[str, str, str]] = []
            one = _pumps(list(body), before + made, inside)
            if most > 8:
                other = _others(list(body))
                for pump in {one, other, one + made[-1:]} - {""}:
                    found += [(before + made, pump, end) for end in ("\0", "x", '"', "]", ">")]
                    whole = made + pump
                    found.append(("", whole, "\0"))
                    if at + 1 < len(nodes):
                        following = _pumps(nodes[at + 1 :], "", [])
                        found.append((before + made, pump + following, "\0"))
                        found.append((before + made, following + pump, "\0"))
                        found += [
                            (before + made, _pumps(nodes[at + 1 : n], "", []), "\0") for n in _repeated(nodes, at)
                        ]
            found += inside
            made += one * max(least, 1)
        else:
            made += _one(kind, value, before + made, found)
    return made


def _repeated(nodes: list[Any], at: int) -> list[int]:
    repeats = (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT)
    return [n for n in range(at + 2, len(nodes)) if nodes[n][0] in repeats and nodes[n][1][1] > 8]


def _one(kind: Any, value: Any, before: str, found: list[tuple[str, str, str]]) -> str:
    if kind is c.LITERAL:
        return chr(value)
    if kind is c.NOT_LITERAL:
        return next(char for char in "ab<" if ord(char) != value)
    if kind is c.ANY:
        return "a"
    if kind is c.IN:
        return _member(value)
    if kind is c.SUBPATTERN:
        return _pumps(list(value[3]), before, found)
    if kind is c.ATOMIC_GROUP:
        return _pumps(list(value), before, found)
    if kind is c.BRANCH:
        made, *_ = [_pumps(list(each), before, found) for each in value[1]]
        return made
    if kind in (c.ASSERT, c.ASSERT_NOT):
        _pumps(list(value[1]), before, found)
    return ""


def _others(nodes: list[Any]) -> str:
    """Return a string of what a class of characters or of alternatives has besides its first."""
    if len(nodes) == 1 and nodes[0][0] is c.IN:
        return _member(nodes[0][1], last=True)
    if len(nodes) == 1 and nodes[0][0] in (c.SUBPATTERN, c.BRANCH):
        inner = nodes[0][1][3] if nodes[0][0] is c.SUBPATTERN else [nodes[0]]
        inner = list(inner)
        if len(inner) == 1 and inner[0][0] is c.BRANCH:
            return "".join(_pumps(list(each), "", []) for each in inner[0][1][1])
    return ""


_SAMPLES = "a 0A\n-_.:/\"'=<>{}[]()\\,;!?#%&*+@^|~$`\t\r\x0b\x0c生\0\x80\xff"


def _member(items: Any, *, last: bool = False) -> str:
    fits = [char for char in _SAMPLES if _is_in(items, char)]
    if not fits:
        kind, value = items[0]
        return chr(value if kind is c.LITERAL else value[0] if kind is c.RANGE else 0x100)
    return fits[-1] if last else fits[0]


_CATEGORIES = {
    c.CATEGORY_DIGIT: r"\d", c.CATEGORY_NOT_DIGIT: r"\D", c.CATEGORY_SPACE: r"\s", c.CATEGORY_NOT_SPACE: r"\S",
    c.CATEGORY_WORD: r"\w", c.CATEGORY_NOT_WORD: r"\W",
}  # fmt: skip


def _is_in(items: Any, char: str) -> bool:
    negative = items[0][0] is c.NEGATE
    for kind, value in items[negative:]:
        if (
            (kind is c.LITERAL and value == ord(char))
            or (kind is c.RANGE and value[0] <= ord(char) <= value[1])
            or (kind is c.CATEGORY and re.match(_CATEGORIES[value], char))
        ):
            return not negative
    return negative


# --- measuring ------------------------------------------------------------------------------------------------------

SHORT, LONG, ENOUGH = 1 << 8, 1 << 15, 0.002
"""Lengths that strings begin with and end at, and seconds from which a measurement is sure enough."""


def grows(run: Callable[[str], object], before: str, pump: str, after: str) -> float:
    """Return by how much the time grows when a string doubles, and doubles again: about 2 if it is linear.

    It is the smaller of both, and 0 if even the longest string takes no time to speak of.

    Args:
        run: What is measured.
        before: What the string begins with.
        pump: What is repeated.
        after: What it ends with.
    """

    def text(length: int) -> str:
        return before + pump * max(1, length // len(pump)) + after

    length = SHORT
    while length <= LONG:
        if _least(run, text(length), times=1) > ENOUGH and (first := _least(run, text(length), times=3)) > ENOUGH:
            second = _least(run, text(2 * length), times=3)
            if second < FACTOR * first:
                return second / first
            return _confirmed(run, text(length), text(2 * length), text(4 * length))
        length *= 2
    return 0.0


FACTOR = 3.0
"""Growth from which time is no longer linear; where it goes with the square, it is 4."""


def _least(run: Callable[[str], object], text: str, times: int) -> float:
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        run(text)
        best = min(best, time.process_time() - start)
    return best


def _confirmed(run: Callable[[str], object], *texts: str) -> float:
    """Return the smallest growth from text to text, of measurements that are repeated until they are sure.

    Other work on the machine makes any one measurement longer, never shorter: the least time of each text counts, over
    rounds that take the texts in turn, so that a busy moment meets all of them.
    """
    rounds = [[_least(run, text, times=1) for text in texts] for _ in range(5)]
    least = [min(times) for times in zip(*rounds, strict=True)]
    growths: list[float] = [longer / shorter for shorter, longer in itertools.pairwise(least)]
    return min(growths)


def runner(pattern: re.Pattern[Any], use: str) -> Callable[[str], object]:
    """Return a function that applies a pattern to a text as the code does."""

    def of(text: str) -> Any:
        return text.encode("utf-8", "surrogatepass") if isinstance(pattern.pattern, bytes) else text

    if use == "finditer":
        return lambda text: sum(1 for _ in pattern.finditer(of(text)))
    if use in ("sub", "subn"):
        return lambda text: pattern.sub(of(""), of(text))
    return lambda text: getattr(pattern, use)(of(text))
