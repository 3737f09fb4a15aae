"""Skull-stripping: brain masks from HD-BET, deepbet, a folder of masks or a command of the user's.

Masks are boolean, on the grid of the scan as stored. Nothing here downloads anything.
"""

from otfsynth.config.skullstrip import METHODS, StrippingConfig
from otfsynth.inference.skullstrip.choice import Brain, choose_stripper, find_brain, what_decides
from otfsynth.inference.skullstrip.decision import Decision, has_skull
from otfsynth.inference.skullstrip.stripper import SkullStripError, Stripper

__all__ = [
    "METHODS",
    "Brain",
    "Decision",
    "SkullStripError",
    "Stripper",
    "StrippingConfig",
    "choose_stripper",
    "find_brain",
    "has_skull",
    "what_decides",
]
