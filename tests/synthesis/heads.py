"""Small synthetic heads, plain parameter records and the comparison with the oracle, shared by the engine's tests."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from otfsynth.config.compose import compose
from otfsynth.config.contrast import ContrastConfig, EnginesConfig
from otfsynth.config.shape import ShapeVarietyConfig
from otfsynth.config.synthesis import BackgroundConfig, MixtureConfig, PatchConfig, ResolutionConfig, SynthesisConfig
from otfsynth.data.bank import LabelBank, LabelVolume
from otfsynth.labels import LabelScheme
from otfsynth.synthesis import Synthesizer
from otfsynth.synthesis.parameters import (
    AcquisitionParameters,
    DeformationParameters,
    MixtureParameters,
    SynthesisParameters,
)
from otfsynth.synthesis.shape import shape_boundaries, structures_digest
from otfsynth.types import SampleKey
from tests import references

RANDOM_CONTRASTS = ContrastConfig(EnginesConfig(mixture=1.0, priors=0.0, physics=0.0))
Size = tuple[int, int, int]
SEED = 2**35 + 12345
IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

TISSUE = LabelScheme(
    name="small-head",
    generation_labels=(0, 500, 24, 3, 42, 2, 41, 10, 49, 4, 43),
    generation_classes=(0, 1, 2, 3, 3, 4, 4, 5, 5, 6, 6),
    target_labels=(0, 0, 3, 1, 1, 2, 2, 1, 1, 3, 3),
    sided_pairs=((3, 42), (2, 41), (10, 49), (4, 43)),
    label_names=(
        "background", "scalp", "CSF", "left cortex", "right cortex", "left white", "right white",
        "left thalamus", "right thalamus", "left ventricle", "right ventricle",
    ),
    class_names=("background", "scalp", "CSF", "cortex", "white", "thalamus", "ventricle"),
    target_names=("background", "GM", "WM", "CSF"),
    extracerebral_labels=(500,),
)  # fmt: skip

EVERY_LABEL = dataclasses.replace(
    TISSUE, name="every-label", target_labels=tuple(range(11)), target_names=TISSUE.label_names
)
"""The target is the label index, so that a test sees every label."""

SHAPES = ShapeVarietyConfig(
    1.0, cortex=["cortex"], white_matter=["white"], csf=["CSF"], ventricles=["ventricle"], deep=["white", "thalamus"]
)
"""Shape variety by the names of :data:`TISSUE`."""

LEVELS = LabelScheme(
    name="levels",
    generation_labels=tuple(range(256)),
    generation_classes=tuple(range(256)),
    target_labels=tuple(range(256)),
    sided_pairs=(),
    label_names=tuple(f"level {level}" for level in range(256)),
    class_names=tuple(f"level {level}" for level in range(256)),
    target_names=tuple(f"level {level}" for level in range(256)),
)
"""Label, class and target are one number: maps of it encode a coordinate or an intensity."""


def ellipsoid(shape: Size, centre: Sequence[float], radii: Sequence[float]) -> np.ndarray:
    grid = np.indices(shape, dtype=np.float64)
    parts = [((grid[a] - (shape[a] - 1) / 2 - centre[a]) / radii[a]) ** 2 for a in range(3)]
    return sum(parts) <= 1.0


def head_indices(shape: Size = (50, 56, 46)) -> np.ndarray:
    """Nested ellipsoids with a left and a right half, a little asymmetric: uint8 indices of :data:`TISSUE`."""
    radii = np.asarray(shape) / 2 - 2.0
    left = np.indices(shape)[0] < shape[0] / 2
    indices = np.zeros(shape, np.uint8)
    indices[ellipsoid(shape, (0, 0, 0), radii)] = 1
    indices[ellipsoid(shape, (0, 0, 0), 0.82 * radii)] = 2
    for first, scale, centre in ((3, 0.72, (0, 0, 0)), (5, 0.55, (0, 1, -1))):
        inside = ellipsoid(shape, centre, scale * radii)
        indices[inside] = np.where(left, first, first + 1)[inside]
    for first, radius, offset in ((7, 4.5, (6, -5, -2)), (9, 3.5, (5, 4, 3))):
        for side, sign in ((0, -1), (1, 1)):
            middle = (sign * offset[0], offset[1] + side, offset[2])
            indices[ellipsoid(shape, middle, (radius - 0.5 * side,) * 3)] = first + side
    return indices


def label_volume(indices: np.ndarray, scheme: LabelScheme, name: str = "head") -> LabelVolume:
    """What the bank holds of a map of indices at 1 mm."""
    brain = scheme.brain_indices[indices]
    signed = ndimage.distance_transform_edt(~brain) - ndimage.distance_transform_edt(brain)
    targets = scheme.target_table[indices]
    foreground = tuple(
        torch.from_numpy(np.argwhere(targets == value)[:: 1 + int((targets == value).sum()) // 4096].astype(np.int32))
        for value in range(1, scheme.target_count)
    )
    return LabelVolume(
        name=name,
        subject=name,
        indices=torch.from_numpy(np.ascontiguousarray(indices)),
        brain_distance=torch.from_numpy(np.clip(np.rint(128 + 8 * signed), 0, 255).astype(np.uint8)),
        foreground=foreground,
        affine=np.eye(4),
    )


def bank_of(*maps: np.ndarray, scheme: LabelScheme = EVERY_LABEL) -> LabelBank:
    volumes = [label_volume(indices, scheme, f"head-{number}") for number, indices in enumerate(maps)]
    return LabelBank(scheme, 1.0, volumes)


@functools.cache
def bare_config() -> SynthesisConfig:
    """``synthesis=bare``: every stage off."""
    return compose(["synthesis=bare", "hardware=laptop"]).synthesis


def plain_config(**stages: Any) -> SynthesisConfig:
    """A model with every stage off but for those given: the mixture on the cropped map, as it is."""
    plain = {
        "patch": PatchConfig(),
        "mixture": MixtureConfig(),
        "background": BackgroundConfig(zero_probability=0.0, dark_probability=0.0, textured_probability=1.0),
        "resolution": ResolutionConfig(1.0, 0.0, 0.0, native_blur_voxels=0.0),
        "normalization": "none",
    }
    return dataclasses.replace(copy.deepcopy(bare_config()), **{**plain, **stages})


def plain_record(
    bank: LabelBank, size: Size, map_index: int = 0, index: int = 3, **changes: Any
) -> SynthesisParameters:
    """Record of a centred crop with every stage off; ``changes`` replace its fields."""
    volume = bank[map_index]
    middle = (np.asarray(volume.indices.shape) - 1) // 2 + (np.asarray(size) - 1) / 2 - (np.asarray(size) - 1) // 2
    classes = bank.scheme.class_count
    record = SynthesisParameters(
        key=SampleKey(SEED, index),
        label_map=volume.name,
        map_index=map_index,
        size=size,
        spacing_mm=bank.spacing_mm,
        deformation=DeformationParameters(False, IDENTITY, (middle[0], middle[1], middle[2]), 0.0, 20.0),
        mixture=MixtureParameters(
            tuple(20.0 + 25.0 * np.arange(classes) % 230), tuple(3.0 + np.arange(classes) % 9), "random"
        ),
        background="textured",
        skull_strip=None,
        bias_field=None,
        clip_max=300.0,
        gamma=None,
        acquisition=AcquisitionParameters((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), 0.0),
        normalization="none",
    )
    return dataclasses.replace(record, **changes)


def synthesizer(bank: LabelBank, size: Size, config: SynthesisConfig | None = None, **options: Any) -> Synthesizer:
    return Synthesizer(config or plain_config(), bank, size, options.pop("seed", SEED), **options)


def with_boundaries(bank: LabelBank, record: SynthesisParameters) -> LabelBank:
    """The bank with the movable boundaries that a record asks for, those of the small head unless it names others."""
    if record.shape is None or bank[record.map_index].boundaries is not None:
        return bank
    known = [shape_boundaries(config, bank.scheme) for config in (SHAPES, ShapeVarietyConfig())]
    fitting = [boundaries for boundaries in known if structures_digest(boundaries) == record.shape.structures]
    return bank.with_boundaries((fitting or known)[0])


def render(bank: LabelBank, *records: SynthesisParameters) -> tuple[np.ndarray, np.ndarray]:
    """Images (b, x, y, z) and targets (b, x, y, z) of the engine."""
    bank = with_boundaries(bank, records[0])
    batch = synthesizer(bank, records[0].size, threads=1).render(list(records))
    return batch.image[:, 0].numpy(), batch.target[:, 0].numpy()


def render_one(bank: LabelBank, record: SynthesisParameters) -> tuple[np.ndarray, np.ndarray]:
    image, target = render(bank, record)
    return image[0], target[0]


def reference(bank: LabelBank, record: SynthesisParameters) -> tuple[np.ndarray, np.ndarray]:
    """Image and target of the oracle."""
    held = with_boundaries(bank, record) if record.real is None or bank.real is None else bank.real.maps
    volume, scheme = held[record.map_index], bank.scheme
    maps = volume.boundaries
    soft, scan = None, None
    if volume.second is not None and volume.share is not None:
        soft = (volume.second.numpy(), volume.share.numpy() / 255.0)
    if volume.image is not None:
        scan = volume.image.numpy() / 128.0
    return references.render(
        record,
        volume.indices.numpy()
        if maps is None
        else references.changed_indices(record, volume.indices.numpy(), maps.alternate.numpy(), maps.distance.numpy()),
        volume.brain_distance.numpy(),
        scheme.class_table,
        scheme.target_table,
        scheme.swap_indices,
        soft,
        scan,
        scheme.brain_indices,
    )


def assert_agrees(bank: LabelBank, record: SynthesisParameters, tolerance: float = 2e-4) -> None:
    """Engine and oracle agree: labels but for ties, intensities where no blur carries such a tie.

    A tie on the mask's edge shows in a few voxels, and a tie anywhere shifts the image's moments a little.
    """
    image, target = render_one(bank, record)
    expected_image, expected_target = reference(bank, record)
    ties = target != expected_target
    if (
        record.skull_strip or record.field_of_view or record.defacing or record.background == "zero"
    ):  # masks hide ties beside them, which blur shows
        whole = dataclasses.replace(record, skull_strip=None, field_of_view=None, defacing=None, background="textured")
        ties |= render_one(bank, whole)[1] != reference(bank, whole)[1]
    assert np.mean(ties) < 1e-3
    scanner = record.acquisition
    reach = int(max(4 * max(scanner.psf_sigma_voxels) + 2 * max(scanner.spacing_voxels), 1))
    compared = ~ndimage.binary_dilation(ties, np.ones((3, 3, 3)), reach) if ties.any() else ~ties
    if ties.any():
        tolerance *= 10
    scale = max(float(np.abs(expected_image).max()), 1e-6) if record.normalization == "none" else 1.0
    error = np.abs(image - expected_image)[compared] / scale
    assert np.isfinite(image).all()
    assert error.size > 0.3 * image.size
    assert np.mean(error > tolerance) < 1e-3, f"{np.mean(error > tolerance):.2%} of voxels differ, most {error.max():g}"
