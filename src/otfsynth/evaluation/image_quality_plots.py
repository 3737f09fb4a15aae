"""The plots of the image-quality study, each with its caption and a text for who can't see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otfsynth.evaluation import figures
from otfsynth.evaluation.image_quality_study import REAL, SYNTHETIC, BestMatch, QualityResult
from otfsynth.evaluation.report_metrics import contrast_name, ordered_contrasts
from otfsynth.reports import Picture

if TYPE_CHECKING:
    import pandas as pd

STATISTIC_TITLES = {
    "mean": "Mean",
    "std": "Standard deviation",
    "skewness": "Skewness",
    "kurtosis": "Excess kurtosis",
    "entropy_bits": "Entropy (bits)",
    "foreground_ml": "Foreground (ml)",
}
LIKENESS_TITLES = {
    "ssim": "SSIM, whole slices",
    "ssim_foreground": "SSIM, foreground",
    "psnr_db": "PSNR, whole box (dB)",
    "psnr_foreground_db": "PSNR, foreground (dB)",
}
SYNTHETIC_COLOUR = 6
"""Number of the grey in :data:`otfsynth.evaluation.figures.COLOURS`; contrasts have the numbers before it."""
CLOUD_PERCENTILES = (5, 95)


def contrasts_of(result: QualityResult) -> list[str]:
    """Contrasts of the real images in their order."""
    return ordered_contrasts(result.images.loc[result.images["kind"] == REAL, "contrast"])


def histogram_plot(result: QualityResult) -> Picture:
    """A panel per contrast: the synthetic cloud and every real scan."""
    contrasts = contrasts_of(result)
    contrast_of = _real_contrasts(result)
    cloud = np.array([density for (kind, _), density in result.histograms.items() if kind == SYNTHETIC])
    centres = (np.arange(cloud.shape[1]) + 0.5) / cloud.shape[1]
    low, high = np.percentile(cloud, CLOUD_PERCENTILES, axis=0)
    rows, columns = figures.panel_grid(len(contrasts))
    figure, axes = figures.new_figure(rows, columns, 370, 280)
    for number, (one, contrast) in enumerate(zip(axes.flat, contrasts, strict=False)):
        grey = figures.COLOURS[SYNTHETIC_COLOUR]
        one.fill_between(
            centres, low, high, color=grey, alpha=0.25, linewidth=0, label="synthetic, 5th to 95th percentile"
        )
        one.plot(
            centres, np.median(cloud, axis=0), color=grey, linestyle="--", linewidth=1.4, label="synthetic, median"
        )
        real = [result.histograms[REAL, name] for name, other in contrast_of.items() if other == contrast]
        for position, density in enumerate(real):
            label = f"real ({len(real)})" if position == 0 else None
            one.plot(centres, density, color=_colour(number), linewidth=1.3, alpha=0.85, label=label)
        one.set_title(contrast, fontsize=11)
        one.set_xlabel("normalised intensity")
        one.set_xlim(0, 1)
        one.set_ylim(0, 1.25 * max(float(curve[1:-1].max()) for curve in (high, *real)))  # room for the legend
        one.legend(fontsize=8.5, frameon=False)
    for row in axes[:, 0]:
        row.set_ylabel("density")
    caption = (
        "Histograms of the foreground's normalised intensities. Grey: where the middle 90 % of the synthetic images "
        "lie, bin by bin. The first and last bin, which hold what is clipped, may leave the axes."
    )
    return Picture(
        figures.to_png(figure), caption, f"Histograms of synthetic images and of {', '.join(contrasts)} scans"
    )


def statistics_plot(result: QualityResult) -> Picture:
    """Distributions of the statistics, synthetic beside each contrast."""
    contrasts = contrasts_of(result)
    figure, axes = figures.new_figure(2, 3, max(370.0, 80.0 * (1 + len(contrasts))), 270)
    for one, (statistic, title) in zip(axes.flat, STATISTIC_TITLES.items(), strict=True):
        groups = [("synthetic", _values(result.images, SYNTHETIC, None, statistic), SYNTHETIC_COLOUR)]
        for number, contrast in enumerate(contrasts):
            groups.append((contrast, _values(result.images, REAL, contrast, statistic), _colour_number(number)))
        figures.draw_groups(one, groups)
        one.set_title(title, fontsize=11)
    caption = "Statistics of the foreground, a point an image; intensities are normalised to [0, 1]."
    return Picture(figures.to_png(figure), caption, "Intensity statistics of synthetic and real images")


def likeness_plot(result: QualityResult) -> Picture:
    """SSIM and PSNR by contrast: all pairs, and the best match of each scan."""
    contrasts = contrasts_of(result)
    best = result.best()
    figure, axes = figures.new_figure(2, 2, max(560.0, 150.0 * len(contrasts)), 290)
    for one, (measure, title) in zip(axes.flat, LIKENESS_TITLES.items(), strict=True):
        groups = []
        for number, contrast in enumerate(contrasts):
            for name, table in (("all pairs", result.pairs), ("best", best)):
                own = table[table["contrast"].map(contrast_name) == contrast]
                groups.append((f"{contrast}\n{name}", own[measure].to_numpy(float), _colour_number(number)))
        figures.draw_groups(one, groups)
        one.set_title(title, fontsize=11)
    caption = "Likeness of all pairs, and of each real scan with the synthetic image of highest SSIM (whole slices)."
    return Picture(figures.to_png(figure), caption, "SSIM and PSNR of all pairs and of best matches, by contrast")


def scatter_plot(result: QualityResult) -> Picture:
    """Mean against standard deviation of every image, SSIM against PSNR of every pair."""
    contrasts = contrasts_of(result)
    figure, axes = figures.new_figure(1, 2, 560, 340)
    moments, likenesses = axes[0]
    synthetic = result.images[result.images["kind"] == SYNTHETIC]
    figures.draw_points(moments, synthetic["mean"].to_numpy(), synthetic["std"].to_numpy(), SYNTHETIC_COLOUR)
    best = result.best()
    for number, contrast in enumerate(contrasts):
        real = result.images[
            (result.images["kind"] == REAL) & (result.images["contrast"].map(contrast_name) == contrast)
        ]
        figures.draw_points(moments, real["mean"].to_numpy(), real["std"].to_numpy(), _colour_number(number))
        pairs = result.pairs[result.pairs["contrast"].map(contrast_name) == contrast]
        figures.draw_points(likenesses, pairs["ssim"].to_numpy(), pairs["psnr_db"].to_numpy(), _colour_number(number))
    likenesses.scatter(
        best["ssim"], best["psnr_db"], s=90, facecolors="none", edgecolors=figures.INK, linewidths=1.2, zorder=4
    )
    moments.set(xlabel="mean intensity", ylabel="standard deviation")
    moments.set_title("Images", fontsize=11)
    likenesses.set(xlabel="SSIM, whole slices", ylabel="PSNR, whole box (dB)")
    likenesses.set_title("Pairs; best matches ringed", fontsize=11)
    entries = [("synthetic", SYNTHETIC_COLOUR), *((name, _colour_number(n)) for n, name in enumerate(contrasts))]
    figures.legend_below(figure, entries)
    caption = "Left: mean and spread of normalised intensities of every image. Right: both measures of every pair."
    return Picture(figures.to_png(figure), caption, "Scatter plots of intensity moments and of SSIM against PSNR")


def match_picture(name: str, match: BestMatch) -> Picture:
    """The middle planes of a real scan above those of its best match."""
    widths = [picture.shape[1] for picture in match.real_planes]
    figure, axes = figures.new_figure(2, 3, 172, 152, width_ratios=widths)
    for row, (title, planes) in enumerate((("real", match.real_planes), ("synthetic", match.synthetic_planes))):
        for column, picture in enumerate(planes):
            one = axes[row, column]
            one.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="bilinear")
            one.set_xticks([])
            one.set_yticks([])
            one.grid(False)
            for spine in one.spines.values():
                spine.set_visible(False)
        axes[row, 0].set_ylabel(title, fontsize=10)
    caption = f"Above {name}, below {match.synthetic}, as they were compared: sagittal, coronal and axial."
    return Picture(figures.to_png(figure), caption, f"Three planes of {name} and of its best match {match.synthetic}")


def _real_contrasts(result: QualityResult) -> dict[str, str]:
    real = result.images[result.images["kind"] == REAL]
    return dict(zip(real["image"], real["contrast"].map(contrast_name), strict=True))


def _values(images: pd.DataFrame, kind: str, contrast: str | None, statistic: str) -> np.ndarray:
    chosen = images["kind"] == kind
    if contrast is not None:
        chosen &= images["contrast"].map(contrast_name) == contrast
    return images.loc[chosen, statistic].to_numpy(float)


def _colour_number(contrast: int) -> int:
    """Of the position of a contrast; the grey of synthetic images is left out."""
    return contrast % SYNTHETIC_COLOUR


def _colour(contrast: int) -> str:
    return figures.COLOURS[_colour_number(contrast)]
