"""A measure with one mass per cell of a mesh: a density that is constant on each cell."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_integer, as_number, as_weights
from wassflow.measure.communication import max_over_ranks, sum_over_ranks
from wassflow.measure.simplex_quadrature import adaptive_integrals, cell_means, simplex_volumes
from wassflow.measure.simplicial import SimplicialDensity, gather_simplices
from wassflow.measure.statistics import Statistics

#: a cell is split while its integral changes by more than this share of the whole mass
PROJECTION_TOLERANCE = 1e-10


class MeshDensity(Statistics):
    """Masses of the cells that this rank owns; the density is mass over volume.

    Args:
        mesh: a :class:`wassflow.mesh.Mesh`.
        masses: ``(mesh.num_owned,)``, finite and nonnegative, not all zero (over all ranks).

    The masses are copied and frozen.

    Raises:
        ValueError: wrong shape, a negative or non-finite mass, total mass zero or beyond the float range.

    >>> import wassflow as wf
    >>> mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(4, 4), cell="triangle")
    >>> mu = MeshDensity.uniform(mesh)
    >>> print(mu.mean().round(12), round(mu.second_moment(), 12))
    [0.5 0.5] 0.666666666667
    """

    def __init__(self, mesh: Any, masses: ArrayLike) -> None:
        self.mesh = mesh
        self.masses: Array = as_weights("masses", masses, mesh.num_owned).copy()
        self.masses.setflags(write=False)
        self.mass: float = float(self.allsum(np.asarray(self.masses.sum())))
        if not 0.0 < self.mass < np.inf:
            raise ValueError(f"masses must have a positive, finite sum over all cells, found {self.mass}")

    @classmethod
    def from_function(
        cls,
        mesh: Any,
        rho: Callable[[Array], ArrayLike],
        mass: float | None = 1.0,
        subdivisions: int = 3,
    ) -> MeshDensity:
        """Project a function on the mesh by quadrature and normalise it.

        Args:
            mesh: a :class:`wassflow.mesh.Mesh`.
            rho: density, ``(n, d) -> (n,)``, finite and nonnegative; any constant factor.
            mass: total mass of the result; ``None`` keeps the integral of ``rho`` itself.
            subdivisions: the rule has degree 5 on simplices; cells where it is not yet exact to 1e-10 of
                the mass (a kink, a jump) are split into 2^d, at most this many times.

        Raises:
            ValueError: ``rho`` has the wrong shape, a negative or non-finite value, or vanishes on the mesh.

        >>> import numpy as np, wassflow as wf
        >>> mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(8, 8), cell="quadrilateral")
        >>> mu = MeshDensity.from_function(mesh, lambda u: u[:, 0], mass=2.0)
        >>> print(round(mu.mass, 12), mu.mean().round(2))
        2.0 [0.66 0.5 ]
        """
        subdivisions = as_integer("subdivisions", subdivisions, least=0)
        if mass is not None:
            mass = as_number("mass", mass, above=0.0)

        def checked(points: Array) -> Array:
            values = np.asarray(rho(points), dtype=np.float64)
            if values.shape != (len(points),):
                raise ValueError(
                    f"rho must return shape ({len(points)},) for points of shape {points.shape}, "
                    f"found {values.shape}"
                )
            return as_weights("the values of rho", values)

        def tolerance(integrals: Array) -> float:
            return PROJECTION_TOLERANCE * float(sum_over_ranks(mesh.comm, integrals.sum()))

        simplices, parents = mesh.simplices
        integrals = adaptive_integrals(simplices, checked, subdivisions, tolerance)
        # a correction by a finer level may leave -1e-20 where the density vanishes
        masses = np.bincount(parents, weights=np.maximum(integrals, 0.0), minlength=mesh.num_owned)
        total = float(sum_over_ranks(mesh.comm, masses.sum()))
        if not 0.0 < total < np.inf:
            raise ValueError(f"rho must have a positive, finite integral over the mesh, found {total}")
        return cls(mesh, masses if mass is None else masses * (mass / total))

    @classmethod
    def uniform(cls, mesh: Any, mass: float = 1.0) -> MeshDensity:
        """Return the uniform density on the mesh.

        >>> import wassflow as wf
        >>> mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(4, 4), cell="triangle")
        >>> float(MeshDensity.uniform(mesh, mass=3.0).densities.max().round(12))
        3.0
        """
        volumes = mesh.volumes[: mesh.num_owned]
        total = float(sum_over_ranks(mesh.comm, volumes.sum()))
        return cls(mesh, volumes * (as_number("mass", mass, above=0.0) / total))

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.mesh.dim

    @property
    def densities(self) -> Array:
        """Mass over volume of each owned cell, ``(mesh.num_owned,)``."""
        return self.masses / self.mesh.volumes[: self.mesh.num_owned]

    @property
    def quantization_radius(self) -> float:
        """Bound of W2 between the density and its cell masses at the centroids: sqrt(sum_K m_K I_K)."""
        shares = self.masses / self.mass
        moment = self.allsum(shares @ self.mesh.second_moments[: self.mesh.num_owned])
        return float(np.sqrt(moment) * np.sqrt(self.mass))

    def allsum(self, local: ArrayLike) -> Array:
        """Return the sum of ``local`` over all ranks (itself in serial)."""
        return sum_over_ranks(self.mesh.comm, local)

    def allmax(self, local: float) -> float:
        """Return the largest ``local`` of all ranks (itself in serial)."""
        return max_over_ranks(self.mesh.comm, local)

    def quadrature(self) -> tuple[Array, Array]:
        """Return centroids ``(n, d)`` and masses ``(n,)`` of the owned cells, where functionals look."""
        return self.mesh.centroids[: self.mesh.num_owned], self.masses

    def integrate(self, g: Callable[[Array], ArrayLike]) -> float | Array:
        """Return int g dmu for the piecewise-constant density by a rule of degree 5 on simplices.

        ``g`` maps ``(n, d)`` to ``(n,)`` (a float is returned) or ``(n, k)`` (an array ``(k,)``).

        >>> import wassflow as wf
        >>> mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(2, 2), cell="triangle")
        >>> round(MeshDensity.uniform(mesh).integrate(lambda u: u[:, 0] ** 5), 12)
        0.166666666667
        """
        simplices, parents = self.mesh.simplices
        volumes = simplex_volumes(simplices)
        cell_volumes = np.bincount(parents, weights=volumes, minlength=self.mesh.num_owned)
        masses = self.masses[parents] * (volumes / cell_volumes[parents])
        held = masses > 0.0  # g may be undefined where there is no mass

        def values(points: Array) -> Array:
            return checked_integrand(g, points)

        if held.any():
            local = np.tensordot(masses[held], cell_means(simplices[held], values), axes=(0, 0))
        else:
            local = np.zeros(checked_integrand(g, simplices[:1, 0]).shape[1:])
        total = self.allsum(local)
        return float(total) if total.ndim == 0 else total

    def prolong(self, refinement: Any) -> MeshDensity:
        """Return the same density on the fine mesh of a refinement of its mesh.

        Children share the mass of their parent by volume: mass is conserved to rounding in each coarse cell
        and never negative, and the measure is the same one.

        Args:
            refinement: a :class:`wassflow.mesh.Refinement` whose coarse mesh is that of the density.

        Raises:
            ValueError: for a refinement of another mesh.

        >>> import wassflow as wf
        >>> mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(4, 4), cell="triangle")
        >>> near = wf.mesh.refine(mesh, lambda u: u[:, 0] < 0.2)
        >>> mu = wf.MeshDensity.from_function(mesh, lambda u: u[:, 0])
        >>> nu = mu.prolong(near)
        >>> nu.mesh is near.fine, bool(abs(nu.mass - mu.mass) < 1e-15)
        (True, True)
        """
        if refinement.coarse is not self.mesh:
            raise ValueError("refinement must refine the mesh of the density, found one of another mesh")
        volumes = refinement.fine.volumes[: refinement.fine.num_owned]
        # not the volume of the coarse cell, which differs from their sum by rounding
        shares = volumes / refinement.collect(volumes)[refinement.parent]
        return MeshDensity(refinement.fine, self.masses[refinement.parent] * shares)

    def restrict(self, refinement: Any) -> MeshDensity:
        """Return the cell masses on the coarse mesh of a refinement: sums over the children of each cell.

        The inverse of :meth:`prolong`. In W2 the result is at most the root of sum_K m_K diam(K)^2 away,
        K the coarse cells.

        Args:
            refinement: a :class:`wassflow.mesh.Refinement` whose fine mesh is that of the density.

        Raises:
            ValueError: for a refinement to another mesh.

        >>> import wassflow as wf
        >>> halves = wf.mesh.refine(wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), 4, "quadrilateral"))
        >>> mu = wf.MeshDensity.from_function(halves.fine, lambda u: u[:, 0])
        >>> nu = mu.restrict(halves)
        >>> print(nu, bool(abs(nu.mean()[0] - mu.mean()[0]) < 0.01))
        MeshDensity(16 cells, dim=2, mass=1) True
        """
        if refinement.fine is not self.mesh:
            raise ValueError("the fine mesh of refinement must be that of the density, found another one")
        return MeshDensity(refinement.coarse, refinement.collect(self.masses))

    @cached_property
    def _simplicial(self) -> SimplicialDensity:
        return gather_simplices(self.mesh, self.masses)

    def simplicial(self) -> SimplicialDensity:
        """Return the whole density as simplices with masses, on every rank and in the same order on all."""
        return self._simplicial

    def _pieces(self) -> tuple[Array, Array, Array]:
        owned = slice(0, self.mesh.num_owned)
        return self.mesh.centroids[owned], self.masses, self.mesh.covariances[owned]

    def __repr__(self) -> str:
        return f"MeshDensity({self.mesh.num_cells_global} cells, dim={self.dim}, mass={self.mass:.6g})"


def checked_integrand(g: Callable[[Array], ArrayLike], points: Array) -> Array:
    """Return ``g(points)`` as floats of shape ``(n,)`` or ``(n, k)``."""
    values = np.asarray(g(points), dtype=np.float64)
    if values.ndim not in (1, 2) or len(values) != len(points):
        raise ValueError(
            f"g must return shape ({len(points)},) or ({len(points)}, k) for points of shape {points.shape}, "
            f"found {values.shape}"
        )
    return values
