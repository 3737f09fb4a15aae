# Shared by quickstart.sh and test.sh, which source it: a virtual environment with the package in it.
#
#   setup_environment [EXTRA...]     e.g. setup_environment dev
#
# Respects $OTFSYNTH_VENV (default: .venv in the checkout) and $PYTHON (default: the newest of python3.13 to python3.11).
# Safe to run again: what is there and fits is kept. Afterwards $VENV_PYTHON is the environment's Python.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="${OTFSYNTH_VENV:-$ROOT/.venv}"
VENV_PYTHON="$VENV/bin/python"

say() { printf '\n== %s\n' "$*"; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3 python}; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
            >/dev/null 2>&1; then
            command -v "$candidate"
            return
        fi
    done
    echo "no Python 3.11, 3.12 or 3.13 with venv was found; install one, or name it: PYTHON=/path/to/python3.12 $0" >&2
    return 1
}

# cuda13, cuda12 or nothing, by what the NVIDIA driver supports.
cuda_extra() {
    local version
    version="$( (nvidia-smi 2>/dev/null || true) | sed -n 's/.*CUDA Version: *\([0-9]*\)\..*/\1/p' | head -n 1)"
    if [ -z "$version" ]; then return 0; fi
    if [ "$version" -ge 13 ]; then echo cuda13; elif [ "$version" -ge 12 ]; then echo cuda12; fi
}

# Changes whenever what is to be installed does: dependencies, pins, sources of the extension, extras, folder.
fingerprint() {
    (cd "$ROOT" && cat pyproject.toml constraints.txt scripts/build_extension.py cuda_kernels/* && echo "$ROOT $*") | cksum
}

setup_environment() {
    local python extras cuda stamp="$VENV/otfsynth-installed"
    if [ ! -x "$VENV_PYTHON" ]; then
        python="$(find_python)" || return 1
        say "virtual environment $VENV, with $("$python" --version)"
        "$python" -m venv "$VENV"
    fi
    cuda="$(cuda_extra)"
    extras="$(IFS=,; echo "$*${cuda:+${*:+,}$cuda}")"
    if [ "$(cat "$stamp" 2>/dev/null)" = "$(fingerprint "$extras")" ] && "$VENV_PYTHON" -c \
        'from otfsynth.kernels import host; host.variant(); import torch' >/dev/null 2>&1; then
        say "environment $VENV: up to date"
        return 0
    fi
    say "packages (2 GB the first time, a few minutes; pinned by constraints.txt)${cuda:+, GPU: $cuda}"
    (cd "$ROOT" && "$VENV_PYTHON" -m pip install --quiet --disable-pip-version-check \
        -c constraints.txt -e ".${extras:+[$extras]}")
    mend_torchvision
    fingerprint "$extras" >"$stamp"
}

# nnU-Net's dependencies pull in torchvision, whose wheel may not fit torch; Lightning then fails to import.
mend_torchvision() {
    if "$VENV_PYTHON" -m pip show --quiet torchvision >/dev/null 2>&1 \
        && ! "$VENV_PYTHON" -c 'import torchvision' >/dev/null 2>&1; then
        say "torchvision does not fit this torch and nothing here needs it: uninstalling it"
        "$VENV_PYTHON" -m pip uninstall --quiet --yes torchvision
    fi
}
