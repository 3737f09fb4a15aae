"""All randomness that is not per voxel, in one pure function: (configuration, scheme, maps, key) -> parameters."""

from __future__ import annotations

from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.labels import LabelScheme
from otfsynth.synthesis.acquisition import sample_acquisition, sample_noise_field, sample_storage
from otfsynth.synthesis.appearance import (
    sample_bias_field,
    sample_gamma,
    sample_skull_strip,
    shares_of_classes,
)
from otfsynth.synthesis.artefacts import (
    sample_field_of_view,
    sample_ghosting,
    sample_motion,
    sample_ringing,
    sample_signal_loss,
    sample_spikes,
)
from otfsynth.synthesis.channels import sample_channels
from otfsynth.synthesis.contrast import sample_contrast
from otfsynth.synthesis.defacing import sample_defacing
from otfsynth.synthesis.geometry import Size, sample_deformation
from otfsynth.synthesis.lesion_places import Anatomy
from otfsynth.synthesis.lesions import Painter, paint_lesion_labels, sample_lesion_labels, sample_lesions
from otfsynth.synthesis.neck import sample_neck
from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.physics import PhysicsEngine
from otfsynth.synthesis.priors import IntensityPriors
from otfsynth.synthesis.random_stream import RandomStream
from otfsynth.synthesis.real import RealPairs, sample_real, with_real_image
from otfsynth.synthesis.shape import Boundary, sample_shape
from otfsynth.synthesis.shell import sample_shell
from otfsynth.synthesis.shell_neck import sample_shell_neck
from otfsynth.synthesis.tissue import (
    sample_heterogeneity,
    sample_partial_volume,
    sample_subclasses,
    sample_texture,
)
from otfsynth.types import SampleKey

SOLID = ("GM", "WM")
"""Targets that tell where the brain ends; all of them in schemes that have neither."""


class BoundaryMapsLike(Protocol):
    """What the engine needs of movable boundaries; see :class:`otfsynth.data.boundaries.BoundaryMaps`."""

    @property
    def alternate(self) -> Tensor: ...
    @property
    def distance(self) -> Tensor: ...
    @property
    def structures(self) -> str: ...


class LabelMapLike(Protocol):
    """What the engine needs of a prepared label map; see :class:`otfsynth.data.label_volume.LabelVolume`."""

    @property
    def name(self) -> str: ...
    @property
    def indices(self) -> Tensor: ...
    @property
    def brain_distance(self) -> Tensor: ...
    @property
    def foreground(self) -> tuple[Tensor, ...]: ...
    @property
    def boundaries(self) -> BoundaryMapsLike | None: ...
    @property
    def second(self) -> Tensor | None: ...
    @property
    def share(self) -> Tensor | None: ...
    @property
    def image(self) -> Tensor | None: ...
    @property
    def contrast(self) -> str: ...
    @property
    def masked(self) -> bool: ...


class LabelMaps(Protocol):
    """What the engine needs of a label bank; see :class:`otfsynth.data.bank.LabelBank`."""

    @property
    def scheme(self) -> LabelScheme: ...
    @property
    def spacing_mm(self) -> float: ...
    @property
    def real(self) -> RealPairs | None: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> LabelMapLike: ...
    def on(self, device: torch.device | str, /) -> LabelMaps: ...
    def with_boundaries(self, boundaries: tuple[Boundary, ...], /) -> LabelMaps: ...


def sample_parameters(
    config: SynthesisConfig,
    maps: LabelMaps,
    size: Size,
    priors: IntensityPriors | None,
    physics: PhysicsEngine | None,
    key: SampleKey,
    whole_head: bool = False,
) -> SynthesisParameters:
    """Draw one sample's parameters, all channels of it; the same arguments always give the same record.

    Args:
        config: ranges and probabilities of every stage.
        maps: label maps, each drawn with the same probability.
        size: voxels of the patch, on the maps' working grid.
        priors: intensity priors, where the configuration names files.
        physics: tissues and sequences, where the configuration has samples of them.
        key: address of the sample.
        whole_head: the patch is a field of view with the brain in its middle.
    """
    draw = partial(_sample_channel, config, maps, size, priors, physics, whole_head)
    return sample_channels(config.channels, key, draw)


def _sample_channel(
    config: SynthesisConfig,
    maps: LabelMaps,
    size: Size,
    priors: IntensityPriors | None,
    physics: PhysicsEngine | None,
    whole_head: bool,
    key: SampleKey,
) -> SynthesisParameters:
    """One channel: what is of the head comes from the shared key, what is of the image from the channel's."""
    head = key.shared
    scans = sample_real(maps.real, head)
    maps = maps if scans is None else scans
    map_index = RandomStream(head, "label_map").integer(len(maps))
    label_map = maps[map_index]
    spacing_mm = maps.spacing_mm
    gamma = sample_gamma(config.gamma, key)
    intensity_range = config.gamma.clip_max if gamma is None else 1.0
    acquisition = sample_acquisition(
        config.resolution, config.menu, config.noise, config.coils, spacing_mm, intensity_range, key
    )
    shares = partial(shares_of_classes, label_map.indices, label_map.foreground, maps.scheme)
    classes = maps.scheme.class_count
    mixture, background, sequence = sample_contrast(config, classes, shares, priors, physics, key)
    anatomy = Anatomy(label_map.indices, label_map.brain_distance, label_map.foreground, maps.scheme, spacing_mm)
    painter = Painter(config.lesions, mixture, physics, sequence, RandomStream(key, "lesion_looks"))
    lesions = sample_lesions(config.lesions, anatomy, painter, head)
    x, y, z = label_map.indices.shape
    boundaries = label_map.boundaries
    structures = None if boundaries is None else boundaries.structures
    deformation = sample_deformation(config, (x, y, z), label_map.foreground, size, spacing_mm, head, whole_head)
    strip = sample_skull_strip(config.skull_strip, maps.scheme, spacing_mm, head)
    shell = sample_shell(config.shell, label_map.indices, label_map.brain_distance, background, key)
    solid = anatomy.targets(SOLID) or range(1, maps.scheme.target_count)
    record = SynthesisParameters(
        key=key,
        label_map=label_map.name,
        map_index=map_index,
        size=size,
        spacing_mm=spacing_mm,
        deformation=deformation,
        mixture=paint_lesion_labels(config.lesions, maps.scheme, mixture, lesions.lesions),
        background=background,
        skull_strip=strip,
        bias_field=sample_bias_field(config.bias_field, spacing_mm, key),
        clip_max=config.gamma.clip_max,
        gamma=gamma,
        acquisition=acquisition,
        normalization=config.normalization,
        sequence=sequence,
        partial_volume=sample_partial_volume(config.partial_volume, key),
        subclasses=sample_subclasses(config.subclasses, classes, spacing_mm, key),
        texture=sample_texture(config.texture, spacing_mm, key),
        heterogeneity=sample_heterogeneity(config.heterogeneity, classes, spacing_mm, key),
        **lesions._asdict(),
        lesion_labels=sample_lesion_labels(config.lesions, maps.scheme),
        shell=shell,
        shell_neck=sample_shell_neck(config.shell, shell, mixture.means, anatomy, solid, key),
        field_of_view=sample_field_of_view(config.field_of_view, size, head)
        or sample_neck(config.neck, deformation, size, anatomy, solid, head),
        defacing=None if strip is not None else sample_defacing(config.defacing, anatomy, solid, head),
        signal_loss=sample_signal_loss(config.signal_loss, label_map.foreground, spacing_mm, head),
        ringing=sample_ringing(config.ringing, acquisition.spacing_voxels, key),
        motion=sample_motion(config.motion, spacing_mm, key),
        ghosting=sample_ghosting(config.ghosting, key),
        spikes=sample_spikes(config.spikes, intensity_range, key),
        noise_field=sample_noise_field(config.noise_field, acquisition, spacing_mm, key),
        storage=sample_storage(config.storage, intensity_range, key),
        shape=sample_shape(config.shape_variety, structures, spacing_mm, head) if label_map.second is None else None,
        map_shape=(x, y, z),
    )
    return record if scans is None else with_real_image(record, label_map)
