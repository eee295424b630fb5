"""The statements of the paper that can be run: what each claims, and the study and the picture that show it.

One entry of :data:`STATEMENTS` is one row of ``wassflow validate`` and one script in ``validation/``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wassflow.arguments import one_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from wassflow.study.criteria import StudyResult


@dataclass(frozen=True)
class Statement:
    """One statement of the paper with what shows it.

    Attributes:
        name: how the command line calls it.
        source: where it stands in Chizat and Bach (2018).
        claim: the statement in a line.
        study: name of the function in :mod:`wassflow.study`, looked up when it is needed.
        plot: name of the function in :mod:`wassflow.plot` that draws the result.
        full: arguments of the study for numbers worth keeping.
        quick: its arguments for a look in at most a minute.
    """

    name: str
    source: str
    claim: str
    study: str
    plot: str
    full: Mapping[str, Any] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)

    def run(self, quick: bool = False, **options: Any) -> "StudyResult":
        """Run the study; ``options`` are workers, progress and ledger."""
        from wassflow import study

        return getattr(study, self.study)(**(self.quick if quick else self.full), **options)

    def draw(self, result: "StudyResult") -> "Figure":
        """Draw what the study found."""
        from wassflow import plot

        return getattr(plot, self.plot)(result)


# Times and meshes for a quick look at the many-particle limit.
_LIMIT_CASES: dict[str, dict[str, Any]] = {
    "cosine-2d": {"times": (0.0, 1.5), "cells": (28, 28)},
    "deconvolution-2d": {"times": (0.0, 0.1), "cells": (24, 32)},
    "relu-2d": {"times": (0.0, 1.0), "cells": (24, 24)},
    "cosine-3d": {"times": (0.0, 0.75), "cells": (10, 10, 10)},
    "deconvolution-3d": {"times": (0.0, 0.15), "cells": (18, 12, 12)},
    "relu-3d": {"times": (0.0, 0.6), "cells": (14, 14, 14)},
    "sigmoid-3d": {"times": (0.0, 0.5), "cells": (16, 14, 14)},
}

STATEMENTS = (
    Statement(
        name="minimal-norm",
        source="Proposition 2.3",
        claim="v is the element of least norm of -dF', and F falls at the rate int |v|^2 dmu",
        study="minimal_norm",
        plot="minimal_norm",
        quick={
            "draws": 3,
            "particle_steps": (16, 32, 64, 128),
            "shares": (0.8, 0.4, 0.2),
            "mesh_cells": {2: (12, 24, 48), 3: (6, 12, 24)},
            "ms": (1, 2, 5),
        },
    ),
    Statement(
        name="many-particle-limit",
        source="Theorem 2.6",
        claim="m particles approach the gradient flow of the density, at every time, as m grows",
        study="many_particle_limits",
        plot="many_particle_limits",
        full={"cases": {name: {"ms": (16, 32, 64, 128, 256, 512)} for name in _LIMIT_CASES}},
        quick={
            "cases": {
                name: {"ms": (16, 64, 256), "seeds": 3, **options} for name, options in _LIMIT_CASES.items()
            }
        },
    ),
    Statement(
        name="optimality",
        source="Proposition 3.1",
        claim="mu minimises F if and only if F' >= 0, with F' = 0 on the support; certified gaps",
        study="optimality",
        plot="optimality",
        full={
            "cases": {
                "deconvolution-2d": {"m": 64, "t_end": 100.0},
                "deconvolution-3d": {"m": 64, "t_end": 60.0},
                "relu-2d": {"m": 64, "t_end": 100.0},
                "relu-3d": {"m": 16, "t_end": 60.0},
                "sigmoid-3d": {"m": 32, "t_end": 200.0},
                "cosine-2d": {"m": 64, "t_end": 60.0, "parameters": {"y": (1.3, -1.2)}},
            }
        },
        quick={
            "cases": {
                "deconvolution-2d": {"m": 16, "t_end": 20.0},
                "relu-2d": {"m": 32, "t_end": 20.0},
                "cosine-2d": {"m": 32, "t_end": 40.0, "parameters": {"y": (1.3, -1.2)}},
            }
        },
    ),
    Statement(
        name="global-convergence",
        source="Theorems 3.3, 3.5",
        claim="F(mu_{m,t}) falls to F* if the support of the start separates; else it can be stuck above",
        study="global_convergence",
        plot="global_convergence",
        full={
            "cases": {
                "deconvolution-2d": {
                    "ms": (8, 32, 128),
                    "starts": {"separating": 100.0, "one sign": 100.0, "half": 20.0},
                    "density": 48,
                },
                "deconvolution-3d": {
                    "ms": (8, 32, 128),
                    "starts": {"separating": 60.0, "half": 60.0, "point": 20.0},
                },
                "relu-2d": {"ms": (8, 32, 128), "starts": {"separating": 300.0, "half": 100.0}},
                "relu-3d": {
                    "ms": (8, 32, 128),
                    "starts": {"separating": 300.0, "one sign": 40.0, "point": 30.0},
                },
                "sigmoid-3d": {
                    "ms": (8, 32, 128),
                    "starts": {"separating": 300.0, "half": 300.0, "point": 100.0},
                },
            }
        },
        quick={
            "cases": {
                "deconvolution-2d": {"ms": (8, 16), "starts": {"separating": 20.0, "half": 20.0}},
                "relu-2d": {"ms": (8, 32), "starts": {"separating": 100.0, "half": 50.0}},
                "relu-3d": {"ms": (8, 32), "starts": {"separating": 100.0, "one sign": 40.0}},
                "sigmoid-3d": {"ms": (8, 32), "starts": {"separating": 100.0, "point": 100.0}},
            }
        },
    ),
    Statement(
        name="exchange-of-limits",
        source="Lemma C.15",
        claim="lim_t lim_m F = lim_m lim_t F = F*; a matrix of rank r needs m >= r particles",
        study="exchange_of_limits",
        plot="exchange_of_limits",
        full={
            "problems": (
                {
                    "eigenvalues": (0.8, 0.3),
                    "ms": (1, 2, 3, 4, 8, 16, 64, 256),
                    "times": (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0),
                    "cells": 96,
                },
                {
                    "eigenvalues": (0.8, 0.3, -0.3),
                    "ms": (1, 2, 3, 4, 8, 16, 64, 256),
                    "times": (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0),
                    "cells": 28,
                },
                {
                    "case": "deconvolution-2d",
                    "ms": (2, 4, 8, 16, 64, 256),
                    "times": (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
                },
            )
        },
        quick={
            "problems": (
                {
                    "eigenvalues": (0.8, 0.3),
                    "ms": (1, 2, 3, 8, 64),
                    "times": (0.1, 0.3, 1.0, 3.0, 10.0, 20.0),
                    "cells": 56,
                },
                {
                    "eigenvalues": (0.8, 0.3, -0.3),
                    "ms": (1, 2, 3, 8, 64),
                    "times": (0.1, 0.3, 1.0, 3.0, 10.0, 20.0),
                    "cells": 20,
                },
            )
        },
    ),
    Statement(
        name="sphere-projection",
        source="Theorem C.16",
        claim="a homogeneous F sees the projection of mu only, and projections of flows converge",
        study="sphere_projections",
        plot="sphere_projections",
        full={
            "cases": {
                "relu-2d": {
                    "m": 1000,
                    "times": (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0),
                    "density_end": 2.0,
                    "cells": (144, 144),
                    "limit": "rest",
                },
                "deconvolution-2d": {
                    "m": 400,
                    "times": (0.0, 0.05, 0.1, 0.2, 0.4, 1.0, 2.0, 5.0, 10.0, 20.0),
                    "density_end": 0.4,
                    "cells": (80, 112),
                },
            },
            "pairs": 200,
        },
        quick={
            "cases": {
                "relu-2d": {
                    "m": 200,
                    "times": (0.0, 0.5, 1.0, 4.0, 32.0),
                    "density_end": 1.0,
                    "cells": (36, 36),
                    "limit": "rest",
                },
                "deconvolution-2d": {
                    "m": 50,
                    "times": (0.0, 0.1, 0.3, 1.0, 8.0),
                    "density_end": 0.3,
                    "cells": (40, 56),
                },
            }
        },
    ),
    Statement(
        name="networks",
        source="Section 4.2",
        claim="both flows learn networks, and particles end at a certified global minimum",
        study="networks",
        plot="networks",
        full={
            "cases": {
                "relu-2d": {"m": 1000, "t_end": 300.0, "density_end": 3.0, "cells": (72, 72)},
                "relu-3d": {"m": 1000, "t_end": 300.0, "density_end": 2.5, "cells": (28, 28, 28)},
                "sigmoid-3d": {"m": 1000, "t_end": 500.0, "density_end": 2.0, "cells": (28, 28, 24)},
            }
        },
        quick={
            "cases": {
                "relu-2d": {"m": 200, "t_end": 200.0, "density_end": 1.0, "cells": (24, 24)},
                "relu-3d": {"m": 200, "t_end": 200.0, "density_end": 0.6, "cells": (14, 14, 14)},
                "sigmoid-3d": {"m": 200, "t_end": 500.0, "density_end": 0.5, "cells": (14, 14, 12)},
            }
        },
    ),
    Statement(
        name="particle-complexity",
        source="Figure 3",
        claim="a few particles more than the simplest minimiser has atoms find the minimum",
        study="particle_complexities",
        plot="particle_complexities",
        full={
            "cases": {
                "deconvolution": {"runs": 100},
                "relu": {"runs": 5},
                "sigmoid": {"runs": 5},
            }
        },
        quick={
            "cases": {
                "deconvolution": {"ms": (2, 5, 17), "runs": 10},
                "relu": {"ms": (2, 16), "runs": 1, "parameters": {"m0": 4, "dim": 10}},
            }
        },
    ),
)


def statement(name: str) -> Statement:
    """Return the statement of this name.

    >>> statement("many-particle-limit").source
    'Theorem 2.6'
    """
    known = {entry.name: entry for entry in STATEMENTS}
    return known[one_of("NAME", name, known)]
