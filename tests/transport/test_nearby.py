"""W2 between nearby densities against closed forms in one coordinate, on every kind of cell."""

import numpy as np
import pytest

import wassflow as wf
from wassflow.transport.nearby import gelbrich_bound, nearby_densities

CELLS = ["triangle", "quadrilateral", "tetrahedron", "hexahedron"]


def box_mesh(cell, n, periodic=False):
    dim = 2 if cell in ("triangle", "quadrilateral") else 3
    domain = wf.Box([0.0] * dim, [1.0] * dim, periodic=(periodic,) * dim)
    return wf.mesh.box(domain, cells=n, cell=cell)


def tilted(mesh, slope):
    return wf.MeshDensity.from_function(mesh, lambda u: 1.0 + slope * (u[:, 0] - 0.5))


def tilted_w2(a, b):
    """Quantiles of densities 1 + a (x - 1/2) on [0, 1]: a/2 x^2 + (1 - a/2) x = p."""
    p = (np.arange(100_000) + 0.5) / 100_000

    def quantile(s):
        c = 1.0 - 0.5 * s
        return 2.0 * p / (c + np.sqrt(c * c + 2.0 * s * p))

    return np.sqrt(np.mean((quantile(a) - quantile(b)) ** 2))


@pytest.mark.parametrize("cell", CELLS)
def test_densities_of_one_coordinate(cell):
    n = 12 if cell == "tetrahedron" else 24
    mesh = box_mesh(cell, n)
    bracket = nearby_densities(tilted(mesh, 0.8), tilted(mesh, 0.7))
    exact = tilted_w2(0.8, 0.7)
    assert bracket is not None
    # the densities on the mesh are a second-order projection of the linear ones: as far apart up to n^-2
    assert bracket.lower <= exact * (1.0 + n**-2)
    assert bracket.upper >= exact * (1.0 - n**-2)
    assert bracket.value == pytest.approx(exact, rel=0.01)
    assert bracket.relative_width < 0.1


def test_faint_islands_are_no_obstacle():
    """Tails of a density, cut off where they hold 1e-13 of the mass, may leave islands that hold as much."""
    mesh = box_mesh("quadrilateral", 12)
    mu = wf.MeshDensity.from_function(mesh, lambda u: 1.0 * (u[:, 0] < 0.5))
    masses = wf.MeshDensity.from_function(
        mesh, lambda u: (1.0 + 0.1 * u[:, 1]) * (u[:, 0] < 0.5)
    ).masses.copy()
    alone = nearby_densities(mu, wf.MeshDensity(mesh, masses))
    masses[mesh.centroids[: mesh.num_owned].sum(axis=1).argmax()] = 3e-13
    bracket = nearby_densities(mu, wf.MeshDensity(mesh, masses / masses.sum()))
    assert bracket is not None
    assert bracket.value == pytest.approx(alone.value, rel=1e-6)
    # which might have to come from anywhere
    assert alone.upper < bracket.upper < alone.upper + 2e-6


@pytest.mark.parametrize("cell", ["triangle", "quadrilateral"])
def test_agrees_with_the_engine_where_both_resolve(cell):
    mesh = box_mesh(cell, 12)
    mu = wf.MeshDensity.from_function(
        mesh, lambda u: 1.0 + 0.9 * np.cos(np.pi * u[:, 0]) * np.cos(np.pi * u[:, 1])
    )
    nu = wf.MeshDensity.from_function(
        mesh, lambda u: 1.0 - 0.9 * np.cos(np.pi * u[:, 0]) * np.cos(np.pi * u[:, 1])
    )
    near, engine = nearby_densities(mu, nu), wf.wasserstein2(mu, nu)
    assert near.lower <= engine.upper
    assert near.upper >= engine.lower


def test_periodic_axes_count_neither_means_nor_walls():
    mesh = box_mesh("quadrilateral", 32, periodic=True)

    def wave(phase):
        return wf.MeshDensity.from_function(
            mesh, lambda u: 1.0 + 0.5 * np.sin(2.0 * np.pi * (u[:, 0] - phase))
        )

    assert gelbrich_bound(wave(0.0), wave(0.05)) == 0.0
    bracket = nearby_densities(wave(0.0), wave(0.05))
    # a translation by 0.05 is a plan, so an upper bound of W2, but on a torus not the best one
    engine = wf.wasserstein2(wave(0.0), wave(0.05))
    assert engine.lower <= bracket.upper <= 1.05 * engine.upper
    assert engine.upper < 0.05


def test_the_same_density_is_at_distance_zero():
    mesh = box_mesh("triangle", 6)
    bracket = nearby_densities(tilted(mesh, 0.3), tilted(mesh, 0.3))
    assert bracket.lower == 0.0
    # a mass of 1e-16 may have been moved across the domain
    assert bracket.upper < 1e-7


def test_fronts_that_move_into_empty_cells_have_an_upper_bound():
    """Uniform on [0, 1/2] and on [0, 9/16]: W2 by quantiles p/2 and 9p/16 is 1/16 / sqrt 3."""
    mesh = box_mesh("quadrilateral", 16)
    mu, nu = (
        wf.MeshDensity.from_function(mesh, lambda u, end=end: np.where(u[:, 0] < end, 1.0 / end, 0.0))
        for end in (0.5, 0.5625)
    )
    bracket = nearby_densities(mu, nu)
    assert bracket.lower <= 0.0625 / np.sqrt(3.0) <= bracket.upper
    assert bracket.upper < 2.5 * bracket.lower


def test_a_void_has_no_upper_bound():
    mesh = box_mesh("quadrilateral", 8)

    def halves(left):
        return wf.MeshDensity.from_function(
            mesh,
            lambda u: np.where(u[:, 0] < 0.25, 4.0 * left, np.where(u[:, 0] > 0.75, 4.0 * (1.0 - left), 0.0)),
        )

    assert nearby_densities(halves(0.5), halves(0.4)) is None
    assert nearby_densities(tilted(mesh, 0.0), tilted(box_mesh("quadrilateral", 8), 0.1)) is None


def test_gelbrich_is_sharp_for_dilations():
    """A dilation about the mean by 1.2 of a box of side 1/2: W2^2 = 0.2^2 times the variance, 2/48."""
    mesh = wf.mesh.box(wf.Box([-1.0, -1.0], [1.0, 1.0]), cells=80, cell="quadrilateral")
    mu, nu = (
        wf.MeshDensity.from_function(mesh, lambda u, s=s: np.all(np.abs(u) < s, axis=1) / (4.0 * s * s))
        for s in (0.25, 0.3)
    )
    assert gelbrich_bound(mu, nu) == pytest.approx(0.2 * np.sqrt(2.0 / 48.0), rel=1e-9)


@pytest.mark.parametrize("mass", [1e-300, 1e300])
def test_bounds_grow_with_the_root_of_the_mass(mass):
    mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(3, 2), cell="triangle")
    masses = np.random.default_rng(0).random((2, mesh.num_owned))
    one, other = (
        nearby_densities(*(wf.MeshDensity(mesh, a / a.sum() * m) for a in masses)) for m in (1.0, mass)
    )
    # both are widened by what the solver leaves over, which is not the same twice
    assert one.rounding < 1e-6
    assert other.lower / np.sqrt(mass) == pytest.approx(one.lower, abs=2.0 * one.rounding)
    assert other.upper / np.sqrt(mass) == pytest.approx(one.upper, abs=2.0 * one.rounding)
