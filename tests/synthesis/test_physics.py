"""The physics engine: contrasts order tissues as scanners do, spreads are as configured, records say what was drawn."""

from __future__ import annotations

import dataclasses
import itertools
import json

import numpy as np
import pytest
from scipy import stats

from otfsynth.config.contrast import ContrastConfig, EnginesConfig, PhysicsConfig
from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.data.bank import LabelBank
from otfsynth.labels import LabelScheme
from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.physics import PhysicsEngine, load_physics
from otfsynth.synthesis.physics.protocols import RANGES, Protocol, read_protocols
from otfsynth.synthesis.physics.signals import signal
from otfsynth.synthesis.physics.tissues import read_tissues
from otfsynth.synthesis.random_stream import RandomStream
from otfsynth.types import SampleKey
from tests.synthesis.heads import plain_config, synthesizer

CSF_GREY_WHITE = {
    "tissue": ("CSF", "grey matter", "white matter"),
    "freesurfer": ("ventricles", "cerebral cortex", "cerebral white matter"),
    "synthseg": ("lateral ventricles", "cerebral cortex", "cerebral white matter"),
}
ORDERS = {"T1w": (0, 1, 2), "T2w": (2, 1, 0), "FLAIR": (0, 2, 1)}
"""Indices into :data:`CSF_GREY_WHITE`, dark to bright, as on a scanner."""


def only_physics(**settings: object) -> SynthesisConfig:
    engines = ContrastConfig(EnginesConfig(mixture=0.0, physics=1.0))
    return SynthesisConfig(contrast=engines, physics=PhysicsConfig(**settings))  # type: ignore[arg-type]


def engine(scheme: str, **settings: object) -> PhysicsEngine:
    loaded = load_physics(only_physics(**settings), LabelScheme.load(scheme))
    assert loaded is not None
    return loaded


@pytest.mark.parametrize("scheme", list(CSF_GREY_WHITE))
@pytest.mark.parametrize("contrast", list(ORDERS))
@pytest.mark.parametrize("field_strength_t", [1.5, 3.0])
def test_every_draw_orders_csf_grey_and_white_as_a_scanner(scheme: str, contrast: str, field_strength_t: float) -> None:
    physics = engine(scheme, contrasts=[contrast], field_strengths_t=[field_strength_t])
    names = LabelScheme.load(scheme).class_names
    tissues = [names.index(name) for name in CSF_GREY_WHITE[scheme]]
    for index in range(1500):
        means, _, sequence = physics.draw(SampleKey(11, index))
        dark, middle, bright = means[tissues][list(ORDERS[contrast])]
        assert dark < middle < bright, sequence


class Extreme(RandomStream):
    """A stream that gives the ends of ranges instead of random numbers."""

    def __init__(self, strength: int, ends: tuple[float, ...]) -> None:
        self.strength, self.ends = strength, ends

    def integer(self, count: int) -> int:
        return self.strength

    def units(self, count: int) -> np.ndarray:
        return np.array(self.ends)


ORDERED = [protocol for protocol in read_protocols(PhysicsConfig()) if protocol.contrast in ORDERS]


@pytest.mark.parametrize("protocol", ORDERED, ids=lambda protocol: protocol.name)
def test_every_extreme_of_every_protocol_orders_its_tissues(protocol: Protocol) -> None:
    table = read_tissues(PhysicsConfig())
    for number, strength in enumerate(protocol.field_strengths_t):
        properties = [table[name].at(strength) for name in CSF_GREY_WHITE["tissue"]]
        for ends in itertools.product((0.0, 1.0), repeat=len(RANGES)):
            sequence = protocol.draw(Extreme(number, ends))
            levels = np.concatenate([signal(sequence, entry) for entry in properties])
            assert (np.diff(levels[list(ORDERS[protocol.contrast])]) > 0).all(), sequence


@pytest.mark.parametrize("field_strength_t", [1.5, 3.0])
def test_head_tissues_look_as_on_a_scanner(field_strength_t: float) -> None:
    names = LabelScheme.load("synthseg").class_names
    average = {
        contrast: dict(zip(names, np.mean([physics.draw(SampleKey(3, i))[0] for i in range(150)], axis=0), strict=True))
        for contrast in ("T1w", "T2w", "FLAIR")
        for physics in [engine("synthseg", contrasts=[contrast], field_strengths_t=[field_strength_t])]
    }
    for contrast, level in average.items():
        white = level["cerebral white matter"]
        assert level["cortical bone"] < 0.02 * white
        assert level["soft tissue"] > 1.3 * white, contrast  # fat
        assert 0.2 * white < level["rectus muscles"] < white
    assert average["T1w"]["eyes"] < 0.5 * average["T1w"]["cerebral white matter"]
    assert average["T2w"]["eyes"] > 1.5 * average["T2w"]["cerebral cortex"]
    for contrast, sign in (("T1w", -1), ("T2w", 1), ("FLAIR", 1)):
        lesion, white = (average[contrast][name] for name in ("white-matter lesion", "cerebral white matter"))
        assert sign * (lesion / white - 1.0) > 0.15, contrast
    deep = [average["T1w"][name] for name in ("cerebral cortex", "caudate", "putamen", "thalamus", "pallidum")]
    assert (np.diff(deep) > 0).all()
    assert average["T2w"]["pallidum"] < average["T2w"]["putamen"] < average["T2w"]["caudate"]


@pytest.mark.parametrize(
    ("tissue", "field_strength_t", "measured_ms"),
    [
        ("white matter", 1.5, {"t1_ms": 656, "t2_star_ms": 66.2}),
        ("white matter", 3.0, {"t1_ms": 832, "t2_ms": 79.6, "t2_star_ms": 53.2}),
        ("white matter", 7.0, {"t1_ms": 1220, "t2_star_ms": 26.8}),
        ("cerebral cortex", 1.5, {"t1_ms": 1188, "t2_ms": 95, "t2_star_ms": 84.0}),
        ("cerebral cortex", 3.0, {"t1_ms": 1331, "t2_ms": 99, "t2_star_ms": 66.0}),
        ("cerebral cortex", 7.0, {"t1_ms": 2132, "t2_star_ms": 33.2}),
        ("putamen", 1.5, {"t2_star_ms": 55.5}),
        ("putamen", 7.0, {"t1_ms": 1700, "t2_star_ms": 16.1}),
        ("muscle", 1.5, {"t1_ms": 1008, "t2_ms": 44}),
        ("fat", 1.5, {"t1_ms": 288, "t2_ms": 165}),
    ],
)
def test_field_dependence_meets_measured_values(
    tissue: str, field_strength_t: float, measured_ms: dict[str, float]
) -> None:
    """Rooney 2007, Wansapura 1999, Stanisz 2005, Peters 2007 and Gold 2004 differ among themselves by as much."""
    properties = read_tissues(PhysicsConfig())[tissue].at(field_strength_t)
    for name, value in measured_ms.items():
        assert getattr(properties, name)[0] == pytest.approx(value, rel=0.25)


def test_standard_deviations_are_those_of_sampled_tissue() -> None:
    physics = engine("freesurfer", tissue_spread=0.0, noise_std_max=0.0)
    random = np.random.default_rng(5)
    for index in range(12):
        means, stds, sequence = physics.draw(SampleKey(2, index))
        tissue = physics.tissues.at(sequence.field_strength_t)
        spreads = np.minimum(physics.tissues.spreads(), 0.2)
        sampled = sequence.intensity_scale * np.array(
            [
                signal(sequence, tissue.scaled(*np.exp(spreads * random.standard_normal(spreads.shape))))
                for _ in range(2000)
            ]
        )
        firm = spreads.max(axis=0) < 0.09  # proton density is clipped at 1, and far deviations are not linear
        visible = firm & (means > 20.0) & (means < 250.0)
        assert visible.sum() > 5
        np.testing.assert_allclose(stds[visible], sampled.std(axis=0)[visible], rtol=0.12)


def test_noise_and_spreads_are_as_configured() -> None:
    still = engine("tissue", tissue_spread=0.0, texture_spread=0.0, noise_std_max=6.0)
    drawn = [still.draw(SampleKey(4, index)) for index in range(300)]
    noise = [stds[1] for _, stds, _ in drawn]
    assert stats.kstest(noise, stats.uniform(0.0, 6.0).cdf).pvalue > 0.002
    assert all(np.ptp(stds) < 1e-9 for _, stds, _ in drawn)
    peaks = [means[1:].max() for means, _, _ in drawn]
    assert stats.kstest(peaks, stats.uniform(130.0, 90.0).cdf).pvalue > 0.002


def test_protocols_are_drawn_by_share_and_parameters_uniformly() -> None:
    physics = engine("tissue")
    sequences = [physics.draw(SampleKey(9, index))[2] for index in range(3000)]
    shares = np.array([protocol.share for protocol in physics.protocols])
    counts = [sum(s.protocol == protocol.name for s in sequences) for protocol in physics.protocols]
    assert stats.chisquare(counts, shares / shares.sum() * len(sequences)).pvalue > 0.002
    mprage = [s for s in sequences if s.protocol == "mprage"]
    low, high = next(p.ranges["repetition_time_ms"] for p in physics.protocols if p.name == "mprage")
    drawn = [s.repetition_time_ms for s in mprage]
    assert stats.kstest(drawn, stats.uniform(low, high - low).cdf).pvalue > 0.002
    assert {s.field_strength_t for s in mprage} == {1.5, 3.0}


def test_engines_mix_by_their_shares_and_say_which_they_were(tissue_bank: LabelBank) -> None:
    engines = ContrastConfig(EnginesConfig(mixture=0.7, physics=0.3))
    base = plain_config(contrast=ContrastConfig(EnginesConfig(1.0, 0.0, 0.0)))
    mixed = dataclasses.replace(base, contrast=engines)
    plain, drawn = (
        [synthesizer(tissue_bank, (8, 8, 8), config).sample_parameters(index) for index in range(400)]
        for config in (base, mixed)
    )
    physical = [record.mixture.source == "physics" for record in drawn]
    assert stats.binomtest(sum(physical), len(drawn), 0.3).pvalue > 0.002
    for record, other, is_physical in zip(drawn, plain, physical, strict=True):
        assert (record.sequence is not None) == is_physical
        if not is_physical:  # the other samples are what they were without physics
            assert record == other


def test_records_replay_and_old_ones_load(tissue_bank: LabelBank) -> None:
    config = dataclasses.replace(plain_config(), contrast=only_physics().contrast)
    source = synthesizer(tissue_bank, (12, 12, 12), config)
    record = source.sample_parameters(3)
    assert record.sequence is not None
    replayed = SynthesisParameters.from_json(record.to_json())
    assert replayed == record
    np.testing.assert_array_equal(source.render([replayed]).image, source.render([record]).image)
    fields = json.loads(record.to_json())
    del fields["sequence"]
    assert SynthesisParameters.from_json(json.dumps(fields)) == dataclasses.replace(record, sequence=None)
