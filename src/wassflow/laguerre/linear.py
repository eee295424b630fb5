"""Solving with the weighted Laplacian of the Laguerre facets."""

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from scipy.sparse.csgraph import connected_components

from wassflow.laguerre.geometry import Array

# Largest systems given to a sparse LU (CPU seconds of LU and multigrid: 0.7 and 0.7 at 1e5 sites in the
# plane, 54 and 9 at 1e6; in space fill is dear much earlier).
LARGEST_LU = {2: 150_000, 3: 3_000}
# Multigrid solves to this share of the sum of |rhs|, relative: masses sum to one, and a step towards them
# leaves the square of what is missing anyway.
FORCING = 1e-3


def solve_laplacian(graph: sp.csr_matrix, rhs: Array, dim: int) -> Array:
    """Solve L x = rhs, L = diag(graph 1) - graph, on each connected component with the mean of rhs removed.

    One unknown per component is pinned to zero, that of the largest diagonal entry.
    """
    size = rhs.size
    graph = _without_rounding(graph)
    diagonal = np.asarray(graph.sum(axis=1)).ravel()
    count, component = connected_components(graph, directed=False)
    members = np.bincount(component, minlength=count)
    rhs = rhs - (np.bincount(component, rhs, minlength=count) / members)[component]
    order = np.lexsort((diagonal, component))
    last = np.flatnonzero(np.append(component[order][1:] != component[order][:-1], True))
    free = np.ones(size, dtype=bool)
    free[order[last]] = False
    kept = np.flatnonzero(free)
    solution = np.zeros(size)
    if kept.size == 0:
        return solution
    matrix = (sp.diags(diagonal, format="csr") - graph)[kept][:, kept]
    solution[kept] = _solve_positive(matrix, rhs[kept], dim)
    return solution


def _without_rounding(graph: sp.csr_matrix) -> sp.csr_matrix:
    """Drop the edges that are rounding only: facets that lie in a face of the mesh leave such traces."""
    diagonal = np.asarray(graph.sum(axis=1)).ravel()
    edges = sp.coo_matrix(graph)
    real = edges.data > 1e-13 * np.minimum(diagonal[edges.row], diagonal[edges.col])
    return sp.csr_matrix((edges.data[real], (edges.row[real], edges.col[real])), shape=graph.shape)


def solve_shifted(graph: sp.csr_matrix, shift: Array, rhs: Array, dim: int) -> Array:
    """Solve (L + diag(shift)) x = rhs, L = diag(graph 1) - graph, shift > 0."""
    diagonal = np.asarray(graph.sum(axis=1)).ravel()
    return _solve_positive(sp.diags(diagonal + shift, format="csr") - graph, rhs, dim)


def _solve_positive(matrix: sp.csr_matrix, rhs: Array, dim: int) -> Array:
    if rhs.size > LARGEST_LU[dim]:
        import pyamg

        # not scaled: multigrid needs the constant vector to be nearly in the kernel (scaled, it stalls)
        levels = pyamg.smoothed_aggregation_solver(sp.csr_matrix(matrix), max_coarse=500)
        tolerance = float(np.clip(FORCING * np.sum(np.abs(rhs)), 1e-8, FORCING))
        return np.asarray(levels.solve(rhs, tol=tolerance, maxiter=100, accel="cg"))
    # symmetric scaling: densities that vanish spread the diagonal over many decades
    scale = 1.0 / np.sqrt(matrix.diagonal())
    scaled = sp.csc_matrix(sp.diags(scale) @ matrix @ sp.diags(scale))
    # weights of many decades can leave a matrix that rounding makes singular: lift it, the step is checked
    # anyway
    for lift in (0.0, 1e-13, 1e-8):
        try:
            factor = spla.splu(
                scaled + lift * sp.eye(rhs.size, format="csc"),
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=0.0,
                options={"SymmetricMode": True},
            )
        except RuntimeError:
            continue
        solution = scale * factor.solve(scale * rhs)
        if np.all(np.isfinite(solution)):
            return np.asarray(solution)
    return np.zeros_like(rhs)
