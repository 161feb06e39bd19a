"""The finding on a visible label that nobody looked for, because the file was not decoded."""

from __future__ import annotations

from labeling.errors import LabelingError, MissingDependency, TooLarge
from labeling.findings import Finding, Signature, Status
from labeling.marks.visible.engine import OcrFailed
from labeling.rule_catalogue import defect


def undecoded(error: LabelingError, what: str, clause: str) -> Finding:
    """Return an ``unreadable`` finding, which makes the verdict inconclusive where the label matters.

    Args:
        error: Why. :class:`MissingDependency` and :class:`OcrFailed` say that the file is not at fault.
        what: What was to be decoded, with its article.
        clause: The clause that asks for the label.
    """
    if isinstance(error, OcrFailed):
        why = defect("FILE-UNCHECKED", f"the visible label was not looked for: {error.reason}")
    elif isinstance(error, MissingDependency):
        why = defect("FILE-DECODER", f"the visible label was not looked for: {error.reason}", clause=clause)
    elif isinstance(error, TooLarge):
        why = defect("FILE-PIXELS", f"the pixels were not looked at: {error.reason}", clause=clause)
    else:
        why = defect("FILE-PIXELS", f"{what} could not be decoded: {error}", clause=clause)
    return Finding("visible", Status.UNREADABLE, "", {}, Signature.NONE, (why,))
