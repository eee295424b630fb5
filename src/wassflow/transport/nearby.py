"""W2 between two densities on the same mesh that differ little, where subdividing cells would be a waste.

Above: the formula of Benamou and Brenier (Numer. Math. 84 (2000) 375), W2^2 <= int_0^1 int |w_t|^2 / rho_t dx
dt for any rho_t from mu to nu and w_t with d/dt rho_t + div w_t = 0. Here rho_t = (1 - s) mu + s nu with a
function s(t) from 0 to 1, and w_t = s'(t) w, div w = mu - nu, with w piecewise linear and of constant normal
component on each face (Raviart and Thomas): then

    W2^2 <= sum_K int_K |w|^2 dx  g(mu_K, nu_K),     g(a, b) = int_0^1 s'^2 / ((1 - s) a + s b) dt,

for the better of a straight s(t) = t and an s whose slope vanishes at both ends, which keeps g finite where
one of the two densities vanishes. w comes from a weighted Laplace equation between cell centroids.

Below: W2^2 >= |difference of the means|^2 + (Bures distance of the covariances)^2 (Gelbrich, Math. Nachr. 147
(1990) 185), for the coordinates that are not periodic.

In between: the first-order value, the H^-1 norm of mu - nu with weight (mu + nu)/2.
"""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from wassflow.arguments import Array
from wassflow.laguerre.linear import solve_laplacian
from wassflow.measure import MeshDensity
from wassflow.mesh import Mesh
from wassflow.rounding import EPS
from wassflow.transport.bracket import Bracket

# s(t) = t^p / (t^p + (1-t)^p): p = 1 is a straight line, whose g is infinite where a density vanishes; larger
# p cost more where both densities are alike (g(a, a) = 1.06 / a at this p).
_POWER = 1.25
# Cells count as boxes along the axes up to this sine.
_ALIGNED = 1e-10
# Mass that may be left over by the solver, and how often it tries to carry the rest away.
_LEFT_OVER = 1e-13
_REFINEMENTS = 6
# Share of the mass, in the emptiest cells, that is cut off; and what a piece that this leaves behind, from
# which nothing could leave, may hold to be cut off too.
_TAIL, _POCKET = 1e-13, 1e-12


def nearby_densities(mu: MeshDensity, nu: MeshDensity) -> Bracket | None:
    """Bracket W2 between two densities on the same mesh, of equal mass.

    Cheap (one sparse solve) and sharp where the densities differ little, compared with their size. ``None``
    where there is no upper bound: mass must cross a region that is empty in both, the cells are neither
    simplices nor boxes along the axes, or the mesh is distributed.

    >>> import numpy as np, wassflow as wf
    >>> mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(32, 32), cell="quadrilateral")
    >>> mu, nu = (
    ...     wf.MeshDensity.from_function(mesh, lambda u, a=a: 1.0 + a * np.cos(np.pi * u[:, 0]))
    ...     for a in (0.2, 0.21)
    ... )
    >>> bracket = nearby_densities(mu, nu)
    >>> bracket.width < 0.1 * bracket.value
    True
    """
    mesh = mu.mesh
    if nu.mesh is not mesh or mesh.comm.size > 1:
        return None
    simplicial = mesh.cell_type in ("triangle", "tetrahedron")
    if not simplicial and np.max(1.0 - np.abs(mesh.face_normals).max(axis=1), initial=0.0) > _ALIGNED:
        return None
    # Tails of 1e-100 on one side would have to be fed through cells as empty on the other: cut both off, at a
    # price that counts as rounding.
    # Masses of sum one: the squares of fluxes of 1e-160 would vanish, and the upper bound with them.
    shares = [m.masses / m.masses.max() for m in (mu, nu)]
    shares = [share / share.sum() for share in shares]
    held = _without_pockets(mesh, shares[0] + shares[1], _bulk(shares[0] + shares[1]))
    first, second = (np.where(held, share, 0.0) / share[held].sum() for share in shares)
    a, b = first / mesh.volumes[: mesh.num_owned], second / mesh.volumes[: mesh.num_owned]
    excess = first - second
    both = a + b
    # densities below 1e-308 resist like none
    with np.errstate(over="ignore"):
        weight = np.divide(2.0, both, out=np.full_like(both, np.inf), where=both > 0.0)
    carried = _carry(mesh, excess, weight)
    if carried is None:
        return None
    flux, remaining = carried
    squares = _squares(mesh, flux)
    # Cells without flux cost nothing, however dear they are.
    used = squares > 0.0
    first_order = float(squares[used] @ weight[used])
    bound = min(float(squares[used] @ g[used]) for g in (_straight(a, b), _time_integral(a, b)))
    if not np.isfinite(bound):
        return None
    # What is left over, what was cut off, and the rounding of the masses might have to cross the domain.
    diameter = float(np.linalg.norm(np.ptp(mesh.nodes, axis=0)))
    leftover = 0.5 * remaining + 4.0 * EPS
    cut = sum(float(share[~held].sum()) for share in shares)
    rounding = diameter * (np.sqrt(leftover) + np.sqrt(2.0 * cut))
    size = float(np.sqrt(mu.mass))
    lower = max(gelbrich_bound(mu, nu) / size - rounding, 0.0)
    upper = max(float(np.sqrt(bound)) + rounding, lower)
    return Bracket(
        lower * size,
        upper * size,
        "means and covariances below, a flow of mass between cells above",
        value=float(np.clip(np.sqrt(first_order), lower, upper)) * size,
        rounding=rounding * size,
    )


def _bulk(masses: Array) -> NDArray[np.bool_]:
    """Return the cells that hold all but a share ``_TAIL`` of the mass."""
    order = np.argsort(masses, kind="stable")
    held = np.ones(masses.size, dtype=bool)
    held[order[: np.searchsorted(np.cumsum(masses[order]), _TAIL * masses.sum())]] = False
    return held


def _without_pockets(mesh: Mesh, masses: Array, held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the held cells but those of small pieces, between which nothing is held."""
    left, right = mesh.face_cells.T
    joined = held[left] & held[right]
    size = held.size
    graph = sp.csr_matrix((joined, (left, right)), shape=(size, size))
    graph.eliminate_zeros()
    _, piece = connected_components(graph, directed=False)
    return held & (np.bincount(piece, masses) > _POCKET * masses.sum())[piece]


def gelbrich_bound(mu: MeshDensity, nu: MeshDensity) -> float:
    """Return a lower bound of W2 from means and covariances, without periodic coordinates (Gelbrich 1990)."""
    straight = np.flatnonzero(~np.asarray(mu.mesh.domain.periodic, dtype=bool))
    if straight.size == 0:
        return 0.0
    shift = (mu.mean() - nu.mean())[straight]
    first, second = (measure.covariance()[np.ix_(straight, straight)] for measure in (mu, nu))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    between = np.linalg.eigvalsh(root @ second @ root)
    traces = np.trace(first) + np.trace(second)
    bures = traces - 2.0 * np.sum(np.sqrt(np.maximum(between, 0.0)))
    # the difference loses digits: no more than its rounding may be claimed
    bures = max(bures - 64.0 * EPS * traces, 0.0)
    return float(np.sqrt(mu.mass) * np.sqrt(shift @ shift + bures))


def _straight(a: Array, b: Array) -> Array:
    """Return int_0^1 dt / ((1 - t) a + t b) = ln(a/b) / (a - b), infinite where one of the two vanishes."""
    both = (a > 0.0) & (b > 0.0)
    result = np.full_like(a, np.inf)
    x = (b[both] - a[both]) / a[both]
    near = np.where(np.abs(x) < 1e-4, x, 0.0)
    # ln(1 + x)/x by its series near 0, where the quotient loses its digits
    series = 1.0 - near / 2.0 + near**2 / 3.0 - near**3 / 4.0
    quotient = (np.log(b[both]) - np.log(a[both])) / np.where(np.abs(x) < 1e-4, 1.0, x)
    result[both] = np.where(np.abs(x) < 1e-4, series, quotient) / a[both]
    return result


def _time_integral(a: Array, b: Array) -> Array:
    """Return g(a, b) from above, from a table over the ratio of the two; infinite where both vanish."""
    largest = np.maximum(a, b)
    ratio = np.divide(np.minimum(a, b), largest, out=np.zeros_like(a), where=largest > 0.0)
    # the tanh-sinh rule in t: s'^2 / s is singular at the ends when the ratio is 0
    x = np.linspace(-4.0, 4.0, 401)
    t, rest = (1.0 / (1.0 + np.exp(sign * np.pi * np.sinh(x))) for sign in (-1.0, 1.0))
    weights = (x[1] - x[0]) * np.pi * np.cosh(x) * t * rest
    powers = t**_POWER + rest**_POWER
    s = t**_POWER / powers
    slope = _POWER * (t * rest) ** (_POWER - 1.0) / powers**2
    knots = np.concatenate([[0.0], np.geomspace(1e-12, 1.0, 400)])
    table = np.array([np.sum(weights * slope**2 / (r + (1.0 - r) * s)) for r in knots])
    # g falls with the ratio: the knot below bounds it from above
    below = table[np.searchsorted(knots, ratio, side="right") - 1]
    with np.errstate(over="ignore"):
        return np.divide(below, largest, out=np.full_like(a, np.inf), where=largest > 0.0)


def _carry(mesh: Mesh, excess: Array, resistance: Array) -> tuple[Array, float] | None:
    """Carry the excess of each cell away, with div w = excess / |K|, where the resistance is finite.

    Returns the fluxes through the faces, from left to right, and the mass that rounding left over; ``None``
    if some of the excess would have to cross cells of infinite resistance. The fluxes nearly minimise
    sum_K resistance_K int_K |w|^2 dx.
    """
    size = mesh.num_owned
    left, right = mesh.face_cells.T
    to_left = np.sum((mesh.face_midpoints - mesh.centroids[left]) * mesh.face_normals, axis=1)
    to_right = np.maximum(mesh.face_distances - to_left, 0.0)
    passable = np.isfinite(resistance)
    open_ = passable[left] & passable[right] & (left != right)
    cost = to_left[open_] * resistance[left[open_]] + to_right[open_] * resistance[right[open_]]
    conductance = np.zeros(len(left))
    conductance[open_] = mesh.face_areas[open_] / cost
    pairs = (np.concatenate([left, right]), np.concatenate([right, left]))
    graph = sp.csr_matrix((np.concatenate([conductance, conductance]), pairs), shape=(size, size))
    graph.eliminate_zeros()
    _, piece = connected_components(graph, directed=False)
    if np.abs(np.bincount(piece, excess)).max() > _LEFT_OVER:
        return None
    flux, remaining = np.zeros(len(left)), excess
    for _ in range(_REFINEMENTS):
        potential = solve_laplacian(graph, remaining, mesh.dim)
        flux += conductance * (potential[left] - potential[right])
        remaining = excess - (np.bincount(left, flux, size) - np.bincount(right, flux, size))
        if np.abs(remaining).sum() <= _LEFT_OVER:
            break
    return flux, float(np.abs(remaining).sum())


def _squares(mesh: Mesh, flux: Array) -> Array:
    """Return int_K |w|^2 dx per cell, for w linear in K with these fluxes through the faces."""
    size, dim = mesh.num_owned, mesh.dim
    volumes = mesh.volumes[:size]
    left, right = mesh.face_cells.T
    leaving = np.concatenate([flux, -flux])
    cells = np.concatenate([left, right])
    arms = np.concatenate(
        [
            mesh.face_midpoints - mesh.centroids[left],
            mesh.face_midpoints - mesh.face_offsets - mesh.centroids[right],
        ]
    )
    # int_K w = sum_f flux_f (midpoint - centroid), since w.n is constant on f and div w is constant in K
    mean = np.column_stack([np.bincount(cells, leaving * arms[:, i], size) / volumes for i in range(dim)])
    if mesh.cell_type in ("triangle", "tetrahedron"):
        divergence = np.bincount(cells, leaving, size) / volumes
        spread = (divergence / dim) ** 2 * mesh.second_moments[:size]
    else:
        spread = np.zeros(size)
        for i in range(dim):
            stretch = np.bincount(cells, leaving * np.tile(mesh.face_normals[:, i] ** 2, 2), size) / volumes
            spread += stretch**2 * mesh.covariances[:size, i, i]
    return volumes * (np.sum(mean**2, axis=1) + spread)
