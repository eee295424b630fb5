import numpy as np
import pytest

import wassflow as wf
from wassflow.flow.face_velocity import PointwiseVelocity
from wassflow.flow.held import HeldMass

PENALTIES = {
    "smooth": wf.regularizer.Linear([0.3, -0.2]),
    "interval": wf.regularizer.AbsWeight(0.4),
    "ball": wf.regularizer.WeightTimesNorm(0.4),
}
BOXES = {
    "walls": wf.Box([-1.0, -1.0], [1.0, 1.0]),
    "periodic": wf.Box([-1.0, 0.0], [1.0, 1.0], (False, True)),
}


def problem(penalty, box, weighted):
    """Spikes on the circle, as features that have w as a factor or as any features."""
    features = wf.SpikeFeatures("dirichlet", order=2)
    if not weighted:
        features = wf.CallableFeatures(features.value, features.gradient, features.size)
    loss = wf.SquaredLoss(np.zeros(features.size))
    functional = wf.Functional(features, loss, PENALTIES[penalty])
    return functional, wf.mesh.box(BOXES[box], 8, "triangle")


def expected(functional, mesh, slope):
    """|f| v.n and |v|^2, face by face."""
    V, domain = functional.regularizer, mesh.domain

    def least(points, domain=None):
        return V.velocity(points, -functional.features.pair_gradient(points, slope), domain)

    layers = HeldMass(functional, mesh)
    velocity = least(domain.wrap(mesh.face_midpoints))
    there, beside = np.split(layers.points, 2)
    there, beside = least(there, domain), least(beside)
    for k, face in enumerate(layers.faces):
        stopped = layers.axes[k].any() and not there[k][layers.axes[k]].any()
        if not stopped:
            velocity[face] += there[k] - beside[k]
        elif np.linalg.norm(there[k]) > 1e-12 * np.linalg.norm(beside[k]):
            velocity[face] = there[k]
    return mesh.face_areas * np.einsum("ij,ij->i", velocity, mesh.face_normals), (velocity**2).sum(axis=1)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_faces_have_the_velocity_of_least_norm_corrected_in_layers(penalty, box, weighted):
    functional, mesh = problem(penalty, box, weighted)
    generator = np.random.default_rng(len(penalty) + len(box))
    faces = len(mesh.face_cells)
    velocity, fluxes = PointwiseVelocity(functional, mesh), np.empty(faces)
    for chosen in (np.arange(faces), np.flatnonzero(generator.random(faces) < 0.7), np.arange(faces)):
        variation = functional.linearize(generator.standard_normal(functional.features.size))
        through, squares = expected(functional, mesh, variation.slope)
        fluxes[:] = np.nan
        assert velocity.fluxes(variation, chosen, fluxes)
        np.testing.assert_allclose(fluxes[chosen], through[chosen], rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(velocity.values[chosen], squares[chosen], rtol=1e-11, atol=1e-13)
        assert np.isnan(np.delete(fluxes, chosen)).all()
