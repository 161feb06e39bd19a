"""Help in sections: the many options of labelling under the titles of their tables in the configuration file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import click

from labeling.options import DECLARING, options_of

from ._options import destination

OTHERS = "Options"
TITLES = {
    "": "Label",
    "generator": "Generator",
    "visible": "Visible label",
    "video": "Video and audio",
    "embedded": "EXIF",
    "c2pa": "Content credentials (C2PA)",
    "limits": "Limits",
}
"""Titles by table of the configuration file. Options of none, and of others, are among the first ones."""


class Sectioned(click.Command):
    """A command whose help shows its options in sections.

    Attributes:
        sections: Names of parameters by the title of their section; the others are where their tables are.
    """

    sections: ClassVar[Mapping[str, Sequence[str]]] = {}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in their sections."""
        of_table = {
            destination(option): TITLES.get(option.table or "", OTHERS)
            for declaring in DECLARING
            for option in options_of(declaring).values()
            if option.flag and option.table is not None
        }
        own = {name: title for title, names in self.sections.items() for name in names}
        found: dict[str, list[tuple[str, str]]] = {title: [] for title in (*self.sections, OTHERS, *TITLES.values())}
        for parameter in self.get_params(ctx):
            name = parameter.name or ""
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record:
                title = own.get(name) or of_table.get(name, OTHERS)
                found[title].append((record[0], _without(title, record[1])))
        for title, records in found.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def _without(title: str, text: str) -> str:
    """Return a help text without the condition that its section's title says."""
    rest = text.removeprefix(f"{title}: ")
    return text if rest == text else rest[:1].upper() + rest[1:]
