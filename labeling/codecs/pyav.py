"""PyAV (FFmpeg): an optional library, because its wheels hold encoders under the GPL."""

from __future__ import annotations

import importlib.util

from labeling.errors import MissingDependency

INSTALL = "pip install 'aigc-labeling[video]'"
WITHOUT = "label it without the visible text (`visible=False`)"
"""What labels a file without PyAV."""


def installed() -> bool:
    """Return whether PyAV is there, without importing it."""
    try:
        return importlib.util.find_spec("av") is not None
    except ValueError:  # sys.modules["av"] is None: some program keeps it out
        return False


def require(work: str, *, instead: str = "") -> None:
    """Import PyAV before work begins that needs it.

    Args:
        work: What needs it, as the subject of a sentence.
        instead: What the caller may do without it, as an imperative.

    Raises:
        MissingDependency: It is not installed, or cannot be loaded.
    """
    try:
        import av  # noqa: F401
    except ImportError as error:
        found = f", which cannot be loaded ({error})" if installed() else ""
        hint = INSTALL + (f", or {instead}" if instead else "")
        raise MissingDependency(f"{work} needs PyAV{found}", hint=hint) from error
