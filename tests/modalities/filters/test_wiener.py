"""Gaps filled and kernels undone within a window: known answers, and that nothing leaks."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.errors import ConfigError
from neurodsr.modalities.filters.causal import causal_filter
from neurodsr.modalities.filters.hemodynamic import hrf_kernel
from neurodsr.modalities.filters.indicator import rise_decay_kernel
from neurodsr.modalities.filters.wiener import (
    apply_two_sided,
    fill_gaps,
    noise_level,
    noise_ratio,
    wiener_filter,
)


def normal(*shape, seed=0):
    return torch.as_tensor(np.random.default_rng(seed).normal(size=shape))


def calcium(bin_width=1 / 30, length=2.0):
    times = torch.tensor([[0.05], [0.4]], dtype=torch.float64)
    return rise_decay_kernel(*times, bin_width=bin_width, length=length)


def bold():
    return hrf_kernel(1.0, onset=torch.tensor([0.0], dtype=torch.float64))


def correlation(x, y):
    return np.corrcoef(x.flatten(), y.flatten())[0, 1]


def slow(n, seed=0, *, tau=8.0):
    """A white source smoothed over some bins, with variance near 1."""
    kernel = torch.exp(-torch.arange(40, dtype=torch.float64) / tau)[None]
    return causal_filter(normal(n, 1, seed=seed), kernel / kernel.square().sum().sqrt())


# Gaps


def test_gaps_are_filled_by_lines_and_ends_by_the_nearest():
    values = torch.tensor([[0.0, 2.0, 0.0, 0.0, 5.0, 0.0]]).mT
    mask = torch.tensor([[False, True, False, False, True, False]]).mT
    filled, some = fill_gaps(values, mask)
    assert filled.flatten().tolist() == pytest.approx([2.0, 2.0, 3.0, 4.0, 5.0, 5.0])
    assert some.all()


def test_a_channel_that_is_never_observed_is_zero_and_masked():
    values, mask = torch.ones(4, 2), torch.tensor([[True, False]] * 4)
    filled, some = fill_gaps(values, mask)
    assert filled.tolist() == [[1.0, 0.0]] * 4
    assert some.tolist() == [[True, False]] * 4


@given(st.integers(0, 10_000), st.integers(1, 30), st.floats(0, 1))
def test_filling_agrees_with_numpys_interpolation(seed, time, fraction):
    rng = np.random.default_rng(seed)
    values, mask = rng.normal(size=(2, time, 3)), rng.random((2, time, 3)) < fraction
    filled, some = fill_gaps(torch.as_tensor(values), torch.as_tensor(mask))
    for b, c in np.ndindex(2, 3):
        seen = np.flatnonzero(mask[b, :, c])
        expected = np.zeros(time)
        if len(seen):
            expected = np.interp(np.arange(time), seen, values[b, seen, c])
        assert filled[b, :, c].numpy() == pytest.approx(expected, abs=1e-12)
        assert some[b, :, c].tolist() == [len(seen) > 0] * time


@given(st.integers(0, 10_000))
def test_no_masked_value_is_looked_at(seed):
    rng = np.random.default_rng(seed)
    values, mask = normal(20, 2, seed=seed), torch.as_tensor(rng.random((20, 2)) < 0.4)
    poisoned = torch.where(mask, values, torch.nan)
    assert torch.equal(fill_gaps(values, mask)[0], fill_gaps(poisoned, mask)[0])


def test_one_bin_is_filled_with_itself():
    filled, some = fill_gaps(torch.tensor([[3.0]]), torch.tensor([[True]]))
    assert (filled.item(), some.item()) == (3.0, True)


# Noise


@pytest.mark.parametrize("sd", [0.1, 3.0])
def test_the_level_of_white_noise_on_a_slow_signal_is_recovered(sd):
    n = 4000
    drift = torch.sin(torch.linspace(0, 40, n, dtype=torch.float64))[:, None]
    found = noise_level(drift + sd * normal(n, 1), torch.ones(n, 1, dtype=torch.bool))
    # The median absolute deviation has 0.37 of the mean's efficiency, and differences that share
    # samples count less: a standard error near sd * sqrt(1 / 0.37 / 2 / n) * 2 = 0.04 sd.
    assert found.item() == pytest.approx(sd, rel=0.12)


def test_the_noise_level_is_blind_to_jumps_and_masked_bins():
    x, mask = normal(2000, 1), torch.ones(2000, 1, dtype=torch.bool)
    jumpy = x.clone()
    jumpy[::50] += 100.0
    # 6 % of the second differences are huge, which moves the median by less than 10 %.
    assert noise_level(jumpy, mask).item() == pytest.approx(noise_level(x, mask).item(), rel=0.1)
    mask[::50] = False
    assert torch.equal(noise_level(jumpy, mask), noise_level(x, mask))


@pytest.mark.parametrize("time", [1, 2, 3, 10])
def test_a_channel_without_three_bins_in_a_row_has_no_noise_level(time):
    mask = (torch.arange(time) % 3 != 0)[:, None]
    assert noise_level(normal(time, 1), mask).tolist() == [0.0]


def test_the_ratio_is_that_of_the_noise_to_the_activity_behind_the_signal():
    n, sd = 200_000, 0.02
    activity = normal(n, 1)
    # Bins of 5 ms are narrow beside the kernel: the signal hardly bends.
    h = calcium(bin_width=0.005)
    signal = causal_filter(activity, h) + sd * normal(n, 1, seed=1)
    found = noise_ratio(signal, torch.ones(n, 1, dtype=torch.bool), h)
    # The variance of a signal that is slow over 80 bins has a standard error of
    # sqrt(2 * 80 / n) = 3 %, that of the noise of 1 %.
    assert found.item() == pytest.approx(sd**2, rel=0.12)


def test_pure_noise_and_a_constant_have_a_ratio_too():
    x = torch.cat([normal(5000, 1), torch.zeros(5000, 1)], dim=-1)
    ratio = noise_ratio(x, torch.ones(5000, 2, dtype=torch.bool), calcium())
    # What is left of the variance is the error of the noise's, below 12 %.
    assert ratio[0] > calcium().square().sum() / 0.15
    assert ratio[1].item() == pytest.approx(1e-4)


# The filter


@pytest.mark.parametrize(("kernel", "half_length"), [(calcium(length=6.0), 40), (bold(), 100)])
def test_a_signal_without_noise_is_recovered_away_from_the_edges(kernel, half_length):
    activity = normal(500, 1)
    # Next to the weakest frequency that passes the response, 1e-7 of power, this is no noise.
    taps = wiener_filter(kernel, noise=1e-11, half_length=half_length)
    found = apply_two_sided(causal_filter(activity, kernel), taps)
    inner = slice(180, -120)
    # Inverses ring: that of the calcium kernel with a factor of 0.79 a bin, 1e-4 after 40, that of
    # the response with the largest root of its polynomial, 0.945 a bin, 4e-3 after 100.
    torch.testing.assert_close(found[inner], activity[inner], rtol=0, atol=0.01)


@pytest.mark.parametrize(("kernel", "half_length"), [(calcium(), 12), (bold(), 16)])
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_with_noise_it_beats_the_signal_itself(kernel, half_length, seed):
    activity = normal(1000, 1, seed=seed)
    clean = causal_filter(activity, kernel)
    signal = clean + 0.1 * clean.std() * normal(1000, 1, seed=seed + 100)
    ratio = noise_ratio(signal, torch.ones(1000, 1, dtype=torch.bool), kernel)
    found = apply_two_sided(signal, wiener_filter(kernel, noise=ratio, half_length=half_length))
    # Of white activity a bin of the signal shows next to nothing.
    assert correlation(found, activity) > correlation(signal, activity) + 0.3


def test_with_unlimited_reach_it_is_the_textbook_filter():
    h, noise, size = calcium(), 1e-2, 1024
    H = torch.fft.rfft(h[0], n=size)
    textbook = torch.fft.irfft(H.conj() / (H.abs() ** 2 + noise), n=size)
    taps = wiener_filter(h, noise=noise, half_length=100)[0]
    # What the textbook filter has beyond 100 bins.
    rest = textbook[101:-100].abs().max().item()
    assert rest < 1e-4
    middle = textbook[torch.arange(-80, 81) % size]
    assert taps[20:-20].numpy() == pytest.approx(middle.numpy(), abs=rest)


def expected_error(h, taps, *, noise, size=4096):
    """Mean squared error for white activity of variance 1."""
    reach = taps.shape[-1] // 2
    placed = torch.zeros(size, dtype=torch.float64)
    placed[torch.arange(-reach, reach + 1) % size] = taps[0]
    G, H = torch.fft.fft(placed), torch.fft.fft(h[0], n=size)
    return ((G * H - 1).abs() ** 2 + noise * G.abs() ** 2).mean().item()


@pytest.mark.parametrize("reach", [1, 2, 4, 8])
@pytest.mark.parametrize("noise", [1e-4, 1e-2])
def test_no_other_filter_of_the_same_reach_has_a_smaller_error(reach, noise):
    h = bold()
    taps = wiener_filter(h, noise=noise, half_length=reach)
    least = expected_error(h, taps, noise=noise)
    H = torch.fft.rfft(h[0], n=4096)
    textbook = torch.fft.irfft(H.conj() / (H.abs() ** 2 + noise), n=4096)
    cut = textbook[torch.arange(-reach, reach + 1) % 4096][None]
    assert least <= min(1.0, expected_error(h, cut, noise=noise))
    for seed in range(5):
        other = taps + 0.1 * taps.std() * normal(*taps.shape, seed=seed)
        assert least < expected_error(h, other, noise=noise)


def test_knowing_that_the_activity_is_slow_helps():
    activity, h = slow(3000), bold()
    signal = causal_filter(activity, h) + 0.2 * normal(3000, 1, seed=1)
    omega = torch.linspace(0, torch.pi, 200, dtype=torch.float64)
    # The power of a first-order low-pass of 8 bins.
    a = np.exp(-1 / 8)
    spectrum = 5.0 / (1 - 2 * a * torch.cos(omega) + a**2)
    blind = wiener_filter(h, noise=0.04, half_length=16)
    knowing = wiener_filter(h, noise=0.04, half_length=16, spectrum=spectrum)
    errors = [
        (apply_two_sided(signal, taps) - activity).square().mean() for taps in (blind, knowing)
    ]
    assert errors[1] < errors[0]


def test_the_unit_of_a_spectrum_does_not_matter():
    h, flat = bold(), torch.ones(50, dtype=torch.float64)
    expected = wiener_filter(h, noise=0.01, half_length=8)
    for scale in (1e-6, 1.0, 1e6):
        found = wiener_filter(h, noise=0.01, half_length=8, spectrum=scale * flat)
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)


def test_channels_may_differ_in_kernel_and_noise():
    both = torch.cat([bold(), bold() * 2])
    assert wiener_filter(both, noise=0.1, half_length=3).shape == (2, 7)
    noise = torch.tensor([0.1, 1.0])
    taps = wiener_filter(bold(), noise=noise, half_length=3)
    torch.testing.assert_close(taps[1:], wiener_filter(bold(), noise=1.0, half_length=3))


def test_the_weights_are_of_the_bins_ahead_first():
    taps = torch.tensor([[1.0, 0.0, 0.0]])
    values = torch.arange(4.0)[:, None]
    assert apply_two_sided(values, taps).flatten().tolist() == [1.0, 2.0, 3.0, 3.0]


def test_a_constant_signal_has_no_edges():
    taps = wiener_filter(calcium(), noise=1e-3, half_length=12)
    found = apply_two_sided(torch.full((30, 1), 4.0, dtype=torch.float64), taps)
    torch.testing.assert_close(found, (4 * taps.sum()).expand(30, 1))


@pytest.mark.parametrize("noise", [0.0, -1.0])
def test_a_filter_for_no_noise_at_all_is_refused(noise):
    with pytest.raises(ConfigError, match=r"ratio of .* to deconvolve for\n.*give one above 0"):
        wiener_filter(bold(), noise=noise, half_length=3)


# Leaks


@given(st.integers(0, 10_000), st.integers(0, 39), st.integers(0, 8))
def test_nothing_further_ahead_or_back_than_its_reach_matters(seed, t, reach):
    taps = wiener_filter(calcium(), noise=0.01, half_length=reach)
    values = normal(40, 2, seed=seed)
    changed = values.clone()
    changed[t] += 10.0
    same = (torch.arange(40) - t).abs() > reach
    before, after = (apply_two_sided(v, taps) for v in (values, changed))
    assert torch.equal(before[same], after[same])


@given(st.integers(0, 10_000), st.integers(1, 39))
def test_a_window_is_deconvolved_alike_whatever_follows_it(seed, end):
    rng = np.random.default_rng(seed)
    taps = wiener_filter(calcium(), noise=0.01, half_length=5)
    values, mask = normal(40, 2, seed=seed), torch.as_tensor(rng.random((40, 2)) < 0.7)

    def deconvolved(window):
        return apply_two_sided(fill_gaps(values[window], mask[window])[0], taps)

    expected = deconvolved(slice(end))
    values[end:], mask[end:] = 1e6, True
    assert torch.equal(deconvolved(slice(end)), expected)


@given(st.integers(0, 10_000), st.integers(6, 39))
def test_what_follows_a_window_changes_only_the_bins_within_reach_of_its_end(seed, end):
    taps = wiener_filter(calcium(), noise=0.01, half_length=5)
    values = normal(40, 2, seed=seed)
    whole, alone = (apply_two_sided(v, taps) for v in (values, values[:end]))
    # The same sums, possibly in another order.
    torch.testing.assert_close(whole[: end - 5], alone[: end - 5], rtol=1e-9, atol=1e-9)
