"""A measure that is a sum of weighted points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_integer, as_points, as_weights, one_of
from wassflow.measure.communication import (
    block,
    gather_rows,
    max_over_ranks,
    several_ranks,
    sum_over_ranks,
)
from wassflow.measure.mesh_density import MeshDensity, checked_integrand
from wassflow.measure.sampling import METHODS, sample_points
from wassflow.measure.statistics import Statistics


class ParticleCloud(Statistics):
    """Weighted points, whole on one process or dealt out over the ranks of a communicator.

    Args:
        points: the points that this rank holds, ``(n, d)``, finite. They may coincide.
        weights: their masses ``(n,)``, finite and nonnegative, not all zero; default 1/m each, m being the
            number of points over all ranks.
        comm: the communicator over which the cloud is distributed; ``None``: this process holds it all.

    Points and weights are copied and frozen.

    Raises:
        ValueError: wrong shapes, non-finite values, negative weights, no points, or a total mass that is
            zero or beyond the float range.

    >>> cloud = ParticleCloud([[0.0, 0.0], [2.0, 0.0]])
    >>> cloud.mass, print(cloud.mean(), cloud.second_moment())
    [1. 0.] 2.0
    (1.0, None)
    """

    def __init__(self, points: ArrayLike, weights: ArrayLike | None = None, comm: Any = None) -> None:
        self.comm = several_ranks(comm)
        self.points: Array = as_points("points", points).copy()
        self.size: int = int(sum_over_ranks(self.comm, float(len(self.points))))
        if self.size == 0 or self.points.shape[1] == 0:
            raise ValueError(
                f"points must hold at least one point of dimension >= 1, found shape {self.points.shape}"
            )
        if weights is None:
            self.weights: Array = np.full(len(self.points), 1.0 / self.size)
        else:
            self.weights = as_weights("weights", weights, len(self.points)).copy()
        self.points.setflags(write=False)
        self.weights.setflags(write=False)
        with np.errstate(over="ignore"):
            self.mass: float = float(self.allsum(self.weights.sum()))
        if not 0.0 < self.mass < np.inf:
            raise ValueError(
                f"weights must have a positive, finite sum over all particles, found {self.mass}"
            )

    @classmethod
    def sample(
        cls,
        mu0: MeshDensity | ParticleCloud,
        m: int,
        method: str = "iid",
        seed: int = 0,
    ) -> ParticleCloud:
        """Draw m particles of equal weight from a measure.

        Args:
            mu0: where to draw from. Its mass is shared equally among the particles.
            m: number of particles, over all ranks.
            method: ``"iid"`` (independent), ``"stratified"`` (one random particle in each of m compact pieces
                of equal mass; int g is unbiased) or ``"quantized"`` (nearly minimal W2: barycentres
                of an equal-mass power diagram after Lloyd steps). From a cloud: ``"iid"`` only.
            seed: the same seed gives the same particles, for every number of ranks.

        Under MPI rank r of P gets the particles m r / P to m (r + 1) / P of the serial sample.

        >>> import wassflow as wf
        >>> mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(4, 4), cell="triangle")
        >>> cloud = ParticleCloud.sample(MeshDensity.uniform(mesh), 100, method="stratified", seed=1)
        >>> cloud.size, bool(abs(cloud.mean() - 0.5).max() < 0.05)
        (100, True)
        """
        m = as_integer("m", m, least=1)
        one_of("method", method, METHODS)
        if isinstance(mu0, MeshDensity):
            comm = several_ranks(mu0.mesh.comm)
            points = sample_points(mu0.simplicial(), m, method, seed)
        elif isinstance(mu0, ParticleCloud):
            one_of("method (for a cloud)", method, ("iid",))
            comm = mu0.comm
            whole = mu0.gather()
            chosen = np.random.default_rng(seed).choice(whole.size, m, p=whole.weights / whole.weights.sum())
            points = whole.points[chosen]
        else:
            raise ValueError(f"mu0 must be a MeshDensity or a ParticleCloud, found {type(mu0).__name__}")
        mine = points[block(m, comm)]
        return cls(mine, np.full(len(mine), mu0.mass / m), comm)

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.points.shape[1]

    def allsum(self, local: ArrayLike) -> Array:
        """Return the sum of ``local`` over all ranks (itself in serial)."""
        return sum_over_ranks(self.comm, local)

    def allmax(self, local: float) -> float:
        """Return the largest ``local`` of all ranks (itself in serial)."""
        return max_over_ranks(self.comm, local)

    def quadrature(self) -> tuple[Array, Array]:
        """Return the points ``(n, d)`` and weights ``(n,)`` that this rank holds."""
        return self.points, self.weights

    def integrate(self, g: Callable[[Array], ArrayLike]) -> float | Array:
        """Return sum_i weights_i g(points_i) over all ranks; ``g`` maps ``(n, d)`` to ``(n,)`` or ``(n, k)``.

        >>> ParticleCloud([[0.0, 1.0], [2.0, 3.0]], [1.0, 3.0]).integrate(lambda u: u[:, 0])
        6.0
        """
        total = self.allsum(np.tensordot(self.weights, checked_integrand(g, self.points), axes=(0, 0)))
        return float(total) if total.ndim == 0 else total

    def distribute(self, comm: Any) -> ParticleCloud:
        """Deal out a cloud that every rank holds whole, in contiguous blocks."""
        if self.comm is not None:
            raise ValueError("the cloud is distributed already; gather it first")
        mine = block(self.size, comm)
        return ParticleCloud(self.points[mine], self.weights[mine], comm)

    def gather(self) -> ParticleCloud:
        """Return the whole cloud, in the order of the ranks, on every rank."""
        if self.comm is None:
            return self
        return ParticleCloud(gather_rows(self.comm, self.points), gather_rows(self.comm, self.weights))

    def _pieces(self) -> tuple[Array, Array, None]:
        return self.points, self.weights, None

    def __repr__(self) -> str:
        return f"ParticleCloud({self.size} points, dim={self.dim}, mass={self.mass:.6g})"
