"""Clusters of nearby atoms of about equal mass, for multilevel starts and for bounds of large problems."""

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array


def clusters(points: Array, masses: Array, count: int) -> NDArray[np.int64]:
    """Return the cluster of each atom: 0, 1, .. for at most ``count`` clusters.

    Boxes are halved by mass across their longest side: a k-d tree, level by level on all boxes at once.

    >>> clusters(np.array([[0.0], [1.0], [9.0], [8.0]]), np.full(4, 0.25), 2).tolist()
    [0, 0, 1, 1]
    """
    label = np.zeros(len(points), dtype=np.int64)
    boxes = 1
    while 2 * boxes <= count:
        low = np.full((boxes, points.shape[1]), np.inf)
        high = np.full((boxes, points.shape[1]), -np.inf)
        np.minimum.at(low, label, points)
        np.maximum.at(high, label, points)
        axis = np.argmax(high - low, axis=1)
        order = np.lexsort((points[np.arange(len(points)), axis[label]], label))
        sums = np.bincount(label, weights=masses, minlength=boxes)
        ends = np.cumsum(masses[order])
        starts = np.concatenate([[0.0], np.cumsum(sums)[:-1]])
        # the half is chosen by where the middle of the atom's mass falls
        place = ends - 0.5 * masses[order] - starts[label[order]]
        upper = place > 0.5 * sums[label[order]]
        half = np.empty_like(label)
        half[order] = upper
        # one atom may outweigh its box, and light ones drown in the sums: halve such boxes by place
        whole = np.bincount(label, half, minlength=boxes) % np.bincount(label, minlength=boxes) == 0
        middle = 0.5 * low + 0.5 * high
        alone = whole[label]
        half[alone] = (points > middle[label])[np.arange(len(points)), axis[label]][alone]
        _, label = np.unique(2 * label + half, return_inverse=True)
        found = int(label.max()) + 1
        if found in (boxes, len(points)) or found < boxes + boxes // 16:
            break
        boxes = found
    return label


def barycentres(points: Array, masses: Array, label: NDArray[np.int64]) -> tuple[Array, Array]:
    """Return the barycentre ``(c, d)`` and mass ``(c,)`` of every cluster."""
    sums = np.bincount(label, weights=masses)
    count = len(sums)
    centres = np.column_stack(
        [
            np.bincount(label, weights=masses * points[:, axis], minlength=count)
            for axis in range(points.shape[1])
        ]
    )
    return centres / sums[:, None], sums


def spread(points: Array, masses: Array, label: NDArray[np.int64], centres: Array) -> float:
    """Return sum_i m_i |x_i - c(x_i)|^2, the cost of moving every atom to the barycentre of its cluster."""
    offsets = points - centres[label]
    return float(masses @ np.einsum("nd,nd->n", offsets, offsets))
