"""Make a model to give away: ``python -m otfsynth.export checkpoint=RUN/checkpoints/best.ckpt output=FOLDER``.

The folder holds the weights in half precision (``model.safetensors``), all that is needed to use them (``model.json``)
and a model card. It is accepted wherever a checkpoint is.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.command import Job, run_command
from otfsynth.config.export import ExportConfig

if TYPE_CHECKING:
    from otfsynth.models.history import RunHistory
    from otfsynth.networks import Checkpoint

logger = logging.getLogger(__name__)


def export(config: ExportConfig, job: Job) -> None:
    """Write a model folder.

    Raises:
        InputError: the checkpoint, a run or a report can't be used, or the folder holds a model already.
    """
    # Late, so that --help and a misspelt override answer at once
    from otfsynth.models.card import limits, render_card
    from otfsynth.models.plain_paths import without_folders
    from otfsynth.models.results import find_reports, read_report
    from otfsynth.models.shipped import MOST_MEGABYTES
    from otfsynth.networks import load_checkpoint
    from otfsynth.networks.model_folder import CARD, is_model_folder, read_description, write_model_folder
    from otfsynth.volumes import write_bytes_atomically

    folder = job.folder / Path(config.output).expanduser()
    if is_model_folder(folder) and not config.overwrite:
        raise ConfigurationError(f"output={config.output} holds a model already; give another, or overwrite=true")
    results = [read_report(path) for path in find_reports(config.reports)]
    source = Path(config.checkpoint).expanduser()
    checkpoint = load_checkpoint(source)
    runs = _runs(config, source, checkpoint)
    before = read_description(source) if is_model_folder(source) else {}
    checkpoint = replace(checkpoint, config=without_folders(checkpoint.config))
    about = {
        "training": _training(config, checkpoint, runs, before.get("training", {})),
        "results": results or before.get("results", []),
        "limits": [*limits(checkpoint.config, checkpoint.scheme), *config.limits],
        "licence": config.licence,
        "notes": config.notes,
    }
    description = write_model_folder(checkpoint, folder, config.model_name, config.version, about)
    targets = checkpoint.scheme.target_names
    words = {
        "label_scheme_targets": targets[1:],
        "label_scheme_values": ", ".join(f"{value} {name}" for value, name in enumerate(targets)),
    }
    write_bytes_atomically(folder / CARD, render_card(description | words).encode())
    weights = description["weights"]
    megabytes = weights["bytes"] / 1e6
    logger.info("%-16s %s %s, step %d", "model", config.model_name, config.version, checkpoint.step)
    logger.info("%-16s %d, %.1f MB, %s", "parameters", weights["parameters"], megabytes, weights["sha256"])
    if megabytes > MOST_MEGABYTES:
        logger.warning("the package itself can ship at most %g MB", MOST_MEGABYTES)
    logger.info("%-16s %s", "written to", folder)


def _runs(config: ExportConfig, source: Path, checkpoint: Checkpoint) -> list[RunHistory]:
    """The runs that are named, or the one that the checkpoint lies in; the last one until the checkpoint's step."""
    from otfsynth.models.history import find_run, read_run

    own = find_run(source)
    folders = config.runs or ([str(own)] if own is not None else [])
    last = len(folders) - 1
    return [read_run(folder, checkpoint.step if index == last else None) for index, folder in enumerate(folders)]


def _training(
    config: ExportConfig, checkpoint: Checkpoint, runs: list[RunHistory], before: dict[str, Any]
) -> dict[str, Any]:
    """What the card says of the training, plain data; ``before`` is what a model said that is exported anew."""
    settings = checkpoint.config
    optimizer = settings.get("optimizer", {})
    chosen = ("name", "learning_rate", "schedule", "ema_decay")
    hours = [run.hours for run in runs if run.hours is not None]
    hardware = f"hardware preset {settings.get('hardware', {}).get('name', 'not recorded')}"
    label_maps = str(settings.get("data", {}).get("label_maps", "not recorded"))
    told = {
        "data": config.anatomies or before.get("data") or label_maps,
        "machine": config.machine or before.get("machine") or hardware,
        "optimiser": ", ".join(f"{name} {optimizer[name]}" for name in chosen if name in optimizer) or "not recorded",
    }
    if not runs and before.get("runs"):
        return {**told, "hours": before["hours"], "runs": before["runs"]}
    return {**told, "hours": sum(hours) if hours else None, "runs": [asdict(run) for run in runs]}


if __name__ == "__main__":
    run_command("export", ExportConfig, export)
