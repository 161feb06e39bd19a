"""The finding on a visible label that nobody looked for, because the file was not decoded."""

from __future__ import annotations

from labeling.errors import LabelingError, MissingDependency, TooLarge
from labeling.findings import Defect, Finding, Signature, Status
from labeling.marks.visible.engine import OcrFailed
from labeling.rule_catalogue import defect, rule_named


def undecoded(error: LabelingError, what: str, medium: str) -> Finding:
    """Return an ``unreadable`` finding, which makes the verdict inconclusive where the label matters.

    Args:
        error: Why. :class:`MissingDependency` and :class:`OcrFailed` say that the file is not at fault.
        what: What was to be decoded, with its article.
        medium: image, video, audio or text: what asks for the label depends on it.
    """
    if isinstance(error, OcrFailed):
        why = defect("FILE-UNCHECKED", f"the visible label was not looked for: {error.reason}")
    elif isinstance(error, MissingDependency):
        why = _defect("FILE-DECODER", f"the visible label was not looked for: {error.reason}", medium)
    elif isinstance(error, TooLarge):
        why = _defect("FILE-PIXELS", f"the pixels were not looked at: {error.reason}", medium)
    else:
        said = str(error)
        fails = said if said.startswith("cannot be decoded") else f"could not be decoded: {said}"
        why = _defect("FILE-PIXELS", f"{what} {fails}", medium)
    return Finding("visible", Status.UNREADABLE, "", {}, Signature.NONE, (why,))


def _defect(rule: str, message: str, medium: str) -> Defect:
    return defect(rule, message, clause=rule_named(rule).clause_for(medium))


def unrendered(format: str, medium: str) -> Finding:
    """Return the finding on a file of a format that is not rendered here, such as a document."""
    message = f"files of the format {format} are not rendered, so no visible label was looked for"
    return Finding("visible", Status.UNREADABLE, "", {}, Signature.NONE, (_defect("FILE-PIXELS", message, medium),))
