"""The hemodynamic response against SPM's formulas, and its parameters recovered from a signal."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from neurodsr.errors import ConfigError
from neurodsr.modalities.filters.bounded import Bounded
from neurodsr.modalities.filters.causal import causal_filter
from neurodsr.modalities.filters.hemodynamic import (
    dispersion_derivative,
    double_gamma,
    hrf_kernel,
    time_derivative,
)

CANONICAL = (6.0, 16.0, 1.0, 1.0, 6.0, 0.0)
NAMES = (
    "peak_delay",
    "undershoot_delay",
    "peak_dispersion",
    "undershoot_dispersion",
    "ratio",
    "onset",
)
OTHER = (5.0, 14.0, 0.9, 1.2, 4.0, 0.7)


def number(value):
    return torch.tensor(value, dtype=torch.float64)


def named(parameters):
    return dict(zip(NAMES, map(number, parameters), strict=True))


def gammas(parameters):
    """The two distributions, by scipy: mean = delay, scale = dispersion."""
    d1, d2, b1, b2, ratio, onset = parameters
    first = stats.gamma(d1 / b1, loc=onset, scale=b1)
    return first, stats.gamma(d2 / b2, loc=onset, scale=b2), ratio


def spm_points(step, parameters=CANONICAL):
    """What SPM's spm_hrf gives at one point per bin: gamma densities, then sum 1."""
    first, second, ratio = gammas(parameters)
    t = np.arange(0, 32 + step / 2, step)
    points = first.pdf(t) - second.pdf(t) / ratio
    return points / points.sum()


def exact_means(bin_width, parameters=CANONICAL):
    """Means from half a bin before each lag to half a bin after, from age 0 on; sum 1."""
    first, second, ratio = gammas(parameters)
    edges = ((np.arange(math.ceil(32 / bin_width) + 1) - 0.5) * bin_width).clip(0)
    areas = np.diff(first.cdf(edges) - second.cdf(edges) / ratio)
    return areas / areas.sum()


@pytest.mark.parametrize("parameters", [CANONICAL, OTHER])
def test_the_response_is_the_difference_of_scipys_gamma_densities(parameters):
    times = np.linspace(-2, 40, 400)
    first, second, ratio = gammas(parameters)
    found = double_gamma(torch.as_tensor(times), **named(parameters))
    expected = first.pdf(times) - second.pdf(times) / ratio
    assert found.numpy() == pytest.approx(expected, abs=1e-14)


def test_the_canonical_response_peaks_at_5_s_and_undershoots_near_16_s():
    times = torch.linspace(0, 32, 3201, dtype=torch.float64)
    response = double_gamma(times)
    # The mode of the first gamma, (6 - 1) s, moved by less than a sample by the second.
    assert times[response.argmax()].item() == pytest.approx(5.0, abs=0.01)
    assert times[response.argmin()].item() == pytest.approx(15.7, abs=0.1)
    assert response.min() < 0


@pytest.mark.parametrize("bin_width", [0.02, 0.1, 0.72, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("parameters", [CANONICAL, OTHER])
def test_weights_are_means_around_lags_however_wide_the_bins(bin_width, parameters):
    kernel = hrf_kernel(bin_width, **named(parameters))
    # An onset within a piece of the quadrature leaves 1e-9, all else is exact.
    assert kernel.numpy() == pytest.approx(exact_means(bin_width, parameters), abs=1e-8)


def test_with_narrow_bins_it_is_spms_kernel():
    step = 0.01
    found = hrf_kernel(step, onset=number(0.0)).numpy()
    # The mean around a lag is the point at it, but for the curvature; SPM has one at 32 s too.
    assert found == pytest.approx(spm_points(step)[:-1], abs=1e-7)


@pytest.mark.parametrize("bin_width", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_the_mean_delay_is_that_of_the_response_however_wide_the_bins(bin_width, shift):
    """Values stand for the middles of bins: no width of a bin makes the response late or early."""
    # Up to 32 s: t g(t; a) is a times the density of shape a + 1.
    areas = stats.gamma.cdf(32 - shift, [6, 16]) / [1, -6]
    firsts = stats.gamma.cdf(32 - shift, [7, 17]) * [6, 16] / [1, -6]
    expected = shift + firsts.sum() / areas.sum()
    kernel = hrf_kernel(bin_width, onset=number(shift)).numpy()
    found = (np.arange(len(kernel)) * bin_width * kernel).sum()
    if shift == 0:
        assert expected == pytest.approx(4.004, abs=5e-4)  # (6 - 16 / 6) / (1 - 1 / 6), cut
    # The kernel ends half a bin early, and a bin's response counts at its middle.
    assert found == pytest.approx(expected, rel=0.02)


def test_what_is_caused_within_a_bin_is_seen_in_its_middle_from_half_of_it_alone():
    until = stats.gamma.cdf([4, 12, 28], 6) - stats.gamma.cdf([4, 12, 28], 16) / 6
    found = hrf_kernel(8.0, ratio=number(6.0)).numpy()
    assert found[0] == pytest.approx(until[0] / until[2], abs=1e-8)
    assert found[1] == pytest.approx((until[1] - until[0]) / until[2], abs=1e-8)


def test_nothing_responds_before_its_cause():
    """An onset below 0 is cut at age 0."""
    early = (*CANONICAL[:5], -0.6)
    found = hrf_kernel(2.0, **named(early)).numpy()
    assert found == pytest.approx(exact_means(2.0, early), abs=1e-8)


def test_weights_sum_to_one_so_that_constant_activity_keeps_its_size():
    signal = torch.full((50, 1), 2.5)
    found = causal_filter(signal, hrf_kernel(2.0)[None])
    torch.testing.assert_close(found, signal)


def test_each_channel_may_have_its_own_parameters():
    delays = torch.tensor([5.0, 6.0, 7.0], dtype=torch.float64)
    kernels = hrf_kernel(1.0, peak_delay=delays)
    assert kernels.shape == (3, 32)
    for i, delay in enumerate(delays):
        torch.testing.assert_close(kernels[i], hrf_kernel(1.0, peak_delay=delay))


def test_gradients_of_all_parameters_are_right():
    start = tuple(number(v).requires_grad_() for v in OTHER)

    def kernel(*parameters):
        return hrf_kernel(2.0, **dict(zip(NAMES, parameters, strict=True)))

    assert torch.autograd.gradcheck(kernel, start)


def test_the_time_derivative_is_spms_difference_over_one_second():
    later = (*CANONICAL[:5], 1.0)
    expected = exact_means(1.0) - exact_means(1.0, later)
    found = time_derivative(1.0, onset=number(0.0))
    assert found.numpy() == pytest.approx(expected, abs=1e-8)
    assert found.sum().item() == pytest.approx(0.0, abs=1e-12)


def test_the_dispersion_derivative_is_spms_difference_over_a_hundredth():
    wider = (6.0, 16.0, 1.01, 1.0, 6.0, 0.0)
    expected = (exact_means(1.0) - exact_means(1.0, wider)) / 0.01
    found = dispersion_derivative(1.0, onset=number(0.0))
    assert found.numpy() == pytest.approx(expected, abs=1e-8)


def test_adding_the_time_derivative_moves_the_response_earlier():
    kernel, derivative = hrf_kernel(0.1), time_derivative(0.1)
    assert (kernel + 0.5 * derivative).argmax() < kernel.argmax()


def test_dtype_is_the_default_or_that_of_a_parameter():
    assert hrf_kernel(1.0).dtype is torch.float32
    assert hrf_kernel(1.0, ratio=number(6.0)).dtype is torch.float64


@pytest.mark.parametrize("kernel", [hrf_kernel, time_derivative, dispersion_derivative])
def test_a_kernel_that_ends_before_its_peak_is_refused(kernel):
    with pytest.raises(ConfigError, match=r"of 4 s .* at 5 s\n.*make it longer; 32 s hold"):
        kernel(1.0, length=4.0)


def test_a_kernel_whose_last_bin_ends_before_its_peak_is_refused():
    # Three bins of 2 s reach back 5 s from the middle of the present one.
    with pytest.raises(ConfigError, match=r"of 5.5 s in bins of 2 s .* at 5 s\n.*make it longer"):
        hrf_kernel(2.0, length=5.5)


def test_the_latest_channel_decides_whether_a_kernel_is_too_short():
    with pytest.raises(ConfigError, match=r"at 9 s\n.*make it longer"):
        hrf_kernel(1.0, length=8.0, peak_delay=torch.tensor([6.0, 10.0]))


def test_a_peak_delay_of_6_s_is_recovered_from_a_noisy_signal_at_a_tr_of_1_s():
    rng = np.random.default_rng(0)
    activity = torch.as_tensor(rng.normal(size=(600, 1)))

    def predicted(delay, gain):
        return gain * causal_filter(activity, hrf_kernel(1.0, peak_delay=delay)[None])

    truth, noise = (number(6.0), number(1.5)), 0.2
    signal = predicted(*truth) + noise * torch.as_tensor(rng.normal(size=(600, 1)))
    delay, gain = Bounded(3.0, 10.0, initial=number(4.5)), number(1.0).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [delay.coordinate, gain], max_iter=100, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        loss = (predicted(delay(), gain) - signal).square().mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    at = (delay().detach(), gain.detach())
    slopes = torch.autograd.functional.jacobian(predicted, at)
    J = torch.stack([s.flatten() for s in slopes], dim=-1)
    # The inverse Fisher information of Gaussian noise.
    errors = (noise**2 * torch.linalg.inv(J.mT @ J)).diagonal().sqrt()
    assert errors[0] < 0.1
    assert abs(at[0] - 6.0) < 3 * errors[0]
    assert abs(at[1] - 1.5) < 3 * errors[1]
