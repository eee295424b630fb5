"""F* by sliding Frank-Wolfe, against closed forms and against convex programs on grids."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, nnls

import wassflow as wf
import wassflow.functional


def outer(u):
    return (u[:, :, None] * u[:, None, :]).reshape(len(u), -1)


def outer_gradient(u):
    eye = np.eye(u.shape[1])
    both = eye[None, :, :, None] * u[:, None, None, :] + u[:, None, :, None] * eye[None, :, None, :]
    return both.reshape(*u.shape, -1)


@settings(max_examples=10)
@given(height=st.floats(-3.0, 3.0), place=st.floats(0.0, 1.0), strength=st.floats(0.05, 5.0))
def test_one_spike_has_the_closed_solution(height, place, strength):
    features = wf.SpikeFeatures("dirichlet", order=2)
    F = wf.Functional(
        features, wf.SquaredLoss(features.value([[height, place]])[0]), wf.regularizer.AbsWeight(strength)
    )
    best = wf.minimize_over_measures(F, wf.Box([-5, 0], [5, 1], periodic=(False, True)), tolerance=1e-7)
    size = abs(height)
    exact = strength * size - strength**2 / 10 if size > strength / 5 else 5 * size**2 / 2
    assert best.lower_bound - 1e-12 <= exact <= best.value + 1e-12
    assert best.gap <= 1e-7
    atoms = best.measure.weights * best.measure.points[:, 0]
    assert atoms.sum() == pytest.approx(np.sign(height) * max(size - strength / 5, 0.0), abs=1e-4)


# A grid with the atoms found added: the convex program on it knows nothing of the method, and its minimum is
# between the bounds exactly if they are right.
@pytest.mark.parametrize("name", ["deconvolution-2d", "relu-2d"])
def test_the_minimum_on_a_grid_with_the_atoms_is_between_the_bounds(name):
    case = wf.cases.get(name)
    F = case.functional
    best = wf.minimize_over_measures(F, case.domain)
    assert best.gap <= 1e-6
    angle = np.linspace(0.0, 2.0 * np.pi, 300, endpoint=False)
    if name == "relu-2d":
        points = np.column_stack([np.cos(angle), np.sin(angle)])
    else:
        points = np.column_stack([np.repeat([1.0, -1.0], angle.size), np.tile(angle, 2)])
    points = np.vstack([points, best.measure.points])
    # min scale/2 |A a - y|_W^2 + strength sum a as a nonnegative least squares problem: y' = A'^+ strength
    root = np.sqrt(F.loss.scale * F.loss.weights)
    A, y = (F.features.value(points) * root).T, root * F.loss.target
    alpha = F.regularizer.strength
    big = 1e4
    rows = np.vstack([A, np.full(A.shape[1], alpha / big)])
    a, _ = nnls(rows, np.append(y, -big), maxiter=100_000)
    grid = 0.5 * np.sum((A @ a - y) ** 2) + alpha * a.sum()
    assert best.lower_bound - 1e-7 <= grid <= best.value + 1e-7


def test_logistic_loss_against_a_convex_program_on_a_grid():
    inputs = np.column_stack([np.linspace(-1.0, 1.0, 8), np.ones(8)])
    features = wf.NeuronFeatures(inputs, "relu")
    F = wf.Functional(
        features, wf.LogisticLoss([1, 1, -1, -1, 1, 1, -1, -1]), wf.regularizer.WeightTimesNorm(0.1)
    )
    best = wf.minimize_over_measures(F)
    assert best.gap <= 1e-6
    angle = np.linspace(0.0, 2.0 * np.pi, 90, endpoint=False)
    points = np.column_stack(
        [np.repeat([1.0, -1.0], angle.size), np.tile(np.cos(angle), 2), np.tile(np.sin(angle), 2)]
    )
    points = np.vstack([points, best.measure.points])
    A = features.value(points).T

    def objective(a):
        f = A @ a
        return F.loss.value(f) + 0.1 * a.sum(), A.T @ F.loss.gradient(f) + 0.1

    grid = minimize(objective, np.zeros(len(points)), jac=True, bounds=[(0, None)] * len(points), tol=1e-12)
    assert best.lower_bound - 1e-7 <= grid.fun <= best.value + 1e-7


@pytest.mark.parametrize("eigenvalues", [(1.5, -0.5), (1.0, 0.5, -0.7)])
def test_matrices_lose_their_negative_part(eigenvalues):
    dim = len(eigenvalues)
    rotation = np.linalg.qr(np.random.default_rng(2).standard_normal((dim, dim)))[0]
    Y = rotation @ np.diag(eigenvalues) @ rotation.T
    features = wf.CallableFeatures(outer, outer_gradient, size=dim * dim, dim=dim)
    F = wf.Functional(features, wf.SquaredLoss(Y.ravel()), wf.regularizer.Zero())
    best = wf.minimize_over_measures(
        F, homogeneity="joint", lipschitz=2.0, mass_bound=2.0 * np.abs(eigenvalues).sum()
    )
    exact = 0.5 * sum(value**2 for value in eigenvalues if value < 0.0)
    assert best.gap <= 1e-6
    assert best.lower_bound - 1e-12 <= exact <= best.value + 1e-12


def test_a_fixed_mass_competes_with_its_own_kind_only():
    case = wf.cases.get("cosine-2d", y=(1.3, -1.2))
    best = wf.minimize_over_measures(case.functional, case.domain)
    assert best.certificate.mass == "fixed"
    assert best.value == pytest.approx(0.5 * (0.3**2 + 0.2**2), abs=1e-9)
    assert np.allclose(best.measure.points, [[0.0, np.pi]])
    half = wf.minimize_over_measures(case.functional, case.domain, mass=0.5)
    assert half.value == pytest.approx(0.5 * (0.8**2 + 0.7**2), abs=1e-9)
    assert half.measure.mass == pytest.approx(0.5)


def test_fixed_mass_in_a_strip_is_bounded_by_its_walls():
    case = wf.cases.get("deconvolution-2d")
    strip = wf.Box([-0.5, 0.0], [0.5, 2.0 * np.pi], periodic=(False, True))
    free = wf.minimize_over_measures(case.functional, strip)
    wide = wf.minimize_over_measures(case.functional, case.domain, mass=1.0)
    narrow = wf.minimize_over_measures(case.functional, strip, mass=1.0)
    assert abs(free.value - wide.value) < 1e-6
    assert narrow.value - narrow.gap > wide.value  # total variation 0.79 does not fit into 0.5
    assert narrow.measure.mass == pytest.approx(1.0)


def test_a_polytope_holds_the_atoms():
    triangle = wf.Polytope([[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]], [0.0, 0.0, 1.0])
    mean = wf.CallableFeatures(lambda u: u, lambda u: np.tile(np.eye(2), (len(u), 1, 1)), size=2)
    F = wf.Functional(mean, wf.SquaredLoss([1.0, 1.0]), wf.regularizer.Zero())
    best = wf.minimize_over_measures(F, triangle, lipschitz=0.0)
    assert best.value == pytest.approx(0.25, abs=1e-6)  # the point (1/2, 1/2) of the oblique wall
    assert triangle.contains(best.measure.points).all()


def test_spikes_that_must_be_positive():
    features = wf.SpikeFeatures("dirichlet", order=4)
    truth = features.value([[1.0, 0.2], [-0.5, 0.7]]).sum(axis=0)
    F = wf.Functional(features, wf.SquaredLoss(truth), wf.regularizer.AbsWeight(0.1))
    positive = wf.minimize_over_measures(F, wf.Box([0, 0], [np.inf, 1], periodic=(False, True)))
    signed = wf.minimize_over_measures(F, wf.Box([-np.inf, 0], [np.inf, 1], periodic=(False, True)))
    assert np.all(positive.measure.points[:, 0] == 1.0)
    assert positive.lower_bound > signed.value + 0.1
    assert max(positive.gap, signed.gap) <= 1e-6


def test_where_nothing_is_worth_its_mass_the_zero_measure_is_optimal():
    case = wf.cases.get("sigmoid-3d", strength=50.0)
    far = wf.Box([-1.0, 1.0, 1.0], [1.0, 2.0, 2.0])
    best = wf.minimize_over_measures(case.functional, far)
    assert best.value == pytest.approx(case.functional.loss.value(np.zeros(48)), abs=1e-12)
    assert best.rounds == 0
    assert far.contains(best.measure.points).all()


class Huber(wf.functional.Loss):
    """A loss of the user: quadratic near the target, linear far away."""

    quadratic = False

    def __init__(self, target):
        self.target = np.asarray(target)
        self.size = self.target.size

    def value(self, f):
        r = np.abs(f - self.target)
        return float(np.where(r < 1.0, 0.5 * r**2, r - 0.5).sum())

    def gradient(self, f):
        return np.clip(f - self.target, -1.0, 1.0)

    def curvature(self, df):
        return float(df @ df)


def test_a_loss_of_the_user_needs_to_say_how_low_it_is():
    features = wf.SpikeFeatures("dirichlet", order=2)
    F = wf.Functional(features, Huber(features.value([[3.0, 0.4]])[0]), wf.regularizer.AbsWeight(0.5))
    circle = wf.Box([-5, 0], [5, 1], periodic=(False, True))
    with pytest.raises(ValueError, match="mass_bound must be given"):
        wf.minimize_over_measures(F, circle)
    # F(0) - inf R over min V
    bound = F.value(wf.ParticleCloud([[0.0, 0.0]])) / 0.5
    best = wf.minimize_over_measures(F, circle, mass_bound=bound)
    weights = np.linspace(0.0, 4.0, 4001)
    line = [F.value(wf.ParticleCloud([[w, 0.4]])) for w in weights]
    assert best.lower_bound <= min(line)
    assert best.value <= min(line) + 1e-9


def test_what_is_missing_or_not_reached_is_said():
    case = wf.cases.get("deconvolution-2d")
    with pytest.raises(wf.WassflowError, match="not reached to 1e-06 with 1 atoms"):
        wf.minimize_over_measures(case.functional, case.domain, max_rounds=1)
    features = wf.CallableFeatures(outer, outer_gradient, size=4)
    F = wf.Functional(features, wf.SquaredLoss(np.ones(4)), wf.regularizer.Zero())
    with pytest.raises(ValueError, match="dim must be given"):
        wf.minimize_over_measures(F)
