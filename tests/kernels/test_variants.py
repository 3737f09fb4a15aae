"""The code of every processor generation draws the same labels and, to rounding, the same intensities."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.synthesis.heads import bank_of, head_indices, reference, synthesizer

ROOT = Path(__file__).resolve().parents[2]
SIZE = (33, 28, 37)
PROGRAM = """
import sys
import numpy as np
from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.kernels import variant
from tests.synthesis.heads import bank_of, head_indices, synthesizer
batch = synthesizer(bank_of(head_indices()), {size}, SynthesisConfig(), threads=1)([0, 1, 2])
np.savez(sys.argv[1], image=batch.image[:, 0].numpy(), target=batch.target[:, 0].numpy(), variant=variant())
"""


@pytest.mark.parametrize("variant", ["baseline", "v3"])  # the best one runs in all other tests
def test_variant_agrees_with_the_oracle(variant: str, tmp_path: Path) -> None:
    from otfsynth.config.synthesis import SynthesisConfig

    path = tmp_path / "batch.npz"
    environment = {**os.environ, "OTFSYNTH_ISA": variant, "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-c", PROGRAM.format(size=SIZE), str(path)], cwd=ROOT, env=environment, check=True, timeout=120
    )
    drawn = np.load(path)
    if str(drawn["variant"]) != variant:
        pytest.skip(f"this processor runs {drawn['variant']}, not {variant}")
    bank = bank_of(head_indices())
    engine = synthesizer(bank, SIZE, SynthesisConfig())
    for index in range(3):
        image, target = reference(bank, engine.sample_parameters(index))
        agree = drawn["target"][index] == target
        assert np.mean(agree) > 0.999
        assert np.mean(np.abs(drawn["image"][index] - image)[agree] > 2e-3) < 1e-3
