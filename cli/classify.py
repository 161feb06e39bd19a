"""``aigc-label classify``: the twin of :func:`labeling.classify`."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeling.errors import LabelingError
from labeling.inert import to_json
from labeling.options import LabelerOptions, Style, options_of
from labeling.reports.plain import cell, table_writer

from . import _common, _options
from ._classified import COLUMNS, Classified, lines, record_line
from ._streams import INTERRUPTED
from ._terminal import document, line
from ._uploads import Upload, uploads
from ._wording import in_options

if TYPE_CHECKING:
    from labeling.ledger import Ledger
    from labeling.pipelines.classification import Classification

_LABELER, _STYLE = options_of(LabelerOptions), options_of(Style)
_DECLARED = {"yes": True, "no": False, None: None}


@click.command("classify")
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option("--files", "listed", metavar="LIST",
              help="List of files: lines, or CSV with path, declared, decision, reviewer, reason, propagate_id; - for "
              "standard input.")  # fmt: skip
@click.option("--declared", type=click.Choice(["yes", "no"]), help="Whether the uploader declares it AI-generated.")
@click.option("--decision", type=click.Choice(["confirmed", "possible", "suspected", "none"]),
              help="A reviewer's decision; the automatic one is kept beside it.")  # fmt: skip
@click.option("--reviewer", metavar="NAME", default="", help="Who decided.")
@click.option("--reason", metavar="TEXT", default="", help="Why.")
@click.option("--write", is_flag=True, help="Write the label that follows from the decision.")
@click.option("--propagator", metavar="CODE", default="", help="The platform's code (27 characters) or name.")
@click.option("--propagate-id", metavar="ID", help="The platform's number (default: a new unique one per file).")
@click.option("--security", metavar="DATA", default="", help="Security data for ReservedCode2.")
@click.option("--notice", is_flag=True, help="With --write: draw the visible notice of the class as well.")
@_options.click_option(_STYLE["text"]._replace(help="Wording of the notice", default="", unset="that of the class"))
@_options.click_option(_STYLE["position"])
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Output file, or a folder for several.")
@click.option("--in-place", is_flag=True, help="Replace the input itself.")
@click.option("--dry-run", is_flag=True, help="Do everything but write and record.")
@_options.click_option(_LABELER["strict"])
@_options.click_option(_LABELER["keep_times"])
@_options.signer_options
@_options.ledger_option
@_options.config_option
@click.option("--format", "form", type=click.Choice(["text", "json", "jsonl", "csv"]), default="text",
              show_default=True, help="Form of the answer.")  # fmt: skip
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True,
              help="Language of text; what programs parse stays English.")  # fmt: skip
@click.option("--no-visible", is_flag=True, help="Metadata only: do not look at the pixels.")
@_options.trust_option
@click.option("--no-stored-trust", is_flag=True, help="Ignore the lists that aigc-label trust has stored.")
@_options.max_pixels_option
@_options.isolation_options
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
def command(files: tuple[str, ...], listed: str | None, **options: Any) -> None:
    """Say which class of Labelling Measures Art. 6 uploads belong to, on which evidence, and label them if asked.

    confirmed: an implicit label says so; possible: the uploader declares it; suspected: a visible label or other
    traces; none: nothing was found, which proves nothing. With --write, a labelled file gets the platform's half, and
    others Label 2 (possible) or 3 (suspected) with the platform's code and number; "none" writes nothing. A FILE may
    be a folder. The CSV form may come back as a list with a reviewer's decisions.

    \b
    Examples:
      aigc-label classify upload.png
      aigc-label classify upload.png --declared yes --write --propagator my-platform --propagate-id post-17 -o out.png
      aigc-label classify uploads/ --format csv > decisions.csv
      aigc-label classify --files decisions.csv --write --propagator my-platform -o labelled/ --ledger ledger.db
      aigc-label classify upload.png --decision none --reviewer "Li Lei" --reason "own photograph, raw file seen"

    Exit codes: 0 every file was classified, and labelled where asked; 2 wrong usage, or something could not be
    written or recorded; 3 some file could not be read well enough to say.
    """
    try:
        found = uploads(files, listed, options["out"])
        targets = _targets(found, options["out"], options["in_place"], write=options["write"])
        common = _arguments(options | {"listed": listed}, single=len(found) == 1)
        book = _opened(options)
    except LabelingError as error:
        _common.fail(error)
    answers = _Answers(options["form"], options["lang"])
    code, done = 0, 0
    try:
        for _ in _common.progress([each.path for each in found], quiet=options["quiet"]):
            answer, worst = _one(found[done], targets[done], common, options, book)
            answers.add(answer, book)
            done += 1
            code = 2 if 2 in (code, worst) else max(code, worst)
    except KeyboardInterrupt:
        _common.complain(f"interrupted; {done} of {len(found)} files were classified")
        code = INTERRUPTED
    answers.end()
    if book is not None:
        book.close()
    raise SystemExit(code)


def _arguments(options: dict[str, Any], *, single: bool) -> dict[str, Any]:
    """Return the library's arguments that are the same for all files."""
    from labeling.trust import load as load_trust

    if options["propagate_id"] is not None and not single:
        hint = "leave it out, and each file gets its own, or give the column propagate_id of a list"
        raise LabelingError("--propagate-id numbers one file", hint=hint)
    if (options["reviewer"] or options["reason"]) and not (options["decision"] or options["listed"]):
        raise LabelingError("--reviewer and --reason are about a decision", hint="give --decision as well")
    if options["write"] and not options["propagator"].strip():
        raise LabelingError("--write needs the platform's own code or name", hint="give --propagator CODE")
    if not options["write"] and (options["notice"] or options["security"]):
        raise LabelingError("--notice and --security are for labels that are written", hint="give --write as well")
    if (options["text"] or options["position"]) and not options["notice"]:
        raise LabelingError("--text and --position are for the notice", hint="give --notice as well")
    same = ("write", "propagator", "security", "in_place", "dry_run", "strict", "keep_times", "max_pixels")
    return {
        **{name: options[name] for name in same},
        "signer": _options.signer(options),
        "visible": not options["no_visible"],
        "isolate": _options.isolate(options),
        "trust": load_trust(options["trust"], use_stored=not options["no_stored_trust"], note=_common.complain),
    }


def _opened(options: dict[str, Any]) -> Ledger | None:
    where = _options.configured_ledger(options["ledger"], options["config"])
    if where is None or options["dry_run"]:
        return None
    from labeling.ledger import READY_WITHIN, Ledger

    return Ledger.open(where, wait=READY_WITHIN)


def _targets(found: list[Upload], out: Path | None, in_place: bool, *, write: bool) -> list[Path | None]:
    """Return where each output goes: a bad place for one is found before anything is written."""
    if in_place and out is not None:
        raise LabelingError("-o and --in-place exclude each other")
    if not write and (in_place or out is not None):
        raise LabelingError("-o and --in-place are for labels that are written", hint="give --write as well")
    if out is None:
        return [None] * len(found)
    if len(found) == 1 and not (out.is_dir() or str(out).endswith(("/", "\\"))):
        return [out]
    targets: list[Path | None] = [out / each.below for each in found]
    if len(set(targets)) < len(targets):
        raise LabelingError("several inputs have the same name", hint="label them into different folders")
    return targets


def _one(
    upload: Upload, target: Path | None, common: dict[str, Any], options: dict[str, Any], book: Ledger | None
) -> tuple[Classified, int]:
    """Classify one file. What is wrong with it costs its own line of the answer only."""
    from labeling.pipelines.classification import classify

    name, found, error = str(upload.path), None, None
    try:
        if upload.problem:
            raise LabelingError(upload.problem)
        if book is not None:
            book.require_writable()  # what cannot be recorded is not labelled
        arguments = common | _about(upload, options)
        if target is not None and not common["dry_run"]:
            _make_folder(target.parent)
        try:
            found = classify(upload.path, target, **arguments)
        except LabelingError as failed:
            if not common["write"]:
                raise
            error = failed
            found = _decided(upload, arguments)
        records = _record(book, found, upload) if book is not None and found is not None else ()
    except LabelingError as failed:
        error = error or failed
        records = ()
    if error is not None:
        _common.complain(error, upload.path)
    code = error.exit_code if error is not None else found.exit_code if found is not None else 3
    return Classified(name, found, in_options(error.reason) if error is not None else "", records), code


def _decided(upload: Upload, arguments: dict[str, Any]) -> Classification | None:
    """Return the decision on a file that could not be labelled: it is made, and recorded, all the same."""
    from labeling.pipelines.classification import classify

    try:
        return classify(upload.path, **arguments | {"write": False})
    except LabelingError:
        return None


def _about(upload: Upload, options: dict[str, Any]) -> dict[str, Any]:
    """Return the library's arguments about one file: the list says more than the options."""
    decision = upload.decision or options["decision"] or None
    declared = upload.declared if upload.declared is not None else _DECLARED[options["declared"]]
    style = {name: options[name] for name in ("text", "position") if options[name]}
    return {
        "declared": declared,
        "decision": decision,
        "reviewer": upload.reviewer or (options["reviewer"] if decision else ""),
        "reason": upload.reason or (options["reason"] if decision else ""),
        "propagate_id": upload.propagate_id or options["propagate_id"],
        "notice": Style(**style) if style else options["notice"],
    }


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabelingError(f"the folder cannot be made ({error.strerror})", path=folder) from error


def _record(book: Ledger, found: Classification, upload: Upload) -> tuple[int, ...]:
    try:
        return tuple(each.seq for each in book.record_classification(found, source=upload.path.name))
    except LabelingError as error:
        raise LabelingError(f"classified, but not recorded: {error.reason}", path=upload.path) from error


class _Answers:
    """Prints each answer when it is there: a run over many files holds none of them."""

    def __init__(self, form: str, language: str) -> None:
        self._form, self._language = form, language
        self._count = 0

    def add(self, answer: Classified, book: Ledger | None) -> None:
        """Print what became of one file."""
        if self._form == "text":
            self._text(answer, book)
        elif self._form == "csv":
            self._csv([list(COLUMNS)] if not self._count else [])
            self._csv([answer.row()])
        else:
            before = "" if self._form == "jsonl" else ",\n" if self._count else "[\n"
            document(before + to_json(answer.to_dict()) + ("\n" if self._form == "jsonl" else ""))
        self._count += 1

    def end(self) -> None:
        """Print what comes after the last answer."""
        if self._form == "json":
            document("\n]\n" if self._count else "[]\n")

    def _csv(self, rows: list[list[str]]) -> None:
        text = io.StringIO()
        writer = table_writer(text)
        for row in rows:
            writer.writerow([cell(value) for value in row])
        document(text.getvalue())

    def _text(self, answer: Classified, book: Ledger | None) -> None:
        if answer.found is None:
            return  # standard error says why
        first, *rest = lines(answer.found, self._language)
        line(first, bold=True)
        for each in rest:
            line(each)
        if answer.found.labeled is not None:
            _common.print_result(answer.found.labeled)
        if answer.records and book is not None:
            line(record_line(answer.records, book.where, self._language))
