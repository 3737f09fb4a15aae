#!/usr/bin/env bash
# Everything that a change must pass: lint, types, import layers, kernel compilation, tests.
#
#   scripts/test.sh [PYTEST ARGUMENT...]     e.g. scripts/test.sh tests/config -k sweep
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

setup_environment dev
cd "$ROOT"
bin="$VENV/bin"
failed=()
step() {
    local name="$1"
    shift
    say "$name"
    "$@" || failed+=("$name")
}
export WANDB_MODE=disabled
step "lint" "$bin/ruff" check .
step "format" "$bin/ruff" format --check .
step "types" "$bin/mypy"
step "import layers" "$bin/lint-imports"
step "kernels" "$bin/python" scripts/compile_kernels.py
step "tests" "$bin/python" -m pytest -n "${OTFSYNTH_TEST_WORKERS:-2}" "$@"
if [ ${#failed[@]} -gt 0 ]; then
    printf '\nfailed: %s\n' "${failed[*]}" >&2
    exit 1
fi
