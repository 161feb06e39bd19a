"""The plots of a batch run's page, each with a caption and its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from labeling.reports import quantities
from labeling.reports._markup import Html, el, joined
from labeling.reports._plots import Bar, Marking, Part, columns, on_edges, stacked
from labeling.reports.batch_words import GOOD_STATUSES, good_statuses, shown_statuses, word
from labeling.reports.messages import profile_title

_MAX_LABELLED = 6
"""Up to this number of columns, every edge has a label; with more, only powers of ten have one."""


_LABEL_WIDTH = 13
"""Width of a label above a plot, in percent of the plot's width."""


def statuses(summary: Mapping[str, Any], language: str) -> Html:
    """Return what became of the files, as shares of one bar."""
    others = {name for names in GOOD_STATUSES.values() for name in names} - {*good_statuses(summary["mode"])}
    found = {name: number for name, number in shown_statuses(summary).items() if number or name not in others}
    return _shares("statuses", word("outcome", language), found, language)


def origins(summary: Mapping[str, Any], language: str) -> Html:
    """Return what the labels say about the origin of the files."""
    return _shares("origins", word("origins", language), summary["origins"], language)


def verdicts(summary: Mapping[str, Any], language: str) -> list[Html]:
    """Return a bar for each profile."""
    parts: list[Html] = []
    for index, (profile, found) in enumerate(summary["verdicts"].items()):
        title = profile_title(profile, language)
        parts.append(el("h3", el("code", profile), title if title != profile else None))
        parts.append(_shares(f"verdicts-{index}", f"{word('verdicts', language)}: {profile}", found, language))
    return parts


def _shares(identity: str, title: str, found: Mapping[str, int], language: str) -> Html:
    total = sum(found.values())
    parts = [Part(_kind(name), word(name, language), number) for name, number in found.items()]
    rows = [
        el(
            "li",
            el("svg", el("rect", class_=f"fill {part.kind}", width="100%", height="100%", rx=2), aria_hidden="true"),
            el("bdi", part.name),
            el("b", quantities.count(part.number)),
            el("span", quantities.share(part.number, total)),
            class_=None if part.number else "zero",
        )
        for part in parts
    ]
    return el("div", stacked(identity, title, parts), el("ul", *rows, class_="legend"))


def _kind(name: str) -> str:
    """Return a class of the style sheet; a text that may come from a file gets none of its own."""
    return name if name.isascii() and name.isalpha() else "other"


def spread(identity: str, values: Mapping[str, Any], language: str) -> Html:
    """Return the distribution of sizes or times: columns 1, 2, 5, 10 on a logarithmic axis."""
    form: Callable[[float], str] = quantities.size if identity == "sizes" else quantities.duration
    bins, whole = values["bins"], values["count"]
    if not whole:
        return el("p", word("unchecked", language))
    edges = [low for low, _, _ in bins] + [bins[-1][1] if bins[-1][1] is not None else math.inf]
    width = 100 / len(bins)
    bars, rows = [], []
    for index, (low, high, number) in enumerate(bins):
        below = form(high) if high is not None else "∞"
        tooltip = f"{form(low)} – {below}: {number:,} ({quantities.share(number, whole)})"
        bars.append(Bar(index * width, (index + 1) * width, number, tooltip))
        rows.append((form(low), below, quantities.count(number), quantities.share(number, whole)))
    marks = [
        (on_edges(edges, values[name]), word(key, language)) for name, key in (("p50", "median"), ("p90", "ninety"))
    ]
    if marks[1][0] - marks[0][0] < _LABEL_WIDTH:  # two labels would touch
        marks = marks[:1]
    key = f"one:{identity}" if whole == 1 else "quantiles" if identity == "sizes" else "quantiles:seconds"
    caption = word(key, language, **{name: form(values[name]) for name in ("p50", "p90", "p99", "max")})
    plot = columns(
        identity, word(identity, language), caption, bars, _edge_marks(edges, form),
        above=[Marking(at, name) for at, name in marks] if whole > 1 else (), whole=True,
    )  # fmt: skip
    return _figure(plot, caption, ("from", "to", "number", "share"), rows, language)


def _edge_marks(edges: Sequence[float], form: Callable[[float], str]) -> list[Marking]:
    number = len(edges) - 1
    marks = []
    for index, edge in enumerate(edges):
        named = math.isfinite(edge) and (number <= _MAX_LABELLED or _is_power_of_ten(edge))
        marks.append(Marking(100 * index / number, form(edge) if named else ""))
    return marks


def _is_power_of_ten(edge: float) -> bool:
    return edge > 0 and math.isclose(math.log10(edge), round(math.log10(edge)), abs_tol=1e-9)


def timeline(summary: Mapping[str, Any], language: str) -> Html:
    """Return the files finished per second, from the run's start to its end."""
    line = summary["timeline"]
    interval, files, sizes = line["interval"], line["files"], line["bytes"]
    start = datetime.fromisoformat(line["start"])
    begun = (datetime.fromisoformat(summary["started"]) - start).total_seconds()
    ended = begun + summary["wall"]
    if not 0 <= begun < interval * 2:  # clocks of several machines differ, or the lines are of another day
        begun, ended = 0.0, interval * len(files)
    bars, rows = [], []
    length = interval * len(files)
    for index, (number, size) in enumerate(zip(files, sizes, strict=True)):
        at = index * interval
        # Start and end cut the first and the last interval. A rate is taken over at least half an interval.
        lasted = max(min(at + interval, ended) - max(at, begun), interval / 2)
        after = quantities.duration(max(at - begun, 0))
        rate = quantities.rate(number / lasted)
        bars.append(Bar(100 * at / length, 100 * (at + interval) / length, number / lasted, f"{after}: {rate}/s"))
        rows.append((after, quantities.count(number), rate, quantities.rate(size / lasted / 1e6)))
    mean = summary["throughput"]["files_per_second"]
    caption = word("over time", language, interval=quantities.duration(interval), mean=f"{quantities.rate(mean)}/s")
    below = [
        Marking(100 * (begun + tick) / length, quantities.duration(tick))
        for tick in quantities.time_ticks(max(length - begun, interval))
        if begun + tick <= length
    ]
    plot = columns("timeline", word("timeline", language), caption, bars, below, level=mean, gap=len(bars) <= 60)
    return _figure(plot, caption, ("after", "number", "rate", "per bytes"), rows, language)


def _figure(plot: Html, caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], language: str) -> Html:
    head = el("tr", *(el("th", word(name, language), scope="col", class_="number") for name in heads))
    body = (el("tr", *(el("td", cell, class_="number") for cell in row)) for row in rows)
    table = el("div", el("table", el("thead", head), el("tbody", *body)), class_="scroll")
    return joined(
        el("figure", plot, el("figcaption", caption)),
        el("details", el("summary", word("as table", language)), table),
    )
