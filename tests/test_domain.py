"""Projections on Omega and on its tangent cones, against brute force."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from wassflow.domain import Box, Polytope

# projections are exact up to rounding: coordinates are of order 1, and corners of these polytopes amplify it
# by less than 1e3
ROUNDING = 1e-12


def _disk(sides: int = 64) -> Polytope:
    angles = 2.0 * np.pi * np.arange(sides) / sides
    return Polytope.from_points(np.column_stack([np.cos(angles), np.sin(angles)]))


def _ball(points: int = 252) -> Polytope:
    # a Fibonacci sphere: facets are triangles of nearly equal size
    k = np.arange(points) + 0.5
    height, angle = 1.0 - 2.0 * k / points, np.pi * (1.0 + np.sqrt(5.0)) * k
    radius = np.sqrt(1.0 - height**2)
    return Polytope.from_points(np.column_stack([radius * np.cos(angle), radius * np.sin(angle), height]))


def _random_polytope(dim: int, seed: int) -> Polytope:
    rng = np.random.default_rng(seed)
    return Polytope.from_points(rng.normal(size=(dim + 1 + seed % 12, dim)))


def _nearest_by_enumeration(point: np.ndarray, normals: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The nearest feasible point among the projections on all intersections of at most d walls."""
    candidates = [point]
    for size in range(1, point.size + 1):
        for walls in map(list, combinations(range(len(offsets)), size)):
            step = np.linalg.lstsq(normals[walls], offsets[walls] - normals[walls] @ point, rcond=None)[0]
            candidates.append(point + step)
    feasible = [c for c in candidates if np.all(normals @ c <= offsets + 1e-10)]
    return min(feasible, key=lambda c: np.linalg.norm(c - point))


def _velocity_by_nnls(velocity: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Moreau: the velocity minus its projection on the normal cone {active^T multipliers, multipliers >=
    0}.
    """
    if len(active) == 0:
        return velocity
    multipliers, _ = nnls(active.T, velocity)
    return velocity - active.T @ multipliers


@pytest.mark.parametrize("dim", [2, 3])
@settings(max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_polytope_projection_is_the_nearest_point(dim, seed):
    polytope = _random_polytope(dim, seed)
    points = np.random.default_rng(seed + 1).normal(size=(8, dim)) * 2.0
    nearest = polytope.project(points)
    for point, found in zip(points, nearest, strict=True):
        expected = _nearest_by_enumeration(point, polytope.normals, polytope.offsets)
        # sharp random corners amplify rounding; distances to the point are compared at full accuracy
        assert np.linalg.norm(found - point) == pytest.approx(
            np.linalg.norm(expected - point), rel=1e-9, abs=1e-12
        )
        assert np.linalg.norm(found - expected) < 1e-8
    assert polytope.contains(nearest, tol=1e-10).all()


@pytest.mark.parametrize("make", [_disk, _ball])
def test_projection_of_many_points_is_idempotent_and_satisfies_the_variational_inequality(make):
    polytope = make()
    points = np.random.default_rng(0).normal(size=(2000, polytope.dim)) * 1.5
    nearest = polytope.project(points)
    assert polytope.contains(nearest).all()
    assert np.abs(polytope.project(nearest) - nearest).max() < ROUNDING
    # <x - p, y - p> <= 0 for every corner y characterises the projection p of x on a convex set
    inner = np.sum((points - nearest) * nearest, axis=1)
    assert np.max((points - nearest) @ polytope.vertices.T - inner[:, None]) < ROUNDING
    inside = polytope.contains(points, tol=0.0)
    assert 0.05 < inside.mean() < 0.95
    assert np.array_equal(nearest[inside], points[inside])


def test_projection_from_far_away_lands_on_the_walls():
    polytope = _disk()
    nearest = polytope.project(np.random.default_rng(1).normal(size=(200, 2)) * 1e6)
    # coordinates of 1e6 carry errors of 1e-10, which must not stay
    assert polytope.contains(nearest).all()


@pytest.mark.parametrize("make", [_disk, _ball])
def test_velocity_projection_is_least_norm_on_facets_edges_and_corners(make):
    polytope, rng = make(), np.random.default_rng(2)
    facet_points = polytope.project(rng.normal(size=(40, polytope.dim)) * 3.0)
    points = np.concatenate([polytope.vertices[:40], facet_points, 0.5 * facet_points])
    velocities = rng.normal(size=points.shape)
    projected = polytope.project_velocity(points, velocities)
    touched = points @ polytope.normals.T - polytope.offsets >= -1e-11
    assert touched.sum(axis=1).max() >= polytope.dim
    for velocity, found, active in zip(velocities, projected, touched, strict=True):
        expected = _velocity_by_nnls(velocity, polytope.normals[active])
        assert np.abs(found - expected).max() < 1e-11
    assert np.array_equal(projected[-40:], velocities[-40:])


def test_velocity_at_a_corner_with_more_walls_than_dimensions():
    # the apex of a pyramid over an octagon: eight walls in R^3
    angles = np.pi * np.arange(8) / 4
    base = np.column_stack([np.cos(angles), np.sin(angles), np.zeros(8)])
    pyramid = Polytope.from_points(np.concatenate([base, [[0.0, 0.0, 1.0]]]))
    assert len(pyramid.offsets) == 9
    rng = np.random.default_rng(3)
    velocities = rng.normal(size=(300, 3))
    apex = np.tile([0.0, 0.0, 1.0], (300, 1))
    active = pyramid.normals[pyramid.normals @ apex[0] >= pyramid.offsets - 1e-12]
    assert len(active) == 8
    expected = np.array([_velocity_by_nnls(v, active) for v in velocities])
    assert np.abs(pyramid.project_velocity(apex, velocities) - expected).max() < ROUNDING
    assert np.abs(pyramid.project(6.0 * apex) - apex).max() < ROUNDING


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), dim=st.integers(2, 3))
def test_box_and_polytope_agree(seed, dim):
    rng = np.random.default_rng(seed)
    lower = rng.normal(size=dim)
    upper = lower + 0.1 + rng.random(dim)
    box = Box(lower, upper)
    polytope = Polytope(np.concatenate([-np.eye(dim), np.eye(dim)]), np.concatenate([-lower, upper]))
    assert polytope.volume == pytest.approx(box.volume, rel=1e-12)
    assert np.allclose(polytope.lower, lower, atol=ROUNDING)
    assert np.allclose(polytope.upper, upper, atol=ROUNDING)
    points = rng.normal(size=(50, dim)) * 2.0
    nearest = box.project(points)
    assert np.abs(polytope.project(points) - nearest).max() < ROUNDING
    velocities = rng.normal(size=points.shape)
    difference = polytope.project_velocity(nearest, velocities) - box.project_velocity(nearest, velocities)
    assert np.abs(difference).max() < ROUNDING
    targets = nearest + velocities
    assert np.abs(polytope.slide(nearest, targets) - box.slide(nearest, targets)).max() < ROUNDING


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), dim=st.integers(2, 3))
def test_sliding_twice_for_half_the_time_is_sliding_once(seed, dim):
    rng = np.random.default_rng(seed)
    polytope = _random_polytope(dim, seed)
    points = polytope.project(rng.normal(size=(30, dim)))
    shift = rng.normal(size=(30, dim))
    half = polytope.slide(points, points + 0.5 * shift)
    once = polytope.slide(points, points + shift)
    assert np.all(polytope.contains(once))
    # corners where walls nearly agree amplify rounding
    assert np.abs(polytope.slide(half, half + 0.5 * shift) - once).max() < 1e-9
    # the work of a constant force is the square of the speed that walls leave it: no less than along a chord
    work = np.einsum("ij,ij->i", shift, once - points)
    assert np.all(work >= np.einsum("ij,ij->i", once - points, once - points) - 1e-9)


def test_sliding_is_the_limit_of_short_projected_steps():
    disk = _disk(7)
    points, shift = np.array([[-0.2, 0.8], [0.1, -0.5]]), np.array([[1.2, 0.3], [0.5, -1.5]])
    steps, moved = 4000, points
    for _ in range(steps):
        moved = disk.project(moved + shift / steps)
    # a step across a corner is wrong by its own length at most
    assert np.abs(disk.slide(points, points + shift) - moved).max() < 7 * 2.0 / steps
    assert np.abs(disk.project(points + shift) - moved).max() > 0.05


def test_box_walls_and_tolerance():
    box = Box([0.0, 0.0], [1.0, 1.0])
    corner, outward = [[1.0, 0.0]], [[1.0, -2.0]]
    assert np.array_equal(box.project_velocity(corner, outward), [[0.0, 0.0]])
    assert np.array_equal(box.project_velocity(corner, [[-1.0, 2.0]]), [[-1.0, 2.0]])
    near = [[1.0 - 1e-9, 0.5]]
    assert np.array_equal(box.project_velocity(near, outward), outward)
    assert np.array_equal(box.project_velocity(near, outward, tol=1e-8), [[0.0, -2.0]])


def test_infinite_bounds_have_no_walls():
    half = Box([-np.inf, 0.0], [np.inf, np.inf])
    assert half.volume == np.inf
    assert half.contains([[-1e30, 1e30], [0.0, -1.0]]).tolist() == [True, False]
    assert half.project([[-5.0, -1.0]]).tolist() == [[-5.0, 0.0]]
    assert half.project_velocity([[1e300, 0.0]], [[3.0, -4.0]]).tolist() == [[3.0, 0.0]]
    assert half.period.tolist() == [np.inf, np.inf]


@settings(max_examples=50)
@given(x=st.floats(-1e3, 1e3), y=st.floats(-1e3, 1e3))
def test_wrap_and_difference_on_a_periodic_axis(x, y):
    cylinder = Box([-1.0, 0.0], [2.0, 1.0], periodic=(True, False))
    wrapped = cylinder.wrap([[x, y]])[0]
    assert -1.0 <= wrapped[0] < 2.0
    assert wrapped[1] == y
    assert (wrapped[0] - x) / 3.0 == pytest.approx(round((wrapped[0] - x) / 3.0), abs=1e-9)
    delta = cylinder.difference([x, y], [0.5, 0.0])
    brute = min((x - 0.5 - 3.0 * k for k in range(-400, 401)), key=abs)
    assert abs(delta[0]) == pytest.approx(abs(brute), abs=1e-9)
    assert delta[1] == y


def test_a_tiny_negative_coordinate_wraps_into_the_half_open_period():
    torus = Box([0.0], [1.0], periodic=[True])
    assert torus.wrap([[-1e-18]])[0, 0] == 0.0


def test_periodic_axes_have_no_walls():
    torus = Box([0.0, 0.0], [1.0, 1.0], periodic=(True, True))
    far = np.array([[7.5, -3.0]])
    assert torus.contains(far).all()
    assert np.array_equal(torus.project(far), far)
    assert np.array_equal(torus.project_velocity([[1.0, 0.0]], [[1.0, -1.0]]), [[1.0, -1.0]])
    assert torus.period.tolist() == [1.0, 1.0]


def test_polytope_from_points_merges_the_pieces_of_a_wall():
    grid = np.stack(np.meshgrid(*[np.linspace(0.0, 2.0, 5)] * 3), axis=-1).reshape(-1, 3)
    cube = Polytope.from_points(grid)
    assert len(cube.offsets) == 6
    assert len(cube.vertices) == 8
    assert cube.volume == pytest.approx(8.0, rel=1e-14)
    assert cube.radius == pytest.approx(1.0, rel=1e-12)


def test_redundant_walls_are_dropped():
    square = Polytope([[1, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [1, 0]], [1, 1, 1, 1, 5, 3])
    assert len(square.offsets) == 4
    assert square.volume == pytest.approx(4.0, rel=1e-14)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Box([0.0, 1.0], [1.0, 1.0]),
            "upper must be above lower on every axis, found 1.0 and 1.0 on axis 1",
        ),
        (lambda: Box([0.0], [np.nan]), "upper must not be NaN"),
        (lambda: Box([0.0], [np.inf], periodic=[True]), "periodic axis must have finite bounds"),
        (lambda: Box([0.0, 0.0], [1.0, 1.0], periodic=[True]), "periodic must have 2 entries, found 1"),
        (lambda: Box([0.0], [1.0, 2.0]), "upper must have 1 entries"),
        (lambda: Box([0.0], [1.0]).project([[0.0, 1.0]]), r"u must have shape \(n, 1\)"),
        (lambda: Box([0.0], [1.0]).project([[np.nan]]), "u must be finite"),
        (lambda: Box([0.0], [1.0]).project_velocity([[0.0]], [[1.0], [2.0]]), "v must have the shape of u"),
        (lambda: Polytope([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]], [0.0, 0.0, -1.0]), "no point"),
        (lambda: Polytope([[1.0, 0.0], [0.0, 1.0]], [1.0, 1.0]), "bounded"),
        (lambda: Polytope([[0.0, 1.0], [0.0, -1.0], [1.0, 0.0]], [1.0, 1.0, 1.0]), "bounded"),
        (
            lambda: Polytope([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], [0.0, 0.0, 1.0, 1.0]),
            "interior",
        ),
        (lambda: Polytope([[0.0, 0.0]], [1.0]), "normals must not vanish"),
        (lambda: Polytope([[1.0]], [1.0]), "dimension of at least 2"),
        (lambda: Polytope.from_points([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]), "points must span the space"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()
