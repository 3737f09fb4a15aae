"""The report of an evaluation: one HTML page of tables, plots and worst cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from otfsynth.evaluation import report_tables as tables
from otfsynth.evaluation.overlap import IGNORED
from otfsynth.evaluation.report_cases import MOST_CARDS, worst_cards
from otfsynth.evaluation.report_metrics import contrast_name, ordered_contrasts
from otfsynth.evaluation.report_plots import agreement_plot, confusion_plot, distribution_plots, volume_plot
from otfsynth.evaluation.result import EvaluationResult
from otfsynth.evaluation.scoring import ScoringRules
from otfsynth.evaluation.targets import TargetMap
from otfsynth.reports import Card, Column, Page, Section, Table, write_page

FILE_NAME = "report.html"


def write_report(result: EvaluationResult, folder: Path, title: str, rules: ScoringRules | None = None) -> Path:
    """Write ``report.html`` and the pictures it links to.

    Args:
        result: what to show; parts that it lacks are left out.
        folder: made where it is missing; overlays of the worst cases go to ``overlays/`` in it.
        title: of the page.
        rules: how the cases were scored, for the overlays; ``None`` where all files hold target values.

    Returns:
        Path of the page.
    """
    cards = worst_cards(result, folder, rules or _plain_rules(result.label_names))
    sections = [_problems(result), _headline(result)]
    if len(result.metrics):
        distributions = distribution_plots(result)
        sections.append(Section("Distributions", pictures=distributions))
        sections.append(_details(result))
        sections += _volumes_and_confusion(result)
    sections += _comparisons(result)
    if result.scored:
        sections.append(_cases(result, cards))
    sections.append(_definitions(result))
    kept = tuple(section for section in sections if section is not None)
    return write_page(Page(title, _subtitle(result), kept), folder / FILE_NAME)


def _plain_rules(label_names: tuple[str, ...]) -> ScoringRules:
    values = {value: value for value in range(len(label_names))} | {IGNORED: IGNORED}
    return ScoringRules(label_names, TargetMap(values, "reference_labels"), TargetMap(values, "prediction_labels"))


def _subtitle(result: EvaluationResult) -> str:
    counts = Counter(contrast_name(case.contrast) for case in result.scored)
    contrasts = ", ".join(f"{name} {counts[name]}" for name in ordered_contrasts(counts))
    cases = f"{len(result.scored)} case{'s' * (len(result.scored) != 1)} scored"
    parts = [f"{cases} ({contrasts})" if contrasts else cases, f"structures: {', '.join(result.label_names[1:])}"]
    if result.problems:
        parts.append(f"{len(result.problems)} not scored")
    return " · ".join(parts)


def _problems(result: EvaluationResult) -> Section | None:
    if not result.problems:
        return None
    table = Table((Column("What was wrong"),), tuple((problem,) for problem in result.problems))
    return Section("Not scored", "These cases are in none of the numbers below.", (table,))


def _headline(result: EvaluationResult) -> Section | None:
    table = tables.headline_table(result)
    return None if table is None or not table.rows else Section("Overlap", "", (table,))


def _details(result: EvaluationResult) -> Section | None:
    summary = tables.summary_table(result)
    means = tables.metric_tables(result)
    text = "Means over the cases of a contrast, then every number with its interval."
    return None if summary is None else Section("All metrics", text, (*means, summary))


def _volumes_and_confusion(result: EvaluationResult) -> list[Section]:
    parts = (("Volumes", volume_plot(result)), ("Confusion", confusion_plot(result)))
    return [Section(title, pictures=(picture,)) for title, picture in parts if picture is not None]


def _comparisons(result: EvaluationResult) -> list[Section]:
    sections = []
    if result.comparison is not None:
        sections.append(Section("Comparison", "", (tables.comparison_table(result.comparison, result),)))
    if result.agreement is not None and len(result.agreement):
        text = (
            "Predictions of several contrasts of one brain compared with each other; no reference is needed for this."
        )
        table = tables.agreement_table(result.agreement)
        sections.append(Section("Cross-contrast agreement", text, (table,), (agreement_plot(result),)))
    return sections


def _cases(result: EvaluationResult, cards: Mapping[str, Card]) -> Section:
    which = f"The {MOST_CARDS} cases of lowest mean Dice" if len(result.scored) > MOST_CARDS else "The cases"
    text = f"{which} are pictured below the table, the worst first." if cards else ""
    return Section("Cases", text, (tables.case_table(result, cards),), cards=tuple(cards.values()))


def _definitions(result: EvaluationResult) -> Section:
    return Section("Definitions", "\n\n".join(result.notes), (tables.definition_table(result),))
