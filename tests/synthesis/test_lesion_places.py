"""Where lesions of each kind lie, and how often each kind comes."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import ndimage, stats

from otfsynth.config.lesions import HyperintensitiesConfig, LesionKindsConfig, LesionsConfig
from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.parameters import SynthesisParameters
from tests.synthesis.heads import TISSUE, bank_of, head_indices, plain_config, render_one, synthesizer
from tests.synthesis.lesion_records import FLAT, only, records_of


def test_lesions_are_drawn_in_their_hosts(tissue_bank: LabelBank) -> None:
    config = plain_config(lesions=LesionsConfig(0.5, ["WM"], "CSF", 12, [1.5, 8.0], [20.0, 80.0], kinds=only("blobs")))
    engine = synthesizer(tissue_bank, (24, 24, 24), config)
    records = [engine.sample_parameters(index) for index in range(300)]
    drawn = [record.lesions for record in records if record.lesions is not None]
    assert stats.binomtest(len(drawn), 300, 0.5).pvalue > 0.002
    assert {lesions.target for lesions in drawn} == {3}
    assert {lesions.hosts for lesions in drawn} == {(2,)}
    radii = np.concatenate([lesions.radii_voxels for lesions in drawn])
    assert stats.kstest(np.log(radii), stats.uniform(np.log(1.5), np.log(8 / 1.5)).cdf).pvalue > 0.002
    for record in records:
        if record.lesions is not None:
            indices = tissue_bank[record.map_index].indices.numpy()
            for x, y, z in np.array(record.lesions.centres_voxels, int):
                assert TISSUE.target_table[indices[x, y, z]] == 2


def test_a_scheme_without_hosts_has_none(tissue_bank: LabelBank) -> None:
    config = plain_config(lesions=LesionsConfig(1.0, ["marrow"], kinds=only("blobs")))
    assert synthesizer(tissue_bank, (8, 8, 8), config).sample_parameters(0).lesions is None


def test_strokes_stay_on_their_side(tissue_bank: LabelBank) -> None:
    sides = set()
    for record in records_of(tissue_bank, "stroke", 30):
        drawn = record.lesions
        assert drawn is not None
        names = {TISSUE.label_names[label].split()[0] for label in drawn.host_labels}
        assert len(names) == 1
        sides |= names
        assert drawn.hosts == (1, 2)
        full = dataclasses.replace(drawn, mean=250.0, std=0.0, softness_voxels=0.1)
        shown = dataclasses.replace(record, size=(50, 56, 46), lesions=full, mixture=FLAT)
        indices = tissue_bank[record.map_index].indices.numpy()
        whole = dataclasses.replace(
            shown,
            size=indices.shape,
            deformation=dataclasses.replace(
                record.deformation, centre_voxels=tuple((n - 1) / 2 for n in indices.shape)
            ),
        )
        image, _ = render_one(tissue_bank, whole)
        hit = image > 150
        assert hit.sum() > 50
        assert np.isin(indices[hit], drawn.host_labels).all()
    assert sides == {"left", "right"}


def test_strokes_of_maps_without_sides_end_before_the_middle() -> None:
    scheme = dataclasses.replace(TISSUE, sided_pairs=())
    maps = bank_of(head_indices(), scheme=scheme)
    middle = np.median(np.concatenate([maps[0].foreground[value].numpy() for value in (0, 1)])[:, 0])
    sides, counts = set(), set()
    for record in records_of(maps, "stroke", 60):
        drawn = record.lesions
        assert drawn is not None
        across = np.array(drawn.centres_voxels)[:, 0] - middle
        side = np.sign(across[0])
        assert abs(across[0]) >= 6.0
        assert (side * across - drawn.radii_voxels >= -1e-9).all()
        sides.add(side)
        counts.add(len(across))
    assert sides == {-1.0, 1.0}
    assert counts >= {1, 2, 3, 4}


def test_the_least_place_of_a_stroke_is_in_millimetres() -> None:
    scheme = dataclasses.replace(TISSUE, sided_pairs=())
    maps = bank_of(head_indices(), scheme=scheme)
    coarse = LabelBank(scheme, 3.0, [maps[0]])
    middle = np.median(np.concatenate([maps[0].foreground[value].numpy() for value in (0, 1)])[:, 0])
    records = records_of(coarse, "stroke", 60)
    away = [abs(record.lesions.centres_voxels[0][0] - middle) for record in records if record.lesions is not None]
    assert 2.0 <= min(away) < 6.0


def test_hyperintensities_prefer_the_ventricles(tissue_bank: LabelBank) -> None:
    near, far = (
        [
            np.mean(to_ventricle(tissue_bank, record))
            for record in records_of(
                tissue_bank,
                "hyperintensities",
                30,
                hyperintensities=HyperintensitiesConfig([20, 20], [0.8, 2.0], share),
            )
        ]
        for share in (1.0, 0.0)
    )
    assert np.mean(near) < 0.5 * np.mean(far)
    for record in records_of(tissue_bank, "hyperintensities", 30):
        drawn = record.lesions
        assert drawn is not None
        assert 5 <= len(drawn.radii_voxels) <= 40
        assert 0.8 <= min(drawn.radii_voxels) <= max(drawn.radii_voxels) <= 5.0


def to_ventricle(bank: LabelBank, record: SynthesisParameters) -> np.ndarray:
    indices = bank[record.map_index].indices.numpy()
    distance = ndimage.distance_transform_edt(~np.isin(indices, (9, 10)))
    assert record.lesions is not None
    places = np.array(record.lesions.centres_voxels, int)
    assert (TISSUE.target_table[indices[tuple(places.T)]] == 2).all()
    return distance[tuple(places.T)]


def test_kinds_come_in_their_shares(tissue_bank: LabelBank) -> None:
    shares = {"blobs": 0.1, "hyperintensities": 0.4, "mass": 0.2, "stroke": 0.3}
    config = plain_config(lesions=LesionsConfig(1.0, kinds=LesionKindsConfig(**shares)))
    engine = synthesizer(tissue_bank, (8, 8, 8), config)
    kinds = [engine.sample_parameters(index).lesions.kind for index in range(300)]  # type: ignore[union-attr]
    counts = [kinds.count(kind) for kind in shares]
    assert stats.chisquare(counts, 300 * np.array(list(shares.values()))).pvalue > 0.002
