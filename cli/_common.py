"""What the commands share: file arguments, the options of a labeler, progress, and how errors are printed."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from labeling.errors import LabelingError
from labeling.marks.iptc import AI_TERMS
from labeling.rules import PROFILES

from ._wording import in_options

if TYPE_CHECKING:
    from labeling.pipelines.output import LabeledFile

Function = TypeVar("Function", bound=Callable[..., Any])

POSITIONS = ("top-left", "top", "top-right", "right", "bottom-right", "bottom", "bottom-left", "left")


def expand(patterns: tuple[str, ...]) -> list[Path]:
    """The files that the arguments name. A shell that does not expand globs (Windows) leaves that to us."""
    paths: list[Path] = []
    for pattern in patterns:
        there = os.path.exists(pattern)  # noqa: PTH110 - Path.exists raises where a folder may not be looked into
        matches = [] if there or not glob.has_magic(pattern) else sorted(glob.glob(pattern))  # noqa: PTH207 - it may be absolute
        paths += [Path(match) for match in matches] or [Path(pattern)]
    return paths


def complain(message: object, path: Path | None = None) -> None:
    """Print an error or a text of the library, in one line on standard error, with options for its parameters.

    Args:
        message: The error or text.
        path: The file it is about, which is named if the error names none.
    """
    if path is not None and isinstance(message, LabelingError) and message.path is None:
        message = f"{path}: {message}"
    text = " ".join(in_options(str(message)).split())
    click.echo(f"aigc-label: {text}", err=True)


def fail(error: LabelingError) -> NoReturn:
    """Print the error and end the command with its exit code."""
    complain(error)
    raise SystemExit(error.exit_code)


def progress(paths: list[Path], *, quiet: bool) -> Iterator[Path]:
    """Go through the paths; draw a bar on a terminal where there are enough of them to wait for."""
    if quiet or len(paths) < 8 or not sys.stderr.isatty():
        yield from paths
        return
    with click.progressbar(paths, label="Pictures", show_pos=True, file=sys.stderr) as bar:
        yield from bar


@contextmanager
def video_progress(path: Path, *, quiet: bool) -> Iterator[Callable[[float, float], None] | None]:
    """Show on the terminal how far the encoding of a video is, how fast it goes, and how long it will take."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    import time

    start = last = time.monotonic()
    shown = False

    def tell(done: float, total: float) -> None:
        nonlocal last, shown
        now = time.monotonic()
        if now - start < 1 or now - last < 0.2:
            return
        last, shown = now, True
        speed = done / (now - start)
        left = (total - done) / speed if speed else 0
        line = f"{path.name}: {done:.0f} of {total:.0f} s, {speed:.1f}× real time, {left:.0f} s left"
        click.echo(f"\r\033[K{line}", nl=False, err=True)

    try:
        yield tell
    finally:
        if shown:
            click.echo("\r\033[K", nl=False, err=True)


def _chain(*decorators: Callable[[Any], Any]) -> Callable[[Function], Function]:
    def apply(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


class ProfileName(click.ParamType[str]):
    """The name of a profile, or a path to one in TOML."""

    name = "profile"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return f"[{'|'.join(PROFILES)}|FILE.toml]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in PROFILES and not str(value).endswith(".toml"):
            self.fail(f"{value!r} is neither one of {', '.join(PROFILES)} nor a .toml file", param, ctx)
        return str(value)


profile_option = click.option("--profile", type=ProfileName(), help="Which rules apply (default: cn).")

sidecar_option = click.option(
    "--sidecar", is_flag=True, help="Where a film cannot hold a C2PA manifest: write it beside it, as NAME.c2pa."
)

strict_option = click.option(
    "--strict", is_flag=True, help="Refuse a file of which anything would be lost, and write nothing."
)

signer_options = _chain(
    click.option("--signer-cert", type=click.Path(path_type=Path), help="Certificate chain (PEM) to sign C2PA with."),
    click.option("--signer-key", type=click.Path(path_type=Path), help="Its private key (PEM)."),
    click.option("--tsa-url", metavar="URL", help="Time-stamp authority; the only network call there is."),
)

propagation_options = _chain(
    click.option("-o", "--out", type=click.Path(path_type=Path), help="Output file."),
    click.option("--in-place", is_flag=True, help="Replace the input itself."),
    click.option("--dry-run", is_flag=True, help="Do everything but write."),
    strict_option,
    signer_options,
)
"""The options of propagate and transplant."""

labeler_options = _chain(
    click.option("--config", type=click.Path(path_type=Path), help="Configuration file (default: ./aigc-label.toml)."),
    profile_option,
    click.option("--producer", metavar="CODE", help="Provider code (27 characters) or name."),
    click.option("--content-id", metavar="ID", help="Content number; default: a new sortable unique one per file."),
    click.option("--origin", type=click.Choice(["1", "2", "3"]), help="1 generated, 2 possibly, 3 suspected."),
    click.option("--generator", metavar="NAME", help="The system that made the picture."),
    click.option("--generator-version", metavar="V", help="Its version (California asks for it)."),
    click.option("--provider-name", metavar="NAME", help="The provider's name in plain words, for C2PA."),
    click.option("--source-type", type=click.Choice(AI_TERMS), help="IPTC digital source type (default: trained…)."),
    click.option("--no-visible", is_flag=True, help="Metadata only: the pixels stay untouched."),
    click.option("--text", metavar="T", help="Wording of the visible label (default: AI生成)."),
    click.option("--position", type=click.Choice(POSITIONS), help="Where it goes (default: bottom-right)."),
    click.option("--height", type=float, metavar="R", help="Text height, of the shortest side (default 0.056)."),
    click.option("--opacity", type=float, metavar="A", help="Opacity of the text, 0 to 1."),
    click.option("--plate", type=click.Choice(["auto", "on", "off"]), help="A plate behind the text."),
    click.option("--color", metavar="#RRGGBB", help="Colour of the text."),
    click.option("--font", type=click.Path(path_type=Path), help="Font file to draw the text with."),
    click.option("--logo", type=click.Path(path_type=Path), help="Picture to set beside the text (PNG)."),
    click.option("--exif", is_flag=True, help="Write EXIF Software, DateTime and ImageDescription as well."),
    click.option("--description", metavar="T", help="ImageDescription, with --exif."),
    click.option(
        "--when",
        type=click.Choice(["start", "start+end", "start+middle+end", "whole"]),
        help="Where in a film the visible label is (default: start).",
    ),
    click.option("--duration", type=float, metavar="S", help="How long it stays there, in seconds (default 2)."),
    click.option(
        "--reencode",
        type=click.Choice(["auto", "never", "always"]),
        help="Code anew what is under a film's label (auto), or all; never: refuse rather than all.",
    ),
    click.option("--preset", metavar="P", help="Preset of the film's encoder (default: the codec's stated one)."),
    click.option("--audio-cue", type=click.Choice(["rhythm"]), help="Mix an audible label into a sound (WAV)."),
    click.option(
        "--crf", type=click.IntRange(0, 63), help="Quality of the film's encoder, 0 is best (default: stated)."
    ),
    click.option("--quality", type=click.IntRange(1, 100), help="For formats that must be encoded again with loss."),
    click.option("--max-pixels", type=click.IntRange(1), help="Refuse larger pictures (default 100 000 000)."),
    strict_option,
    signer_options,
    sidecar_option,
)
"""The options that make a labeler, the same for every command that labels."""

_STYLE = ("text", "position", "height", "opacity", "plate", "color", "font", "logo")
_FILM = {"when": "when", "duration": "seconds", "reencode": "reencode", "preset": "preset", "crf": "crf"}
_PLAIN = (
    "profile",
    "producer",
    "generator",
    "generator_version",
    "provider_name",
    "source_type",
    "description",
    "quality",
    "max_pixels",
)


def labeler(options: dict[str, Any]) -> Any:
    """Make the labeler from the configuration file and the options, which outrank it. Raises :class:`LabelingError`."""
    from labeling import config
    from labeling.labeler import Labeler
    from labeling.rules import profile

    path = options["config"]
    if path is None and Path(config.NAME).is_file():
        path = Path(config.NAME)
    arguments = config.load(path).labeler_arguments() if path is not None else {}
    arguments |= {key: options[key] for key in _PLAIN if options[key] is not None}
    if "producer" not in arguments:
        raise LabelingError("no producer", hint="give --producer CODE, or write it down once with aigc-label init")
    if options["origin"]:
        arguments["origin"] = config.origin(options["origin"])
    for flag in ("exif", "sidecar", "strict"):
        if options[flag]:
            arguments[flag] = True
    if options["no_visible"]:
        arguments["visible"] = False
    values = {key: options[key] for key in _STYLE if options[key] is not None}
    if values:
        values.setdefault("text", profile(arguments.get("profile", "cn")).text)
        arguments["style"] = config.style(values)
    film = arguments.pop("video", {}) | {name: options[key] for key, name in _FILM.items() if options[key] is not None}
    if options["audio_cue"]:
        film["audio_cue"] = True
    if film:
        from labeling.pipelines.video import VideoOptions

        arguments["video"] = VideoOptions(**film)
    if (chosen := signer(options)) is not None:
        arguments["signer"] = chosen
    return Labeler(**arguments)


def signer(options: dict[str, Any]) -> Any:
    """The C2PA signer that the options name, if any. Raises :class:`LabelingError`."""
    if bool(options["signer_cert"]) != bool(options["signer_key"]):
        raise LabelingError("signing needs both --signer-cert and --signer-key")
    if not options["signer_cert"]:
        return None
    from labeling import config

    return config.signer(options["signer_cert"], options["signer_key"], options["tsa_url"])


def propagation_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Return the library verb's arguments for ``propagation_options``. Raises :class:`LabelingError`."""
    same = {name: options[name] for name in ("in_place", "dry_run", "strict")}
    return {"target": options["out"], "signer": signer(options), **same}


def print_result(done: LabeledFile) -> None:
    """Print what was done to one file."""
    verb = "would write" if done.dry_run else "wrote"
    verdicts = ", ".join(f"{name}: {v.outcome}" for name, v in done.report.verdicts.items())
    click.echo(f"{verb} {done.path}  [{verdicts}]  content id {done.label.content_id}")
    for sentence in done.how:
        click.echo(f"  {in_options(sentence)}")
    for loss in done.lost:
        click.echo(f"  lost: {in_options(str(loss))}")
    for verdict in done.report.verdicts.values():
        for defect in (*verdict.failed, *verdict.warnings):
            click.echo(f"  {defect.rule}: {in_options(defect.message)} ({defect.clause})")
