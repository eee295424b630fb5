"""Push-forwards of a measure to directions, under which homogeneous functionals do not change."""

import numpy as np

from wassflow.arguments import Array, one_of
from wassflow.measure.communication import several_ranks
from wassflow.measure.mesh_density import MeshDensity
from wassflow.measure.particle_cloud import ParticleCloud
from wassflow.measure.simplex_quadrature import quadrature_blocks, simplex_inertia, simplex_volumes


def _simplices(mu: MeshDensity) -> tuple[Array, Array]:
    """Return the simplices ``(n, d+1, d)`` of the cells that hold mass, and their masses ``(n,)``."""
    simplices, parents = mu.mesh.simplices
    held = mu.masses[parents] > 0.0
    simplices, parents = simplices[held], parents[held]
    volumes = simplex_volumes(simplices)
    whole = np.bincount(parents, weights=volumes, minlength=mu.mesh.num_owned)
    return simplices, mu.masses[parents] * (volumes / whole[parents])


def _nodes(mu: MeshDensity | ParticleCloud) -> tuple[Array, Array]:
    """Return points and masses that carry the measure: a cloud exactly, a density by the rule of degree 5."""
    if isinstance(mu, ParticleCloud):
        return mu.points, mu.weights
    if not isinstance(mu, MeshDensity):
        raise ValueError(f"mu must be a MeshDensity or a ParticleCloud, found {type(mu).__name__}")
    simplices, masses = _simplices(mu)
    points, weights = [np.zeros((0, mu.dim))], [np.zeros(0)]
    for which, nodes, rule in quadrature_blocks(simplices):
        points.append(nodes)
        weights.append((masses[which, None] * rule).ravel())
    return np.concatenate(points), np.concatenate(weights)


def sphere_projection(mu: MeshDensity | ParticleCloud) -> ParticleCloud:
    """Return h(mu), the measure on the unit sphere with int phi dh = int |u|^2 phi(u/|u|) dmu.

    When Phi and V are 2-homogeneous, F(mu) depends on mu through h(mu) only (Chizat and Bach 2018,
    section 3). Points at the origin carry no mass and are left out. A density is first represented by the
    nodes of its quadrature of degree 5 in every cell.

    Raises:
        ValueError: all the mass sits at the origin.

    >>> h = sphere_projection(ParticleCloud([[3.0, 4.0], [0.0, 0.0]]))
    >>> print(h.points.round(12), h.weights)
    [[0.6 0.8]] [12.5]
    """
    points, weights = _nodes(mu)
    comm = mu.comm if isinstance(mu, ParticleCloud) else several_ranks(mu.mesh.comm)
    # scaled by the largest coordinate first: squares of tiny or huge coordinates leave the float range
    largest = np.abs(points).max(axis=1, initial=0.0)
    held = (largest > 0.0) & (weights > 0.0)
    scaled = points[held] / largest[held, None]
    norms = np.linalg.norm(scaled, axis=1)
    masses = weights[held] * (norms * largest[held]) ** 2
    if not float(mu.allsum(masses.sum())) > 0.0:
        raise ValueError("mu must have mass away from the origin to be projected on the sphere")
    return ParticleCloud(scaled / norms[:, None], masses, comm)


def weighted_directions(mu: MeshDensity | ParticleCloud) -> tuple[Array, Array]:
    """Return the signed measure h1 with int phi dh1 = int w phi(theta) dmu, for u = (w, theta).

    It is what a model Phi(w, theta) = w phi(theta), V = |w| sees (Chizat and Bach 2018, appendix A, partially
    1-homogeneous case).

    Returns:
        points theta ``(n, d-1)`` and signed masses ``(n,)``, those that this rank holds.

    >>> theta, masses = weighted_directions(ParticleCloud([[-2.0, 0.5], [1.0, 0.5]], [1.0, 1.0]))
    >>> float(masses.sum())
    -1.0
    """
    points, weights = _nodes(mu)
    return points[:, 1:].copy(), weights * points[:, 0]


def projection_error(mu: MeshDensity | ParticleCloud, projection: str) -> float:
    """Bound the bounded-Lipschitz distance between a projection and what quadrature makes of it.

    For |phi| <= 1 with Lip(phi) <= 1 the integrand |u|^2 phi(u/|u|) has at most the slope sqrt(5) |u|, and
    w phi(theta) at most sqrt(1 + w^2). In a simplex, uniform mass and the nodes of the rule have the same
    centroid and the same inertia I, so that their W1 is at most 2 sqrt(I). A cloud has no error.

    Args:
        mu: what is projected.
        projection: "sphere" (:func:`sphere_projection`) or "weight" (:func:`weighted_directions`).
    """
    one_of("projection", projection, ("sphere", "weight"))
    if isinstance(mu, ParticleCloud):
        return 0.0
    simplices, masses = _simplices(mu)
    if projection == "sphere":
        slopes = np.sqrt(5.0) * np.linalg.norm(simplices, axis=2).max(axis=1, initial=0.0)
    else:
        slopes = np.hypot(1.0, np.abs(simplices[:, :, 0]).max(axis=1, initial=0.0))
    return float(mu.allsum(2.0 * masses @ (slopes * np.sqrt(simplex_inertia(simplices)))))
