"""A bracket is ordered, says what it knows, and refuses nonsense."""

import dataclasses

import pytest

import wassflow as wf


def test_value_is_the_middle_unless_given():
    assert wf.Bracket(1.0, 2.0, "x").value == 1.5
    assert wf.Bracket(1.0, 2.0, "x", value=1.25).value == 1.25
    assert wf.Bracket(1.0, 2.0, "x", value=7.0).value == 1.5
    assert 1.2 in wf.Bracket(1.0, 2.0, "x")
    assert 2.2 not in wf.Bracket(1.0, 2.0, "x")
    assert wf.Bracket(1.0, 2.0, "x").relative_width == 0.5
    assert wf.Bracket(0.0, 0.0, "x").relative_width == 0.0


def test_it_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        wf.Bracket(1.0, 2.0, "x").lower = 3.0


@pytest.mark.parametrize("bounds", [(2.0, 1.0), (-1.0, 1.0), (0.0, float("inf")), (float("nan"), 1.0)])
def test_crossed_or_unreal_bounds_are_refused(bounds):
    with pytest.raises(ValueError, match="0 <= lower <= upper < inf"):
        wf.Bracket(*bounds, "x")


def test_the_text_shows_as_many_digits_as_are_known():
    assert repr(wf.Bracket(0.4, 0.42, "Newton")) == "W2 = 0.41 +- 0.01  [0.4, 0.42]  by Newton"
