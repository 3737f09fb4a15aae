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
exec "$VENV_PYTHON" -m otfsynth.train +experiment=randomized \
    hardware=laptop network=tiny trainer=quick optimizer=one_cycle logger=csv data.validation_samples=8 "$@"
