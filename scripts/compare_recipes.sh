#!/usr/bin/env bash
# What decides the accuracy on real scans? Runs that differ from `+experiment=randomized` in one thing each, from one
# seed, with one network and one budget of steps (docs/experiments.md).
#
#   scripts/compare_recipes.sh LABEL_MAPS [SHARED_DATA_FOLDER] [OUTPUT] [OVERRIDE...]
#
# RUNS="reference no_curriculum" chooses; `reference`, `reference_seed1` and `reference_seed2` tell how far two runs differ
# by chance. What else can be set stands in comparison.sh.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/comparison.sh"

begin_comparison recipe_comparison "$@"
runs="${RUNS:-reference reference_seed1 reference_seed2 no_curriculum easier_only random_contrasts physics_contrasts
    no_contrast_floor no_skull_strip no_fluid black_background subclasses no_partial_volume open_sulci no_shape_variety
    no_deep_supervision no_average cosine small_patches wider_network}"

# Options of one recipe. What the curriculum's easier samples have of their own is changed with it.
options_of() { # NAME
    options=()
    case "$1" in
    reference) ;;
    reference_seed*) options=("seed=${1#reference_seed}") ;;
    no_curriculum) options=(curriculum=none) ;;
    easier_only) options=('curriculum.share=[1.0,1.0]') ;;
    random_contrasts) contrasts '{mixture: 1.0, priors: 0.0, physics: 0.0}' ;;
    physics_contrasts) contrasts '{mixture: 0.0, priors: 0.0, physics: 1.0}' ;;
    no_contrast_floor) options=(synthesis.mixture.tissue_contrast_probability=0) ;;
    no_skull_strip) options=(synthesis.skull_strip.probability=0) ;;
    no_fluid) options=(synthesis.skull_strip.fluid_probability=0) ;;
    black_background) background zero_probability=1 dark_probability=0 textured_probability=0 ;;
    subclasses) # of schemes of many classes too
        options=(synthesis.subclasses.most_classes=256 curriculum.easy.subclasses.probability=0.7)
        ;;
    no_partial_volume) options=({synthesis,curriculum.easy}.partial_volume.probability=0) ;;
    open_sulci) # cortex thinned from outside more often than not, so that CSF lies in every sulcus
        options=(synthesis.shape_variety.probability=0.6 'synthesis.shape_variety.pial_surface_mm=[-1.2,0.5]')
        ;;
    no_shape_variety) options=(synthesis.shape_variety.probability=0) ;;
    no_deep_supervision) options=(network.deep_supervision=false) ;;
    no_average) options=(optimizer.ema_decay=0) ;;
    cosine) options=(optimizer.schedule=cosine optimizer.warmup_steps=50) ;;
    small_patches) options=('data.patch_size=[48,48,48]' data.batch_size=2) ;;
    wider_network) options=(network=laptop) ;;
    *)
        echo "compare_recipes: no recipe is called '$1'" >&2
        return 2
        ;;
    esac
}

contrasts() { # ENGINES
    options=("synthesis.contrast.engines=$1" "curriculum.easy.contrast.engines=$1")
}

background() { # NAME=VALUE...
    local entry
    for entry in "$@"; do
        options+=("synthesis.background.$entry" "curriculum.easy.background.$entry")
    done
}

for run in $runs; do options_of "$run"; done # a name that is wrong is wrong before the first run
for run in $runs; do
    options_of "$run"
    # The ranges widen within the budget, as they do in a long run.
    train "$run" +experiment=randomized curriculum.samples=800 ${options[@]+"${options[@]}"}
    score "$run"
done
# shellcheck disable=SC2086 # names have no spaces
table $runs
