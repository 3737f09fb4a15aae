"""Sample parameters, then render: the one class through which the engine is used."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from otfsynth import kernels
from otfsynth.config.checks import ConfigurationError
from otfsynth.config.curriculum import CurriculumConfig
from otfsynth.config.priors import resolve_priors
from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.synthesis.geometry import Size
from otfsynth.synthesis.model import GenerativeModel
from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.random_stream import RandomStream
from otfsynth.synthesis.rendering import Renderer
from otfsynth.synthesis.rendering.device import DeviceRenderer
from otfsynth.synthesis.rendering.sequence import ChannelToRender
from otfsynth.synthesis.sampling import LabelMapLike, LabelMaps
from otfsynth.synthesis.shape import Boundary
from otfsynth.types import SampleKey

logger = logging.getLogger(__name__)


@dataclass
class SyntheticBatch:
    """Synthetic images with their targets, and the record of how each was made.

    Args:
        image: float32 (b, channels, x, y, z).
        target: uint8 (b, 1, x, y, z), target labels of the scheme, 0 background.
        parameters: one record a sample; rendering it again gives the same bytes.
    """

    image: Tensor
    target: Tensor
    parameters: list[SynthesisParameters]

    def to(self, device: torch.device | str, non_blocking: bool = False) -> SyntheticBatch:
        """The same batch on another device."""
        image = self.image.to(device, non_blocking=non_blocking)
        return SyntheticBatch(image, self.target.to(device, non_blocking=non_blocking), self.parameters)


class Synthesizer:
    """An endless, addressable stream of synthetic MRI drawn from label maps.

    Sample ``i`` depends on the seed, the configuration, the label maps and ``i`` alone: not on the batch it is drawn
    in, on the number of threads, or on what was drawn before.

    Args:
        config: the generative model.
        bank: label maps with their scheme and working spacing (:class:`otfsynth.data.bank.LabelBank`), on any device.
        size: (x, y, z) voxels of every sample.
        seed: key of the random generator, in [0, 2**63 - 1].
        threads: CPU threads; None takes PyTorch's number at each call.
        device: where batches are delivered, and rendered where it is a GPU that CuPy can use: on the current stream,
            without waiting for it. Where CuPy is missing the CPU renders and each batch is copied; a warning says so.
        reuse_buffers: write every batch of one size into the same memory; for callers that are done with the last one.
        curriculum: share of the samples that an easier model makes, where one does.

    Raises:
        ConfigurationError: the bank is empty, the size is not positive, or a model's files or names can't be used
            (:meth:`GenerativeModel.load`).
    """

    def __init__(
        self,
        config: SynthesisConfig,
        bank: LabelMaps,
        size: Sequence[int],
        seed: int,
        threads: int | None = None,
        device: torch.device | str = "cpu",
        reuse_buffers: bool = False,
        curriculum: CurriculumConfig | None = None,
    ) -> None:
        if len(bank) == 0:
            raise ConfigurationError("there is no label map to synthesise from; check data.label_maps")
        if len(size) != 3 or min(size) < 1:
            raise ConfigurationError(f"data.patch_size={list(size)} must be three positive numbers of voxels")
        self.config = config
        self.bank = bank
        self.size: Size = (int(size[0]), int(size[1]), int(size[2]))
        self.seed = SampleKey(seed, 0).seed
        self.threads = threads
        self.device = torch.device(device)
        self.reuse_buffers = reuse_buffers
        self.curriculum = curriculum or CurriculumConfig()
        self._model = GenerativeModel.load(config, bank.scheme)
        self._easier = self._model
        if self.curriculum.is_on:
            easier = resolve_priors(self.curriculum.easier(config), bank.scheme.name)
            self._easier = GenerativeModel.load(easier, bank.scheme)
        boundaries = _common_boundaries(self._model, self._easier)
        if boundaries is not None:
            self.bank = bank.with_boundaries(boundaries)
        self._maps = self.bank.on("cpu")  # parameters are drawn on the host
        self._device_maps = self.bank.on(self.device) if _can_render_on(self.device) else None
        self._local = threading.local()

    def __call__(self, indices: Sequence[int]) -> SyntheticBatch:
        """Draw and render the samples of these positions in the stream."""
        return self.render([self.sample_parameters(index) for index in indices])

    def sample_parameters(self, index: int, whole_head: bool = False) -> SynthesisParameters:
        """The record of sample ``index``, in [0, 2**32 - 1]; nothing is rendered.

        A whole head is the same sample in a field of view with the brain in its middle, wherever its patch would lie.
        """
        key = SampleKey(self.seed, index)
        easier = RandomStream(key, "curriculum").happens(self.curriculum.share_at(index))
        return (self._easier if easier else self._model).sample(self._maps, self.size, key, whole_head)

    def render(self, parameters: Sequence[SynthesisParameters]) -> SyntheticBatch:
        """Render records, drawn here or read from JSON.

        Raises:
            ValueError: the records differ in size or number of channels, or were drawn from a label map, a working
                spacing, a scheme or boundaries that this bank does not hold.
        """
        sizes = {record.size for record in parameters}
        if len(sizes) != 1:
            raise ValueError(f"records of one batch need one size, got {sorted(sizes)}; render them one by one")
        counts = {len(record.all_channels) for record in parameters}
        if len(counts) != 1:
            raise ValueError(f"records of one batch need one number of channels, got {sorted(counts)}")
        image, target = self._buffers(len(parameters), counts.pop(), sizes.pop())
        on_device = self._device_renderer()
        channels = self._channels(parameters, image, target)
        if on_device is not None:
            on_device.render(list(channels))
        else:
            renderer = self._renderer()
            for channel in channels:
                renderer.render(channel)
        for i, record in enumerate(parameters):
            for number, of_channel in enumerate(record.all_channels):
                if of_channel.missing:
                    image[i, number].zero_()
        batch = SyntheticBatch(image, target, list(parameters))
        return batch if self.device.type == "cpu" else batch.to(self.device, non_blocking=True)

    def _channels(
        self, parameters: Sequence[SynthesisParameters], image: Tensor, target: Tensor
    ) -> Iterator[ChannelToRender]:
        """What is to be rendered: of missing channels none but the first, whose target counts."""
        maps = self._maps if self._device_maps is None else self._device_maps
        for i, record in enumerate(parameters):
            label_map = self._find(maps, record)
            for number, channel in enumerate(record.all_channels):
                if number == 0 or not channel.missing:
                    yield ChannelToRender(channel, label_map, image[i, number], None if number else target[i, 0])

    def _find(self, maps: LabelMaps, record: SynthesisParameters) -> LabelMapLike:
        found: LabelMaps | None = maps
        if record.real is not None:
            found = maps.real.maps if maps.real is not None else None
        if found is not None and record.map_index < len(found):
            label_map = found[record.map_index]
            if label_map.name == record.label_map:
                self._check(found, label_map, record)
                return label_map
        raise ValueError(
            f"the record of sample {record.key.index} was drawn from label map '{record.label_map}' at position "
            f"{record.map_index}, which this bank does not hold there; load the label maps it was drawn from"
        )

    def _check(self, maps: LabelMaps, label_map: LabelMapLike, record: SynthesisParameters) -> None:
        """A map of the right name may still have another grid, or labels of another scheme."""
        shape = tuple(label_map.indices.shape)
        for what, drawn, held in (
            ("a working spacing in mm", record.spacing_mm, maps.spacing_mm),
            ("a number of generation classes", len(record.mixture.means), maps.scheme.class_count),
            ("a shape of its label map", record.map_shape or shape, shape),
        ):
            if drawn != held:
                raise ValueError(
                    f"the record of sample {record.key.index} was drawn with {what} of {drawn}; here it is {held}: "
                    f"load '{record.label_map}' as it was then, with the same label scheme and data.spacing_mm"
                )

    def _buffers(self, count: int, channels: int, size: Size) -> tuple[Tensor, Tensor]:
        shape = (count, channels, *size)
        kept: tuple[Tensor, Tensor] | None = getattr(self._local, "batch", None)
        if self.reuse_buffers and kept is not None and kept[0].shape == shape:
            return kept
        options: dict[str, Any] = {"pin_memory": self.device.type == "cuda"}
        if self._device_renderer() is not None:
            options = {"device": self.device}
        image = torch.empty(shape, dtype=torch.float32, **options)
        target = torch.empty((count, 1, *size), dtype=torch.uint8, **options)
        self._local.batch = (image, target) if self.reuse_buffers else None
        return image, target

    def _device_renderer(self) -> DeviceRenderer | None:
        """Of this thread; None where the CPU renders."""
        if self._device_maps is None:
            return None
        renderer: DeviceRenderer | None = getattr(self._local, "device_renderer", None)
        if renderer is None:
            try:
                device = kernels.cuda.open_device(self.device)
            except kernels.cuda.CudaUnavailableError as error:
                _warn_once(str(error))
                self._device_maps = None
                return None
            renderer = self._local.device_renderer = DeviceRenderer(self.bank.scheme, device)
        return renderer

    def _renderer(self) -> Renderer:
        threads = self.threads or torch.get_num_threads()
        renderer: Renderer | None = getattr(self._local, "renderer", None)
        if renderer is None:
            renderer = self._local.renderer = Renderer(self.bank.scheme, threads)
        renderer.threads = threads
        return renderer

    def __getstate__(self) -> dict[str, Any]:
        # Working memory stays with its thread and process.
        return {name: value for name, value in self.__dict__.items() if name != "_local"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._local = threading.local()


def _common_boundaries(*models: GenerativeModel) -> tuple[Boundary, ...] | None:
    """Boundaries that move; the maps of one bank know of one set."""
    sets = {model.boundaries for model in models} - {None}
    if len(sets) > 1:
        raise ConfigurationError(
            "curriculum.easy.shape_variety names other structures than synthesis.shape_variety; give both the same"
        )
    return next(iter(sets), None)


def _can_render_on(device: torch.device) -> bool:
    """Whether kernels may run there; where a GPU lacks what it needs, one line says what, once."""
    if device.type != "cuda":
        return False
    reason = kernels.cuda.unavailable_reason()
    if reason is not None:
        _warn_once(reason)
    return reason is None


@functools.cache
def _warn_once(message: str) -> None:
    logger.warning("%s", message)
