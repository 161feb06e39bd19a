"""One mutated file from a number: which seed, and which mutators in which order."""

from __future__ import annotations

from random import Random

from .fields import lie, lie_in_text, mended_png
from .floods import flood
from .media_fields import fields_of, mended_ogg
from .mutators import (
    LIMIT,
    Mutator,
    bmff,
    cut_out,
    duplicate,
    flip_bits,
    flip_inside,
    in_text,
    insert_token,
    jpeg,
    new_packet,
    place,
    png,
    riff,
    swap,
    tiff,
    truncate,
    write_number,
)

_BLIND: tuple[Mutator, ...] = (flip_bits, write_number, truncate, cut_out, duplicate, swap, insert_token, in_text)


def _structural(data: bytes) -> tuple[Mutator, ...]:
    if data[:2] == b"\xff\xd8":
        return jpeg, jpeg, tiff, new_packet
    if data[:4] == b"\x89PNG":
        return png, png, tiff, new_packet
    if data[:4] == b"RIFF":
        return riff, riff, tiff, new_packet
    if data[:2] in (b"II", b"MM"):
        return tiff, tiff, tiff, new_packet
    if data[4:8] in (b"ftyp", b"JXL "):
        return bmff, bmff, bmff, tiff, new_packet
    return duplicate, in_text, new_packet


def _is_text(data: bytes) -> bool:
    return data[:4] in (b"%PDF", b"---\n") or data.lstrip()[:1] == b"<"


def lie_in_header(rng: Random, data: bytes) -> bytes:
    """Another size, count, offset, time scale or canvas, in a container that is sound apart from it."""
    if _is_text(data):
        return lie_in_text(rng, data)
    return lie(rng, data, fields_of(data))


def _mended(data: bytes) -> bytes:
    """The checksums made right again, so that readers look behind them."""
    return mended_png(data) if data.startswith(b"\x89PNG") else mended_ogg(data) if data.startswith(b"OggS") else data


def mutate(rng: Random, seeds: list[tuple[str, bytes]]) -> tuple[str, bytes]:
    """The names of seed and mutators, and the content: never empty, at most LIMIT bytes if it is not a flood."""
    name, data = rng.choice(seeds)
    steps = []
    if rng.random() < 0.04:  # a splice of two files
        other = rng.choice(seeds)[1]
        data = data[: place(rng, len(data))] + other[place(rng, len(other)) :] or b"\0"
        steps.append("splice")
    for _ in range(rng.choice((1, 1, 1, 1, 2, 4))):
        kind = rng.random()
        step: Mutator
        if kind < 0.6:
            step = lie_in_header if kind < 0.45 else flip_inside
        else:
            step = rng.choice(_structural(data) if kind < 0.8 else _BLIND)
        data = step(rng, data)[:LIMIT] or b"\0"
        steps.append(step.__name__)
    if rng.random() < 0.75:
        data = _mended(data)
    if rng.random() < 0.02:
        data = flood(rng, data)
        steps.append("flood")
    return f"{name}: {' '.join(steps)}", data
