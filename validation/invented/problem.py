"""A flow whose map is known, as a problem that a user would state, and the pieces that problems share."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import meshio
import numpy as np
from numpy.typing import ArrayLike, NDArray

import wassflow as wf

Array = NDArray[np.float64]
# How a bump vanishes with the distance to its edge. A scheme of second order carries h^2 D^2 rho too much,
# which costs W2 the root of h^4 int |D^2 rho|^2 / rho: finite for powers above 3, at 3 a logarithm.
POWER = 4
# Points along an axis of the support for integrals over the start, which is C^3: errors are below h^4.
LATTICE = {2: 100, 3: 36}
# Cells along an axis of the support that the start is drawn from: constant on each, W2 is off by some h^2.
BOXES = {2: 400, 3: 72}
BRICK = {2: "quadrilateral", 3: "hexahedron"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """A flow whose map at ``t_end`` is known.

    Attributes:
        initial: density of mu_0, ``(n, d) -> (n,)``, up to a factor; it vanishes outside ``support``.
        flow: where points ``(n, d)`` of mu_0 are at ``t_end``.
        back: for smooth laws, where points at ``t_end`` came from, and the density there over that of mu_0.
        rotation: of the box ``domain`` to the true domain, if walls are oblique.
        axes: orthonormal columns, one across each set on which mass gathers, if they are not those of space.
    """

    name: str
    functional: wf.Functional
    domain: wf.Box
    support: tuple[Array, Array]
    initial: Callable[[Array], Array]
    t_end: float
    flow: Callable[[Array], Array]
    back: Callable[[Array], tuple[Array, Array]] | None = None
    rotation: Array | None = None
    axes: Array | None = None

    @property
    def dim(self) -> int:
        """The dimension d."""
        return self.domain.dim

    def lattice(self, count: int) -> tuple[Array, Array]:
        """Midpoints of the support with their masses."""
        axes = [a + (b - a) * (np.arange(count) + 0.5) / count for a, b in zip(*self.support, strict=True)]
        points = self.rotated(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, self.dim))
        masses = self.initial(points)
        return points[masses > 0.0], masses[masses > 0.0] / masses.sum()

    def rotated(self, points: Array) -> Array:
        """Where points of the box ``domain``, or of ``support``, are in the true domain."""
        return points if self.rotation is None else points @ self.rotation.T

    @cached_property
    def start(self) -> wf.ParticleCloud:
        """mu_0 as a fine lattice."""
        return wf.ParticleCloud(*self.lattice(LATTICE[self.dim]))

    @cached_property
    def start_density(self) -> wf.MeshDensity:
        """mu_0 on a fine mesh of its support alone, before a rotation."""
        mesh = wf.mesh.box(wf.Box(*self.support), cells=BOXES[self.dim], cell=BRICK[self.dim])
        return wf.MeshDensity.from_function(mesh, lambda u: self.initial(self.rotated(u)))

    @cached_property
    def law(self) -> wf.ParticleCloud:
        """The law at the end, as the images of that lattice."""
        return wf.ParticleCloud(self.flow(self.start.points), self.start.weights)

    def density(self, x: Array) -> Array:
        """The density at the end, up to the factor of ``initial``."""
        assert self.back is not None
        origin, stretch = self.back(x)
        return self.initial(origin) * stretch

    def boxes_across(self, n: int) -> int:
        """About how many of n boxes along each axis lie across the support where it is narrowest."""
        low, high = self.support
        return round(np.min(n * (high - low) / (self.domain.upper - self.domain.lower)))

    def mesh(self, n: int, cell: str) -> wf.mesh.Mesh:
        """A mesh with n boxes along each axis; rotated ones go through a file, as a user's would."""
        straight = wf.mesh.box(self.domain, cells=n, cell=cell)
        if self.rotation is None:
            return straight
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rotated.vtu"
            wf.mesh.write(path, straight)
            content = meshio.read(path)
            content.points[:, : self.dim] = self.rotated(content.points[:, : self.dim])
            meshio.write(path, content)
            return wf.mesh.read(path)


def bump(center: Array, radius: float) -> Callable[[Array], Array]:
    """(1 - |u - c|^2/r^2)^p in a ball, p = ``POWER``, with the covariance r^2/(d + 2 p + 2)."""
    return lambda u: np.maximum(1.0 - ((u - center) ** 2).sum(axis=1) / radius**2, 0.0) ** POWER


def around(center: ArrayLike, radius: float) -> dict[str, Any]:
    """Start and support of a bump."""
    c = np.asarray(center, dtype=float)
    return {"initial": bump(c, radius), "support": (c - radius, c + radius)}


def cube(dim: int, low: float, high: float) -> wf.Box:
    """The box [low, high]^d."""
    return wf.Box([low] * dim, [high] * dim)


def mean(dim: int) -> wf.CallableFeatures:
    """Phi(u) = u, which stands for no feature at all where R = 0."""
    return wf.CallableFeatures(lambda u: u, lambda u: np.tile(np.eye(dim), (len(u), 1, 1)), size=dim)


def pushed(V: wf.regularizer.Regularizer, dim: int) -> wf.Functional:
    """F(mu) = int V dmu."""
    return wf.Functional(mean(dim), wf.SquaredLoss(np.zeros(dim), scale=0.0), V)
