"""Samples that show whole heads: a field of view that a large brain fits in, the brain in its middle."""

from __future__ import annotations

from collections.abc import Sequence

from otfsynth.synthesis import SynthesisParameters, Synthesizer

HEAD_MM = (176.0, 208.0, 176.0)
"""Field of view (x, y, z): a large brain with some of its skull."""


def whole_head_size(spacing_mm: float) -> list[int]:
    """Voxels (x, y, z) of the field of view at a working spacing."""
    return [round(extent / spacing_mm) for extent in HEAD_MM]


def draw_record(synthesizer: Synthesizer, index: int, patch_size: Sequence[int] | None) -> SynthesisParameters:
    """The record of a sample as training would see it, or of a whole head where no patch size is given."""
    return synthesizer.sample_parameters(index, whole_head=patch_size is None)
