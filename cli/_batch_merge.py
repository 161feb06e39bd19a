"""``aigc-label batch merge``: the twin of :func:`labeling.batch.merge`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from labeling.batch.options import LANGUAGES
from labeling.errors import LabelingError

from . import _common


@click.command("merge")
@click.argument("states", nargs=-1, required=True, metavar="STATE...")
@click.option(
    "-o", "--out", "target", type=click.Path(path_type=Path), required=True, metavar="DIR",
    help="Folder for results.jsonl, summary.json and report.html.",
)  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace files there that no merging has written.")
@click.option("--storage-options", metavar="JSON", help="Options of fsspec for states on object stores.")
@click.option("--report-lang", "language", type=click.Choice(LANGUAGES), default="en", help="Language of report.html.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def merge(states: tuple[str, ...], target: Path, quiet: bool, storage_options: str | None, **options: Any) -> None:
    """Merge the results of several runs, such as the shards of one source.

    STATE is the folder of a run (.aigc-label in its target, or its --state), a folder that holds those of shards, or a
    target, also on an object store. Nothing of the runs is changed; results.jsonl is sorted by path. It warns of
    missing shards, runs that have not finished, files with results of several runs, outputs of several
    sources, and different options. Ledgers are merged by "aigc-label ledger import". To label a folder that is
    called merge, write ./merge.

    \b
    Examples:
      aigc-label batch merge labelled -o report
      aigc-label batch merge host1/state host2/state -o report
      aigc-label batch merge s3://out/photos/.aigc-label -o report

    Exit codes: as batch, of all results together; 3 if they are good and a shard or the end of a run is missing.
    """
    from labeling import batch

    from ._batch_arguments import json_object
    from ._batch_summary import print_summary

    try:
        merged = batch.merge(states, target, storage_options=json_object(storage_options), **options)
    except LabelingError as error:
        _common.fail(error)
    if not quiet:
        print_summary(merged.summary)
    raise SystemExit(merged.exit_code)
