"""What a run returns at its end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeling.batch.state_files import RESULTS


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that has ended.

    Attributes:
        summary: What :meth:`labeling.batch.summary.Summary.to_dict` documents.
        folder: The folder with journal.sqlite, results.jsonl, summary.json and report.html.
        interrupted: Whether a signal ended the run.
    """

    summary: dict[str, Any]
    folder: Path
    interrupted: bool

    @property
    def exit_code(self) -> int:
        """The exit code of ``aigc-label batch``; 130 if the run was interrupted."""
        return 130 if self.interrupted else int(self.summary["exit_code"])

    @property
    def results(self) -> Path:
        """The results: a JSON object on each line, one for each file."""
        return self.folder / RESULTS

    @property
    def page(self) -> Path:
        """The report as an HTML page."""
        from labeling.batch.report import PAGE

        return self.folder / PAGE
