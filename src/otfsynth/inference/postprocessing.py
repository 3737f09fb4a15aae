"""Tidying of label maps: small islands removed, holes closed."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from otfsynth.volumes import bounding_box

TOUCHING = np.ones((3, 3, 3), bool)
"""Voxels that share a face, an edge or a corner are one island."""


def keep_largest_component(labels: np.ndarray) -> np.ndarray:
    """Labels of the largest island of labelled voxels, whatever their labels; the other islands become background.

    Shape: uint8 (x, y, z) -> uint8 (x, y, z).
    """
    if not labels.any():
        return labels
    box = bounding_box(labels > 0)
    islands, count = ndimage.label(labels[box] > 0, TOUCHING)
    if count < 2:
        return labels
    sizes = np.bincount(islands.ravel())[1:]
    kept = np.zeros_like(labels)
    kept[box] = np.where(islands == 1 + sizes.argmax(), labels[box], 0)
    return kept


def largest_share(labels: np.ndarray) -> float:
    """Share of the labelled voxels in the largest island; NaN where nothing is labelled."""
    if not labels.any():
        return float("nan")
    box = bounding_box(labels > 0)
    sizes = np.bincount(ndimage.label(labels[box] > 0, TOUCHING)[0].ravel())[1:]
    return float(sizes.max() / sizes.sum())


def fill_holes(labels: np.ndarray) -> np.ndarray:
    """Background that labelled voxels enclose takes the label of its nearest labelled voxel.

    Shape: uint8 (x, y, z) -> uint8 (x, y, z).
    """
    if not labels.any():
        return labels
    box = bounding_box(labels > 0)
    inside = labels[box]
    holes, _ = ndimage.label(ndimage.binary_fill_holes(inside > 0) & (inside == 0))
    filled = labels.copy()
    for index, place in enumerate(ndimage.find_objects(holes), start=1):
        around = tuple(slice(max(extent.start - 1, 0), extent.stop + 1) for extent in place)
        hole, near = holes[around] == index, inside[around]
        nearest = ndimage.distance_transform_edt(near == 0, return_distances=False, return_indices=True)
        filled[box][around][hole] = near[tuple(nearest)][hole]
    return filled
