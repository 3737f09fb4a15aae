"""The synthesis engine: draw parameters, render images and targets."""

from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.sampling import sample_parameters
from otfsynth.synthesis.synthesizer import Synthesizer, SyntheticBatch

__all__ = ["SynthesisParameters", "Synthesizer", "SyntheticBatch", "sample_parameters"]
