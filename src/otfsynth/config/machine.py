"""What this machine has, and the hardware preset that suits it."""

from __future__ import annotations

import netrc
import os
from dataclasses import dataclass
from urllib.parse import urlparse

PRESETS = ("laptop", "workstation", "gpu8", "gpu24", "gpu80")


@dataclass(frozen=True)
class Machine:
    """The parts of a machine that decide how a network can be trained on it."""

    gpu_name: str | None
    gpu_memory_gb: float
    """Memory of the first CUDA GPU in units of 10**9 bytes, as it is sold; 0 without one."""
    cores: int
    bfloat16: bool
    """Whether the device that trains computes in bfloat16."""

    @classmethod
    def detect(cls) -> Machine:
        """Look at this machine; imports torch, a second or two."""
        import torch

        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
        if torch.cuda.is_available():
            properties = torch.cuda.get_device_properties(0)
            native = torch.cuda.is_bf16_supported(including_emulation=False)
            return cls(properties.name, properties.total_memory / 1e9, cores, native)
        return cls(None, 0.0, cores, cpu_computes_bfloat16())

    def preset(self) -> str:
        """Name of the preset in ``conf/hardware``; limits leave room for a desktop on the same GPU."""
        for name, least in (("gpu80", 75.0), ("gpu24", 22.0), ("gpu8", 7.5)):
            if self.gpu_memory_gb >= least:
                return name
        return "workstation" if self.gpu_name is None and self.bfloat16 else "laptop"

    def describe(self) -> str:
        """For messages, e.g. ``2 CPU cores with bfloat16``."""
        device = f"{self.gpu_name} ({self.gpu_memory_gb:.0f} GB), " if self.gpu_name else ""
        return f"{device}{self.cores} CPU core{'s' * (self.cores != 1)}{' with bfloat16' * self.bfloat16}"


def cpu_computes_bfloat16() -> bool:
    """Whether the processor has bfloat16 dot products (AVX512_BF16 or AMX on x86, BF16 on Arm).

    Without them bfloat16 is emulated and slower than float32. Linux tells by /proc/cpuinfo; elsewhere torch is asked.
    """
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="ignore") as file:
            flags = next((line for line in file if line.startswith(("flags", "Features"))), "").split()
        return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(flags)
    except OSError:
        import torch

        supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
        return bool(supported and supported())


def has_wandb_key() -> bool:
    """Whether ``WANDB_API_KEY`` is set or ``wandb login`` has left a key in the netrc file."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname
    try:
        return host is not None and netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def wandb_mode(wanted: str) -> str:
    """Resolve ``auto``: ``WANDB_MODE`` where it is set, ``online`` where a key is found, else ``offline``."""
    if wanted != "auto":
        return wanted
    asked = os.environ.get("WANDB_MODE", "")
    if asked in ("online", "offline", "disabled"):
        return asked
    return "online" if has_wandb_key() else "offline"
