#!/usr/bin/env bash
# Frozen volumes against samples made while training: one network, one budget of steps, real scans as judges
# (docs/experiments.md).
#
#   scripts/compare_frozen.sh LABEL_MAPS [SHARED_DATA_FOLDER] [OUTPUT] [OVERRIDE...]
#
# OVERRIDE: further options of every training, e.g. trainer.max_steps=20000 network=nnunet hardware=gpu8. $FROZEN whole
# heads (500) are frozen. $SPACING_MM: voxels of all runs (2, so that two CPU cores need an hour; 1 is what a GPU should do).
# $RUNS names the runs, all by default. Finished volumes and runs are kept (runs are scored again) and interrupted ones
# continued, so that the command can be given again. $OTFSYNTH_PYTHON names a Python that has the package; else .venv is set up.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

maps="${1:?give the label maps: a file, folder, glob or CSV list}"
shared="${2:-${OTFSYNTH_SHARED_DATA:-$ROOT/../shared/data}}"
output="${3:-frozen_comparison}"
shift "$(($# < 3 ? $# : 3))"
overrides=("$@")
count="${FROZEN:-500}"
data=("data.label_maps=$maps" "data.spacing_mm=${SPACING_MM:-2}")
runs="${RUNS:-frozen_${count} frozen_20 lab2im synthseg randomized}"
if [ -n "${OTFSYNTH_PYTHON:-}" ]; then VENV_PYTHON="$OTFSYNTH_PYTHON"; else setup_environment; fi
export OTFSYNTH_PYTHON="$VENV_PYTHON"
mkdir -p "$output"
output="$(cd "$output" && pwd)"

# Where patches lie is the training's choice, not the generative model's: the same for all.
patches=(synthesis.patch.foreground_probability=0.5)

# The first 20 of a stream are the first 20 of a longer one: only the number of volumes differs.
freeze() { # COUNT
    say "frozen volumes: $1"
    "$VENV_PYTHON" -m otfsynth.freeze +experiment=lab2im "n=$1" "output=$output/frozen_$1" "${data[@]}"
}

train() { # NAME OPTION...
    local name="$1"
    shift
    say "training: $name"
    # metrics.csv tells the hours; they begin again with every process of a resumed run, and the table adds them up.
    "$VENV_PYTHON" -m otfsynth.train "$@" "${data[@]}" data.validation_fraction=0 data.validation_samples=4 \
        hardware=laptop network=tiny data.batch_size=1 "${patches[@]}" seed=0 \
        trainer.max_steps=1200 trainer.validate_every_steps=600 \
        optimizer=one_cycle optimizer.learning_rate=4e-3 logger=csv resume=auto hydra.run.dir="$output/runs/$name" \
        ${overrides[@]+"${overrides[@]}"}
}

for run in $runs; do
    case "$run" in
    frozen_*)
        freeze "${run#frozen_}"
        # The volumes as they are: every stage off. Real scans in the mix are how volumes with labels are read.
        train "$run" +experiment=lab2im synthesis=bare synthesis.normalization=minmax "data.real_training=$output/$run" \
            data.real_training_probability=1 'data.real_training_labels={1: 1, 2: 2, 3: 3}'
        ;;
    *) train "$run" "+experiment=$run" ;;
    esac
    say "real scans: $run"
    SCORED_ONLY=1 "$ROOT/scripts/reproduce_real_scans.sh" "$shared" "$output/runs/$run/checkpoints/last.ckpt" \
        "$output/scored/$run"
done

say "table"
# shellcheck disable=SC2086 # names have no spaces
"$VENV_PYTHON" "$ROOT/scripts/compare_frozen_table.py" "$output" $runs
