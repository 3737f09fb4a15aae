"""Times the synthesis engine beside MONAI, a memcpy and torch's randn: ``python scripts/benchmark_synthesis.py``.

Competitors take turns, round by round, so that whatever else the machine does hits all of them; figures are medians.
The engine writes into the same memory again, as in a loop that is done with its last batch; ``--fresh`` allocates every
batch anew. Memory is measured in a process of its own, with new memory for every batch.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import torch

import benchmark_memory
import benchmark_peers
import benchmark_report
from benchmark_report import Times
from otfsynth import kernels
from otfsynth.config.compose import compose
from otfsynth.config.data import DataConfig
from otfsynth.config.labels import LabelsConfig
from otfsynth.data.bank import LabelBank
from otfsynth.data.scheme_choice import resolve_labels
from otfsynth.labels import LabelScheme
from otfsynth.synthesis import Synthesizer

MODELS = ("lab2im", "synthseg", "randomized")
PEERS = ("monai", "memcpy", "randn")
Clock = Callable[[], float]
SAMPLES_A_ROUND = 5
"""Samples of the engine timed in a round: they differ, as some are skull-stripped or thick-sliced and others not."""


def main() -> None:
    """Measure, print tables, write JSON."""
    arguments = parse_arguments()
    bank = load_bank(arguments.label_maps)
    if arguments.memory_only:
        print(json.dumps(measure_memory(bank, arguments.sizes, arguments.threads)))
        return
    benchmark_report.print_machine(bank)
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    memory = memory_in_new_process(arguments)
    times = {
        (size, threads): measure_times(bank, size, threads, arguments.rounds, arguments.fresh, clock)
        for threads in arguments.threads
        for size in arguments.sizes
    }
    rows = [row for key, found in times.items() for row in rows_of(found, *key, memory)]
    benchmark_report.print_main_table(times, memory, MODELS, PEERS)
    benchmark_report.print_scaling_table(times, MODELS)
    reference = (192, max(arguments.threads))
    size, threads = reference if reference in times else list(times)[-1]
    print_stage_table(bank, size, threads, arguments.rounds, clock)
    if not (arguments.quick or arguments.cpu_time):
        print(f"\nimport to first batch (embedded labels, 2 x 96^3, prepared maps cached): {start_up_seconds():.1f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--label-maps", default="embedded", help="as data.label_maps; by default the embedded ones")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 192, 256], help="edges, voxels")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="thread counts")
    parser.add_argument("--rounds", type=int, default=5, help="turns of every competitor")
    parser.add_argument(
        "--cpu-time", action="store_true", help="one thread, processor time instead of wall time: for a busy machine"
    )
    parser.add_argument("--fresh", action="store_true", help="new memory for every batch of the engine")
    parser.add_argument("--json", type=Path, help="write one row for each model, size and thread count")
    parser.add_argument("--quick", action="store_true", help="32^3, one thread, one round: does the script work?")
    parser.add_argument("--memory-only", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.cpu_time:
        arguments.threads = [1]
    if arguments.quick:
        arguments.sizes, arguments.threads, arguments.rounds = [32], [1], 1
    return arguments


def load_bank(label_maps: str) -> LabelBank:
    data = DataConfig(label_maps=label_maps)
    scheme = LabelScheme.from_config(resolve_labels(LabelsConfig(name="auto"), data))
    return LabelBank.from_config(data, scheme, show_progress=False)


def synthesizers(bank: LabelBank, size: int, threads: int, reuse_buffers: bool) -> dict[str, Synthesizer]:
    """The engine with each model of ``conf/synthesis``."""
    models = {name: compose([f"synthesis={name}", "hardware=laptop"]).synthesis for name in MODELS}
    return {
        name: Synthesizer(model, bank, (size,) * 3, seed=0, threads=threads, reuse_buffers=reuse_buffers)
        for name, model in models.items()
    }


def measure_times(bank: LabelBank, size: int, threads: int, rounds: int, fresh: bool, clock: Clock) -> Times:
    """Seconds of every call, by model and peer."""
    torch.set_num_threads(threads)
    engines = synthesizers(bank, size, threads, not fresh)
    peers: dict[str, Callable[[], object]] = {
        "monai": benchmark_peers.monai_sample(bank, size),
        "memcpy": benchmark_peers.memcpy(size),
        "randn": benchmark_peers.randn(size),
    }
    times: Times = defaultdict(list)
    for turn in range(rounds + 1):  # turn 0 warms up
        kept = times if turn else defaultdict(list)
        for name, synthesizer in engines.items():
            synthesizer([0])
            for position in range(SAMPLES_A_ROUND):
                kept[name].append(seconds(lambda s=synthesizer, i=turn * SAMPLES_A_ROUND + position: s([i]), clock))
        for name, call in peers.items():
            if name != "monai":
                call()
            for _ in range(1 if name == "monai" else SAMPLES_A_ROUND):
                kept[name].append(seconds(call, clock))
    return times


def seconds(call: Callable[[], object], clock: Clock = time.perf_counter) -> float:
    begin = clock()
    call()
    return clock() - begin


def measure_memory(bank: LabelBank, sizes: Iterable[int], thread_counts: Iterable[int]) -> dict[str, float]:
    """MiB by ``model size threads``: the most that any of three samples takes, output and working memory together."""
    peaks: dict[str, float] = {}
    for threads in thread_counts:
        torch.set_num_threads(threads)
        for size in (16, *sizes):  # the first loads code and fills small caches
            for name, synthesizer in synthesizers(bank, size, threads, False).items():
                peaks[f"{name} {size} {threads}"] = max(_peak_of_sample(synthesizer, index) for index in range(3))
            monai = benchmark_peers.monai_sample(bank, size)
            peaks[f"monai {size} {threads}"] = _peak_or_nan(monai)
            del monai
    return peaks


def _peak_of_sample(synthesizer: Synthesizer, index: int) -> float:
    synthesizer.__setstate__(synthesizer.__getstate__())  # forgets its working memory
    return _peak_or_nan(lambda: synthesizer([index]))


def _peak_or_nan(work: Callable[[], object]) -> float:
    try:
        return benchmark_memory.peak_extra_mib(work)
    except OSError:
        return float("nan")


def memory_in_new_process(arguments: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, "--memory-only", "--label-maps", arguments.label_maps]
    command += ["--sizes", *map(str, arguments.sizes), "--threads", *map(str, arguments.threads)]
    environment = os.environ | benchmark_memory.ENVIRONMENT
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    peaks: dict[str, float] = json.loads(output.splitlines()[-1])
    return peaks


def rows_of(times: Times, size: int, threads: int, memory: dict[str, float]) -> Iterator[dict[str, Any]]:
    middle = {name: median(values) for name, values in times.items()}
    for name in MODELS:
        yield {
            "model": name,
            "size": size,
            "threads": threads,
            "median_ms": round(1e3 * middle[name], 3),
            "times_faster_than_monai": round(middle["monai"] / middle[name], 2),
            "times_memcpy": round(middle[name] / middle["memcpy"], 2),
            "peak_extra_mib": round(memory[f"{name} {size} {threads}"], 1),
        }


def print_stage_table(bank: LabelBank, size: int, threads: int, rounds: int, clock: Clock) -> None:
    """Mean cost of every kernel by a clock around its launches, and of the Python around them."""
    torch.set_num_threads(threads)
    spent: dict[str, Times] = {}
    launch = kernels.launch
    samples = SAMPLES_A_ROUND * rounds
    for model, synthesizer in synthesizers(bank, size, threads, True).items():
        stages = spent[model] = defaultdict(list)

        def timed(name: str, *rest: Any, stages: Times = stages) -> None:
            stages[name].append(seconds(lambda: launch(name, *rest), clock))

        synthesizer([0])
        kernels.launch = timed
        try:
            total = sum(seconds(lambda s=synthesizer, i=index: s([i]), clock) for index in range(samples))
        finally:
            kernels.launch = launch
        stages["(Python)"].append(total - sum(map(sum, stages.values())))
        stages["total"].append(total)
    names = sorted({name for stages in spent.values() for name in stages}, key=lambda n: sum(spent["randomized"][n]))
    head = ["kernel", *(f"{model} ms (share)" for model in MODELS)]
    body = []
    for name in reversed(names):
        shares = [(sum(spent[model][name]), sum(spent[model]["total"])) for model in MODELS]
        body.append([name, *(f"{1e3 * part / samples:.2f} ({part / whole:.0%})" for part, whole in shares)])
    benchmark_report.print_table(f"mean cost by kernel, {size}^3, {threads} thread(s)", head, body)


def start_up_seconds() -> float:
    """Wall time of a new Python that makes its first batch."""
    program = (
        "from benchmark_synthesis import load_bank, compose, Synthesizer\n"
        "Synthesizer(compose(['hardware=laptop']).synthesis, load_bank('embedded'), (96, 96, 96), 0)([0, 1])"
    )
    command = [sys.executable, "-c", program]
    return min(seconds(lambda: subprocess.run(command, cwd=Path(__file__).parent, check=True)) for _ in range(3))


if __name__ == "__main__":
    main()
