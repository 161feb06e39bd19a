"""The command line: each command is a thin twin of a library verb."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import warnings

import click

from labeling import __version__

_COMMANDS = {
    "add": "label pictures, video and audio",
    "verify": "report which labels files carry, and whether they comply",
    "report": "check reports that were signed",
    "inspect": "list everything in a file's metadata, raw",
    "classify": "say where uploads come from, and write a platform's label",
    "propagate": "add a platform's half to a label",
    "transplant": "copy labels to a re-encoded copy",
    "convert": "resize or convert a picture, and keep its labels",
    "batch": "label or verify a folder or bucket of any size",
    "ledger": "find, check and export the record of labels",
    "conformity": "write an evidence file for a regulator from samples",
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
    out; 3 some file could not be read; 130 interrupted; 141 the reader of the output has gone.
    """


_LOADING = 40_000
"""Objects that a command makes while it loads its modules; hardly any of them is given up again."""


def _collect_later() -> None:
    """Have the garbage collector begin when a command has loaded: before, it would search some fifty times in vain.

    What is there by then, mostly modules, it never looks at.
    """
    usual = gc.get_threshold()
    if usual[0] == 0 or usual[0] >= _LOADING:
        return

    def begin(phase: str, info: dict[str, int]) -> None:
        gc.set_threshold(*usual)
        gc.callbacks.remove(begin)
        gc.freeze()

    gc.callbacks.append(begin)
    gc.set_threshold(_LOADING, *usual[1:])


def main() -> None:
    """Entry point of ``aigc-label``."""
    from . import _streams

    _collect_later()
    warnings.simplefilter("ignore")  # what Pillow thinks of a file is in our own report, with what to do
    _streams.prepare()
    code, said = 0, ""
    try:
        code, said = _run()
    except _streams.OutputLost as error:
        code, said = _streams.lost(error)
    except KeyboardInterrupt:
        code, said = _streams.INTERRUPTED, "interrupted"
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except _streams.OutputLost as error:
        lost, why = _streams.lost(error)
        code, said = (code, said) if code in (2, _streams.INTERRUPTED) else (lost, why)
    if number := _streams.ended_by():
        code = 128 + number
    if said:
        from ._common import complain

        complain(said)
    sys.exit(code)


def _run() -> tuple[int, str]:
    """Run the command; return its exit code, and what is to be said at the end."""
    from ._streams import INTERRUPTED, OutputLost

    try:
        result = group.main(prog_name="aigc-label", standalone_mode=False)
        return (result if isinstance(result, int) else 0), ""
    except SystemExit as end:
        return (end.code if isinstance(end.code, int) else 0 if end.code is None else 2), ""
    except click.Abort:
        return INTERRUPTED, "interrupted"
    except click.UsageError as error:
        from ._terminal import line

        if error.ctx is not None:
            for text in error.ctx.get_usage().splitlines():
                line(text, err=True)
            line(f"Try '{error.ctx.command_path} --help' for help.", err=True)
        line("", err=True)
        line(f"Error: {error.format_message()}", err=True)
        return 2, ""
    except click.ClickException as error:
        return 2, error.format_message()
    except OutputLost:
        raise
    except Exception as error:  # noqa: BLE001 - the last resort
        return 2, _fault(error)


def _fault(error: Exception) -> str:
    """Return what is said of an error that nobody foresaw. It is a fault of ours, whatever the input was."""
    import traceback

    from labeling.inert import without_secrets

    *_, frame = traceback.extract_tb(error.__traceback__)
    place = f"{os.path.basename(frame.filename)}:{frame.lineno}"  # noqa: PTH119 - no file of a user
    said = without_secrets(str(error))
    return f"internal error: {type(error).__name__}: {said} at {place}; please report it with the file that shows it"
