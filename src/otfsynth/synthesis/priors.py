"""Intensity priors in the file format of lab2im and SynthSeg: ``.npy`` of shape (2, K), or (2 * contrasts, K)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.synthesis import MixtureConfig


@dataclass(frozen=True)
class IntensityPriors:
    """Per contrast and class, the two numbers of the distribution of means and of standard deviations.

    Args:
        means: (contrasts, 2, K); the pair is (low, high) of a uniform or (mean, std) of a normal distribution.
        stds: (contrasts, 2, K), likewise.
    """

    means: NDArray[np.float64]
    stds: NDArray[np.float64]


def load_priors(config: MixtureConfig, class_count: int) -> IntensityPriors | None:
    """Read the prior files of a configuration; None where it names none.

    Raises:
        ConfigurationError: a file is missing, is not of that format, or has another number of classes.
    """
    if config.prior_means is None or config.prior_stds is None:
        return None
    means = _load(config.prior_means, "prior_means", class_count)
    stds = _load(config.prior_stds, "prior_stds", class_count)
    if means.shape != stds.shape:
        raise ConfigurationError(
            f"synthesis.mixture.prior_means={config.prior_means} holds {len(means)} contrasts and "
            f"prior_stds={config.prior_stds} holds {len(stds)}; both need the same"
        )
    return IntensityPriors(means, stds)


def _load(path: str, field: str, class_count: int) -> NDArray[np.float64]:
    name = f"synthesis.mixture.{field}={path}"
    if not Path(path).is_file():
        raise ConfigurationError(f"{name}: no such file; give the path of a .npy of shape (2, {class_count})")
    try:
        table = np.load(path, allow_pickle=False).astype(np.float64)
    except (ValueError, OSError, EOFError) as error:
        raise ConfigurationError(f"{name} can't be read as .npy ({error}); save it with numpy.save") from error
    if table.ndim != 2 or table.shape[0] % 2 or table.shape[0] == 0:
        raise ConfigurationError(f"{name} has shape {table.shape}; expected (2, K) or (2 * contrasts, K)")
    if table.shape[1] != class_count:
        raise ConfigurationError(
            f"{name} is for {table.shape[1]} classes, the label scheme has {class_count}; "
            "use priors made for this scheme, or a scheme whose generation classes match them"
        )
    if not np.isfinite(table).all():
        raise ConfigurationError(f"{name} holds values that are not finite; mend the file")
    return table.reshape(-1, 2, class_count)
