"""Flows by affine maps u -> A(t) u + b(t): a few ordinary differential equations for A and b."""

from collections.abc import Callable
from typing import Any

import numpy as np
from invented.problem import POWER, Array, Problem, around, cube, mean
from scipy.integrate import solve_ivp
from scipy.special import lambertw

import wassflow as wf


def affine(A: Array, b: Array) -> dict[str, Any]:
    """Map and inverse of u -> A u + b."""
    inverse, stretch = np.linalg.inv(A), 1.0 / abs(np.linalg.det(A))
    return {
        "flow": lambda u: u @ A.T + b,
        "back": lambda x: ((x - b) @ inverse.T, np.full(len(x), stretch)),
    }


def affine_flow(
    velocity: Callable[[Array, Array], tuple[Array, Array]], center: Array, radius: float, t_end: float
) -> dict[str, Any]:
    """The map of v(u) = -C u - g, where (C, g) depend on mean and second moments, for a bump at the start."""
    dim = len(center)
    spread = radius**2 / (dim + 2 * POWER + 2) * np.eye(dim)

    def slope(_: float, y: Array) -> Array:
        A, b = y[: dim * dim].reshape(dim, dim), y[dim * dim :]
        m = A @ center + b
        C, g = velocity(m, A @ spread @ A.T + np.outer(m, m))
        return -np.concatenate([(C @ A).ravel(), C @ b + g])

    start = np.concatenate([np.eye(dim).ravel(), np.zeros(dim)])
    y = solve_ivp(slope, (0.0, t_end), start, method="DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    return affine(y[: dim * dim].reshape(dim, dim), y[dim * dim :])


def covariance(dim: int) -> Problem:
    """Phi(u) = u u^T towards a matrix T, V = lambda |u|^2: v = -(2 k (S - T) + 2 lambda) u."""
    k, strength, center, radius = 0.7, 0.1, np.array([0.3, -0.1, 0.2])[:dim], 0.9
    Q = np.linalg.qr(np.random.default_rng(3).standard_normal((dim, dim)))[0]
    T, unit = Q @ np.diag([0.5, 0.1, 0.3][:dim]) @ Q.T, np.eye(dim)

    def gradient(u: Array) -> Array:
        by_axis = np.einsum("ki,nj->nkij", unit, u)
        return (by_axis + by_axis.swapaxes(2, 3)).reshape(len(u), dim, dim * dim)

    squares = wf.CallableFeatures(
        lambda u: np.einsum("ni,nj->nij", u, u).reshape(len(u), -1), gradient, size=dim * dim
    )
    return Problem(
        name="covariance",
        functional=wf.Functional(
            squares, wf.SquaredLoss(T.ravel(), scale=k), wf.regularizer.SquaredNorm(strength)
        ),
        domain=cube(dim, -1.4, 1.4),
        t_end=0.7,
        **around(center, radius),
        **affine_flow(
            lambda _, S: (2.0 * k * (S - T) + 2.0 * strength * unit, np.zeros(dim)), center, radius, 0.7
        ),
    )


def active_relu(dim: int) -> Problem:
    """A ReLU network whose neurons are all active, w > 0: Phi = w <theta, x>, V = alpha w."""
    alpha, scale = 0.3, 2.0
    inputs = np.abs(np.random.default_rng(2).standard_normal((6, dim - 1))) + 0.1
    teacher = np.array([0.8, 0.6])[: dim - 1]
    center, radius = np.array([1.2] + [1.2] * (dim - 1)), 0.6

    def velocity(_: Array, S: Array) -> tuple[Array, Array]:
        pull = scale / 6 * inputs.T @ (inputs @ (S[0, 1:] - teacher))
        C = np.zeros((dim, dim))
        C[0, 1:] = C[1:, 0] = pull
        return C, np.array([alpha] + [0.0] * (dim - 1))

    loss = wf.SquaredLoss(inputs @ teacher, weights=np.full(6, 1.0 / 6.0), scale=scale)
    return Problem(
        name="relu, active",
        functional=wf.Functional(wf.NeuronFeatures(inputs, "relu"), loss, wf.regularizer.AbsWeight(alpha)),
        domain=cube(dim, 0.0, 2.0),
        t_end=0.25,
        **around(center, radius),
        **affine_flow(velocity, center, radius, 0.25),
    )


def energy_and_mean(dim: int) -> Problem:
    """Phi(u) = (|u|^2/2, u) under R = 1/2 <f - y, W (f - y)> with a full matrix W."""
    y = np.array([0.5, -0.3, 0.4, 0.1])[: dim + 1]
    root = np.random.default_rng(5).standard_normal((dim + 1, dim + 1)) / 2.0
    W, center, radius = root @ root.T + 0.5 * np.eye(dim + 1), np.array([0.2, 0.1, -0.1])[:dim], 0.8

    def gradient(u: Array) -> Array:
        return np.concatenate([u[:, :, None], np.tile(np.eye(dim), (len(u), 1, 1))], axis=2)

    def velocity(m: Array, S: Array) -> tuple[Array, Array]:
        slope = W @ (np.array([0.5 * np.trace(S), *m]) - y)
        return slope[0] * np.eye(dim), slope[1:]

    features = wf.CallableFeatures(
        lambda u: np.column_stack([0.5 * (u**2).sum(axis=1), u]), gradient, size=dim + 1
    )
    return Problem(
        name="energy and mean",
        functional=wf.Functional(features, wf.SquaredLoss(y, weights=W), wf.regularizer.Zero()),
        domain=cube(dim, -1.5, 1.5),
        t_end=0.6,
        **around(center, radius),
        **affine_flow(velocity, center, radius, 0.6),
    )


def logistic(dim: int) -> Problem:
    """Phi(u) = u under logistic losses: with p = label f, p' = weight / (1 + e^p)."""
    labels, weights, t = np.array([1.0, -1.0, 1.0])[:dim], np.array([1.0, 2.0, 0.5])[:dim], 0.8
    center = np.array([-0.2, 0.1, 0.0])[:dim]
    p0 = labels * center
    level = p0 + np.exp(p0) + weights * t
    shift = labels * (level - np.real(lambertw(np.exp(level))) - p0)
    return Problem(
        name="logistic",
        functional=wf.Functional(mean(dim), wf.LogisticLoss(labels, weights), wf.regularizer.Zero()),
        domain=cube(dim, -1.4, 1.4),
        t_end=t,
        **around(center, 0.7),
        **affine(np.eye(dim), shift),
    )
