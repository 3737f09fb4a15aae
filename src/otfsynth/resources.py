"""Where ``conf/`` and ``cuda_kernels/`` are: inside an installed package, or at the top of an editable checkout."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def resource_folder(name: str) -> Path:
    """Absolute path of ``conf`` or ``cuda_kernels``.

    Raises:
        FileNotFoundError: neither place holds it, so the installation is damaged.
    """
    candidates = (PACKAGE / name, PACKAGE.parents[1] / name)
    for folder in candidates:
        if folder.is_dir():
            return folder
    places = " or ".join(str(folder) for folder in candidates)
    raise FileNotFoundError(f"'{name}' is not at {places}: the installation is damaged; install otfsynth again")


def conf_folder() -> Path:
    """The Hydra configuration files (``train.yaml`` and the groups)."""
    return resource_folder("conf")


def kernel_folder() -> Path:
    """The C++ and CUDA sources of the kernels."""
    return resource_folder("cuda_kernels")
