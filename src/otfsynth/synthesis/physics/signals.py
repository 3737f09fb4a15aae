"""Signal equations: magnitude of the transverse magnetisation, as a share of that of water at equilibrium.

Relaxation is exponential, pulses are instantaneous, spoiling is perfect and every sequence is in its steady state.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from otfsynth.synthesis.parameters import SequenceParameters
from otfsynth.synthesis.physics.tissues import TissueProperties

Values = NDArray[np.float64]


def spoiled_gradient_echo(sequence: SequenceParameters, tissue: TissueProperties) -> Values:
    """SPGR, FLASH: M0 sin(a) (1 - E1) / (1 - E1 cos(a)) exp(-TE / T2*) (Ernst and Anderson 1966, Haase et al. 1986)."""
    angle = np.radians(_given(sequence.flip_angle_deg))
    recovered = np.exp(-sequence.repetition_time_ms / tissue.t1_ms)
    steady = (1.0 - recovered) / (1.0 - recovered * np.cos(angle))
    return tissue.proton_density * np.sin(angle) * steady * np.exp(-sequence.echo_time_ms / tissue.t2_star_ms)


def spin_echo(sequence: SequenceParameters, tissue: TissueProperties) -> Values:
    """90 and 180 degrees: M0 (1 - 2 exp(-(TR - TE/2) / T1) + exp(-TR / T1)) exp(-TE / T2) (Hahn 1950)."""
    repetition_ms, echo_ms = sequence.repetition_time_ms, sequence.echo_time_ms
    longitudinal = 1.0 - 2.0 * np.exp(-(repetition_ms - echo_ms / 2.0) / tissue.t1_ms)
    longitudinal += np.exp(-repetition_ms / tissue.t1_ms)
    return _spin_echo_decay(sequence, tissue) * np.abs(longitudinal)


def turbo_spin_echo(sequence: SequenceParameters, tissue: TissueProperties) -> Values:
    """TSE, FSE, RARE: M0 (1 - exp(-(TR - ETD) / T1)) exp(-TE / T2) (Hennig et al. 1986).

    The train of duration ETD leaves no longitudinal magnetisation, so that recovery has TR - ETD.
    """
    recovery_ms = sequence.repetition_time_ms - _given(sequence.echo_train_ms)
    longitudinal = 1.0 - np.exp(-recovery_ms / tissue.t1_ms)
    return _train_decay(sequence, tissue) * longitudinal


def inversion_recovery_tse(sequence: SequenceParameters, tissue: TissueProperties) -> Values:
    """FLAIR: M0 |1 - 2 exp(-TI / T1) + exp(-(TR - ETD) / T1)| exp(-TE / T2) (Hajnal et al. 1992)."""
    recovery_ms = sequence.repetition_time_ms - _given(sequence.echo_train_ms)
    longitudinal = 1.0 - 2.0 * np.exp(-_given(sequence.inversion_time_ms) / tissue.t1_ms)
    longitudinal += np.exp(-recovery_ms / tissue.t1_ms)
    return _train_decay(sequence, tissue) * np.abs(longitudinal)


def mprage(sequence: SequenceParameters, tissue: TissueProperties) -> Values:
    """Inversion, delay, a train of small pulses, delay (Mugler and Brookeman 1990, Deichmann et al. 2000).

    Each step is affine in the longitudinal magnetisation m (in units of M0): between pulses and in delays
    m -> 1 + (m - 1) exp(-t / T1), at a pulse m -> m cos(a), at the inversion m -> -m. The steady state solves one
    cycle; the image has the signal of the middle pulse, which TI after the inversion encodes the centre of k-space.
    """
    angle = np.radians(_given(sequence.flip_angle_deg))
    pulses, spacing_ms = int(_given(sequence.pulse_count)), _given(sequence.pulse_spacing_ms)
    before, inversion_ms = pulses // 2, _given(sequence.inversion_time_ms)
    delay_ms = inversion_ms - before * spacing_ms
    rest_ms = sequence.repetition_time_ms - inversion_ms - (pulses - before) * spacing_ms
    recovered = np.exp(-spacing_ms / tissue.t1_ms)
    factor = recovered * np.cos(angle)
    driven = (1.0 - recovered) / (1.0 - factor)  # where endless pulses would lead
    after_delay, after_rest = np.exp(-delay_ms / tissue.t1_ms), np.exp(-rest_ms / tissue.t1_ms)
    # First pulse sees 1 - (1 + m) after_delay; m at the end of a cycle is offset - slope * m of its beginning.
    last = factor**pulses
    offset = 1.0 + (driven + (1.0 - after_delay - driven) * last - 1.0) * after_rest
    steady = offset / (1.0 + after_delay * last * after_rest)
    middle = driven + (1.0 - (1.0 + steady) * after_delay - driven) * factor**before
    return tissue.proton_density * np.sin(angle) * np.abs(middle) * np.exp(-sequence.echo_time_ms / tissue.t2_star_ms)


def nulling_inversion_time_ms(t1_ms: float, recovery_ms: float) -> float:
    """Inversion time at which :func:`inversion_recovery_tse` is 0, for TR - ETD = ``recovery_ms``."""
    return float(t1_ms * np.log(2.0 / (1.0 + np.exp(-recovery_ms / t1_ms))))


def signal(sequence: SequenceParameters, tissue: TissueProperties) -> Values:
    """Signal of each class, (K,) in [0, 1]."""
    return SEQUENCES[sequence.kind](sequence, tissue)


SEQUENCES: dict[str, Callable[[SequenceParameters, TissueProperties], Values]] = {
    "spgr": spoiled_gradient_echo,
    "mprage": mprage,
    "spin_echo": spin_echo,
    "tse": turbo_spin_echo,
    "ir_tse": inversion_recovery_tse,
}


def _spin_echo_decay(sequence: SequenceParameters, tissue: TissueProperties) -> Values:
    """M0 exp(-TE / T2), less what flows away between excitation and refocusing."""
    return (1.0 - tissue.flow_void) * tissue.proton_density * np.exp(-sequence.echo_time_ms / tissue.t2_ms)


def _train_decay(sequence: SequenceParameters, tissue: TissueProperties) -> Values:
    """The same, less what the refocusing pulses saturate through bound protons (Melki and Mulkern 1992)."""
    return (1.0 - tissue.mt_saturation) * _spin_echo_decay(sequence, tissue)


def _given(value: float | None) -> float:
    if value is None:
        raise ValueError("the record of a sequence lacks a parameter that its kind needs; write records with to_json()")
    return value
