"""Volumes: NIfTI and MGZ in and out, orientation, resampling."""

from otfsynth.volumes.geometry import (
    Grid,
    bounding_box,
    corner_distance_mm,
    isotropic_grid,
    spacing_of,
    to_canonical,
)
from otfsynth.volumes.label_resampling import resample_labels_to_spacing
from otfsynth.volumes.reading import Volume, VolumeError, check_volume, is_volume_name, read_volume, volume_stem
from otfsynth.volumes.resampling import resample_masked, resample_to_grid, resample_to_spacing
from otfsynth.volumes.writing import (
    csv_bytes,
    remove_abandoned_parts,
    remove_file,
    write_bytes_atomically,
    write_csv_atomically,
    write_volume,
)

__all__ = [
    "Grid",
    "Volume",
    "VolumeError",
    "bounding_box",
    "check_volume",
    "corner_distance_mm",
    "csv_bytes",
    "is_volume_name",
    "isotropic_grid",
    "read_volume",
    "remove_abandoned_parts",
    "remove_file",
    "resample_labels_to_spacing",
    "resample_masked",
    "resample_to_grid",
    "resample_to_spacing",
    "spacing_of",
    "to_canonical",
    "volume_stem",
    "write_bytes_atomically",
    "write_csv_atomically",
    "write_volume",
]
