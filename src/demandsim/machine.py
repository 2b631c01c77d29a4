"""Machine: how many cores and how much memory this process may use."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["available_memory", "cores"]


def available_memory() -> int:
    """Bytes that this process may still take, by the system and by its container."""
    limits = [2**62]
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        limits += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")]
    except OSError:
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    try:
        top = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii").strip()
        limits += [int(top) - int(used)] if top != "max" else []
    except OSError:
        pass
    return max(min(limits), 0)


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
