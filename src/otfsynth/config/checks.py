"""Range checks of configuration values: each names the field, the value and the remedy."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence


class InputError(ValueError):
    """Something the user gave can't be used; the message is complete, so commands print it without a traceback."""


class ConfigurationError(InputError):
    """A configuration value that can't work; the message names the field, the value and what to do."""


def check_probability(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise ConfigurationError(f"{name}={value} is not a probability; give a number from 0 to 1")


def check_at_least(name: str, value: float, low: float) -> None:
    if not (math.isfinite(value) and value >= low):
        raise ConfigurationError(f"{name}={value} is too small; give a finite number of at least {low:g}")


def check_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigurationError(f"{name}={value} must be a finite number above 0")


def check_between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigurationError(f"{name}={value} leaves [{low:g}, {high:g}]; choose a number inside it")


def check_range(name: str, value: Sequence[float], low: float = -math.inf, high: float = math.inf) -> None:
    """Check that ``value`` is ``[low, high]``, ordered, finite and inside the given limits."""
    if len(value) != 2:
        raise ConfigurationError(f"{name}={list(value)} is not a range; give two numbers [low, high]")
    first, second = value
    if not (math.isfinite(first) and math.isfinite(second)):
        raise ConfigurationError(f"{name}={list(value)} holds a number that is not finite")
    if first > second:
        raise ConfigurationError(f"{name}={list(value)} has low > high; swap the two: [{second:g}, {first:g}]")
    if first < low or second > high:
        raise ConfigurationError(f"{name}={list(value)} leaves [{low:g}, {high:g}]; choose a range inside it")


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        close = difflib.get_close_matches(value, choices, n=1)
        hint = f" (did you mean '{close[0]}'?)" if close else ""
        raise ConfigurationError(f"{name}={value} is unknown{hint}; choose one of: {', '.join(choices)}")


def check_sum_to_one(names: Sequence[str], values: Sequence[float]) -> None:
    for name, value in zip(names, values, strict=True):
        check_probability(name, value)
    total = sum(values)
    if abs(total - 1.0) > 1e-6:
        listing = ", ".join(f"{name}={value:g}" for name, value in zip(names, values, strict=True))
        raise ConfigurationError(
            f"{listing} sum to {total:g}; they are the probabilities of one choice and must sum to 1"
        )
