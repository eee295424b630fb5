import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wassflow.repetition import distinct_rows


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 4), st.integers(1, 200))
def test_rows_are_numbered_by_what_they_are(seed, count, columns, total):
    generator = np.random.default_rng(seed)
    kinds = generator.integers(-3, 4, (count, columns)) * 10.0 ** generator.integers(-3, 4, columns)
    rows = kinds[generator.integers(0, count, total)]
    expected, inverse = np.unique(rows, axis=0, return_inverse=True)
    found = distinct_rows(rows, most=len(expected))
    assert found is not None
    first, number = found
    assert np.array_equal(rows[first][number], rows)
    assert np.array_equal(first, np.sort(np.unique(inverse, return_index=True)[1]))
    if len(expected) > 1:
        assert distinct_rows(rows, most=len(expected) - 1) is None


def test_rounding_errors_make_no_difference_and_small_numbers_do():
    rows = np.array([[0.1 + 0.2, -0.0], [0.3, 0.0], [0.3 + 1e-10, 0.0], [0.3, 1.0]])
    found = distinct_rows(rows, most=4)
    assert found is not None
    assert found[1].tolist() == [0, 0, 1, 2]


def test_hashes_spread_over_a_lattice():
    axis = np.linspace(0.0, 1.0, 200)
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    found = distinct_rows(np.vstack([points, points[::-1]]), most=len(points))
    assert found is not None
    assert found[0].size == len(points)
