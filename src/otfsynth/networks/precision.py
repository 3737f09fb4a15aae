"""Choice of the arithmetic: bfloat16 only where the processor computes in it."""

from __future__ import annotations

import torch

from otfsynth.config.machine import cpu_computes_bfloat16


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
