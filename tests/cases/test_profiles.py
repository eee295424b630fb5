"""Compactly supported laws: their densities, distribution functions and moments agree with each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from wassflow.cases.profiles import Profile, RadialProfile, product_density

profiles = st.builds(
    Profile,
    center=st.floats(-3.0, 3.0),
    halfwidth=st.floats(0.05, 3.0),
    shape=st.sampled_from(["uniform", "bump"]),
)


@given(profiles, st.floats(-1.5, 1.5))
def test_distribution_function_integrates_the_density(profile, s):
    x = profile.center + s * profile.halfwidth
    upper = min(x, profile.upper)
    mass = 0.0 if upper <= profile.lower else quad(profile.density, profile.lower, upper, epsabs=1e-12)[0]
    assert profile.cdf(x) == pytest.approx(mass, abs=1e-9)


@given(profiles)
def test_moments(profile):
    assert profile.expectation(np.ones_like) == pytest.approx(1.0, abs=1e-13)
    assert profile.expectation(lambda x: x) == pytest.approx(profile.mean, abs=1e-12)
    assert profile.expectation(lambda x: (x - profile.mean) ** 2) == pytest.approx(
        profile.variance, rel=1e-12
    )


@given(profiles, st.floats(-0.9, 0.9))
def test_a_kink_at_a_breakpoint_is_integrated_exactly(profile, s):
    kink = profile.center + s * profile.halfwidth
    value = profile.expectation(lambda x: np.abs(x - kink), [kink, profile.upper + 1.0])
    # E|X - k| = int_-inf^k cdf + int_k^inf (1 - cdf)
    below = quad(profile.cdf, profile.lower, kink, epsabs=1e-12)[0]
    above = quad(lambda x: 1.0 - profile.cdf(x), kink, profile.upper, epsabs=1e-12)[0]
    assert value == pytest.approx(below + above, abs=1e-10)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("shape", ["uniform", "bump"])
def test_radial_law_has_unit_mass_in_cartesian_coordinates(dim, shape):
    law = RadialProfile(dim, radius=0.7, shape=shape)
    n = 400 if dim == 2 else 120
    x = (np.arange(n) + 0.5) / n * 1.4 - 0.7
    grid = np.stack(np.meshgrid(*[x] * dim, indexing="ij"), axis=-1).reshape(-1, dim)
    mass = law.density(np.linalg.norm(grid, axis=1)).sum() * (1.4 / n) ** dim
    # midpoint rule: a jump on the sphere costs up to the volume of the cut cells, a C^1 bump O(h^2)
    assert mass == pytest.approx(1.0, abs=5e-3 if shape == "uniform" else 1e-4)
    assert law.expectation(np.ones_like) == pytest.approx(1.0, abs=1e-13)


def test_the_bump_is_continuously_differentiable_at_its_end():
    bump, h = Profile(0.0, 1.0), 1e-5
    assert abs(bump.density(1.0 - h) - bump.density(1.0 + h)) / (2 * h) < 1e-4


def test_product():
    u = np.array([[0.1, -0.2], [2.0, 0.0]])
    laws = [Profile(0.0, 1.0), Profile(0.0, 0.5, "uniform")]
    assert product_density(laws, u) == pytest.approx([laws[0].density(0.1) * 1.0, 0.0])


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"halfwidth": 0.0}, "halfwidth must be a finite number, above 0"),
        ({"shape": "gauss"}, "shape must be one of 'uniform', 'bump', found 'gauss'"),
        ({"center": np.inf}, "center must be a finite number"),
    ],
)
def test_refusals(keywords, message):
    with pytest.raises(ValueError, match=message):
        Profile(**keywords)


def test_radial_refusals():
    with pytest.raises(ValueError, match="dim must be one of 2, 3, found 4"):
        RadialProfile(4)
