"""Frozen samples: synthetic volumes on disk in nnU-Net's raw layout, each with the record that renders it again.

``imagesTr/CASE_0000.nii.gz`` (and ``_0001`` ... for further channels), ``labelsTr/CASE.nii.gz``,
``records/CASE.json`` and ``dataset.json``. The record is written last and vouches for the others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from otfsynth.config.checks import ConfigurationError
from otfsynth.labels import LabelScheme
from otfsynth.synthesis import SynthesisParameters, SyntheticBatch
from otfsynth.volumes import VolumeError, read_volume, write_bytes_atomically, write_volume

SUFFIX = ".nii.gz"


@dataclass(frozen=True)
class FrozenCase:
    """Where the files of one sample are.

    Args:
        folder: of the dataset.
        name: of the case, without channel and suffix.
    """

    folder: Path
    name: str

    def image(self, channel: int = 0) -> Path:
        """One channel of the synthetic scan."""
        return self.folder / "imagesTr" / f"{self.name}_{channel:04d}{SUFFIX}"

    @property
    def label(self) -> Path:
        """Its target values."""
        return self.folder / "labelsTr" / f"{self.name}{SUFFIX}"

    @property
    def record(self) -> Path:
        """Its parameters."""
        return self.folder / "records" / f"{self.name}.json"

    def check_same_settings(self, record: SynthesisParameters) -> None:
        """Refuse to mix, or to overwrite, volumes of other settings.

        Raises:
            ConfigurationError: the case is there, and was made from another record.
        """
        if self.record.is_file() and self.record.read_text() != _text(record):
            raise ConfigurationError(
                f"'{self.record}' is of other settings (seed, synthesis, size or label maps); give another output"
            )

    def is_complete(self, channels: int = 1) -> bool:
        """Whether all files of so many channels are there and open."""
        if not self.record.is_file():
            return False
        try:
            shapes = {read_volume(path).data.shape for path in (*map(self.image, range(channels)), self.label)}
        except VolumeError:
            return False
        return len(shapes) == 1

    def write(self, batch: SyntheticBatch) -> None:
        """Write the first sample of a batch; the record last, as it vouches for the others.

        Raises:
            VolumeError: a file could not be written whole.
        """
        record = batch.parameters[0]
        affine = _affine(record)
        for channel, image in enumerate(batch.image[0]):
            write_volume(self.image(channel), image.numpy(), affine)
        write_volume(self.label, batch.target[0, 0].numpy(), affine)
        write_bytes_atomically(self.record, _text(record).encode())


def write_dataset_json(
    folder: Path, scheme: LabelScheme, count: int, description: str, channel_names: Sequence[str] = ("MRI",)
) -> None:
    """Describe the dataset to nnU-Net (version 2).

    Args:
        folder: of the dataset.
        scheme: names the targets.
        count: training cases.
        description: a sentence on where they come from.
        channel_names: of the image files of a case.
    """
    contents = {
        "channel_names": {str(channel): name for channel, name in enumerate(channel_names)},
        "labels": {name: value for value, name in enumerate(scheme.target_names)},
        "numTraining": count,
        "file_ending": SUFFIX,
        "overwrite_image_reader_writer": "NibabelIOWithReorient",
        "description": description,
    }
    write_bytes_atomically(folder / "dataset.json", (json.dumps(contents, indent=2) + "\n").encode())


def _text(record: SynthesisParameters) -> str:
    return record.to_json() + "\n"


def _affine(record: SynthesisParameters) -> np.ndarray:
    """RAS, cubic voxels, the middle of the volume at the origin."""
    affine = np.diag([record.spacing_mm] * 3 + [1.0])
    affine[:3, 3] = [-record.spacing_mm * (size - 1) / 2 for size in record.size]
    return affine
