import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wassflow as wf
from wassflow.functional import SpikeFeatures
from wassflow.functional.evaluation import FixedPoints, TabulatedFeatures
from wassflow.functional.evaluation.lattice import SpikesOnLattice

PERIOD = 1.7
# More frequencies than points of a lattice, and fewer.
KINDS = {
    "many": SpikeFeatures("dirichlet", order=40, period=PERIOD),
    "few": SpikeFeatures("dirichlet", order=2, period=PERIOD),
    "samples": SpikeFeatures("gaussian", samples=9, period=PERIOD, width=0.2),
    "many in two": SpikeFeatures("dirichlet", order=9, dim=2, period=PERIOD),
    "samples in two": SpikeFeatures("gaussian", samples=5, dim=2, period=PERIOD, width=0.3),
}


@settings(max_examples=60)
@given(st.sampled_from(sorted(KINDS)), st.integers(0, 2**32 - 1))
def test_points_of_a_lattice_are_evaluated_as_any_points(kind, seed):
    features, generator = KINDS[kind], np.random.default_rng(seed)
    lengths = generator.integers(1, 13, features.torus_dim)
    steps = np.stack(np.meshgrid(*map(np.arange, lengths), indexing="ij"), axis=-1).reshape(-1, lengths.size)
    theta = PERIOD * np.mod((steps + generator.uniform(size=lengths.size)) / lengths, 1.0)
    theta = generator.permutation(theta) + PERIOD * generator.integers(-1, 2, theta.shape)
    lattice = SpikesOnLattice.through(features, theta)
    assert lattice is not None
    assert lattice.shape == tuple(lengths)
    u = np.hstack([np.ones((len(theta), 1)), theta])
    g, weights = generator.standard_normal(features.size), generator.standard_normal(len(theta))
    assert lattice.pair_gradient(g) == pytest.approx(features.pair_gradient(u, g), rel=1e-10, abs=1e-10)
    assert lattice.moment(weights) == pytest.approx(features.moment(u, weights), rel=1e-11, abs=1e-11)


def test_positions_may_be_missing_from_the_lattice():
    turns = np.array([0.1, 0.3, 0.6])  # gaps of 2, 3 and 5 tenths
    lattice = SpikesOnLattice.through(KINDS["few"], PERIOD * turns[:, None])
    assert lattice is not None
    assert lattice.shape == (10,)


@pytest.mark.parametrize("turns", [[0.0, 0.25, 0.5 + 1e-9], [0.0, 1e-3]])
def test_no_lattice_or_one_with_far_more_points_is_not_used(turns):
    assert SpikesOnLattice.through(KINDS["few"], PERIOD * np.array(turns)[:, None]) is None


@pytest.mark.parametrize("tabulated", [False, True])
def test_spikes_on_the_faces_and_cells_of_a_box_are_on_a_lattice(tabulated):
    box = wf.Box([-1.0, 0.0], [1.0, PERIOD], (False, True))
    mesh = wf.mesh.box(box, 12, "triangle")
    features = direct = KINDS["many"]
    if tabulated:
        features = TabulatedFeatures(direct, box.lower, box.upper)
    generator = np.random.default_rng(0)
    g = generator.standard_normal(direct.size)
    for points in (mesh.centroids, box.wrap(mesh.face_midpoints)):
        fixed, masses = FixedPoints(features, points), generator.random(len(points))
        assert fixed._lattice is not None
        assert fixed.moment(masses) == pytest.approx(direct.moment(points, masses), rel=1e-11, abs=1e-11)
        found = fixed.pair_gradient(g, np.arange(len(points))).rows()
        assert found == pytest.approx(direct.pair_gradient(points, g), rel=1e-10, abs=1e-9)
