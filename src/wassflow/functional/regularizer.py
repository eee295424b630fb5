"""Regularisers V: R^d -> R, with minimal-norm velocities and proximal maps.

Points are u = (w, theta): column 0 is the weight w, the others are the position theta. Every V here is the
sum of a smooth part, which a flow moves explicitly, and of a part with kinks, which it moves by its exact
proximal map

    prox(u, step) = argmin_x  V(x) + |x - u|^2 / (2 step).
"""

from abc import ABC, abstractmethod
from collections import abc
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_number, as_vector, shaped_points
from wassflow.errors import WassflowError
from wassflow.functional.features import checked_function, user_array
from wassflow.functional.losses import symmetric_matrix
from wassflow.functional.subdifferential import Subdifferential, Walls, shortened, soft_threshold

__all__ = [
    "AbsWeight",
    "Callable",
    "Linear",
    "Norm",
    "Quadratic",
    "Regularizer",
    "SquaredNorm",
    "Sum",
    "Walls",
    "WeightTimesNorm",
    "Zero",
]


class Regularizer(ABC):
    """V, semiconvex, of F(mu) = R(int Phi dmu) + int V dmu (Chizat and Bach 2018, Assumptions 2.1).

    Attributes:
        dim: d if V fixes the dimension, else ``None``.
        smooth: whether V has no kinks; :meth:`prox` is then the identity.
    """

    dim: int | None = None
    smooth: bool
    # degrees of homogeneity, by what is scaled; what is missing is not homogeneous or not known to be
    _degrees: Mapping[str, int] = MappingProxyType({})

    @abstractmethod
    def value(self, u: ArrayLike) -> Array:
        """Return V at points ``(n, d)``, shape ``(n,)``."""

    @abstractmethod
    def subdifferential(self, u: ArrayLike) -> Subdifferential:
        """Return dV at points ``(n, d)``."""

    def velocity(self, u: ArrayLike, vt: ArrayLike, domain: Walls | None = None) -> Array:
        """Return vt - proj_{dV(u)}(vt), shape ``(n, d)`` (Chizat and Bach 2018, Proposition 2.3).

        With a ``domain`` the normal cone at u is added to dV(u): the result is the element of least norm of
        vt - dV(u) - N(u), exactly, for boxes and for oblique walls.

        Args:
            u: points ``(n, d)``.
            vt: velocities ``(n, d)``, here minus the gradient of the smooth part of F'.
            domain: something with ``project_velocity(u, v)``; nothing stands for the whole space.
        """
        u, vt = self._points_and_velocities(u, vt)
        return self.subdifferential(u).least_velocity(u, vt, domain)

    def smooth_gradient(self, u: ArrayLike) -> Array:
        """Return the gradient of the part of V that is moved explicitly, ``(n, d)``."""
        return np.zeros_like(self._points(u))

    def prox(self, u: ArrayLike, step: float) -> Array:
        """Return the exact proximal map of the part of V with kinks at points ``(n, d)``; ``step`` >= 0."""
        _step(step)
        return self._points(u).copy()

    def resolvent(self, u: ArrayLike, step: float) -> Array:
        """Return the exact proximal map of the whole V, smooth part included, at points ``(n, d)``.

        Raises:
            WassflowError: if V has no closed form for it.
        """
        raise WassflowError(f"{type(self).__name__} has no proximal map in closed form for its smooth part")

    def semiconvexity(self) -> float:
        """Return the least lambda for which V + lambda/2 |u|^2 is known to be convex; negative for strong
        convexity.

        Raises:
            WassflowError: if it is not known.
        """
        return 0.0

    def homogeneous(self, degree: int, part: str) -> bool:
        """Tell whether V is known to be positively homogeneous: V(r u) = r^degree V(u) for r > 0.

        Args:
            degree: of homogeneity.
            part: what is scaled: "weight" (column 0), "theta" (the other columns) or "all".

        >>> AbsWeight(0.1).homogeneous(1, "weight"), AbsWeight(0.1).homogeneous(2, "all")
        (True, False)
        """
        return self._degrees.get(part) == degree

    def _points(self, u: ArrayLike, least: int = 1) -> Array:
        points = shaped_points("u", u, self.dim)
        if points.shape[1] < least:
            raise ValueError(f"u must have at least {least} columns for {self!r}, found {points.shape[1]}")
        return points

    def _points_and_velocities(self, u: ArrayLike, vt: ArrayLike) -> tuple[Array, Array]:
        points, velocities = self._points(u), np.ascontiguousarray(vt, dtype=np.float64)
        if velocities.shape != points.shape:
            raise ValueError(f"vt must have the shape of u, {points.shape}, found {velocities.shape}")
        return points, velocities


class _Smooth(Regularizer):
    """A regulariser without kinks."""

    smooth = True

    @abstractmethod
    def smooth_gradient(self, u: ArrayLike) -> Array:
        """Return the gradient of V, ``(n, d)``."""

    def subdifferential(self, u: ArrayLike) -> Subdifferential:
        """Return dV = {gradient} at points ``(n, d)``."""
        return Subdifferential(self.smooth_gradient(u))


class _Kinked(Regularizer):
    """strength times a function with kinks, and no smooth part beside it."""

    def __init__(self, strength: float):
        self.strength = as_number("strength", strength, least=0.0)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.strength:g})"

    @property
    def smooth(self) -> bool:  # type: ignore[override]
        """Whether the strength is zero."""
        return self.strength == 0.0

    @abstractmethod
    def prox(self, u: ArrayLike, step: float) -> Array:
        """Return the exact proximal map of V at points ``(n, d)``."""

    def resolvent(self, u: ArrayLike, step: float) -> Array:
        """Return the exact proximal map of V at points ``(n, d)``; the same as :meth:`prox`."""
        return self.prox(u, step)


class Zero(_Smooth):
    """V = 0.

    >>> Zero().value([[1.0, 2.0]])
    array([0.])
    """

    def __repr__(self) -> str:
        return "Zero()"

    def homogeneous(self, degree: int, part: str) -> bool:
        """Return True: zero is homogeneous of every degree."""
        return True

    def value(self, u: ArrayLike) -> Array:
        """Return zeros, shape ``(n,)``."""
        return np.zeros(self._points(u).shape[0])

    def smooth_gradient(self, u: ArrayLike) -> Array:
        """Return zeros, ``(n, d)``."""
        return np.zeros_like(self._points(u))

    def resolvent(self, u: ArrayLike, step: float) -> Array:
        """Return ``u``."""
        return self.prox(u, step)


class AbsWeight(_Kinked):
    """V(w, theta) = strength |w|: total variation of signed measures (Chizat and Bach 2018, section 4).

    A weight that reaches 0 stays there as long as the force on it is at most ``strength``.

    >>> V = AbsWeight(1.0)
    >>> V.velocity([[0.0, 5.0], [0.0, 5.0], [2.0, 5.0]], [[0.5, 1.0], [3.0, 1.0], [0.0, 1.0]])
    array([[ 0.,  1.],
           [ 2.,  1.],
           [-1.,  1.]])
    >>> V.prox([[0.3, 5.0], [-2.0, 5.0]], 0.5)
    array([[ 0. ,  5. ],
           [-1.5,  5. ]])
    """

    _degrees = MappingProxyType({"weight": 1, "theta": 0, "all": 1})

    def value(self, u: ArrayLike) -> Array:
        """Return strength |w|, shape ``(n,)``."""
        return self.strength * np.abs(self._points(u)[:, 0])

    def subdifferential(self, u: ArrayLike) -> Subdifferential:
        """Return dV: strength sign(w) along w, an interval where w = 0."""
        u = self._points(u)
        gradient = np.zeros_like(u)
        gradient[:, 0] = self.strength * np.sign(u[:, 0])
        return Subdifferential(gradient, weight_radius=_radius(u[:, 0] == 0.0, self.strength))

    def prox(self, u: ArrayLike, step: float) -> Array:
        """Return the soft threshold of w by step strength, ``(n, d)``."""
        result = self._points(u).copy()
        result[:, 0] = soft_threshold(result[:, 0], _step(step) * self.strength)
        return result


class Norm(_Kinked):
    """V(u) = strength |u|, kinked at the origin only.

    >>> V = Norm(1.0)
    >>> V.velocity([[0.0, 0.0], [3.0, 4.0]], [[3.0, 4.0], [0.0, 0.0]])
    array([[ 2.4,  3.2],
           [-0.6, -0.8]])
    >>> V.prox([[3.0, 4.0], [0.1, 0.1]], 1.0)
    array([[2.4, 3.2],
           [0. , 0. ]])
    """

    _degrees = MappingProxyType({"all": 1})

    def value(self, u: ArrayLike) -> Array:
        """Return strength |u|, shape ``(n,)``."""
        return self.strength * np.linalg.norm(self._points(u), axis=1)

    def subdifferential(self, u: ArrayLike) -> Subdifferential:
        """Return dV: strength u/|u|, a ball at the origin."""
        u = self._points(u)
        length = np.linalg.norm(u, axis=1)
        return Subdifferential(
            self.strength * _directions(u, length), radius=_radius(length == 0.0, self.strength)
        )

    def prox(self, u: ArrayLike, step: float) -> Array:
        """Return u shortened by step strength (block soft threshold), ``(n, d)``."""
        return shortened(self._points(u), _step(step) * self.strength)


class WeightTimesNorm(_Kinked):
    """V(w, theta) = strength |w| |theta|: for ReLU networks (Chizat and Bach 2018, section 4).

    V is (-strength)-convex. dV is the interval [-strength |theta|, strength |theta|] along w where w = 0, the
    ball of radius strength |w| in theta where theta = 0, and {0} at the origin.

    >>> V = WeightTimesNorm(0.5)
    >>> V.velocity([[0.0, 3.0, 4.0], [2.0, 0.0, 0.0]], [[3.0, 1.0, 1.0], [0.0, 3.0, 4.0]])
    array([[0.5, 1. , 1. ],
           [0. , 2.4, 3.2]])
    >>> V.prox([[0.1, 3.0, 4.0]], 0.1)
    array([[0., 3., 4.]])
    """

    _degrees = MappingProxyType({"weight": 1, "theta": 1, "all": 2})

    def value(self, u: ArrayLike) -> Array:
        """Return strength |w| |theta|, shape ``(n,)``."""
        u = self._points(u, least=2)
        return self.strength * np.abs(u[:, 0]) * np.linalg.norm(u[:, 1:], axis=1)

    def subdifferential(self, u: ArrayLike) -> Subdifferential:
        """Return dV: an interval along w where w = 0, a ball in theta where theta = 0."""
        u = self._points(u, least=2)
        weight, length = np.abs(u[:, 0]), np.linalg.norm(u[:, 1:], axis=1)
        gradient = np.empty_like(u)
        gradient[:, 0] = self.strength * length * np.sign(u[:, 0])
        gradient[:, 1:] = self.strength * weight[:, None] * _directions(u[:, 1:], length)
        return Subdifferential(
            gradient,
            weight_radius=_radius(weight == 0.0, self.strength * length),
            theta_radius=_radius(length == 0.0, self.strength * weight),
        )

    def semiconvexity(self) -> float:
        """Return ``strength``: w |theta| has the eigenvalue -1 where w and theta are exchanged."""
        return self.strength

    def prox(self, u: ArrayLike, step: float) -> Array:
        """Return argmin over (x, y) of strength |x||y| + (|x - w|^2 + |y - theta|^2) / (2 step), global.

        Signs and directions are those of w and theta, so the problem is one of two lengths x, y >= 0. With
        s = step strength < 1 it is strictly convex: the stationary point x = (|w| - s |theta|)/(1 - s^2),
        y = (|theta| - s |w|)/(1 - s^2) if neither is negative, else w or theta goes to 0 and the other stays.
        A flow needs steps with s < 1. For s >= 1 the stationary point is a saddle, and the minimiser keeps
        the longer one of w and theta (theta, if equal; then there are two minimisers) and puts the other
        to 0.
        """
        u = self._points(u, least=2)
        s = _step(step) * self.strength
        weight, length = np.abs(u[:, 0]), np.linalg.norm(u[:, 1:], axis=1)
        if s < 1.0:
            no_weight, no_theta = weight <= s * length, length <= s * weight
            new_weight, new_length = (
                (weight - s * length) / (1.0 - s * s),
                (length - s * weight) / (1.0 - s * s),
            )
        else:
            no_weight, no_theta = weight <= length, weight > length
            new_weight, new_length = weight, length
        new_weight = np.where(no_weight, 0.0, np.where(no_theta, weight, new_weight))
        new_length = np.where(no_theta & ~no_weight, 0.0, np.where(no_weight, length, new_length))
        result = np.empty_like(u)
        result[:, 0] = np.copysign(new_weight, u[:, 0]) + 0.0
        ratio = np.divide(new_length, length, out=np.zeros_like(length), where=length > 0.0)
        result[:, 1:] = ratio[:, None] * u[:, 1:]
        return result


class SquaredNorm(_Smooth):
    """V(u) = strength |u|^2, or strength |theta|^2.

    Args:
        strength: nonnegative factor.
        weight_column: whether column 0 is a weight w, which is then left out: V = strength |theta|^2.

    >>> SquaredNorm(0.5).value([[3.0, 4.0]]), SquaredNorm(0.5, weight_column=True).value([[3.0, 4.0]])
    (array([12.5]), array([8.]))
    """

    def __init__(self, strength: float, weight_column: bool = False):
        self.strength = as_number("strength", strength, least=0.0)
        self.weight_column = bool(weight_column)
        self._degrees = {"weight": 0, "theta": 2} if self.weight_column else {"all": 2}

    def __repr__(self) -> str:
        return f"SquaredNorm({self.strength:g}, weight_column={self.weight_column})"

    def value(self, u: ArrayLike) -> Array:
        """Return V, shape ``(n,)``."""
        penalised = self._points(u)[:, int(self.weight_column) :]
        return self.strength * np.einsum("ij,ij->i", penalised, penalised)

    def smooth_gradient(self, u: ArrayLike) -> Array:
        """Return the gradient of V, ``(n, d)``."""
        gradient = 2.0 * self.strength * self._points(u)
        if self.weight_column:
            gradient[:, 0] = 0.0
        return gradient

    def semiconvexity(self) -> float:
        """Return -2 strength, or 0 where the weight is left out."""
        return 0.0 if self.weight_column else -2.0 * self.strength

    def resolvent(self, u: ArrayLike, step: float) -> Array:
        """Return u / (1 + 2 step strength) in the penalised columns, ``(n, d)``."""
        result = self._points(u).copy()
        result[:, int(self.weight_column) :] /= 1.0 + 2.0 * _step(step) * self.strength
        return result


class Linear(_Smooth):
    """V(u) = <c, u>.

    >>> Linear([1.0, -2.0]).value([[3.0, 1.0]])
    array([1.])
    """

    _degrees = MappingProxyType({"all": 1})

    def __init__(self, c: ArrayLike):
        self.c = as_vector("c", c)
        self.dim = self.c.size

    def __repr__(self) -> str:
        return f"Linear({self.c.tolist()})"

    def value(self, u: ArrayLike) -> Array:
        """Return <c, u>, shape ``(n,)``."""
        return self._points(u) @ self.c

    def smooth_gradient(self, u: ArrayLike) -> Array:
        """Return c in every row, ``(n, d)``."""
        return np.tile(self.c, (self._points(u).shape[0], 1))

    def resolvent(self, u: ArrayLike, step: float) -> Array:
        """Return u - step c, ``(n, d)``."""
        return self._points(u) - _step(step) * self.c


class Quadratic(_Smooth):
    """V(u) = 1/2 <u - center, B (u - center)>, B symmetric; negative eigenvalues are allowed.

    Args:
        B: symmetric ``(d, d)``.
        center: ``(d,)``, the origin if not given.

    >>> Quadratic([[2.0, 0.0], [0.0, 1.0]], center=[1.0, 0.0]).value([[2.0, 2.0]])
    array([3.])
    """

    def __init__(self, B: ArrayLike, center: ArrayLike | None = None):
        self.B = symmetric_matrix("B", B)
        self.dim = self.B.shape[0]
        self.center = np.zeros(self.dim) if center is None else as_vector("center", center, self.dim)

    def __repr__(self) -> str:
        return f"Quadratic({self.B.tolist()}, center={self.center.tolist()})"

    def value(self, u: ArrayLike) -> Array:
        """Return V, shape ``(n,)``."""
        offset = self._points(u) - self.center
        return 0.5 * np.einsum("ij,ij->i", offset, offset @ self.B)

    def smooth_gradient(self, u: ArrayLike) -> Array:
        """Return B (u - center), ``(n, d)``."""
        return (self._points(u) - self.center) @ self.B

    def semiconvexity(self) -> float:
        """Return minus the least eigenvalue of B."""
        return -float(np.linalg.eigvalsh(self.B)[0])

    def resolvent(self, u: ArrayLike, step: float) -> Array:
        """Return center + (I + step B)^-1 (u - center), ``(n, d)``.

        Raises:
            WassflowError: if I + step B is not positive definite, so that there is no minimiser.
        """
        offset, step = self._points(u) - self.center, _step(step)
        least = float(np.linalg.eigvalsh(self.B)[0])
        if 1.0 + step * least <= 0.0:
            raise WassflowError(f"the proximal map of {self!r} needs step < {-1.0 / least:g}, found {step:g}")
        return self.center + np.linalg.solve(np.eye(self.B.shape[0]) + step * self.B, offset.T).T


class Callable(Regularizer):
    """A regulariser given by functions of the user; points are ``(n, d)``.

    A smooth V needs ``value`` and ``gradient``. A V with kinks needs ``velocity`` for density flows and
    ``prox`` for forward-backward steps of particles; a ``gradient`` given beside ``prox`` is moved
    explicitly, and ``prox`` is then that of the rest.

    Args:
        value: V(u), ``(n,)``.
        gradient: gradient, ``(n, d)``.
        prox: function of (u, step) that returns ``(n, d)``.
        velocity: function of (u, vt) that returns vt - proj_{dV(u)}(vt), ``(n, d)``. At a wall the result is
            projected on the tangent cone, which is exact if kinks and walls are orthogonal.
        dim: d, if the functions work for one dimension only.

    Raises:
        ValueError: if an argument is not a function, if there is neither a gradient nor a velocity nor a
            prox, or, at the call, if a function returns another shape.
        WassflowError: if something is asked of V that needs a function that was not given.

    >>> V = Callable(lambda u: (u**4).sum(axis=1), gradient=lambda u: 4 * u**3)
    >>> V.velocity([[1.0, 0.0]], [[0.0, 1.0]])
    array([[-4.,  1.]])
    """

    def __init__(
        self,
        value: abc.Callable[[Array], ArrayLike],
        gradient: abc.Callable[[Array], ArrayLike] | None = None,
        prox: abc.Callable[[Array, float], ArrayLike] | None = None,
        velocity: abc.Callable[[Array, Array], ArrayLike] | None = None,
        dim: int | None = None,
    ):
        self._value = checked_function("value", value)
        self._gradient = None if gradient is None else checked_function("gradient", gradient)
        self._prox = None if prox is None else checked_function("prox", prox)
        self._velocity = None if velocity is None else checked_function("velocity", velocity)
        if gradient is None and prox is None and velocity is None:
            raise ValueError(
                "gradient must be given for a smooth V, velocity and prox for one with kinks; found none"
            )
        self.dim = dim
        self.smooth = prox is None and velocity is None

    def __repr__(self) -> str:
        given = [name for name in ("gradient", "prox", "velocity") if getattr(self, f"_{name}") is not None]
        return f"Callable(value, {', '.join(given)})"

    def value(self, u: ArrayLike) -> Array:
        """Return V, shape ``(n,)``."""
        u = self._points(u)
        return user_array("value(u) of a Callable regularizer", self._value, u, u.shape[:1], "(n,)")

    def subdifferential(self, u: ArrayLike) -> Subdifferential:
        """Return dV = {gradient} of a smooth V."""
        if not self.smooth:
            raise WassflowError(f"the subdifferential of {self!r} is known through its velocity only")
        return Subdifferential(self.smooth_gradient(u))

    def velocity(self, u: ArrayLike, vt: ArrayLike, domain: Walls | None = None) -> Array:
        """Return vt - proj_{dV(u)}(vt), ``(n, d)``, projected on the tangent cone of ``domain``."""
        if self.smooth:
            return super().velocity(u, vt, domain)
        if self._velocity is None:
            raise WassflowError(f"{self!r} has kinks: its velocity needs the argument velocity")
        u, vt = self._points_and_velocities(u, vt)
        name = "velocity(u, vt) of a Callable regularizer"
        v = user_array(name, self._velocity, u, u.shape, "(n, d)", vt)
        return v if domain is None else domain.project_velocity(u, v)

    def smooth_gradient(self, u: ArrayLike) -> Array:
        """Return the gradient given by the user, zeros if none was given, ``(n, d)``."""
        if self._gradient is None:
            return super().smooth_gradient(u)
        u = self._points(u)
        return user_array("gradient(u) of a Callable regularizer", self._gradient, u, u.shape, "(n, d)")

    def prox(self, u: ArrayLike, step: float) -> Array:
        """Return the proximal map given by the user, ``(n, d)``; the identity for a smooth V."""
        if self.smooth:
            return super().prox(u, step)
        if self._prox is None:
            raise WassflowError(f"{self!r} has kinks: a forward-backward step needs the argument prox")
        u = self._points(u)
        return user_array(
            "prox(u, step) of a Callable regularizer", self._prox, u, u.shape, "(n, d)", _step(step)
        )

    def semiconvexity(self) -> float:
        """Raise a WassflowError: it is not known of a user's function."""
        raise WassflowError(f"the semiconvexity of {self!r} is not known: give it as semiconvexity")

    def resolvent(self, u: ArrayLike, step: float) -> Array:
        """Return the proximal map given by the user, if V has no part that is moved explicitly."""
        if self._gradient is not None:
            return super().resolvent(u, step)
        return self.prox(u, step)


class Sum(Regularizer):
    """V = V_1 + V_2 + ..., with the exact velocity of the sum: kinks of the terms add up (they are regular).

    The velocity is exact for every combination of the regularisers of this module, and for one
    :class:`Callable` with kinks beside smooth terms.

    Smooth terms are moved explicitly. The proximal map of the kinked terms together is exact for terms of the
    same kind, for :class:`AbsWeight` with :class:`Norm` (the one after the other: Yu 2013, "On decomposing
    the proximal map") and for :class:`AbsWeight` with :class:`WeightTimesNorm` (strength |w|
    shifts |w| in the problem of two lengths); other combinations have no closed form and are refused by
    ``prox``.

    >>> V = Sum(AbsWeight(0.1), SquaredNorm(1.0, weight_column=True))
    >>> V.value([[2.0, 3.0]]), V.smooth, V.smooth_gradient([[2.0, 3.0]])
    (array([9.2]), False, array([[0., 6.]]))
    """

    def __init__(self, *terms: Regularizer):
        flat: list[Regularizer] = []
        for index, term in enumerate(terms):
            if not isinstance(term, Regularizer):
                raise ValueError(
                    f"terms must be regularizers, found {type(term).__name__} at position {index}"
                )
            flat.extend(term.terms if isinstance(term, Sum) else [term])
        dims = {term.dim for term in flat if term.dim is not None}
        if len(dims) > 1:
            raise ValueError(f"terms must have the same dimension, found {sorted(dims)}")
        self.terms: tuple[Regularizer, ...] = tuple(flat)
        self.dim = dims.pop() if dims else None
        self.smooth = all(term.smooth for term in flat)

    def __repr__(self) -> str:
        return f"Sum({', '.join(map(repr, self.terms))})"

    def value(self, u: ArrayLike) -> Array:
        """Return V, shape ``(n,)``."""
        u = self._points(u)
        return sum((term.value(u) for term in self.terms), start=np.zeros(u.shape[0]))

    def subdifferential(self, u: ArrayLike) -> Subdifferential:
        """Return dV, the Minkowski sum of the subdifferentials of the terms."""
        u = self._points(u)
        return sum((term.subdifferential(u) for term in self.terms), start=Subdifferential(np.zeros_like(u)))

    def velocity(self, u: ArrayLike, vt: ArrayLike, domain: Walls | None = None) -> Array:
        """Return the element of least norm of vt - dV(u) - N(u), ``(n, d)``."""
        opaque = [term for term in self.terms if isinstance(term, Callable) and not term.smooth]
        if not opaque:
            return super().velocity(u, vt, domain)
        kinked = [term for term in self.terms if not term.smooth]
        if len(kinked) > 1:
            raise WassflowError(
                f"the velocity of {self!r} is not known: kinks of a Callable beside other kinks"
            )
        u, vt = self._points_and_velocities(u, vt)
        smooth = sum((term.smooth_gradient(u) for term in self.terms if term.smooth), start=np.zeros_like(u))
        return opaque[0].velocity(u, vt - smooth, domain)

    def smooth_gradient(self, u: ArrayLike) -> Array:
        """Return the sum of the gradients of what is moved explicitly, ``(n, d)``."""
        u = self._points(u)
        return sum((term.smooth_gradient(u) for term in self.terms), start=np.zeros_like(u))

    def prox(self, u: ArrayLike, step: float) -> Array:
        """Return the exact proximal map of the sum of the kinked terms at points ``(n, d)``.

        Raises:
            WassflowError: if the kinked terms have no joint proximal map in closed form.
        """
        result, step = super().prox(u, step), _step(step)
        for term in self._kinked():
            result = term.prox(result, step)
        return result

    def homogeneous(self, degree: int, part: str) -> bool:
        """Tell whether all terms are."""
        return all(term.homogeneous(degree, part) for term in self.terms)

    def semiconvexity(self) -> float:
        """Return the sum over the terms."""
        return float(sum(term.semiconvexity() for term in self.terms))

    def resolvent(self, u: ArrayLike, step: float) -> Array:
        """Return the exact proximal map of the whole V if no term is moved explicitly or one is left.

        Raises:
            WassflowError: if V has no closed form for it.
        """
        terms = [term for term in self.terms if not isinstance(term, Zero)]
        if len(terms) == 1:
            return terms[0].resolvent(u, step)
        if any(term.smooth or isinstance(term, Callable) for term in terms):
            return super().resolvent(u, step)
        return self.prox(u, step)

    def _kinked(self) -> list[Regularizer]:
        """Return terms whose proximal maps, applied one after the other, are that of the kinked part."""
        kinked = [term for term in self.terms if not term.smooth]
        if len(kinked) <= 1:
            return kinked
        merged = [
            kind(sum(term.strength for term in kinked if isinstance(term, kind)))
            for kind in (AbsWeight, Norm, WeightTimesNorm)
        ]
        _, norm, product = merged
        foreign = [term for term in kinked if not isinstance(term, AbsWeight | Norm | WeightTimesNorm)]
        if foreign or (norm.strength > 0.0 and product.strength > 0.0):
            raise WassflowError(
                f"the kinked terms {', '.join(map(repr, kinked))} have no joint proximal map in closed form: "
                "keep one of them, or combine AbsWeight with Norm or with WeightTimesNorm"
            )
        return [term for term in merged if term.strength > 0.0]


def _step(step: float) -> float:
    return as_number("step", step, least=0.0)


def _radius(kink: np.ndarray, radius: Array | float) -> Array | None:
    """Return ``radius`` on kinks and 0 elsewhere; ``None`` if no point is on a kink."""
    return np.where(kink, radius, 0.0) if kink.any() else None


def _directions(x: Array, length: Array) -> Array:
    """Return x / |x| row by row, zero for a zero row."""
    return np.divide(x, length[:, None], out=np.zeros_like(x), where=length[:, None] > 0.0)
