"""Fair scores against references that call only the ventricles CSF, as IBSR's do.

Such a reference draws grey matter over the sulci and leaves the fluid around the brain unlabelled, so a prediction that
finds the fluid there is punished for being right. The rules used here for IBSR:

1. predicted CSF inside the reference's grey matter counts as grey matter;
2. predicted CSF in brain that the reference leaves unlabelled counts neither for nor against;
3. the Dice of CSF is taken near the reference's ventricles only, within 5 mm of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from otfsynth.evaluation.overlap import IGNORED
from otfsynth.evaluation.scores import CaseScores, score_labels

VENTRICLE_REACH_MM = 5.0
"""Far enough to see a ventricle that is drawn too wide, too near to reach most sulci."""


def with_sulcal_csf_as_gm(prediction: np.ndarray, reference: np.ndarray, gm: int, csf: int) -> np.ndarray:
    """Rule 1: predicted CSF becomes grey matter where the reference says grey matter.

    Args:
        prediction: target values (x, y, z).
        reference: target values of the same shape.
        gm: target value of grey matter.
        csf: target value of CSF.

    Returns:
        A changed copy of ``prediction``.
    """
    return np.where((prediction == csf) & (reference == gm), prediction.dtype.type(gm), prediction)


def without_unlabelled_csf(
    prediction: np.ndarray, reference: np.ndarray, csf: int, brain: np.ndarray | None = None
) -> np.ndarray:
    """Rule 2: voxels that the reference leaves unlabelled and the prediction calls CSF are left out.

    Args:
        prediction: target values (x, y, z).
        reference: target values of the same shape, 0 where unlabelled.
        csf: target value of CSF.
        brain: bool (x, y, z), where the rule holds; CSF predicted outside counts as wrong. By default everywhere.

    Returns:
        A copy of ``reference`` with 255 at those voxels.
    """
    left_out = (prediction == csf) & (reference == 0)
    if brain is not None:
        left_out &= brain
    return np.where(left_out, reference.dtype.type(IGNORED), reference)


def only_near(
    reference: np.ndarray, label: int, spacing_mm: Sequence[float] | np.ndarray, reach_mm: float = VENTRICLE_REACH_MM
) -> np.ndarray:
    """Rule 3: leave out what is farther than ``reach_mm`` from a label of the reference.

    Distances are Euclidean, between centres of voxels, a distance of exactly ``reach_mm`` included.

    Args:
        reference: target values (x, y, z).
        label: target value, e.g. of the ventricles.
        spacing_mm: voxel size per axis.
        reach_mm: what counts as near.

    Returns:
        A copy of ``reference`` with 255 elsewhere; all of it where the reference lacks the label.
    """
    present = reference == label
    near = np.zeros(reference.shape, bool)
    if present.any():
        margin = [int(np.ceil(reach_mm / size)) for size in spacing_mm]
        (box,) = ndimage.find_objects(present.astype(np.uint8))
        reach = tuple(
            slice(max(extent.start - more, 0), extent.stop + more) for extent, more in zip(box, margin, strict=True)
        )
        near[reach] = ndimage.distance_transform_edt(~present[reach], sampling=spacing_mm) <= reach_mm
    return np.where(near, reference, reference.dtype.type(IGNORED))


def score_ventricles_only(
    prediction: np.ndarray,
    reference: np.ndarray,
    spacing_mm: Sequence[float] | np.ndarray,
    label_count: int,
    gm: int,
    csf: int,
    brain: np.ndarray | None = None,
) -> CaseScores:
    """:func:`otfsynth.evaluation.scores.score_labels` under the three rules.

    All numbers of CSF, its distances and volumes included, are those near the reference's ventricles; the confusion
    matrix and the other structures come from the whole volume.

    Args:
        prediction: target values (x, y, z).
        reference: target values, 255 where voxels do not count.
        spacing_mm: voxel size per axis.
        label_count: target values, background included.
        gm: target value of grey matter.
        csf: target value of CSF.
        brain: as in :func:`without_unlabelled_csf`.
    """
    changed = with_sulcal_csf_as_gm(prediction, reference, gm, csf)
    fair = without_unlabelled_csf(changed, reference, csf, brain)
    whole = score_labels(changed, fair, spacing_mm, label_count)
    near = score_labels(changed, only_near(fair, csf, spacing_mm), spacing_mm, label_count, labels=(csf,))
    return CaseScores(whole.confusion, {**whole.metrics, csf: near.metrics[csf]})
