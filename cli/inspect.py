"""``aigc-label inspect``: the twin of :func:`labeling.inspect`."""

from __future__ import annotations

from typing import Any

import click

from labeling.errors import LabelingError
from labeling.inert import inert, to_json
from labeling.reports.credentials import history, watermarks

from . import _common
from ._terminal import document, line

_SHOWN = 400
"""Characters of a text that are shown; the JSON form has more."""


@click.command("inspect")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
              help="Form of the list.")  # fmt: skip
@click.option("--redact", "redacting", is_flag=True,
              help="Provenance of systems only: withhold what may be about persons, names of files too.")  # fmt: skip
def command(files: tuple[str, ...], form: str, redacting: bool) -> None:
    """List everything in a file's metadata, raw and in file order. Nothing is judged.

    \b
    Examples:
      aigc-label inspect photo.png
      aigc-label inspect photo.jpg --format json
      aigc-label inspect upload.jpg --redact
    """
    from labeling.verification.inspection import inspect
    from labeling.verification.redaction import NAME, redact

    found: list[dict[str, Any]] = []
    code = 0
    paths = _common.expand(files)
    for number, path in enumerate(paths, 1):
        try:
            listed = inspect(path)
            found.append(redact(listed, name=f"{NAME} {number}" if len(paths) > 1 else NAME) if redacting else listed)
        except LabelingError as error:
            _common.complain(error, path)
            code = 3
    if form == "json":
        document(to_json(found, indent=1) + "\n")
    else:
        for entry in found:
            _show(entry)
    raise SystemExit(code)


def _show(entry: dict[str, Any]) -> None:
    size = f"{entry['width']}×{entry['height']}" + (f", {entry['frames']} frames" if entry["frames"] > 1 else "")
    size += f", {entry['seconds']:g} s" if entry["seconds"] else ""
    line(f"{entry['path']}", bold=True)
    line(f"  {entry['media_type']}, {size}, {entry['bytes']} bytes ({entry['coded_bytes']} coded)")
    for problem in entry["problems"]:
        line(f"  problem: {problem}", fg="red")
    for warning in entry["warnings"]:
        line(f"  odd: {warning}", fg="yellow")
    for block in entry["blocks"]:
        line(f"  @{block['offset']:<9}{block['where']}  ({block['length']} bytes)")
        if "problem" in block:
            line(f"      {block['problem']}", fg="red")
        lines = block.get("properties") or block.get("tags") or {}
        for key, text in lines.items():
            line(f"      {key} = {_clean(str(text))}")
        if "text" in block:
            line(f"      {_clean(block['text'])}")
    for said in watermarks(entry):
        line(f"  watermark: {_clean(said)}")
    for step in history(entry):
        line(f"  history: {_clean(step)}")


def _clean(text: str) -> str:
    """A file's text in one line, of which the beginning is shown."""
    shown = inert(text[:_SHOWN])
    return shown if len(text) <= _SHOWN else f"{shown}… ({len(text)} characters)"
