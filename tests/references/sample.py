"""One whole sample, stage after stage."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import ndimage

from otfsynth.synthesis.parameters import SynthesisParameters
from tests.references.acquisition import scan
from tests.references.appearance import apply_gamma, bias_field, defaced, keep_mask, normalize
from tests.references.geometry import lookup, source_coordinates
from tests.references.lesions import lesion_parts, lesion_shares, pushed_aside
from tests.references.tissue import kept_signal, paint_tissues


def source_labels(parameters: SynthesisParameters, indices: np.ndarray) -> np.ndarray:
    """Generation-label index of every patch voxel, before any swap of sides."""
    return lookup(indices, source_coordinates(parameters.key, parameters.deformation, parameters.size))


def render(
    parameters: SynthesisParameters,
    indices: np.ndarray,
    brain_distance: np.ndarray,
    class_table: np.ndarray,
    target_table: np.ndarray,
    swap_indices: np.ndarray,
    soft: tuple[np.ndarray, np.ndarray] | None = None,
    scan_image: np.ndarray | None = None,
    brain_indices: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Image, float64, and target, uint8, both (x, y, z), of one parameter record on one label map.

    ``soft`` is a map of the second label indices and one of the first's share, ``scan_image`` the scan of a real pair.
    """
    key, size = parameters.key, parameters.size
    if parameters.skull_strip is not None and parameters.skull_strip.fluid is not None:
        assert brain_indices is not None
        around = np.where(brain_indices, np.arange(len(brain_indices)), parameters.skull_strip.fluid)
        class_table, target_table = class_table[around], target_table[around]
        parameters = dataclasses.replace(parameters, shell=None, shell_neck=None, background="fluid")
    source = pushed_aside(source_coordinates(key, parameters.deformation, size), parameters.mass_effect)
    found = lookup(indices, source)
    labels = swap_indices[found] if parameters.deformation.flip else found
    class_of_label = class_table[swap_indices] if parameters.deformation.flip else class_table
    targets = target_table[labels]
    hosts = targets
    lesions = [(part, lesion_shares(parameters, part, found, hosts, source)) for part in lesion_parts(parameters)]
    if parameters.lesion_labels is not None:
        targets = np.where(np.isin(found, parameters.lesion_labels.labels), parameters.lesion_labels.target, targets)
    mixed = None if soft is None else (class_of_label[soft[0]], soft[1])
    image = paint_tissues(parameters, class_of_label[indices], source, lesions, brain_distance, mixed)
    seen = np.ones(size, bool)
    if parameters.real is not None and scan_image is not None:
        gathered = ndimage.map_coordinates(scan_image, source, order=1, mode="nearest")
        image = gathered * kept_signal(parameters, source)
        seen = (gathered > 0) | (not parameters.real.masked)
    if parameters.bias_field is not None:
        image = image * bias_field(key, parameters.bias_field, size)
    keep = keep_mask(
        key,
        found,
        lookup(brain_distance, source),
        parameters.background,
        parameters.skull_strip,
        parameters.field_of_view,
    )
    keep &= seen
    if parameters.defacing is not None:
        keep &= ~defaced(key, parameters.defacing, source, lookup(brain_distance, source))
    image = scan(parameters, apply_gamma(image, parameters.clip_max, parameters.gamma, keep))
    for part, shares in lesions:
        if part.target is not None:
            targets = np.where(shares >= 0.5, part.target, targets)
    target = np.where(keep, targets, 0)
    return normalize(np.where(keep, image, 0.0), parameters.normalization), target.astype(np.uint8)
