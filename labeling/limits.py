"""Bounds that more than one part of the package keeps to."""

from __future__ import annotations

MAX_PIXELS_READ = 100_000_000
"""Default limit on the pixels of one frame for ``verify`` and all else that only reads: anybody may have made the file.

All frames of an animation together may have four times as many, here and below.
"""

MAX_PIXELS_LABELLED = 210_000_000
"""The same for one's own files, which are labelled or converted: phones make pictures of 16384 × 12288 pixels."""

MIN_SECONDS = 2.0
"""How long the visible label of a video stays at least, at normal speed (GB 45438-2025 5.4)."""

MIN_HEIGHT_RATIO = 0.05
"""Height of the visible label's text against the picture's shortest side, at least (GB 45438-2025 5.2)."""
