"""Rendering one sample on the CPU: parameters become operator structs, launched in the order of the model.

Deterministic: the same parameters and label map give the same bytes, whatever the number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otfsynth import kernels
from otfsynth.kernels.operators import LATTICE, OPERATORS, RANDOM_KEY, ROW_LATTICE, STATISTICS
from otfsynth.labels import LabelScheme
from otfsynth.synthesis.acquisition import BandMatrix, linear_matrix, sampling_matrix
from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.sampling import LabelMapLike
from otfsynth.synthesis.workspace import Workspace
from otfsynth.types import SampleKey

STAGE_VELOCITY, STAGE_BIAS, STAGE_MIXTURE, STAGE_STRIP_EDGE, STAGE_ACQUISITION = 1, 2, 3, 4, 5
FLOW_SPACING = 8
FLOW_MARGIN = 3
"""Nodes of the flow lattice outside the patch: displacements up to 16 voxels compose without reaching its edge."""
SQUARINGS = 5
FIELD_STD_TO_COEFFICIENT_STD = (315.0 / 151.0) ** 1.5
"""A cubic B-spline field of unit normal coefficients has mean variance (151/315)**3 (autocorrelation of the spline)."""
NORMALIZATIONS = {"zscore": 1, "minmax": 2}


@dataclass
class Renderer:
    """Renders samples of one scheme; keeps its working memory."""

    scheme: LabelScheme
    threads: int

    def __post_init__(self) -> None:
        self.workspace = Workspace()
        self._classes = np.asarray(self.scheme.class_table, dtype=np.intp)
        self._targets = np.asarray(self.scheme.target_table, dtype=np.uint8)
        self._swap = np.asarray(self.scheme.swap_indices, dtype=np.intp)

    def render(
        self, parameters: SynthesisParameters, label_map: LabelMapLike, image: NDArray[Any], target: NDArray[Any]
    ) -> None:
        """Fill ``image`` (float32) and ``target`` (uint8), both (x, y, z) contiguous, with one sample."""
        try:
            mask = self._paint(parameters, label_map, image, target)
            self._acquire(parameters, image, mask)
        finally:
            self.workspace.release()

    def _launch(self, name: str, **fields: Any) -> None:
        operator = np.zeros(1, dtype=OPERATORS[name])
        for field, value in fields.items():
            operator[field] = value
        kernels.launch(name, operator, self.threads)

    # Geometry ------------------------------------------------------------------------------------------------------

    def _source_lattice(self, parameters: SynthesisParameters) -> NDArray[np.void]:
        """Lattice of source coordinates: affine and flow, ready to be evaluated along rows."""
        deformation = parameters.deformation
        size = np.array(parameters.size)
        shape = (size - 1) // FLOW_SPACING + FLOW_MARGIN + 4
        origin = float(-FLOW_SPACING * FLOW_MARGIN)
        flow = self._flow(parameters, shape, origin) if deformation.velocity_std_voxels > 0 else 0
        matrix = np.array(deformation.matrix)
        coefficients = self.workspace.take("source", np.float32, (3, *shape))
        self._launch(
            "SourceLattice",
            flow=flow,
            coefficients=coefficients.ctypes.data,
            matrix=matrix.ravel(),
            offset=np.array(deformation.centre_voxels) - matrix @ ((size - 1) / 2),
            shape=shape,
            origin=origin,
        )
        return _row_lattice(coefficients.ctypes.data, shape, FLOW_SPACING, FLOW_MARGIN)

    def _flow(self, parameters: SynthesisParameters, shape: NDArray[np.int64], origin: float) -> int:
        """Integrate the velocity field; address of the displacement's spline coefficients."""
        deformation = parameters.deformation
        spacing = deformation.velocity_spacing_voxels
        control_shape = np.ceil(FLOW_SPACING * (shape - 1) / spacing).astype(int) + 4
        control = self._noise_lattice(
            "velocity", (3, *control_shape), parameters.key, STAGE_VELOCITY, deformation.velocity_std_voxels
        )
        displacement = self.workspace.take("displacement", np.float32, (3, *shape)).ctypes.data
        coefficients = self.workspace.take("flow", np.float32, (3, *shape)).ctypes.data
        velocity = _lattice(control, control_shape, origin - spacing, spacing)
        flow = _lattice(coefficients, shape, origin, FLOW_SPACING)
        self._launch("FlowStart", velocity=velocity, displacement=displacement, shape=shape, origin=origin)
        for _ in range(SQUARINGS):
            self._launch("QuasiInterpolate", values=displacement, coefficients=coefficients, shape=shape)
            self._launch("FlowSquare", flow=flow, displacement=displacement)
        self._launch("QuasiInterpolate", values=displacement, coefficients=coefficients, shape=shape)
        return coefficients

    def _noise_lattice(self, name: str, shape: tuple[int, ...], key: SampleKey, stage: int, field_std: float) -> int:
        """Address of normal coefficients whose spline has a root mean square of ``field_std``."""
        coefficients = self.workspace.take(name, np.float32, shape)
        self._launch(
            "LatticeNoise",
            coefficients=coefficients.ctypes.data,
            count=coefficients.size,
            key=_random_key(key, stage),
            std=field_std * FIELD_STD_TO_COEFFICIENT_STD,
        )
        return int(coefficients.ctypes.data)

    def _noise_rows(self, name: str, parameters: SynthesisParameters, stage: int, std: float, spacing: int) -> Any:
        """A random field on a lattice of whole blocks; zeros (no field) where ``std`` is 0."""
        if std == 0.0:
            return np.zeros((), dtype=ROW_LATTICE)
        shape = (np.array(parameters.size) - 1) // spacing + 4
        coefficients = self._noise_lattice(name, tuple(shape), parameters.key, stage, std)
        return _row_lattice(coefficients, shape, spacing, 1)

    # Appearance ----------------------------------------------------------------------------------------------------

    def _paint(
        self, parameters: SynthesisParameters, label_map: LabelMapLike, image: NDArray[Any], target: NDArray[Any]
    ) -> int:
        """Paint the patch; address of the mask, 0 where everything is kept."""
        strip, bias = parameters.skull_strip, parameters.bias_field
        edge = np.zeros((), dtype=ROW_LATTICE)
        if strip is not None:
            edge = self._noise_rows(
                "edge", parameters, STAGE_STRIP_EDGE, strip.edge_roughness_mm, strip.edge_spacing_voxels
            )
        field = np.zeros((), dtype=ROW_LATTICE)
        if bias is not None:
            field = self._noise_rows("bias", parameters, STAGE_BIAS, bias.std, bias.spacing_voxels)
        means, stds, targets = self._tables(parameters)
        mask = 0
        if strip is not None or parameters.background == "zero":
            mask = self.workspace.take("mask", np.uint8, parameters.size).ctypes.data
        self._launch(
            "Paint",
            labels=label_map.indices.data_ptr(),
            brain_distance=label_map.brain_distance.data_ptr() if strip is not None else 0,
            means=self.workspace.keep(means),
            stds=self.workspace.keep(stds),
            targets=self.workspace.keep(targets),
            image=image.ctypes.data,
            target=target.ctypes.data,
            mask=mask,
            statistics=self._row_statistics(parameters).ctypes.data,
            source=self._source_lattice(parameters),
            bias=field,
            edge=edge,
            key=_random_key(parameters.key, STAGE_MIXTURE),
            map_shape=tuple(label_map.indices.shape),
            size_=parameters.size,
            clip_max=parameters.clip_max,
            edge_offset=strip.edge_offset_mm if strip is not None else 0.0,
            mask_background=parameters.background == "zero",
        )
        return mask

    def _tables(self, parameters: SynthesisParameters) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Mean, standard deviation and target by label index; a flip swaps the sides here and costs nothing."""
        order = self._swap if parameters.deformation.flip else np.arange(len(self._targets))
        means, stds, targets = np.zeros(256, np.float32), np.zeros(256, np.float32), np.zeros(256, np.uint8)
        classes = self._classes[order]
        means[: len(order)] = np.array(parameters.mixture.means)[classes]
        stds[: len(order)] = np.array(parameters.mixture.stds)[classes]
        targets[: len(order)] = self._targets[order]
        return means, stds, targets

    # Acquisition ---------------------------------------------------------------------------------------------------

    def _row_statistics(self, parameters: SynthesisParameters) -> NDArray[Any]:
        return self.workspace.take("row_statistics", STATISTICS, parameters.size[:2])

    def _fold(self, parameters: SynthesisParameters) -> int:
        """Fold the rows' statistics to the volume's; their address."""
        slices, rows, _ = parameters.size
        entries = self._row_statistics(parameters).ctypes.data
        folded = self.workspace.take("slice_statistics", STATISTICS, (slices,)).ctypes.data
        total = self.workspace.take("statistics", STATISTICS, (1,))
        self._launch("FoldStatistics", entries=entries, folded=folded, groups=slices, group=rows)
        self._launch("FoldStatistics", entries=folded, folded=total.ctypes.data, groups=1, group=slices)
        return int(total.ctypes.data)

    def _acquire(self, parameters: SynthesisParameters, image: NDArray[Any], mask: int) -> None:
        """Gamma, sampling of the three axes, noise, back to the working grid, mask and normalisation."""
        acquired, shape = self._sample_axes(parameters, image)
        linear = np.zeros(3, dtype=OPERATORS["Finish"]["linear"].base)
        for axis in range(3):
            linear[axis]["inputs"] = shape[axis]
            matrix = linear_matrix(parameters.size[axis], parameters.acquisition.spacing_voxels[axis])
            if matrix is not None:
                linear[axis]["lower"] = self.workspace.keep(matrix[0])
                linear[axis]["fraction"] = self.workspace.keep(matrix[1])
        self._launch(
            "Finish",
            input=acquired,
            output=image.ctypes.data,
            mask=mask,
            statistics=self._row_statistics(parameters).ctypes.data,
            linear=linear,
            size_=parameters.size,
        )
        mode = NORMALIZATIONS.get(parameters.normalization)
        if mode is not None:
            self._launch(
                "Normalize",
                image=image.ctypes.data,
                statistics=self._fold(parameters),
                rows=parameters.size[0] * parameters.size[1],
                length=parameters.size[2],
                mode=mode,
            )

    def _sample_axes(self, parameters: SynthesisParameters, image: NDArray[Any]) -> tuple[int, tuple[int, int, int]]:
        """The acquired image in working memory: its address and shape."""
        size, acquisition = parameters.size, parameters.acquisition
        bands = [
            sampling_matrix(length, spacing, sigma)
            for length, spacing, sigma in zip(
                size, acquisition.spacing_voxels, acquisition.psf_sigma_voxels, strict=True
            )
        ]
        outputs = (bands[0].outputs, bands[1].outputs, bands[2].outputs)
        second = self.workspace.take("second", np.float32, size).ctypes.data
        first = image.ctypes.data
        along, band = bands[2], np.zeros((), dtype=OPERATORS["ResampleAlongRow"]["band"])
        _fill_band(band, along, acquisition.spacing_voxels[2] == 1.0, self.workspace)
        gamma = np.zeros((), dtype=OPERATORS["ResampleAlongRow"]["gamma"])
        if parameters.gamma is not None:
            gamma["statistics"], gamma["exponent"] = self._fold(parameters), parameters.gamma
        self._launch(
            "ResampleAlongRow",
            input=first,
            output=second,
            band=band,
            gamma=gamma,
            rows=size[0] * size[1],
            length=size[2],
            before=max(0, -int(along.starts.min())),
            after=max(0, int(along.starts.max()) + along.taps - size[2]),
        )
        if bands[0].is_identity and bands[1].is_identity and acquisition.noise_std == 0.0:
            return second, outputs
        noise = np.zeros((), dtype=OPERATORS["ResampleAcrossRows"]["noise"])
        self._across(second, first, bands[1], noise, size[0] * outputs[1], 1, size[1], outputs[2])
        noise["key"] = _random_key(parameters.key, STAGE_ACQUISITION)
        noise["std"] = acquisition.noise_std
        self._across(first, second, bands[0], noise, outputs[0] * outputs[1], outputs[1], size[0], outputs[2])
        return second, outputs

    def _across(
        self, source: int, output: int, matrix: BandMatrix, noise: Any, rows: int, inner: int, inputs: int, length: int
    ) -> None:
        inside = matrix.inside(inputs)
        band = np.zeros((), dtype=OPERATORS["ResampleAcrossRows"]["band"])
        _fill_band(band, inside, True, self.workspace)
        self._launch(
            "ResampleAcrossRows",
            input=source,
            output=output,
            band=band,
            noise=noise,
            rows=rows,
            inner=inner,
            inputs=inputs,
            length=length,
        )


def _fill_band(band: Any, matrix: BandMatrix, along_outputs: bool, workspace: Workspace) -> None:
    """Describe a matrix to the kernels, its weights stored along outputs or along taps."""
    band["starts"] = workspace.keep(matrix.starts)
    band["weights"] = workspace.keep(matrix.weights if along_outputs else matrix.weights.T)
    band["taps"], band["outputs"], band["unit_stride"] = matrix.taps, matrix.outputs, along_outputs


def _random_key(key: SampleKey, stage: int) -> NDArray[np.void]:
    return np.array((key.seed & 0xFFFFFFFF, key.seed >> 32, key.index, stage), dtype=RANDOM_KEY)


def _lattice(address: int, shape: NDArray[Any], origin: float, spacing: float) -> NDArray[np.void]:
    return np.array((address, tuple(shape), origin, spacing, 0), dtype=LATTICE)


def _row_lattice(address: int, shape: NDArray[Any], spacing: int, margin: int) -> NDArray[np.void]:
    return np.array((address, tuple(shape), spacing, margin, 0), dtype=ROW_LATTICE)
