"""Indicator kernels: their shape, the recursions they equal, and a decay recovered from data."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, signal

from neurodsr.modalities.filters.bounded import Bounded
from neurodsr.modalities.filters.causal import causal_filter
from neurodsr.modalities.filters.indicator import ar_coefficients, rise_decay_kernel

FRAME = 1 / 30


def number(value):
    return torch.tensor(value, dtype=torch.float64)


def kernel(rise, decay, *, bin_width=FRAME, length=2.0):
    return rise_decay_kernel(number(rise), number(decay), bin_width=bin_width, length=length)


def inputs(n=200, seed=0):
    return torch.as_tensor(np.random.default_rng(seed).poisson(0.3, (n, 1)), dtype=torch.float64)


# The kernel


@pytest.mark.parametrize("bin_width", [0.01, FRAME, 0.5])
def test_weights_are_means_over_bins_with_sum_one(bin_width):
    def response(t):
        return np.exp(-t / 0.4) - np.exp(-t / 0.07)

    found = kernel(0.07, 0.4, bin_width=bin_width).numpy()
    edges = np.arange(len(found) + 1) * bin_width
    areas = np.array([integrate.quad(response, *edges[k : k + 2])[0] for k in range(len(found))])
    assert found == pytest.approx(areas / areas.sum(), abs=1e-12)


def test_without_a_rise_it_is_a_plain_exponential():
    k = np.arange(60)
    expected = np.exp(-k * FRAME / 0.4)
    assert kernel(0.0, 0.4).numpy() == pytest.approx(expected / expected.sum(), abs=1e-12)


def test_a_vanishing_rise_tends_to_the_plain_exponential():
    torch.testing.assert_close(kernel(1e-9, 0.4), kernel(0.0, 0.4), rtol=0, atol=1e-8)


def test_rise_and_decay_may_meet():
    # The difference of equal exponentials, t exp(-t/d), over bins.
    k = np.arange(61) * FRAME
    below = -(k + 0.4) * np.exp(-k / 0.4)
    expected = np.diff(below) / (below[-1] - below[0])
    found = kernel(0.4 / 0.995, 0.4 / 0.995)
    # The cap's distance from the limit, as the module says.
    assert found.numpy() == pytest.approx(expected, abs=1e-4 * expected.max())
    single = rise_decay_kernel(torch.tensor(0.4), torch.tensor(0.4), bin_width=0.001, length=2.0)
    # Float32 loses two of its seven digits in a difference of 1 %.
    reference = kernel(0.4, 0.4, bin_width=0.001)
    torch.testing.assert_close(single.double(), reference, rtol=0, atol=1e-4 * reference.max())


def test_each_channel_has_its_own_times():
    rise, decay = torch.tensor([0.0, 0.05]), torch.tensor([0.2, 0.7])
    found = rise_decay_kernel(rise, decay, bin_width=FRAME, length=1.0)
    assert found.shape == (2, 30)
    alone = rise_decay_kernel(rise[1], decay[1], bin_width=FRAME, length=1.0)
    torch.testing.assert_close(found[1], alone)


def test_gradients_of_rise_and_decay_are_right():
    times = number([0.05, 0.1]).requires_grad_(), number([0.3, 0.9]).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda r, d: rise_decay_kernel(r, d, bin_width=FRAME, length=1.0), times
    )


def test_a_rise_of_zero_has_no_gradient_that_is_not_a_number():
    rise, decay = number(0.0).requires_grad_(), number(0.4).requires_grad_()
    found = rise_decay_kernel(rise, decay, bin_width=FRAME, length=1.0)
    coefficients = ar_coefficients(rise, decay, bin_width=FRAME)
    gradients = torch.autograd.grad(found[0] + coefficients.sum(), [rise, decay])
    assert gradients[0] == 0
    assert torch.isfinite(gradients[1])


@given(st.floats(0.0, 0.5), st.floats(0.02, 2.0), st.floats(0.005, 1.0))
def test_weights_are_positive_and_sum_to_one(rise, decay, bin_width):
    found = kernel(rise, decay, bin_width=bin_width, length=5 * decay)
    assert (found > 0).all()
    assert found.sum().item() == pytest.approx(1.0, abs=1e-12)


# Recursions


def test_a_plain_exponential_is_a_first_order_recursion():
    x = inputs()
    found = causal_filter(x, kernel(0.0, 0.4, length=10.0)[None])
    gamma = np.exp(-FRAME / 0.4)
    calcium = np.zeros(len(x))
    # Steady before the window: c = x, since the kernel has sum 1.
    previous = x[0].item()
    for t, s in enumerate(x[:, 0].tolist()):
        previous = gamma * previous + (1 - gamma) * s
        calcium[t] = previous
    # The kernel is cut after 25 decays, exp(-25) = 1e-11.
    assert found[:, 0].numpy() == pytest.approx(calcium, abs=1e-9)


def test_rise_and_decay_are_a_second_order_recursion():
    x, h = inputs(), kernel(0.07, 0.4, length=12.0)
    x[:1] = 0
    g1, g2 = ar_coefficients(number(0.07), number(0.4), bin_width=FRAME).tolist()
    h0, h1 = h[:2].tolist()
    expected = signal.lfilter([h0, h1 - g1 * h0], [1, -g1, -g2], x[:, 0].numpy())
    found = causal_filter(x, h[None])
    # The kernel is cut after 30 decays.
    assert found[:, 0].numpy() == pytest.approx(expected, abs=1e-10)


def test_the_kernel_obeys_the_recursion_from_lag_two_on():
    h = kernel(0.07, 0.4)
    g1, g2 = ar_coefficients(number(0.07), number(0.4), bin_width=FRAME)
    torch.testing.assert_close(h[2:], g1 * h[1:-1] + g2 * h[:-2], rtol=0, atol=1e-14)


def test_coefficients_are_the_roots_per_bin():
    found = ar_coefficients(number([0.0, 0.1]), number([0.4, 0.4]), bin_width=FRAME)
    fast, slow = np.exp(-FRAME / 0.1), np.exp(-FRAME / 0.4)
    assert found[0].tolist() == pytest.approx([slow, 0.0])
    assert np.roots([1, *(-found[1]).tolist()]) == pytest.approx([slow, fast])


# Recovery


def test_a_decay_of_0_4_s_is_recovered_from_a_noisy_signal_at_30_hz():
    rng = np.random.default_rng(0)
    events = torch.as_tensor(rng.poisson(0.1, (900, 1)), dtype=torch.float64)

    def predicted(rise, decay, gain):
        h = rise_decay_kernel(rise, decay, bin_width=FRAME, length=4.0)
        return gain * causal_filter(events, h[None])

    noise = 0.05
    signal = predicted(number(0.05), number(0.4), number(2.0))
    signal = signal + noise * torch.as_tensor(rng.normal(size=(900, 1)))
    rise, decay = (
        Bounded(0.005, 0.2, initial=number(0.02)),
        Bounded(0.02, 10.0, initial=number(1.0)),
    )
    gain = number(1.0).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [rise.coordinate, decay.coordinate, gain], max_iter=200, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        loss = (predicted(rise(), decay(), gain) - signal).square().mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    at = (rise().detach(), decay().detach(), gain.detach())
    slopes = torch.autograd.functional.jacobian(predicted, at)
    J = torch.stack([s.flatten() for s in slopes], dim=-1)
    # The inverse Fisher information of Gaussian noise.
    errors = (noise**2 * torch.linalg.inv(J.mT @ J)).diagonal().sqrt()
    assert errors[1] < 0.04
    for found, true, error in zip(at, (0.05, 0.4, 2.0), errors, strict=True):
        assert abs(found - true) < 3 * error
