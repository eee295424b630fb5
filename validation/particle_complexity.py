"""Particle complexity (Figure 3): a few particles more than m0 find the minimum, fixed positions never do.

Claims: at least 95 % of the runs with 3.3 m0 particles and more end within the optimisation error of F*,
fewer than half with m0; minimising over magnitudes on the particles' first positions never does. Success
rates stand beside the authors'. The same as `wassflow validate particle-complexity`.

    python validation/particle_complexity.py --quick
"""

import sys
from functools import partial

from wassflow.cli.validation import script

main = partial(script, "particle-complexity", __doc__)

if __name__ == "__main__":
    sys.exit(main())
