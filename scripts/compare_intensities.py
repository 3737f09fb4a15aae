"""Do real scans look like samples? ``python scripts/compare_intensities.py`` compares tissues, gradients and noise.

Real scans have labels of GM, WM and CSF and are measured, nothing else. They come from a list with the columns
image,label,contrast, or from the developers' data folder. Samples are whole heads, drawn afresh. Written are a table of
all images, the share of real scans inside the synthetic cloud by contrast, the ranges of every statistic, and a plot.

    python scripts/compare_intensities.py --label-maps MAPS --real scans.csv --labels 1=CSF 2=GM 3=WM --output realism
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import intensity_report
from otfsynth.config.checks import InputError
from otfsynth.config.compose import compose
from otfsynth.config.preview import PreviewConfig
from otfsynth.data.loading import build_synthesizer
from otfsynth.data.validation import ValidationCase
from otfsynth.data.whole_heads import draw_record
from otfsynth.evaluation.image_quality import ImageQualityError
from otfsynth.evaluation.image_quality_study import REAL, SYNTHETIC
from otfsynth.evaluation.intensity_statistics import STATISTICS, TISSUES, measure_intensities
from otfsynth.evaluation.point_cloud import NEIGHBOURS
from otfsynth.volumes import Grid, resample_to_grid, resample_to_spacing
from real_scans import developers_scans, listed_scans

COLUMNS = ("image", "kind", "group", *STATISTICS)
"""``group`` is the contrast of a scan, or the engine that drew the contrast of a sample."""


def main() -> int:
    """Measure, write and print; 1 where a scan could not be measured. A sample that shows nothing is only named."""
    arguments = parse_arguments()
    bad_scans: list[str] = []
    bad_samples: list[str] = []
    try:
        cases = real_cases(arguments)
        rows = list(measured(real_images(cases, arguments.spacing_mm), bad_scans))
        if not rows:
            raise InputError("not a single real scan can be measured:\n" + "\n".join(bad_scans))
        rows += measured(samples(arguments), bad_samples)
        images = pd.DataFrame(rows, columns=list(COLUMNS))
        intensity_report.write(images, arguments.output, title(arguments))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    for problem in (*bad_scans, *bad_samples):
        print(f"left out: {problem}", file=sys.stderr)
    return 1 if bad_scans else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--real", type=Path, help="CSV list with the columns image,label,contrast")
    source.add_argument("--shared", type=Path, help="the developers' data folder")
    parser.add_argument(
        "--labels",
        nargs="+",
        default=["1=GM", "2=WM", "3=CSF"],
        help="of --real; VALUE=GM, WM, CSF or 0 (not measured)",
    )
    parser.add_argument("--label-maps", default="embedded", help="as data.label_maps; by default the embedded ones")
    parser.add_argument("--experiment", default="randomized", help="name in conf/experiment")
    parser.add_argument("--n", type=int, default=200, help="samples")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--spacing-mm", type=float, default=1.0, help="edge of the voxels at which all are measured")
    parser.add_argument("--output", type=Path, default=Path("realism"), help="folder")
    arguments = parser.parse_args()
    if arguments.n <= NEIGHBOURS:
        parser.error(f"--n {arguments.n}: a cloud needs more than {NEIGHBOURS} samples")
    return arguments


def real_cases(arguments: argparse.Namespace) -> Iterable[ValidationCase]:
    if arguments.shared is not None:
        return developers_scans(arguments.shared)
    return listed_scans(arguments.real, parse_labels(arguments.labels))


def parse_labels(pairs: Iterable[str]) -> dict[int, int]:
    """Position of the tissue (from 1 on) of each label, of pairs such as ``3=WM``."""
    targets = {"0": 0} | {tissue: value for value, tissue in enumerate(TISSUES, start=1)}
    found = {}
    for pair in pairs:
        label, _, tissue = pair.partition("=")
        if not label.isdecimal() or tissue not in targets:
            raise InputError(f"--labels {pair} is not VALUE=TISSUE with a tissue of {', '.join(TISSUES)} or 0")
        found[int(label)] = targets[tissue]
    return found


Image = tuple[str, str, str, np.ndarray, np.ndarray, float]
"""Name, kind, group, intensities, tissues and spacing of one image to measure."""


def measured(images: Iterable[Image], problems: list[str]) -> Iterator[tuple[object, ...]]:
    """Rows of the table; what can't be measured is said in ``problems``."""
    for name, kind, group, image, tissues, spacing_mm in images:
        try:
            statistics = measure_intensities(image, tissues, spacing_mm, name)
        except ImageQualityError as error:
            problems.append(str(error))
            continue
        yield (name, kind, group, *(statistics[column] for column in STATISTICS))


def real_images(cases: Iterable[ValidationCase], spacing_mm: float) -> Iterator[Image]:
    """Scans on cubic voxels, blurred where they get coarser, with the nearest label."""
    for case in cases:
        image, affine = resample_to_spacing(case.image, case.affine, spacing_mm)
        x, y, z = image.shape
        tissues = resample_to_grid(case.reference, case.affine, Grid((x, y, z), affine), order=0)
        # Linear interpolation smears the 0 outside; a voxel that is nearest to it is outside
        imaged = resample_to_grid((case.image != 0).astype(np.uint8), case.affine, Grid((x, y, z), affine), order=0)
        tissues[(imaged == 0) | (tissues > len(TISSUES))] = 0
        yield case.scan.name, REAL, case.scan.contrast, image, tissues, spacing_mm


def samples(arguments: argparse.Namespace) -> Iterator[Image]:
    """Whole heads, rendered one by one."""
    config = compose([f"+experiment={arguments.experiment}"], "preview", PreviewConfig)
    data = dataclasses.replace(config.data, label_maps=arguments.label_maps, spacing_mm=arguments.spacing_mm)
    trainer = dataclasses.replace(config.trainer, progress=False)
    synthesizer = build_synthesizer(dataclasses.replace(config, data=data, trainer=trainer, seed=arguments.seed))
    names = list(synthesizer.bank.scheme.target_names)
    lookup = np.array([TISSUES.index(name) + 1 if name in TISSUES else 0 for name in names], np.uint8)
    for index in range(arguments.n):
        record = draw_record(synthesizer, index, None)
        batch = synthesizer.render([record])
        tissues = lookup[batch.target[0, 0].numpy()]
        image = batch.image[0, 0].numpy()
        yield f"sample {index}", SYNTHETIC, record.mixture.source, image, tissues, arguments.spacing_mm


def title(arguments: argparse.Namespace) -> str:
    return f"{arguments.n} samples of {arguments.experiment}, seed {arguments.seed}, {arguments.spacing_mm:g} mm"


if __name__ == "__main__":
    sys.exit(main())
