"""Samples of real scans: their intensities are of a scan, everything after the mixture is drawn as for any sample."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from otfsynth.synthesis.random_stream import RandomStream
from otfsynth.types import SampleKey

if TYPE_CHECKING:
    from otfsynth.synthesis.parameters import SynthesisParameters
    from otfsynth.synthesis.sampling import LabelMapLike, LabelMaps

SOURCE = "real"
"""Of the mixture and the background of such a sample."""


@dataclass(frozen=True)
class RealPairs:
    """Real scans with label maps.

    Args:
        maps: label maps that hold their scans.
        probability: share of the samples that come from them.
    """

    maps: LabelMaps
    probability: float


@dataclass(frozen=True)
class RealImageParameters:
    """The scan whose intensities a sample has."""

    image: str
    """File name."""
    contrast: str
    masked: bool
    """What the scan shows as exactly 0 was never seen, and stays 0."""


def sample_real(pairs: RealPairs | None, key: SampleKey) -> LabelMaps | None:
    """The maps of real scans, where the sample is to be one of them."""
    if pairs is None or not RandomStream(key, "real").happens(pairs.probability):
        return None
    return pairs.maps


def with_real_image(record: SynthesisParameters, label_map: LabelMapLike) -> SynthesisParameters:
    """The record without what gives classes their intensities or adds to them: the scan has all that of its own."""
    nothing = (0.0,) * len(record.mixture.means)
    return replace(
        record,
        mixture=replace(record.mixture, means=nothing, stds=nothing, source=SOURCE),
        background=SOURCE,
        sequence=None,
        partial_volume=None,
        subclasses=None,
        texture=None,
        heterogeneity=None,
        lesions=None,
        oedema=None,
        necrosis=None,
        mass_effect=None,
        lesion_labels=None,
        shell=None,
        shell_neck=None,
        shape=None,
        # what the scan shows around the brain is what it is
        skull_strip=None if record.skull_strip is None else replace(record.skull_strip, fluid=None),
        real=RealImageParameters(label_map.name, label_map.contrast, label_map.masked),
    )
