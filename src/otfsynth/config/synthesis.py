"""Configuration of the generative model: every probability, range and unit of the synthesis engine.

Defaults are those of ``+experiment=randomized``. A stage is switched off by ``probability: 0``. References:
Billot et al. 2020 (lab2im, MIDL), Billot et al. 2023 (SynthSeg, Medical Image Analysis 86).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from otfsynth.config import checks
from otfsynth.config.acquisition import (
    CoilsConfig,
    MenuConfig,
    NoiseConfig,
    NoiseFieldConfig,
    ResolutionConfig,
    StorageConfig,
)
from otfsynth.config.artefacts import (
    FieldOfViewConfig,
    GhostingConfig,
    MotionConfig,
    RingingConfig,
    SignalLossConfig,
    SpikesConfig,
)
from otfsynth.config.channels import ChannelsConfig
from otfsynth.config.contrast import ContrastConfig, PhysicsConfig
from otfsynth.config.defacing import DefacingConfig, NeckConfig
from otfsynth.config.lesions import LesionsConfig
from otfsynth.config.shape import ShapeVarietyConfig
from otfsynth.config.shell import ShellConfig
from otfsynth.config.tissue import HeterogeneityConfig, PartialVolumeConfig, SubclassesConfig, TextureConfig


@dataclass
class FlipConfig:
    """Left/right mirroring of the head; sided labels swap, so that a left structure stays named left."""

    probability: float = 0.5

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.flip.probability", self.probability)


@dataclass
class AffineConfig:
    """Random affine transform; each number is drawn per axis from a uniform distribution centred on the identity."""

    probability: float = 1.0
    scale_max: float = 0.2
    """Each axis is scaled by U(1 - scale_max, 1 + scale_max)."""
    rotation_max_deg: float = 15.0
    shear_max: float = 0.012
    translation_max_mm: float = 10.0

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.affine.probability", self.probability)
        checks.check_between("synthesis.affine.scale_max", self.scale_max, 0.0, 0.9)
        checks.check_between("synthesis.affine.rotation_max_deg", self.rotation_max_deg, 0.0, 180.0)
        checks.check_between("synthesis.affine.shear_max", self.shear_max, 0.0, 1.0)
        checks.check_at_least("synthesis.affine.translation_max_mm", self.translation_max_mm, 0.0)


@dataclass
class VelocityFieldConfig:
    """Stationary velocity field, integrated to a diffeomorphism (Arsigny et al. 2006)."""

    probability: float = 1.0
    std_max_mm: float = 4.0
    """Root mean square of each velocity component, drawn from U(0, std_max_mm)."""
    control_spacing_mm: list[float] = field(default_factory=lambda: [20.0, 40.0])
    """Distance of the cubic B-spline control points, drawn from U(low, high)."""

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.velocity_field.probability", self.probability)
        checks.check_at_least("synthesis.velocity_field.std_max_mm", self.std_max_mm, 0.0)
        checks.check_range("synthesis.velocity_field.control_spacing_mm", self.control_spacing_mm, 10.0, 500.0)


@dataclass
class PatchConfig:
    """Where the output patch is taken from the head."""

    foreground_probability: float = 0.5
    """Share of patches centred on a random voxel of a random target structure (as nnU-Net oversamples foreground).

    The others lie anywhere around the targets, at most a quarter of their length beyond them.
    """

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.patch.foreground_probability", self.foreground_probability)


@dataclass
class MixtureConfig:
    """Gaussian mixture: each generation class draws a mean and a standard deviation, on the 0-255 scale of lab2im.

    ``distribution=uniform`` reads ranges as (low, high), ``normal`` as (mean, standard deviation). A prior file is a
    ``.npy`` of shape (2, K) or (2 * channels, K) in the layout of lab2im and SynthSeg, K being the number of classes;
    ``synthesis.contrast.engines.priors`` of the samples are drawn from it.
    """

    distribution: str = "uniform"
    mean_range: list[float] = field(default_factory=lambda: [0.0, 250.0])
    std_range: list[float] = field(default_factory=lambda: [0.0, 30.0])
    prior_means: str | None = None
    prior_stds: str | None = None
    prior_distribution: str = "normal"
    tissue_contrast_min: float = 15.0
    """Least distance between the mean intensities of any two targets, met by redrawing (at most 20 times).

    Real contrasts separate the tissues they were made for; without a floor a third of the samples shows no border
    between two of three targets, which teaches a network to guess from position.
    """
    tissue_contrast_probability: float = 0.8
    """Share of the samples in which ``tissue_contrast_min`` is asked for."""

    def __post_init__(self) -> None:
        name = "synthesis.mixture"
        checks.check_choice(f"{name}.distribution", self.distribution, ("uniform", "normal"))
        checks.check_choice(f"{name}.prior_distribution", self.prior_distribution, ("uniform", "normal"))
        if self.distribution == "uniform":
            checks.check_range(f"{name}.mean_range", self.mean_range)
            checks.check_range(f"{name}.std_range", self.std_range, 0.0)
        elif len(self.mean_range) != 2 or len(self.std_range) != 2 or self.mean_range[1] < 0 or self.std_range[1] < 0:
            raise checks.ConfigurationError(
                f"{name}.mean_range={self.mean_range}, {name}.std_range={self.std_range}: with distribution=normal "
                "each is (mean, standard deviation); give two numbers, the second not negative"
            )
        checks.check_at_least(f"{name}.tissue_contrast_min", self.tissue_contrast_min, 0.0)
        checks.check_probability(f"{name}.tissue_contrast_probability", self.tissue_contrast_probability)
        if (self.prior_means is None) != (self.prior_stds is None):
            raise checks.ConfigurationError(
                f"{name}.prior_means and {name}.prior_stds go together; give both or neither"
            )


@dataclass
class BackgroundConfig:
    """What the background label looks like; the three probabilities sum to 1 (SynthSeg: .05, .25, .70).

    zero: exactly 0, also after noise, as in a masked scan. dark: mean U(0, dark_mean_max) and standard deviation
    U(0, dark_std_max), as air. textured: an ordinary class of the mixture.
    """

    zero_probability: float = 0.3
    dark_probability: float = 0.5
    textured_probability: float = 0.2
    dark_mean_max: float = 15.0
    dark_std_max: float = 5.0

    def __post_init__(self) -> None:
        name = "synthesis.background"
        kinds = ("zero_probability", "dark_probability", "textured_probability")
        checks.check_sum_to_one([f"{name}.{kind}" for kind in kinds], [getattr(self, kind) for kind in kinds])
        checks.check_at_least(f"{name}.dark_mean_max", self.dark_mean_max, 0.0)
        checks.check_at_least(f"{name}.dark_std_max", self.dark_std_max, 0.0)


@dataclass
class SkullStripConfig:
    """Simulated skull-stripping: everything beyond a bumpy surface near the brain's becomes exactly 0, after noise."""

    probability: float = 0.7
    edge_offset_mm: list[float] = field(default_factory=lambda: [-2.0, 3.0])
    """Distance of the mask's edge from the brain's (its CSF included), outward positive, drawn from U(low, high)."""
    edge_roughness_mm: float = 1.5
    """Standard deviation of the edge's smooth bumps, drawn from U(0, edge_roughness_mm)."""
    edge_spacing_mm: list[float] = field(default_factory=lambda: [8.0, 32.0])
    """Size of the bumps: distance of the control points, drawn from U(low, high) and rounded to 8 voxels."""
    fluid_probability: float = 0.6
    """Share of the samples with such an edge in which all that is left around the brain is CSF, image and target: good
    tools cut between CSF and dura, while label maps draw CSF too thin and let bone begin there."""
    fluid: list[str] = field(default_factory=lambda: ["sulcal CSF", "CSF"])
    """Structures, by class or name, of which the first that a scheme has is that CSF."""
    poor_probability: float = 0.2
    """Share of the stripped samples that a crude tool stripped: brain is missing here, skull is left there."""
    poor_edge_offset_mm: list[float] = field(default_factory=lambda: [-4.0, 8.0])
    poor_edge_roughness_mm: float = 5.0
    """Standard deviation of the crude edge's bumps, drawn from U(0, poor_edge_roughness_mm)."""
    poor_edge_spacing_mm: list[float] = field(default_factory=lambda: [24.0, 64.0])

    def __post_init__(self) -> None:
        name = "synthesis.skull_strip"
        checks.check_probability(f"{name}.probability", self.probability)
        checks.check_range(f"{name}.edge_offset_mm", self.edge_offset_mm, -15.0, 15.0)
        checks.check_at_least(f"{name}.edge_roughness_mm", self.edge_roughness_mm, 0.0)
        checks.check_range(f"{name}.edge_spacing_mm", self.edge_spacing_mm, 4.0, 200.0)
        checks.check_probability(f"{name}.fluid_probability", self.fluid_probability)
        checks.check_probability(f"{name}.poor_probability", self.poor_probability)
        checks.check_range(f"{name}.poor_edge_offset_mm", self.poor_edge_offset_mm, -15.0, 15.0)
        checks.check_at_least(f"{name}.poor_edge_roughness_mm", self.poor_edge_roughness_mm, 0.0)
        checks.check_range(f"{name}.poor_edge_spacing_mm", self.poor_edge_spacing_mm, 4.0, 200.0)


@dataclass
class BiasFieldConfig:
    """Multiplicative bias field: exponential of a cubic B-spline of normal coefficients."""

    probability: float = 0.95
    std_max: float = 0.7
    """Standard deviation of the logarithm of the field, drawn from U(0, std_max)."""
    control_spacing_mm: list[float] = field(default_factory=lambda: [40.0, 96.0])
    """Distance of the control points, drawn from U(low, high) and rounded to 8 voxels."""

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.bias_field.probability", self.probability)
        checks.check_at_least("synthesis.bias_field.std_max", self.std_max, 0.0)
        checks.check_range("synthesis.bias_field.control_spacing_mm", self.control_spacing_mm, 8.0, 1000.0)


@dataclass
class GammaConfig:
    """Intensities are clipped to [0, clip_max], scaled to [0, 1] and raised to exp(N(0, std**2))."""

    probability: float = 1.0
    std: float = 0.5
    clip_max: float = 300.0

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.gamma.probability", self.probability)
        checks.check_between("synthesis.gamma.std", self.std, 0.0, 3.0)
        checks.check_positive("synthesis.gamma.clip_max", self.clip_max)


@dataclass
class SynthesisConfig:
    """The whole generative model, stage by stage in the order in which they act."""

    patch: PatchConfig = field(default_factory=PatchConfig)
    flip: FlipConfig = field(default_factory=FlipConfig)
    affine: AffineConfig = field(default_factory=AffineConfig)
    velocity_field: VelocityFieldConfig = field(default_factory=VelocityFieldConfig)
    shape_variety: ShapeVarietyConfig = field(default_factory=ShapeVarietyConfig)
    contrast: ContrastConfig = field(default_factory=ContrastConfig)
    mixture: MixtureConfig = field(default_factory=MixtureConfig)
    physics: PhysicsConfig = field(default_factory=PhysicsConfig)
    background: BackgroundConfig = field(default_factory=BackgroundConfig)
    partial_volume: PartialVolumeConfig = field(default_factory=PartialVolumeConfig)
    subclasses: SubclassesConfig = field(default_factory=SubclassesConfig)
    texture: TextureConfig = field(default_factory=TextureConfig)
    heterogeneity: HeterogeneityConfig = field(default_factory=HeterogeneityConfig)
    shell: ShellConfig = field(default_factory=ShellConfig)
    lesions: LesionsConfig = field(default_factory=LesionsConfig)
    skull_strip: SkullStripConfig = field(default_factory=SkullStripConfig)
    defacing: DefacingConfig = field(default_factory=DefacingConfig)
    field_of_view: FieldOfViewConfig = field(default_factory=FieldOfViewConfig)
    neck: NeckConfig = field(default_factory=NeckConfig)
    bias_field: BiasFieldConfig = field(default_factory=BiasFieldConfig)
    gamma: GammaConfig = field(default_factory=GammaConfig)
    signal_loss: SignalLossConfig = field(default_factory=SignalLossConfig)
    resolution: ResolutionConfig = field(default_factory=ResolutionConfig)
    menu: MenuConfig = field(default_factory=MenuConfig)
    ringing: RingingConfig = field(default_factory=RingingConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)
    ghosting: GhostingConfig = field(default_factory=GhostingConfig)
    spikes: SpikesConfig = field(default_factory=SpikesConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    coils: CoilsConfig = field(default_factory=CoilsConfig)
    noise_field: NoiseFieldConfig = field(default_factory=NoiseFieldConfig)
    storage: StorageConfig = field(default_factory=StorageConfig)
    channels: ChannelsConfig = field(default_factory=ChannelsConfig)
    normalization: str = "zscore"
    """zscore: zero mean and unit variance over the voxels that are not 0; minmax: [0, 1]; none: as simulated."""

    def __post_init__(self) -> None:
        checks.check_choice("synthesis.normalization", self.normalization, ("zscore", "minmax", "none"))
        priors = self.contrast.engines.priors
        if priors > 0 and self.mixture.prior_means is None:
            raise checks.ConfigurationError(
                f"synthesis.contrast.engines.priors={priors} needs synthesis.mixture.prior_means and "
                "synthesis.mixture.prior_stds"
            )
