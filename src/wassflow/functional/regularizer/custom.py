"""A regulariser given by functions of the user."""

from collections import abc

from numpy.typing import ArrayLike

from wassflow.arguments import Array
from wassflow.errors import WassflowError
from wassflow.functional.features import checked_function, user_array
from wassflow.functional.regularizer.base import Regularizer, checked_step
from wassflow.functional.subdifferential import Subdifferential, Walls


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
            "prox(u, step) of a Callable regularizer", self._prox, u, u.shape, "(n, d)", checked_step(step)
        )

    def semiconvexity(self) -> float:
        """Raise a WassflowError: it is not known of a user's function."""
        raise WassflowError(f"the semiconvexity of {self!r} is not known: give it as semiconvexity")

    def resolvent(self, u: ArrayLike, step: float) -> Array:
        """Return the proximal map given by the user, if V has no part that is moved explicitly."""
        if self._gradient is not None:
            return super().resolvent(u, step)
        return self.prox(u, step)
