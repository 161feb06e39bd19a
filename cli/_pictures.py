"""Pictures out of nothing: small procedural landscapes and patterns that stand for a model's output.

Each painter gives a (H, W, 3) float array of sRGB values 0–1 for a size and a seed; the same seed gives the same
picture. They are smooth, dark, light and busy on purpose: the backdrops on which a visible label has to prove itself.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float64]
Painter = Callable[[int, int, int], Array]

TAU = 2 * np.pi


def picture(name: str, width: int = 1200, height: int = 800, seed: int = 7) -> Image.Image:
    """Paint one of :data:`PICTURES` as an RGB image. Raises ``KeyError`` for any other name."""
    return _image(PICTURES[name](width, height, seed))


def _image(array: Array) -> Image.Image:
    noise = np.random.default_rng(0).random(array.shape) - 0.5  # dithering: gradients without bands
    return Image.fromarray((array.clip(0, 1) * 255 + 0.5 + noise * 0.9).clip(0, 255).astype(np.uint8))


def _colour(code: str) -> Array:
    return np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)]) / 255


def _gradient(t: Array, *stops: str) -> Array:
    """Colours along ``t`` (0–1) through evenly spaced stops: shape of ``t`` plus a last axis of 3."""
    places = np.linspace(0, 1, len(stops))
    colours = np.array([_colour(stop) for stop in stops])
    return np.stack([np.interp(t, places, colours[:, i]) for i in range(3)], axis=-1)


def _mix(under: Array, over: Array | str, alpha: Array | float) -> Array:
    colour = _colour(over) if isinstance(over, str) else over
    weight = np.asarray(alpha, dtype=float)[..., None]
    mixed: Array = under * (1 - weight) + colour * weight
    return mixed


def _grid(width: int, height: int) -> tuple[Array, Array]:
    """x and y, both in units of the height, as (H, W) arrays."""
    y, x = np.mgrid[0:height, 0:width]
    return x / height, y / height


def _smooth(edge0: float, edge1: float, value: Array) -> Array:
    t = ((value - edge0) / (edge1 - edge0)).clip(0, 1)
    eased: Array = t * t * (3 - 2 * t)
    return eased


def _clouds(width: int, height: int, scale: float, seed: int, octaves: int = 4) -> Array:
    """Fractal value noise around 0, about -1 to 1; ``scale`` is the number of cells over the height."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width))
    for octave in range(octaves):
        cells = scale * 2**octave
        lattice = random.random((int(cells) + 3, int(cells * width / height) + 3)) * 2 - 1
        layer = Image.fromarray(lattice.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(layer, dtype=float) / 2**octave
    return total


def _ridge(width: int, height: int, seed: int, roughness: float, octaves: int = 9) -> Array:
    """A mountain line: its height for every column, about -1 to 1."""
    random = np.random.default_rng(seed)
    x = np.linspace(0, width / height, width)
    line = np.zeros(width)
    for octave in range(octaves):
        wave = np.sin(x * TAU * 0.42 * 1.93**octave + random.random() * TAU + np.sin(x * 3.1 + random.random() * TAU))
        line += (1 - 2 * np.abs(wave) ** 0.9) * roughness**octave  # folded sines make crests
    return line * 0.6


def _below(y: Array, line: Array, height: int) -> Array:
    """Coverage of what is below ``line`` (in units of the height), with a soft edge of one pixel."""
    covered: Array = ((y - line[None, :]) * height + 0.5).clip(0, 1)
    return covered


def _ridges(art: Array, colours: list[str], haze: str, *, top: float, step: float, seed: int) -> Array:
    """Rows of mountains from far to near; mist gathers at the foot of each."""
    height, width = art.shape[:2]
    _, y = _grid(width, height)
    for i, colour in enumerate(colours):
        depth = i / max(1, len(colours) - 1)
        line = top + step * i - _ridge(width, height, seed + 31 * i, 0.46) * (0.085 - 0.02 * depth)
        first = max(0, int(line.min() * height) - 1)
        rows = slice(first, height)  # nothing changes above the highest peak
        foot = ((y[rows] - line[None, :]) / (step * 2.4)).clip(0, 1)
        mist = foot**1.3 * (0.85 - 0.6 * depth)
        body = _mix(_colour(colour), haze, mist)
        art[rows] = _mix(art[rows], body, _below(y[rows], line, height))
    return art


def dawn(width: int, height: int, seed: int) -> Array:
    """Light: a low sun over seven rows of blue mountains in mist."""
    x, y = _grid(width, height)
    art = _gradient(y / 0.72, "8fb8d8", "c5d6de", "f3ddc8", "f9c9a0", "f6b78c")
    sun = np.hypot(x - 0.98, y - 0.36)
    art = _mix(art, "fff3d6", 0.75 * np.exp(-((sun / 0.28) ** 2)))
    art = _mix(art, "fffaf0", _smooth(0.068, 0.064, sun))
    veil = np.sin(21 * y + 1.3 * np.sin(1.7 * x + seed)) + np.sin(33 * y - 1.1 * np.sin(2.9 * x + 1))
    art = _mix(art, "fff3e2", 0.32 * _smooth(0.3, 2.0, veil) * _smooth(0.42, 0.12, y) * _smooth(0.0, 0.12, y))
    colours = ["a9bccb", "8fa9bd", "7594ad", "5a7e9b", "426886", "2c4f6d", "183850"]
    return _ridges(art, colours, "f4dfcd", top=0.45, step=0.082, seed=seed + 5)


def night(width: int, height: int, seed: int) -> Array:
    """Dark: stars and an aurora over black ridges and a lake that mirrors them."""
    shore = 0.76
    x, y = _grid(width, height)
    mirrored = np.where(y < shore, y, 2 * shore - y)
    art = _gradient(mirrored / shore, "040817", "081430", "0e2548", "1a3d5c")
    random = np.random.default_rng(seed)
    for _ in range(260):
        at_x, at_y, size = random.random() * width, random.random() * shore * height, random.random() ** 4
        left, top = int(at_x), int(at_y)
        art[top : top + 2, left : left + 2] += 0.25 + 0.6 * size
    for i, (colour, tall) in enumerate((("2fe6a0", 0.30), ("49f2c8", 0.2), ("8a6cff", 0.36))):
        curtain = 0.42 + 0.05 * i + 0.07 * np.sin(x * (2.3 + i) + seed + i * 2) + 0.035 * np.sin(x * 6.1 + i)
        rays = 0.6 + 0.4 * np.sin(x * 46 + 5 * np.sin(x * 4.2 + i)) * np.sin(x * 17 + i)
        above = (curtain - mirrored) / tall
        glow = np.where(above > 0, np.exp(-3.2 * above), np.exp(-((above / 0.05) ** 2)))
        art = _mix(art, colour, (0.62 * glow * rays * _smooth(0.0, 0.18, mirrored)).clip(0, 1))
    line = shore - 0.13 - 0.11 * _ridge(width, height, seed + 3, 0.5)
    near = shore - 0.055 - 0.035 * _ridge(width, height, seed + 9, 0.62)
    art = _mix(art, "0a1a30", _below(mirrored, line, height))
    art = _mix(art, "050b18", _below(mirrored, near, height))
    ripples = 0.5 + 0.5 * np.sin((y - shore) * 330 / (0.25 + (y - shore).clip(0)) + 3 * np.sin(x * 5))
    water = (y >= shore) * (0.34 + 0.16 * ripples)
    return _mix(art, "040a18", water)


def dunes(width: int, height: int, seed: int) -> Array:
    """Warm middle tones: dunes with a lit and a shaded side under an evening sky."""
    x, y = _grid(width, height)
    art = _gradient(y / 0.5, "3f5b8c", "9b86a6", "e9a58f", "ffd3a0")
    art = _mix(art, "fff0cf", _smooth(0.052, 0.048, np.hypot(x - 0.42, y - 0.3)))
    grain = _clouds(width, height, 40, seed, 2) * 0.02
    for i in range(5):
        depth = i / 4
        phase = seed * 0.7 + i * 1.9
        crest = 0.4 + 0.115 * i + (0.03 + 0.035 * depth) * np.sin(x[0] * (2.4 - 0.25 * i) + phase)
        crest = crest - 0.018 * np.sin(x[0] * (5.3 - 0.4 * i) + phase * 2)
        ridge = x * (0.8 + 0.1 * i) + 0.35 * np.sin(x * 2.1 + phase) - (y - crest) * (1.5 - 0.6 * depth)
        side = _smooth(-0.25, 0.25, np.sin(ridge * 3.4 + phase))
        ripple = 0.02 * np.sin((y - crest) * 260 * (1.25 - depth) + 9 * np.sin(ridge * 5) + x * 18)
        lit = _gradient(np.full_like(y, depth), "f7c98f", "e99a55", "c8672f")
        shade = _gradient(np.full_like(y, depth), "b98a80", "8e4f43", "4f2323")
        body = lit * side[..., None] + shade * (1 - side[..., None])
        body = body * (1 + ripple + grain)[..., None]
        art = _mix(art, body, _below(y, crest, height))
    return art


def silk(width: int, height: int, seed: int) -> Array:
    """Busy and saturated: a noise field bent by itself, coloured like folded cloth."""
    x, y = _grid(width, height)
    bend_x, bend_y = _clouds(width, height, 1.6, seed, 2), _clouds(width, height, 1.6, seed + 1, 2)
    fold = np.sin(5.5 * x + 4.2 * bend_x + 2.2 * np.sin(4.0 * y + 3.0 * bend_y))
    fold = fold + 0.5 * np.sin(9 * y - 6 * bend_x + 3 * fold)
    slope = np.gradient(fold, axis=1) * height / 14 - np.gradient(fold, axis=0) * height / 22
    tone = (fold / 3 + 0.5).clip(0, 1)
    art = _gradient(tone, "14123c", "3b1e74", "b0246e", "f2603e", "ffb347", "ffe9b0")
    light = np.tanh(slope * 1.3)[..., None]
    lit: Array = art * (1 + 0.32 * light) + 0.06 * light.clip(0)
    return lit


def flow(width: int, height: int, seed: int) -> Array:
    """Busy with fine detail: thousands of strokes that follow a field, on paper."""
    from PIL import ImageDraw

    scale = 2
    field = _clouds(width // 4, height // 4, 1.3, seed, 2) * 2.1
    canvas = Image.new("RGB", (width * scale, height * scale), "#f4efe4")
    draw = ImageDraw.Draw(canvas)
    random = np.random.default_rng(seed)
    inks = ["#12355b", "#1f6f8b", "#e4572e", "#f3a712", "#29335c", "#7fb7be", "#c1292e", "#0b4f6c"]
    points = random.random((1500, 2)) * (width, height)
    for x, y in points:
        shade = _ink(x / width, y / height, inks, random)
        path = []
        for _ in range(46):
            path.append((x * scale, y * scale))
            angle = field[int(y) // 4 % field.shape[0], int(x) // 4 % field.shape[1]]
            x, y = x + 3.2 * np.cos(angle), y + 3.2 * np.sin(angle)
        draw.line(path, fill=shade, width=int(scale * (1 + 4.2 * random.random() ** 2)), joint="curve")
    small = canvas.resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(small, dtype=float) / 255


def _ink(x: float, y: float, inks: list[str], random: np.random.Generator) -> str:
    place = (0.62 * x + 0.38 * y) * len(inks) + random.normal(0, 0.7)
    return inks[int(place) % len(inks)]


def lanterns(width: int, height: int, seed: int) -> Array:
    """Dark with bright spots: lights out of focus."""
    x, y = _grid(width, height)
    art = _gradient((y / y.max()) * 0.8 + 0.2 * _smooth(0, 1.6, x), "0d0b1e", "1d1433", "3a1d3f", "4d2a35")
    random = np.random.default_rng(seed)
    warm = ["ff9f45", "ffcf70", "ff6b4a", "ffe3a3", "f25f8a", "7cc7ff"]
    for i in range(90):
        centre_x, centre_y = random.random() * width / height, random.beta(2.2, 1.6)
        radius = 0.012 + 0.075 * random.random() ** 2.2
        window = _window(centre_x, centre_y, 5 * radius, width, height)  # no light reaches farther
        away = np.hypot(x[window] - centre_x, y[window] - centre_y) / radius
        disc = _smooth(1.0, 0.93, away) * (0.16 + 0.22 * random.random()) * (0.75 + 0.35 * away.clip(0, 1) ** 4)
        halo = 0.07 * np.exp(-(away**2) / 5)
        art[window] += _colour(warm[i % len(warm)]) * (disc + halo)[..., None]
    return art


def _window(x: float, y: float, radius: float, width: int, height: int) -> tuple[slice, slice]:
    left, right, top, bottom = (round(v * height) for v in (x - radius, x + radius, y - radius, y + radius))
    return slice(max(0, top), min(height, bottom)), slice(max(0, left), min(width, right))


def snow(width: int, height: int, seed: int) -> Array:
    """Almost white: hills in snow, where white text alone would vanish."""
    x, y = _grid(width, height)
    art = _gradient(y / y.max(), "dfe8f0", "eef3f6", "fbf6ef")
    art = _mix(art, "fffdf5", 0.8 * np.exp(-(((x - 1.05) ** 2 + (y - 0.25) ** 2) / 0.05)))
    art = _ridges(art, ["d3dfe8", "dbe5ec", "e4ecf1"], "f8f7f3", top=0.42, step=0.1, seed=seed)
    for i in range(3):
        crest = 0.66 + 0.11 * i + 0.04 * np.sin(x[0] * (1.7 + 0.5 * i) + seed + 2 * i)
        body = _mix(_colour("ffffff"), "cfdbe6", _smooth(0.0, 0.3, y - crest[None, :]) * 0.6)
        art = _mix(art, body, _below(y, crest, height))
    return art


def sea_frame(width: int, height: int, phase: float) -> Image.Image:
    """One frame of waves under a setting sun; ``phase`` goes from 0 to 1 and around."""
    x, y = _grid(width, height)
    horizon = 0.46
    art = _gradient(y / horizon, "29335c", "7a4e7e", "e2725b", "ffc36b")
    art = _mix(art, "fff0c2", _smooth(0.11, 0.105, np.hypot(x - 0.75, y - 0.39)))
    for i in range(7):
        depth = i / 6
        speed = 1 + i % 3  # whole turns, so that the loop closes
        swell = 0.004 + 0.022 * depth
        line = horizon + 0.5 * depth**1.35 + swell * np.sin(x[0] * (13 - 8 * depth) + TAU * (speed * phase) + i * 1.7)
        line = line + swell * 0.4 * np.sin(x[0] * (23 - 12 * depth) - TAU * phase + i)
        colour = _gradient(np.full_like(y, depth), "f0a27a", "8c5a7c", "3a3f73", "151c45")
        glitter = _smooth(0.3, 0.0, np.abs(x - 0.75)) * _smooth(0.05, 0.0, y - line[None, :]) * (0.5 - 0.35 * depth)
        art = _mix(art, _mix(colour, "ffdf9e", glitter), _below(y, line, height))
    return _image(art)


PICTURES: dict[str, Painter] = {
    "dawn": dawn,
    "night": night,
    "silk": silk,
    "flow": flow,
    "dunes": dunes,
    "lanterns": lanterns,
    "snow": snow,
}
"""The painters by name."""


def animation(width: int = 480, height: int = 320, frames: int = 16) -> list[Image.Image]:
    """The frames of a short loop."""
    return [sea_frame(width, height, i / frames) for i in range(frames)]


_SETTINGS: dict[str, dict[str, Any]] = {".jpg": {"quality": 92}, ".webp": {"quality": 90}, ".avif": {"quality": 85}}


def save(image: Image.Image, path: Path) -> None:
    """Save with settings that suit the format that the path's extension names."""
    image.save(path, **_SETTINGS.get(path.suffix, {}))


def save_animation(frames: list[Image.Image], path: Path) -> None:
    """Save a loop as GIF; all frames share one palette, so that colours do not flicker."""
    palette = frames[0].quantize(256)
    first, *rest = [frame.quantize(palette=palette) for frame in frames]
    first.save(path, save_all=True, append_images=rest, duration=90, loop=0)
