"""The cosine moments of a density on a box, whose flow is known exactly (oracle O8)."""

from numpy.typing import ArrayLike

from wassflow.arguments import as_vector
from wassflow.cases.case import Case, register, save_times
from wassflow.cases.exact import CosineMoments


@register("cosine-2d")
def cosine_2d(
    y: ArrayLike = (0.5, -0.5),
    z0: ArrayLike = (-0.4, 0.3),
    kappa: ArrayLike = (1.0, 1.0),
    times: ArrayLike = (0.0, 0.75, 1.5, 3.0),
) -> Case:
    """Cosine moments on a square, exact solution known (d = 2).

    Phi(u) = (cos u_1, cos u_2) on [0, pi]^2, R(f) = 1/2 sum kappa (f - y)^2, V = 0; the start is a product of
    half Poisson kernels with moments ``z0``, and stays one: the project's oracle O8, a nonlocal flow with a
    density bounded away from zero and without flux at the walls by itself. All numbers are our choice.
    """
    return _cosine(2, y, z0, kappa, times, (56, 56), "triangle")


@register("cosine-3d")
def cosine_3d(
    y: ArrayLike = (0.5, -0.5, 0.2),
    z0: ArrayLike = (-0.4, 0.3, -0.2),
    kappa: ArrayLike = (1.0, 1.0, 1.0),
    times: ArrayLike = (0.0, 0.75, 1.5, 3.0),
) -> Case:
    """Cosine moments in a cube, exact solution known (d = 3).

    As cosine-2d, on [0, pi]^3.
    """
    return _cosine(3, y, z0, kappa, times, (24, 24, 24), "hexahedron")


def _cosine(
    dim: int,
    y: ArrayLike,
    z0: ArrayLike,
    kappa: ArrayLike,
    times: ArrayLike,
    cells: tuple[int, ...],
    cell: str,
) -> Case:
    exact = CosineMoments(as_vector("y", y, dim), z0, kappa)
    return Case(
        functional=exact.functional,
        domain=exact.domain,
        initial=exact.initial,
        times=save_times(times),
        cells=cells,
        cell=cell,
        exact=exact,
    )
