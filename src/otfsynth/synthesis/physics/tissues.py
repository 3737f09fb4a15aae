"""Proton density, T1, T2 and T2* of the generation classes at a field strength, with their spreads.

Field dependence: T1 = T1(3 T) (B0 / 3 T)^exponent (Bottomley et al. 1984, Rooney et al. 2007); 1/T2 and 1/T2* are
linear in B0 (Peters et al. 2007, Cox and Gowland 2010): 1/T2 = 1/T2(3 T) + slope (B0 - 3 T), 1/T2* = 1/T2 + R2' B0.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otfsynth.config.contrast import PhysicsConfig
from otfsynth.labels import LabelScheme
from otfsynth.synthesis.physics.tables import Row, read_table

Values = NDArray[np.float64]

REFERENCE_FIELD_T = 3.0
LOWEST_FIELD_T, HIGHEST_FIELD_T = 0.05, 12.0
UNKNOWN = "anything"
"""Tissue of classes that neither the class table nor their target's name leads to."""
LIMITS = {
    "pd": (0.0, 1.0),
    "t1_ms": (1.0, 10000.0),
    "t1_exponent": (0.0, 1.0),
    "t2_ms": (0.05, 5000.0),
    "r2_slope_per_s_t": (0.0, 100.0),
    "r2_prime_per_s_t": (0.0, 1000.0),
    "flow_void": (0.0, 1.0),
    "mt_saturation": (0.0, 1.0),
    "pd_spread": (0.0, 1.0),
    "t1_spread": (0.0, 1.0),
    "t2_spread": (0.0, 1.0),
}
"""Columns of the tissue table with the least and the greatest value they accept."""


@dataclass(frozen=True)
class TissueProperties:
    """Properties of K classes at one field strength; every array is (K,).

    Args:
        proton_density: share of water's, in [0, 1].
        t1_ms: longitudinal relaxation time.
        t2_ms: transverse relaxation time.
        t2_star_ms: the same with dephasing inside a voxel.
        flow_void: share of the signal that flow takes out of spin-echo sequences, in [0, 1].
        mt_saturation: share that magnetisation transfer takes out of trains of refocusing pulses, in [0, 1].
    """

    proton_density: Values
    t1_ms: Values
    t2_ms: Values
    t2_star_ms: Values
    flow_void: Values
    mt_saturation: Values

    def scaled(self, proton_density: Values, t1: Values, t2: Values) -> TissueProperties:
        """Each property times its factor, T2* with that of T2; proton density stays in [0, 1]."""
        return TissueProperties(
            np.clip(self.proton_density * proton_density, 0.0, 1.0),
            self.t1_ms * t1,
            self.t2_ms * t2,
            self.t2_star_ms * t2,
            self.flow_void,
            self.mt_saturation,
        )


@dataclass(frozen=True)
class TissueTable:
    """Columns of the tissue table at 3 T, one entry a class; see ``conf/physics/README.md`` for their meaning."""

    pd: Values
    t1_ms: Values
    t1_exponent: Values
    t2_ms: Values
    r2_slope_per_s_t: Values
    r2_prime_per_s_t: Values
    flow_void: Values
    mt_saturation: Values
    pd_spread: Values
    t1_spread: Values
    t2_spread: Values

    def at(self, field_strength_t: float) -> TissueProperties:
        """Properties at a field strength, without spread."""
        r2_per_ms = 1.0 / self.t2_ms + 1e-3 * self.r2_slope_per_s_t * (field_strength_t - REFERENCE_FIELD_T)
        return TissueProperties(
            proton_density=self.pd,
            t1_ms=self.t1_ms * (field_strength_t / REFERENCE_FIELD_T) ** self.t1_exponent,
            t2_ms=1.0 / r2_per_ms,
            t2_star_ms=1.0 / (r2_per_ms + 1e-3 * self.r2_prime_per_s_t * field_strength_t),
            flow_void=self.flow_void,
            mt_saturation=self.mt_saturation,
        )

    def spreads(self) -> Values:
        """Relative standard deviations of proton density, T1 and T2; (3, K)."""
        return np.stack([self.pd_spread, self.t1_spread, self.t2_spread])


def read_tissues(config: PhysicsConfig) -> dict[str, TissueTable]:
    """The tissue table, one entry of one class for each tissue.

    Raises:
        ConfigurationError: the file can't be used; the message names row and remedy.
    """
    rows = read_table("synthesis.physics.tissues", config.tissues, ["tissue", *LIMITS])
    return {row.cells["tissue"]: _tissue(row) for row in rows}


def tissues_of_classes(config: PhysicsConfig, tissues: dict[str, TissueTable], scheme: LabelScheme) -> TissueTable:
    """The tissues of a scheme's generation classes, in their order.

    Raises:
        ConfigurationError: the class table names a tissue that the tissue table lacks.
    """
    named = {}
    for row in read_table("synthesis.physics.classes", config.classes, ["class", "tissue"]):
        if row.cells["tissue"] not in tissues:
            raise row.error("tissue", f"is no row of {config.tissues}; choose one of: {', '.join(tissues)}")
        named[row.cells["class"]] = tissues[row.cells["tissue"]]
    unknown = tissues[UNKNOWN] if UNKNOWN in tissues else next(iter(tissues.values()))
    chosen = []
    for number, class_name in enumerate(scheme.class_names):
        target = scheme.target_names[scheme.target_labels[scheme.generation_classes.index(number)]]
        chosen.append(named.get(class_name, named.get(target, unknown)))
    columns = [field.name for field in dataclasses.fields(TissueTable)]
    return TissueTable(*(np.concatenate([getattr(entry, column) for entry in chosen]) for column in columns))


def _tissue(row: Row) -> TissueTable:
    table = TissueTable(**{name: np.array([row.number(name, *limits)]) for name, limits in LIMITS.items()})
    if table.at(LOWEST_FIELD_T).t2_ms[0] <= 0:
        raise row.error(
            "r2_slope_per_s_t", f"leaves no positive R2 at {LOWEST_FIELD_T} T; give less than 1000 / (3 t2_ms)"
        )
    return table
