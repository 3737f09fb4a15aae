"""The synthesis engine: draw parameters, render images and targets."""

from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.sampling import sample_parameters
from otfsynth.synthesis.synthesizer import SyntheticBatch, Synthesizer

__all__ = ["SynthesisParameters", "SyntheticBatch", "Synthesizer", "sample_parameters"]
