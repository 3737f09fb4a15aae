"""How a report writes the metrics: titles, units, digits and definitions; the order of contrasts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from otfsynth.evaluation.result import ALL_CONTRASTS

CONTRAST_ORDER = ("T1w", "T2w", "FLAIR")
UNKNOWN_CONTRAST = "unknown"


@dataclass(frozen=True)
class MetricStyle:
    """One metric of the long table as a reader sees it; ``scale`` turns the table's unit into the shown one."""

    title: str
    definition: str
    unit: str = ""
    decimals: int = 3
    scale: float = 1.0

    @property
    def label(self) -> str:
        """Title with unit, for axes."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


STYLES = {
    "dice": MetricStyle(
        "Dice", "2 TP / (2 TP + FP + FN) over voxels; 1 is perfect, 0 where one side lacks the structure."
    ),
    "iou": MetricStyle("IoU", "TP / (TP + FP + FN) over voxels, also called Jaccard index."),
    "precision": MetricStyle("Precision", "TP / (TP + FP): share of the predicted voxels that are right."),
    "recall": MetricStyle("Recall", "TP / (TP + FN): share of the reference's voxels that were found."),
    "hd95_mm": MetricStyle(
        "HD95",
        "95 % Hausdorff distance: the larger of both directions' smallest distance that 95 % of the surface does not "
        "exceed. Infinite where only one side has the structure.",
        "mm",
        2,
    ),
    "assd_mm": MetricStyle(
        "ASSD",
        "Average symmetric surface distance: mean distance to the other surface, over both surfaces together. Infinite "
        "where only one side has the structure.",
        "mm",
        2,
    ),
    "surface_dice_1mm": MetricStyle(
        "Surface Dice, 1 mm", "Share of both surfaces that lies within 1 mm of the other one; 0 where one is missing."
    ),
    "volume_mm3": MetricStyle("Volume", "Volume of the structure in the prediction.", "ml", 1, 1e-3),
    "reference_volume_mm3": MetricStyle("Reference volume", "Volume of the structure in the reference.", "ml", 1, 1e-3),
    "relative_volume_error": MetricStyle(
        "Volume error",
        "(predicted - reference volume) / reference volume; negative is too small, infinite without the structure in "
        "the reference.",
        "%",
        1,
        100.0,
    ),
}


def style_of(metric: str) -> MetricStyle:
    """Style of a metric; its own name for those not listed."""
    return STYLES.get(metric, MetricStyle(metric, ""))


def contrast_name(contrast: object) -> str:
    """The contrast, or a word for an empty one."""
    return contrast if isinstance(contrast, str) and contrast else UNKNOWN_CONTRAST


def ordered_contrasts(contrasts: Iterable[object]) -> list[str]:
    """Names without repetition: T1w, T2w, FLAIR, others by alphabet, the unknown one, and all together last."""
    late = (UNKNOWN_CONTRAST, ALL_CONTRASTS)

    def place(name: str) -> tuple[int, str]:
        if name in CONTRAST_ORDER:
            return CONTRAST_ORDER.index(name), ""
        return len(CONTRAST_ORDER) + (1 + late.index(name) if name in late else 0), name

    return sorted({contrast_name(contrast) for contrast in contrasts}, key=place)
