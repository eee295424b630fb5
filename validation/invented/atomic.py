"""Flows whose laws gather mass on sets of measure zero: on {w = 0}, on a crease, at walls."""

import numpy as np
from invented.problem import POWER, Array, Problem, around, bump, cube, pushed
from scipy.integrate import quad, solve_ivp
from scipy.special import beta

import wassflow as wf


def weight_times_norm(dim: int) -> Problem:
    """V = alpha |w||theta|: |w| and |theta| turn hyperbolically until the shorter one is absorbed."""
    alpha, t = 0.8, 0.6

    def flow(u: Array) -> Array:
        w, length = np.abs(u[:, 0]), np.linalg.norm(u[:, 1:], axis=1)
        with np.errstate(divide="ignore"):
            stop = np.arctanh(np.minimum(w, length) / np.maximum(w, length)) / alpha
        r, absorbed = alpha * np.minimum(t, stop), stop <= t
        weight = np.where(absorbed & (w < length), 0.0, w * np.cosh(r) - length * np.sinh(r))
        left = np.where(absorbed & (length < w), 0.0, length * np.cosh(r) - w * np.sinh(r))
        ratio = np.divide(left, length, out=np.zeros_like(length), where=length > 0.0)
        return np.column_stack([np.sign(u[:, 0]) * weight, u[:, 1:] * ratio[:, None]])

    return Problem(
        name="weight times norm",
        functional=pushed(wf.regularizer.WeightTimesNorm(alpha), dim),
        domain=cube(dim, -1.3, 1.3),
        t_end=t,
        flow=flow,
        **around([0.3, 0.4, 0.2][:dim], 0.85),
    )


def absorbed_mean(dim: int) -> Problem:
    """Phi(u) = theta towards y, V = alpha |w|."""
    alpha, scale, t, size = 0.5, 1.5, 0.6, dim - 1
    y, center = np.array([0.6, -0.4])[:size], np.array([0.1, -0.1, 0.2])[:dim]
    slope = np.eye(dim)[:, 1:]
    features = wf.CallableFeatures(lambda u: u[:, 1:], lambda u: np.tile(slope, (len(u), 1, 1)), size=size)

    def flow(u: Array) -> Array:
        shrunk = np.sign(u[:, 0]) * np.maximum(np.abs(u[:, 0]) - alpha * t, 0.0)
        return np.column_stack([shrunk, u[:, 1:] + (y - center[1:]) * -np.expm1(-scale * t)])

    return Problem(
        name="absorbed mean",
        functional=wf.Functional(features, wf.SquaredLoss(y, scale=scale), wf.regularizer.AbsWeight(alpha)),
        domain=cube(dim, -1.3, 1.3),
        t_end=t,
        flow=flow,
        **around(center, 0.7),
    )


def relu_crease(dim: int) -> Problem:
    """One feature max(<x, u>, 0) whose moment must fall: s = <x, u>/|x| falls to 0 and stops there."""
    x, y, t, radius = np.array([0.8, 0.6, 0.5])[:dim], -0.3, 1.0, 0.8
    length, power = float(np.linalg.norm(x)), POWER + 0.5 * (dim - 1)
    direction = x / length

    def slope(_: float, shift: Array) -> Array:
        # the marginal of the bump along x is (1 - s^2/r^2)^power
        s = float(shift[0]) / radius
        excess = quad(lambda v: (v - s) * (1.0 - v * v) ** power, s, 1.0, epsabs=1e-13)[0]
        return np.array([length * (length * radius * excess / beta(0.5, power + 1.0) - y)])

    shift = solve_ivp(slope, (0.0, t), [0.0], method="DOP853", rtol=1e-11, atol=1e-12).y[0, -1]

    def flow(u: Array) -> Array:
        s = u @ direction
        return u - np.clip(s, 0.0, shift)[:, None] * direction

    features = wf.NeuronFeatures(x[None, :], "relu", output_weight=False)
    return Problem(
        name="relu, crease",
        functional=wf.Functional(features, wf.SquaredLoss([y]), wf.regularizer.Zero()),
        domain=cube(dim, -1.0, 1.0),
        t_end=t,
        flow=flow,
        axes=np.linalg.qr(np.column_stack([direction, np.eye(dim)[:, 1:]]))[0],
        **around(np.zeros(dim), radius),
    )


def oblique_walls(dim: int) -> Problem:
    """V = |u - c|^2/2 on a rotated box: each of its own coordinates relaxes and stops at the walls."""
    Q, t = np.linalg.qr(np.random.default_rng(7).standard_normal((dim, dim)))[0], 0.6
    c, center, radius = np.array([1.3, 0.4, -0.2])[:dim], np.array([0.6, 0.45, 0.5])[:dim], 0.4
    return Problem(
        name="oblique walls",
        functional=pushed(wf.regularizer.Quadratic(np.eye(dim), Q @ c), dim),
        domain=cube(dim, 0.0, 1.0),
        t_end=t,
        flow=lambda u: np.clip(c + np.exp(-t) * (u @ Q - c), 0.0, 1.0) @ Q.T,
        rotation=Q,
        axes=Q,
        initial=bump(Q @ center, radius),
        support=(center - radius, center + radius),
    )
