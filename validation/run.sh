#!/usr/bin/env bash
# The main job: W2 between m particles and the PDE's density against m, in d = 2 and d = 3, into results/.
source "$(dirname "${BASH_SOURCE[0]}")/../.ci/environment.sh" ""
exec wassflow limit deconvolution-2d sigmoid-3d --output results "$@"
