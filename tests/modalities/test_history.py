"""The effect of a unit's own spikes: its basis, what it may see, and what a free run has of it."""

import math

import numpy as np
import pytest
import torch

from neurodsr.data.channels import Channels
from neurodsr.modalities.count_laws import BernoulliLaw, PoissonLaw
from neurodsr.modalities.counts import CountDecoder
from neurodsr.modalities.decoders import scorable
from neurodsr.modalities.history import N_BUMPS, SpikeHistory, raised_cosines
from neurodsr.modalities.links import EXPONENTIAL, SOFTPLUS
from neurodsr.modalities.observed import Observed
from neurodsr.modalities.spikes import Spikes
from neurodsr.models.free_run import simulate_stream


def decoder_with(weight, *, n_lags, law=PoissonLaw, link=EXPONENTIAL, rate=0.5):
    """One unit of a constant rate, whose history has the given weights, in float64."""
    decoder = CountDecoder(1, 1, law=law, link=link, n_lags=n_lags).double()
    with torch.no_grad():
        decoder.drive.weight.zero_()
        decoder.drive.bias.copy_(link.drive(torch.tensor([rate], dtype=torch.float64)))
        decoder.history.weight.copy_(torch.tensor([weight], dtype=torch.float64))
        decoder.history.mean.fill_(rate)
    return decoder


def seen_of(counts, mask=None):
    x = torch.as_tensor(counts, dtype=torch.float64).reshape(-1, 1)
    mask = torch.ones(x.shape, dtype=bool) if mask is None else torch.tensor(mask).reshape(-1, 1)
    return Observed(x * mask, mask)


def zeros(n):
    return torch.zeros(n, 1, dtype=torch.float64)


# ---- the basis


@pytest.mark.parametrize("n_lags", [6, 7, 10, 40, 500])
def test_bumps_are_smooth_wider_with_lag_and_independent(n_lags):
    basis = raised_cosines(n_lags).numpy()
    assert basis.shape == (n_lags, N_BUMPS)
    assert basis.min() >= 0
    assert basis.max() <= 1
    assert basis[0].argmax() == 0
    assert basis[0, 0] == pytest.approx(1)
    widths = (basis > 0.5).sum(0)
    assert (np.diff(widths) >= -1).all()  # a bin more or less at few lags
    # Weights of order one stay of order one: no direction is nearly lost.
    assert np.linalg.cond(basis) < 25


def test_the_last_bump_ends_with_the_filter():
    # One lag further the cosine would be exactly zero; at the last it is nearly.
    assert raised_cosines(500)[-1].max() < 1e-3
    assert raised_cosines(500)[-1, -1] > 0


@pytest.mark.parametrize("n_lags", [1, 2, N_BUMPS])
def test_few_lags_have_a_number_each(n_lags):
    assert torch.equal(raised_cosines(n_lags), torch.eye(n_lags))


@pytest.mark.parametrize(
    ("history", "bin_width", "n_lags"),
    [(0.0, 0.02, 0), (0.1, 0.02, 5), (0.05, 0.001, 50), (0.002, 0.02, 1)],
)
def test_the_length_of_the_history_in_s_becomes_bins(history, bin_width, n_lags):
    spikes = Spikes.from_plain({"history": history})
    decoder = spikes.build_decoder(Channels(("a", "b")), 3, bin_width=bin_width)
    assert decoder.lag == n_lags
    assert (decoder.history is None) == (n_lags == 0)


# ---- what a bin may see


def test_a_spike_acts_from_the_next_bin_on_for_the_length_of_the_filter():
    history = SpikeHistory(1, 3).double()
    with torch.no_grad():
        history.weight.copy_(torch.tensor([[-2.0, 0.5, 0.25]]))
    drive = history(seen_of([0, 0, 1, 0, 0, 0, 0]))[:, 0]
    assert drive.tolist() == [0, 0, 0, -2, 0.5, 0.25, 0]


@pytest.mark.parametrize("law", [PoissonLaw, BernoulliLaw])
@pytest.mark.parametrize("n_lags", [2, 9])
def test_a_bin_does_not_depend_on_itself_or_on_what_comes_later(law, n_lags):
    """In any channel, for batches of windows; and each bin before it, as far as the filter."""
    decoder = CountDecoder(2, 1, law=law, n_lags=n_lags).double()
    g = torch.Generator().manual_seed(0)
    with torch.no_grad():
        decoder.history.weight.normal_(0, 0.3, generator=g)
    x = torch.randint(0, 2, (3, 14, 2), generator=g).double().requires_grad_()
    seen = Observed(x, torch.ones(x.shape, dtype=bool))
    mean = decoder.given(torch.zeros(3, 14, 1).double(), seen).mean
    for t in range(14):
        (gradient,) = torch.autograd.grad(mean[1, t, 0], x, retain_graph=True)
        bins = gradient[1, :, 0].nonzero().flatten().tolist()
        assert bins == list(range(max(0, t - n_lags), t))
        gradient[1, :, 0] = 0
        assert not gradient.any()  # neither other windows nor other units


def test_a_past_that_is_not_known_counts_as_the_units_mean():
    decoder = decoder_with([-1.0, -0.5], n_lags=2, rate=0.4)
    usual = decoder(zeros(1)).mean.item()
    # As if the unit had fired at its mean rate all the while ...
    known = decoder.given(zeros(5), seen_of([0.4] * 5)).mean[:, 0].detach()
    np.testing.assert_allclose(known, usual, rtol=1e-12)
    # ... whether the past lies before the window, is masked, or was never recorded.
    hidden = decoder.given(zeros(5), seen_of([3.0] * 5, [False] * 5)).mean[:, 0].detach()
    np.testing.assert_allclose(hidden, usual, rtol=1e-12)
    one = decoder.given(zeros(5), seen_of([0, 1, 9, 0, 0], [True, True, False, True, True]))
    expected = np.exp([0, 0.4, -0.6 + 0.2, -0.3, 0.4])
    np.testing.assert_allclose(one.mean[:, 0].detach() / usual, expected, rtol=1e-12)


def test_of_a_bin_watched_by_half_the_rest_counts_as_the_units_mean():
    decoder = decoder_with([-1.0], n_lags=1, rate=0.4)
    seen = seen_of([1.0, 0.0])._replace(exposure=torch.tensor([[0.5], [1.0]]).double())
    found = decoder.given(zeros(2), seen).mean[1, 0].item()
    assert found == pytest.approx(0.4 * math.exp(-(1 + 0.5 * 0.4 - 0.4)), rel=1e-12)


def test_bins_whose_past_lies_before_the_window_are_not_scored():
    decoder = decoder_with([0.0, 0.0, 0.0], n_lags=3)
    mask = torch.ones(5, 1, dtype=bool)
    assert scorable(decoder, mask)[:, 0].tolist() == [False, False, False, True, True]


# ---- free runs


N_RUNS, N_BINS = 40, 500


def autocorrelation(runs, n_lags):
    """At lags 1, 2, ... of runs [run, time], all taken together."""
    x = runs - runs.mean()
    lags = range(1, n_lags + 1)
    return np.array([(x[:, lag:] * x[:, :-lag]).mean() for lag in lags]) / x.var()


def process(rng, kernel, rate):
    """Poisson counts of units with a history, drawn with NumPy bin after bin."""
    n_lags = len(kernel)
    x = np.full((N_RUNS, n_lags + N_BINS), rate)
    for t in range(n_lags, n_lags + N_BINS):
        past = (x[:, t - n_lags : t] - rate) @ kernel[::-1]
        x[:, t] = rng.poisson(rate * np.exp(past))
    return x[:, n_lags:]


def simulated(decoder, seed=0):
    return simulate_stream(decoder, torch.zeros(N_RUNS, N_BINS, 1).double(), seed=seed)


@pytest.mark.parametrize("weight", [[-4.0, -1.0, -0.3, 0.05, 0.0], [0.3, 0.1, -0.4, -0.2, 0.0]])
def test_a_simulated_unit_has_the_autocorrelation_of_the_process(weight):
    """Refractory, and bursting with a pause after it."""
    decoder = decoder_with(weight, n_lags=7)
    kernel = decoder.history.filter.detach().numpy()[0]
    x = simulated(decoder)[..., 0].numpy()
    y = process(np.random.default_rng(0), kernel, 0.5)
    se = 1 / math.sqrt(N_RUNS * N_BINS)  # of one autocorrelation, about
    found, expected = autocorrelation(x, 12), autocorrelation(y, 12)
    # Four s.e. of a difference, for twelve of them.
    np.testing.assert_allclose(found, expected, atol=4 * math.sqrt(2) * se)
    assert abs(found[0]) > 8 * se
    assert x.mean() == pytest.approx(y.mean(), rel=0.06)


def test_a_simulation_is_as_likely_as_a_recording_of_it_is_said_to_be():
    """Given its own past, nothing is left: residuals of mean 0 and variance 1, uncorrelated."""
    decoder = decoder_with([-0.8, 0.2, 0.1], n_lags=3)
    x = simulated(decoder)
    p = decoder.given(torch.zeros(N_RUNS, N_BINS, 1).double(), Observed(x, torch.ones_like(x) > 0))
    residual = ((x - p.mean) / p.stddev)[..., 0].detach().numpy()
    se = 1 / math.sqrt(residual.size)
    assert abs(residual.mean()) < 4 * se
    # The kurtosis of a Poisson count is 3 + 1 / rate, and rates go down to a tenth.
    assert residual.var() == pytest.approx(1, abs=4 * math.sqrt(2 + 10) * se)
    assert np.abs(autocorrelation(residual, 5)).max() < 4 * se
    # What is simulated is not what no history would give.
    assert autocorrelation(x[..., 0].numpy(), 1)[0] < -8 * se


def test_many_windows_are_simulated_at_once_and_differ():
    decoder = decoder_with([-2.0, 0.5], n_lags=2)
    z = torch.zeros(2, 30, 200, 1).double()
    x = simulate_stream(decoder, z, seed=0)
    assert x.shape == (2, 30, 200, 1)
    assert len(torch.unique(x.reshape(60, 200), dim=0)) == 60
    assert torch.equal(x, simulate_stream(decoder, z, seed=0))


@pytest.mark.parametrize("link", [EXPONENTIAL, SOFTPLUS], ids=["exponential", "softplus"])
def test_a_unit_that_excites_itself_without_end_stays_finite(link):
    decoder = decoder_with([5.0, 5.0], n_lags=2, link=link)
    decoder.ceiling.fill_(math.log(6.0))
    x = simulate_stream(decoder, zeros(2000), seed=0)
    assert x.isfinite().all()
    assert x[100:].mean().item() == pytest.approx(6, rel=0.1)  # at the cap, 1900 bins
    p = decoder.given(zeros(2000), seen_of(x))
    assert p.log_prob(x).isfinite().all()


def test_initialization_starts_without_an_effect_of_the_past():
    decoder = decoder_with([1.0], n_lags=1)
    seen = seen_of(np.random.default_rng(0).poisson(0.7, 500))
    decoder.initialize(seen)
    assert not decoder.history.weight.any()
    assert decoder.history.mean.item() == seen.values.mean().item()
    usual = decoder(zeros(500)).mean
    assert torch.equal(decoder.given(zeros(500), seen).mean, usual)


@pytest.mark.parametrize("link", [EXPONENTIAL, SOFTPLUS], ids=["exponential", "softplus"])
def test_the_mean_rate_comes_out_right_where_nothing_is_known_of_the_past(link):
    """The rate after a mean past is not the mean rate: a refractory unit shows it."""
    torch.manual_seed(0)
    decoder = CountDecoder(1, 2, link=link, n_lags=6)
    with torch.no_grad():
        decoder.drive.bias.fill_(0.5)
        decoder.drive.weight.zero_()
        decoder.history.weight.copy_(torch.tensor([[-3.0, -1.5, -0.5, 0.0, 0.0]]))
        decoder.ceiling.fill_(5.0)
    z = torch.zeros(20_000, 2)
    with torch.no_grad():
        decoder.history.mean.fill_(0.6)
        counts = decoder.simulate(z)
        seen = Observed(counts, torch.ones(counts.shape, dtype=bool))
        decoder.calibrate(seen)
        found = decoder.given(z, seen.unknown()).mean
    mean = counts[100:].mean().item()
    # 10,000 counts or so, less variable than Poisson ones: a standard error below 1 %.
    assert found.mean().item() == pytest.approx(mean, rel=0.03)
    assert torch.equal(found, decoder(z).mean)
