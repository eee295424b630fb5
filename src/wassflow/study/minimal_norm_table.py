"""The minimal-norm study as plain text of at most a hundred columns."""

from typing import TYPE_CHECKING

from wassflow.study.tables import number, text_table, wrapped

if TYPE_CHECKING:
    from wassflow.study.minimal_norm import MinimalNorm


def minimal_norm_table(result: "MinimalNorm") -> str:
    """The three parts, and how to read them."""
    if not result.balances:
        return f"{_projections(result)}\n\nThe velocity is wrong: nothing was run with it."
    return "\n\n".join([_projections(result), _balances(result), _decays(result)])


def _projections(result: "MinimalNorm") -> str:
    places = ("inside", "kink", "wall", "kink and wall")
    rows = []
    for dim, what in dict.fromkeys((r["dim"], r["regularizer"]) for r in result.projections):
        chosen = [r for r in result.projections if (r["dim"], r["regularizer"]) == (dim, what)]
        errors = (max((r["error"] for r in chosen if r["place"] == place), default=None) for place in places)
        rows.append([str(dim), what.ljust(30), *(number(error, 2) for error in errors)])
    note = (
        "Largest distance between v = (id - proj_{dV})(vt), with walls in the same projection, and the "
        "element of least norm of -dF' - N found from differences of values of F' alone (resolved to about "
        "1e-4 where dV is a ball). Points: {w = 0}, {theta = 0} and the origin; faces, edges and corners of "
        "boxes; oblique walls of polytopes, through kinks as well."
    )
    return "\n".join(
        [
            "1. The velocity is the element of least norm",
            text_table(["d", "V".ljust(30), *places], rows),
            wrapped(note),
        ]
    )


def _balances(result: "MinimalNorm") -> str:
    rows = [
        [
            "stopped" if r["meet"] else r["run"],
            str(r["dim"]),
            r["what"].ljust(30),
            r["scheme"],
            number(r["residuals"][0], 2),
            number(r["residuals"][-1], 2),
            f"{r['order']:.2f}",
            str(r["theory"]),
        ]
        for r in result.balances
    ]
    note = (
        "Residual: the largest |F(t) - F(0) + int_0^t int |v|^2 dmu dt| of a run, with the longest and the "
        "shortest steps. particles: fixed steps, away from kinks and walls at the order of the integrator; "
        "stopped: where they are met |v|^2 jumps within a step, which leaves order 1 (and a sign by chance "
        "in every step: fitted orders scatter). density: shares of the positivity bound on one mesh, with "
        "the scheme's own dissipation. mesh: the dissipation int |v|^2 dmu of the faces, on finer meshes."
    )
    header = ["run", "d", "V or case".ljust(30), "scheme", "first", "last", "order", "theory"]
    return "\n".join(
        ["2. dF/dt = -int |v|^2 dmu: residuals as steps shrink", text_table(header, rows), wrapped(note)]
    )


def _decays(result: "MinimalNorm") -> str:
    rows = [
        [
            r["case"],
            str(r["m"]),
            number(r["first"], 5),
            number(r["last"], 5),
            str(r["steps"]),
            str(r["repeated"]),
            number(r["rise"], 2),
        ]
        for r in result.decays
    ]
    note = (
        "rise: the largest rise of F in one step, relative to F; 0 is what theory says. The integrator takes "
        "a step again, shorter, where F would rise or where its error would be too large (repeated), so that "
        "part 3 says that such steps exist; that they are the gradient's is said by parts 1 and 2."
    )
    header = ["case", "m", "F at 0", "F at the end", "steps", "repeated", "rise"]
    return "\n".join(["3. F never rises, whatever m", text_table(header, rows), wrapped(note)])
