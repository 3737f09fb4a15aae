#!/usr/bin/env bash
# Frozen volumes against samples made while training: one network, one budget of steps, real scans as judges
# (docs/experiments.md).
#
#   scripts/compare_frozen.sh LABEL_MAPS [SHARED_DATA_FOLDER] [OUTPUT] [OVERRIDE...]
#
# $FROZEN whole heads (500) are frozen. What else can be set stands in comparison.sh.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/comparison.sh"

begin_comparison frozen_comparison "$@"
count="${FROZEN:-500}"
runs="${RUNS:-frozen_${count} frozen_20 lab2im synthseg randomized}"

# The first 20 of a stream are the first 20 of a longer one: only the number of volumes differs.
freeze() { # COUNT
    say "frozen volumes: $1"
    "$VENV_PYTHON" -m otfsynth.freeze +experiment=lab2im "n=$1" "output=$output/frozen_$1" "${data[@]}"
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
    score "$run"
done
# shellcheck disable=SC2086 # names have no spaces
table $runs
