"""Strong-stability-preserving Runge-Kutta methods: convex combinations of explicit Euler steps."""

from wassflow.arguments import Array
from wassflow.flow.density_scheme import CellMasses, DensityScheme, State

# u_{i+1} = (1 - b) u_0 + b (u_i + dt L(u_i)) for the listed b: Shu and Osher, J. Comput. Phys. 77 (1988) 439,
# eqs. (2.16) and (2.18). A bound on dt under which Euler steps keep a convex set, or let a convex function
# fall, holds for all of them.
STAGES: dict[str, tuple[float, ...]] = {
    "euler": (1.0,),
    "ssprk2": (1.0, 1.0 / 2.0),
    "ssprk3": (1.0, 1.0 / 4.0, 2.0 / 3.0),
}


class ExplicitSteps:
    """Steps as long as positivity and the energy allow.

    Args:
        scheme: the discretisation in space.
        integrator: a key of ``STAGES``.
        cfl: share of the positivity bound to use.
    """

    def __init__(self, scheme: DensityScheme, integrator: str, cfl: float) -> None:
        self.scheme = scheme
        self._shares = STAGES[integrator]
        self._cfl = cfl
        self.redone = 0

    def longest(self, state: State) -> tuple[float, str]:
        """The step that positivity and energy allow, and which of them limits it."""
        positivity = self._cfl * state.positivity_bound()
        energy = self.scheme.steepest_share * state.steepest_step()
        return (positivity, "positivity") if positivity <= energy else (energy, "energy")

    def advance(self, state: State, dt: float, rate: Array) -> tuple[float, CellMasses]:
        """Take one step of at most ``dt``; return its length and the density after it.

        ``rate`` is memory for the rates of the later stages.
        """
        scheme, start = self.scheme, state.cells
        while True:
            cells, stage, longest = start, state, dt
            for share in self._shares:
                if cells is not start:
                    stage = scheme.state(cells, rate)
                    longest = scheme.longest_stage(stage)
                if dt > longest:
                    break
                cells = scheme.stage(start, stage, dt, share)
            else:
                return dt, cells
            self.redone += 1
            dt = min(0.9 * dt, max(self._cfl * longest, 0.1 * dt))
