"""Densities between a mesh and its refinements."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wassflow.domain import Box
from wassflow.measure import MeshDensity
from wassflow.mesh import box, refine

CELLS = {"triangle": 2, "quadrilateral": 2, "tetrahedron": 3, "hexahedron": 3}


def _refinement(cell: str, local: bool):
    d = CELLS[cell]
    mesh = box(Box([0.0] * d, [1.0, 0.7, 1.3][:d], (False, True, False)[:d]), 3, cell)
    near = (lambda u: u[:, 0] < 0.4) if local else None
    first = refine(mesh, near)
    return first.then(refine(first.fine, near))


REFINEMENTS = {
    (cell, local): _refinement(cell, local)
    for cell in CELLS
    for local in (False, True)
    if not local or cell in ("triangle", "tetrahedron")
}


@pytest.mark.parametrize("key", REFINEMENTS)
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_prolongation_keeps_the_measure_and_restriction_undoes_it(key, seed):
    refinement = REFINEMENTS[key]
    coarse, fine = refinement.coarse, refinement.fine
    rng = np.random.default_rng(seed)
    # masses over many orders of magnitude, and empty cells
    masses = np.where(rng.random(coarse.num_owned) < 0.5, 0.0, 10.0 ** rng.uniform(-200, 0, coarse.num_owned))
    masses[0] = 1.0
    mu = MeshDensity(coarse, masses)
    nu = mu.prolong(refinement)
    assert nu.mesh is fine
    # the same density in each cell, to rounding of volumes
    assert np.allclose(nu.densities, mu.densities[refinement.parent], rtol=1e-12, atol=0)
    back = nu.restrict(refinement)
    assert back.mesh is coarse
    # each sum of n shares may be off by n roundings
    rounding = 2.3e-16 * np.bincount(refinement.parent).max()
    assert np.allclose(back.masses, mu.masses, rtol=rounding, atol=0)
    assert nu.mass == pytest.approx(mu.mass, rel=rounding)
    assert np.allclose(nu.mean(), mu.mean(), rtol=1e-12, atol=1e-14)
    assert nu.second_moment() == pytest.approx(mu.second_moment(), rel=1e-12)


@pytest.mark.parametrize("key", REFINEMENTS)
def test_restriction_of_any_density_conserves_mass_cell_by_cell(key):
    refinement = REFINEMENTS[key]
    masses = np.random.default_rng(1).random(refinement.fine.num_owned)
    mu = MeshDensity(refinement.fine, masses)
    nu = mu.restrict(refinement)
    assert nu.mass == pytest.approx(mu.mass, rel=1e-14)
    for cell in range(0, refinement.coarse.num_owned, 7):
        assert nu.masses[cell] == pytest.approx(masses[refinement.parent == cell].sum(), rel=1e-14)
    uniform = MeshDensity.uniform(refinement.fine).restrict(refinement)
    assert np.allclose(uniform.densities, uniform.densities[0], rtol=1e-12, atol=0)


def test_densities_of_other_meshes_are_refused():
    refinement = REFINEMENTS["triangle", False]
    on_coarse, on_fine = (MeshDensity.uniform(m) for m in (refinement.coarse, refinement.fine))
    with pytest.raises(ValueError, match="refinement must refine the mesh of the density"):
        on_fine.prolong(refinement)
    with pytest.raises(ValueError, match="fine mesh of refinement must be that of the density"):
        on_coarse.restrict(refinement)
