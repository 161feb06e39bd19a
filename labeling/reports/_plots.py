"""Plots as SVG inside a page: only bars, which is all that a batch run needs, and no script.

Positions are percentages, so that a plot fills any width while its letters keep their size. The padding of the element
(``batch.css``) leaves room for the axes. Colours are classes, because the page's policy allows no inline styles.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

from labeling.reports._markup import Html, el, joined
from labeling.reports.quantities import brief, share, ticks

_MIN_WIDTH = 1.0
"""Percent of the width that a part has at least, so that even a small one is visible."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a stacked bar: the class of its colour, its name, and its number."""

    kind: str
    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A column: its edges on the axis in percent, its height, and its tooltip."""

    start: float
    end: float
    height: float
    tooltip: str


@dataclass(frozen=True, slots=True)
class Marking:
    """A tick on an axis: its position in percent, and its label; without a label it is a small tick."""

    at: float
    name: str = ""


def stacked(identity: str, title: str, parts: Sequence[Part]) -> Html:
    """Return one bar whose parts are shares of the whole. Its numbers belong in a list beside it."""
    whole = sum(part.number for part in parts)
    shown = [part for part in parts if part.number]
    widths = [max(100 * part.number / whole, _MIN_WIDTH) for part in shown]
    scale = 100 / sum(widths) if widths else 1
    rects, left = [], 0.0
    for part, width in zip(shown, widths, strict=True):
        tooltip = f"{part.name}: {part.number:,} ({share(part.number, whole)})"
        width *= scale
        rects.append(
            el(
                "rect",
                el("title", tooltip),
                class_=f"fill {part.kind}",
                x=f"{left:.3f}%",
                y=0,
                width=f"{width:.3f}%",
                height="100%",
            )
        )
        left += width
    if not rects:
        rects.append(el("rect", class_="fill empty", x=0, y=0, width="100%", height="100%"))
    described = "; ".join(f"{part.name} {part.number:,}" for part in shown) or "0"
    return _svg(identity, title, described, joined(*rects), "stack")


def columns(
    identity: str,
    title: str,
    described: str,
    bars: Sequence[Bar],
    below: Sequence[Marking],
    *,
    above: Sequence[Marking] = (),
    level: float | None = None,
    gap: bool = True,
    whole: bool = False,
) -> Html:
    """Return columns over an axis. Positions of bars and markings are in percent of the width.

    Args:
        identity: A prefix for the ids of title and description.
        title: The plot's title, for screen readers.
        described: What it shows, for screen readers.
        bars: The columns.
        below: Ticks of the axis.
        above: Dashed vertical lines with a label on top.
        level: The height of a dashed horizontal line.
        gap: Leave a gap between columns.
        whole: The heights are counts, so their axis has only whole numbers.
    """
    marks = ticks(max((bar.height for bar in bars), default=0), whole=whole)
    top = marks[-1]
    parts = [_gridline(value, top) for value in marks]
    for bar in bars:
        if not bar.height:
            continue
        height = max(100 * bar.height / top, 0.7)
        width = bar.end - bar.start
        margin = min(0.35, width * 0.08) if gap else 0
        parts.append(
            el(
                "rect",
                el("title", bar.tooltip),
                class_="fill accent",
                x=f"{bar.start + margin:.3f}%",
                y=f"{100 - height:.3f}%",
                width=f"{width - 2 * margin:.3f}%",
                height=f"{height:.3f}%",
            )
        )
    parts.append(el("line", class_="axis", x1="0%", x2="100%", y1="100%", y2="100%"))
    parts += [_below(marking) for marking in below]
    for marking in above:
        where = f"{marking.at:.3f}%"
        parts.append(el("line", class_="mark", x1=where, x2=where, y1="0%", y2="100%"))
        parts.append(el("text", marking.name, class_="top", x=where, y="0%", dy="-0.5em", text_anchor="middle"))
    if level:
        y = f"{100 - 100 * level / top:.3f}%"
        parts.append(el("line", class_="mark", x1="0%", x2="100%", y1=y, y2=y))
    return _svg(identity, title, described, joined(*parts), "plot")


def on_edges(edges: Sequence[float], value: float) -> float:
    """Return the position of a value, in percent of the width, on columns of equal width between these edges."""
    number = len(edges) - 1
    index = min(max(bisect.bisect_right(edges, value) - 1, 0), number - 1)
    low, high = edges[index : index + 2]
    known = low > 0 and math.isfinite(high)
    inside = math.log(max(value, low) / low) / math.log(high / low) if known else 0.5
    return 100 * (index + min(inside, 1)) / number


def _gridline(value: float, top: float) -> Html:
    y = f"{100 - 100 * value / top:.3f}%"
    label = el("text", brief(value), x="0%", y=y, dx="-0.6em", dy="0.35em", text_anchor="end")
    return joined(el("line", class_="grid", x1="0%", x2="100%", y1=y, y2=y), label) if value else label


def _below(marking: Marking) -> Html:
    where = f"{marking.at:.3f}%"
    tick = el("rect", class_="tick", x=where, y="100%", width=1, height=6 if marking.name else 3)
    if not marking.name:
        return tick
    label = el("text", marking.name, x=where, y="100%", dy="1.7em", text_anchor="middle")
    return joined(tick, label)


def _svg(identity: str, title: str, described: str, body: Html, kind: str) -> Html:
    names = f"{identity}-title {identity}-desc"
    return el(
        "svg",
        el("title", title, id=f"{identity}-title"),
        el("desc", described, id=f"{identity}-desc"),
        body,
        xmlns="http://www.w3.org/2000/svg",
        class_=kind,
        role="img",
        aria_labelledby=names,
    )
