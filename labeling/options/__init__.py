"""Every option of a labeler, declared once.

The fields of the dataclasses here declare an option's type, default, bounds and one line of help, its table and key in
``aigc-label.toml``, and its option on the command line. :mod:`labeling.config` derives the configuration file from
them, the command line its options, and ``labeling.cli`` the option that stands for a parameter in a message. Importing
this package loads no library but the standard one.
"""

from __future__ import annotations

from labeling.options.declare import Option, options_of
from labeling.options.files import LedgerFile, SecurityFiles, SignerFiles, SystemFacts
from labeling.options.labeler import LabelerOptions
from labeling.options.style import Style
from labeling.options.verifying import Verifying
from labeling.options.video import VideoOptions

__all__ = [
    "DECLARING",
    "LabelerOptions",
    "LedgerFile",
    "Option",
    "SecurityFiles",
    "SignerFiles",
    "Style",
    "SystemFacts",
    "Verifying",
    "VideoOptions",
    "options_of",
]

DECLARING: tuple[type, ...] = (
    *(SignerFiles, LabelerOptions, Style, VideoOptions, SecurityFiles, LedgerFile, SystemFacts),
)
"""The dataclasses that declare options, in the order in which they share a table of the configuration file."""
