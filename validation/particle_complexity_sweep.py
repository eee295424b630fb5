"""What the unknown numbers of Figure 3 change: success at m = 9 and m = 17 for other problems of
deconvolution.

The paper does not say lambda, the length of the circle and the law of the spikes. This sweep changes one at a
time and prints how many runs succeed, beside the authors', and how far the competitor gets, which knows no
flow.

    python validation/particle_complexity_sweep.py --quick
"""

import argparse
import sys

import numpy as np

from wassflow.cases.random_problems import family
from wassflow.study import figure_3, particle_complexity
from wassflow.study.particle_complexity import Success, geometric_mean
from wassflow.study.tables import number, text_table

SWEEP = (
    {},
    {"regularization": 0.4},
    {"regularization": 1.6},
    {"separation": 0.2},
    {"separation": 0.6},
    {"period": np.pi},
)


def main(arguments: list[str] | None = None) -> int:
    """Print the sweep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="m = 9 and 6 problems only")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    options = parser.parse_args(arguments)
    ms, runs = ((9,), 6) if options.quick else ((9, 17), 24)
    authors = figure_3.panel("deconvolution")
    rows = []
    for m in ms:
        known, fixed = (authors.losses[method, m] for method in figure_3.METHODS)
        share = Success.of(int((known < authors.threshold).sum()), known.size)
        rows.append([str(m), "authors", str(share), number(geometric_mean(fixed, authors.least))])
    for changed in SWEEP:
        found = particle_complexity(
            family("deconvolution", **changed), ms=ms, runs=runs, workers=options.workers
        )
        words = ", ".join(f"{key} = {value:.3g}" for key, value in changed.items()) or "as in the study"
        for m in ms:
            fixed_mean = number(found.geometric_mean(figure_3.FIXED, m))
            rows.append([str(m), words, str(found.success(figure_3.PARTICLES, m)), fixed_mean])
    print(text_table(["m", "problems", "success", "fixed"], rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
