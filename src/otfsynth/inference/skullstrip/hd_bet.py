"""HD-BET 2 (Isensee et al., 2019): the reference among skull-strippers, where its weights are on this machine.

HD-BET is an nnU-Net. Its package loads the network; its own function for files is left alone, because it starts twelve
processes a scan, deletes files beside the mask and loses the sform. The network gets a RAS copy of the scan in memory
instead, by nnU-Net's own call, so that there are no files at all. What its import does to ``sys.stdout``, to torch's
threads and to the environment is undone.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from otfsynth.inference.preparation import from_canonical
from otfsynth.inference.skullstrip.stripper import SkullStripError, Stripper, finite, torch_device
from otfsynth.volumes import Volume, spacing_of, to_canonical

FILES = ("dataset.json", "plans.json", "fold_all/checkpoint_final.pth")
"""What HD-BET 2 reads from its weights folder."""
COMPILING = "nnUNet_compile"
"""Environment variable of nnU-Net that HD-BET sets."""


def missing_files(folder: str) -> list[str]:
    """Files that a weights folder lacks; none where it is complete."""
    return [file for file in FILES if not (Path(folder).expanduser() / file).is_file()]


class HdBetStripper(Stripper):
    """HD-BET's network with the weights of a folder.

    The checkpoint is unpickled by nnU-Net: take it from HD-BET's own record only.

    Args:
        weights: folder with :data:`FILES`.
        device: ``auto`` or a device of torch.
        tta: average over mirrored copies.
        reason: why this stripper was chosen.

    Raises:
        SkullStripError: files are missing or damaged; says where they come from and where they belong.
    """

    name = "hd-bet"

    def __init__(self, weights: str, device: str = "auto", tta: bool = False, reason: str = "") -> None:
        self.folder = Path(weights).expanduser()
        self.tta = tta
        self.reason = reason or f"HD-BET with the weights in '{weights}'"
        self._predictor: Any = None
        _check(weights)
        self.device = torch_device(device)

    def mask(self, volume: Volume, path: Path | None, case: str = "") -> np.ndarray:
        """The brain, see :class:`Stripper`."""
        name = case or volume.name
        data, affine = to_canonical(finite(volume.data), volume.affine)
        if np.ptp(data) == 0:
            raise SkullStripError(f"'{name}' is empty or constant: there is no brain in it")
        spacing = [float(size) for size in spacing_of(affine)[::-1]]
        network = self._network()
        with _contained():
            # nnU-Net's arrays are (channel, z, y, x)
            found = network.predict_single_npy_array(
                np.ascontiguousarray(data.transpose(2, 1, 0))[None], {"spacing": spacing}
            )
        mask = np.asarray(found).transpose(2, 1, 0) > 0
        if not mask.any():
            raise SkullStripError(f"HD-BET found no brain in '{name}'; is it a head? Give its mask (method=mask)")
        return from_canonical(mask, volume.affine)

    def _network(self) -> Any:
        if self._predictor is None:
            import torch

            try:
                with _contained():
                    from HD_BET import hd_bet_prediction

                    hd_bet_prediction.folder_with_parameter_files = str(self.folder)  # it knows one folder only
                    predictor = hd_bet_prediction.get_hdbet_predictor(self.tta, torch.device(self.device))
            except Exception as error:  # pickle, zip, JSON and torch raise a dozen kinds
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise SkullStripError(
                    f"HD-BET's weights in '{self.folder}' can't be used ({reason}); fetch them again from "
                    f"{weights_url()}, or use method=deepbet"
                ) from error
            predictor.allow_tqdm = False
            self._predictor = predictor
        return self._predictor


def weights_url() -> str:
    """The archive that HD-BET's package names."""
    from HD_BET.paths import ZENODO_DOWNLOAD_URL  # this module imports os alone

    return str(ZENODO_DOWNLOAD_URL)


def _check(weights: str) -> None:
    missing = missing_files(weights)
    folder = Path(weights).expanduser()
    if missing:
        raise SkullStripError(
            f"HD-BET's weights are not complete in '{weights}': {', '.join(missing)} missing. Unpack {weights_url()} "
            f"so that '{folder / FILES[-1]}' exists, or name the folder (stripping.hd_bet_weights=FOLDER); nothing is "
            "downloaded by itself. method=deepbet needs no such files"
        )
    for file in FILES[:2]:
        try:
            json.loads((folder / file).read_text())
        except (OSError, ValueError) as error:
            raise SkullStripError(f"'{folder / file}' is damaged; unpack {weights_url()} again") from error
    if not zipfile.is_zipfile(folder / FILES[-1]):  # a truncated download lacks the directory at its end
        raise SkullStripError(f"'{folder / FILES[-1]}' is damaged or truncated; unpack {weights_url()} again")


@contextmanager
def _contained() -> Iterator[None]:
    """Nothing printed, and every global that HD-BET and nnU-Net set is given back.

    HD-BET's import puts a file in the place of ``sys.stdout``, and then the terminal, whatever was there before.
    """
    import torch

    stdout, compiling = sys.stdout, os.environ.get(COMPILING)
    threads, benchmark = torch.get_num_threads(), torch.backends.cudnn.benchmark
    try:
        importlib.import_module("HD_BET.hd_bet_prediction")
        with redirect_stdout(StringIO()):
            yield
    finally:
        sys.stdout = stdout
        torch.set_num_threads(threads)
        torch.backends.cudnn.benchmark = benchmark
        if compiling is None:
            os.environ.pop(COMPILING, None)
        else:
            os.environ[COMPILING] = compiling
