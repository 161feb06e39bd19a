"""Reports in every form: json, jsonl, csv and sarif for programs, html for people.

The table on the terminal is part of the command line. To add a form, write a module with a function from reports to
text and add a row to ``_FORMS``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from labeling.errors import LabelingError

if TYPE_CHECKING:
    from labeling.reports.file_evidence import FileEvidence
    from labeling.verification.report import Report

__all__ = ["FORMATS", "LANGUAGES", "render"]

LANGUAGES = ("en", "zh")

_FORMS = {
    "json": ("labeling.reports.plain", "to_json"),
    "jsonl": ("labeling.reports.plain", "to_jsonl"),
    "csv": ("labeling.reports.plain", "to_csv"),
    "sarif": ("labeling.reports.sarif", "to_sarif"),
    "html": ("labeling.reports.html", "to_html"),
}

FORMATS = tuple(_FORMS)
"""The forms by name; each is imported when it is used."""


def render(
    form: str, reports: Iterable[Report], *, language: str = "en", evidence: Sequence[FileEvidence | None] = ()
) -> str:
    """Return reports as text in one of the forms.

    Args:
        form: One of :data:`FORMATS`.
        reports: The reports, one for each file.
        language: One of :data:`LANGUAGES`. Only html is translated; the forms that programs parse stay English.
        evidence: SHA-256 and thumbnail of each file (:func:`labeling.reports.file_evidence.gather_evidence`), in the
            order of the reports. Only html shows them.

    Raises:
        LabelingError: The form or the language is not known.
    """
    if form not in _FORMS:
        raise LabelingError(f"`form` is {form!r}, which is not known", hint=f"known are {', '.join(_FORMS)}")
    if language not in LANGUAGES:
        raise LabelingError(f"`language` is {language!r}, which is not known", hint=f"known are {', '.join(LANGUAGES)}")
    module, name = _FORMS[form]
    write: Callable[..., str] = getattr(importlib.import_module(module), name)
    return write(reports, evidence=evidence, language=language) if form == "html" else write(reports)
