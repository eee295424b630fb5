"""Gradients of users are held against differences of their functions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wassflow as wf
from wassflow.functional.user_gradients import check_gradients

LOWER, UPPER = np.full(2, -1.0), np.full(2, 1.0)
OMEGA = wf.Box(LOWER, UPPER)

# one coordinate's function and derivative: smooth, kinked, oscillating, rounded, large, flat, with jumps
PROFILES = {
    "line": (lambda s: s, np.ones_like),
    "wave": (np.sin, np.cos),
    "relu": (lambda s: np.maximum(s, 0.0), lambda s: (s > 0.0) * 1.0),
    "modulus": (np.abs, np.sign),
    "fast wave": (lambda s: np.sin(1e4 * s), lambda s: 1e4 * np.cos(1e4 * s)),
    "single precision": (lambda s: np.sin(s.astype(np.float32)) + np.float32(10.0), np.cos),
    "offset": (lambda s: 1e3 + s, np.ones_like),
    "bump": (
        lambda s: np.maximum(1.0 - 4.0 * s**2, 0.0) ** 3,
        lambda s: -24.0 * s * np.maximum(1.0 - 4.0 * s**2, 0) ** 2,
    ),
    "large": (lambda s: 1e9 * s**3, lambda s: 3e9 * s**2),
    "small": (lambda s: 1e-9 * s**3, lambda s: 3e-9 * s**2),
}
# One of the two differences tells nothing of these, so that wrong gradients may pass; right ones must.
UNRESOLVED = ("single precision", "fast wave")


def functional(value, gradient, V=None):
    """Two features, each a function of a direction, and V."""
    return wf.Functional(
        wf.CallableFeatures(value, gradient, size=2),
        wf.SquaredLoss([0.0, 0.0]),
        wf.regularizer.Zero() if V is None else V,
    )


def along(directions, profile, factor=1.0):
    """Features u -> profile(<direction_k, u>), the gradient of the second of them times a factor."""
    function, derivative = PROFILES[profile]
    factors = np.array([1.0, factor])

    def gradient(u):
        return derivative(u @ directions.T)[:, None, :] * (factors[:, None] * directions).T

    return functional(lambda u: function(u @ directions.T), gradient)


def checked(F):
    check_gradients(F, LOWER, UPPER, OMEGA.project)


@settings(max_examples=60)
@given(
    profile=st.sampled_from(sorted(PROFILES)),
    angle=st.floats(0.0, np.pi),
    factor=st.sampled_from([-1.0, 0.5, 2.0, 0.0]),
)
def test_gradients_that_belong_pass_and_others_do_not(profile, angle, factor):
    directions = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    checked(along(directions, profile))
    if profile in UNRESOLVED:
        return
    with pytest.raises(
        ValueError, match=r"gradient of CallableFeatures must be that of value: .* component 1"
    ):
        checked(along(directions, profile, factor))


def test_steps_and_constants_pass():
    flat = np.zeros((1, 2, 2))
    checked(functional(lambda u: np.floor(20.0 * u), lambda u: np.repeat(flat, len(u), axis=0)))
    checked(functional(np.zeros_like, lambda u: np.repeat(flat, len(u), axis=0)))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_regularizers_of_users_are_checked_within_sums(sign):
    quartic = wf.regularizer.Callable(lambda u: (u**4).sum(axis=1), gradient=lambda u: 4.0 * sign * u**3)
    F = along(np.eye(2), "line")
    F = wf.Functional(F.features, F.loss, wf.regularizer.Sum(quartic, wf.regularizer.AbsWeight(1.0)))
    if sign > 0.0:
        checked(F)
    else:
        with pytest.raises(ValueError, match="gradient of a Callable regularizer must be that of value"):
            checked(F)


def test_flows_refuse_gradients_of_the_wrong_sign():
    F = along(np.eye(2), "wave", factor=-1.0)
    mesh = wf.mesh.box(OMEGA, 2, "quadrilateral")
    for flow in (lambda: wf.DensityFlow(F, mesh), lambda: wf.ParticleFlow(F, OMEGA)):
        with pytest.raises(ValueError, match=r"value has the slope -?\d\.\d+, found"):
            flow()
    # no box around the whole space: there F may rise, and that is refused
    cloud = wf.ParticleCloud([[0.0, 1.0]])
    with pytest.raises(wf.WassflowError, match="rise"):
        wf.ParticleFlow(F).run(cloud, 1.0)
    triangle = wf.Polytope([[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]], [0.0, 0.0, 1.0])
    wf.ParticleFlow(along(np.eye(2), "relu"), triangle)
    with pytest.raises(ValueError, match="gradient of CallableFeatures"):
        wf.ParticleFlow(F, triangle)
