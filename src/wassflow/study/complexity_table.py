"""The table of a study of particle complexity: our success rates beside the authors'."""

from typing import TYPE_CHECKING

from wassflow.study.figure_3 import FIXED, PARTICLES
from wassflow.study.tables import number, range_text, text_table, wrapped

if TYPE_CHECKING:
    from wassflow.study.particle_complexity import ParticleComplexity


def complexity_table(result: "ParticleComplexity") -> str:
    """Return the table of a study with the words it needs."""
    from wassflow.study.particle_complexity import Success, geometric_mean

    problems, authors = result.family, result.authors
    header = ["m", "success", "95 % interval", "authors", "95 % interval", "particles", "authors"]
    competes = FIXED in result.methods
    header += ["fixed", "authors"] if competes else []
    rows = []
    for m in result.ms:
        ours = result.success(PARTICLES, m)
        row = [str(m), f"{ours.count}/{ours.runs}", range_text(ours.low, ours.high, 2)]
        theirs = authors.losses.get((PARTICLES, m))
        if theirs is None:
            row += ["-", "-"]
        else:
            known = Success.of(int((theirs < authors.threshold).sum()), theirs.size)
            row += [f"{known.count}/{known.runs}", range_text(known.low, known.high, 2)]
        for method in (PARTICLES, FIXED) if competes else (PARTICLES,):
            losses = authors.losses.get((method, m))
            row.append(number(result.geometric_mean(method, m)))
            row.append("-" if losses is None else number(geometric_mean(losses, authors.least)))
        rows.append(row)
    rested, flows = result.at_rest()
    gap = max(optimum["gap"] for optimum in result.optima)
    best = f"F* to a certified gap of {gap:.1g}" if gap else "F* is exact"
    steps = [record["steps"] for record in result.records if record["method"] == PARTICLES]
    return "\n".join(
        [
            f"{problems.name}: excess loss F(mu_m at rest) - F* against m, {result.runs} runs for each m, "
            f"m0 = {problems.m0}",
            "",
            text_table(header, rows),
            "",
            wrapped(
                f"success: share of runs with an excess loss below {result.threshold:g}, Clopper-Pearson "
                f"intervals; the last columns are geometric means, losses below {result.least:g} counted as "
                f"it. {rested} of {flows} flows came to rest, in {min(steps)} to {max(steps)} steps; "
                f"{len(result.under_way())} others were given up above it while they were under way; {best}."
            ),
            wrapped(
                "fixed: the least F over the magnitudes of atoms at the particles' first positions. authors: "
                "Chizat and Bach (2018), read from their poster."
            ),
            wrapped(problems.unknown),
        ]
    )
