"""Implicit upwind steps whose length follows the energy."""

import math
from dataclasses import dataclass, replace
from typing import Any

from wassflow.arguments import Array
from wassflow.flow.density_scheme import CellMasses, State, UpwindScheme
from wassflow.flow.implicit_transport import ImplicitTransport
from wassflow.flow.moment_response import MomentResponse
from wassflow.functional import Functional

# What a wrong prediction of the moment may cost, as a share of what the step gains: allowed, small, and where
# Newton's method stops.
_ALLOWED, _SMALL, _WANTED = 0.7, 0.2, 1e-3
# A step that changes F by this share of what it may is as long as it should be, however it is solved.
_LIVELY = 0.5
# Newton steps, and trials of each, shorter and shorter, before a step is halved.
_CORRECTIONS, _SHORTENINGS = 6, 3
# Costs and gains below this share of F are rounding.
_ROUNDING = 1e-14


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A step with the velocity of ``moment``: the density after it, |G| and C."""

    moment: Array
    cells: CellMasses
    gain: float
    cost: float


class ImplicitSteps:
    """Implicit Euler steps, (I + dt A(v)) m' = m, positive and conservative for all dt.

    Every linear system has a frozen velocity, that of a predicted moment f* (:class:`MomentResponse`): at
    the old moment, steps would be as short as explicit ones where R is stiff. By convexity of R

        F_h(m') - F_h(m) <= G + C,   G = DF(f*).(m' - m),   C = c(Phi m' - f*) / 2,

    where G <= 0 with "potential" velocities whatever dt is. A step is accepted when C <= 0.7 |G|, so that F_h
    falls by at least 0.3 |G| then, and when F_h changed by at most twice ``energy_change`` of itself or of
    what it has lost since the start.

    Where the prediction is not good enough for that, or the step changes F_h by less than half of what it
    aims at, f* is corrected by Newton's method for Phi m' = f*, at which C = 0 and the step is fully
    implicit. Near rest this is what lets steps grow: mass that comes to rest between two cells is shared by
    them so that the velocity of their face vanishes, and a velocity frozen beside that value sends all of it
    to one side. If Newton's method does not help either, the step is halved. After a step with C <= |G| / 5
    the next one is longer, up to twice, as far as F_h is expected to change by ``energy_change`` of itself.
    Near rest nothing changes F_h any more, and steps double. With "pointwise" velocities G may be positive
    there, by the error of the scheme: F_h then rises a little on the way to the rest of the scheme.

    Args:
        functional: F.
        scheme: first-order upwind.
        mesh: a :class:`wassflow.mesh.Mesh`.
        energy_change: the share of F by which a step may change it, about.
    """

    def __init__(self, functional: Functional, scheme: UpwindScheme, mesh: Any, energy_change: float) -> None:
        self.functional, self.scheme, self.energy_change = functional, scheme, energy_change
        self.redone = 0
        self.corrections = 0
        self.system = ImplicitTransport(mesh)
        self._mesh = mesh
        self._centroids = mesh.centroids[: mesh.num_owned]
        self._dt = 0.0
        self._start_energy, self._rounding = -math.inf, 0.0

    def longest(self, state: State) -> tuple[float, str]:
        """The step to try; the first is the longest explicit one."""
        if self._dt == 0.0:
            self._dt = self._explicit(state)
        return self._dt, "energy"

    def advance(self, state: State, dt: float, rate: Array) -> tuple[float, CellMasses]:
        """Take one step of at most ``dt``; return its length and the density after it."""
        start, loss = state.cells, self.functional.loss
        planned, tried = self._dt, dt
        energy = loss.value(start.moment) + start.regularization
        self._start_energy = max(self._start_energy, energy)
        self._rounding = _ROUNDING * max(abs(energy), self._start_energy)
        explicit = self._explicit(state)
        response = MomentResponse(self.scheme, start.masses, start.moment)
        while True:
            moment = start.moment + response.solve(dt * state.moment_rate, dt)
            attempt = self._attempt(start, moment, dt, rate)
            if attempt.cost > _ALLOWED * attempt.gain or self._change(start, attempt.cells) < _LIVELY:
                attempt = self._corrected(start, attempt, dt, rate)
            change = self._change(start, attempt.cells)
            cost = attempt.cost / max(attempt.gain, self._rounding)
            if cost <= _ALLOWED and (change <= 2.0 or dt <= explicit):
                break
            self.redone += 1
            dt *= 0.5
        growth = 2.0 if cost <= _SMALL else 1.2 if cost <= 0.3 else 0.8
        if change > 0.0:
            growth = min(growth, max(1.0 / change, 0.5, min(explicit / dt, 1.0)))
        # a step that was cut to hit a save time does not shorten the later ones
        self._dt = max(growth * dt, planned if tried == dt < planned and growth >= 1.0 else 0.0)
        return dt, attempt.cells

    def _change(self, before: CellMasses, after: CellMasses) -> float:
        """How much F changes, over what a step may change it by."""
        old, new = (
            self.functional.loss.value(cells.moment) + cells.regularization for cells in (before, after)
        )
        # F may pass zero; what it has lost so far does not
        size = max(abs(old), abs(new), self._start_energy - min(old, new))
        return abs(new - old) / (self.energy_change * size) if size > 0.0 else 0.0

    def _corrected(self, start: CellMasses, best: "_Attempt", dt: float, rate: Array) -> "_Attempt":
        """Return the best step of length dt that Newton's method for Phi m' = f* finds, from ``best`` on."""
        for _ in range(_CORRECTIONS):
            if best.cost <= max(_WANTED * best.gain, self._rounding):
                break
            self.corrections += 1
            response = MomentResponse(self.scheme, best.cells.masses, best.moment)
            step = response.solve(best.cells.moment - best.moment, dt, self.system.respond)
            for k in range(_SHORTENINGS):
                attempt = self._attempt(start, best.moment + 0.25**k * step, dt, rate)
                if attempt.cost < best.cost:
                    best = attempt
                    break
            else:
                break
        return best

    def _attempt(self, start: CellMasses, moment: Array, dt: float, rate: Array) -> "_Attempt":
        """Return the step of length dt with the velocity of ``moment``."""
        owned = slice(0, self._mesh.num_owned)
        # on all faces: within an implicit step mass crosses more than the faces beside it
        self.scheme.state(replace(start, moment=moment, everywhere=True), rate)
        height = self.functional.linearize(moment)(self._centroids)
        cells = self.scheme.look(self.system.solve(self.scheme.transport, start.masses, dt, height))
        gain = abs(self._mesh.allsum(float(height @ (cells.masses[owned] - start.masses[owned]))))
        cost = 0.5 * self.functional.loss.curvature(cells.moment - moment)
        return _Attempt(moment, cells, gain, cost)

    @staticmethod
    def _explicit(state: State) -> float:
        """The longest explicit step, below which F_h may change as it likes."""
        return min(state.positivity_bound(), state.steepest_step())

    def diagnostics(self) -> dict[str, float]:
        """What the linear systems of the run were like."""
        return {
            "residual": self.system.worst_residual,
            "mass_restored": self.system.restored,
            "systems": self.system.systems,
            "iterations": self.system.total_iterations,
            "corrections": self.corrections,
        }
