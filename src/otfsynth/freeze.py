"""Write synthetic volumes to disk for nnU-Net: ``python -m otfsynth.freeze +experiment=lab2im n=500 output=DIR``.

On-the-fly training does without; frozen volumes serve comparisons, other programs and the study of image quality. Each
volume has its record beside it. An interrupted run, started again, writes only what is missing.
"""

from __future__ import annotations

import logging
from pathlib import Path

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.command import Job, run_command
from otfsynth.config.freeze import FreezeConfig

logger = logging.getLogger(__name__)


def freeze(config: FreezeConfig, job: Job) -> None:
    """Write the samples ``index`` to ``index + n - 1`` of the stream.

    Raises:
        InputError: something that the user gave can't be used, or the disk is full; finished volumes stay.
    """
    # Late, so that --help and a misspelt override answer at once: torch takes a second to import.
    from rich.progress import track

    from otfsynth.data.frozen import FrozenCase, write_dataset_json
    from otfsynth.data.loading import build_synthesizer
    from otfsynth.data.whole_heads import draw_record

    folder = job.folder / Path(config.output).expanduser()
    synthesizer = build_synthesizer(config)
    _check_same_prefix(folder, config.prefix)
    planned = {
        FrozenCase(folder, f"{config.prefix}_{index:06d}"): draw_record(synthesizer, index, config.data.patch_size)
        for index in range(config.index, config.index + config.n)
    }
    for case, record in planned.items():
        case.check_same_settings(record)

    channels = config.synthesis.channels
    kept = 0
    for case in track(planned, "writing volumes", disable=not config.trainer.progress):
        if case.is_complete(channels.count):
            kept += 1
        else:
            case.write(synthesizer.render([planned[case]]))
    count = len(list((folder / "labelsTr").glob("*.nii.gz")))
    description = f"otfsynth, {config.experiment_name}, seed {config.seed}, {len(synthesizer.bank)} label map(s)"
    several = [f"MRI {number}" for number in range(1, channels.count + 1)]
    names = channels.contrasts or (several if channels.count > 1 else ["MRI"])
    write_dataset_json(folder, synthesizer.bank.scheme, count, description, names)
    logger.info("%-16s %s (%d written, %d were there)", "frozen volumes", folder, config.n - kept, kept)


def _check_same_prefix(folder: Path, prefix: str) -> None:
    """Two runs into one folder would make a dataset of two experiments, unnoticed."""
    foreign = [path.name for path in (folder / "labelsTr").glob("*") if not path.name.startswith(f"{prefix}_")]
    if foreign:
        raise ConfigurationError(
            f"output={folder} holds other cases, such as '{sorted(foreign)[0]}'; give another folder, or their prefix"
        )


if __name__ == "__main__":
    run_command("freeze", FreezeConfig, freeze)
