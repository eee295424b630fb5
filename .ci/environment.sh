# Sourced by validation/run.sh and tests/run.sh: leaves `python` and `PATH` of a private environment in .venv that holds
# wassflow (with the extra $1 where given), installed from the versions in .ci/constraints.txt. Repeating it costs nothing.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

find_python() {
    # pyenv's shims refuse to start a version that .python-version does not name: so every candidate is tried, not just looked up.
    local candidate
    for candidate in "${WASSFLOW_PYTHON:-}" python3 python3.12 python3.13 python3.14 python; do
        if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(not (3, 12) <= sys.version_info < (3, 15))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    cat >&2 <<'MESSAGE'
wassflow needs Python 3.12, 3.13 or 3.14, and none was found on PATH.
Install one and try again, for example
    Debian 13, Ubuntu 24.04 or newer:  apt-get install python3 python3-venv
    Fedora:                            dnf install python3
    pyenv:                             pyenv install 3.12
or name one:  WASSFLOW_PYTHON=/path/to/python3.12
MESSAGE
    return 1
}

install_environment() {
    local extra=${1:-} environment=.venv python stamp
    stamp="$environment/installed${extra:+-$extra}"
    # The environment is complete for these requirements exactly when the stamp holds them: it is written last.
    requirements() { cksum pyproject.toml .ci/constraints.txt; pwd; }
    if [ ! -x "$environment/bin/python" ] || ! "$environment/bin/python" -c '' 2>/dev/null; then
        if [ "$(uname -sm)" != "Linux x86_64" ]; then
            echo "wassflow installs dolfinx from wheels that exist for Linux on x86-64 only; this is $(uname -sm)." >&2
            return 1
        fi
        python=$(find_python)
        echo "Creating the environment $environment with $("$python" --version) ..." >&2
        rm -rf "$environment"
        if ! "$python" -m venv "$environment"; then
            rm -rf "$environment"
            echo "$python cannot create virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2
            return 1
        fi
    fi
    if [ "$(cat "$stamp" 2>/dev/null)" != "$(requirements)" ]; then
        echo "Installing wassflow and what it needs (about a minute the first time) ..." >&2
        PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CONSTRAINT=.ci/constraints.txt \
            "$environment/bin/python" -m pip install --quiet --editable ".${extra:+[$extra]}"
        requirements >"$stamp"
    fi
    PATH="$PWD/$environment/bin:$PATH"
    export PATH
    # Cores are used by processes and ranks; threads inside BLAS would only compete with them.
    export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
}

install_environment "${1:-}"
