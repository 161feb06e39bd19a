"""Reports in every form: for programs (json, jsonl, csv, sarif) and for people (html; the terminal's table is cli's).

A new form is one module with a function from reports to text, and one row in ``_FORMS``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from labeling.errors import LabelingError

if TYPE_CHECKING:
    from labeling.reports.thumbnail import Exhibit
    from labeling.verification.report import Report

__all__ = ["FORMATS", "LANGUAGES", "render"]

LANGUAGES = ("en", "zh")

_FORMS = {
    "json": ("labeling.verification.report", "to_json"),
    "jsonl": ("labeling.verification.report", "to_jsonl"),
    "csv": ("labeling.verification.report", "to_csv"),
    "sarif": ("labeling.reports.sarif", "to_sarif"),
    "html": ("labeling.reports.html", "to_html"),
}

FORMATS = tuple(_FORMS)
"""The forms by name; each is imported when it is asked for."""


def render(
    form: str, reports: Iterable[Report], *, language: str = "en", exhibits: Sequence[Exhibit | None] = ()
) -> str:
    """The text of a report in one of :data:`FORMATS`.

    ``language`` (one of :data:`LANGUAGES`) and ``exhibits`` (see :func:`labeling.reports.thumbnail.exhibit`;
    in the order of the reports) are used by html alone: what programs parse stays English. Raises
    :class:`LabelingError` for a form or language that is none.
    """
    if form not in _FORMS:
        raise LabelingError(f"there is no report of the form {form!r}; known are {', '.join(_FORMS)}")
    if language not in LANGUAGES:
        raise LabelingError(f"there are no reports in {language!r}; known are {', '.join(LANGUAGES)}")
    module, name = _FORMS[form]
    write: Callable[..., str] = getattr(importlib.import_module(module), name)
    return write(reports, exhibits=exhibits, language=language) if form == "html" else write(reports)
