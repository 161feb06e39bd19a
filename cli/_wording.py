"""Library text for the command line: a parameter in backticks becomes the option that sets it.

The library names its own parameters (``name another output or pass `in_place=True```), since it does not know who calls
it. The commands show the same text with their options: ``name another output or pass --in-place``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import click

from labeling.options import DECLARING, Option, options_of

PARAMETER = re.compile(r"(?<!`)`([a-z][a-z0-9_]*)(?:=([^`]*))?`(?!`)")
"""`` `name` `` or `` `name=value` `` in a text of the library."""

_ARGUMENTS = {
    "target": "-o",
    "language": "--lang",
    "verify": "--verify",
    "convert": "--convert",
    "propagate": "--propagate",
}
"""Parameters of the library's verbs, beside the declared options, that commands call something else."""


def in_options(text: str, commands: Iterable[click.Command] = ()) -> str:
    """Return a text of the library with the options of the command line in place of its parameters.

    Args:
        text: Any text of the library: an error, a hint, a sentence of ``how``, a finding.
        commands: Commands whose options are meant; by default the command that is running.
    """
    if "`" not in text:
        return text
    context = click.get_current_context(silent=True)
    own = options_by_parameter(commands or ([context.command] if context else []))
    return PARAMETER.sub(lambda match: option_for(match[1], match[2], own) or match[0], text)


def option_for(name: str, value: str | None, own: Mapping[str, str]) -> str | None:
    """Return what sets a parameter on the command line: ``--no-visible`` for ``visible`` and ``False``.

    Args:
        name: The parameter.
        value: Its value in Python's notation, if the text gives one.
        own: The options of the command by their parameters, which outrank the declared ones.

    Returns:
        The option with the value, or the options or key that the parameter is made from; ``None`` if there is none.
    """
    declared = _declared().get(name)
    option = own.get(name) or (declared and (declared.flag or declared.set_by)) or _ARGUMENTS.get(name)
    if declared is not None and isinstance(declared.default, bool):
        if value in (None, str(not declared.default)):
            return option
        return None  # the default has no option
    if option is None or value in (None, "True"):
        return option
    return f"{option} {value.strip(chr(34))}"


def options_by_parameter(commands: Iterable[click.Command]) -> dict[str, str]:
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


def _declared() -> dict[str, Option]:
    return {name: option for declaring in DECLARING for name, option in options_of(declaring).items()}
