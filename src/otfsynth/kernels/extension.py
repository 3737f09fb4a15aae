"""The CPU extension, opened with ctypes."""

from __future__ import annotations

import ctypes
import functools
import importlib.machinery
import importlib.util
from pathlib import Path


@functools.cache
def library() -> ctypes.CDLL:
    """Open the extension once.

    Raises:
        RuntimeError: the extension was not built, or for another Python; the message says how to build it.
    """
    spec = importlib.util.find_spec("otfsynth.kernels._host")
    if spec is None or spec.origin is None:
        suffixes = ", ".join(importlib.machinery.EXTENSION_SUFFIXES)
        raise RuntimeError(
            f"the CPU extension _host ({suffixes}) is missing from {Path(__file__).parent}; build it with "
            "'pip install -e .' in the checkout, or reinstall the package with a C++ compiler at hand"
        )
    opened = ctypes.CDLL(spec.origin)
    opened.otf_launch.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_longlong, ctypes.c_int]
    opened.otf_launch.restype = ctypes.c_int
    opened.otf_launch_size.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_longlong, *[ctypes.c_void_p] * 2]
    opened.otf_launch_size.restype = ctypes.c_int
    opened.otf_variant.restype = ctypes.c_char_p
    opened.otf_philox4x32.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_longlong]
    opened.otf_fields.argtypes = [ctypes.POINTER(ctypes.c_void_p)]
    opened.otf_fields.restype = ctypes.c_longlong
    return opened
