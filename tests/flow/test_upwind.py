"""The kernels alone, against plain sums over faces and under hostile velocities."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wassflow.domain import Box
from wassflow.flow import cached_fluxes, face_fluxes, face_sums, neighbours, reconstruction
from wassflow.flow.face_sums import faces_with_mass, mean_over_faces, sum_over_transfers
from wassflow.flow.upwind import UpwindTransport
from wassflow.flow.upwind_kernels import kernels
from wassflow.mesh import box

# A full step is the positivity bound less the rounding of the outflow of a cell.
FULL = 1.0 - 2e-12


def small_mesh(cell, periodic=False, n=3):
    d = 2 if cell in ("triangle", "quadrilateral") else 3
    axes = tuple(periodic if axis else not periodic for axis in range(d)) if periodic else (False,) * d
    return box(
        Box([0.0] * d, [1.0 + 0.5 * axis for axis in range(d)], periodic=axes), cells=(n,) * d, cell=cell
    )


CELLS = ["triangle", "quadrilateral", "tetrahedron", "hexahedron"]


def face_by_face(mesh, fluxes, masses):
    """Rate of change of the masses, one face after the other."""
    rate = np.zeros(mesh.num_owned)
    for (left, right), flux in zip(mesh.face_cells, fluxes, strict=True):
        donor = left if flux > 0.0 else right
        transfer = flux * masses[donor] / mesh.volumes[donor]
        rate[left] -= transfer
        rate[right] += transfer
    return rate


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("periodic", [False, True])
def test_the_rate_is_the_sum_over_faces(cell, periodic):
    mesh = small_mesh(cell, periodic)
    rng = np.random.default_rng(0)
    transport = UpwindTransport(mesh)
    fluxes, masses = rng.standard_normal(len(mesh.face_cells)), rng.random(mesh.num_cells)
    outflow = transport.set_fluxes(fluxes, masses)
    expected = face_by_face(mesh, fluxes, masses)
    scale = np.abs(expected).max()
    rate = transport.rate(masses, np.empty(mesh.num_owned))
    assert np.abs(rate - expected).max() < 1e-14 * scale
    once = np.empty(mesh.num_owned)
    squares, potential = rng.random(len(fluxes)), rng.standard_normal(mesh.num_owned)
    change = transport.change(fluxes, squares, potential, masses, once)
    assert np.array_equal(once, rate)
    assert change.outflow == outflow
    assert change.mass == pytest.approx(masses[: mesh.num_owned].sum(), rel=1e-14)
    assert change.potential_rate == pytest.approx(potential @ rate, rel=1e-13, abs=1e-14 * scale)
    means = [squares[faces[faces >= 0]].mean() for faces in mesh.cell_faces]
    assert change.dissipation == pytest.approx(masses[: mesh.num_owned] @ means, rel=1e-13)
    dt = 0.5 / outflow
    step = transport.step(masses, dt, np.empty(mesh.num_owned))
    assert np.array_equal(step, masses + dt * rate)
    outflows = np.zeros(mesh.num_owned)
    np.add.at(outflows, mesh.face_cells[:, 0], np.maximum(fluxes, 0.0))
    np.add.at(outflows, mesh.face_cells[:, 1], np.maximum(-fluxes, 0.0))
    assert outflow == pytest.approx((outflows / mesh.volumes).max(), rel=1e-14)
    weights = rng.random(len(fluxes))
    donors = np.where(fluxes > 0.0, mesh.face_cells[:, 0], mesh.face_cells[:, 1])
    transfers = np.abs(fluxes) * masses[donors] / mesh.volumes[donors]
    assert sum_over_transfers(transport.faces, transport.rates, weights, masses) == pytest.approx(
        transfers @ weights, rel=1e-13
    )
    means = [weights[faces[faces >= 0]].mean() for faces in mesh.cell_faces]
    assert mean_over_faces(transport.faces, transport.signs, weights, masses) == pytest.approx(
        masses @ means, rel=1e-13
    )


@pytest.mark.parametrize("cells", [(1, 4), (2, 4)])
def test_a_period_of_one_or_two_cells(cells):
    """One cell across is its own neighbour: what leaves it comes back."""
    domain = Box([0.0, 0.0], [1.0, 1.0], periodic=(True, False))
    mesh = box(domain, cells=cells, cell="quadrilateral")
    transport = UpwindTransport(mesh)
    masses = np.random.default_rng(1).random(mesh.num_cells)
    fluxes = mesh.face_areas * (mesh.face_normals @ [3.0, -1.0])
    outflow = transport.set_fluxes(fluxes, masses)
    rate = transport.rate(masses, np.empty(mesh.num_owned))
    assert np.abs(rate - face_by_face(mesh, fluxes, masses)).max() < 1e-14 * outflow
    assert abs(rate.sum()) < 1e-14 * outflow


def test_neighbours_that_stand_far_apart():
    """Around a period of 40 000 cells: their distance needs more than 16 bits."""
    mesh = box(Box([0.0, 0.0], [1.0, 1.0], periodic=(True, False)), cells=(40_000, 1), cell="quadrilateral")
    transport = UpwindTransport(mesh)
    rng = np.random.default_rng(3)
    fluxes, masses = rng.standard_normal(len(mesh.face_cells)), rng.random(mesh.num_cells)
    transport.set_fluxes(fluxes, masses)
    expected = face_by_face(mesh, fluxes, masses)
    assert np.abs(transport.rate(masses, np.empty(mesh.num_owned)) - expected).max() < 1e-10
    beside = np.sort(transport.neighbours, axis=0)
    assert np.array_equal(np.bincount(beside.ravel(), minlength=mesh.num_cells), np.full(mesh.num_cells, 4))
    assert np.abs(beside - np.arange(mesh.num_cells)).max() > 2**15


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("reach", [2, 5])
def test_cells_with_far_neighbours_are_done_like_the_others(cell, reach, monkeypatch):
    """With a short reach many or most cells are among them, and nothing changes."""
    mesh = small_mesh(cell, periodic=True, n=6)
    rng = np.random.default_rng(5)
    fluxes, masses = rng.standard_normal(len(mesh.face_cells)), rng.random(mesh.num_cells)

    def everything():
        transport = UpwindTransport(mesh)
        rate, moved = np.empty(mesh.num_owned), np.empty(mesh.num_owned)
        outflow = transport.set_fluxes(fluxes, masses)
        transport.rate(masses, rate)
        transport.step(masses, 0.9 / outflow, moved)
        return transport, (outflow, rate, moved, transport.rates, transport.neighbours)

    _, expected = everything()
    monkeypatch.setattr(neighbours, "_SHORT", SimpleNamespace(min=-reach, max=reach))
    monkeypatch.setattr(neighbours, "_FAR_SHARE", 1.0)
    transport, found = everything()
    assert len(transport._far.cells) > mesh.num_owned // 10
    for a, b in zip(expected, found, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("reach", [3, 2**15])
def test_many_steps_are_so_many_steps(cell, count, reach, monkeypatch):
    """In small blocks, and one after the other where neighbours are far away."""
    monkeypatch.setattr("wassflow.flow.staggered._BLOCK", 7)
    monkeypatch.setattr(neighbours, "_SHORT", SimpleNamespace(min=-reach, max=reach))
    monkeypatch.setattr(neighbours, "_FAR_SHARE", 1.0)
    mesh = small_mesh(cell, periodic=True, n=4)
    rng = np.random.default_rng(6)
    transport, start = UpwindTransport(mesh), rng.random(mesh.num_cells)
    assert (transport._far is None) == (reach > 3)
    dt = 0.9 / transport.set_fluxes(rng.standard_normal(len(mesh.face_cells)), start)
    expected = masses = start.copy()
    for _ in range(count):
        expected = transport.step(expected, dt, np.empty_like(start))
    assert np.array_equal(transport.steps(masses, dt, count, np.empty_like(start)), expected)
    assert np.array_equal(masses, start)


def test_threads_take_many_steps_without_waiting_for_each_other(monkeypatch):
    monkeypatch.setattr("wassflow.flow.staggered._BLOCK", 1000)
    mesh = box(Box([0.0, 0.0], [1.0, 1.0]), cells=(92, 92), cell="triangle")
    start, fluxes = np.random.default_rng(6).random(mesh.num_cells), np.sin(np.arange(len(mesh.face_cells)))
    found = []
    for threads in (1, 2):
        transport = UpwindTransport(mesh, threads)
        dt = 0.9 / transport.set_fluxes(fluxes, start)
        found.append(transport.steps(start, dt, 5, np.empty_like(start)))
    for _ in range(5):
        start = transport.step(start, dt, np.empty_like(start))
    assert np.array_equal(found[0], start)
    assert np.array_equal(found[1], start)


@settings(max_examples=40)
@given(
    cell=st.sampled_from(CELLS),
    seed=st.integers(0, 2**31),
    decades=st.sampled_from([0.0, 3.0, 150.0]),
    empty=st.sampled_from([0.0, 0.5, 0.95]),
    periodic=st.booleans(),
)
def test_full_steps_keep_mass_and_sign(cell, seed, decades, empty, periodic):
    """At the positivity bound, masses and velocities over many orders of magnitude, down to subnormal."""
    mesh = _meshes(cell, periodic)
    rng = np.random.default_rng(seed)
    transport = UpwindTransport(mesh)
    masses = 10.0 ** (-2.0 * decades * rng.random(mesh.num_cells)) * (rng.random(mesh.num_cells) >= empty)
    masses[0] += 1.0
    mass = math.fsum(masses)
    for _ in range(20):
        fluxes = rng.standard_normal(len(mesh.face_cells)) * 10.0 ** (
            -decades * rng.random(len(mesh.face_cells))
        )
        outflow = transport.set_fluxes(fluxes, masses)
        if outflow == 0.0:
            continue
        masses = transport.step(masses, FULL / outflow, np.empty_like(masses))
        assert masses.min() >= 0.0
    assert abs(math.fsum(masses) - mass) < 1e-14 * mass


_cache = {}


def _meshes(cell, periodic):
    return _cache.setdefault((cell, periodic), small_mesh(cell, periodic, n=2))


def test_subnormal_masses_do_not_turn_negative():
    """Three units of the least positive number, half to either side: each half rounds up to two units."""
    mesh = box(Box([0.0, 0.0], [3.0, 1.0]), cells=(3, 1), cell="quadrilateral")
    middle = int(np.argmin(np.abs(mesh.centroids[:, 0] - 1.5)))
    transport = UpwindTransport(mesh)
    masses = np.zeros(3)
    masses[middle] = 3 * 5e-324
    outflow = transport.set_fluxes(np.where(mesh.face_cells[:, 0] == middle, 0.5, -0.5), masses)
    assert outflow == 1.0
    assert transport.step(masses, 1.0, np.empty(3)).min() == 0.0


@pytest.mark.parametrize("velocity", ["frozen", "sink", "changing"])
@pytest.mark.parametrize("cfl", [1.0, 0.1])
def test_mass_is_constant_over_20000_steps(velocity, cfl):
    """To 1e-13; a frozen or convergent velocity repeats its rounding errors, and is the worst case."""
    mesh = box(Box([0.0, 0.0], [1.0, 1.0], periodic=(False, True)), cells=(3, 3), cell="triangle")
    rng = np.random.default_rng(2)
    transport = UpwindTransport(mesh)
    masses, other = rng.random(mesh.num_cells), np.empty(mesh.num_cells)
    mass = math.fsum(masses)
    normal = rng.standard_normal(len(mesh.face_cells))
    if velocity == "sink":
        normal = np.einsum("ij,ij->i", 0.52 - mesh.face_midpoints, mesh.face_normals)
    outflow = transport.set_fluxes(normal * mesh.face_areas, masses)
    worst = 0.0
    for step in range(20_000):
        if velocity == "changing" and step % 10 == 0:
            outflow = transport.set_fluxes(rng.standard_normal(len(normal)) * mesh.face_areas, masses)
        masses, other = transport.step(masses, cfl * FULL / outflow, other), masses
        if step % 1000 == 999:
            worst = max(worst, abs(math.fsum(masses) / mass - 1.0))
    assert worst < 1e-13
    assert masses.min() >= 0.0


def test_faces_between_empty_cells_are_passed_over():
    mesh = box(Box([0.0, 0.0], [4.0, 1.0]), cells=(4, 1), cell="quadrilateral")
    masses = np.where(mesh.centroids[:, 0] < 1.0, 1e-310, 0.0)
    found = np.empty(len(mesh.face_cells), dtype=np.int64)
    count = faces_with_mass(mesh.face_cells, masses, found)
    assert count == 1
    assert mesh.face_midpoints[found[0], 0] == pytest.approx(1.0)


def test_kernels_of_other_processes_are_found_on_disk():
    """Numba looks for a closure by its contents, and functions look different in every process."""
    made = [*kernels(3), face_sums._mean_kernel(3), face_fluxes._kernel(2, True, True)]
    for kernel in [*made, cached_fluxes._kernel(2, True, 3), *reconstruction._kernels(3, 2, False)]:
        contents = [cell.cell_contents for cell in kernel.py_func.__closure__ or ()]
        assert all(isinstance(content, int) for content in contents), kernel.py_func.__qualname__
