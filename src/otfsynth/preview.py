"""A contact sheet of synthetic samples: ``python -m otfsynth.preview +experiment=randomized n=16 output=sheet.png``.

Samples are drawn as in training, from all label maps; where no patch size is given they show whole heads, the brain in
the middle. The records of the samples are written beside the picture;
``parameters=sheet.json`` renders the same bytes again.

``python -m otfsynth.preview synthesis=clean sweep=gamma.std`` draws one sample at several values of one setting.
"""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.command import Job, run_command
from otfsynth.config.preview import PreviewConfig

if TYPE_CHECKING:
    from otfsynth.synthesis import SynthesisParameters, Synthesizer
    from otfsynth.volumes.figures import Panel

PLANES = ("sagittal", "coronal", "axial")

logger = logging.getLogger(__name__)


def preview(config: PreviewConfig, job: Job) -> None:
    """Draw a contact sheet.

    Raises:
        InputError: something that the user gave can't be used.
    """
    # Late, so that --help and a misspelt override answer at once: torch takes a second to import.
    from otfsynth.data.loading import build_synthesizer
    from otfsynth.data.sample_records import write_records
    from otfsynth.volumes.figures import draw_panels

    path = job.folder / Path(config.output).expanduser()
    synthesizer = build_synthesizer(config)
    if config.sweep is not None:
        _draw_strip(config, config.sweep, synthesizer, path)
        return
    records = _draw_records(config, synthesizer)
    panels = _panels(synthesizer, records)
    footer = f"{config.experiment_name}   ·   seed {records[0].key.seed}"
    contours = "below" if config.contours else "none"
    channels = len(records[0].all_channels)
    columns = config.columns if channels == 1 else channels
    draw_panels(panels, synthesizer.bank.scheme.target_names, path, columns, contours, footer)
    write_records(records, path.with_suffix(".json"))
    logger.info("%-16s %s", "contact sheet", path)
    logger.info("%-16s %s", "its parameters", path.with_suffix(".json"))


def caption(record: SynthesisParameters) -> str:
    """Two lines: which sample of which label map, and how it looks; how it was bent and acquired."""
    return f"{_source(record)}   {', '.join(_look(record))}\n{'   '.join(_measures(record))}"


def _source(record: SynthesisParameters) -> str:
    channel = f" channel {record.key.channel}" if record.key.channel else ""
    return f"{record.key.index}{channel}  {record.label_map.removesuffix('.gz').removesuffix('.nii')}"


def _look(record: SynthesisParameters) -> list[str]:
    if record.missing:
        return ["missing"]
    strip = record.skull_strip
    return [
        _contrast(record),
        f"{record.background} background",
        "whole head" if strip is None else f"stripped {round(strip.edge_offset_mm, 1) + 0.0:+.1f} mm",
    ]


def _facts(record: SynthesisParameters) -> list[str]:
    return [*_look(record), *_measures(record)]


def _contrast(record: SynthesisParameters) -> str:
    sequence = record.sequence
    if record.real is not None:
        return f"real {record.real.contrast}".strip()
    if sequence is None:
        return f"{record.mixture.source} contrast"
    return f"{sequence.contrast} {sequence.field_strength_t:g} T ({sequence.protocol})"


def _measures(record: SynthesisParameters) -> list[str]:
    acquisition, deformation = record.acquisition, record.deformation
    spacing = [factor * record.spacing_mm for factor in acquisition.spacing_voxels]
    measures = [_resolution(spacing)]
    intensity_range = 1.0 if record.gamma is not None else record.clip_max
    measures.append(f"noise {100 * acquisition.noise_std / intensity_range:.1f} %")
    if record.gamma is not None:
        measures.append(f"gamma {record.gamma:.2f}")
    if record.bias_field is not None:
        measures.append(f"bias {record.bias_field.std:.2f}")
    measures.append(f"warp {deformation.velocity_std_voxels * record.spacing_mm:.1f} mm")
    if deformation.flip:
        measures.append("flipped")
    return measures


def _resolution(spacing_mm: list[float]) -> str:
    if max(spacing_mm) - min(spacing_mm) < 0.05:
        return f"{spacing_mm[0]:.1f} mm"
    thick = max(range(3), key=lambda axis: spacing_mm[axis])
    return f"{spacing_mm[thick]:.1f} mm {PLANES[thick]} slices"


def _draw_records(config: PreviewConfig, synthesizer: Synthesizer) -> list[SynthesisParameters]:
    """Records from the file that ``parameters`` names, or the first ``n`` of the stream."""
    from otfsynth.data.sample_records import read_records
    from otfsynth.data.whole_heads import draw_record

    if config.parameters is not None:
        return read_records(Path(config.parameters).expanduser())
    return [draw_record(synthesizer, config.index + position, config.data.patch_size) for position in range(config.n)]


def _draw_strip(config: PreviewConfig, setting: str, base: Synthesizer, path: Path) -> None:
    """One sample at several values of a setting: the same streams of numbers and the same noise."""
    from otfsynth.config.sweeps import sweep
    from otfsynth.data.sample_records import write_records
    from otfsynth.data.whole_heads import draw_record
    from otfsynth.synthesis import Synthesizer
    from otfsynth.volumes.strips import draw_strip

    values, records, panels = [], [], []
    shown = -1 if setting.startswith("channels.") else 0  # what lies off the first is seen in another
    for value, synthesis in sweep(base.config, setting, config.sweep_values):
        synthesizer = Synthesizer(synthesis, base.bank, base.size, base.seed, base.threads)
        record = draw_record(synthesizer, config.index, config.data.patch_size)
        values.append(value)
        records.append(record)
        panels.append(_panels(synthesizer, [record])[shown])
    if len(panels) > 1 and all((panel.image == panels[0].image).all() for panel in panels):
        logger.warning("sweep=%s changes nothing in sample %d; try another index", setting, config.index)
    drawn = drawn_numbers(records)
    panels = [
        dataclasses.replace(panel, title=f"{_spelled(value, setting)}\n{number}")
        for panel, value, number in zip(panels, values, drawn, strict=True)
    ]
    channels = [record.all_channels[shown] for record in records]
    facts = [set(_facts(channel)) for channel in channels]
    common = [fact for fact in _facts(channels[0]) if all(fact in others for others in facts)]
    footer = [f"{_source(channels[0])}   seed {records[0].key.seed}", *common]
    draw_strip(panels, path, config.sweep_planes, config.sweep_width, setting, footer)
    write_records(records, path.with_suffix(".json"))
    logger.info("%-16s %s", "strip", path)
    logger.info("%-16s %s", "its parameters", path.with_suffix(".json"))


def drawn_numbers(records: list[SynthesisParameters]) -> list[str]:
    """For each record the one number in which they differ, e.g. ``gamma 1.31``; empty where there are several."""
    flat = [_flat(dataclasses.asdict(record)) for record in records]
    names = set(flat[0]).intersection(*flat[1:])
    differing = [name for name in names if len({numbers[name] for numbers in flat}) > 1]
    if len(differing) != 1:
        return [""] * len(records)
    (name,) = differing
    words = [part for part in name.split(".") if not part.isdigit()][-1].split("_")
    unit = f" {words.pop()}" if words[-1] in ("mm", "voxels") else ""
    return [f"{' '.join(words)} {numbers[name]:.3g}{unit}" for numbers in flat]


def _flat(values: Any, prefix: str = "") -> dict[str, float]:
    """Numbers of nested dictionaries and tuples under dotted names."""
    if isinstance(values, dict | tuple):
        items = values.items() if isinstance(values, dict) else enumerate(values)
        return {name: number for key, value in items for name, number in _flat(value, f"{prefix}.{key}").items()}
    return {prefix: float(values)} if isinstance(values, int | float) else {}


def _spelled(value: Any, setting: str) -> str:
    from otfsynth.config.sweeps import unit

    numbers = value if isinstance(value, list) else [value]
    return f"{' to '.join(f'{number:g}' for number in numbers)} {unit(setting)}".strip()


def _panels(synthesizer: Synthesizer, records: list[SynthesisParameters]) -> list[Panel]:
    """One panel a channel, those of a sample beside each other."""
    from otfsynth.volumes.figures import Panel

    panels = []
    for record in records:
        try:
            batch = synthesizer.render([record])
        except ValueError as error:
            raise ConfigurationError(f"parameters: {error}") from error
        target = batch.target[0, 0].numpy()
        for image, channel in zip(batch.image[0].numpy(), record.all_channels, strict=True):
            panels.append(Panel(image, target, title=caption(channel)))
    return panels


if __name__ == "__main__":
    run_command("preview", PreviewConfig, preview)
