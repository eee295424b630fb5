"""What a homogeneous functional sees of a flow: its projection, and how that converges (Theorem C.16)."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wassflow import cases as named
from wassflow.arguments import as_integer, one_of
from wassflow.cases import Case
from wassflow.measure import MeshDensity, ParticleCloud, sphere_projection, weighted_directions
from wassflow.optimality import minimize_over_measures
from wassflow.study import tables
from wassflow.study.criteria import Criterion
from wassflow.study.runs import DEFAULT_SCHEME
from wassflow.study.workers import run_study
from wassflow.transport import bounded_lipschitz

Array = NDArray[np.float64]
Record = dict[str, Any]

# Cases whose F depends on the projection only, and which projection that is.
PROJECTIONS = {
    "relu-2d": "sphere",
    "relu-3d": "sphere",
    "deconvolution-2d": "weight",
    "deconvolution-3d": "weight",
    "sigmoid-3d": "weight",
}
_LIMITS = {"minimiser": "the minimiser", "rest": "the particles much later"}
# Two measures with the same projection have the same F to rounding: sums of some hundred terms.
_ROUNDING = 1e-12
# At the end the particles' projection is nearer to the limit than at the start by this factor.
_NEARER = 5.0
# The limit of particles that have no known one is where they are so many times as late.
_LATER = 8.0
# What passes for a minimiser at the limit: F - F*, relative to its value at the start.
_OPTIMAL = 1e-4
_ARCS = 90
_GAP = 1e-7


@dataclass(frozen=True, eq=False)
class ProjectedFlow:
    """How the projection of one flow approaches its limit.

    Attributes:
        case: its name.
        projection: "sphere" or "weight".
        m: number of particles.
        limit: "minimiser", or "rest": the particles themselves, eight times as late as the last time.
        least: F* and the gap to which it is certified.
        rest: F - F* at the limit.
        records: ``{"flow", "time", "excess", "lower", "value", "upper"}``: F - F* and the bracket of the
            bounded-Lipschitz distance of the projection to that of the limit, for "particles" and
            "density".
        profiles: for d = 2, mass of the projection in equal arcs, at the last time of each flow and of the
            "limit"; ``{}`` otherwise.
    """

    case: str
    projection: str
    m: int
    limit: str
    least: tuple[float, float]
    rest: float
    records: list[Record]
    profiles: dict[str, Array]

    def select(self, flow: str) -> list[Record]:
        """The records of "particles" or "density", in time."""
        return [record for record in self.records if record["flow"] == flow]


@dataclass(frozen=True, eq=False)
class SphereProjections:
    """Result of :func:`sphere_projections`.

    Attributes:
        pairs: for every case ``{"case", "projection", "pairs", "difference", "distance"}``: the largest
            relative difference of F, and the largest bounded-Lipschitz distance of projections, over random
            pairs of measures that share their projection.
        flows: how projections of flows converge.
    """

    pairs: list[Record]
    flows: tuple[ProjectedFlow, ...] = field(default=())

    def table(self) -> str:
        """Both parts, with the words they need."""
        blocks = [
            "F depends on mu through its projection only: random pairs with the same projection",
            "",
            tables.text_table(
                ["case", "projection", "pairs", "largest |F - F'| / F", "largest BL"],
                [
                    [
                        pair["case"],
                        pair["projection"],
                        str(pair["pairs"]),
                        tables.number(pair["difference"], 2),
                        tables.number(pair["distance"], 2),
                    ]
                    for pair in self.pairs
                ],
            ),
        ]
        for flow in self.flows:
            rows = [
                [
                    record["flow"],
                    f"{record['time']:g}",
                    tables.number(record["excess"]),
                    tables.number(record["value"]),
                    tables.range_text(record["lower"], record["upper"]),
                ]
                for record in flow.records
            ]
            blocks += [
                "",
                f"{flow.case}, projection {flow.projection!r}, m = {flow.m}, limit: {_LIMITS[flow.limit]}, "
                f"where F - F* = {flow.rest:.1g}",
                "",
                tables.text_table(["flow", "t", "F - F*", "BL", "bracket"], rows),
            ]
        blocks += [
            "",
            tables.wrapped(
                "sphere: int phi dh = int |u|^2 phi(u/|u|) dmu, distances along arcs; weight: int phi dh1 = "
                "int w phi(theta) dmu. BL is the bounded-Lipschitz distance: exact for particles; for a "
                "density the bracket holds what quadrature in its cells may hide, which shrinks with the "
                "mesh. The minimiser is found by sliding Frank-Wolfe, F* certified to 1e-7. The penalty of "
                "relu-2d is the l1 norm of theta|theta|, which does not see how a neuron is shared out "
                "between directions with the same signs and active inputs: its minimisers are many, and the "
                "limit is the flow's own."
            ),
        ]
        return "\n".join(blocks)

    def criteria(self) -> list[Criterion]:
        """F sees the projection only; projections of particles converge, those of densities come nearer."""
        criteria = [
            Criterion(
                f"{pair['case']}: measures with the same projection have the same F",
                pair["difference"] <= _ROUNDING,
                f"largest relative difference {pair['difference']:.1e} <= {_ROUNDING:g}",
            )
            for pair in self.pairs
        ]
        for flow in self.flows:
            particles, density = flow.select("particles"), flow.select("density")
            first, last = particles[0], particles[-1]
            criteria.append(
                Criterion(
                    f"{flow.case}: the particles' projection comes {_NEARER:g} times nearer to the limit",
                    last["upper"] <= first["lower"] / _NEARER,
                    f"{last['upper']:.3g} at t = {last['time']:g}, {first['lower']:.3g} at 0",
                )
            )
            criteria.append(
                Criterion(
                    f"{flow.case}: the limit is a minimiser",
                    flow.rest <= _OPTIMAL * first["excess"],
                    f"F - F* = {flow.rest:.2g}, {first['excess']:.3g} at the start",
                )
            )
            values = [record["value"] for record in particles]
            criteria.append(
                Criterion(
                    f"{flow.case}: and never goes away from it between two times",
                    bool(np.all(np.diff(values) <= 1e-9)),
                    ", ".join(f"{value:.3g}" for value in values),
                )
            )
            if density:
                criteria.append(
                    Criterion(
                        f"{flow.case}: the projection of the density comes nearer, by its brackets",
                        density[-1]["upper"] < density[0]["lower"],
                        f"upper bound {density[-1]['upper']:.3g} at t = {density[-1]['time']:g} < lower "
                        f"bound {density[0]['lower']:.3g} at 0",
                    )
                )
        return criteria

    def write_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the records of the flows, one line per flow and time."""
        return tables.write_csv(
            path, [{"case": flow.case, **record} for flow in self.flows for record in flow.records]
        )

    def write_json(self, path: str | os.PathLike[str]) -> Path:
        """Write everything."""
        return tables.write_json(path, {"pairs": self.pairs, "flows": [vars(flow) for flow in self.flows]})


def sphere_projections(
    cases: Mapping[str, Mapping[str, Any]],
    pairs: int = 20,
    workers: int = 1,
    progress: bool = False,
    ledger: str | os.PathLike[str] | None = None,
) -> SphereProjections:
    """Show that F sees a measure through its projection only, and that projections of flows converge.

    Args:
        cases: for every named case that moves ``m``, ``times`` (the last ones for the particles alone),
            ``density_end`` (until when the density runs too), ``cells`` of its mesh and ``limit``.
        pairs: random pairs of measures with the same projection, for each case of :data:`PROJECTIONS`.
        workers: processes.
        progress: show a progress bar on stderr when it is a terminal.
        ledger: a file in which finished flows stay.

    Raises:
        ValueError: a case without projection, or an argument out of range.
        WassflowError: the ledger holds runs of other settings.

    Source: Chizat and Bach (2018), section 3 and Theorem C.16.

    >>> found = sphere_projections({}, pairs=2)
    >>> max(pair["difference"] for pair in found.pairs) < 1e-12
    True
    """
    pairs = as_integer("pairs", pairs, least=1)
    for name in cases:
        one_of("the case", name, PROJECTIONS)
    work = partial(_work, dict(cases))
    found = run_study("sphere_projections", work, list(cases), workers, progress, ledger, {"cases": cases})
    flows = tuple(
        ProjectedFlow(
            **{
                **flow,
                "least": tuple(flow["least"]),
                "profiles": {kind: np.array(profile) for kind, profile in flow["profiles"].items()},
            }
        )
        for flow in found.values()
    )
    return SphereProjections([_same_projection(name, pairs) for name in PROJECTIONS], flows)


def rescaled(cloud: ParticleCloud, projection: str, rng: np.random.Generator) -> ParticleCloud:
    """Return a random cloud with the same projection: every atom in two parts, moved along their rays.

    >>> rng = np.random.default_rng(0)
    >>> one = ParticleCloud([[2.0, 1.0]])
    >>> bounded_lipschitz(one, rescaled(one, "sphere", rng), projection="sphere").upper < 1e-14
    True
    """
    shares = rng.uniform(0.1, 0.9, cloud.size)
    points = np.concatenate([cloud.points, cloud.points])
    weights = np.concatenate([shares, 1.0 - shares]) * np.tile(cloud.weights, 2)
    factors = np.exp(rng.uniform(-1.0, 1.0, 2 * cloud.size))
    if projection == "sphere":
        return ParticleCloud(points * factors[:, None], weights / factors**2)
    points[:, 0] *= factors
    return ParticleCloud(points, weights / factors)


def _same_projection(name: str, pairs: int) -> Record:
    functional, projection = named.get(name).functional, PROJECTIONS[name]
    dim = functional.dim
    assert dim is not None
    rng = np.random.default_rng(0)
    difference, distance = 0.0, 0.0
    for _ in range(pairs):
        cloud = ParticleCloud(rng.normal(size=(12, dim)), rng.uniform(0.1, 1.0, 12))
        other = rescaled(cloud, projection, rng)
        one, two = functional.value(cloud), functional.value(other)
        difference = max(difference, abs(one - two) / max(abs(one), abs(two)))
        distance = max(distance, bounded_lipschitz(cloud, other, projection=projection).value)
    return {
        "case": name,
        "projection": projection,
        "pairs": pairs,
        "difference": difference,
        "distance": distance,
    }


def _work(cases: dict[str, Mapping[str, Any]], name: str) -> Record:
    return _flow(name, **cases[name])


def _flow(
    name: str,
    m: int,
    times: Sequence[float],
    density_end: float,
    cells: int | Sequence[int],
    limit: str = "minimiser",
    tolerance: float = 1e-4,
) -> Record:
    """Run both flows of a case from the same start, and measure them against the limit."""
    case, projection = named.get(name), PROJECTIONS[name]
    best = minimize_over_measures(case.functional, case.domain, tolerance=_GAP)
    start = case.start(case.mesh(cells))
    cloud = ParticleCloud.sample(start, m, method="quantized")
    end = times[-1] if one_of("limit", limit, _LIMITS) == "minimiser" else _LATER * times[-1]
    particles = case.particle_flow(tolerance=tolerance).run(cloud, end, save=times)
    reached = best.measure if limit == "minimiser" else particles.final
    measures: dict[str, Any] = {"particles": particles}
    early = [t for t in times if t <= density_end]
    if early and early[-1] > 0.0:
        flow = case.density_flow(start.mesh, scheme=DEFAULT_SCHEME)
        measures["density"] = flow.run(start, early[-1], save=early)
    domain = case.domain if projection == "weight" else None
    records = []
    for kind, path in measures.items():
        for t in times if kind == "particles" else early:
            found = bounded_lipschitz(path.at(t), reached, projection=projection, domain=domain)
            records.append(
                {
                    "flow": kind,
                    "time": t,
                    "excess": case.functional.value(path.at(t)) - best.value,
                    "lower": found.lower,
                    "value": found.value,
                    "upper": found.upper,
                }
            )
    shown = {"particles": particles.at(times[-1]), "limit": reached}
    if "density" in measures:
        shown["density"] = measures["density"].final
    return {
        "case": name,
        "projection": projection,
        "m": m,
        "limit": limit,
        "least": [best.value, best.gap],
        "rest": case.functional.value(reached) - best.value,
        "records": records,
        "profiles": {kind: _profile(case, mu, projection).tolist() for kind, mu in shown.items()}
        if case.dim == 2
        else {},
    }


def _profile(case: Case, mu: ParticleCloud | MeshDensity, projection: str) -> Array:
    """Return the mass of the projection in equal arcs of the circle."""
    if projection == "sphere":
        directions = sphere_projection(mu)
        angles, masses = np.arctan2(directions.points[:, 1], directions.points[:, 0]), directions.weights
        period = 2.0 * np.pi
    else:
        theta, masses = weighted_directions(mu)
        angles, period = theta[:, 0], float(case.domain.period[1])
    arcs = np.floor(_ARCS * np.mod(angles / period, 1.0)).astype(np.int64) % _ARCS
    return np.bincount(arcs, weights=masses, minlength=_ARCS)
