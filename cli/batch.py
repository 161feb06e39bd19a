"""``aigc-label batch``: the twin of :func:`labeling.batch.run`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar

import click

from labeling.batch.options import DEFAULT_TIMEOUT, DEPTHS, ENGINES, LANGUAGES, PRUNES, RunOptions
from labeling.errors import LabelingError
from labeling.options import options_of
from labeling.options.conversion import ConversionOptions

from . import _common, _options
from ._batch_arguments import Place, explicit_depth, json_object, named_ledger, open_ledger, standard_input
from ._batch_merge import merge
from ._batch_modes import flag_of, mode_arguments
from ._batch_progress import SUMMARIES
from ._sections import Sectioned
from ._wording import PARAMETER

_DECLARED = {each.name: each for each in fields(RunOptions)}


def _option(name: str, flag: str = "", **settings: Any) -> Callable[[Any], Any]:
    """Return the option for a field of :class:`RunOptions`, which has its help and its default."""
    declared = _DECLARED[name]
    if declared.default is False:
        settings["is_flag"] = True
    elif declared.default == ():
        settings["multiple"] = True
    help_text = PARAMETER.sub(lambda match: flag_of(match[1]), declared.metadata["help"])
    return click.option(flag or flag_of(name), name, help=help_text, **settings)


def _conversion_option(name: str) -> Callable[[Any], Any]:
    """Return an option of the command convert, which says here that it belongs to ``--convert``."""
    declared = options_of(ConversionOptions)[name]
    help_text = f"With --convert: {declared.help[0].lower()}{declared.help[1:]}"
    unset = declared.unset and "each picture keeps its name and format"
    return _options.click_option(declared._replace(help=help_text, unset=unset))


class _Batch(Sectioned):
    """The command, which is another one if its first argument is one of :attr:`commands`."""

    commands: ClassVar[dict[str, click.Command]] = {"merge": merge}
    sections = {  # noqa: RUF012 - declared as a ClassVar in Sectioned
        "What is done": ("verifying", "converting", "propagating", "transplant", "in_place", "dry_run", "sample"),
        "Which files": ("include", "exclude", "file_list", "since", "limit", "shard", "allow_empty"),
        "Again": ("overwrite", "retry_failed", "checksum", "check_outputs", "restart", "prune_orphans"),
        "How it runs": (
            "workers", "engine", "ray_address", "timeout", "rate", "max_errors", "state", "storage_options", "ledger",
            "no_fingerprints", "config",
        ),
        "What is said": ("quiet", "summary", "log", "metrics_file", "language"),
        "With --verify": ("trust", "everywhere", "min_confidence", "no_isolate"),
        "With --convert": ("resize", "format"),
        "With --propagate": ("propagator", "security", "notice"),
    }  # fmt: skip

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Return the context of this command, or of the one that the first argument names."""
        if args and (command := self.commands.get(args[0])) is not None:
            return command.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, explicit_depth(args), parent, **extra)


@click.command("batch", cls=_Batch)
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="[DST]", required=False)
@click.option("--verify", "verifying", is_flag=True, help="Verify the files; DST only gets the report.")
@click.option(
    "--convert", "converting", is_flag=True, help="Resize or re-encode pictures, as in convert; no label is added."
)
@click.option(
    "--propagate",
    "propagating",
    is_flag=True,
    help="Label what others made, as a platform must (see classify --write).",
)
@click.option("--propagator", metavar="CODE", help="With --propagate: the platform's code (27 characters) or name.")
@click.option("--security", metavar="DATA", help="With --propagate: security data for ReservedCode2.")
@click.option("--notice", is_flag=True, help="With --propagate: draw the visible notice of the class as well.")
@click.option(
    "--transplant",
    type=Place(),
    metavar="LABELLED",
    help="SRC holds re-encoded copies: give them the labels of their originals.",
)
@_conversion_option("resize")
@_conversion_option("format")
@_option("in_place")
@_option("include", metavar="GLOB")
@_option("exclude", metavar="GLOB")
@click.option(
    "--files",
    "file_list",
    type=Place(),
    metavar="LIST",
    help="Files of SRC to take: lines, or CSV or JSONL with path and more about each file; - for standard input.",
)
@_option("overwrite")
@_option("retry_failed")
@_option("max_errors", type=click.IntRange(1), metavar="N")
@_option("checksum")
@_option("restart")
@_option("limit", type=click.IntRange(1), metavar="N")
@_option("shard", metavar="K/N")
@_option("since", metavar="WHEN")
@_option("rate", metavar="N/s")
@_option("check_outputs", type=click.Choice(DEPTHS), is_flag=False, flag_value=DEPTHS[0], metavar="[size|sha256]")
@_option("prune_orphans", type=click.Choice(PRUNES), metavar="list|remove")
@_option("allow_empty")
@_option("workers", type=click.IntRange(1), metavar="N")
@_option("engine", type=click.Choice([engine for engine in ENGINES if engine != "inline"]), default="local")
@_option("ray_address", metavar="ADDRESS")
@_option("timeout", type=float, default=DEFAULT_TIMEOUT, metavar="S", show_default=True)
@_options.ledger_option
@_option("no_fingerprints")
@_option("state", type=Place(path_type=Path))
@_option("storage_options", metavar="JSON")
@_option("language", "--report-lang", type=click.Choice(LANGUAGES), default="en")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Write nothing: list the files, label a sample of them elsewhere, and estimate time, space and requests.",
)
@click.option("--sample", type=click.IntRange(1, 1000), metavar="N", help="With --dry-run: files to try (default: 40).")
@_option("metrics_file", type=Place(path_type=Path), metavar="PATH")
@click.option(
    "--summary",
    type=click.Choice(SUMMARIES),
    help="What is printed at the end: a table (default), one line, or the content of summary.json; also with -q.",
)
@click.option(
    "--log",
    type=click.Choice(["json"]),
    help="Write JSON lines to standard error instead of progress: start, progress, failed files, end.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors, and what --summary and --log ask for.")
@click.option("--trust", metavar="PATH|none", multiple=True, help="With --verify: as in verify.")
@click.option("--everywhere", is_flag=True, help="With --verify: check the middle and the end of videos as well.")
@_options.min_confidence_option
@click.option("--no-isolate", is_flag=True, help="With --verify: read files in the workers, not in isolated processes.")
@_options.labeler_options
def command(
    source: str, target: str | None, quiet: bool, ledger: str | None, summary: str | None, log: str | None,
    dry_run: bool, sample: int | None, **options: Any,
) -> None:  # fmt: skip
    """Label, convert or verify a folder or bucket of any size. Run again, it continues where it was.

    SRC and DST are folders or URLs (s3://, gs://, …). The tree is kept. DST/.aigc-label gets the journal, a line
    for each file in results.jsonl, summary.json and report.html. Ctrl-C ends the run after the files in flight.
    With --verify, --max-pixels is 100 million if it is not given. "aigc-label batch merge" puts the results of several
    runs together.

    A list's columns: content_id, text, generator, generator_version, recipient and agreement (Measures Art. 9; no
    visible label); with --verify also declared; with --propagate declared, decision, reviewer, reason and propagate_id;
    with --transplant labelled, the original's path below LABELLED.

    \b
    Examples:
      aigc-label batch pictures labelled --producer 001191000000MA00DEM00P10001
      aigc-label batch archive report --verify --workers 8
      aigc-label batch archive web --convert --resize 1280 --format webp --quality 80
      aigc-label batch s3://in/photos s3://out/photos --ledger postgresql://host/labels
      aigc-label batch uploads published --propagate --propagator my-platform --ledger ledger.db
      aigc-label batch thumbnails out --transplant labelled
      find . -name '*.png' | aigc-label batch . ../labelled --files -
      aigc-label batch pictures labelled --retry-failed
      aigc-label batch s3://in/photos s3://out/photos --shard 3/16 --ledger labels-3.db
      aigc-label batch s3://in/photos s3://out/photos --dry-run --workers 16
      aigc-label batch merge labelled -o report
      aigc-label batch archive labelled --since last -q --summary line --metrics-file /var/lib/node_exporter/aigc.prom

    Exit codes: 0 all is well; 1 with --verify, some file does not comply; 2 wrong usage, or some file could not be
    labelled or converted as asked; 3 some file could not be read, or is of no kind that can be;
    130 interrupted.
    """
    from labeling import batch

    from ._batch_progress import progress
    from ._batch_summary import print_in_form, quiet_line

    click.get_current_context().meta[_common.LOG] = log
    if options["content_id"]:
        _common.fail(LabelingError("--content-id names one file", hint="give each file its own with --files"))
    if sample is not None and not dry_run:
        _common.fail(LabelingError("--sample belongs to --dry-run", hint="add --dry-run, or leave it out"))
    try:
        arguments = {name: options[name] for name in _DECLARED}
        arguments["timeout"] = options["timeout"] or None
        arguments["storage_options"] = json_object(options["storage_options"])
        if options["file_list"]:
            arguments["file_list"] = standard_input() if options["file_list"] == "-" else options["file_list"]
        arguments |= mode_arguments(options)
        if dry_run:
            from ._batch_estimate import estimated, print_estimate

            chosen = {} if sample is None else {"sample": sample}
            found = estimated(source, target, arguments | chosen, ledger=bool(named_ledger(ledger, options)))
            print_estimate(summary or (None if quiet else "table"), found)
            return
        arguments["log"] = _common.log_json if log else None
        with open_ledger(ledger, options) as opened, progress(quiet=quiet or bool(log)) as report_progress:
            finished = batch.run(source, target, ledger=opened, progress=report_progress, **arguments)
    except LabelingError as error:
        _common.fail(error)
    except KeyboardInterrupt:
        _common.complain("stopped at once; run the same command again, and it continues where it was")
        raise SystemExit(130) from None
    print_in_form(summary or (None if quiet else "table"), finished.summary, finished.exit_code)
    if quiet and summary is None and (text := quiet_line(finished.summary)):
        _common.complain(text)
    if stopped := finished.summary.get("stopped"):
        _common.complain(f"{stopped}; the same command continues from here")
    if finished.interrupted:
        _common.complain("interrupted after the files in flight; the same command continues from here")
    raise SystemExit(finished.exit_code)
