"""Library text for the command line: a parameter in backticks becomes the option that sets it.

The library names its own parameters (``name another output or pass `in_place=True```), since it does not know who calls
it. The commands show the same text with their options: ``name another output or pass --in-place``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import click

PARAMETER = re.compile(r"`([a-z][a-z0-9_]*)(?:=([^`]*))?`")
"""`` `name` `` or `` `name=value` `` in a text of the library."""

_OTHER_NAMES = {
    "signer": "--signer-cert and --signer-key",
    "security_key": "[security] sm2_key in aigc-label.toml",
    "target": "-o",
    "height_ratio": "--height",
    "margin_ratio": "[visible] margin in aigc-label.toml",
    "seconds": "--duration",
    "visible=False": "--no-visible",
}
"""Parameters that the command line knows by another name."""


def in_options(text: str, commands: Iterable[click.Command] = ()) -> str:
    """Return a text of the library with the options of the command line in place of its parameters.

    Args:
        text: Any text of the library: an error, a hint, a sentence of ``how``, a finding.
        commands: Commands whose options are meant; by default the command that is running.
    """
    if "`" not in text:
        return text
    if not commands and (context := click.get_current_context(silent=True)):
        commands = [context.command]
    options = _options(commands)

    def option(match: re.Match[str]) -> str:
        return option_of(match[1], match[2], options) or match[0]

    return PARAMETER.sub(option, text)


def option_of(name: str, value: str | None, options: dict[str, str]) -> str | None:
    """Return the option for a parameter and its value, or ``None`` where the command line has none."""
    if known := _OTHER_NAMES.get(f"{name}={value}"):
        return known
    option = options.get(name) or _OTHER_NAMES.get(name)
    if option is None or value is None or value == "True":
        return option
    return f"{option} {value.strip(chr(34))}"


def _options(commands: Iterable[click.Command]) -> dict[str, str]:
    """Map the parameters of commands to their options, and their arguments to how the help names them."""
    found = {}
    for command in commands:
        for parameter in command.params:
            if parameter.name is None:
                continue
            if isinstance(parameter, click.Option):
                found[parameter.name] = max(parameter.opts, key=len)
            elif parameter.metavar:
                found[parameter.name] = parameter.metavar.strip("[]")
    return found
