"""Two-layer networks learned by both flows, judged by their fit and by a certificate (section 4.2)."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wassflow import cases as named
from wassflow.arguments import one_of
from wassflow.cases import Case
from wassflow.flow import ParticleFlow
from wassflow.functional import NeuronFeatures, SquaredLoss
from wassflow.measure import MeshDensity, ParticleCloud
from wassflow.optimality import certificate
from wassflow.study import tables
from wassflow.study.criteria import Criterion
from wassflow.study.runs import DEFAULT_SCHEME
from wassflow.study.starts import natural_domain
from wassflow.study.workers import run_study

Array = NDArray[np.float64]
Record = dict[str, Any]

NETWORKS = ("relu-2d", "relu-3d", "sigmoid-3d")
_PENALTIES = {"relu-2d": "|theta|^2", "relu-3d": "|w||theta|", "sigmoid-3d": "|w|"}
# The particles' certified gap at the end, relative to F at the start.
_CERTIFIED = 1e-3
# Root mean square of the learned function less the data, relative to the data's. The penalty shrinks it.
_FIT = 0.2
# F of the density against F of the particles at the same time, relative to F at the start.
_AGREEMENT = 0.02
_FINE = 400


@dataclass(frozen=True, eq=False)
class Network:
    """One network learned.

    Attributes:
        case: its name.
        m: number of particles.
        cells: of the mesh.
        records: ``{"flow", "time", "energy", "loss", "misfit", "lower", "gap", "slope"}`` for the start, for
            both flows when the density ends, and for the particles at the end: F, R, the relative root mean
            square of f - y, a certified lower bound of F*, the certified gap F - F*, and the largest |F'| on
            the support.
        abscissae: of the data, the angle on the circle or the input itself, ``(N,)``.
        data: y, ``(N,)``.
        fine: abscissae of the curves.
        curves: the learned functions at ``fine``: "start", "density", "particles".
        clouds: points and masses of the particles, at the start and at the end.
    """

    case: str
    m: int
    cells: tuple[int, ...]
    records: list[Record]
    abscissae: Array
    data: Array
    fine: Array
    curves: dict[str, Array]
    clouds: dict[str, ParticleCloud]

    def record(self, flow: str) -> Record:
        """The last record of "start", "density" or "particles"."""
        return [record for record in self.records if record["flow"] == flow][-1]


@dataclass(frozen=True, eq=False)
class Networks:
    """Result of :func:`networks`.

    Attributes:
        networks: one per case.
    """

    networks: tuple[Network, ...]

    def table(self) -> str:
        """F, fit and certificate at the start, when the density ends, and at the end."""
        blocks = []
        for network in self.networks:
            rows = [
                [
                    record["flow"],
                    f"{record['time']:g}",
                    tables.number(record["energy"], 5),
                    tables.number(record["loss"]),
                    tables.number(record["misfit"]),
                    tables.number(record["lower"], 5),
                    tables.number(record["gap"], 2),
                    tables.number(record["slope"], 2),
                ]
                for record in network.records
            ]
            blocks += [
                f"{network.case}: V = strength {_PENALTIES[network.case]}, m = {network.m}, "
                f"mesh {' x '.join(map(str, network.cells))}",
                "",
                tables.text_table(
                    ["flow", "t", "F", "R", "misfit", "F* at least", "gap", "largest |F'|"], rows
                ),
                "",
            ]
        blocks.append(
            tables.wrapped(
                "misfit: root mean square of f - y over that of y; the penalty shrinks f. F* at least, gap: "
                "the certificate, over all nonnegative measures: F* is between F - gap and F. |F'| is taken "
                "on the support, at unit weights or on the unit sphere, and vanishes at a minimiser. A "
                "density on a mesh keeps mass everywhere that particles have left, so that its certificate "
                "is far weaker."
            )
        )
        return "\n".join(blocks)

    def criteria(self) -> list[Criterion]:
        """The particles end at a certified minimum and fit the data; the density goes the same way."""
        criteria = []
        for network in self.networks:
            name, start, end = network.case, network.record("start"), network.record("particles")
            density = network.record("density")
            (same,) = [
                r for r in network.records if r["flow"] == "particles" and r["time"] == density["time"]
            ]
            allowed = _CERTIFIED * start["energy"]
            criteria += [
                Criterion(
                    f"{name}: the particles end at a minimum, certified",
                    end["gap"] <= allowed,
                    f"F - F* <= {end['gap']:.2g}, allowed {allowed:.2g}",
                ),
                Criterion(
                    f"{name}: what they have learned fits the data",
                    end["misfit"] <= _FIT,
                    f"relative misfit {end['misfit']:.3g} <= {_FIT:g}, {start['misfit']:.3g} at the start",
                ),
                Criterion(
                    f"{name}: the density has the particles' F at t = {density['time']:g}",
                    abs(density["energy"] - same["energy"]) <= _AGREEMENT * start["energy"],
                    f"{density['energy']:.5g} and {same['energy']:.5g}, {start['energy']:.4g} at the start",
                ),
            ]
        return criteria

    def write_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the records, one line per flow and time."""
        return tables.write_csv(
            path, [{"case": one.case, **record} for one in self.networks for record in one.records]
        )

    def write_json(self, path: str | os.PathLike[str]) -> Path:
        """Write records, data and learned functions."""
        return tables.write_json(
            path,
            [
                {key: value for key, value in vars(network).items() if key != "clouds"}
                for network in self.networks
            ],
        )


def networks(
    cases: Mapping[str, Mapping[str, Any]],
    workers: int = 1,
    progress: bool = False,
    ledger: str | os.PathLike[str] | None = None,
) -> Networks:
    """Learn the networks of named cases by particles and by densities.

    The particles move in all of space (weights in all of R for "sigmoid-3d", whose directions stay in the
    case's box), the density on the mesh of the case's box.

    Args:
        cases: for each of :data:`NETWORKS` that is learned, ``m``, ``t_end`` of the particles,
            ``density_end`` and ``cells``.
        workers: processes.
        progress: show a progress bar on stderr when it is a terminal.
        ledger: a file in which finished networks stay.

    Raises:
        ValueError: no case, one that is no network, or an argument out of range.
        WassflowError: the ledger holds runs of other settings.

    Source: Chizat and Bach (2018), section 4.2; certificates: Proposition 3.1.

    >>> found = networks({"relu-2d": {"m": 50, "t_end": 4.0, "density_end": 0.5, "cells": (12, 12)}})
    >>> found.networks[0].record("particles")["misfit"] < 0.2
    True
    """
    if not cases:
        raise ValueError("cases must name at least one network, found none")
    for name in cases:
        one_of("the case", name, NETWORKS)
    work = partial(_work, dict(cases))
    found = run_study("networks", work, list(cases), workers, progress, ledger, {"cases": cases})
    return Networks(tuple(_network(record) for record in found.values()))


def _work(cases: dict[str, Mapping[str, Any]], name: str) -> Record:
    return _learn(name, **cases[name])


def _network(record: Record) -> Network:
    """Return the network of a record in plain data."""
    arrays = {key: np.array(record[key]) for key in ("abscissae", "data", "fine")}
    return Network(
        case=record["case"],
        m=record["m"],
        cells=tuple(record["cells"]),
        records=record["records"],
        curves={key: np.array(curve) for key, curve in record["curves"].items()},
        clouds={key: ParticleCloud(*cloud) for key, cloud in record["clouds"].items()},
        **arrays,
    )


def _learn(
    name: str,
    m: int,
    t_end: float,
    density_end: float,
    cells: Sequence[int],
    tolerance: float = 1e-3,
) -> Record:
    """Run both flows of a network, and return all about them in plain data."""
    case = named.get(name)
    start = case.start(case.mesh(cells))
    cloud = ParticleCloud.sample(start, m, method="quantized")
    flow = ParticleFlow(case.functional, natural_domain(case), tolerance=tolerance)
    early = flow.run(cloud, density_end).final
    late, time = early, density_end
    while time < t_end:
        # in laps: the first step of a run is in proportion to its length
        lap = min(3.0 * time, t_end - time)
        late, time = flow.run(late, lap).final, time + lap
    density = case.density_flow(start.mesh, scheme=DEFAULT_SCHEME).run(start, density_end).final
    measures = [
        ("start", 0.0, cloud),
        ("density", density_end, density),
        ("particles", density_end, early),
        ("particles", t_end, late),
    ]
    features, loss = case.functional.features, case.functional.loss
    assert isinstance(features, NeuronFeatures)
    assert isinstance(loss, SquaredLoss)
    fine, inputs = _fine_inputs(features)
    finer = NeuronFeatures(inputs, features.activation, features.output_weight, features.parametrization)
    shown = {"start": cloud, "density": density, "particles": late}
    return {
        "case": name,
        "m": m,
        "cells": list(cells),
        "records": [_record(case, *measure) for measure in measures],
        "abscissae": _abscissae(features.inputs).tolist(),
        "data": loss.target.tolist(),
        "fine": fine.tolist(),
        "curves": {kind: finer.moment(*mu.quadrature()).tolist() for kind, mu in shown.items()},
        "clouds": {
            kind: [mu.points.tolist(), mu.weights.tolist()]
            for kind, mu in (("start", cloud), ("particles", late))
        },
    }


def _record(case: Case, flow: str, time: float, mu: ParticleCloud | MeshDensity) -> Record:
    functional, domain = case.functional, natural_domain(case)
    moment = functional.moment(mu)
    loss = functional.loss
    assert isinstance(loss, SquaredLoss)
    found = certificate(functional, mu, domain)
    return {
        "flow": flow,
        "time": time,
        "energy": found.value,
        "loss": loss.value(moment),
        "misfit": float(np.linalg.norm(moment - loss.target) / np.linalg.norm(loss.target)),
        "lower": found.lower_bound,
        "gap": found.gap,
        "slope": found.support_max,
    }


def _abscissae(inputs: Array) -> Array:
    """Return the angles of inputs on the circle, or the first coordinate of inputs with a bias."""
    if np.all(inputs[:, 1] == 1.0):
        return inputs[:, 0]
    return np.mod(np.arctan2(inputs[:, 1], inputs[:, 0]), 2.0 * np.pi)


def _fine_inputs(features: NeuronFeatures) -> tuple[Array, Array]:
    """Return abscissae of curves, and the inputs at them."""
    if np.all(features.inputs[:, 1] == 1.0):
        x = np.linspace(features.inputs[:, 0].min(), features.inputs[:, 0].max(), _FINE)
        return x, np.column_stack([x, np.ones(_FINE)])
    angles = np.linspace(0.0, 2.0 * np.pi, _FINE)
    return angles, np.column_stack([np.cos(angles), np.sin(angles)])
