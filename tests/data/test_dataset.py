"""The sample stream: which sample goes where, whatever ranks, workers, threads and restarts."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import pytest
import torch
from torch.utils.data import DataLoader

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.curriculum import CurriculumConfig
from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.data.datamodule import VALIDATION_SEED_OFFSET, SyntheticDataModule
from otfsynth.data.dataset import CachedBatches, SyntheticDataset
from otfsynth.data.prefetch import prefetched
from otfsynth.data.split import split_by_subject
from tests.learning.fakes import SIZE, BlobSynthesizer, toy_bank, toy_data


def drawn(dataset: SyntheticDataset, steps: int, workers: int = 0) -> list[list[int]]:
    loader = DataLoader(dataset, batch_size=None, num_workers=workers)
    return [[record.key.index for record in batch.parameters] for batch in itertools.islice(loader, steps)]


def test_three_lines_are_enough() -> None:
    dataset = SyntheticDataset(BlobSynthesizer(1), batch_size=2)
    batch = next(iter(DataLoader(dataset, batch_size=None)))
    assert batch.image.shape == batch.target.shape == (2, 1, *SIZE)
    assert batch.target.dtype == torch.uint8


def test_ranks_divide_the_stream_of_one() -> None:
    single = drawn(SyntheticDataset(BlobSynthesizer(1), 6, start=12), 3)
    ranks = [drawn(SyntheticDataset(BlobSynthesizer(1), 2, start=12, rank=rank, world_size=3), 3) for rank in range(3)]
    assert [[index for part in parts for index in part] for parts in zip(*ranks, strict=True)] == single
    assert single[0] == [12, 13, 14, 15, 16, 17]


@pytest.mark.parametrize("prefetch", [0, 1, 3])
def test_order_does_not_depend_on_prefetching(prefetch: int) -> None:
    assert drawn(SyntheticDataset(BlobSynthesizer(1), 2, prefetch=prefetch), 4) == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_order_does_not_depend_on_loader_workers() -> None:
    assert drawn(SyntheticDataset(BlobSynthesizer(1), 2, count=9), 9, workers=2) == [
        [0, 1],
        [2, 3],
        [4, 5],
        [6, 7],
        [8],
    ]


def test_count_ends_the_stream_of_every_rank() -> None:
    ranks = [drawn(SyntheticDataset(BlobSynthesizer(1), 2, 10, 7, rank, 2), 9) for rank in (0, 1)]
    assert ranks == [[[10, 11], [14, 15]], [[12, 13], [16]]]


def test_time_waiting_for_samples_is_counted() -> None:
    class Slow(BlobSynthesizer):
        def __call__(self, indices):  # type: ignore[no-untyped-def]
            time.sleep(0.05)
            return super().__call__(indices)

    dataset = SyntheticDataset(Slow(1), 1, count=3)
    list(dataset)
    assert 0.15 <= dataset.waiting_seconds < 2


def test_bad_ranks_are_refused() -> None:
    with pytest.raises(ValueError, match="rank=2, world_size=2"):
        SyntheticDataset(BlobSynthesizer(1), 1, rank=2, world_size=2)


def test_prefetch_raises_where_the_item_would_have_come() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise RuntimeError("no more")

    items = prefetched(failing(), 2)
    assert next(items) == 1
    with pytest.raises(RuntimeError, match="no more"):
        next(items)


def test_prefetch_thread_ends_with_its_consumer() -> None:
    items = prefetched(itertools.count(), 1)
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_cached_batches_render_once() -> None:
    synthesizer = BlobSynthesizer(1)
    cached = CachedBatches(lambda: synthesizer, [4, 9])
    assert synthesizer.asked == []
    first = cached[1]
    assert cached[1] is first
    assert synthesizer.asked == [[4], [9]]
    assert [batch.parameters[0].key.index for batch in cached] == [4, 9]


def test_split_never_divides_a_subject() -> None:
    subjects = [f"s{index % 7}" for index in range(30)]
    split = split_by_subject(subjects, 0.3, seed=5)
    assert sorted(split.training + split.validation) == list(range(30))
    assert not {subjects[i] for i in split.training} & {subjects[i] for i in split.validation}
    assert len({subjects[i] for i in split.validation}) == 2
    chosen = {subjects[i] for i in split.validation}
    reordered = split_by_subject(subjects[::-1], 0.3, seed=5)
    assert {subjects[::-1][i] for i in reordered.validation} == chosen
    assert split_by_subject(subjects, 0.3, seed=6) != split


def test_both_sides_keep_a_subject() -> None:
    assert len(split_by_subject(["a", "b"], 0.01, 0).validation) == 1
    assert len(split_by_subject(["a", "b"], 0.9, 0).training) == 1


def test_single_subject_serves_both_sides_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    split = split_by_subject(["a", "a"], 0.2, 0)
    assert split.training == split.validation == (0, 1)
    assert "one subject only" in caplog.text


def test_data_module_uses_two_seeds_and_disjoint_maps() -> None:
    made: list[tuple[set[str], int]] = []
    curricula: list[bool] = []

    def make(bank, seed, curriculum):  # type: ignore[no-untyped-def]
        made.append((set(bank.subjects), seed))
        curricula.append(curriculum.is_on)
        return BlobSynthesizer(seed)

    data = SyntheticDataModule(
        toy_bank(6, ["a", "a", "b", "b", "c", "c"]), SynthesisConfig(), SIZE, 2, 11, 0.3, 4,
        curriculum=CurriculumConfig(share=[1.0, 0.5]), make_synthesizer=make,
    )  # fmt: skip
    next(iter(data.train_dataloader()))
    validation = list(data.val_dataloader()[0])
    assert [seed for _, seed in made] == [11, 11 + VALIDATION_SEED_OFFSET]
    assert curricula == [True, False]  # validation samples are all of the whole model
    assert len(made[0][0]) == 2
    assert not made[0][0] & made[1][0]
    assert [batch.parameters[0].key.index for batch in validation] == [0, 1, 2, 3]
    assert next(iter(data.val_dataloader()[0])) is validation[0]


def test_processes_without_a_validation_sample_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = toy_data()
    monkeypatch.setattr(data, "_position", lambda: (0, 4, 0))
    with pytest.raises(ConfigurationError, match=r"validation_samples=3 leaves some of 4 processes.*at least 4, or 0"):
        data.val_dataloader()


def test_restored_position_and_seed() -> None:
    data = toy_data(seed=3)
    data.load_state_dict({"sample_position": 40, "seed": 3})
    assert next(iter(data.train_dataloader())).parameters[0].key.index == 40
    assert data.state_dict() == {"sample_position": 40, "seed": 3}
    with pytest.raises(ConfigurationError, match="seed=3, but the checkpoint was trained with seed=4"):
        data.load_state_dict({"sample_position": 40, "seed": 4})


def test_real_synthesizer_through_the_data_module() -> None:
    data = SyntheticDataModule(toy_bank(), SynthesisConfig(), SIZE, 2, 5, validation_samples=1, threads=1)
    first = next(iter(data.train_dataloader()))
    again = next(iter(data.train_dataloader()))
    assert torch.equal(first.image, again.image)
    assert first.image.shape == (2, 1, *SIZE)
    assert set(first.target.unique().tolist()) <= {0, 1, 2, 3}
    assert len(data.val_dataloader()[0].dataset) == 1  # type: ignore[arg-type]
