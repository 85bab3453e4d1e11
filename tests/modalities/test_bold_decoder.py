"""The BOLD decoder: its response to a burst, how far it looks, what it starts from, its noise."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from neurodsr.data.channels import Channels
from neurodsr.errors import ConfigError
from neurodsr.modalities.filters.bounded import Bounded
from neurodsr.modalities.fmri import Fmri
from neurodsr.modalities.observed import Observed
from neurodsr.modalities.responses import canonical_response

BIN = 0.5
HRFS, NOISES = ("canonical", "derivatives", "learned"), ("white", "ar1")
every_kind = pytest.mark.parametrize(("hrf", "noise"), [(h, n) for h in HRFS for n in NOISES])


def build(hrf="canonical", noise="white", *, n_channels=2, latent_dim=2, bin_width=BIN):
    """An untrained decoder in float64, the same at every call."""
    channels = Channels(tuple(f"r{i}" for i in range(n_channels)))
    with torch.random.fork_rng():
        torch.manual_seed(3)
        fmri = Fmri(path="bold", hrf=hrf, noise=noise)
        return fmri.build_decoder(channels, latent_dim, bin_width=bin_width).double()


@torch.no_grad()
def with_weights(decoder, weights):
    decoder.readout.weight.copy_(torch.as_tensor(weights))
    decoder.readout.bias.zero_()
    return decoder


def latents(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def observed(n, n_channels=2, *, seed=0, fraction=0.5):
    rng = np.random.default_rng(seed)
    mask = torch.from_numpy(rng.random((n, n_channels)) < fraction)
    return Observed(torch.from_numpy(rng.normal(size=(n, n_channels))) * mask, mask)


def canonical(bin_width=BIN, onset=0.0):
    """Means of SPM's double gamma around lags, by scipy's distribution functions; sum 1."""
    edges = (np.arange(round(32 / bin_width) + 1) - 0.5).clip(0) * bin_width - onset
    areas = np.diff(stats.gamma(6).cdf(edges) - stats.gamma(16).cdf(edges) / 6)
    return areas / areas.sum()


# ---- known answers


def test_a_burst_of_activity_gives_the_hemodynamic_response():
    z = torch.zeros(100, 1, dtype=torch.float64)
    z[20] = 1.0
    mean = with_weights(build(n_channels=1, latent_dim=1), [[2.0]])(z).mean[:, 0].detach()
    assert mean[:20].abs().max() == 0
    # The kernel is quadrature in float32, where this is an exact integral.
    np.testing.assert_allclose(mean[20:84], 2 * canonical(), atol=1e-6)
    assert mean[84:].abs().max() == 0
    assert int(mean.argmax()) * BIN == pytest.approx(20 * BIN + 5, abs=BIN)


@pytest.mark.parametrize("hrf", HRFS)
def test_constant_activity_is_a_constant_signal_from_the_first_bin_on(hrf):
    decoder = with_weights(
        build(hrf), np.tile([[1.0, -2.0]], (2, 3 if hrf == "derivatives" else 1))
    )
    mean = decoder(torch.tensor([[0.5, 1.0]], dtype=torch.float64).repeat(90, 1)).mean
    # Derivatives sum to 0; sums of 64 float32 weights are exact to 1e-5.
    np.testing.assert_allclose(mean.detach(), -1.5, atol=1e-4)


def test_the_time_derivative_lets_a_channel_respond_earlier():
    early = 0.4
    decoder = with_weights(build("derivatives", n_channels=1, latent_dim=1), [[1.0, early, 0.0]])
    z = torch.zeros(120, 1, dtype=torch.float64)
    z[20] = 1.0
    mean = decoder(z).mean[:, 0].detach().numpy()
    # Its center of mass moves by just that, but for what lies beyond 32 s: a thousandth of the
    # undershoot, at six times the distance of the center.
    times = BIN * np.arange(120)
    shift = (times * mean)[20:84].sum() - BIN * 20 - (BIN * np.arange(64) * canonical()).sum()
    assert shift == pytest.approx(-early, abs=5e-3)


def test_a_learned_response_starts_as_the_canonical_one():
    z = latents(80, 2)
    weights = [[1.0, 0.3], [-0.5, 2.0]]
    found, wanted = (with_weights(build(h), weights)(z).mean for h in ("learned", "canonical"))
    # Between bounds, a start of 6 s comes back from its coordinate in float32.
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("hrf", HRFS)
def test_kernels_on_latents_are_kernels_on_channels(hrf):
    """h * (W z) by numpy, channel after channel."""
    decoder, z = build(hrf, n_channels=4, latent_dim=2), latents(70, 2)
    with torch.no_grad():
        decoder.readout.weight.copy_(latents(*decoder.readout.weight.shape, seed=1))
    kernels = decoder.response().detach().numpy()
    blocks = decoder.readout.weight.detach().numpy().reshape(4, len(kernels), 2)
    padded = np.concatenate([np.repeat(z.numpy()[:1], kernels.shape[1] - 1, axis=0), z.numpy()])
    wanted = decoder.readout.bias.detach().numpy() + sum(
        np.stack([np.convolve(padded @ w, h, "valid") for w in blocks[:, k]], axis=1)
        for k, h in enumerate(kernels)
    )
    np.testing.assert_allclose(decoder(z).mean.detach(), wanted, atol=1e-12)


# ---- how far it looks


@every_kind
def test_the_lag_is_the_length_of_the_response(hrf, noise):
    assert build(hrf, noise).lag == 63
    assert build(hrf, noise, bin_width=3.0).lag == 10


@every_kind
def test_a_bin_depends_on_latents_as_far_back_as_the_lag_and_no_further(hrf, noise):
    decoder = build(hrf, noise)
    with torch.no_grad():
        decoder.readout.weight.copy_(latents(*decoder.readout.weight.shape, seed=1))
    z = latents(160, 2).requires_grad_()
    (gradient,) = torch.autograd.grad(decoder(z).mean[120].sum(), z)
    reached = gradient.abs().sum(1).nonzero().flatten()
    assert (int(reached.min()), int(reached.max())) == (120 - decoder.lag, 120)


@given(st.integers(0, 2**31), st.integers(1, 79))
@pytest.mark.parametrize("noise", NOISES)
def test_a_bin_knows_values_and_latents_up_to_itself_and_its_own_value_not(noise, seed, t):
    decoder, z, seen = build(noise=noise), latents(80, 2, seed=seed), observed(80, seed=seed)
    other = observed(80, seed=seed + 1)
    later = torch.arange(80).unsqueeze(-1) >= t
    changed = Observed(
        *(torch.where(later, b, a) for a, b in zip(seen[:2], other[:2], strict=True))
    )
    z_later = torch.where(torch.arange(80).unsqueeze(-1) > t, latents(80, 2, seed=seed + 2), z)
    before, after = decoder.given(z, seen), decoder.given(z_later, changed)
    upto = slice(t + 1)
    assert torch.equal(before.mean[upto], after.mean[upto])
    assert torch.equal(before.stddev[upto], after.stddev[upto])


def test_white_noise_forgets_what_was_seen():
    decoder, z = build(), latents(80, 2)
    assert torch.equal(decoder.given(z, observed(80)).mean, decoder(z).mean)


@every_kind
def test_windows_in_a_batch_do_not_touch(hrf, noise):
    decoder, z, seen = build(hrf, noise), latents(3, 2, 70, 2), observed(70)
    many = seen.each(lambda part: part.expand(3, 2, 70, 2))
    alone = decoder.given(z[1, 1], seen)
    torch.testing.assert_close(decoder.given(z, many).mean[1, 1], alone.mean)


# ---- training


@every_kind
def test_gradients_are_those_of_finite_differences(hrf, noise):
    """Bins of 8 s make a kernel of 4: the same code, few enough entries to differentiate."""
    decoder = build(hrf, noise, bin_width=8.0)
    seen = observed(9, fraction=0.6)

    names = [f"decoder.{name}" for name, _ in decoder.named_parameters()]

    def likelihood(z, *parameters):
        own = dict(zip(names, parameters, strict=True))
        p = torch.func.functional_call(_Given(decoder), own, (z, seen))
        return (p.log_prob(seen.values) * seen.mask).sum()

    inputs = (latents(9, 2), *(p.detach().clone() for p in decoder.parameters()))
    assert torch.autograd.gradcheck(likelihood, tuple(x.requires_grad_() for x in inputs))


class _Given(torch.nn.Module):
    def __init__(self, decoder):
        super().__init__()
        self.decoder = decoder

    def forward(self, z, seen):
        return self.decoder.given(z, seen)


@every_kind
def test_a_latent_of_zero_is_the_best_constant_prediction(hrf, noise):
    rng = np.random.default_rng(1)
    values = torch.from_numpy(rng.normal([900.0, -2.0], [40.0, 0.1], (200, 2)))
    mask = torch.from_numpy(rng.random((200, 2)) < 0.7)
    decoder = build(hrf, noise)
    decoder.initialize(Observed(values * mask, mask))
    p = decoder(torch.zeros(200, 2, dtype=torch.float64))
    for c in range(2):
        own = values[mask[:, c], c]
        # Buffers are taken over in float64, and so are moments of 140 values.
        np.testing.assert_allclose(p.mean[0, c].detach(), own.mean(), rtol=1e-9)
        np.testing.assert_allclose(p.stddev[0, c].detach(), own.std(correction=0), rtol=1e-9)
    assert torch.equal(decoder.predict(p), p.mean)


def test_parameters_of_a_learned_response_stay_within_physiology():
    decoder = build("learned")
    for coordinate in (-1e4, 1e4):
        with torch.no_grad():
            for part in decoder.response.modules():
                if isinstance(part, Bounded):
                    part.coordinate.fill_(coordinate)
        kernel = decoder.response()[0].detach()
        peak = BIN * int(kernel.argmax())
        assert 2.5 <= peak <= 8.5
        assert kernel.sum() == pytest.approx(1, abs=1e-6)


def test_a_kernel_that_ends_before_its_peak_is_refused():
    # The configuration refuses it first; a decoder built by hand is refused by the kernel.
    hrf = Fmri(path="bold").response.model_copy(update={"length": 3.0})
    with pytest.raises(ConfigError, match="32 s hold the canonical response"):
        canonical_response(hrf, bin_width=BIN)


# ---- simulation


@pytest.mark.parametrize("noise", NOISES)
def test_what_is_simulated_scatters_as_the_marginal_says(noise):
    torch.manual_seed(0)
    decoder, n = build(noise=noise), 4000
    with torch.no_grad():
        decoder.log_noise.copy_(torch.tensor([0.5, -1.0]))
    z = latents(5, 2).unsqueeze(0).expand(n, 5, 2)
    p, x = decoder(z), decoder.simulate(z)
    assert x.dtype == z.dtype
    assert not x.requires_grad
    surprise = ((x - p.mean) / p.stddev).detach()
    # s.e. of a mean and of a variance of n values, each of 10 entries within four of them.
    assert surprise.mean(0).abs().max() < 4 / n**0.5
    assert (surprise.var(0) - 1).abs().max() < 4 * (2 / n) ** 0.5


def test_simulated_noise_remembers_as_long_as_its_time_constant_says():
    torch.manual_seed(1)
    decoder, n = build(noise="ar1"), 40_000
    tau = decoder.memory.tau().detach().numpy()
    noise = decoder.simulate(torch.zeros(n, 2, dtype=torch.float64)).numpy()
    noise = (noise - noise.mean(0)) / noise.std(0)
    for lag in (1, 2, 4):
        found = (noise[lag:] * noise[:-lag]).mean(0)
        # Bartlett: the s.e. is at most sqrt((1 + r^2) / (1 - r^2) / n) with r of one bin, 0.61.
        np.testing.assert_allclose(found, np.exp(-lag * BIN / tau), atol=4 * 1.5 / n**0.5)
