"""Exchange of limits (Lemma C.15): lim_t lim_m F(mu_{m,t}) = lim_m lim_t F(mu_{m,t}) = F*.

Claims: both iterated limits are the certified F*; with Phi(u) = u u^T and R = |f - Y|^2/2 long times lead m
particles to F* if and only if m is at least the rank of the positive part of Y, and else to the best matrix
of rank m; particles and a density flow follow the exact F. The same as `wassflow validate
exchange-of-limits`.

    python validation/exchange_of_limits.py --quick
"""

import sys
from functools import partial

from wassflow.cli.validation import script

main = partial(script, "exchange-of-limits", __doc__)

if __name__ == "__main__":
    sys.exit(main())
