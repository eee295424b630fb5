"""Push-forwards of a measure to directions, under which homogeneous functionals do not change."""

import numpy as np

from wassflow.arguments import Array
from wassflow.measure.communication import several_ranks
from wassflow.measure.mesh_density import MeshDensity
from wassflow.measure.particle_cloud import ParticleCloud
from wassflow.measure.simplex_quadrature import quadrature_blocks


def _nodes(mu: MeshDensity | ParticleCloud) -> tuple[Array, Array]:
    """Return points and masses that carry the measure: a cloud exactly, a density by the rule of degree 5."""
    if isinstance(mu, ParticleCloud):
        return mu.points, mu.weights
    if not isinstance(mu, MeshDensity):
        raise ValueError(f"mu must be a MeshDensity or a ParticleCloud, found {type(mu).__name__}")
    simplices, parents = mu.mesh.simplices
    held = mu.masses[parents] > 0.0
    simplices, parents = simplices[held], parents[held]
    volumes = np.abs(np.linalg.det(simplices[:, 1:] - simplices[:, :1]))
    whole = np.bincount(parents, weights=volumes, minlength=mu.mesh.num_owned)
    masses = mu.masses[parents] * (volumes / whole[parents])
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
