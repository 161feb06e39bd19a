"""What ``aigc-label batch`` does with its files: label, convert or verify; and which options belong to which."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeling.errors import LabelingError
from labeling.options import DECLARING, LabelerOptions, SignerFiles, options_of
from labeling.options.conversion import ConversionOptions

from . import _common, _options

if TYPE_CHECKING:
    from labeling.marks.credentials import Signer

_SIGNING = tuple(_options.destination(option) for option in options_of(SignerFiles).values())
_LABELLING = {_options.destination(option) for each in DECLARING for option in options_of(each).values()}
_SHARED = ("quality", "profile", "max_pixels", "strict", "keep_times")
_KEPT = {_options.destination(options_of(LabelerOptions)[name]) for name in _SHARED}
_NOT_CONVERTING = (_LABELLING - _KEPT - set(_SIGNING)) | {
    "config",
    "content_id",
    "trust",
    "everywhere",
    "min_confidence",
    "no_isolate",
}
"""Options that a conversion does not take."""


def flag_of(name: str) -> str:
    """Return the flag of a parameter."""
    return f"--{name.replace('_', '-')}"


def mode_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Return the library's arguments that say what is done with the files. Raises :class:`LabelingError`."""
    _require_one_mode(options)
    if options["verifying"]:
        return _verify_arguments(options)
    return _convert_arguments(options) if options["converting"] else _label_arguments(options)


def _require_one_mode(options: dict[str, Any]) -> None:
    """Raise :class:`LabelingError` if options were given that do not belong together."""
    converts = options["converting"]
    if converts and options["verifying"]:
        raise LabelingError("--convert and --verify are two runs", hint="convert first, then verify the target")
    if not converts:
        for name in options_of(ConversionOptions):
            if options[name] is not None:
                raise LabelingError(f"{flag_of(name)} belongs to --convert", hint="add --convert, or leave it out")
        return
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if given and name in _NOT_CONVERTING:
            flag = max(parameter.opts, key=len)
            hint = "a conversion adds no label, and takes the options of aigc-label convert"
            raise LabelingError(f"{flag} does not go with --convert", hint=hint)


def _convert_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Return how to convert. Raises :class:`LabelingError`."""
    from labeling.batch import Conversion

    for name in ("signer_cert", "signer_key"):
        if options[name] is not None:
            options[name] = Path(options[name]).absolute()  # a worker may have another working directory
    keys = {name: options[name] for name in _SIGNING}
    names = (*options_of(ConversionOptions), *_SHARED)
    given = {name: options[name] for name in names if options[name] is not None}
    signer = partial(_signer, keys) if _options.signer(options) is not None else None
    return {"convert": Conversion(signer=signer, **given)}


def _signer(options: dict[str, Any]) -> Signer:
    """Make the signer that the options name, in the process that uses it. Raises :class:`LabelingError`."""
    signer = _options.signer(options)
    assert signer is not None
    return signer


def _label_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Return how to label: a function that each worker calls to make its labeler."""
    from labeling.config import chosen

    for name in ("config", "signer_cert", "signer_key", "font", "logo"):
        if options[name] is not None:
            options[name] = Path(options[name]).absolute()  # a worker may have another working directory
    if options["config"] is None and (found := chosen(None)):
        options["config"] = found.path.absolute()
    return {"labeler": partial(_options.labeler, options)}


def _verify_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Return how to verify. Raises :class:`LabelingError`."""
    from labeling.batch import Check
    from labeling.trust import load

    check = Check(
        profile=(options["profile"] or "cn",),
        visible=not options["no_visible"],
        trust=load(options["trust"], note=_common.complain),
        max_pixels=options["max_pixels"],
        everywhere=options["everywhere"],
        min_confidence=options["min_confidence"] or 0.0,
        isolate=False if options["no_isolate"] else None,
    )
    return {"verify": check}
