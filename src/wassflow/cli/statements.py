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
        full={"cases": {"deconvolution-2d": {}, "sigmoid-3d": {}}},
        quick={
            "cases": {
                "deconvolution-2d": {
                    "ms": (16, 64, 256),
                    "seeds": 3,
                    "times": (0.0, 0.4),
                    "cells": (32, 48),
                },
                "sigmoid-3d": {"ms": (16, 64, 256), "seeds": 3, "times": (0.0, 0.5), "cells": (20, 16, 16)},
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
