"""``aigc-label ledger``: the twin of :class:`labeling.ledger.Ledger`."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from labeling.errors import LabelingError

from . import _common

if TYPE_CHECKING:
    from labeling.ledger import Ledger, Match, Record, Verification

DEFAULT = "aigc-label-ledger.db"

_SHOWN = 20
"""Findings that are printed for people."""


@click.group("ledger")
def command() -> None:
    """Keep and search the record of labels that were given: who got what, when, and under which number.

    A ledger is an SQLite file or a PostgreSQL database (postgresql://USER:PASSWORD@HOST/DATABASE). "add --ledger"
    writes to it; each record holds the hash of the one before, so that "verify" finds whatever was changed afterwards.
    Where --ledger is not given, it is the one in AIGC_LABEL_LEDGER, in aigc-label.toml ([ledger] url), or
    ./aigc-label-ledger.db.

    \b
    Examples:
      aigc-label add photo.png --ledger ledger.db
      aigc-label ledger find downloaded.jpg --ledger ledger.db
      aigc-label ledger show 0198a3c5-7b1e-7d2a-9c44-1f0e5a6b7c8d
      aigc-label ledger export --since 2026-01-01 --format csv -o records.csv
      aigc-label ledger verify --head 9f2c…

    Exit codes: 0 found, or intact; 1 not found, or altered; 2 wrong usage; 3 a file or the ledger could not be read.
    """


def ledger_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Which ledger: the same for all who use one."""
    return click.option(
        "--ledger", "ledger", metavar="PATH|URL", envvar="AIGC_LABEL_LEDGER", help="Ledger: a file or database URL."
    )(function)


_config = click.option(
    "--config", type=click.Path(path_type=Path), help="Configuration file (default: ./aigc-label.toml)."
)


def configured(where: str | None, config: Path | None) -> str | None:
    """The ledger that is named by option, environment or configuration file. Raises :class:`LabelingError`."""
    from labeling import config as configuration

    if where:
        return where
    if config is None and not Path(configuration.NAME).is_file():
        return None
    return configuration.load(config or Path(configuration.NAME)).ledger()


@contextmanager
def _opened(where: str | None, config: Path | None) -> Iterator[Ledger]:
    """The ledger, which must be there already. What it raises ends the command."""
    from labeling.ledger import Ledger

    try:
        with Ledger.open(configured(where, config) or DEFAULT, create=False) as ledger:
            yield ledger
    except LabelingError as error:
        _common.fail(error)


@command.command("find")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@ledger_option
@_config
@click.option("--distance", type=click.IntRange(-1, 256),
              help="Bits, of 256, in which fingerprints may differ (default 28); -1: not by fingerprint.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["table", "json", "jsonl"]), default="table", show_default=True,
              help="Form of the answer.")  # fmt: skip
@click.option("--max-pixels", type=click.IntRange(1), help="Do not decode larger pictures (default 100 000 000).")
def find(
    files: tuple[str, ...],
    ledger: str | None,
    config: Path | None,
    distance: int | None,
    form: str,
    max_pixels: int | None,
) -> None:
    """Find the records of files: by their bytes, the content id in them, or what the picture looks like.

    The last finds a picture again whose metadata a platform removed, and which it scaled and coded anew.

    \b
    Examples:
      aigc-label ledger find downloaded.jpg
      aigc-label ledger find *.jpg --distance 20 --format json
    """
    code = 0
    more = {} if distance is None else {"distance": distance}
    answers: list[dict[str, Any]] = []
    with _opened(ledger, config) as book:
        for path in _common.expand(files):
            try:
                matches = book.find(path, max_pixels=max_pixels, **more)
            except LabelingError as error:
                _common.complain(error if str(path) in str(error) else f"{path}: {error}")
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
@ledger_option
@_config
@click.option("--format", "form", type=click.Choice(["table", "json", "jsonl"]), default="table", show_default=True,
              help="Form of the answer.")  # fmt: skip
def show(content_id: str, ledger: str | None, config: Path | None, form: str) -> None:
    """Show every record of a content id, oldest first.

    \b
    Examples:
      aigc-label ledger show 0198a3c5-7b1e-7d2a-9c44-1f0e5a6b7c8d --format json
    """
    with _opened(ledger, config) as book:
        records = book.show(content_id)
    if form != "table":
        _print_json([record.to_dict() for record in records], form)
    elif not records:
        click.echo(f"no record of {_clean(content_id)}")
    for record in records if form == "table" else ():
        _show_record(record)
    raise SystemExit(0 if records else 1)


@command.command("export")
@ledger_option
@_config
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True,
              help="jsonl has all that is hashed; csv is for spreadsheets.")  # fmt: skip
@click.option("--since", type=click.DateTime(), help="Records from this time on (UTC).")
@click.option("--until", type=click.DateTime(), help="Records before this time (UTC).")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Write to this file, for its owner only.")
def export(
    ledger: str | None, config: Path | None, form: str, since: datetime | None, until: datetime | None, out: Path | None
) -> None:
    """Write all records, or those of some time, in order: for auditors, and as a copy to keep elsewhere.

    \b
    Examples:
      aigc-label ledger export -o records.jsonl
      aigc-label ledger export --since 2026-01-01 --until 2026-07-01 --format csv -o records.csv
    """
    from labeling import files

    with _opened(ledger, config) as book:
        records = book.export(since=since and since.replace(tzinfo=UTC), until=until and until.replace(tzinfo=UTC))
        if out is None:
            _write(records, form, sys.stdout)
        else:
            with files.staged(out, mode=0o600) as path, path.open("w", encoding="utf-8", newline="") as file:
                _write(records, form, file)


@command.command("prune")
@ledger_option
@_config
@click.option("--older-than", type=click.IntRange(0), default=184, show_default=True, metavar="DAYS",
              help="Remove what is older than so many days.")  # fmt: skip
@click.option("--force", is_flag=True, help="Keep records for less than the six months of the Labelling Measures.")
def prune(ledger: str | None, config: Path | None, older_than: int, force: bool) -> None:
    """Remove records that need not be kept any more, and record that.

    Records are kept for six months at least (Labelling Measures Art. 9): less is refused without --force.

    \b
    Examples:
      aigc-label ledger prune --older-than 365
    """
    with _opened(ledger, config) as book:
        done = book.prune(timedelta(days=older_than), force=force)
    if done.record is None:
        click.echo(f"no record is older than {older_than} days")
    else:
        click.echo(f"removed {done.count} records, up to number {done.upto}; record {done.record.seq} says so")


@command.command("verify")
@ledger_option
@_config
@click.option("--head", metavar="HASH", help="Hash of a record that was kept elsewhere: it must be in the chain.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
              help="Form of the answer.")  # fmt: skip
def verify(ledger: str | None, config: Path | None, head: str | None, form: str) -> None:
    """Check the whole chain of records: nothing altered, removed, added in between or put elsewhere.

    Whoever may write to the database can compute a whole chain anew; only a hash that was kept elsewhere shows that.
    Keep the head that this prints, and hand it to --head the next time.

    \b
    Examples:
      aigc-label ledger verify
      aigc-label ledger verify --head 9f2c…
    """
    if head is not None and (len(head) != 64 or not set(head.lower()) <= set("0123456789abcdef")):
        _common.fail(
            LabelingError("--head takes 64 hexadecimal digits: a head that verify printed, or a record's hash")
        )
    with _opened(ledger, config) as book:
        found = book.verify(head and head.lower())
    if form == "json":
        click.echo(json.dumps(_verification(found), ensure_ascii=False, indent=1))
    else:
        _show_verification(found)
    raise SystemExit(0 if found.intact else 1)


# --- forms ------------------------------------------------------------------------------------------------------------


def _match(match: Match) -> dict[str, Any]:
    return {"by": match.by, "distance": match.distance, "record": match.record.to_dict()}


def _verification(found: Verification) -> dict[str, Any]:
    return {
        "intact": found.intact,
        "count": found.count,
        "first": found.first,
        "last": found.last,
        "head": found.head,
        "findings": [{"seq": each.seq, "message": each.message} for each in found.findings],
        "count_findings": found.count_findings,
    }


def _print_json(answers: list[dict[str, Any]], form: str) -> None:
    if form == "json":
        click.echo(json.dumps(answers, ensure_ascii=False, indent=1))
    for answer in answers if form == "jsonl" else ():
        click.echo(json.dumps(answer, ensure_ascii=False))


def _write(records: Iterable[Record], form: str, out: TextIO) -> None:
    """One record at a time: a ledger may be larger than memory."""
    if form == "jsonl":
        for record in records:
            out.write(json.dumps(record.to_dict(), ensure_ascii=False) + "\n")
        return
    from labeling.ledger.entry import Record, text_of
    from labeling.verification.report import _inert

    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([each.name for each in fields(Record)])
    for record in records:
        row = record.to_dict() | {"fields": text_of(record.fields)}
        writer.writerow(["" if value is None else _inert(str(value)) for value in row.values()])


def _show_matches(path: Path, matches: list[Match]) -> None:
    click.secho(_clean(str(path)), bold=True)
    if not matches:
        click.echo("  no record")
    for match in matches:
        record, far = match.record, match.distance
        how = match.by if far is None else f"{match.by}, {far} of 256 bits differ"
        click.echo(f"  record {record.seq} by {how}")
        click.echo(f"    content id {_clean(record.content_id)}, {record.time}, {_named(record)}")


def _named(record: Record) -> str:
    words = [record.profile, record.output or record.media_type]
    words += [f"without the explicit label, to {record.recipient}"] if record.recipient is not None else []
    return ", ".join(_clean(word) for word in words if word)


def _show_record(record: Record) -> None:
    click.secho(f"record {record.seq}", bold=True)
    for name, value in record.to_dict().items():
        if name == "fields":
            for key, said in value.items():
                click.echo(f"  {_clean(str(key))} = {_clean(str(said))}")
        elif value not in (None, ""):
            click.echo(f"  {name}: {_clean(str(value))}")


def _show_verification(found: Verification) -> None:
    for each in found.findings[:_SHOWN]:
        click.echo(_clean(each.message))
    if found.count_findings > _SHOWN:
        click.echo(f"… {found.count_findings - _SHOWN} more")
    kept = f"{found.count} records" + (f", {found.first} to {found.last}" if found.count else "")
    click.secho(f"{'intact' if found.intact else 'ALTERED'}: {kept}", bold=True, fg="green" if found.intact else "red")
    click.echo(f"head {_clean(found.head)}")


def _clean(text: str) -> str:
    """What a record says must not steer the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
