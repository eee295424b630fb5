"""Networks (section 4.2): sigmoid with |w|, ReLU with |w||theta|, signed-square ReLU with |theta|^2.

Claims: particles fit the data and end at a global minimum, by a certificate that bounds F - F*; the density
has the particles' F as long as it runs. The same as `wassflow validate networks`.

    python validation/networks.py --quick
"""

import sys
from functools import partial

from wassflow.cli.validation import script

main = partial(script, "networks", __doc__)

if __name__ == "__main__":
    sys.exit(main())
