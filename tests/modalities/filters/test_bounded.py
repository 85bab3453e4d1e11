"""A trainable number in bounds: its start, its bounds, its gradient, and what is saved of it."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.errors import ConfigError
from neurodsr.modalities.filters.bounded import Bounded

# Around a hundred rounding steps of float32 (6e-8) in a logarithm, a logit and back.
ROUNDING = 1e-5


def test_it_starts_at_its_initial_value():
    assert Bounded(0.02, 10.0, initial=0.4)().item() == pytest.approx(0.4, rel=ROUNDING)


def test_the_middle_of_the_coordinate_is_the_geometric_mean_of_the_bounds():
    assert Bounded(0.1, 10.0, initial=1.0).coordinate.item() == pytest.approx(0.0, abs=ROUNDING)


def test_each_channel_may_have_its_own_value_and_bounds():
    low, high = torch.tensor([0.1, 1.0]), torch.tensor([1.0, 10.0])
    bounded = Bounded(low, high, initial=torch.tensor([0.5, 5.0]))
    torch.testing.assert_close(bounded(), torch.tensor([0.5, 5.0]), rtol=ROUNDING, atol=0)
    with torch.no_grad():
        bounded.coordinate.copy_(torch.tensor([-math.inf, math.inf]))
    torch.testing.assert_close(bounded(), torch.tensor([0.1, 10.0]), rtol=0, atol=0)


def test_one_bound_for_all_channels_leaves_each_its_value():
    assert Bounded(0.1, 10.0, initial=torch.tensor([1.0, 2.0, 3.0]))().shape == (3,)


@given(st.floats(-1e30, 1e30), st.floats(1e-3, 10.0), st.floats(1.01, 1e3))
def test_no_coordinate_takes_the_value_out_of_its_bounds(coordinate, low, factor):
    bounded = Bounded(low, low * factor, initial=low * math.sqrt(factor))
    with torch.no_grad():
        bounded.coordinate.fill_(coordinate)
    assert bounded.low <= bounded() <= bounded.high


def test_the_gradient_is_that_of_the_formula():
    bounded = Bounded(0.02, 10.0, initial=torch.tensor([0.03, 0.4, 8.0], dtype=torch.float64))
    (found,) = torch.autograd.grad(bounded().sum(), [bounded.coordinate])
    # d/du l (h/l)^s(u) = v log(h/l) s (1 - s)
    share = torch.sigmoid(bounded.coordinate)
    torch.testing.assert_close(found, bounded() * math.log(500) * share * (1 - share))


def test_training_towards_a_value_outside_ends_at_the_bound():
    bounded = Bounded(0.1, 1.0, initial=0.5)
    optimizer = torch.optim.Adam(bounded.parameters(), lr=0.5)
    for _ in range(200):
        optimizer.zero_grad()
        (bounded() - 7.0).square().backward()
        optimizer.step()
    assert 0.99 < bounded().item() <= 1.0


def test_a_fixed_value_is_not_trained_and_may_be_a_bound():
    bounded = Bounded(0.1, 1.0, initial=torch.tensor([0.1, 1.0]), fixed=True)
    assert not list(bounded.parameters())
    torch.testing.assert_close(bounded(), torch.tensor([0.1, 1.0]), rtol=0, atol=0)


@pytest.mark.parametrize("fixed", [False, True])
def test_the_state_has_the_same_keys_fixed_or_not(fixed):
    state = Bounded(0.1, 1.0, initial=0.5, fixed=fixed).state_dict()
    assert sorted(state) == ["coordinate", "high", "low"]


def test_a_saved_value_survives_a_change_of_the_default_bounds():
    saved = Bounded(0.1, 1.0, initial=0.5)
    other = Bounded(0.2, 7.0, initial=3.0)
    other.load_state_dict(saved.state_dict())
    assert other() == saved()


def test_the_dtype_is_that_of_the_tensor_that_was_given():
    assert (
        Bounded(0.1, 1.0, initial=torch.tensor(0.5, dtype=torch.float64))().dtype is torch.float64
    )
    assert Bounded(0.1, 1.0, initial=0.5)().dtype is torch.float32


@pytest.mark.parametrize("initial", [0.05, 0.1, 1.0, 2.0, math.nan])
def test_an_initial_value_outside_the_bounds_is_refused(initial):
    with pytest.raises(ConfigError, match=r"between 0.1 and 1\n.*start inside the bounds, widen"):
        Bounded(0.1, 1.0, initial=initial)


def test_the_channel_whose_value_is_outside_is_named():
    with pytest.raises(ConfigError, match=r"value 3 of channel 1[\s\S]*start inside the bounds"):
        Bounded(0.1, 1.0, initial=torch.tensor([0.5, 3.0]))


def test_a_fixed_value_outside_the_bounds_is_refused():
    with pytest.raises(ConfigError, match="or fix the value within them"):
        Bounded(0.1, 1.0, initial=2.0, fixed=True)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (1.0, 1.0), (2.0, 1.0)])
def test_bounds_that_are_not_positive_and_ascending_are_refused(low, high):
    with pytest.raises(ConfigError, match="a lower bound above 0 and an upper bound above"):
        Bounded(low, high, initial=0.5)


def test_a_value_that_is_set_is_kept_and_one_beyond_a_bound_stays_trainable():
    bounded = Bounded(0.1, 10.0, initial=torch.ones(3, dtype=torch.float64))
    bounded.set(torch.tensor([2.0, 0.01, 1e6], dtype=torch.float64))
    value = bounded()
    torch.testing.assert_close(value[0].item(), 2.0)
    assert 0.1 < value[1] < 0.2
    assert 5 < value[2] < 10.0
    (gradient,) = torch.autograd.grad(value.sum(), [bounded.coordinate])
    assert (gradient > 0).all()
