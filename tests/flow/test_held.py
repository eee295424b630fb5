"""Mass that is held at walls and kinks slides along them, on simplices too."""

from pathlib import Path

import meshio
import numpy as np
import pytest
from scipy.integrate import quad

import wassflow as wf
from wassflow.cases.exact import CosineMoments, WallAccumulation
from wassflow.flow.face_velocity import PointwiseVelocity
from wassflow.flow.held import HeldMass

MESHES = Path(__file__).parents[2] / "meshes"
SCHEMES = ["upwind", "muscl"]
CELLS = {"triangle": 2, "quadrilateral": 2, "tetrahedron": 3, "hexahedron": 3}


def _under(V, dim: int) -> wf.Functional:
    mean = wf.CallableFeatures(lambda u: u, lambda u: np.tile(np.eye(dim), (len(u), 1, 1)), size=dim)
    return wf.Functional(mean, wf.SquaredLoss(np.zeros(dim), scale=0.0), V)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("drift", [(1.0, 0.5, 0.7), (1.0, 1.0, 1.0), (-0.3, 1.0, 0.5)])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_mass_pressed_against_a_wall_slides_along_it(cell, drift, scheme):
    exact = WallAccumulation(drift[: CELLS[cell]])
    errors = []
    for n in (8, 16, 32) if exact.dim == 2 else (4, 8):
        mesh = wf.mesh.box(exact.domain, n, cell)
        flow = wf.DensityFlow(exact.functional, mesh, scheme).run(wf.MeshDensity.uniform(mesh), 0.6)
        errors.append(flow.energy[-1] - exact.energy(0.6))
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    # without sliding 0
    assert np.all(orders > 0.9)


@pytest.mark.parametrize("cut", [0, 1])
@pytest.mark.parametrize("cell", ["triangle", "quadrilateral"])
@pytest.mark.parametrize("drift", [0.5, 1.0])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_mass_absorbed_at_a_kink_slides_along_it(cell, cut, drift, scheme):
    V = wf.regularizer.Sum(wf.regularizer.AbsWeight(1.0), wf.regularizer.Linear([0.0, -drift]))
    domain = wf.Box([-1.25, 0.0], [1.25, 2.0])
    errors = []
    for n in (10, 20, 40):
        mesh = wf.mesh.box(domain, (n + cut, n), cell)
        inside = wf.MeshDensity.from_function(mesh, lambda u: (np.abs(u[:, 0]) < 1.0) * (u[:, 1] < 1.0) * 1.0)
        flow = wf.DensityFlow(_under(V, 2), mesh, scheme).run(inside, 0.5)
        errors.append(abs(flow.final.mean()[1] - inside.mean()[1] - 0.5 * drift))
    # no wall is near: quadrilaterals have no error but that of the smeared tail
    assert errors[-1] < 0.007
    assert errors[-1] < 0.6 * errors[-2] or errors[-1] < 1e-3


def _start_above_the_kink(u):
    return np.maximum(1.0 - ((u - [0.1, -0.1]) ** 2).sum(axis=1) / 0.49, 0.0) ** 2


@pytest.mark.parametrize("cut", [0, 1])
def test_second_order_on_triangles_takes_what_a_kink_holds_to_its_place(cut):
    """V = |w|/2 and the mean of theta, which is drawn to 0.6, alone in R: f is known whatever is absorbed.

    With slopes in the cells of the kink the error stays at 4e-3, however fine the mesh.
    """
    mean_theta = wf.CallableFeatures(
        lambda u: u[:, 1:], lambda u: np.tile([[0.0], [1.0]], (len(u), 1, 1)), size=1
    )
    functional = wf.Functional(mean_theta, wf.SquaredLoss([0.6], scale=1.5), wf.regularizer.AbsWeight(0.5))
    omega = wf.Box([-1.5, -1.5], [1.5, 1.5])
    exact = 0.6 - 0.7 * np.exp(-1.5 * 0.6)
    errors = []
    for n in (16, 32, 64):
        mesh = wf.mesh.box(omega, (n + cut, n + cut), "triangle")
        start = wf.MeshDensity.from_function(mesh, _start_above_the_kink)
        errors.append(
            abs(wf.DensityFlow(functional, mesh, scheme="muscl").run(start, 0.6).moments[-1, 0] - exact)
        )
    assert np.all(np.log2(np.divide(errors[:-1], errors[1:])) > 0.7)


def test_second_order_on_triangles_takes_what_a_wall_holds_to_its_place():
    """With slopes in the cells of the wall, the error of the way along it turns and grows from 32^2 on."""
    exact = WallAccumulation([1.0, 0.3])
    errors = []
    for n in (16, 32, 64):
        mesh = wf.mesh.box(exact.domain, n, "triangle")
        flow = wf.DensityFlow(exact.functional, mesh, scheme="muscl").run(wf.MeshDensity.uniform(mesh), 0.6)
        errors.append(np.abs(flow.moments[-1] - exact.moment(0.6)))
    assert np.all(np.log2(np.divide(errors[:-1], errors[1:])) > 0.7)


@pytest.mark.parametrize("cut", [0, 1])
@pytest.mark.parametrize("cell", CELLS)
def test_mass_absorbed_at_theta_zero_slides_along_w(cell, cut):
    """V = |w||theta| holds mass on {theta = 0}, where a drift 1/2 along w carries it for two units of time.

    All mass is absorbed early on. Blocked mass, which a layer on simplices was full of, lags by 0.9.
    """
    dim = CELLS[cell]
    V = wf.regularizer.Sum(
        wf.regularizer.WeightTimesNorm(1.0), wf.regularizer.Linear([-0.5] + [0.0] * (dim - 1))
    )
    omega = wf.Box([0.5] + [-1.0] * (dim - 1), [3.5] + [1.0] * (dim - 1))
    lags = []
    for n in (10, 20) if dim == 2 else (6,):
        mesh = wf.mesh.box(omega, (3 * n // 2, *[n + cut] * (dim - 1)), cell)
        start = wf.MeshDensity.from_function(
            mesh, lambda u: 1.0 * (np.abs(u[:, 0] - 1.25) < 0.25) * (np.abs(u[:, 1:]).max(axis=1) < 0.25)
        )
        points, masses = start.quadrature()
        held = masses > 0.0
        cloud = wf.ParticleCloud(points[held], masses[held])
        exact = wf.ParticleFlow(_under(V, dim), omega, dt=0.05).run(cloud, 2.0).final
        flow = wf.DensityFlow(_under(V, dim), mesh).run(start, 2.0)
        lags.append(abs(flow.final.mean()[0] - exact.mean()[0]))
    # a tenth of a cell
    assert lags[-1] < 0.1 * mesh.h


@pytest.mark.parametrize("cell", CELLS)
def test_mass_held_at_the_kink_of_a_norm_stays_within_a_cell(cell):
    """V = |u| - c.u with |c| < 1: everything ends at 0, where nothing can slide, and nothing is corrected."""
    dim = CELLS[cell]
    V = wf.regularizer.Sum(wf.regularizer.Norm(1.0), wf.regularizer.Linear([-0.6, 0.3, 0.2][:dim]))
    mesh = wf.mesh.box(wf.Box([-1.0] * dim, [1.0] * dim), 6 if dim == 2 else 4, cell)
    start = wf.MeshDensity.from_function(mesh, lambda u: 1.0 * (np.linalg.norm(u, axis=1) < 0.5))
    end = wf.DensityFlow(_under(V, dim), mesh, integrator="implicit").run(start, 50.0).final
    assert np.linalg.norm(mesh.centroids[end.masses > 1e-3], axis=1).max() < mesh.h
    nowhere = HeldMass(_under(V, dim), mesh).faces
    walls = HeldMass(_under(wf.regularizer.Zero(), dim), mesh).faces
    assert np.array_equal(nowhere, walls)


@pytest.mark.parametrize("cell", ["triangle", "quadrilateral"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_dissipation_converges_where_mass_slides_along_an_oblique_wall(cell, scheme, tmp_path):
    """A bump is driven to a wall of a rotated square, which holds a share of it at the time t: that share
    moves with the tangential part of the drift, the rest with all of it."""
    angle, drift, t = 0.4, np.array([0.8, 0.4]), 0.5
    center, radius = np.array([0.7, 0.35]), 0.3
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    functional = _under(wf.regularizer.Linear(-rotation @ drift), 2)
    met = (1.0 - drift[0] * t - center[0]) / radius
    held = quad(lambda s: 15.0 / 16.0 * (1.0 - s**2) ** 2, met, 1.0)[0]
    exact = (1.0 - held) * drift @ drift + held * drift[1] ** 2

    def bump(u):
        return np.prod(np.maximum(1.0 - ((u @ rotation - center) / radius) ** 2, 0.0) ** 2, axis=1)

    sizes, errors = (24, 48, 96), []
    for n in sizes:
        path = tmp_path / f"rotated-{n}.vtu"
        wf.mesh.write(path, wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), n, cell))
        content = meshio.read(path)
        content.points[:, :2] = content.points[:, :2] @ rotation.T
        meshio.write(path, content)
        mesh = wf.mesh.read(path)
        run = wf.DensityFlow(functional, mesh, scheme).run(wf.MeshDensity.from_function(mesh, bump), t)
        errors.append(abs(run.dissipation[-1] / exact - 1.0))
    assert 0.5 < held < 0.9
    # 0.79 to 1.02 here: first order, from below
    assert -np.polyfit(np.log(sizes), np.log(errors), 1)[0] > 0.75
    assert errors[-1] < 0.04


def test_mass_slides_around_a_polygon():
    mesh = wf.mesh.read(MESHES / "disk.msh")
    functional = _under(wf.regularizer.Linear([-1.0, -0.3]), 2)
    flow = wf.DensityFlow(functional, mesh).run(wf.MeshDensity.uniform(mesh), 8.0)
    least = -np.hypot(1.0, 0.3)
    # all mass ends within a few cells of the lowest point of the boundary
    assert flow.energy[-1] < least + 0.5 * mesh.h


def test_nothing_is_corrected_where_nothing_is_held():
    exact = CosineMoments([0.0, 0.5], [0.3, -0.4])  # its velocity vanishes at the walls
    mesh = wf.mesh.box(exact.domain, 8, "triangle")
    faces = HeldMass(exact.functional, mesh).faces
    assert faces.size > 0
    velocity, fluxes = PointwiseVelocity(exact.functional, mesh), np.empty(len(mesh.face_cells))
    variation = exact.functional.linearize(exact.moment(0.0))
    assert velocity.fluxes(variation, np.arange(fluxes.size), fluxes)
    slopes = exact.functional.features.pair_gradient(mesh.face_midpoints, variation.slope)
    plain = -mesh.face_areas * np.einsum("ij,ij->i", slopes, mesh.face_normals)
    # the one-sided velocity is taken 1e-6 of a cell away from the wall
    assert np.abs(fluxes - plain)[faces].max() < 1e-6 * mesh.h
    assert not velocity.slides().any()
