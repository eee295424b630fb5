"""Mass near a line, a plane, a wall or a point: where a density on a mesh holds what should be an atom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from wassflow.arguments import Array, as_integer, as_number
from wassflow.measure.communication import sum_over_ranks
from wassflow.measure.mesh_density import MeshDensity
from wassflow.mesh.layers import cells_in_layer

Place = Mapping[int, float]

# a cell touches a set that is nearer than this part of its own size
_TOUCHING = 1e-9


@dataclass(frozen=True)
class NearbyMass:
    """The mass of a density within some cells of a set.

    Attributes:
        cells: how many layers of cells.
        mass: the mass in these cells.
        background: how much of it a density would account for: the volume of these cells times the mean
            density of the next layer.
        width: how far these cells reach from the set, at most.
        count: how many cells these are.
    """

    cells: int
    mass: float
    background: float
    width: float
    count: int

    @property
    def excess(self) -> float:
        """The mass without the background."""
        return self.mass - self.background


def mass_near(mu: MeshDensity, where: Place | Sequence[Place], cells: int = 1) -> NearbyMass:
    """Sum the mass of a density within ``cells`` layers of cells of a set; collective.

    The first layer are the cells that touch the set, on both sides where it lies on faces, and along a line
    or plane those beside them that reach no further from it (:func:`wassflow.mesh.layers.cells_in_layer`):
    the small boxes of a box of triangles. Each further layer are the neighbours across a face of the one
    before.

    Args:
        mu: a density on a mesh.
        where: the set {u : u_i = value for each entry i: value}: ``{0: 0.0}`` is the line or plane {w = 0},
            ``{0: 1.0, 1: 1.0}`` an edge or a corner. Several of them stand for their union.
        cells: how many layers, at least 1.

    Raises:
        ValueError: for an axis that does not exist, a set without axes, or one that misses the domain.

    >>> import wassflow as wf
    >>> mesh = wf.mesh.box(wf.Box([-1.0, 0.0], [1.0, 1.0]), cells=(8, 4), cell="quadrilateral")
    >>> near = mass_near(wf.MeshDensity.uniform(mesh), {0: 0.0})
    >>> near.mass, near.width, near.count, round(near.excess, 12)
    (0.25, 0.25, 8, 0.0)
    """
    mesh = mu.mesh
    places = [where] if isinstance(where, Mapping) else list(where)
    chosen = [_checked(place, mesh) for place in places]
    if not chosen:
        raise ValueError("where must hold at least one set, found none")
    cells = as_integer("cells", cells, least=1)
    near = np.zeros(mesh.num_cells)
    for axes, values in chosen:
        if axes.size == 1:
            touching = cells_in_layer(mesh, mesh.cell_vertices[:, :, axes[0]] - values[0])[: mesh.num_owned]
        else:
            touching = _touching(mesh, axes, values)
        near[: mesh.num_owned][touching] = 1.0
    if mesh.allmax(float(near.max(initial=0.0))) == 0.0:
        raise ValueError(f"where must meet the domain {mesh.domain!r}, found {where}")
    for _ in range(cells - 1):
        near = _with_neighbours(mesh, near)
    around = _with_neighbours(mesh, near)[: mesh.num_owned] - near[: mesh.num_owned] > 0.0
    inside = near[: mesh.num_owned] > 0.0
    volumes = mesh.volumes[: mesh.num_owned]
    weights = np.stack([mu.masses, volumes, np.ones(volumes.size)])
    local = np.stack([weights @ inside, weights @ around])
    (mass, volume, count), (outer_mass, outer_volume, _) = sum_over_ranks(mesh.comm, local)
    reach = _distances(mesh.nodes[mesh.cell_nodes[: mesh.num_owned][inside]], chosen)
    return NearbyMass(
        cells=cells,
        mass=float(mass),
        background=float(outer_mass * volume / outer_volume) if outer_volume > 0.0 else 0.0,
        width=mesh.allmax(float(reach.max(initial=0.0))),
        count=int(count),
    )


def _checked(place: Place, mesh: Any) -> tuple[NDArray[np.intp], Array]:
    """Return axes and values of a set."""
    axes = [as_integer("an axis in where", axis, least=0) for axis in place]
    if not axes or max(axes) >= mesh.dim:
        raise ValueError(f"where must name axes from 0 to {mesh.dim - 1}, found {dict(place)}")
    return np.array(axes), np.array([as_number(f"where[{axis}]", place[axis]) for axis in axes])


def _touching(mesh: Any, axes: NDArray[np.intp], values: Array) -> NDArray[np.bool_]:
    """Tell which owned cells the set {u : u[axes] = values} meets, (num_owned,)."""
    corners = mesh.nodes[mesh.cell_nodes[: mesh.num_owned]][:, :, axes] - values
    size = np.ptp(corners, axis=1).max(axis=1)
    slack = _TOUCHING * size[:, None]
    inside = (corners.min(axis=1) <= slack) & (corners.max(axis=1) >= -slack)
    touching: NDArray[np.bool_] = inside.all(axis=1)
    # the bounding box touches; does 0 lie in the convex hull of the corners?
    for cell in np.flatnonzero(touching):
        scaled = np.vstack([corners[cell].T / size[cell], np.ones(corners.shape[1])])
        touching[cell] = nnls(scaled, np.append(np.zeros(axes.size), 1.0))[1] <= _TOUCHING
    return touching


def _with_neighbours(mesh: Any, near: Array) -> Array:
    """Return 1 for the marked cells and those that share a face with one, ghosts included."""
    near = mesh.halo.update(near.copy())
    left, right = mesh.face_cells.T
    wider = near.copy()
    np.maximum.at(wider, left, near[right])
    np.maximum.at(wider, right, near[left])
    return mesh.halo.update(wider)


def _distances(corners: Array, places: list[tuple[NDArray[np.intp], Array]]) -> Array:
    """Return the distance of each corner (n, k, d) to the nearest of the sets, (n, k)."""
    distances = [np.linalg.norm(corners[:, :, axes] - values, axis=2) for axes, values in places]
    nearest: Array = np.min(distances, axis=0)
    return nearest
