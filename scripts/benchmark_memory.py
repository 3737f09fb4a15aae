"""Peak memory of one piece of work, in a process of its own: what it holds at most, less what was held before."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

KERNEL_CLEARS_PEAK = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""Makes glibc give freed memory back at once, so that one measurement does not hide in what another has left."""


def peak_extra_mib(work: Callable[[], object]) -> float:
    """Highest resident memory while ``work`` runs, less the resident memory before, in MiB.

    Linux only: the kernel's high-water mark (VmHWM) is reset before ``work``; ``ru_maxrss`` can't be reset.

    Raises:
        OSError: not Linux, or the kernel does not let a process reset its mark.
    """
    gc.collect()
    before = _status_kib("VmRSS")
    KERNEL_CLEARS_PEAK.write_text("5")
    result = work()
    peak = _status_kib("VmHWM")
    del result
    return max(0.0, (peak - before) / 1024)


def _status_kib(field: str) -> int:
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise OSError(f"{STATUS} has no field {field}")
