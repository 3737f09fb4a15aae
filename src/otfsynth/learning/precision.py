"""Choice of the arithmetic: bfloat16 only where the processor computes in it."""

from __future__ import annotations

import torch


def choose_precision(wanted: str, device_type: str) -> str:
    """Resolve ``auto`` to a precision of Lightning's.

    Args:
        wanted: ``auto``, or a precision that is returned as it is.
        device_type: ``cpu``, ``cuda`` or ``mps``.

    Returns:
        ``bf16-mixed``, ``16-mixed`` or ``32-true``.
    """
    if wanted != "auto":
        return wanted
    if device_type == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    if device_type == "cpu" and cpu_computes_bfloat16():
        return "bf16-mixed"
    return "32-true"


def cpu_computes_bfloat16() -> bool:
    """Whether the processor has bfloat16 dot products (AVX512_BF16 or AMX on x86, BF16 on Arm).

    Without them bfloat16 is emulated and slower than float32. Linux tells by /proc/cpuinfo; elsewhere torch is asked.
    """
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="ignore") as file:
            flags = next((line for line in file if line.startswith(("flags", "Features"))), "").split()
        return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(flags)
    except OSError:
        supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
        return bool(supported and supported())
