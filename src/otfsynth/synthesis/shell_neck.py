"""Drawing a neck below the head around brain-only label maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.weak import WeakTensorKeyDictionary

from otfsynth.config.shell import NeckTissueConfig, ShellConfig
from otfsynth.labels.names import named_labels
from otfsynth.synthesis.lesion_places import Anatomy
from otfsynth.synthesis.random_stream import RandomStream
from otfsynth.synthesis.shell import ShellParameters
from otfsynth.types import SampleKey, Vector, vector

BRAIN_STEM = ("brain stem",)
MIDDLE_MM = 10.0
"""At most so far from the middle lies what stands for the brain stem in schemes that do not tell it."""
LOWEST_SHARE = 0.002
"""Of the brain stem's voxels may lie lower than what counts as its end."""
TOP_SHARE = 0.45
"""Of the brain's height, up to where the neck fills what is below it."""
END_MM = 4.0
"""Height of the end whose middle is the canal's."""
Pair = tuple[float, float]


@dataclass(frozen=True)
class ShellNeckParameters:
    """Ellipses across a canal that goes down from the brain; half axes are right to left and back to front."""

    anchor_voxels: Vector
    """Lower end of the brain stem in the label map."""
    slopes: Pair
    """Of the canal below it: millimetres to the right, and forward, for each millimetre down."""
    outline_mm: Pair
    forward_mm: float
    """From the canal to the outline's middle."""
    widening: float
    """Of the outline at the head, a share; it ends ``join_mm`` below the anchor."""
    join_mm: float
    top_mm: float
    """Above the anchor, where a dome over its upper two thirds closes the outline inside the head."""
    fat_mm: float
    canal_mm: Pair
    cord_mm: Pair
    arch_mm: float
    """Thickness of the bone around the canal."""
    spine_mm: Pair
    vertebra_mm: float
    """Height of a vertebra with its disc."""
    disc_share: float
    airway_mm: Pair | None
    airway_gap_mm: float
    """From the spine to the airway."""
    means: tuple[float, float, float]
    """Of muscle (and discs), marrow and cord."""
    stds: tuple[float, float, float]


def sample_shell_neck(
    config: ShellConfig,
    shell: ShellParameters | None,
    class_means: tuple[float, ...],
    anatomy: Anatomy,
    solid: Sequence[int],
    key: SampleKey,
) -> ShellNeckParameters | None:
    """Size, course and intensities of a neck; None where there is no shell to put it under.

    Args:
        config: of the shell; its means and spreads hold for the neck's tissues.
        shell: of the sample.
        class_means: by generation class; the cord looks like where it leaves the brain.
        anatomy: the label map.
        solid: values of the targets that count as brain, where the scheme has no brain stem.
        key: address of the sample.
    """
    neck, stream = config.neck_tissue, RandomStream(key.shared, "shell_neck")
    if shell is None or not stream.happens(neck.probability):
        return None
    end = _brain_stem_end(anatomy, solid)
    if end is None:
        return None
    shape = {**_sample_shape(neck, stream), "anchor_voxels": vector(end.voxel), "top_mm": end.top_mm}
    if key.channel:
        stream = RandomStream(key, "shell_neck")
    muscle, marrow = np.maximum(stream.uniforms(config.mean_range[0], config.mean_range[1], 2), 0.0).tolist()
    stds = stream.uniforms(0.0, config.std_max, 3)
    cord = class_means[anatomy.scheme.generation_classes[end.label]]
    return ShellNeckParameters(**shape, means=(muscle, marrow, cord), stds=vector(stds))


def _sample_shape(config: NeckTissueConfig, stream: RandomStream) -> dict[str, Any]:
    """Course and sizes, which are of the head; proportions about those of adults."""
    tilt = math.radians(config.tilt_max_deg)
    width, depth = (stream.uniform(*range_mm) for range_mm in (config.half_width_mm, config.half_depth_mm))
    canal = stream.uniform(*config.canal_mm)
    cord = canal * stream.uniform(0.45, 0.65)
    spine = stream.uniform(0.9, 1.3) * canal
    airway = stream.uniform(6.0, 12.0)
    return {
        "slopes": tuple(math.tan(angle) for angle in stream.uniforms(-tilt, tilt, 2).tolist()),
        "outline_mm": (width, depth),
        "forward_mm": depth * stream.uniform(0.0, 0.25),
        "widening": stream.uniform(*config.widening),
        "join_mm": stream.uniform(*config.join_mm),
        "fat_mm": stream.uniform(*config.fat_mm),
        "canal_mm": (canal, 0.7 * canal),
        "cord_mm": (cord, 0.65 * cord),
        "arch_mm": stream.uniform(2.0, 5.0),
        "spine_mm": (spine, 0.7 * spine),
        "vertebra_mm": stream.uniform(14.0, 22.0),
        "disc_share": stream.uniform(0.2, 0.35),
        "airway_mm": (airway, airway * stream.uniform(0.5, 0.9)) if stream.happens(config.airway_probability) else None,
        "airway_gap_mm": stream.uniform(3.0, 8.0),
    }


@dataclass(frozen=True)
class _End:
    """Lower end of the brain stem."""

    voxel: NDArray[np.float64]
    label: int
    top_mm: float


_ENDS = WeakTensorKeyDictionary()
"""By label map, since it is asked for with every sample that has a neck; None in maps without a brain."""


def _brain_stem_end(anatomy: Anatomy, solid: Sequence[int]) -> _End | None:
    if anatomy.indices not in _ENDS:
        _ENDS[anatomy.indices] = _find_brain_stem_end(anatomy, solid)
    found: _End | None = _ENDS[anatomy.indices]
    return found


def _find_brain_stem_end(anatomy: Anatomy, solid: Sequence[int]) -> _End | None:
    scheme, indices = anatomy.scheme, anatomy.indices.cpu().numpy()
    brain = np.argwhere(np.isin(scheme.target_table, solid)[indices])
    if not len(brain):
        return None
    stem = np.argwhere(np.isin(indices, named_labels(scheme, BRAIN_STEM)))
    if not len(stem):
        aside = np.abs(brain[:, 0] - np.median(brain[:, 0]))
        stem = brain[aside * anatomy.spacing_mm <= MIDDLE_MM]
    lowest = float(np.quantile(stem[:, 2], LOWEST_SHARE))
    end = stem[(stem[:, 2] - lowest) * anatomy.spacing_mm <= END_MM]
    x, y, _ = np.median(end, axis=0)
    label = int(np.bincount(indices[tuple(end.T)]).argmax())
    height_mm = (float(brain[:, 2].max()) - lowest + 1.0) * anatomy.spacing_mm
    return _End(np.array([x, y, lowest]), label, TOP_SHARE * height_mm)
