"""Where the prior files of the mixture are: the user's own, or those shipped in ``conf/priors``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.resources import conf_folder


def resolve_priors(synthesis: SynthesisConfig, scheme_name: str) -> SynthesisConfig:
    """Put the scheme's name for ``{scheme}``, and ``conf/`` before relative paths that exist only there."""
    mixture = synthesis.mixture
    found: dict[str, Any] = {
        field: _find(path.replace("{scheme}", scheme_name))
        for field in ("prior_means", "prior_stds")
        if (path := getattr(mixture, field)) is not None
    }
    return dataclasses.replace(synthesis, mixture=dataclasses.replace(mixture, **found))


def _find(path: str) -> str:
    shipped = conf_folder() / path
    return str(shipped) if shipped.is_file() and not Path(path).is_file() else path
