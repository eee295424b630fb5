"""Certificates: the closed single-spike solution, both kinds of mass, what is refused, what users declare."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wassflow as wf

ORDER, HEIGHT, PLACE, STRENGTH = 3, 2.0, 0.3, 0.9
SPIKE = wf.SpikeFeatures("dirichlet", order=ORDER)
K = 2 * ORDER + 1
TARGET = SPIKE.value([[HEIGHT, PLACE]])[0]
BLASSO = wf.Functional(SPIKE, wf.SquaredLoss(TARGET), wf.regularizer.AbsWeight(STRENGTH))
CIRCLE = wf.Box([-4.0, 0.0], [4.0, 1.0], periodic=(False, True))
# S1: w* = (height - strength/K)_+ at the place of the spike, F* = strength height - strength^2 / (2 K)
BEST = STRENGTH * HEIGHT - STRENGTH**2 / (2 * K)
MINIMISER = wf.ParticleCloud([[HEIGHT - STRENGTH / K, PLACE]], [1.0])


def user_spikes():
    return wf.CallableFeatures(SPIKE.value, SPIKE.gradient, size=SPIKE.size, dim=2)


@pytest.mark.parametrize("mass", ["free", "fixed"])
def test_the_single_spike_is_certified(mass):
    found = wf.certificate(BLASSO, MINIMISER, CIRCLE, mass=mass)
    assert found.value == pytest.approx(BEST, abs=1e-12)
    assert found.gap < 1e-7
    assert found.lower_bound <= BEST + 1e-12
    assert abs(found.least) < 1e-8
    assert found.support_max < 1e-8
    assert found.mass == mass
    assert "min F'" in str(found)


@settings(max_examples=30)
@given(
    weight=st.floats(-3.5, 3.5),
    place=st.floats(0.0, 1.0),
    other=st.floats(-3.5, 3.5),
    share=st.floats(0.05, 0.95),
)
def test_the_lower_bound_is_below_the_minimum_and_the_gap_above_the_truth(weight, place, other, share):
    cloud = wf.ParticleCloud([[weight, place], [other, 0.7 * place]], [share, 1.0 - share])
    for mass in ("free", "fixed"):
        found = wf.certificate(BLASSO, cloud, CIRCLE, mass=mass, tolerance=1e-6)
        assert found.gap >= found.value - BEST - 1e-10
        assert found.least <= found.least_upper <= 0.0 + 1e-12 or mass == "free"


def test_the_spike_certificate_is_the_kernel_over_its_norm():
    # S1: with <R', phi(theta)> = -strength psi(theta - place)/K the minimum over both signs is 0
    rest = wf.certificate(BLASSO, wf.ParticleCloud([[0.0, 0.0]]), CIRCLE)
    assert rest.least_upper == pytest.approx(STRENGTH - HEIGHT * K, abs=1e-9)
    assert rest.minimizer[1] == pytest.approx(PLACE, abs=1e-4)
    assert rest.minimizer[0] == 1.0
    assert rest.integral == 0.0


def test_fixed_and_free_mass_are_told_apart():
    narrow = wf.Box([-0.5, 0.0], [0.5, 1.0], periodic=(False, True))
    stuck = wf.ParticleCloud([[0.5, PLACE]], [1.0])  # the best that mass one can do in the narrow strip
    fixed = wf.certificate(BLASSO, stuck, narrow, mass="fixed")
    free = wf.certificate(BLASSO, stuck, narrow, mass="free")
    assert fixed.gap < 1e-7
    assert free.gap >= fixed.value - BEST > 0.1
    assert fixed.support_mean < 1e-8 < free.support_mean


def test_a_measure_of_fixed_mass_that_is_not_homogeneous():
    case = wf.cases.get("cosine-2d", y=(1.3, -1.2))
    corner = wf.ParticleCloud([[0.0, np.pi]])
    found = wf.certificate(case.functional, corner, case.domain)
    assert found.mass == "fixed"
    assert found.homogeneity is None
    assert found.value == pytest.approx(0.5 * (0.3**2 + 0.2**2), abs=1e-12)
    assert found.gap < 1e-8
    other = wf.certificate(case.functional, wf.ParticleCloud([[0.4, np.pi]]), case.domain)
    assert other.gap >= other.value - found.value


def test_a_density_is_certified_like_the_cloud_of_its_centroids():
    case = wf.cases.get("deconvolution-2d")
    mu = case.start(case.mesh(cells=(12, 16)))
    density = wf.certificate(case.functional, mu, case.domain)
    cloud = wf.certificate(case.functional, wf.ParticleCloud(*mu.quadrature()), case.domain)
    assert density.gap == pytest.approx(cloud.gap, rel=1e-12)
    assert density.support_max == pytest.approx(cloud.support_max, rel=1e-12)


def test_features_of_the_user_give_the_same_certificate_with_constants_and_a_declaration():
    F = wf.Functional(user_spikes(), BLASSO.loss, BLASSO.regularizer)
    cloud = wf.ParticleCloud([[1.7, 0.31]])
    lipschitz = SPIKE.lipschitz_gradient([-1.0, 0.0], [1.0, 1.0], np.ones(K))
    own = wf.certificate(BLASSO, cloud, CIRCLE)
    mine = wf.certificate(F, cloud, CIRCLE, homogeneity="weight", lipschitz=lipschitz)
    assert mine.gap == pytest.approx(own.gap, rel=1e-6)
    with pytest.raises(wf.WassflowError, match="lipschitz"):
        wf.certificate(F, cloud, CIRCLE, homogeneity="weight")


def test_both_losses():
    inputs = np.column_stack([np.linspace(-1.0, 1.0, 9), np.ones(9)])
    features = wf.NeuronFeatures(inputs, "tanh")
    F = wf.Functional(features, wf.LogisticLoss(np.sign(inputs[:, 0] - 0.1)), wf.regularizer.AbsWeight(0.5))
    box = wf.Box([-9.0, -3.0, -3.0], [9.0, 3.0, 3.0])
    best = wf.minimize_over_measures(F, box)
    cloud = wf.ParticleCloud([[1.0, 2.0, 0.0], [-0.5, 1.0, 1.0]], [0.4, 0.6])
    found = wf.certificate(F, cloud, box)
    assert found.gap >= found.value - best.value > 0.0
    assert found.mass_bound == pytest.approx(found.value / 0.5, rel=1e-6)


REFUSED = {
    "free mass, no homogeneity": (("cosine-2d", "free", None, "case"), "mass must be 'fixed'"),
    "unbounded, fixed": (("deconvolution-2d", "fixed", None, None), "must be bounded"),
    "unbounded in theta": (("sigmoid-3d", "free", None, None), "bounded in theta"),
    "unknown mass": (("deconvolution-2d", "loose", None, "case"), "mass must be one of"),
    "unknown homogeneity": (("deconvolution-2d", "free", "heavy", "case"), "homogeneity must be one of"),
    "wrong homogeneity": (
        ("deconvolution-2d", "free", "joint", "case"),
        "homogeneity must be one that features",
    ),
    "origin outside": (("relu-2d", "free", None, wf.Box([0.5, 0.5], [2.0, 2.0])), "origin as an inner point"),
    "no small weights": (
        ("deconvolution-2d", "free", None, wf.Box([1.0, 0.0], [2.0, 1.0])),
        "weights down to w = 0",
    ),
    "dimension": (("relu-2d", "free", None, wf.Box([-1.0] * 3, [1.0] * 3)), "domain must have dimension 2"),
}


@pytest.mark.parametrize(("problem", "message"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_sense_is_refused(problem, message):
    name, mass, homogeneity, domain = problem
    case = wf.cases.get(name)
    domain = case.domain if domain == "case" else domain
    cloud = wf.ParticleCloud(np.full((1, case.dim), 1.0))
    with pytest.raises(ValueError, match=message):
        wf.certificate(case.functional, cloud, domain, mass=mass, homogeneity=homogeneity)


def test_other_bad_arguments_name_themselves():
    for options, message in (
        ({"tolerance": 0.0}, "tolerance"),
        ({"mass_bound": -1.0}, "mass_bound"),
        ({"mass": "fixed", "mass_bound": 1.0}, "mass_bound belongs to"),
        ({"lipschitz": -1.0}, "lipschitz"),
        ({"max_boxes": 0}, "max_boxes"),
        ({"domain": "circle"}, "domain must be a Domain"),
    ):
        with pytest.raises(ValueError, match=message):
            wf.certificate(BLASSO, MINIMISER, **({"domain": CIRCLE} | options))
    with pytest.raises(ValueError, match="mu must be"):
        wf.certificate(BLASSO, np.zeros((1, 2)), CIRCLE)


def test_without_a_regulariser_the_mass_needs_a_bound():
    F = wf.Functional(SPIKE, BLASSO.loss, wf.regularizer.Zero())
    cloud = wf.ParticleCloud([[HEIGHT + 1e-3, PLACE]])
    assert wf.certificate(F, cloud, CIRCLE).gap == np.inf
    found = wf.certificate(F, cloud, CIRCLE, mass_bound=2.0 * HEIGHT)
    assert F.value(cloud) <= found.gap < 0.1
