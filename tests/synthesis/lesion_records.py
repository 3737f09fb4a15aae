"""Records with lesions of one kind."""

from __future__ import annotations

from otfsynth.config.lesions import LesionKindsConfig, LesionsConfig
from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.lesions import KINDS
from otfsynth.synthesis.parameters import MixtureParameters, SynthesisParameters
from tests.synthesis.heads import plain_config, synthesizer

FLAT = MixtureParameters((100.0,) * 7, (0.0,) * 7, "random")


def only(kind: str) -> LesionKindsConfig:
    return LesionKindsConfig(**{name: float(name == kind) for name in KINDS})


def records_of(bank: LabelBank, kind: str, count: int, **more: object) -> list[SynthesisParameters]:
    engine = synthesizer(bank, (24, 24, 24), plain_config(lesions=LesionsConfig(1.0, kinds=only(kind), **more)))
    return [engine.sample_parameters(index) for index in range(count)]
