"""The projection of a flow (Theorem C.16): all that a homogeneous F sees of it, and it converges.

Claims: measures with the same projection, on the sphere or by signed weights, have the same F to rounding;
the projection of the particles converges to that of a minimiser in the bounded-Lipschitz distance, and that
of the density comes nearer, by brackets that hold the error of quadrature. The same as `wassflow validate
sphere-projection`.

    python validation/sphere_projection.py --quick
"""

import sys
from functools import partial

from wassflow.cli.validation import script

main = partial(script, "sphere-projection", __doc__)

if __name__ == "__main__":
    sys.exit(main())
