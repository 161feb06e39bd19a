"""``aigc-label report``: what is done with a report that somebody handed over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labeling.errors import LabelingError, UnreadableFile
from labeling.inert import inert, to_json

from . import _common, _options
from ._terminal import document, line

if TYPE_CHECKING:
    from labeling.reports import signed


@click.group("report")
def command() -> None:
    """Check reports that "verify --sign" has signed.

    \b
    Examples:
      aigc-label verify photo.png --format json -o report.json --sign chain.pem key.pem
      aigc-label report verify report.json photo.png
    """


@command.command("verify")
@click.argument("report", type=click.Path(path_type=Path), metavar="REPORT")
@click.argument("others", type=click.Path(path_type=Path), nargs=-1, metavar="[JWS] [FILE]...")
@_options.trust_option
@click.option("--no-stored-trust", is_flag=True, help="Ignore the lists that aigc-label trust has stored.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
              help="Output format.")  # fmt: skip
def verify(report: Path, others: tuple[Path, ...], trust: tuple[str, ...], no_stored_trust: bool, form: str) -> None:
    """Check a signed report: the signature, the files, the certificate, and whether the signer is trusted.

    Without JWS, the signature is REPORT.jws. With FILEs, their SHA-256 must be among those that were examined. Whoever
    makes a certificate can put any name in it: only a list says who is who, the C2PA trust list, those stored with
    "aigc-label trust", or your own CA's root with --trust. The time is the signer's word.

    \b
    Examples:
      aigc-label report verify report.json
      aigc-label report verify report.json report.json.jws photo.png --trust our-ca.pem

    Exit codes: 0 all of it holds; 1 something does not, and it says what; 2 wrong usage; 3 a file could not be read.
    """
    from labeling.reports import signed
    from labeling.reports.file_evidence import gather_evidence
    from labeling.trust import load as load_trust

    files = list(others)
    jws = Path(f"{report}{signed.SUFFIX}")
    try:
        if files and signed.is_signature(_head(files[0])):
            jws = files.pop(0)
        hashes = []
        for path in files:
            evidence = gather_evidence(path, pixels=False)
            if evidence is None:
                raise UnreadableFile("cannot be read", path=path)
            hashes.append((str(path), evidence.sha256))
        held, signature = _read(report, "the report"), _read(jws, "the signature of the report")
        lists = load_trust(trust, use_stored=not no_stored_trust, note=_common.complain)
        try:
            found = signed.check(held, signature, hashes, trust=lists)
        except UnreadableFile as error:
            raise UnreadableFile(error.message, path=jws, hint=error.hint) from error
    except LabelingError as error:
        _common.fail(error)
    if form == "json":
        document(to_json(found.to_dict(), indent=1) + "\n")
    else:
        _show(found)
    raise SystemExit(0 if found.holds else 1)


def _read(path: Path, what: str) -> bytes:
    from labeling.files import read_file
    from labeling.reports.signed import MAX_JWS

    try:
        return read_file(path, what, MAX_JWS)
    except LabelingError as error:
        raise UnreadableFile(error.message, path=path) from error


def _head(path: Path) -> bytes:
    """Return a file's content if it is as short as a signature; a file that cannot be read is not one."""
    from labeling.reports.signed import MAX_JWS

    try:
        with path.open("rb") as file:
            return file.read(MAX_JWS) if file.read(3) == b"eyJ" and not file.seek(0) else b""
    except OSError:
        return b""


def _show(found: signed.Check) -> None:
    state, color = ("holds", "green") if found.holds else ("DOES NOT HOLD", "red")
    proven = all(answer.holds for answer in found.answers if answer.about == "signature")
    who = "signed by" if proven else "names as its signer, which the signature does not prove,"
    line(f"{state}: {who} {inert(found.signer)}, {found.time}, {inert(found.detector)}", bold=True, fg=color)
    for answer in found.answers:
        sign = {True: "✓", False: "✗", None: "·"}[answer.holds]
        line(f"  {sign} {answer.about}: {inert(answer.words)}", fg="red" if answer.holds is False else None)
    for each in found.files:
        line(f"    examined: {inert(each.path)}  {inert(each.sha256) or 'could not be read'}")
