"""Measures of either sign as atoms, with a bound of what that changes in the bounded-Lipschitz distance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_points, as_vector
from wassflow.laguerre.coarsening import barycentres, clusters
from wassflow.measure import (
    MeshDensity,
    ParticleCloud,
    projection_error,
    sphere_projection,
    weighted_directions,
)
from wassflow.measure.communication import gather_rows, several_ranks
from wassflow.transport.plans import Indices

SignedMeasure = ParticleCloud | MeshDensity | tuple[ArrayLike, ArrayLike]
PROJECTIONS = (None, "sphere", "weight")


@dataclass(frozen=True, eq=False)
class SignedAtoms:
    """sum_i masses_i delta_{points_i}, at most ``error`` away from what it stands for.

    Attributes:
        points: ``(n, d)``.
        masses: of either sign, ``(n,)``.
        error: bound of the bounded-Lipschitz distance to the measure it stands for.
    """

    points: Array
    masses: Array
    error: float = 0.0

    @classmethod
    def of(cls, name: str, mu: SignedMeasure, projection: str | None) -> "SignedAtoms":
        """Return a measure, or its projection, as atoms; the same on every rank.

        Args:
            name: of the argument, for messages.
            mu: a cloud, a density, or ``(points, signed masses)``.
            projection: ``None``, "sphere" or "weight".
        """
        if isinstance(mu, tuple):
            return cls._signed(name, mu, projection)
        if not isinstance(mu, ParticleCloud | MeshDensity):
            raise ValueError(
                f"{name} must be a ParticleCloud, a MeshDensity or a pair (points, masses), "
                f"found {type(mu).__name__}"
            )
        comm = mu.comm if isinstance(mu, ParticleCloud) else several_ranks(mu.mesh.comm)
        error = 0.0
        if projection == "sphere":
            points, masses = sphere_projection(mu).quadrature()
        elif projection == "weight":
            points, masses = weighted_directions(mu)
        else:
            points, masses = mu.quadrature()
        if projection is not None:
            error = projection_error(mu, projection)
        elif isinstance(mu, MeshDensity):
            # W1 of a cell to its centroid is at most the root of its inertia
            error = float(mu.allsum(masses @ np.sqrt(mu.mesh.second_moments[: mu.mesh.num_owned])))
        if comm is not None:
            points, masses = gather_rows(comm, points), gather_rows(comm, masses)
        return cls(points, masses, error)

    @classmethod
    def _signed(cls, name: str, mu: tuple[ArrayLike, ArrayLike], projection: str | None) -> "SignedAtoms":
        if len(mu) != 2:
            raise ValueError(f"{name} must be a pair (points, masses), found {len(mu)} entries")
        points = as_points(f"the points of {name}", mu[0])
        masses = as_vector(f"the masses of {name}", mu[1], len(points))
        if projection == "sphere":
            lengths = np.linalg.norm(points, axis=1)
            held = lengths > 0.0
            return cls(points[held] / lengths[held, None], masses[held] * lengths[held] ** 2)
        if projection == "weight":
            return cls(points[:, 1:], masses * points[:, 0])
        return cls(points, masses)

    def minus(self, other: "SignedAtoms") -> "SignedAtoms":
        """Return the difference, coinciding atoms merged and empty ones left out."""
        points, place = np.unique(np.concatenate([self.points, other.points]), axis=0, return_inverse=True)
        masses = np.bincount(
            place.ravel(), weights=np.concatenate([self.masses, -other.masses]), minlength=len(points)
        )
        held = masses != 0.0
        return SignedAtoms(points[held], masses[held], self.error + other.error)

    def clustered(self, count: int) -> tuple[Array, Array, Indices]:
        """Return centres ``(c, d)`` and masses ``(c,)`` of at most ``count`` clusters, and the cluster of
        each atom; all masses are positive."""
        if len(self.points) <= count:
            return self.points, self.masses, np.arange(len(self.points))
        label = clusters(self.points, self.masses, count)
        return *barycentres(self.points, self.masses, label), label
