"""The best constant prediction of counts, from bins watched whole or in part."""

import math

import numpy as np
import pytest
import torch

from neurodsr.data.channels import Channels
from neurodsr.modalities.count_laws import (
    BernoulliLaw,
    NegativeBinomialLaw,
    PoissonLaw,
    ZeroInflatedLaw,
)
from neurodsr.modalities.counts import CountDecoder
from neurodsr.modalities.decoders import masked_mean
from neurodsr.modalities.exposure import per_whole_bin, watched
from neurodsr.modalities.links import EXPONENTIAL, LINKS, SOFTPLUS
from neurodsr.modalities.observed import Observed
from neurodsr.modalities.spikes import Spikes

LAWS = [PoissonLaw, NegativeBinomialLaw, ZeroInflatedLaw, BernoulliLaw]

every_law = pytest.mark.parametrize("law", LAWS)
every_link = pytest.mark.parametrize("link", [EXPONENTIAL, SOFTPLUS], ids=list(LINKS))


def scattered(law, seed=1, n=4000):
    """Counts of two units from the law, with a third of the bins masked."""
    rng = np.random.default_rng(seed)
    rate = np.array([0.3, 4.0])
    x = {
        PoissonLaw: lambda: rng.poisson(rate, (n, 2)),
        NegativeBinomialLaw: lambda: rng.poisson(rate * rng.gamma(2, 1 / 2, (n, 2))),
        ZeroInflatedLaw: lambda: rng.poisson(rate, (n, 2)) * (rng.random((n, 2)) < 0.7),
        BernoulliLaw: lambda: rng.random((n, 2)) < 1 - np.exp(-rate),
    }[law]()
    mask = torch.from_numpy(rng.random((n, 2)) < 0.7)
    return Observed(torch.tensor(x, dtype=torch.float64) * mask, mask)


def mean_loss(decoder, seen):
    z = torch.zeros(*seen.values.shape[:-1], 2).double()
    likelihood = decoder.given(z, seen).log_prob(seen.values)
    return -(likelihood * seen.mask).sum() / seen.mask.sum()


@every_law
@every_link
def test_initialization_predicts_the_mean_of_what_was_observed(law, link):
    seen, decoder = scattered(law), CountDecoder(2, 2, law=law, link=link, n_lags=2).double()
    decoder.initialize(seen)
    predicted = decoder.predict(decoder(torch.zeros(1, 2).double()))[0]
    # Buffers and parameters are float64; the sums are of whole numbers.
    np.testing.assert_allclose(predicted.detach(), masked_mean(*seen[:2]), rtol=1e-10)


@every_law
@every_link
def test_no_other_constant_is_much_better_than_the_initial_one(law, link):
    """Moments miss the best likelihood by less than 2 nats, as much as two standard errors do."""
    seen, decoder = scattered(law), CountDecoder(2, 2, law=law, link=link).double()
    decoder.initialize(seen)
    free = [decoder.drive.bias, *decoder.law.parameters()]
    start = mean_loss(decoder, seen).item()
    optimizer = torch.optim.LBFGS(free, max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = mean_loss(decoder, seen)
        loss.backward()
        return loss

    optimizer.step(closure)
    gained = (start - mean_loss(decoder, seen).item()) * seen.mask.sum().item()
    exact = law in (PoissonLaw, BernoulliLaw)
    assert -1e-6 <= gained < (1e-6 if exact else 2)


@pytest.mark.parametrize(("law", "truth"), [(NegativeBinomialLaw, 0.5), (ZeroInflatedLaw, 0.3)])
def test_the_initial_dispersion_and_gate_are_near_those_of_the_data(law, truth):
    decoder = CountDecoder(2, 2, law=law).double()
    decoder.initialize(scattered(law, n=40_000))
    (number,) = decoder.law.parameters()
    found = number.exp() if law is NegativeBinomialLaw else number.sigmoid()
    # 28,000 bins; the unit of 0.3 spikes a bin has some 2,500 pairs of spikes: 0.05 is 3 s.e.
    np.testing.assert_allclose(found.detach(), truth, atol=0.06)


@every_law
@pytest.mark.parametrize("exposed", [False, True])
def test_a_unit_never_observed_gives_a_finite_prediction(law, exposed):
    seen, decoder = scattered(law, n=50), CountDecoder(2, 2, law=law, n_lags=4).double()
    seen.mask[:, 1] = False
    values = seen.values * seen.mask
    seen = Observed(values, seen.mask, seen.mask.double() if exposed else None)
    decoder.initialize(seen)
    loss = mean_loss(decoder, seen)
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is None or p.grad.isfinite().all() for p in decoder.parameters())
    assert decoder.ceiling.isfinite().all()


@every_law
def test_a_unit_that_never_or_always_fires_begins_at_a_finite_drive(law):
    counts = torch.tensor([[0.0, 1.0]]).double().expand(100, 2)
    seen = Observed(counts, torch.ones(100, 2, dtype=bool))
    decoder = CountDecoder(2, 2, law=law).double()
    decoder.initialize(seen)
    assert decoder.drive.bias.isfinite().all()
    assert mean_loss(decoder, seen).isfinite()
    assert (decoder.drive.bias < decoder.ceiling).all()  # no gradient would pass the cap


@every_law
def test_masked_values_change_neither_loss_nor_gradient(law):
    decoder = CountDecoder(2, 2, law=law, n_lags=3).double()
    seen, found = scattered(law, n=200), []
    for fill in (0.0, 1.0):
        filled = seen._replace(values=torch.where(seen.mask, seen.values, fill))
        loss = mean_loss(decoder, filled)
        found.append((loss, *torch.autograd.grad(loss, list(decoder.parameters()))))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


# ---- exposure


def partly_watched(law, rate, seed=0, n=20_000):
    """Counts of a constant rate, half of whose bins were watched for 50 to 100 % of their time."""
    rng = np.random.default_rng(seed)
    e = np.where(rng.random((n, 1)) < 0.5, rng.uniform(0.5, 1, (n, 1)), 1)
    x = {
        PoissonLaw: lambda: rng.poisson(rate * e),
        BernoulliLaw: lambda: rng.random((n, 1)) < 1 - np.exp(-rate * e),
        NegativeBinomialLaw: lambda: rng.poisson(rate * e * rng.gamma(2, 1 / 2, (n, 1))),
        ZeroInflatedLaw: lambda: rng.poisson(rate * e) * (rng.random((n, 1)) < 0.7),
    }[law]()
    return Observed(
        torch.tensor(x, dtype=torch.float64), torch.ones(n, 1, dtype=bool), torch.from_numpy(e)
    )


@pytest.mark.parametrize("seed", range(3))
def test_exposure_recovers_the_rate_of_partly_watched_bins(seed):
    seen, decoder = partly_watched(PoissonLaw, 2.0, seed), CountDecoder(1, 2).double()
    decoder.initialize(seen)
    with_exposure = decoder(torch.zeros(1, 2).double()).mean.item()
    se = math.sqrt(2.0 / seen.exposure.sum().item())  # of a Poisson rate over so many whole bins
    assert abs(with_exposure - 2.0) < 3.5 * se
    decoder.initialize(seen._replace(exposure=None))
    without = decoder(torch.zeros(1, 2).double()).mean.item()
    # An eighth of the time was not watched.
    assert without == pytest.approx(2.0 * 7 / 8, abs=4 * se)
    assert 2.0 - without > 10 * se


@pytest.mark.parametrize("law", LAWS[:3])
def test_moments_account_for_exposure(law):
    seen, decoder = partly_watched(law, 2.0), CountDecoder(1, 2, law=law).double()
    decoder.initialize(seen)
    assert decoder.predict(decoder(torch.zeros(1, 2).double())).item() == pytest.approx(
        2.0 * (0.7 if law is ZeroInflatedLaw else 1), rel=0.04
    )
    for number in decoder.law.parameters():
        found = number.exp() if law is NegativeBinomialLaw else number.sigmoid()
        # Three s.e. of 17,500 bins' worth, with room.
        assert found.item() == pytest.approx(
            {NegativeBinomialLaw: 0.5, ZeroInflatedLaw: 0.3}[law], abs=0.06
        )


@every_law
def test_a_bin_watched_by_half_expects_half_and_one_not_watched_is_left_whole(law):
    decoder = CountDecoder(1, 2, law=law).double()
    exposure = torch.tensor([[1.0], [0.5], [0.0]]).double()
    seen = Observed(torch.zeros(3, 1).double(), exposure > 0, exposure)
    z = torch.zeros(3, 2).double()
    mean = decoder.predict(decoder.given(z, seen))[:, 0].detach()
    rate = decoder.drive.bias.detach().exp()
    assert mean[1].item() == pytest.approx(decoder.law(rate / 2).mean.item(), rel=1e-12)
    assert mean[2].item() == mean[0].item() == decoder.law(rate).mean.item()
    # Predictions of what is hidden know the exposure as well.
    assert torch.equal(decoder.given(z, seen.unknown()).mean[:, 0].detach(), mean)


def test_features_are_counts_per_whole_bin():
    exposure = torch.tensor([[1.0, 0.5], [0.0, 1.0]])
    seen = Observed(torch.tensor([[2.0, 2.0], [0.0, 3.0]]), exposure > 0, exposure)
    features, known = Spikes().features(seen, Channels(("a", "b")), bin_width=0.02)
    assert features.tolist() == [[2, 4], [0, 3]]
    assert torch.equal(known, seen.mask)
    assert watched(seen).tolist() == exposure.tolist()


@pytest.mark.parametrize("exposure", [None, torch.tensor([[1.0], [0.0], [0.5]])])
def test_a_count_that_is_masked_is_no_count_per_whole_bin(exposure):
    mask = torch.tensor([[True], [False], [True]])
    seen = Observed(torch.tensor([[2.0], [99.0], [3.0]]), mask, exposure)
    assert per_whole_bin(seen).tolist() == [[2], [0], [3 if exposure is None else 6]]


@pytest.mark.parametrize("law", LAWS[:3])
def test_no_masked_count_raises_the_largest_rate(law):
    mask = torch.tensor([[True], [False], [True]])
    seen = Observed(torch.tensor([[2.0], [99.0], [3.0]]), mask)
    assert law(1).largest_rate(seen, torch.tensor([2.5])).tolist() == [6]
