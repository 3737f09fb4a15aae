"""What every stage needs to run a kernel: structs filled by field name, working memory, random keys and fields."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otfsynth import kernels
from otfsynth.kernels.structs import STRUCTS
from otfsynth.synthesis.workspace import HostWorkspace, Workspace
from otfsynth.types import SampleKey

FIELD_STD_TO_COEFFICIENT_STD = (315.0 / 151.0) ** 1.5
"""A cubic B-spline field of unit normal coefficients has mean variance (151/315)**3 (autocorrelation of the spline)."""


class Launcher(ABC):
    """Runs operators of one sample, one after the other, or records them; the stages do not know which."""

    workspace: Workspace

    @abstractmethod
    def __call__(self, name: str, **fields: Any) -> None:
        """Launch one operator; fields that are not named are 0."""

    @abstractmethod
    def torch_stage(self, name: str, work: Callable[[], None]) -> None:
        """Run a stage that is torch's, in its turn: after the operators before it, before those after it."""

    def values(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
        """What the working memory of a name holds; ``None`` where the kernels that write it have not run yet."""
        return None

    def noise_lattice(
        self, name: str, shape: tuple[int, ...], key: SampleKey, stage: int, field_std: float, interleaved: bool = False
    ) -> int:
        """Address of normal coefficients whose spline has a root mean square of ``field_std``.

        ``interleaved``: of a shape (components, x, y, z), written as (x, y, z, components).
        """
        coefficients = self.workspace.take(name, np.float32, shape)
        self(
            "LatticeNoise",
            coefficients=coefficients,
            count=int(np.prod(shape)),
            key=random_key(key, stage),
            std=field_std * FIELD_STD_TO_COEFFICIENT_STD,
            interleaved=int(np.prod(shape[1:])) if interleaved else 0,
        )
        return coefficients

    def noise_rows(
        self, name: str, size: tuple[int, int, int], key: SampleKey, stage: int, std: float, spacing: int
    ) -> NDArray[np.void]:
        """A random field over ``size`` voxels on a lattice of whole blocks; zeros (no field) where ``std`` is 0."""
        if std == 0.0:
            return no_field()
        shape = (np.array(size) - 1) // spacing + 4
        coefficients = self.noise_lattice(name, tuple(shape), key, stage, std)
        return row_lattice(coefficients, shape, spacing, 1)


class HostLauncher(Launcher):
    """The CPU's: operators run at once, on working memory that it keeps between samples."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.workspace: HostWorkspace = HostWorkspace()

    def __call__(self, name: str, **fields: Any) -> None:
        """See :class:`Launcher`."""
        kernels.launch(name, operator(name, fields), self.threads)

    def torch_stage(self, name: str, work: Callable[[], None]) -> None:
        """See :class:`Launcher`."""
        work()

    def values(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
        """See :class:`Launcher`."""
        return np.asarray(self.workspace.tensor(name, shape).numpy())


def operator(name: str, fields: dict[str, Any]) -> NDArray[np.void]:
    """An operator's struct, as an array of one."""
    struct = np.zeros(1, dtype=STRUCTS[name])
    for field, value in fields.items():
        struct[field] = value
    return struct


def no_field() -> NDArray[np.void]:
    """The row lattice that kernels take for "no field"."""
    return np.zeros((), dtype=STRUCTS["RowLattice"])


def random_key(key: SampleKey, stage: int) -> NDArray[np.void]:
    """Key of the per-voxel random numbers of one stage (:mod:`~otfsynth.synthesis.rendering.stages`) of one sample.

    The channel stands above the stage, so that channel 0 has the numbers of a sample of one channel.
    """
    return np.array(
        (key.seed & 0xFFFFFFFF, key.seed >> 32, key.index, stage | key.channel << 16), dtype=STRUCTS["RandomKey"]
    )


def lattice(address: int, shape: NDArray[Any], origin: float, spacing: float) -> NDArray[np.void]:
    return np.array((address, tuple(shape), origin, spacing), dtype=STRUCTS["Lattice"])


def row_lattice(address: int, shape: NDArray[Any], spacing: int, margin: int) -> NDArray[np.void]:
    return np.array((address, tuple(shape), spacing, margin), dtype=STRUCTS["RowLattice"])
