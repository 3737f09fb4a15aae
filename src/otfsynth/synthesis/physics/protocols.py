"""Protocols: which sequence a scanner runs, and the ranges of its parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.contrast import PhysicsConfig
from otfsynth.synthesis.parameters import SequenceParameters
from otfsynth.synthesis.physics.signals import SEQUENCES, nulling_inversion_time_ms
from otfsynth.synthesis.physics.tables import Row, read_table
from otfsynth.synthesis.physics.tissues import HIGHEST_FIELD_T, LOWEST_FIELD_T
from otfsynth.synthesis.random_stream import RandomStream

Range = tuple[float, float]

RANGES = {
    "repetition_time_ms": (1.0, 30000.0),
    "echo_time_ms": (0.0, 1000.0),
    "inversion_time_ms": (1.0, 10000.0),
    "null_fraction": (0.1, 3.0),
    "flip_angle_deg": (0.1, 180.0),
    "pulse_count": (1.0, 1000.0),
    "pulse_spacing_ms": (1.0, 100.0),
    "echo_train_ms": (0.0, 5000.0),
}
"""Columns of ranges in the protocol table, in the order in which they are drawn, with their limits."""
NEEDED = {
    "spgr": ("flip_angle_deg",),
    "mprage": ("flip_angle_deg", "inversion_time_ms", "pulse_count", "pulse_spacing_ms"),
    "spin_echo": (),
    "tse": ("echo_train_ms",),
    "ir_tse": ("echo_train_ms",),
}
"""What each sequence needs beside repetition and echo time; ``ir_tse`` also one of the two ways to give TI."""
SCANNER_CSF_T1_MS = 4300.0
"""T1 for which protocols choose the inversion time that nulls CSF (Rooney et al. 2007; the same at every field)."""


@dataclass(frozen=True)
class Protocol:
    """One row of the protocol table; ``ranges`` holds the columns that are not empty."""

    name: str
    contrast: str
    kind: str
    share: float
    field_strengths_t: tuple[float, ...]
    ranges: dict[str, Range]

    def at(self, field_strength_t: float | None) -> Protocol:
        """The protocol at one of its field strengths, with its share of that."""
        assert field_strength_t in self.field_strengths_t
        share = self.share / len(self.field_strengths_t)
        return replace(self, share=share, field_strengths_t=(field_strength_t,))

    def draw(self, stream: RandomStream) -> SequenceParameters:
        """A sequence with every parameter uniform in its range; ``intensity_scale`` is 1."""
        strengths = self.field_strengths_t
        strength = strengths[stream.integer(len(strengths))]
        # One number for each column, empty or not: a change of one range leaves the other parameters.
        drawn = dict(zip(RANGES, stream.units(len(RANGES)), strict=True))
        values = {name: float(low + (high - low) * drawn[name]) for name, (low, high) in self.ranges.items()}
        pulses = values.get("pulse_count")
        if "null_fraction" in values:
            recovery_ms = values["repetition_time_ms"] - values["echo_train_ms"]
            nulling_ms = nulling_inversion_time_ms(SCANNER_CSF_T1_MS, recovery_ms)
            values["inversion_time_ms"] = values["null_fraction"] * nulling_ms
        return SequenceParameters(
            protocol=self.name,
            contrast=self.contrast,
            kind=self.kind,
            field_strength_t=strength,
            repetition_time_ms=values["repetition_time_ms"],
            echo_time_ms=values["echo_time_ms"],
            inversion_time_ms=values.get("inversion_time_ms"),
            flip_angle_deg=values.get("flip_angle_deg"),
            pulse_count=None if pulses is None else round(pulses),
            pulse_spacing_ms=values.get("pulse_spacing_ms"),
            echo_train_ms=values.get("echo_train_ms"),
            intensity_scale=1.0,
        )


def read_protocols(config: PhysicsConfig) -> list[Protocol]:
    """The protocols that the configuration keeps.

    Raises:
        ConfigurationError: the table can't be used, or nothing of it is kept; the message names row and remedy.
    """
    columns = ["protocol", "contrast", "sequence", "share", "field_strengths_t", *RANGES]
    rows = read_table("synthesis.physics.protocols", config.protocols, columns)
    protocols = [_protocol(row) for row in rows]
    kept = [_kept(protocol, config) for protocol in protocols]
    chosen = [protocol for protocol in kept if protocol.field_strengths_t and protocol.share > 0]
    if not chosen:
        contrasts = ", ".join(sorted({protocol.contrast for protocol in protocols}))
        strengths = sorted({strength for protocol in protocols for strength in protocol.field_strengths_t})
        raise ConfigurationError(
            f"synthesis.physics.contrasts={list(config.contrasts)} and "
            f"field_strengths_t={list(config.field_strengths_t)} leave no protocol of {config.protocols}; "
            f"choose among {contrasts} and {', '.join(f'{strength:g}' for strength in strengths)} T"
        )
    return chosen


def _kept(protocol: Protocol, config: PhysicsConfig) -> Protocol:
    """The protocol without the field strengths that the configuration leaves out; its share shrinks with them."""
    strengths = protocol.field_strengths_t
    if config.field_strengths_t:
        strengths = tuple(strength for strength in strengths if strength in config.field_strengths_t)
    if config.contrasts and protocol.contrast not in config.contrasts:
        strengths = ()
    share = protocol.share * len(strengths) / len(protocol.field_strengths_t)
    return Protocol(protocol.name, protocol.contrast, protocol.kind, share, strengths, protocol.ranges)


def _protocol(row: Row) -> Protocol:
    kind = row.cells["sequence"]
    if kind not in SEQUENCES:
        raise row.error("sequence", f"is unknown; choose one of: {', '.join(SEQUENCES)}")
    ranges = {name: pair for name, limits in RANGES.items() if (pair := row.range(name, *limits)) is not None}
    for name in ("repetition_time_ms", "echo_time_ms", *NEEDED[kind]):
        if name not in ranges:
            raise row.error(name, f"is empty, but sequence {kind} needs it; write it as low..high")
    if kind == "ir_tse" and ("inversion_time_ms" in ranges) == ("null_fraction" in ranges):
        raise row.error("null_fraction", "and inversion_time_ms: sequence ir_tse needs one of the two; give one")
    _check_timing(row, ranges)
    return Protocol(
        name=row.cells["protocol"],
        contrast=row.cells["contrast"],
        kind=kind,
        share=row.number("share", 0.0, 1e6),
        field_strengths_t=row.numbers("field_strengths_t", LOWEST_FIELD_T, HIGHEST_FIELD_T),
        ranges=ranges,
    )


def _check_timing(row: Row, ranges: dict[str, Range]) -> None:
    """Every draw must fit into its repetition time, also the one with the shortest and the longest delays."""
    none = (0.0, 0.0)
    shortest_ms = ranges["repetition_time_ms"][0]
    pulses, spacing = ranges.get("pulse_count", none)[1], ranges.get("pulse_spacing_ms", none)[1]
    half_ms = (pulses // 2 + 1) * spacing if pulses else 0.0
    inversion = ranges.get("inversion_time_ms", none)
    if pulses and inversion[0] < half_ms:
        raise row.error("inversion_time_ms", f"is shorter than half of the longest readout, {half_ms:g} ms; raise it")
    busy_ms = max(inversion[1] + half_ms, inversion[1] + ranges.get("echo_train_ms", none)[1])
    if max(busy_ms, ranges["echo_time_ms"][1]) >= shortest_ms:
        raise row.error("repetition_time_ms", f"has no room for {busy_ms:g} ms of delays and readout; raise it")
