"""The stability bound: its ingredients against brute force, and itself against flows of known distance."""

import numpy as np
import pytest

import wassflow as wf
from wassflow import regularizer
from wassflow.cases.exact import CosineMoments
from wassflow.cases.features import CosineFeatures, HalfSquaredNorm, MeanFeatures
from wassflow.flow import Trajectory
from wassflow.functional import LogisticLoss, NeuronFeatures, SpikeFeatures, SquaredLoss
from wassflow.study import stability_bound

rng = np.random.default_rng(3)
INPUTS = rng.standard_normal((7, 2))
FEATURES = {
    "sigmoid": NeuronFeatures(INPUTS, "sigmoid"),
    "tanh": NeuronFeatures(INPUTS, "tanh"),
    "softplus": NeuronFeatures(INPUTS, "softplus"),
    "tanh without weight": NeuronFeatures(INPUTS, "tanh", output_weight=False),
    "signed squares": NeuronFeatures(INPUTS, "tanh", parametrization="signed-square"),
    "dirichlet": SpikeFeatures("dirichlet", order=3),
    "gaussian samples": SpikeFeatures("gaussian", samples=9, width=0.1),
    "dirichlet on the 2-torus": SpikeFeatures("dirichlet", order=2, dim=2),
    "gaussian samples on the 2-torus": SpikeFeatures("gaussian", samples=4, dim=2, width=0.15),
    "cosine": CosineFeatures(3),
    "half square": HalfSquaredNorm(3),
}


def metrics(size):
    square = rng.standard_normal((size, size))
    return [np.ones(size), rng.random(size), square @ square.T]


@pytest.mark.parametrize("name", list(FEATURES))
def test_lip_of_the_gradient_bounds_second_derivatives_and_is_not_vacuous(name):
    features = FEATURES[name]
    dim = features.dim
    lower, upper = np.full(dim, -0.8), np.full(dim, 1.3)
    n, h = 3000, 1e-4
    u = lower + rng.random((n, dim)) * (upper - lower)
    e = rng.standard_normal((n, dim))
    e /= np.linalg.norm(e, axis=1)[:, None]
    # (D Phi(u + h e) - D Phi(u - h e)) e / 2h is a mean of D^2 Phi[e, e] over the segment: it obeys the bound
    change = features.gradient(u + h * e) - features.gradient(u - h * e)
    bend = np.einsum("njk,nj->nk", change, e) / (2.0 * h)
    lower, upper = lower - h, upper + h
    for metric in metrics(features.size):
        squares = bend**2 @ metric if metric.ndim == 1 else np.einsum("nj,jk,nk->n", bend, metric, bend)
        bound = features.lipschitz_gradient(lower, upper, metric)
        largest = np.sqrt(squares.max())
        # differences of gradients carry rounding errors of 1e-16/h times their size
        assert largest <= bound * (1.0 + 1e-8)
        if metric.ndim == 1:
            assert bound <= 6.0 * largest


def test_the_spike_bound_is_attained_on_the_torus():
    """Norms of Fourier coefficients of the kernel do not depend on theta (Parseval)."""
    features = SpikeFeatures("dirichlet", order=3)
    k = 2.0 * np.pi * np.arange(-3, 4)
    cross, square = np.sqrt(np.sum(k**2)), 2.0 * np.sqrt(np.sum(k**4))
    angle = np.linspace(0.0, np.pi, 20001)
    worst = np.max(np.abs(np.sin(2.0 * angle)) * cross + np.cos(angle) ** 2 * square)
    assert features.lipschitz_gradient([-2.0, 0.0], [1.0, 1.0], np.ones(7)) == pytest.approx(worst, rel=1e-6)


def test_mean_features_have_none_and_others_say_that_they_do_not_know():
    assert MeanFeatures(2).lipschitz_gradient([0, 0], [1, 1], np.ones(2)) == 0.0
    with pytest.raises(wf.WassflowError, match="infinite: their gradient jumps"):
        NeuronFeatures(INPUTS, "relu").lipschitz_gradient([0] * 3, [1] * 3, np.ones(7))
    with pytest.raises(wf.WassflowError, match="bounded in w"):
        SpikeFeatures("dirichlet", order=2).lipschitz_gradient([-np.inf, 0.0], [np.inf, 1.0], np.ones(5))
    own = wf.CallableFeatures(lambda u: u, lambda u: np.tile(np.eye(2), (len(u), 1, 1)), size=2)
    with pytest.raises(wf.WassflowError, match="not known: give it as lipschitz"):
        own.lipschitz_gradient([0, 0], [1, 1], np.ones(2))


@pytest.mark.parametrize(
    "V",
    [
        regularizer.Zero(),
        regularizer.AbsWeight(0.7),
        regularizer.Norm(0.7),
        regularizer.WeightTimesNorm(0.7),
        regularizer.SquaredNorm(0.7),
        regularizer.SquaredNorm(0.7, weight_column=True),
        regularizer.Quadratic(np.diag([1.0, -0.6, 0.2])),
        regularizer.Sum(regularizer.WeightTimesNorm(0.3), regularizer.SquaredNorm(0.4)),
    ],
    ids=repr,
)
def test_semiconvexity_convexifies_and_a_little_less_does_not(V):
    x, y = rng.standard_normal((2, 20000, 3))
    # pairs that exchange w and theta are the worst for |w||theta|
    x[:100] = np.column_stack([np.full(100, 1.0), np.full(100, 1.1), np.zeros(100)])
    y[:100] = np.column_stack([np.full(100, 1.1), np.full(100, 1.0), np.zeros(100)])
    gap = 0.5 * (V.value(x) + V.value(y)) - V.value(0.5 * (x + y))
    squares = np.sum((x - y) ** 2, axis=1)
    assert np.all(gap + V.semiconvexity() / 8.0 * squares >= -1e-12)
    assert np.any(gap + (V.semiconvexity() - 0.2) / 8.0 * squares < 0.0)


@pytest.mark.parametrize(
    "loss",
    [
        SquaredLoss([0.3, -0.2, 1.0], weights=[0.5, 0.0, 2.0], scale=3.0),
        SquaredLoss([0.3, -0.2, 1.0], weights=np.diag([1.0, 2.0, 3.0]) + 0.4),
        LogisticLoss([1, -1, 1], weights=[0.2, 0.5, 0.3]),
    ],
)
def test_slope_norms_are_dual_to_the_metric(loss):
    f, r = rng.standard_normal((2, 200, 3))
    metric = np.diag(loss.metric) if loss.metric.ndim == 1 else loss.metric
    for at, direction in zip(f, r, strict=True):
        norm = np.sqrt(direction @ metric @ direction)
        assert abs(loss.gradient(at) @ direction) <= loss.slope_norm(at) * norm * (1.0 + 1e-12)
    if isinstance(loss, SquaredLoss):
        along = f[0] - loss.target
        norm = np.sqrt(along @ metric @ along)
        assert loss.gradient(f[0]) @ along == pytest.approx(loss.slope_norm(f[0]) * norm, rel=1e-12)


def exact_trajectory(exact, times):
    return Trajectory(
        times,
        np.array([exact.energy(t) for t in times]),
        np.array([exact.dissipation(t) for t in times]),
        np.array([exact.moment(t) for t in times]),
    )


@pytest.mark.parametrize("dim", [2, 3])
def test_o8_stays_below_the_bound_whose_rate_is_known(dim):
    """Two exact flows of one functional; W2 of products is the sum over coordinates of quantile distances."""
    y, kappa = [0.6, -0.4, 0.2][:dim], [1.0, 2.0, 0.5][:dim]
    one = CosineMoments(y, [-0.4, 0.5, 0.0][:dim], kappa)
    two = CosineMoments(y, [-0.3, 0.35, 0.2][:dim], kappa)
    p = (np.arange(4000) + 0.5) / 4000 * np.pi

    def distance(t):
        quantiles = [
            2.0 * np.arctan(((1.0 - z) / (1.0 + z))[:, None] * np.tan(0.5 * p))
            for z in (one.moment(t), two.moment(t))
        ]
        return np.sqrt(np.sum(np.mean((quantiles[0] - quantiles[1]) ** 2, axis=1)))

    times = np.linspace(0.0, 4.0, 201)
    bound = stability_bound(
        one.functional, exact_trajectory(one, times), exact_trajectory(two, times), distance(0.0), one.domain
    )
    measured = np.array([distance(t) for t in times])
    assert np.all(measured <= bound.bound * (1.0 + 1e-12))
    # L = (|sqrt(kappa)(z - y)| + the same of the other)/2 sqrt(max kappa)
    for t, rate in zip(times[::50], bound.rates[::50], strict=True):
        norms = [np.sqrt(2.0 * exact.energy(t)) for exact in (one, two)]
        assert rate == pytest.approx(0.5 * sum(norms) * np.sqrt(max(kappa)), rel=1e-12)
    # the loss decays, so the bound levels off and says something
    assert bound.bound[-1] < 60.0 * distance(0.0)
    assert np.all(np.diff(bound.rates) < 0.0)
    assert bound.at(1.0) == pytest.approx(bound.bound[50], rel=1e-12)


def test_different_steps_and_ends_are_brought_together():
    exact = CosineMoments([0.6, -0.4], [-0.4, 0.5])
    fine = exact_trajectory(exact, np.linspace(0.0, 2.0, 101))
    coarse = exact_trajectory(exact, np.linspace(0.0, 1.0, 6))
    bound = stability_bound(exact.functional, fine, coarse, 0.1, exact.domain)
    exactly = stability_bound(exact.functional, fine, fine, 0.1, exact.domain)
    assert bound.times[-1] == 1.0
    # norms decay: the earlier end of a coarse step counts for all of it
    for t in fine.times[1:51]:
        assert exactly.at(t) * (1.0 - 1e-9) <= bound.at(min(t, 1.0)) < 1.1 * exactly.at(t)


def test_users_numbers_are_used_and_checked():
    own = wf.CallableFeatures(lambda u: u, lambda u: np.tile(np.eye(2), (len(u), 1, 1)), size=2)
    V = regularizer.Callable(lambda u: (u**4).sum(axis=1), gradient=lambda u: 4 * u**3)
    F = wf.Functional(own, SquaredLoss([1.0, 0.0]), V)
    flow = wf.ParticleFlow(F).run(wf.ParticleCloud([[0.0, 0.5]]), 1.0)
    omega = wf.Box([-1.0, -1.0], [1.0, 1.0])
    with pytest.raises(wf.WassflowError, match="semiconvexity"):
        stability_bound(F, flow, flow, 0.1, omega, lipschitz=0.0)
    bound = stability_bound(F, flow, flow, 0.1, omega, lipschitz=0.0, semiconvexity=0.5)
    assert bound.bound[-1] == pytest.approx(0.1 * np.exp(0.5), rel=1e-12)
    with pytest.raises(ValueError, match="initial_distance must be a finite number, at least 0"):
        stability_bound(F, flow, flow, -1.0, omega, lipschitz=0.0, semiconvexity=0.0)
