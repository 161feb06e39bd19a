"""What ``aigc-label batch`` does with its files: label, convert or verify; and which options belong to which."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
_OWN = {"resize": "--convert", "format": "--convert"} | dict.fromkeys(
    ("propagator", "security", "notice"), "--propagate"
)
"""Options that belong to one mode."""

_CHOOSABLE = (
    _LABELLING | set(_SIGNING) | {"config", "content_id", "trust", "everywhere", "min_confidence", "no_isolate"}
)
_NOT_TAKEN = {
    "--convert": _CHOOSABLE - _KEPT - set(_SIGNING),
    "--propagate": _CHOOSABLE - _KEPT - set(_SIGNING) - {"config", "trust", "no_isolate", "no_visible"} | {"quality"},
    "--transplant": _CHOOSABLE - _KEPT - set(_SIGNING) - {"config"} | {"quality", "max_pixels"},
}
"""Options that are for labelling or verifying, by the mode that does not take them."""

_FLAGS = {
    "converting": "--convert",
    "verifying": "--verify",
    "propagating": "--propagate",
    "transplant": "--transplant",
}


def flag_of(name: str) -> str:
    """Return the flag of a parameter."""
    return f"--{name.replace('_', '-')}"


def mode_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Return the library's arguments that say what is done with the files. Raises :class:`LabelingError`."""
    mode = _mode(options)
    _require_together(options, mode)
    return _ARGUMENTS[mode](options)


def _mode(options: dict[str, Any]) -> str:
    """Return the flag of what is done; "" for labelling. Raises :class:`LabelingError` if two are given."""
    given = [flag for name, flag in _FLAGS.items() if options[name] not in (False, None)]
    if len(given) > 1:
        raise LabelingError(f"{given[0]} and {given[1]} are two runs", hint="do one after the other")
    return given[0] if given else ""


def _require_together(options: dict[str, Any], mode: str) -> None:
    """Raise :class:`LabelingError` if options were given that do not belong together."""
    for name, own in _OWN.items():
        if options[name] not in (False, None) and own != mode:
            raise LabelingError(f"{flag_of(name)} belongs to {own}", hint=f"add {own}, or leave it out")
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if given and name in _NOT_TAKEN.get(mode, ()):
            flag = max(parameter.opts, key=len)
            hint = f"it is for labelling or verifying, and takes no part in what {mode} does"
            raise LabelingError(f"{flag} does not go with {mode}", hint=hint)


def _convert_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Return how to convert. Raises :class:`LabelingError`."""
    from labeling.batch import Conversion

    names = (*options_of(ConversionOptions), *_SHARED)
    return {"convert": Conversion(signer=_signer_maker(options), **_given(options, names))}


def _propagate_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Return how to label what others have made. Raises :class:`LabelingError`."""
    from labeling.batch import Propagation
    from labeling.trust import load

    propagation = Propagation(
        propagator=options["propagator"] or "",
        security=options["security"] or "",
        notice=options["notice"],
        signer=_signer_maker(options),
        visible=not options["no_visible"],
        trust=load(options["trust"], note=_common.complain),
        isolate=False if options["no_isolate"] else None,
        **_given(options, ("profile", "max_pixels", "strict", "keep_times")),
    )
    return {"propagate": propagation}


def _transplant_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Return where the labels of copies come from. Raises :class:`LabelingError`."""
    from labeling.batch import Transplantation

    given = _given(options, ("profile", "strict", "keep_times"))
    return {"transplant": Transplantation(labelled=options["transplant"], signer=_signer_maker(options), **given)}


def _given(options: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: options[name] for name in names if options[name] is not None}


def _signer_maker(options: dict[str, Any]) -> Callable[[], Signer] | None:
    """Return what makes the signer in each worker, if one is named. Raises :class:`LabelingError`."""
    for name in ("signer_cert", "signer_key"):
        if options[name] is not None:
            options[name] = Path(options[name]).absolute()  # a worker may have another working directory
    keys = {name: options[name] for name in _SIGNING}
    return partial(_signer, keys) if _options.signer(options) is not None else None


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


_ARGUMENTS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "": _label_arguments,
    "--verify": _verify_arguments,
    "--convert": _convert_arguments,
    "--propagate": _propagate_arguments,
    "--transplant": _transplant_arguments,
}
