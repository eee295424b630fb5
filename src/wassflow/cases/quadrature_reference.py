"""A reference solution that is neither mesh nor sampling: quadrature nodes of mu_0 carried by the flow."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_integer, as_number, as_points
from wassflow.cases.case import Case
from wassflow.cases.exact import Solution
from wassflow.cases.start_quadrature import Rule, rule_for
from wassflow.domain import Domain
from wassflow.errors import WassflowError
from wassflow.flow.characteristics import Characteristics, LeftDomain, TooManySteps
from wassflow.flow.particle_integrators import kinks_at_zeros
from wassflow.flow.progress import RunProgress
from wassflow.flow.stepped_particles import SteppedParticles
from wassflow.functional import Functional
from wassflow.measure import ParticleCloud

# Rules with fewer nodes along an axis are not tried.
_LEAST_ORDER = 6
# Without a tolerance the nodes are doubled until the error estimate is this small, or the nodes are used up.
_AIM = 1e-10
# Steps of order 8 are so accurate that the quadrature decides; energy balance at 1e-12 shows it.
_STEP_TOLERANCE = 1e-12
# Nodes by default: some seconds of work for either method.
_MOST_NODES = {"order 8": 60_000, "fixed steps": 20_000}
_MOST_NODES_3D = 60_000
# Steps of fixed length for kinks and walls, never fewer, and so many per node along an axis: time and space
# then share the error (on deconvolution-2d 128 steps leave 4e-2, 256 steps 2e-4, as 128 nodes along the
# circle do).
_LEAST_STEPS, _STEPS_PER_NODE = 128, 4
# The estimate looks at so many equidistant times.
_LOOKS = 8
_QUANTITIES = ("moment", "energy", "dissipation")


class Reference(Solution):
    """A flow solved by deterministic quadrature: what :func:`reference` returns.

    Attributes:
        nodes: number of quadrature nodes.
        order: nodes along an axis.
        error: estimated error of the moments f_t and of F(mu_t), the largest of those in ``errors``.
        errors: estimated error of ``"moment"``, ``"energy"`` and ``"dissipation"`` until ``t_end``, absolute,
            or relative to a size above 1: the difference to half as many nodes per axis (and steps twice as
            long), which is the error of the coarser rule. ``"imbalance"`` is that of the energy, an error of
            the time integration alone (smooth flows); ``"singular_mass"`` that of the mass on kinks and walls
            (steps of fixed length, unless V has kinks of the user's).
        method: ``"order 8"`` (smooth flows) or ``"fixed steps"`` (kinks of V, walls, features with kinks).
        mass: total mass.
    """

    def __init__(
        self,
        functional: Functional,
        domain: Domain,
        initial: Callable[[Array], ArrayLike],
        mass: float,
        t_end: float,
        rule: Rule,
        tolerance: float | None,
        max_nodes: int | None,
        progress: bool = False,
    ) -> None:
        self._functional = functional
        self.domain = domain
        self.dim = domain.dim
        self.mass = mass
        self.t_end = t_end
        self.tolerance = tolerance
        self._initial = initial
        self._rule = rule
        self._max_nodes = max_nodes
        self._progress = progress
        self.method = "order 8"
        if not (functional.regularizer.smooth and functional.features.smooth):
            self.method = "fixed steps"
        try:
            self._refine()
        except (LeftDomain, TooManySteps):
            self.method = "fixed steps"
            self._refine()
        if tolerance is not None and self.error > tolerance:
            raise WassflowError(
                f"the reference reached an error of {self.error:.1e} with {self.nodes} nodes, not the "
                f"tolerance {tolerance:.1e}: allow more with max_nodes, give the support of the start, or "
                "a larger tolerance"
            )

    def __repr__(self) -> str:
        return (
            f"Reference({self.nodes} nodes, {self.method}, error {self.error:.1e} until t = {self.t_end:g})"
        )

    @property
    def functional(self) -> Functional:
        """F."""
        return self._functional

    @property
    def has_density(self) -> bool:
        """Whether :meth:`density` is known: not for flows with kinks or walls."""
        return isinstance(self._fine, Characteristics)

    def initial(self, u: ArrayLike) -> Array:
        """Return the density of mu_0, scaled to the mass, at points ``(n, d)``; 0 outside the domain."""
        points = self.domain.wrap(as_points("u", u, self.dim))
        density = np.asarray(self._initial(points), dtype=np.float64)
        return self._factor * np.where(self.domain.contains(points), density, 0.0)

    def moment(self, t: float) -> Array:
        """Return int Phi dmu_t, ``(N,)``."""
        return self._fine.moment(self._time(t))

    def energy(self, t: float) -> float:
        """Return F(mu_t)."""
        return self._fine.energy(self._time(t))

    def dissipation(self, t: float) -> float:
        """Return int |v|^2 dmu_t, v of least norm."""
        return self._fine.dissipation(self._time(t))

    def mean(self, t: float) -> Array:
        """Return the mean of mu_t / mass, ``(d,)``; periodic coordinates count turns."""
        return self._fine.first_moment(self._time(t)) / self.mass

    def covariance(self, t: float) -> Array:
        """Return the covariance of mu_t / mass, ``(d, d)``."""
        mean = self.mean(t)
        return self._fine.second_moment(self._time(t)) / self.mass - np.outer(mean, mean)

    def singular_mass(self, t: float) -> float:
        """Return the mass of the nodes on kinks and walls; its error is that of a layer of nodes."""
        t = self._time(t)
        return self._fine.singular_mass(t) if isinstance(self._fine, SteppedParticles) else 0.0

    def flow_map(self, t: float, u: ArrayLike) -> Array:
        """Return where points ``(n, d)`` of mu_0 are at time ``t``, ``(n, d)``."""
        t, points = self._time(t), as_points("u", u, self.dim)
        if isinstance(self._fine, SteppedParticles):
            return self._fine.follow(points, t)
        return self.domain.wrap(self._fine.follow(points, 0.0, t))

    def density(self, t: float, u: ArrayLike) -> Array:
        """Return the density of mu_t at points ``(n, d)``, ``(n,)``.

        The points go back to time 0, and rho_t(u) = rho_0(X) |det DX|, the logarithm of the determinant being
        the integral of div v along the path (Liouville).

        Raises:
            WassflowError: for flows with kinks or walls, where mu_t may have no density.
        """
        paths = self._characteristics("density")
        t, points = self._time(t), as_points("u", u, self.dim)
        back, stretch = paths.follow_volumes(points, t, 0.0)
        start = self.initial(back)
        # a point without mass may have been stretched beyond the float range
        return start * np.exp(np.where(start > 0.0, stretch, 0.0))

    def density_along(self, t: float, u: ArrayLike) -> tuple[Array, Array]:
        """Return where points ``(n, d)`` of mu_0 are at time ``t``, and the density there, ``(n,)``.

        Raises:
            WassflowError: for flows with kinks or walls.
        """
        paths = self._characteristics("density_along")
        t, points = self._time(t), as_points("u", u, self.dim)
        moved, stretch = paths.follow_volumes(points, 0.0, t)
        return self.domain.wrap(moved), self.initial(points) * np.exp(-stretch)

    def cloud(self, t: float) -> ParticleCloud:
        """Return the quadrature nodes at time ``t`` with their masses."""
        t = self._time(t)
        if isinstance(self._fine, SteppedParticles):
            return self._fine.cloud(t)
        return ParticleCloud(self.flow_map(t, self._points), self._masses)

    @property
    def _quantities(self) -> tuple[str, ...]:
        """What the two finest rules are compared in."""
        # where the kinks of a user's V are is not known
        counted = not self.has_density and kinks_at_zeros(self._functional.regularizer)
        return (*_QUANTITIES, "singular_mass") if counted else _QUANTITIES

    def _characteristics(self, name: str) -> Characteristics:
        if isinstance(self._fine, SteppedParticles):
            raise WassflowError(
                f"{name} needs a flow without kinks of V, features with kinks and walls that are hit; "
                "the moments, F, flow_map and cloud of this reference are known"
            )
        return self._fine

    def _refine(self) -> None:
        """Double the nodes along each axis until the error is small enough or the nodes are used up."""
        default = _MOST_NODES[self.method] if self.dim < 3 else _MOST_NODES_3D
        most = default if self._max_nodes is None else self._max_nodes
        # halvings of the largest order: every estimate compares with half as many nodes along each axis
        orders = [_largest_order(self._rule, most)]
        while orders[0] >= 2 * _LEAST_ORDER or len(orders) < 2:
            orders.insert(0, orders[0] // 2)
        if self.method == "fixed steps" and self.tolerance is None:
            orders = orders[-2:]  # algebraic convergence: small rules would only cost time
        aim = _AIM if self.tolerance is None else self.tolerance
        looks = np.linspace(0.0, self.t_end, _LOOKS + 1).tolist()
        self._fine = self._particles(orders[0])
        for order in orders[1:]:
            self._coarse, self._fine = self._fine, self._particles(order)
            self.order, self.nodes = order, len(self._points)
            self.errors = self._compare(looks)
            self.error = max(self.errors["moment"], self.errors["energy"])
            if isinstance(self._fine, Characteristics):
                self.errors["imbalance"] = self._fine.imbalance()
                self.error = max(self.error, self.errors["imbalance"])
            if self.error <= aim:
                return

    def _compare(self, times: list[float]) -> dict[str, float]:
        """Return the largest differences between the two finest rules at increasing times."""
        errors = dict.fromkeys(self._quantities, 0.0)
        with RunProgress(f"reference, {self.nodes} nodes", times[-1], enabled=self._progress) as bar:
            for t in times:
                errors = {name: max(error, self._difference(name, t)) for name, error in errors.items()}
                bar.update(t, steps=self._fine.steps, energy=self._fine.energy(t))
        return errors

    def _particles(self, order: int) -> Characteristics | SteppedParticles:
        """Return the nodes of a rule on their way."""
        points, volumes = self._rule(order)
        self._factor = 1.0
        masses = self.initial(points) * volumes
        total = masses.sum()
        if not (np.isfinite(total) and total > 0.0 and masses.min() >= 0.0):
            raise ValueError(
                "initial must be nonnegative with a finite, positive integral, found values from "
                f"{masses.min()} and the integral {total}"
            )
        self._factor = self.mass / float(total)
        held = masses > 0.0
        self._points = np.ascontiguousarray(points[held])
        self._masses = self._factor * masses[held]
        if self.method == "order 8":
            return Characteristics(
                self.functional, self._points, self._masses, self.domain, _STEP_TOLERANCE, self.t_end
            )
        dt = self.t_end / max(_LEAST_STEPS, _STEPS_PER_NODE * order)
        return SteppedParticles(self.functional, self._points, self._masses, self.domain, dt)

    def _time(self, t: float) -> float:
        """Return ``t`` after a check, beyond t_end, that the solution is as accurate as asked for."""
        t = as_number("t", t, least=0.0)
        if t > self.t_end:
            for name in self._quantities:
                self.errors[name] = max(self.errors[name], self._difference(name, t))
            self.error = max(self.error, self.errors["moment"], self.errors["energy"])
            self.t_end = t
            if self.tolerance is not None and self.error > self.tolerance:
                raise WassflowError(
                    f"the reference has an error of {self.error:.1e} at t = {t:g}, above the tolerance "
                    f"{self.tolerance:.1e}: build it with t_end = {t:g}"
                )
        return t

    def _difference(self, name: str, t: float) -> float:
        """Return the difference of a quantity between the two finest rules, relative where it is above 1."""
        fine, coarse = (np.asarray(getattr(paths, name)(t)) for paths in (self._fine, self._coarse))
        return float(np.max(np.abs(fine - coarse)) / max(1.0, np.max(np.abs(fine))))


def reference(
    problem: Case | Solution | Functional,
    *,
    domain: Domain | None = None,
    initial: Callable[[Array], ArrayLike] | None = None,
    mass: float | None = None,
    t_end: float | None = None,
    support: tuple[ArrayLike, ArrayLike] | None = None,
    tolerance: float | None = None,
    max_nodes: int | None = None,
    progress: bool = False,
) -> Reference:
    """Solve a gradient flow by deterministic quadrature, where there is no solution in closed form.

    Gauss nodes of mu_0 (equidistant ones along whole periods) are carried by the flow, which they drive
    themselves, with a Runge-Kutta method of order 8; their number is doubled along each axis until the
    results stand still. For smooth flows, starts that are smooth on their support and paths that meet no
    wall, the convergence is geometric, and 1e-10 is reached with some thousand nodes. With kinks (of V, at
    walls, of ReLU features) steps of fixed length meet kinks and walls exactly, nodes and steps are doubled
    together, and the error falls like the square of the spacing of the nodes where fronts are straight: F of
    the absorption oracles comes out to about 1e-5 in two dimensions and 1e-3 in three with the nodes of the
    default. ``error`` of the result says what was reached.

    Args:
        problem: a case, an exact solution, or F (then ``domain``, ``initial`` and ``t_end`` are needed).
        domain: Omega, instead of that of the problem.
        initial: density of mu_0, ``(n, d) -> (n,)``, instead of that of the problem; it is scaled to
            ``mass``.
        mass: total mass; that of the case, or 1.
        t_end: until when the error is controlled; that of the case, or 1. Later times are carried on with the
            same nodes.
        support: corners (lower, upper) of a box outside which mu_0 vanishes and inside which it is smooth.
            Starts of this package tell it themselves; for others the bounding box of the support is looked
            for.
        tolerance: the error that must be reached; ``None``: as small as ``max_nodes`` allow, at most 1e-10.
        max_nodes: bound for the number of nodes; default 60 000, or 20 000 for steps of fixed length in two
            dimensions.
        progress: show how far the nodes have come, for each number of them (on a terminal).

    Raises:
        ValueError: an argument is missing or out of range.
        WassflowError: ``tolerance`` cannot be reached with ``max_nodes``.

    >>> import wassflow as wf
    >>> case = wf.cases.get("cosine-2d")
    >>> solution = wf.reference(case, tolerance=1e-9)
    >>> bool(np.abs(solution.moment(1.0) - case.exact.moment(1.0)).max() < 1e-9)
    True
    """
    if isinstance(problem, Functional):
        functional, known = problem, {}
    elif isinstance(problem, Case):
        functional = problem.functional
        known = {name: getattr(problem, name) for name in ("domain", "initial", "mass", "t_end")}
    elif isinstance(problem, Solution):
        functional = problem.functional
        known = {"domain": problem.domain, "initial": problem.initial, "mass": 1.0, "t_end": 1.0}
    else:
        raise ValueError(
            f"problem must be a Case, an exact solution or a Functional, found {type(problem).__name__}"
        )
    given = {"domain": domain, "initial": initial, "mass": mass, "t_end": t_end}
    chosen: dict[str, Any] = {"mass": 1.0} | known | {k: v for k, v in given.items() if v is not None}
    for name in ("domain", "initial", "t_end"):
        if name not in chosen:
            raise ValueError(f"{name} must be given with a Functional, found None")
    omega = chosen["domain"]
    if not isinstance(omega, Domain):
        raise ValueError(f"domain must be a Domain, found {type(omega).__name__}")
    if functional.dim is not None and omega.dim != functional.dim:
        raise ValueError(f"domain must have dimension {functional.dim}, found {omega.dim}")
    cuts: list[tuple[float, ...]] = [()] * omega.dim
    if not functional.regularizer.smooth:
        cuts[0] = (0.0,)  # the kinks of V = |w| and |w||theta|
    return Reference(
        functional,
        omega,
        chosen["initial"],
        as_number("mass", chosen["mass"], above=0.0),
        as_number("t_end", chosen["t_end"], above=0.0),
        rule_for(chosen["initial"], omega, support, cuts),
        None if tolerance is None else as_number("tolerance", tolerance, above=0.0),
        None if max_nodes is None else as_integer("max_nodes", max_nodes, least=4**omega.dim),
        progress,
    )


def _largest_order(rule: Rule, max_nodes: int) -> int:
    """Return the largest order, at least 2, of a rule with at most ``max_nodes`` nodes."""
    order = 2
    while rule.size(order + 1) <= max_nodes:
        order += 1
    return order
