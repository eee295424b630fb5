"""The many-particle limit in d = 2 and d = 3: W2 between m particles and the PDE's density falls as theory
says.

Claims: certified brackets of W2 shrink as m grows, at every time; the fitted exponents agree with the laws of
sampling (wassflow.study.laws). Writes a picture, CSV and JSON per case; exits with 1 if a claim fails.

    python validation/many_particle_limit.py --quick
"""

import argparse
import os
import sys
from pathlib import Path

import wassflow as wf
from wassflow.study import many_particle_limit
from wassflow.study.criteria import limit_criteria, verdict

CASES = ("deconvolution-2d", "sigmoid-3d")
QUICK = {
    "deconvolution-2d": {"ms": (16, 64, 256), "seeds": 3, "times": (0.0, 0.4), "cells": (32, 48)},
    "sigmoid-3d": {"ms": (16, 64, 256), "seeds": 3, "times": (0.0, 0.5), "cells": (20, 16, 16)},
}


def main(arguments: list[str] | None = None) -> int:
    """Run the studies, print tables and verdict, write results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", default=CASES, metavar="CASE", help=f"default: {' '.join(CASES)}")
    parser.add_argument("--quick", action="store_true", help="coarse meshes and few particles: seconds")
    parser.add_argument("--output", type=Path, default=Path("results"), help="folder of the results")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)"
    )
    options = parser.parse_args(arguments)

    criteria, results = [], []
    for name in options.cases:
        settings = QUICK.get(name, {"ms": (16, 64, 256), "seeds": 3}) if options.quick else {}
        result = many_particle_limit(wf.cases.get(name), workers=options.workers, progress=True, **settings)
        print(result.table(), end="\n\n", flush=True)
        result.write_csv(options.output / f"many_particle_limit-{name}.csv")
        result.write_json(options.output / f"many_particle_limit-{name}.json")
        results.append(result)
        criteria += limit_criteria(result)
    wf.plot.save_figure(wf.plot.many_particle_limit(*results), options.output / "many_particle_limit.png")
    print(verdict(criteria))
    return 0 if all(criterion.passed for criterion in criteria) else 1


if __name__ == "__main__":
    sys.exit(main())
