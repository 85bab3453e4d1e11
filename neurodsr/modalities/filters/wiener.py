r"""Undoing a slow sensor for the encoder: gaps filled, then a Wiener filter of finite reach."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from neurodsr.errors import ConfigError
from neurodsr.modalities.filters.causal import convolve

SMALLEST_RATIO = 1e-4
"""Noise that is assumed at least: a deconvolution for none at all amplifies rounding."""
SMALLEST_SIGNAL = 0.01
"""Fraction of a channel's variance that counts as signal at least."""


def fill_gaps(
    values: Float[Tensor, "*batch time channel"],
    mask: Bool[Tensor, "*batch time channel"],
    *,
    reach: int | None = None,
) -> tuple[Float[Tensor, "*batch time channel"], Bool[Tensor, "*batch time channel"]]:
    """Values in every bin of a window: observed ones, and lines between them.

    Where something is observed on one side only, the nearest one is repeated. Nothing outside
    the window is looked at, and no value where the mask is False.

    Parameters
    ----------
    reach
        Bins to either side that count as near enough; default: all of the window.

    Returns
    -------
    The values, and where there are any, which is within `reach` of something observed; zeros
    elsewhere.
    """
    time = values.shape[-2]
    reach = time if reach is None else reach
    bins = torch.arange(time, device=values.device).unsqueeze(-1).expand(values.shape)
    before = torch.where(mask, bins, -1).cummax(dim=-2).values
    before = torch.where(bins - before > reach, -1, before)
    after = torch.where(mask, bins, time).flip(-2).cummin(dim=-2).values.flip(-2)
    after = torch.where(after - bins > reach, time, after)
    some = (before >= 0) | (after < time)
    left = torch.where(before >= 0, before, after).clamp_max(time - 1)
    right = torch.where(after < time, after, before).clamp_min(0)
    seen = torch.where(mask, values, 0.0)
    start, stop = seen.gather(-2, left), seen.gather(-2, right)
    part = (bins - left).to(values.dtype) / (right - left).clamp_min(1)
    return torch.where(some, torch.lerp(start, stop, part), 0.0), some


def noise_level(
    values: Float[Tensor, "*batch time channel"], mask: Bool[Tensor, "*batch time channel"]
) -> Float[Tensor, "*batch channel"]:
    r"""Standard deviation of a slow signal's white noise, from its second differences.

    $$ \hat\sigma = 1.4826\, \mathrm{median}_t\, |x_{t-1} - 2 x_t + x_{t+1}| / \sqrt 6 $$

    over the bins that are observed with both neighbors. Second differences of a slow signal are
    nearly zero and those of white noise have variance $6 \sigma^2$; the median is blind to the
    few bins in which the signal jumps. What the signal bends counts as noise.

    Returns
    -------
    In the unit of the values; 0 for a channel without three observed bins in a row.

    References
    ----------
    Rousseeuw & Croux 1993, J. Am. Stat. Assoc. 88:1273-1283 (the factor that makes the median
    absolute deviation a standard deviation).
    """
    if values.shape[-2] < 3:
        return torch.zeros_like(values[..., 0, :])
    bend = values[..., :-2, :] - 2 * values[..., 1:-1, :] + values[..., 2:, :]
    whole = mask[..., :-2, :] & mask[..., 1:-1, :] & mask[..., 2:, :]
    size = torch.where(whole, bend.abs(), torch.nan)
    return (1.4826 / 6**0.5 * size.nanmedian(dim=-2).values).nan_to_num(0.0)


def noise_ratio(
    values: Float[Tensor, "*batch time channel"],
    mask: Bool[Tensor, "*batch time channel"],
    kernel: Float[Tensor, "#channel lag_plus_1"],
) -> Float[Tensor, "*batch channel"]:
    r"""Power of the noise over that of the activity behind it, as `wiener_filter` asks for it.

    $$ \frac{\hat\sigma^2 \sum_k h_k^2}{\mathrm{var}(x) - \hat\sigma^2} $$

    since white activity of variance $v$ is a signal of variance $v \sum_k h_k^2$. It is kept at
    1e-4 or more, and at least 1 % of a channel's variance counts as signal (both our choice).
    """
    n = mask.sum(-2).clamp_min(1)
    mean = (values * mask).sum(-2) / n
    variance = ((values - mean.unsqueeze(-2)) ** 2 * mask).sum(-2) / n
    noise = noise_level(values, mask) ** 2
    signal = (variance - noise).maximum(SMALLEST_SIGNAL * variance)
    gain = kernel.square().sum(-1)
    ratio = noise * gain / torch.where(signal > 0, signal, 1.0)
    return ratio.clamp_min(SMALLEST_RATIO)


def wiener_filter(
    kernel: Float[Tensor, "#channel lag_plus_1"],
    *,
    noise: float | Float[Tensor, "..."],
    half_length: int,
    spectrum: Float[Tensor, " frequency"] | None = None,
) -> Float[Tensor, "filters tap"]:
    r"""The filter that best undoes a kernel while looking only some bins ahead and back.

    With unlimited reach L it is the Wiener deconvolution $G = H^* S / (|H|^2 S + N)$. Cut off, $G$
    would ring; instead, the weights $g_{-L}, \dots, g_L$ of least expected squared error are taken,
    which solve, with the inverse transforms $R$ of denominator and $Q$ of numerator,

    $$ \sum_{j=-L}^{L} R_{k-j}\, g_j = Q_k, \qquad k = -L, \dots, L $$

    Parameters
    ----------
    kernel
        What the sensor does to activity, lags 0, 1, ... in bins.
    noise
        $N$, power of the white noise over that of the activity (`noise_ratio`); one number, or
        one per channel, shape (channel,).
    half_length
        $L$, bins.
    spectrum
        $S$, power of the activity at equally spaced frequencies from 0 to half the bin rate, in
        any unit: it is scaled to mean 1. Default: white, which keeps more noise than is good for
        activity that is slow.

    Returns
    -------
    Weights of $x_{t-k}$ for k = -L to L, one row per channel or a single one.

    Raises
    ------
    ConfigError
        The noise ratio is not above 0.
    """
    ratio = torch.as_tensor(noise, dtype=torch.float64, device=kernel.device).reshape(-1, 1)
    if not bool((ratio > 0).all()):
        raise ConfigError(
            f"a noise ratio of {float(ratio.min()):g} to deconvolve for",
            fix=f"give one above 0, such as {SMALLEST_RATIO:g}: a filter for no noise at all "
            "amplifies rounding",
        )
    lag = kernel.shape[-1] - 1
    # Twice what lags reach, so that the circle of the transform does not close on them.
    size = 2 * (lag + 2 * half_length + 1)
    response = torch.fft.rfft(kernel.double(), n=size)
    power = _power(spectrum, size).to(kernel.device)
    R = torch.fft.irfft(response.abs() ** 2 * power + ratio, n=size)
    Q = torch.fft.irfft(response.conj() * power, n=size).expand(len(R), -1)
    k = torch.arange(-half_length, half_length + 1, device=kernel.device)
    taps = torch.linalg.solve(R[:, (k[:, None] - k).abs()], Q[:, k % size])
    return taps.to(kernel.dtype)


def apply_two_sided(
    values: Float[Tensor, "*batch time channel"], taps: Float[Tensor, "#channel tap"]
) -> Float[Tensor, "*batch time channel"]:
    r"""A filter that looks as far ahead as back: $y_t = \sum_{k=-L}^{L} g_k\, x_{t-k}$.

    Outside the window the value at its edge is repeated, as after `fill_gaps` and before a causal
    filter: nothing beyond the window is needed, and bins nearer than L to an edge are less
    certain. Zeros there would be a jump, which a deconvolution blows up to many times its size.

    Parameters
    ----------
    taps
        $g_{-L}, \dots, g_L$, as `wiener_filter` gives them; one row per channel or a single one.
    """
    beyond = (*values.shape[:-2], taps.shape[-1] // 2, values.shape[-1])
    first, last = values[..., :1, :].expand(beyond), values[..., -1:, :].expand(beyond)
    return convolve(torch.cat([first, values, last], dim=-2), taps)


def _power(spectrum: Tensor | None, size: int) -> Tensor:
    """Power at the frequencies of a transform of that size, with mean 1 over all of them."""
    n = size // 2 + 1
    if spectrum is None:
        return torch.ones(n, dtype=torch.float64)
    power = functional.interpolate(
        spectrum.double()[None, None], size=n, mode="linear", align_corners=True
    )[0, 0]
    return power / torch.fft.irfft(power.to(torch.complex128), n=size)[0]
