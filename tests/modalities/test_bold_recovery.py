"""The true parameters of BOLD are found again: readout, response, noise and how it remembers."""

import numpy as np
import pytest
import torch
from scipy import stats

from neurodsr.data.channels import Channels
from neurodsr.modalities.fmri import Fmri
from neurodsr.modalities.hrf import PEAK_DELAYS, RATIOS, UNDERSHOOT_DELAYS
from neurodsr.modalities.observed import Observed

BIN, N_BINS = 0.5, 5000
WEIGHTS = np.array([[1.0, -0.4], [0.3, 0.8], [-0.7, 0.2]])
OFFSETS, NOISE = np.array([100.0, -3.0, 0.5]), np.array([0.05, 0.1, 0.08])
TAU = np.array([0.7, 2.0, 1.2])
# Per channel: seconds that it responds earlier, and its dispersion is smaller; as first orders.
DERIVATIVES = np.array([[0.5, 0.1], [-0.4, 0.0], [0.2, -0.15]])
LEARNED = {"peak_delay": 5.2, "undershoot_delay": 14.0, "ratio": 4.0}
BOUNDS = {"peak_delay": PEAK_DELAYS, "undershoot_delay": UNDERSHOOT_DELAYS, "ratio": RATIOS}
CANONICAL = {"peak_delay": 6.0, "undershoot_delay": 16.0, "ratio": 6.0}


def response(peak_delay, undershoot_delay, ratio, *, onset=0.0, dispersion=1.0):
    """Means of a double gamma over bins around the lags, by its distributions, with sum 1."""
    edges = BIN * np.maximum(np.arange(65) - 0.5, 0) - onset
    rise = stats.gamma(peak_delay / dispersion, scale=dispersion).cdf(edges)
    areas = np.diff(rise - stats.gamma(undershoot_delay).cdf(edges) / ratio)
    return areas / areas.sum()


def basis():
    h = response(**CANONICAL)
    earlier = h - response(**CANONICAL, onset=1.0)
    narrower = (h - response(**CANONICAL, dispersion=1.01)) / 0.01
    return h, earlier, narrower


def simulated(rng, *, kernels, noise_tau):
    """Volumes every other bin, some lost, of latents that stood still before they began."""
    z = np.apply_along_axis(np.convolve, 0, rng.normal(size=(N_BINS, 2)), [0.6, 0.5, 0.4, 0.3])
    z = z[:N_BINS]
    padded = np.concatenate([np.repeat(z[:1], 63, axis=0), z])
    x = OFFSETS + np.stack(
        [
            sum(np.convolve(padded @ w, h, "valid") for w, h in zip(parts, kernels, strict=True))
            for parts in readout(len(kernels))
        ],
        axis=1,
    )
    error = rng.normal(size=x.shape)
    if noise_tau is not None:
        rho = np.exp(-BIN / noise_tau)
        for t in range(1, N_BINS):
            error[t] = rho * error[t - 1] + np.sqrt(1 - rho**2) * error[t]
    mask = (np.arange(N_BINS)[:, None] % 2 == 0) & (rng.random(x.shape) < 0.9)
    x = np.where(mask, x + NOISE * error, 0.0)
    return torch.from_numpy(z), Observed(torch.from_numpy(x), torch.from_numpy(mask))


def readout(n_kernels):
    """Weights [channel, kernel, latent]: derivatives change the response of each channel."""
    factors = np.column_stack([np.ones(3), DERIVATIVES])[:, :n_kernels]
    return factors[:, :, None] * WEIGHTS[:, None]


def coordinate(value, low, high):
    """What `Bounded` stores of a value."""
    share = np.log(value / low) / np.log(high / low)
    return np.log(share / (1 - share))


def true_parameters(decoder, *, hrf, ar1):
    scale, center = decoder.scale.numpy(), decoder.center.numpy()
    truth = {
        "readout.weight": readout(decoder.response.n_kernels).reshape(3, -1) / scale[:, None],
        "readout.bias": (OFFSETS - center) / scale,
        "log_noise": np.log(NOISE / scale),
    }
    if hrf == "learned":
        for name, value in LEARNED.items():
            truth[f"response.{name}.coordinate"] = coordinate(value, *BOUNDS[name])
    if ar1:
        bounds = decoder.memory.tau
        truth["memory.tau.coordinate"] = coordinate(TAU, bounds.low.numpy(), bounds.high.numpy())
    return truth


@pytest.mark.parametrize("seed", [0, 10])
@pytest.mark.parametrize("noise", ["white", "ar1"])
@pytest.mark.parametrize("hrf", ["canonical", "derivatives", "learned"])
def test_the_parameters_of_bold_are_recovered(assert_recovered, hrf, noise, seed):
    kernels = {
        "canonical": basis()[:1],
        "derivatives": basis(),
        "learned": (response(**LEARNED),),
    }[hrf]
    ar1 = noise == "ar1"
    rng = np.random.default_rng(seed)
    z, seen = simulated(rng, kernels=kernels, noise_tau=TAU if ar1 else None)
    channels = Channels(("a", "b", "c"))
    decoder = Fmri(path="bold", hrf=hrf, noise=noise).build_decoder(channels, 2, bin_width=BIN)
    decoder = decoder.double()
    decoder.initialize(seen)
    assert_recovered(decoder, true_parameters(decoder, hrf=hrf, ar1=ar1), z, seen)
    if hrf == "learned":  # and so near that it says something
        found = {name: getattr(decoder.response, name)().item() for name in LEARNED}
        assert found == pytest.approx(LEARNED, rel=0.05)
