"""Brackets of large clouds from clusters: true, and as narrow as was asked for."""

import numpy as np
import pytest

import wassflow as wf
from wassflow.transport.engines import gathered


def drawn(dim: int, m: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((m, dim))


@pytest.mark.parametrize("dim", [2, 3])
def test_a_translated_cloud_is_as_far_as_it_was_moved(dim):
    points = drawn(dim, 20_000, 0)
    move = np.arange(1.0, dim + 1.0)
    w = wf.wasserstein2(wf.ParticleCloud(points), wf.ParticleCloud(points + move), rtol=0.05)
    assert "in place of 20000 and 20000 atoms" in w.method
    assert np.linalg.norm(move) in w
    assert w.relative_width <= 0.05


def test_a_grid_to_half_of_the_square():
    mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(12, 12), cell="triangle")
    half = wf.MeshDensity.from_function(mesh, lambda u: 2.0 * (u[:, 0] < 0.5))
    n = 120
    axis = (np.arange(n) + 0.5) / n
    grid = wf.ParticleCloud(np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2))
    # a product: x_i to an interval of length 1 / 2n around x_i / 2, y_i to one of length 1 / n around itself
    exact = np.sqrt(np.mean(axis**2) / 4 + (1 / (2 * n)) ** 2 / 12 + (1 / n) ** 2 / 12)
    for w in (wf.wasserstein2(grid, half, rtol=0.1), wf.wasserstein2(half, grid, rtol=0.1)):
        assert "in place of 14400 atoms" in w.method
        assert exact in w
        assert w.relative_width <= 0.1


def test_clusters_wrap_with_the_torus(monkeypatch):
    monkeypatch.setattr(gathered, "EXACT_ATOMS", 1_000)
    torus = wf.Box([0.0, 0.0], [1.0, 1.0], periodic=(True, True))
    one = 0.2 * drawn(2, 9_000, 3)
    other = 0.2 * drawn(2, 9_000, 4) + np.array([0.5, 0.9])
    clouds = [wf.ParticleCloud(torus.wrap(points)) for points in (one, other)]
    rough = wf.wasserstein2(*clouds, domain=torus, rtol=0.2)
    whole = wf.wasserstein2(*clouds, domain=torus, rtol=0.2, potential=True)
    assert "in place of" in rough.method
    assert "in place of" not in whole.method
    assert max(rough.lower, whole.lower) <= min(rough.upper, whole.upper)
    assert rough.relative_width <= 0.2


def test_near_clouds_are_not_gathered(monkeypatch):
    monkeypatch.setattr(gathered, "EXACT_ATOMS", 1_000)
    one, other = (wf.ParticleCloud(drawn(2, 9_000, seed)) for seed in (5, 6))
    assert "in place of" not in wf.wasserstein2(one, other, rtol=0.2).method
