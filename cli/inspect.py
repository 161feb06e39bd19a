"""``aigc-label inspect``: the twin of :func:`labeling.inspect`."""

from __future__ import annotations

import json
from typing import Any

import click

from labeling.errors import LabelingError

from . import _common


@click.command("inspect")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
              help="Form of the list.")  # fmt: skip
def command(files: tuple[str, ...], form: str) -> None:
    """List everything in a file's metadata, raw and in file order. Nothing is judged.

    \b
    Examples:
      aigc-label inspect photo.png
      aigc-label inspect photo.jpg --format json
    """
    from labeling.verification.inspection import inspect

    found: list[dict[str, Any]] = []
    code = 0
    for path in _common.expand(files):
        try:
            found.append(inspect(path))
        except LabelingError as error:
            _common.complain(error, path)
            code = 3
    if form == "json":
        click.echo(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        for entry in found:
            _show(entry)
    raise SystemExit(code)


def _show(entry: dict[str, Any]) -> None:
    size = f"{entry['width']}×{entry['height']}" + (f", {entry['frames']} frames" if entry["frames"] > 1 else "")
    size += f", {entry['seconds']:g} s" if entry["seconds"] else ""
    click.secho(f"{entry['path']}", bold=True)
    click.echo(f"  {entry['media_type']}, {size}, {entry['bytes']} bytes ({entry['coded_bytes']} coded)")
    for problem in entry["problems"]:
        click.secho(f"  damaged: {problem}", fg="red")
    for warning in entry["warnings"]:
        click.secho(f"  odd: {warning}", fg="yellow")
    for block in entry["blocks"]:
        click.echo(f"  @{block['offset']:<9}{block['where']}  ({block['length']} bytes)")
        if "problem" in block:
            click.secho(f"      {block['problem']}", fg="red")
        lines = block.get("properties") or block.get("tags") or {}
        for key, text in lines.items():
            click.echo(f"      {key} = {_clean(text)}")
        if "text" in block:
            click.echo(f"      {_clean(block['text'])}")


def _clean(text: str) -> str:
    """A file's text must not move the terminal's cursor or change its colours."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" if c not in "\n\r\t" else " " for c in text)
    return shown if len(shown) <= 400 else f"{shown[:400]}… ({len(text)} characters)"
