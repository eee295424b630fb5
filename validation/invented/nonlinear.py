"""Flows by nonlinear maps that keep the law smooth."""

import numpy as np
from invented.problem import Array, Problem, around, bump, cube, pushed
from scipy.integrate import solve_ivp

import wassflow as wf


def oscillators(dim: int) -> Problem:
    """Angles on periodic axes driven by their own means; column 0 is pulled towards c by V."""
    kappa, c, t, radius = 1.5, 0.4, 0.8, 0.8
    targets, starts = np.array([0.5 - 0.3j, -0.2 + 0.4j])[: dim - 1], np.array([0.3j, 0.2 + 0j])[: dim - 1]
    maps = []
    for y, z0 in zip(targets, starts, strict=True):
        # x = e^{i phi} obeys x' = (H - conj(H) x^2)/2, and so does z = int x dmu (Ott and Antonsen 2008)
        def slope(_: float, s: Array, y: complex = y, z0: complex = z0) -> Array:
            M = s.reshape(2, 2)
            z = (M[0, 0] * z0 + M[0, 1]) / (M[1, 0] * z0 + M[1, 1])
            H = kappa * (y - z)
            return (0.5 * np.array([[0.0, H], [np.conj(H), 0.0]]) @ M).ravel()

        identity = np.eye(2, dtype=complex).ravel()
        solved = solve_ivp(slope, (0.0, t), identity, method="DOP853", rtol=1e-12, atol=1e-13)
        maps.append(solved.y[:, -1].reshape(2, 2))

    def moebius(M: Array, phi: Array) -> tuple[Array, Array]:
        x = np.exp(1j * phi)
        top, bottom = M[0, 0] * x + M[0, 1], M[1, 0] * x + M[1, 1]
        return np.mod(np.angle(top / bottom), 2.0 * np.pi), 1.0 / np.abs(bottom) ** 2

    def flow(u: Array) -> Array:
        turned = [moebius(M, phi)[0] for M, phi in zip(maps, u.T[1:], strict=True)]
        return np.column_stack([c + np.exp(-t) * (u[:, 0] - c), *turned])

    def back(x: Array) -> tuple[Array, Array]:
        turned = [moebius(np.linalg.inv(M), phi) for M, phi in zip(maps, x.T[1:], strict=True)]
        origin = np.column_stack([c + np.exp(t) * (x[:, 0] - c), *(phi for phi, _ in turned)])
        return origin, np.exp(t) * np.prod([stretch for _, stretch in turned], axis=0)

    def initial(u: Array) -> Array:
        kernels = [
            (1.0 - abs(z) ** 2) / np.abs(np.exp(1j * phi) - z) ** 2
            for z, phi in zip(starts, u.T[1:], strict=True)
        ]
        return bump(np.zeros(1), radius)(u[:, :1]) * np.prod(kernels, axis=0)

    def value(u: Array) -> Array:
        return np.column_stack([np.cos(u[:, 1:]), np.sin(u[:, 1:])])

    def gradient(u: Array) -> Array:
        slopes = np.zeros((len(u), dim, 2 * (dim - 1)))
        for j in range(1, dim):
            slopes[:, j, j - 1], slopes[:, j, dim - 2 + j] = -np.sin(u[:, j]), np.cos(u[:, j])
        return slopes

    loss = wf.SquaredLoss(np.concatenate([targets.real, targets.imag]), scale=kappa)
    V = wf.regularizer.Quadratic(np.diag([1.0] + [0.0] * (dim - 1)), [c] + [0.0] * (dim - 1))
    turns = [2.0 * np.pi] * (dim - 1)
    return Problem(
        name="oscillators",
        functional=wf.Functional(wf.CallableFeatures(value, gradient, size=2 * (dim - 1)), loss, V),
        domain=wf.Box([-1.0] + [0.0] * (dim - 1), [1.0, *turns], periodic=[False] + [True] * (dim - 1)),
        support=(np.array([-radius] + [0.0] * (dim - 1)), np.array([radius, *turns])),
        initial=initial,
        t_end=t,
        flow=flow,
        back=back,
    )


def quartic(dim: int) -> Problem:
    """V = |u|^4/4, a push by the user's V alone."""
    t = 0.3

    def back(x: Array) -> tuple[Array, Array]:
        left = np.maximum(1.0 - 2.0 * t * (x**2).sum(axis=1), 1e-12)
        return x / np.sqrt(left)[:, None], left ** (-0.5 * (dim + 2))

    V = wf.regularizer.Callable(
        lambda u: 0.25 * (u**2).sum(axis=1) ** 2, lambda u: (u**2).sum(axis=1)[:, None] * u
    )
    return Problem(
        name="quartic",
        functional=pushed(V, dim),
        domain=cube(dim, -1.2, 1.2),
        t_end=t,
        flow=lambda u: u / np.sqrt(1.0 + 2.0 * t * (u**2).sum(axis=1))[:, None],
        back=back,
        **around([0.2, 0.1, -0.1][:dim], 0.9),
    )
