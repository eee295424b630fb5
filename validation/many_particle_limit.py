"""The many-particle limit (Theorem 2.6): W2 between m particles and the PDE's density falls as theory says.

Claims: certified brackets of W2 shrink as m grows, at every time; the fitted exponents agree with the laws of
sampling (wassflow.study.laws). Writes a picture, CSV and JSON; exits with 1 if a claim fails. The same as
`wassflow validate many-particle-limit`.

    python validation/many_particle_limit.py --quick
"""

import sys
from functools import partial

from wassflow.cli.validation import script

main = partial(script, "many-particle-limit", __doc__)

if __name__ == "__main__":
    sys.exit(main())
