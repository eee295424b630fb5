"""Equal boxes over two measures: masses in them, bounds of densities, and the Laplacian between centres."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numba import njit

from wassflow.arguments import Array
from wassflow.laguerre.cells import Seeds, measure_cells
from wassflow.laguerre.geometry import simplex_volumes
from wassflow.laguerre.source import Source
from wassflow.transport.marginals import Atoms, Cells, Problem
from wassflow.transport.plans import Indices

#: overlaps that are thinner than this share of a box are rounding
TOUCHING = 1e-12
#: shortest edge of a lattice, over its longest, where it is good for something
FLAT = 1e-3


@dataclass(frozen=True)
class Lattice:
    """Boxes of edges ``spacing`` (d,) from the corner ``lower`` (d,), ``shape`` of them along the axes.

    Functions on it are arrays of this shape, the first axis slowest.
    """

    lower: Array
    spacing: Array
    shape: tuple[int, ...]
    periodic: tuple[bool, ...]

    @classmethod
    def around(cls, problem: Problem, count: int) -> Lattice:
        """Cover both supports, or the periods, by about ``count`` boxes, as cubic as they can be."""
        points = np.concatenate([support(side) for side in (problem.mu, problem.nu)])
        lower, upper = points.min(axis=0), points.max(axis=0)
        lengths = np.where(problem.period > 0.0, problem.period, upper - lower)
        lengths = np.maximum(lengths, 1e-6 * lengths.max())
        shape = [1] * problem.dim
        left = np.argsort(lengths)
        while len(left) > 0:
            # what a short axis does not take is left to the longer ones
            wanted = lengths[left[0]] * (count / np.prod(lengths[left])) ** (1.0 / len(left))
            shape[left[0]] = _fitting((points[:, left[0]] - lower[left[0]]) / lengths[left[0]], wanted)
            count = max(count // shape[left[0]], 1)
            left = left[1:]
        return cls(lower, lengths / shape, tuple(shape), tuple(bool(p > 0.0) for p in problem.period))

    @property
    def dim(self) -> int:
        """Dimension d."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of boxes."""
        return int(np.prod(self.shape))

    @property
    def flat(self) -> bool:
        """Whether its edges are so different that masses in its boxes take long to find."""
        lengths = self.spacing * self.shape
        return bool(lengths.min() < FLAT * lengths.max())

    @property
    def upper(self) -> Array:
        """The opposite corner (d,)."""
        return self.lower + self.spacing * self.shape

    def boxes_of(self, points: Array) -> Indices:
        """Return the indices (n, d) of the boxes that points are in."""
        boxes = np.floor((points - self.lower) / self.spacing).astype(np.int64)
        shape = np.array(self.shape)
        return np.where(self.periodic, boxes % shape, np.clip(boxes, 0, shape - 1))

    def deposited(self, points: Array, masses: Array) -> Array:
        """Return masses at points (n, d) shared linearly among the centres of the boxes around them."""
        place = (points - self.lower) / self.spacing - 0.5
        first = np.floor(place)
        share = place - first
        total = np.zeros(self.size)
        for corner in itertools.product((0, 1), repeat=self.dim):
            index = np.zeros(len(points), dtype=np.int64)
            weight = masses.copy()
            for axis, (upper, n) in enumerate(zip(corner, self.shape, strict=True)):
                i = first[:, axis].astype(np.int64) + upper
                index = index * n + (i % n if self.periodic[axis] else np.clip(i, 0, n - 1))
                weight *= share[:, axis] if upper else 1.0 - share[:, axis]
            total += np.bincount(index, weights=weight, minlength=self.size)
        return total.reshape(self.shape)

    def conductances(self, density: Array) -> sp.csr_matrix:
        """Return the graph of the boxes with area / distance times the mean density of the two as weights."""
        number = np.arange(self.size).reshape(self.shape)
        rows, columns, weights = [], [], []
        for axis, n in enumerate(self.shape):
            left = number if self.periodic[axis] and n > 2 else np.delete(number, -1, axis)
            right = np.roll(number, -1, axis) if self.periodic[axis] and n > 2 else np.delete(number, 0, axis)
            factor = np.prod(self.spacing) / self.spacing[axis] ** 2
            rows.append(left.ravel())
            columns.append(right.ravel())
            weights.append(0.5 * factor * (density.ravel()[left] + density.ravel()[right]).ravel())
        half = sp.coo_matrix(
            (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))),
            shape=(self.size, self.size),
        ).tocsr()
        return sp.csr_matrix(half + half.T)


def _fitting(places: Array, wanted: float) -> int:
    """Return about ``wanted`` parts of [0, 1] such that many of the ``places`` lie between two of them."""
    distinct = np.unique(np.round(places, 9))
    most = max(int(np.rint(wanted)), 1)
    best, fitting = -1, most
    for parts in range(most, max(most * 2 // 3, 1) - 1, -1):
        between = distinct * parts
        found = int(np.count_nonzero(np.abs(between - np.rint(between)) <= 1e-6))
        if found > best:
            best, fitting = found, parts
    return fitting


def masses_in_boxes(lattice: Lattice, side: Cells) -> Array:
    """Return the masses of a density in the boxes, exactly: they are the Voronoi cells of their centres."""
    # in units of the boxes, which may be flat
    period = np.where(lattice.periodic, lattice.shape, np.inf)
    source = Source.from_arrays((side.simplices - lattice.lower) / lattice.spacing, side.masses, period)
    axes = [np.arange(n) + 0.5 for n in lattice.shape]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, lattice.dim)
    cells = measure_cells(source, Seeds.around(source, centres), np.zeros(lattice.size))
    return cells.mass.reshape(lattice.shape)


def densities_in_boxes(lattice: Lattice, side: Cells) -> tuple[Array, Array]:
    """Return bounds of the density in every box: no simplex that meets it is denser or less dense.

    Parts of a box outside of all simplices have the density 0.
    """
    places = np.ascontiguousarray((side.simplices - lattice.lower) / lattice.spacing)
    edges = places[:, 1:] - places[:, :1]
    volumes = simplex_volumes(places)
    solid = volumes > 0.0
    densities = side.masses[solid] / (volumes[solid] * np.prod(lattice.spacing))
    # the value of barycentric coordinate k is that of the affine function with this gradient
    gradients = np.empty((int(solid.sum()), lattice.dim + 1, lattice.dim))
    gradients[:, 1:] = np.swapaxes(np.linalg.inv(edges[solid]), 1, 2)
    gradients[:, 0] = -gradients[:, 1:].sum(axis=1)
    shape = np.array(lattice.shape, dtype=np.int64)
    least, largest = _extremes(places[solid], gradients, densities, shape, np.array(lattice.periodic))
    if volumes.sum() < lattice.size * (1.0 - TOUCHING):
        uniform = replace(side, masses=np.where(solid, volumes, 0.0))
        covered = masses_in_boxes(lattice, uniform).ravel()
        least[covered < 1.0 - 1e-9] = 0.0
    return least.reshape(lattice.shape), largest.reshape(lattice.shape)


@njit(cache=True)
def _extremes(places, gradients, densities, shape, periodic):
    """Visit the boxes that no face of a simplex separates from it; ``places`` are in units of the boxes."""
    count, corners, dim = places.shape
    size = 1
    for axis in range(dim):
        size *= shape[axis]
    least, largest = np.full(size, np.inf), np.zeros(size)
    low, high, box = np.empty(dim, np.int64), np.empty(dim, np.int64), np.empty(dim, np.int64)
    for n in range(count):
        for axis in range(dim):
            low[axis] = int(np.floor(places[n, :, axis].min() + TOUCHING))
            high[axis] = int(np.ceil(places[n, :, axis].max() - TOUCHING))
        box[:] = low
        while box[dim - 1] < high[dim - 1]:
            apart = False
            for corner in range(corners):
                # the barycentric coordinate is 1 at its corner and largest at one corner of the box
                value = 1.0
                for axis in range(dim):
                    slope = gradients[n, corner, axis]
                    value += slope * (box[axis] + 0.5 - places[n, corner, axis]) + 0.5 * abs(slope)
                if value <= TOUCHING:
                    apart = True
            if not apart:
                index = 0
                for axis in range(dim):
                    i = box[axis]
                    i = i % shape[axis] if periodic[axis] else min(max(i, 0), shape[axis] - 1)
                    index = index * shape[axis] + i
                least[index] = min(least[index], densities[n])
                largest[index] = max(largest[index], densities[n])
            for axis in range(dim):
                box[axis] += 1
                if box[axis] < high[axis] or axis == dim - 1:
                    break
                box[axis] = low[axis]
    return least, largest


def support(side: Atoms | Cells) -> Array:
    """Return the points whose convex hull holds the measure."""
    if isinstance(side, Atoms):
        return side.points
    return side.simplices[side.masses > 0.0].reshape(-1, side.simplices.shape[2])
