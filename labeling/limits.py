"""Bounds that more than one part of the package keeps to."""

from __future__ import annotations

MAX_PIXELS = 100_000_000
"""Default limit on the pixels of one frame; all frames of an animation together may have four times as many."""

MIN_SECONDS = 2.0
"""How long the visible label of a video stays at least, at normal speed (GB 45438-2025 5.4)."""

MIN_HEIGHT_RATIO = 0.05
"""Height of the visible label's text against the picture's shortest side, at least (GB 45438-2025 5.2)."""
