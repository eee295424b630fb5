"""The Laguerre diagram of a potential as a public object, for pictures and for use outside of transport."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wassflow.arguments import as_points, as_vector, as_weights
from wassflow.laguerre.arguments import as_period, as_simplices
from wassflow.laguerre.cells import Pieces, Seeds, measure_cells
from wassflow.laguerre.geometry import Array
from wassflow.laguerre.source import Source


class LaguerreDiagram:
    """Laguerre (power) cells {x : |x - y_i|^2 - psi_i least} intersected with a piecewise constant density.

    Attributes:
        masses: (m,) mass of each cell.
        barycentres: (m, d) barycentre of each cell in the image next to its site; the site itself if it is
        empty. costs: (m,) int |x - y_i|^2 over each cell.
        facets: (rows, columns, weights) with int density / (2 |y_i - y_j|) over the facets, i < j, unsummed.
        tiling_defect: mass by which the pieces fail to tile the simplices (rounding).

    Args:
        simplices: (ns, d + 1, d), d = 2 or 3.
        masses: (ns,) mass of each simplex.
        sites: (m, d).
        potential: (m,); zeros give the Voronoi diagram.
        period: (d,) or None, ``inf`` on axes that do not wrap.

    Raises:
        ValueError: naming the argument that is wrong.

    Source: Aurenhammer, Hoffmann and Aronov, Algorithmica 20 (1998), on power diagrams and transport.

    >>> import numpy as np
    >>> square = np.array([[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1.0]]])
    >>> diagram = LaguerreDiagram(square, [0.5, 0.5], [[0.25, 0.5], [0.75, 0.5]], [0.0, 0.1])
    >>> diagram.masses.round(6).tolist()
    [0.4, 0.6]
    >>> len(diagram.polygons())
    4
    """

    def __init__(
        self,
        simplices: ArrayLike,
        masses: ArrayLike,
        sites: ArrayLike,
        potential: ArrayLike,
        period: ArrayLike | None = None,
    ):
        x = as_simplices("simplices", simplices)
        d = x.shape[2]
        density = as_weights("masses", masses, len(x))
        y = as_points("sites", sites, d)
        psi = as_vector("potential", potential, len(y))
        if not np.any(density):
            raise ValueError("masses must have a positive sum, found only zeros")
        # relative to the centre of the support: power distances far from the origin would lose digits
        centre = x[density > 0.0].mean(axis=(0, 1))
        source = Source.from_arrays(x - centre, density, as_period("period", period, d))
        if np.any(source.volumes[source.active] <= 0.0):
            raise ValueError("simplices with mass must have a positive volume, found flat ones")
        seeds = Seeds.around(source, y - centre)
        cells = measure_cells(source, seeds, psi, collect=d == 2)
        self.dim = d
        self.sites = y
        self.potential = psi
        self.masses = cells.mass
        self.barycentres = y + cells.displacement
        self.costs = cells.second
        self.facets = (cells.rows, cells.columns, cells.weights)
        self.tiling_defect = cells.defect
        self._pieces = cells.pieces
        self._centre = centre
        self._original = source.order

    @property
    def piece_sites(self) -> NDArray[np.int32]:
        """Site of each polygon of :meth:`polygons` (2D)."""
        return self._in_plane().site

    @property
    def piece_simplices(self) -> NDArray[np.int64]:
        """Simplex that each polygon of :meth:`polygons` lies in (2D)."""
        return self._original[self._in_plane().simplex]

    def polygons(self) -> list[Array]:
        """Return the convex polygons (k, 2), one per (cell, triangle) that meet; 2D only.

        Raises:
            ValueError: in 3D.
        """
        pieces = self._in_plane()
        return np.split(pieces.vertices + self._centre, pieces.offsets[1:-1])

    def _in_plane(self) -> Pieces:
        if self._pieces is None:
            raise ValueError(f"polygons exist for dimension 2, found dimension {self.dim}")
        return self._pieces
