"""The runs of the many-particle study, each a task of its own: particles against the PDE's solution."""

import pickle
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
from wassflow.study.stability import stability_bound
from wassflow.transport import wasserstein2

Record = dict[str, Any]

# How many particles, at least and per particle of the largest run, stand for the PDE where its flow map has
# no closed form; they are stratified, which leaves their moments far closer than those of random particles.
_REFERENCE_LEAST, _REFERENCE_SHARE = 2048, 4


@dataclass(frozen=True)
class FloorTask:
    """Measure the PDE's own error at one time of comparison."""

    time: float


@dataclass(frozen=True)
class ParticleTask:
    """Run one particle flow and measure its distance from the density at every time."""

    method: str
    m: int
    seed: int


@dataclass(frozen=True)
class CouplingTask:
    """Compare all random starts with where the PDE's own flow map takes the same points."""

    ms: tuple[int, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Recipe:
    """A case by name, for those whose functions cannot be sent to another process."""

    name: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """What a worker needs to know, in plain data: the case, the mesh, and the PDE's solution."""

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


def work(prepared: Prepared, task: FloorTask | ParticleTask | CouplingTask) -> Any:
    """Do one task."""
    if isinstance(task, FloorTask):
        return _floor(prepared, task)
    return _measure(prepared, task) if isinstance(task, ParticleTask) else _couple(prepared, task)


def _floor(prepared: Prepared, task: FloorTask) -> Record:
    """The bracket of W2 between the densities on the mesh and on the coarser one, at one time."""
    setting, case = prepared.setting, prepared.case
    index = setting.times.index(task.time)
    mesh = case.mesh(setting.coarse_cells, setting.cell, comm=MPI.COMM_SELF)
    coarse = _from_input_order(mesh, setting.coarse_masses[index])
    floor = density_distance(prepared.densities[index], coarse, case.domain, width=0.5)
    return {key: getattr(floor, key) for key in ("lower", "upper", "method", "value", "rounding")}


def particle_run(
    case: Case, start: MeshDensity, task: ParticleTask, times: tuple[float, ...]
) -> tuple[ParticleCloud, Trajectory]:
    """Place the particles and let them flow; a trajectory of their start alone when the only time is 0."""
    seed = sampling_seed(task.seed, task.m)
    cloud = ParticleCloud.sample(start, task.m, method=task.method, seed=seed)
    if times[-1] > 0.0:
        return cloud, case.particle_flow().run(cloud, times[-1], save=list(times))
    return cloud, at_rest(case, cloud)


def _measure(prepared: Prepared, task: ParticleTask) -> list[Record]:
    """One particle flow, compared with the density at every time."""
    setting, case = prepared.setting, prepared.case
    cloud, flow = particle_run(case, prepared.start, task, setting.times)
    distances = [
        wasserstein2(flow.at(t), density, domain=case.domain)
        for t, density in zip(setting.times, prepared.densities, strict=True)
    ]
    bounds = _stability(prepared, flow, distances[0].upper)
    records = []
    for t, distance, bound, pde_moment, pde_energy in zip(
        setting.times, distances, bounds, setting.moments, setting.energies, strict=True
    ):
        particles = flow.at(t)
        moment = case.functional.moment(particles)
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
                "stability": bound,
                "energy": energy,
                "energy_error": abs(energy - pde_energy),
                "moment_error": float(np.linalg.norm(moment - pde_moment)),
                "coupled": None
                if case.exact is None
                else _shift(case, particles, case.exact.flow_map(t, cloud.points)),
            }
        )
    return records


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


def _couple(prepared: Prepared, task: CouplingTask) -> list[Record]:
    """Follow the starts of all runs as points without mass among particles that stand for the PDE."""
    setting, case = prepared.setting, prepared.case
    runs = {
        (m, seed): particle_run(case, prepared.start, ParticleTask("iid", m, seed), setting.times)
        for m in task.ms
        for seed in task.seeds
    }
    size = max(_REFERENCE_LEAST, _REFERENCE_SHARE * max(task.ms))
    reference = ParticleCloud.sample(prepared.start, size, method="stratified", seed=0)
    points = [reference.points, *(cloud.points for cloud, _ in runs.values())]
    weights = np.zeros(sum(map(len, points)))
    weights[:size] = reference.weights
    followed = case.particle_flow().run(
        ParticleCloud(np.concatenate(points), weights), setting.times[-1], save=list(setting.times)
    )
    ends = np.cumsum([len(part) for part in points])
    records = []
    for t in setting.times:
        there = followed.at(t)
        arrived = np.split(there.points, ends[:-1])[1:]
        moment, energy = case.functional.moment(there), case.functional.value(there)
        for ((m, seed), (_, flow)), points_there in zip(runs.items(), arrived, strict=True):
            particles = flow.at(t)
            records.append(
                {
                    "m": m,
                    "seed": seed,
                    "time": t,
                    "coupled": _shift(case, particles, points_there),
                    "moment_error": float(np.linalg.norm(case.functional.moment(particles) - moment)),
                    "energy_error": abs(float(case.functional.value(particles)) - energy),
                }
            )
    return records


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
