"""Global convergence (Theorems 3.3 and 3.5): F(mu_{m,t}) falls to F* from starts that separate.

Claims: F* is known to a certified 1e-6; starts that satisfy the separation hypothesis come to it; where it is
dropped some start is stuck above, at rest, with F' < 0 where it has no particles. The same as `wassflow
validate global-convergence`.

    python validation/global_convergence.py --quick
"""

import sys
from functools import partial

from wassflow.cli.validation import script

main = partial(script, "global-convergence", __doc__)

if __name__ == "__main__":
    sys.exit(main())
