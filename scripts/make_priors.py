"""Write ``conf/priors/t1w_SCHEME_{means,stds}.npy`` from one table of T1-weighted intensities by class name.

The figures are round numbers for a T1-weighted gradient-echo scan (MPRAGE) whose white matter lies near 170 on
the 0-255 scale of lab2im. They order tissues as such scans do; they were not estimated from any data set.

    python scripts/make_priors.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from otfsynth.labels import LabelScheme

FOLDER = Path(__file__).resolve().parents[1] / "conf" / "priors"
SCHEMES = ("freesurfer", "synthseg", "tissue")
# class: (mean, its standard deviation between scans, standard deviation inside the class, its standard deviation)
T1W = {
    "background": (5, 3, 3, 1.5),
    "GM": (115, 12, 15, 4),
    "WM": (170, 10, 9, 3),
    "CSF": (45, 12, 15, 5),
    "other": (110, 40, 40, 15),
    "grey matter": (115, 12, 15, 4),
    "white matter": (170, 10, 9, 3),
    "cerebral white matter": (172, 10, 9, 3),
    "cerebral cortex": (114, 12, 15, 4),
    "cerebellar white matter": (166, 11, 10, 3),
    "cerebellar cortex": (112, 13, 15, 4),
    "ventricles": (38, 10, 10, 4),
    "lateral ventricles": (38, 10, 10, 4),
    "third ventricle": (48, 12, 14, 5),
    "fourth ventricle": (48, 12, 14, 5),
    "sulcal CSF": (50, 14, 20, 6),
    "thalamus": (143, 11, 13, 4),
    "caudate": (124, 12, 12, 4),
    "putamen": (133, 11, 11, 4),
    "pallidum": (153, 11, 9, 3),
    "brain stem": (155, 11, 12, 4),
    "hippocampus and amygdala": (117, 11, 13, 4),
    "accumbens area": (122, 12, 12, 4),
    "ventral diencephalon": (150, 12, 16, 5),
    "vessel": (95, 35, 25, 10),
    "choroid plexus": (80, 18, 22, 7),
    "optic chiasm": (105, 22, 25, 8),
    "white-matter hypointensities": (128, 18, 16, 6),
    "non-white-matter hypointensities": (100, 20, 16, 6),
    "white-matter lesion": (128, 18, 16, 6),
    "artery": (140, 50, 35, 15),
    "vein": (75, 30, 25, 10),
    "eyes": (40, 15, 18, 7),
    "soft tissue": (95, 25, 35, 12),
    "rectus muscles": (95, 20, 20, 8),
    "mucosa": (105, 25, 30, 10),
    "skin": (130, 35, 45, 15),
    "spinal cord": (150, 15, 14, 5),
    "cortical bone": (25, 10, 15, 6),
    "cancellous bone": (120, 40, 40, 14),
    "optic nerve": (115, 20, 22, 8),
}


def main() -> None:
    """Write the files of every shipped scheme."""
    FOLDER.mkdir(exist_ok=True)
    for name in SCHEMES:
        table = np.array([T1W[class_name] for class_name in LabelScheme.load(name).class_names], np.float32).T
        np.save(FOLDER / f"t1w_{name}_means.npy", table[:2])
        np.save(FOLDER / f"t1w_{name}_stds.npy", table[2:])
        print(f"{name}: {table.shape[1]} classes")


if __name__ == "__main__":
    main()
