"""Signal equations against closed forms, limits, and a simulation of the magnetisation pulse by pulse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import optimize

from otfsynth.synthesis.parameters import SequenceParameters
from otfsynth.synthesis.physics.signals import nulling_inversion_time_ms, signal
from otfsynth.synthesis.physics.tissues import TissueProperties

T1_MS = np.array([250.0, 800.0, 1400.0, 4300.0])
T2_MS = np.array([40.0, 75.0, 95.0, 1800.0])
DENSITY = np.array([0.9, 0.7, 0.82, 1.0])


def tissue(t1_ms: Any = T1_MS, t2_ms: Any = T2_MS, **changes: Any) -> TissueProperties:
    t1_ms = np.atleast_1d(np.asarray(t1_ms, float))
    fields = {
        "proton_density": np.resize(DENSITY, t1_ms.shape),
        "t1_ms": t1_ms,
        "t2_ms": np.resize(t2_ms, t1_ms.shape),
        "t2_star_ms": np.resize(np.asarray(t2_ms) * 0.6, t1_ms.shape),
        "flow_void": np.zeros(t1_ms.shape),
        "mt_saturation": np.zeros(t1_ms.shape),
    }
    return TissueProperties(**{**fields, **changes})


def sequence(kind: str, repetition_ms: float, echo_ms: float = 0.0, **changes: Any) -> SequenceParameters:
    fields: dict[str, Any] = {
        "inversion_time_ms": None, "flip_angle_deg": None, "pulse_count": None, "pulse_spacing_ms": None,
        "echo_train_ms": None, "intensity_scale": 1.0,
    }  # fmt: skip
    return SequenceParameters("test", "T1w", kind, 3.0, repetition_ms, echo_ms, **{**fields, **changes})


@pytest.mark.parametrize("repetition_ms", [5.0, 25.0, 300.0])
@pytest.mark.parametrize("t1_ms", T1_MS)
def test_spgr_is_greatest_at_the_ernst_angle(repetition_ms: float, t1_ms: float) -> None:
    def dark(angle: float) -> float:
        return -float(signal(sequence("spgr", repetition_ms, flip_angle_deg=angle), tissue(t1_ms))[0])

    found = optimize.minimize_scalar(dark, bounds=(0.0, 90.0), method="bounded", options={"xatol": 1e-6}).x
    assert found == pytest.approx(np.degrees(np.arccos(np.exp(-repetition_ms / t1_ms))), abs=1e-3)


def test_spgr_limits() -> None:
    relaxed = signal(sequence("spgr", 1e6, 12.0, flip_angle_deg=30.0), tissue())
    np.testing.assert_allclose(relaxed, 0.5 * DENSITY * np.exp(-12.0 / (0.6 * T2_MS)), rtol=1e-9)
    # Far above the Ernst angle and with a short TR the signal goes as TR / T1.
    short = signal(sequence("spgr", 1.0, flip_angle_deg=90.0), tissue())
    np.testing.assert_allclose(short, DENSITY / T1_MS, rtol=3e-3)


def test_spgr_is_the_steady_state_of_a_pulse_train() -> None:
    angle, recovered = np.radians(25.0), np.exp(-20.0 / T1_MS)
    longitudinal = np.ones(4)
    for _ in range(5000):
        transverse = longitudinal * np.sin(angle)
        longitudinal = 1.0 + (longitudinal * np.cos(angle) - 1.0) * recovered
    np.testing.assert_allclose(
        signal(sequence("spgr", 20.0, flip_angle_deg=25.0), tissue()), DENSITY * transverse, rtol=1e-9
    )


def test_spin_echo_limits() -> None:
    np.testing.assert_allclose(signal(sequence("spin_echo", 1e6), tissue()), DENSITY, rtol=1e-9)
    late = signal(sequence("spin_echo", 1e6, 80.0), tissue())
    np.testing.assert_allclose(late, DENSITY * np.exp(-80.0 / T2_MS), rtol=1e-9)
    # For TE much shorter than T1 it is saturation recovery.
    saturated = signal(sequence("spin_echo", 500.0, 1e-6), tissue())
    np.testing.assert_allclose(saturated, DENSITY * (1.0 - np.exp(-500.0 / T1_MS)), rtol=1e-6)


def test_spin_echo_is_the_steady_state_of_its_pulses() -> None:
    repetition_ms, echo_ms = 600.0, 30.0
    longitudinal = np.ones(4)
    for _ in range(50):
        excited = longitudinal
        longitudinal = 1.0 - np.exp(-echo_ms / 2 / T1_MS)  # after 90 degrees nothing is left
        longitudinal = 1.0 + (-longitudinal - 1.0) * np.exp(-(repetition_ms - echo_ms / 2) / T1_MS)
    expected = DENSITY * excited * np.exp(-echo_ms / T2_MS)
    np.testing.assert_allclose(signal(sequence("spin_echo", repetition_ms, echo_ms), tissue()), expected, rtol=1e-12)


def test_turbo_spin_echo_limits() -> None:
    long = signal(sequence("tse", 1e6, 100.0, echo_train_ms=150.0), tissue())
    np.testing.assert_allclose(long, DENSITY * np.exp(-100.0 / T2_MS), rtol=1e-9)
    short = signal(sequence("tse", 900.0, 0.0, echo_train_ms=200.0), tissue())
    np.testing.assert_allclose(short, DENSITY * (1.0 - np.exp(-700.0 / T1_MS)), rtol=1e-12)


@pytest.mark.parametrize("t1_ms", T1_MS)
def test_inversion_recovery_nulls_at_t1_log_2_for_long_repetition(t1_ms: float) -> None:
    assert nulling_inversion_time_ms(t1_ms, 1e7) == pytest.approx(t1_ms * np.log(2.0), rel=1e-9)
    nulled = sequence("ir_tse", 1e7, inversion_time_ms=t1_ms * np.log(2.0), echo_train_ms=100.0)
    assert signal(nulled, tissue(t1_ms))[0] < 1e-9


@pytest.mark.parametrize("repetition_ms", [4000.0, 5000.0, 9000.0])
def test_inversion_recovery_is_the_steady_state_of_its_pulses(repetition_ms: float) -> None:
    train_ms, inversion_ms = 300.0, 1700.0
    rest_ms = repetition_ms - train_ms - inversion_ms
    longitudinal = np.ones(4)
    for _ in range(3):
        excited = 1.0 + (-longitudinal - 1.0) * np.exp(-inversion_ms / T1_MS)
        longitudinal = 1.0 - np.exp(-rest_ms / T1_MS)  # the train leaves nothing
    chosen = sequence("ir_tse", repetition_ms, 120.0, inversion_time_ms=inversion_ms, echo_train_ms=train_ms)
    np.testing.assert_allclose(signal(chosen, tissue()), DENSITY * np.abs(excited) * np.exp(-120.0 / T2_MS), rtol=1e-12)
    null_ms = nulling_inversion_time_ms(4300.0, repetition_ms - train_ms)
    nulled = sequence("ir_tse", repetition_ms, inversion_time_ms=null_ms, echo_train_ms=train_ms)
    assert signal(nulled, tissue())[3] < 1e-12


@pytest.mark.parametrize(
    ("repetition_ms", "inversion_ms", "pulses", "spacing_ms", "angle_deg"),
    [(2300.0, 900.0, 176, 7.1, 9.0), (2000.0, 880.0, 208, 6.5, 8.0), (2500.0, 1100.0, 161, 8.0, 12.0)],
)
def test_mprage_is_the_steady_state_of_its_pulses(
    repetition_ms: float, inversion_ms: float, pulses: int, spacing_ms: float, angle_deg: float
) -> None:
    def relax(longitudinal: Any, time_ms: float) -> Any:
        return 1.0 + (longitudinal - 1.0) * np.exp(-time_ms / T1_MS)

    before = pulses // 2
    delay_ms = inversion_ms - before * spacing_ms
    longitudinal = np.ones(4)
    for _ in range(60):
        longitudinal = relax(-longitudinal, delay_ms)
        for number in range(pulses):
            if number == before:
                middle = longitudinal * np.sin(np.radians(angle_deg))
            longitudinal = relax(longitudinal * np.cos(np.radians(angle_deg)), spacing_ms)
        longitudinal = relax(longitudinal, repetition_ms - delay_ms - pulses * spacing_ms)
    chosen = sequence(
        "mprage", repetition_ms, 3.0, inversion_time_ms=inversion_ms, flip_angle_deg=angle_deg,
        pulse_count=pulses, pulse_spacing_ms=spacing_ms,
    )  # fmt: skip
    expected = DENSITY * np.abs(middle) * np.exp(-3.0 / (0.6 * T2_MS))
    np.testing.assert_allclose(signal(chosen, tissue()), expected, rtol=1e-10)


def test_flow_and_magnetisation_transfer_take_their_share() -> None:
    plain, lossy = tissue(), tissue(flow_void=np.full(4, 0.5), mt_saturation=np.full(4, 0.2))
    shares = {"spgr": 1.0, "mprage": 1.0, "spin_echo": 0.5, "tse": 0.4, "ir_tse": 0.4}
    for kind, share in shares.items():
        chosen = sequence(
            kind, 2500.0, 10.0, flip_angle_deg=20.0, inversion_time_ms=1000.0, pulse_count=100, pulse_spacing_ms=8.0,
            echo_train_ms=100.0,
        )  # fmt: skip
        np.testing.assert_allclose(signal(chosen, lossy), share * signal(chosen, plain), rtol=1e-12)


def test_a_record_without_a_needed_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks a parameter"):
        signal(sequence("spgr", 20.0), tissue())
