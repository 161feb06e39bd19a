"""What a run leaves at its end: the summary and the page, and copies of all in a target that is elsewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from labeling.atomic_writes import write_atomically
from labeling.batch.failed_list import FAILED, write_failed_list
from labeling.batch.journal import Journal
from labeling.batch.options import Language
from labeling.batch.remote_state import RemoteState
from labeling.batch.state_files import RESULTS
from labeling.batch.summary import Summary, to_json
from labeling.batch.task import Mode
from labeling.errors import LabelingError
from labeling.reports.batch_page import to_html

SUMMARY, PAGE = "summary.json", "report.html"


def summarize(journal: Journal, mode: Mode, profiles: Sequence[str], started: datetime) -> Summary:
    """Sum up all results.

    Args:
        journal: The journal, compacted.
        mode: What the run did with the files.
        profiles: The profiles that it was asked for.
        started: When this session began.

    Raises:
        LabelingError: The results are not those of the journal.
    """
    summary = Summary(mode, profiles)
    session_start = started.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    for line in journal.lines():
        try:
            record = json.loads(line)
        except ValueError:
            raise LabelingError(
                "results and journal do not belong together", path=journal.folder, hint="see `restart`"
            ) from None
        summary.add(record, earlier=record["time"] < session_start)
    return summary


def write_report(
    folder: Path, journal: Journal, summary: dict[str, Any], language: Language, remote: RemoteState | None
) -> None:
    """Write the summary and the page, and put copies into a target that is not local.

    Args:
        folder: The run's folder.
        journal: The journal.
        summary: What :meth:`Summary.to_dict` gave. The names of the files are added to it.
        language: The language of the page.
        remote: The run's folder in a target that is not local.
    """
    names = {"results": RESULTS, "summary": SUMMARY, "page": PAGE, "failed": FAILED}
    summary["files"] = {key: str(folder / name) for key, name in names.items()}
    write_failed_list(folder / FAILED, journal)
    write_atomically(folder / SUMMARY, [to_json(summary).encode()])
    write_atomically(folder / PAGE, [to_html(summary, language=language).encode("utf-8", "backslashreplace")])
    if remote is not None:
        remote.complete(journal, [folder / name for name in (SUMMARY, PAGE, FAILED)])
