"""``aigc-label batch``: the twin of :func:`labeling.batch.run`."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import click

from labeling.errors import LabelingError

from . import _common
from .ledger import configured, ledger_option


@click.command("batch")
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="[DST]", required=False)
@click.option("--verify", "verifying", is_flag=True, help="Verify the files; DST only gets the report.")
@click.option("--in-place", is_flag=True, help="Replace the files themselves; no DST then.")
@click.option("--include", multiple=True, metavar="GLOB", help="Only these files: *.jpg, or photos/* with a path.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="None of these files.")
@click.option(
    "--files",
    "file_list",
    metavar="LIST",
    help="Files of SRC to take: lines, CSV or JSONL with path, content_id, text, generator; - for standard input.",
)
@click.option("--overwrite", is_flag=True, help="Replace outputs that are there already and not by this run.")
@click.option("--retry-failed", is_flag=True, help="Try again what failed, was refused or set aside before.")
@click.option("--checksum", is_flag=True, help="Compare contents, not size and date, to see what has changed.")
@click.option("--restart", is_flag=True, help="Forget what was done before; with --overwrite, do all of it again.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes (default: by processors and memory).")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", help="Who does the work.")
@click.option("--ray-address", metavar="ADDRESS", help="The Ray cluster; default: one on this machine.")
@click.option("--timeout", type=float, default=3600.0, metavar="S", show_default=True, help="Seconds for one file.")
@ledger_option
@click.option("--state", type=click.Path(path_type=Path), help="Folder of journal and report (default: in DST).")
@click.option("--storage-options", metavar="JSON", help="Options of fsspec for SRC and DST; secrets: better the env.")
@click.option("--report-lang", type=click.Choice(["en", "zh"]), default="en", help="Language of report.html.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("--trust", type=click.Path(path_type=Path), multiple=True, help="With --verify: as in verify.")
@click.option("--everywhere", is_flag=True, help="With --verify: films in the middle and at the end as well.")
@_common.labeler_options
def command(source: str, target: str | None, quiet: bool, ledger: str | None, **options: Any) -> None:
    """Label or verify a folder or bucket of any size, in several processes; run again, it goes on where it was.

    SRC and DST are folders or URLs (s3://, gs://, …). The tree is kept. DST/.aigc-label gets the journal, a line
    for each file in results.jsonl, summary.json and report.html. Ctrl-C ends the run after the files in flight.

    \b
    Examples:
      aigc-label batch pictures labelled --producer 001191000000MA00DEM00P10001
      aigc-label batch archive report --verify --workers 8
      aigc-label batch s3://in/photos s3://out/photos --ledger postgresql://host/labels
      find . -name '*.png' | aigc-label batch . ../labelled --files -
      aigc-label batch pictures labelled --retry-failed

    Exit codes: 0 all is well; 1 with --verify, some file does not comply; 2 wrong usage, or some file could not be
    labelled as asked; 3 some file could not be read; 130 interrupted.
    """
    from labeling import batch

    from ._batch_progress import progress
    from ._batch_summary import print_summary

    if options["content_id"]:
        _common.fail(LabelingError("--content-id names one file; give each file its own with --files"))
    run = ("in_place", "include", "exclude", "overwrite", "retry_failed", "checksum", "restart", "workers", "engine",
           "ray_address", "state")  # fmt: skip
    try:
        arguments: dict[str, Any] = {name: options[name] for name in run}
        arguments["language"] = options["report_lang"]
        arguments["timeout"] = options["timeout"] or None
        arguments["storage_options"] = _json(options["storage_options"])
        if options["file_list"]:
            arguments["file_list"] = _stdin() if options["file_list"] == "-" else options["file_list"]
        arguments |= _work(options)
        with _opened(ledger, options) as book, progress(quiet=quiet) as told:
            done = batch.run(source, target, ledger=book, progress=told, **arguments)
    except LabelingError as error:
        _common.fail(error)
    except KeyboardInterrupt:
        _common.complain("stopped at once; run the same command again, and it goes on where it was")
        raise SystemExit(130) from None
    if not quiet:
        print_summary(done.summary)
    if done.interrupted:
        _common.complain("interrupted after the files in flight; the same command goes on from here")
    raise SystemExit(done.exit_code)


def _work(options: dict[str, Any]) -> dict[str, Any]:
    """How to label, as a function that each worker calls, or how to verify. Raises :class:`LabelingError`."""
    if not options["verifying"]:
        from labeling.config import NAME

        for name in ("config", "signer_cert", "signer_key", "font", "logo"):
            if options[name] is not None:
                options[name] = Path(options[name]).absolute()  # a worker may have another working directory
        if options["config"] is None and Path(NAME).is_file():
            options["config"] = Path(NAME).absolute()
        return {"labeler": partial(_common.labeler, options)}
    from labeling.batch import Check
    from labeling.trust import load

    check = Check(
        profile=(options["profile"] or "cn",),
        visible=not options["no_visible"],
        trust=load(options["trust"]),
        max_pixels=options["max_pixels"],
        everywhere=options["everywhere"],
    )
    return {"verify": check}


def _opened(ledger: str | None, options: dict[str, Any]) -> Any:
    """The ledger that labels are recorded in, if one is wanted. Raises :class:`LabelingError`."""
    if options["verifying"] or not (where := configured(ledger, options["config"])):
        return nullcontext()
    from labeling.ledger import Ledger

    return Ledger.open(where)


def _json(text: str | None) -> dict[str, Any] | None:
    if not text:
        return None
    try:
        values = json.loads(text)
    except ValueError as error:
        raise LabelingError(f"--storage-options is not JSON ({error})") from error
    if not isinstance(values, dict):
        raise LabelingError('--storage-options must be an object, such as {"endpoint_url": "http://…"}')
    return values


def _stdin() -> Any:
    stream = sys.stdin
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    return stream
