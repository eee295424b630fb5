"""Steps to rest, explicit and implicit: two cases until the dissipation is 1e-8 of its start.

    python validation/stationary.py            # meshes of the cases, some minutes
    python validation/stationary.py --quick    # meshes three times as coarse

Cases: deconvolution-2d and relu-2d. At rest is where the dissipation of the scheme has been below 1e-8 of
its start for two steps. Targets: the implicit run comes to rest, in at most a tenth of the explicit steps to
its time of rest (or to that of the explicit run, if earlier); steps taken again count too. The linear systems
behind the steps, Newton's corrections among them, are printed beside.
"""

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import wassflow as wf
from wassflow.study.criteria import Criterion, verdict
from wassflow.study.tables import number, text_table, write_json

CASES = ("deconvolution-2d", "relu-2d")
SHARE, TARGET = 1e-8, 0.1
LATEST = 1e5


def compare(name: str, coarsening: int) -> tuple[list[dict[str, object]], list[Criterion]]:
    """Run a case both ways on its mesh, coarsened by a factor."""
    case = wf.cases.get(name)
    mesh = case.mesh([n // coarsening for n in case.cells])
    rows, latest = [], LATEST
    for integrator in ("implicit", "euler"):
        clock = time.process_time()
        flow = case.density_flow(mesh, integrator=integrator)
        run = flow.run(case.start(mesh), latest, stationary=SHARE)
        found = run.diagnostics
        latest = float(run.times[-1])
        rows.append(
            {
                "case": name,
                "cells": mesh.num_cells_global,
                "integrator": integrator,
                "steps": run.steps,
                "again": found["steps_redone"],
                "systems": found.get("systems", 0),
                "t": latest,
                "F": float(run.energy[-1]),
                "dissipation": float(abs(run.dissipation[-1]) / run.dissipation[0]),
                "at rest": found["stationary"],
                "seconds": time.process_time() - clock,
            }
        )
    implicit, explicit = (int(row["steps"]) + int(row["again"]) for row in rows)
    return rows, [
        Criterion(
            f"{name}: the implicit run comes to rest",
            bool(rows[0]["at rest"]),
            f"dissipation {rows[0]['dissipation']:.1e} of its start at t = {rows[0]['t']:.4g}",
        ),
        Criterion(
            f"{name}: implicit steps over explicit ones",
            implicit <= TARGET * explicit,
            f"{implicit} / {explicit} = {implicit / explicit:.3f} <= {TARGET}",
        ),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run both cases both ways, print steps and verdict."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="meshes three times as coarse")
    parser.add_argument("--case", action="append", choices=CASES, help="only these cases")
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args(arguments)
    rows, criteria = [], []
    for name in options.case or CASES:
        found, checked = compare(name, 3 if options.quick else 1)
        rows += found
        criteria += checked
        header = list(found[0])
        lines = [[number(v) if isinstance(v, float) else str(v) for v in row.values()] for row in found]
        print(text_table(header, lines), end="\n\n", flush=True)
    print(verdict(criteria))
    if options.json:
        write_json(options.json, rows)
    return 0 if all(criterion.passed for criterion in criteria) else 1


if __name__ == "__main__":
    sys.exit(main())
