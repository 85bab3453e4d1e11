"""The causal filter: against a plain loop, its gradient, its causality, and the window's start."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.errors import ConfigError
from neurodsr.modalities.filters.causal import BLOCK, causal_filter, convolve, kernel_bins


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def plain_loop(signal, kernel):
    out = torch.zeros_like(signal)
    n_bins, n_channels = signal.shape[-2:]
    kernel = kernel.expand(n_channels, -1)
    for t in range(n_bins):
        for k in range(kernel.shape[-1]):
            out[..., t, :] += kernel[:, k] * signal[..., max(t - k, 0), :]
    return out


@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("taps", [1, 2, 5, 30])
def test_it_is_the_sum_over_the_past_that_a_plain_loop_gives(batch, rows, taps):
    signal, kernel = draw(*batch, 12, 3), draw(rows, taps, seed=1)
    torch.testing.assert_close(
        causal_filter(signal, kernel), plain_loop(signal, kernel), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("taps", [BLOCK, BLOCK + 1, BLOCK + 2, 2 * BLOCK + 1, 2 * BLOCK + 2])
@pytest.mark.parametrize("kept", [1, BLOCK - 1, BLOCK, BLOCK + 1])
def test_blocks_meet_without_a_seam(taps, kept):
    signal, kernel = draw(2, kept + taps - 1, 3), draw(3, taps, seed=1)
    found = convolve(signal, kernel)
    windows = signal.unfold(1, taps, 1)  # window, time, channel, tap
    torch.testing.assert_close(found, (windows * kernel.flip(-1)).sum(-1), rtol=1e-12, atol=1e-12)


def test_gradients_of_signal_and_kernel_are_right():
    signal, kernel = draw(2, 6, 3).requires_grad_(), draw(3, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(causal_filter, (signal, kernel))


def test_the_gradient_of_a_shared_kernel_sums_over_the_channels():
    signal, kernel = draw(6, 3), draw(1, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda h: causal_filter(signal, h), (kernel,))


@given(st.integers(0, 19), st.integers(1, 25), st.integers(0, 1000))
def test_a_change_at_one_bin_changes_nothing_before_it(t, taps, seed):
    signal, kernel = draw(20, 2, seed=seed), draw(2, taps, seed=seed + 1)
    changed = signal.clone()
    changed[t:] += 5.0
    before, after = causal_filter(signal, kernel), causal_filter(changed, kernel)
    assert torch.equal(before[:t], after[:t])


@given(st.integers(1, 10), st.integers(1, 25), st.integers(0, 1000))
def test_a_signal_that_starts_later_is_filtered_later(shift, taps, seed):
    signal, kernel = draw(20, 2, seed=seed), draw(2, taps, seed=seed + 1)
    later = torch.cat([signal[:1].expand(shift, -1), signal])
    found = causal_filter(later, kernel)
    # The same sums, possibly in another order.
    torch.testing.assert_close(found[shift:], causal_filter(signal, kernel), rtol=1e-9, atol=1e-9)


def test_a_constant_signal_is_multiplied_by_the_sum_of_the_kernel_from_the_first_bin_on():
    kernel = draw(2, 7)
    found = causal_filter(torch.full((5, 2), 3.0, dtype=torch.float64), kernel)
    torch.testing.assert_close(found, (3 * kernel.sum(-1)).expand(5, 2))


def test_an_impulse_shows_the_kernel():
    signal = torch.zeros(8, 1, dtype=torch.float64)
    signal[2] = 1.0
    kernel = draw(1, 4)
    torch.testing.assert_close(causal_filter(signal, kernel)[2:6, 0], kernel[0])


def test_no_channels_give_no_channels():
    assert causal_filter(torch.zeros(2, 5, 0), torch.zeros(1, 3)).shape == (2, 5, 0)


def test_a_convolution_keeps_the_bins_in_which_the_kernel_lies_wholly_in_the_signal():
    assert convolve(draw(10, 2), draw(2, 4)).shape == (7, 2)


@pytest.mark.usefixtures("unchecked_shapes")
def test_a_kernel_of_other_channels_is_refused_with_both_shapes():
    with pytest.raises(ConfigError, match=r"\(2, 4\).*\(13, 3\)\n.*1 row, or 3: one for each"):
        causal_filter(draw(10, 3), draw(2, 4))


@pytest.mark.parametrize(
    ("length", "bin_width", "n_bins"),
    [(0.9, 0.3, 3), (32.0, 2.0, 16), (32.0, 1.5, 22), (0.05, 0.1, 1), (0.29, 0.01, 29)],
)
def test_a_kernel_takes_the_bins_that_its_length_touches(length, bin_width, n_bins):
    assert kernel_bins(length, bin_width=bin_width) == n_bins
