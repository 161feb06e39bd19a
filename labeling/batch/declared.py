"""What a file list says of an uploader's declaration (Labelling Measures Art. 6(2))."""

from __future__ import annotations

from labeling.errors import LabelingError

DECLARATIONS = {
    "yes": True, "true": True, "1": True, "是": True, "no": False, "false": False, "0": False, "否": False,
}  # fmt: skip
"""What a file list may say about a declaration, in any case."""


def declaration(text: str | None) -> bool | None:
    """Return what a file list says about a declaration. Raises :class:`LabelingError`."""
    if text is None:
        return None
    if (said := DECLARATIONS.get(text.strip().lower())) is None:
        raise LabelingError(f"`declared` is {text!r:.40} in the list", hint=f"known are {', '.join(DECLARATIONS)}")
    return said
