import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, nnls

from wassflow.errors import WassflowError
from wassflow.functional.regularizer import (
    AbsWeight,
    Callable,
    Linear,
    Norm,
    Quadratic,
    SquaredNorm,
    Sum,
    WeightTimesNorm,
    Zero,
)


def regularizers(d):
    B = np.array([[1.0, 0.5, 0.2], [0.5, -0.3, 0.0], [0.2, 0.0, 2.0]])[:d, :d]
    c = np.array([0.3, -0.7, 0.4])[:d]
    return [
        Zero(),
        AbsWeight(0.8),
        WeightTimesNorm(0.6),
        Norm(0.9),
        SquaredNorm(0.5),
        SquaredNorm(0.5, weight_column=True),
        Linear(c),
        Quadratic(B, center=c),
        Callable(lambda u: (u**4).sum(axis=1), gradient=lambda u: 4.0 * u**3),
        Sum(AbsWeight(0.4), SquaredNorm(0.3), Linear(c)),
        Sum(AbsWeight(0.4), WeightTimesNorm(0.6), AbsWeight(0.1)),
        Sum(Norm(0.5), AbsWeight(0.4)),
        Sum(Norm(0.5), WeightTimesNorm(0.7), Sum(AbsWeight(0.4), Quadratic(B, center=c))),
    ]


CASES = [(d, k) for d in (2, 3) for k in range(len(regularizers(2)))]
KINKS = {2: [[0.0, 0.7], [-1.2, 0.0], [0.0, 0.0]], 3: [[0.0, 0.7, -0.5], [-1.2, 0.0, 0.0], [0.0, 0.0, 0.0]]}

# Velocities inside, near and far outside the subdifferentials.
LENGTHS = np.array([[0.3], [0.3], [0.8], [0.8], [2.0], [2.0]])


class Cone:
    """Walls with the same outward normals at every point; projections by nonnegative least squares."""

    def __init__(self, normals):
        self.normals = np.asarray(normals, dtype=float)

    def project_velocity(self, u, v):
        return np.array([row - self.normals.T @ nnls(self.normals.T, row)[0] for row in v]).reshape(v.shape)


def directions(d):
    """Return vectors spread over all orthants, with those along w and along theta among them."""
    circle = np.linspace(0.0, 2.0 * np.pi, 48, endpoint=False)
    ring = np.stack([np.cos(circle), np.sin(circle)], axis=1)
    if d == 2:
        return ring
    angles = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 13)
    return np.concatenate([np.column_stack([np.full(48, np.sin(a)), np.cos(a) * ring]) for a in angles])


def nearby_gradients(V, u, towards):
    """Return difference quotients of V at points 1e-5 away from u: they are in dV(u) up to a few 1e-5."""
    reach, h = 1e-5, 1e-9
    points = u + reach * towards
    # A quotient across a kink is no gradient.
    clear = (np.abs(points[:, 0]) > 10 * h) & (np.linalg.norm(points[:, 1:], axis=1) > 10 * h)
    points = points[clear & (np.linalg.norm(points - u, axis=1) > 0.5 * reach)]
    steps = h * np.eye(u.size)
    return np.stack([(V.value(points + e) - V.value(points - e)) / (2 * h) for e in steps], axis=1)


def least_element(V, u, vt, normals=None):
    """Return the element of least norm of vt - dV(u) - cone(normals).

    dV(u) is the hull of gradients near u. The element v leaves the subgradient with the largest product with
    v, a limit of gradients at points in the direction of v: there more of them are added, ever closer.
    """
    rng = np.random.default_rng(0)
    gradients = nearby_gradients(V, u, directions(u.size))
    for spread in (0.2, 0.05, 0.01, 0.003):
        v = least_of_hull(vt, gradients, normals)
        if np.linalg.norm(v) < 1e-6:
            break
        towards = v / np.linalg.norm(v) + spread * rng.normal(size=(60, u.size))
        gradients = np.concatenate([gradients, nearby_gradients(V, u, towards)])
    return least_of_hull(vt, gradients, normals)


def least_of_hull(vt, gradients, normals):
    """Return the element of least norm of vt - hull(gradients) - cone(normals), a quadratic problem."""
    scale = 1e4  # weight of the constraint that the coefficients of the hull add up to 1
    cone = np.zeros((0, vt.size)) if normals is None else np.asarray(normals, dtype=float)
    ones = np.append(np.ones(len(gradients)), np.zeros(len(cone)))
    matrix = np.vstack([np.hstack([gradients.T, cone.T]), scale * ones])
    coefficients, _ = nnls(matrix, np.append(vt, scale), maxiter=100 * matrix.shape[1])
    hull, normal = coefficients[: len(gradients)], coefficients[len(gradients) :]
    return vt - (hull / hull.sum()) @ gradients - normal @ cone


@pytest.mark.parametrize(("d", "k"), CASES)
def test_velocity_leaves_the_least_element_of_the_subdifferential(d, k):
    V = regularizers(d)[k]
    rng = np.random.default_rng(k)
    for u in [*np.array(KINKS[d]), rng.normal(size=d)]:
        vt = rng.normal(size=(6, d)) * LENGTHS
        found = V.velocity(np.tile(u, (6, 1)), vt)
        expected = [least_element(V, u, row) for row in vt]
        # Gradients 1e-5 away differ by 1e-5 times the curvature; directions of v are resolved to about 1e-3.
        np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize(("d", "k"), CASES)
@pytest.mark.parametrize("wall", ["box face", "box edge", "oblique", "oblique edge"])
def test_walls_take_part_in_the_projection(d, k, wall):
    normals = {
        "box face": np.eye(d)[:1],
        "box edge": np.eye(d)[:2] * np.array([[1.0], [-1.0]]),
        "oblique": np.array([[0.6, -0.8, 0.3][:d]]),
        "oblique edge": np.array([[0.6, -0.8, 0.3][:d], [-0.2, 1.0, 0.9][:d]]),
    }[wall]
    V, walls = regularizers(d)[k], Cone(normals)
    rng = np.random.default_rng(k)
    for u in np.array(KINKS[d]):
        vt = rng.normal(size=(6, d)) * LENGTHS
        found = V.velocity(np.tile(u, (6, 1)), vt, walls)
        expected = [least_element(V, u, row, normals) for row in vt]
        np.testing.assert_allclose(found, expected, atol=1e-3)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), d=st.sampled_from([2, 3]))
def test_velocity_at_an_oblique_wall_is_optimal_to_rounding(seed, d):
    rng = np.random.default_rng(seed)
    walls = Cone(rng.normal(size=(rng.integers(1, 3), d)))
    u, vt = np.zeros((1, d)), rng.normal(size=(1, d))
    u[0, 1:] = 1.0
    v = AbsWeight(0.5).velocity(u, vt, walls)[0]
    # One unknown is left, the subgradient k in [-0.5, 0.5]: try all of them.
    others = np.linspace(-0.5, 0.5, 101)
    shifted = vt - others[:, None] * np.eye(d)[0]
    lengths = np.linalg.norm(walls.project_velocity(np.tile(u, (101, 1)), shifted), axis=1)
    assert np.linalg.norm(v) <= lengths.min() + 1e-12


@pytest.mark.parametrize(("d", "k"), CASES)
def test_gradient_away_from_kinks_is_that_of_the_value(d, k):
    V, rng, h = regularizers(d)[k], np.random.default_rng(7), 1e-5
    u = rng.normal(size=(20, d))
    differences = np.stack([(V.value(u + h * e) - V.value(u - h * e)) / (2 * h) for e in np.eye(d)], axis=1)
    zero = np.zeros_like(u)
    # The curvature of |u| grows like 1/|u|, and |u| > 0.1 here.
    np.testing.assert_allclose(V.velocity(u, zero), -differences, atol=1e-6)
    if V.smooth:
        np.testing.assert_allclose(V.smooth_gradient(u), differences, atol=1e-6)
        np.testing.assert_array_equal(V.prox(u, 0.7), u)


def kinked_part(V):
    """Return the value of the part of V that prox stands for."""
    terms = V.terms if isinstance(V, Sum) else (V,)
    return lambda x: sum((term.value(x) for term in terms if not term.smooth), start=np.zeros(len(x)))


def check_minimiser(objective, found, u, rng):
    """Assert that nothing tried gets below ``found``, row by row."""
    d = u.shape[1]
    for row, x in zip(u, found, strict=True):
        value = objective(x[None], row)[0]
        trial = rng.uniform(-3.5, 3.5, size=(4000, d))
        trial = np.concatenate(
            [trial, row * rng.uniform(0.0, 1.2, size=(4000, 1)), trial * (np.arange(d) > 0)]
        )
        trial = np.concatenate(
            [trial, trial * (np.arange(d) == 0), row * rng.uniform(0.0, 1.2, size=(4000, d))]
        )
        values = objective(trial, row)
        starts = [x, *trial[np.argsort(values)[:2]]]
        best = min(
            minimize(
                lambda y, row=row: objective(y[None], row)[0], start, method="Nelder-Mead", tol=1e-12
            ).fun
            for start in starts
        )
        assert value <= min(best, values.min()) + 1e-12


PROXES = [AbsWeight(0.8), WeightTimesNorm(0.6), Norm(0.9), *regularizers(2)[9:12], Sum(Norm(0.2), Norm(0.3))]


@pytest.mark.parametrize("V", [V if V.dim is None else Sum(AbsWeight(0.4), SquaredNorm(0.3)) for V in PROXES])
@pytest.mark.parametrize("step", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("d", [2, 3])
def test_prox_is_the_global_minimiser(V, step, d):
    rng = np.random.default_rng(int(10 * step) + d)
    u = np.concatenate([1.5 * rng.normal(size=(5, d)), np.array(KINKS[d])])
    part = kinked_part(V)
    check_minimiser(
        lambda x, row: part(x) + ((x - row) ** 2).sum(axis=1) / (2 * step), V.prox(u, step), u, rng
    )


@pytest.mark.parametrize("step", [1e-3, 0.999999 / 0.6, 1.0 / 0.6, 3.0])
@settings(max_examples=50)
@given(w=st.floats(-2, 2), a=st.floats(-2, 2), b=st.floats(-2, 2))
def test_prox_of_weight_times_norm_beats_a_fine_grid(step, w, a, b):
    u = np.array([[w, a, b]])
    V = WeightTimesNorm(0.6)
    x = V.prox(u, step)
    # Signs and directions of a minimiser are those of u: a grid of the two lengths is enough.
    length = np.hypot(a, b)
    p, q = np.meshgrid(np.linspace(0, 1, 161) * abs(w), np.linspace(0, 1, 161) * length)
    grid = 0.6 * step * p * q + 0.5 * (p - abs(w)) ** 2 + 0.5 * (q - length) ** 2
    found = step * V.value(x)[0] + 0.5 * ((x - u) ** 2).sum()
    assert found <= grid.min() + 1e-14
    assert np.all(x * u >= 0.0)


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("k", [0, 1, 2, 3, 4, 5, 6, 7])
def test_resolvent_is_the_minimiser_for_the_whole_of_v(d, k):
    V, step, rng = regularizers(d)[k], 0.8, np.random.default_rng(k)
    u = rng.normal(size=(5, d))
    check_minimiser(
        lambda x, row: V.value(x) + ((x - row) ** 2).sum(axis=1) / (2 * step), V.resolvent(u, step), u, rng
    )


def test_resolvent_of_sums():
    u = np.array([[2.0, 1.0]])
    np.testing.assert_array_equal(Sum(Zero(), SquaredNorm(0.5)).resolvent(u, 1.0), u / 2.0)
    kinked = Sum(AbsWeight(0.5), Norm(0.5))
    np.testing.assert_array_equal(kinked.resolvent(u, 1.0), kinked.prox(u, 1.0))
    with pytest.raises(WassflowError, match="no proximal map in closed form"):
        Sum(AbsWeight(0.5), SquaredNorm(0.5)).resolvent(u, 1.0)
    with pytest.raises(WassflowError, match=r"needs step < 0\.5, found 1"):
        Quadratic([[-2.0, 0.0], [0.0, 1.0]]).resolvent(u, 1.0)


def test_absorbed_weights_stay_exactly():
    u, vt = np.array([[0.0, 3.0], [1e-3, 3.0], [-1e-3, 3.0]]), np.zeros((3, 2))
    np.testing.assert_array_equal(AbsWeight(1.0).velocity(u, vt), [[0.0, 0.0], [-1.0, 0.0], [1.0, 0.0]])
    np.testing.assert_array_equal(AbsWeight(1.0).prox(u, 1e-2)[:, 0], np.zeros(3))


def test_a_point_on_a_wall_slides():
    V = Linear([-1.0, -2.0])
    still = V.velocity([[1.0, 0.5]], [[0.0, 0.0]], Cone([[1.0, 0.0]]))
    np.testing.assert_allclose(still, [[0.0, 2.0]], atol=1e-15)


def test_prox_of_a_sum_names_the_terms_that_have_none_together():
    V = Sum(Norm(0.5), WeightTimesNorm(0.25), SquaredNorm(1.0))
    with pytest.raises(
        WassflowError, match=r"Norm\(0\.5\), WeightTimesNorm\(0\.25\) have no joint proximal map"
    ):
        V.prox([[1.0, 2.0]], 0.1)


def soft_weight(u, radius):
    result = u.copy()
    result[:, 0] -= np.clip(u[:, 0], -radius, radius)
    return result


def user_abs_weight():
    """|w| as a user would give it."""

    def velocity(u, vt):
        v = vt.copy()
        on = u[:, 0] == 0.0
        v[:, 0] -= np.where(on, np.clip(vt[:, 0], -1.0, 1.0), np.sign(u[:, 0]))
        return v

    return Callable(lambda u: np.abs(u[:, 0]), prox=soft_weight, velocity=velocity)


def test_a_user_regularizer_with_kinks_is_the_built_in_one():
    rng = np.random.default_rng(8)
    u, vt = rng.normal(size=(10, 3)), rng.normal(size=(10, 3))
    u[::2, 0] = 0.0
    user, built_in = user_abs_weight(), AbsWeight(1.0)
    for first, second in [(user, built_in), *[(Sum(user, s), Sum(built_in, s)) for s in [SquaredNorm(0.3)]]]:
        np.testing.assert_allclose(first.value(u), second.value(u), rtol=1e-15)
        np.testing.assert_allclose(first.velocity(u, vt), second.velocity(u, vt), atol=1e-15)
        walls = Cone(np.eye(3)[:1])
        np.testing.assert_allclose(first.velocity(u, vt, walls), second.velocity(u, vt, walls), atol=1e-14)
        np.testing.assert_allclose(first.prox(u, 0.4), second.prox(u, 0.4), atol=1e-15)
        np.testing.assert_allclose(first.smooth_gradient(u), second.smooth_gradient(u), rtol=1e-15)
    np.testing.assert_allclose(user.resolvent(u, 0.4), built_in.prox(u, 0.4), atol=1e-15)


def test_what_a_user_regularizer_does_not_know_is_refused_by_name():
    u, vt = np.ones((1, 2)), np.ones((1, 2))
    no_velocity = Callable(lambda u: np.abs(u[:, 0]), prox=soft_weight)
    with pytest.raises(WassflowError, match="its velocity needs the argument velocity"):
        no_velocity.velocity(u, vt)
    no_prox = Callable(lambda u: np.abs(u[:, 0]), velocity=lambda u, vt: vt)
    with pytest.raises(WassflowError, match="a forward-backward step needs the argument prox"):
        no_prox.prox(u, 0.1)
    with pytest.raises(WassflowError, match="kinks of a Callable beside other kinks"):
        Sum(user_abs_weight(), Norm(1.0)).velocity(u, vt)
    with pytest.raises(WassflowError, match="have no joint proximal map"):
        Sum(user_abs_weight(), AbsWeight(1.0)).prox(u, 0.1)
    with pytest.raises(WassflowError, match="no proximal map in closed form"):
        Callable(lambda u: u[:, 0], gradient=np.ones_like).resolvent(u, 0.1)
    with pytest.raises(
        ValueError, match=r"gradient\(u\) of a Callable regularizer must return shape \(n, d\)"
    ):
        Callable(lambda u: u[:, 0], gradient=lambda u: u[:, 0]).velocity(u, vt)
    with pytest.raises(ValueError, match=r"value\(u\) of a Callable regularizer must return shape \(n,\)"):
        Callable(lambda u: u, gradient=lambda u: u).value(u)


@pytest.mark.parametrize(("d", "k"), CASES)
def test_no_points_are_no_trouble(d, k):
    V, empty = regularizers(d)[k], np.zeros((0, d))
    assert V.value(empty).shape == (0,)
    assert V.velocity(empty, empty, Cone(np.eye(d))).shape == (0, d)
    assert V.smooth_gradient(empty).shape == (0, d)


def test_arguments_are_left_alone():
    rng = np.random.default_rng(0)
    u, vt = rng.normal(size=(6, 3)), rng.normal(size=(6, 3))
    u[:2, 0] = 0.0
    copies = u.copy(), vt.copy()
    for V in regularizers(3):
        V.value(u), V.velocity(u, vt), V.velocity(u, vt, Cone(np.eye(3))), V.smooth_gradient(u)
        for x in (V.velocity(u, vt), V.smooth_gradient(u)):
            assert not np.shares_memory(x, u)
            assert not np.shares_memory(x, vt)
    for V in PROXES[:3]:
        assert not np.shares_memory(V.prox(u, 0.1), u)
    np.testing.assert_array_equal(u, copies[0])
    np.testing.assert_array_equal(vt, copies[1])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: AbsWeight(-1.0), "strength must be a finite number, at least 0.0, found -1.0"),
        (lambda: Norm("x"), "strength must be a finite number, at least 0.0, found 'x'"),
        (lambda: Linear([[1.0]]), r"c must have shape \(n,\)"),
        (lambda: Quadratic([[1.0, 0.0]]), r"B must have shape square, found shape \(1, 2\)"),
        (lambda: Quadratic([[1.0, 1.0], [0.0, 1.0]]), "B must be symmetric"),
        (lambda: Quadratic(np.eye(2), center=[1.0]), r"center must have shape \(2,\)"),
        (lambda: Sum(AbsWeight(1.0), 3), "terms must be regularizers, found int at position 1"),
        (
            lambda: Sum(Linear([1.0]), Linear([1.0, 2.0])),
            r"terms must have the same dimension, found \[1, 2\]",
        ),
        (lambda: Callable(3), "value must be a function, found int"),
        (lambda: Callable(lambda u: u), "gradient must be given for a smooth V"),
        (lambda: AbsWeight(1.0).prox([[1.0, 2.0]], -0.1), "step must be a finite number, at least 0.0"),
        (lambda: Zero().prox([[1.0, 2.0]], -0.1), "step must be a finite number, at least 0.0"),
        (lambda: Linear([1.0, 2.0]).value([[1.0]]), r"u must have shape \(n, 2\), found shape \(1, 1\)"),
        (lambda: WeightTimesNorm(1.0).value([[1.0]]), "u must have at least 2 columns"),
        (
            lambda: Norm(1.0).velocity([[1.0, 2.0]], [[1.0]]),
            r"vt must have the shape of u, \(1, 2\), found \(1, 1\)",
        ),
    ],
)
def test_bad_arguments_are_refused_by_name(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_a_kinked_regularizer_of_strength_zero_is_smooth():
    V = Sum(AbsWeight(0.0), Norm(0.0), WeightTimesNorm(0.0))
    assert V.smooth
    np.testing.assert_array_equal(V.prox([[1.0, 2.0]], 1.0), [[1.0, 2.0]])
