"""``aigc-label demo``: makes pictures or takes yours, labels and verifies them, and shows the result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labeling import __version__
from labeling.errors import LabelingError, WriteError

from . import _common, _options
from ._terminal import line

if TYPE_CHECKING:
    from PIL import Image

    from labeling.labeler import Labeler
    from labeling.pipelines.output import LabeledFile
    from labeling.verification.report import Report

    from ._sheet import Entry

PRODUCER = "001191000000MA00DEM00P10001"
"""A made-up provider: there is no region 000000, so the code belongs to nobody. Its check digit is right."""

GENERATED = {
    "dawn": "jpg",
    "night": "png",
    "silk": "webp",
    "flow": "avif",
    "dunes": "tiff",
    "lanterns": "jpg",
    "snow": "png",
    "sea": "gif",
}
"""Picture → format: light, dark, busy and animated ones, and every format that needs no extra library; but AVIF, which
needs PyAV."""

ANIMATED = ("sea",)

MAX_MEDIA = 200
SHEET = "contact-sheet.png"


@click.command("demo")
@click.argument("media", nargs=-1, metavar="[MEDIA...]")
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("demo-output"), show_default=True,
              help="Folder for the result.")  # fmt: skip
@_options.profile_option
def command(media: tuple[str, ...], out: Path, profile: str | None) -> None:
    """Label pictures, verify them and show the result: a table here, and a contact sheet to open.

    Without MEDIA, eight pictures are generated; seven if PyAV is not installed, which AVIF needs. MEDIA are pictures or
    folders of yours; they are read, never changed. Everything is signed with a throw-away test certificate that nobody
    trusts, for a provider that does not exist.

    \b
    Examples:
      aigc-label demo
      aigc-label demo holiday.jpg drawings/ -o /tmp/labelled
      aigc-label demo --profile eu
    """
    from labeling.verification.verifier import verify

    name = profile or "cn"
    try:
        sources = _gather(media, out) if media else _generate(out)
        done, code = _label(sources, out, name)
        reports = [verify(labelled.path, name) for labelled in done]
    except LabelingError as error:
        _common.fail(error)
    if not done:
        raise SystemExit(code or 2)
    from ._table import print_table

    print_table([replace(report, path=labelled.path.name) for labelled, report in zip(done, reports, strict=True)])
    try:
        _write_sheet(done, reports, name, out / SHEET)
    except (LabelingError, OSError) as error:
        reason = error.reason if isinstance(error, LabelingError) else error
        _common.fail(WriteError(f"cannot be written ({reason})", path=out / SHEET))
    line("")
    line(f"Look at   {out / SHEET}")
    line(f"Pictures  {out / 'labelled'}")
    line(f"Try       aigc-label inspect {done[0].path}")
    raise SystemExit(code or max(report.exit_code for report in reports))


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the folder cannot be made ({error.strerror})"
        raise WriteError(message, path=path, hint="choose another with -o") from error
    return path


def _generate(out: Path) -> list[Path]:
    """Paint the demo's own pictures into OUT/originals."""
    from labeling.codecs import pyav

    from . import _pictures

    folder = _folder(out / "originals")
    paths = []
    for name, extension in GENERATED.items():
        if extension == "avif" and not pyav.installed():
            continue
        path = folder / f"{name}.{extension}"
        try:
            if name in ANIMATED:
                _pictures.save_animation(_pictures.animation(), path)
            elif name == "lanterns":
                _pictures.save(_pictures.picture(name, 800, 1200), path)
            else:
                _pictures.save(_pictures.picture(name), path)
        except OSError as error:
            raise WriteError(f"cannot be written ({error.strerror or error})", path=path) from error
        paths.append(path)
    return paths


def _gather(media: tuple[str, ...], out: Path) -> list[Path]:
    """Return the pictures that the arguments name, and those in folders that they name."""
    found: list[Path] = []
    for path in _common.expand(media):
        found += _pictures_in(path, out) if path.is_dir() else [path]
    if not found:
        raise LabelingError(f"no picture in {', '.join(media)}", hint="name files, or folders with pictures in them")
    if len(found) > MAX_MEDIA:
        line(f"The first {MAX_MEDIA} of {len(found)} pictures; aigc-label add takes any number.")
    return found[:MAX_MEDIA]


def _pictures_in(folder: Path, out: Path) -> Iterator[Path]:
    from labeling import containers

    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.is_symlink() and path.resolve().parent != (out / "labelled").resolve():
            try:
                with path.open("rb") as file:
                    head = file.read(containers.HEAD)
            except OSError:
                continue
            if containers.identify(head) is not None:
                yield path


def _labeler(profile: str) -> Labeler:
    from labeling.labeler import Labeler
    from labeling.marks.credentials import Signer, make_test_chain

    chain = make_test_chain()
    return Labeler(
        producer=PRODUCER,
        profile=profile,
        signer=Signer.from_pem(chain.cert_pem, chain.key_pem),
        generator="aigc-label demo",
        generator_version=__version__,
        provider_name="Example provider",
    )


def _label(sources: list[Path], out: Path, profile: str) -> tuple[list[LabeledFile], int]:
    """Label each picture into OUT/labelled; one that cannot be labelled is left out, and why is printed."""
    labeler = _labeler(profile)
    target = _folder(out / "labelled")
    done: list[LabeledFile] = []
    code = 0
    used: set[str] = set()
    for path in _common.progress(sources, quiet=False):
        name = path.name
        while name.lower() in used:  # pictures of the same name from several folders
            name = f"_{name}"
        used.add(name.lower())
        try:
            done.append(labeler.label_file(path, target / name))
        except LabelingError as error:
            _common.complain(error, path)
            code = max(code, error.exit_code)
    return done, code


def _write_sheet(done: list[LabeledFile], reports: list[Report], profile: str, path: Path) -> None:
    from labeling.rules import PROFILES

    from . import _sheet

    entries = [_entry(labelled, report, profile) for labelled, report in zip(done, reports, strict=True)]
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    marks = "visible text, AIGC field, IPTC and a C2PA manifest signed for tests only"
    sheet = _sheet.make(
        entries,
        title=f"{len(entries)} labelled picture{'s' if len(entries) != 1 else ''}",
        subtitle=f"{PROFILES[profile].title}  ·  {marks}",
        footer=f"aigc-label demo  ·  {when}  ·  below each picture its label at full size",
    )
    _sheet.save(sheet, path)


def _entry(labelled: LabeledFile, report: Report, profile: str) -> Entry:
    from ._sheet import Entry

    image = _displayed(labelled)
    count = _frames(labelled.path)
    frames = f" · {count} frames" if count > 1 else ""
    before, after = labelled.source.stat().st_size, labelled.size
    kind = report.media_type.rpartition("/")[2].upper()
    detail = f"{kind} · {image.width}×{image.height}{frames} · {_size(before)} → {_size(after)}"
    drawn = labelled.report  # the box as drawn; the verifier's own is where it found the text
    box = next((m.value.get("box") for m in drawn.findings if m.kind == "visible"), None)
    return Entry(labelled.path.name, detail, str(report.verdicts[profile].outcome), image, tuple(box) if box else None)


def _displayed(labelled: LabeledFile) -> Image.Image:
    """Return the first frame as a viewer shows it; a blank one if it cannot be decoded (the table says why)."""
    from PIL import Image

    from labeling import codecs, containers
    from labeling.verification import metadata

    data = labelled.path.read_bytes()
    contents = containers.read(data)
    try:
        orientation = metadata.scan(contents).orientation
        return Image.fromarray(codecs.displayed(data, contents.format, orientation=orientation))
    except LabelingError:
        return Image.new("RGB", (max(1, contents.width), max(1, contents.height)), "white")


def _frames(path: Path) -> int:
    from labeling import containers

    return containers.read(path.read_bytes()).frames


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} KB"
