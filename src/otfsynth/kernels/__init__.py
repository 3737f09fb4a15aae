"""The operators of ``cuda_kernels/``, launched: NumPy mirrors of their structs and the CPU extension."""

from otfsynth.kernels import cuda
from otfsynth.kernels.host import launch, layouts, philox4x32, variant
from otfsynth.kernels.operators import OPERATORS

__all__ = ["OPERATORS", "cuda", "launch", "layouts", "philox4x32", "variant"]
