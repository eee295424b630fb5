#!/usr/bin/env bash
# Everything that must hold before a commit lands: lint, format, types, tests and the examples in docstrings.
source "$(dirname "${BASH_SOURCE[0]}")/../.ci/environment.sh" test
if [ $# -eq 0 ]; then
    ruff check .
    ruff format --check .
    mypy
fi
# One process per core: most tests are serial, and those under mpiexec mostly wait for ranks to start.
exec pytest --numprocesses auto "$@"
