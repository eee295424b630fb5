"""The velocity of least norm (Proposition 2.3), for every regulariser, at kinks, walls and corners.

Claims: v = (id - proj_{dV})(vt) is the element of least norm of -dF' - N, found anew from differences of F';
dF/dt = -int |v|^2 dmu along runs, with residuals of the order of the scheme; F never rises, whatever m. The
same as `wassflow validate minimal-norm`.

    python validation/minimal_norm.py --quick
"""

import sys
from functools import partial

from wassflow.cli.validation import script

main = partial(script, "minimal-norm", __doc__)

if __name__ == "__main__":
    sys.exit(main())
