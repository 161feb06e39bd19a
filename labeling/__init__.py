"""Put the labels that the law asks for on AI-generated pictures, video and audio, and verify anybody's files.

Everything a user needs is here: ``import labeling`` and then ``labeling.verify``, ``labeling.Labeler`` and so on. A
name is loaded when it is first used, so that the import itself stays fast and needs no third-party library.
"""

import labeling._safe_start  # noqa: F401 - before anything that could be planted

# isort: split
from typing import TYPE_CHECKING

from labeling._version import __version__

__all__ = [
    "KINDS",
    "PROFILES",
    "Audio",
    "Classification",
    "Contradiction",
    "ConvertedFile",
    "Defect",
    "EvidenceItem",
    "Finding",
    "Frame",
    "InternalError",
    "Label",
    "LabelConflict",
    "LabeledFile",
    "LabeledImage",
    "LabeledVideoWriter",
    "Labeler",
    "LabelingError",
    "Limits",
    "Loss",
    "MissingDependency",
    "Origin",
    "Outcome",
    "Picture",
    "Profile",
    "ProviderCode",
    "Report",
    "SecurityKey",
    "Severity",
    "Signature",
    "Signer",
    "SigningError",
    "Sm2Key",
    "Source",
    "Status",
    "Style",
    "TooLarge",
    "Trust",
    "UnreadableFile",
    "UnsupportedFormat",
    "Verdict",
    "VideoOptions",
    "WouldLose",
    "WriteError",
    "__version__",
    "batch",
    "classify",
    "conformity",
    "convert",
    "fingerprint",
    "inspect",
    "ledger",
    "new_content_id",
    "propagate",
    "redact",
    "transplant",
    "verify",
]

if TYPE_CHECKING:
    # What checkers and editors see. tests/test_public_api.py compares it with _MODULE_OF below.
    from labeling import batch, fingerprint, ledger
    from labeling._types import Audio, Frame, Picture
    from labeling.conforming.measure import conformity
    from labeling.errors import (
        InternalError,
        LabelConflict,
        LabelingError,
        MissingDependency,
        SigningError,
        TooLarge,
        UnreadableFile,
        UnsupportedFormat,
        WouldLose,
        WriteError,
    )
    from labeling.files import Source
    from labeling.findings import KINDS, Defect, Finding, Severity, Signature, Status
    from labeling.label import Label, Origin, ProviderCode, new_content_id
    from labeling.labeler import Labeler
    from labeling.losses import Loss
    from labeling.marks.credentials import Signer, Trust
    from labeling.marks.security import SecurityKey, Sm2Key
    from labeling.options import Style, VideoOptions
    from labeling.options.isolation import Limits
    from labeling.pipelines.classification import Classification, classify
    from labeling.pipelines.conversion import ConvertedFile, convert
    from labeling.pipelines.labeled_image import LabeledImage
    from labeling.pipelines.output import LabeledFile
    from labeling.pipelines.propagation import propagate
    from labeling.pipelines.transplantation import transplant
    from labeling.pipelines.video_writer import LabeledVideoWriter
    from labeling.rules import PROFILES, Outcome, Profile, Verdict
    from labeling.verification.grounds import Contradiction, EvidenceItem
    from labeling.verification.inspection import inspect
    from labeling.verification.redaction import redact
    from labeling.verification.report import Report
    from labeling.verification.verifier import verify
else:
    # What runs. Hidden from checkers: a module-level __getattr__ would make them accept any name.
    _NAMES_IN = {
        "labeling": ("batch", "fingerprint", "ledger"),
        "labeling._types": ("Audio", "Frame", "Picture"),
        "labeling.errors": (
            "InternalError",
            "LabelConflict",
            "LabelingError",
            "MissingDependency",
            "SigningError",
            "TooLarge",
            "UnreadableFile",
            "UnsupportedFormat",
            "WouldLose",
            "WriteError",
        ),
        "labeling.files": ("Source",),
        "labeling.findings": ("KINDS", "Defect", "Finding", "Severity", "Signature", "Status"),
        "labeling.label": ("Label", "Origin", "ProviderCode", "new_content_id"),
        "labeling.labeler": ("Labeler",),
        "labeling.losses": ("Loss",),
        "labeling.marks.credentials": ("Signer", "Trust"),
        "labeling.marks.security": ("SecurityKey", "Sm2Key"),
        "labeling.options": ("Style", "VideoOptions"),
        "labeling.options.isolation": ("Limits",),
        "labeling.pipelines.classification": ("Classification", "classify"),
        "labeling.pipelines.conversion": ("ConvertedFile", "convert"),
        "labeling.pipelines.labeled_image": ("LabeledImage",),
        "labeling.pipelines.output": ("LabeledFile",),
        "labeling.pipelines.propagation": ("propagate",),
        "labeling.pipelines.transplantation": ("transplant",),
        "labeling.pipelines.video_writer": ("LabeledVideoWriter",),
        "labeling.rules": ("PROFILES", "Outcome", "Profile", "Verdict"),
        "labeling.verification.grounds": ("Contradiction", "EvidenceItem"),
        "labeling.verification.inspection": ("inspect",),
        "labeling.conforming.measure": ("conformity",),
        "labeling.verification.redaction": ("redact",),
        "labeling.verification.report": ("Report",),
        "labeling.verification.verifier": ("verify",),
    }
    _MODULE_OF = {name: module for module, names in _NAMES_IN.items() for name in names}

    def __getattr__(name: str) -> object:
        import importlib

        module = _MODULE_OF.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if module == __name__:
            return importlib.import_module(f"{module}.{name}")
        value = getattr(importlib.import_module(module), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted(__all__)
