"""The contact sheet: its picture, its records, their replay, its captions and its complaints."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.command import Job
from otfsynth.config.compose import compose
from otfsynth.config.preview import PreviewConfig
from otfsynth.config.sweeps import sweep
from otfsynth.data.bank import LabelBank
from otfsynth.data.sample_records import read_records
from otfsynth.preview import caption, drawn_numbers, preview
from otfsynth.synthesis import SynthesisParameters, Synthesizer
from otfsynth.synthesis.parameters import MixtureParameters
from otfsynth.volumes.figures import GAP, Panel, central_slices, draw_panels, grey_levels, intensity_window, plane
from otfsynth.volumes.strips import telling_slices
from tests.learning.fakes import toy_bank


@pytest.fixture
def toy_heads(monkeypatch: pytest.MonkeyPatch) -> LabelBank:
    """Small heads instead of the configured label maps."""
    bank = toy_bank()
    monkeypatch.setattr(LabelBank, "from_config", lambda *_, **__: bank)
    return bank


def draw(folder: Path, *overrides: str) -> None:
    preview(compose(["hardware.threads=1", *overrides], "preview", PreviewConfig), Job(folder))


def test_a_sheet_and_its_records_are_written_and_replay_to_the_same_bytes(toy_heads: LabelBank, tmp_path: Path) -> None:
    draw(tmp_path, "+experiment=randomized", "n=3", "index=5", "columns=2", "data.patch_size=[24,28,20]")
    records = read_records(tmp_path / "sheet.json")
    assert [record.key.index for record in records] == [5, 6, 7]
    assert {record.size for record in records} == {(24, 28, 20)}
    first = Image.open(tmp_path / "sheet.png")
    assert min(first.size) > 200

    draw(tmp_path, "+experiment=randomized", f"parameters={tmp_path / 'sheet.json'}", "columns=2", "output=again.png")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "sheet.json").read_bytes()
    assert np.array_equal(np.asarray(Image.open(tmp_path / "again.png")), np.asarray(first))


def test_whole_heads_have_the_middle_of_their_targets_in_the_middle(toy_heads: LabelBank, tmp_path: Path) -> None:
    draw(tmp_path, "n=1", "contours=false", "data.spacing_mm=2")
    (record,) = read_records(tmp_path / "sheet.json")
    assert record.size == (88, 104, 88)
    target = toy_heads.scheme.target_table[toy_heads[record.map_index].indices.numpy()]
    places = np.argwhere(target > 0)
    assert record.deformation.centre_voxels == tuple((places.min(0) + places.max(0)) / 2)


def test_contours_add_a_row_of_pictures(toy_heads: LabelBank, tmp_path: Path) -> None:
    size = "data.patch_size=[24,24,24]"
    draw(tmp_path, "n=1", size, "output=with.png")
    draw(tmp_path, "n=1", size, "output=without.png", "contours=false")
    assert Image.open(tmp_path / "with.png").height > 1.5 * Image.open(tmp_path / "without.png").height


def test_the_caption_says_what_was_drawn(toy_heads: LabelBank) -> None:
    config = compose([], "preview", PreviewConfig)
    record = Synthesizer(config.synthesis, toy_heads, (16, 16, 16), 0).sample_parameters(3)
    acquisition = dataclasses.replace(record.acquisition, spacing_voxels=(1.0, 1.0, 5.04), noise_std=0.0312)
    record = dataclasses.replace(
        record,
        label_map="head.nii.gz",
        mixture=MixtureParameters((0.0,), (1.0,), "prior"),
        background="dark",
        skull_strip=None,
        bias_field=None,
        gamma=0.5,
        acquisition=acquisition,
        deformation=dataclasses.replace(record.deformation, velocity_std_voxels=2.0, flip=True),
    )
    assert caption(record) == (
        "3  head   prior contrast, dark background, whole head\n"
        "5.0 mm axial slices   noise 3.1 %   gamma 0.50   warp 2.0 mm   flipped"
    )


def test_exact_zeros_are_black_and_the_window_ignores_them() -> None:
    image = np.zeros((10, 10, 10), np.float32)
    image[2:8] = np.linspace(-2, 2, 600).reshape(6, 10, 10)
    low, high = intensity_window(image)
    assert (low, high) == pytest.approx((-1.98, 1.98), abs=0.01)
    levels = grey_levels(image[:, :, 5], (low, high))
    assert levels[0].max() == 0
    assert levels[7].min() > 200
    assert grey_levels(np.array([-5.0, 5.0]), (low, high)).tolist() == [0, 255]


def test_a_picture_shows_the_patients_left_at_its_left(tmp_path: Path) -> None:
    target = np.zeros((20, 20, 20), np.uint8)
    target[2:6, 8:12, 12:16] = 1  # left of the middle and above it
    panel = Panel(target.astype(np.float32), target)
    assert central_slices(panel) == (3, 9, 13)
    coronal = plane(target, 1, 9)
    assert np.argwhere(coronal).min(0).tolist() == [4, 2]
    assert np.argwhere(coronal).max(0).tolist() == [7, 5]
    with pytest.raises(ValueError, match="choose one of"):
        draw_panels([panel], ("background", "GM"), tmp_path / "a.png", contours="inside")


def test_records_of_other_label_maps_and_broken_files_are_refused(toy_heads: LabelBank, tmp_path: Path) -> None:
    draw(tmp_path, "n=1", "data.patch_size=[16,16,16]")
    records = (tmp_path / "sheet.json").read_text()
    (tmp_path / "other.json").write_text(records.replace("map-", "elsewhere-"))
    with pytest.raises(ConfigurationError, match="elsewhere"):
        draw(tmp_path, f"parameters={tmp_path / 'other.json'}")
    for text in ("[]", "{", "[1]"):
        (tmp_path / "broken.json").write_text(text)
        with pytest.raises(ConfigurationError, match=r"broken\.json"):
            draw(tmp_path, f"parameters={tmp_path / 'broken.json'}")


@pytest.mark.parametrize("override", ["n=0", "output=sheet.jpg", "parameters=missing.json", "columns=0"])
def test_settings_that_cannot_work_are_refused(override: str) -> None:
    with pytest.raises(ConfigurationError, match=override.split("=")[0]):
        compose([override], "preview", PreviewConfig)


def test_a_strip_has_a_column_a_value_and_its_records_beside_it(toy_heads: LabelBank, tmp_path: Path) -> None:
    options = ("sweep=gamma.std", "data.patch_size=[24,24,24]", "sweep_width=300", "index=3")
    draw(tmp_path, *options, "output=five.png")
    draw(tmp_path, *options, "output=four.png", "sweep_values=[0,0.2,0.4,0.8]", "sweep_planes=[coronal]")
    five, four = Image.open(tmp_path / "five.png"), Image.open(tmp_path / "four.png")
    assert five.width - four.width == 300 + GAP
    assert five.height - four.height == 300 + GAP
    records = read_records(tmp_path / "five.json")
    assert {record.key.index for record in records} == {3}
    logs = [np.log(record.gamma) for record in records if record.gamma is not None]
    assert logs == pytest.approx([step * logs[4] / 4 for step in range(5)])
    assert {dataclasses.replace(record, gamma=None) for record in records} == {
        dataclasses.replace(records[0], gamma=None)
    }
    assert drawn_numbers(records)[0] == "gamma 1"


@pytest.mark.parametrize(
    ("setting", "drawn"),
    [
        ("bias_field.std_max", lambda record: record.bias_field.std),
        ("noise.std_max", lambda record: record.acquisition.noise_std),
        ("velocity_field.std_max_mm", lambda record: record.deformation.velocity_std_voxels),
        ("texture.smooth_share_max", lambda record: record.texture.smooth_share),
        ("noise_field.std_max", lambda record: record.noise_field.std),
        ("skull_strip.edge_roughness_mm", lambda record: record.skull_strip.edge_roughness_mm),
        ("subclasses.mean_std", lambda record: record.subclasses.mean_offsets[0][1]),
        ("motion.shift_std_mm", lambda record: record.motion.shifts_voxels[0][0]),
    ],
)
def test_what_is_drawn_grows_in_proportion(
    toy_heads: LabelBank, setting: str, drawn: Callable[[SynthesisParameters], float]
) -> None:
    config = compose([], "preview", PreviewConfig).synthesis
    columns = [
        (value, drawn(Synthesizer(synthesis, toy_heads, (16, 16, 16), 0).sample_parameters(3)))
        for value, synthesis in sweep(config, setting)
    ]
    assert columns[-1][1] != 0
    assert [number for _, number in columns] == pytest.approx(
        [value / columns[-1][0] * columns[-1][1] for value, _ in columns]
    )


def test_a_strip_in_which_nothing_changes_says_so(
    toy_heads: LabelBank, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")
    still = ("synthesis=clean", "data.patch_size=[16,16,16]", "sweep=ringing.kept_share", "sweep_values=[0.5,0.5]")
    draw(tmp_path, *still)
    assert "sweep=ringing.kept_share changes nothing in sample 0" in caplog.text


def test_a_strip_shows_the_slice_that_tells(tmp_path: Path) -> None:
    target = np.ones((20, 20, 20), np.uint8)
    first, second = np.zeros((2, 20, 20, 20), np.float32)
    second[3, 3:6, 15] = 1
    assert telling_slices([Panel(first, target), Panel(second, target)]) == (3, 3, 15)
    assert telling_slices([Panel(first, target), Panel(first + 1, target)]) == central_slices(Panel(first, target))
