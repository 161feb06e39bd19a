"""``aigc-label ledger``: the twin of :class:`labeling.ledger.Ledger`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from labeling.errors import LabelingError
from labeling.inert import inert, to_json

from . import _common, _ledger_moves, _options, _output
from ._ledger_moves import DEFAULT
from ._terminal import document, line

if TYPE_CHECKING:
    from labeling.ledger import Ledger, Match, Record, Verification

RETENTION_DAYS = 184
"""The six months of the Labelling Measures (Art. 9), whichever they are."""

_SHOWN = 20
"""Discrepancies that the table prints."""


@click.group("ledger")
def command() -> None:
    """Keep and search a record of the labels that were given: who got what, when, and under which content id.

    A ledger is an SQLite file or a PostgreSQL database (postgresql://USER:PASSWORD@HOST/DATABASE). "add" and
    "batch" write to it with --ledger. Each record holds the hash of the one before, so that "verify" finds whatever
    was changed later. Without --ledger, the ledger is the one in AIGC_LABEL_LEDGER, in aigc-label.toml ([ledger]
    url), or ./aigc-label-ledger.db.

    \b
    Examples:
      aigc-label add photo.png --ledger ledger.db
      aigc-label ledger find downloaded.jpg --ledger ledger.db
      aigc-label ledger show 0198a3c5-7b1e-7d2a-9c44-1f0e5a6b7c8d
      aigc-label ledger export --since 2026-01-01 --format csv -o records.csv
      aigc-label ledger verify --head 9f2c…

    Exit codes: 0 found, or intact; 1 not found, or altered; 2 wrong usage; 3 a file or the ledger could not be read.
    """


command.add_command(_ledger_moves.import_command)
command.add_command(_ledger_moves.vacuum)


@contextmanager
def _opened(where: str | None, config: Path | None) -> Iterator[Ledger]:
    """Open the ledger, which must exist. An error ends the command."""
    from labeling.ledger import Ledger

    try:
        with Ledger.open(_options.configured_ledger(where, config) or DEFAULT, create=False) as ledger:
            yield ledger
    except LabelingError as error:
        _common.fail(error)


@command.command("find")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@_options.ledger_option
@_options.config_option
@click.option("--distance", type=click.IntRange(-1, 256), metavar="BITS",
              help="Bits, of 256, in which whole pictures may differ (default 28); -1: not by looks.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["table", "json", "jsonl"]), default="table", show_default=True,
              help="Output format.")  # fmt: skip
@_options.max_pixels_option
def find(
    files: tuple[str, ...],
    ledger: str | None,
    config: Path | None,
    distance: int | None,
    form: str,
    max_pixels: int | None,
) -> None:
    """Find the records of files: by their bytes, the content id in them, or what the picture looks like.

    The last finds a picture that was scaled, re-encoded, cropped, framed, mirrored or turned.

    \b
    Examples:
      aigc-label ledger find downloaded.jpg
      aigc-label ledger find *.jpg --distance 20 --format json
    """
    code = 0
    more = {} if distance is None else {"distance": distance}
    answers: list[dict[str, Any]] = []
    with _opened(ledger, config) as opened:
        for path in _common.expand(files):
            try:
                matches = opened.find(path, max_pixels=max_pixels, **more)
            except LabelingError as error:
                _common.complain(error, path)
                code = max(code, error.exit_code)
                continue
            code = code if matches else max(code, 1)
            if form == "table":
                _show_matches(path, matches)
            else:
                answers.append({"path": str(path), "matches": [_match(match) for match in matches]})
    _print_json(answers, form)
    raise SystemExit(code)


@command.command("show")
@click.argument("content_id", metavar="CONTENT-ID")
@_options.ledger_option
@_options.config_option
@click.option("--format", "form", type=click.Choice(["table", "json", "jsonl"]), default="table", show_default=True,
              help="Output format.")  # fmt: skip
def show(content_id: str, ledger: str | None, config: Path | None, form: str) -> None:
    """Show every record of a content id, oldest first.

    \b
    Examples:
      aigc-label ledger show 0198a3c5-7b1e-7d2a-9c44-1f0e5a6b7c8d --format json
    """
    with _opened(ledger, config) as opened:
        records = opened.show(content_id)
    if form != "table":
        _print_json([record.to_dict() for record in records], form)
    elif not records:
        line(f"no record of {inert(content_id)}")
    for record in records if form == "table" else ():
        _show_record(record)
    raise SystemExit(0 if records else 1)


@command.command("export")
@_options.ledger_option
@_options.config_option
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True,
              help="jsonl has everything that is hashed; csv is for spreadsheets.")  # fmt: skip
@click.option("--since", type=click.DateTime(), help="Records from this time on (UTC).")
@click.option("--until", type=click.DateTime(), help="Records before this time (UTC).")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Write to this file, for its owner only.")
def export(
    ledger: str | None, config: Path | None, form: str, since: datetime | None, until: datetime | None, out: Path | None
) -> None:
    """Write all records, or those of a period, in order: for auditors, and as a copy to keep elsewhere.

    \b
    Examples:
      aigc-label ledger export -o records.jsonl
      aigc-label ledger export --since 2026-01-01 --until 2026-07-01 --format csv -o records.csv
    """
    from labeling import atomic_writes

    if out is not None:
        _output.check_replaceable(out)
    with _opened(ledger, config) as opened:
        records = opened.export(since=since and since.replace(tzinfo=UTC), until=until and until.replace(tzinfo=UTC))
        if out is None:
            _write(records, form, sys.stdout)
        else:
            with atomic_writes.staged(out, mode=0o600) as path, path.open("w", encoding="utf-8", newline="") as file:
                _write(records, form, file)


@command.command("prune")
@_options.ledger_option
@_options.config_option
@click.option("--older-than", type=click.IntRange(0), metavar="DAYS",
              help="Remove what is older (default: [ledger] retention of the configuration, or 184).")  # fmt: skip
@click.option("--force", is_flag=True,
              help="Remove younger records than the configuration or the Labelling Measures allow.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
def prune(ledger: str | None, config: Path | None, older_than: int | None, force: bool, dry_run: bool) -> None:
    """Remove records that need not be kept any longer, and append a record that says so.

    Records must be kept for at least six months (Labelling Measures Art. 9): less is refused without --force, and so is
    less than [ledger] retention of the configuration.

    \b
    Examples:
      aigc-label ledger prune --older-than 365
      aigc-label ledger prune --dry-run
    """
    try:
        policy = _options.configured_retention(config)
    except LabelingError as error:
        _common.fail(error)
    days = older_than if older_than is not None else policy or RETENTION_DAYS
    if policy is not None and days < policy and not force:
        _common.fail(
            LabelingError(
                f"records are kept for {policy} days by [ledger] retention of the configuration; {days} days are less",
                hint="change it there, or use --force",
            )
        )
    if older_than is None and days < RETENTION_DAYS and not force:
        _common.fail(
            LabelingError(
                f"[ledger] retention of the configuration is {days} days; records must be kept for six months "
                "(Labelling Measures Art. 9)",
                hint="raise it there, or use --force if you are sure that this does not apply to you",
            )
        )
    with _opened(ledger, config) as opened:
        pruned = opened.prune(timedelta(days=days), force=force, dry_run=dry_run)
    if not pruned.count:
        line(f"no record is older than {days} days")
    elif pruned.record is None:
        are = "is" if pruned.count == 1 else "are"
        line(f"{_records(pruned.count)}, up to number {pruned.upto}, {are} older than {days} days; nothing was removed")
    else:
        line(f"removed {_records(pruned.count)}, up to number {pruned.upto}; record {pruned.record.seq} says so")


@command.command("verify")
@_options.ledger_option
@_options.config_option
@click.option("--head", metavar="HASH", help="Hash of a record, kept elsewhere: it must be in the chain.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
              help="Output format.")  # fmt: skip
def verify(ledger: str | None, config: Path | None, head: str | None, form: str) -> None:
    """Check the whole chain of records: none altered, removed, inserted or moved.

    A record with an earlier time than the one before it is noted: a clock was set back. That is no alteration.

    Whoever can write to the database can recompute the whole chain; only a hash kept elsewhere reveals that.
    Keep the head that this command prints, and pass it to --head the next time.

    \b
    Examples:
      aigc-label ledger verify
      aigc-label ledger verify --head 9f2c…
    """
    if head is not None and (len(head) != 64 or not set(head.lower()) <= set("0123456789abcdef")):
        _common.fail(
            LabelingError("--head takes 64 hexadecimal digits: a head that verify printed, or a record's hash")
        )
    with _opened(ledger, config) as opened:
        verification = opened.verify(head and head.lower())
    if form == "json":
        document(to_json(_verification(verification), indent=1) + "\n")
    else:
        _show_verification(verification)
    raise SystemExit(0 if verification.intact else 1)


# --- forms ------------------------------------------------------------------------------------------------------------


def _match(match: Match) -> dict[str, Any]:
    seen = match.resemblance
    points = None if seen is None else {**asdict(seen), "same": seen.same}
    return {"by": match.by, "distance": match.distance, "resemblance": points, "record": match.record.to_dict()}


def _verification(verification: Verification) -> dict[str, Any]:
    discrepancies, notes = (
        [{"seq": each.seq, "message": each.message} for each in some]
        for some in (verification.discrepancies, verification.notes)
    )
    return {
        "intact": verification.intact,
        "count": verification.count,
        "first": verification.first,
        "last": verification.last,
        "head": verification.head,
        "findings": discrepancies,
        "count_findings": verification.discrepancy_count,
        "notes": notes,
        "count_notes": verification.note_count,
        "imported": [asdict(chain) for chain in verification.imported],
    }


def _print_json(answers: list[dict[str, Any]], form: str) -> None:
    """Print the answers as JSON or JSON Lines; nothing for the table."""
    if form == "json":
        document(to_json(answers, indent=1) + "\n")
    elif form == "jsonl":
        for answer in answers:
            document(to_json(answer) + "\n")


def _write(records: Iterable[Record], form: str, out: TextIO) -> None:
    """Write one record at a time: a ledger may be larger than memory."""
    if form == "jsonl":
        for record in records:
            out.write(to_json(record.to_dict()) + "\n")
        return
    from labeling.ledger.entry import Record, fields_json
    from labeling.reports.plain import cell, table_writer

    writer = table_writer(out)
    writer.writerow([each.name for each in fields(Record)])
    for record in records:
        texts = {"fields": fields_json(record.fields), "details": record.details and fields_json(record.details)}
        row = record.to_dict() | texts
        writer.writerow(["" if value is None else cell(str(value)) for value in row.values()])


def _show_matches(path: Path, matches: list[Match]) -> None:
    from labeling.ledger.recorded import how_alike

    line(inert(str(path)), bold=True)
    if not matches:
        line("  no record")
    for match in matches:
        record = match.record
        line(f"  record {record.seq} by {', '.join(filter(None, (match.by, how_alike(match))))}")
        content_id = f"content id {inert(record.content_id)}, " if record.content_id else ""
        line(f"    {content_id}{record.time}, {_description(record)}")


def _description(record: Record) -> str:
    parts = [record.profile, record.output or record.media_type]
    if record.kind == "decision":
        details = record.details or {}
        parts.append(f"decision: {details.get('decision') or 'not known'}")
        if details.get("reviewer"):
            parts.append(f"by {details['reviewer']}, automatic: {details.get('automatic') or 'not known'}")
    if record.recipient is not None:
        parts.append(f"without the explicit label, to {record.recipient}")
    if record.agreement is not None:
        parts.append(f"agreement {record.agreement}")
    return ", ".join(inert(part) for part in parts if part)


def _show_record(record: Record) -> None:
    line(f"record {record.seq}", bold=True)
    for name, value in record.to_dict().items():
        if isinstance(value, dict):
            for key, text in value.items():
                line(f"  {inert(str(key))} = {inert(str(text))}")
        elif value not in (None, ""):
            line(f"  {name}: {inert(str(value))}")


def _show_verification(verification: Verification) -> None:
    for prefix, some, count in (
        ("", verification.discrepancies, verification.discrepancy_count),
        ("note: ", verification.notes, verification.note_count),
    ):
        for each in some[:_SHOWN]:
            line(prefix + inert(each.message))
        if count > _SHOWN:
            line(f"{prefix}… {count - _SHOWN} more")
    for chain in verification.imported:
        line(f"imported chain {inert(chain.id[:12])}…: {_records(chain.count)}, {chain.first} to {chain.last}")
        line(f"  head {inert(chain.head)}")
    kept = _records(verification.count)
    if verification.count:
        kept += f", {verification.first} to {verification.last}"
    state, color = ("intact", "green") if verification.intact else ("ALTERED", "red")
    line(f"{state}: {kept}", bold=True, fg=color)
    line(f"head {inert(verification.head)}")


def _records(count: int) -> str:
    return f"{count} record{'s' if count != 1 else ''}"
