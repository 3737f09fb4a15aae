"""Samples that show whole heads: a field of view that a large brain fits in, the brain in its middle."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch

from otfsynth.synthesis import SynthesisParameters, Synthesizer
from otfsynth.synthesis.sampling import LabelMapLike

HEAD_MM = (176.0, 208.0, 176.0)
"""Field of view (x, y, z): a large brain with some of its skull."""


def whole_head_size(spacing_mm: float) -> list[int]:
    """Voxels (x, y, z) of the field of view at a working spacing."""
    return [round(extent / spacing_mm) for extent in HEAD_MM]


def draw_record(synthesizer: Synthesizer, index: int, patch_size: Sequence[int] | None) -> SynthesisParameters:
    """The record of a sample as training would see it, or of a whole head where no patch size is given."""
    record = synthesizer.sample_parameters(index)
    return record if patch_size is not None else _with_brain_centred(record, synthesizer.bank[record.map_index])


def _with_brain_centred(record: SynthesisParameters, label_map: LabelMapLike) -> SynthesisParameters:
    """The same sample with the middle of the map's targets in the middle of the picture."""
    voxels = torch.cat(label_map.foreground).double()
    if not len(voxels):
        return record
    x, y, z = ((voxels.amin(0) + voxels.amax(0)) / 2).tolist()
    return dataclasses.replace(record, deformation=dataclasses.replace(record.deformation, centre_voxels=(x, y, z)))
