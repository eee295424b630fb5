"""The runs of the many-particle study, each a task of its own: particles against the PDE's solution."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpi4py import MPI

from wassflow import cases
from wassflow.arguments import Array
from wassflow.cases import Case
from wassflow.errors import WassflowError
from wassflow.flow import Trajectory
from wassflow.measure import MeshDensity, ParticleCloud
from wassflow.mesh import Mesh
from wassflow.study.densities import density_distance
from wassflow.study.flow_map import FollowedStarts
from wassflow.study.stability import stability_bound
from wassflow.transport import wasserstein2

Record = dict[str, Any]


@dataclass(frozen=True)
class FloorTask:
    """Measure the PDE's own error at one time of comparison."""

    time: float


@dataclass(frozen=True)
class ParticleTask:
    """Run one particle flow and measure its distance from the density at every time.

    ``references`` is how many particles stand for the PDE's flow map, 0 where none are needed: runs that were
    compared with fewer must not be mixed with those of a longer ladder.
    """

    method: str
    m: int
    seed: int
    references: int = 0


@dataclass(frozen=True)
class Recipe:
    """A case by name, for those whose functions cannot be sent to another process."""

    name: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """What a worker needs to know, in plain data: the case, the mesh, and the PDE's solution.

    ``followed`` says where the PDE takes the iid starts, where no closed form does.
    """

    case: Case | Recipe
    cells: tuple[int, ...]
    cell: str
    start_energy: float
    times: tuple[float, ...]
    masses: tuple[Array, ...]
    coarse_cells: tuple[int, ...]
    coarse_masses: tuple[Array, ...]
    moments: tuple[Array, ...]
    energies: tuple[float, ...]
    step_times: Array
    step_moments: Array
    followed: FollowedStarts | None


@dataclass
class Prepared:
    """What all tasks in a process share; ``slopes`` are Lip(DPhi) and lambda_V, or None where not known."""

    setting: Setting
    case: Case
    densities: list[MeshDensity]
    start: MeshDensity
    slopes: tuple[float, float] | None


def prepare(setting: Setting) -> Prepared:
    """Build the case, the mesh and the densities on it, once per process."""
    case = setting.case
    if isinstance(case, Recipe):
        case = cases.get(case.name, **case.parameters)
    mesh = case.mesh(setting.cells, setting.cell, comm=MPI.COMM_SELF)
    start = case.start(mesh)
    energy = float(case.functional.value(start))
    if not abs(energy - setting.start_energy) <= 1e-10 * (1.0 + abs(energy)):
        raise WassflowError(
            f"the case {case.name!r} was changed after it was built and cannot be sent to other "
            f"processes: its energy at the start is {setting.start_energy:.12g} here and {energy:.12g} "
            "there; use workers=1"
        )
    densities = [_from_input_order(mesh, masses) for masses in setting.masses]
    return Prepared(setting, case, densities, start, _slopes(case))


def _slopes(case: Case) -> tuple[float, float] | None:
    functional, domain = case.functional, case.domain
    try:
        lipschitz = functional.features.lipschitz_gradient(domain.lower, domain.upper, functional.loss.metric)
        return lipschitz, functional.regularizer.semiconvexity()
    except WassflowError:  # ReLU neurons, features of a user
        return None


def work(prepared: Prepared, task: FloorTask | ParticleTask) -> Any:
    """Do one task."""
    return _floor(prepared, task) if isinstance(task, FloorTask) else _measure(prepared, task)


def _floor(prepared: Prepared, task: FloorTask) -> Record:
    """The bracket of W2 between the densities on the mesh and on the coarser one, at one time."""
    setting, case = prepared.setting, prepared.case
    index = setting.times.index(task.time)
    mesh = case.mesh(setting.coarse_cells, setting.cell, comm=MPI.COMM_SELF)
    coarse = _from_input_order(mesh, setting.coarse_masses[index])
    floor = density_distance(prepared.densities[index], coarse, case.domain, width=0.5)
    return {key: getattr(floor, key) for key in ("lower", "upper", "method", "value", "rounding")}


def particle_start(start: MeshDensity, method: str, m: int, seed: int) -> ParticleCloud:
    """The m particles of a run at time 0."""
    return ParticleCloud.sample(start, m, method=method, seed=sampling_seed(seed, m))


def particle_run(case: Case, cloud: ParticleCloud, times: tuple[float, ...]) -> Trajectory:
    """Let particles flow; a trajectory of their start alone when the only time is 0."""
    if times[-1] > 0.0:
        return case.particle_flow().run(cloud, times[-1], save=list(times))
    return at_rest(case, cloud)


def _measure(prepared: Prepared, task: ParticleTask) -> list[Record]:
    """One particle flow, compared with the density at every time."""
    setting, case = prepared.setting, prepared.case
    cloud = particle_start(prepared.start, task.method, task.m, task.seed)
    flow = particle_run(case, cloud, setting.times)
    distances = [
        wasserstein2(flow.at(t), density, domain=case.domain)
        for t, density in zip(setting.times, prepared.densities, strict=True)
    ]
    bounds = _stability(prepared, flow, distances[0].upper)
    moments, energies, arrivals = _expected(prepared, task, cloud)
    records = []
    for k, (t, distance) in enumerate(zip(setting.times, distances, strict=True)):
        particles = flow.at(t)
        energy = float(case.functional.value(particles))
        records.append(
            {
                "method": task.method,
                "m": task.m,
                "seed": task.seed,
                "time": t,
                "lower": float(distance.lower),
                "upper": float(distance.upper),
                "value": float(distance.value),
                "w2_method": distance.method,
                "stability": bounds[k],
                "energy": energy,
                "energy_error": abs(energy - energies[k]),
                "moment_error": float(np.linalg.norm(case.functional.moment(particles) - moments[k])),
                "coupled": None if arrivals is None else _shift(case, particles, arrivals[k]),
            }
        )
    return records


def _expected(
    prepared: Prepared, task: ParticleTask, cloud: ParticleCloud
) -> tuple[Sequence[Array], Sequence[float], Sequence[Array] | None]:
    """The PDE's f and F at every time, and where its flow map takes the particles, if that is known."""
    setting, exact = prepared.setting, prepared.case.exact
    if exact is not None:
        arrivals = [exact.flow_map(t, cloud.points) for t in setting.times]
        return setting.moments, setting.energies, arrivals
    followed = setting.followed
    if task.method == "iid" and followed is not None:
        return followed.moments, followed.energies, followed.arrivals[task.m, task.seed]
    return setting.moments, setting.energies, None


def sampling_seed(seed: int, m: int) -> int:
    """Return the seed of :meth:`wassflow.ParticleCloud.sample` for m particles and a seed of the study.

    >>> sampling_seed(0, 16) == sampling_seed(0, 32)
    False
    """
    return int(np.random.SeedSequence([seed, m]).generate_state(1)[0])


def _stability(prepared: Prepared, flow: Trajectory, initial: float) -> list[float | None]:
    """The bound of W2 at the times of comparison that follows from its value at time 0."""
    setting = prepared.setting
    if prepared.slopes is None or setting.times[0] > 0.0:
        return [None] * len(setting.times)
    pde = Trajectory(setting.step_times, setting.step_times, setting.step_times, setting.step_moments)
    case = prepared.case
    bound = stability_bound(case.functional, pde, flow, initial, case.domain, *prepared.slopes)
    return [bound.at(t) for t in setting.times]


def _shift(case: Case, particles: ParticleCloud, others: Array) -> float:
    """Root mean square distance of the particles from other points."""
    shift = case.domain.difference(particles.points, others)
    return float(np.sqrt(particles.weights @ np.sum(shift**2, axis=1)))


def at_rest(case: Case, start: MeshDensity | ParticleCloud) -> Trajectory:
    """The trajectory of one point, time 0."""
    functional = case.functional
    points, weights = start.quadrature()
    velocity = functional.velocity(start, points, domain=case.domain)
    return Trajectory(
        times=np.zeros(1),
        energy=np.array([functional.value(start)]),
        dissipation=np.array([weights @ np.sum(velocity**2, axis=1)]),
        moments=functional.moment(start)[None, :],
        saved_times=[0.0],
        measures=[start],
    )


def in_input_order(density: MeshDensity) -> Array:
    """Masses by input cell number, the only numbering that the meshes of two processes share by contract."""
    return density.mesh.gather(density.masses)


def _from_input_order(mesh: Mesh, masses: Array) -> MeshDensity:
    """The density with these masses by input cell number."""
    return MeshDensity(mesh, masses[mesh.original_cell_index[: mesh.num_owned]])


def portable(case: Case) -> Case | Recipe:
    """The case as it can be sent to another process: itself, or by name, or a clear refusal."""
    try:
        pickle.dumps(case)
        return case
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        if case.name in cases.names():
            return Recipe(case.name, case.parameters)
        raise ValueError(
            f"case must be picklable to be sent to worker processes, {case.name!r} is not: {error}. "
            "Define its functions in a module instead of as lambdas, or use workers=1"
        ) from error
