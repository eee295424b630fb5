"""Optimality (Proposition 3.1): certificates at minimisers, along flows, and against the closed solution."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wassflow import cases as named
from wassflow.arguments import Array, as_integer, as_number
from wassflow.cases import Case
from wassflow.domain import Box
from wassflow.flow import ParticleFlow
from wassflow.functional import Functional, SpikeFeatures, SquaredLoss
from wassflow.functional.regularizer import AbsWeight
from wassflow.measure import ParticleCloud
from wassflow.optimality import Certificate, certificate, minimize_over_measures
from wassflow.study import tables
from wassflow.study.criteria import Criterion
from wassflow.study.starts import natural_domain, start_cloud
from wassflow.study.tables import number, text_table, wrapped
from wassflow.study.workers import run_study

Record = dict[str, Any]

# F* is certified to this, and F' on the support of the minimiser vanishes to it.
TOLERANCE = 1e-6
# min F' is searched to this.
_SEARCH = 1e-8
# Values that agree to rounding.
_ROUNDING = 1e-9
# The certified gap at the end of a flow, as a share of the one at its start.
SHRINKS = 1e-2
# Looks along a flow, and the first as a share of the run.
_LOOKS, _FIRST = 9, 1e-3
# Particles keep their positions to this: a certificate asks where they are, not whether they are late.
_STEP_TOLERANCE = 1e-3
# Points at which F' is kept for pictures where the section is a curve.
_CURVE = 361
# Strengths of the single-spike problem as a share of K times its height: from 1 on the minimiser is zero.
_SHARES = (0.05, 0.3, 0.8, 1.2)


@dataclass(frozen=True)
class _Task:
    """A single spike on the torus of dimension ``m`` (case "spike"), or a flow of m particles of a case."""

    case: str
    m: int
    t_end: float = 0.0
    parameters: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, eq=False)
class Optimality:
    """Result of :func:`optimality`.

    Attributes:
        spikes: one record per single-spike problem: dim, strength, exact (F* in closed form), value and
            lower_bound of the minimiser found, exact_gap (certified gap of the exact minimiser), deviation
            (of its F' from strength (1 -+ psi(theta - theta_0)/K), the largest).
        cases: one record per case: mass ("free" or "fixed"), optimum (certificate of the minimiser found) and
            path (certificates along a particle flow, with the time of each); for sections that are curves
            ``angles``, F' on them at every time and at the optimum (``curves``), and its ``atoms``.
    """

    spikes: list[Record]
    cases: list[Record]

    def table(self) -> str:
        """Plain text: closed solutions, minimisers, and certificates along flows."""
        spikes = text_table(
            ["torus", "strength", "F* exact", "F* - lower", "value - F*", "gap at exact", "F' off by"],
            [
                [
                    f"{row['dim']}D",
                    number(row["strength"]),
                    f"{row['exact']:.9f}",
                    number(row["exact"] - row["lower_bound"]),
                    number(row["value"] - row["exact"]),
                    number(row["exact_gap"]),
                    number(row["deviation"]),
                ]
                for row in self.spikes
            ],
        )
        parts = [f"One spike seen through a Dirichlet kernel, V = strength |w|, closed solution\n{spikes}"]
        header = ["t", "F - F*", "gap", "min F'", "|F'| mean", "|F'| max"]
        for row in self.cases:
            best = row["optimum"]
            defect = "|F'|" if row["mass"] == "free" else "F' - min F'"
            lines = [
                [f"{at['time']:.3g}", number(at["value"] - best["value"]), *_conditions(at)]
                for at in row["path"]
            ]
            lines.append(["best", "0", *_conditions(best)])
            parts.append(
                f"{row['case']}, {row['mass']} mass: {best['value'] - best['gap']:.9f} <= F* <= "
                f"{best['value']:.9f}; on the support {defect}\n{text_table(header, lines)}"
            )
        notes = (
            "gap: certified bound of F(mu) - F*. Free mass (homogeneous F): F* over all nonnegative "
            "measures; at a minimiser F' >= 0 everywhere (taken at unit weights or on the unit sphere) and "
            "F' = 0 on the support (where the particles are). Fixed mass: F* over measures of the mass of "
            "mu; F' = min F' on the support, whatever its sign."
        )
        return "\n\n".join([*parts, wrapped(notes)])

    def criteria(self) -> list[Criterion]:
        """What Proposition 3.1 demands."""
        inside = max(
            max(row["lower_bound"] - row["exact"], row["exact"] - row["value"]) for row in self.spikes
        )
        gaps = max(max(row["exact_gap"], row["value"] - row["lower_bound"]) for row in self.spikes)
        deviation = max(row["deviation"] for row in self.spikes)
        criteria = [
            Criterion(
                "one spike: the closed F* is between the certified bounds",
                inside <= _ROUNDING,
                f"outside by at most {max(inside, 0.0):.1e}",
            ),
            Criterion(
                "one spike: the closed minimiser and the one found are certified",
                gaps <= TOLERANCE,
                f"gap at most {gaps:.1e} <= {TOLERANCE:g}",
            ),
            Criterion(
                "one spike: F' is that of the closed solution",
                deviation <= _ROUNDING,
                f"off by at most {deviation:.1e}",
            ),
        ]
        for row in self.cases:
            best, path = row["optimum"], row["path"]
            least = best["least"] if row["mass"] == "free" else 0.0
            criteria.append(
                Criterion(
                    f"{row['case']}: conditions and gap at the minimiser",
                    best["gap"] <= TOLERANCE and least >= -TOLERANCE and best["support_max"] <= TOLERANCE,
                    f"gap {best['gap']:.1e}, min F' >= {best['least']:.1e}, on the support "
                    f"{best['support_max']:.1e} <= {TOLERANCE:g}",
                )
            )
            # F(mu) - F* is at least F(mu) - F(best)
            least_slack = min(at["gap"] - (at["value"] - best["value"]) for at in path)
            criteria.append(
                Criterion(
                    f"{row['case']}: the gap bounds the excess at every time, and closes with it",
                    least_slack >= -_ROUNDING and path[-1]["gap"] <= SHRINKS * path[0]["gap"],
                    f"gap - excess at least {least_slack:.1e}; gap {path[0]['gap']:.2e} -> "
                    f"{path[-1]['gap']:.1e}, {path[-1]['gap'] / path[0]['gap']:.1e} of its start "
                    f"(<= {SHRINKS:g})",
                )
            )
        return criteria

    def rows(self) -> list[Record]:
        """One line per case and time, the minimiser last; single spikes first."""
        spikes = [{"case": "one spike", **row} for row in self.spikes]
        flows = [
            {"case": row["case"], "mass": row["mass"], **{k: v for k, v in at.items() if k != "minimizer"}}
            for row in self.cases
            for at in (*row["path"], {"time": "best", **row["optimum"]})
        ]
        return [*spikes, *flows]

    def write_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the certificates."""
        return tables.write_csv(path, self.rows())

    def write_json(self, path: str | os.PathLike[str]) -> Path:
        """Write the certificates, and F' where it is a curve."""
        return tables.write_json(path, {"spikes": self.spikes, "cases": self.cases})


def optimality(
    cases: Mapping[str, Mapping[str, Any]],
    workers: int = 1,
    progress: bool = False,
    ledger: str | os.PathLike[str] | None = None,
) -> Optimality:
    """Check optimality conditions and duality gaps at minimisers, along flows, and in closed form.

    Args:
        cases: for the name of every case ``m`` and ``t_end`` of a particle flow, and ``parameters`` of the
            case where they are not its own. The flow starts from particles that separate, or, where F is not
            homogeneous and the mass is fixed, from uniform points of Omega.
        workers: processes over which the cases are spread.
        progress: show a bar on stderr when it is a terminal.
        ledger: a file in which finished cases stay.

    Raises:
        ValueError: an unknown case, or an argument out of range.
        WassflowError: the ledger holds runs of other settings.

    Source: Chizat and Bach (2018), Proposition 3.1.

    >>> study = optimality({"cosine-2d": {"m": 16, "t_end": 5.0}})
    >>> study.cases[0]["mass"], study.cases[0]["optimum"]["gap"] < 1e-6
    ('fixed', True)
    """
    tasks = [_Task("spike", dim) for dim in (1, 2)]
    for name, options in cases.items():
        tasks.append(_task(name, **options))
    order = tasks[::-1]  # single spikes are short
    found = run_study("optimality", _run, order, workers, progress, ledger)
    spikes = [row for task in tasks if task.case == "spike" for row in found[task]]
    return Optimality(spikes, [found[task] for task in tasks if task.case != "spike"])


def _task(name: str, m: int, t_end: float, parameters: Mapping[str, Any] | None = None) -> _Task:
    given = tuple((parameters or {}).items())
    named.get(name, **dict(given))
    return _Task(name, as_integer("m", m, least=1), as_number("t_end", t_end, above=0.0), given)


def _run(task: _Task) -> Any:
    return [_spike(task.m, share) for share in _SHARES] if task.case == "spike" else _flow(task)


def _spike(dim: int, share: float) -> Record:
    """Compare with the closed solution: y = a psi(. - theta_0), w* = (a - strength/K)_+, K = |psi|^2."""
    features = SpikeFeatures("dirichlet", order=3, dim=dim)
    K, height, place = features.kernel_norm_squared, 1.5, np.array([0.3, 0.6])[:dim]
    strength = share * K * height
    spike = np.concatenate([[height], place])
    F = Functional(features, SquaredLoss(features.value(spike[None])[0]), AbsWeight(strength))
    domain = Box([-2.0] + [0.0] * dim, [2.0] + [1.0] * dim, periodic=[False] + [True] * dim)
    best = minimize_over_measures(F, domain, tolerance=TOLERANCE)
    weight = max(height - strength / K, 0.0)
    exact = ParticleCloud(np.concatenate([[weight], place])[None])
    theta = np.random.default_rng(0).random((500, dim))
    unit = np.concatenate([[1.0], place])[None]
    seen = features.value(np.column_stack([np.ones(500), theta])) @ features.value(unit)[0]
    deviation = 0.0
    for sign in (1.0, -1.0):
        slope = F.first_variation(exact, np.column_stack([np.full(500, sign), theta]))
        closed = strength - sign * (height - weight) * seen
        deviation = max(deviation, float(np.abs(slope - closed).max()) / strength)
    return {
        "dim": dim,
        "strength": strength,
        "exact": 0.5 * K * (height - weight) ** 2 + strength * weight,
        "value": best.value,
        "lower_bound": best.lower_bound,
        "exact_gap": certificate(F, exact, domain, tolerance=_SEARCH).gap,
        "deviation": deviation,
    }


def _flow(task: _Task) -> Record:
    case = named.get(task.case, **dict(task.parameters))
    free = case.functional.features.homogeneous
    homogeneous = free(1, "weight") or free(2, "all")
    mass = "free" if homogeneous else "fixed"
    best = minimize_over_measures(
        case.functional, case.domain, mass="free" if homogeneous else case.mass, tolerance=TOLERANCE
    )
    domain = natural_domain(case) if homogeneous else case.domain
    start = start_cloud(case, "separating", task.m) if homogeneous else _spread(case, task.m)
    looks = np.append(0.0, np.geomspace(_FIRST, 1.0, _LOOKS) * task.t_end)
    run = ParticleFlow(case.functional, domain, tolerance=_STEP_TOLERANCE).run(start, task.t_end, save=looks)
    clouds = [run.at(t) for t in looks]
    found = [
        certificate(case.functional, cloud, case.domain, mass=mass, tolerance=_SEARCH) for cloud in clouds
    ]
    path = [{"time": float(t), **_record(at)} for t, at in zip(looks, found, strict=True)]
    record = {"case": task.case, "mass": mass, "optimum": _record(best.certificate), "path": path}
    curve = _curve(case)
    if curve is not None:
        angles, points = curve
        curves = [case.functional.first_variation(mu, points) for mu in (*clouds, best.measure)]
        atoms = np.column_stack([best.measure.points, best.measure.weights])
        record |= {
            "atoms": atoms.tolist(),
            "angles": angles.tolist(),
            "curves": [values.tolist() for values in curves],
        }
    return record


def _spread(case: Case, m: int) -> ParticleCloud:
    """Return m points, uniform in the box of a case."""
    random = np.random.default_rng(0).random((m, case.dim))
    points = case.domain.lower + (case.domain.upper - case.domain.lower) * random
    return ParticleCloud(points, np.full(m, case.mass / m))


def _curve(case: Case) -> tuple[Array, Array] | None:
    """Return the circle on which F' is drawn in dimension 2: angles and points, w = 1 and then w = -1."""
    if case.dim != 2:
        return None
    if case.functional.features.homogeneous(2, "all"):
        angles = np.linspace(0.0, 2.0 * np.pi, _CURVE)
        return angles, np.column_stack([np.cos(angles), np.sin(angles)])
    if case.functional.features.homogeneous(1, "weight"):
        angles = np.linspace(case.domain.lower[1], case.domain.upper[1], _CURVE)
        signs = np.repeat([1.0, -1.0], _CURVE)
        return np.tile(angles, 2), np.column_stack([signs, np.tile(angles, 2)])
    return None


def _record(found: Certificate) -> Record:
    names = ("value", "gap", "least", "least_upper", "support_mean", "support_max", "integral", "mass_bound")
    return {name: getattr(found, name) for name in names} | {"minimizer": found.minimizer.tolist()}


def _conditions(at: Record) -> list[str]:
    return [number(at[name]) for name in ("gap", "least", "support_mean", "support_max")]
