"""How many workers a machine can run: one per processor, if there is enough memory."""

from __future__ import annotations

import os
from pathlib import Path

LABELING_MEMORY, OCR_MEMORY = 500 << 20, 900 << 20
"""Bytes that a worker may need at its peak: for labelling pictures of 50 megapixels, and with the OCR models."""

_MEMORY_SHARE = 0.8
"""Share of the free memory that workers may use."""

_ASSUMED_MEMORY = 4 << 30
"""Bytes that are assumed if the system does not say how much memory it has: a small machine."""

_CGROUP = Path("/sys/fs/cgroup")


def default_workers(*, uses_ocr: bool) -> int:
    """Return how many workers to start: one per processor, or fewer if the free memory is not enough for them.

    Args:
        uses_ocr: Workers read text in pictures, for which each loads OCR models.
    """
    per_worker = OCR_MEMORY if uses_ocr else LABELING_MEMORY
    return max(1, min(processors(), int(available_memory() * _MEMORY_SHARE) // per_worker))


def processors() -> int:
    """Return the number of processors that this process may use, by its affinity and its control group's quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read(_CGROUP / "cpu.max").partition(" ")
    if quota.isdigit() and period.strip().isdigit():
        count = min(count, -(-int(quota) // int(period)))
    return max(1, count)


def available_memory() -> int:
    """Return the bytes of memory that are free now, in the system and in this process's control group."""
    free = [_system_memory()]
    limit, used = _read(_CGROUP / "memory.max").strip(), _read(_CGROUP / "memory.current").strip()
    if limit.isdigit() and used.isdigit():
        free.append(int(limit) - int(used))
    return max(0, min(free))


def _system_memory() -> int:
    for line in _read(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return _ASSUMED_MEMORY


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return ""
