"""``aigc-label propagate``: the twin of :func:`labeling.propagate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from labeling.errors import LabelingError

from . import _common, _options


@click.command("propagate")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--propagator", metavar="CODE", required=True, help="The platform's code (27 characters) or name.")
@click.option("--propagate-id", metavar="ID", required=True, help="The platform's number for the content.")
@click.option("--security", metavar="DATA", default="", help="Security data for ReservedCode2.")
@_options.propagation_options
def command(file: Path, propagator: str, propagate_id: str, security: str, **options: Any) -> None:
    """Add a platform's half to the label that a picture carries; the producer's half stays.

    Labelling Measures Art. 6. A picture with C2PA content credentials needs a signer: they become the
    parent ingredient.

    \b
    Examples:
      aigc-label propagate upload.png --propagator my-platform --propagate-id post-17 -o published.png
    """
    from labeling.pipelines.propagation import propagate

    try:
        done = propagate(
            file,
            propagator=propagator,
            propagate_id=propagate_id,
            security=security,
            **_options.propagation_arguments(options),
        )
    except LabelingError as error:
        _common.fail(error)
    _common.print_result(done)
