"""How many workers a machine carries: as many as it has processors, if the memory is enough for them."""

from __future__ import annotations

import os
from pathlib import Path

LABELING, READING = 500 << 20, 900 << 20
"""Bytes that a worker may need at its peak: labelling pictures of 50 megapixels, and with the models that read text."""

_CGROUP = Path("/sys/fs/cgroup")


def default_workers(*, reads_text: bool) -> int:
    """Processors that this process may use, or fewer where the memory that is free now does not carry so many."""
    each = READING if reads_text else LABELING
    return max(1, min(processors(), int(available() * 0.8) // each))


def processors() -> int:
    """Processors of this process: those of its affinity, and of its control group's quota."""
    number = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read(_CGROUP / "cpu.max").partition(" ")
    if quota.isdigit() and period.strip().isdigit():
        number = min(number, -(-int(quota) // int(period)))
    return max(1, number)


def available() -> int:
    """Bytes of memory that are free now, in the system and in this process's control group."""
    free = [_meminfo()]
    limit, used = _read(_CGROUP / "memory.max").strip(), _read(_CGROUP / "memory.current").strip()
    if limit.isdigit() and used.isdigit():
        free.append(int(limit) - int(used))
    return max(0, min(free))


def _meminfo() -> int:
    for line in _read(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return 4 << 30  # nobody can tell: assume a small machine


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return ""
