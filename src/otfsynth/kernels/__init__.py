"""The operators of ``cuda_kernels/``, launched: their structs as NumPy dtypes, and the CPU extension."""

from otfsynth.kernels import cuda
from otfsynth.kernels.host import launch, philox4x32, variant
from otfsynth.kernels.structs import STRUCTS

__all__ = ["STRUCTS", "cuda", "launch", "philox4x32", "variant"]
