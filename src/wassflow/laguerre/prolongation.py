"""A potential for many sites from that of fewer, heavier ones: the multilevel start.

Sites are gathered in clusters of nearby ones, whose barycentres carry their weights. Around a coarse site
psi(y) is nearly the quadratic with the gradient 2 (y - b), b the barycentre of its cell, and the Hessian that
fits the gradients at its neighbours; the fine potential is a blend of the quadratics of the nearest coarse
sites. It is off where the map from sites to source jumps, and the cells left empty there are lifted
(:mod:`wassflow.laguerre.lifting`).

Source: the multiscale idea is that of Merigot, Computer Graphics Forum 30 (2011) 1583, who keeps psi constant
on each cluster; that leaves most cells empty where the map moves mass far.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from wassflow.laguerre.cells import Cells, Seeds
from wassflow.laguerre.coarsening import barycentres, clusters
from wassflow.laguerre.geometry import Array
from wassflow.laguerre.source import Source

# Sites per cluster: first many, then, where the map from sites to source is too rough for that, few. Sites up
# to which there is no coarser level, and of which it has no fewer if it can.
RATIOS = (8, 2)
COARSEST = 512
# Quadratics that are blended, and neighbours per unknown direction that a Hessian is fitted to.
BLENDED = 6
FITTED = 3
# The map from sites to source never shrinks lengths by more than this (cells would be empty).
FLATTEST = 1e-2


def coarser(source: Source, seeds: Seeds, weights: Array, ratio: int) -> tuple[Seeds, Array]:
    """Return the barycentres of clusters of ``ratio`` to twice as many sites, and their weights."""
    count = max(seeds.size // ratio, min(COARSEST, seeds.size // 2))
    label = clusters(seeds.positions, weights, count)
    centres, sums = barycentres(seeds.positions, weights, label)
    return Seeds.around(source, centres), sums


def prolong(coarse: Seeds, psi: Array, cells: Cells, fine: Seeds) -> Array:
    """Return a potential (m,) on the fine sites from ``psi`` and its ``cells`` on the coarse ones."""
    stretch = _stretches(coarse, cells)
    distance, near = _neighbours(coarse, fine.positions, BLENDED + 1)
    # weights of compact support: the blend is smooth where the set of neighbours changes
    relative = distance[:, :-1] / distance[:, -1:]
    share = np.square((1.0 - relative) / np.maximum(relative, 1e-9))
    share[share.sum(axis=1) == 0.0] = 1.0
    share /= share.sum(axis=1, keepdims=True)
    result = np.zeros(fine.size)
    for k in range(BLENDED):
        centre = near[:, k]
        step = coarse.shortest(fine.positions - coarse.positions[centre])
        slope = -2.0 * np.einsum("nd,nd->n", cells.displacement[centre], step)
        bend = -np.einsum("ni,nij,nj->n", step, stretch[centre], step)
        result += share[:, k] * (psi[centre] + slope + bend)
    return result


def _neighbours(seeds: Seeds, points: Array, count: int) -> tuple[Array, NDArray[np.int64]]:
    """Return the distances and numbers (n, count) of the sites nearest to points, across the period too."""
    periodic = np.isfinite(seeds.period)
    box = np.where(periodic, seeds.period, 0.0)
    low = np.where(periodic, seeds.positions.min(axis=0), 0.0)

    def wrapped(x: Array) -> Array:
        inside = x - low
        inside[:, periodic] = np.mod(inside[:, periodic], box[periodic])
        inside[:, periodic] = np.where(inside[:, periodic] >= box[periodic], 0.0, inside[:, periodic])
        return inside

    tree = cKDTree(wrapped(seeds.positions), boxsize=box if periodic.any() else None)
    distance, near = tree.query(wrapped(points), k=count)
    return np.asarray(distance), np.asarray(near, dtype=np.int64)


def _stretches(coarse: Seeds, cells: Cells) -> Array:
    """Return A - I (c, d, d), A the symmetric matrix that best maps steps between sites to those of
    barycentres.
    """
    d = coarse.positions.shape[1]
    distance, near = _neighbours(coarse, coarse.positions, FITTED * (d + 1) + 1)
    near = near[:, 1:]
    step = coarse.shortest((coarse.positions[near] - coarse.positions[:, None]).reshape(-1, d))
    step = step.reshape(*near.shape, d)
    change = cells.displacement[near] - cells.displacement[:, None]
    square = distance[:, 1:] ** 2
    trust = 1.0 / (0.1 + square / square.mean(axis=1, keepdims=True))
    moments = np.einsum("nk,nki,nkj->nij", trust, step, step)
    mixed = np.einsum("nk,nki,nkj->nij", trust, change, step)
    # least squares over symmetric B: B S + S B = C + C^T, solved in the basis of S
    values, basis = np.linalg.eigh(moments)
    mixed = np.einsum("nki,nkl,nlj->nij", basis, mixed + np.swapaxes(mixed, 1, 2), basis)
    scale = values[:, :, None] + values[:, None, :]
    fitted = mixed / (scale + 1e-12 * values[:, -1, None, None])
    fitted = np.einsum("nik,nkl,njl->nij", basis, fitted, basis)
    values, basis = np.linalg.eigh(fitted)
    return np.asarray(np.einsum("nik,nk,njk->nij", basis, np.maximum(values, FLATTEST - 1.0), basis))
