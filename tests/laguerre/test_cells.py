import numpy as np
import pytest
from laguerre.meshes import cube, grid, mesh, refine, square, squared_distances

from wassflow.laguerre import LaguerreDiagram, cells


def random_case(dim, m, seed, n=3):
    rng = np.random.default_rng(seed)
    simplices = mesh(dim, n)
    masses = rng.random(len(simplices)) * (rng.random(len(simplices)) < 0.7)
    sites = 1.4 * rng.random((m, dim)) - 0.2
    return simplices, masses / masses.sum(), sites, 0.3 * rng.random(m) / m


@pytest.mark.parametrize("period", [None, np.array([1.0, 1.0]), np.array([np.inf, 1.0])])
@pytest.mark.parametrize("m", [1, 7, 300])
def test_polygons_tile_the_triangles_and_belong_to_the_nearest_site(m, period):
    simplices, masses, sites, psi = random_case(2, m, seed=m)
    diagram = LaguerreDiagram(simplices, masses, sites, psi, period)
    area = np.zeros(len(simplices))
    for polygon, site, simplex in zip(
        diagram.polygons(), diagram.piece_sites, diagram.piece_simplices, strict=True
    ):
        power = squared_distances(polygon, sites, period) - psi
        # vertices suffice: the excess over the least power distance is convex on a polygon
        assert np.all(power[:, site] <= power.min(axis=1) + 1e-12)
        x, y = (polygon - polygon[0]).T
        area[simplex] += 0.5 * abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))
    expected = np.where(masses > 0.0, 0.5 / 9.0, 0.0)
    np.testing.assert_allclose(area, expected, atol=1e-14)
    assert diagram.tiling_defect < 1e-14


@pytest.mark.parametrize("dim", [2, 3])
def test_many_cells_that_meet_all_along_a_plane(dim):
    """Sites on a line whose bisectors are all the same: bisecting the pieces along it would never end."""
    simplices = mesh(dim, 2)
    masses = np.full(len(simplices), 1 / len(simplices))
    sites = np.full((100, dim), 0.5)
    sites[:, -1] = np.random.default_rng(2).random(100)
    touched = np.full(dim, 0.3)
    psi = np.sum((touched - sites) ** 2, axis=1)
    diagram = LaguerreDiagram(simplices, masses, sites, psi)
    expected = np.zeros(100)
    expected[sites[:, -1].argmin()], expected[sites[:, -1].argmax()] = 0.3, 0.7
    np.testing.assert_allclose(diagram.masses, expected, atol=1e-13)
    assert diagram.tiling_defect < 1e-14


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("m", [4, 60])
def test_masses_are_the_gradient_of_the_dual(dim, m):
    simplices, masses, sites, psi = random_case(dim, m, seed=3 * m)
    rng = np.random.default_rng(0)
    direction = rng.normal(size=m)

    def dual(t):
        diagram = LaguerreDiagram(simplices, masses, sites, psi + t * direction)
        return np.sum(diagram.costs) - (psi + t * direction) @ diagram.masses, diagram

    h = 1e-5
    (above, right), (below, left) = dual(h), dual(-h)
    middle = dual(0.0)[1]
    # central differences: error h^2 times third derivatives, at most 1e-6 here
    assert (above - below) / (2 * h) == pytest.approx(-middle.masses @ direction, rel=1e-5, abs=1e-7)
    rows, columns, weights = middle.facets
    change = np.zeros(m)
    np.add.at(change, rows, weights * (direction[rows] - direction[columns]))
    np.add.at(change, columns, weights * (direction[columns] - direction[rows]))
    np.testing.assert_allclose(
        (right.masses - left.masses) / (2 * h), change, atol=2e-3 * np.abs(change).max()
    )


def test_3d_cells_agree_with_a_fine_classification():
    simplices, masses, sites, psi = random_case(3, 12, seed=5, n=2)
    diagram = LaguerreDiagram(simplices, masses, sites, psi)
    fine, fine_masses = refine(simplices, masses, 12)
    centroid = fine.mean(axis=1)
    power = squared_distances(centroid, sites) - psi
    sampled = np.bincount(power.argmin(axis=1), fine_masses, minlength=12)
    # 1e5 small tetrahedra: a surface layer of a few percent is misplaced, most of it cancels
    np.testing.assert_allclose(diagram.masses, sampled, atol=2e-3)
    np.testing.assert_allclose(diagram.masses.sum(), 1.0, rtol=1e-13)
    # least power distance minus |x|^2 is concave: the centroid bounds its mean above, the vertices below
    spread = np.sum((fine - centroid[:, None]) ** 2, axis=(1, 2)) / 20.0
    corners = fine.reshape(-1, 3)
    least = (squared_distances(corners, sites) - psi).min(axis=1) - np.sum(corners**2, axis=1)
    below = fine_masses @ (least.reshape(-1, 4).mean(axis=1) + np.sum(centroid**2, axis=1) + spread)
    above = fine_masses @ (power.min(axis=1) + spread)
    assert below < np.sum(diagram.costs - psi * diagram.masses) < above
    assert above - below < 1e-3


@pytest.mark.parametrize("dim", [2, 3])
def test_cocircular_sites_lose_nothing(dim):
    """Vertices of the grid's cells meet vertices and faces of the mesh; every tie there is is exercised."""
    simplices = mesh(dim, 4)
    for k in (2, 4, 8):
        diagram = LaguerreDiagram(
            simplices, np.full(len(simplices), 1.0 / len(simplices)), grid(k, dim), np.zeros(k**dim)
        )
        np.testing.assert_allclose(diagram.masses, 1.0 / k**dim, rtol=1e-13)
        assert diagram.tiling_defect < 1e-14


@pytest.mark.parametrize(("dim", "m"), [(2, 3000), (3, 1500)])
def test_many_cells_in_one_simplex(dim, m):
    """The bisection inside a simplex gives what a fine mesh gives."""
    rng = np.random.default_rng(1)
    sites, psi = rng.random((m, dim)), 0.1 * rng.random(m) / m
    coarse, fine = mesh(dim, 1), mesh(dim, 7)
    one = LaguerreDiagram(coarse, np.full(len(coarse), 1 / len(coarse)), sites, psi)
    other = LaguerreDiagram(fine, np.full(len(fine), 1 / len(fine)), sites, psi)
    np.testing.assert_allclose(one.masses, other.masses, atol=1e-15)
    np.testing.assert_allclose(one.barycentres, other.barycentres, atol=1e-11)
    np.testing.assert_allclose(one.costs, other.costs, rtol=1e-10, atol=1e-18)


def test_a_fan_of_cells_through_one_point():
    """Hundreds of cells meet in the centre: lists that no bisection shortens."""
    angle = np.linspace(0.0, 2 * np.pi, 400, endpoint=False)
    sites = 0.5 + 0.3 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    diagram = LaguerreDiagram(square(2), np.full(8, 0.125), sites, np.zeros(400))
    assert diagram.masses.sum() == pytest.approx(1.0, rel=1e-13)
    # the square looks the same after a quarter turn
    np.testing.assert_allclose(diagram.masses, np.roll(diagram.masses, 100), rtol=1e-9)


def test_torus_images_in_3d():
    sites = grid(3, 3)
    simplices = cube(2)
    uniform = np.full(len(simplices), 1 / len(simplices))
    for shift in ([0.2, 0.0, 0.0], [0.9, -3.3, 17.5]):
        diagram = LaguerreDiagram(simplices, uniform, sites + shift, np.zeros(27), np.ones(3))
        np.testing.assert_allclose(diagram.masses, 1 / 27, rtol=1e-11)
        np.testing.assert_allclose(diagram.costs, 1 / 27 * 3 / 12 / 9, rtol=1e-11)


def test_refusals_name_the_argument():
    with pytest.raises(ValueError, match="simplices"):
        LaguerreDiagram(np.zeros((2, 3, 3)), [1, 1], [[0.0, 0.0]], [0.0])
    with pytest.raises(ValueError, match="potential"):
        LaguerreDiagram(square(1), [1, 1], [[0.0, 0.0]], [0.0, 1.0])
    with pytest.raises(ValueError, match="period"):
        LaguerreDiagram(square(1), [1, 1], [[0.0, 0.0]], [0.0], [1.0, -1.0])
    with pytest.raises(ValueError, match="dimension 2"):
        LaguerreDiagram(cube(1), np.ones(6), [[0.0, 0.0, 0.0]], [0.0]).polygons()


@pytest.mark.parametrize("dim", [2, 3])
def test_parts_and_threads_change_nothing(dim, monkeypatch):
    simplices, masses, sites, psi = random_case(dim, 200, seed=5, n=4)
    whole = LaguerreDiagram(simplices, masses, sites, psi)
    monkeypatch.setattr(cells, "SERIAL", 0)
    monkeypatch.setattr("numba.config.NUMBA_NUM_THREADS", 1)
    parts = LaguerreDiagram(simplices, masses, sites, psi)
    monkeypatch.setattr("numba.config.NUMBA_NUM_THREADS", 3)
    threads = LaguerreDiagram(simplices, masses, sites, psi)
    np.testing.assert_array_equal(threads.masses, parts.masses)
    np.testing.assert_array_equal(threads.costs, parts.costs)
    np.testing.assert_allclose(parts.masses, whole.masses, atol=1e-16)
    np.testing.assert_allclose(parts.barycentres, whole.barycentres, atol=1e-14)
    assert len(parts.facets[2]) == len(whole.facets[2])
    if dim == 2:
        assert len(parts.polygons()) == len(whole.polygons())
        order, expected = (np.lexsort((d.piece_sites, d.piece_simplices)) for d in (parts, whole))
        np.testing.assert_array_equal(parts.piece_sites[order], whole.piece_sites[expected])
        np.testing.assert_array_equal(parts.piece_simplices[order], whole.piece_simplices[expected])
        found, wanted = parts.polygons(), whole.polygons()
        for one, other in zip(order, expected, strict=True):
            np.testing.assert_allclose(found[one], wanted[other], atol=1e-14)
