"""The library's messages in the words of the command line: a parameter in backticks becomes its option."""

from __future__ import annotations

import re

_PARAMETER = re.compile(r"`([a-z_]+)(?:=([^`]+))?`")

_QUOTES = "\"'"

_OTHER_NAMES = {"file_list": "--files"}
"""Options that are not named like their parameter."""


def with_options(message: str) -> str:
    """Replace each parameter in backticks by its option: `` `in_place=True` `` by ``--in-place``."""
    return _PARAMETER.sub(_option, message)


def _option(match: re.Match[str]) -> str:
    name, value = match[1], match[2]
    option = _OTHER_NAMES.get(name, f"--{name.replace('_', '-')}")
    if value in (None, "True"):
        return option
    if value == "False":
        return f"--no-{option.removeprefix('--')}"
    return f"{option} {value.strip(_QUOTES)}"
