"""``aigc-label convert``: the twin of :func:`labeling.convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from labeling.errors import LabelingError
from labeling.options import LabelerOptions, options_of
from labeling.options.conversion import ConversionOptions

from . import _common, _options

_CONVERSION, _LABELER = options_of(ConversionOptions), options_of(LabelerOptions)


@click.command("convert")
@click.argument("source", type=click.Path(path_type=Path), metavar="SRC")
@click.argument("target", type=click.Path(path_type=Path), metavar="[DST]", required=False)
@_options.click_option(_CONVERSION["resize"])
@_options.click_option(_CONVERSION["format"])
@_options.click_option(_LABELER["quality"])
@click.option("--in-place", is_flag=True, help="Replace the input itself.")
@click.option("--dry-run", is_flag=True, help="Do everything but write.")
@_options.click_option(_LABELER["strict"])
@_options.click_option(_LABELER["keep_times"])
@_options.profile_option
@_options.click_option(_LABELER["max_pixels"])
@_options.signer_options
def command(source: Path, target: Path | None, profile: str | None, max_pixels: int | None, **options: Any) -> None:
    """Resize a picture or convert it to another format, with its labels, metadata and content credentials.

    Labels stay as they are, whoever's they are, and none is added. Colour profile, EXIF and XMP come along; what the
    new format cannot hold is named. A picture with C2PA content credentials needs a signer: they become the parent
    ingredient of new ones, which say that it was resized or transcoded.

    \b
    Examples:
      aigc-label convert labelled.png small.webp --resize 1280 --quality 80
      aigc-label convert photo.jpg photo.avif --signer-cert chain.pem --signer-key key.pem
      aigc-label convert layout.psd layout.png
      aigc-label convert photo.jpg --in-place --resize 1920x1080
    """
    from labeling.pipelines.conversion import convert

    optional = {"profile": profile, "max_pixels": max_pixels}
    try:
        done = convert(
            source,
            target,
            format=options["format"],
            resize=options["resize"],
            quality=options["quality"],
            signer=_options.signer(options),
            in_place=options["in_place"],
            dry_run=options["dry_run"],
            strict=options["strict"],
            keep_times=options["keep_times"],
            **{name: value for name, value in optional.items() if value is not None},  # type: ignore[arg-type]
        )
    except LabelingError as error:
        _common.fail(error)
    _common.print_converted(done)
