"""``aigc-label verify``: the twin of :func:`labeling.verify`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeling.errors import LabelingError, MissingDependency, UnreadableFile
from labeling.verification.report import Report

from . import _common, _options, _output
from ._streams import INTERRUPTED

if TYPE_CHECKING:
    from labeling.ledger import Ledger
    from labeling.reports.file_evidence import FileEvidence
    from labeling.reports.signed import Examined


@click.command("verify")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--profile", "profiles", type=_options.ProfileName(), multiple=True,
              help="Which rules apply (default: cn); may be given several times. "
              f"From when on: {_options.IN_FORCE}; sources are in the report and in docs/rules.md.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(_output.FORMATS), default="table", show_default=True,
              help="Form of the report.")  # fmt: skip
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Write the report to this file.")
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True,
              help="Language of table and html; what programs parse stays English.")  # fmt: skip
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE",
              help="Day of the check, for laws that are not in force yet (default: today).")  # fmt: skip
@click.option("--no-visible", is_flag=True, help="Metadata only: do not look at the pixels.")
@_options.trust_option
@click.option("--no-stored-trust", is_flag=True, help="Ignore the lists that aigc-label trust has stored.")
@click.option("--pinned", type=click.Path(path_type=Path), multiple=True,
              help="Public SM2 keys (PEM, hex lines or aigc-label.toml) whose security data is trusted.")  # fmt: skip
@click.option("--declared-ai", is_flag=True, help="The uploader says that it is AI (Labelling Measures Art. 6).")
@click.option("--everywhere", is_flag=True, help="Check the middle and the end of videos as well.")
@click.option("--audio-cues", type=click.Path(path_type=Path), multiple=True, metavar="FILE",
              help="Recording of a spoken label, known beside those that come with the package.")  # fmt: skip
@_options.min_confidence_option
@_options.max_pixels_option
@_options.isolation_options
@click.option("--ledger", metavar="PATH|URL",
              help="Look the file up in this ledger: records, and copies given out under Art. 9.")  # fmt: skip
@click.option("--redact", "redacting", is_flag=True,
              help="Provenance of systems only: withhold what may be about persons, names of files too.")  # fmt: skip
@click.option("--sign", nargs=2, type=click.Path(path_type=Path), metavar="CERT KEY",
              help="Sign the report with these PEM files: writes OUT.jws beside it, so it needs -o.")  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
def command(
    files: tuple[str, ...],
    profiles: tuple[str, ...],
    form: str,
    out: Path | None,
    lang: str,
    as_of: datetime | None,
    no_visible: bool,
    trust: tuple[str, ...],
    no_stored_trust: bool,
    pinned: tuple[Path, ...],
    declared_ai: bool,
    everywhere: bool,
    audio_cues: tuple[Path, ...],
    min_confidence: float | None,
    max_pixels: int | None,
    ledger: str | None,
    redacting: bool,
    sign: tuple[Path, Path] | None,
    quiet: bool,
    **limits: Any,
) -> None:
    """Report which labels pictures, video and audio carry, what is wrong with them, and whether they comply.

    No network call is made. An unsigned label is a claim, not proof, and the absence of labels proves nothing.

    \b
    Examples:
      aigc-label verify photo.png
      aigc-label verify *.jpg --profile cn --profile eu --format json
      aigc-label verify upload.png --no-visible --format jsonl
      aigc-label verify *.jpg --format html --lang zh -o report.html
      aigc-label verify uploads/* --isolate --timeout 20
      aigc-label verify found.jpg --ledger ledger.db
      aigc-label verify upload.jpg --redact --format json
      aigc-label verify photo.png --format json -o report.json --sign chain.pem key.pem

    Exit codes: 0 all comply; 1 some file does not; 2 wrong usage; 3 some verdict is open, because a file could not be
    read, or not everything that the profile asks for was found or looked for (and none was found non-compliant).
    """
    from labeling.config import pinned as load_pinned
    from labeling.rules import profiles as profiles_named
    from labeling.trust import chosen
    from labeling.verification.conclusion import unreadable
    from labeling.verification.verifier import verify

    names = profiles or ("cn",)
    options: dict[str, object] = {"visible": not no_visible, "declared_ai": declared_ai, "max_pixels": max_pixels}
    day = as_of.date() if as_of is not None else None
    options |= {"everywhere": everywhere, "as_of": day, "audio_cues": audio_cues}
    options["min_confidence"] = min_confidence or 0.0
    paths = _common.expand(files)
    try:
        judging = profiles_named(names)
        _output.check(out, paths)
        signing = None if sign is None else _Signing(sign, out)
        options["isolate"] = _options.isolate(limits)
        options["pinned"] = tuple(key for path in pinned for key in load_pinned(path))
        book = _book(ledger, isolated=options["isolate"] is not False)
        options["trust"] = chosen(trust, use_stored=not no_stored_trust, note=_common.complain)
    except LabelingError as error:
        _common.fail(error)
    reports: list[Report] = []
    lacking: dict[str, MissingDependency] = {}
    evidence: list[FileEvidence | None] = []
    interrupted = False
    try:
        for path in _common.progress(paths, quiet=quiet):
            if signing is not None:
                signing.before(path)
            try:
                reports.append(verify(path, names, **options))  # type: ignore[arg-type]
            except LabelingError as error:
                if isinstance(error, MissingDependency):
                    lacking[error.reason] = error
                reports.append(unreadable(str(path), error.reason, judging, visible=not no_visible, as_of=day))
            if book is not None:
                from labeling.ledger.recorded import recognise

                reports[-1] = recognise(reports[-1], path, book, max_pixels=max_pixels)
            if redacting:
                from labeling.verification.redaction import NAME, redact

                number = f" {len(reports)}" if len(paths) > 1 else ""
                reports[-1] = redact(reports[-1], name=f"{NAME}{number}")
            if signing is not None:
                signing.after(path, reports[-1].path)
            if form == "html":  # while the file is at hand: its picture stays only as a thumbnail
                from labeling.reports.file_evidence import gather_evidence

                evidence.append(
                    gather_evidence(path, max_pixels=max_pixels, pixels=options["isolate"] is False and not redacting)
                )
    except LabelingError as error:
        _common.fail(error)
    except KeyboardInterrupt:
        interrupted = True
        del reports[len(evidence) if form == "html" else len(reports) :]
    try:
        _output.emit(form, reports, evidence, lang, out, None if signing is None else signing.sign)
    except LabelingError as error:
        _common.fail(error)
    if interrupted:
        _common.complain(f"interrupted; {len(reports)} of {len(paths)} files were verified")
        raise SystemExit(INTERRUPTED)
    codes = {report.exit_code for report in reports}
    for lack in lacking.values():
        _common.complain(lack.reason)
    if lacking:
        raise SystemExit(MissingDependency.exit_code)
    raise SystemExit(1 if 1 in codes else max(codes, default=0))


def _book(where: str | None, *, isolated: bool) -> Ledger | None:
    """Open the ledger, which must exist."""
    if where is None:
        return None
    if isolated:
        raise LabelingError("--ledger compares pictures in this process", hint="leave out --isolate and its limits")
    from labeling.ledger import Ledger

    return Ledger.open(where, create=False)


class _Signing:
    """Signs the report: with a digest of each file, which must be the same before and after it was examined."""

    def __init__(self, pem: tuple[Path, Path], out: Path | None) -> None:
        from labeling.config import signer

        if out is None:
            raise LabelingError("--sign writes the signature beside the report", hint="give -o REPORT")
        _output.check_replaceable(_output.signature_of(out))
        self._signer = signer(*pem)
        self._before = ""
        self._examined: list[Examined] = []

    def before(self, path: Path) -> None:
        """Note what the file is."""
        self._before = _digest(path)[0]

    def after(self, path: Path, name: str) -> None:
        """Note that the file was examined, as the report calls it. Raises :class:`LabelingError` if it was changed."""
        from labeling.reports.signed import Examined

        digest, size = _digest(path)
        if digest != self._before:
            raise UnreadableFile("was changed while it was examined, so the report is not signed", path=path)
        self._examined.append(Examined(name, digest, size))

    def sign(self, report: bytes) -> bytes:
        """Return the signature of the report."""
        from labeling.reports.signed import sign

        return sign(report, self._examined, self._signer)


def _digest(path: Path) -> tuple[str, int]:
    """Return SHA-256 and size of a file; nothing for one that cannot be read."""
    from labeling.reports.file_evidence import gather_evidence

    found = gather_evidence(path, pixels=False)
    return (found.sha256, found.size) if found is not None else ("", 0)
