"""Segment real scans with trained networks: ``python -m otfsynth.predict input=scan.nii.gz output=out``.

``checkpoint=FILE`` names networks of your own; without it the model that comes with the package is used. Every scan
gets a label map on its own grid; ``index.html`` shows them all, the ones to look at first. A scan that can't be
segmented is reported by name, and the others go on; the exit code is then 1.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otfsynth.config.checks import ConfigurationError, InputError
from otfsynth.config.command import Job, run_command
from otfsynth.config.predict import PredictConfig

if TYPE_CHECKING:
    import torch

    from otfsynth.data.scan import Scan
    from otfsynth.data.scans import ScanList
    from otfsynth.inference.ensemble import Ensemble
    from otfsynth.inference.output_names import OutputNames
    from otfsynth.inference.records import CaseRecord
    from otfsynth.inference.segmenter import ScanSegmenter
    from otfsynth.inference.skullstrip import Stripper

RESULT_SETTINGS = ("space", "tta", "tta_scales", "overlap", "fluid_rim_mm", "keep_largest_component", "fill_holes")
"""Settings that change label maps, besides those of skull-stripping: with others, resuming does results again."""

logger = logging.getLogger(__name__)


def predict(config: PredictConfig, job: Job) -> None:
    """Segment all scans, then exit with 1 where some failed.

    Raises:
        InputError: no scans, no usable checkpoint, or the skull-stripper lacks something; nothing was done.
    """
    # Late, so that --help and a misspelt override answer at once
    from otfsynth.data.heads import find_heads
    from otfsynth.inference.cases import run_cases
    from otfsynth.inference.ensemble import Ensemble
    from otfsynth.inference.skullstrip import choose_stripper
    from otfsynth.models import shipped_model

    output = Path(config.output).expanduser()
    ensemble = Ensemble.load(config.checkpoints or str(shipped_model()))
    found = find_heads(config.input, config.input_layout, ensemble.channels_named(config.channels))
    stripper = choose_stripper(config.skullstrip, config.stripping)
    run = _Run(config, found, ensemble, stripper, output)
    run.start()
    outcome = run_cases(found.scans, run.work, "segmenting", config.progress, run.results.failures)
    try:
        run.finish(outcome.failures)
    except (InputError, OSError) as error:
        logger.error("%s", error)
        sys.exit(1)
    if outcome.failures:
        sys.exit(outcome.exit_code)


class _Run:
    """One run over a list of scans: what they share, and what is written of them."""

    def __init__(
        self, config: PredictConfig, found: ScanList, ensemble: Ensemble, stripper: Stripper, output: Path
    ) -> None:
        from otfsynth.inference.results import Results

        self.config = config
        self.found = found
        self.ensemble = ensemble
        self.stripper = stripper
        self.output = output
        self.device = _device(config.device)
        self.fingerprint = _fingerprint(config, ensemble, stripper)
        self.names = ensemble.target_names
        self.results = Results(output, self.fingerprint, self.names)
        self.kept = 0
        self._segmenter: ScanSegmenter | None = None
        _check_outputs(found, self.names, output)

    def start(self) -> None:
        """Say what will be done, and write what is known beforehand."""
        from otfsynth.inference.cases import log_channels, log_left_out
        from otfsynth.inference.output_names import BIDS_LAYOUTS
        from otfsynth.inference.outputs import write_dataset_description, write_label_table
        from otfsynth.volumes import remove_abandoned_parts

        log_left_out(self.found.skipped)
        logger.info("%-16s %d, layout %s", "scans", len(self.found.scans), self.found.layout)
        if self.ensemble.input_channels > 1:
            log_channels(self.found.scans)
        logger.info("%-16s %s", "skull-stripping", self.stripper.reason)
        for path, described in zip(self.ensemble.paths, self.ensemble.described, strict=True):
            named = f"{described}, which comes with otfsynth" if not self.config.checkpoints else described
            logger.info("%-16s %s", "model" if described else "checkpoint", f"{named}: {path}" if named else path)
        logger.info("%-16s %s, %s, %s", "network", self.device, self._precision(), self._copies())
        remove_abandoned_parts(self.output)
        write_label_table(self.output, self.names)
        if self.found.layout in BIDS_LAYOUTS:
            models = ", ".join(filter(None, self.ensemble.described))
            write_dataset_description(self.output, self.found.root, f"with the model {models}" if models else "")
        others = self.results.otherwise_made() - {scan.case for scan in self.found.scans}
        if others:
            logger.warning(
                "'%s' holds %d case(s) of other checkpoints or settings; the tables leave them out",
                self.output,
                len(others),
            )

    def work(self, scan: Scan) -> None:
        """Segment one scan and write all that belongs to it; its record comes last."""
        from otfsynth.inference.case_picture import draw_case
        from otfsynth.inference.cases import start_over
        from otfsynth.inference.output_names import output_names
        from otfsynth.inference.outputs import record_of, write_description, write_volumes

        config = self.config
        names = output_names(scan, self.found.layout, self.names, config.space_mm)
        masks = self.stripper.sources(scan.path, scan.case)
        if config.resume and self._keep(scan, names, masks):
            return
        start_over([*names.files(self.output), self.results.failures.path(scan.case)], [*scan.files, *masks])
        if self._segmenter is None:
            self._segmenter = self._build_segmenter()
        segmented = self._segmenter(scan)
        volumes = write_volumes(segmented, names, self.output, config.save_mask, config.space_mm is None)
        if names.description is not None:
            write_description(self.output / names.description, scan, self.found.root, config.space_mm)
        draw_case(segmented, scan.case, self.names, self.output / names.picture)
        record = record_of(scan, segmented, names, volumes, self.fingerprint, self.names, masks)
        record.write(self.output / names.record)
        self.results.write_volumes()
        _log_case(record)

    def finish(self, failures: dict[str, str]) -> None:
        """Write the tables, the page and what the run was made with."""
        from otfsynth.inference.cases import report_failures
        from otfsynth.inference.outputs import write_json

        if self.kept:
            logger.info("%-16s %d case(s) were done already", "resumed", self.kept)
        about = self._about()
        write_json(self.output / "run.json", about)
        used = ", ".join(
            f"{described or f'checkpoint {path}'} ({digest[:12]})"
            for described, path, digest in zip(
                self.ensemble.described, self.ensemble.paths, self.ensemble.digests, strict=True
            )
        )
        footer = f"otfsynth {about['versions']['otfsynth']}, {used}"
        self.results.write_all(failures, self.found.skipped, footer)
        logger.info("%-16s %s", "volumes", self.output / "volumes.csv")
        logger.info("%-16s %s", "to look at", self.output / "index.html")
        report_failures(failures, len(self.found.scans), self.output)

    def _keep(self, scan: Scan, names: OutputNames, masks: tuple[Path, ...]) -> bool:
        """Whether a case is done already; its record then counts as this run's."""
        from otfsynth.inference.cases import explanation
        from otfsynth.inference.records import CaseRecord, why_not_done

        record = CaseRecord.read(self.output / names.record)
        config = self.config
        try:
            reason = why_not_done(record, scan, masks, self.fingerprint, self.output, config.space_mm is None)
        except Exception as error:  # of the scan: found again when it is read
            reason = explanation(error)
        wanted = [names.labels, *(names.probabilities if config.save_probabilities else ())]
        wanted += [names.mask] if config.save_mask and config.space_mm is None else []
        if record is not None and not reason and not {path.as_posix() for path in wanted} <= set(record.volumes):
            reason = "more files are wanted now"
        if reason or record is None:
            if record is not None:
                logger.info("%s is done again: %s", scan.case, reason)
            return False
        self.kept += 1
        return True

    def _build_segmenter(self) -> ScanSegmenter:
        """Built when the first scan needs it: a finished run resumes without its networks."""
        import torch

        from otfsynth.inference.segmenter import ScanSegmenter, SegmentationOptions

        config = self.config
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        predictor = self.ensemble.predictor(
            self.device,
            config.overlap,
            self.ensemble.mirror_axes if config.tta else (),
            config.batch_size,
            self._precision(),
            config.max_tile,
            config.fluid_rim_mm,
            config.tta_scales if config.tta else (),
        )
        options = SegmentationOptions(
            config.skullstrip,
            config.space_mm,
            config.keep_largest_component,
            config.fill_holes,
            config.save_probabilities,
        )
        return ScanSegmenter(predictor, self.stripper, options)

    def _copies(self) -> str:
        mirrored = bool(self.ensemble.mirror_axes)
        if not self.config.tta or not (mirrored or self.config.tta_scales):
            return "no copies"
        if not self.config.tta_scales:
            return "averaged with the mirror image"
        scales = " and ".join(f"{scale:g}" for scale in self.config.tta_scales)
        return f"averaged with {'mirrored ' if mirrored else ''}copies of {scales} times the size"

    def _precision(self) -> str:
        from otfsynth.networks.precision import choose_precision

        return choose_precision(self.config.precision, self.device.type)

    def _about(self) -> dict[str, Any]:
        from otfsynth.networks.checkpoint import package_versions

        checkpoints = zip(self.ensemble.paths, self.ensemble.digests, self.ensemble.checkpoints, strict=True)
        return {
            "configuration": dataclasses.asdict(self.config),
            "checkpoints": [
                {
                    "path": str(path),
                    "sha256": digest,
                    "step": checkpoint.step,
                    "model": checkpoint.name or None,
                    "version": checkpoint.version or None,
                }
                for path, digest, checkpoint in checkpoints
            ],
            "shipped_model": not self.config.checkpoints,
            "targets": list(self.names),
            "device": str(self.device),
            "precision": self._precision(),
            "copies": self._copies(),
            "skull_stripper": self.stripper.reason,
            "layout": self.found.layout,
            "versions": package_versions(),
        }


def _device(wanted: str) -> torch.device:
    import torch

    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(wanted)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigurationError(f"device={wanted}: there are {torch.cuda.device_count()} CUDA GPU(s); use device=cpu")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ConfigurationError(f"device={wanted}: this machine has no MPS device; use device=cpu")
    return device


def _fingerprint(config: PredictConfig, ensemble: Ensemble, stripper: Stripper) -> str:
    """Hexadecimal digest of what decides about the label maps."""
    from otfsynth.inference.skullstrip import what_decides

    settings: dict[str, Any] = {name: getattr(config, name) for name in RESULT_SETTINGS}
    settings["stripping"] = what_decides(config.skullstrip, config.stripping, stripper)
    contents = {"checkpoints": sorted(ensemble.digests), "tile": ensemble.tile, **settings}
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()


def _check_outputs(found: ScanList, target_names: tuple[str, ...], output: Path) -> None:
    from otfsynth.inference.output_names import BIDS_LAYOUTS, colliding_names
    from otfsynth.inference.outputs import check_dataset

    if found.layout in BIDS_LAYOUTS:
        check_dataset(output)
    collisions = colliding_names(found.scans, found.layout, target_names)
    if collisions:
        path, cases = next(iter(collisions.items()))
        raise ConfigurationError(
            f"{', '.join(cases)} would all be written to '{path}'; give them one by one, or input_layout=folder"
        )


def _log_case(record: CaseRecord) -> None:
    from otfsynth.inference.quality import own_warnings

    names = record.target_names[1:]
    volumes = "  ".join(
        f"{name} {volume / 1000:.0f} ml" for name, volume in zip(names, record.measures.volumes_mm3, strict=True)
    )
    warnings = ", ".join(concern.text for concern in own_warnings(record.measures, names))
    logger.info("%s: %s%s", record.case, volumes, f"  look at: {warnings}" if warnings else "")


if __name__ == "__main__":
    run_command("predict", PredictConfig, predict)
