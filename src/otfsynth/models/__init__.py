"""Published models: the one that comes with the package, and what a model's card says."""

from otfsynth.models.shipped import NoShippedModelError, shipped_model

__all__ = ["NoShippedModelError", "shipped_model"]
