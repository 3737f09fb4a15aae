"""Frozen volumes: layout, agreement with their records, resuming, complaints."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.command import Job
from otfsynth.config.compose import compose
from otfsynth.config.freeze import FreezeConfig
from otfsynth.data.bank import LabelBank
from otfsynth.freeze import freeze
from otfsynth.synthesis import SynthesisParameters, Synthesizer
from otfsynth.volumes import read_volume, spacing_of
from tests.learning.fakes import toy_bank

SIZE = "data.patch_size=[20,24,16]"


@pytest.fixture
def toy_heads(monkeypatch: pytest.MonkeyPatch) -> LabelBank:
    """Small heads instead of the configured label maps."""
    bank = toy_bank()
    monkeypatch.setattr(LabelBank, "from_config", lambda *_, **__: bank)
    return bank


def write(folder: Path, *overrides: str) -> None:
    options = ["hardware.threads=1", "trainer.progress=false", "output=frozen", *overrides]
    freeze(compose(options, "freeze", FreezeConfig), Job(folder))


def test_volumes_are_in_nnunets_layout_and_equal_what_their_records_render(
    toy_heads: LabelBank, tmp_path: Path
) -> None:
    write(tmp_path, "+experiment=randomized", "n=3", "index=7", SIZE, "prefix=toy")
    folder = tmp_path / "frozen"
    names = ["toy_000007", "toy_000008", "toy_000009"]
    assert sorted(path.name for path in (folder / "imagesTr").iterdir()) == [f"{name}_0000.nii.gz" for name in names]
    assert sorted(path.name for path in (folder / "labelsTr").iterdir()) == [f"{name}.nii.gz" for name in names]
    description = json.loads((folder / "dataset.json").read_text())
    assert description["numTraining"] == 3
    assert description["labels"] == {name: value for value, name in enumerate(toy_heads.scheme.target_names)}

    record = SynthesisParameters.from_json((folder / "records" / "toy_000008.json").read_text())
    synthesizer = Synthesizer(compose(["output=x"], "freeze", FreezeConfig).synthesis, toy_heads, record.size, 0)
    batch = synthesizer.render([record])
    image = read_volume(folder / "imagesTr" / "toy_000008_0000.nii.gz")
    label = read_volume(folder / "labelsTr" / "toy_000008.nii.gz")
    assert np.array_equal(image.data, batch.image[0, 0].numpy())
    assert np.array_equal(label.data, batch.target[0, 0].numpy())
    assert np.allclose(spacing_of(image.affine), record.spacing_mm)
    assert np.allclose(image.affine @ [9.5, 11.5, 7.5, 1], [0, 0, 0, 1])  # the middle of the volume


def test_channels_are_files_of_one_case(toy_heads: LabelBank, tmp_path: Path) -> None:
    options = ["synthesis.channels.count=2", "synthesis.channels.missing_probability=0.5"]
    write(tmp_path, "+experiment=randomized", "n=3", SIZE, "prefix=toy", *options)
    folder = tmp_path / "frozen"
    expected = sorted(f"toy_00000{case}_000{channel}.nii.gz" for case in range(3) for channel in range(2))
    assert sorted(path.name for path in (folder / "imagesTr").iterdir()) == expected
    assert json.loads((folder / "dataset.json").read_text())["channel_names"] == {"0": "MRI 1", "1": "MRI 2"}
    record = SynthesisParameters.from_json((folder / "records" / "toy_000001.json").read_text())
    synthesizer = Synthesizer(compose(["output=x"], "freeze", FreezeConfig).synthesis, toy_heads, record.size, 0)
    batch = synthesizer.render([record])
    for channel in range(2):
        image = read_volume(folder / "imagesTr" / f"toy_000001_000{channel}.nii.gz")
        assert np.array_equal(image.data, batch.image[0, channel].numpy())
    (folder / "imagesTr" / "toy_000001_0001.nii.gz").unlink()
    write(tmp_path, "+experiment=randomized", "n=3", SIZE, "prefix=toy", *options)
    assert (folder / "imagesTr" / "toy_000001_0001.nii.gz").is_file()


def test_a_second_run_writes_only_what_is_missing_or_damaged(toy_heads: LabelBank, tmp_path: Path) -> None:
    write(tmp_path, "n=3", SIZE)
    images = tmp_path / "frozen" / "imagesTr"
    first = {path.name: (path.stat().st_ino, path.read_bytes()) for path in images.iterdir()}
    (images / "synthetic_000001_0000.nii.gz").write_bytes(first["synthetic_000001_0000.nii.gz"][1][:100])
    write(tmp_path, "n=4", SIZE)
    second = {path.name: (path.stat().st_ino, path.read_bytes()) for path in images.iterdir()}
    assert len(second) == 4
    assert {name: payload for name, (_, payload) in second.items() if name in first} == {
        name: payload for name, (_, payload) in first.items()
    }
    untouched = {name for name in first if first[name][0] == second[name][0]}
    assert untouched == {"synthetic_000000_0000.nii.gz", "synthetic_000002_0000.nii.gz"}
    assert json.loads((tmp_path / "frozen" / "dataset.json").read_text())["numTraining"] == 4


def test_volumes_of_other_settings_are_never_overwritten(toy_heads: LabelBank, tmp_path: Path) -> None:
    write(tmp_path, "n=1", SIZE)
    image = tmp_path / "frozen" / "imagesTr" / "synthetic_000000_0000.nii.gz"
    before = image.read_bytes()
    with pytest.raises(ConfigurationError, match=r"synthetic_000000\.json.*other settings"):
        write(tmp_path, "n=1", SIZE, "seed=3")
    assert image.read_bytes() == before


def test_a_folder_with_cases_of_another_name_and_a_missing_output_are_refused(
    toy_heads: LabelBank, tmp_path: Path
) -> None:
    write(tmp_path, "n=1", SIZE, "prefix=first")
    with pytest.raises(ConfigurationError, match="first_000000"):
        write(tmp_path, "n=1", SIZE, "prefix=second")
    with pytest.raises(ConfigurationError, match="output is missing"):
        compose([], "freeze", FreezeConfig)
