"""The many-particle study as plain text of at most a hundred columns."""

from typing import TYPE_CHECKING

from wassflow.study.laws import iid_disconnected
from wassflow.study.rates import FLOOR_FACTOR
from wassflow.study.tables import number, range_text, text_table, wrapped

if TYPE_CHECKING:
    from wassflow.study.many_particle_limit import ManyParticleLimit

_QUANTITIES = {"moment": "|f_m - f|", "energy": "|F_m - F|", "coupled": "coupled"}


def limit_table(limit: "ManyParticleLimit") -> str:
    """Distances per time, fitted rates, what theory expects, and how to read all this."""
    title = f"{limit.case.name}: W2 between m particles and the PDE's density, d = {limit.dim}"
    parts = [f"{title}\nmesh {limit.mesh_name}"]
    parts += [_distances(limit, time) for time in limit.times]
    parts += [_exponents(limit), _expectations(limit), _observables(limit), _stability(limit), _notes(limit)]
    return "\n\n".join(part for part in parts if part)


def _distances(limit: "ManyParticleLimit", time: float) -> str:
    header = ["m"]
    for method in limit.methods:
        header += [f"{method} W2", "[lower, upper]", "law"]
    rows = {m: [str(m)] for m in limit.ms}
    for row in limit.rows():
        if row["time"] != time:
            continue
        mark = "" if row["used_in_fit"] else "*"
        rows[row["m"]] += [
            number(row["mean"]) + mark,
            range_text(row["lower"], row["upper"]),
            number(row["law"]),
        ]
    bracket = limit.floors[time]
    floor = range_text(bracket.lower, bracket.upper)
    if time == 0.0:
        remark = f"no floor: the particles sample this density itself (mesh h against 2h: {floor})"
    else:
        remark = f"floor {number(limit.floor(time))} {floor}"
    return f"t = {time:g}   {remark}\n{text_table(header, rows.values())}"


def _exponents(limit: "ManyParticleLimit") -> str:
    rows = []
    for time in limit.times:
        for method in limit.methods:
            fit, law = limit.fits[method, time], limit.laws.get((method, time))
            expected = None if law is None else law.exponent(fit.used)
            fitted = [number(fit.exponent), range_text(fit.low, fit.high)]
            used = f"{fit.used[0]}..{fit.used[-1]}" if fit.used else "none"
            rows.append(
                [f"{time:g}", method, *fitted, number(expected), number(law.c if law else None), used]
            )
    level = next(iter(limit.fits.values())).level
    header = ["t", "start", "exponent", f"{level:.0%} interval", "law's", "law's c", "m used"]
    return "Fitted W2 ~ m^exponent, and the slope of theory's law over the same m\n" + text_table(
        header, rows
    )


def _expectations(limit: "ManyParticleLimit") -> str:
    starts: dict[str, list[str]] = {}
    for (method, time), law in limit.laws.items():
        text = f"{law.law.formula}. {limit.reasons[method, time]} [{law.law.source}]"
        starts.setdefault(text, []).append(f"{method} t = {time:g}")
    lines = [wrapped(f"{', '.join(which)}: {text}") for text, which in starts.items()]
    return "\n".join(["Theory's laws (form from theory, constant c fitted)", *lines])


def _observables(limit: "ManyParticleLimit") -> str:
    rows = []
    for (method, time, quantity), fit in limit.observable_fits.items():
        key = "coupled" if quantity == "coupled" else f"{quantity}_error"
        errors = limit.mean(method, time, key)
        floor = limit.observable_floors.get((time, quantity))
        rows.append(
            [
                f"{time:g}",
                method,
                _QUANTITIES[quantity],
                number(errors[0]),
                number(errors[-1]),
                number(floor),
                number(fit.exponent),
                range_text(fit.low, fit.high),
            ]
        )
    header = [
        "t",
        "start",
        "error",
        f"m = {limit.ms[0]}",
        f"m = {limit.ms[-1]}",
        "floor",
        "exponent",
        "interval",
    ]
    return (
        "Observables against the density's (iid starts: m^-1/2 in every dimension, since the particles\n"
        "interact only through f = int Phi dmu)\n" + text_table(header, rows)
    )


def _stability(limit: "ManyParticleLimit") -> str:
    rows = []
    for time in limit.times:
        for method in limit.methods:
            for m in (limit.ms[0], limit.ms[-1]):
                chosen = limit.select(method, time, m)
                bounds = [r["stability"] for r in chosen if r["stability"] is not None]
                if time > 0.0 and bounds:
                    measured = max(r["value"] for r in chosen)
                    rows.append([f"{time:g}", method, str(m), number(measured), number(min(bounds))])
    if not rows:
        return "Stability bound: none, since Lip(DPhi) is infinite (ReLU) or not known."
    header = ["t", "start", "m", "largest W2", "least bound"]
    return "Stability: W2(t) <= W2(0) exp(int L), L from the recorded losses and Lip(DPhi)\n" + text_table(
        header, rows
    )


def _notes(limit: "ManyParticleLimit") -> str:
    fits = limit.fits.values()
    notes = [
        "W2: root mean square over the seeds of the middle of the bracket. [lower, upper]: least certified "
        "lower and largest certified upper bound over the seeds.",
        f"Exponent: least squares of log W2 against log m. Interval: bootstrap over the seeds "
        f"({len(limit.seeds)} per m); for a single seed (quantised starts) Student's t from the residuals, "
        "which measures how straight the ladder is.",
        "Floor: W2 between the densities on this mesh and on the one coarsened by two, which estimates the "
        "PDE's own error: about that of the mesh for a first-order scheme, an estimate from above for a "
        "second-order one. The particles' error below it cannot be seen: a finer mesh would be needed.",
    ]
    if "iid" in limit.methods and limit.times[-1] > 0.0:
        who = "the exact solution" if limit.case.exact is not None else "many stratified particles"
        notes.append(
            "coupled: root mean square distance between the particles and where the PDE's own flow map takes "
            f"the points at which they start. Here {who} stand for the PDE"
            + ("." if limit.case.exact is not None else ", also for f and F of iid starts.")
        )
    if any(law.law.name == iid_disconnected().name for law in limit.laws.values()):
        notes.append(
            "A limit in separated pieces, at late times atoms: of m random particles each piece receives "
            "its share up to a fluctuation of order m^-1/2. That mass must travel between pieces, over a "
            "distance that does not shrink: W2^2 ~ m^-1/2 and W2 ~ m^-1/4, whatever the dimension, as soon "
            "as the particles within a piece are closer than that. The coupled error feels it as well: "
            "particles that start within m^-1/2 of a watershed end on another side of it. f and F do not "
            "see it, as averages over all particles, and keep m^-1/2."
        )
    if any(fit.left_out for fit in fits):
        notes.append(f"*: below {FLOOR_FACTOR:g} times the floor, left out of the fit.")
    return "\n".join(wrapped(note) for note in notes)
