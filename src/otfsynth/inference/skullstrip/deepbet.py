"""deepbet: the embedded skull-stripper, whose trained weights travel in its package (Fisch et al., 2024)."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from otfsynth.inference.preparation import from_canonical
from otfsynth.inference.skullstrip.stripper import SkullStripError, Stripper, finite, torch_device
from otfsynth.volumes import Volume, to_canonical

LOCK = threading.Lock()
"""deepbet keeps the bounding box of its current scan in its network object."""

REMEDY = (
    "install it (pip install deepbet), put HD-BET's weights where `otfsynth doctor` says, give brain masks "
    "(skullstrip=mask stripping.mask_folder=DIR), or strip the scan with a program of your own first"
)


class DeepBetStripper(Stripper):
    """Two small networks, one that finds the brain and one that outlines it.

    Args:
        device: ``auto`` or a device of torch.
        reason: why this stripper was chosen.
    """

    name = "deepbet"

    def __init__(self, device: str = "auto", reason: str = "deepbet, whose weights are in its package") -> None:
        self.device = torch_device(device)
        self.reason = reason
        self._extraction: Any = None

    def mask(self, volume: Volume, path: Path | None, case: str = "") -> np.ndarray:
        """The brain, see :class:`Stripper`."""
        name = case or volume.name
        data, affine = to_canonical(finite(volume.data), volume.affine)
        if np.ptp(data) == 0:
            raise SkullStripError(f"'{name}' is empty or constant: there is no brain in it")
        image = nib.Nifti1Image(np.ascontiguousarray(data), affine)
        with LOCK:
            network = self._network()
        try:
            with LOCK:
                _, found, _ = network.run(image)
        except (ValueError, AssertionError, IndexError, RuntimeError) as error:  # how deepbet says that nothing is left
            if isinstance(error, RuntimeError) and "greater than 0" not in str(error):
                raise  # no memory, for example; a box without voxels it is not
            raise SkullStripError(
                f"deepbet found no brain in '{name}'; is it a head? Give its mask (method=mask) or use method=hd-bet"
            ) from error
        return from_canonical(np.asarray(found.dataobj) > 0, volume.affine)

    def _network(self) -> Any:
        if self._extraction is None:
            try:
                import deepbet  # late: imports torch and pandas
            except ImportError as error:
                raise SkullStripError(
                    f"the scan has its skull, and deepbet can't be used ({error}); {REMEDY}"
                ) from error

            extraction = deepbet.BrainExtraction(no_gpu=True)  # by itself it would take any GPU that it finds
            extraction.model.to(self.device)
            extraction.bbox_model.to(self.device)
            self._extraction = extraction
        return self._extraction
