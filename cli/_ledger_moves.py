"""``aigc-label ledger import`` and ``vacuum``: what is done to a ledger as a whole."""

from __future__ import annotations

from pathlib import Path

import click

from labeling.errors import LabelingError
from labeling.inert import inert

from . import _common, _options
from ._terminal import line

DEFAULT = "aigc-label-ledger.db"
"""The ledger where none is named."""


@click.command("import")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@_options.ledger_option
@_options.config_option
@click.option("--merge", is_flag=True, help="Append the records to this ledger's own chain, after those it has.")
def import_command(sources: tuple[str, ...], ledger: str | None, config: Path | None, merge: bool) -> None:
    """Import other ledgers into this one: to move from SQLite to PostgreSQL, or to merge the ledgers of shards.

    Without --merge, the one SOURCE is copied number by number and hash by hash, and this ledger goes on with its chain:
    it must be empty, or hold the beginning of that chain. With --merge, the records of any number of ledgers are
    appended, with their times. "verify" checks every chain that was imported as well, and a head that was kept of one
    stays proof.

    All chains are checked before and after. What was imported before is left out: after an interruption, run it again.

    \b
    Examples:
      aigc-label ledger import ledger.db --ledger postgresql://host/labels
      aigc-label ledger import shard-*.db --merge --ledger postgresql://host/labels
    """
    from labeling.ledger import Ledger

    if len(sources) > 1 and not merge:
        _common.fail(LabelingError("several ledgers can only be merged", hint="add --merge"))
    try:
        for source in sources:  # first: an import that cannot begin makes no ledger
            Ledger.open(source, create=False).close()
        with Ledger.open(_options.configured_ledger(ledger, config) or DEFAULT) as opened:
            for source in sources:
                with Ledger.open(source, create=False) as other:
                    done = opened.import_from(other, merge=merge)
                before = f"; {_records(done.before)} had been imported before" if done.before else ""
                line(inert(f"imported {_records(done.count)} of {other.where}{before}"))
                verification = done.verification
    except LabelingError as error:
        _common.fail(error)
    number = len(verification.imported)
    chains = f", with {number} imported chain{'' if number == 1 else 's'}" if number else ""
    line(f"intact: {_records(verification.count)}, {verification.first} to {verification.last}{chains}", bold=True)
    line(f"head {inert(verification.head)}")


def _records(number: int) -> str:
    return f"{number} record{'' if number == 1 else 's'}"


@click.command("vacuum")
@_options.ledger_option
@_options.config_option
@click.option("--full", is_flag=True, help="PostgreSQL: write the tables anew; everybody else waits meanwhile.")
def vacuum(ledger: str | None, config: Path | None, full: bool) -> None:
    """Reclaim the space of pruned records.

    A file is written anew, which takes as much free space as it then needs. In PostgreSQL the space becomes free for
    new records; with --full it goes back to the system.

    \b
    Examples:
      aigc-label ledger prune && aigc-label ledger vacuum
    """
    from labeling.ledger import Ledger

    try:
        with Ledger.open(_options.configured_ledger(ledger, config) or DEFAULT, create=False) as opened:
            done = opened.vacuum(full=full)
    except LabelingError as error:
        _common.fail(error)
    rest = "" if done.complete else "; the rest of the space is free for new records (--full gives it back)"
    line(f"vacuumed: {done.before:,} bytes before, {done.after:,} now{rest}")
