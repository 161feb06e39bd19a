"""The commands' options for labelling, made from what :mod:`labeling.options` declares."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from labeling import config
from labeling.config import NAME, TABLES, VARIABLE
from labeling.errors import LabelingError
from labeling.limits import MAX_PIXELS_READ
from labeling.options import DECLARING, LabelerOptions, Option, SignerFiles, Verifying, options_of
from labeling.options.isolation import Limits
from labeling.rules import PROFILES

if TYPE_CHECKING:
    from labeling.config import Given
    from labeling.labeler import Labeler
    from labeling.marks.credentials import Signer

Function = TypeVar("Function", bound=Callable[..., Any])
Decorator = Callable[[Any], Any]


def chain(*decorators: Decorator) -> Callable[[Function], Function]:
    """Join decorators to one; the first one's option comes first in ``--help``."""

    def apply(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


class ProfileName(click.ParamType[str]):
    """The name of a profile, or a path to one in TOML."""

    name = "profile"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return f"[{'|'.join(PROFILES)}|FILE.toml]"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in PROFILES and not value.endswith(".toml"):
            self.fail(f"{value!r} is neither one of {', '.join(PROFILES)} nor a .toml file", param, ctx)
        return value


def _only_one(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> str | None:
    if len(set(value)) > 1:
        raise click.BadParameter(f"a file is labelled by one profile, not by {' and '.join(value)}", ctx, param)
    return value[0] if value else None


IN_FORCE = ", ".join(f"{each.name} {each.since}" for each in PROFILES.values())
"""The profiles, and from when on each applies."""


class Checked(click.ParamType[Any]):
    """A number or text that a declared option allows; any other is refused in the words of the library."""

    def __init__(self, option: Option, number: click.ParamType[Any]) -> None:
        self.name = number.name
        self._option, self._number = option, number

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        converted = self._number.convert(value, param, ctx)
        self._option.check(converted, self._option.flag or "")
        return converted


def destination(option: Option) -> str:
    """Return the name of the command's argument for an option's flag, which click makes in the same way."""
    return (option.flag or "").lstrip("-").replace("-", "_")


def _type_of(option: Option) -> click.ParamType[Any]:
    if option.is_file:
        return click.Path(path_type=Path)
    if option.or_file:
        return click.STRING
    if option.choices:
        return click.Choice(option.choices)
    default = option.default if option.example is None else option.example
    is_int, is_float = isinstance(default, int), isinstance(default, float)
    return Checked(option, click.INT if is_int else click.FLOAT if is_float else click.STRING)


def click_option(option: Option) -> Decorator:
    """Return the command line's option for a declared one."""
    flag = option.flag or ""
    if option.name == "profile":
        text = f"{option.help} (default: {option.default})."
        return click.option(flag, type=ProfileName(), multiple=True, callback=_only_one, help=text)
    if isinstance(option.default, bool):
        return click.option(flag, is_flag=True, help=f"{option.help}.")
    facts = [] if option.choices else [option.allowed]
    if option.unset:
        facts.append(f"default: {option.unset}")
    elif option.default not in (None, ""):
        default = f"{option.default:,}".replace(",", " ") if isinstance(option.default, int) else str(option.default)
        facts.append(f"default: {default}")
    shown = "; ".join(filter(None, facts))
    text = f"{option.help} ({shown})." if shown else f"{option.help}."
    return click.option(flag, type=_type_of(option), metavar=option.metavar or None, help=text)


def _declared(*declaring: type) -> list[Decorator]:
    """Return the options of dataclasses, in the order of the configuration file's tables."""
    tables = list(TABLES)
    options = [option for each in declaring for option in options_of(each).values() if option.flag]
    options.sort(key=lambda option: tables.index(option.table or ""))
    return [click_option(option) for option in options]


profile_option = click_option(options_of(LabelerOptions)["profile"])

max_pixels_option = click_option(
    options_of(LabelerOptions)["max_pixels"]._replace(
        help="The pixels of larger pictures are not looked at", default=MAX_PIXELS_READ
    )
)
"""For commands that read."""


trust_option = click.option(
    "--trust",
    metavar="PATH|none",
    multiple=True,
    help="PEM file with C2PA trust anchors beside the lists that come with the package and those stored; "
    '"none": no list but the files named. May be given several times.',
)
"""Whose C2PA signatures count as trusted."""

min_confidence_option = click_option(options_of(Verifying)["min_confidence"])
"""For commands that verify."""

timeout_option = click_option(
    options_of(Limits)["timeout"]._replace(help="Seconds for one file, in a process that is ended then", unset="none")
)
"""For add."""

isolation_options = chain(
    click.option("--isolate", is_flag=True, help="Read each file in a process with limits, which may crash."),
    *(click_option(option) for option in options_of(Limits).values()),
)
"""For verify; each of the limits isolates files, too."""

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar=VARIABLE,
    help=f"Configuration file (default: ./{NAME}, which may refer to files in its own folder only).",
)

signer_options = chain(*_declared(SignerFiles))

propagation_options = chain(
    click.option("-o", "--out", type=click.Path(path_type=Path), help="Output file."),
    click.option("--in-place", is_flag=True, help="Replace the input itself."),
    click.option("--dry-run", is_flag=True, help="Do everything but write."),
    click_option(options_of(LabelerOptions)["strict"]),
    click_option(options_of(LabelerOptions)["keep_times"]),
    signer_options,
)
"""The options of propagate and transplant."""

labeler_options = chain(
    config_option,
    click.option("--content-id", metavar="ID", help="Content number (default: a new sortable unique one per file)."),
    *_declared(*DECLARING),
)
"""The options that make a labeler, the same for every command that labels."""


def given(options: dict[str, Any]) -> Given:
    """Return the declared options among a command's arguments."""
    found: Given = {}
    for declaring in DECLARING:
        for name, option in options_of(declaring).items():
            value = options.get(destination(option)) if option.flag else None
            if value is None or value is False:
                continue
            if isinstance(option.default, bool):
                value = not option.default
            found.setdefault(declaring, {})[name] = value
    return found


def isolate(options: dict[str, Any]) -> bool | Limits:
    """Return the parameter of the library that :data:`isolation_options` mean. Raises :class:`LabelingError`."""
    limits = {name: options[name] for name in options_of(Limits) if options[name] is not None}
    return Limits(**limits) if limits else bool(options["isolate"])


def labeler(options: dict[str, Any]) -> Labeler:
    """Make the labeler from the configuration file and the options, which outrank it. Raises :class:`LabelingError`."""
    from labeling.labeler import Labeler

    _require_both(options)
    file = config.chosen(options["config"]) or config.Config(Path(NAME))
    arguments = file.labeler_arguments(given(options))
    if "producer" not in arguments:
        raise LabelingError("no producer", hint="give --producer CODE, or write it down once with aigc-label init")
    return Labeler(**arguments)


def signer(options: dict[str, Any]) -> Signer | None:
    """Return the C2PA signer that the options name, if any. Raises :class:`LabelingError`."""
    _require_both(options)
    files = given(options).get(SignerFiles, {})
    return config.signer(**files) if "cert" in files else None


def _require_both(options: dict[str, Any]) -> None:
    if bool(options["signer_cert"]) != bool(options["signer_key"]):
        raise LabelingError("signing needs both --signer-cert and --signer-key")


def propagation_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Return the library verb's arguments for :data:`propagation_options`. Raises :class:`LabelingError`."""
    same = {name: options[name] for name in ("in_place", "dry_run", "strict", "keep_times")}
    return {"target": options["out"], "signer": signer(options), **same}


def ledger_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option that names the ledger, the same for every command that uses one."""
    return click.option(
        "--ledger", "ledger", metavar="PATH|URL", envvar="AIGC_LABEL_LEDGER", help="Ledger: a file or database URL."
    )(function)


def configured_ledger(where: str | None, file: Path | None) -> str | None:
    """Return the ledger that the option, the environment or the configuration file names, if any does."""
    if where:
        return where
    found = config.chosen(file)
    return found.ledger() if found is not None else None


def configured_retention(file: Path | None) -> int | None:
    """Return for how many days the configuration file wants records to be kept, if it says so."""
    found = config.chosen(file)
    return found.retention() if found is not None else None
