"""``index.html`` of a run: failures, volumes, and a card per case, the worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from otfsynth.inference.quality import Quality
from otfsynth.inference.records import CaseRecord
from otfsynth.reports import Card, Column, Link, Page, Picture, Section, Table, write_page

ORDER = (
    "Cases are sorted by their score, the worst first: 0 has no warning and no doubt, every warning adds 1 to 5. "
    "Warnings say what to look at, not that it is wrong; docs/predict.md has the limits and their reasons."
)
CONTOURS = "Upper row: the scan in three planes. Lower row: the same with the outlines of the segmentation."


def write_index(
    path: Path,
    judged: Sequence[Quality],
    records: Sequence[CaseRecord],
    failures: Mapping[str, str],
    skipped: Sequence[str],
    target_names: Sequence[str],
    footer: str,
) -> None:
    """Write the page.

    Args:
        path: the HTML file, in the output folder.
        judged: all cases of the folder, the worst first.
        records: of the same cases.
        failures: one sentence by case that has no result.
        skipped: one sentence per file that was left out.
        target_names: background first.
        footer: how the results were made.
    """
    by_case = {record.case: record for record in records}
    pairs = [(quality, by_case[quality.case]) for quality in judged]
    cards = tuple(_card(quality, record, path.parent) for quality, record in pairs)
    sections = []
    if failures:
        sections.append(_failures(failures))
    if skipped:
        left_out = Table((Column("Reason"),), tuple((sentence,) for sentence in skipped))
        sections.append(Section("Files left out", tables=(left_out,)))
    if pairs:
        sections.append(_volumes(pairs, cards, target_names[1:]))
        sections.append(Section("Cases", CONTOURS, cards=cards))
    flagged = sum(bool(quality.warnings) for quality in judged)
    subtitle = f"{len(judged)} segmented, {flagged} with warnings, {len(failures)} failed"
    write_page(Page("Brain segmentations", subtitle, tuple(sections), footer), path)


def _failures(failures: Mapping[str, str]) -> Section:
    table = Table((Column("Case"), Column("Reason")), tuple(failures.items()))
    return Section("Cases that failed", "These scans have no result.", tables=(table,))


def _volumes(pairs: Sequence[tuple[Quality, CaseRecord]], cards: Sequence[Card], names: Sequence[str]) -> Section:
    columns = [Column("Case"), Column("Contrast"), Column("Score", decimals=2)]
    columns += [Column(name, "ml", 1) for name in names]
    columns += [Column(f"{name} by probability", "ml", 1) for name in names]
    columns += [Column("Uncertainty", decimals=3), Column("Warnings")]
    rows = []
    for (quality, record), card in zip(pairs, cards, strict=True):
        measures = record.measures
        volumes_ml = [volume / 1000 for volume in (*measures.volumes_mm3, *measures.soft_volumes_mm3)]
        start = (Link.to_card(card), record.contrast, quality.score)
        rows.append((*start, *volumes_ml, measures.entropy, "; ".join(quality.warnings)))
    return Section("Volumes", ORDER, tables=(Table(tuple(columns), tuple(rows)),))


def _card(quality: Quality, record: CaseRecord, folder: Path) -> Card:
    measures = record.measures
    volumes = ", ".join(
        f"{name} {volume / 1000:.0f} ml"
        for name, volume in zip(record.target_names[1:], measures.volumes_mm3, strict=True)
    )
    picture = Picture(
        folder / record.picture,
        f"{record.volumes[0]}",
        f"Sagittal, coronal and axial slice of {record.case} with the outlines of {', '.join(record.target_names[1:])}",
    )
    who = ", ".join(part for part in (record.subject, record.session, record.contrast) if part)
    text = f"{who + '. ' if who else ''}{volumes}. Uncertainty {measures.entropy:.3f}, score {quality.score:.2f}."
    return Card(record.case, picture, quality.warnings, f"{text}\n\nSkull-stripping {measures.stripping}.")
