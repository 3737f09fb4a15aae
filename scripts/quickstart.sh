#!/usr/bin/env bash
# From a fresh clone to a trained network and two pictures: about 10 minutes on two CPU cores, after installation.
#
#   scripts/quickstart.sh [OVERRIDE...]      e.g. scripts/quickstart.sh trainer.max_steps=2000 seed=1
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

setup_environment
cd "$ROOT"
say "what is here"
"$VENV_PYTHON" -m otfsynth.doctor
say "training on the embedded label maps: nothing to download"
# A few hundred steps cannot teach every contrast, so four samples in five have T1-weighted class means (priors) here; all
# else is the model of +experiment=randomized. Both embedded anatomies are trained on (data.validation_fraction=0).
exec "$VENV_PYTHON" -m otfsynth.train +experiment=randomized \
    curriculum=none synthesis=t1w 'synthesis.contrast.engines={mixture: 0.2, priors: 0.8, physics: 0.0}' \
    data.validation_fraction=0 data.validation_samples=8 \
    hardware=laptop data.batch_size=1 network=tiny trainer=quick optimizer=one_cycle optimizer.learning_rate=4e-3 \
    logger=csv "$@"
