"""The simulated scanner: drawing its voxel size, its noise and how it stores numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otfsynth.config.acquisition import (
    CoilsConfig,
    MenuConfig,
    NoiseConfig,
    NoiseFieldConfig,
    ResolutionConfig,
    StorageConfig,
)
from otfsynth.synthesis.parameters import (
    AcquisitionParameters,
    NoiseFieldParameters,
    StorageParameters,
)
from otfsynth.synthesis.random_stream import RandomStream
from otfsynth.synthesis.tissue import ROW_BLOCK, row_spacing
from otfsynth.types import SampleKey, vector

PSF_SHARE = 0.75
"""Standard deviation of the point spread function, as a share of slice thickness (Billot et al. 2020)."""


def sample_acquisition(
    config: ResolutionConfig,
    menu: MenuConfig,
    noise: NoiseConfig,
    coils: CoilsConfig,
    spacing_mm: float,
    intensity_range: float,
    key: SampleKey,
) -> AcquisitionParameters:
    """Draw voxel size, point spread function and noise; never finer than the working grid."""
    stream = RandomStream(key, "resolution")
    kind = stream.choice(
        ("native", "isotropic", "anisotropic"),
        (config.native_probability, config.isotropic_probability, config.anisotropic_probability),
    )
    factors = np.ones(3)
    if kind == "isotropic":
        factors[:] = stream.uniform(config.isotropic_spacing_mm[0], config.isotropic_spacing_mm[1]) / spacing_mm
    elif kind == "anisotropic":
        axis = stream.integer(3)
        factors[axis] = stream.uniform(config.anisotropic_spacing_mm[0], config.anisotropic_spacing_mm[1]) / spacing_mm
    chosen = _choose_from_menu(menu, RandomStream(key, "menu"))
    factors = np.maximum(factors if chosen is None else chosen / spacing_mm, 1.0)
    share = stream.units(1)[0]
    thickness = 1.0 + share * (factors - 1.0)  # one share of U(native, spacing) for all axes, as in a real protocol
    sigma = np.where(factors > 1.0, PSF_SHARE * thickness, config.native_blur_voxels)
    sigma = sigma * stream.uniforms(1.0 / config.psf_jitter, config.psf_jitter, 3)
    noise_stream, coil_stream = RandomStream(key, "noise"), RandomStream(key, "coils")
    noisy = noise_stream.happens(noise.probability)
    noise_std = noise_stream.uniform(0.0, noise.std_max) * intensity_range
    several = coil_stream.happens(coils.probability)
    count = coils.count[0] + coil_stream.integer(coils.count[1] - coils.count[0] + 1)
    return AcquisitionParameters(
        vector(factors), vector(sigma), noise_std if noisy else 0.0, count if several and noisy else 1
    )


def _choose_from_menu(menu: MenuConfig, stream: RandomStream) -> NDArray[np.float64] | None:
    """Spacing of the three axes, mm; None where the sample is not from the menu."""
    draw, axis = stream.units(1)[0], stream.integer(3)
    spacing = np.zeros(3)
    if draw < menu.clinical_probability:
        spacing[axis] = stream.uniform(menu.clinical_spacing_mm[0], menu.clinical_spacing_mm[1])
        return spacing
    if draw < menu.clinical_probability + menu.low_field_probability:
        spacing[:] = stream.uniform(menu.low_field_in_plane_mm[0], menu.low_field_in_plane_mm[1])
        spacing[axis] = stream.uniform(menu.low_field_spacing_mm[0], menu.low_field_spacing_mm[1])
        return spacing
    if draw < menu.clinical_probability + menu.low_field_probability + menu.coarse_probability:
        spacing[:] = stream.uniform(menu.coarse_spacing_mm[0], menu.coarse_spacing_mm[1])
        return spacing
    return None


def sample_noise_field(
    config: NoiseFieldConfig, acquisition: AcquisitionParameters, spacing_mm: float, key: SampleKey
) -> NoiseFieldParameters | None:
    """Smooth variation of the noise; left out where there is none."""
    stream = RandomStream(key, "noise_field")
    if not stream.happens(config.probability) or acquisition.noise_std == 0.0:
        return None
    std = stream.uniform(0.0, config.std_max)
    voxel_mm = spacing_mm * float(np.prod(acquisition.spacing_voxels)) ** (1 / 3)
    low, high = config.control_spacing_mm
    return NoiseFieldParameters(std, row_spacing(stream.uniform(low, high) / voxel_mm, ROW_BLOCK))


def sample_storage(config: StorageConfig, intensity_range: float, key: SampleKey) -> StorageParameters | None:
    stream = RandomStream(key, "storage")
    if not stream.happens(config.probability):
        return None
    highest = intensity_range * stream.uniform(config.highest[0], config.highest[1])
    bits = config.bits[0] + stream.integer(config.bits[1] - config.bits[0] + 1)
    return StorageParameters(highest, 2**bits - 1)
