"""Writes a report to standard output, or to a file that appears whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from labeling.errors import WriteError

from ._terminal import document

if TYPE_CHECKING:
    from labeling.reports.file_evidence import FileEvidence
    from labeling.verification.report import Report

FORMATS = ("table", "json", "jsonl", "csv", "sarif", "html")


_STARTS = (b"eyJ", b"{", b"[", b"<!doctype html", b"path,", b'"path",', b"seq,", b'"seq",', b"File ", "文件 ".encode())
"""How a report or an export begins, in every form."""


def check_replaceable(out: Path) -> None:
    """Refuse to replace a file that is no report: a ledger, a key, a picture, or somebody's notes.

    Raises:
        WriteError: It holds something else, or may not be replaced.
    """
    from labeling import atomic_writes

    atomic_writes.check_replaceable(out)
    try:
        with out.open("rb") as file:
            head = file.read(64)
    except FileNotFoundError:
        return
    except OSError as error:
        raise WriteError(f"cannot be looked at ({error.strerror})", path=out, hint="name another file") from error
    if head and not head.startswith(_STARTS):
        raise WriteError("holds something else than a report", path=out, hint="name another file, or move this one")


def check(out: Path | None, sources: Sequence[Path]) -> None:
    """Refuse a path for the report that cannot be meant, before the work is done."""
    from labeling.files import same_file

    if out is None:
        return
    if not out.parent.is_dir():
        raise WriteError(f"the folder {out.parent} does not exist", path=out, hint="create it first")
    if any(same_file(out, source) for source in sources):
        raise WriteError("is one of the files to verify", path=out, hint="name another file for the report")
    check_replaceable(out)


def emit(
    form: str,
    reports: list[Report],
    evidence: Sequence[FileEvidence | None],
    language: str,
    out: Path | None,
    sign: Callable[[bytes], bytes] | None = None,
) -> None:
    """Print the report, or write it to ``out``, with what ``sign`` returns beside it. Raises :class:`WriteError`."""
    if form == "table":
        from . import _table

        if out is None:
            _table.print_table(reports, language)
            return
        text = _table.table_text(reports, language)
    else:
        from labeling.reports import render

        text = render(form, reports, language=language, evidence=evidence)
    if out is None:
        document(text)
    else:
        from labeling.atomic_writes import write_atomically

        # A name that is not Unicode must not stop a report; \udcXX is a valid escape in JSON, too.
        data = text.encode("utf-8", "backslashreplace")
        signature = None if sign is None else sign(data)  # first: a report is not written that cannot be signed
        write_atomically(out, [data])
        if signature is not None:
            write_atomically(signature_of(out), [signature])


def signature_of(out: Path) -> Path:
    """Return the path of a report's signature: beside it."""
    from labeling.reports.signed import SUFFIX

    return Path(f"{out}{SUFFIX}")
