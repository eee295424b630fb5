import numpy as np
import pytest

import wassflow as wf
from wassflow.flow.cached_fluxes import CachedFluxes
from wassflow.flow.density_scheme import UpwindScheme
from wassflow.flow.face_velocity import PointwiseVelocity


def scheme_on(cell, weighted=True, boxes=None):
    """Spikes on a strip that closes, or neurons in a box; several blocks of cells."""
    if cell in ("triangle", "quadrilateral"):
        features, box = wf.SpikeFeatures("dirichlet", order=3), wf.Box([-1.0, 0.0], [1.0, 1.0], (False, True))
        boxes = boxes or {"triangle": 40, "quadrilateral": 70}[cell]
    else:
        inputs = np.column_stack([np.linspace(-2.0, 2.0, 9), np.ones(9)])
        features, box = (
            wf.NeuronFeatures(inputs, "sigmoid"),
            wf.Box([-1.0] * 3, [1.5] * 3, (False, True, True)),
        )
        boxes = boxes or 14
    if not weighted:
        features = wf.CallableFeatures(features.value, features.gradient, features.size)
    functional = wf.Functional(
        features, wf.SquaredLoss(np.zeros(features.size)), wf.regularizer.AbsWeight(0.05)
    )
    mesh = wf.mesh.box(box, boxes, cell)
    return UpwindScheme(functional, mesh, PointwiseVelocity(functional, mesh))


def assert_same(scheme, cached, seed):
    """Compare with fluxes of all faces, and then the changes of all cells."""
    mesh, generator = scheme.mesh, np.random.default_rng(seed)
    potential = generator.standard_normal(mesh.num_owned)
    cells = scheme.start(generator.uniform(0.5, 1.0, mesh.num_owned))
    variation = scheme.functional.linearize(cells.moment)
    rate, expected = np.empty((2, mesh.num_owned))
    found = cached.change(variation, potential, cells.masses, rate)
    assert scheme.velocity.fluxes(variation, np.arange(len(mesh.face_cells)), scheme.fluxes)
    squares = scheme.velocity.values
    change = scheme.transport.change(scheme.fluxes, squares, potential, cells.masses, expected)
    assert np.array_equal(rate, expected)
    assert found.outflow == change.outflow
    for name in ("mass", "dissipation", "potential_rate"):
        assert getattr(found, name) == pytest.approx(getattr(change, name), rel=1e-13, abs=1e-13)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("kept_share", [0.0, 1.0])
@pytest.mark.parametrize("cell", ["triangle", "quadrilateral", "hexahedron"])
def test_nothing_depends_on_how_long_fluxes_are_kept(cell, kept_share, weighted, monkeypatch):
    """In a ring with room for all of them, and in one that forgets most in time for the next block."""
    monkeypatch.setattr("wassflow.flow.cached_fluxes._KEPT_SHARE", kept_share)
    scheme = scheme_on(cell, weighted)
    cached = CachedFluxes(scheme.velocity, scheme.transport, ring=1 << 11)
    (plan,) = cached._plans.values()
    assert (plan.kept.size > 0) == (kept_share > 0.0)
    for seed in range(2):
        assert_same(scheme, cached, seed)


def test_threads_find_the_faces_that_others_meet_first():
    scheme = scheme_on("triangle", boxes=92)
    cached = CachedFluxes(scheme.velocity, scheme.transport, threads=2)
    assert len(cached._plans) == 2
    assert_same(scheme, cached, 0)


def test_velocities_that_are_not_finite_are_told_and_forgotten():
    scheme = scheme_on("triangle")
    cached = CachedFluxes(scheme.velocity, scheme.transport)
    masses = np.ones(scheme.mesh.num_owned)
    variation = scheme.functional.linearize(scheme.start(masses).moment)
    variation.slope[:] = 1e308
    with np.errstate(over="ignore", invalid="ignore"):
        assert np.isnan(cached.change(variation, masses, masses, np.empty_like(masses)).outflow)
    assert_same(scheme, cached, 0)


def test_a_run_is_the_same_with_fluxes_in_the_cache(monkeypatch):
    reference = scheme_on("triangle")
    start, runs = wf.MeshDensity.uniform(reference.mesh), []
    for least in (1 << 30, 0):
        monkeypatch.setattr("wassflow.flow.cached_fluxes._LEAST_FACES", least)
        flow = wf.DensityFlow(reference.functional, reference.mesh, evaluation="direct")
        assert (flow._scheme._cached is None) == (least > 0)
        runs.append(flow.run(start, 0.02))
    assert runs[0].final.masses == pytest.approx(runs[1].final.masses, rel=1e-12)
    assert runs[0].dissipation == pytest.approx(runs[1].dissipation, rel=1e-12)


def test_a_velocity_that_is_not_finite_is_refused_where_it_is(monkeypatch):
    monkeypatch.setattr("wassflow.flow.cached_fluxes._LEAST_FACES", 0)
    features = wf.SpikeFeatures("dirichlet", order=2)
    steep = wf.regularizer.Callable(
        lambda u: u.sum(axis=1), lambda u: np.where(np.abs(u - 0.5) < 0.1, np.nan, 1.0)
    )
    mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), 4, "quadrilateral")
    flow = wf.DensityFlow(wf.Functional(features, wf.SquaredLoss(np.zeros(5)), steep), mesh)
    assert flow._scheme._cached is not None
    with pytest.raises(wf.WassflowError, match=r"the velocity is not finite at \[0\.5, "):
        flow.run(wf.MeshDensity.uniform(mesh), 0.1)
