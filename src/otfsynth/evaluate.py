"""Score segmentations against references: ``python -m otfsynth.evaluate predictions=DIR references=PATH output=DIR``.

Pairs by subject and session, else by name. Writes ``metrics.csv`` (every number), ``summary.csv`` (means with 95 %
intervals per contrast and structure), ``summary.json`` (nnU-Net's format) and ``report.html``; with several contrasts
of one session also how far they agree, with ``compare=OTHER/summary.json`` the paired differences.
"""

from __future__ import annotations

import logging
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from otfsynth.config.command import Job, run_command
from otfsynth.config.evaluate import EvaluateConfig
from otfsynth.config.saving import save_run_record

if TYPE_CHECKING:
    import pandas as pd

    from otfsynth.evaluation import EvaluationResult
    from otfsynth.evaluation.planning import EvaluationPlan

SOME_FAILED = 1

logger = logging.getLogger(__name__)


def evaluate(config: EvaluateConfig, job: Job) -> None:
    """Run an evaluation and write its results.

    Raises:
        InputError: something that the user gave can't be used.
        SystemExit: with 1, where cases could not be scored; everything else is written.
    """
    # Late, so that --help and a misspelt override answer at once
    from otfsynth.evaluation.planning import plan_evaluation
    from otfsynth.evaluation.running import run_evaluation
    from otfsynth.evaluation.tracking import log_to_wandb
    from otfsynth.networks.checkpoint import package_versions

    plan = plan_evaluation(config)
    folder = job.folder / Path(config.output).expanduser()
    save_run_record(config, package_versions(), folder)
    paired = f", {len(plan.pairing.pairs)} with a reference" if config.references else ""
    logger.info("%-16s %d%s", "predictions", len(plan.predictions), paired)
    for sentence in (*plan.notes, *plan.problems):
        logger.info("%-16s %s", "", sentence)
    result = run_evaluation(plan, config, folder)
    page = write_results(result, plan, config.title, folder)
    _print_dice(result)
    for note in result.notes[len(plan.notes) :]:
        logger.info("%s", note)
    log_to_wandb(result, config.logger, folder)
    logger.info("%-16s %s", "report", page)
    if result.problems:
        logger.error("%d problem(s), the others are scored; the report names them", len(result.problems))
        sys.exit(SOME_FAILED)


def write_results(result: EvaluationResult, plan: EvaluationPlan, title: str, folder: Path) -> Path:
    """Write tables, summary and report.

    Returns:
        Path of the report.
    """
    from otfsynth.evaluation.report import write_report
    from otfsynth.evaluation.summary_json import write_summary

    tables = {"summary": result.summary, "comparison": result.comparison, "agreement": result.agreement}
    if plan.pairing.pairs:
        tables["metrics"] = result.metrics
        write_summary(result.scored, result.confusion, folder / "summary.json")
    for name, table in tables.items():
        if table is not None:
            write_table(table, folder / f"{name}.csv")
    return write_report(result, folder, title, plan.rules)


def write_table(table: pd.DataFrame, path: Path) -> Path:
    """Write a CSV whole or not at all: every digit, undefined numbers as ``nan``, failures as ``inf``."""
    from otfsynth.volumes import write_bytes_atomically

    return write_bytes_atomically(path, table.to_csv(index=False, na_rep="nan").encode())


def _print_dice(result: EvaluationResult) -> None:
    if result.summary is not None:
        dice = result.summary[result.summary["metric"] == "dice"]
        for row in dice.itertuples():
            interval = "" if math.isnan(row.low) else f"  [{row.low:.3f}, {row.high:.3f}]"
            left_out = f"  {row.undefined} undefined" if row.undefined else ""
            logger.info(
                "%-8s %-12s Dice %.3f%s  n = %d%s", row.contrast, row.label, row.mean, interval, row.n, left_out
            )
    if result.agreement is not None:
        for label, values in result.agreement.groupby("label", sort=False)["dice"]:
            logger.info("%-8s %-12s Dice %.3f between contrasts", "", label, values.mean())


if __name__ == "__main__":
    run_command("evaluate", EvaluateConfig, evaluate)
