"""The endless stream of synthetic batches, addressed by sample index.

The stream of a run depends on its seed alone: rank r of w draws, as its g-th batch, the samples
``start + g * batch_size * w + r * batch_size + j`` for j = 0 .. batch_size - 1. Whoever knows the step knows the
samples, so a restart continues exactly where the last optimiser step ended. Where a step takes a batches of each rank
(gradient accumulation), these are consecutive: a step's samples depend on the product ``batch_size * w * a`` alone.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from torch.utils.data import IterableDataset, get_worker_info

from otfsynth.data.prefetch import prefetched
from otfsynth.synthesis import SyntheticBatch


class BatchSynthesizer(Protocol):
    """What the dataset asks of :class:`otfsynth.synthesis.Synthesizer`."""

    def __call__(self, indices: Sequence[int]) -> SyntheticBatch:
        """Render the samples with these indices."""
        ...


class SyntheticDataset(IterableDataset[SyntheticBatch]):
    """Batches of synthetic images and targets; use it as ``DataLoader(dataset, batch_size=None)``.

    Loader workers share the stream (worker k of n takes every n-th step), so that its order never changes.

    Args:
        synthesizer: renders samples from indices, on its own device.
        batch_size: samples per batch and rank.
        start: index of the first sample of step 0; a run resumed at step g passes ``g * batch_size * world_size``.
        count: samples of the whole stream, all ranks together; ``None`` never ends. The last batches may be smaller.
        rank: this process among ``world_size``.
        world_size: processes that train together.
        prefetch: batches made ahead by a background thread; 0 makes each when it is asked for. It pays where synthesis
            and training run on different processors; two busy threads on one CPU only take turns.
    """

    def __init__(
        self,
        synthesizer: BatchSynthesizer,
        batch_size: int,
        start: int = 0,
        count: int | None = None,
        rank: int = 0,
        world_size: int = 1,
        prefetch: int = 0,
    ) -> None:
        if batch_size < 1 or not 0 <= rank < world_size:
            raise ValueError(
                f"batch_size={batch_size}, rank={rank}, world_size={world_size}: need 1 or more, rank < size"
            )
        self.synthesizer = synthesizer
        self.batch_size = batch_size
        self.start = start
        self.count = count
        self.rank = rank
        self.world_size = world_size
        self.prefetch = prefetch
        self.waiting_seconds = 0.0
        """Time that the consumer has spent waiting for batches."""

    @property
    def samples_per_step(self) -> int:
        """Samples of one global step, all ranks together."""
        return self.batch_size * self.world_size

    def indices(self, step: int) -> range:
        """Sample indices of this rank at one global step; shorter or empty where the stream ends."""
        first = self.start + step * self.samples_per_step + self.rank * self.batch_size
        end = first + self.batch_size
        return range(first, end if self.count is None else max(min(end, self.start + self.count), first))

    def __iter__(self) -> Iterator[SyntheticBatch]:
        batches = self._render()
        if self.prefetch > 0:
            batches = prefetched(batches, self.prefetch)
        return self._timed(batches)

    def _render(self) -> Iterator[SyntheticBatch]:
        worker = get_worker_info()
        first, stride = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for step in itertools.count(first, stride):
            indices = self.indices(step)
            if not indices:
                return
            yield self.synthesizer(indices)

    def _timed(self, batches: Iterator[SyntheticBatch]) -> Iterator[SyntheticBatch]:
        while True:
            begin = time.perf_counter()
            batch = next(batches, None)
            self.waiting_seconds += time.perf_counter() - begin
            if batch is None:
                return
            yield batch


class CachedBatches(Sequence[SyntheticBatch]):
    """A fixed list of samples, rendered once when first read and kept in host memory.

    Args:
        make_synthesizer: called once, when the samples are first needed.
        indices: samples to render, each a batch of one.
    """

    def __init__(self, make_synthesizer: Callable[[], BatchSynthesizer], indices: Sequence[int]) -> None:
        self._make_synthesizer = make_synthesizer
        self._indices = list(indices)
        self._batches: list[SyntheticBatch] | None = None

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, position):  # type: ignore[no-untyped-def, override]
        """The batch of one sample at ``position``."""
        if self._batches is None:
            synthesizer = self._make_synthesizer()
            self._batches = [synthesizer([index]).to("cpu") for index in self._indices]
        return self._batches[position]
