"""Seeds with their periodic images, and the integrals over their Laguerre cells for a potential."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from wassflow.laguerre import cells2d, cells3d
from wassflow.laguerre.geometry import Array
from wassflow.laguerre.source import Source
from wassflow.laguerre.threads import in_threads

# The source is cut into so many parts, which share the cores, when it has at least this many simplices and
# sites together: threads cost more than a smaller problem (a millisecond).
PARTS = 8
SERIAL = 5_000


@dataclass(frozen=True)
class Seeds:
    """Sites (m, d) and all the images that can be nearest to a point of the source."""

    positions: Array
    images: Array
    owner: NDArray[np.int32]
    period: Array

    @classmethod
    def around(cls, source: Source, positions: Array) -> Seeds:
        """Collect the images of ``positions`` under ``source.period`` that can meet the source.

        On a torus the image of y nearest to x differs from x by at most half a period on each axis, so an
        image counts only if its box of half a period meets the bounding box of the source.
        """
        m, d = positions.shape
        images, owner = positions, np.arange(m, dtype=np.int32)
        period = source.period
        if np.any(np.isfinite(period)):
            low, high = source.bounds
            slack = 1e-9 * float(np.max(high - low))
            positions = positions.copy()
            shifts = []
            for axis in range(d):
                if np.isfinite(period[axis]):
                    positions[:, axis] = low[axis] + np.mod(positions[:, axis] - low[axis], period[axis])
                    reach = int(np.ceil((high[axis] - low[axis]) / period[axis])) + 1
                    shifts.append(range(-reach, reach + 1))
                else:
                    shifts.append(range(1))
            half = np.where(np.isfinite(period), 0.5 * period, np.inf) + slack
            step = np.where(np.isfinite(period), period, 0.0)
            chosen, owners = [], []
            for shift in itertools.product(*shifts):
                moved = positions + np.array(shift) * step
                meets = np.all((moved + half >= low) & (moved - half <= high), axis=1)
                chosen.append(moved[meets])
                owners.append(np.flatnonzero(meets))
            images = np.ascontiguousarray(np.concatenate(chosen))
            owner = np.concatenate(owners).astype(np.int32)
        return cls(positions, images, owner, period)

    @property
    def size(self) -> int:
        """Number m of sites."""
        return int(self.positions.shape[0])

    def difference(self, i: NDArray[np.integer], j: NDArray[np.integer]) -> Array:
        """Return y_j - y_i (n, d), the shortest image on periodic axes."""
        return self.shortest(self.positions[j] - self.positions[i])

    def shortest(self, steps: Array) -> Array:
        """Return steps (n, d) by the shortest image on periodic axes."""
        steps = steps.copy()
        for axis in np.flatnonzero(np.isfinite(self.period)):
            steps[:, axis] -= self.period[axis] * np.rint(steps[:, axis] / self.period[axis])
        return steps


@dataclass(frozen=True)
class Pieces:
    """Cells cut by the triangles: ``vertices[offsets[k]:offsets[k + 1]]`` is the k-th convex polygon."""

    vertices: Array
    offsets: NDArray[np.int64]
    site: NDArray[np.int32]
    simplex: NDArray[np.int32]


@dataclass(frozen=True)
class Cells:
    """Integrals over the Laguerre cells: see :func:`measure_cells`."""

    mass: Array
    first: Array
    second: Array
    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    weights: Array
    defect: float
    excess: float
    certified: bool
    pieces: Pieces | None

    @cached_property
    def graph(self) -> sp.csr_matrix:
        """Symmetric matrix (m, m) of d mass_i / d psi_j, j != i, with the sign turned: nonnegative."""
        m = self.mass.size
        half = sp.coo_matrix((self.weights, (self.rows, self.columns)), shape=(m, m)).tocsr()
        return sp.csr_matrix(half + half.T)

    @cached_property
    def displacement(self) -> Array:
        """Mean of x - y over each cell (m, d); zero for an empty cell."""
        positive = self.mass > 0.0
        return self.first / np.where(positive, self.mass, 1.0)[:, None] * positive[:, None]


def measure_cells(
    source: Source, seeds: Seeds, psi: Array, certify: bool = False, collect: bool = False
) -> Cells:
    """Return masses, first moments int (x - y), second moments int |x - y|^2 and facets of the Laguerre
    cells.

    Cell i holds the points where |x - y_i|^2 - psi_i is least. ``certify`` adds the excess of the claimed
    least power distance over the true one at the vertices of the pieces (an integral), in a fifth more time;
    ``collect`` keeps the
    polygons.
    """
    simplices, density, boxes = source.kernel_arrays
    powers = np.ascontiguousarray(psi[seeds.owner])
    low = np.minimum(seeds.images.min(axis=0), source.bounds[0])
    high = np.maximum(seeds.images.max(axis=0), source.bounds[1])
    scale = float(np.sum((high - low) ** 2)) + float(np.max(np.abs(powers)))
    tolerance = 1e-14 * scale
    collect = collect and source.dim == 2

    def integrate(root: int) -> tuple[Any, ...]:
        arguments = (
            simplices,
            density,
            boxes,
            root,
            seeds.images,
            powers,
            seeds.owner,
            seeds.size,
            tolerance,
        )
        if source.dim == 3:
            return cells3d.integrate(*arguments, certify)
        return cells2d.integrate(*arguments, certify, collect)

    parts = in_threads(integrate, _subtrees(boxes, seeds.size))
    mass, first, second = (np.sum([part[k] for part in parts], axis=0) for k in range(3))
    rows, columns, weights = (np.concatenate([part[k] for part in parts]) for k in range(3, 6))
    defect, excess = (float(sum(part[k] for part in parts)) for k in (6, 7))
    pieces = _joined([part[8:] for part in parts], source.active) if collect else None
    return Cells(mass, first, second, rows, columns, weights, defect, excess, certify, pieces)


def _subtrees(boxes: Array, sites: int) -> list[int]:
    """Return the nodes whose subtrees are integrated one by one; the same ones whatever the machine.

    Sums are rounded as they are split, so that the number of threads must not decide.
    """
    leaves = len(boxes) // 2
    if leaves + sites < SERIAL or leaves < PARTS:
        return [1]
    return [node for node in range(PARTS, 2 * PARTS) if boxes[node, -1] >= 0.0]


def _joined(parts: list[tuple[Any, ...]], active: NDArray[np.int64]) -> Pieces:
    vertices, offsets, site, simplex = zip(*parts, strict=True)
    before = np.cumsum([0] + [len(block) for block in vertices])
    shifted = [block[1:] + start for block, start in zip(offsets, before[:-1], strict=True)]
    return Pieces(
        np.concatenate(vertices),
        np.concatenate([[0], *shifted]),
        np.concatenate(site),
        active[np.concatenate(simplex)].astype(np.int32),
    )
