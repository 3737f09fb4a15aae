"""Configuration of the simulated scanner; each stage is off at ``probability: 0``."""

from __future__ import annotations

from dataclasses import dataclass, field

from otfsynth.config import checks


@dataclass
class ResolutionConfig:
    """Voxel size of the simulated acquisition; the three probabilities sum to 1.

    native: the working spacing. isotropic: one spacing for the three axes. anisotropic: thick slices along one axis,
    the others native. Slice thickness is U(native, spacing); the point spread function is a Gaussian of standard
    deviation 0.75 * thickness (native axes: ``native_blur_voxels``), multiplied by U(1 / psf_jitter, psf_jitter).
    """

    native_probability: float = 0.35
    isotropic_probability: float = 0.25
    anisotropic_probability: float = 0.4
    isotropic_spacing_mm: list[float] = field(default_factory=lambda: [1.0, 3.0])
    anisotropic_spacing_mm: list[float] = field(default_factory=lambda: [1.0, 7.0])
    native_blur_voxels: float = 0.5
    psf_jitter: float = 1.03

    def __post_init__(self) -> None:
        name = "synthesis.resolution"
        kinds = ("native_probability", "isotropic_probability", "anisotropic_probability")
        checks.check_sum_to_one([f"{name}.{kind}" for kind in kinds], [getattr(self, kind) for kind in kinds])
        checks.check_range(f"{name}.isotropic_spacing_mm", self.isotropic_spacing_mm, 0.1, 20.0)
        checks.check_range(f"{name}.anisotropic_spacing_mm", self.anisotropic_spacing_mm, 0.1, 20.0)
        checks.check_between(f"{name}.native_blur_voxels", self.native_blur_voxels, 0.0, 5.0)
        checks.check_between(f"{name}.psf_jitter", self.psf_jitter, 1.0, 3.0)


@dataclass
class NoiseConfig:
    """Rician noise in the acquired space: sqrt((signal + n1)**2 + n2**2), n ~ N(0, std**2) (Gudbjartsson 1995)."""

    probability: float = 0.9
    std_max: float = 0.06
    """Standard deviation as a share of the image's intensity range, drawn from U(0, std_max)."""

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.noise.probability", self.probability)
        checks.check_between("synthesis.noise.std_max", self.std_max, 0.0, 2.0)
