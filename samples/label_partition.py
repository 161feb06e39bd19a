"""What a process of Spark, Dask or another framework does with its part of the files: a label and a row for each.

A process makes one labeler, from a configuration file that it reads itself, so that no key travels. What goes wrong
with a file is in its row. A part may be repeated, as frameworks do after a failure: a file has the same content id each
time, and an output that is there and recorded stays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import labeling
from labeling.ledger import Entry, Ledger, entry_of

AT_ONCE = 64
"""Labels that are recorded in one transaction."""


class Row(NamedTuple):
    path: str
    status: str  # labelled, refused, unsupported or failed
    content_id: str = ""
    sha256: str = ""  # of the output
    error: str = ""


@cache
def labeler(config: str) -> labeling.Labeler:
    return labeling.Labeler.from_config(config)


@cache
def open_ledger(url: str) -> Ledger:
    return Ledger.open(url)


def label_partition(paths: Iterable[str], source: str, target: str, config: str, ledger: str = "") -> Iterator[Row]:
    """Label files of ``source``, given by their paths in it, into ``target``.

    Labels are in the ledger, if there is one, before their rows are returned. SQLite is for the processes of one
    machine, PostgreSQL for those of many.
    """
    remaining = iter(paths)
    while several := list(islice(remaining, AT_ONCE)):
        done = [_label(path, Path(source), Path(target), labeler(config), ledger) for path in several]
        if ledger:
            open_ledger(ledger).append([entry for _, entry in done if entry is not None])
        yield from (row for row, _ in done)


def _label(path: str, source: Path, target: Path, maker: labeling.Labeler, ledger: str) -> tuple[Row, Entry | None]:
    output = target / path
    try:
        content_id = hashlib.sha256(f"{path}\n{_sha256(source / path)}".encode()).hexdigest()[:32]
        if output.exists():
            if not _is_ours(output, maker, content_id):
                return Row(path, "refused", error="something else has the output's name"), None
            digest = _sha256(output)
            recorded = open_ledger(ledger).by_keys([content_id]).get(content_id) if ledger else None
            if not ledger or (recorded is not None and recorded.sha256 == digest):
                return Row(path, "labelled", content_id, digest), None
        output.parent.mkdir(parents=True, exist_ok=True)
        labelled = maker.label_file(source / path, output, content_id=content_id)
        entry = entry_of(labelled, source=path, key=content_id) if ledger else None
        return Row(path, "labelled", content_id, entry.sha256 if entry else _sha256(output)), entry
    except labeling.LabelConflict as error:
        return Row(path, "refused", error=str(error)), None
    except labeling.UnsupportedFormat as error:
        return Row(path, "unsupported", error=str(error)), None
    except (labeling.LabelingError, OSError) as error:
        return Row(path, "failed", error=str(error)), None


def _is_ours(output: Path, maker: labeling.Labeler, content_id: str) -> bool:
    report = labeling.verify(output, visible=False, trust="none")
    found = [finding.value for finding in report.findings if finding.kind == "aigc"]
    return any((each.get("ContentProducer"), each.get("ProduceID")) == (maker.producer, content_id) for each in found)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def listed(source: str) -> list[str]:
    """The paths of all files in a folder, in an order that is always the same."""
    return sorted(path.relative_to(source).as_posix() for path in Path(source).rglob("*") if path.is_file())
