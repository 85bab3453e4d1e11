"""Counts at the decoder: what is as ever, likelihoods with known sums, bounds, precision."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torch.distributions import Poisson

from neurodsr.data.channels import Channels
from neurodsr.modalities.count_laws import (
    BernoulliLaw,
    NegativeBinomialLaw,
    PoissonLaw,
    ZeroInflatedLaw,
)
from neurodsr.modalities.counts import CountDecoder
from neurodsr.modalities.links import EXPONENTIAL, LINKS, SOFTPLUS
from neurodsr.modalities.observed import Observed
from neurodsr.modalities.spikes import Spikes

LAWS = [PoissonLaw, NegativeBinomialLaw, ZeroInflatedLaw, BernoulliLaw]
N_DRAWS = 20_000

every_law = pytest.mark.parametrize("law", LAWS)
every_link = pytest.mark.parametrize("link", [EXPONENTIAL, SOFTPLUS], ids=list(LINKS))


def whole(counts):
    """Counts of bins that were all watched."""
    x = torch.as_tensor(counts, dtype=torch.float64)
    return Observed(x, torch.ones(x.shape, dtype=bool))


def constant(law, rates, *, link=EXPONENTIAL, shape=None):
    """A float64 decoder of constant rates, and the law's own numbers if it has any."""
    decoder = CountDecoder(len(rates), 2, law=law, link=link).double()
    with torch.no_grad():
        decoder.drive.bias.copy_(link.drive(torch.tensor(rates, dtype=torch.float64)))
        for parameter in decoder.law.parameters():
            parameter.fill_(shape)
    return decoder


def draws(p, seed=0):
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        return p.sample((N_DRAWS,)).squeeze(1).numpy()


# ---- the default is what it always was


def test_the_default_has_the_parameters_and_first_draws_of_one_linear_layer():
    torch.manual_seed(3)
    decoder = Spikes().build_decoder(Channels(tuple("abcde")), 3, bin_width=0.02)
    after = torch.rand(())
    torch.manual_seed(3)
    layer = nn.Linear(3, 5)
    assert torch.equal(after, torch.rand(()))
    assert [p.shape for p in decoder.parameters()] == [(5, 3), (5,)]
    assert torch.equal(decoder.drive.weight, layer.weight)
    assert torch.equal(decoder.drive.bias, layer.bias)


def test_the_default_is_the_capped_exponential():
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.poisson([0.0, 0.05, 2.0, 40.0], (701, 4)), dtype=torch.float32)
    mask = torch.from_numpy(rng.random((701, 4)) < 0.8)
    x = x * mask
    decoder = CountDecoder(4, 3)
    decoder.initialize(Observed(x, mask))
    z = 4 * torch.randn(200, 3, generator=torch.Generator().manual_seed(1))

    mean = (x * mask).sum(0) / mask.sum(0).clamp_min(1)
    floor = 0.5 / mask.sum(0).clamp_min(1)
    bias = mean.maximum(floor).log()
    ceiling = (2 * x.amax(0).clamp_min(1)).log()
    log_rate = nn.functional.linear(z, decoder.drive.weight, bias)
    expected = Poisson(log_rate.clamp_min(-30).minimum(ceiling).exp(), validate_args=False)

    seen = Observed(x[:200], mask[:200])
    for found in (decoder(z), decoder.given(z, seen)):
        assert torch.equal(found.mean, expected.mean)
        torch.testing.assert_close(  # logarithms of float32, vectorized and not
            found.log_prob(seen.values), expected.log_prob(seen.values), rtol=1e-6, atol=1e-5
        )
    assert (expected.mean == ceiling.exp()).any()  # the cap took part
    torch.manual_seed(0)
    simulated = decoder.simulate(z)
    torch.manual_seed(0)
    assert torch.equal(simulated, expected.sample())


# ---- likelihoods


def probabilities(p, n=400):
    """Of counts 0, 1, ... n - 1, for the one bin of a distribution."""
    n = 2 if isinstance(p, torch.distributions.Bernoulli) else n
    k = torch.arange(float(n)).double()[:, None]
    return p.log_prob(k.expand(-1, p.batch_shape[-1])).exp().detach().numpy()


@every_law
@every_link
@pytest.mark.parametrize("exposure", [1.0, 0.6])
def test_the_likelihood_sums_to_one_and_has_the_mean_that_is_predicted(law, link, exposure):
    decoder = constant(law, [0.02, 0.7, 5.0], link=link, shape=-0.5)
    seen = whole(np.zeros((1, 3)))._replace(
        exposure=torch.full((1, 3), exposure, dtype=torch.float64)
    )
    p = decoder.given(torch.zeros(1, 2).double(), seen)
    found = probabilities(p)
    np.testing.assert_allclose(found.sum(0), 1, rtol=1e-12)
    mean = (np.arange(len(found))[:, None] * found).sum(0)
    np.testing.assert_allclose(decoder.predict(p)[0].detach(), mean, rtol=1e-12)


def test_each_law_is_the_distribution_of_the_textbook():
    k, rate = np.arange(30)[:, None], np.array([0.3, 4.0])
    zero = torch.zeros(1, 2).double()
    a, gate = math.exp(0.4), 1 / (1 + math.exp(-0.4))
    inflated = (1 - gate) * stats.poisson.pmf(k, rate) + gate * (k == 0)
    for law, expected in [
        (PoissonLaw, stats.poisson.pmf(k, rate)),
        (NegativeBinomialLaw, stats.nbinom.pmf(k, 1 / a, 1 / (1 + a * rate))),
        (ZeroInflatedLaw, inflated),
        (BernoulliLaw, stats.bernoulli.pmf(k[:2], 1 - np.exp(-rate))),
    ]:
        found = probabilities(constant(law, [0.3, 4.0], shape=0.4)(zero), 30)
        np.testing.assert_allclose(found, expected, rtol=1e-9)  # lgamma of both in float64


@every_law
def test_simulated_counts_follow_their_likelihood(law):
    decoder = constant(law, [0.8], shape=-0.3)
    p = decoder(torch.zeros(1, 2).double())
    n_cells = 2 if law is BernoulliLaw else 6
    counts = np.bincount(draws(p)[:, 0].astype(int).clip(max=n_cells - 1), minlength=n_cells)
    expected = probabilities(p)[: n_cells - 1, 0]
    expected = np.append(expected, 1 - expected.sum()) * N_DRAWS
    assert stats.chisquare(counts, expected).pvalue > 1e-3


def test_a_bernoulli_spike_is_a_poisson_count_above_zero_in_bins_of_any_width():
    """Ten bins of a tenth of the rate hold a spike as often as one of the rate."""
    wide, fine = (constant(BernoulliLaw, [r]) for r in (0.7, 0.07))
    zero = torch.zeros(1, 2).double()
    silent = 1 - fine.predict(fine(zero)).item()
    assert wide.predict(wide(zero)).item() == pytest.approx(1 - silent**10, rel=1e-12)


@every_law
@every_link
def test_gradients_are_those_of_the_likelihood(law, link):
    decoder = CountDecoder(2, 2, law=law, link=link, n_lags=3).double()
    g = torch.Generator().manual_seed(0)
    x = torch.randint(0, 2 if law is BernoulliLaw else 4, (6, 2), generator=g).double()
    mask = torch.rand(6, 2, generator=g) < 0.8
    exposure = torch.where(mask, 0.5 + 0.5 * torch.rand(6, 2, generator=g).double(), 0)
    seen = Observed(x * mask, mask, exposure)
    decoder.initialize(seen)
    with torch.no_grad():
        decoder.history.weight.normal_(0, 0.3, generator=g)
    z = torch.randn(6, 2, generator=g).double().requires_grad_()

    def likelihood(z, *parameters):
        return decoder.given(z, seen).log_prob(seen.values).masked_select(mask)

    assert torch.autograd.gradcheck(likelihood, (z, *decoder.parameters()))


# ---- bounds


@every_law
@every_link
def test_no_latent_makes_a_rate_infinite_or_a_count_impossible(law, link):
    decoder = CountDecoder(1, 1, law=law, link=link)
    decoder.initialize(whole([[0.0], [1.0], [0.0]] if law is BernoulliLaw else [[0.0], [5.0]]))
    p = decoder(torch.tensor([[1e6], [-1e6]]))
    assert p.mean.isfinite().all()
    assert p.log_prob(torch.ones(2, 1)).isfinite().all()
    assert p.log_prob(torch.zeros(2, 1)).isfinite().all()


@every_link
def test_a_rate_cannot_exceed_twice_the_largest_count(link):
    decoder = CountDecoder(1, 1, link=link)
    decoder.initialize(whole([[0.0], [5.0]]))
    assert decoder(torch.tensor([[1e6], [-1e6]])).mean.max().item() == pytest.approx(10, rel=1e-6)


@every_link
@pytest.mark.parametrize("rate", [1e-8, 0.3, 200.0])
def test_the_drive_of_a_rate_gives_that_rate(link, rate):
    found = link.rate(
        link.drive(torch.tensor([rate], dtype=torch.float64)), torch.tensor([10.0]).double()
    )
    assert found.item() == pytest.approx(rate, rel=1e-9)  # log(1 + e^d) of 1e-8 keeps 8 digits


# ---- moving a decoder


@every_law
def test_a_decoder_comes_back_from_another_precision_and_from_its_state(law):
    decoder, other = (CountDecoder(3, 2, law=law, n_lags=7) for _ in range(2))
    decoder.initialize(whole(np.random.default_rng(0).random((100, 3)) < 0.3))
    z = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    before = decoder(z).mean
    decoder.double()
    assert decoder(z.double()).mean.dtype == torch.float64
    assert decoder.simulate(z.double()).dtype == torch.float64
    # Twice a rounding of float32, in the layer and the link.
    torch.testing.assert_close(decoder.float()(z).mean, before, rtol=1e-6, atol=0)
    other.load_state_dict(decoder.state_dict())
    assert torch.equal(other(z).mean, decoder(z).mean)


@pytest.mark.gpu
@every_law
def test_a_decoder_works_on_a_gpu_and_comes_back(law):
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    decoder = CountDecoder(3, 2, law=law, n_lags=7)
    z, x = torch.randn(2, 9, 2), torch.ones(2, 9, 3)
    seen = Observed(x, x > 0, x)
    here = decoder.given(z, seen).log_prob(x)
    there = decoder.cuda().given(z.cuda(), seen.each(torch.Tensor.cuda)).log_prob(x.cuda())
    torch.testing.assert_close(there.cpu(), here, rtol=1e-4, atol=1e-5)
    assert decoder.simulate(z.cuda()).is_cuda
    assert decoder.cpu().simulate(z).device == z.device


def test_only_counts_without_a_history_are_computed_bin_by_bin():
    """The others need the bins around them, also where these are not scored."""
    assert CountDecoder(3, 2).memoryless
    assert not CountDecoder(3, 2, n_lags=4).memoryless
