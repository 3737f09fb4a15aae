#!/usr/bin/env bash
# The shipped model, or one of yours, on the developers' real scans: scores, pictures, and a table beside what is asked of
# it and beside a k-means that is told the contrast. Minutes on two CPU cores (docs/model.md).
#
#   scripts/reproduce_real_scans.sh [SHARED_DATA_FOLDER] [CHECKPOINT_OR_MODEL] [OUTPUT]
#
# SHARED_DATA_FOLDER: $OTFSYNTH_SHARED_DATA, else ../shared/data. CHECKPOINT_OR_MODEL: the shipped one where it is absent
# or empty. OUTPUT: real_scans. With SCORED_ONLY=1 the scans without a reference are left out, with NO_BASELINE=1 the
# k-means. $PREDICT_OPTIONS: further options of predict. $OTFSYNTH_PYTHON names a Python that has the package; else .venv is
# set up.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

shared="${1:-${OTFSYNTH_SHARED_DATA:-$ROOT/../shared/data}}"
checkpoint="${2:-null}"
output="${3:-real_scans}"
if [ -n "${OTFSYNTH_PYTHON:-}" ]; then VENV_PYTHON="$OTFSYNTH_PYTHON"; else setup_environment; fi
# What a run before left would otherwise stand beside the new, or be scored, where something fails.
rm -rf "$output/predictions" "$output/scores" "$output/baseline_scores" "$output/baseline" "$output/summary.md" "$output/summary.json"

say "inputs and baseline"
"$VENV_PYTHON" "$ROOT/scripts/reproduce_inputs.py" "$shared" "$output" ${SCORED_ONLY:+--scored-only} \
    ${NO_BASELINE:+--no-baseline}

say "prediction"
SECONDS=0
# A scan that fails is named, and so is the case that its evaluation then misses; the others are scored.
"$VENV_PYTHON" -m otfsynth.predict input="$output/inputs/scans.csv" output="$output/predictions" \
    checkpoint="$checkpoint" ${PREDICT_OPTIONS:+$PREDICT_OPTIONS} || [ $? -eq 1 ]
echo "all scans took $SECONDS s"

# IBSR and Atropos number CSF, GM, WM.
tissues='{1: 3, 2: 1, 3: 2}'
# FreeSurfer's: ventral diencephalon, choroid plexus, vessels and hypointensities do not count.
freesurfer='{4: 3, 5: 3, 14: 3, 15: 3, 24: 3, 43: 3, 44: 3, 72: 3,
    3: 1, 42: 1, 8: 1, 47: 1, 10: 1, 11: 1, 12: 1, 13: 1, 17: 1, 18: 1, 26: 1, 49: 1, 50: 1, 51: 1, 52: 1, 53: 1, 54: 1, 58: 1,
    2: 2, 41: 2, 7: 2, 46: 2, 77: 2, 85: 2, 16: 2, 251: 2, 252: 2, 253: 2, 254: 2, 255: 2,
    28: 255, 60: 255, 30: 255, 31: 255, 62: 255, 63: 255, 80: 255}'
freesurfer="${freesurfer//$'\n'/ }"

failed=0
score() { # SET TITLE OPTION...: the model's labels and the baseline's, by the same rules
    local set="$1" title="$2" kind
    shift 2
    for kind in "scores:predictions:$title" "baseline_scores:baseline/$set:$title, k-means told T1-weighted"; do
        if [ -n "${NO_BASELINE:-}" ] && [ "${kind%%:*}" = baseline_scores ]; then continue; fi
        local from="${kind#*:}"
        say "${from#*:}"
        "$VENV_PYTHON" -m otfsynth.evaluate predictions="$output/${from%%:*}" references="$output/inputs/$set.csv" \
            output="$output/${kind%%:*}/$set" "title='${from#*:}'" progress=false "$@" || failed=1
    done
}
score ibsr "IBSR (manual)" "reference_labels=$tissues" ventricles_only=true agreement=false
score test_vol "test_vol (FreeSurfer)" "reference_labels=$freesurfer" ventricles_only=true agreement=false
score open_ms "open_ms_p07 (silver labels)" "reference_labels=$tissues"

say "summary"
"$VENV_PYTHON" "$ROOT/scripts/reproduce_summary.py" "$output"
exit "$failed"
