"""Tables of the benchmark, in Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import torch

from otfsynth import kernels
from otfsynth.data.bank import LabelBank

Times = dict[str, list[float]]
"""Seconds of every call, by model or peer."""
OUTPUT_BYTES = 5
"""Of a voxel: image and target."""


def print_machine(bank: LabelBank) -> None:
    import monai
    import numpy as np

    print(f"processor {processor()}, {os.cpu_count()} cores; code for '{kernels.variant()}'")
    versions = f"torch {torch.__version__}, numpy {np.__version__}, MONAI {monai.__version__}"
    print(f"Python {platform.python_version()}, {versions}")
    print(f"{bank.describe()}; {len(bank.scheme.generation_labels)} labels, {bank.scheme.class_count} classes")


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def print_main_table(
    times: dict[tuple[int, int], Times], memory: dict[str, float], models: Sequence[str], peers: Sequence[str]
) -> None:
    """Every competitor at 128 and 192 voxels with the most threads (all sizes where those were not timed)."""
    threads = max(count for _, count in times)
    sizes = [size for size in (192, 128) if (size, threads) in times] or [size for size, _ in times]
    for size in sizes:
        found = times[size, threads]
        middle = {name: median(values) for name, values in found.items()}
        output = OUTPUT_BYTES * size**3 / 2**20
        body = []
        for name in (*models, *peers):
            peak = memory.get(f"{name} {size} {threads}")
            mib = "" if peak is None else f"{peak:.0f} ({peak / output:.1f} x output)"
            faster, copies = middle["monai"] / middle[name], middle[name] / middle["memcpy"]
            body.append(
                [
                    name,
                    f"{1e3 * middle[name]:.2f}",
                    f"{1e3 * min(found[name]):.2f}",
                    f"{faster:.1f}",
                    f"{copies:.1f}",
                    mib,
                ]
            )
        head = ["", "median ms", "best ms", "times faster than MONAI", "times memcpy", "peak extra MiB"]
        print_table(f"{size}^3, {threads} thread(s), one sample", head, body)


def print_scaling_table(times: dict[tuple[int, int], Times], models: Sequence[str]) -> None:
    sizes, counts = sorted({size for size, _ in times}), sorted({count for _, count in times})
    head = ["size", *(f"{name} {count}T ms (ns/voxel)" for name in models for count in counts)]
    head += [f"{name} speed-up" for name in models] if len(counts) > 1 else []
    body = []
    for size in sizes:
        line = [f"{size}^3"]
        for name in models:
            for count in counts:
                value = median(times[size, count][name])
                line.append(f"{1e3 * value:.2f} ({1e9 * value / size**3:.2f})")
        if len(counts) > 1:
            ends = counts[0], counts[-1]
            line += [f"{median(times[size, ends[0]][n]) / median(times[size, ends[1]][n]):.2f}" for n in models]
        body.append(line)
    against = f"; speed-up: {counts[-1]} threads over {counts[0]}" if len(counts) > 1 else ""
    print_table(f"scaling{against}", head, body)


def print_table(title: str, head: Sequence[str], body: Sequence[Sequence[str]]) -> None:
    """A Markdown table with aligned columns."""
    widths = [max(len(line[column]) for line in [head, *body]) for column in range(len(head))]
    print(f"\n{title}\n")
    for line in [head, ["-" * width for width in widths], *body]:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")
