"""On a GPU: what it makes is what the CPU makes, without waiting for it, in graphs and on side streams."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from otfsynth import kernels
from otfsynth.config.artefacts import GhostingConfig, MotionConfig, SpikesConfig
from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.data.bank import LabelBank
from otfsynth.data.dataset import SyntheticDataset
from otfsynth.synthesis import Synthesizer
from otfsynth.synthesis.rendering.device import DeviceRenderer
from otfsynth.synthesis.shape import shape_boundaries
from tests.device import samples
from tests.synthesis import heads

pytestmark = pytest.mark.gpu

SIZE = (40, 44, 48)
CORRUPTED = heads.plain_config(
    motion=MotionConfig(probability=1.0), ghosting=GhostingConfig(probability=1.0), spikes=SpikesConfig(probability=1.0)
)
LONG_SLEEP_CYCLES = 2_000_000_000
"""About a second: longer than any host takes to queue a batch."""


@pytest.fixture(scope="module")
def bank() -> LabelBank:
    return heads.bank_of(heads.head_indices(), heads.head_indices((40, 44, 48)))


@pytest.fixture(scope="module")
def engine(bank: LabelBank) -> Synthesizer:
    return heads.synthesizer(bank, SIZE, SynthesisConfig(), device="cuda")


def test_the_gpu_renders_there(engine: Synthesizer) -> None:
    batch = engine([0])
    assert engine._device_renderer() is not None
    assert batch.image.is_cuda
    assert batch.target.is_cuda


@pytest.mark.parametrize("first", [0, 8, 16, 24])
def test_gpu_and_cpu_agree(bank: LabelBank, engine: Synthesizer, first: int) -> None:
    indices = range(first, first + 8)
    found = engine(indices).to("cpu")
    expected = heads.synthesizer(bank, SIZE, SynthesisConfig())(indices)
    assert found.parameters == expected.parameters
    _assert_agree(found.image, found.target, expected.image, expected.target)


def test_every_stage_agrees() -> None:
    records = samples.mixed_records(samples.bank())
    small = samples.bank().with_boundaries(shape_boundaries(heads.SHAPES, samples.bank().scheme))
    found = heads.synthesizer(small, samples.SIZE, device="cuda").render(records).to("cpu")
    expected = heads.synthesizer(small, samples.SIZE).render(records)
    _assert_agree(found.image, found.target, expected.image, expected.target)


def test_a_batch_equals_its_samples(engine: Synthesizer) -> None:
    together = engine(range(6))
    for index in reversed(range(6)):
        alone = engine([index])
        assert torch.equal(together.image[index], alone.image[0])
        assert torch.equal(together.target[index], alone.target[0])


@pytest.mark.parametrize("model", [SynthesisConfig(), CORRUPTED], ids=["default", "k-space"])
def test_the_host_does_not_wait(bank: LabelBank, model: SynthesisConfig) -> None:
    engine = heads.synthesizer(bank, SIZE, model, device="cuda")
    engine([0, 1]), engine([0, 1])
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        torch.cuda._sleep(LONG_SLEEP_CYCLES)
        engine([0, 1])
        done = torch.cuda.current_stream().record_event()
        # CuPy's calls are not torch's to watch: a host that waited for anything would find the device idle.
        assert not done.query()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.cuda.synchronize()


@pytest.mark.parametrize("model", [SynthesisConfig(), CORRUPTED], ids=["default", "k-space"])
def test_a_batch_in_a_cuda_graph(bank: LabelBank, model: SynthesisConfig) -> None:
    engine = heads.synthesizer(bank, SIZE, model, device="cuda")
    records = [engine.sample_parameters(index) for index in range(3)]
    on_gpu = bank.on("cuda")
    image = torch.empty((3, 1, *SIZE), device="cuda")
    target = torch.empty((3, 1, *SIZE), dtype=torch.uint8, device="cuda")
    renderer = DeviceRenderer(bank.scheme, kernels.cuda.open_device(torch.device("cuda")))
    channels = samples.channels(on_gpu, records, image, target)
    renderer.render(channels)
    expected = image.clone(), target.clone()
    plan = renderer.plan(channels)
    plan.upload()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        plan.launch()
    for _ in range(2):
        image.fill_(7.0)
        target.fill_(7)
        graph.replay()
        assert torch.equal(image, expected[0])
        assert torch.equal(target, expected[1])


def test_a_streamed_bank_makes_the_same(bank: LabelBank, engine: Synthesizer) -> None:
    streamed = LabelBank(bank.scheme, 1.0, list(bank), "cuda", memory_limit_bytes=1000)
    assert streamed.streamed
    found = heads.synthesizer(streamed, SIZE, SynthesisConfig(), device="cuda")(range(8))
    expected = engine(range(8))
    assert torch.equal(found.image, expected.image)
    assert torch.equal(found.target, expected.target)


def test_prefetched_batches_are_the_same(bank: LabelBank, engine: Synthesizer) -> None:
    expected = [engine([2 * step, 2 * step + 1]).image.clone() for step in range(6)]
    fresh = heads.synthesizer(bank, SIZE, SynthesisConfig(), device="cuda")
    batches: Iterator[torch.Tensor] = (batch.image for batch in SyntheticDataset(fresh, 2, count=12, prefetch=2))
    for wanted, image in zip(expected, batches, strict=True):
        scratch = torch.full_like(image, 3.0)  # memory that a careless allocator would share
        assert torch.equal(image, wanted)
        del scratch


def test_streams_take_turns_on_the_working_memory(engine: Synthesizer) -> None:
    expected = engine([5]).image.clone()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    torch.cuda._sleep(LONG_SLEEP_CYCLES // 10)
    engine([6])
    with torch.cuda.stream(side):
        image = engine([5]).image
    side.synchronize()
    assert torch.equal(image, expected)


def _assert_agree(
    image: torch.Tensor, target: torch.Tensor, expected_image: torch.Tensor, expected_target: torch.Tensor
) -> None:
    """Labels but for ties at voxel borders, fewer than one in 10,000; intensities where no tie spreads."""
    assert torch.isfinite(image).all()
    for number in range(len(image)):
        ties = int((target[number] != expected_target[number]).sum())
        assert ties <= 1e-4 * target[number].numel(), f"sample {number}: {ties} labels differ"
        wanted = expected_image[number].numpy()
        off = np.abs(image[number].numpy() - wanted) > 1e-4 * np.abs(wanted).max()
        print(f"sample {number}: {ties} ties, {off.sum()} of {off.size} intensities beyond 1e-4")
        assert off.mean() < 2e-3, f"sample {number}: {off.mean():.2%} of intensities differ"
