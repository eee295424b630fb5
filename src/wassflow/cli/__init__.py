"""The command line: ``wassflow run | animate | limit | refine | validate | cases | mesh``."""

import os


def main() -> None:
    """Run the command line (the entry point ``wassflow``)."""
    # Cores are used by processes; threads inside BLAS would only compete with them. Set before numpy is
    # loaded.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from wassflow.cli.app import app

    app(prog_name="wassflow")
