"""Painting: label tables, smooth fields and mask of one sample, handed to the one pass over its voxels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from otfsynth.kernels.structs import STRUCTS
from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.rendering import stages, tissue
from otfsynth.synthesis.rendering.buffers import Buffers
from otfsynth.synthesis.rendering.cut import fluid_around
from otfsynth.synthesis.rendering.launching import Launcher, no_field, random_key
from otfsynth.synthesis.rendering.lesions import lesions, mass_effect
from otfsynth.synthesis.rendering.shell import shell
from otfsynth.synthesis.rendering.tables import LabelTables
from otfsynth.synthesis.rendering.visibility import Visibility
from otfsynth.synthesis.sampling import LabelMapLike


def paint(
    launch: Launcher,
    parameters: SynthesisParameters,
    label_map: LabelMapLike,
    labels: int,
    tables: LabelTables,
    source: NDArray[np.void],
    cut: NDArray[np.void],
    visibility: Visibility,
    inhabited: NDArray[np.void],
    buffers: Buffers,
) -> None:
    """Fill image, target and, where voxels are cut away, mask; target alone where nothing can be seen.

    ``labels`` is the address of the labels to look up, ``source`` the lattice of source coordinates, ``cut`` what
    decides about the mask.
    """
    tables = tables.surrounded_by(fluid_around(parameters))
    launch(
        "Paint",
        look_up=_look_up(launch, parameters, label_map, labels, tables),
        brain_distance=label_map.brain_distance.data_ptr(),
        image=buffers.image,
        target=buffers.target,
        mask=buffers.mask,
        statistics=buffers.row_statistics,
        source=source,
        bias=_bias(launch, parameters),
        key=random_key(parameters.key, stages.MIXTURE),
        size_=parameters.size,
        clip_max=parameters.clip_max,
        region=visibility.region(parameters.size[1], (False, False, False)),
        inhabited=inhabited,
        cut=cut,
        **tissue.sub_voxels(parameters),
        **tissue.subclasses(launch, parameters),
        **tissue.texture(launch, parameters),
        **tissue.heterogeneity(launch, parameters, tables),
        **_signal_loss(parameters),
        **lesions(launch, parameters, tables),
        **mass_effect(parameters),
        **shell(launch, parameters),
        **_inputs(parameters, label_map),
    )


def _look_up(
    launch: Launcher, parameters: SynthesisParameters, label_map: LabelMapLike, labels: int, tables: LabelTables
) -> NDArray[np.void]:
    """The map and what its labels look like."""
    flip, keep = parameters.deformation.flip, launch.workspace.keep
    struct = np.zeros((), STRUCTS["LookUp"])
    struct["labels"], struct["map_shape"] = labels, tuple(label_map.indices.shape)
    struct["means"] = keep(tissue.mean_tables(parameters, tables))
    struct["stds"] = keep(tables.by_class(np.array(parameters.mixture.stds), flip))
    struct["targets"] = keep(tables.targets(flip, parameters.lesion_labels))
    return struct


def _inputs(parameters: SynthesisParameters, label_map: LabelMapLike) -> dict[str, Any]:
    """What a map has beside its labels: a scan, or the second label of each voxel."""
    if parameters.real is not None:
        assert label_map.image is not None
        return {"real": np.array((label_map.image.data_ptr(), parameters.real.masked), STRUCTS["Paint"]["real"])}
    if label_map.second is None or label_map.share is None:
        return {}
    return {"soft": np.array((label_map.second.data_ptr(), label_map.share.data_ptr()), STRUCTS["Paint"]["soft"])}


def _bias(launch: Launcher, parameters: SynthesisParameters) -> NDArray[np.void]:
    bias = parameters.bias_field
    if bias is None:
        return no_field()
    return launch.noise_rows("bias", parameters.size, parameters.key, stages.BIAS, bias.std, bias.spacing_voxels)


def _signal_loss(parameters: SynthesisParameters) -> dict[str, Any]:
    """Gaussian blobs, in voxels of the label map."""
    loss = parameters.signal_loss
    if loss is None:
        return {}
    struct = np.zeros((), STRUCTS["Paint"]["signal_loss"])
    count = len(loss.depths)
    struct["centres"].reshape(3, -1)[:, :count] = np.transpose(loss.centres_voxels)
    struct["falls"][:count] = np.log2(np.e) / (2.0 * np.square(loss.radii_voxels))
    struct["depths"][:count] = loss.depths
    struct["count"] = count
    return {"signal_loss": struct}
