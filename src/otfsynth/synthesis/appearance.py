"""Drawing how a sample looks: the Gaussian mixture, its background, the bias field and the gamma curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from otfsynth.config.synthesis import (
    BackgroundConfig,
    BiasFieldConfig,
    GammaConfig,
    MixtureConfig,
    SkullStripConfig,
)
from otfsynth.labels import LabelScheme
from otfsynth.labels.names import check_names, first_named_label
from otfsynth.synthesis.parameters import BiasFieldParameters, SkullStripParameters
from otfsynth.synthesis.priors import IntensityPriors
from otfsynth.synthesis.random_stream import RandomStream
from otfsynth.types import SampleKey

CONTRAST_ATTEMPTS = 20
ROW_BLOCK = 8
"""Lattices that are evaluated along rows have cells of a whole number of blocks of 8 voxels."""


def sample_mixture(
    config: MixtureConfig,
    prior_probability: float,
    class_count: int,
    class_shares: Callable[[], NDArray[np.float64]],
    priors: IntensityPriors | None,
    key: SampleKey,
) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    """Means and standard deviations of all classes, and where they come from: ``random`` or ``prior``.

    Args:
        config: ranges, priors, least contrast.
        prior_probability: share of the samples that are drawn from the priors.
        class_count: K, background's class included.
        class_shares: gives the share of each class in each target (:func:`shares_of_classes`); asked for, at 0.9 ms,
            only where a least contrast is to be met.
        priors: intensity priors, where the configuration names files.
        key: address of the sample.
    """
    stream = RandomStream(key, "mixture")
    use_priors = stream.happens(prior_probability) and priors is not None
    least = config.tissue_contrast_min if stream.happens(config.tissue_contrast_probability) else 0.0
    shares = class_shares() if least > 0 else None
    for _ in range(CONTRAST_ATTEMPTS):
        if use_priors and priors is not None:
            means, stds = _draw_priors(priors, config.prior_distribution, stream)
        else:
            means = _draw(config.distribution, config.mean_range, class_count, stream)
            stds = _draw(config.distribution, config.std_range, class_count, stream)
        if shares is None or tissue_contrast(means, shares) >= least:
            break
    return means, stds, "prior" if use_priors else "random"


def shares_of_classes(indices: Tensor, foreground: Sequence[Tensor], scheme: LabelScheme) -> NDArray[np.float64]:
    """Share of each generation class in each target of one label map, from its random foreground voxels.

    Shape: (targets without background, K); a target that the map lacks has a row of zeros.
    """
    known: dict[LabelScheme, NDArray[np.float64]] = _SHARES.setdefault(indices, {})
    if scheme not in known:
        known[scheme] = _count_classes(indices, foreground, scheme)
    return known[scheme]


_SHARES = WeakTensorKeyDictionary()
"""By label map: counting takes as long as drawing the rest of a sample."""


def _count_classes(indices: Tensor, foreground: Sequence[Tensor], scheme: LabelScheme) -> NDArray[np.float64]:
    shares = np.zeros((len(foreground), scheme.class_count))
    for row, voxels in zip(shares, foreground, strict=True):
        if len(voxels):
            x, y, z = voxels.long().unbind(1)
            classes = scheme.class_table[indices[x, y, z].numpy()]
            row += np.bincount(classes, minlength=scheme.class_count) / len(voxels)
    return shares


def tissue_contrast(means: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """Least distance between the mean intensities of any two targets, each averaged over its volume."""
    averages = (shares @ means)[shares.any(axis=1)]
    return float(np.diff(np.sort(averages)).min()) if len(averages) > 1 else np.inf


def _draw(distribution: str, pair: list[float], count: int, stream: RandomStream) -> NDArray[np.float64]:
    if distribution == "uniform":
        return stream.uniforms(pair[0], pair[1], count)
    # lab2im too has no negative intensity and no negative deviation.
    return np.maximum(pair[0] + pair[1] * stream.normals(count), 0.0)


def _draw_priors(
    priors: IntensityPriors, distribution: str, stream: RandomStream
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    contrast = stream.integer(len(priors.means))
    drawn = []
    for table in (priors.means[contrast], priors.stds[contrast]):
        if distribution == "uniform":
            values = table[0] + (table[1] - table[0]) * stream.units(table.shape[1])
        else:
            values = table[0] + table[1] * stream.normals(table.shape[1])
        drawn.append(np.maximum(values, 0.0))
    return drawn[0], drawn[1]


def paint_background(
    config: BackgroundConfig, means: NDArray[np.float64], stds: NDArray[np.float64], key: SampleKey
) -> str:
    """Draw the kind of background (``zero``, ``dark``, ``textured``) and set class 0 to it, in place."""
    stream = RandomStream(key, "background")
    kind = stream.choice(
        ("zero", "dark", "textured"),
        (config.zero_probability, config.dark_probability, config.textured_probability),
    )
    if kind == "zero":
        means[0], stds[0] = 0.0, 0.0
    elif kind == "dark":
        means[0] = stream.uniform(0.0, config.dark_mean_max)
        stds[0] = stream.uniform(0.0, config.dark_std_max)
    return kind


def sample_skull_strip(
    config: SkullStripConfig, scheme: LabelScheme, spacing_mm: float, key: SampleKey
) -> SkullStripParameters | None:
    """The edge of the mask: tight and finely bumpy as of good tools, or far off and coarsely bumpy as of crude ones."""
    stream = RandomStream(key, "skull_strip")
    if not stream.happens(config.probability):
        return None
    offsets, roughness, spacings = config.edge_offset_mm, config.edge_roughness_mm, config.edge_spacing_mm
    fluid = None
    if RandomStream(key, "poor_strip").happens(config.poor_probability):
        offsets, roughness = config.poor_edge_offset_mm, config.poor_edge_roughness_mm
        spacings = config.poor_edge_spacing_mm
    elif RandomStream(key, "strip_fluid").happens(config.fluid_probability):
        fluid = first_named_label(scheme, config.fluid)
    return SkullStripParameters(
        edge_offset_mm=stream.uniform(offsets[0], offsets[1]),
        edge_roughness_mm=stream.uniform(0.0, roughness),
        edge_spacing_voxels=_blocks(stream.uniform(spacings[0], spacings[1]) / spacing_mm),
        fluid=fluid,
    )


def check_skull_strip(config: SkullStripConfig, scheme: LabelScheme) -> None:
    """Check that the fluid around a stripped brain is of the scheme, or of another shipped scheme.

    Raises:
        ConfigurationError: it is of none.
    """
    check_names("synthesis.skull_strip.fluid", scheme, config.fluid, SkullStripConfig().fluid)


def sample_bias_field(config: BiasFieldConfig, spacing_mm: float, key: SampleKey) -> BiasFieldParameters | None:
    stream = RandomStream(key, "bias_field")
    if not stream.happens(config.probability):
        return None
    low, high = config.control_spacing_mm
    return BiasFieldParameters(
        std=stream.uniform(0.0, config.std_max),
        spacing_voxels=_blocks(stream.uniform(low, high) / spacing_mm),
    )


def sample_gamma(config: GammaConfig, key: SampleKey) -> float | None:
    """Exponent exp(N(0, std**2)), or None where the stage is left out."""
    stream = RandomStream(key, "gamma")
    if not stream.happens(config.probability):
        return None
    return float(np.exp(config.std * stream.normals(1)[0]))


def _blocks(voxels: float) -> int:
    return max(ROW_BLOCK, ROW_BLOCK * round(voxels / ROW_BLOCK))
