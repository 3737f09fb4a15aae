"""Further channels of a sample: which are missing, and how a channel lies a little off the first.

A channel is a record of its own that shares the anatomy of the first: streams of the shared key are the same in all
channels, those of the channel's key its own (:attr:`otfsynth.types.SampleKey.shared`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from otfsynth.config.channels import ChannelsConfig
from otfsynth.synthesis.geometry import rotation_matrix
from otfsynth.synthesis.random_stream import RandomStream
from otfsynth.types import SampleKey, vector

if TYPE_CHECKING:
    from otfsynth.synthesis.parameters import DeformationParameters, SynthesisParameters


def sample_channels(
    config: ChannelsConfig, key: SampleKey, draw: Callable[[SampleKey], SynthesisParameters]
) -> SynthesisParameters:
    """The record of the first channel, which holds those of the others. A real scan is alone: the others are missing.

    Args:
        config: number of channels, missing ones, misregistration.
        key: address of the sample.
        draw: the record of one channel.
    """
    first = draw(key)
    if config.count == 1:
        return first
    missing = _sample_missing(config, RandomStream(key, "channels"))
    others = []
    for number in range(1, config.count):
        channel = draw(replace(key, channel=number))
        deformation = _misregistered(config, channel.deformation, channel.spacing_mm, channel.key)
        others.append(replace(channel, deformation=deformation, missing=missing[number] or channel.real is not None))
    return replace(first, missing=missing[0] and first.real is None, channels=tuple(others))


def _sample_missing(config: ChannelsConfig, stream: RandomStream) -> list[bool]:
    """Each channel with its probability; where all would be, one drawn at random stays."""
    missing: list[bool] = (stream.units(config.count) < config.missing_probability).tolist()
    kept = stream.integer(config.count)
    if all(missing):
        missing[kept] = False
    return missing


def _misregistered(
    config: ChannelsConfig, deformation: DeformationParameters, spacing_mm: float, key: SampleKey
) -> DeformationParameters:
    """The patch turned about its middle and shifted, after the flow has acted."""
    stream = RandomStream(key, "channels")
    if not stream.happens(config.misregistration_probability):
        return deformation
    angles = np.deg2rad(stream.uniforms(-config.rotation_max_deg, config.rotation_max_deg, 3))
    shift_mm = stream.uniforms(-config.translation_max_mm, config.translation_max_mm, 3)
    matrix = np.array(deformation.matrix)
    turned = matrix @ rotation_matrix(angles)
    centre = np.array(deformation.centre_voxels) + matrix @ (shift_mm / spacing_mm)
    return replace(
        deformation,
        matrix=(vector(turned[0]), vector(turned[1]), vector(turned[2])),
        centre_voxels=vector(centre),
    )
