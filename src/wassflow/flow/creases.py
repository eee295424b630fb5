"""Particles that slide along creases of Phi, where its gradient jumps: ReLU neurons at finitely many inputs.

On a crease -F' has a gradient on either side. Where both point at the crease, the least-norm element of the
segment between them is their common tangential part, and a particle follows it (Filippov, Differential
Equations with Discontinuous Righthand Sides, 1988, section 4). Steps that know nothing of this jump to and
fro across the crease, and near rest raise F however short they are. Where only one side drives particles to
the crease and nothing moves them beyond it, such steps leave each of them somewhere beyond.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.functional.features import BLOCK_FLOATS, Features
from wassflow.functional.functional import FirstVariation

# The gradients on the two sides are taken so far from a crease, relative to |u|.
_ASIDE = 1e-8
# A side that drives particles by less than this share of the other one does not drive them: where a neuron is
# alone, nothing moves them beyond its crease.
_STILL = 1e-6
# Newton steps to a crease: it is flat or nearly so, and the particle beside it.
_NEWTON = 4
_FREE = -1


class HeldParticles:
    """The particles that are held on a crease of the features, each on one.

    Where several creases meet, which takes inputs of more than two columns, a particle is held on one of
    them only.

    Args:
        features: Phi.
        size: number of particles.

    >>> from wassflow.functional import NeuronFeatures
    >>> held = HeldParticles(NeuronFeatures([[1.0, 0.0]], "relu", output_weight=False), 2)
    >>> held.hold(np.array([1]), np.array([0]))
    >>> held.project(np.array([[0.1, 0.2], [0.1, 0.2]]))
    array([[0.1, 0.2],
           [0. , 0.2]])
    """

    def __init__(self, features: Features, size: int) -> None:
        self.features = features
        self._crease = np.full(size, _FREE, dtype=np.intp)

    @property
    def count(self) -> int:
        """How many particles are held."""
        return int(np.count_nonzero(self._crease != _FREE))

    def hold(self, particles: NDArray[np.intp], creases: NDArray[np.intp]) -> None:
        """Hold particles on creases, by their numbers."""
        self._crease[particles] = creases

    def project(self, points: Array) -> Array:
        """Return ``points (n, d)`` with those that are held moved to their creases."""
        return self._placed(points, np.flatnonzero(self._crease != _FREE), self._crease)

    def slide(self, points: Array, velocity: Array) -> Array:
        """Return ``velocity (n, d)`` without its part across the crease for those that are held."""
        rows = np.flatnonzero(self._crease != _FREE)
        if not rows.size:
            return velocity
        normal = self._normals(points[rows], self._crease[rows])
        along = velocity.copy()
        along[rows] -= np.einsum("ij,ij->i", along[rows], normal)[:, None] * normal
        return along

    def catch(
        self,
        start: Array,
        targets: Sequence[Array],
        variation: FirstVariation,
        among: NDArray[np.bool_] | None = None,
    ) -> int:
        """Hold the particles that cross an attracting crease on the way from ``start`` to one of the targets.

        Args:
            start: where they are, ``(n, d)``.
            targets: where steps would take them, each ``(n, d)``.
            variation: F', which tells what attracts.
            among: which particles to look at, ``(n,)``; all by default.

        Returns:
            How many more particles are held than before.
        """
        before = self.count
        for target in targets:
            moving = (self._crease == _FREE) & np.any(start != target, axis=1)
            moved = np.flatnonzero(moving if among is None else moving & among)
            rows_at_once = max(1, BLOCK_FLOATS // max(1, self.features.size))
            for first in range(0, moved.size, rows_at_once):
                self._catch(moved[first : first + rows_at_once], start, target, variation)
        return self.count - before

    def release(self, points: Array, variation: FirstVariation) -> int:
        """Let go the particles whose creases attract no longer, and return how many."""
        rows = np.flatnonzero(self._crease != _FREE)
        if not rows.size:
            return 0
        free = rows[~self._attracted(points[rows], self._crease[rows], variation)]
        self._crease[free] = _FREE
        return free.size

    def _catch(self, rows: NDArray[np.intp], start: Array, target: Array, variation: FirstVariation) -> None:
        before, after = self.features.creases(start[rows]), self.features.creases(target[rows])
        if not before.shape[1]:
            return
        crossed = np.sign(before) != np.sign(after)
        share = np.divide(before, before - after, out=np.full(before.shape, np.inf), where=crossed)
        crease = share.argmin(axis=1)
        first = share[np.arange(rows.size), crease]
        some = np.flatnonzero(np.isfinite(first))
        rows, crease, first = rows[some], crease[some], first[some]
        landing = start[rows] + first[:, None] * (target[rows] - start[rows])
        landing = self._placed(landing, np.arange(rows.size), crease)
        attracted = self._attracted(landing, crease, variation)
        self.hold(rows[attracted], crease[attracted])

    def _placed(self, points: Array, rows: NDArray[np.intp], crease: NDArray[np.intp]) -> Array:
        """Return the points with those of ``rows`` on the creases ``crease[rows]``, by Newton's method."""
        if not rows.size:
            return points
        points = points.copy()
        for _ in range(_NEWTON):
            value = self.features.creases(points[rows])[np.arange(rows.size), crease[rows]]
            gradient = self.features.crease_gradient(points[rows], crease[rows])
            square = np.einsum("ij,ij->i", gradient, gradient)
            step = np.divide(value, square, out=np.zeros_like(value), where=square > 0.0)
            points[rows] -= step[:, None] * gradient
        return points

    def _normals(self, points: Array, crease: NDArray[np.intp]) -> Array:
        """Return unit normals of creases at points of theirs, ``(k, d)``; zero where a crease has none."""
        gradient = self.features.crease_gradient(points, crease)
        norm = np.linalg.norm(gradient, axis=1, keepdims=True)
        return np.divide(gradient, norm, out=np.zeros_like(gradient), where=norm > 0.0)

    def _attracted(
        self, points: Array, crease: NDArray[np.intp], variation: FirstVariation
    ) -> NDArray[np.bool_]:
        """Tell for points on creases whether -F' points at the crease from both sides, or from one where the
        other is still."""
        normal = self._normals(points, crease)
        aside = _ASIDE * np.linalg.norm(points, axis=1, keepdims=True) * normal
        behind, ahead = (
            np.einsum("ij,ij->i", variation.explicit_velocity(side), normal)
            for side in (points - aside, points + aside)
        )
        still = _STILL * np.maximum(np.abs(behind), np.abs(ahead))
        attracted: NDArray[np.bool_] = (behind > -still) & (ahead < still)
        return attracted
