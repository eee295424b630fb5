"""The global minimum of F': bounds against dense samples, for every kind of section."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wassflow as wf
from wassflow.optimality.search import Curvature, global_minimum
from wassflow.optimality.section import known_homogeneity, section

CASES = {name: wf.cases.get(name) for name in wf.cases.names() if not name.startswith("cosine-3d")}


def sampled(variation, where, rng, count=20_000):
    boxes = rng.integers(0, len(where.lower), count)
    u = where.lower[boxes] + (where.upper - where.lower)[boxes] * rng.random((count, where.dim))
    if where.domain is not None:
        u = u[where.domain.contains(u)]
    return (variation(u) / where.norm(u)).min()


# F of the cosine cases is not homogeneous: their mass is fixed
PROBLEMS = [
    (name, mass) for name in CASES for mass in ("free", "fixed") if (name, mass) != ("cosine-2d", "free")
]


@pytest.mark.parametrize(("name", "mass"), PROBLEMS)
def test_the_bracket_holds_no_sample_below_and_is_narrow(name, mass):
    case = CASES[name]
    rng = np.random.default_rng(5)
    homogeneity = known_homogeneity(case.functional)
    where = section(case.functional, case.domain, mass, homogeneity, case.dim)
    u = 0.3 * rng.uniform(case.domain.lower, case.domain.upper, (20, case.dim))
    variation = case.functional.linearize(case.functional.moment(wf.ParticleCloud(u)))
    found = global_minimum(variation, where, 1e-7, 1_000_000)
    assert found.lower <= found.upper <= found.lower + 1.01e-7
    value = variation(found.minimizer[None])[0]
    if where.zero is None or not np.array_equal(found.minimizer, where.zero):
        value /= where.norm(found.minimizer[None])[0]
    assert value == pytest.approx(found.upper, abs=1e-12)
    assert case.domain.contains(case.domain.wrap(found.minimizer[None]))[0] or mass == "free"
    assert found.lower <= sampled(variation, where, rng)


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_quadratic_forms_reach_their_least_eigenvalue_on_the_sphere(seed):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((3, 3))
    matrix = matrix + matrix.T
    features = wf.CallableFeatures(
        lambda u: (u[:, :, None] * u[:, None, :]).reshape(len(u), 9),
        lambda u: (
            np.eye(3)[None, :, :, None] * u[:, None, None, :]
            + u[:, None, :, None] * np.eye(3)[None, :, None, :]
        ).reshape(len(u), 3, 9),
        size=9,
        dim=3,
    )
    F = wf.Functional(features, wf.SquaredLoss(-matrix.ravel()), wf.regularizer.Zero())
    where = section(F, None, "free", "joint", 3)
    curvature = Curvature(lipschitz=2.0 * float(np.linalg.norm(matrix)))
    found = global_minimum(F.linearize(np.zeros(9)), where, 1e-6, 1_000_000, curvature)
    least = float(np.linalg.eigvalsh(matrix)[0])
    assert found.lower <= least + 1e-12
    assert least <= found.upper + 1e-12
    assert found.upper - found.lower <= 1.01e-6


def test_a_search_that_is_interrupted_keeps_a_bound_that_holds():
    case = CASES["sigmoid-3d"]
    where = section(case.functional, case.domain, "fixed", None, case.dim)
    variation = case.functional.linearize(np.zeros(case.functional.features.size))
    exact = global_minimum(variation, where, 1e-6, 1_000_000)
    rough = global_minimum(variation, where, 1e-6, 1)
    assert rough.lower < exact.lower <= exact.upper <= rough.upper
    assert rough.boxes < exact.boxes


def test_in_many_dimensions_the_bound_is_weak_and_holds():
    rng = np.random.default_rng(0)
    features = wf.NeuronFeatures(rng.standard_normal((20, 12)), "relu")
    F = wf.Functional(features, wf.SquaredLoss(np.ones(20)), wf.regularizer.WeightTimesNorm(0.1))
    where = section(F, None, "free", "weight", 13)
    variation = F.linearize(np.zeros(20))
    found = global_minimum(variation, where, 1e-6, 20_000)
    assert found.lower <= sampled(variation, where, rng, 2000)
    assert found.boxes < 400_000


def test_a_tolerance_below_rounding_ends_all_the_same():
    case = CASES["deconvolution-3d"]
    where = section(case.functional, case.domain, "free", "weight", 3)
    variation = case.functional.linearize(np.full(case.functional.features.size, 1e9))
    found = global_minimum(variation, where, 1e-9, 1_000_000)
    assert found.boxes < 100_000
    assert found.lower < found.upper < found.lower + 1e-3


def test_on_a_polytope_the_minimum_is_at_the_corner():
    triangle = wf.Polytope([[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]], [0.0, 0.0, 1.0])
    F = wf.Functional(
        wf.cases.get("cosine-2d").functional.features,
        wf.SquaredLoss([0.0, 0.0], scale=0.0),
        wf.regularizer.Linear([-1.0, -2.0]),
    )
    found = global_minimum(F.linearize(np.zeros(2)), section(F, triangle, "fixed", None, 2), 1e-6, 1_000_000)
    assert found.lower <= -2.0 <= found.upper + 1e-12
    assert found.upper - found.lower <= 1.01e-6
    assert np.allclose(found.minimizer, [0.0, 1.0], atol=1e-5)
