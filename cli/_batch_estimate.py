"""``aigc-label batch --dry-run``: the twin of :func:`labeling.batch.estimate`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from labeling import batch
from labeling.inert import inert, to_json
from labeling.reports import quantities

from ._terminal import document, elide, line, make_console

_NOTES = {
    "remote target": "Storing the outputs and reading them back is not in the time: the sample stayed on this machine.",
    "sample cut": "Not all files of the sample were processed: it had taken two minutes.",
    "unsampled": "Kinds of which no file was processed count like the average of the others.",
    "large": "Uploads in parts are counted by the sizes of the files.",
}
_UNLIMITED_WIDTH = 10_000
_REASON = 70
"""Most cells of a reason in the table."""

_LABELLED = {"label": "labelled", "convert": "converted", "verify": "verified"}


def estimated(source: str, target: str | None, arguments: Mapping[str, Any], *, ledger: bool) -> dict[str, Any]:
    """Return the estimate for the arguments of a run. Raises :class:`LabelingError`."""
    taken = inspect.signature(batch.estimate).parameters
    own = {name: value for name, value in arguments.items() if name in taken}
    return batch.estimate(source, target, ledger=ledger, **own)


def print_estimate(form: str | None, found: Mapping[str, Any]) -> None:
    """Print an estimate as a table, in one line or as JSON; ``None`` prints nothing."""
    if form == "json":
        document(to_json(found, indent=1).encode("utf-8", "backslashreplace").decode() + "\n")
    elif form == "line":
        line("; ".join(_sentences(found)))
    elif form == "table":
        _print(found, make_console())


def _print(found: Mapping[str, Any], console: Console) -> None:
    if not console.is_terminal:
        console.width = _UNLIMITED_WIDTH
    console.print(Text(_head(found), "bold"))
    if found["kinds"]:
        console.print()
        console.print(_kinds(found))
    console.print()
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, value in _amounts(found):
        grid.add_row(Text(name, "bold"), Text(value))
    console.print(grid)
    console.print()
    for note in _notes(found):
        console.print(Text(note, "dim"))


def _head(found: Mapping[str, Any]) -> str:
    files, size = quantities.count(found["files"]), quantities.size(found["bytes"])
    return f"{files} files, {size}: an estimate from a sample of {found['sample']['files']:,}. Nothing was written."


def _kinds(found: Mapping[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for name in ("By name", "Files", "Size", "By content, of the sample", "Per file", "Output"):
        table.add_column(name, justify="left" if name.startswith("By") else "right", overflow="fold")
    for row in found["kinds"]:
        name = inert(row["extension"]) or "no extension"
        types = ", ".join(f"{inert(kind)} {number}" for kind, number in row["media_types"].items())
        bad = row["sampled"] - row["good"]
        content = types or ("not looked at" if not row["sampled"] else "")
        if bad:
            reason = inert(elide(next(iter(row["reasons"]), "").partition(";")[0], _REASON))
            content += f"{'; ' if content else ''}{bad} of {row['sampled']} not {_done(found)}: {reason}"
        seconds, ratio = row["seconds_per_file"], row["output_ratio"]
        table.add_row(
            Text(f"{name}  {row['claims'] or 'unknown'}"),
            quantities.count(row["files"]),
            quantities.size(row["bytes"]),
            Text(content, "yellow" if bad else ""),
            "–" if seconds is None else quantities.duration(seconds),
            "–" if not ratio else f"{ratio:.2f}×",
        )
    return table


def _done(found: Mapping[str, Any]) -> str:
    return _LABELLED.get(found["mode"], "labelled")


def _amounts(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    work = quantities.duration(found["work_hours"] * 3600)
    if found["hours"] is None:
        yield "Time", f"{work} of work, divided by the workers of the cluster"
    else:
        bound = {"rate": ", bound by the rate", "run": ", bound by the run's own process"}.get(found["bound"], "")
        workers = f"{found['workers']} worker{'s' if found['workers'] != 1 else ''}"
        yield "Time", f"{quantities.duration(found['hours'] * 3600)} with {workers}{bound} ({work} of work)"
    if found["not_done"]:
        yield f"Not {_done(found)}", f"about {quantities.count(found['not_done'])} files"
    for why, number in found["passed_over"].items():
        yield "Passed over", f"{quantities.count(number)}: {inert(why)}"
    for name, key in (("Outputs", "output_bytes"), ("State", "state_bytes"), ("Ledger", "ledger_bytes"),
                      ("Temporary", "temporary_bytes")):  # fmt: skip
        if found[key]:
            yield name, quantities.size(found[key])
    if found["requests"]:
        requests = (f"{method} {quantities.count(number)}" for method, number in found["requests"].items())
        yield "Requests", f"{', '.join(requests)} (S3)"


def _notes(found: Mapping[str, Any]) -> Iterator[str]:
    yield "Files that are done already are counted like the others. Times are those of one worker on this machine."
    yield from (_NOTES[name] for name in found["notes"])


def _sentences(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{found['source']} -> {found['target']}: {_head(found).rstrip('.')}"
    for name, value in _amounts(found):
        yield f"{name.lower()} {value}"
