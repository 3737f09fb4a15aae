"""The scanner: gamma, sampling of the axes, noise and storage, then the working grid, mask and normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otfsynth.kernels.structs import STRUCTS
from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.rendering import kspace, stages
from otfsynth.synthesis.rendering.buffers import Buffers
from otfsynth.synthesis.rendering.launching import Launcher, random_key
from otfsynth.synthesis.rendering.visibility import Visibility
from otfsynth.synthesis.resampling import BandMatrix, linear_matrix, sampling_matrix, truncated_matrix
from otfsynth.synthesis.workspace import Workspace

NORMALIZATIONS = {"zscore": 1, "minmax": 2}
LARGEST = 3.0e38
TAP_STEP = 16
"""Weights of one sample are stored in whole vectors of so many."""


@dataclass(frozen=True)
class AcquiredImage:
    """Address and shape of the image on the scanner's grid."""

    address: int
    shape: tuple[int, int, int]


def acquire(
    launch: Launcher,
    parameters: SynthesisParameters,
    bands: list[BandMatrix],
    visibility: Visibility,
    buffers: Buffers,
) -> AcquiredImage:
    """Gamma, sampling of each axis, what k-space suffers, noise and storage; works in the image's memory too."""
    size = parameters.size
    shape = (bands[0].outputs, bands[1].outputs, bands[2].outputs)
    corrupted = kspace.is_corrupted(parameters)
    receiver = receiver_fields(launch, parameters, shape)
    first = buffers.image
    second = launch.workspace.take("second", np.float32, size)
    region = visibility.region(size[1], (False, False, True))
    _sample_along_row(launch, parameters, buffers, bands[2], region, second)
    if bands[0].is_identity and bands[1].is_identity and not receiver and not corrupted:
        return AcquiredImage(second, shape)
    region = visibility.region(shape[1], (False, True, True))
    _sample_across_rows(launch, second, first, bands[1], {"region": region}, size[0] * shape[1], 1, size[1], shape[2])
    rows = shape[0] * shape[1]
    last = {"region": visibility.region(shape[1], (True, True, True))} | ({} if corrupted else receiver)
    _sample_across_rows(launch, first, second, bands[0], last, rows, shape[1], size[0], shape[2])
    if corrupted:
        image, output = launch.workspace.tensor("second", shape), launch.workspace.tensor("kspace", shape)
        kspace.corrupt(launch, parameters, image, output)
        band = sampling_matrix(shape[0], 1.0, 0.0)
        _sample_across_rows(launch, output.data_ptr(), second, band, receiver, rows, shape[1], shape[0], shape[2])
    return AcquiredImage(second, shape)


def sampling_matrices(parameters: SynthesisParameters) -> list[BandMatrix]:
    """Point spread function and sampling of each axis: Gaussian, or the sinc of a truncated k-space."""
    acquisition, ringing = parameters.acquisition, parameters.ringing
    bands = []
    for axis, length in enumerate(parameters.size):
        spacing = acquisition.spacing_voxels[axis]
        kept = ringing.kept_shares[axis] if ringing is not None else 1.0
        if kept < 1.0:
            bands.append(truncated_matrix(length, spacing, kept))
        else:
            bands.append(sampling_matrix(length, spacing, acquisition.psf_sigma_voxels[axis]))
    return bands


def finish(
    launch: Launcher,
    parameters: SynthesisParameters,
    visibility: Visibility,
    buffers: Buffers,
    acquired: AcquiredImage,
) -> None:
    """Back to the working grid, mask, normalisation."""
    region = visibility.region(parameters.size[1], (False, False, False), shown=True)
    linear = np.zeros(3, dtype=STRUCTS["Finish"]["linear"].base)
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
        region=region,
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
            region=region,
        )


def receiver_fields(launch: Launcher, parameters: SynthesisParameters, shape: tuple[int, int, int]) -> dict[str, Any]:
    """Structs of noise and storage on the acquired grid; none where both are off."""
    acquisition, storage, key = parameters.acquisition, parameters.storage, parameters.key
    fields: dict[str, Any] = {}
    if acquisition.noise_std > 0.0:
        noise = fields["noise"] = np.zeros((), dtype=STRUCTS["ResampleAcrossRows"]["noise"])
        noise["key"], noise["coil_key"] = random_key(key, stages.ACQUISITION), random_key(key, stages.COILS)
        noise["std"], noise["coils"], noise["rows_y"] = acquisition.noise_std, acquisition.coils, shape[1]
        field = parameters.noise_field
        if field is not None:
            spacing = field.spacing_voxels
            noise["g_factor"] = launch.noise_rows("noise_field", shape, key, stages.NOISE_FIELD, field.std, spacing)
    if storage is not None:
        fields["storage"] = np.array((storage.highest, storage.levels), STRUCTS["ResampleAcrossRows"]["storage"])
    elif parameters.ringing is not None:  # a sinc undershoots zero, and images are magnitudes
        fields["storage"] = np.array((LARGEST, 0.0), STRUCTS["ResampleAcrossRows"]["storage"])
    return fields


def _sample_along_row(
    launch: Launcher,
    parameters: SynthesisParameters,
    buffers: Buffers,
    matrix: BandMatrix,
    region: NDArray[np.void],
    output: int,
) -> None:
    """The contiguous axis, after the gamma curve."""
    size = parameters.size
    band = _band(matrix, parameters.acquisition.spacing_voxels[2] == 1.0, launch.workspace)
    gamma = np.zeros((), dtype=STRUCTS["ResampleAlongRow"]["gamma"])
    if parameters.gamma is not None:
        gamma["statistics"], gamma["exponent"] = buffers.fold_statistics(launch), parameters.gamma
    launch(
        "ResampleAlongRow",
        input=buffers.image,
        output=output,
        band=band,
        region=region,
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
    fields: dict[str, Any],
    rows: int,
    inner: int,
    inputs: int,
    length: int,
) -> None:
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
    band = np.zeros((), dtype=STRUCTS["ResampleAcrossRows"]["band"])
    band["starts"] = workspace.keep(matrix.starts)
    stride = -(-matrix.taps // TAP_STEP) * TAP_STEP
    if along_outputs:
        weights = matrix.weights
    else:
        weights = np.zeros((matrix.outputs, stride), np.float32)
        weights[:, : matrix.taps] = matrix.weights.T
    band["weights"] = workspace.keep(weights)
    band["taps"], band["outputs"], band["unit_stride"] = matrix.taps, matrix.outputs, along_outputs
    band["stride"] = stride
    return band
