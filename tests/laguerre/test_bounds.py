import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from laguerre.meshes import linear_program_bracket, mesh, refine

from wassflow.laguerre.bounds import Flow, admissible_shares, bracket
from wassflow.laguerre.cells import Seeds, measure_cells
from wassflow.laguerre.deadline import Deadline
from wassflow.laguerre.linear import solve_laplacian
from wassflow.laguerre.newton import newton_step, solve_newton
from wassflow.laguerre.source import Source


@given(st.integers(0, 10_000), st.sampled_from([1e-3, 1.0, 1e3]))
def test_no_cell_sends_more_than_it_has(seed, scale):
    rng = np.random.default_rng(seed)
    m, edges = 12, 40
    masses, weights = rng.random(m) * (rng.random(m) < 0.8), rng.random(m)
    i, j = rng.integers(m, size=(2, edges))
    flow = scale * rng.random(edges)
    share = admissible_shares(i, j, flow, masses, weights)
    assert np.all((share >= 0.0) & (share <= 1.0))
    sent, got = (np.bincount(index, share * flow, minlength=m) for index in (i, j))
    surplus = np.maximum(masses - weights + got - sent, 0.0)
    assert np.all(sent + surplus <= masses * (1.0 + 1e-14) + 1e-16)


def test_one_hopeless_cell_does_not_spoil_the_upper_bound():
    """The flows around it are cut, not all flows: 400 cells, one of which has nothing to give."""
    rng = np.random.default_rng(3)
    simplices = mesh(2, 4)
    sites = rng.random((400, 2))
    source = Source.from_arrays(simplices, np.full(len(simplices), 1 / len(simplices)), np.full(2, np.inf))
    seeds, weights = Seeds.around(source, sites), np.full(400, 1 / 400)
    widths = []
    for lowered in (0.0, 0.02):
        psi = np.zeros(400)
        psi[7] -= lowered
        cells = measure_cells(source, seeds, psi)
        direction = solve_laplacian(cells.graph, weights - cells.mass, 2)
        found = bracket(seeds, cells, psi, weights, Flow(direction), np.sqrt(2.0))
        widths.append((found.upper - found.lower) / found.upper)
    assert cells.mass[7] == 0.0
    assert widths[1] < 1.2 * widths[0]


def test_the_bracket_of_a_poor_potential_holds_the_exact_value():
    rng = np.random.default_rng(5)
    simplices, masses = refine(mesh(2, 2), np.full(8, 0.125), 6)
    sites, weights = rng.random((30, 2)), np.full(30, 1 / 30)
    lower, upper = linear_program_bracket(simplices, masses, sites, weights)
    source = Source.from_arrays(simplices, masses, np.full(2, np.inf))
    seeds = Seeds.around(source, sites)
    for size in (0.0, 0.01, 0.3):
        psi = size * rng.standard_normal(30)
        cells = measure_cells(source, seeds, psi)
        for direction in (solve_laplacian(cells.graph, weights - cells.mass, 2), rng.standard_normal(30)):
            found = bracket(seeds, cells, psi, weights, Flow(direction), np.sqrt(2.0))
            assert found.lower <= upper
            assert found.upper >= lower


def test_empty_cells_are_served_by_those_they_reach_first():
    """Gifts, and flows that make up for them: the plan costs little more than the potential says."""
    rng = np.random.default_rng(8)
    simplices = mesh(3, 3)
    source = Source.from_arrays(simplices, np.full(len(simplices), 1 / len(simplices)), np.full(3, np.inf))
    seeds, weights = Seeds.around(source, rng.random((600, 3))), np.full(600, 1 / 600)
    state = solve_newton(
        source, seeds, weights, np.zeros(600), lambda s: s.iterations == 4, Deadline.after(None)
    )
    psi = state.psi.copy()
    psi[[5, 77, 400]] -= 0.1
    cells = measure_cells(source, seeds, psi)
    assert np.all(cells.mass[[5, 77, 400]] == 0.0)
    step, flow = newton_step(seeds, psi, cells, weights, 3)
    assert sorted(flow.takers.tolist()) == [5, 77, 400]
    served = bracket(seeds, cells, psi, weights, flow, np.sqrt(3.0))
    alone = bracket(seeds, cells, psi, weights, Flow(flow.potential), np.sqrt(3.0))
    exact = bracket(seeds, state.cells, state.psi, weights, state.flow, np.sqrt(3.0))
    assert exact.lower <= served.upper < 1.03 * exact.upper
    assert served.upper - exact.upper < 0.5 * (alone.upper - exact.upper)
    # the step itself lifts them
    assert np.all(measure_cells(source, seeds, psi + step).mass[[5, 77, 400]] > 0.0)
