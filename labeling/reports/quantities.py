"""Numbers as people read them, for the page of a batch run and for the terminal."""

from __future__ import annotations

import math

_STEPS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def count(value: float) -> str:
    """Return a whole number with thousands separators."""
    return f"{value:,.0f}"


def brief(value: float) -> str:
    """Return a number for an axis: 1.5k, 20M; a number below a thousand stays as it is."""
    for step, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= step:
            return f"{value / step:.3g}{unit}"
    return f"{value:.3g}"


def share(part: float, whole: float) -> str:
    """Return a part in percent. A part that is not zero is never 0 %, and one that is not the whole is never 100 %."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "< 0.1 %"
    if 99.9 < percent < 100:
        return "> 99.9 %"
    return f"{percent:.1f} %" if percent % 100 else f"{percent:.0f} %"


def size(value: float) -> str:
    """Return bytes in decimal units, with three significant digits."""
    for step, unit in _STEPS:
        if value >= step * 0.9995:
            return f"{_three(value / step)} {unit}"
    return f"{value:.0f} B"


def rate(value: float | None) -> str:
    """Return a number per second, with three significant digits."""
    return "–" if value is None else count(value) if value >= 1000 else _three(value)


def duration(seconds: float) -> str:
    """Return a time span in words: 12.7 ms, 3.2 s, 2 min 5 s, 3 h 12 min, 2 d 4 h."""
    if seconds < 0.9995:
        return f"{_three(seconds * 1000)} ms" if seconds else "0 s"
    if seconds < 59.95:
        return f"{_three(seconds)} s"
    for large, small, names in ((60, 1, ("min", "s")), (3600, 60, ("h", "min")), (86400, 3600, ("d", "h"))):
        whole = round(seconds / small)
        if large == 86400 or whole * small < large * (60 if large == 60 else 24):
            first, rest = divmod(whole, large // small)
            return f"{first:,} {names[0]}" + (f" {rest} {names[1]}" if rest else "")
    raise AssertionError("the last unit has no limit")


def _three(value: float) -> str:
    """Return three significant digits, without an exponent and without trailing zeros."""
    if value <= 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(value)))
    text = f"{value:.{min(digits, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def ticks(maximum: float, number: int = 4, *, whole: bool = False) -> list[float]:
    """Return round numbers in equal steps, from 0 to ``maximum`` or just beyond it.

    Args:
        maximum: The greatest value to show.
        number: About how many steps.
        whole: Only whole numbers, for counts.
    """
    if maximum <= 0:
        return [0.0, 1.0]
    rough = max(maximum / number, 1) if whole else maximum / number
    power = 10 ** math.floor(math.log10(rough))
    step = next(
        factor * power for factor in ((1, 2, 5, 10) if whole else (1, 2, 2.5, 5, 10)) if factor * power >= rough * 0.999
    )
    return [step * index for index in range(math.ceil(maximum / step - 1e-9) + 1)]


_SPANS = (
    0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800,
    3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800,
)  # fmt: skip


def time_ticks(length: float, number: int = 5) -> list[float]:
    """Return the moments to mark on a time axis, in steps that people know from clocks.

    Args:
        length: The axis's length, in seconds.
        number: At most how many steps.
    """
    step = next((span for span in _SPANS if length / span <= number), None)
    if step is None:
        step = ticks(length / 604800, number)[1] * 604800
    return [step * index for index in range(math.floor(length / step + 1e-9) + 1)]
