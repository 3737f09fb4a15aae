"""The study itself: every synthetic image against every real one, one in memory at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from otfsynth.config.checks import InputError
from otfsynth.evaluation.image_quality import ImageQualityError, Preparation, PreparedImage, prepare
from otfsynth.evaluation.image_quality_scores import STATISTICS, Likeness, histogram, intensity_statistics, likeness

if TYPE_CHECKING:
    import pandas as pd

REAL, SYNTHETIC = "real", "synthetic"
IMAGE_COLUMNS = ("image", "kind", "contrast", *STATISTICS)
PAIR_COLUMNS = ("real", "contrast", "synthetic", *(field.name for field in dataclasses.fields(Likeness)))


@dataclass(frozen=True)
class LoadedImage:
    """An image as read or rendered; ``region`` narrows its foreground."""

    data: np.ndarray
    affine: np.ndarray
    region: np.ndarray | None = None


@dataclass(frozen=True)
class ImageSource:
    """An image that is loaded when its turn comes.

    Args:
        name: unique among those of its kind.
        contrast: of a real scan; what a group of synthetic images is called.
        load: reads or renders it, or raises :class:`InputError`.
    """

    name: str
    contrast: str
    load: Callable[[], LoadedImage]


@dataclass(frozen=True)
class BestMatch:
    """The synthetic image with the highest SSIM to a real one; sagittal, coronal and axial planes of both."""

    synthetic: str
    ssim: float
    real_planes: tuple[np.ndarray, ...]
    synthetic_planes: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class QualityResult:
    """What the study found.

    Args:
        images: a row an image, columns :data:`IMAGE_COLUMNS`.
        pairs: a row a pair, columns :data:`PAIR_COLUMNS`.
        histograms: density over [0, 1] of each image, by kind and name.
        matches: of each real image.
        preparation: how images were made comparable.
        failures: images that could not be used: kind, name and reason.
        slice_step: every so many axial slices entered the SSIM.
    """

    images: pd.DataFrame
    pairs: pd.DataFrame
    histograms: dict[tuple[str, str], np.ndarray]
    matches: dict[str, BestMatch]
    preparation: Preparation
    failures: tuple[tuple[str, str, str], ...]
    slice_step: int = 1

    def best(self) -> pd.DataFrame:
        """Of each real image the pair of highest SSIM, and ``highest_psnr_db`` over all of its pairs."""
        grouped = self.pairs.groupby("real", sort=False)
        rows = self.pairs.loc[grouped["ssim"].idxmax()].reset_index(drop=True)
        return rows.assign(highest_psnr_db=grouped["psnr_db"].max().to_numpy())


@dataclass
class _Collected:
    images: list[tuple[object, ...]] = field(default_factory=list)
    pairs: list[tuple[object, ...]] = field(default_factory=list)
    histograms: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    matches: dict[str, BestMatch] = field(default_factory=dict)
    failures: list[tuple[str, str, str]] = field(default_factory=list)


def compare_images(
    real: Iterable[ImageSource],
    synthetic: Iterable[ImageSource],
    preparation: Preparation,
    folder: Path,
    bins: int = 64,
    slice_step: int = 1,
    threads: int = 1,
) -> QualityResult:
    """Prepare and compare images.

    Args:
        real: scans; the prepared ones lie in ``folder`` meanwhile, about 32 MB each at 1 mm.
        synthetic: each is loaded once, compared with every real one, and forgotten.
        preparation: the common space and range.
        folder: for temporary files.
        bins: of the histograms.
        slice_step: every so many axial slices enter the SSIM.
        threads: pairs that are compared at once.

    Raises:
        ImageQualityError: no real or no synthetic image could be used.
    """
    import pandas as pd

    found = _Collected()
    stored: dict[str, tuple[str, PreparedImage]] = {}
    for source in real:
        prepared = _take(source, REAL, preparation, bins, found)
        if prepared is not None:
            stored[source.name] = (source.contrast, _store(prepared, folder / str(len(stored))))
    if not stored:
        raise ImageQualityError("no real image can be used:\n" + _listing(found.failures))
    with ThreadPoolExecutor(threads) as pool:  # SciPy's filters let other threads run
        for source in synthetic:
            prepared = _take(source, SYNTHETIC, preparation, bins, found)
            if prepared is not None:
                compare = partial(likeness, second=prepared, slice_step=slice_step)
                likenesses = pool.map(compare, (other for _, other in stored.values()))
                for (name, (contrast, other)), alike in zip(stored.items(), likenesses, strict=True):
                    found.pairs.append((name, contrast, source.name, *dataclasses.astuple(alike)))
                    _keep_best(found.matches, name, other, source.name, prepared, alike.ssim)
    if not found.pairs:
        raise ImageQualityError("no synthetic image can be used:\n" + _listing(found.failures))
    images = pd.DataFrame(found.images, columns=list(IMAGE_COLUMNS))
    pairs = pd.DataFrame(found.pairs, columns=list(PAIR_COLUMNS))
    return QualityResult(images, pairs, found.histograms, found.matches, preparation, tuple(found.failures), slice_step)


def _take(
    source: ImageSource, kind: str, preparation: Preparation, bins: int, found: _Collected
) -> PreparedImage | None:
    """Load, prepare and measure an image; ``None``, and a failure noted, where it can't be used."""
    try:
        loaded = source.load()
        prepared = prepare(loaded.data, loaded.affine, preparation, source.name, loaded.region)
    except InputError as error:
        found.failures.append((kind, source.name, str(error)))
        return None
    statistics = intensity_statistics(prepared, preparation.spacing_mm)
    found.images.append((source.name, kind, source.contrast, *(statistics[name] for name in STATISTICS)))
    found.histograms[kind, source.name] = histogram(prepared, bins)
    return prepared


def _store(prepared: PreparedImage, stem: Path) -> PreparedImage:
    """The same image, read from disk where it is needed."""
    arrays = []
    for name, array in (("image", prepared.image), ("foreground", prepared.foreground)):
        path = stem.with_name(f"{stem.name}_{name}.npy")
        np.save(path, array)
        arrays.append(np.load(path, mmap_mode="r"))
    return PreparedImage(*arrays)


def _keep_best(
    matches: dict[str, BestMatch], name: str, real: PreparedImage, synthetic: str, image: PreparedImage, ssim: float
) -> None:
    if name not in matches or ssim > matches[name].ssim:
        matches[name] = BestMatch(synthetic, ssim, _planes(real.image), _planes(image.image))


def _planes(image: np.ndarray) -> tuple[np.ndarray, ...]:
    """Middle slices of the box, as uint8 pictures: sagittal, coronal, axial."""
    from otfsynth.volumes.figures import grey_levels, plane

    return tuple(grey_levels(plane(np.asarray(image), axis, image.shape[axis] // 2), (0.0, 1.0)) for axis in range(3))


def _listing(failures: list[tuple[str, str, str]]) -> str:
    return "\n".join(f"  {reason}" for _, _, reason in failures) or "  none was given"
