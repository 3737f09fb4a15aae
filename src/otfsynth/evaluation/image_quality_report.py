"""Tables and report of the image-quality study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from otfsynth.evaluation import image_quality_plots as plots
from otfsynth.evaluation.image_quality import ROBUST_PERCENTILES
from otfsynth.evaluation.image_quality_scores import STATISTICS
from otfsynth.evaluation.image_quality_study import REAL, SYNTHETIC, QualityResult
from otfsynth.evaluation.report_metrics import contrast_name
from otfsynth.reports import Card, Column, Link, Page, Section, Table, write_page
from otfsynth.volumes import write_bytes_atomically

if TYPE_CHECKING:
    import pandas as pd

FILE_NAME = "report.html"
MOST_CARDS = 12
THESIS = {"T1w": (0.825, 18.24), "T2w": (0.811, 18.89)}
"""SSIM and PSNR (dB) of best matches among 500 frozen lab2im samples, real scans of OASIS-3."""
LIMITS = (
    "SSIM and PSNR compare voxel with voxel, but synthetic and real images show different heads: both say mostly how "
    "alike the outlines of two brains and their dark surroundings are, and even the best match is far from equal. They "
    "rank samples against one scan, and follow changes of the generative model on the same scans; they do not say how "
    "real an image looks, nor how well a network trained on it will do. For training, what counts is that the real "
    "scans lie inside the synthetic cloud."
)


def write_study(result: QualityResult, folder: Path, title: str, notes: tuple[str, ...] = ()) -> Path:
    """Write ``report.html``, ``images.csv``, ``pairs.csv``, ``best.csv``, ``histograms.csv`` and ``failures.csv``.

    Args:
        result: of the study.
        folder: made where it is missing.
        title: of the page.
        notes: sentences that a reader must know.

    Returns:
        Path of the page.
    """
    import pandas as pd

    best = result.best()
    tables = {"images": result.images, "pairs": result.pairs, "best": best, "histograms": _histogram_table(result)}
    if result.failures:
        tables["failures"] = pd.DataFrame(list(result.failures), columns=["kind", "image", "reason"])
    else:
        (folder / "failures.csv").unlink(missing_ok=True)
    for name, table in tables.items():
        write_bytes_atomically(folder / f"{name}.csv", table.to_csv(index=False).encode())
    counts = result.images["kind"].value_counts()
    subtitle = f"{counts[REAL]} real and {counts[SYNTHETIC]} synthetic images, {len(result.pairs)} pairs"
    sections = [
        *_failures(result, notes),
        Section("Best matches", "", (headline_table(result, best),)),
        Section("Is the real scan inside the synthetic cloud?", "", (coverage_table(result),)),
        Section("Intensities", pictures=(plots.histogram_plot(result), plots.statistics_plot(result))),
        Section("Likeness", pictures=(plots.likeness_plot(result), plots.scatter_plot(result))),
        _matches(result, best),
        Section("Every image", "", (image_table(result),)),
        Section("How to read this", f"{LIMITS}\n\n{_method(result)}"),
    ]
    return write_page(Page(title, subtitle, tuple(sections)), folder / FILE_NAME)


def headline_table(result: QualityResult, best: pd.DataFrame) -> Table:
    """Per contrast: likeness of best matches and of all pairs, the thesis's numbers beside."""
    columns = (
        Column("Contrast"),
        Column("Real scans", decimals=0),
        Column("SSIM, best match", decimals=3),
        Column("SD", decimals=3),
        Column("Thesis", decimals=3),
        Column("SSIM, all pairs", decimals=3),
        Column("PSNR, best match", "dB", 2),
        Column("SD", "dB", 2),
        Column("Thesis", "dB", 2),
        Column("Highest PSNR", "dB", 2),
        Column("SSIM in the foreground", decimals=3),
        Column("PSNR in the foreground", "dB", 2),
    )
    rows = []
    for contrast in plots.contrasts_of(result):
        own = best[best["contrast"].map(contrast_name) == contrast]
        pairs = result.pairs[result.pairs["contrast"].map(contrast_name) == contrast]
        ssim, psnr = THESIS.get(contrast, (None, None))
        numbers = (own["ssim"].mean(), own["ssim"].std(), ssim, pairs["ssim"].mean())
        decibels = (own["psnr_db"].mean(), own["psnr_db"].std(), psnr, own["highest_psnr_db"].mean())
        inside = (own["ssim_foreground"].mean(), own["psnr_foreground_db"].mean())
        rows.append((contrast, len(own), *numbers, *decibels, *inside))
    notes = (
        "Best match: of each real scan the synthetic image of highest SSIM over whole slices; means over scans. "
        "Thesis: best matches among 500 frozen lab2im samples on OASIS-3, prepared in another way: numbers of the same "
        "kind, but not of the same protocol."
    )
    return Table(columns, tuple(rows), "Likeness of best matches", notes)


def coverage_table(result: QualityResult) -> Table:
    """Per statistic and contrast: the real values, and how many of them the synthetic ones enclose."""
    synthetic = result.images[result.images["kind"] == SYNTHETIC]
    columns = (
        Column("Statistic"),
        Column("Contrast"),
        Column("Real, lowest", decimals=3),
        Column("Real, highest", decimals=3),
        Column("Synthetic, 5 %", decimals=3),
        Column("Synthetic, median", decimals=3),
        Column("Synthetic, 95 %", decimals=3),
        Column("Real inside", "%", 0),
    )
    rows = []
    for statistic in STATISTICS:
        low, middle, high = np.percentile(synthetic[statistic], (5, 50, 95))
        for contrast in plots.contrasts_of(result):
            chosen = (result.images["kind"] == REAL) & (result.images["contrast"].map(contrast_name) == contrast)
            real = result.images.loc[chosen, statistic].to_numpy(float)
            inside = 100.0 * float(np.mean((real >= low) & (real <= high)))
            rows.append((statistic.replace("_", " "), contrast, real.min(), real.max(), low, middle, high, inside))
    notes = "Inside: between the 5th and 95th percentile of the synthetic images. Intensities are normalised to [0, 1]."
    return Table(columns, tuple(rows), "Intensity statistics", notes)


def image_table(result: QualityResult) -> Table:
    """A row per image."""
    digits = {"foreground_ml": 0}
    statistics = tuple(Column(name.replace("_", " "), decimals=digits.get(name, 3)) for name in STATISTICS)
    columns = (Column("Image"), Column("Kind"), Column("Contrast"), *statistics)
    rows = tuple(tuple(row) for row in result.images.itertuples(index=False))
    return Table(columns, rows, "Intensity statistics of every image")


def _failures(result: QualityResult, notes: tuple[str, ...]) -> list[Section]:
    if not result.failures and not notes:
        return []
    columns = (Column("Kind"), Column("Image"), Column("Reason"))
    tables = (Table(columns, result.failures, "Left out"),) if result.failures else ()
    return [Section("To know first", "\n\n".join(notes), tables)]


def _matches(result: QualityResult, best: pd.DataFrame) -> Section:
    """Every scan with its best match; pictures of the first dozen, best first."""
    ordered = best.sort_values("ssim", ascending=False)
    cards = {}
    for row in ordered.head(MOST_CARDS).itertuples(index=False):
        text = f"{contrast_name(row.contrast)} · SSIM {row.ssim:.3f} · PSNR {row.psnr_db:.2f} dB"
        cards[row.real] = Card(str(row.real), plots.match_picture(str(row.real), result.matches[row.real]), (), text)
    columns = (
        Column("Real scan"),
        Column("Contrast"),
        Column("Best match"),
        Column("SSIM", decimals=3),
        Column("SSIM in the foreground", decimals=3),
        Column("PSNR", "dB", 2),
        Column("PSNR in the foreground", "dB", 2),
        Column("Highest PSNR", "dB", 2),
    )
    rows = tuple(
        (
            Link.to_card(cards[row.real]) if row.real in cards else row.real,
            contrast_name(row.contrast),
            row.synthetic,
            row.ssim,
            row.ssim_foreground,
            row.psnr_db,
            row.psnr_foreground_db,
            row.highest_psnr_db,
        )
        for row in ordered.itertuples(index=False)
    )
    return Section("Scan by scan", "", (Table(columns, rows, "Best match of each scan"),), cards=tuple(cards.values()))


def _method(result: QualityResult) -> str:
    preparation = result.preparation
    box = " x ".join(f"{extent:g}" for extent in preparation.box_mm)
    low, high = ROBUST_PERCENTILES
    scaling = (
        f"percentiles {low} and {high} of the foreground to 0 and 1, clipped"
        if preparation.normalization == "robust"
        else "smallest and largest value of the foreground to 0 and 1"
    )
    step = result.slice_step
    slices = "all axial slices" if step == 1 else f"one axial slice of {step}"
    return (
        f"Every image was turned to RAS, brought to cubic voxels of {preparation.spacing_mm:g} mm, cut to a box of "
        f"{box} mm around the centre of mass of its foreground, and scaled; nothing was registered. Scale: "
        f"{scaling}; 0 outside the foreground. SSIM: scikit-image, 7 x 7 uniform window, data range 1, mean over "
        f"{slices} with foreground. PSNR: peak 1, over the whole box. The CSV files beside this page hold every number."
    )


def _histogram_table(result: QualityResult) -> pd.DataFrame:
    """Columns kind, image, and one per bin, named after its lower edge."""
    import pandas as pd

    bins = len(next(iter(result.histograms.values())))
    edges = [f"{number / bins:.4f}" for number in range(bins)]
    rows = [(kind, name, *density) for (kind, name), density in result.histograms.items()]
    return pd.DataFrame(rows, columns=["kind", "image", *edges])
