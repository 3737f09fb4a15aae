"""Checkpoints that vote together: found, checked against each other, and turned into one predictor."""

from __future__ import annotations

import glob
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from otfsynth.config.checks import ConfigurationError
from otfsynth.data.heads import ImageChannels
from otfsynth.inference.fluid_rim import fluid_target
from otfsynth.inference.predictor import RIM_MM, SlidingWindowPredictor
from otfsynth.inference.preparation import NORMALIZATIONS
from otfsynth.inference.tiling import Triple, limited_tile, prediction_tile
from otfsynth.networks import Checkpoint, CheckpointError, load_checkpoint
from otfsynth.networks.model_folder import DESCRIPTION, MODEL_FILES, WEIGHTS, is_model_folder

SUFFIX = ".ckpt"
BEST = "best.ckpt"


@dataclass(frozen=True)
class Ensemble:
    """Checkpoints of networks that segment the same targets at the same voxel size.

    Args:
        paths: files or model folders, in the order they are averaged.
        digests: SHA-256 of the files; of a model folder, of its weights.
        checkpoints: their contents.
        normalization: of the intensities in training.
    """

    paths: tuple[Path, ...]
    digests: tuple[str, ...]
    checkpoints: tuple[Checkpoint, ...]
    normalization: str

    @property
    def target_names(self) -> tuple[str, ...]:
        """Names of the target values, background first."""
        return self.checkpoints[0].scheme.target_names

    @property
    def described(self) -> tuple[str, ...]:
        """Name, version and training of every published model; empty for checkpoints, which have none."""
        return tuple(f"{one.name} {one.version} ({one.step} steps)" if one.name else "" for one in self.checkpoints)

    @property
    def spacing_mm(self) -> float:
        """Working voxel size."""
        return self.checkpoints[0].plan.spacing_mm[0]

    @property
    def input_channels(self) -> int:
        """Images of one head that the networks take."""
        return self.checkpoints[0].plan.input_channels

    def channels_named(self, contrasts: Sequence[str] = ()) -> ImageChannels:
        """What is known of those images.

        Args:
            contrasts: of each of them, where the user names them; by default those of the training.

        Raises:
            ConfigurationError: not as many as the networks take.
        """
        if contrasts and len(contrasts) != self.input_channels:
            raise ConfigurationError(
                f"channels={list(contrasts)} names {len(contrasts)} image(s), checkpoint '{self.paths[0]}' takes "
                f"{self.input_channels}; name as many"
            )
        may_miss = all(_channels_config(each).get("missing_probability", 1.0) > 0 for each in self.checkpoints)
        return ImageChannels(self.input_channels, tuple(contrasts) or _contrasts(self.checkpoints[0]), may_miss)

    @property
    def fluid(self) -> int | None:
        """Target of fluid around stripped brains, where all networks learned it; see :func:`.fluid_target`."""
        taught = {fluid_target(checkpoint.config, checkpoint.scheme) for checkpoint in self.checkpoints}
        return taught.pop() if len(taught) == 1 else None

    @property
    def mirror_axes(self) -> tuple[int, ...]:
        """Axes along which a mirrored head is as good as any for every network: left to right, or none.

        None where targets have sides, or where training did not mirror (``synthesis.flip.probability``).
        """
        return (0,) if all(_is_symmetric(checkpoint) for checkpoint in self.checkpoints) else ()

    @property
    def divisor(self) -> Triple:
        """Voxels that a tile's edges must be multiples of, for every network."""
        divisors = [checkpoint.plan.divisor for checkpoint in self.checkpoints]
        x, y, z = (math.lcm(*(divisor[axis] for divisor in divisors)) for axis in range(3))
        return x, y, z

    @property
    def tile(self) -> Triple:
        """That of the largest patch that any of the networks was trained on; it fits all of them."""
        largest = [max(checkpoint.plan.patch_size[axis] for checkpoint in self.checkpoints) for axis in range(3)]
        return prediction_tile(largest, self.divisor)

    @classmethod
    def load(cls, given: str | Sequence[str]) -> Ensemble:
        """Read the checkpoints that :func:`find_checkpoints` finds.

        Raises:
            CheckpointError: one is missing or damaged, or they do not fit together.
        """
        paths = find_checkpoints(given)
        checkpoints = tuple(load_checkpoint(path) for path in paths)
        for path, checkpoint in zip(paths, checkpoints, strict=True):
            _check_alike(paths[0], checkpoints[0], path, checkpoint)
        normalization = checkpoints[0].normalization
        if normalization not in NORMALIZATIONS:
            raise CheckpointError(
                f"checkpoint '{paths[0]}' was trained with synthesis.normalization={normalization}, on "
                f"intensities that no scanner gives; train with one of: {', '.join(NORMALIZATIONS)}"
            )
        return cls(paths, tuple(digest(path) for path in paths), checkpoints, normalization)

    def predictor(
        self,
        device: torch.device | str,
        overlap: float,
        mirror_axes: Sequence[int] = (),
        batch_size: int = 1,
        precision: str = "32-true",
        longest_tile: int | None = None,
        rim_mm: float = RIM_MM,
        scales: Sequence[float] = (),
    ) -> SlidingWindowPredictor:
        """All networks, ready to segment; see :class:`SlidingWindowPredictor`.

        Args:
            device: where the networks run.
            overlap: of neighbouring tiles.
            mirror_axes: flips that are averaged.
            batch_size: tiles a pass.
            precision: of the networks.
            longest_tile: largest edge of a tile in voxels; by default as :func:`prediction_tile` has it.
            rim_mm: width of the rim of a brain that is taken as fluid, where all networks learned of fluid there.
            scales: sizes of further copies of the head that are averaged, see :class:`SlidingWindowPredictor`.
        """
        return SlidingWindowPredictor(
            [checkpoint.build_network() for checkpoint in self.checkpoints],
            limited_tile(self.tile, self.divisor, longest_tile),
            self.spacing_mm,
            device,
            overlap,
            mirror_axes,
            batch_size,
            precision,
            self.normalization,
            self.divisor,
            self.input_channels,
            self.fluid,
            rim_mm,
            scales,
        )


def find_checkpoints(given: str | Sequence[str]) -> tuple[Path, ...]:
    """Checkpoint files and model folders, sorted, each once.

    Args:
        given: a file, a model folder, a folder of these, a glob, or a list of those. In a folder the checkpoints beside
            each other count; where there is none, those called ``best.ckpt`` below it, one per run (or fold), and the
            model folders below it.

    Raises:
        CheckpointError: one of them names nothing.
    """
    found: dict[Path, None] = {}
    for entry in [given] if isinstance(given, str) else given:
        for path in _of_entry(str(entry)):
            found.setdefault(path.resolve())
    if not found:
        raise CheckpointError("no checkpoint is given; write checkpoint=RUN/checkpoints/best.ckpt")
    return tuple(found)


def digest(path: Path) -> str:
    """Hexadecimal SHA-256 of a checkpoint file, or of the weights in a model folder."""
    with open(path / WEIGHTS if path.is_dir() else path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _of_entry(entry: str) -> list[Path]:
    path = Path(entry).expanduser()
    if is_model_folder(path):
        return [path]
    if path.is_file():
        return [path.parent if path.name in MODEL_FILES else path]
    if path.is_dir():
        own = sorted(path.glob(f"*{SUFFIX}"))
        if any(file.name == BEST for file in own):
            return [path / BEST]  # a run's folder holds the same network at several ages: they are no ensemble
        found = own or sorted([*path.rglob(BEST), *(file.parent for file in path.rglob(DESCRIPTION))])
        if not found:
            raise CheckpointError(
                f"folder '{path}' holds no {SUFFIX} file, nor {BEST} or a model ({DESCRIPTION}) in a folder below; "
                "check the path"
            )
        return found
    matches = map(Path, sorted(glob.glob(str(path), recursive=True)))
    found = [match for match in matches if match.suffix == SUFFIX or is_model_folder(match)]
    if not found:
        raise CheckpointError(f"checkpoint '{entry}' does not exist; check the path")
    return found


def _check_alike(first_path: Path, first: Checkpoint, path: Path, checkpoint: Checkpoint) -> None:
    pairs: list[tuple[str, Any, Any]] = [
        ("targets", first.scheme.target_names, checkpoint.scheme.target_names),
        ("voxel size (mm)", first.plan.spacing_mm, checkpoint.plan.spacing_mm),
        ("input channels", first.plan.input_channels, checkpoint.plan.input_channels),
        ("contrasts of the channels", _contrasts(first), _contrasts(checkpoint)),
        ("intensity normalisation", first.normalization, checkpoint.normalization),
    ]
    for what, expected, found in pairs:
        if expected != found:
            raise CheckpointError(
                f"checkpoints '{first_path}' and '{path}' can't be averaged: their {what} differ "
                f"({_plain(expected)} and {_plain(found)}); give checkpoints of one experiment"
            )


def _is_symmetric(checkpoint: Checkpoint) -> bool:
    targets = checkpoint.scheme.target_table
    flips = checkpoint.config.get("synthesis", {}).get("flip", {}).get("probability", 1.0)
    return flips > 0 and bool((targets[checkpoint.scheme.swap_indices] == targets).all())


def _channels_config(checkpoint: Checkpoint) -> dict[str, Any]:
    return dict(checkpoint.config.get("synthesis", {}).get("channels", {}))


def _contrasts(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Contrast of each channel in training; empty where any would do, or there is but one."""
    contrasts = tuple(str(name) for name in _channels_config(checkpoint).get("contrasts", ()))
    return contrasts if len(contrasts) == checkpoint.plan.input_channels > 1 else ()


def _plain(value: Any) -> str:
    return ", ".join(str(part) for part in value) if isinstance(value, tuple) else str(value)
