"""How an option is declared on a dataclass field, and how its values are checked."""

from __future__ import annotations

import math
import re
from dataclasses import MISSING, fields
from numbers import Integral, Real
from typing import Any, NamedTuple

from labeling.errors import LabelingError

_SHOWN = 60
"""Characters of a wrong value that an error repeats."""

_TYPES: dict[str, type] = {
    "str": str,
    "int": Integral,
    "float": Real,
    "bool": bool,
    "bytes": bytes,
    "Origin": str,
    "list[str]": list,
}
"""Types by their names in annotations. Integral and Real take numpy's numbers, too."""

_METADATA = "option"


class Option(NamedTuple):
    """One parameter that users set, from Python, ``aigc-label.toml`` or the command line.

    Args:
        help: One line, as ``--help`` and the configuration file show it, without a full stop.
        in_file: What the configuration file says instead, where its key means the opposite of the flag.
        choices: The values it may have; none: any of its type within the bounds.
        low: Least value of a number.
        high: Greatest value of a number.
        unit: What a number counts, in the plural.
        longest: Most characters of a text, which is then one line and not empty.
        pattern: Regular expression that a text matches as a whole.
        wanted: What a value must be, where the facts above do not say it in plain words.
        why: Why the bounds are what they are, with the clause.
        table: Its table in the configuration file, "" for the top level; ``None``: it is not there.
        key: Its key in that table, if it is not its name.
        example: A value to show in the configuration file where there is no default.
        flag: Its option on the command line, if that is not its name; "" if it has none.
        unset: What its default ``None`` or "" stands for, in words.
        metavar: What stands for the value in ``--help``.
        or_file: What a file begins with whose content may be the value as well, where it is none of the choices.
        is_file: Whether configuration file and command line give the path of a file, whose content is the value.
        or_path: Words beside which any other text is the path of a file, which is read when it is used.
        set_by: The options or the key that the value is made from, for messages, where it has no ``flag``.
        name: The parameter's name (from the field).
        types: Types of its values, empty if they are not checked here (from the field).
        default: Its default, ``None`` also where it has to be given (from the field).
        optional: Whether ``None`` is a value (from the field).
    """

    help: str
    in_file: str = ""
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    unit: str = ""
    longest: int | None = None
    pattern: str = ""
    wanted: str = ""
    why: str = ""
    table: str | None = None
    key: str = ""
    example: object = None
    flag: str | None = None
    unset: str = ""
    metavar: str = ""
    or_file: bytes = b""
    or_path: tuple[str, ...] = ()
    is_file: bool = False
    set_by: str = ""
    name: str = ""
    types: tuple[type, ...] = ()
    default: Any = None
    optional: bool = False

    def names_file(self, value: object) -> bool:
        """Return whether a value of the configuration file or the command line is the path of a file."""
        if self.or_path:
            return not isinstance(value, bool) and value not in self.or_path
        return self.is_file or bool(self.or_file and not isinstance(value, bytes) and value not in self.choices)

    @property
    def metadata(self) -> dict[str, Option]:
        """The declaration as the ``metadata`` of a dataclass field."""
        return {_METADATA: self}

    @property
    def bounds(self) -> str:
        """The bounds of a number in words: ``from 1 to 100``; "" if it has none."""
        if self.low is None:
            return ""
        return f"from {self.low:g} to {self.high:g}" if self.high is not None else f"of at least {self.low:g}"

    @property
    def allowed(self) -> str:
        """The bounds or choices in few words, for help: ``1 to 100``; "" where the help says them itself."""
        if self.high is not None:
            return f"{self.low or 0:g} to {self.high:g}"
        if self.low is not None and self.low > 1:
            return f"at least {self.low:g}"
        return "" if all(choice in self.help for choice in self.choices) else ", ".join(self.choices)

    @property
    def wants(self) -> str:
        """What a value must be, in words: ``a whole number from 1 to 100``."""
        if self.wanted:
            return self.wanted
        if self.choices:
            return f"one of {', '.join(self.choices)}{', or a PNG file' if self.or_file else ''}"
        if bool in self.types:
            return "true or false"
        if Integral in self.types or Real in self.types:
            kind = "a whole number" if Integral in self.types else "a number"
            return " ".join(filter(None, (kind, self.bounds, self.unit)))
        if self.longest:
            return f"one line of 1 to {self.longest} characters"
        return "bytes" if bytes in self.types else "text"

    def check(self, value: object, shown: str = "") -> None:
        """Check a value.

        Args:
            value: The value that was given.
            shown: What to call the option in the error; by default the parameter's name in backticks.

        Raises:
            LabelingError: The value is of a wrong type or out of bounds. The message names the option, the value, and
                what is allowed.
        """
        if not self.types or (value is None and self.optional) or (self._has_type(value) and self._fits(value)):
            return
        given = repr(value)
        given = given if len(given) <= _SHOWN else f"{given[:_SHOWN]}…"
        reason = f" ({self.why})" if self.why else ""
        raise LabelingError(f"{shown or f'`{self.name}`'} must be {self.wants}, not {given}{reason}")

    def _has_type(self, value: object) -> bool:
        if isinstance(value, bool):  # Python takes it for a number
            return bool in self.types
        return isinstance(value, self.types)

    def _fits(self, value: Any) -> bool:
        if self.or_file and isinstance(value, bytes):
            return value.startswith(self.or_file)
        if self.choices:
            return value in self.choices
        if isinstance(value, Real) and not isinstance(value, bool):
            low, high = (-math.inf if self.low is None else self.low), (math.inf if self.high is None else self.high)
            return math.isfinite(value) and low <= float(value) <= high
        if isinstance(value, str):
            if self.longest and not (value.strip() and len(value) <= self.longest and not any(c < " " for c in value)):
                return False
            return not self.pattern or re.fullmatch(self.pattern, value) is not None
        return not isinstance(value, list) or all(isinstance(entry, str) for entry in value)


_declared: dict[type, dict[str, Option]] = {}
"""What :func:`options_of` has found."""


def options_of(declaring: type) -> dict[str, Option]:
    """Return the options that a dataclass declares, by the names of its fields."""
    if (known := _declared.get(declaring)) is not None:
        return known
    found: dict[str, Option] = {}
    for field in fields(declaring):
        if (declared := field.metadata.get(_METADATA)) is not None:
            named = str(field.type).split(" | ")
            flag = f"--no-{field.name}" if field.default is True else f"--{field.name.replace('_', '-')}"
            found[field.name] = declared._replace(
                name=field.name,
                types=tuple(_TYPES[name] for name in named if name in _TYPES),
                default=None if field.default is MISSING else field.default,
                optional="None" in named,
                key=declared.key or field.name,
                flag=flag if declared.flag is None else declared.flag,
            )
    _declared[declaring] = found
    return found


def check_options(values: object) -> None:
    """Check every option of a dataclass's instance. Raises :class:`LabelingError` on the first that is wrong."""
    for name, declared in options_of(type(values)).items():
        declared.check(getattr(values, name))
