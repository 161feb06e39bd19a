"""``aigc-label trust``: whose C2PA signatures count as trusted."""

from __future__ import annotations

import click

from labeling.errors import LabelingError

from . import _common
from ._terminal import line


@click.group("trust")
def command() -> None:
    """Keep the certificate lists that make a C2PA signature "trusted" and not only "valid".

    Nobody is trusted by default. The lists are stored in the user's settings folder (or in AIGC_LABEL_HOME), each with
    its source and date; verify uses all of them.

    \b
    Examples:
      aigc-label trust add C2PA-TRUST-LIST.pem
      aigc-label trust add https://example.org/C2PA-TSA-TRUST-LIST.pem --kind tsa
      aigc-label trust list
    """


@command.command("add")
@click.argument("source", metavar="FILE|URL")
@click.option("--kind", type=click.Choice(["anchors", "allowed", "tsa"]), default="anchors", show_default=True,
              help="Roots, single allowed certificates, or roots of time-stamp authorities.")  # fmt: skip
@click.option("--name", default="", help="Name to keep it under (default: that of the file).")
def add(source: str, kind: str, name: str) -> None:
    """Store a PEM bundle from a file, or fetch it from an https URL."""
    from labeling import trust

    try:
        bundle = trust.add(source, kind=kind, name=name)
    except LabelingError as error:
        _common.fail(error)
    line(f"{bundle.name}: {bundle.certificates} certificates ({bundle.kind}), added {bundle.added}")


@command.command("list")
def list_() -> None:
    """Show the stored lists with their source and date."""
    from labeling import trust

    try:
        bundles = trust.stored()
    except LabelingError as error:
        _common.fail(error)
    if not bundles:
        line("No trust list is stored: no signature counts as trusted.")
    for bundle in bundles:
        line(f"{bundle.name:24} {bundle.kind:8} {bundle.certificates:4} certificates  {bundle.added}  {bundle.source}")


@command.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Delete a stored list."""
    from labeling import trust

    try:
        trust.remove(name)
    except LabelingError as error:
        _common.fail(error)
