"""The command line: each command is a thin twin of a library verb."""

from __future__ import annotations

import importlib
import sys
import warnings

import click

from labeling import __version__

_COMMANDS = {
    "add": "label pictures, video and audio",
    "verify": "report which labels files carry, and whether they comply",
    "inspect": "list everything in a file's metadata, raw",
    "propagate": "add a platform's half to a label",
    "transplant": "copy labels to a re-encoded copy",
    "convert": "resize or convert a picture, and keep its labels",
    "batch": "label or verify a folder or bucket of any size",
    "ledger": "find, check and export the record of labels",
    "trust": "keep the lists that make C2PA signatures trusted",
    "init": "write a commented aigc-label.toml",
    "demo": "label generated pictures and show the result",
}


class _Lazy(click.Group):
    """Imports a command's module when it is called, so that --help stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"labeling.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; an error that it leaves to its caller, or that its options raise, is printed in one line."""
        from labeling.errors import LabelingError

        try:
            return super().invoke(ctx)
        except LabelingError as error:
            from ._common import fail

            fail(error)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="aigc-label")
def group() -> None:
    """Put the labels that the law requires on AI-generated content, and check whether any file carries them.

    \b
    Examples:
      aigc-label init --producer 001191000000MA00DEM00P10001
      aigc-label add photo.png -o labelled.png
      aigc-label verify labelled.png
      aigc-label verify *.jpg --format json

    Exit codes: 0 all is well; 1 some file does not comply; 2 wrong usage, or a request that cannot be carried
    out; 3 some file could not be read.
    """


def main() -> None:
    """Entry point of ``aigc-label``."""
    warnings.simplefilter("ignore")  # what Pillow thinks of a file is in our own report, with what to do
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A file name that is not Unicode must not stop a report; \\udcXX is a valid escape in JSON, too.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    group(prog_name="aigc-label")
