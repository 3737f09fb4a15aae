"""Samples that show whole heads: a field of view that a large brain fits in, the brain in its middle."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from otfsynth.synthesis import SynthesisParameters, Synthesizer
from otfsynth.synthesis.channels import recentred
from otfsynth.synthesis.sampling import LabelMapLike

HEAD_MM = (176.0, 208.0, 176.0)
"""Field of view (x, y, z): a large brain with some of its skull."""
EXTENT = (0.01, 0.99)
"""Shares of a target's voxels, along each axis, between which its middle lies halfway."""


def whole_head_size(spacing_mm: float) -> list[int]:
    """Voxels (x, y, z) of the field of view at a working spacing."""
    return [round(extent / spacing_mm) for extent in HEAD_MM]


def draw_record(synthesizer: Synthesizer, index: int, patch_size: Sequence[int] | None) -> SynthesisParameters:
    """The record of a sample as training would see it, or of a whole head where no patch size is given."""
    record = synthesizer.sample_parameters(index)
    return record if patch_size is not None else _with_brain_centred(record, synthesizer.label_map(record))


def _with_brain_centred(record: SynthesisParameters, label_map: LabelMapLike) -> SynthesisParameters:
    """The same sample with the brain in the middle of the picture: the median of where its targets have their middles.

    Not the middle of all, since where a map has a neck, the CSF around the spinal cord would pull it out of sight.
    """
    extent = torch.tensor(EXTENT, dtype=torch.double)
    targets = [voxels.double() for voxels in label_map.foreground if len(voxels)]
    if not targets:
        return record
    middles = torch.stack([voxels.quantile(extent, dim=0).mean(0) for voxels in targets])
    x, y, z = middles.quantile(0.5, dim=0).tolist()
    return recentred(record, (x, y, z))
