"""``aigc-label add``: the twin of :meth:`labeling.Labeler.label_file`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeling.errors import LabelingError

from . import _common, _options
from ._sections import Sectioned
from ._streams import INTERRUPTED
from ._terminal import line

if TYPE_CHECKING:
    from labeling.labeler import Labeler
    from labeling.ledger import Ledger
    from labeling.pipelines.output import LabeledFile


@click.command("add", cls=Sectioned)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Output file, or a folder for several.")
@click.option("--in-place", is_flag=True, help="Replace the input itself.")
@click.option("--dry-run", is_flag=True, help="Do everything but write.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@_options.ledger_option
@click.option("--recipient", metavar="WHO", help="Record who gets this unlabelled copy (Measures Art. 9).")
@click.option("--agreement", metavar="REF",
              help="Record by which agreement with them (Measures Art. 9); --profile cn requires it.")  # fmt: skip
@_options.timeout_option
@_options.labeler_options
def command(
    files: tuple[str, ...],
    out: Path | None,
    in_place: bool,
    dry_run: bool,
    quiet: bool,
    ledger: str | None,
    recipient: str | None,
    agreement: str | None,
    timeout: float | None,
    **options: Any,
) -> None:
    """Label pictures, video and audio: visible text, the AIGC field, IPTC, and C2PA where a signer is given.

    The output goes to -o, or beside the input as NAME.labeled.EXT; the input is never touched unless --in-place.
    Another provider's label is never overwritten.

    \b
    Examples:
      aigc-label add photo.png --producer 001191000000MA00DEM00P10001 -o labelled.png
      aigc-label add *.jpg -o labelled/ --position top-left
      aigc-label add photo.jpg --no-visible --content-id job-42 --generator mymodel --generator-version 3.1
      aigc-label add photo.png --signer-cert chain.pem --signer-key key.pem
      aigc-label add clip.mp4 --when start+end --timeout 600 -o labelled.mp4
      aigc-label add photo.png --ledger ledger.db
      aigc-label add photo.png --no-visible --ledger ledger.db --recipient "customer 4711" --agreement "contract 12"
    """
    paths = _common.expand(files)
    try:
        labeler = _options.labeler(options)
        targets = _targets(paths, out, in_place)
        if options["content_id"] and len(paths) > 1:
            raise LabelingError("--content-id names one file", hint="leave it out and each file gets its own")
        where = _options.configured_ledger(ledger, options["config"])
        _check_copy(where, recipient, agreement, labeler)
        book = _ledger(where, dry_run=dry_run)
        label_file: Callable[..., LabeledFile] = labeler.label_file
        if timeout is not None:
            from ._timed import timed_labeler

            context = click.get_current_context()
            label_file = context.with_resource(timed_labeler(options, timeout)).label_file
    except LabelingError as error:
        _common.fail(error)
    code = 0
    labelled: list[Path] = []
    try:
        for path in _common.progress(paths, quiet=quiet):
            if book is not None and not _ready(book, len(labelled), len(paths)):
                code = 2
                break
            try:
                with _common.video_progress(path, quiet=quiet) as progress:
                    done = label_file(
                        path,
                        targets[path],
                        content_id=options["content_id"],
                        in_place=in_place,
                        dry_run=dry_run,
                        progress=progress,
                    )
            except LabelingError as error:
                _common.complain(error, path)
                code = max(code, error.exit_code) if code != 2 else 2
                code = 2 if error.exit_code == 2 else code
                continue
            labelled.append(path)
            recorded = (
                None if book is None else _recorded(book, done, path, recipient, agreement)
            )  # before anything hinders that
            if not quiet:
                _common.print_result(done)
            if recorded and not quiet:
                line(recorded)
            if recorded == "":
                code = 2
    except KeyboardInterrupt:
        _common.complain(f"interrupted; {len(labelled)} of {len(paths)} files were labelled")
        code = INTERRUPTED
    if book is not None:
        book.close()
    raise SystemExit(code)


def _ledger(where: str | None, *, dry_run: bool) -> Ledger | None:
    """Open the ledger before anything is labelled: what cannot be recorded should not go out."""
    if where is None or dry_run:
        return None
    from labeling.ledger import READY_WITHIN, Ledger

    return Ledger.open(where, wait=READY_WITHIN)


def _check_copy(where: str | None, recipient: str | None, agreement: str | None, labeler: Labeler) -> None:
    """Refuse a copy for a recipient that is not recorded, is labelled, or lacks the agreement that Art. 9 asks for."""
    if recipient is None:
        if agreement is not None:
            raise LabelingError("--agreement is one with a recipient", hint="give --recipient as well")
        return
    if where is None:
        hint = "give --ledger, or [ledger] url in aigc-label.toml"
        raise LabelingError("--recipient is recorded in a ledger", hint=hint)
    if labeler.visible:
        raise LabelingError("--recipient is for copies without the visible label", hint="give --no-visible as well")
    for option, text in (("--recipient", recipient), ("--agreement", agreement)):
        if text is not None and not text.strip():
            raise LabelingError(f"{option} is empty", hint="say who gets the copy, and by which agreement")
    from labeling.ledger.making import check_agreement

    check_agreement(recipient, agreement, labeler.profile)


def _ready(book: Ledger, done: int, count: int) -> bool:
    """Return whether the next label can be recorded; if not, say that nothing more is labelled."""
    try:
        book.require_writable()
    except LabelingError as error:
        _common.complain(error)
        _common.complain(f"{done} of {count} files were labelled; the rest cannot be recorded, and is left alone")
        return False
    return True


def _recorded(book: Ledger, done: LabeledFile, source: Path, recipient: str | None, agreement: str | None) -> str:
    """Record a labelled file; return what to say of it, or nothing if that failed."""
    try:
        record = book.record(done, source=source.name, recipient=recipient, agreement=agreement)
    except LabelingError as error:
        _common.complain(f"{done.path}: labelled, but not recorded: {error}")
        return ""
    return f"  record {record.seq} in {book.where}"


def _targets(paths: list[Path], out: Path | None, in_place: bool) -> dict[Path, Path | None]:
    if in_place and out is not None:
        raise LabelingError("-o and --in-place exclude each other")
    if out is None:
        return dict.fromkeys(paths)
    if not (out.is_dir() or str(out).endswith(("/", "\\")) or len(paths) > 1):
        return {paths[0]: out}
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabelingError(f"the folder cannot be made ({error.strerror})", path=out) from error
    targets: dict[Path, Path | None] = {path: out / path.name for path in paths}
    if len(set(targets.values())) < len(targets):
        raise LabelingError("several inputs have the same name", hint="label them into different folders")
    return targets
