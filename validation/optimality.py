"""Optimality (Proposition 3.1): certificates at minimisers, along flows, and against the closed solution.

Claims: F* and F' of the single-spike problem lie between certified bounds; at minimisers found by sliding
Frank-Wolfe F' >= 0 and F' = 0 on the support, with a gap of at most 1e-6; along particle flows the certified
gap bounds F(mu_t) - F* at every time and closes. Free and fixed mass are told apart. The same as
`wassflow validate optimality`.

    python validation/optimality.py --quick
"""

import sys
from functools import partial

from wassflow.cli.validation import script

main = partial(script, "optimality", __doc__)

if __name__ == "__main__":
    sys.exit(main())
