"""What a run leaves at its end: the summary and the page, and copies of all in a target that is elsewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from labeling.batch import local_copies
from labeling.batch.failed_list import FAILED, write_failed_list
from labeling.batch.journal import JOURNAL, RESULTS, Journal
from labeling.batch.options import Language
from labeling.batch.remote_storage import RemoteStorage
from labeling.batch.storage import Storage
from labeling.batch.summary import Summary, to_json
from labeling.batch.task import Mode
from labeling.errors import LabelingError
from labeling.files import write_atomically
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
    folder: Path, output: Storage, journal: Journal, summary: dict[str, Any], language: Language, place: str
) -> None:
    """Write the summary and the page, and put copies into a target that is not local.

    Args:
        folder: The run's folder.
        output: The target, or the source if files are labelled in place.
        journal: The journal.
        summary: What :meth:`Summary.to_dict` gave. The names of the files are added to it.
        language: The language of the page.
        place: The folder for the copies, in the target.
    """
    names = {"results": RESULTS, "summary": SUMMARY, "page": PAGE, "failed": FAILED}
    summary["files"] = {key: str(folder / name) for key, name in names.items()}
    write_failed_list(folder / FAILED, journal)
    write_atomically(folder / SUMMARY, [to_json(summary).encode()])
    write_atomically(folder / PAGE, [to_html(summary, language=language).encode("utf-8", "backslashreplace")])
    if isinstance(output, RemoteStorage):
        with local_copies.temporary_folder() as temporary:
            journal_copy = temporary / JOURNAL
            journal.copy(journal_copy)
            others = (folder / name for name in (SUMMARY, PAGE, FAILED))
            for local in (folder / RESULTS, journal_copy, *others):
                output.upload(local, f"{place}/{local.name}", keep=True)


def fetch_journal(folder: Path, output: Storage, place: str) -> None:
    """Fetch journal and results from a target that is not local, unless the folder has a journal.

    Args:
        folder: The run's folder.
        output: The target.
        place: The folder of the copies, in the target.
    """
    if isinstance(output, RemoteStorage) and not (folder / JOURNAL).exists():
        for name in (RESULTS, JOURNAL):  # in this order: a journal without its results would be useless
            output.download(f"{place}/{name}", folder / name)
