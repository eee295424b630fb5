"""Implicit upwind steps whose length follows the energy."""

import math
from dataclasses import replace
from typing import Any

from wassflow.arguments import Array
from wassflow.flow.density_scheme import CellMasses, State, UpwindScheme
from wassflow.flow.implicit_transport import ImplicitTransport
from wassflow.flow.moment_prediction import MomentPrediction
from wassflow.functional import Functional

# A step may change F by about this share of itself, and is taken again when it changes F by twice as much.
_CHANGE = 0.1
# What the prediction of the moment may cost, as a share of what the step gains: allowed, and small.
_ALLOWED, _SMALL = 0.7, 0.2
# Costs and gains below this share of F are rounding.
_ROUNDING = 1e-14


class ImplicitSteps:
    """Linearly implicit Euler steps, (I + dt A(v*)) m' = m with v* frozen, positive and conservative for
    all dt.

    The velocity is that of a predicted moment f* (:class:`MomentPrediction`): at the old moment, steps
    would be as short as explicit ones where R is stiff. By convexity of R

        F_h(m') - F_h(m) <= G + C,   G = DF(f*).(m' - m),   C = c(Phi m' - f*) / 2,

    where G <= 0 with "potential" velocities whatever dt is. A step is accepted when C <= 0.7 |G|, so that F_h
    falls by at least 0.3 |G| then, and when F_h changed by at most 0.2 of itself or of what it has lost
    since the start; otherwise it is halved. After a step with C <= |G| / 5 the next one is longer, up to
    twice, as far as F_h is expected to change by half as much. Near rest nothing changes F_h any more, and
    steps double. With "pointwise" velocities G may be positive there, by the error of the scheme: F_h then
    rises a little on the way to the rest of the scheme.

    Args:
        functional: F.
        scheme: first-order upwind.
        mesh: a :class:`wassflow.mesh.Mesh`.
    """

    def __init__(self, functional: Functional, scheme: UpwindScheme, mesh: Any) -> None:
        self.functional, self.scheme = functional, scheme
        self.redone = 0
        self.system = ImplicitTransport(mesh)
        self._mesh = mesh
        self._prediction = MomentPrediction(functional, mesh)
        self._centroids = mesh.centroids[: mesh.num_owned]
        self._dt = 0.0
        self._start_energy = -math.inf

    def longest(self, state: State) -> tuple[float, str]:
        """The step to try; the first is the longest explicit one."""
        if self._dt == 0.0:
            self._dt = self._explicit(state)
        return self._dt, "energy"

    def advance(self, state: State, dt: float, rate: Array) -> tuple[float, CellMasses]:
        """Take one step of at most ``dt``; return its length and the density after it."""
        scheme, start, loss = self.scheme, state.cells, self.functional.loss
        planned, tried = self._dt, dt
        owned = slice(0, self._mesh.num_owned)
        energy = loss.value(start.moment) + start.regularization
        self._start_energy = max(self._start_energy, energy)
        explicit = self._explicit(state)
        self._prediction.linearize(scheme, state)
        while True:
            moment = self._prediction.predict(state, dt)
            scheme.state(replace(start, moment=moment), rate)
            height = self.functional.linearize(moment)(self._centroids)
            cells = scheme.look(self.system.solve(scheme.transport, start.masses, dt, height))
            gain = abs(self._mesh.allsum(float(height @ (cells.masses[owned] - start.masses[owned]))))
            cost = 0.5 * loss.curvature(cells.moment - moment)
            after = loss.value(cells.moment) + cells.regularization
            size = max(abs(energy), abs(after))
            # F may pass zero; what it has lost so far does not
            lost = self._start_energy - min(energy, after)
            change = abs(after - energy) / (_CHANGE * max(size, lost)) if size > 0.0 else 0.0
            if cost <= max(_ALLOWED * gain, _ROUNDING * size) and (change <= 2.0 or dt <= explicit):
                break
            self.redone += 1
            dt *= 0.5
        growth = 2.0 if cost <= max(_SMALL * gain, _ROUNDING * size) else 1.2 if cost <= 0.3 * gain else 0.8
        if change > 0.0:
            growth = min(growth, max(1.0 / change, 0.5, min(explicit / dt, 1.0)))
        # a step that was cut to hit a save time does not shorten the later ones
        self._dt = max(growth * dt, planned if tried == dt < planned and growth >= 1.0 else 0.0)
        return dt, cells

    @staticmethod
    def _explicit(state: State) -> float:
        """The longest explicit step, below which F_h may change as it likes."""
        return min(state.positivity_bound(), state.steepest_step())

    def diagnostics(self) -> dict[str, float]:
        """What the linear systems of the run were like."""
        return {"residual": self.system.worst_residual, "iterations": self.system.total_iterations}
