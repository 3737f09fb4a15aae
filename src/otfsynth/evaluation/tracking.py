"""An evaluation in Weights & Biases: its summary and its tables."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from otfsynth.config.logger import LoggerConfig
from otfsynth.config.machine import has_wandb_key, wandb_mode
from otfsynth.evaluation.result import EvaluationResult

logger = logging.getLogger(__name__)


def log_to_wandb(result: EvaluationResult, config: LoggerConfig, folder: Path) -> bool:
    """Log a run of type ``evaluation`` where ``logger.run_name`` names one.

    Its summary has ``CONTRAST/LABEL/METRIC`` (means), its tables are those of the result. Without a key the run is
    written offline below ``folder``; a W&B that can't be reached costs a line, not the evaluation.

    Returns:
        Whether something was logged.
    """
    mode = wandb_mode(config.mode)
    if config.run_name is None or mode == "disabled":
        return False
    import wandb

    if mode == "offline":
        reason = "" if config.mode == "offline" or has_wandb_key() else " (no key found)"
        logger.info("W&B: offline%s; 'wandb sync %s/wandb/offline-run-*' sends the run", reason, folder)
        os.environ.setdefault("WANDB_SILENT", "true")
    try:
        run = wandb.init(
            project=config.project,
            entity=config.entity,
            group=config.group,
            name=config.run_name,
            tags=list(config.tags),
            job_type="evaluation",
            dir=folder,
            mode=mode,  # type: ignore[arg-type]
        )
    except wandb.errors.Error as error:
        logger.warning("W&B: nothing was logged (%s)", str(error).splitlines()[0])
        return False
    run.summary.update(_means(result))
    tables = {"summary": result.summary, "metrics": result.metrics, "comparison": result.comparison}
    tables["agreement"] = result.agreement
    run.log({name: wandb.Table(dataframe=table) for name, table in tables.items() if table is not None and len(table)})
    run.finish()
    wandb.teardown()  # waits until all is on disk, and leaves no settings behind for other runs of this process
    return True


def _means(result: EvaluationResult) -> dict[str, float]:
    if result.summary is None:
        return {"cases": 0}
    rows = result.summary.itertuples()
    means = {f"{row.contrast or 'scans'}/{row.label}/{row.metric}": float(row.mean) for row in rows}
    return {"cases": len(result.scored), "problems": len(result.problems), **means}
