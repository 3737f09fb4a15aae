"""The scanner: gamma, sampling of the three axes, noise, and back to the working grid with mask and normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otfsynth.kernels.operators import OPERATORS
from otfsynth.synthesis.acquisition import BandMatrix, linear_matrix, sampling_matrix
from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.rendering import stages
from otfsynth.synthesis.rendering.buffers import Buffers
from otfsynth.synthesis.rendering.launching import Launcher, random_key
from otfsynth.synthesis.workspace import Workspace

NORMALIZATIONS = {"zscore": 1, "minmax": 2}


@dataclass(frozen=True)
class AcquiredImage:
    """Address and shape of the image on the scanner's grid."""

    address: int
    shape: tuple[int, int, int]


def acquire(launch: Launcher, parameters: SynthesisParameters, buffers: Buffers) -> AcquiredImage:
    """Gamma, point spread function and sampling of each axis, then noise; works in the image's memory too."""
    size, acquisition = parameters.size, parameters.acquisition
    bands = [
        sampling_matrix(length, spacing, sigma)
        for length, spacing, sigma in zip(size, acquisition.spacing_voxels, acquisition.psf_sigma_voxels, strict=True)
    ]
    shape = (bands[0].outputs, bands[1].outputs, bands[2].outputs)
    first = buffers.image
    second = launch.workspace.take("second", np.float32, size).ctypes.data
    _sample_along_row(launch, parameters, buffers, bands[2], second)
    if bands[0].is_identity and bands[1].is_identity and acquisition.noise_std == 0.0:
        return AcquiredImage(second, shape)
    _sample_across_rows(launch, second, first, bands[1], None, size[0] * shape[1], 1, size[1], shape[2])
    noise = _noise(parameters)
    _sample_across_rows(launch, first, second, bands[0], noise, shape[0] * shape[1], shape[1], size[0], shape[2])
    return AcquiredImage(second, shape)


def finish(launch: Launcher, parameters: SynthesisParameters, buffers: Buffers, acquired: AcquiredImage) -> None:
    """Back to the working grid, mask, normalisation."""
    linear = np.zeros(3, dtype=OPERATORS["Finish"]["linear"].base)
    for axis in range(3):
        linear[axis]["inputs"] = acquired.shape[axis]
        matrix = linear_matrix(parameters.size[axis], parameters.acquisition.spacing_voxels[axis])
        if matrix is not None:
            linear[axis]["lower"] = launch.workspace.keep(matrix[0])
            linear[axis]["fraction"] = launch.workspace.keep(matrix[1])
    launch(
        "Finish",
        input=acquired.address,
        output=buffers.image,
        mask=buffers.mask,
        statistics=buffers.row_statistics,
        linear=linear,
        size_=parameters.size,
    )
    mode = NORMALIZATIONS.get(parameters.normalization)
    if mode is not None:
        launch(
            "Normalize",
            image=buffers.image,
            statistics=buffers.fold_statistics(launch),
            rows=parameters.size[0] * parameters.size[1],
            length=parameters.size[2],
            mode=mode,
        )


def _noise(parameters: SynthesisParameters) -> NDArray[np.void]:
    noise = np.zeros((), dtype=OPERATORS["ResampleAcrossRows"]["noise"])
    noise["key"] = random_key(parameters.key, stages.ACQUISITION)
    noise["std"] = parameters.acquisition.noise_std
    return noise


def _sample_along_row(
    launch: Launcher, parameters: SynthesisParameters, buffers: Buffers, matrix: BandMatrix, output: int
) -> None:
    """The contiguous axis, after the gamma curve."""
    size = parameters.size
    band = _band(matrix, parameters.acquisition.spacing_voxels[2] == 1.0, launch.workspace)
    gamma = np.zeros((), dtype=OPERATORS["ResampleAlongRow"]["gamma"])
    if parameters.gamma is not None:
        gamma["statistics"], gamma["exponent"] = buffers.fold_statistics(launch), parameters.gamma
    launch(
        "ResampleAlongRow",
        input=buffers.image,
        output=output,
        band=band,
        gamma=gamma,
        rows=size[0] * size[1],
        length=size[2],
        before=max(0, -int(matrix.starts.min())),
        after=max(0, int(matrix.starts.max()) + matrix.taps - size[2]),
    )


def _sample_across_rows(
    launch: Launcher,
    source: int,
    output: int,
    matrix: BandMatrix,
    noise: NDArray[np.void] | None,
    rows: int,
    inner: int,
    inputs: int,
    length: int,
) -> None:
    fields: dict[str, Any] = {} if noise is None else {"noise": noise}
    launch(
        "ResampleAcrossRows",
        input=source,
        output=output,
        band=_band(matrix.inside(inputs), True, launch.workspace),
        rows=rows,
        inner=inner,
        inputs=inputs,
        length=length,
        **fields,
    )


def _band(matrix: BandMatrix, along_outputs: bool, workspace: Workspace) -> NDArray[np.void]:
    """Describe a matrix to the kernels, its weights stored along outputs or along taps."""
    band = np.zeros((), dtype=OPERATORS["ResampleAcrossRows"]["band"])
    band["starts"] = workspace.keep(matrix.starts)
    band["weights"] = workspace.keep(matrix.weights if along_outputs else matrix.weights.T)
    band["taps"], band["outputs"], band["unit_stride"] = matrix.taps, matrix.outputs, along_outputs
    return band
