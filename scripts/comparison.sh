# What comparisons of trainings share: one network, one budget of steps, real scans as judges (docs/experiments.md).
# Sourced by compare_*.sh, with the arguments LABEL_MAPS [SHARED_DATA_FOLDER] [OUTPUT] [OVERRIDE...].
#
# OVERRIDE: further options of every training, e.g. trainer.max_steps=20000 network=nnunet hardware=gpu8. $SPACING_MM:
# voxels of all runs (2, so that two CPU cores need minutes a run; 1 is what a GPU should do). $RUNS names the runs, all by
# default. Finished runs are kept (and scored again) and interrupted ones continued, so that a command can be given again.
# $OTFSYNTH_PYTHON names a Python that has the package; else .venv is set up.
# shellcheck shell=bash
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

begin_comparison() { # DEFAULT_OUTPUT ARGUMENT...
    local default="$1" maps
    shift
    maps="${1:?give the label maps: a file, folder, glob or CSV list}"
    shared="${2:-${OTFSYNTH_SHARED_DATA:-$ROOT/../shared/data}}"
    output="${3:-$default}"
    shift "$(($# < 3 ? $# : 3))"
    overrides=("$@")
    data=("data.label_maps=$maps" "data.spacing_mm=${SPACING_MM:-2}")
    if [ -n "${OTFSYNTH_PYTHON:-}" ]; then VENV_PYTHON="$OTFSYNTH_PYTHON"; else setup_environment; fi
    export OTFSYNTH_PYTHON="$VENV_PYTHON"
    mkdir -p "$output"
    output="$(cd "$output" && pwd)"
}

train() { # NAME OPTION...
    local name="$1"
    shift
    say "training: $name"
    # metrics.csv tells the hours; they begin again with every process of a resumed run, and the table adds them up.
    # Where patches lie is the training's choice, not the generative model's: the same for all.
    "$VENV_PYTHON" -m otfsynth.train "${data[@]}" data.validation_fraction=0 data.validation_samples=4 \
        hardware=laptop network=tiny data.batch_size=1 synthesis.patch.foreground_probability=0.5 seed=0 \
        trainer.max_steps=1200 trainer.validate_every_steps=600 \
        optimizer=one_cycle optimizer.learning_rate=4e-3 logger=csv resume=auto hydra.run.dir="$output/runs/$name" \
        "$@" ${overrides[@]+"${overrides[@]}"}
}

score() { # NAME
    say "real scans: $1"
    # What the networks say: the rule for the rim would add fluid for those alone that were trained with fluid there.
    SCORED_ONLY=1 NO_BASELINE=1 PREDICT_OPTIONS="tta_scales=[] fluid_rim_mm=0" "$ROOT/scripts/reproduce_real_scans.sh" \
        "$shared" "$output/runs/$1/checkpoints/last.ckpt" "$output/scored/$1"
}

table() { # NAME...
    say "table"
    "$VENV_PYTHON" "$ROOT/scripts/comparison_table.py" "$output" "$@"
}
