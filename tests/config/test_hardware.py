"""Depth of prefetching: left to the machine, or a whole number from 0."""

from __future__ import annotations

import pytest

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.compose import compose


def test_prefetch_depth_comes_from_the_configuration() -> None:
    assert compose(["hardware=laptop"]).hardware.prefetch is None
    assert compose(["hardware=laptop", "hardware.prefetch=3"]).hardware.prefetch == 3
    with pytest.raises(ConfigurationError, match=r"hardware\.prefetch"):
        compose(["hardware=laptop", "hardware.prefetch=-1"])
