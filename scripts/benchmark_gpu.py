"""Times the engine on a GPU: ``python scripts/benchmark_gpu.py``. Ends with one line where there is none.

Tables: whole batches beside eager torch, MONAI and cornucopia; every stage, with the bytes it must move against the
bandwidth of a copy; a training step of nnU-Net on the fly and with one frozen batch; label banks in GPU memory and
streamed from pinned host memory. Times are of events on the device around each call, medians.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import torch

import benchmark_peers
from benchmark_gpu_peers import copy_gigabytes_a_second, cornucopia_sample, eager_sample, milliseconds
from benchmark_gpu_training import TrainingStep, step_times
from benchmark_report import print_table
from benchmark_synthesis import load_bank
from otfsynth import kernels
from otfsynth.config.compose import compose
from otfsynth.data.bank import LabelBank, LabelVolume
from otfsynth.synthesis import Synthesizer
from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.rendering.device import Plan

MODELS = ("lab2im", "randomized")
VOXEL_BYTES = {
    "Paint": lambda record: 6 + (2 if record.skull_strip else 0),  # label, image, target; distance and mask
    "ResampleAlongRow": lambda record: 8,
    "ResampleAcrossRows": lambda record: 8,
    "Finish": lambda record: 8,
    "Normalize": lambda record: 8,
}
"""Least bytes of memory a stage reads and writes for a voxel of the patch (coarser acquired grids move less)."""
HEAD_START_CYCLES = 40_000_000
"""About 20 ms."""
Rows = list[dict[str, Any]]


def main() -> int:
    """Measure, print tables, write JSON."""
    arguments = parse_arguments()
    device = torch.device(arguments.device)
    reason = kernels.cuda.unavailable_reason() if device.type == "cuda" else None
    if reason is not None:
        print(f"nothing measured: {reason}")
        return 0
    print_versions(device)
    bank = load_bank(arguments.label_maps)
    print(f"{bank.describe()}; {len(bank.scheme.generation_labels)} labels")
    rows: Rows = []
    rows += throughput(bank, arguments, device)
    if device.type == "cuda":
        rows += stages(bank, arguments, device)
    rows += training(bank, arguments, device)
    rows += banks(bank, arguments, device)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--label-maps", default="embedded", help="as data.label_maps; by default the embedded ones")
    parser.add_argument("--sizes", type=int, nargs="+", default=[96, 128, 160, 192, 256], help="edges, voxels")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8], help="samples of a batch")
    parser.add_argument("--bank-maps", type=int, nargs="+", default=[2, 20, 100, 500], help="label maps of a bank")
    parser.add_argument("--repeats", type=int, default=20, help="timed calls of everything")
    parser.add_argument("--training-edge", type=int, default=128, help="patch of the training step; 0 leaves it out")
    parser.add_argument("--network", default="nnunet", help="of the training step")
    parser.add_argument("--prefetch", type=int, nargs="+", default=[0, 1, 2], help="depths tried in training")
    parser.add_argument("--json", type=Path, help="write one row for each figure")
    parser.add_argument("--device", default="cuda", help=argparse.SUPPRESS)  # cpu: does the script work?
    return parser.parse_args()


def print_versions(device: torch.device) -> None:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "no GPU: a trial of this script"
    found = []
    for package in ("torch", "cupy-cuda13x", "cupy-cuda12x", "monai", "cornucopia"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} absent")
    print(f"{name}; {', '.join(found)}; CUDA {torch.version.cuda}")
    if device.type == "cuda":
        print(f"copy within its memory: {copy_gigabytes_a_second(device):.0f} GB/s, read and written bytes together")


def engine(bank: LabelBank, model: str, edge: int, device: torch.device) -> Synthesizer:
    config = compose([f"synthesis={model}", "hardware=laptop"]).synthesis
    return Synthesizer(config, bank, (edge,) * 3, seed=0, device=device, reuse_buffers=True)


def rolling(synthesizer: Synthesizer, batch: int) -> Callable[[], object]:
    """Every call makes the next samples of the stream."""
    position = 0

    def work() -> object:
        nonlocal position
        position += batch
        return synthesizer(range(position - batch, position))

    return work


def throughput(bank: LabelBank, arguments: argparse.Namespace, device: torch.device) -> Rows:
    """Milliseconds a sample, drawing and queueing included, beside others that make the same."""
    rows: Rows = []
    body = []
    for edge in arguments.sizes:
        for batch in arguments.batches:
            work: dict[str, Callable[[], object] | None] = {}
            for model in MODELS:
                work[model] = rolling(engine(bank, model, edge, device), batch)
            work["eager torch"] = eager_sample(bank, edge, batch, device)
            if batch == arguments.batches[0]:
                work["MONAI"] = benchmark_peers.monai_sample(bank, edge, device=device)
                work["cornucopia"] = cornucopia_sample(bank, edge, device)
            times = {name: _time_a_sample(name, call, batch, device, arguments.repeats) for name, call in work.items()}
            line = [f"{edge}^3", str(batch)]
            for name in (*MODELS, "eager torch", "MONAI", "cornucopia"):
                found = times.get(name)
                line.append("" if found is None else f"{found:.2f} ({found / times['lab2im']:.1f} x lab2im)")
                if found is not None:
                    rows.append({"table": "throughput", "what": name, "edge": edge, "batch": batch, "ms": found})
            body.append(line)
    print_table("ms a sample", ["size", "batch", *MODELS, "eager torch", "MONAI", "cornucopia"], body)
    return rows


def _time_a_sample(
    name: str, work: Callable[[], object] | None, batch: int, device: torch.device, repeats: int
) -> float | None:
    """Peers may fail, as for want of memory: that is said, and the rest goes on."""
    if work is None:
        return None
    alone = name in ("MONAI", "cornucopia")  # they make one sample a call
    try:
        return milliseconds(work, device, max(repeats // 5, 1) if alone else repeats) / (1 if alone else batch)
    except RuntimeError as error:
        if name in MODELS:
            raise
        print(f"{name} failed: {str(error).splitlines()[0]}", file=sys.stderr)
        return None


def stages(bank: LabelBank, arguments: argparse.Namespace, device: torch.device) -> Rows:
    """Every stage of the full model, and how much of the copy's bandwidth its least bytes are."""
    rows: Rows = []
    bandwidth = copy_gigabytes_a_second(device)
    batch = max(arguments.batches)
    for edge in arguments.sizes:
        synthesizer = engine(bank, "randomized", edge, device)
        renderer = synthesizer._device_renderer()
        assert renderer is not None, "the device was checked before"
        records = [synthesizer.sample_parameters(index) for index in range(batch)]
        image, target = synthesizer._buffers(batch, 1, synthesizer.size)
        plan = renderer.plan(list(synthesizer._channels(records, image, target)))
        launches = Counter(stage.name for stage in plan.stages)
        spent = stage_milliseconds(plan, arguments.repeats)
        body = []
        for name, total in spent.most_common():
            least = least_bytes(name, records, launches[name])
            share = "" if least is None else f"{least / total / 1e6 / bandwidth:.0%}"
            body.append([name, str(launches[name]), f"{total / batch:.3f}", share])
            rows.append({"table": "stages", "what": name, "edge": edge, "batch": batch, "ms": total / batch})
        body.append(["all", str(sum(launches.values())), f"{sum(spent.values()) / batch:.3f}", ""])
        head = ["stage", "launches", "ms a sample", "of the copy's bandwidth"]
        print_table(f"stages, randomized, {edge}^3, batch {batch}", head, body)
    return rows


def stage_milliseconds(plan: Plan, repeats: int) -> Counter[str]:
    """Of whole runs, by events between the stages: alone and repeated, stages would work on each other's results."""
    runs: list[list[float]] = []
    for _ in range(repeats + 1):
        plan.upload()
        torch.cuda._sleep(HEAD_START_CYCLES)  # so that the host queues everything before the first stage ends
        events = [torch.cuda.Event(enable_timing=True) for _ in range(len(plan.stages) + 1)]
        events[0].record()
        for stage, event in zip(plan.stages, events[1:], strict=True):
            stage.run(plan.device)
            event.record()
        events[-1].synchronize()
        runs.append([begin.elapsed_time(end) for begin, end in itertools.pairwise(events)])
    spent: Counter[str] = Counter()
    for stage, *times in zip(plan.stages, *runs[1:], strict=True):
        spent[stage.name] += median(times)
    return spent


def least_bytes(name: str, records: list[SynthesisParameters], launches: int) -> int | None:
    """Bytes that all launches of a stage must move for a batch; None of stages that work on small lattices."""
    if name not in VOXEL_BYTES:
        return None
    x, y, z = records[0].size
    return launches * x * y * z * sum(VOXEL_BYTES[name](record) for record in records)


def training(bank: LabelBank, arguments: argparse.Namespace, device: torch.device) -> Rows:
    """Step times with and without synthesis."""
    edge, batch = arguments.training_edge, 2
    if edge == 0:
        return []
    rows: Rows = []
    body = []
    step = TrainingStep(bank, edge, device, arguments.network)
    for depth in arguments.prefetch:
        config = compose(["synthesis=randomized", "hardware=laptop"]).synthesis
        synthesizer = Synthesizer(config, bank, (edge,) * 3, seed=0, device=device)
        on_the_fly, frozen = step_times(synthesizer, step, batch, depth, arguments.repeats)
        cost = on_the_fly - frozen
        body.append([str(depth), f"{on_the_fly:.1f}", f"{frozen:.1f}", f"{cost:.2f} ({cost / frozen:.1%})"])
        rows.append(
            {"table": "training", "what": "on the fly", "prefetch": depth, "ms": on_the_fly, "frozen_ms": frozen}
        )
    title = f"training step, {arguments.network}, batch {batch} of {edge}^3, {step.precision}"
    print_table(title, ["prefetch", "on the fly, ms", "frozen batch, ms", "synthesis costs, ms"], body)
    return rows


def banks(bank: LabelBank, arguments: argparse.Namespace, device: torch.device) -> Rows:
    """Maps in GPU memory or streamed; large banks repeat the maps there are, each in memory of its own."""
    rows: Rows = []
    body = []
    edge = min(arguments.sizes, key=lambda size: abs(size - 128))
    for count in arguments.bank_maps:
        volumes = [bank.stored(index % len(bank)).to(torch.device("cpu")) for index in range(count)]
        line = [str(count)]
        for limit, place in ((float("inf"), "on the device"), (0.0, "streamed")):
            try:
                large = LabelBank(bank.scheme, bank.spacing_mm, [_copied(volume) for volume in volumes], device, limit)
                found = milliseconds(rolling(engine(large, "lab2im", edge, device), 2), device, arguments.repeats) / 2
            except torch.OutOfMemoryError:
                line.append("out of memory")
                continue
            line.append(f"{found:.2f}")
            rows.append({"table": "banks", "what": place, "maps": count, "edge": edge, "ms": found})
            del large
        body.append(line)
    print_table(f"label banks, lab2im, batch 2 of {edge}^3, ms a sample", ["maps", "on the device", "streamed"], body)
    return rows


def _copied(volume: LabelVolume) -> LabelVolume:
    return replace(volume, indices=volume.indices.clone(), brain_distance=volume.brain_distance.clone())


if __name__ == "__main__":
    sys.exit(main())
