import numpy as np
import pytest
from scipy.special import expit

from wassflow.functional.activations import ACTIVATIONS, activate, activate_with_slope

# Every size of argument: the whole transition, both tails, and numbers at which exp overflows.
ARGUMENTS = np.concatenate(
    [
        np.linspace(-40.0, 40.0, 20_001),
        np.geomspace(1e-12, 1e4, 500),
        -np.geomspace(1e-12, 1e4, 500),
        [0.0, 1e300, -1e300, np.inf, -np.inf],
    ]
)


def reference(name, z):
    """Return sigma(z) and sigma'(z) from the C library."""
    if name == "sigmoid":
        return expit(z), expit(z) * expit(-z)
    if name == "tanh":
        return np.tanh(z), 4.0 * expit(2.0 * z) * expit(-2.0 * z)
    if name == "softplus":
        return np.logaddexp(0.0, z), expit(z)
    return np.maximum(z, 0.0), (z > 0.0).astype(float)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_and_slopes_are_right_to_rounding_for_arguments_of_any_size(name):
    values, slopes = reference(name, ARGUMENTS)
    found, slope, alone = ARGUMENTS.copy(), np.empty_like(ARGUMENTS), ARGUMENTS.copy()
    activate_with_slope(ACTIVATIONS[name], found, slope)
    activate(ACTIVATIONS[name], alone)
    np.testing.assert_array_equal(alone, found)
    # A dozen roundings of relative size 1.1e-16 each; below 1e-300 the exponential is clamped.
    np.testing.assert_allclose(found, values, rtol=2e-15, atol=1e-300)
    np.testing.assert_allclose(slope, slopes, rtol=2e-15, atol=1e-300)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus"])
def test_what_is_not_a_number_stays_visible(name):
    z, slope = np.array([np.nan]), np.empty(1)
    activate_with_slope(ACTIVATIONS[name], z, slope)
    assert np.isnan(z[0])


def test_relu_has_slope_zero_at_zero():
    z, slope = np.array([-1.0, 0.0, 1.0]), np.empty(3)
    activate_with_slope(ACTIVATIONS["relu"], z, slope)
    np.testing.assert_array_equal(slope, [0.0, 0.0, 1.0])
