"""``aigc-label trust``: whose C2PA signatures count as trusted."""

from __future__ import annotations

import click

from labeling.errors import LabelingError

from . import _common
from ._terminal import line


@click.group("trust")
def command() -> None:
    """Keep the certificate lists that make a C2PA signature "trusted" and not only "valid".

    The C2PA trust list and its list of time-stamp authorities come with the package, and count without being asked for;
    verify --trust none turns them off. Other lists are stored in the user's settings folder (or in AIGC_LABEL_HOME),
    each with its source and date; verify uses all of them. The interim trust list makes nobody trusted: signers on it
    are reported as known from it.

    \b
    Examples:
      aigc-label trust list
      aigc-label trust update C2PA-TRUST-LIST.pem
      aigc-label trust update https://example.org/C2PA-TSA-TRUST-LIST.pem
      aigc-label trust add our-own-root.pem
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
    line(f"{bundle.name}: {_certificates(bundle.certificates)} ({bundle.kind}), added {bundle.added}")


@command.command("update")
@click.argument("source", metavar="FILE|URL")
@click.option("--kind", type=click.Choice(["anchors", "tsa"]), default=None,
              help="The trust list or that of time-stamp authorities (default: told by its certificates).")  # fmt: skip
def update(source: str, kind: str | None) -> None:
    """Renew the C2PA trust list or its list of time-stamp authorities, from a file or an https URL.

    C2PA publishes both at https://github.com/c2pa-org/conformance-public, in the folder trust-list.
    """
    from labeling import trust

    try:
        bundle = trust.update(source, kind=kind or "")
    except LabelingError as error:
        _common.fail(error)
    line(f"{bundle.renews}: {_certificates(bundle.certificates)}, renewed {bundle.added}")


@command.command("list")
def list_() -> None:
    """Show the lists that count, with their source and date."""
    from labeling import trust
    from labeling.marks.credentials import OLD_AFTER, is_interim, is_old

    try:
        held = trust.counting()
    except LabelingError as error:
        _common.fail(error)
    for each, source in held:
        line(f"{each.name}: {_certificates(len(each.bodies()))} ({each.kind}), {each.date}, {source}")
        if is_old(each):
            line(f"  more than {OLD_AFTER} days old: aigc-label trust update renews it")
        if is_interim(each):
            line("  the interim trust list: signers on it are reported as known from it, and nobody is trusted by it")


@command.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Delete a stored list."""
    from labeling import trust

    try:
        trust.remove(name)
    except LabelingError as error:
        _common.fail(error)


def _certificates(number: int) -> str:
    return f"{number} certificate{'' if number == 1 else 's'}"
