"""Steps to rest, explicit and implicit: two cases until the dissipation is 1e-8 of its start.

    python validation/stationary.py            # some minutes

Cases: deconvolution-2d and relu-2d. At rest is where the dissipation of the scheme has been below 1e-8 of
its start for two steps. Target: the implicit scheme takes at most a tenth of the explicit steps, those
taken again counted as well.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import wassflow as wf

CASES = ("deconvolution-2d", "relu-2d")
SHARE, TARGET = 1e-8, 0.1
LATEST = 1e5


def main() -> None:
    """Run both cases both ways and fail when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, help="write the result here")
    arguments = parser.parse_args()
    results, passed = [], True
    for name in CASES:
        case = wf.cases.get(name)
        mesh = case.mesh()
        steps, latest = {}, LATEST
        for integrator in ("implicit", "euler"):
            clock = time.process_time()
            flow = case.density_flow(mesh, integrator=integrator)
            run = flow.run(case.start(mesh), latest, stationary=SHARE)
            seconds = time.process_time() - clock
            found = run.diagnostics
            steps[integrator] = run.steps + found["steps_redone"]
            # explicit steps are counted until then at most
            latest = float(run.times[-1])
            passed &= found["stationary"] or integrator == "euler"
            print(
                f"{name}, {integrator}: {run.steps} steps and {found['steps_redone']} taken again to"
                f" t = {run.times[-1]:.4g}, F = {run.energy[-1]:.8f}, dissipation"
                f" {abs(run.dissipation[-1]) / run.dissipation[0]:.1e} of its start,"
                f" {found['energy_rises']} rises of F_h, {seconds:.1f} s"
            )
            results.append(
                {"case": name, "integrator": integrator, "steps": steps[integrator], "seconds": seconds}
            )
        passed &= steps["implicit"] <= TARGET * steps["euler"]
        print(f"{name}: {steps['implicit'] / steps['euler']:.3f} of the explicit steps (target {TARGET})")
    print("passed" if passed else "FAILED")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    raise SystemExit(not passed)


if __name__ == "__main__":
    main()
