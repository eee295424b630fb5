"""Families of random problems whose simplest minimiser has few atoms, for m particles to find."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from wassflow.arguments import Array, as_integer, as_number, one_of
from wassflow.domain import Box, Domain
from wassflow.functional import Functional, SpikeFeatures, SquaredLoss, regularizer
from wassflow.functional.population import GaussianNeurons, PopulationLoss
from wassflow.measure import ParticleCloud

# A random spike train is drawn again at most so often until its spikes are far enough apart.
_ATTEMPTS = 10_000


@dataclass(frozen=True, eq=False)
class Problem:
    """One problem of a family.

    Attributes:
        functional: F.
        domain: Omega, ``None`` for the whole space.
        teacher: the atoms from which the data were made, points (w, theta) of mass 1.
    """

    functional: Functional
    domain: Domain | None
    teacher: ParticleCloud


class Family(ABC):
    """Random problems F(mu) = R(int w phi(theta) dmu) + int V dmu, numbered 0, 1, 2, ...

    Attributes:
        m0: atoms of the teacher.
        time: a time in which particles move noticeably.
        laps: a flow is given up after ``time`` times 2^(laps - 1).
        together: how many problems are moved together: they share features, and steps cost little more.
        step_error: root mean square error that a step may make: what matters is where particles end.
        integrator: of the flow; ``None`` leaves it to :class:`wassflow.ParticleFlow`.
        least: F*, where it is known; else ``None``, and it is to be computed.
    """

    m0: int
    time: float
    laps: int
    together: int
    step_error: float
    integrator: str | None
    least: float | None

    @property
    @abstractmethod
    def name(self) -> str:
        """One of :data:`FAMILIES`."""

    @property
    @abstractmethod
    def unknown(self) -> str:
        """Which numbers of the paper are not known, and what is used instead."""

    @abstractmethod
    def problem(self, number: int, m: int = 1) -> Problem:
        """Return the problem of this number, the same at every call, to be given to at most m particles."""

    @abstractmethod
    def start(self, number: int, m: int) -> ParticleCloud:
        """Return m particles of mass 1/m from which the flow of this problem starts."""


@dataclass(frozen=True)
class RandomSpikes(Family):
    """Sparse deconvolution on the circle (Chizat and Bach 2018, section 4.1 and Figures 1 and 3).

    Phi(w, theta) = w psi(. - theta), psi the Dirichlet kernel of the given order, R(f) = |f - y|^2 / (2
    ``regularization``) in the mean over the circle, V = |w|. The spikes lie at least ``separation`` apart on
    the circle of length ``period`` (measured on that of length 2 pi); their weights are sign (1/2 + U(-1/4,
    1/4)), then scaled to sum |w| = 1. Particles start from w = 0 on an equidistant grid.

    >>> family = RandomSpikes()
    >>> family.problem(3).teacher.size, family.start(3, 4).points[:, 0]
    (5, array([0., 0., 0., 0.]))
    """

    m0: int = 5
    order: int = 7
    regularization: float = 0.8
    separation: float = 0.4
    period: float = 2.0 * np.pi

    time = 2.0
    laps = 7
    together = 50
    step_error = 1e-3
    integrator = None
    least = None

    @property
    def name(self) -> str:
        """The word deconvolution."""
        return "deconvolution"

    def __post_init__(self) -> None:
        as_integer("m0", self.m0, least=1)
        as_integer("order", self.order, least=1)
        as_number("regularization", self.regularization, above=0.0)
        as_number("period", self.period, above=0.0)
        # half of the densest packing, so that random ones are found
        as_number("separation", self.separation, least=0.0, most=np.pi / self.m0)

    @property
    def unknown(self) -> str:
        """What the paper does not say."""
        return (
            "The paper does not say lambda, the length of the circle, the law of the spikes and the step "
            f"rule. Used: R = |f - y|^2/(2 lambda) with lambda = {self.regularization:g} and the mean over "
            f"the circle, length {self.period:.4g}, order {self.order}, {self.m0} spikes at least "
            f"{self.separation:g} of 2 pi apart, weights sign (1/2 + U(-1/4, 1/4)) scaled to sum |w| = 1 "
            "(the law of the spikes is that of Chizat's code of 2019). lambda and the separation were chosen "
            "so that the competitor, which knows no flow, has the authors' losses."
        )

    def problem(self, number: int, m: int = 1) -> Problem:
        """Return the problem of this number, whatever m is."""
        rng = np.random.default_rng((5, number))
        for _ in range(_ATTEMPTS):
            angles = np.sort(rng.uniform(0.0, 2.0 * np.pi, self.m0))
            if np.diff(angles, append=angles[0] + 2.0 * np.pi).min() >= self.separation:
                break
        weights = rng.choice([-1.0, 1.0], self.m0) * (0.5 + rng.uniform(-0.25, 0.25, self.m0))
        weights /= np.abs(weights).sum()
        spikes = np.column_stack([weights, angles * self.period / (2.0 * np.pi)])
        features = SpikeFeatures("dirichlet", order=self.order, dim=1, period=self.period)
        target = features.moment(spikes, np.ones(self.m0))
        loss = SquaredLoss(target, scale=1.0 / (self.regularization * self.period))
        domain = Box([-np.inf, 0.0], [np.inf, self.period], periodic=(False, True))
        functional = Functional(features, loss, regularizer.AbsWeight(1.0))
        return Problem(functional, domain, ParticleCloud(spikes, np.ones(self.m0)))

    def start(self, number: int, m: int) -> ParticleCloud:
        """Return m particles of weight 0 at the middles of m equal arcs, the same for all problems."""
        theta = (np.arange(m) + 0.5) * (self.period / m)
        return ParticleCloud(np.column_stack([np.zeros(m), theta]))


@dataclass(frozen=True)
class TeacherNetwork(Family):
    """A student network learns a teacher network (Chizat and Bach 2018, section 4.2 and Figure 3).

    Phi(w, theta)(x) = w sigma(<theta, x>) for Gaussian x in R^``dim``, R(f) = E (f - y)^2 / E y^2 in closed
    form (:class:`~wassflow.functional.population.PopulationLoss`), V = 0: the teacher itself attains F* = 0.
    Its ``m0`` neurons have weights +-1 in turn and Gaussian directions of root mean square norm ``norm``
    (``None``: 1 for "relu", 4 for "sigmoid"). Particles start from weights +-1 in turn and directions of the
    same law.

    >>> family = TeacherNetwork("relu", m0=2, dim=3)
    >>> family.problem(0, m=5).functional.dim, family.start(0, 5).points.shape
    (4, (5, 4))
    """

    activation: str = "relu"
    m0: int = 20
    dim: int = 100
    norm: float | None = None

    time = 16.0
    laps = 11
    step_error = 1e-2
    integrator = "rkc"
    together = 1
    least = 0.0

    def __post_init__(self) -> None:
        one_of("activation", self.activation, ("relu", "sigmoid"))
        as_integer("m0", self.m0, least=1)
        as_integer("dim", self.dim, least=1)
        if self.norm is not None:
            as_number("norm", self.norm, above=0.0)

    @property
    def name(self) -> str:
        """The activation."""
        return self.activation

    @property
    def unknown(self) -> str:
        """What the paper does not say."""
        sigmoid = "the normal distribution function as sigmoid, " if self.activation == "sigmoid" else ""
        return (
            "The paper does not say the laws of the data, the teacher and the start, the strength of V and "
            f"the step rule. Used: {sigmoid}Gaussian inputs in dimension {self.dim}, the loss in expectation "
            "over them (relative to that of f = 0), V = 0, teacher and start with weights +-1 in turn and "
            f"Gaussian directions of root mean square norm {self._length:g}. F* = 0, which the teacher "
            "attains."
        )

    def problem(self, number: int, m: int = 1) -> Problem:
        """Return the problem of this number, for at most m or m0 particles."""
        teacher = self._neurons(np.random.default_rng((6, number)), self.m0)
        features = GaussianNeurons(self.activation, self.dim, max(m, self.m0) + self.m0)
        unscaled = PopulationLoss(features, teacher).value(np.zeros(features.size))
        loss = PopulationLoss(features, teacher, scale=1.0 / unscaled)
        functional = Functional(features, loss, regularizer.Zero())
        return Problem(functional, None, ParticleCloud(teacher, np.ones(self.m0)))

    def start(self, number: int, m: int) -> ParticleCloud:
        """Return m random neurons."""
        return ParticleCloud(self._neurons(np.random.default_rng((7, number, m)), m))

    @property
    def _length(self) -> float:
        return self.norm or (1.0 if self.activation == "relu" else 4.0)

    def _neurons(self, rng: np.random.Generator, count: int) -> Array:
        theta = rng.standard_normal((count, self.dim)) * (self._length / np.sqrt(self.dim))
        return np.column_stack([(-1.0) ** np.arange(count), theta])


FAMILIES = ("deconvolution", "relu", "sigmoid")


def family(name: str, **parameters: object) -> Family:
    """Return the family "deconvolution", "relu" or "sigmoid", with some of its parameters changed.

    >>> family("sigmoid", dim=2).m0
    20
    """
    one_of("the family of problems", name, FAMILIES)
    kind = RandomSpikes if name == "deconvolution" else TeacherNetwork
    given = dict(parameters) if name == "deconvolution" else {"activation": name, **parameters}
    for key in given:
        one_of(f"the parameter of {name}", key, kind.__dataclass_fields__)
    return kind(**given)  # type: ignore[arg-type]
