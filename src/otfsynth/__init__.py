"""On-the-fly synthesis of brain MRI from label maps, for contrast-agnostic nnU-Net training."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("otfsynth")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+unknown"
