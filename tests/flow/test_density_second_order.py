"""Second order: reconstruction, nodes on faces, transport with both, and orders against the exact
solution."""

import numpy as np
import pytest

import wassflow as wf
from wassflow.cases.exact import CosineMoments, QuadraticMean
from wassflow.flow.cell_quadrature import FaceQuadrature
from wassflow.flow.muscl import MusclTransport
from wassflow.flow.reconstruction import LinearReconstruction

CELLS = ["triangle", "quadrilateral", "tetrahedron", "hexahedron"]


def dimension(cell):
    return 2 if cell in ("triangle", "quadrilateral") else 3


def box(cell, n, periodic=False):
    d = dimension(cell)
    domain = wf.Box([0.0] * d, [1.0, 0.7, 1.3][:d], periodic=(periodic,) * d)
    return wf.mesh.box(domain, cells=(n, n + 1, n)[:d], cell=cell)


def drift(c):
    """V = -c.u, no R."""
    d = len(c)
    features = wf.CallableFeatures(lambda u: u, lambda u: np.tile(np.eye(d), (len(u), 1, 1)), size=d)
    return wf.Functional(
        features, wf.SquaredLoss(np.zeros(d), scale=0.0), wf.regularizer.Linear(-np.array(c))
    )


class TestReconstruction:
    @pytest.mark.parametrize("cell", CELLS)
    def test_linear_densities_are_exact_up_to_the_walls(self, cell):
        mesh = box(cell, 3)
        slope = np.array([0.5, -0.4, 0.2][: mesh.dim])
        masses = mesh.volumes * (1.0 + mesh.centroids @ slope)
        assert LinearReconstruction(mesh).slopes(masses) == pytest.approx(
            np.tile(slope, (len(masses), 1)), abs=1e-12
        )

    @pytest.mark.parametrize("cell", CELLS)
    def test_slopes_do_not_see_the_seam_of_a_torus(self, cell):
        """A wave and the same wave moved by one box give slopes moved by one box."""
        mesh = box(cell, 4, periodic=True)
        rng = np.random.default_rng(0)
        waves = 2.0 * np.pi * rng.integers(-1, 2, (3, mesh.dim)) / mesh.domain.upper
        shift = np.array([0.25 * mesh.domain.upper[0], *np.zeros(mesh.dim - 1)])

        def slopes(points):
            return LinearReconstruction(mesh).slopes(
                mesh.volumes * (4.0 + np.cos(points @ waves.T).sum(axis=1))
            )

        here, there = slopes(mesh.centroids), slopes(mesh.centroids - shift)
        moved = mesh.domain.wrap(mesh.centroids + shift)
        distance = np.linalg.norm(mesh.domain.difference(moved[:, None], mesh.centroids[None]), axis=2)
        assert there[distance.argmin(axis=1)] == pytest.approx(here, abs=1e-11)

    @pytest.mark.parametrize("limiter", ["positivity", "monotone"])
    @pytest.mark.parametrize("cell", CELLS)
    def test_no_face_sees_less_than_zero_and_empty_cells_are_flat(self, cell, limiter):
        mesh = box(cell, 3)
        rng = np.random.default_rng(1)
        masses = rng.random(mesh.num_cells) ** 8 * (rng.random(mesh.num_cells) < 0.6)
        slopes = LinearReconstruction(mesh, limiter).slopes(masses)
        middles = mesh.cell_vertices[:, mesh.kind.facets].mean(axis=2)
        changes = np.einsum("na,nfa->nf", slopes, middles - mesh.centroids[:, None])
        densities = masses / mesh.volumes
        assert (densities[:, None] + changes).min() >= -1e-15 * densities.max()
        assert np.all(slopes[masses == 0.0] == 0.0)
        assert np.abs(slopes).max() > 0.0

    def test_a_monotone_slope_stays_between_neighbours_at_the_faces(self):
        mesh = box("triangle", 5)
        x, y = mesh.centroids.T
        masses = mesh.volumes * (1.0 + (x > 0.5) + 0.1 * np.sin(9.0 * y))
        densities = masses / mesh.volumes
        slopes = LinearReconstruction(mesh, "monotone").slopes(masses)
        least, largest = densities.copy(), densities.copy()
        for ours, theirs in (mesh.face_cells.T, mesh.face_cells.T[::-1]):
            np.minimum.at(least, ours, densities[theirs])
            np.maximum.at(largest, ours, densities[theirs])
        arms = mesh.face_arms
        for side in (0, 1):
            cells = mesh.face_cells[:, side]
            values = densities[cells] + np.einsum("fa,fa->f", slopes[cells], arms[:, side])
            assert np.all(values >= least[cells] - 1e-13)
            assert np.all(values <= largest[cells] + 1e-13)


@pytest.mark.parametrize("cell", CELLS)
def test_threads_change_no_bit(cell, monkeypatch):
    mesh = box(cell, 4)
    masses = np.random.default_rng(4).random(mesh.num_cells)
    fluxes = np.random.default_rng(5).standard_normal(len(mesh.face_cells))
    slides, faces = np.zeros(fluxes.size, dtype=np.uint8), np.arange(fluxes.size)
    monkeypatch.setattr("wassflow.functional.evaluation.threads._ROWS", 8)
    found = []
    for count in (1, 2):
        slopes = LinearReconstruction(mesh, threads=count).slopes(masses)
        transport, rate = MusclTransport(mesh, curved=True, threads=count), np.empty(mesh.num_owned)
        outflow = transport.set_fluxes(fluxes, slides, masses, slopes, faces, rate)
        found.append([slopes, FaceQuadrature(mesh, count).masses(masses, slopes), rate, np.array(outflow)])
    assert all(np.array_equal(one, two) for one, two in zip(*found, strict=True))


class TestQuadrature:
    @pytest.mark.parametrize("cell", CELLS)
    @pytest.mark.parametrize("periodic", [False, True])
    def test_degree_two(self, cell, periodic):
        """Quadratics against constants, and linear functions against slopes: both are second moments of
        cells."""
        mesh = box(cell, 2, periodic)
        rule = FaceQuadrature(mesh)
        flat = np.zeros((mesh.num_cells, mesh.dim))
        masses = np.random.default_rng(2).random(mesh.num_cells)
        nodes = rule.masses(masses, flat)
        assert nodes.min() >= 0.0
        assert nodes.sum() == pytest.approx(masses.sum(), rel=1e-14)
        if not periodic:  # a node on the seam stands for both its sides
            exact = np.einsum("n,na,nb->ab", masses, mesh.centroids, mesh.centroids)
            exact += np.einsum("n,nab->ab", masses, mesh.covariances)
            found = np.einsum("n,na,nb->ab", nodes, rule.points, rule.points)
            assert found == pytest.approx(exact, rel=1e-12)
        # small slopes, with which no density goes below zero
        slopes = 0.1 * masses[:, None] * np.random.default_rng(3).standard_normal(flat.shape)
        tilted = rule.masses(masses, slopes)
        assert tilted.min() >= 0.0
        if not periodic:
            first = masses @ mesh.centroids
            first += np.einsum("n,nab,nb->a", mesh.volumes, mesh.covariances, slopes)
            assert tilted @ rule.points == pytest.approx(first, rel=1e-12)

    def test_linear_functions_on_distorted_cells(self):
        mesh = wf.mesh.read("meshes/heptagon.msh")
        masses = np.random.default_rng(4).random(mesh.num_cells)
        rule = FaceQuadrature(mesh)
        nodes = rule.masses(masses, np.zeros((mesh.num_cells, 2)))
        assert nodes @ rule.points == pytest.approx(masses @ mesh.centroids, rel=1e-12)


class TestOrder:
    @pytest.mark.parametrize(
        ("cell", "sizes", "t"),
        [
            ("triangle", (16, 32, 64), 1.0),
            ("quadrilateral", (32, 64, 128), 1.0),
            ("tetrahedron", (3, 6), 0.5),
            ("hexahedron", (8, 16), 0.5),
        ],
    )
    def test_moments_converge_with_second_order(self, cell, sizes, t):
        d = dimension(cell)
        exact = CosineMoments(y=[-0.4, 0.5, 0.3][:d], z0=[0.3, -0.2, 0.1][:d], kappa=[1.0, 2.0, 1.5][:d])
        moments, masses = [], []
        for n in sizes:
            mesh = wf.mesh.box(exact.domain, cells=(n,) * d, cell=cell)
            start = wf.MeshDensity.from_function(mesh, exact.initial, subdivisions=0)
            run = wf.DensityFlow(exact.functional, mesh, scheme="muscl").run(start, t)
            end = wf.MeshDensity.from_function(mesh, lambda u: exact.density(t, u), subdivisions=0)
            moments.append(np.linalg.norm(run.moments[-1] - exact.moment(t)))
            masses.append(np.abs(run.final.masses - end.masses).sum())
        rates = [-np.polyfit(np.log(sizes), np.log(errors), 1)[0] for errors in (moments, masses)]
        # 1.9 is what the project promises of f; on tetrahedra slopes at walls are averages of neighbours, and
        # the L1 error is still dominated by the wall layer: 1.58 here, 1.7 on the next two meshes
        assert rates[0] >= 1.9
        assert rates[1] >= (1.5 if cell == "tetrahedron" else 1.9)

    @pytest.mark.parametrize(
        ("cell", "sizes"), [("triangle", (16, 32)), ("quadrilateral", (16, 32)), ("tetrahedron", (4, 8))]
    )
    @pytest.mark.parametrize("scheme", ["upwind", "muscl"])
    def test_graded_meshes_keep_the_order(self, cell, sizes, scheme):
        """Cells six times as wide at one wall as around 1, along one axis."""
        d = dimension(cell)
        exact = CosineMoments(y=[-0.4, 0.5, 0.3][:d], z0=[0.3, -0.2, 0.1][:d], kappa=[1.0, 2.0, 1.5][:d])
        errors = []
        for n in sizes:
            planes = wf.mesh.graded(0.0, np.pi, n, center=1.0, ratio=6.0)
            mesh = wf.mesh.box(exact.domain, n, cell, coordinates=[planes] + [None] * (d - 1))
            start = wf.MeshDensity.from_function(mesh, exact.initial, subdivisions=1)
            run = wf.DensityFlow(exact.functional, mesh, scheme).run(start, 0.5)
            errors.append(np.linalg.norm(run.moments[-1] - exact.moment(0.5)))
        # 1.00 to 1.37 and 2.12 to 2.39 here
        assert np.log2(errors[0] / errors[1]) >= (0.95 if scheme == "upwind" else 1.9)

    @pytest.mark.parametrize(("cell", "sizes"), [("quadrilateral", (16, 32)), ("hexahedron", (8, 16))])
    def test_third_order_on_equal_boxes(self, cell, sizes):
        """With three stages and the neighbour's share; the walls of O8 are mirrors, its speed along an axis
        depends on that coordinate alone."""
        d = dimension(cell)
        exact = CosineMoments(y=[-0.4, 0.5, 0.3][:d], z0=[0.3, -0.2, 0.1][:d], kappa=[1.0, 2.0, 1.5][:d])
        errors = []
        for n in sizes:
            mesh = wf.mesh.box(exact.domain, cells=(n,) * d, cell=cell)
            start = wf.MeshDensity.from_function(mesh, exact.initial, subdivisions=0)
            run = wf.DensityFlow(exact.functional, mesh, scheme="muscl").run(start, 0.5)
            end = wf.MeshDensity.from_function(mesh, lambda u: exact.density(0.5, u), subdivisions=0)
            errors.append(np.abs(run.final.masses - end.masses).sum())
        assert np.log(errors[0] / errors[1]) / np.log(sizes[1] / sizes[0]) >= 2.5

    def test_tetrahedra_carry_the_edge_of_a_support_as_well_as_hexahedra(self):
        """V = |u|^4/4 draws a bump together, u_t = u / (1 + 2 t |u|^2)^(1/2), on as many cells of both types.
        Too narrow a bound on what a donor lends, 4/3 of its mean, would more than double the error on
        tetrahedra, where the density falls steeply to zero."""
        t = 0.3
        V = wf.regularizer.Callable(
            lambda u: 0.25 * (u**2).sum(axis=1) ** 2, lambda u: (u**2).sum(axis=1)[:, None] * u
        )
        functional = wf.Functional(drift([0.0] * 3).features, wf.SquaredLoss(np.zeros(3), scale=0.0), V)

        def initial(u):
            return np.maximum(1.0 - ((u - [0.2, 0.1, -0.1]) ** 2).sum(axis=1) / 0.81, 0.0) ** 3

        def final(x):
            left = np.maximum(1.0 - 2.0 * t * (x**2).sum(axis=1), 1e-12)
            return initial(x / np.sqrt(left)[:, None]) * left**-2.5

        errors = {}
        for cell, n in (("tetrahedron", 6), ("hexahedron", 17)):
            mesh = wf.mesh.box(wf.Box([-1.2] * 3, [1.2] * 3), cells=n, cell=cell)
            start, end = (wf.MeshDensity.from_function(mesh, rho) for rho in (initial, final))
            run = wf.DensityFlow(functional, mesh, scheme="muscl").run(start, t)
            errors[cell] = np.abs(run.final.masses - end.masses).sum()
        assert errors["tetrahedron"] < errors["hexahedron"]

    @pytest.mark.parametrize("cell", CELLS)
    def test_half_the_bound_of_first_order_suffices(self, cell):
        """dt sum_f |f| (v.n)^+ / |K| <= cfl / 2 leaves no negative mass, jumps and empty cells included."""
        mesh = box(cell, 4, periodic=True)
        rng = np.random.default_rng(6)
        masses = rng.random(mesh.num_owned) ** 8 * (rng.random(mesh.num_owned) < 0.6) + 1e-9
        speed = np.array([1.0, -0.5, 0.3][: mesh.dim])
        flow = wf.DensityFlow(drift(speed), mesh, scheme="muscl", cfl=1.0)
        run = flow.run(wf.MeshDensity(mesh, masses), 0.2)
        outwards = mesh.face_areas * (mesh.face_normals @ speed)
        outflow = np.zeros(mesh.num_owned)
        np.add.at(outflow, mesh.face_cells[:, 0], np.maximum(outwards, 0.0))
        np.add.at(outflow, mesh.face_cells[:, 1], np.maximum(-outwards, 0.0))
        assert run.final.masses.min() >= 0.0
        # shorter ones are left over from halving what remains before the end
        assert np.diff(run.times).max() >= 0.5 / (outflow / mesh.volumes).max() * (1.0 - 1e-9)

    @pytest.mark.parametrize("cell", CELLS)
    @pytest.mark.parametrize("integrator", ["ssprk2", "ssprk3"])
    def test_a_wave_on_a_torus_keeps_its_height(self, cell, integrator):
        d = dimension(cell)
        n = {"triangle": 12, "quadrilateral": 24, "tetrahedron": 4, "hexahedron": 12}[cell]
        mesh = wf.mesh.box(wf.Box([0.0] * d, [1.0] * d, periodic=(True,) * d), cells=(n,) * d, cell=cell)
        start = wf.MeshDensity.from_function(mesh, lambda u: 1.0 + 0.8 * np.cos(2 * np.pi * u[:, 0]))
        speed = [1.0, 0.5, -0.25][:d]
        heights = {}
        for scheme, method in (("upwind", "euler"), ("muscl", integrator)):
            flow = wf.DensityFlow(drift(speed), mesh, scheme=scheme, integrator=method)
            end = flow.run(start, 0.5).final
            heights[scheme] = abs(end.masses @ np.exp(2j * np.pi * mesh.centroids[:, 0])) / 0.4
        assert heights["muscl"] > 0.9
        assert 1.0 - heights["muscl"] < 0.25 * (1.0 - heights["upwind"])

    def test_monotone_slopes_do_not_overshoot(self):
        torus = wf.Box([0.0, 0.0], [1.0, 1.0], periodic=(True, True))
        mesh = wf.mesh.box(torus, cells=(16, 16), cell="triangle")
        start = wf.MeshDensity.from_function(mesh, lambda u: 1.0 * (np.abs(u - 0.5).max(axis=1) < 0.25))
        top = start.densities.max()
        tops = {}
        for limiter in ("positivity", "monotone"):
            flow = wf.DensityFlow(drift([1.0, 0.3]), mesh, scheme="muscl", limiter=limiter)
            end = flow.run(start, 0.25).final
            tops[limiter] = end.densities.max() / top
        assert tops["monotone"] < 1.01 < tops["positivity"]

    @pytest.mark.parametrize(("integrator", "error"), [("ssprk3", 0.01), ("ssprk2", 0.1)])
    def test_a_mean_that_comes_to_rest_within_a_cell_is_followed(self, integrator, error):
        """Steps as long as positivity and the energy allow would jump to the target."""
        exact = QuadraticMean(K=8.0 * np.eye(2), B=np.zeros((2, 2)), y=[0.5, -0.3], c=[0.0, 0.0])
        mesh = wf.mesh.box(exact.domain, cells=48, cell="quadrilateral")
        start = wf.MeshDensity.from_function(mesh, exact.initial, subdivisions=1)
        run = wf.DensityFlow(exact.functional, mesh, "muscl", integrator).run(start, 0.9)
        left = exact.y - exact.moment(0.9)
        assert 1e-4 < np.linalg.norm(left) < 1e-3
        assert run.moments[-1] == pytest.approx(exact.moment(0.9), abs=error * np.abs(left).max())

    def test_rest_is_kept(self):
        """Without velocity nothing moves, whatever the density, at walls too."""
        mesh = box("tetrahedron", 2)
        start = wf.MeshDensity(mesh, np.random.default_rng(5).random(mesh.num_owned))
        run = wf.DensityFlow(drift([0.0, 0.0, 0.0]), mesh, scheme="muscl").run(start, 5.0)
        assert np.array_equal(run.final.masses, start.masses)
