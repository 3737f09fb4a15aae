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
class MenuConfig:
    """Voxel sizes of real protocols, which take the place of ``resolution`` in a share of the samples.

    clinical: thick slices along one axis, fine voxels inside them. low_field: thick slices and coarse voxels inside
    them, as portable scanners take. coarse: cubic voxels of functional and other fast scans (the menu of Brain-ID, Liu
    et al. 2024).
    """

    clinical_probability: float = 0.1
    low_field_probability: float = 0.05
    coarse_probability: float = 0.03
    clinical_spacing_mm: list[float] = field(default_factory=lambda: [2.5, 8.5])
    low_field_spacing_mm: list[float] = field(default_factory=lambda: [4.5, 5.5])
    low_field_in_plane_mm: list[float] = field(default_factory=lambda: [1.3, 1.7])
    coarse_spacing_mm: list[float] = field(default_factory=lambda: [2.0, 5.0])

    def __post_init__(self) -> None:
        name = "synthesis.menu"
        shares = ("clinical_probability", "low_field_probability", "coarse_probability")
        for share in shares:
            checks.check_probability(f"{name}.{share}", getattr(self, share))
        checks.check_probability(f"{name}.{' + '.join(shares)}", sum(getattr(self, share) for share in shares))
        for menu in ("clinical_spacing_mm", "low_field_spacing_mm", "low_field_in_plane_mm", "coarse_spacing_mm"):
            checks.check_range(f"{name}.{menu}", getattr(self, menu), 0.1, 20.0)


@dataclass
class NoiseConfig:
    """Rician noise in the acquired space: sqrt((signal + n1)**2 + n2**2), n ~ N(0, std**2) (Gudbjartsson 1995)."""

    probability: float = 0.9
    std_max: float = 0.06
    """Standard deviation as a share of the image's intensity range, drawn from U(0, std_max)."""

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.noise.probability", self.probability)
        checks.check_between("synthesis.noise.std_max", self.std_max, 0.0, 2.0)


@dataclass
class CoilsConfig:
    """Root of the sum of squares of several coils: noise becomes non-central chi (Constantinides et al. 1997)."""

    probability: float = 0.2
    """Share of the samples; the others keep the Rician noise of one coil."""
    count: list[int] = field(default_factory=lambda: [2, 5])
    """Number of coils with independent noise, low to high, equally likely."""

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.coils.probability", self.probability)
        checks.check_range("synthesis.coils.count", self.count, 1, 128)


@dataclass
class NoiseFieldConfig:
    """Noise of smoothly varying strength, as the g-factor of parallel imaging (Pruessmann et al. 1999)."""

    probability: float = 0.25
    std_max: float = 0.4
    """Standard deviation of the logarithm of the strength, drawn from U(0, std_max)."""
    control_spacing_mm: list[float] = field(default_factory=lambda: [24.0, 64.0])
    """Distance of the control points, drawn from U(low, high) and rounded to 8 acquired voxels."""

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.noise_field.probability", self.probability)
        checks.check_between("synthesis.noise_field.std_max", self.std_max, 0.0, 3.0)
        checks.check_range("synthesis.noise_field.control_spacing_mm", self.control_spacing_mm, 4.0, 1000.0)


@dataclass
class StorageConfig:
    """Magnitudes as scanners store them: clipped at the largest value there is, rounded to whole numbers."""

    probability: float = 0.2
    highest: list[float] = field(default_factory=lambda: [0.9, 1.2])
    """Largest value as a share of the image's intensity range, drawn from U(low, high); below 1, tissue saturates."""
    bits: list[int] = field(default_factory=lambda: [6, 12])
    """Whole numbers from 0 to 2**bits - 1 that the values use, bits equally likely from low to high.

    Scanners store 12 or 16 bits, of which a weak signal uses a part.
    """

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.storage.probability", self.probability)
        checks.check_range("synthesis.storage.highest", self.highest, 0.01, 100.0)
        checks.check_range("synthesis.storage.bits", self.bits, 1, 16)
