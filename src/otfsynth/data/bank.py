"""The label bank: every label map of a run, prepared once and kept where the synthesis engine reads it."""

from __future__ import annotations

import logging
import os
from collections.abc import Container, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import overload

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from otfsynth.config.data import DataConfig
from otfsynth.data.boundaries import Boundary, BoundaryMaps, boundary_maps
from otfsynth.data.cache import PreparedMapCache, boundaries_key, cache_key, default_cache_dir
from otfsynth.data.embedded import EmbeddedSource
from otfsynth.data.label_volume import LabelVolume, label_volume
from otfsynth.data.prepare import PreparedMap, prepare
from otfsynth.data.real_training import find_pairs
from otfsynth.data.soft_maps import ProbabilitySource
from otfsynth.data.sources import LabelMapError, LabelMapSource, find_sources
from otfsynth.labels import LabelScheme
from otfsynth.synthesis.real import RealPairs
from otfsynth.synthesis.shape import structures_digest
from otfsynth.volumes import Volume, VolumeError

MAX_WORKERS = 8
STREAMED_KEPT = 4
"""Streamed maps that stay on the device: a batch rarely draws from more."""

logger = logging.getLogger(__name__)


class LabelBank(Sequence[LabelVolume]):
    """The label maps of a run, on the device, or in host memory and streamed from there when drawn.

    Args:
        scheme: what the indices mean.
        spacing_mm: size of the cubic voxels.
        volumes: prepared maps on the CPU.
        device: where items are wanted.
        memory_limit_bytes: a bank larger than this stays in host memory, pinned where the device is a GPU.
        cache: where volumes that are asked for later are kept.
    """

    def __init__(
        self,
        scheme: LabelScheme,
        spacing_mm: float,
        volumes: Sequence[LabelVolume],
        device: torch.device | str = "cpu",
        memory_limit_bytes: float = float("inf"),
        cache: PreparedMapCache | None = None,
    ) -> None:
        self.scheme = scheme
        self.spacing_mm = spacing_mm
        self.device = torch.device(device)
        self.cache = cache
        self._memory_limit_bytes = memory_limit_bytes
        self.memory_bytes = sum(volume.memory_bytes for volume in volumes)
        self.streamed = self.device.type != "cpu" and self.memory_bytes > memory_limit_bytes
        if self.streamed:
            self._volumes = [volume.pinned() if self.device.type == "cuda" else volume for volume in volumes]
        else:
            self._volumes = [volume.to(self.device) for volume in volumes]
        self._recent: dict[int, LabelVolume] = {}
        self._bounded: dict[tuple[Boundary, ...], LabelBank] = {}
        self.real: RealPairs | None = None
        """Real scans that a share of the samples comes from; kept by :meth:`subset`."""

    @classmethod
    def from_config(
        cls, config: DataConfig, scheme: LabelScheme, device: torch.device | str = "cpu", show_progress: bool = True
    ) -> LabelBank:
        """Read, check and prepare every label map that ``config.label_maps`` names.

        Raises:
            LabelMapError: no map is there, or some can't be used; one message lists every bad file.
        """
        bank = cls.from_sources(find_sources(config), config, scheme, device, show_progress)
        logger.info("%s", bank.describe())
        if config.real_training and config.real_training_probability > 0:
            pairs = cls.from_sources(find_pairs(config, scheme), config, scheme, device, show_progress)
            bank.real = RealPairs(pairs, config.real_training_probability)
            share = 100 * config.real_training_probability
            logger.info("real scans: %d, in %g %% of the samples", len(pairs), share)
        return bank

    @classmethod
    def from_sources(
        cls,
        sources: Sequence[LabelMapSource],
        config: DataConfig,
        scheme: LabelScheme,
        device: torch.device | str = "cpu",
        show_progress: bool = False,
    ) -> LabelBank:
        """Prepare label maps, or take them from the cache.

        Raises:
            LabelMapError: some can't be used; one message lists every bad file.
        """
        cache = PreparedMapCache(Path(config.cache_dir).expanduser() if config.cache_dir else default_cache_dir())
        workers = config.workers or min(os.cpu_count() or 1, MAX_WORKERS)
        prepared = _prepare_all(sources, scheme, config.spacing_mm, cache, workers, show_progress)
        volumes = [
            replace(
                label_volume(source.name, source.subject, result),
                cache_key=cache_key(source.fingerprint(), scheme, config.spacing_mm),
            )
            for source, result in zip(sources, prepared, strict=True)
        ]
        return cls(scheme, config.spacing_mm, volumes, device, config.bank_memory_gb * 1e9, cache)

    @classmethod
    def from_volumes(
        cls,
        scheme: LabelScheme,
        label_maps: Iterable[np.ndarray],
        spacing_mm: float = 1.0,
        device: torch.device | str = "cpu",
        names: Sequence[str] | None = None,
        subjects: Sequence[str] | None = None,
    ) -> LabelBank:
        """A bank of arrays, for tests and notebooks.

        Args:
            scheme: what the values mean.
            label_maps: label **values** (x, y, z) in RAS order at the working spacing, centred on the world's origin.
            spacing_mm: size of their cubic voxels.
            device: where items are wanted.
            names: by default ``map-0``, ``map-1`` ...
            subjects: by default the names.
        """
        maps = list(label_maps)
        names = list(names) if names is not None else [f"map-{index}" for index in range(len(maps))]
        subjects = list(subjects) if subjects is not None else names
        volumes = []
        for labels, name, subject in zip(maps, names, subjects, strict=True):
            affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
            affine[:3, 3] = -spacing_mm * (np.asarray(labels.shape) - 1) / 2
            volumes.append(label_volume(name, subject, prepare(Volume(labels, affine, name), scheme, spacing_mm)))
        return cls(scheme, spacing_mm, volumes, device)

    def __len__(self) -> int:
        return len(self._volumes)

    @overload
    def __getitem__(self, index: int) -> LabelVolume: ...

    @overload
    def __getitem__(self, index: slice) -> LabelBank: ...

    def __getitem__(self, index: int | slice) -> LabelVolume | LabelBank:
        """One map with its volumes on the device, or a bank of some."""
        if isinstance(index, slice):
            return self.subset(range(*index.indices(len(self))))
        if not self.streamed:
            return self._volumes[index]
        position = range(len(self))[index]
        volume = self._recent.pop(position, None) or self._volumes[position].to(self.device)
        self._recent[position] = volume
        if len(self._recent) > STREAMED_KEPT:
            del self._recent[next(iter(self._recent))]
        return volume

    @property
    def subjects(self) -> list[str]:
        """Subject of every map, in the order of the maps."""
        return [volume.subject for volume in self._volumes]

    def stored(self, index: int) -> LabelVolume:
        """One map where it is kept: names, shape and foreground without a transfer."""
        return self._volumes[index]

    def on(self, device: torch.device | str) -> LabelBank:
        """This bank for another device: copied there, or pinned and streamed where it is larger than the limit."""
        wanted = torch.device(device)
        if wanted.type == self.device.type and wanted.index in (None, self.device.index):
            return self
        moved = LabelBank(self.scheme, self.spacing_mm, self._volumes, wanted, self._memory_limit_bytes, self.cache)
        if self.real is not None:
            moved.real = replace(self.real, maps=self.real.maps.on(device))
        return moved

    def with_boundaries(self, boundaries: tuple[Boundary, ...]) -> LabelBank:
        """A bank of the same maps with distances to movable boundaries, computed (2 s a map) or read from the cache.

        Args:
            boundaries: pairs of label indices (inside, outside); see :func:`otfsynth.data.boundaries.boundary_maps`.
        """
        if boundaries not in self._bounded:
            with ThreadPoolExecutor(min(os.cpu_count() or 1, MAX_WORKERS), thread_name_prefix="boundaries") as pool:
                volumes = list(pool.map(lambda volume: self._bound(volume, boundaries), self._volumes))
            limit, cache = self._memory_limit_bytes, self.cache
            bounded = LabelBank(self.scheme, self.spacing_mm, volumes, self.device, limit, cache)
            bounded.real = self.real  # scans keep their shapes
            self._bounded[boundaries] = bounded
        return self._bounded[boundaries]

    def _bound(self, volume: LabelVolume, boundaries: tuple[Boundary, ...]) -> LabelVolume:
        cache = self.cache if volume.cache_key is not None else None
        key = boundaries_key(volume.cache_key or "", boundaries)
        found = cache.get_arrays(key, ("alternate", "distance")) if cache is not None else None
        if found is None:
            found = boundary_maps(volume.indices.cpu().numpy(), boundaries, self.spacing_mm)
            if cache is not None:
                cache.put_arrays(key, alternate=found[0], distance=found[1])
        alternate, distance = map(torch.from_numpy, found)
        return replace(volume, boundaries=BoundaryMaps(alternate, distance, structures_digest(boundaries)))

    def subset(self, indices: Iterable[int]) -> LabelBank:
        """A bank of some of the maps, which share their memory with this one."""
        chosen = LabelBank(self.scheme, self.spacing_mm, [], self.device, self._memory_limit_bytes, self.cache)
        chosen._volumes = [self._volumes[index] for index in indices]
        chosen.memory_bytes = sum(volume.memory_bytes for volume in chosen._volumes)
        chosen.streamed = self.streamed
        chosen.real = self.real
        return chosen

    def describe(self) -> str:
        """One line: how many maps and subjects, how much memory and where."""
        place = f"host memory, streamed to {self.device}" if self.streamed else str(self.device)
        return (
            f"label bank: {len(self)} label map(s) of {len(set(self.subjects))} subject(s) at {self.spacing_mm:g} mm, "
            f"scheme '{self.scheme.name}', {self.memory_bytes / 1e6:.0f} MB on {place}"
        )


def without_subjects(pairs: RealPairs, subjects: Container[str]) -> RealPairs | None:
    """The real scans of other subjects; ``None``, with a warning, where there are none."""
    maps = pairs.maps
    assert isinstance(maps, LabelBank)
    kept = [index for index, subject in enumerate(maps.subjects) if subject not in subjects]
    if len(kept) < len(maps):
        count = len(maps) - len(kept)
        logger.warning("%d real scan(s) of data.real_training are of validation subjects, and are left out", count)
    return replace(pairs, maps=maps.subset(kept)) if kept else None


def _prepare_all(
    sources: Sequence[LabelMapSource],
    scheme: LabelScheme,
    spacing_mm: float,
    cache: PreparedMapCache,
    workers: int,
    show_progress: bool,
) -> list[PreparedMap]:
    results: dict[int, PreparedMap] = {}
    problems: dict[int, str] = {}
    columns = (TextColumn("label maps"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, transient=True, disable=not show_progress) as progress,
        ThreadPoolExecutor(workers, thread_name_prefix="label-maps") as pool,
    ):
        task = progress.add_task("label maps", total=len(sources))
        jobs = {
            pool.submit(_prepare_one, source, scheme, spacing_mm, cache): index for index, source in enumerate(sources)
        }
        try:
            for job in as_completed(jobs):
                try:
                    results[jobs[job]] = job.result()
                except (VolumeError, OSError, MemoryError) as error:
                    problems[jobs[job]] = str(error) or f"'{sources[jobs[job]].name}': {type(error).__name__}"
                progress.advance(task)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if problems:
        listing = "\n".join(f"  {problems[index]}" for index in sorted(problems))
        if any(isinstance(source, EmbeddedSource) for source in sources):
            listing += "\n  the embedded label maps have FreeSurfer's labels: use them with labels=freesurfer"
        raise LabelMapError(f"{len(problems)} of {len(sources)} label map(s) can't be used:\n{listing}")
    return [results[index] for index in range(len(sources))]


def _prepare_one(
    source: LabelMapSource, scheme: LabelScheme, spacing_mm: float, cache: PreparedMapCache
) -> PreparedMap:
    fingerprint = source.fingerprint()
    if isinstance(source, ProbabilitySource):  # its files are told apart by the names of labels
        fingerprint += repr((scheme.label_names, scheme.target_names))
    key = cache_key(fingerprint, scheme, spacing_mm)
    prepared = cache.get(key)
    if prepared is None:
        prepared = source.prepare(scheme, spacing_mm)
        cache.put(key, prepared)
    return prepared
