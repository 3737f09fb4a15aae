"""Motion, ghosts and spikes: what they do, and that the head stays where its labels are."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from otfsynth.config.artefacts import GhostingConfig, MotionConfig, SpikesConfig
from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.artefacts import GhostingParameters, MotionParameters, SpikesParameters
from otfsynth.synthesis.parameters import AcquisitionParameters, MixtureParameters
from tests.synthesis.heads import (
    Size,
    assert_agrees,
    bank_of,
    head_indices,
    plain_config,
    plain_record,
    render_one,
    synthesizer,
)

STAGES = {
    "motion": MotionParameters(1, (0.2, 0.7), ((2.5, -1.0, 0.5), (0.0, 0.0, 0.0), (-1.5, 3.0, 1.0))),
    "ghosting": GhostingParameters(2, 3, 0.4),
    "spikes": SpikesParameters(((0.1, -0.3, 0.22), (-0.4, 0.05, 0.0)), (0.05, 0.1), (1.0, 2.0)),
}


@pytest.mark.parametrize("stage", [*STAGES, "all"])
@pytest.mark.parametrize("size", [(40, 44, 37), (17, 30, 12)])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.7, 1.0)])
def test_every_stage_agrees_with_the_oracle(
    bank: LabelBank, stage: str, size: Size, spacing: tuple[float, float, float]
) -> None:
    acquisition = AcquisitionParameters(spacing, (0.5, 0.8, 0.5), 0.02)
    stages = STAGES if stage == "all" else {stage: STAGES[stage]}
    assert_agrees(bank, plain_record(bank, size, gamma=0.9, acquisition=acquisition, **stages), tolerance=5e-4)


@pytest.fixture(scope="module")
def large() -> LabelBank:
    """A head of the size of a child's: what 8 % of the lines tell depends on it."""
    return bank_of(head_indices((100, 112, 96)))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("stage", ["motion", "ghosting"])
def test_image_and_labels_stay_aligned(large: LabelBank, stage: str, axis: int) -> None:
    config = plain_config(
        motion=MotionConfig(float(stage == "motion"), 3, 1.5), ghosting=GhostingConfig(float(stage == "ghosting"))
    )
    bright = MixtureParameters((0.0, 150.0, 60.0, 200.0, 100.0, 120.0, 80.0), (0.0,) * 7, "random")
    changed = 0
    engine = synthesizer(large, (96, 104, 92), config)
    for index in range(10):
        drawn = getattr(engine.sample_parameters(index), stage)
        record = plain_record(large, engine.size, mixture=bright, **{stage: dataclasses.replace(drawn, axis=axis)})
        image, _ = render_one(large, record)
        clean, _ = render_one(large, dataclasses.replace(record, **{stage: None}))
        # Motion doubles fine edges; where the head is as a whole, its coarse shape tells.
        smooth = [np.fft.fftn(ndimage.gaussian_filter(volume, 3.0)) for volume in (image, clean)]
        product = np.fft.ifftn(smooth[0] * np.conj(smooth[1])).real
        peak = np.array(np.unravel_index(np.argmax(product), product.shape))
        assert (peak == 0).all()
        changed += np.abs(image - clean).max() > 5.0
    assert changed >= 9


def test_ghosts_are_copies_at_a_share_of_the_field_of_view(bank: LabelBank) -> None:
    point = plain_record(bank, (36, 24, 24), mixture=MixtureParameters((0.0,) * 7, (1.0,) * 7, "random"), clip_max=1e6)
    ghosted = dataclasses.replace(point, ghosting=GhostingParameters(0, 3, 0.5))
    clean, image = render_one(bank, point)[0].astype(float), render_one(bank, ghosted)[0].astype(float)
    correlation = [np.corrcoef(np.roll(clean, shift, 0).ravel(), (image - clean).ravel())[0, 1] for shift in range(36)]
    assert {int(shift) for shift in np.argsort(np.abs(correlation))[-3:]} == {0, 12, 24}


def test_threads_do_not_matter(bank: LabelBank) -> None:
    record = plain_record(bank, (40, 44, 37), gamma=0.9, **STAGES)
    threads = torch.get_num_threads()
    images = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            images.append(render_one(bank, record)[0].tobytes())
    finally:
        torch.set_num_threads(threads)
    assert len(set(images)) == 1


def test_drawn_numbers_are_as_configured(bank: LabelBank) -> None:
    config = plain_config(
        motion=MotionConfig(0.5, 3, 1.5), ghosting=GhostingConfig(0.5, [2, 6], [0.1, 0.5]), spikes=SpikesConfig(0.5, 2)
    )
    engine = synthesizer(bank, (24, 24, 24), config)
    records = [engine.sample_parameters(index) for index in range(400)]
    for stage in STAGES:
        assert stats.binomtest(sum(getattr(record, stage) is not None for record in records), 400, 0.5).pvalue > 0.002
    for record in records:
        if record.motion is not None:
            assert len(record.motion.shifts_voxels) == len(record.motion.moves_at) + 1
            shifts = np.array(record.motion.shifts_voxels)
            np.testing.assert_array_equal(shifts, -shifts[::-1])  # zero in the middle
            assert (np.diff(record.motion.moves_at) > 0).all()
    assert {record.ghosting.period for record in records if record.ghosting} == {2, 3, 4, 5, 6}
    strengths = [record.ghosting.strength for record in records if record.ghosting]
    assert stats.kstest(strengths, stats.uniform(0.1, 0.4).cdf).pvalue > 0.002
    assert {len(record.spikes.amplitudes) for record in records if record.spikes} == {1, 2}
