"""``aigc-label transplant``: the twin of :func:`labeling.transplant`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from labeling.errors import LabelingError

from . import _common, _options


@click.command("transplant")
@click.argument("labelled", type=click.Path(path_type=Path))
@click.argument("copy", type=click.Path(path_type=Path))
@_options.propagation_options
def command(labelled: Path, copy: Path, **options: Any) -> None:
    """Copy the labels of LABELLED to COPY, a re-encoded or resized copy of the same picture, video or sound.

    What is not the same content is refused. Packets of video and audio stay as they are. A visible label that only the
    original shows is named: it is part of the content. C2PA credentials stay behind unless a signer is given: then
    the original becomes the parent ingredient.

    \b
    Examples:
      aigc-label transplant labelled.png small.webp -o small-labelled.webp
    """
    from labeling.pipelines.transplantation import transplant

    try:
        done = transplant(labelled, copy, **_options.propagation_arguments(options))
    except LabelingError as error:
        _common.fail(error)
    _common.print_result(done)
