"""A ready-to-run problem, and the registry of those that have names."""

import inspect
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_points, as_vector, one_of
from wassflow.cases.exact import Solution
from wassflow.cases.profiles import Profile, RadialProfile, product_density
from wassflow.domain import Domain
from wassflow.errors import WassflowError
from wassflow.flow import DensityFlow, ParticleFlow
from wassflow.functional import Functional
from wassflow.measure import MeshDensity
from wassflow.mesh import Mesh, box

# Tables that a case file may hold for the commands of the command line, which check them.
_COMMANDS = ("run", "animate", "limit", "refine")


@dataclass(frozen=True)
class ProductStart:
    """The product of one-dimensional laws as a density, ``(n, d) -> (n,)``.

    >>> ProductStart((Profile(0.0, 1.0, "uniform"), Profile(1.0, 2.0, "uniform")))(np.zeros((1, 2)))
    array([0.125])
    """

    profiles: tuple[Profile, ...]

    def __call__(self, u: Array) -> Array:
        """Return the density at ``u (n, d)``."""
        return product_density(self.profiles, u)


@dataclass(frozen=True)
class RadialStart:
    """A rotation-invariant law about a point as a density, ``(n, d) -> (n,)``.

    >>> start = RadialStart(RadialProfile(dim=2, shape="uniform"), (5.0, 0.0))
    >>> float(start(np.array([[5.5, 0.0]]))[0] * np.pi)
    1.0
    """

    profile: RadialProfile
    center: tuple[float, ...]

    def __call__(self, u: Array) -> Array:
        """Return the density at ``u (n, d)``."""
        return self.profile.density(np.linalg.norm(u - np.array(self.center), axis=1))


@dataclass(frozen=True, kw_only=True)
class Case:
    """A gradient flow with its start, its domain, a resolution and the times at which to look.

    Attributes:
        name: how :func:`get` knows it.
        summary: one line.
        functional: F.
        domain: Omega, a bounded box.
        initial: density of mu_0, ``(n, d) -> (n,)``.
        mass: total mass.
        t_end: end of the run, the last of ``times``.
        times: when to look, from 0 on.
        cells: boxes along each axis of the mesh.
        cell: type of the mesh cells.
        exact: the solution in closed form, where it is known, or a :func:`wassflow.reference`.
        coordinates: names of the d axes for pictures, in matplotlib's math notation; none: u_1, u_2, ...
        planted: for every spike or teacher neuron behind the target the ray on which mass stands for it,
            ``(k, 2, d)``: where the ray starts and one point further on; for pictures.
        parameters: what the case was built with.

    >>> import wassflow as wf
    >>> case = wf.cases.get("cosine-2d", y=(0.3, -0.2))
    >>> case.domain.dim, case.parameters["y"], case.exact.moment(0.0).round(12)
    (2, (0.3, -0.2), array([-0.4,  0.3]))
    """

    name: str = ""
    summary: str = ""
    functional: Functional
    domain: Domain
    initial: Callable[[Array], ArrayLike]
    mass: float = 1.0
    times: tuple[float, ...]
    cells: tuple[int, ...]
    cell: str
    exact: Solution | None = None
    coordinates: tuple[str, ...] = ()
    planted: Array | None = None
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def t_end(self) -> float:
        """End of the run."""
        return self.times[-1]

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.domain.dim

    def mesh(
        self, cells: int | Sequence[int] | None = None, cell: str | None = None, comm: Any = None
    ) -> Mesh:
        """Return a mesh of the domain, with ``cells`` boxes along each axis; over all ranks by default."""
        return box(self.domain, self.cells if cells is None else cells, cell or self.cell, comm)

    def start(self, mesh: Mesh) -> MeshDensity:
        """Return the projection of mu_0 on a mesh."""
        return MeshDensity.from_function(mesh, self.initial, mass=self.mass)

    def density_flow(self, mesh: Mesh, **options: Any) -> DensityFlow:
        """Return the flow as a density; ``options`` are those of :class:`wassflow.DensityFlow`."""
        return DensityFlow(self.functional, mesh, **options)

    def particle_flow(self, **options: Any) -> ParticleFlow:
        """Return the flow as particles; ``options`` are those of :class:`wassflow.ParticleFlow`."""
        return ParticleFlow(self.functional, self.domain, **options)


_BUILDERS: dict[str, Callable[..., Case]] = {}


def register(name: str) -> Callable[[Callable[..., Case]], Callable[..., Case]]:
    """Make a function with keyword parameters, all with defaults, the builder of the case ``name``.

    The first line of its docstring becomes the summary of the case.
    """

    def add(builder: Callable[..., Case]) -> Callable[..., Case]:
        _BUILDERS[name] = builder
        return builder

    return add


def names() -> list[str]:
    """Return the names of all cases.

    >>> "cosine-2d" in names()
    True
    """
    return sorted(_BUILDERS)


def parameters(name: str) -> dict[str, Any]:
    """Return the parameters of a case with their defaults.

    >>> parameters("cosine-2d")["z0"]
    (-0.4, 0.3)
    """
    signature = inspect.signature(_builder(name))
    return {key: parameter.default for key, parameter in signature.parameters.items()}


def get(name: str, **given: Any) -> Case:
    """Build the case ``name``, with some of its parameters changed.

    Raises:
        ValueError: an unknown case, a parameter that the case does not have, a value that it does not take.

    >>> get("cosine-2d").cell
    'triangle'
    """
    builder, defaults = _builder(name), parameters(name)
    for key in given:
        one_of(f"the parameter of {name}", key, defaults)
    chosen = defaults | given
    case = builder(**chosen)
    summary = (inspect.getdoc(builder) or "").partition("\n")[0].removesuffix(".")
    return replace(case, name=name, summary=summary, parameters=chosen)


def load(path: str | PathLike[str]) -> Case:
    """Build a case from a TOML file.

    The file names the case, and may set its parameters and, for the command line, options of its commands::

        case = "deconvolution-2d"       # or a table [case] with name and parameters

        [parameters]
        strength = 0.1

        [run]                           # [limit], [refine]: read by these commands, not here
        m = 1000

    Raises:
        ValueError: no TOML, an unknown key or case, a value that a parameter does not take.
        WassflowError: the file cannot be read.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise WassflowError(f"cannot read the case file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} must be a TOML file: {error}") from error
    for key in content:
        one_of(f"a key of {path}", key, ("case", "parameters", *_COMMANDS))
    chosen: Any = content.get("case")
    if isinstance(chosen, dict):
        for key in chosen:
            one_of(f"a key of [case] in {path}", key, ("name", "parameters"))
        if "parameters" in chosen and "parameters" in content:
            raise ValueError(f"{path} must give parameters once, found [parameters] and [case.parameters]")
        given = chosen.get("parameters", content.get("parameters", {}))
        chosen = chosen.get("name")
    else:
        given = content.get("parameters", {})
    if not isinstance(chosen, str):
        raise ValueError(f'{path} must name a case, case = "...", found {chosen!r}')
    if not isinstance(given, dict):
        raise ValueError(f"parameters in {path} must be a table, found {given!r}")
    return get(chosen, **given)


def weight_rays(points: ArrayLike) -> Array:
    """Return the rays along w, ``(n, 2, d)``, on which mass stands for spikes or neurons u = (w, theta).

    >>> weight_rays([[-0.5, 3.0]]).tolist()
    [[[0.0, 3.0], [-0.5, 3.0]]]
    """
    ends = as_points("points", points)
    starts = ends.copy()
    starts[:, 0] = 0.0
    return np.stack([starts, ends], axis=1)


def save_times(times: ArrayLike) -> tuple[float, ...]:
    """Return the parameter ``times`` of a case: increasing, from 0 on, at least one later."""
    chosen = as_vector("times", times)
    if chosen.size < 2 or chosen[0] != 0.0 or np.any(np.diff(chosen) <= 0.0):
        raise ValueError(f"times must start at 0 and increase, found {chosen.tolist()}")
    return tuple(float(t) for t in chosen)


def _builder(name: str) -> Callable[..., Case]:
    return _BUILDERS[one_of("the case", name, names())]
