"""What every stage of the generative model costs: ``python scripts/benchmark_stages.py``.

Each stage of ``conf/synthesis/randomized.yaml`` is switched on alone, with the ranges it has there, over
``synthesis=clean``, which has every random stage off. The two render the same samples in turns; the figures are the
median of the differences, the same as a share of the sample without the stage, and the share of the samples of
``randomized`` that have the stage times its cost: what it adds to the mean sample.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from statistics import median

import torch

import benchmark_report
from benchmark_synthesis import Clock, load_bank, seconds
from otfsynth.config.compose import compose
from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.data.bank import LabelBank
from otfsynth.synthesis import Synthesizer

SWITCHES = {
    "background": {"zero_probability": (0.0, 1.0), "dark_probability": (1.0, 0.0)},
    "resolution, isotropic": {"native_probability": (1.0, 0.0), "isotropic_probability": (0.0, 1.0)},
    "resolution, anisotropic": {"native_probability": (1.0, 0.0), "anisotropic_probability": (0.0, 1.0)},
    "menu, clinical": {"clinical_probability": (0.0, 1.0)},
    "menu, low field": {"low_field_probability": (0.0, 1.0)},
    "menu, coarse": {"coarse_probability": (0.0, 1.0)},
}
"""Stages of several kinds: the block's name before the comma, and each setting without and with the stage."""
NEEDED = {"coils": "noise", "noise_field": "noise"}
"""Stages that act within another one, which is then on in both."""


def main() -> None:
    arguments = parse_arguments()
    bank = load_bank(arguments.label_maps)
    torch.set_num_threads(arguments.threads)
    if not arguments.quick:
        benchmark_report.print_machine(bank)
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    randomized = compose(["synthesis=randomized", "hardware=laptop"]).synthesis
    body = []
    for stage, overrides in stages_of(randomized).items():
        if arguments.only and not any(name in stage for name in arguments.only):
            continue
        before, difference = measure(bank, overrides, arguments, clock)
        share = share_of(randomized, stage)
        body.append([stage, f"{1e3 * difference:.1f}", f"{difference / before:.0%}", f"{share:.0%}"])
        body[-1].append(f"{1e3 * share * difference:.2f}")
    body.sort(key=lambda line: -float(line[-1]))
    title = f"cost of each stage, {arguments.size}^3, {arguments.threads} thread(s)"
    head = ["stage", "ms where it is on", "of a sample without it", "share of samples", "ms of the mean sample"]
    benchmark_report.print_table(title, head, body)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--label-maps", default="embedded", help="as data.label_maps; by default the embedded ones")
    parser.add_argument("--size", type=int, default=192, help="edge, voxels")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--samples", type=int, default=15, help="pairs of samples for each stage")
    parser.add_argument("--only", nargs="+", help="stages whose names hold one of these")
    parser.add_argument(
        "--cpu-time", action="store_true", help="one thread, processor time instead of wall time: for a busy machine"
    )
    parser.add_argument("--quick", action="store_true", help="32^3, one thread, one sample: does the script work?")
    arguments = parser.parse_args()
    if arguments.cpu_time:
        arguments.threads = 1
    if arguments.quick:
        arguments.size, arguments.threads, arguments.samples = 32, 1, 1
    return arguments


def stages_of(config: SynthesisConfig) -> dict[str, tuple[list[str], list[str]]]:
    """For each stage, the overrides of ``synthesis=clean`` without and with it."""
    stages: dict[str, tuple[list[str], list[str]]] = {}
    for field in dataclasses.fields(config):
        if hasattr(getattr(config, field.name), "probability"):
            needed = [f"synthesis.{NEEDED[field.name]}.probability=1"] if field.name in NEEDED else []
            stages[field.name] = (needed, [*needed, f"synthesis.{field.name}.probability=1"])
    for stage, settings in SWITCHES.items():
        block = stage.split(",")[0]
        sides = [[f"synthesis.{block}.{name}={pair[side]}" for name, pair in settings.items()] for side in (0, 1)]
        stages[stage] = (sides[0], sides[1])
    return stages


def share_of(config: SynthesisConfig, stage: str) -> float:
    """Share of the samples that have the stage."""
    block = stage.split(",")[0]
    if stage not in SWITCHES:
        share = float(getattr(config, block).probability)
        return share * (share_of(config, NEEDED[block]) if block in NEEDED else 1.0)
    changed = [name for name, (_, on) in SWITCHES[stage].items() if on == 1.0]
    return sum(float(getattr(getattr(config, block), name)) for name in changed)


def measure(
    bank: LabelBank, overrides: tuple[list[str], list[str]], arguments: argparse.Namespace, clock: Clock
) -> tuple[float, float]:
    """Median seconds of a sample without the stage, and of what the stage adds."""
    size = (arguments.size,) * 3
    off, on = (
        Synthesizer(
            compose(["synthesis=clean", "hardware=laptop", *settings]).synthesis,
            bank,
            size,
            seed=0,
            threads=arguments.threads,
            reuse_buffers=True,
        )
        for settings in overrides
    )
    for synthesizer in (off, on):
        synthesizer([0])
    before, differences = [], []
    for index in range(1, arguments.samples + 1):
        before.append(seconds(lambda i=index: off([i]), clock))
        differences.append(seconds(lambda i=index: on([i]), clock) - before[-1])
    return median(before), median(differences)


if __name__ == "__main__":
    main()
