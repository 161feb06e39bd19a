"""Labels for AI-generated pictures, as the law asks: write them, and tell whether anybody's file carries them.

The verbs and nouns that users import. Nothing heavy is loaded until it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labeling._version import __version__

__all__ = [
    "Label",
    "LabelConflict",
    "LabeledFile",
    "LabeledImage",
    "Labeler",
    "LabelingError",
    "MissingDependency",
    "Origin",
    "ProviderCode",
    "Report",
    "Signer",
    "SigningError",
    "Style",
    "TooLarge",
    "Trust",
    "UnreadableFile",
    "UnsupportedFormat",
    "VideoOptions",
    "WriteError",
    "__version__",
    "inspect",
    "new_content_id",
    "propagate",
    "transplant",
    "verify",
]

_HOMES = {
    "labeling.errors": (
        "LabelingError",
        "LabelConflict",
        "MissingDependency",
        "SigningError",
        "TooLarge",
        "UnreadableFile",
        "UnsupportedFormat",
        "WriteError",
    ),
    "labeling.label": ("Label", "Origin", "ProviderCode", "new_content_id"),
    "labeling.pipelines.image": ("LabeledImage",),
    "labeling.labeler": ("Labeler",),
    "labeling.pipelines.video": ("VideoOptions",),
    "labeling.pipelines.output": ("LabeledFile",),
    "labeling.pipelines.propagation": ("propagate", "transplant"),
    "labeling.verification.report": ("Report",),
    "labeling.verification.inspection": ("inspect",),
    "labeling.verification.verifier": ("verify",),
    "labeling.marks.visible": ("Style",),
    "labeling.marks.credentials": ("Signer", "Trust"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

if TYPE_CHECKING:
    from labeling.errors import (
        LabelConflict,
        LabelingError,
        MissingDependency,
        SigningError,
        TooLarge,
        UnreadableFile,
        UnsupportedFormat,
        WriteError,
    )
    from labeling.label import Label, Origin, ProviderCode, new_content_id
    from labeling.labeler import Labeler
    from labeling.marks.credentials import Signer, Trust
    from labeling.marks.visible import Style
    from labeling.pipelines.image import LabeledImage
    from labeling.pipelines.output import LabeledFile
    from labeling.pipelines.propagation import propagate, transplant
    from labeling.pipelines.video import VideoOptions
    from labeling.verification.inspection import inspect
    from labeling.verification.report import Report
    from labeling.verification.verifier import verify


_PACKAGES = ("batch", "ledger")
"""Packages that are verbs of their own: ``labeling.batch.run`` works after ``import labeling``."""


def __getattr__(name: str) -> Any:
    import importlib

    if name in _PACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
