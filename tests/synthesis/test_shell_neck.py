"""The neck below the head around brain-only maps."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.shell import NeckTissueConfig, ShellConfig
from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.parameters import DeformationParameters, MixtureParameters, SynthesisParameters
from otfsynth.synthesis.shell import ShellParameters
from otfsynth.synthesis.shell_neck import ShellNeckParameters
from tests.synthesis.heads import (
    TISSUE,
    assert_agrees,
    bank_of,
    head_indices,
    plain_config,
    plain_record,
    render_one,
    synthesizer,
)
from tests.synthesis.neck_records import BENT, NECK, STEM

FLAT = MixtureParameters((50.0,) + (100.0,) * 6, (0.0,) * 7, "random")
SHELL = ShellParameters((2.0, 4.0, 6.0), (60.0, 10.0, 200.0), (0.0, 0.0, 0.0), 0.0)
UNEVEN = ShellParameters((2.0, 4.0, 6.0), (60.0, 10.0, 200.0), (3.0, 2.0, 9.0), 0.3)
ANCHOR_ROW = 50
"""Where it lies in the images of :func:`below`."""


@pytest.fixture(scope="module")
def brains() -> LabelBank:
    """A brain without anything around it that ends well above the bottom of its map."""
    indices = np.zeros((62, 64, 60), np.uint8)
    indices[6:56, 4:60, 12:58] = head_indices((50, 56, 46))
    indices[indices <= 2] = 0
    return bank_of(indices, scheme=TISSUE)


def below(brains: LabelBank, neck: ShellNeckParameters | None, shell: ShellParameters = SHELL) -> np.ndarray:
    """Image of the map's lower part and 30 voxels below it; axis 2 counts up from 30 mm below the map."""
    deformation = dataclasses.replace(
        plain_record(brains, (62, 64, 50)).deformation, centre_voxels=(30.5, 31.5, 24.5 - 30.0)
    )
    record = plain_record(brains, (62, 64, 50), deformation=deformation, mixture=FLAT, shell=shell, shell_neck=neck)
    return render_one(brains, record)[0]


def test_each_tissue_lies_where_it_was_drawn(brains: LabelBank) -> None:
    image = below(brains, NECK)
    x, y, row = 31, 30, ANCHOR_ROW - 21  # 21 mm below the anchor: 2.625 vertebrae, beside a disc
    air = 50.0
    assert image[x, y, row] == 120.0  # cord
    assert image[x + 3, y, row] == 60.0  # fluid of the canal
    assert image[x + 5, y, row] == 10.0  # arch: from 4 to 5.5 mm
    assert image[x + 8, y, row] == 90.0  # muscle
    assert image[x + 17, y, row] == 200.0  # fat: the last 2 of about 18 mm
    assert image[x + 20, y, row] == air
    assert image[x, y + 6, row] == 140.0  # marrow: 3 to 8 mm forward
    assert image[x, y + 6, ANCHOR_ROW - 17] == 90.0  # a disc: 17 mm down, 2.125 vertebrae
    assert image[x, y + 11, row] == air  # airway: 9.5 to 13.5 mm forward
    assert image[x, y + 15, row] == 90.0
    assert image[x, y + 21, row] != air  # 3 + 20 mm forward the outline ends ...
    assert image[x, y + 24, row] == air
    assert image[x, y - 16, row] == 200.0  # ... and 20 - 3 mm behind
    assert image[x, y - 18, row] == air


def test_a_neck_goes_on_to_the_end_and_changes_no_brain(brains: LabelBank) -> None:
    image, bare = below(brains, NECK), below(brains, None)
    cross = image[:, :, 0] != bare[:, :, 0]
    assert cross.sum() == pytest.approx(math.pi * (18.0 * 20.0 - 3.0 * 2.0), rel=0.03)  # the airway is as air
    record = plain_record(brains, (62, 64, 60), mixture=FLAT, shell=SHELL, shell_neck=NECK)
    whole, target = render_one(brains, record)
    without, labels = render_one(brains, dataclasses.replace(record, shell_neck=None))
    np.testing.assert_array_equal(target, labels)
    np.testing.assert_array_equal(whole[target > 0], without[target > 0])
    skull = np.isin(without, (60.0, 10.0)) & (target == 0)
    changed = whole[skull] != without[skull]
    assert 0 < changed.sum() < 200  # nothing but the canal goes through the skull
    assert set(np.unique(whole[skull][changed])) <= {60.0, 120.0}
    upper = np.indices(whole.shape)[2] > STEM[2] + 18
    np.testing.assert_array_equal(whole[upper], without[upper])


def test_slopes_and_widening(brains: LabelBank) -> None:
    tilted = below(brains, dataclasses.replace(NECK, slopes=(0.5, 0.25)))
    cord = np.argwhere(tilted[:, :, ANCHOR_ROW - 20] == 120.0).mean(axis=0)
    np.testing.assert_allclose(cord, (31.0 + 10.0, 30.0 + 5.0), atol=0.3)
    wide = below(brains, dataclasses.replace(NECK, widening=0.4))
    straight = below(brains, NECK)
    np.testing.assert_array_equal(wide[:, :, : ANCHOR_ROW - 20], straight[:, :, : ANCHOR_ROW - 20])
    row, t = ANCHOR_ROW - 10, 0.5
    right = [np.flatnonzero(image[:, 33, row] == 200.0).max() - 31 for image in (straight, wide)]
    assert right[0] == pytest.approx(18.0, abs=1.0)
    assert right[1] == pytest.approx(18.0 * (1.0 + 0.4 * t * t * (3.0 - 2.0 * t)), abs=1.0)


@pytest.mark.parametrize("shell", [SHELL, UNEVEN])
@pytest.mark.parametrize("neck", [NECK, BENT, dataclasses.replace(BENT, airway_mm=None)])
def test_necks_agree_with_the_oracle(brains: LabelBank, shell: ShellParameters, neck: ShellNeckParameters) -> None:
    matrix = ((0.9, 0.3, -0.1), (-0.25, 1.1, 0.2), (0.15, -0.2, 0.95))
    deformation = DeformationParameters(True, matrix, (30.3, 31.9, 11.6), 2.0, 20.0)
    record = plain_record(brains, (50, 54, 47), deformation=deformation, shell=shell, shell_neck=neck)
    assert_agrees(brains, record)


def test_draws_begin_where_the_brain_ends(brains: LabelBank) -> None:
    config = plain_config(shell=ShellConfig(1.0, neck_tissue=NeckTissueConfig(1.0)))
    engine = synthesizer(brains, (8, 8, 8), config)
    records = [engine.sample_parameters(index) for index in range(60)]
    necks = [record.shell_neck for record in records if record.shell_neck is not None]
    assert len(necks) == 60
    white = np.argwhere(np.isin(brains[0].indices.numpy(), (5, 6)))
    x, y, z = necks[0].anchor_voxels
    grey_or_white = np.argwhere(np.isin(brains[0].indices.numpy(), (3, 4, 5, 6, 7, 8)))
    assert abs(z - grey_or_white[:, 2].min()) <= 2
    np.testing.assert_allclose((x, y), white[:, :2].mean(axis=0), atol=3.0)
    sizes = np.array([neck.outline_mm for neck in necks])
    assert sizes.min(axis=0) == pytest.approx((42.0, 45.0), abs=2.0)
    assert sizes.max(axis=0) == pytest.approx((62.0, 62.0), abs=2.0)
    assert (sizes.min(axis=0) >= (42.0, 45.0)).all()
    assert 0.6 < np.mean([neck.airway_mm is not None for neck in necks]) < 0.95
    limit = math.tan(math.radians(12.0))
    assert np.abs([neck.slopes for neck in necks]).max() <= limit
    for record in records[:5]:
        assert record.shell_neck is not None
        assert record.shell_neck.means[2] == record.mixture.means[3]  # cortex is lowest
        assert SynthesisParameters.from_json(record.to_json()) == record


def test_without_a_shell_there_is_no_neck_and_other_stages_stay(brains: LabelBank, tissue_bank: LabelBank) -> None:
    always = plain_config(shell=ShellConfig(1.0, neck_tissue=NeckTissueConfig(1.0)))
    never = plain_config(shell=ShellConfig(1.0, neck_tissue=NeckTissueConfig(0.0)))
    assert synthesizer(tissue_bank, (8, 8, 8), always).sample_parameters(0).shell_neck is None
    for index in range(5):
        with_neck = synthesizer(brains, (8, 8, 8), always).sample_parameters(index)
        assert with_neck.shell_neck is not None
        without = synthesizer(brains, (8, 8, 8), never).sample_parameters(index)
        assert dataclasses.replace(with_neck, shell_neck=None) == without


def test_sizes_are_checked() -> None:
    with pytest.raises(ConfigurationError, match=r"synthesis\.shell\.neck_tissue\.half_width_mm"):
        NeckTissueConfig(half_width_mm=[5.0, 60.0])
